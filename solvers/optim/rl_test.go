package optim_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

const side = 64

// scene is a few points and a disk, blurred, with noise of the given σ on a
// background; every seventh column masked.
func scene(t *testing.T, dev engine.Device, sigma float64) (op *operator.Convolution, truth, data, weights solvers.Image) {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 3.5, 3, 31)
	if err != nil {
		t.Fatal(err)
	}
	s := dev.NewStream()
	if op, err = operator.NewConvolution(dev, s, psf, side, side, 1); err != nil {
		t.Fatal(err)
	}
	truth = solvers.NewImage(1, side, side)
	for i := range truth.Pix {
		x, y := float64(i%side)-30, float64(i/side)-34
		truth.Pix[i] = float32(20 * math.Exp(-math.Hypot(x, y/0.6)/5))
	}
	truth.Pix[12*side+13] += 400
	truth.Pix[50*side+48] += 300
	truth.Pix[50*side+52] += 200
	x, _ := dev.Alloc(op.Domain())
	y, _ := dev.Alloc(op.Range())
	n, _ := dev.Alloc(op.Range())
	s.Upload(x, op.Embed(truth).Pix)
	op.Forward(s, y, x)
	s.Normal(n, engine.NewKey(4))
	s.Axpy(y, float32(sigma), n)
	data, weights = solvers.NewImage(1, side, side), solvers.NewImage(1, side, side)
	s.Download(data.Pix, y)
	for i := range weights.Pix {
		if i%side%7 != 3 {
			weights.Pix[i] = float32(1 / (sigma * sigma))
		} else {
			data.Pix[i] = 0
		}
	}
	return op, truth, data, weights
}

func run(t *testing.T, dev engine.Device, op *operator.Convolution, cfg optim.RLConfig, steps int) (out []float32, used int) {
	t.Helper()
	k, err := optim.NewRichardsonLucy(dev, op, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	grid := make([]float32, op.Domain().Len())
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: steps}) {
		if err != nil {
			t.Fatal(err)
		}
		step.State.Stream.Download(grid, step.State.X.Slice(0, 1))
		used = step.Index + 1
	}
	return op.Crop(grid), used
}

// The textbook iteration in float64 with direct sums, on the same grid.
func reference(op *operator.Convolution, psf solvers.Image, data, weights solvers.Image, b float64, steps int) []float64 {
	g := op.Grid
	n := g.H * g.W
	conv := func(x []float64, sign int) []float64 {
		out := make([]float64, n)
		cy, cx := (psf.H-1)/2, (psf.W-1)/2
		for y := range g.H {
			for xx := range g.W {
				var sum float64
				for j := range psf.H {
					for i := range psf.W {
						sy, sx := (y-sign*(j-cy)+g.H)%g.H, (xx-sign*(i-cx)+g.W)%g.W
						sum += float64(psf.Pix[j*psf.W+i]) * x[sy*g.W+sx]
					}
				}
				out[y*g.W+xx] = sum
			}
		}
		return out
	}
	y, m := make([]float64, n), make([]float64, n)
	for i, v := range g.Embed(data).Pix {
		y[i] = math.Max(float64(v), -b)
	}
	var mean, count float64
	for i, w := range g.Embed(weights).Pix {
		if w > 0 {
			m[i] = 1
			mean, count = mean+math.Max(0, y[i]), count+1
		}
	}
	sens := conv(m, -1)
	x := make([]float64, n)
	for i := range x {
		if sens[i] > 0.01 {
			x[i] = mean / count
		}
	}
	for range steps {
		ax := conv(x, 1)
		r := make([]float64, n)
		for i := range r {
			r[i] = m[i] * (y[i] + b) / (ax[i] + b)
		}
		c := conv(r, -1)
		for i := range x {
			if sens[i] > 0.01 {
				x[i] *= c[i] / sens[i]
			}
		}
	}
	return x
}

// rlTolerance covers float32 transforms over ten multiplicative steps.
const rlTolerance = 2e-4

func TestRichardsonLucy_TenSteps_MatchDirectSums(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	op, _, data, weights := scene(t, dev, 0.3)
	psf, _ := observe.AnalyticPSF(observe.PSFMoffat, 3.5, 3, 31)
	const b = 1.5
	got, _ := run(t, dev, op, optim.RLConfig{Data: data, Weights: weights, Background: []float64{b}}, 10)
	want := reference(op, psf, data, weights, b, 10)
	var top float64
	for _, v := range want {
		top = math.Max(top, v)
	}
	for y := range side {
		for x := range side {
			w := want[(y+op.Row)*op.W+x+op.Col]
			if d := math.Abs(float64(got[y*side+x]) - w); d > rlTolerance*top {
				t.Fatalf("pixel (%d, %d): %g, want %g", x, y, got[y*side+x], w)
			}
		}
	}
}

func rmse(a []float32, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v-b[i]) * float64(v-b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}

func TestRichardsonLucy_Sharpens_KeepsFluxAndSign(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	op, truth, data, weights := scene(t, dev, 0.1)
	got, _ := run(t, dev, op, optim.RLConfig{Data: data, Weights: weights, Background: []float64{0.5}}, 60)
	var flux, want float64
	for i, v := range got {
		if v < 0 {
			t.Fatalf("pixel %d is negative: %g", i, v)
		}
		flux, want = flux+float64(v), want+float64(truth.Pix[i])
	}
	if math.Abs(flux/want-1) > 0.03 {
		t.Errorf("flux %.0f, truth has %.0f", flux, want)
	}
	if before, after := rmse(data.Pix, truth.Pix), rmse(got, truth.Pix); after > 0.8*before {
		t.Errorf("RMSE %.3f, the data's is %.3f", after, before)
	}
}

// Damping must keep noise from growing: late in the iteration the empty part of
// the image is smoother than without it, and the stars are as sharp.
func TestRichardsonLucy_Damped_HoldsTheNoiseBack(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	op, truth, data, weights := scene(t, dev, 1)
	empty := func(x []float32) float64 {
		var sum float64
		for y := range 14 {
			for i := 44; i < 64; i++ {
				sum += math.Pow(float64(x[y*side+i]-truth.Pix[y*side+i]), 2)
			}
		}
		return math.Sqrt(sum)
	}
	cfg := optim.RLConfig{Data: data, Weights: weights, Background: []float64{3}}
	plain, _ := run(t, dev, op, cfg, 200)
	cfg.Damping = 3
	damped, _ := run(t, dev, op, cfg, 200)
	if a, b := empty(damped), empty(plain); a > 0.7*b {
		t.Errorf("noise of the empty corner %.3f damped, %.3f without", a, b)
	}
	if a, b := damped[12*side+13], plain[12*side+13]; a < 0.5*b {
		t.Errorf("the star's peak is %.1f damped, %.1f without", a, b)
	}
}

func TestRichardsonLucy_StopAtNoise_Stops(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	op, _, data, weights := scene(t, dev, 1)
	_, used := run(t, dev, op, optim.RLConfig{Data: data, Weights: weights, Background: []float64{3}, StopAtNoise: true}, 500)
	if used >= 500 || used < 2 {
		t.Errorf("stopped after %d iterations", used)
	}
}
