package deblend

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/deblend/internal/skymap"
)

// Galaxies are no profiles: what a source departs from its own by is an error of the
// model, which must be in the error bars. It is taken for a Gaussian field under an
// envelope like the source's light, the same in all bands up to their fluxes: smooth
// bumps on a lattice about the source, as wide as the PSF or a part of the source,
//
//	e_kb = a_kb (P_b ∗ S_k) Σ_j c_kj φ_j,  c_kj ~ N(0, f_k²),
//
// S_k the profile. To first order the fit answers a bump of images u with changes
// H⁻¹JᵀWu of its parameters, H its curvature, while the source has the bump's light
// more: the difference is the error of the fluxes, the neighbours' as well, along a
// vector per bump. The f_k are what the residual of the fit makes most likely, with a
// prior that was chosen on the project's own simulator (docs/deblend.md): part of what a
// galaxy departs by has been fitted away, by it or by its neighbours.
const (
	bumpPart    = 0.5  // width of a bump over the half-light radius
	bumpCut     = 2.5  // where a bump ends, in its widths
	bumpSpacing = 2.0  // of the lattice, in widths
	bumpLeast   = 0.05 // information on c below which a bump is left out, its prior's being 1
	bumpsMost   = 100  // of one source
	misfitMost  = 0.6
	misfitTurns = 8
)

// Prior of f_k: as if the residual had shown f₀ in misfitWeight bumps.
const (
	misfitPrior, misfitStar = 0.15, 0.03
	misfitWeight            = 12.0
)

// bump is one of them: √w times its image over a box, (B, h, w), and its light in the
// image per band.
type bump struct {
	k              int // the component that owns its source
	x0, x1, y0, y1 int
	v              []float32
	light          []float64
}

func (u *bump) row(b, y int) []float32 {
	w, h := u.x1-u.x0, u.y1-u.y0
	at := (b*h + y - u.y0) * w
	return u.v[at : at+w]
}

// misfits are the errors of the fluxes that the model causes: Σ_j z_j flux_j with
// z_j ~ N(0, 1).
type misfits struct {
	rough []float64   // f_k per component; 0 for twins
	flux  [][]float64 // per bump: (K, B)
}

// allowMisfit makes the bumps at the profiles' mode and propagates them. h is the
// curvature there, whose columns are up to date.
func (g *group) allowMisfit(h []float64) error {
	p, n := g.p, len(g.free)
	g.misfit = &misfits{rough: make([]float64, len(g.src))}
	if p.opt.ModelError == 0 {
		return nil
	}
	light, err := g.lights()
	if err != nil {
		return err
	}
	owners := g.owners()
	parts := make([][]bump, len(owners))
	if err := g.parallel(len(owners), func(_ *scratch, o int) error {
		parts[o] = g.bumpsOf(owners[o], light[o])
		return nil
	}); err != nil {
		return err
	}
	bumps := slices.Concat(parts...)
	v := make([][]float64, len(bumps)) // JᵀWu
	for j := range v {
		v[j] = make([]float64, n)
	}
	if err := g.parallel(len(bumps), func(_ *scratch, j int) error {
		g.bumpColumns(&bumps[j], v[j])
		return nil
	}); err != nil {
		return err
	}
	if err := g.bumpCommon(bumps, v); err != nil {
		return err
	}
	l := append([]float64(nil), h...)
	dense.Cholesky(l, n)
	if err := g.parallel(len(bumps), func(_ *scratch, j int) error {
		dense.ForwardSolve(l, v[j], n)
		return nil
	}); err != nil {
		return err
	}
	g.size(bumps, v)
	for j, u := range bumps {
		dense.BackSolve(l, v[j], n)
		e, f := make([]float64, len(g.flux)), g.misfit.rough[u.k]
		for k := range g.src {
			for b, s := range g.slot.flux[k] {
				if s >= 0 {
					e[k*p.b+b] = -f * v[j][s]
				}
			}
		}
		for b, s := range u.light {
			e[u.k*p.b+b] += f * s
		}
		g.misfit.flux = append(g.misfit.flux, e)
	}
	return nil
}

// misfitMemory is an upper bound of what allowMisfit holds of n sources with k components. A
// bump reaches over bumpCut widths to both sides, at bumpSpacing from the next: every pixel is
// in (2 bumpCut/bumpSpacing)² of them; four vectors for each go with it.
func (p *problem) misfitMemory(n, k int64) int64 {
	if p.opt.ModelError == 0 {
		return 0
	}
	const over = 2*bumpCut/bumpSpacing + 1
	images := 4 * int64(p.b) * int64(p.h) * int64(p.w) * n
	parameters := k*int64(nShape+p.b) + int64(p.b)*(1+nSeeing)
	return images + int64(over*over*float64(images)) + 8*4*n*bumpsMost*parameters + 8*3*bumpsMost*bumpsMost*int64(max(p.opt.threads, 1))
}

