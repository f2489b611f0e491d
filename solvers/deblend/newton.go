package deblend

import (
	"context"
	"math"
)

// columns are one source's derivatives over its box, times √w: (B, n, h, w) with
// the shape's parameters first and the flux last.
type columns struct {
	x0, x1, y0, y1 int
	n              int
	v              []float32
}

func (c *columns) row(b, i, y int) []float32 {
	w, h := c.x1-c.x0, c.y1-c.y0
	at := ((b*c.n+i)*h + y - c.y0) * w
	return c.v[at : at+w]
}

// seen is what a source must reach in a pixel, in units of the noise, for the
// pixel to be in its box.
const seen = 0.03

// fillColumns computes the columns of source k; its element has derivatives.
func (g *group) fillColumns(k int) error {
	p, e, c := g.p, g.elements[k], &g.cols[k]
	n := nShape + 1
	if g.src[k].Kind == Star {
		n = 3
	}
	for b := range p.b {
		a := g.flux[k*p.b+b]
		t := p.transfer[b]
		specs := make([][]float32, n)
		for i := range n {
			specs[i] = g.clearSpec(b*n + i)
		}
		if !p.live[b] {
			continue
		}
		for i, m := range p.modes {
			v := t[i] * e.phase[i]
			f := complex(e.f[i], 0)
			put(specs[n-1], m, v*f)
			put(specs[iX], m, v*f*complex(0, -p.kx[i]*a))
			put(specs[iY], m, v*f*complex(0, -p.ky[i]*a))
			for j := 2; j < n-1; j++ {
				put(specs[j], m, v*complex(e.d[j-2][i]*a, 0))
			}
		}
	}
	if err := g.f.inverse(g.planes, g.spec, n*p.b); err != nil {
		return err
	}
	g.setBox(k, n)
	g.copyColumns(c, n)
	return nil
}

func put(s []float32, m int32, v complex128) {
	s[2*m], s[2*m+1] = float32(real(v)), float32(imag(v))
}

// setBox finds the pixels that source k reaches in any band.
func (g *group) setBox(k, n int) {
	p, gr := g.p, g.p.grid
	x0, x1, y0, y1 := p.w, 0, p.h, 0
	for b := range p.b {
		a := float32(math.Abs(g.flux[k*p.b+b]))
		if !p.live[b] || a == 0 {
			continue
		}
		for y := range p.h {
			row := g.planes[(b*n+n-1)*gr.H*gr.W+(y+gr.Row)*gr.W+gr.Col:]
			ws := p.weights[(b*p.h+y)*p.w : (b*p.h+y+1)*p.w]
			for x, w := range ws {
				if v := a * row[x]; v*v*w > seen*seen {
					x0, x1, y0, y1 = min(x0, x), max(x1, x+1), min(y0, y), max(y1, y+1)
				}
			}
		}
	}
	least := int(math.Ceil(1.5*p.widest())) + 2
	cx, cy := int(math.Round(g.theta[k][iX])), int(math.Round(g.theta[k][iY]))
	g.cols[k].x0, g.cols[k].x1 = bounds(min(x0-2, cx-least), max(x1+2, cx+least+1), p.w)
	g.cols[k].y0, g.cols[k].y1 = bounds(min(y0-2, cy-least), max(y1+2, cy+least+1), p.h)
}

// bounds cuts a range to [0, n), leaving at least one pixel.
func bounds(lo, hi, n int) (int, int) {
	lo = min(max(lo, 0), n-1)
	return lo, min(max(hi, lo+1), n)
}

func (p *problem) widest() float64 {
	var top float64
	for c, f := range p.psf {
		if p.live[c] {
			top = max(top, f)
		}
	}
	return top
}

func (g *group) copyColumns(c *columns, n int) {
	p, gr := g.p, g.p.grid
	w, h := c.x1-c.x0, c.y1-c.y0
	c.n = n
	if size := p.b * n * h * w; cap(c.v) < size {
		c.v = make([]float32, size)
	} else {
		c.v = c.v[:size]
	}
	for b := range p.b {
		for y := c.y0; y < c.y1; y++ {
			ws := p.eff[(b*p.h+y)*p.w+c.x0 : (b*p.h+y)*p.w+c.x1]
			for i := range n {
				src := g.planes[(b*n+i)*gr.H*gr.W+(y+gr.Row)*gr.W+gr.Col+c.x0:]
				dst := c.row(b, i, y)
				for x, v := range ws {
					dst[x] = src[x] * root32(v)
				}
			}
		}
	}
}

