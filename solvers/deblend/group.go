package deblend

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// group is a set of sources that are fitted together, on their own cut-out.
type group struct {
	p      *problem
	index  []int // into the caller's list
	src    []Source
	x0, y0 int // of the cut-out in the observation

	theta []theta
	flux  []float64 // (K, B)
	sky   []float64 // (B)
	free  []param
	ridge []float64 // (B) weak scale of fluxes

	elements []*element
	derivs   bool
	f        *fourier
	spec     []float32 // scratch: batch of half planes
	planes   []float32 // scratch: batch of grids
	model    []float32 // (B, H, W)
	cols     []columns

	mode      []float64    // (K, B) fluxes of the profiles alone
	boxes     []morphology // boxes to keep to; nil: chosen from the profiles
	hess      []float64    // at the mode
	cov       []float64    // its inverse
	morph     []morphology
	iter      int
	converged bool
	draws     *draws
}

// param is one free number: a shape's, a flux or a sky level.
type param struct {
	what  int // paramShape, paramFlux, paramSky
	k, i  int // source and index into theta; source and band; band
	lower float64
}

const (
	paramShape = iota
	paramFlux
	paramSky
)

func newGroup(dev engine.Device, obs *solvers.Observation, src []Source, opt Options) (*group, error) {
	p, err := newProblem(dev, obs, opt)
	if err != nil {
		return nil, err
	}
	g := &group{p: p, src: src, flux: make([]float64, len(src)*p.b), sky: make([]float64, p.b), ridge: make([]float64, p.b)}
	if g.f, err = newFourier(dev, p.grid.H, p.grid.W, (nShape+1)*p.b); err != nil {
		return nil, err
	}
	g.spec = make([]float32, (nShape+1)*p.b*p.grid.H*(p.grid.W/2+1)*2)
	g.planes = make([]float32, (nShape+1)*p.b*p.grid.H*p.grid.W)
	g.model = make([]float32, p.b*p.h*p.w)
	g.cols = make([]columns, len(src))
	mean := p.sizePrior()
	for k, s := range src {
		g.theta = append(g.theta, theta{s.X, s.Y, mean, tauMean, 0, 0})
		n := nShape
		if s.Kind == Star {
			n = 2
		}
		for i := range n {
			g.free = append(g.free, param{paramShape, k, i, math.Inf(-1)})
		}
		g.elements = append(g.elements, newElement(len(p.modes), true))
	}
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		for k := range src {
			g.free = append(g.free, param{paramFlux, k, b, 0})
		}
		if opt.Sky {
			g.free = append(g.free, param{paramSky, 0, b, math.Inf(-1)})
		}
		g.ridge[b] = p.fluxScale(b)
	}
	return g, nil
}

func (g *group) close() {
	if g.f != nil {
		g.f.close()
	}
}

// fluxScale is a width no flux in band b exceeds: three times the sum of the
// data's absolute values. As a Gaussian prior it keeps the fluxes of sources that
// the data cannot tell apart finite, and matters to nothing else.
func (p *problem) fluxScale(b int) float64 {
	n := p.h * p.w
	var s float64
	for i := b * n; i < (b+1)*n; i++ {
		if p.weights[i] > 0 {
			s += math.Abs(float64(p.data[i]))
		}
	}
	return 3*s + 1e-30
}

// Priors on shapes: COSMOS galaxies to I < 23.5 have ln of the circularised
// half-light radius in arcsec −1.09 ± .70 (that is .34″), the Sérsic index 1.27
// (.64–3.67) and axis ratios .56 (.33–.80); the widths are a little larger.
const (
	lnSizeArcsec = -1.09
	lnSizeStd    = 0.8
	tauMean      = 0.35
	tauStd       = 0.7
	etaStd       = 0.55
	sizeOfPSF    = 0.5 // where no pixel scale is known: R over the sharpest FWHM
)

// sizePrior is the prior's mean of ln R in pixels.
func (p *problem) sizePrior() float64 {
	if p.pixelScale > 0 {
		return lnSizeArcsec - math.Log(p.pixelScale)
	}
	least := math.Inf(1)
	for c, f := range p.psf {
		if p.live[c] {
			least = min(least, f)
		}
	}
	return math.Log(sizeOfPSF * max(least, 3))
}

