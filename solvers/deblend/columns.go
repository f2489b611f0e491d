package deblend

import (
	"math"
)

// columns are one component's derivatives over its box, times √w: (B, n, h, w)
// with the shape's parameters first and the flux last.
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

// What a source must reach in a pixel, in units of the noise, for the pixel to be
// in its box: on the way to the mode, where only the number of iterations depends
// on it, and for the curvature that errors come from.
const (
	seenRough = 0.3
	seenFine  = 0.03
)

// fillColumns computes the columns of component k; its element has derivatives.
func (g *group) fillColumns(w *scratch, k int, seen float32) error {
	p, e, c := g.p, g.elements[k], &g.cols[k]
	n := nShape + 1
	if g.src[k].Kind == Star {
		n = 3
	}
	for b := range p.b {
		a := g.flux[k*p.b+b]
		t := g.transfer[b]
		specs := make([][]float32, n)
		for i := range n {
			specs[i] = w.plane(p, b*n+i)
		}
		if !p.live[b] {
			continue
		}
		for i, m := range p.modes {
			v := t[i] * e.phase[i]
			re, im := real(v), imag(v)
			f := e.f[i]
			put(specs[n-1], m, complex(re*f, im*f))
			f *= a
			put(specs[iX], m, complex(im*f*p.kx[i], -re*f*p.kx[i]))
			put(specs[iY], m, complex(im*f*p.ky[i], -re*f*p.ky[i]))
			for j := 2; j < n-1; j++ {
				d := e.d[j-2][i] * a
				put(specs[j], m, complex(re*d, im*d))
			}
		}
	}
	if err := w.f.inverse(w.planes, w.spec, n*p.b); err != nil {
		return err
	}
	g.setBox(w, k, n, seen)
	g.copyColumns(w, c, n)
	return nil
}

// setBox finds the pixels that component k reaches in any band.
func (g *group) setBox(w *scratch, k, n int, seen float32) {
	p, gr := g.p, g.p.grid
	x0, x1, y0, y1 := p.w, 0, p.h, 0
	for b := range p.b {
		a := float32(math.Abs(g.flux[k*p.b+b]))
		if !p.live[b] || a == 0 {
			continue
		}
		for y := range p.h {
			row := w.planes[(b*n+n-1)*gr.H*gr.W+(y+gr.Row)*gr.W+gr.Col:]
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

func (g *group) copyColumns(s *scratch, c *columns, n int) {
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
			ws := p.root[(b*p.h+y)*p.w+c.x0 : (b*p.h+y)*p.w+c.x1]
			for i := range n {
				src := s.planes[(b*n+i)*gr.H*gr.W+(y+gr.Row)*gr.W+gr.Col+c.x0:]
				dst := c.row(b, i, y)
				for x, v := range ws {
					dst[x] = src[x] * v
				}
			}
		}
	}
}

func root32(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// at is where column i of component k in band b stands among the parameters.
func (g *group) at(k, b, i int) int {
	if i == g.cols[k].n-1 {
		return g.slot.flux[k][b]
	}
	return g.slot.shape[k][i]
}

// normal builds the Gauss–Newton matrix JᵀWJ + prior at the present parameters;
// the model is up to date with derivatives.
func (g *group) normal(seen float32) ([]float64, error) {
	n := len(g.free)
	h := make([]float64, n*n)
	if err := g.parallel(len(g.src), func(w *scratch, k int) error { return g.fillColumns(w, k, seen) }); err != nil {
		return nil, err
	}
	owner, tasks := g.pairs()
	if err := g.parallel(len(tasks), func(_ *scratch, t int) error {
		for i, k := range owner[tasks[t][0]] {
			for j, l := range owner[tasks[t][1]] {
				if tasks[t][0] == tasks[t][1] && j < i {
					continue
				}
				for b := range g.p.b {
					if g.p.live[b] {
						g.addProducts(h, n, k, l, b)
					}
				}
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if err := g.parallel(g.p.b, func(w *scratch, b int) error {
		if g.p.live[b] && (g.p.opt.Sky || g.p.opt.PSFError) {
			return g.addCommon(w, h, n, b)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	diag := make([]float64, n)
	g.prior(nil, diag)
	for i := range n {
		h[i*n+i] += diag[i]
		for j := range i {
			h[i*n+j] = h[j*n+i]
		}
	}
	return h, nil
}

// pairs lists pairs of sources whose products share no entry of the matrix: a
// twin goes with the component that owns its centre.
func (g *group) pairs() (owner [][]int, tasks [][2]int) {
	owner = make([][]int, len(g.src))
	for k := range g.src {
		j := k
		if g.twin[k] >= 0 {
			j = g.twin[k]
		}
		owner[j] = append(owner[j], k)
	}
	for k := range owner {
		for l := k; l < len(owner); l++ {
			if len(owner[k]) > 0 && len(owner[l]) > 0 {
				tasks = append(tasks, [2]int{k, l})
			}
		}
	}
	return owner, tasks
}

// addProducts adds the products of components k ≤ l in band b to the upper
// triangle.
func (g *group) addProducts(h []float64, n, k, l, b int) {
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
			r, q := g.at(k, b, i), g.at(l, b, j)
			if r == q && k != l { // a shared centre: (J_k + J_l)² has the product twice
				s *= 2
			}
			h[min(r, q)*n+max(r, q)] += s
		}
	}
}

// addCommon adds the products of what belongs to a whole band, its sky and the
// PSF's parameters, with everything of that band.
func (g *group) addCommon(w *scratch, h []float64, n, b int) error {
	p := g.p
	at, whole, err := g.common(w, b)
	if err != nil {
		return err
	}
	for i, u := range whole {
		for j, v := range whole[:i+1] {
			r, q := min(at[i], at[j]), max(at[i], at[j])
			h[r*n+q] += float64(dot32(u, v))
		}
		for k := range g.src {
			c := &g.cols[k]
			for j := range c.n {
				var sum float64
				for y := c.y0; y < c.y1; y++ {
					sum += float64(dot32(c.row(b, j, y), u[y*p.w+c.x0:y*p.w+c.x1]))
				}
				r, q := min(g.at(k, b, j), at[i]), max(g.at(k, b, j), at[i])
				h[r*n+q] += sum
			}
		}
	}
	return nil
}

// common gives the free parameters that belong to a whole band, and √w times the
// model's derivatives by them, (H, W).
func (g *group) common(w *scratch, b int) (at []int, whole [][]float32, err error) {
	p := g.p
	root := p.root[b*p.h*p.w : (b+1)*p.h*p.w]
	if s := g.slot.sky[b]; s >= 0 {
		at, whole = append(at, s), append(whole, root)
	}
	if !p.opt.PSFError {
		return at, whole, nil
	}
	if err := g.seeingColumns(w, b); err != nil {
		return nil, nil, err
	}
	for j := range nSeeing {
		d := make([]float32, p.h*p.w)
		p.window(d, w.planes, j)
		for i, v := range root {
			d[i] *= v
		}
		at, whole = append(at, g.slot.seeing[b][j]), append(whole, d)
	}
	return at, whole, nil
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
