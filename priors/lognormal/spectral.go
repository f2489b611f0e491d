package lognormal

import "limpid/engine"

// FromSpectrum does κ = T(z) for noise given by its transform, (…, C, H, W/2+1, 2): one
// transform less than FromWhite.
func (p *Prior) FromSpectrum(s engine.Stream, x, spec *engine.Tensor) {
	v := p.cut(x)
	s.CScale(v.spec, spec.Reshape(v.spec.Shape()...), p.root)
	s.IRFFT2(x.Reshape(v.a.Shape()...), v.spec)
	p.FromField(s, x, x)
}

// PullbackSpectrum writes the transform of (∂T/∂z)ᵀ g = √P_g [(κ + λ) g], given
// κ = T(z): two transforms less than Pullback. dspec is neither κ nor g.
func (p *Prior) PullbackSpectrum(s engine.Stream, dspec, x, g *engine.Tensor) {
	v := p.cut(x)
	d := v.a.Shape()
	s.Add(v.a, x.Reshape(d...), p.shift)
	s.Mul(v.a, v.a, g.Reshape(d...))
	s.RFFT2(v.spec, v.a)
	s.CScale(dspec.Reshape(v.spec.Shape()...), v.spec, p.root)
}