func root32(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// slots gives for every source where its columns stand among the free parameters:
// shape columns first, then per band the flux; and the sky per band.
func (g *group) slots() (shape []int, flux [][]int, sky []int) {
	shape, sky = make([]int, len(g.src)), make([]int, g.p.b)
	flux = make([][]int, len(g.src))
	for k := range flux {
		flux[k] = make([]int, g.p.b)
		for b := range flux[k] {
			flux[k][b] = -1
		}
	}
	for b := range sky {
		sky[b] = -1
	}
	for n, f := range g.free {
		switch {
		case f.what == paramShape && f.i == 0:
			shape[f.k] = n
		case f.what == paramFlux:
			flux[f.k][f.i] = n
		case f.what == paramSky:
			sky[f.i] = n
		}
	}
	return shape, flux, sky
}

// normal builds the Gauss–Newton matrix JᵀWJ + prior and the gradient at the
// present parameters; the model is up to date with derivatives.
func (g *group) normal() (h, grad []float64, err error) {
	n := len(g.free)
	h, grad = make([]float64, n*n), make([]float64, n)
	for k := range g.src {
		if err := g.fillColumns(k); err != nil {
			return nil, nil, err
		}
	}
	res := make([]float32, len(g.model))
	for i, w := range g.p.eff {
		if w > 0 {
			res[i] = (g.p.data[i] - g.model[i]) * root32(w)
		}
	}
	shape, flux, sky := g.slots()
	at := func(k, b, i int) int {
		if i == g.cols[k].n-1 {
			return flux[k][b]
		}
		return shape[k] + i
	}
	for b := range g.p.b {
		if !g.p.live[b] {
			continue
		}
		for k := range g.src {
			g.addGradient(grad, res, k, b, at)
			for l := k; l < len(g.src); l++ {
				g.addProducts(h, n, k, l, b, at)
			}
		}
		if s := sky[b]; s >= 0 {
			g.addSky(h, grad, n, s, b, res, at)
		}
	}
	diag := make([]float64, n)
	g.prior(grad, diag)
	for i := range n {
		h[i*n+i] += diag[i]
		for j := range i {
			h[i*n+j] = h[j*n+i]
		}
	}
	return h, grad, nil
}

func (g *group) addGradient(grad []float64, res []float32, k, b int, at func(k, b, i int) int) {
	c := &g.cols[k]
	for i := range c.n {
		var s float64
		for y := c.y0; y < c.y1; y++ {
			r := res[(b*g.p.h+y)*g.p.w+c.x0:]
			s += float64(dot32(c.row(b, i, y), r[:c.x1-c.x0]))
		}
		grad[at(k, b, i)] -= s
	}
}

// addProducts adds the products of sources k ≤ l in band b to the upper triangle.
func (g *group) addProducts(h []float64, n, k, l, b int, at func(k, b, i int) int) {
	c, d := &g.cols[k], &g.cols[l]
	x0, x1, y0, y1 := max(c.x0, d.x0), min(c.x1, d.x1), max(c.y0, d.y0), min(c.y1, d.y1)
	if x0 >= x1 || y0 >= y1 {
		return
	}
	for i := range c.n {
		first := 0
		if k == l {
			first = i
		}
		for j := first; j < d.n; j++ {
			var s float64
			for y := y0; y < y1; y++ {
				s += float64(dot32(c.row(b, i, y)[x0-c.x0:x1-c.x0], d.row(b, j, y)[x0-d.x0:x1-d.x0]))
			}
			r, q := at(k, b, i), at(l, b, j)
			h[min(r, q)*n+max(r, q)] += s
		}
	}
}

func (g *group) addSky(h, grad []float64, n, s, b int, res []float32, at func(k, b, i int) int) {
	p := g.p
	for i := b * p.h * p.w; i < (b+1)*p.h*p.w; i++ {
		h[s*n+s] += float64(p.eff[i])
		grad[s] -= float64(res[i] * root32(p.eff[i]))
	}
	for k := range g.src {
		c := &g.cols[k]
		for i := range c.n {
			var sum float64
			for y := c.y0; y < c.y1; y++ {
				ws := p.eff[(b*p.h+y)*p.w+c.x0:]
				for x, v := range c.row(b, i, y) {
					sum += float64(v * root32(ws[x]))
				}
			}
			r := at(k, b, i)
			h[min(r, s)*n+max(r, s)] += sum
		}
	}
}

func dot32(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + (s2 + s3)
}

// start sets the fluxes of round sources of the prior's size by least squares,
// none below 0.
func (g *group) start() error {
	for i := range g.flux {
		g.flux[i] = 0
	}
	if err := g.render(true); err != nil {
		return err
	}
	h, grad, err := g.normal()
	if err != nil {
		return err
	}
	n := len(g.free)
	for i, f := range g.free {
		if f.what == paramShape { // held
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
		low[i], high[i] = math.Inf(-1), math.Inf(1)
		switch f.what {
		case paramShape:
			lo, hi := g.allowed(f)
			low[i], high[i] = min(lo-v, 0), max(hi-v, 0)
		case paramFlux:
			low[i] = min(0, -v)
		}
	}
	return solveBounded(h, grad, low, high, n)
}

// move sets the parameters to from + step, within what is allowed.
func (g *group) move(from, step []float64) {
	for i, f := range g.free {
		v := from[i] + step[i]
		switch f.what {
		case paramShape:
			lo, hi := g.allowed(f)
			v = min(max(v, lo), hi)
		case paramFlux:
			v = max(v, 0)
		}
		g.put(f, v)
	}
}

// enough is the fall of −log posterior below which an iteration no longer counts.
const enough = 0.1

// gaussNewton minimises −log posterior (Levenberg 1944, Marquardt 1963), fluxes
// bounded by 0.
func (g *group) gaussNewton(ctx context.Context) error {
	lambda, quiet := 1e-2, 0
	u, err := g.objective()
	if err != nil {
		return err
	}
	n := len(g.free)
	for g.iter = 0; g.iter < g.p.opt.MaxIter && quiet < 2; g.iter++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := g.render(true); err != nil {
			return err
		}
		h, grad, err := g.normal()
		if err != nil {
			return err
		}
		from, moved := g.values(), false
		for range 8 {
			damped := append([]float64(nil), h...)
			for i := range n {
				damped[i*n+i] *= 1 + lambda
			}
			g.move(from, g.step(damped, grad))
			next, err := g.objective()
			if err != nil {
				return err
			}
			if next < u {
				if u-next < enough {
					quiet++
				} else {
					quiet = 0
				}
				u, moved, lambda = next, true, max(lambda/5, 1e-6)
				break
			}
			g.move(from, make([]float64, n))
			lambda = min(lambda*6, 1e6)
		}
		if !moved {
			quiet = 2
		}
	}
	g.converged = quiet >= 2
	return nil
}

// solveBounded minimises ½ dᵀHd + gᵀd with low ≤ d ≤ high (nil: no upper bound)
// by an active set: what would pass its bound is held there.
func solveBounded(h, grad, low, high []float64, n int) []float64 {
	held := make([]bool, n)
	d := make([]float64, n)
	for range 6 {
		free := make([]int, 0, n)
		for i := range n {
			if !held[i] {
				free = append(free, i)
			}
		}
		m := len(free)
		a, rhs := make([]float64, m*m), make([]float64, m)
		for i, fi := range free {
			rhs[i] = -grad[fi]
			for j := range n {
				if held[j] {
					rhs[i] -= h[fi*n+j] * d[j]
				}
			}
			for j, fj := range free[:i+1] {
				a[i*m+j] = h[fi*n+fj]
			}
		}
		cholesky(a, m)
		forwardSolve(a, rhs, m)
		backSolve(a, rhs, m)
		again := false
		for i, fi := range free {
			d[fi] = rhs[i]
			if d[fi] < low[fi] {
				d[fi], held[fi], again = low[fi], true, true
			} else if high != nil && d[fi] > high[fi] {
				d[fi], held[fi], again = high[fi], true, true
			}
		}
		if !again {
			break
		}
	}
	return d
}

// cholesky factors the lower triangle of a in place, a = LLᵀ. A pivot that
// rounding has made too small is lifted: the parameter then does not move.
func cholesky(a []float64, n int) {
	for j := range n {
		rj := a[j*n : j*n+j]
		d := a[j*n+j]
		floor := 1e-10*math.Abs(d) + 1e-300
		for _, v := range rj {
			d -= v * v
		}
		d = math.Sqrt(max(d, floor))
		a[j*n+j] = d
		for i := j + 1; i < n; i++ {
			s, ri := a[i*n+j], a[i*n:i*n+j]
			for k, v := range rj {
				s -= ri[k] * v
			}
			a[i*n+j] = s / d
		}
	}
}

// forwardSolve solves Lx = b in place.
func forwardSolve(l, b []float64, n int) {
	for i := range n {
		s := b[i]
		for k, v := range l[i*n : i*n+i] {
			s -= v * b[k]
		}
		b[i] = s / l[i*n+i]
	}
}

// backSolve solves Lᵀx = b in place.
func backSolve(l, b []float64, n int) {
	for i := n - 1; i >= 0; i-- {
		b[i] /= l[i*n+i]
		for k, v := range l[i*n : i*n+i] {
			b[k] -= v * b[i]
		}
	}
}
