package optim_test

import (
	"context"
	"testing"

	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// BenchmarkRichardsonLucy is one iteration on 1024² with a PSF of 61².
func BenchmarkRichardsonLucy(b *testing.B) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 3.5, 3, 61)
	if err != nil {
		b.Fatal(err)
	}
	const n = 1024
	op, err := operator.NewConvolution(dev, dev.NewStream(), psf, n, n, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	data, weights := solvers.NewImage(1, n, n), solvers.NewImage(1, n, n)
	for i := range data.Pix {
		data.Pix[i], weights.Pix[i] = 1+float32(i%97), 1
	}
	k, err := optim.NewRichardsonLucy(dev, op, optim.RLConfig{Data: data, Weights: weights, Background: []float64{3}})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	b.ResetTimer()
	for _, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: b.N}) {
		if err != nil {
			b.Fatal(err)
		}
	}
}