// prior adds −log p of the shapes to u, and its gradient and curvature if asked.
func (g *group) prior(grad, diag []float64) float64 {
	var u float64
	size := g.p.sizePrior()
	for n, f := range g.free {
		var d, std float64
		switch f.what {
		case paramShape:
			t := g.theta[f.k][f.i]
			switch f.i {
			case iX:
				d, std = t-g.src[f.k].X, g.p.opt.CentreError
			case iY:
				d, std = t-g.src[f.k].Y, g.p.opt.CentreError
			case iLnR:
				d, std = t-size, lnSizeStd
			case iTau:
				d, std = t-tauMean, tauStd
			default:
				d, std = t, etaStd
			}
		case paramFlux:
			d, std = g.flux[f.k*g.p.b+f.i], g.ridge[f.i]
		default:
			continue
		}
		u += 0.5 * d * d / (std * std)
		if grad != nil {
			grad[n] += d / (std * std)
		}
		if diag != nil {
			diag[n] += 1 / (std * std)
		}
	}
	return u
}

func (g *group) get(f param) float64 {
	switch f.what {
	case paramShape:
		return g.theta[f.k][f.i]
	case paramFlux:
		return g.flux[f.k*g.p.b+f.i]
	}
	return g.sky[f.i]
}

func (g *group) put(f param, v float64) {
	switch f.what {
	case paramShape:
		g.theta[f.k][f.i] = v
	case paramFlux:
		g.flux[f.k*g.p.b+f.i] = v
	default:
		g.sky[f.i] = v
	}
}

// allowed is the range of a shape's parameter. Positions stay within 4σ of where
// they were given.
func (g *group) allowed(f param) (lo, hi float64) {
	switch f.i {
	case iX:
		return g.src[f.k].X - 4*g.p.opt.CentreError, g.src[f.k].X + 4*g.p.opt.CentreError
	case iY:
		return g.src[f.k].Y - 4*g.p.opt.CentreError, g.src[f.k].Y + 4*g.p.opt.CentreError
	case iLnR:
		return math.Log(0.05), math.Log(0.5 * float64(max(g.p.h, g.p.w, 16)))
	case iTau:
		return tauLow, tauHigh
	}
	return -2.3, 2.3
}

// scatter writes plane n of the scratch spectra from values of the kept modes.
func (g *group) clearSpec(n int) []float32 {
	size := g.p.grid.H * (g.p.grid.W/2 + 1) * 2
	s := g.spec[n*size : (n+1)*size]
	clear(s)
	return s
}

// render computes the model at the present parameters, (B, H, W), with elements
// up to date; derivatives too if asked.
func (g *group) render(derivatives bool) error {
	for k := range g.src {
		g.elements[k].set(g.p, g.theta[k], g.src[k].Kind, derivatives)
	}
	g.derivs = derivatives
	p := g.p
	acc := make([]complex128, len(p.modes))
	for b := range p.b {
		clear(acc)
		for k, e := range g.elements {
			a := g.flux[k*p.b+b]
			if a == 0 {
				continue
			}
			for i, ph := range e.phase {
				v := a * e.f[i]
				acc[i] += complex(real(ph)*v, imag(ph)*v)
			}
		}
		s, t := g.clearSpec(b), p.transfer[b]
		for i, m := range p.modes {
			v := acc[i] * t[i]
			s[2*m], s[2*m+1] = float32(real(v)), float32(imag(v))
		}
	}
	if err := g.f.inverse(g.planes, g.spec, p.b); err != nil {
		return err
	}
	for b := range p.b {
		p.window(g.model[b*p.h*p.w:(b+1)*p.h*p.w], g.planes, b)
		if sky := float32(g.sky[b]); sky != 0 {
			for i := b * p.h * p.w; i < (b+1)*p.h*p.w; i++ {
				g.model[i] += sky
			}
		}
	}
	return nil
}

// window cuts the image out of plane n of a batch of grids.
func (p *problem) window(dst, planes []float32, n int) {
	gr := p.grid
	for y := range p.h {
		at := n*gr.H*gr.W + (y+gr.Row)*gr.W + gr.Col
		copy(dst[y*p.w:(y+1)*p.w], planes[at:at+p.w])
	}
}

// misfit is ½ Σ w (d − m)² with the effective weights.
func (g *group) misfit() float64 {
	var s float64
	for i, w := range g.p.eff {
		if w > 0 {
			r := float64(g.p.data[i] - g.model[i])
			s += float64(w) * r * r
		}
	}
	return 0.5 * s
}

// objective renders and gives −log posterior.
func (g *group) objective() (float64, error) {
	if err := g.render(false); err != nil {
		return 0, err
	}
	return g.misfit() + g.prior(nil, nil), nil
}

func (g *group) fit(ctx context.Context) error {
	if err := g.start(); err != nil {
		return err
	}
	if err := g.gaussNewton(ctx); err != nil {
		return err
	}
	return g.finish(ctx)
}
