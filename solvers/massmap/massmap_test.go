package massmap_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/massmap"
	"limpid/solvers/operator"
)

// scene makes a field of a smooth mass distribution (three Gaussian lumps) with noise.
func scene(t *testing.T, dev engine.Device, n int, sigma float64, hole bool) (*massmap.Field, []float32) {
	t.Helper()
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(n, n, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	kappa := make([]float32, n*n)
	for _, l := range [][4]float64{{0.3, 0.4, 2.5, 0.3}, {0.7, 0.6, 4, 0.15}, {0.6, 0.25, 2, 0.2}} {
		for i := range kappa {
			x, y := float64(i%n)-l[0]*float64(n), float64(i/n)-l[1]*float64(n)
			kappa[i] += float32(l[3] * math.Exp(-(x*x+y*y)/(2*l[2]*l[2])))
		}
	}
	x, _ := dev.Alloc(engine.Shape{1, 1, n, n})
	y, _ := dev.Alloc(engine.Shape{1, 2, n, n})
	noise, _ := dev.Alloc(y.Shape())
	s.Upload(x, kappa)
	op.Forward(s, y, x)
	s.Normal(noise, engine.NewKey(11))
	s.Axpy(y, float32(sigma), noise)
	g, std, mask := make([]float32, 2*n*n), make([]float32, n*n), make([]float32, n*n)
	s.Download(g, y)
	for i := range std {
		std[i], mask[i] = float32(sigma), 1
		if x, y := i%n, i/n; hole && x > n/2 && x < n/2+6 && y > n/3 && y < n/3+8 {
			mask[i] = 0
		}
	}
	f, err := massmap.NewField(massmap.Gridded{H: n, W: n, Arcmin: 0.5, G1: g[:n*n], G2: g[n*n:], Std1: std, Mask: mask})
	if err != nil {
		t.Fatal(err)
	}
	return f, kappa
}

// estimate runs a method to its last estimate, on the field.
func estimate(t *testing.T, dev engine.Device, f *massmap.Field, set massmap.Settings) []float32 {
	t.Helper()
	p, err := massmap.New(context.Background(), dev, f, set)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	full := make([]float32, p.Op.H*p.Op.W)
	for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: 1000, Seed: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind == solvers.Estimate {
			step.State.Stream.Download(full, step.State.X.Slice(0, 1))
			if set.Method == massmap.Wiener {
				break
			}
		}
	}
	out := make([]float32, f.H*f.W)
	for i := range out {
		out[i] = full[(i/f.W+p.Op.Row)*p.Op.W+i%f.W+p.Op.Col]
	}
	return out
}

// rmse of two maps, their means over unmasked pixels aside.
func rmse(f *massmap.Field, a, b []float32) float64 {
	var m, n, sum float64
	for i := range a {
		if !f.Masked(i) {
			m, n = m+float64(a[i]-b[i]), n+1
		}
	}
	for i := range a {
		if !f.Masked(i) {
			sum += math.Pow(float64(a[i]-b[i])-m/n, 2)
		}
	}
	return math.Sqrt(sum / n)
}

var lumps = gaussian.PowerLaw(0.05, 0.05, 2.5)

func TestMethods_LumpsInNoise_BeatTheEmptyMap(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, truth := scene(t, dev, 64, 0.05, true)
	empty := rmse(f, make([]float32, len(truth)), truth)
	for _, c := range []struct {
		set massmap.Settings
		top float64 // of the empty map's error: measured, and a tenth
	}{
		{massmap.Settings{Method: massmap.KS, Smoothing: 1}, 0.60},
		{massmap.Settings{Method: massmap.KS, Smoothing: 1, FillGaps: 20}, 0.60},
		{massmap.Settings{Method: massmap.Wiener, Spectrum: lumps}, 0.55},
		{massmap.Settings{Method: massmap.Sparse}, 0.55},
		{massmap.Settings{Method: massmap.MCALens, Spectrum: lumps, Threshold: 3}, 0.55},
	} {
		got := rmse(f, estimate(t, dev, f, c.set), truth) / empty
		t.Logf("%s, gaps %d: %.3f of the empty map's error", c.set.Method, c.set.FillGaps, got)
		if got > c.top {
			t.Errorf("%s, gaps %d: %.3f of the empty map's error, want at most %.2f", c.set.Method, c.set.FillGaps, got, c.top)
		}
	}
}

