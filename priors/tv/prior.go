// Package tv is the total variation prior: scenes made of smooth patches with sharp
// edges between them.
package tv

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/internal/dual"
	"limpid/priors/internal/room"
)

// Options say how the proximal map is computed.
type Options struct {
	Iterations int  // of the dual; 0: 100
	Positive   bool // also demand x ≥ 0
	Warm       bool // start from the last call's dual: for a solver's inner loop
}

// Prior is the isotropic total variation (Rudin, Osher & Fatemi 1992)
//
//	log p(x) = −Σ λ |∇x|,  |∇x|² = (x[r,c+1]−x[r,c])² + (x[r+1,c]−x[r,c])²,
//
// differences across the border being 0; every band by itself. The density is improper
// (a constant is free), so it has no samples.
type Prior struct {
	lambda []float64
	opt    Options
	domain engine.Shape
	batch  int

	room         *room.Room
	lam, inv     *engine.Tensor // (C, H, W) λ and 1/λ
	keepX, keepY *engine.Tensor // (H, W) 1, and 0 in the last column or row
	real, real2  *engine.Tensor // (batch, C, H, W)
	pairs        [3]*engine.Tensor
	solver       dual.Solver
	views        map[int]*views
}

var (
	_ priors.Prior     = (*Prior)(nil)
	_ priors.Proxer    = (*Prior)(nil)
	_ priors.LogProber = (*Prior)(nil)
)

// views are the work tensors cut to n scenes. Dual tensors are (2, n, C, H, W); parts
// are their halves.
type views struct {
	space       dual.Space
	real, real2 *engine.Tensor
	parts       map[*engine.Tensor][2]*engine.Tensor
}

// halves are the two components of g, as (n, C, H, W).
func (v *views) halves(g *engine.Tensor) (gx, gy *engine.Tensor) {
	h, ok := v.parts[g]
	if !ok {
		return v.half(g, 0), v.half(g, 1)
	}
	return h[0], h[1]
}

func (v *views) half(g *engine.Tensor, i int) *engine.Tensor {
	return g.Slice(i, i+1).Reshape(v.real.Shape()...)
}

// gradientNorm2 bounds ‖∇‖² in two dimensions (Chambolle 2004, theorem 3.1).
const gradientNorm2 = 8

// New makes a prior with one λ > 0 per band, in 1/unit of the data, on scenes of domain
// (C, H, W), at most batch of them at a time.
func New(dev engine.Device, s engine.Stream, lambda []float64, domain engine.Shape, batch int, o Options) (*Prior, error) {
	c, h, w := domain[0], domain[1], domain[2]
	if len(lambda) != c {
		return nil, fmt.Errorf("tv: %d weights for %d bands", len(lambda), c)
	}
	for b, l := range lambda {
		if !(l > 0) || math.IsInf(l, 0) {
			return nil, fmt.Errorf("tv: weight %g of band %d: it must be positive", l, b)
		}
	}
	if o.Iterations <= 0 {
		o.Iterations = 100
	}
	p := &Prior{lambda: lambda, opt: o, domain: domain, batch: batch, room: room.New(dev), views: map[int]*views{}}
	p.lam, p.inv = p.room.Tensor(c, h, w), p.room.Tensor(c, h, w)
	p.keepX, p.keepY = p.room.Tensor(h, w), p.room.Tensor(h, w)
	p.real, p.real2 = p.room.Tensor(batch, c, h, w), p.room.Tensor(batch, c, h, w)
	for i := range p.pairs {
		p.pairs[i] = p.room.Tensor(2 * batch * c * h * w)
	}
	if err := p.room.Err(); err != nil {
		p.Close()
		return nil, fmt.Errorf("tv: prior on %v: %w", domain, err)
	}
	for b, l := range lambda {
		s.Fill(p.lam.Slice(b, b+1), float32(l))
		s.Fill(p.inv.Slice(b, b+1), float32(1/l))
	}
	p.fillBorders(s, h, w)
	p.solver = dual.Solver{Op: p, Norm2: gradientNorm2, Iterations: o.Iterations, Lo: -math.MaxFloat32, Hi: math.MaxFloat32, Warm: o.Warm}
	if o.Positive {
		p.solver.Lo = 0
	}
	return p, s.Err()
}

func (p *Prior) fillBorders(s engine.Stream, h, w int) {
	host := make([]float32, h*w)
	for i := range host {
		if i%w < w-1 {
			host[i] = 1
		}
	}
	s.Upload(p.keepX, host)
	for i := range host {
		host[i] = 0
		if i/w < h-1 {
			host[i] = 1
		}
	}
	s.Upload(p.keepY, host)
}

func (p *Prior) cut(n int) *views {
	v := p.views[n]
	if v == nil {
		d := p.domain
		var t [3]*engine.Tensor
		for i, all := range p.pairs {
			t[i] = all.Slice(0, 2*n*d.Len()).Reshape(2, n, d[0], d[1], d[2])
		}
		v = &views{real: p.real.Slice(0, n), real2: p.real2.Slice(0, n), parts: map[*engine.Tensor][2]*engine.Tensor{}}
		for _, g := range t {
			v.parts[g] = [2]*engine.Tensor{v.half(g, 0), v.half(g, 1)}
		}
		v.space = dual.Space{P: t[0], Old: t[1], R: t[2], U: v.real2}
		p.views[n] = v
	}
	return v
}

