package optim_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/positivity"
	"limpid/priors/tv"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// points observes a few points with noise .02.
func points(t *testing.T, dev engine.Device, s engine.Stream, n int) (op *operator.Convolution, data, weights solvers.Image, scene []float32) {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFGaussian, 2, 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	if op, err = operator.NewConvolution(dev, s, psf, n, n, 1); err != nil {
		t.Fatal(err)
	}
	scene = make([]float32, op.Domain().Len())
	for _, p := range [][2]int{{12, 9}, {20, 22}, {21, 10}} {
		scene[(p[1]+op.Row)*op.W+p[0]+op.Col] = 5
	}
	x, _ := dev.Alloc(op.Domain())
	y, _ := dev.Alloc(op.Range())
	noise, _ := dev.Alloc(op.Range())
	s.Upload(x, scene)
	op.Forward(s, y, x)
	s.Normal(noise, engine.NewKey(1))
	s.Axpy(y, 0.02, noise)
	data, weights = solvers.NewImage(1, n, n), solvers.NewImage(1, n, n)
	s.Download(data.Pix, y)
	for i := range weights.Pix {
		weights.Pix[i] = 2500
	}
	return op, data, weights, scene
}

// The ℓ1 prior on positive scenes has a minimum that is known by its optimality
// conditions: the gradient is ρ where x > 0 and at most ρ elsewhere.
func TestFISTA_SparsePrior_MeetsTheOptimalityConditions(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	const n, rate, tolerance = 32, 40.0, 0.02
	op, data, weights, _ := points(t, dev, s, n)
	prior, err := positivity.New(dev, s, rate, op.Domain(), 1)
	if err != nil {
		t.Fatal(err)
	}
	k, err := optim.NewFISTA(dev, op, optim.FISTAConfig{Data: data, Weights: weights, Prior: prior, Stream: s, Tol: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for _, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 3000}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := make([]float32, op.Domain().Len())
	s.Download(got, k.Estimate())
	y, _ := dev.Alloc(op.Range())
	g, _ := dev.Alloc(op.Domain())
	op.Forward(s, y, k.Estimate().Reshape(op.Domain()...))
	model := make([]float32, y.Len())
	s.Download(model, y)
	for i := range model {
		model[i] = weights.Pix[i] * (data.Pix[i] - model[i])
	}
	s.Upload(y, model)
	op.Adjoint(s, g, y)
	grad := make([]float32, g.Len())
	s.Download(grad, g)
	active := 0
	for i, v := range got {
		if v > 1e-3 {
			active++
			if math.Abs(float64(grad[i])/rate-1) > tolerance {
				t.Errorf("pixel %d, x = %.3f: gradient %.2f, want %g", i, v, grad[i], rate)
			}
		} else if float64(grad[i]) > rate*(1+tolerance) {
			t.Errorf("pixel %d is 0 with a gradient of %.2f > %g", i, grad[i], rate)
		}
	}
	if active < 3 || active > 40 {
		t.Errorf("%d pixels are positive; 3 points were there", active)
	}
}

func TestFISTA_TotalVariation_BeatsTheData(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, data, weights, scene := points(t, dev, s, 32)
	prior, err := tv.New(dev, s, []float64{6}, op.Domain(), 1, tv.Options{Positive: true, Iterations: 15, Warm: true})
	if err != nil {
		t.Fatal(err)
	}
	k, err := optim.NewFISTA(dev, op, optim.FISTAConfig{Data: data, Weights: weights, Prior: prior, Stream: s})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	steps := 0
	for _, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 300}) {
		if err != nil {
			t.Fatal(err)
		}
		steps++
	}
	got := make([]float32, op.Domain().Len())
	s.Download(got, k.Estimate())
	blurred := op.Embed(data).Pix
	var before, after float64
	for i, v := range scene {
		before += math.Pow(float64(blurred[i]-v), 2)
		after += math.Pow(float64(got[i]-v), 2)
	}
	t.Logf("squared error %.3f of the data's after %d steps", after/before, steps)
	if after > 0.5*before {
		t.Errorf("squared error %.3f of the data's, want below .5", after/before)
	}
}

func TestFISTA_NothingSeen_IsAnError(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, data, weights, _ := points(t, dev, s, 32)
	clear(weights.Pix)
	prior, err := positivity.New(dev, s, 1, op.Domain(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := optim.NewFISTA(dev, op, optim.FISTAConfig{Data: data, Weights: weights, Prior: prior, Stream: s}); err == nil {
		t.Error("a problem without data was taken")
	}
}

func TestRichardsonLucy_TotalVariation_FlattensNoise(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, data, weights, _ := points(t, dev, s, 32)
	scatter := map[float64]float64{}
	for _, lambda := range []float64{0, 0.02} {
		k, err := optim.NewRichardsonLucy(dev, op, optim.RLConfig{Data: data, Weights: weights, Background: []float64{1}, TV: lambda})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, op.Domain().Len())
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 60}) {
			if err != nil {
				t.Fatal(err)
			}
			step.State.Stream.Download(got, step.State.X)
		}
		for i, v := range got { // differences of neighbours in an empty corner
			if x, y := i%op.W-op.Col, i/op.W-op.Row; x >= 0 && x < 8 && y >= 20 && y < 32 {
				scatter[lambda] += math.Abs(float64(v - got[i+1]))
			}
		}
		k.Close()
	}
	t.Logf("differences on the empty sky: %.3f with, %.3f without total variation", scatter[0.02], scatter[0])
	if scatter[0.02] > 0.7*scatter[0] {
		t.Errorf("differences on the empty sky of %.3f with, %.3f without total variation", scatter[0.02], scatter[0])
	}
	if _, err := optim.NewRichardsonLucy(dev, op, optim.RLConfig{Data: data, Weights: weights, Background: []float64{1}, TV: 0.2}); err == nil {
		t.Error("λ = .2 was taken")
	}
}
