package deconv

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// Share tells what of a mean or estimate comes from the prior, or the method, rather than
// from the data. Of a mode k the data show
//
//	w(k) = ν |A|² S/(ν |A|² S + 1),
//
// S being the scene's power and ν the inverse variance of the noise, over its power where it
// is correlated: the averaging kernel of
// a Wiener filter (Rodgers 2000, sec. 2.4). The data show F⁻¹[w x̄] of the scene x̄, and the
// rest is the prior's.
type Share struct {
	// Map is (C, H, W) on the image: of the power about a pixel, in a Gaussian window of the
	// PSF's FWHM, the part that is the rest's. 1: nothing there is shown by the data.
	Map solvers.Image
	// Finer is the same over all pixels whose light in the image is above finerFrom times the
	// noise; NaN: there are none.
	Finer float64
}

// finerFrom is in σ of a pixel of the data.
const finerFrom = 3

// PriorShare computes Share of a mean on the grid, shown at the resolution fwhm (0: none).
// About a pixel ν is the weight of the data that its light falls on, times the part of its
// light that falls on any: a masked hole is shown by nothing but the PSF's wings. It takes the
// whole image at once: of images in tiles there is none.
func (p *Problem) PriorShare(scene []float32, fwhm float64) (Share, error) {
	if p.tiling != nil {
		return Share{Finer: math.NaN()}, nil
	}
	seen, err := p.seen(scene, fwhm)
	if err != nil {
		return Share{}, err
	}
	all := append([]float32(nil), scene...)
	if fwhm > 0 {
		if err := p.Smooth(all, fwhm); err != nil {
			return Share{}, err
		}
	}
	model, err := p.model(scene)
	if err != nil {
		return Share{}, err
	}
	g := p.Grid
	if p.many != nil {
		model, _ = solvers.Coadd(p.Obs.Exposures, model.Pix, g.ImgH, g.ImgW)
	}
	shown, rest := make([]float32, len(seen)), make([]float32, len(seen))
	for i, v := range seen {
		d := all[i] - v
		shown[i], rest[i] = v*v, d*d
	}
	out := Share{Map: solvers.NewImage(g.C, g.ImgH, g.ImgW)}
	var brightShown, brightRest float64
	for c := range g.C {
		for i := range g.ImgH * g.ImgW {
			at, px := (c*g.H+i/g.ImgW+g.Row)*g.W+i%g.ImgW+g.Col, c*g.ImgH*g.ImgW+i
			if float64(model.Pix[px])*math.Sqrt(float64(p.Obs.Weights.Pix[px])) > finerFrom {
				brightShown, brightRest = brightShown+float64(shown[at]), brightRest+float64(rest[at])
			}
		}
	}
	out.Finer = brightRest / (brightRest + brightShown)
	window := 0.0
	for c := range g.C {
		window = math.Max(window, observe.FWHM(p.Obs.PSF.Plane(c), p.Obs.PSF.H, p.Obs.PSF.W))
	}
	for _, power := range [][]float32{shown, rest} {
		average(power, g.H, g.W, window)
	}
	for c := range g.C {
		for i := range g.ImgH * g.ImgW {
			at, px := (c*g.H+i/g.ImgW+g.Row)*g.W+i%g.ImgW+g.Col, c*g.ImgH*g.ImgW+i
			a, b := float64(rest[at]), float64(shown[at])
			out.Map.Pix[px] = 1
			if a+b > 0 {
				out.Map.Pix[px] = float32(a / (a + b))
			}
		}
	}
	return out, nil
}

// ShareMemory is what PriorShare takes on the device, in bytes.
func ShareMemory(g operator.Grid) int64 {
	return SmoothMemory(g) + 4*5*int64(g.C)*int64(g.H)*int64(g.W)
}

// Levels of ν at which the scene is filtered; between them filtered scenes are interpolated
// in ln ν.
const (
	shareStep   = 3.0 // from a level to the next
	shareLevels = 9   // down to 1.5e-4 of the highest ν
)

// average smooths planes of h × w pixels, in place, with a Gaussian of FWHM fwhm pixels that
// ends at 3 σ. Sums of what is positive stay positive, which those by Fourier do not.
func average(planes []float32, h, w int, fwhm float64) {
	sigma := fwhm / (2 * math.Sqrt(2*math.Ln2))
	kernel := []float32{1}
	for r := 1; float64(r) <= 3*sigma; r++ {
		kernel = append(kernel, float32(math.Exp(-float64(r*r)/(2*sigma*sigma))))
	}
	line := make([]float32, max(h, w))
	along := func(start, step, n int) {
		for i := range n {
			line[i] = planes[start+i*step]
		}
		for i := range n {
			sum := line[i]
			for r := 1; r < len(kernel); r++ {
				if i >= r {
					sum += kernel[r] * line[i-r]
				}
				if i+r < n {
					sum += kernel[r] * line[i+r]
				}
			}
			planes[start+i*step] = sum
		}
	}
	for at := 0; at < len(planes); at += h * w {
		for y := range h {
			along(at+y*w, 1, w)
		}
		for x := range w {
			along(at+x, w, h)
		}
	}
}

