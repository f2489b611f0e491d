package deblend

import (
	"context"
	"path/filepath"
	"testing"

	"limpid/engine/cpu"
)

func BenchmarkFit_HSC(b *testing.B) {
	obs, src := readHSC35(b, filepath.Join(dataFolder(b), "scarlet", "hsc_cosmos_35.npz"))
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	for b.Loop() {
		r, err := Fit(context.Background(), dev, obs, src, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Iter), "iterations")
		b.ReportMetric(quantile(r.Chi2, .5), "chi2")
	}
}
