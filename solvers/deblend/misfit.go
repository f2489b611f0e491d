package deblend

import (
	"math"
)

// Galaxies are no profiles: what a source departs from its own by is an error of the
// model, which must be in the error bars. Its size is seen in the residual of the fit:
// in each pixel the variance is taken as
//
//	1/w + Σ_k f_k² m_k²,
//
// m_k source k's light, and the f_k are those of greatest likelihood. Departures are
// correlated over the PSF, which a variance per pixel does not know, and part of them
// was fitted away: misfitGain makes up for both. It was chosen on simulated spirals,
// irregulars and mergers, so that the errors of their fluxes are right (docs/deblend.md).
const (
	misfitGain   = 8.0
	misfitRounds = 12
	misfitMost   = 1.0
)

// allowMisfit estimates the f_k at the profiles' mode, none below the option
// ModelError, and makes the weights of them that error bars and samples are for. The
// mode itself keeps the weights that it was found with: it is the best fit.
func (g *group) allowMisfit() error {
	p := g.p
	p.wide = p.eff
	if p.opt.ModelError == 0 {
		return nil
	}
	p.wide = append([]float32(nil), p.eff...)
	if err := g.render(false); err != nil {
		return err
	}
	light := make([][]float32, len(g.src))
	if err := g.parallel(len(g.src), func(w *scratch, k int) error {
		light[k] = make([]float32, p.b*p.h*p.w)
		if err := g.unitImages(w, k, light[k]); err != nil {
			return err
		}
		for i := range light[k] {
			light[k][i] *= float32(g.flux[k*p.b+i/(p.h*p.w)])
		}
		return nil
	}); err != nil {
		return err
	}
	f := g.misfits(light)
	g.rough = make([]float64, len(f))
	for k, v := range f {
		g.rough[k] = math.Min(math.Hypot(p.opt.ModelError, misfitGain*v), misfitMost)
	}
	for i, w := range p.weights {
		if w == 0 {
			continue
		}
		v := 1 / float64(w)
		for k := range light {
			e := g.rough[k] * float64(light[k][i])
			v += e * e
		}
		p.wide[i] = float32(1 / v)
	}
	g.fresh = false
	return nil
}

// weigh takes w as the effective weights, and gives those of before.
func (p *problem) weigh(w []float32) []float32 {
	old := p.eff
	p.eff = w
	for i, v := range w {
		p.root[i] = root32(v)
	}
	return old
}

// misfits are the f_k by the fixed point of the likelihood's derivatives,
//
//	f_k² ← f_k² Σ m_k² r²/v² / Σ m_k²/v.
func (g *group) misfits(light [][]float32) []float64 {
	p := g.p
	square := make([]float64, len(light))
	for k := range square {
		square[k] = 0.01
	}
	up, down := make([]float64, len(light)), make([]float64, len(light))
	for range misfitRounds {
		clear(up)
		clear(down)
		for i, w := range p.weights {
			if w == 0 {
				continue
			}
			v := 1 / float64(w)
			for k := range light {
				m := float64(light[k][i])
				v += square[k] * m * m
			}
			r := float64(p.data[i] - g.model[i])
			q := r * r / v
			for k := range light {
				m := float64(light[k][i])
				m *= m / v
				up[k] += m * q
				down[k] += m
			}
		}
		for k := range square {
			if down[k] > 0 {
				square[k] *= up[k] / down[k]
			}
		}
	}
	out := make([]float64, len(square))
	for k, s := range square {
		out[k] = math.Sqrt(s)
	}
	return out
}
