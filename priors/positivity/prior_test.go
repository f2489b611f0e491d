package positivity_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"limpid/engine"
	"limpid/priors/internal/priortest"
	"limpid/priors/positivity"
)

func open(t testing.TB, rate float64, batch int, domain ...int) (*priortest.Bench, *positivity.Prior) {
	b := priortest.New(t)
	p, err := positivity.New(b.Dev, b.S, rate, domain, batch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return b, p
}

// float32 and a quotient of small numbers at the split: a few parts in a million of the
// larger of the score and 1/σ.
const scoreTolerance = 6e-6

func TestScore_AnySigma_IsThatOfTheConvolution(t *testing.T) {
	const rate, sigma = 0.7, 0.4
	b, p := open(t, rate, 1, 1, 30, 41)
	x := make([]float32, 30*41)
	for i := range x {
		x[i] = -6 + 10*float32(i)/float32(len(x)-1)
	}
	tx, dst := b.Of(x, 1, 30, 41), b.Tensor(1, 30, 41)
	p.Score(b.S, dst, tx, sigma)
	for i, got := range b.Host(dst) {
		u := (float64(x[i]) - rate*sigma*sigma) / sigma
		// log Φ by the error function where it is representable, else its series
		want := -rate + mills(u)/sigma
		if d := math.Abs(got - want); !(d < scoreTolerance*max(1/sigma, math.Abs(want))) {
			t.Errorf("x = %g: score %g, want %g", x[i], got, want)
		}
	}
}

// mills is φ/Φ; erfc keeps its relative accuracy in the tail.
func mills(u float64) float64 {
	return math.Sqrt(2/math.Pi) * math.Exp(-u*u/2) / math.Erfc(-u/math.Sqrt2)
}

func TestScore_Batch_ScenesIndependent(t *testing.T) {
	b, p := open(t, 1, 2, 2, 9, 8)
	b.Batches(p, engine.Shape{2, 9, 8}, 0.5, 0)
	b.Batches(p, engine.Shape{2, 9, 8}, 0, 0)
}

func TestProx_AnyInput_SatisfiesOptimality(t *testing.T) {
	const rate, step = 0.5, 0.8
	b, p := open(t, rate, 1, 1, 16, 16)
	x, u := b.Normal(1, 1, 1, 16, 16), b.Tensor(1, 16, 16)
	p.Prox(b.S, u, x, step)
	hx := b.Host(x)
	for i, v := range b.Host(u) {
		// 0 ∈ u − x + tρ + N(u): the residual vanishes inside and points out at 0
		r := v - hx[i] + step*rate
		if v < 0 || v > 0 && math.Abs(r) > 1e-6 || v == 0 && r < -1e-6 {
			t.Errorf("pixel %d: prox of %g is %g", i, hx[i], v)
		}
	}
}

func TestLogProb_Gradient_IsScoreInside(t *testing.T) {
	const rate = 0.3
	b, p := open(t, rate, 1, 1, 12, 12)
	x := b.Tensor(1, 1, 12, 12)
	b.S.Uniform(x, engine.NewKey(4))
	b.Gradient(func(dst, x *engine.Tensor) { p.Score(b.S, dst, x, 0) }, func(v []float64) float64 {
		var sum float64
		for _, q := range v {
			sum -= rate * q
		}
		return sum
	}, x, 1e-3, 1e-5, 4)
	d := b.Tensor(1)
	p.LogProb(b.S, d, x)
	var want float64
	for _, v := range b.Host(x) {
		want -= rate * v
	}
	if got := b.Host(d)[0]; math.Abs(got-want) > 1e-4 {
		t.Errorf("log density %g, want %g", got, want)
	}
}

func TestLogProb_NegativePixel_IsHopeless(t *testing.T) {
	b, p := open(t, 1, 2, 1, 4, 4)
	v := make([]float32, 32)
	v[20] = -1e-20
	d := b.Tensor(2)
	p.LogProb(b.S, d, b.Of(v, 2, 1, 4, 4))
	if got := b.Host(d); got[0] != 0 || got[1] > -1e37 {
		t.Errorf("log densities %g, want 0 and below -1e37", got)
	}
}

func TestSample_ManyPixels_AreExponential(t *testing.T) {
	const rate, n = 2.5, 200
	b, p := open(t, rate, 1, 1, n, n)
	x := b.Tensor(1, 1, n, n)
	p.Sample(b.S, x, engine.NewKey(8))
	d := distuv.Exponential{Rate: rate}
	worst, v := 0.0, b.Host(x)
	for _, q := range []float64{.01, .1, .25, .5, .75, .9, .99} {
		below := 0
		for _, s := range v {
			if s <= d.Quantile(q) {
				below++
			}
		}
		sd := math.Sqrt(q * (1 - q) / float64(len(v)))
		worst = max(worst, math.Abs(float64(below)/float64(len(v))-q)/sd)
	}
	if worst > 4 { // 7 quantiles, normal: 4 σ happens once in 2000 seeds
		t.Errorf("a quantile is %.1f standard errors off", worst)
	}
}

func TestNew_BadRate_IsAnError(t *testing.T) {
	b := priortest.New(t)
	for _, r := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := positivity.New(b.Dev, b.S, r, engine.Shape{1, 4, 4}, 1); err == nil {
			t.Errorf("rate %g was taken", r)
		}
	}
}
