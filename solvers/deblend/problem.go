package deblend

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
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

func newProblem(dev engine.Device, obs *solvers.Observation, opt Options) (*problem, error) {
	d := obs.Data
	p := &problem{dev: dev, b: d.C, h: d.H, w: d.W, data: append([]float32(nil), d.Pix...), weights: obs.Weights.Pix, opt: opt, pixelScale: opt.PixelScale, stamps: obs.PSF}
	pad := max(obs.PSF.H, obs.PSF.W, 2*minPad)
	p.grid = operator.NewGrid(d.C, d.H, d.W, pad, pad)
	need := int64(p.grid.H) * int64(p.grid.W) * int64(d.C) * 4 * 6
	if need > dev.Info().Memory && dev.Info().Memory > 0 {
		return nil, fmt.Errorf("deblend: a group of %d×%d pixels: %w", d.W, d.H, &engine.MemoryError{Device: dev.Info().Name, Shape: p.grid.Domain(), Want: need, Left: dev.Info().Memory, Budget: dev.Info().Memory})
	}
	for c := range d.C {
		live := false
		for _, w := range obs.Weights.Plane(c) {
			live = live || w > 0
		}
		p.live = append(p.live, live)
		p.psf = append(p.psf, psfWidth(obs.PSF.Plane(c), obs.PSF.H, obs.PSF.W))
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

// psfWidth is the FWHM of the Gaussian with the PSF's noise-equivalent area:
// Σp² = 1/(4πσ²).
func psfWidth(p []float32, _, _ int) float64 {
	var s2 float64
	for _, v := range p {
		s2 += float64(v) * float64(v)
	}
	if s2 <= 0 {
		return 0
	}
	return fwhmOverSigma / math.Sqrt(4*math.Pi*s2)
}

const fwhmOverSigma = 2.3548200450309493

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
			least = min(least, f/fwhmOverSigma)
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
