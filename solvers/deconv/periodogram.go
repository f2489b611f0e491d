package deconv

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// periodogram is the power of one band's windowed image, and what is needed to
// compute its expectation under a spectrum.
type periodogram struct {
	dev       engine.Device
	s         engine.Stream
	h, w      int
	noise     float64
	colour    []float64 // (h, w/2+1) power of the noise over noise; nil: 1
	power     []float64 // (h, w/2+1) |FFT(u y)|² / Σu²
	transfer2 []float64 // (h, w/2+1) |H|²
	leak      []float64 // (h, w/2+1) expectation beyond |H|² P + N

	logK   []float64 // (h, w/2+1)
	member []int32   // group of every mode, −1: none
	count  int       // of groups

	// on the doubled grid (2h, 2w)
	window2 []float32 // autocorrelation of the window over Σu²
	big2    []float64 // (2h, w+1) |H|²
	real    *engine.Tensor
	spec    *engine.Tensor
}

func newPeriodogram(dev engine.Device, o *solvers.Observation, c int) (*periodogram, error) {
	p := &periodogram{dev: dev, s: dev.NewStream(), h: o.Data.H, w: o.Data.W}
	u, image, norm, err := p.windowed(o, c)
	if err != nil {
		return nil, err
	}
	hat, err := p.transform(image, p.h, p.w)
	if err != nil {
		return nil, err
	}
	p.power = abs2(hat, 1/norm)
	psf := solvers.Image{C: 1, H: o.PSF.H, W: o.PSF.W, Pix: o.PSF.Plane(c)}
	if p.transfer2, err = p.psfPower(psf, p.h, p.w); err != nil {
		return nil, err
	}
	p.leak = make([]float64, len(p.power))
	if o.Colour != nil {
		p.colour = o.Colour[c].Power(p.h, p.w)
	}
	if p.big2, err = p.psfPower(psf, 2*p.h, 2*p.w); err != nil {
		return nil, err
	}
	big := make([]float32, 4*p.h*p.w)
	for y := range p.h {
		copy(big[y*2*p.w:], u[y*p.w:(y+1)*p.w])
	}
	if hat, err = p.transform(big, 2*p.h, 2*p.w); err != nil {
		return nil, err
	}
	if p.window2, err = p.inverse(abs2(hat, 1/norm)); err != nil {
		return nil, err
	}
	return p, nil
}

// meanPeriodogram is the periodogram of band c, of a large image the mean over parts of it.
func meanPeriodogram(dev engine.Device, o *solvers.Observation, c int) (*periodogram, error) {
	h, w := min(o.Data.H, leakMaxSide), min(o.Data.W, leakMaxSide)
	if h == o.Data.H && w == o.Data.W {
		return newPeriodogram(dev, o, c)
	}
	var all *periodogram
	var err error
	n := 0.0
	for _, y := range parts(o.Data.H, h) {
		for _, x := range parts(o.Data.W, w) {
			whole := func(im solvers.Image) solvers.Image {
				return solvers.Image{C: 1, H: im.H, W: im.W, Pix: im.Plane(c)}
			}
			cut := solvers.Observation{
				Data: whole(o.Data).Crop(x, x+w, y, y+h), Weights: whole(o.Weights).Crop(x, x+w, y, y+h), PSF: whole(o.PSF),
			}
			if o.Colour != nil {
				cut.Colour = o.Colour[c : c+1]
			}
			if cut.ValidPixels(0) == 0 {
				continue
			}
			part, partErr := newPeriodogram(dev, &cut, 0)
			switch {
			case partErr != nil:
				err = partErr // of a part that is nearly all masked
			case all == nil:
				all, n = part, 1
			default:
				n++
				for i, v := range part.power {
					all.power[i] += (v - all.power[i]) / n
				}
				all.noise += (part.noise - all.noise) / n
			}
		}
	}
	if all == nil {
		return nil, err
	}
	return all, nil
}

// parts are where parts of a side begin, that lie evenly over n pixels.
func parts(n, side int) []int {
	count := min((n+side-1)/side, mostParts)
	if count == 1 {
		return []int{(n - side) / 2}
	}
	out := make([]int, count)
	for i := range out {
		out[i] = i * (n - side) / (count - 1)
	}
	return out
}

// windowed returns the window u, u·(data − mean) with masked pixels filled, and
// Σu²; it sets the noise power.
func (p *periodogram) windowed(o *solvers.Observation, c int) (u, image []float32, norm float64, err error) {
	h, w := p.h, p.w
	data, weights := o.Data.Plane(c), o.Weights.Plane(c)
	u, image = make([]float32, h*w), make([]float32, h*w)
	var level, sum, seen float64
	filled := fillMasked(data, weights, h, w)
	for i := range u {
		t := cosineEdge(i/w, h) * cosineEdge(i%w, w)
		u[i] = float32(t)
		norm += t * t
		level, sum = level+t*filled[i], sum+t
		if weights[i] > 0 {
			p.noise += t * t / float64(weights[i])
			seen += t * t
		}
	}
	if !(seen > 0) {
		return nil, nil, 0, fmt.Errorf("deconv: band %d: no unmasked pixel inside the window", c)
	}
	p.noise /= seen
	level /= sum // the mean's power would leak into the lowest modes
	for i := range u {
		image[i] = float32(float64(u[i]) * (filled[i] - level))
	}
	return u, image, norm, nil
}

