// Package lognormal is the prior of shifted lognormal fields: what a map of the
// projected mass density looks like, skewed, with a floor.
package lognormal

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/gaussian"
	"limpid/priors/internal/room"
)

// Prior is (Coles & Jones 1991; Xavier, Abdalla & Joachimi 2016)
//
//	κ = λ (e^(g − σ_g²/2) − 1),  g ~ N(0, P_g),  P_g = F[ln(1 + ξ_κ/λ²)]
//
// on a periodic grid (C, H, W), bands independent. ⟨κ⟩ = 0, κ > −λ, and the spectrum of
// κ is the one asked for. Its convolution with noise has no closed form, so it has no
// Score at a noise level; samplers move in the white noise z of g = √P_g z instead
// (priors.Latent), where the prior is N(0, 1), or use Gradient.
type Prior struct {
	Spectra []gaussian.Spectrum // of κ
	Shift   []float64           // λ
	SigmaG2 []float64           // σ_g² of each band
	// Clipped is, for each band, the share of the variance of g that was lost to modes
	// where P_g came out negative, which no lognormal field can have.
	Clipped []float64

	domain engine.Shape
	batch  int
	room   *room.Room

	root, inv   *engine.Tensor // (C, H, W/2+1) √P_g, 1/P_g
	scale       *engine.Tensor // (C, H, W) λ e^(−σ²/2)
	shift, recp *engine.Tensor // (C, H, W) λ, 1/λ
	offset      *engine.Tensor // (C, H, W) σ²/2
	spec        *engine.Tensor // (batch, C, H, W/2+1, 2)
	a, b        *engine.Tensor // (batch, C, H, W)
	views       map[int]*views
}

type views struct{ spec, a, b *engine.Tensor }

var (
	_ priors.Sampler   = (*Prior)(nil)
	_ priors.LogProber = (*Prior)(nil)
	_ priors.Latent    = (*Prior)(nil)
)

// New puts spectra of κ and shifts λ > 0, one of each per band, on a grid of domain
// (C, H, W) for at most batch scenes at a time. A spectrum whose correlation function
// falls below −λ² belongs to no lognormal field: that is an error.
func New(dev engine.Device, s engine.Stream, spectra []gaussian.Spectrum, shift []float64, domain engine.Shape, batch int) (*Prior, error) {
	c, h, w := domain[0], domain[1], domain[2]
	if len(spectra) != c || len(shift) != c {
		return nil, fmt.Errorf("lognormal: %d spectra and %d shifts for %d bands", len(spectra), len(shift), c)
	}
	p := &Prior{Spectra: spectra, Shift: shift, domain: domain, batch: batch, room: room.New(dev), views: map[int]*views{}}
	half := w/2 + 1
	for _, t := range []**engine.Tensor{&p.root, &p.inv} {
		*t = p.room.Tensor(c, h, half)
	}
	for _, t := range []**engine.Tensor{&p.scale, &p.shift, &p.recp, &p.offset} {
		*t = p.room.Tensor(c, h, w)
	}
	p.spec = p.room.Tensor(batch, c, h, half, 2)
	p.a, p.b = p.room.Tensor(batch, c, h, w), p.room.Tensor(batch, c, h, w)
	if err := p.room.Err(); err != nil {
		p.Close()
		return nil, fmt.Errorf("lognormal: prior on a %d×%d grid: %w", h, w, err)
	}
	for b := range c {
		if err := p.fill(s, b, h, w); err != nil {
			p.Close()
			return nil, fmt.Errorf("lognormal: band %d: %w", b, err)
		}
	}
	return p, s.Err()
}

func (p *Prior) fill(s engine.Stream, b, h, w int) error {
	g, err := FieldPower(p.Spectra[b].OnGrid(h, w), h, w, p.Shift[b])
	if err != nil {
		return err
	}
	p.SigmaG2, p.Clipped = append(p.SigmaG2, g.Sigma2), append(p.Clipped, g.Clipped)
	root, inv := make([]float32, len(g.Power)), make([]float32, len(g.Power))
	for i, v := range g.Power {
		root[i], inv[i] = float32(math.Sqrt(v)), float32(1/v)
	}
	s.Upload(p.root.Slice(b, b+1), root)
	s.Upload(p.inv.Slice(b, b+1), inv)
	l := p.Shift[b]
	s.Fill(p.scale.Slice(b, b+1), float32(l*math.Exp(-g.Sigma2/2)))
	s.Fill(p.shift.Slice(b, b+1), float32(l))
	s.Fill(p.recp.Slice(b, b+1), float32(1/l))
	s.Fill(p.offset.Slice(b, b+1), float32(g.Sigma2/2))
	return nil
}

func (p *Prior) cut(x *engine.Tensor) *views {
	n := room.Scenes("lognormal", x, p.domain, p.batch)
	v := p.views[n]
	if v == nil {
		v = &views{spec: p.spec.Slice(0, n), a: p.a.Slice(0, n), b: p.b.Slice(0, n)}
		p.views[n] = v
	}
	return v
}

