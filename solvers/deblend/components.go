package deblend

import (
	"context"
	"math"
	"slices"

	"limpid/solvers"
	"limpid/solvers/deblend/internal/dense"
)

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

// added marks a component that nobody gave; it gets its index in the end.
const added = -1

// Sources are added in so many rounds, each from the residual of the last.
const completeRounds = 3

// complete adds sources where the residual shows some (S/N above unmodelledSNR,
// none known within .6 FWHM), and takes those out again that end fainter than
// that.
func (g *group) complete(ctx context.Context) error {
	if !g.p.opt.Complete {
		return nil
	}
	for range completeRounds {
		more := g.residualPeaks()
		if len(more) == 0 {
			return nil
		}
		for _, s := range more {
			g.add(added, s, -1)
		}
		g.arrange()
		if err := g.refit(); err != nil {
			return err
		}
		if err := g.gaussNewton(ctx); err != nil {
			return err
		}
		dropped, err := g.dropFaint()
		if err != nil {
			return err
		}
		if dropped > 0 {
			if err := g.gaussNewton(ctx); err != nil {
				return err
			}
		}
		if dropped == len(more) {
			return nil
		}
	}
	return nil
}

// residualPeaks are the places where the residual looks like a source.
func (g *group) residualPeaks() []Source {
	p := g.p
	res := &solvers.Observation{Data: solvers.NewImage(p.b, p.h, p.w), Weights: solvers.NewImage(p.b, p.h, p.w), PSF: p.stamps}
	model := solvers.Image{C: p.b, H: p.h, W: p.w, Pix: g.model}
	for i, w := range p.weights {
		if w > 0 {
			res.Data.Pix[i] = p.data[i] - g.model[i]
		}
		res.Weights.Pix[i] = w
	}
	var known []Source
	for k, s := range g.src {
		s.X, s.Y = g.theta[k][iX], g.theta[k][iY]
		known = append(known, s)
	}
	found := peaks(residualSNR(res, model), p.h, p.w, unmodelledSNR, width(res), known)
	return slices.DeleteFunc(found, func(s Source) bool {
		return g.foreign != nil && g.foreign(int(math.Round(s.X)), int(math.Round(s.Y)))
	})
}

// dropFaint removes added sources whose flux over error, all bands together, is
// below unmodelledSNR.
func (g *group) dropFaint() (int, error) {
	if err := g.render(true); err != nil {
		return 0, err
	}
	h, err := g.normal(seenRough)
	if err != nil {
		return 0, err
	}
	n := len(g.free)
	cov := dense.Inverse(h, n)
	var faint []int
	for k := range g.src {
		if g.index[k] == added && g.snr(cov, k) < unmodelledSNR {
			faint = append(faint, k)
		}
	}
	for i := len(faint) - 1; i >= 0; i-- {
		g.remove(faint[i])
	}
	return len(faint), nil
}

// snr is the flux of component k over its error, all bands together.
func (g *group) snr(cov []float64, k int) float64 {
	var s float64
	for b, i := range g.slot.flux[k] {
		if i >= 0 {
			f := g.flux[k*g.p.b+b]
			s += f * f / cov[i*len(g.free)+i]
		}
	}
	return math.Sqrt(s)
}

// split gives galaxies a second profile of the same centre, with fluxes of its
// own, where that lowers −log posterior by more than ½ n ln N (Schwarz 1978): n
// further parameters, N pixels that show the source.
func (g *group) split(ctx context.Context) error {
	if g.p.opt.Components < 2 {
		return nil
	}
	for _, k := range g.candidates() {
		u, err := g.objective()
		if err != nil {
			return err
		}
		before := g.save()
		j := len(g.src)
		g.add(g.index[k], g.src[k], k)
		g.theta[j] = g.theta[k]
		// a compact bulge within the disk: half and 1.3 of the size, the prior's extremes
		g.theta[j][iLnR] -= 0.7
		g.theta[j][iTau] = max(tauMean-tauStd, tauLow)
		g.theta[j][iEta1], g.theta[j][iEta2] = g.theta[k][iEta1]/2, g.theta[k][iEta2]/2
		g.theta[k][iLnR] += 0.26
		g.arrange()
		if err := g.refit(); err != nil {
			return err
		}
		if err := g.gaussNewton(ctx); err != nil {
			return err
		}
		v, err := g.objective()
		if err != nil {
			return err
		}
		n := 4.0
		for _, s := range g.slot.flux[j] {
			if s >= 0 {
				n++
			}
		}
		if u-v < 0.5*n*math.Log(float64(g.visible(k))) {
			g.restore(before)
		}
	}
	_, err := g.objective()
	return err
}

// candidates are the galaxies whose neighbourhood the model does not describe:
// χ² per pixel above 1.1 where the source is above the noise, in its worst band.
func (g *group) candidates() []int {
	type one struct {
		k   int
		chi float64
	}
	var list []one
	for k, s := range g.src {
		if s.Kind == Star || g.twin[k] >= 0 || slices.Contains(g.twin, k) {
			continue
		}
		if chi := g.localChi2(k); chi > splitChi2 {
			list = append(list, one{k, chi})
		}
	}
	slices.SortStableFunc(list, func(a, b one) int {
		if a.chi > b.chi {
			return -1
		}
		return 1
	})
	var out []int
	for _, l := range list {
		out = append(out, l.k)
	}
	return out
}

const splitChi2 = 1.1

// near calls f for the pixels within the radius where component k matters.
func (g *group) near(k int, f func(i int)) {
	p := g.p
	r := math.Hypot(1.5*math.Exp(g.theta[k][iLnR]), p.widest())
	x, y := g.theta[k][iX], g.theta[k][iY]
	for v := max(int(y-r), 0); v <= min(int(y+r), p.h-1); v++ {
		for u := max(int(x-r), 0); u <= min(int(x+r), p.w-1); u++ {
			if math.Hypot(float64(u)-x, float64(v)-y) <= r {
				f(v*p.w + u)
			}
		}
	}
}

func (g *group) visible(k int) int {
	n := 2
	for b := range g.p.b {
		g.near(k, func(i int) {
			if g.p.weights[b*g.p.h*g.p.w+i] > 0 {
				n++
			}
		})
	}
	return n
}

func (g *group) localChi2(k int) float64 {
	p := g.p
	var worst float64
	for b := range p.b {
		var s, n float64
		g.near(k, func(i int) {
			i += b * p.h * p.w
			if w := p.weights[i]; w > 0 {
				r := float64(p.data[i] - g.model[i])
				s, n = s+float64(w)*r*r, n+1
			}
		})
		if n > 8 {
			worst = max(worst, s/n)
		}
	}
	return worst
}
