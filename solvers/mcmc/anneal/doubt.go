package anneal

import (
	"math"

	"limpid/engine"
)

// doubt is how sure each draw is of its errors in light. On one galaxy a denoiser is several times as wrong as on another of the same
// brightness, in all its pixels together, and nothing that it sees tells which; λ of single pixels average out over a source. So a
// walk has a factor on its variances in light, e^{doubtSpread n} with n ~ N(0, 1) alike over a source, and keeps it at all its
// levels (docs/adr/0030). Galaxies differ most in what is finer than the PSF: one is as smooth as a disk, another has a cusp. The
// variance at fine scales has a second such factor (docs/adr/0031 to 0033).
type doubt struct {
	wide, wider *engine.Tensor // (modes) filters of the fields of light and of fine
	scale       []float64      // (modes) of a plane, the share of a mode that is fine
	light, fine []float32      // (n, domain); 1 until a walk begins
}

const (
	doubtSpread = 0.95 // of ln of the factor on light
	doubtWidth  = 8.0  // px, σ of the Gaussian that it is alike over
	fineSpread  = 0.6  // of ln of the factor on what is fine
	fineWidth   = 24.0 // px
	doubtKey    = 77   // of the key of a walk's first step
)

// newDoubt is none, until a walk begins.
func (k *core) newDoubt(err *error) *doubt {
	d := &doubt{
		wide: k.newUnitFilter(doubtWidth, err), wider: k.newUnitFilter(fineWidth, err), scale: k.rings.fine(),
		light: make([]float32, k.x.Len()), fine: make([]float32, k.x.Len()),
	}
	for i := range d.light {
		d.light[i], d.fine[i] = 1, 1
	}
	return d
}

// draw begins a walk.
func (d *doubt) draw(k *core, key engine.Key) {
	field := func(dst []float32, filter *engine.Tensor, key engine.Key, spread float64) {
		k.normals(k.t, k.n, key)
		k.filter(k.t, k.t, filter)
		k.s.Download(dst, k.t)
		for i, n := range dst {
			dst[i] = float32(math.Exp(spread * float64(n)))
		}
	}
	field(d.light, d.wide, key, doubtSpread)
	field(d.fine, d.wider, key.Fold(1), fineSpread)
}

// split takes what is fine in faint and in bright light out of these classes into one of its own, and gives it its
// factor. Every pixel has of it what its brightness had; its spectrum is the mean over all light.
func (d *doubt) split(k *core, p *patches) {
	bands, dom, plane, modes := k.dom[0], k.dom.Len(), k.dom[1]*k.dom[2], len(k.rings.log)
	for band := range bands {
		root := func(c int) []float32 { return p.modes[(c*bands+band)*modes:][:modes] }
		window := func(c, i int) []float32 { return p.host[(c*k.n+i)*dom+band*plane:][:plane] }
		power, spectrum := make([]float64, modes), root(fineClass)
		var share [kinds]float64
		for c := 1; c < kinds; c++ {
			var variance, coarse, total float64
			for i := range k.n {
				for _, w := range window(c, i) {
					variance += float64(w) * float64(w)
				}
			}
			of := root(c)
			for j, r := range of {
				f, w := float64(r)*float64(r), k.rings.weight[j]
				power[j] += variance * f * d.scale[j]
				coarse, total = coarse+w*f*(1-d.scale[j]), total+w*f
			}
			share[c] = 1 - coarse/total
			norm := math.Sqrt(total / coarse)
			for j := range of {
				of[j] *= float32(norm * math.Sqrt(1-d.scale[j]))
			}
		}
		var sum, total float64
		for j, f := range power {
			sum, total = sum+k.rings.weight[j]*f, total+k.rings.weight[j]
		}
		for j, f := range power {
			spectrum[j] = float32(math.Sqrt(f * total / math.Max(sum, 1e-30)))
		}
		p.scenes(k, func(i int) {
			at := i*dom + band*plane
			factors, rough, to := d.fine[at:][:plane], p.rough.finer[at:][:plane], window(fineClass, i)
			for c := 1; c < kinds; c++ {
				left := float32(math.Sqrt(1 - share[c]))
				of := window(c, i)
				for j, w := range of {
					to[j] += w * w * float32(share[c])
					of[j] = w * left
				}
			}
			for j, v := range to {
				to[j] = float32(math.Sqrt(float64(v * factors[j] * rough[j])))
			}
		})
	}
	k.s.Upload(p.cover.window, p.host)
}
