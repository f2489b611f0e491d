package deblend

import (
	"context"
	"math"
	"slices"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/spergel"
)

// group is a set of sources that are fitted together, on their own cut-out. A
// source has one component or two of one centre; src lists the components.
type group struct {
	p      *problem
	index  []int // per component: which of the caller's sources
	src    []Source
	twin   []int // per component: the one whose centre it shares, or −1
	x0, y0 int   // of the cut-out in the observation
	// foreign tells pixels of the cut-out that are another group's; nil: none
	foreign func(x, y int) bool

	theta  []theta
	flux   []float64          // (K, B)
	sky    []float64          // (B)
	seeing [][nSeeing]float64 // (B) errors of the PSF
	free   []param
	slot   slots
	ridge  []float64 // (B) weak scale of fluxes

	elements []*element
	fresh    bool           // elements are those of theta, with derivatives: refit has just made them
	transfer [][]complex128 // per band, of the PSF as it is now
	phase    [][]complex128 // per band, of the PSF's shift
	bare     [][]complex128 // per band, of the sources before the PSF
	work     []*scratch
	model    []float32 // (B, H, W)
	cols     []columns

	mode      []float64    // (K, B) fluxes of the profiles alone
	boxes     []morphology // boxes to keep to; nil: chosen from the profiles
	cov       []float64    // of the free parameters, inverse of the curvature at the mode
	misfit    *misfits
	morph     []morphology
	iter      int
	converged bool
	draws     *draws
}

// param is one free number: a shape's, a flux, a sky level or a PSF's.
type param struct {
	what int // paramShape, paramFlux, paramSky, paramSeeing
	k, i int // component and index into theta; component and band; –, band; which, band
}

const (
	paramShape = iota
	paramFlux
	paramSky
	paramSeeing
)

// slots tell where numbers stand among the free parameters; −1: not free.
type slots struct {
	shape  [][nShape]int  // per component; a twin's centre is the other's
	flux   [][]int        // per component and band
	sky    []int          // per band
	seeing [][nSeeing]int // per band
}

func newGroup(dev engine.Device, obs *solvers.Observation, src []Source, opt Options) (*group, error) {
	p, err := newProblem(dev, obs, len(src), opt)
	if err != nil {
		return nil, err
	}
	g := &group{p: p, flux: make([]float64, 0, len(src)*p.b), sky: make([]float64, p.b), seeing: make([][nSeeing]float64, p.b), ridge: make([]float64, p.b)}
	for b := range p.b {
		if p.live[b] {
			g.ridge[b] = p.fluxScale(b)
		}
	}
	for i, s := range src {
		g.add(i, s, -1)
	}
	if g.work, err = newScratch(p, max((nShape+1)*p.b, nSeeing), max(min(opt.threads, max(len(src), p.b)), 1)); err != nil {
		return nil, err
	}
	g.alloc(true)
	g.arrange()
	return g, nil
}

// add appends a component.
func (g *group) add(index int, s Source, twin int) {
	g.index, g.src, g.twin = append(g.index, index), append(g.src, s), append(g.twin, twin)
	g.theta = append(g.theta, theta{s.X, s.Y, g.p.sizePrior(), tauMean, 0, 0})
	g.flux = append(g.flux, make([]float64, g.p.b)...)
	g.elements = append(g.elements, newElement(len(g.p.modes), true))
	g.cols = append(g.cols, columns{})
}

// alloc makes what render and gradient write.
func (g *group) alloc(model bool) {
	p := g.p
	g.transfer = p.transfer
	if p.opt.PSFError {
		g.transfer, g.phase = p.perBand(), p.perBand()
	}
	g.bare = p.perBand()
	if model {
		g.model = make([]float32, p.b*p.h*p.w)
	}
}

func (p *problem) perBand() [][]complex128 {
	out := make([][]complex128, p.b)
	for b := range out {
		out[b] = make([]complex128, len(p.modes))
	}
	return out
}

// arrange numbers the free parameters.
func (g *group) arrange() {
	g.fresh = false
	p := g.p
	g.free = g.free[:0]
	g.slot = slots{shape: make([][nShape]int, len(g.src)), flux: make([][]int, len(g.src)), sky: make([]int, p.b), seeing: make([][nSeeing]int, p.b)}
	next := func(f param) int {
		g.free = append(g.free, f)
		return len(g.free) - 1
	}
	for k, s := range g.src {
		n, first := nShape, 0
		if s.Kind == Star {
			n = 2
		}
		if j := g.twin[k]; j >= 0 {
			first = 2
			g.slot.shape[k][iX], g.slot.shape[k][iY] = g.slot.shape[j][iX], g.slot.shape[j][iY]
		}
		for i := first; i < n; i++ {
			g.slot.shape[k][i] = next(param{paramShape, k, i})
		}
		g.slot.flux[k] = make([]int, p.b)
	}
	for b := range p.b {
		g.slot.sky[b] = -1
		for i := range nSeeing {
			g.slot.seeing[b][i] = -1
		}
		for k := range g.src {
			g.slot.flux[k][b] = -1
			if p.live[b] {
				g.slot.flux[k][b] = next(param{paramFlux, k, b})
			}
		}
		if p.live[b] && p.opt.Sky {
			g.slot.sky[b] = next(param{paramSky, 0, b})
		}
		if p.live[b] && p.opt.PSFError {
			for i := range nSeeing {
				g.slot.seeing[b][i] = next(param{paramSeeing, i, b})
			}
		}
	}
}

