package gaussian

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
)

// Prior is N(0, P) on a periodic grid (C, H, W), one spectrum per band, bands
// independent. It is the stationary Gaussian random field of the Wiener filter
// (Wiener 1949): exact, but it does not know that sources are positive or that
// some places are brighter than others.
type Prior struct {
	Spectra []Spectrum
	domain  engine.Shape

	power   *engine.Tensor // (C, H, W/2+1) P
	sqrt    *engine.Tensor // (C, H, W/2+1) √P
	filter  *engine.Tensor // scratch 1/(P+σ²)
	spec    *engine.Tensor // scratch, for batch scenes
	real    *engine.Tensor
	sigma   float64 // filter's
	host    []float32
	batched int
}

var (
	_ priors.Prior     = (*Prior)(nil)
	_ priors.Sampler   = (*Prior)(nil)
	_ priors.LogProber = (*Prior)(nil)
	_ priors.Latent    = (*Prior)(nil)
)

// New puts the spectra on a grid of domain (C, H, W); spectra has C elements.
// batch is how many scenes Score, Sample and LogProb take at most.
func New(dev engine.Device, s engine.Stream, spectra []Spectrum, domain engine.Shape, batch int) (*Prior, error) {
	c, h, w := domain[0], domain[1], domain[2]
	if len(spectra) != c {
		return nil, fmt.Errorf("gaussian: %d spectra for %d bands", len(spectra), c)
	}
	p := &Prior{Spectra: spectra, domain: domain, sigma: math.NaN(), batched: batch}
	half := engine.Shape{c, h, w/2 + 1}
	scenes := engine.Shape{batch, c, h, w}
	var err error
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&p.power, half}, {&p.sqrt, half}, {&p.filter, half}, {&p.spec, scenes.Spectrum()}, {&p.real, scenes}} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			p.Close()
			return nil, fmt.Errorf("gaussian: prior on a %d×%d grid: %w", h, w, err)
		}
	}
	p.host = make([]float32, half.Len())
	root := make([]float32, half.Len())
	for b, sp := range spectra {
		for i, v := range sp.OnGrid(h, w) {
			p.host[b*h*(w/2+1)+i] = float32(v)
			root[b*h*(w/2+1)+i] = float32(math.Sqrt(v))
		}
	}
	s.Upload(p.power, p.host)
	s.Upload(p.sqrt, root)
	return p, s.Err()
}

// Score writes −(P + σ²)⁻¹ x, applied in Fourier space.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	if sigma != p.sigma {
		inv := make([]float32, len(p.host))
		for i, v := range p.host {
			inv[i] = float32(-1 / (float64(v) + sigma*sigma))
		}
		s.Upload(p.filter, inv)
		p.sigma = sigma
	}
	p.apply(s, dst, x, p.filter)
}

// Sample fills dst (…, C, H, W) with independent draws √P ξ.
func (p *Prior) Sample(s engine.Stream, dst *engine.Tensor, key engine.Key) {
	s.Normal(dst, key)
	p.apply(s, dst, dst, p.sqrt)
}

// FromWhite does x = √P z: the prior as an image of white noise.
func (p *Prior) FromWhite(s engine.Stream, x, z *engine.Tensor) { p.apply(s, x, z, p.sqrt) }

// Pullback does dz = (∂x/∂z)ᵀ g = √P g, which is symmetric.
func (p *Prior) Pullback(s engine.Stream, dz, _, g *engine.Tensor) { p.apply(s, dz, g, p.sqrt) }

// LogProb writes −½ xᵀ P⁻¹ x, up to a constant, for each of B scenes.
func (p *Prior) LogProb(s engine.Stream, dst, x *engine.Tensor) {
	real := p.real.Slice(0, x.Len()/p.domain.Len()).Reshape(x.Shape()...)
	p.Score(s, real, x, 0)
	s.Dot(dst, x, real)
	s.Scale(dst, 0.5, dst)
}

func (p *Prior) apply(s engine.Stream, dst, x, filter *engine.Tensor) {
	n := x.Len() / p.domain.Len()
	if n > p.batched {
		panic(fmt.Sprintf("gaussian: %d scenes for a prior made for %d", n, p.batched))
	}
	spec := p.spec.Slice(0, n).Reshape(x.Shape().Spectrum()...)
	s.RFFT2(spec, x)
	s.CScale(spec, spec, filter)
	s.IRFFT2(dst, spec)
}

// References are keys of assets/references.bib.
func (p *Prior) References() []string { return []string{"Wiener1949"} }

// Close frees the prior's tensors.
func (p *Prior) Close() {
	for _, t := range []*engine.Tensor{p.power, p.sqrt, p.filter, p.spec, p.real} {
		t.Free()
	}
}
