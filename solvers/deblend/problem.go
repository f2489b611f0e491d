package deblend

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/skymap"
	"limpid/solvers/operator"
)

// problem is one group's data on its grid, and the Fourier modes that matter.
type problem struct {
	dev        engine.Device
	b, h, w    int
	grid       operator.Grid
	data       []float32 // (B, H, W)
	weights    []float32 // of the noise alone
	eff        []float32 // with the model's own error
	root       []float32 // √eff
	live       []bool    // bands with valid pixels
	psf        []float64 // FWHM per band, px
	stamps     solvers.Image
	pixelScale float64
	opt        Options
	sigma      float64 // of the model PSF

	modes    []int32                 // index into the half plane of the modes that are kept
	kx, ky   []float64               // of the kept modes, rad/px
	fold     []float64               // 1 or 2: how often the mode stands in the full plane
	transfer [][]complex128          // per band, kept modes
	basis    [][nSeeing][]complex128 // per band, what the PSF may be wrong by
	model    []float64               // transfer of the model PSF, kept modes
}

// bandLimit drops modes that no band's PSF passes: their share of any model is
// below it. PSF stamps themselves are known to about 1e-3.
const bandLimit = 1e-4

func newProblem(dev engine.Device, obs *solvers.Observation, sources int, opt Options) (*problem, error) {
	d := obs.Data
	p := &problem{dev: dev, b: d.C, h: d.H, w: d.W, data: append([]float32(nil), d.Pix...), weights: obs.Weights.Pix, opt: opt, pixelScale: opt.PixelScale, stamps: obs.PSF}
	pad := max(obs.PSF.H, obs.PSF.W, 2*minPad)
	p.grid = operator.NewGrid(d.C, d.H, d.W, pad, pad)
	if opt.Learned != nil {
		p.grid = p.grid.Aligned(opt.Learned.Align)
	}
	need := p.memory(sources)
	if need > dev.Info().Memory && dev.Info().Memory > 0 {
		return nil, fmt.Errorf("deblend: a group of %d×%d pixels: %w", d.W, d.H, &engine.MemoryError{Device: dev.Info().Name, Shape: p.grid.Domain(), Want: need, Left: dev.Info().Memory, Budget: dev.Info().Memory})
	}
	for c := range d.C {
		live := false
		for _, w := range obs.Weights.Plane(c) {
			live = live || w > 0
		}
		p.live = append(p.live, live)
		p.psf = append(p.psf, skymap.PSFWidth(obs.PSF.Plane(c), obs.PSF.H, obs.PSF.W))
	}
	if err := p.fillTransfer(obs.PSF); err != nil {
		return nil, err
	}
	if err := p.fillBasis(); err != nil {
		return nil, err
	}
	for i, w := range p.weights {
		if w == 0 {
			p.data[i] = 0
		}
	}
	p.fillEffective()
	p.root = make([]float32, len(p.eff))
	for i, w := range p.eff {
		p.root[i] = root32(w)
	}
	return p, nil
}

// minPad is the least room around the image for wings that would wrap.
const minPad = 20

// memory is an upper bound of what a fit of n sources allocates, in bytes: planes of
// the problem, scratch of every thread (values and spectra, here and on the
// device), columns and Fourier modes of every source, of two components where
// asked for, and the errors of the model with the sources' light.
func (p *problem) memory(n int) int64 {
	grid, image, b := int64(p.grid.H)*int64(p.grid.W), int64(p.h)*int64(p.w), int64(p.b)
	k := int64(n * max(p.opt.Components, 1))
	perBand := int64(4) // transfer, spectra
	if p.opt.PSFError {
		perBand += nSeeing
	}
	planes := 4 * (8*b*grid + 4*int64(max(p.opt.threads, 1))*max((nShape+1)*b, nSeeing)*grid)
	modes := 16 * (perBand*b + 4*k) * (grid/2 + 1)
	columns := 4 * k * (nShape + 2) * b * image
	return planes + modes + columns + p.misfitMemory(int64(n), k)
}

