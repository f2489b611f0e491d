package fft

import (
	"fmt"
	"unsafe"

	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// Real is the transform of real images of h by w pixels to half-plane spectra of
// h by w/2+1 complex numbers. It holds tables only and may be shared.
//
// Between its two halves a row of spectrum is kept in w numbers. For even w the
// transform of a real row has two real ends, X[0] and X[w/2]; they share the first
// complex column, which saves a column of transforms and, on the way back, lets
// the destination itself hold the intermediate result.
type Real struct {
	h, w int
	row  *plan     // w/2 for even w; for odd w two rows make one complex row of w
	col  *plan     // h
	rot  []float32 // even w: e^(−2πi k/w), k ≤ w/4
}

// Real returns the plan for images of h by w pixels.
func (c *Cache) Real(h, w int) *Real {
	if h < 1 || w < 1 {
		panic(fmt.Sprintf("fft: image of %d by %d pixels", h, w))
	}
	r := &Real{h: h, w: w, col: c.plan(h)}
	if w%2 == 1 {
		r.row = c.plan(w)
		return r
	}
	r.row = c.plan(w / 2)
	for k := range w/4 + 1 {
		re, im := kern.Root(k, w)
		r.rot = append(r.rot, float32(re), float32(im))
	}
	return r
}

// columns is the number of complex columns that are transformed.
func (p *Real) columns() int { return (p.w + 1) / 2 }

// past says that an image is larger than what caches may keep from one half of a
// transform to the other: then its results need not be fetched before they are
// written.
func (p *Real) past() bool { return p.h*p.w >= 4<<20 }

// pitch is the length of a row of spectrum in floats.
func (p *Real) pitch() int { return 2 * (p.w/2 + 1) }

// A Job is the working state of one goroutine's transforms. Its methods allocate
// nothing once the workers' scratch has grown.
type Job struct {
	Team  *par.Team
	Table *kern.Table
	real  realTask
	cplx  complexTask
}

type phase int

const (
	forwardRows phase = iota
	forwardCols
	inverseCols
	inverseRows
)

type realTask struct {
	p        *Real
	k        *kern.Table
	dst, src []float32
	batch    int
	phase    phase
}

// Forward transforms batch images src (batch, h, w) to dst (batch, h, w/2+1, 2).
func (j *Job) Forward(p *Real, dst, src []float32, batch int) {
	t := &j.real
	*t = realTask{p: p, k: j.Table, dst: dst, src: src, batch: batch, phase: forwardRows}
	j.Team.Run(t.rowGroups(), t)
	t.phase = forwardCols
	j.Team.Run(batch*groups(p.columns()), t)
	t.dst, t.src = nil, nil
}

// Inverse transforms dst (batch, h, w) from src (batch, h, w/2+1, 2), with the
// factor 1/(hw). What src has in the first and last columns beyond the spectrum of
// a real image does not matter.
func (j *Job) Inverse(p *Real, dst, src []float32, batch int) {
	t := &j.real
	*t = realTask{p: p, k: j.Table, dst: dst, src: src, batch: batch, phase: inverseCols}
	j.Team.Run(batch*groups(p.columns()), t)
	t.phase = inverseRows
	j.Team.Run(t.rowGroups(), t)
	t.dst, t.src = nil, nil
}

func groups(n int) int { return (n + kern.Lanes - 1) / kern.Lanes }

// rowGroups: an even row fills one lane, odd rows share one by twos.
func (t *realTask) rowGroups() int {
	rows := t.batch * t.p.h
	if t.p.w%2 == 1 {
		rows = (rows + 1) / 2
	}
	return groups(rows)
}

// Do runs one group of lanes.
func (t *realTask) Do(i int, w *par.Worker) {
	pl := t.p.row
	if t.phase == forwardCols || t.phase == inverseCols {
		pl = t.p.col
	}
	s := w.Floats(pl.floats())
	a, b := s[:pl.elements()*kern.Element], s[pl.elements()*kern.Element:]
	even := t.p.w%2 == 0
	switch {
	case t.phase == forwardRows && even:
		t.rowsEven(i, s, a, b)
	case t.phase == forwardRows:
		t.rowsOdd(i, a, b)
	case t.phase == forwardCols:
		t.cols(i, a, b)
	case t.phase == inverseCols:
		t.colsBack(i, a, b)
	case even:
		t.rowsEvenBack(i, s, a, b)
	default:
		t.rowsOddBack(i, a, b)
	}
}

func (t *realTask) rowsEven(i int, s, a, b []float32) {
	p := t.p
	r0 := i * kern.Lanes
	lanes := min(kern.Lanes, t.batch*p.h-r0)
	dst, src := t.dst[r0*p.pitch():], t.src[r0*p.w:]
	if p.row.prog != nil {
		t.k.RowsForward(kern.Rows{Program: p.row.prog, Rot: p.rot, Lanes: lanes, Past: p.past()}, dst, p.pitch(), src, p.w, s)
		return
	}
	kern.LoadRows(a, src, p.w, p.w, lanes)
	p.row.run(t.k, a, b)
	kern.SplitReal(a, p.rot, p.w/2)
	kern.StoreRows(dst, a, p.w, p.pitch(), lanes, 0, 1)
}

func (t *realTask) rowsEvenBack(i int, s, a, b []float32) {
	p := t.p
	r0 := i * kern.Lanes
	lanes := min(kern.Lanes, t.batch*p.h-r0)
	dst := t.dst[r0*p.w:]
	if p.row.prog != nil {
		t.k.RowsBackward(kern.Rows{Program: p.row.prog, Rot: p.rot, Lanes: lanes}, dst, p.w, t.scale(), s)
		return
	}
	kern.LoadRows(a, dst, p.w, p.w, lanes)
	kern.JoinReal(a, p.rot, p.w/2)
	p.row.run(t.k, a, b)
	kern.StoreRows(dst, a, p.w, p.w, lanes, 1, t.scale())
}

func (t *realTask) scale() float32 { return float32(1 / (float64(t.p.h) * float64(t.p.w))) }

func (t *realTask) rowsOdd(i int, a, b []float32) {
	p, h := t.p, t.p.w/2
	r0 := i * 2 * kern.Lanes
	for c := range p.w {
		for l := range 2 * kern.Lanes {
			v := float32(0)
			if r := r0 + l; r < t.batch*p.h {
				v = t.src[r*p.w+c]
			}
			a[c*kern.Element+l] = v
		}
	}
	p.row.run(t.k, a, b)
	for l := range min(2*kern.Lanes, t.batch*p.h-r0) {
		d := t.dst[(r0+l)*p.pitch():][:p.pitch()]
		// Z = A + iB for rows A in the first lanes and B in the last.
		re, im := l%kern.Lanes, l%kern.Lanes+kern.Lanes
		d[0], d[1] = a[l], 0
		for k := 1; k <= h; k++ {
			x, y := a[k*kern.Element:], a[(p.w-k)*kern.Element:]
			if l < kern.Lanes {
				d[2*k], d[2*k+1] = 0.5*(x[re]+y[re]), 0.5*(x[im]-y[im])
			} else {
				d[2*k], d[2*k+1] = 0.5*(x[im]+y[im]), 0.5*(y[re]-x[re])
			}
		}
	}
}

func (t *realTask) rowsOddBack(i int, a, b []float32) {
	p, h := t.p, t.p.w/2
	r0 := i * 2 * kern.Lanes
	lanes := min(2*kern.Lanes, t.batch*p.h-r0)
	clear(a[:p.w*kern.Element])
	for l := range lanes {
		s := t.dst[(r0+l)*p.w:][:p.w]
		// As above; the parts are swapped for the inverse transform.
		im, re := l%kern.Lanes, l%kern.Lanes+kern.Lanes
		if l < kern.Lanes {
			a[re] = s[0]
		} else {
			a[im] = s[0]
		}
		for k := 1; k <= h; k++ {
			x, y := a[k*kern.Element:], a[(p.w-k)*kern.Element:]
			r, j := s[2*k-1], s[2*k]
			if l < kern.Lanes {
				x[re], x[im], y[re], y[im] = x[re]+r, x[im]+j, y[re]+r, y[im]-j
			} else {
				x[re], x[im], y[re], y[im] = x[re]-j, x[im]+r, y[re]+j, y[im]+r
			}
		}
	}
	p.row.run(t.k, a, b)
	for l := range lanes {
		d := t.dst[(r0+l)*p.w:][:p.w]
		at := (l + kern.Lanes) % kern.Element
		for c := range d {
			d[c] = t.scale() * a[c*kern.Element+at]
		}
	}
}

// cols transforms one group of columns in place in the spectrum.
func (t *realTask) cols(i int, a, b []float32) {
	p := t.p
	per := groups(p.columns())
	spec := t.dst[i/per*p.h*p.pitch():][:p.h*p.pitch()]
	g := i % per
	lanes := min(kern.Lanes, p.columns()-g*kern.Lanes)
	group := spec[g*kern.Element:]
	if lanes == kern.Lanes && p.col.prog != nil {
		v := kern.View{Data: group, Step: p.pitch(), Mode: kern.Interleaved}
		t.k.FFT(p.col.prog, v, v, b)
	} else {
		t.k.LoadCols(a, group, p.h, p.pitch(), lanes, 0)
		p.col.run(t.k, a, b)
		t.k.StoreCols(group, a, p.h, p.pitch(), lanes, 0, 1)
	}
	if g > 0 || p.w%2 == 1 {
		return
	}
	// The first column holds Z = A + iB, A and B the transforms of real columns.
	for k := range p.h/2 + 1 {
		x, y := spec[k*p.pitch():][:p.pitch()], spec[(p.h-k)%p.h*p.pitch():][:p.pitch()]
		xr, xi, yr, yi := x[0], x[1], y[0], y[1]
		x[0], x[1] = 0.5*(xr+yr), 0.5*(xi-yi)
		x[p.w], x[p.w+1] = 0.5*(xi+yi), 0.5*(yr-xr)
		y[0], y[1], y[p.w], y[p.w+1] = x[0], -x[1], x[p.w], -x[p.w+1]
	}
}

// colsBack transforms one group of columns from src into the packed rows of dst.
func (t *realTask) colsBack(i int, a, b []float32) {
	p := t.p
	per := groups(p.columns())
	spec := t.src[i/per*p.h*p.pitch():][:p.h*p.pitch()]
	img := t.dst[i/per*p.h*p.w:][:p.h*p.w]
	g := i % per
	lanes := min(kern.Lanes, p.columns()-g*kern.Lanes)
	even := p.w%2 == 0
	first := g*kern.Element - p.w%2 // odd: the first column is real and takes one place
	const mode = kern.Interleaved | kern.Swapped
	if g > 0 && lanes == kern.Lanes && p.col.prog != nil {
		to := mode
		if p.past() && p.w%kern.Lanes == 0 && uintptr(unsafe.Pointer(&img[first]))%64 == 0 {
			to |= kern.Streamed
		}
		t.k.FFT(p.col.prog, kern.View{Data: img[first:], Step: p.w, Mode: to},
			kern.View{Data: spec[g*kern.Element:], Step: p.pitch(), Mode: mode}, b)
		return
	}
	t.k.LoadCols(a, spec[g*kern.Element:], p.h, p.pitch(), lanes, 1)
	if g == 0 && even {
		packEnds(a, spec, p.h, p.w)
	}
	p.col.run(t.k, a, b)
	if g > 0 || even {
		t.k.StoreCols(img[first:], a, p.h, p.w, lanes, 1, 1)
		return
	}
	for k := range p.h {
		e, d := a[k*kern.Element:], img[k*p.w:]
		d[0] = e[kern.Lanes]
		for l := 1; l < lanes; l++ {
			d[2*l-1], d[2*l] = e[kern.Lanes+l], e[l]
		}
	}
}

// packEnds writes Z = A + iB of the Hermitian parts of the first and the last
// column into the first lane, parts swapped.
func packEnds(a, spec []float32, h, w int) {
	pitch := w + 2
	for k := range h {
		x, y := spec[k*pitch:][:pitch], spec[(h-k)%h*pitch:][:pitch]
		ar, ai := 0.5*(x[0]+y[0]), 0.5*(x[1]-y[1])
		br, bi := 0.5*(x[w]+y[w]), 0.5*(x[w+1]-y[w+1])
		a[k*kern.Element+kern.Lanes], a[k*kern.Element] = ar-bi, ai+br
	}
}