// seen is F⁻¹[w x̄] on the grid.
func (p *Problem) seen(scene []float32, fwhm float64) ([]float32, error) {
	g, s := p.Grid, p.stream
	nu, top, err := p.dataWeight()
	if err != nil {
		return nil, err
	}
	d := g.Domain()
	var x, spec, cut, filter *engine.Tensor
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&x, d}, {&spec, d.Spectrum()}, {&cut, d.Spectrum()}, {&filter, engine.Shape{d[0], d[1], d[2]/2 + 1}}} {
		if *a.t, err = p.dev.Alloc(a.shape); err != nil {
			return nil, fmt.Errorf("deconv: share of the prior: %w", err)
		}
		defer (*a.t).Free()
	}
	spectra, err := p.scenePower()
	if err != nil {
		return nil, err
	}
	gain := p.Op.Power(s)
	for c, r := range p.Obs.Colour {
		for i, n := range r.Power(g.H, g.W) {
			gain[c*len(gain)/g.C+i] /= n
		}
	}
	if fwhm > 0 {
		t := gaussianTransfer(g, fwhm)
		s.Upload(filter, t)
	}
	s.Upload(x, scene)
	s.RFFT2(spec, x)
	if fwhm > 0 {
		s.CScale(spec, spec, filter)
	}
	out, at := make([]float32, len(scene)), make([]float32, len(scene))
	host := make([]float32, len(gain))
	var used [shareLevels + 1]bool
	for i, v := range nu { // from here on the level
		nu[i] = level(float64(v) / top[i/(g.H*g.W)])
		at := min(int(nu[i]), shareLevels-1)
		used[at], used[at+1] = true, used[at+1] || nu[i] > float32(at)
	}
	for l := range shareLevels {
		if !used[l] {
			continue
		}
		low := math.Pow(shareStep, -float64(l))
		modes := len(gain) / g.C
		for i, h2 := range gain {
			snr := low * top[i/modes] * h2 * spectra[i]
			host[i] = float32(snr / (snr + 1))
		}
		s.Upload(filter, host)
		s.CScale(cut, spec, filter)
		s.IRFFT2(x, cut)
		s.Download(at, x)
		if err := s.Err(); err != nil {
			return nil, err
		}
		for i, v := range at {
			out[i] += v * hat(nu[i], l)
		}
	}
	return out, s.Err()
}

// shareSide is what of an image is enough to see its power spectrum, in pixels.
const shareSide = 512

// middleOf is the middle of an observation, of at most side² pixels, without its sky.
func middleOf(o *solvers.Observation, side int) *solvers.Observation {
	d := o.Data
	if d.H <= side && d.W <= side {
		return o
	}
	h, w := min(d.H, side), min(d.W, side)
	y, x := (d.H-h)/2, (d.W-w)/2
	out := *o
	out.Data, out.Weights, out.Sky = d.Crop(x, x+w, y, y+h), o.Weights.Crop(x, x+w, y, y+h), nil
	for c := range d.C {
		if out.ValidPixels(c) < h*w/4 {
			return o
		}
	}
	return &out
}

// level is where a relative ν lies between the levels: 0 is the highest, 1 the next. Without
// data it is far beyond the last.
func level(nu float64) float32 {
	const none = 200
	if !(nu > 0) {
		return none
	}
	return float32(math.Min(none, -math.Log(math.Min(nu, 1))/math.Log(shareStep)))
}

// hat is what level l counts for at a place between levels: 1 at its own, falling to 0 at its
// neighbours; beyond the last it falls with ν.
func hat(at float32, l int) float32 {
	if last := float32(shareLevels - 1); l == shareLevels-1 && at > last {
		return float32(math.Pow(shareStep, float64(last-at)))
	}
	return max(0, 1-max(at-float32(l), float32(l)-at))
}

// dataWeight is ν over the grid, and the highest per band.
func (p *Problem) dataWeight() (nu []float32, top []float64, err error) {
	g, s := p.Grid, p.stream
	y, err := p.dev.Alloc(p.Op.Range())
	if err != nil {
		return nil, nil, fmt.Errorf("deconv: share of the prior: %w", err)
	}
	defer y.Free()
	x, err := p.dev.Alloc(g.Domain())
	if err != nil {
		return nil, nil, fmt.Errorf("deconv: share of the prior: %w", err)
	}
	defer x.Free()
	weights, times := p.kernelWeights().Pix, 1.0 // that a pixel of the scene is seen
	if p.white != nil {
		weights = p.Obs.Weights.Pix
	}
	if p.many != nil {
		times = float64(len(p.Obs.Exposures))
	}
	valid := make([]float32, len(weights))
	for i, w := range weights {
		if w > 0 {
			valid[i] = 1
		}
	}
	nu = make([]float32, x.Len())
	covered := make([]float32, x.Len())
	s.Upload(y, weights)
	p.Op.Adjoint(s, x, y)
	s.Download(nu, x)
	s.Upload(y, valid)
	p.Op.Adjoint(s, x, y)
	s.Download(covered, x)
	top = make([]float64, g.C)
	for i, c := range covered {
		nu[i] = max(0, nu[i]) / float32(times) * min(max(0, c/float32(times)), 1)
		band := i / (g.H * g.W)
		top[band] = math.Max(top[band], float64(nu[i]))
	}
	return nu, top, s.Err()
}

// scenePower is S on the modes of the grid: that of the Gaussian prior, or where the method
// has none, fitted to the data.
//
// Where the method has no spectrum, one is fitted to the middle of the image.
func (p *Problem) scenePower() ([]float64, error) {
	var out []float64
	for c := range p.Obs.Data.C {
		var sp Spectrum
		if c < len(p.Spectra) {
			sp = p.Spectra[c]
		} else {
			var err error
			if sp, err = p.fitSpectrum(middleOf(p.Obs, shareSide), c); err != nil {
				return nil, err
			}
		}
		out = append(out, sp.OnGrid(p.Grid.H, p.Grid.W)...)
	}
	return out, nil
}