// transform is the spectrum (h, w/2+1, 2) of a host image.
func (p *periodogram) transform(image []float32, h, w int) ([]float32, error) {
	real, err := p.dev.Alloc(engine.Shape{1, h, w})
	if err != nil {
		return nil, fmt.Errorf("deconv: power spectrum: %w", err)
	}
	defer real.Free()
	spec, err := p.dev.Alloc(real.Shape().Spectrum())
	if err != nil {
		return nil, fmt.Errorf("deconv: power spectrum: %w", err)
	}
	defer spec.Free()
	p.s.Upload(real, image)
	p.s.RFFT2(spec, real)
	out := make([]float32, spec.Len())
	p.s.Download(out, spec)
	return out, p.s.Err()
}

// inverse transforms real spectral values on the doubled grid.
func (p *periodogram) inverse(values []float64) ([]float32, error) {
	if p.real == nil {
		var err error
		if p.real, err = p.dev.Alloc(engine.Shape{1, 2 * p.h, 2 * p.w}); err != nil {
			return nil, fmt.Errorf("deconv: power spectrum: %w", err)
		}
		if p.spec, err = p.dev.Alloc(p.real.Shape().Spectrum()); err != nil {
			return nil, fmt.Errorf("deconv: power spectrum: %w", err)
		}
	}
	host := make([]float32, 2*len(values))
	for i, v := range values {
		host[2*i] = float32(v)
	}
	p.s.Upload(p.spec, host)
	p.s.IRFFT2(p.real, p.spec)
	out := make([]float32, p.real.Len())
	p.s.Download(out, p.real)
	return out, p.s.Err()
}

func (p *periodogram) psfPower(psf solvers.Image, h, w int) ([]float64, error) {
	t, err := operator.TransferFunction(p.dev, p.s, psf, operator.Grid{C: 1, H: h, W: w, ImgH: h, ImgW: w})
	if err != nil {
		return nil, err
	}
	defer t.Free()
	host := make([]float32, t.Len())
	p.s.Download(host, t)
	return abs2(host, 1), p.s.Err()
}

// leakStep damps the iteration between leak and fit, which overshoots where the
// leak is most of the power.
const leakStep = 0.6

// updateLeak computes the expectation of the periodogram of a stationary field:
// the transform of its covariance times the window's autocorrelation.
func (p *periodogram) updateLeak(sp gaussian.Spectrum) error {
	big := sp.OnGrid(2*p.h, 2*p.w)
	for i := range big {
		big[i] *= p.big2[i]
	}
	big[0] = 0 // the mean was subtracted
	cov, err := p.inverse(big)
	if err != nil {
		return err
	}
	for i := range cov {
		cov[i] *= p.window2[i]
	}
	hat, err := p.transform(cov, 2*p.h, 2*p.w)
	if err != nil {
		return err
	}
	power := sp.OnGrid(p.h, p.w)
	half, bigHalf := p.w/2+1, p.w+1
	for y := range p.h {
		for x := range half {
			i := y*half + x
			expected := float64(hat[2*(2*y*bigHalf+2*x)])
			p.leak[i] += leakStep * (math.Max(0, expected-p.transfer2[i]*power[i]) - p.leak[i])
		}
	}
	return nil
}

// makeGroups assigns every mode to a group: rings of |k|, each cut into sets of
// equal |H|². It runs once; groups then only averages.
func (p *periodogram) makeGroups() {
	half := p.w/2 + 1
	kMin := 1 / float64(max(p.h, p.w))
	scale := float64(radialGroups) / math.Log(0.71/kMin)
	rings := map[int][]int32{}
	p.logK, p.member = make([]float64, len(p.power)), make([]int32, len(p.power))
	for y := range p.h {
		ky := gaussian.Frequency(y, p.h)
		for x := range half {
			i := y*half + x
			p.member[i] = -1
			if k := math.Hypot(ky, float64(x)/float64(p.w)); k > 0 {
				p.logK[i] = math.Log(k)
				ring := int((p.logK[i] - math.Log(kMin)) * scale)
				rings[ring] = append(rings[ring], int32(i))
			}
		}
	}
	keys := make([]int, 0, len(rings))
	for r := range rings {
		keys = append(keys, r)
	}
	slices.Sort(keys)
	for _, r := range keys {
		ring := rings[r]
		slices.SortStableFunc(ring, func(a, b int32) int { return cmp.Compare(p.transfer2[a], p.transfer2[b]) })
		sets := min(transferSets, max(1, len(ring)/8))
		for s := range sets {
			for _, i := range ring[s*len(ring)/sets : (s+1)*len(ring)/sets] {
				p.member[i] = int32(p.count)
			}
			p.count++
		}
	}
}

// groups averages the modes of every group.
func (p *periodogram) groups() []group {
	if p.member == nil {
		p.makeGroups()
	}
	out := make([]group, p.count)
	half := p.w/2 + 1
	for i, m := range p.member {
		if m < 0 {
			continue
		}
		g, n := &out[m], gaussian.ModeWeight(i%half, p.w)/2
		g.n += n
		g.logK += n * p.logK[i]
		g.transfer2 += n * p.transfer2[i]
		g.power += n * p.power[i]
		noise := p.noise
		if p.colour != nil {
			noise *= p.colour[i]
		}
		g.noise += n * (noise + p.leak[i])
	}
	for i := range out {
		g := &out[i]
		g.logK, g.transfer2, g.power, g.noise = g.logK/g.n, g.transfer2/g.n, g.power/g.n, g.noise/g.n
	}
	return out
}

func (p *periodogram) close() {
	p.real.Free()
	p.spec.Free()
}

// abs2 is scale·|z|² of interleaved complex values.
func abs2(z []float32, scale float64) []float64 {
	out := make([]float64, len(z)/2)
	for i := range out {
		out[i] = scale * (float64(z[2*i])*float64(z[2*i]) + float64(z[2*i+1])*float64(z[2*i+1]))
	}
	return out
}