func (g *group) close() {
	for _, s := range g.work {
		s.f.close()
	}
	g.work = nil
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

// deviation is how far parameter f lies from its prior's mean, and the prior's 1σ
// (0: flat).
func (g *group) deviation(f param) (d, std float64) {
	switch f.what {
	case paramShape:
		t := g.theta[f.k][f.i]
		switch f.i {
		case iX:
			return t - g.src[f.k].X, g.p.opt.CentreError
		case iY:
			return t - g.src[f.k].Y, g.p.opt.CentreError
		case iLnR:
			return t - g.p.sizePrior(), lnSizeStd
		case iTau:
			return t - tauMean, tauStd
		}
		return t, etaStd
	case paramFlux:
		return g.flux[f.k*g.p.b+f.i], g.ridge[f.i]
	case paramSeeing:
		if f.k < 2 {
			return g.seeing[f.i][f.k], shiftStd
		}
		return g.seeing[f.i][f.k], ringStd
	}
	return 0, 0
}

// prior adds −log p of the shapes to u, and its gradient and curvature if asked.
func (g *group) prior(grad, diag []float64) float64 {
	var u float64
	for n, f := range g.free {
		d, std := g.deviation(f)
		if std == 0 {
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
	case paramSeeing:
		return g.seeing[f.i][f.k]
	}
	return g.sky[f.i]
}

func (g *group) put(f param, v float64) {
	switch f.what {
	case paramShape:
		g.theta[f.k][f.i], g.fresh = v, false
		if f.i > iY {
			return
		}
		for k, j := range g.twin {
			if j == f.k {
				g.theta[k][f.i] = v
			}
		}
	case paramFlux:
		g.flux[f.k*g.p.b+f.i] = v
	case paramSeeing:
		g.seeing[f.i][f.k] = v
	default:
		g.sky[f.i] = v
	}
}

// allowed is the range of a parameter. Positions stay within 4σ of where they
// were given.
func (g *group) allowed(f param) (lo, hi float64) {
	switch f.what {
	case paramFlux:
		return 0, math.Inf(1)
	case paramSky:
		return math.Inf(-1), math.Inf(1)
	case paramSeeing:
		return -0.7, 0.7
	}
	switch f.i {
	case iX:
		return g.src[f.k].X - 4*g.p.opt.CentreError, g.src[f.k].X + 4*g.p.opt.CentreError
	case iY:
		return g.src[f.k].Y - 4*g.p.opt.CentreError, g.src[f.k].Y + 4*g.p.opt.CentreError
	case iLnR:
		return math.Log(0.05), math.Log(0.5 * float64(max(g.p.h, g.p.w, 16)))
	case iTau:
		return spergel.TauLow, spergel.TauHigh
	}
	return -2.3, 2.3
}

// halfChi2 is ½ Σ w (d − m)² with the effective weights.
func (g *group) halfChi2() float64 {
	var s float64
	for i, w := range g.p.eff {
		r := g.p.data[i] - g.model[i]
		s += float64(w * r * r)
	}
	return 0.5 * s
}

// objective renders and gives −log posterior.
func (g *group) objective() (float64, error) {
	if err := g.render(false); err != nil {
		return 0, err
	}
	return g.halfChi2() + g.prior(nil, nil), nil
}

// profiles finds the mode of shapes and fluxes, from scratch unless fluxes are
// there.
func (g *group) profiles(ctx context.Context) error {
	if err := g.start(); err != nil {
		return err
	}
	if err := g.gaussNewton(ctx); err != nil {
		return err
	}
	return g.complete(ctx)
}

// state is what a trial may have to restore.
type state struct {
	index, twin []int
	src         []Source
	theta       []theta
	flux, sky   []float64
	seeing      [][nSeeing]float64
	converged   bool
}

func (g *group) save() state {
	return state{
		slices.Clone(g.index), slices.Clone(g.twin), slices.Clone(g.src), slices.Clone(g.theta),
		slices.Clone(g.flux), slices.Clone(g.sky), slices.Clone(g.seeing), g.converged,
	}
}

func (g *group) restore(s state) {
	g.index, g.twin, g.src, g.theta = s.index, s.twin, s.src, s.theta
	g.flux, g.sky, g.seeing, g.converged = s.flux, s.sky, s.seeing, s.converged
	g.elements, g.cols = g.elements[:len(s.src)], g.cols[:len(s.src)]
	g.arrange()
}

// remove takes component k out; no twin may refer to it.
func (g *group) remove(k int) {
	b := g.p.b
	g.index, g.twin = slices.Delete(g.index, k, k+1), slices.Delete(g.twin, k, k+1)
	g.src, g.theta = slices.Delete(g.src, k, k+1), slices.Delete(g.theta, k, k+1)
	g.flux = slices.Delete(g.flux, k*b, (k+1)*b)
	g.elements, g.cols = slices.Delete(g.elements, k, k+1), slices.Delete(g.cols, k, k+1)
	for i, j := range g.twin {
		if j > k {
			g.twin[i]--
		}
	}
	g.arrange()
}