// fillTransfer transforms the PSFs and keeps the modes that they pass.
func (p *problem) fillTransfer(psf solvers.Image) error {
	f, err := newFourier(p.dev, p.grid.H, p.grid.W, p.b)
	if err != nil {
		return err
	}
	defer f.close()
	gh, gw, gc := p.grid.H, p.grid.W, p.grid.W/2+1
	host := make([]float32, p.b*gh*gw)
	cy, cx := (psf.H-1)/2, (psf.W-1)/2
	for c := range p.b {
		src := psf.Plane(c)
		for i, v := range src {
			y, x := (i/psf.W-cy+gh)%gh, (i%psf.W-cx+gw)%gw
			host[c*gh*gw+y*gw+x] += v
		}
	}
	spec := make([]float32, p.b*gh*gc*2)
	if err := f.forward(spec, host, p.b); err != nil {
		return err
	}
	p.transfer = make([][]complex128, p.b)
	for i := range gh * gc {
		var top float64
		for c := range p.b {
			re, im := float64(spec[2*(c*gh*gc+i)]), float64(spec[2*(c*gh*gc+i)+1])
			if p.live[c] {
				top = max(top, math.Hypot(re, im))
			}
		}
		if top < bandLimit {
			continue
		}
		r, q := i/gc, i%gc
		if r > gh/2 {
			r -= gh
		}
		p.modes = append(p.modes, int32(i))
		p.kx = append(p.kx, 2*math.Pi*float64(q)/float64(gw))
		p.ky = append(p.ky, 2*math.Pi*float64(r)/float64(gh))
		fold := 2.0
		if q == 0 || gw%2 == 0 && q == gw/2 {
			fold = 1
		}
		p.fold = append(p.fold, fold)
		for c := range p.b {
			p.transfer[c] = append(p.transfer[c], complex(float64(spec[2*(c*gh*gc+i)]), float64(spec[2*(c*gh*gc+i)+1])))
		}
	}
	p.setModelPSF()
	return nil
}

// setModelPSF chooses the Gaussian that morphologies are seen through: σ = .8 px
// as Melchior+2018, narrower where the sharpest band is.
func (p *problem) setModelPSF() {
	least := math.Inf(1)
	for c, f := range p.psf {
		if p.live[c] {
			least = min(least, f/skymap.FWHMOverSigma)
		}
	}
	p.sigma = min(0.8, 0.6*least)
	if least < 0.45 { // a PSF of one pixel: nothing to deconvolve
		p.sigma = 0
	}
	p.model = make([]float64, len(p.modes))
	for i := range p.model {
		p.model[i] = math.Exp(-0.5 * p.sigma * p.sigma * (p.kx[i]*p.kx[i] + p.ky[i]*p.ky[i]))
	}
}

// fillEffective adds the model's own error, relative to the data smoothed over
// 3×3 pixels, to the noise: 1/w + (f d)².
func (p *problem) fillEffective() {
	p.eff = append([]float32(nil), p.weights...)
	f := p.opt.ModelError
	if f == 0 {
		return
	}
	n := p.h * p.w
	for c := range p.b {
		data, w, eff := p.data[c*n:(c+1)*n], p.weights[c*n:(c+1)*n], p.eff[c*n:(c+1)*n]
		for y := range p.h {
			for x := range p.w {
				i := y*p.w + x
				if w[i] == 0 {
					continue
				}
				d := f * max(0, smoothed(data, w, p.h, p.w, y, x))
				eff[i] = float32(1 / (1/float64(w[i]) + d*d))
			}
		}
	}
}

func smoothed(data, w []float32, h, wd, y, x int) float64 {
	var s, n float64
	for dy := max(y-1, 0); dy <= min(y+1, h-1); dy++ {
		for dx := max(x-1, 0); dx <= min(x+1, wd-1); dx++ {
			if i := dy*wd + dx; w[i] > 0 {
				s, n = s+float64(data[i]), n+1
			}
		}
	}
	return s / n
}

// The PSF's error in a band: a shift, and factors that the PSF is multiplied by,
//
//	P → P (1 + Σ_j c_j h_j) / Σ P (1 + Σ_j c_j h_j)   to first order in c,
//
// h_j hats in radius about ringKnots (in FWHM) and two of an ellipticity. The
// normalisation keeps the sum at 1: h_j P − (Σ h_j P) P.
const (
	nRings  = 5
	nSeeing = 2 + nRings + 2 // shift x, y; rings; cos 2θ, sin 2θ
)

