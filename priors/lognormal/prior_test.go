package lognormal_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/internal/priortest"
	"limpid/priors/lognormal"
)

// kappa is a spectrum like that of a convergence map: std .02 or so, falling.
func kappa() gaussian.Spectrum { return gaussian.PowerLaw(5e-3, 0.05, 1.3) }

const shift = 0.05

func open(t testing.TB, batch, bands, h, w int) (*priortest.Bench, *lognormal.Prior) {
	b := priortest.New(t)
	sp, l := make([]gaussian.Spectrum, bands), make([]float64, bands)
	for c := range sp {
		sp[c], l[c] = kappa(), shift*float64(c+1)
	}
	p, err := lognormal.New(b.Dev, b.S, sp, l, engine.Shape{bands, h, w}, batch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return b, p
}

func TestSample_ManyMaps_MomentsAndSpectrumAsAsked(t *testing.T) {
	const n, side = 300, 64
	b, p := open(t, n, 1, side, side)
	x := b.Tensor(n, 1, side, side)
	p.Sample(b.S, x, engine.NewKey(5))
	v := b.Host(x)
	s2 := p.SigmaG2[0]
	variance := kappa().Variance(side, side)
	t.Logf("σ_g² %.3f, clipped %.2g, λ²(e^σ²−1) = %.4g, variance asked for %.4g", s2, p.Clipped[0], shift*shift*math.Expm1(s2), variance)
	if p.Clipped[0] > 1e-3 {
		t.Errorf("%.2g of the variance of g was clipped", p.Clipped[0])
	}
	for _, q := range v {
		if q <= -shift {
			t.Fatalf("κ = %g is not above −λ", q)
		}
	}
	// The errors of these means are those of the maps, which are independent.
	var means, vars, thirds []float64
	maps := make([][]float64, n)
	for k := range maps {
		m := v[k*side*side : (k+1)*side*side]
		maps[k] = m
		means = append(means, stat.Mean(m, nil))
		var a, c float64
		for _, q := range m {
			a, c = a+q*q, c+q*q*q
		}
		vars, thirds = append(vars, a/float64(len(m))), append(thirds, c/float64(len(m)))
	}
	within := func(what string, draws []float64, want float64) {
		m, sd := stat.MeanStdDev(draws, nil)
		if e := sd / math.Sqrt(n); math.Abs(m-want) > 4*e {
			t.Errorf("%s: %g ± %g, want %g", what, m, e, want)
		}
	}
	within("mean", means, 0)
	within("variance", vars, variance)
	within("third moment", thirds, lognormal.Skewness(s2)*math.Pow(variance, 1.5))
	// The rings of each map; their scatter knows that the modes are not independent.
	powers := map[float64][]float64{}
	for _, m := range maps {
		bins, err := gaussian.Periodogram([][]float64{m}, side, side, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, bin := range bins {
			powers[bin.K] = append(powers[bin.K], bin.Power)
		}
	}
	for k, draws := range powers {
		within(fmt.Sprintf("power at k = %.3f", k), draws, ringMean(kappa(), side, k))
	}
}

// ringMean is the mean of the spectrum over the modes of the ring, an octave wide, whose
// mean wavenumber is near k.
func ringMean(sp gaussian.Spectrum, side int, k float64) float64 {
	lo := math.Exp2(math.Round(math.Log2(k*float64(side)))-0.5) / float64(side)
	var sum, n float64
	for y := range side {
		for x := range side {
			q := math.Hypot(gaussian.Frequency(y, side), gaussian.Frequency(x, side))
			if q >= lo && q < 2*lo && q <= 0.5 {
				sum, n = sum+sp.At(q), n+1
			}
		}
	}
	return sum / n
}

func TestPullback_Map_IsTransposeOfTheDerivative(t *testing.T) {
	b, p := open(t, 2, 2, 12, 15)
	dims := []int{2, 2, 12, 15}
	z, g, dz := b.Normal(1, 1, dims...), b.Normal(2, 1, dims...), b.Tensor(dims...)
	p.Pullback(b.S, dz, z, g)
	x := b.Tensor(dims...)
	score := func(dst, _ *engine.Tensor) { b.S.Copy(dst, dz) }
	hg := b.Host(g)
	b.Gradient(score, func(v []float64) float64 {
		f := make([]float32, len(v))
		for i, q := range v {
			f[i] = float32(q)
		}
		zz := b.Of(f, dims...)
		p.FromWhite(b.S, x, zz)
		var sum float64
		for i, q := range b.Host(x) {
			sum += q * hg[i]
		}
		zz.Free()
		return sum
	}, z, 0.02, 2e-3, 4) // float32 maps and a cubic error of (0.02)²
}

// onHost is ln p by the definition with float64 arithmetic, through a dense matrix.
func onHost(t *testing.T, h, w int, s2 float64) func(x []float64) float64 {
	g, err := lognormal.FieldPower(kappa().OnGrid(h, w), h, w, shift)
	if err != nil {
		t.Fatal(err)
	}
	half := w/2 + 1
	return func(x []float64) float64 {
		field := make([]float64, len(x))
		var sum float64
		for i, v := range x {
			field[i] = math.Log(1+v/shift) + s2/2
			sum -= math.Log(v + shift)
		}
		for ky := range h {
			for kx := range half {
				var re, im float64
				for i, v := range field {
					a := 2 * math.Pi * (float64(ky*(i/w))/float64(h) + float64(kx*(i%w))/float64(w))
					re, im = re+v*math.Cos(a), im-v*math.Sin(a)
				}
				sum -= 0.5 * gaussian.ModeWeight(kx, w) * (re*re + im*im) / (g.Power[ky*half+kx] * float64(h*w))
			}
		}
		return sum
	}
}

func TestLogProb_AgainstDirectSum_EqualAndGradientIsIts(t *testing.T) {
	const h, w = 10, 9
	b, p := open(t, 2, 1, h, w)
	f := onHost(t, h, w, p.SigmaG2[0])
	x, d := b.Tensor(2, 1, h, w), b.Tensor(2)
	p.Sample(b.S, x, engine.NewKey(3))
	p.LogProb(b.S, d, x)
	hx, got := b.Host(x), b.Host(d)
	want := f(hx[:h*w]) - f(hx[h*w:])
	if math.Abs(got[0]-got[1]-want) > 1e-3*math.Abs(want) {
		t.Errorf("log densities differ by %g, want %g", got[0]-got[1], want)
	}
	one := x.Slice(0, 1)
	b.Gradient(func(dst, x *engine.Tensor) { p.Gradient(b.S, dst, x) }, f, one, 1e-6, 1e-3, 4)
}

// ln p(κ) = ln p(z) − ln |∂κ/∂z|, and the Jacobian of the field is constant.
func TestLogProb_ChangeOfVariables_Consistent(t *testing.T) {
	b, p := open(t, 2, 1, 16, 16)
	z, x, g, d := b.Normal(4, 1, 2, 1, 16, 16), b.Tensor(2, 1, 16, 16), b.Tensor(2, 1, 16, 16), b.Tensor(2)
	p.FromWhite(b.S, x, z)
	p.LogProb(b.S, d, x)
	hz, hx, lp := b.Host(z), b.Host(x), b.Host(d)
	p.Field(b.S, g, z)
	p.LogProbField(b.S, d, g)
	lg := b.Host(d)
	rest := make([]float64, 2)
	for k := range rest {
		var zz, jac float64
		for i := k * 256; i < (k+1)*256; i++ {
			zz += hz[i] * hz[i]
			jac += math.Log(hx[i] + shift)
		}
		rest[k] = lp[k] + zz/2 + jac
		if math.Abs(lg[k]+zz/2) > 2e-3*zz {
			t.Errorf("scene %d: ln p(g) = %g, −½|z|² = %g", k, lg[k], -zz/2)
		}
	}
	if math.Abs(rest[0]-rest[1]) > 0.1 { // of about 800, in float32
		t.Errorf("the constants of two scenes are %g and %g", rest[0], rest[1])
	}
	p.ToField(b.S, x, x)
	hg := b.Host(g)
	for i, v := range b.Host(x) {
		if math.Abs(v-hg[i]) > 1e-4 {
			t.Fatalf("pixel %d: field %g, want %g", i, v, hg[i])
		}
	}
}

func TestGradientField_AgainstLogProb_Agrees(t *testing.T) {
	b, p := open(t, 1, 1, 12, 12)
	g, d := b.Tensor(1, 1, 12, 12), b.Tensor(1)
	p.Field(b.S, g, b.Normal(8, 1, 1, 1, 12, 12))
	b.Gradient(func(dst, x *engine.Tensor) { p.GradientField(b.S, dst, x) }, func(v []float64) float64 {
		f := make([]float32, len(v))
		for i, q := range v {
			f[i] = float32(q)
		}
		p.LogProbField(b.S, d, b.Of(f, 1, 1, 12, 12))
		return b.Host(d)[0]
	}, g, 0.02, 2e-3, 3)
}

func TestGradient_BelowTheFloor_PointsUpAndIsFinite(t *testing.T) {
	b, p := open(t, 1, 1, 8, 8)
	v := make([]float32, 64)
	v[10] = -2 * shift
	x, g := b.Of(v, 1, 1, 8, 8), b.Tensor(1, 1, 8, 8)
	p.Gradient(b.S, g, x)
	for i, q := range b.Host(g) {
		if math.IsNaN(q) || math.IsInf(q, 0) || i == 10 && q <= 0 {
			t.Errorf("pixel %d: gradient %g", i, q)
		}
	}
}

func TestNew_ImpossibleFields_AreErrors(t *testing.T) {
	b := priortest.New(t)
	for _, l := range []float64{0, -1, math.NaN(), math.Inf(1), 1e-3} {
		blue := gaussian.PowerLaw(1, 0.5, -2) // negative correlations
		_, err := lognormal.New(b.Dev, b.S, []gaussian.Spectrum{blue}, []float64{l}, engine.Shape{1, 64, 64}, 1)
		if err == nil {
			t.Errorf("shift %g was taken", l)
		}
	}
}

func TestFit_OwnSamples_FindsShiftAndSpectrum(t *testing.T) {
	const n, side = 40, 128
	b, p := open(t, n, 1, side, side)
	x := b.Tensor(n, 1, side, side)
	p.Sample(b.S, x, engine.NewKey(9))
	v := b.Host(x)
	maps := make([][]float64, n)
	var m2, m3 float64
	for k := range maps {
		maps[k] = v[k*side*side : (k+1)*side*side]
	}
	for _, q := range v {
		m2, m3 = m2+q*q, m3+q*q*q
	}
	l, sp, err := lognormal.Fit(maps, side, side, 0)
	if err != nil {
		t.Fatal(err)
	}
	byMoments, err := lognormal.ShiftFromMoments(m2/float64(len(v)), m3/float64(len(v)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("λ = %.4f by quantiles, %.4f by moments, truth %.4f", l, byMoments, shift)
	if math.Abs(l/shift-1) > 0.06 || math.Abs(byMoments/shift-1) > 0.1 {
		t.Errorf("λ = %g and %g, want %g", l, byMoments, shift)
	}
	for _, k := range []float64{0.02, 0.05, 0.1, 0.3, 0.45} {
		if r := sp.At(k) / kappa().At(k); math.Abs(r-1) > 0.1 {
			t.Errorf("k = %g: fitted power is %.3f of the truth", k, r)
		}
	}
	for i := range v {
		v[i] = -v[i]
	}
	if _, err := lognormal.ShiftFromMoments(1, -1); err == nil {
		t.Error("moments skewed to the left were given a shift")
	}
	if _, err := lognormal.ShiftFromQuantiles(v); err == nil {
		t.Error("pixels skewed to the left were given a shift")
	}
}
