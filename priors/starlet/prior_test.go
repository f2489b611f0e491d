package starlet_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/internal/priortest"
	"limpid/priors/starlet"
)

func open(t testing.TB, batch int, o starlet.Options, k []float64, domain ...int) (*priortest.Bench, *starlet.Prior) {
	b := priortest.New(t)
	p, err := starlet.New(b.Dev, b.S, domain, batch, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if k != nil {
		levels, err := p.NoiseLevels(nil)
		if err != nil {
			t.Fatal(err)
		}
		all := make([][]float64, domain[0])
		for c := range all {
			all[c] = levels
		}
		if err := p.SetLevels(b.S, k, all); err != nil {
			t.Fatal(err)
		}
	}
	return b, p
}

// logProb is the density by plain loops, thresholds k σ_j.
func logProb(levels, k []float64, h, w int, edge engine.Edge) func(x []float64) float64 {
	return func(x []float64) float64 {
		var sum float64
		for c := 0; c < len(x); c += h * w {
			for j, d := range aTrous(x[c:c+h*w], h, w, len(k), edge)[:len(k)] {
				for _, v := range d {
					sum -= k[j] * levels[j] * math.Abs(v)
				}
			}
		}
		return sum
	}
}

func TestLogProb_AgainstLoops_EqualAndScoreIsItsGradient(t *testing.T) {
	const h, w = 20, 24
	k := []float64{3, 0, 5}
	for _, edge := range []engine.Edge{engine.Periodic, engine.Reflect} {
		b, p := open(t, 1, starlet.Options{Scales: 2, Edge: edge}, k[:2], 2, h, w)
		levels, _ := p.NoiseLevels(nil)
		f := logProb(levels, k[:2], h, w, edge)
		x, d := b.Normal(3, 1, 1, 2, h, w), b.Tensor(1)
		p.LogProb(b.S, d, x)
		if got, want := b.Host(d)[0], f(b.Host(x)); math.Abs(got-want) > 1e-5*math.Abs(want) {
			t.Errorf("edge %d: log density %g, want %g", edge, got, want)
		}
		b.Gradient(func(dst, x *engine.Tensor) { p.Score(b.S, dst, x, 0) }, f, x, 1e-6, 1e-4, 4)
	}
}

// proxSlack: as for total variation, a millionth of the energy of the image.
const proxSlack = 5e-4

func TestProx_NoisyImage_SatisfiesOptimality(t *testing.T) {
	const h, w, step = 20, 22, 0.7
	k := []float64{1.5, 3}
	for _, o := range []starlet.Options{
		{Scales: 2, Iterations: 800},
		{Scales: 2, Iterations: 800, Positive: true},
		{Scales: 2, Iterations: 800, Edge: engine.Reflect},
	} {
		b, p := open(t, 1, o, k, 1, h, w)
		levels, _ := p.NoiseLevels(nil)
		x, u, gap := b.Normal(6, 1, 1, 1, h, w), b.Tensor(1, 1, h, w), b.Tensor(1)
		p.Prox(b.S, u, x, step)
		p.Gap(b.S, gap, u, step)
		if g := b.Host(gap)[0]; !(g < proxSlack) {
			t.Errorf("%+v: duality gap %g", o, g)
		}
		feasible := func(v float64) float64 { return v }
		if o.Positive {
			feasible = func(v float64) float64 { return max(v, 0) }
		}
		edge := max(o.Edge, engine.Periodic)
		b.ProxOptimal(b.Host(u), b.Host(x), logProb(levels, k, h, w, edge), step, 0.01, proxSlack, feasible)
	}
}

func TestProx_NoThresholds_IsIdentity(t *testing.T) {
	b, p := open(t, 1, starlet.Options{Scales: 2, Iterations: 5}, nil, 1, 24, 24)
	x, u := b.Normal(6, 1, 1, 1, 24, 24), b.Tensor(1, 1, 24, 24)
	p.Prox(b.S, u, x, 1)
	hx := b.Host(x)
	for i, v := range b.Host(u) {
		if v != hx[i] {
			t.Fatalf("pixel %d: %g became %g", i, hx[i], v)
		}
	}
}

// bump is a compact source in noise.
func bump(b *priortest.Bench, side int, peak float64) (truth []float64, noisy *engine.Tensor) {
	truth = make([]float64, side*side)
	n := b.Host(b.Normal(11, 1, side*side))
	v := make([]float32, side*side)
	for i := range truth {
		dx, dy := float64(i%side-side/2), float64(i/side-side/2)
		truth[i] = peak * math.Exp(-(dx*dx+dy*dy)/(2*1.2*1.2))
		v[i] = float32(truth[i] + n[i])
	}
	return truth, b.Of(v, 1, 1, side, side)
}

func mse(x, y []float64) float64 {
	var sum float64
	for i := range x {
		sum += (x[i] - y[i]) * (x[i] - y[i])
	}
	return sum / float64(len(x))
}

func TestPrior_SourceInNoise_ReweightingTakesTheBias(t *testing.T) {
	const side, peak = 64, 50.0
	k := []float64{4, 3, 3, 3}
	b, p := open(t, 1, starlet.Options{Scales: 4, Iterations: 200, Reweighted: true}, k, 1, side, side)
	truth, x := bump(b, side, peak)
	u := b.Tensor(1, 1, side, side)
	p.Prox(b.S, u, x, 1)
	plain := b.Host(u)
	for range 4 {
		p.Reweight(b.S, u)
		p.Prox(b.S, u, x, 1)
	}
	again := b.Host(u)
	p.Shrink(b.S, u, x, 1, true)
	hard := b.Host(u)
	centre := side/2*side + side/2
	t.Logf("mean square error: ℓ1 %.4f, reweighted %.4f, hard threshold %.4f; peaks %.2f %.2f %.2f of %g",
		mse(plain, truth), mse(again, truth), mse(hard, truth), plain[centre], again[centre], hard[centre], peak)
	if e := mse(again, truth); !(e < 0.7*mse(plain, truth)) {
		t.Errorf("reweighting leaves the error at %g of %g", e, mse(plain, truth))
	}
	if e := mse(hard, truth); !(e < 0.1) {
		t.Errorf("hard thresholding: mean square error %g of a noise of 1", e)
	}
	if !(peak-again[centre] < 0.65*(peak-plain[centre])) {
		t.Errorf("peak %g after reweighting, %g before, truth %g", again[centre], plain[centre], peak)
	}
}

// At 5 σ, noise alone leaves nothing: of 64² × 4 correlated coefficients one in two
// million is beyond.
func TestShrink_NoiseAlone_LeavesTheSmoothOnly(t *testing.T) {
	const side = 64
	b, p := open(t, 1, starlet.Options{Scales: 4}, []float64{5, 5, 5, 5}, 1, side, side)
	x, u, c := b.Normal(2, 1, 1, 1, side, side), b.Tensor(1, 1, side, side), b.Tensor(p.Coefficients(1)...)
	p.Forward(b.S, c, x)
	smooth := b.Host(c)[4*side*side:]
	for _, hard := range []bool{false, true} {
		p.Shrink(b.S, u, x, 1, hard)
		for i, v := range b.Host(u) {
			if math.Abs(v-smooth[i]) > tolerance {
				t.Fatalf("hard %v, pixel %d: %g, the smooth is %g", hard, i, v, smooth[i])
			}
		}
	}
}

func TestScore_Batch_ScenesIndependent(t *testing.T) {
	b, p := open(t, 2, starlet.Options{Scales: 2, Iterations: 20}, []float64{2, 2}, 2, 24, 20)
	b.Batches(p, engine.Shape{2, 24, 20}, 0.5, 3e-6)
	b.Batches(p, engine.Shape{2, 24, 20}, 0, 3e-6)
}

func TestSetThresholds_BadNumbers_AreErrors(t *testing.T) {
	b, p := open(t, 1, starlet.Options{Scales: 2}, nil, 1, 24, 24)
	sigma := b.Tensor(3, 1, 24, 24)
	for _, k := range [][]float64{{1}, {1, -1}, {1, math.NaN()}, {1, 2, 3}} {
		if err := p.SetThresholds(b.S, k, sigma); err == nil {
			t.Errorf("k = %v was taken", k)
		}
		if err := p.SetLevels(b.S, k, [][]float64{{1, 1, 1}}); err == nil {
			t.Errorf("k = %v was taken", k)
		}
	}
}

func TestProx_Repeated_AllocatesNothing(t *testing.T) {
	b, p := open(t, 1, starlet.Options{Scales: 2, Iterations: 10}, []float64{2, 2}, 1, 32, 32)
	x, u := b.Normal(6, 1, 1, 1, 32, 32), b.Tensor(1, 1, 32, 32)
	p.Prox(b.S, u, x, 1)
	// the two reshapes of the arguments, whatever the number of iterations
	if n := testing.AllocsPerRun(5, func() { p.Prox(b.S, u, x, 1) }); n > 8 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkProx_256_50Iterations(b *testing.B) {
	bench, p := open(b, 1, starlet.Options{Scales: 5}, []float64{4, 3, 3, 3, 3}, 1, 256, 256)
	x, u := bench.Normal(1, 1, 1, 1, 256, 256), bench.Tensor(1, 1, 256, 256)
	for b.Loop() {
		p.Prox(bench.S, u, x, 1)
	}
}