// Close frees the prior's tensors.
func (p *Prior) Close() { p.room.Close() }

// References are keys of assets/references.bib.
func (p *Prior) References() []string { return []string{"ColesJones1991", "XavierAbdallaJoachimi2016"} }

// filter does dst = F⁻¹[f F[x]].
func (p *Prior) filter(s engine.Stream, v *views, dst, x, f *engine.Tensor) {
	d := v.a.Shape()
	s.RFFT2(v.spec, x.Reshape(d...))
	s.CScale(v.spec, v.spec, f)
	s.IRFFT2(dst.Reshape(d...), v.spec)
}

// Field does g = √P_g z.
func (p *Prior) Field(s engine.Stream, g, z *engine.Tensor) { p.filter(s, p.cut(z), g, z, p.root) }

// FromField does κ = λ (e^(g − σ²/2) − 1); x may be g.
func (p *Prior) FromField(s engine.Stream, x, g *engine.Tensor) {
	s.Map(x, engine.Exp, g)
	s.Mul(x, x, p.scale)
	s.Sub(x, x, p.shift)
}

// ToField does g = ln(1 + κ/λ) + σ²/2; g may be x. Where κ comes closer to −λ than
// 10⁻⁶ λ, or is below, it is taken there, 14 in the logarithm below the mean.
func (p *Prior) ToField(s engine.Stream, g, x *engine.Tensor) {
	p.aboveFloor(s, g, x)
	s.Map(g, engine.Log, g)
	s.Add(g, g, p.offset)
}

// floor is the smallest 1 + κ/λ.
const floor = 1e-6

// aboveFloor does y = max(1 + κ/λ, floor).
func (p *Prior) aboveFloor(s engine.Stream, y, x *engine.Tensor) {
	s.Mul(y, x, p.recp)
	s.Affine(y, 1, y, 1)
	s.Clamp(y, y, floor, math.MaxFloat32)
}

// FromWhite does κ = T(z).
func (p *Prior) FromWhite(s engine.Stream, x, z *engine.Tensor) {
	p.Field(s, x, z)
	p.FromField(s, x, x)
}

// Pullback does dz = √P_g [(κ + λ) g] with κ = T(z).
func (p *Prior) Pullback(s engine.Stream, dz, z, g *engine.Tensor) {
	v := p.cut(z)
	p.filter(s, v, v.a, z, p.root)
	s.Map(v.a, engine.Exp, v.a)
	s.Mul(v.a, v.a, p.scale)
	s.Mul(v.a, v.a, g)
	p.filter(s, v, dz, v.a, p.root)
}

// Sample draws κ. dst is (…, C, H, W).
func (p *Prior) Sample(s engine.Stream, dst *engine.Tensor, key engine.Key) {
	v := p.cut(dst)
	z := v.a.Reshape(dst.Shape()...)
	s.Normal(z, key)
	p.FromWhite(s, dst, z)
}

// LogProb writes ln p(κ) = −½ gᵀP_g⁻¹g − Σ ln(κ + λ) of each scene, up to a constant
// that does not depend on κ. Where κ ≤ −λ the density is 0; ToField says what is
// written instead.
func (p *Prior) LogProb(s engine.Stream, dst, x *engine.Tensor) {
	v := p.cut(x)
	d := v.a.Shape()
	p.ToField(s, v.a, x.Reshape(d...))
	p.filter(s, v, v.b, v.a, p.inv)
	s.Mul(v.b, v.b, v.a)
	s.Scale(v.b, 0.5, v.b)
	s.Add(v.b, v.b, v.a) // ln(κ + λ), but for constants
	s.Sum(dst, v.b)
	s.Scale(dst, -1, dst)
}

// Gradient writes ∇_κ ln p = −(P_g⁻¹ g + 1)/(κ + λ).
func (p *Prior) Gradient(s engine.Stream, dst, x *engine.Tensor) {
	v := p.cut(x)
	d := v.a.Shape()
	p.ToField(s, v.a, x.Reshape(d...))
	p.filter(s, v, v.b, v.a, p.inv)
	s.Affine(v.b, -1, v.b, -1)
	p.aboveFloor(s, v.a, x.Reshape(d...))
	s.Mul(v.a, v.a, p.shift)
	s.Div(dst.Reshape(d...), v.b, v.a)
}

// LogProbField writes ln p(g) = −½ gᵀP_g⁻¹g of each scene, up to a constant, and
// GradientField its gradient −P_g⁻¹ g.
func (p *Prior) LogProbField(s engine.Stream, dst, g *engine.Tensor) {
	v := p.cut(g)
	p.filter(s, v, v.a, g, p.inv)
	s.Mul(v.a, v.a, g)
	s.Sum(dst, v.a)
	s.Scale(dst, -0.5, dst)
}

// GradientField writes −P_g⁻¹ g.
func (p *Prior) GradientField(s engine.Stream, dst, g *engine.Tensor) {
	p.filter(s, p.cut(g), dst, g, p.inv)
	s.Scale(dst, -1, dst)
}
