package deblend

import (
	"context"
	"math"
	"slices"

	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/deblend/internal/spergel"
)

// start sets the fluxes of round sources of the prior's size by least squares,
// none below 0.
func (g *group) start() error {
	for i := range g.flux {
		g.flux[i] = 0
	}
	grad := make([]float64, len(g.free))
	if _, err := g.gradient(grad); err != nil {
		return err
	}
	h, err := g.normal(seenRough)
	if err != nil {
		return err
	}
	n := len(g.free)
	for i, f := range g.free {
		if f.what == paramShape || f.what == paramSeeing { // held
			for j := range n {
				h[i*n+j], h[j*n+i] = 0, 0
			}
			h[i*n+i], grad[i] = 1, 0
		}
	}
	g.move(g.values(), g.step(h, grad))
	return nil
}

func (g *group) values() []float64 {
	v := make([]float64, len(g.free))
	for i, f := range g.free {
		v[i] = g.get(f)
	}
	return v
}

// step solves for the change of the parameters within their ranges.
func (g *group) step(h, grad []float64) []float64 {
	n := len(g.free)
	low, high := make([]float64, n), make([]float64, n)
	for i, f := range g.free {
		v := g.get(f)
		lo, hi := g.allowed(f)
		low[i], high[i] = min(lo-v, 0), max(hi-v, 0)
	}
	return dense.SolveBounded(h, grad, low, high, n)
}

// move sets the parameters to from + step, within what is allowed.
func (g *group) move(from, step []float64) {
	for i, f := range g.free {
		lo, hi := g.allowed(f)
		g.put(f, min(max(from[i]+step[i], lo), hi))
	}
}

// enough is the fall of −log posterior below which an iteration no longer counts.
const enough = 0.1

// descent is the state of gaussNewton.
type descent struct {
	u          float64
	grad, next []float64
	h          []float64 // nil: to be computed
	age        int       // steps that h has served
	lambda     float64
	quiet      int // steps in a row that gave less than enough
}

// gaussNewton minimises −log posterior within the parameters' ranges (Levenberg
// 1944, Marquardt 1963). The matrix is kept while steps do what it predicts, the
// gradient is always exact. It ends when a full Newton step promises less than
// enough, or two steps in a row gave less.
func (g *group) gaussNewton(ctx context.Context) error {
	n := len(g.free)
	d := &descent{grad: make([]float64, n), next: make([]float64, n), lambda: 1e-2}
	var err error
	if d.u, err = g.gradient(d.grad); err != nil {
		return err
	}
	for g.iter = 0; g.iter < g.p.opt.MaxIter && d.quiet < 2; g.iter++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.h == nil {
			if d.h, err = g.normal(seenRough); err != nil {
				return err
			}
			d.age = 0
			if gain(d.h, d.grad, g.step(d.h, d.grad)) < enough {
				d.quiet = 2
				break
			}
		}
		moved, err := g.descend(d)
		if err != nil {
			return err
		}
		if moved {
			continue
		}
		if d.age == 0 { // nothing falls any more
			d.quiet = 2
		}
		if _, err := g.gradient(d.grad); err != nil {
			return err
		}
		d.h = nil
	}
	g.converged = d.quiet >= 2
	return nil
}

// maxAge is how many steps one matrix serves.
const maxAge = 3

// descend makes one step, more damped if it must. An old matrix has one try.
func (g *group) descend(d *descent) (moved bool, err error) {
	n := len(g.free)
	from := g.values()
	for range 8 {
		damped := append([]float64(nil), d.h...)
		for i := range n {
			damped[i*n+i] *= 1 + d.lambda
		}
		step := g.step(damped, d.grad)
		g.move(from, step)
		if err := g.refit(); err != nil {
			return false, err
		}
		u, err := g.gradient(d.next)
		if err != nil {
			return false, err
		}
		if u < d.u {
			ratio := (d.u - u) / (gain(d.h, d.grad, step) + 1e-12)
			d.quiet++
			if d.u-u > enough {
				d.quiet = 0
			}
			d.u, d.grad, d.next = u, d.next, d.grad
			if ratio > 0.6 {
				d.lambda = max(d.lambda/5, 1e-6)
			} else if ratio < 0.2 {
				d.lambda = min(d.lambda*3, 1e6)
			}
			if d.age++; ratio < 0.6 || ratio > 1.6 || d.age > maxAge {
				d.h = nil
			}
			return true, nil
		}
		g.move(from, make([]float64, n))
		if d.age > 0 {
			return false, nil
		}
		d.lambda = min(d.lambda*6, 1e6)
	}
	return false, nil
}

// gain is the fall of −log posterior that the quadratic model promises.
func gain(h, grad, d []float64) float64 {
	n := len(d)
	var s float64
	for i, v := range d {
		var q float64
		for j, w := range d {
			q += h[i*n+j] * w
		}
		s -= v * (grad[i] + 0.5*q)
	}
	return s
}

// refit solves for the fluxes of the shapes as they are, band by band, within
// their bounds: the valley of flux and size is bent, and a step along its tangent
// leaves it (variable projection: Golub & Pereyra 1973).
func (g *group) refit() error {
	p, n := g.p, g.p.h*g.p.w
	images := make([][]float32, len(g.src))
	if err := g.parallel(len(g.src), func(w *scratch, k int) error {
		g.elements[k].set(p, g.theta[k], g.src[k].Kind, true)
		images[k] = make([]float32, p.b*n)
		return g.unitImages(w, k, images[k])
	}); err != nil {
		return err
	}
	g.fresh = true
	return g.parallel(p.b, func(_ *scratch, b int) error {
		if p.live[b] {
			g.solveFluxes(images, b)
		}
		return nil
	})
}

// unitImages fills out (B, H, W) with component k of unit flux in every band.
func (g *group) unitImages(w *scratch, k int, out []float32) error {
	p, e := g.p, g.elements[k]
	for b := range p.b {
		s, t := w.plane(p, b), g.transfer[b]
		for i, m := range p.modes {
			v := t[i] * e.phase[i]
			put(s, m, complex(real(v)*e.f[i], imag(v)*e.f[i]))
		}
	}
	if err := w.f.inverse(w.planes, w.spec, p.b); err != nil {
		return err
	}
	for b := range p.b {
		p.window(out[b*p.h*p.w:(b+1)*p.h*p.w], w.planes, b)
	}
	return nil
}

// solveFluxes solves for the fluxes ≥ 0 of given images in band b; the sky is as
// it is.
func (g *group) solveFluxes(images [][]float32, b int) {
	p, k := g.p, len(g.src)
	n := p.h * p.w
	sky := float32(g.sky[b])
	h, grad, low := make([]float64, k*k), make([]float64, k), make([]float64, k)
	wa := make([]float32, n)
	for i := range k {
		a := images[i][b*n : (b+1)*n]
		for q, w := range p.eff[b*n : (b+1)*n] {
			wa[q] = w * a[q]
			grad[i] -= float64(wa[q] * (p.data[b*n+q] - sky))
		}
		for j := range i + 1 {
			s := float64(dot32(wa, images[j][b*n:(b+1)*n]))
			h[i*k+j], h[j*k+i] = s, s
		}
		h[i*k+i] += 1 / (g.ridge[b] * g.ridge[b])
	}
	for i, v := range dense.SolveBounded(h, grad, low, nil, k) {
		g.flux[i*p.b+b] = v
	}
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
		g.theta[j][iTau] = max(tauMean-tauStd, spergel.TauLow)
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