// covariance is that of the fluxes of components k and l in band b: the noise's, from
// the curvature, and the model's.
func (g *group) covariance(k, l, b int) float64 {
	i, j := g.slot.flux[k][b], g.slot.flux[l][b]
	if i < 0 || j < 0 {
		return 0
	}
	s := g.cov[i*len(g.free)+j]
	for _, e := range g.misfit.flux {
		s += e[k*g.p.b+b] * e[l*g.p.b+b]
	}
	return s
}

// draw draws the fluxes' errors from the model's, (K, B).
func (m *misfits) draw(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for _, e := range m.flux {
		z := rng.NormFloat64()
		for i, v := range e {
			out[i] += z * v
		}
	}
	return out
}

// lights are the sources' images (B, H, W), in the order of owners.
func (g *group) lights() ([][]float32, error) {
	p, n := g.p, g.p.h*g.p.w
	owners := g.owners()
	out := make([][]float32, len(owners))
	err := g.parallel(len(owners), func(w *scratch, o int) error {
		out[o] = make([]float32, p.b*n)
		im := make([]float32, p.b*n)
		for _, k := range owners[o] {
			if err := g.unitImages(w, k, im); err != nil {
				return err
			}
			for b := range p.b {
				a := float32(g.flux[k*p.b+b])
				for i := b * n; i < (b+1)*n; i++ {
					out[o][i] += a * im[i]
				}
			}
		}
		return nil
	})
	return out, err
}

