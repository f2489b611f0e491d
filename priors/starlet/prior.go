package starlet

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/internal/dual"
	"limpid/priors/internal/room"
)

// Options say how the prior penalises and how its proximal map is computed.
type Options struct {
	Scales     int         // 0: as NewTransform
	Edge       engine.Edge // Periodic or Reflect; the zero value (Zero) means Periodic
	Positive   bool        // also demand x ≥ 0
	Iterations int         // of the dual; 0: 50
	Warm       bool        // start from the last call's dual: for a solver's inner loop
	Reweighted bool        // thresholds of every scene by itself, so that Reweight works
}

// Prior is sparsity of starlet coefficients,
//
//	log p(x) = −Σ_j Σ_p λ_j(p) |(W_j x)(p)|,
//
// j over the wavelet scales; the smooth is free, so the density is improper and has no
// samples. λ is in 1/unit of the data. A solver that minimises ½‖N^-½(y − Ax)‖² − log p
// cuts noise at k σ with λ_j = k σ_j, σ_j the noise of W_j AᵀN⁻¹n: see
// Transform.NoiseMaps and SetThresholds.
type Prior struct {
	*Transform
	opt Options

	base     *engine.Tensor // (J, 1, C, H, W) thresholds λ
	lam, inv *engine.Tensor // (J, 1 or batch, C, H, W) those in use and their inverses
	baseInv  *engine.Tensor
	dualRoom *room.Room
	pool     [3]*engine.Tensor // (J · batch · C·H·W) dual variables
	real     *engine.Tensor    // (batch, C, H, W)
	solver   dual.Solver
	spaces   map[int]*space
	reweight bool
}

// space is the work space cut to n scenes; parts are the scales of its dual tensors,
// the others those of the thresholds.
type space struct {
	dual.Space
	*views
	real                    *engine.Tensor
	parts                   map[*engine.Tensor][]*engine.Tensor
	lam, inv, base, baseInv []*engine.Tensor
}

var (
	_ priors.Prior     = (*Prior)(nil)
	_ priors.Proxer    = (*Prior)(nil)
	_ priors.LogProber = (*Prior)(nil)
)

// New makes a prior on scenes of domain (C, H, W), at most batch at a time. All
// thresholds are 0 until SetThresholds.
func New(dev engine.Device, s engine.Stream, domain engine.Shape, batch int, o Options) (*Prior, error) {
	if o.Iterations <= 0 {
		o.Iterations = 50
	}
	if o.Edge == engine.Zero {
		o.Edge = engine.Periodic
	}
	t, err := NewTransform(dev, s, o.Scales, domain, o.Edge, batch)
	if err != nil {
		return nil, err
	}
	p := &Prior{Transform: t, opt: o, dualRoom: room.New(dev), spaces: map[int]*space{}}
	c, h, w := domain[0], domain[1], domain[2]
	each := 1
	if o.Reweighted {
		each = batch
	}
	p.base, p.baseInv = p.dualRoom.Tensor(t.Scales, 1, c, h, w), p.dualRoom.Tensor(t.Scales, 1, c, h, w)
	p.lam, p.inv = p.dualRoom.Tensor(t.Scales, each, c, h, w), p.dualRoom.Tensor(t.Scales, each, c, h, w)
	p.real = p.dualRoom.Tensor(batch, c, h, w)
	for i := range p.pool {
		p.pool[i] = p.dualRoom.Tensor(t.Scales * batch * domain.Len())
	}
	if err := p.dualRoom.Err(); err != nil {
		p.Close()
		return nil, fmt.Errorf("starlet: prior of %d scales on %v: %w", t.Scales, domain, err)
	}
	p.solver = dual.Solver{Op: operator{p}, Norm2: t.Norm2(), Iterations: o.Iterations, Lo: -math.MaxFloat32, Hi: math.MaxFloat32, Warm: o.Warm}
	if o.Positive {
		p.solver.Lo = 0
	}
	return p, s.Err()
}

// Close frees the prior's tensors.
func (p *Prior) Close() {
	p.dualRoom.Close()
	p.Transform.Close()
}

// References are keys of assets/references.bib.
func (p *Prior) References() []string {
	keys := []string{"StarckFadiliMurtagh2007", "BeckTeboulle2009"}
	if p.reweight {
		keys = append(keys, "CandesWakinBoyd2008")
	}
	return keys
}

// SetThresholds sets λ_j = k[j] · sigma of the j-th scale, finest first, and forgets
// former weights. sigma is (J+1, C, H, W) as NoiseMaps writes it; k has J elements, not
// negative, 0 leaving a scale free.
func (p *Prior) SetThresholds(s engine.Stream, k []float64, sigma *engine.Tensor) error {
	if err := p.checkK(k); err != nil {
		return err
	}
	for j, kj := range k {
		s.Scale(p.base.Slice(j, j+1), float32(kj), sigma.Slice(j, j+1))
	}
	p.useBase(s)
	return s.Err()
}