// Close frees the prior's tensors.
func (p *Prior) Close() { p.room.Close() }

// References are keys of assets/references.bib.
func (p *Prior) References() []string {
	return []string{"RudinOsherFatemi1992", "Chambolle2004", "BeckTeboulle2009"}
}

// Analyse is the gradient: p (2, n, C, H, W) of x (n, C, H, W), along the row first.
func (p *Prior) Analyse(s engine.Stream, g, x *engine.Tensor) {
	gx, gy := p.cut(x.Len() / p.domain.Len()).halves(g)
	s.Window(gx, x, 0, 1)
	s.Sub(gx, gx, x)
	s.Mul(gx, gx, p.keepX)
	s.Window(gy, x, 1, 0)
	s.Sub(gy, gy, x)
	s.Mul(gy, gy, p.keepY)
}

// Adjoint is the gradient's transpose, minus the divergence.
func (p *Prior) Adjoint(s engine.Stream, x, g *engine.Tensor) {
	v := p.cut(x.Len() / p.domain.Len())
	gx, gy := v.halves(g)
	t := v.real
	s.Mul(t, gx, p.keepX)
	s.Window(x, t, 0, -1)
	s.Sub(x, x, t)
	s.Mul(t, gy, p.keepY)
	s.Sub(x, x, t)
	s.AddWindow(x, t, 1, 0)
}

// Project shortens the pairs of g to t λ.
func (p *Prior) Project(s engine.Stream, g *engine.Tensor, t float64) {
	n := g.Len() / (2 * p.domain.Len())
	v := p.cut(n)
	m := v.real
	gx, gy := v.halves(g)
	p.magnitude(s, m, gx, gy)
	s.Mul(m, m, p.inv)
	s.Scale(m, float32(1/t), m)
	s.Clamp(m, m, 1, math.MaxFloat32)
	s.Div(gx, gx, m)
	s.Div(gy, gy, m)
}

func (p *Prior) magnitude(s engine.Stream, m, gx, gy *engine.Tensor) {
	s.Mul(m, gx, gx)
	s.MulAdd(m, gy, gy)
	s.Map(m, engine.Sqrt, m)
}

// Prox is that of Rudin, Osher & Fatemi's model, by Options.Iterations steps of fast
// gradient projection; with Options.Positive over x ≥ 0.
func (p *Prior) Prox(s engine.Stream, dst, x *engine.Tensor, t float64) {
	n := room.Scenes("tv", x, p.domain, p.batch)
	if t <= 0 {
		s.Clamp(dst, x, p.solver.Lo, math.MaxFloat32)
		return
	}
	v := p.cut(n)
	shape := v.real.Shape()
	p.solver.Prox(s, dst.Reshape(shape...), x.Reshape(shape...), t, &v.space)
}

// Gap writes the duality gap of the last Prox, whose result is u (n, C, H, W), over
// ½‖x‖²'s unit: dst (n) = Σ tλ|∇u| − p·∇u, which bounds ½‖u − exact‖² from above.
func (p *Prior) Gap(s engine.Stream, dst, u *engine.Tensor, t float64) {
	n := room.Scenes("tv", u, p.domain, p.batch)
	v := p.cut(n)
	p.Analyse(s, v.space.Old, u.Reshape(v.real.Shape()...))
	dx, dy := v.halves(v.space.Old)
	px, py := v.halves(v.space.P)
	p.magnitude(s, v.real, dx, dy)
	s.Mul(v.real, v.real, p.lam)
	s.Scale(v.real, float32(t), v.real)
	s.Mul(v.real2, dx, px)
	s.MulAdd(v.real2, dy, py)
	s.Sub(v.real, v.real, v.real2)
	s.Sum(dst, v.real)
}

// LogProb writes −Σ λ |∇x| of each scene.
func (p *Prior) LogProb(s engine.Stream, dst, x *engine.Tensor) {
	n := room.Scenes("tv", x, p.domain, p.batch)
	v := p.cut(n)
	g := v.space.Old
	p.Analyse(s, g, x.Reshape(v.real.Shape()...))
	gx, gy := v.halves(g)
	p.magnitude(s, v.real, gx, gy)
	s.Dot(dst, v.real, p.lam)
	s.Scale(dst, -1, dst)
}

// Score is, for σ > 0, the gradient of the Moreau envelope of log p with parameter σ²,
// (Prox(x, σ²) − x)/σ²: smooth, with the same maximum, and what proximal Langevin
// samplers use (Durmus, Moulines & Pereyra 2018); the convolution with N(0, σ²) has no
// closed form. For σ = 0 it is −∇ᵀ(λ∇x/|∇x|), the gradient of log p where it exists,
// with 0/0 = 0.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	if sigma > 0 {
		p.Prox(s, dst, x, sigma*sigma)
		s.Sub(dst, dst, x)
		s.Scale(dst, float32(1/(sigma*sigma)), dst)
		return
	}
	n := room.Scenes("tv", x, p.domain, p.batch)
	v := p.cut(n)
	g := v.space.Old
	gx, gy := v.halves(g)
	p.Analyse(s, g, x.Reshape(v.real.Shape()...))
	p.magnitude(s, v.real, gx, gy)
	for _, t := range []*engine.Tensor{gx, gy} {
		s.Div(t, t, v.real)
		s.Mul(t, t, p.lam)
	}
	d := dst.Reshape(v.real.Shape()...)
	p.Adjoint(s, d, g)
	s.Scale(d, -1, d)
}