// bumpsOf lays the lattice about a source and keeps the bumps that the data could tell,
// with f = 1.
func (g *group) bumpsOf(parts []int, light []float32) []bump {
	p, k := g.p, parts[0]
	width := p.widest() / skymap.FWHMOverSigma
	if g.src[k].Kind != Star {
		var r float64
		for _, l := range parts {
			r = max(r, math.Exp(g.theta[l][iLnR]))
		}
		width = max(width, bumpPart*r)
	}
	width = max(width, 0.5)
	cx, cy, step := g.theta[k][iX], g.theta[k][iY], bumpSpacing*width
	type kept struct {
		b    bump
		info float64
	}
	var all []kept
	for j := -int(cy/step) - 1; cy+float64(j)*step < float64(p.h)+step; j++ {
		for i := -int(cx/step) - 1; cx+float64(i)*step < float64(p.w)+step; i++ {
			u, info := p.newBump(k, cx+float64(i)*step, cy+float64(j)*step, width, light)
			if info > bumpLeast {
				all = append(all, kept{u, info})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b kept) int { return cmp.Compare(b.info, a.info) })
	out := make([]bump, 0, len(all))
	for _, u := range all[:min(len(all), bumpsMost)] {
		out = append(out, u.b)
	}
	return out
}

// newBump gives the bump at (x, y), and its Σ w e².
func (p *problem) newBump(k int, x, y, width float64, light []float32) (u bump, info float64) {
	reach := bumpCut * width
	u = bump{k: k, light: make([]float64, p.b)}
	u.x0, u.x1 = max(int(math.Ceil(x-reach)), 0), min(int(math.Floor(x+reach))+1, p.w)
	u.y0, u.y1 = max(int(math.Ceil(y-reach)), 0), min(int(math.Floor(y+reach))+1, p.h)
	if u.x0 >= u.x1 || u.y0 >= u.y1 {
		return u, 0
	}
	u.v = make([]float32, p.b*(u.x1-u.x0)*(u.y1-u.y0))
	px := make([]float32, u.x1-u.x0)
	for i := range px {
		d := (float64(u.x0+i) - x) / width
		px[i] = float32(math.Exp(-0.5 * d * d))
	}
	for b := range p.b {
		var sum float64
		for yy := u.y0; yy < u.y1; yy++ {
			d := (float64(yy) - y) / width
			py := float32(math.Exp(-0.5 * d * d))
			at := (b*p.h+yy)*p.w + u.x0
			row, root := u.row(b, yy), p.root[at:]
			for i, m := range light[at : at+len(px)] {
				e := m * px[i] * py
				sum += float64(e)
				e *= root[i]
				row[i] = e
				info += float64(e * e)
			}
		}
		u.light[b] = sum
	}
	return u, info
}

// dot is the product of two bumps under the weights.
func (u *bump) dot(o *bump, bands int) float64 {
	x0, x1, y0, y1 := max(u.x0, o.x0), min(u.x1, o.x1), max(u.y0, o.y0), min(u.y1, o.y1)
	if x0 >= x1 {
		return 0
	}
	var s float64
	for b := range bands {
		for y := y0; y < y1; y++ {
			s += float64(dot32(u.row(b, y)[x0-u.x0:x1-u.x0], o.row(b, y)[x0-o.x0:x1-o.x0]))
		}
	}
	return s
}

// with is the product with √w times an image's band.
func (u *bump) with(b int, image []float32, width int) float64 {
	var s float64
	for y := u.y0; y < u.y1; y++ {
		s += float64(dot32(u.row(b, y), image[y*width+u.x0:y*width+u.x1]))
	}
	return s
}

// bumpColumns adds JᵀWu of the components' shapes and fluxes to v.
func (g *group) bumpColumns(u *bump, v []float64) {
	for k := range g.src {
		c := &g.cols[k]
		x0, x1, y0, y1 := max(u.x0, c.x0), min(u.x1, c.x1), max(u.y0, c.y0), min(u.y1, c.y1)
		if x0 >= x1 {
			continue
		}
		for b := range g.p.b {
			if !g.p.live[b] {
				continue
			}
			for i := range c.n {
				var s float64
				for y := y0; y < y1; y++ {
					s += float64(dot32(u.row(b, y)[x0-u.x0:x1-u.x0], c.row(b, i, y)[x0-c.x0:x1-c.x0]))
				}
				v[g.at(k, b, i)] += s
			}
		}
	}
}

// bumpCommon fills v for the sky and the PSF's parameters.
func (g *group) bumpCommon(bumps []bump, v [][]float64) error {
	return g.parallel(g.p.b, func(w *scratch, b int) error {
		if !g.p.live[b] {
			return nil
		}
		at, whole, err := g.common(w, b)
		if err != nil {
			return err
		}
		for i, a := range at {
			for j := range bumps {
				v[j][a] = bumps[j].with(b, whole[i], g.p.w)
			}
		}
		return nil
	})
}

// size estimates the f_k by expectation and maximisation, source by source: given f_k,
// the c are Gaussian of precision G + f⁻², G = UᵀWU − vᵀv with the profiles'
// parameters integrated out (v = L⁻¹JᵀWU, H = LLᵀ), and
//
//	f² ← (Σ_j E c_j² + a f₀²)/(J + a).
func (g *group) size(bumps []bump, v [][]float64) {
	p := g.p
	n := p.h * p.w
	res := make([]float32, p.b*n)
	for i := range res {
		res[i] = p.root[i] * (p.data[i] - g.model[i])
	}
	for first := 0; first < len(bumps); {
		last := first + 1
		for last < len(bumps) && bumps[last].k == bumps[first].k {
			last++
		}
		m := last - first
		own, t := make([]float64, m*m), make([]float64, m)
		for i := range m {
			u := &bumps[first+i]
			for b := range p.b {
				t[i] += u.with(b, res[b*n:(b+1)*n], p.w)
			}
			for j := range i + 1 {
				own[i*m+j] = u.dot(&bumps[first+j], p.b)
				for q, w := range v[first+i] {
					own[i*m+j] -= w * v[first+j][q]
				}
			}
		}
		k := bumps[first].k
		g.misfit.rough[k] = turns(own, t, g.src[k].Kind)
		first = last
	}
}

// turns iterates for one f.
func turns(own, t []float64, kind Kind) float64 {
	j := len(t)
	prior := misfitPrior
	if kind == Star {
		prior = misfitStar
	}
	f := prior
	for range misfitTurns {
		k := make([]float64, j*j)
		mean := make([]float64, j)
		for a := range j {
			for b := range a + 1 {
				k[a*j+b] = f * f * own[a*j+b]
			}
			k[a*j+a]++
			mean[a] = f * t[a]
		}
		dense.Cholesky(k, j)
		dense.ForwardSolve(k, mean, j)
		dense.BackSolve(k, mean, j)
		inv := dense.InverseOf(k, j)
		var s float64
		for a := range j {
			s += mean[a]*mean[a] + inv[a*j+a]
		}
		f = math.Sqrt((f*f*s + misfitWeight*prior*prior) / (float64(j) + misfitWeight))
	}
	return math.Min(f, misfitMost)
}