var ringKnots = [nRings]float64{0, 0.4, 0.8, 1.3, 2}

// Priors on the PSF's error: astrometry between bands to .03 px, the PSF to 5 % at
// any radius. Bright stars overrule them; nothing else does.
const (
	shiftStd = 0.03
	ringStd  = 0.05
)

// fillBasis computes the transfer functions of the h_j P of every band.
func (p *problem) fillBasis() error {
	if !p.opt.PSFError {
		return nil
	}
	f, err := newFourier(p.dev, p.grid.H, p.grid.W, 1)
	if err != nil {
		return err
	}
	defer f.close()
	gh, gw := p.grid.H, p.grid.W
	host, spec := make([]float32, gh*gw), make([]float32, p.half())
	p.basis = make([][nSeeing][]complex128, p.b)
	cy, cx := (p.stamps.H-1)/2, (p.stamps.W-1)/2
	for b := range p.b {
		for j := 2; j < nSeeing; j++ {
			clear(host)
			var sum float64
			for i, v := range p.stamps.Plane(b) {
				dx, dy := i%p.stamps.W-cx, i/p.stamps.W-cy
				q := float64(v) * hat(j-2, float64(dx), float64(dy), p.psf[b])
				sum += q
				host[(dy+gh)%gh*gw+(dx+gw)%gw] += float32(q)
			}
			if err := f.forward(spec, host, 1); err != nil {
				return err
			}
			t := make([]complex128, len(p.modes))
			for i, m := range p.modes {
				t[i] = complex(float64(spec[2*m]), float64(spec[2*m+1])) - complex(sum, 0)*p.transfer[b][i]
			}
			p.basis[b][j] = t
		}
	}
	return nil
}

// hat is h_j at (x, y); beyond the last knot the last ring stays 1.
func hat(j int, x, y, fwhm float64) float64 {
	r := math.Hypot(x, y) / fwhm
	if j >= nRings {
		if r == 0 {
			return 0
		}
		a := 2 * math.Atan2(y, x)
		if j == nRings {
			return math.Min(r*r, 1) * math.Cos(a)
		}
		return math.Min(r*r, 1) * math.Sin(a)
	}
	k := ringKnots[j]
	switch {
	case r <= k && j == 0:
		return 1
	case r <= k:
		return math.Max(0, 1-(k-r)/(k-ringKnots[j-1]))
	case j == nRings-1:
		return 1
	}
	return math.Max(0, 1-(r-k)/(ringKnots[j+1]-k))
}

// seePSF makes the transfer of band b as its seeing parameters say, and phase, the
// shift alone.
func (g *group) seePSF(b int) {
	p, t, ph := g.p, g.transfer[b], g.phase[b]
	c := &g.seeing[b]
	if *c == ([nSeeing]float64{}) {
		copy(t, p.transfer[b])
		for i := range ph {
			ph[i] = 1
		}
		return
	}
	copy(t, p.transfer[b])
	for j := 2; j < nSeeing; j++ {
		if a := c[j]; a != 0 {
			for i, v := range p.basis[b][j] {
				t[i] += complex(a*real(v), a*imag(v))
			}
		}
	}
	for i, kx := range p.kx {
		sin, cos := math.Sincos(-kx*c[0] - p.ky[i]*c[1])
		ph[i] = complex(cos, sin)
		t[i] *= ph[i]
	}
}

// seeingDerivative is the model's spectrum's derivative by parameter j in mode i.
func (g *group) seeingDerivative(b, j, i int) complex128 {
	switch j {
	case 0:
		return g.bare[b][i] * g.transfer[b][i] * complex(0, -g.p.kx[i])
	case 1:
		return g.bare[b][i] * g.transfer[b][i] * complex(0, -g.p.ky[i])
	}
	return g.bare[b][i] * g.p.basis[b][j][i] * g.phase[b][i]
}

// seeingColumns fills planes of the scratch with the model's derivatives by the
// seeing parameters of band b.
func (g *group) seeingColumns(w *scratch, b int) error {
	for j := range nSeeing {
		s := w.plane(g.p, j)
		for i, m := range g.p.modes {
			put(s, m, g.seeingDerivative(b, j, i))
		}
	}
	return w.f.inverse(w.planes, w.spec, nSeeing)
}
