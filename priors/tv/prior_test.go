package tv_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/internal/priortest"
	"limpid/priors/tv"
)

func open(t testing.TB, lambda []float64, h, w, batch int, o tv.Options) (*priortest.Bench, *tv.Prior) {
	b := priortest.New(t)
	p, err := tv.New(b.Dev, b.S, lambda, engine.Shape{len(lambda), h, w}, batch, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return b, p
}

// logProb is the density by plain loops.
func logProb(lambda []float64, h, w int) func(x []float64) float64 {
	return func(x []float64) float64 {
		var sum float64
		for i, v := range x {
			c, y, xx := i/(h*w), i/w%h, i%w
			var gx, gy float64
			if xx < w-1 {
				gx = x[i+1] - v
			}
			if y < h-1 {
				gy = x[i+w] - v
			}
			sum -= lambda[c%len(lambda)] * math.Hypot(gx, gy)
		}
		return sum
	}
}

func TestGradient_Adjoint_Agrees(t *testing.T) {
	b, p := open(t, []float64{1, 2}, 11, 14, 3, tv.Options{})
	b.Adjoint(engine.Shape{3, 2, 11, 14}, engine.Shape{2, 3, 2, 11, 14},
		func(dst, src *engine.Tensor) { p.Analyse(b.S, dst, src) },
		func(dst, src *engine.Tensor) { p.Adjoint(b.S, dst, src) }, 1e-6)
}

func TestLogProb_AgainstLoops_Equal(t *testing.T) {
	lambda := []float64{1, 2.5}
	b, p := open(t, lambda, 13, 10, 2, tv.Options{})
	x, d := b.Normal(3, 1, 2, 2, 13, 10), b.Tensor(2)
	p.LogProb(b.S, d, x)
	h, f := b.Host(x), logProb(lambda, 13, 10)
	for k, got := range b.Host(d) {
		if want := f(h[k*260 : (k+1)*260]); math.Abs(got-want) > 1e-5*math.Abs(want) {
			t.Errorf("scene %d: %g, want %g", k, got, want)
		}
	}
}

func TestLogProb_Gradient_IsScore(t *testing.T) {
	lambda := []float64{1, 2.5}
	b, p := open(t, lambda, 9, 12, 1, tv.Options{})
	b.Gradient(func(dst, x *engine.Tensor) { p.Score(b.S, dst, x, 0) }, logProb(lambda, 9, 12),
		b.Normal(5, 1, 1, 2, 9, 12), 1e-5, 1e-4, 5)
}

// proxSlack is how far the objective may lie above its minimum after the iterations
// asked for: a millionth of the energy of the image.
const proxSlack = 2e-4

func TestProx_NoisyImage_SatisfiesOptimality(t *testing.T) {
	const h, w, step = 18, 15, 0.6
	lambda := []float64{0.5, 1.4}
	for _, positive := range []bool{false, true} {
		b, p := open(t, lambda, h, w, 1, tv.Options{Iterations: 1500, Positive: positive})
		x, u, gap := b.Normal(6, 1, 1, 2, h, w), b.Tensor(1, 2, h, w), b.Tensor(1)
		p.Prox(b.S, u, x, step)
		p.Gap(b.S, gap, u, step)
		if g := b.Host(gap)[0]; !(g < proxSlack) {
			t.Errorf("positive %v: duality gap %g", positive, g)
		}
		feasible := func(v float64) float64 { return v }
		if positive {
			feasible = func(v float64) float64 { return max(v, 0) }
		}
		b.ProxOptimal(b.Host(u), b.Host(x), logProb(lambda, h, w), step, 0.01, proxSlack, feasible)
	}
}

// Of a step of height a between two halves n columns wide, the minimiser is known: both
// halves move towards each other by tλ/n (Strong & Chan 2003).
func TestProx_StepEdge_MovesByTheKnownAmount(t *testing.T) {
	const h, n, a, step, lambda = 6, 8, 3.0, 0.7, 2.0
	b, p := open(t, []float64{lambda}, h, 2*n, 1, tv.Options{Iterations: 3000})
	v := make([]float32, h*2*n)
	for i := range v {
		if i%(2*n) >= n {
			v[i] = a
		}
	}
	u := b.Tensor(1, 1, h, 2*n)
	p.Prox(b.S, u, b.Of(v, 1, 1, h, 2*n), step)
	for i, got := range b.Host(u) {
		want := step * lambda / n
		if i%(2*n) >= n {
			want = a - want
		}
		if math.Abs(got-want) > 1e-4 {
			t.Fatalf("pixel %d: %g, want %g", i, got, want)
		}
	}
}

func TestProx_WarmStart_GoesOnWhereItStopped(t *testing.T) {
	gap := func(warm bool) float64 {
		b, p := open(t, []float64{1}, 24, 24, 1, tv.Options{Iterations: 15, Warm: warm})
		x, u, g := b.Normal(9, 1, 1, 1, 24, 24), b.Tensor(1, 1, 24, 24), b.Tensor(1)
		for range 12 {
			p.Prox(b.S, u, x, 1)
		}
		p.Gap(b.S, g, u, 1)
		return b.Host(g)[0]
	}
	if cold, warm := gap(false), gap(true); !(warm < cold/10) {
		t.Errorf("gap %g after warm starts, %g after cold ones", warm, cold)
	}
}

func TestScore_Batch_ScenesIndependent(t *testing.T) {
	b, p := open(t, []float64{1, 3}, 9, 8, 2, tv.Options{Iterations: 20})
	b.Batches(p, engine.Shape{2, 9, 8}, 0.5, 1e-6)
	b.Batches(p, engine.Shape{2, 9, 8}, 0, 1e-6)
}

func TestNew_BadWeights_AreErrors(t *testing.T) {
	b := priortest.New(t)
	for _, l := range [][]float64{{0}, {-1}, {math.NaN()}, {1, 2}} {
		if _, err := tv.New(b.Dev, b.S, l, engine.Shape{1, 4, 4}, 1, tv.Options{}); err == nil {
			t.Errorf("weights %v were taken", l)
		}
	}
}

func BenchmarkProx_256_100Iterations(b *testing.B) {
	bench, p := open(b, []float64{1}, 256, 256, 1, tv.Options{Iterations: 100})
	x, u := bench.Normal(1, 1, 1, 1, 256, 256), bench.Tensor(1, 1, 256, 256)
	for b.Loop() {
		p.Prox(bench.S, u, x, 1)
	}
}
