package anneal_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// A scene of a Gaussian prior with a level's noise is as far from what is made of it as the draws are, before the data
// are seen and after; levels that are not there, and too few values, are refused.
func TestBridge_Judge_TheSceneIsOneOfTheDraws(t *testing.T) {
	const n, batch, scenes = 32, 8, 12
	dev := newDevice(t)
	s := dev.NewStream()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 2.5, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	op, err := operator.NewConvolutionOn(dev, s, psf, operator.Grid{C: 1, H: n, W: n, ImgH: n, ImgW: n}, batch)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	p, spectrum := steepPrior(t, dev, s, n, batch, 4)
	x, err := dev.Alloc(engine.Shape{batch, 1, n, n})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Free()
	image, err := dev.Alloc(engine.Shape{batch, 1, n, n})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Free()
	key := engine.NewKey(8)
	var own, free, given, belief float64 // |scene − mean|² and the draws', before the data and given them
	for i := range uint64(scenes) {
		p.Sample(s, x, key.Fold(3*i))
		op.Forward(s, image, x)
		truth, data, weights := make([]float32, batch*n*n), solvers.NewImage(1, n, n), solvers.NewImage(1, n, n)
		s.Download(truth, x)
		seen, noise := make([]float32, batch*n*n), make([]float32, batch*n*n)
		s.Download(seen, image)
		s.Normal(image, key.Fold(3*i+1))
		s.Download(noise, image)
		for j := range data.Pix {
			data.Pix[j], weights.Pix[j] = seen[j]+noise[j], 1
		}
		b, err := anneal.NewBridge(dev, anneal.Config{
			Op: op, Data: data, Weights: weights, Prior: p, Power: spectrum.OnGrid(n, n), Gain: op.Power(s), Stream: s,
			Batch: batch, Levels: 8, Moves: -1, Patches: true, NoPreview: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		const level = 4
		scene := make([]float32, batch*n*n)
		s.Normal(image, key.Fold(3*i+2))
		s.Download(noise, image)
		for j := range scene {
			scene[j] = truth[j%(n*n)] + float32(b.Sigmas()[level])*noise[j%(n*n)]
		}
		judged, err := b.Judge(context.Background(), level, scene, key.Fold(100+i))
		if err != nil {
			t.Fatal(err)
		}
		for j := range n * n {
			m, mean := float64(judged.Mean[j]), 0.0
			for d := range batch {
				mean += float64(judged.Given[d*n*n+j]) / batch
			}
			own += math.Pow(float64(truth[j])-m, 2)
			given += math.Pow(float64(truth[j])-mean, 2) / (1 + 1.0/batch)
			for d := range batch {
				free += math.Pow(float64(judged.Free[d*n*n+j])-m, 2) / batch
				belief += math.Pow(float64(judged.Given[d*n*n+j])-mean, 2) / (batch - 1)
			}
		}
		if i == 0 {
			for _, bad := range []struct{ level, values int }{{-1, len(scene)}, {8, len(scene)}, {0, n * n}} {
				if _, err := b.Judge(context.Background(), bad.level, scene[:bad.values], key); err == nil {
					t.Errorf("level %d with %d values was judged", bad.level, bad.values)
				}
			}
		}
		b.Close()
	}
	t.Logf("variance over squared error: %.3f, given the data %.3f", free/own, belief/given)
	for name, ratio := range map[string]float64{"before the data": free / own, "given the data": belief / given} {
		if ratio < 0.85 || ratio > 1.2 {
			t.Errorf("%s the variance of the draws is %.2f times the squared error", name, ratio)
		}
	}
	if given > 0.9*own {
		t.Errorf("the data leave %.2f of the squared error", given/own)
	}
}