// Without noise: filling gaps brings the map in and about them nearer to the truth.
func TestKS_GapsFilled_ComeNearerToTheTruth(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, truth := scene(t, dev, 64, 1e-4, true)
	plain := rmse(f, estimate(t, dev, f, massmap.Settings{Method: massmap.KS, Smoothing: 0.2}), truth)
	filled := rmse(f, estimate(t, dev, f, massmap.Settings{Method: massmap.KS, Smoothing: 0.2, FillGaps: 50}), truth)
	t.Logf("error %.2e plain, %.2e filled", plain, filled)
	if filled > 0.6*plain {
		t.Errorf("error %.2e with gaps filled, %.2e without", filled, plain)
	}
}

// Reduced shear g = γ/(1 − κ): iterations undo it.
func TestKS_ReducedShear_IsUndone(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, truth := scene(t, dev, 64, 1e-4, false)
	n := f.H * f.W
	for i := range f.Shear.Pix {
		f.Shear.Pix[i] /= 1 - truth[i%n]
	}
	var mean float32 // KS gives κ with mean 0: the sheet is part of g
	for _, v := range truth {
		mean += v / float32(n)
	}
	plain := rmse(f, estimate(t, dev, f, massmap.Settings{Method: massmap.KS}), truth)
	fixed := rmse(f, estimate(t, dev, f, massmap.Settings{Method: massmap.KS, Reduced: 8}), truth)
	t.Logf("error %.2e as γ, %.2e as reduced shear (mean κ %.3f is not known)", plain, fixed, mean)
	if fixed > 0.4*plain {
		t.Errorf("error %.2e with iterations, %.2e without", fixed, plain)
	}
	w := massmap.Settings{Method: massmap.Wiener, Spectrum: lumps}
	plain = rmse(f, estimate(t, dev, f, w), truth)
	w.Reduced = 3
	fixed = rmse(f, estimate(t, dev, f, w), truth)
	if fixed > 0.6*plain {
		t.Errorf("Wiener: error %.2e with iterations, %.2e without", fixed, plain)
	}
}

func TestNew_BadFieldsAndSettings_AreErrors(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, _ := scene(t, dev, 32, 0.1, false)
	for name, set := range map[string]massmap.Settings{
		"method":   {Method: "magic"},
		"spectrum": {Method: massmap.Wiener},
		"shift":    {Method: massmap.Lognormal, Spectrum: lumps},
		"smooth":   {Method: massmap.KS, Smoothing: math.NaN()},
		"gaps":     {Method: massmap.KS, FillGaps: -1},
		"learned":  {Method: massmap.Score, Spectrum: lumps},
	} {
		if _, err := massmap.New(context.Background(), dev, f, set); !errors.Is(err, massmap.ErrSetting) {
			t.Errorf("%s: %v", name, err)
		}
	}
	masked := f.Clone()
	clear(masked.Shear.Pix)
	clear(masked.Weights.Pix)
	if _, err := massmap.New(context.Background(), dev, masked, massmap.Settings{Method: massmap.KS}); !errors.Is(err, massmap.ErrEmpty) {
		t.Errorf("all masked: %v", err)
	}
	nan := f.Clone()
	nan.Shear.Pix[5] = float32(math.NaN())
	if _, err := massmap.New(context.Background(), dev, nan, massmap.Settings{Method: massmap.KS}); !errors.Is(err, massmap.ErrField) {
		t.Errorf("NaN: %v", err)
	}
	small := cpu.New(cpu.Options{MemoryBudget: 1 << 16})
	defer small.Close()
	var memory *engine.MemoryError
	if _, err := massmap.New(context.Background(), small, f, massmap.Settings{Method: massmap.Wiener, Spectrum: lumps}); !errors.As(err, &memory) {
		t.Errorf("64 KiB: %v", err)
	}
}

