// Package positivity is the prior of scenes that are nowhere negative, flat or
// falling exponentially.
package positivity

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/internal/room"
)

// Prior is p(x) = Π ρ e^(−ρ x) over x ≥ 0, pixels independent. With Rate ρ = 0 it says
// no more than x ≥ 0 (and is improper); with ρ > 0 it is the ℓ1 prior of positive,
// sparse scenes such as star fields.
type Prior struct {
	Rate float64 // 1/mean, in 1/unit of the data

	domain  engine.Shape
	batch   int
	room    *room.Room
	ones    *engine.Tensor // (batch, C, H, W)
	a, b, c *engine.Tensor
}

var (
	_ priors.Prior     = (*Prior)(nil)
	_ priors.Proxer    = (*Prior)(nil)
	_ priors.LogProber = (*Prior)(nil)
	_ priors.Sampler   = (*Prior)(nil)
)

// New makes a prior on scenes (C, H, W), at most batch of them at a time.
func New(dev engine.Device, s engine.Stream, rate float64, domain engine.Shape, batch int) (*Prior, error) {
	if !(rate >= 0) || math.IsInf(rate, 0) {
		return nil, fmt.Errorf("positivity: rate %g: it must be 0 or positive", rate)
	}
	p := &Prior{Rate: rate, domain: domain, batch: batch, room: room.New(dev)}
	shape := append(engine.Shape{batch}, domain...)
	for _, t := range []**engine.Tensor{&p.ones, &p.a, &p.b, &p.c} {
		*t = p.room.Tensor(shape...)
	}
	if err := p.room.Err(); err != nil {
		p.Close()
		return nil, fmt.Errorf("positivity: prior on %v: %w", domain, err)
	}
	s.Fill(p.ones, 1)
	return p, s.Err()
}

// Close frees the prior's tensors.
func (p *Prior) Close() { p.room.Close() }

// References are keys of assets/references.bib.
func (p *Prior) References() []string { return nil }

// Prox is max(x − t ρ, 0), exactly.
func (p *Prior) Prox(s engine.Stream, dst, x *engine.Tensor, t float64) {
	s.Affine(dst, 1, x, float32(-t*p.Rate))
	s.Clamp(dst, dst, 0, math.MaxFloat32)
}

// LogProb writes −ρ Σ x, and a hugely negative number (below −10³⁷, or −∞) for a scene
// that is negative anywhere by more than 10⁻³⁰ of the data's unit.
func (p *Prior) LogProb(s engine.Stream, dst, x *engine.Tensor) {
	n := room.Scenes("positivity", x, p.domain, p.batch)
	a := p.a.Slice(0, n).Reshape(x.Shape()...)
	worst := p.b.Reshape(p.b.Len()).Slice(0, dst.Len())
	s.Clamp(a, x, -math.MaxFloat32, 0)
	s.MaxAbs(worst, a)
	for range 2 { // in two steps: the factor is beyond float32
		s.Scale(worst, 1e34, worst)
	}
	s.Sum(dst, x)
	s.Scale(dst, float32(-p.Rate), dst)
	s.Sub(dst, dst, worst)
}

// Sample draws −ln U/ρ. With ρ = 0 there is nothing to draw from: it panics.
func (p *Prior) Sample(s engine.Stream, dst *engine.Tensor, key engine.Key) {
	if p.Rate == 0 {
		panic("positivity: a flat prior has no samples; give a rate")
	}
	s.Uniform(dst, key)
	s.Map(dst, engine.Log, dst)
	s.Scale(dst, float32(-1/p.Rate), dst)
}

// Score is exact for σ > 0: p ∗ N(0, σ²) ∝ e^(−ρ x) Φ(t), t = (x − ρσ²)/σ, so that
//
//	∇ log p_σ = −ρ + m(t)/σ,   m = φ/Φ the inverse Mills ratio.
//
// With σ = 0 it is −ρ, the gradient inside.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	if sigma == 0 {
		s.Fill(dst, float32(-p.Rate))
		return
	}
	n := room.Scenes("positivity", x, p.domain, p.batch)
	shape := x.Shape()
	a, b, c := p.a.Slice(0, n).Reshape(shape...), p.b.Slice(0, n).Reshape(shape...), p.c.Slice(0, n).Reshape(shape...)
	ones := p.ones.Slice(0, n).Reshape(shape...)
	s.Affine(a, float32(1/sigma), x, float32(-p.Rate*sigma))
	mills(s, dst, a, b, c, ones)
	s.Affine(dst, float32(1/sigma), dst, float32(-p.Rate))
}

// split is where the two formulas for the inverse Mills ratio meet, and depth that of
// the continued fraction, which has converged to float32 at split by then.
const (
	split = 2.5
	depth = 28
)

// mills writes φ(t)/Φ(t) to dst; t is overwritten, b and c are scratch. Above −split it
// is the quotient, with Φ = GELU′(t) − t φ; below, with u = −t, Laplace's continued
// fraction u + 1/(u + 2/(u + 3/(…))). Both sides are clamped at the split and added,
// less their common value there, so that no element is treated apart.
func mills(s engine.Stream, dst, t, b, c, ones *engine.Tensor) {
	// u = max(−t, split); dst = the fraction, from its end.
	s.Scale(b, -1, t)
	s.Clamp(b, b, split, math.MaxFloat32)
	s.Copy(dst, b)
	for k := depth; k >= 1; k-- {
		s.Map(dst, engine.Recip, dst)
		s.Scale(dst, float32(k), dst)
		s.Add(dst, dst, b)
	}
	s.Affine(dst, 1, dst, -float32(millsAt(split)))
	// t = max(t, −split); φ; Φ.
	s.Clamp(t, t, -split, math.MaxFloat32)
	s.Map(b, engine.Square, t)
	s.Affine(b, -0.5, b, float32(-0.5*math.Log(2*math.Pi)))
	s.Map(b, engine.Exp, b)
	s.MapGrad(c, engine.GELU, t, ones)
	s.Mul(t, t, b)
	s.Sub(c, c, t)
	s.Div(c, b, c)
	s.Add(dst, dst, c)
}

// millsAt is the inverse Mills ratio of −u by the same continued fraction.
func millsAt(u float64) float64 {
	f := u
	for k := depth; k >= 1; k-- {
		f = u + float64(k)/f
	}
	return f
}
