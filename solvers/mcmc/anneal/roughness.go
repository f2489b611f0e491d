package anneal

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
)

// roughness is how rough the denoised scene is about each pixel, ρ = mean (D − B D)² over mean D², means over roughWidth. Of a galaxy that
// looks smooth nearly all that is unknown is coarse, and of one that looks rough it is what the derivative says: the
// spectrum of a denoiser's errors depends on ρ more than on anything else that was looked at (docs/adr/0032).
type roughness struct {
	wide  *engine.Tensor // (modes)
	rho   []float32      // (n, domain)
	finer []float32      // (n, domain) the factor on variances at fine scales, over that at coarse ones
}

const (
	roughWidth = 4.0  // px, σ of a Gaussian
	roughLeast = 1e-2 // of σ², added to mean D²
	fineFrom   = 0.2  // cycles per pixel: there, half of a mode's power is fine
)

func (k *core) newRoughness(err *error) *roughness {
	r := &roughness{
		wide: k.alloc(err, engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1}),
		rho:  make([]float32, k.x.Len()), finer: make([]float32, k.x.Len()),
	}
	if *err == nil {
		k.setGaussian(r.wide, roughWidth)
	}
	for i := range r.finer {
		r.finer[i] = 1
	}
	return r
}

// fine is the share of every mode that is fine, k⁴/(k⁴ + fineFrom⁴).
func (r *rings) fine() []float64 {
	out := make([]float64, len(r.log))
	for i, l := range r.log {
		q := math.Pow(math.Exp(l)/fineFrom, 4)
		out[i] = q / (1 + q)
	}
	return out
}

// measure finds ρ of denoised scenes m, (n, domain); u holds them blurred, and work, of as many pixels, is written over.
func (r *roughness) measure(k *core, work []float32, m *engine.Tensor) error {
	s := k.s
	s.Sub(k.t, m, k.u)
	s.Mul(k.t, k.t, k.t)
	k.filter(k.t, k.t, r.wide)
	s.Download(r.rho, k.t)
	s.Mul(k.t, m, m)
	k.filter(k.t, k.t, r.wide)
	s.Download(work, k.t)
	for i, v := range work {
		r.rho[i] = float32(math.Max(0, float64(r.rho[i])) / (math.Max(0, float64(v)) + roughLeast*k.sigma*k.sigma))
	}
	return s.Err()
}

// errorRough are the values of ρ that errors are told apart by.
var errorRough = []float64{1e-4, 3e-4, 1e-3, 3e-3, .01, .03, .1, .3}

// scalesLeast are the pixels that an entry of errorScales is judged by.
const scalesLeast = 300

// errorScales gathers the variance of errors, and of draws of what is believed of them, in faint and in bright light, by ρ, at coarse and
// at fine scales.
type errorScales struct {
	rough           *roughness
	filters         [2]*engine.Tensor // coarse, fine
	count           [kinds - 1][]float64
	found, believed [2][kinds - 1][]float64
}

func (k *Bridge) newErrorScales() (*errorScales, error) {
	e := &errorScales{rough: k.local.patches.rough}
	var err error
	for scale := range e.filters {
		e.filters[scale] = k.alloc(&err, engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1})
	}
	if err != nil {
		return nil, fmt.Errorf("anneal: %w", err)
	}
	host := make([]float32, e.filters[0].Len())
	share := k.rings.fine()
	for scale, f := range e.filters {
		for i := range host {
			v := share[i%len(share)]
			if scale == 0 {
				v = 1 - v
			}
			host[i] = float32(math.Sqrt(v))
		}
		k.s.Upload(f, host)
	}
	for light := range e.count {
		e.count[light] = make([]float64, len(errorRough))
		for scale := range e.filters {
			e.found[scale][light], e.believed[scale][light] = make([]float64, len(errorRough)), make([]float64, len(errorRough))
		}
	}
	return e, k.s.Err()
}

// countScales compares the errors on a scene with draws.
func (k *Bridge) countScales(ctx context.Context, to *errorScales, scene []float32, margin int, sigma float64, key engine.Key) error {
	all, draws, err := k.errorsAndDraws(ctx, scene, sigma, key)
	if err != nil {
		return err
	}
	p := k.local.patches
	if err := p.blur(k.core, k.local, k.m); err != nil {
		return err
	}
	if err := to.rough.measure(k.core, p.chi2, k.m); err != nil {
		return err
	}
	n, errors, filtered := k.dom.Len(), make([]float32, len(all)), make([]float32, len(all))
	for i, v := range all {
		errors[i] = scene[i%n] - v
	}
	gather := func(sum *[kinds - 1][]float64, values []float32, filter *engine.Tensor, count bool) {
		k.s.Upload(k.t, values)
		k.filter(k.t, k.t, filter)
		k.s.Download(filtered, k.t)
		for i, v := range filtered {
			if !k.inside(i%n, margin) {
				continue
			}
			b := roughOf(float64(to.rough.rho[i]))
			ws := classWeights(float64(all[i]) / sigma)
			for light, w := range ws[1:] {
				sum[light][b] += w * float64(v) * float64(v) / (sigma * sigma)
				if count {
					to.count[light][b] += w
				}
			}
		}
	}
	for scale, f := range to.filters {
		gather(&to.found[scale], errors, f, scale == 0)
		gather(&to.believed[scale], draws, f, false)
	}
	return k.s.Err()
}

// roughOf is the entry of errorRough that is nearest, in logarithms.
func roughOf(rho float64) int {
	best, least := 0, math.Inf(1)
	for i, r := range errorRough {
		if d := math.Abs(math.Log(math.Max(rho, 1e-30) / r)); d < least {
			best, least = i, d
		}
	}
	return best
}

// fill writes what was found over what was believed; an entry of few pixels has what the nearest other has.
func (e *errorScales) fill(t *priors.Errors) {
	t.Rough = errorRough
	for light, count := range e.count {
		for scale, out := range [2]*[]float64{&t.Coarse[light], &t.Fine[light]} {
			found, believed := e.found[scale][light], e.believed[scale][light]
			for i := range errorRough {
				ratio := 1.0
				if at := nearest(i, len(errorRough), func(b int) bool { return count[b] >= scalesLeast && found[b] > 0 && believed[b] > 0 }); at >= 0 {
					ratio = found[at] / believed[at]
				}
				*out = append(*out, ratio)
			}
		}
	}
}