// SetLevels is SetThresholds for stationary noise: sigma[b] holds the levels of band b,
// as NoiseLevels gives them.
func (p *Prior) SetLevels(s engine.Stream, k []float64, sigma [][]float64) error {
	if err := p.checkK(k); err != nil {
		return err
	}
	c, h, w := p.domain[0], p.domain[1], p.domain[2]
	if len(sigma) != c {
		return fmt.Errorf("starlet: noise levels of %d bands, want %d", len(sigma), c)
	}
	for b, levels := range sigma {
		if len(levels) < p.Scales {
			return fmt.Errorf("starlet: band %d has %d noise levels for %d scales", b, len(levels), p.Scales)
		}
		for j, kj := range k {
			if v := kj * levels[j]; !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("starlet: band %d, scale %d: threshold %g", b, j+1, v)
			}
			s.Fill(p.base.Slice(j, j+1).Reshape(c, h, w).Slice(b, b+1), float32(kj*levels[j]))
		}
	}
	p.useBase(s)
	return s.Err()
}

func (p *Prior) checkK(k []float64) error {
	if len(k) != p.Scales {
		return fmt.Errorf("starlet: %d thresholds for %d scales", len(k), p.Scales)
	}
	for j, v := range k {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("starlet: threshold %g of scale %d: it must be 0 or positive", v, j+1)
		}
	}
	return nil
}

func (p *Prior) useBase(s engine.Stream) {
	p.reweight = false
	s.Map(p.baseInv, engine.Recip, p.base)
	for j := range p.Scales {
		base := p.base.Slice(j, j+1).Reshape(p.domain.Len())
		lam := p.lam.Slice(j, j+1)
		s.Fill(lam, 1)
		s.Mul(lam, lam, base)
	}
	s.Map(p.inv, engine.Recip, p.lam)
}

// Reweight sets the weights of the next round of reweighted ℓ1 (Candès, Wakin & Boyd
// 2008) from the solution x (n, C, H, W) of the last, λ/(1 + |W x|/λ) with λ the
// thresholds that were set: large coefficients are hardly shrunk any more, which takes
// the bias of ℓ1 away. The prior must have been made with Options.Reweighted.
func (p *Prior) Reweight(s engine.Stream, x *engine.Tensor) {
	if !p.opt.Reweighted {
		panic("starlet: Reweight of a prior made without Options.Reweighted")
	}
	v := p.space(x)
	parts := v.parts[v.Old]
	p.details(s, v.views, parts, x.Reshape(v.real.Shape()...))
	p.reweight = true
	for j, w := range parts {
		s.Map(w, engine.Abs, w)
		s.Mul(w, w, v.baseInv[j])
		s.Affine(w, 1, w, 1)
		s.Map(w, engine.Recip, w)
		s.Mul(v.lam[j], w, v.base[j])
	}
	s.Map(p.inv, engine.Recip, p.lam)
}

// weights are the scales of thresholds, for the first n scenes where every scene has
// its own.
func weights(t *engine.Tensor, n int) []*engine.Tensor {
	d := t.Shape()
	out := make([]*engine.Tensor, d[0])
	for j := range out {
		out[j] = t.Slice(j, j+1).Reshape(d[1], d[2], d[3], d[4]).Slice(0, min(n, d[1]))
	}
	return out
}

// space is the work space for the scenes of x.
func (p *Prior) space(x *engine.Tensor) *space {
	return p.cutSpace(room.Scenes("starlet", x, p.domain, p.batch))
}

func (p *Prior) cutSpace(n int) *space {
	v := p.spaces[n]
	if v == nil {
		var t [3]*engine.Tensor
		d := p.domain
		v = &space{views: p.cut(n), real: p.real.Slice(0, n), parts: map[*engine.Tensor][]*engine.Tensor{}}
		for i, all := range p.pool {
			t[i] = all.Slice(0, p.Scales*n*d.Len()).Reshape(p.Scales, n, d[0], d[1], d[2])
			v.parts[t[i]] = p.scales(t[i], n)
		}
		v.Space = dual.Space{P: t[0], Old: t[1], R: t[2], U: v.real}
		v.lam, v.inv = weights(p.lam, n), weights(p.inv, n)
		v.base, v.baseInv = weights(p.base, n), weights(p.baseInv, n)
		p.spaces[n] = v
	}
	return v
}

// operator is the J wavelet scales as the dual solver sees them; all tensors are those
// of a space.
type operator struct{ p *Prior }

func (o operator) Analyse(s engine.Stream, c, x *engine.Tensor) {
	v := o.p.cutSpace(c.Shape()[1])
	o.p.details(s, v.views, v.parts[c], x)
}

func (o operator) Adjoint(s engine.Stream, x, c *engine.Tensor) {
	v := o.p.cutSpace(c.Shape()[1])
	o.p.adjoint(s, v.views, x, v.parts[c])
}

// Project clips the coefficients to ±tλ.
func (o operator) Project(s engine.Stream, c *engine.Tensor, t float64) {
	v := o.p.cutSpace(c.Shape()[1])
	for j, w := range v.parts[c] {
		v.clip(s, w, w, j, t)
	}
}

