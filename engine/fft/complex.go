package fft

import (
	"fmt"

	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// Complex is the transform of complex images of h by w pixels, real and imaginary
// parts interleaved. With h = 1 it is one-dimensional. It may be shared.
type Complex struct {
	h, w     int
	row, col *plan
}

// Complex returns the plan for images of h by w pixels.
func (c *Cache) Complex(h, w int) *Complex {
	if h < 1 || w < 1 {
		panic(fmt.Sprintf("fft: image of %d by %d pixels", h, w))
	}
	return &Complex{h: h, w: w, row: c.plan(w), col: c.plan(h)}
}

type complexTask struct {
	p        *Complex
	k        *kern.Table
	dst, src []float32
	batch    int
	cols     bool
	swap     int // 1 for the inverse
}

// Transform writes the transform of batch images src (batch, h, w, 2) to dst, which
// may be src; inverse includes the factor 1/(hw).
func (j *Job) Transform(p *Complex, dst, src []float32, batch int, inverse bool) {
	t := &j.cplx
	*t = complexTask{p: p, k: j.Table, dst: dst, src: src, batch: batch}
	if inverse {
		t.swap = 1
	}
	j.Team.Run(groups(batch*p.h), t)
	if p.h > 1 {
		t.cols = true
		j.Team.Run(batch*groups(p.w), t)
	}
	t.dst, t.src = nil, nil
}

// Do runs one group of lanes.
func (t *complexTask) Do(i int, w *par.Worker) {
	p := t.p
	pl := p.row
	if t.cols {
		pl = p.col
	}
	s := w.Floats(pl.floats())
	a, b := s[:pl.elements()*kern.Element], s[pl.elements()*kern.Element:]
	scale := float32(1)
	if t.swap == 1 && (t.cols || p.h == 1) {
		scale = float32(1 / (float64(p.h) * float64(p.w)))
	}
	if t.cols {
		per := groups(p.w)
		img := t.dst[i/per*p.h*p.w*2:][:p.h*p.w*2][i%per*kern.Element:]
		lanes := min(kern.Lanes, p.w-i%per*kern.Lanes)
		t.k.LoadCols(a, img, p.h, 2*p.w, lanes, t.swap)
		pl.run(t.k, a, b)
		t.k.StoreCols(img, a, p.h, 2*p.w, lanes, t.swap, scale)
		return
	}
	// A complex row of w is a real row of 2w; the transposed floats alternate between
	// real and imaginary parts as lane elements do. The swap exchanges them.
	r0 := i * kern.Lanes
	lanes := min(kern.Lanes, t.batch*p.h-r0)
	kern.LoadRows(a, t.src[r0*2*p.w:], 2*p.w, 2*p.w, lanes)
	if t.swap == 1 {
		swapParts(a[:p.w*kern.Element])
	}
	pl.run(t.k, a, b)
	kern.StoreRows(t.dst[r0*2*p.w:], a, 2*p.w, 2*p.w, lanes, t.swap, scale)
}

func swapParts(a []float32) {
	for e := 0; e < len(a); e += kern.Element {
		for l := range kern.Lanes {
			a[e+l], a[e+l+kern.Lanes] = a[e+l+kern.Lanes], a[e+l]
		}
	}
}
