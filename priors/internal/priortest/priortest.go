// Package priortest holds the checks that every prior shares: gradients against central
// differences, adjoints, optimality of proximal maps.
package priortest

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors"
)

// Bench is a device for one test.
type Bench struct {
	testing.TB
	Dev engine.Device
	S   engine.Stream
}

// New opens the processor for a test.
func New(t testing.TB) *Bench {
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	return &Bench{TB: t, Dev: dev, S: dev.NewStream()}
}

// Tensor allocates.
func (b *Bench) Tensor(shape ...int) *engine.Tensor {
	b.Helper()
	t, err := b.Dev.Alloc(shape)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// Normal is a tensor of white noise times std.
func (b *Bench) Normal(seed uint64, std float64, shape ...int) *engine.Tensor {
	b.Helper()
	t := b.Tensor(shape...)
	b.S.Normal(t, engine.NewKey(seed))
	b.S.Scale(t, float32(std), t)
	return t
}

// Of is a tensor with the given numbers.
func (b *Bench) Of(v []float32, shape ...int) *engine.Tensor {
	b.Helper()
	t := b.Tensor(shape...)
	b.S.Upload(t, v)
	return t
}

// Host reads a tensor.
func (b *Bench) Host(t *engine.Tensor) []float64 {
	b.Helper()
	v := make([]float32, t.Len())
	b.S.Download(v, t)
	if err := b.S.Err(); err != nil {
		b.Fatal(err)
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// Dot is Σ x y in float64.
func (b *Bench) Dot(x, y *engine.Tensor) float64 {
	b.Helper()
	hx, hy := b.Host(x), b.Host(y)
	var sum float64
	for i := range hx {
		sum += hx[i] * hy[i]
	}
	return sum
}

// Adjoint checks ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for white x and y of the given shapes, relative to
// |A x||y|.
func (b *Bench) Adjoint(domain, codomain engine.Shape, forward, adjoint func(dst, src *engine.Tensor), tol float64) {
	b.Helper()
	x, y := b.Normal(71, 1, domain...), b.Normal(72, 1, codomain...)
	ax, aty := b.Tensor(codomain...), b.Tensor(domain...)
	forward(ax, x)
	adjoint(aty, y)
	l, r := b.Dot(ax, y), b.Dot(x, aty)
	if d := math.Abs(l-r) / math.Sqrt(b.Dot(ax, ax)*b.Dot(y, y)); !(d < tol) {
		b.Errorf("⟨Ax, y⟩ = %g, ⟨x, Aᵀy⟩ = %g: %g apart, tolerance %g", l, r, d, tol)
	}
}

// Gradient checks that Score(σ = 0) is the gradient of logp, a function of the scene on
// the host, by central differences along dirs: (f(x+εd) − f(x−εd))/2ε = ⟨score, d⟩
// within tol of |score||d|.
func (b *Bench) Gradient(score func(dst, x *engine.Tensor), logp func(x []float64) float64, x *engine.Tensor, eps, tol float64, dirs int) {
	b.Helper()
	g := b.Tensor(x.Shape()...)
	score(g, x)
	hx, hg := b.Host(x), b.Host(g)
	for k := range dirs {
		d := b.Host(b.Normal(uint64(900+k), 1, x.Shape()...))
		plus, minus := make([]float64, len(hx)), make([]float64, len(hx))
		var want, gg, dd float64
		for i := range hx {
			plus[i], minus[i] = hx[i]+eps*d[i], hx[i]-eps*d[i]
			want += hg[i] * d[i]
			gg += hg[i] * hg[i]
			dd += d[i] * d[i]
		}
		got := (logp(plus) - logp(minus)) / (2 * eps)
		if !(math.Abs(got-want) < tol*math.Sqrt(gg*dd)) {
			b.Errorf("direction %d: difference quotient %g, ⟨score, d⟩ %g", k, got, want)
		}
	}
}

// ProxOptimal checks that u = prox(x) minimises F(u) = ½‖u − x‖² − t log p(u): F grows
// by at least ½‖d‖² − slack along random and coordinate directions, which strong
// convexity gives at the minimum and nowhere else. feasible maps a point into the
// domain of p; nil: everything is.
func (b *Bench) ProxOptimal(u, x []float64, logp func(u []float64) float64, t float64, step, slack float64, feasible func(v float64) float64) {
	b.Helper()
	f := func(v []float64) float64 {
		var q float64
		for i := range v {
			q += (v[i] - x[i]) * (v[i] - x[i])
		}
		return q/2 - t*logp(v)
	}
	at := f(u)
	v := make([]float64, len(u))
	for k := range 40 {
		d := b.Host(b.Normal(uint64(500+k), step, len(u)))
		copy(v, u)
		var dd float64
		for i := range v {
			if k >= 20 && i%17 != k%17 {
				continue
			}
			v[i] += d[i]
			if feasible != nil {
				v[i] = feasible(v[i])
			}
			dd += (v[i] - u[i]) * (v[i] - u[i])
		}
		if rise := f(v) - at; !(rise >= dd/2-slack) {
			b.Errorf("move %d: the objective %g changes by %g, must rise by %g", k, at, rise, dd/2)
		}
	}
}

// Batches checks that a prior treats the scenes of a batch independently: score of two
// scenes at once equals the scores of each.
func (b *Bench) Batches(p priors.Prior, domain engine.Shape, sigma, tol float64) {
	b.Helper()
	n := domain.Len()
	x := b.Normal(31, 1, append(engine.Shape{2}, domain...)...)
	both, one := b.Tensor(x.Shape()...), b.Tensor(append(engine.Shape{1}, domain...)...)
	p.Score(b.S, both, x, sigma)
	want := b.Host(both)
	for k := range 2 {
		p.Score(b.S, one, x.Slice(k, k+1), sigma)
		for i, v := range b.Host(one) {
			if !(math.Abs(v-want[k*n+i]) <= tol) {
				b.Fatalf("scene %d, pixel %d: %g alone, %g in a batch", k, i, v, want[k*n+i])
			}
		}
	}
}