// clip does dst = min(max(w, −tλ), tλ).
func (v *space) clip(s engine.Stream, dst, w *engine.Tensor, j int, t float64) {
	s.Mul(dst, w, v.inv[j])
	s.Clamp(dst, dst, float32(-t), float32(t))
	s.Mul(dst, dst, v.lam[j])
}

// Prox is the exact proximal map of −t log p (and x ≥ 0 with Options.Positive), by
// Options.Iterations steps of fast gradient projection in the dual. The transform is
// redundant, so that thresholding its coefficients is only an approximation: see Shrink.
func (p *Prior) Prox(s engine.Stream, dst, x *engine.Tensor, t float64) {
	v := p.space(x)
	if t <= 0 {
		s.Clamp(dst, x, p.solver.Lo, math.MaxFloat32)
		return
	}
	d := v.real.Shape()
	p.solver.Prox(s, dst.Reshape(d...), x.Reshape(d...), t, &v.Space)
}

// Gap writes the duality gap of the last Prox, whose result is u: dst (n) =
// Σ tλ|W u| − q·W u, which bounds ½‖u − exact‖² from above.
func (p *Prior) Gap(s engine.Stream, dst, u *engine.Tensor, t float64) {
	v := p.space(u)
	parts, q, a := v.parts[v.Old], v.parts[v.P], v.parts[v.R]
	p.details(s, v.views, parts, u.Reshape(v.real.Shape()...))
	s.Fill(v.real, 0)
	for j, w := range parts {
		s.Map(a[j], engine.Abs, w)
		s.Mul(a[j], a[j], v.lam[j])
		s.Axpy(v.real, float32(t), a[j])
		s.Mul(w, w, q[j])
		s.Sub(v.real, v.real, w)
	}
	s.Sum(dst, v.real)
}

// Shrink thresholds coefficients once: soft, x − Σ clip(W_j x, tλ_j), or hard, where
// those below the threshold go and the others stay whole. It is the classical wavelet
// denoiser, one transform and a sum.
func (p *Prior) Shrink(s engine.Stream, dst, x *engine.Tensor, t float64, hard bool) {
	v := p.space(x)
	d, parts := dst.Reshape(v.real.Shape()...), v.parts[v.Old]
	p.details(s, v.views, parts, x.Reshape(v.real.Shape()...))
	s.Copy(d, x)
	for j, w := range parts {
		if hard {
			v.below(s, w, j, t)
		} else {
			v.clip(s, w, w, j, t)
		}
		s.Sub(d, d, w)
	}
	if p.solver.Bounded() {
		s.Clamp(d, d, p.solver.Lo, p.solver.Hi)
	}
}

// steep makes a step of a clamp: coefficients within a part in a million of the
// threshold are kept in part.
const steep = 1 << 20

// below clears the coefficients w above the threshold tλ, and all where λ is 0.
func (v *space) below(s engine.Stream, w *engine.Tensor, j int, t float64) {
	s.Map(v.real, engine.Abs, w)
	s.Mul(v.real, v.real, v.inv[j])
	s.Affine(v.real, float32(-steep/t), v.real, steep)
	s.Clamp(v.real, v.real, 0, 1)
	s.Mul(w, w, v.real)
	s.Mul(w, w, v.inv[j])
	s.Mul(w, w, v.lam[j])
}

// LogProb writes −Σ λ |W x| of each scene.
func (p *Prior) LogProb(s engine.Stream, dst, x *engine.Tensor) {
	v := p.space(x)
	parts := v.parts[v.Old]
	p.details(s, v.views, parts, x.Reshape(v.real.Shape()...))
	s.Fill(v.real, 0)
	for j, w := range parts {
		s.Map(w, engine.Abs, w)
		s.Mul(w, w, v.lam[j])
		s.Sub(v.real, v.real, w)
	}
	s.Sum(dst, v.real)
}

// Score is, for σ > 0, the gradient of the Moreau envelope of log p with parameter σ²,
// (Prox(x, σ²) − x)/σ²: smooth, with the same maximum, and what proximal Langevin
// samplers use (Durmus, Moulines & Pereyra 2018); the convolution with N(0, σ²) has no
// closed form. For σ = 0 it is −Wᵀ(λ sign(W x)), the gradient of log p where it exists.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	if sigma > 0 {
		p.Prox(s, dst, x, sigma*sigma)
		s.Sub(dst, dst, x)
		s.Scale(dst, float32(1/(sigma*sigma)), dst)
		return
	}
	v := p.space(x)
	parts := v.parts[v.Old]
	p.details(s, v.views, parts, x.Reshape(v.real.Shape()...))
	for j, w := range parts {
		s.Map(v.real, engine.Abs, w)
		s.Div(w, w, v.real)
		s.Mul(w, w, v.lam[j])
	}
	d := dst.Reshape(v.real.Shape()...)
	p.adjoint(s, v.views, d, parts)
	s.Scale(d, -1, d)
}