func TestNewField_Maps_AreChecked(t *testing.T) {
	one := make([]float32, 100)
	for i := range one {
		one[i] = 0.1
	}
	for name, g := range map[string]massmap.Gridded{
		"size":     {H: 10, W: 10, Arcmin: 1, G1: one, G2: one[:50], Std1: one},
		"mask":     {H: 10, W: 10, Arcmin: 1, G1: one, G2: one, Std1: one, Mask: one[:3]},
		"no noise": {H: 10, W: 10, Arcmin: 1, G1: one, G2: one},
		"scale":    {H: 10, W: 10, G1: one, G2: one, Std1: one},
		"masked":   {H: 10, W: 10, Arcmin: 1, G1: one, G2: one, Std1: one, Mask: make([]float32, 100)},
	} {
		if _, err := massmap.NewField(g); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	g1 := append([]float32(nil), one...)
	g1[7] = float32(math.NaN())
	f, err := massmap.NewField(massmap.Gridded{H: 10, W: 10, Arcmin: 1, G1: g1, G2: one, Std1: one})
	if err != nil || !f.Masked(7) || f.Masked(8) || len(f.Findings) != 1 {
		t.Errorf("a NaN pixel: %v, %v", err, f)
	}
}

// With a Gaussian prior known by its score, and the Gaussian covariance at every level,
// the bridge is exact: the moments of its draws are those of the Wiener posterior.
func TestScore_GaussianPrior_AgreesWithWiener(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, _ := scene(t, dev, 32, 0.1, true)
	s := dev.NewStream()
	prior, err := gaussian.New(dev, s, []gaussian.Spectrum{lumps}, engine.Shape{1, 32, 32}, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	want := estimate(t, dev, f, massmap.Settings{Method: massmap.Wiener, Spectrum: lumps})
	const draws = 96
	var mean, square [2][]float64
	for k, set := range []massmap.Settings{
		{Method: massmap.Wiener, Spectrum: lumps, Batch: 8},
		{Method: massmap.Score, Spectrum: lumps, Learned: massmap.Learned{Prior: prior, Stream: s, Batch: 8, Moves: -1, Stationary: true}},
	} {
		p, err := massmap.New(context.Background(), dev, f, set)
		if err != nil {
			t.Fatal(err)
		}
		mean[k], square[k] = make([]float64, len(want)), make([]float64, len(want))
		x, n := make([]float32, len(want)), 0
		for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: 100000, Seed: 5}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.State.Kind == solvers.Draw {
				for b := range step.State.Count {
					step.State.Stream.Download(x, step.State.X.Slice(b, b+1))
					n++
					var flat float64 // unseen, and most of every pixel's variance
					for i, v := range x {
						flat += float64(v-want[i]) / float64(len(want))
					}
					for i, v := range x {
						d := float64(v-want[i]) - flat
						mean[k][i] += d / draws
						square[k][i] += d * d / draws
					}
				}
			}
			if n >= draws {
				break
			}
		}
		p.Close()
	}
	var off, ratio, total float64
	for i := range want {
		off += mean[1][i] * mean[1][i] / square[0][i] * draws / float64(len(want))
		ratio, total = ratio+square[1][i], total+square[0][i]
	}
	t.Logf("mean off by %.2f of its sampling variance, variance %.3f of Wiener's", off, ratio/total)
	if off > 2 || math.Abs(ratio/total-1) > 0.06 {
		t.Errorf("mean off by %.2f of its sampling variance, variance %.3f of Wiener's", off, ratio/total)
	}
}

// A Gaussian field of four times the power that the fit begins with: where the data see
// it, the spectrum is found.
func TestFitSpectrum_GaussianField_FindsThePower(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	const n, sigma = 96, 0.1
	true4, err := gaussian.NewSpectrum([]float64{0.005, 0.02, 0.05, 0.1, 0.3, 0.7}, []float64{0.4, 0.4, 0.2, 0.04, 0.004, 0.001})
	if err != nil {
		t.Fatal(err)
	}
	s := dev.NewStream()
	prior, err := gaussian.New(dev, s, []gaussian.Spectrum{true4}, engine.Shape{1, n, n}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(n, n, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x, _ := dev.Alloc(engine.Shape{1, 1, n, n})
	y, _ := dev.Alloc(engine.Shape{1, 2, n, n})
	noise, _ := dev.Alloc(y.Shape())
	prior.Sample(s, x, engine.NewKey(3))
	op.Forward(s, y, x)
	s.Normal(noise, engine.NewKey(4))
	s.Axpy(y, sigma, noise)
	both, std := make([]float32, 2*n*n), make([]float32, n*n)
	s.Download(both, y)
	for i := range std {
		std[i] = sigma
	}
	f, err := massmap.NewField(massmap.Gridded{H: n, W: n, Arcmin: 0.5, G1: both[:n*n], G2: both[n*n:], Std1: std})
	if err != nil {
		t.Fatal(err)
	}
	start := true4
	start.LogP = append([]float64(nil), true4.LogP...)
	for i := range start.LogP {
		start.LogP[i] -= math.Log(4)
	}
	got, err := massmap.FitSpectrum(context.Background(), dev, f, start, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []float64{0.03, 0.05, 0.08, 0.12} {
		r := got.At(k) / true4.At(k)
		t.Logf("k = %.2f: %.2f of the truth, the start %.2f", k, r, start.At(k)/true4.At(k))
		if r < 0.6 || r > 1.6 {
			t.Errorf("k = %.2f: %.2f of the truth", k, r)
		}
	}
}
