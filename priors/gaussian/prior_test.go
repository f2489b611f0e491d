package gaussian_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/internal/priortest"
)

func open(t testing.TB, batch, h, w int) (*priortest.Bench, *gaussian.Prior, gaussian.Spectrum) {
	b := priortest.New(t)
	sp := gaussian.PowerLaw(2, 0.1, 1.7)
	p, err := gaussian.New(b.Dev, b.S, []gaussian.Spectrum{sp}, engine.Shape{1, h, w}, batch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return b, p, sp
}

func TestLogProb_Gradient_IsScore(t *testing.T) {
	b, p, sp := open(t, 1, 10, 13)
	power := sp.OnGrid(10, 13)
	x := b.Normal(1, 1, 1, 1, 10, 13)
	b.Gradient(func(dst, x *engine.Tensor) { p.Score(b.S, dst, x, 0) }, func(v []float64) float64 {
		var sum float64
		for ky := range 10 {
			for kx := range 7 {
				var re, im float64
				for i, q := range v {
					a := 2 * math.Pi * (float64(ky*(i/13))/10 + float64(kx*(i%13))/13)
					re, im = re+q*math.Cos(a), im+q*math.Sin(a)
				}
				sum -= 0.5 * gaussian.ModeWeight(kx, 13) * (re*re + im*im) / (130 * power[ky*7+kx])
			}
		}
		return sum
	}, x, 1e-4, 1e-5, 3)
}

func TestSample_Variance_AsTheSpectrumSays(t *testing.T) {
	const n, side = 200, 32
	b, p, sp := open(t, n, side, side)
	x := b.Tensor(n, 1, side, side)
	p.Sample(b.S, x, engine.NewKey(2))
	v := b.Host(x)
	vars := make([]float64, n)
	for k := range vars {
		for _, q := range v[k*side*side : (k+1)*side*side] {
			vars[k] += q * q / (side * side)
		}
	}
	m, sd := stat.MeanStdDev(vars, nil)
	if want := sp.Variance(side, side); math.Abs(m-want) > 4*sd/math.Sqrt(n) {
		t.Errorf("variance %g ± %g, want %g", m, sd/math.Sqrt(n), want)
	}
}

func TestFromWhite_AndPullback_AreTransposed(t *testing.T) {
	b, p, _ := open(t, 2, 12, 9)
	b.Adjoint(engine.Shape{2, 1, 12, 9}, engine.Shape{2, 1, 12, 9},
		func(dst, src *engine.Tensor) { p.FromWhite(b.S, dst, src) },
		func(dst, src *engine.Tensor) { p.Pullback(b.S, dst, nil, src) }, 1e-6)
}

func TestPeriodogram_WhiteNoise_IsFlatWithAndWithoutTaper(t *testing.T) {
	const n, h, w = 30, 64, 50
	b := priortest.New(t)
	v := b.Host(b.Normal(3, 3, n, h, w))
	maps := make([][]float64, n)
	for k := range maps {
		maps[k] = v[k*h*w : (k+1)*h*w]
	}
	for _, taper := range []float64{0, 0.15} {
		bins, err := gaussian.Periodogram(maps, h, w, 2, taper)
		if err != nil {
			t.Fatal(err)
		}
		modes := 0
		for _, bin := range bins {
			modes += bin.Modes
			// |x̂|² of independent pairs of modes; a taper makes about twice as few independent
			tol := 4 * math.Sqrt(2*2/float64(bin.Modes*n))
			if bin.K > 0.03 && math.Abs(bin.Power/9-1) > tol {
				t.Errorf("taper %g, k = %.3f: power %.3f, want 9 within %.1f %%", taper, bin.K, bin.Power, 100*tol)
			}
		}
		if modes < h*w*7/10 { // π/4 of the plane lies within the Nyquist circle
			t.Errorf("%d modes of %d pixels", modes, h*w)
		}
	}
}

func TestEstimate_OwnSamples_FindsTheSpectrum(t *testing.T) {
	const n, side = 60, 96
	b, p, sp := open(t, n, side, side)
	x := b.Tensor(n, 1, side, side)
	p.Sample(b.S, x, engine.NewKey(7))
	v := b.Host(x)
	maps := make([][]float64, n)
	for k := range maps {
		maps[k] = v[k*side*side : (k+1)*side*side]
	}
	got, err := gaussian.Estimate(maps, side, side, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []float64{0.015, 0.03, 0.1, 0.25, 0.45} {
		if r := got.At(k) / sp.At(k); math.Abs(r-1) > 0.12 { // rings are half an octave wide
			t.Errorf("k = %g: %.3f of the truth", k, r)
		}
	}
}

func TestPeriodogram_BadMaps_AreErrors(t *testing.T) {
	nan := make([]float64, 64)
	nan[5] = math.NaN()
	for _, maps := range [][][]float64{nil, {make([]float64, 63)}, {nan}} {
		if _, err := gaussian.Periodogram(maps, 8, 8, 1, 0); err == nil {
			t.Errorf("%d maps were taken", len(maps))
		}
	}
	if _, err := gaussian.Estimate([][]float64{make([]float64, 64)}, 8, 8, 0); err == nil {
		t.Error("a constant map has a spectrum")
	}
}
