package figure

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
)

// Renderer draws views of images. It keeps its work space between frames: once
// it has seen a picture size it allocates nothing. One goroutine at a time.
type Renderer struct {
	along, across axis
	sum           []float32 // one row of the picture before the horizontal mean
	values        []float32 // one row of the picture
	block         []uint32  // rows to be transposed
	last          drawn     // by Pan
}

// axis says, for each pixel of the picture along one direction, which pixels of
// the level to average with which weights.
type axis struct {
	lo, hi int // picture pixels [lo, hi) lie inside the image
	n      int // pixels of the level
	area   bool
	first  []int32      // the first pixel under the picture's pixel
	middle []int32      // the one under its middle
	weight [][3]float32 // of first and the two after it
}

// Render draws the view into all of dst: nearest pixel at zoom 1 and above, the
// mean over each screen pixel's area below (NaN left out of the mean; the bad
// colour where the pixel under its middle has no value). What lies outside the image gets the ground
// colour. The work is proportional to the picture's size, whatever the image's.
func (r *Renderer) Render(dst *image.RGBA, im *Image, v View, t *Table, ground color.RGBA) {
	r.last = drawn{}
	r.render(dst, im, v, t, ground)
}

func (r *Renderer) render(dst *image.RGBA, im *Image, v View, t *Table, ground color.RGBA) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	if w < 1 || h < 1 {
		return
	}
	if im == nil || !(v.Zoom > 0) || math.IsNaN(v.X+v.Y) || math.IsInf(v.X+v.Y+v.Zoom, 0) {
		fill(dst, pack(ground))
		return
	}
	level := 0
	if v.Zoom < 1 {
		level = min(int(math.Log2(1/v.Zoom)), len(im.levels)-1)
	}
	iw, ih := im.Size()
	p := im.levels[level]
	xx, xy, yx, yy := v.Turn.matrix()
	if !v.Turn.Swaps() {
		r.along.set(w, iw, p.W, v.X, v.Zoom, float64(xx), level)
		r.across.set(h, ih, p.H, v.Y, v.Zoom, -float64(yy), level)
		r.rows(dst, p, t, pack(ground))
		return
	}
	r.along.set(h, iw, p.W, v.X, v.Zoom, -float64(yx), level)
	r.across.set(w, ih, p.H, v.Y, v.Zoom, float64(xy), level)
	r.columns(dst, p, t, pack(ground))
}

// set works out one direction: m picture pixels over an image side of n pixels
// (nl at this level), whose coordinate mid is at the picture's middle; step is
// ±1, the direction in which the coordinate runs.
func (a *axis) set(m, n, nl int, mid, zoom, step float64, level int) {
	a.n = nl
	a.area = zoom < 1
	if cap(a.first) < m {
		a.first = make([]int32, m)
		a.middle = make([]int32, m)
		a.weight = make([][3]float32, m)
	}
	a.first, a.middle, a.weight = a.first[:m], a.middle[:m], a.weight[:m]
	a.lo, a.hi = m, 0
	shrink := math.Ldexp(1, -level)
	for i := range m {
		// u: pixel i's middle, in image pixels from the image's edge.
		u := mid + 0.5 + step*(float64(i)+0.5-float64(m)/2)/zoom
		if !(u >= 0 && u < float64(n)) {
			continue
		}
		a.lo, a.hi = min(a.lo, i), i+1
		if !a.area {
			a.first[i] = int32(u)
			continue
		}
		a.middle[i] = min(int32(u*shrink), int32(nl-1))
		a.cover(i, (u-0.5/zoom)*shrink, (u+0.5/zoom)*shrink)
	}
	a.hi = max(a.hi, a.lo)
}

// cover weighs the level's pixels by how much of them lies in [from, to], a
// stretch of at most two pixels and so touching at most three. (At the topmost
// level it may be longer; that level has one pixel.)
func (a *axis) cover(i int, from, to float64) {
	from, to = max(0, from), min(to, float64(a.n))
	k := min(int(from), a.n-1)
	a.first[i] = int32(k)
	var sum float64
	var part [3]float64
	for j := range part {
		if k+j >= a.n {
			break
		}
		part[j] = max(0, min(to, float64(k+j+1))-max(from, float64(k+j)))
		sum += part[j]
	}
	if sum == 0 { // a stretch that rounding has emptied
		part[0], sum = 1, 1
	}
	for j, c := range part {
		a.weight[i][j] = float32(c / sum)
	}
}

// row fills values[lo:hi] of one picture row at position i across.
func (r *Renderer) row(p Plane, i int) []float32 {
	a := &r.along
	if len(r.values) < len(a.first) {
		r.values = make([]float32, len(a.first))
	}
	out := r.values[a.lo:a.hi]
	if !a.area {
		src := p.Data[int(r.across.first[i])*p.W:][:p.W]
		for j, x := range a.first[a.lo:a.hi] {
			out[j] = src[x]
		}
		return out
	}
	c0, c1 := int(a.first[a.lo]), int(a.first[a.hi-1])
	if c0 > c1 {
		c0, c1 = c1, c0
	}
	end := min(c1+3, p.W)
	if len(r.sum) < end-c0+2 {
		r.sum = make([]float32, max(end-c0+2, 2*len(a.first)+8))
	}
	sum := r.sum[:end-c0+2]
	sum[len(sum)-1], sum[len(sum)-2] = 0, 0
	vertical(sum[:end-c0], p, &r.across, i, c0)
	weights := a.weight[a.lo:a.hi]
	for j, x := range a.first[a.lo:a.hi] {
		w := &weights[j]
		s := sum[int(x)-c0:]
		s = s[:3]
		v := w[0]*s[0] + w[1]*s[1] + w[2]*s[2]
		if v-v != 0 {
			v = careful(p, &r.across, i, a, a.lo+j)
		}
		out[j] = v
	}
	return out
}

// vertical adds the rows under picture position i with their weights.
func vertical(sum []float32, p Plane, a *axis, i, c0 int) {
	y := int(a.first[i])
	w := a.weight[i]
	at := func(k int) []float32 { return p.Data[min(y+k, a.n-1)*p.W+c0:][:len(sum)] }
	r0 := at(0)
	switch {
	case w[1] == 0 && w[2] == 0:
		copy(sum, r0)
	case w[2] == 0:
		r1 := at(1)
		for x := range sum {
			sum[x] = w[0]*r0[x] + w[1]*r1[x]
		}
	default:
		r1, r2 := at(1), at(2)
		for x := range sum {
			sum[x] = w[0]*r0[x] + w[1]*r1[x] + w[2]*r2[x]
		}
	}
}

// careful is the mean under one screen pixel without the values that are not
// finite; NaN where the pixel under its middle has none, so that masks keep their
// outlines (and large ones cost little).
func careful(p Plane, ay *axis, i int, ax *axis, j int) float32 {
	if v := p.Data[int(ay.middle[i])*p.W+int(ax.middle[j])]; !finite(v) {
		return float32(math.NaN())
	}
	x0, y0 := int(ax.first[j]), int(ay.first[i])
	var sum, weight float32
	for dy, wy := range ay.weight[i] {
		if wy == 0 {
			continue
		}
		row := p.Data[(y0+dy)*p.W:][:p.W]
		for dx, wx := range ax.weight[j] {
			if wx == 0 {
				continue
			}
			if v := row[x0+dx]; finite(v) {
				sum += wy * wx * v
				weight += wy * wx
			}
		}
	}
	return sum / weight
}

// same reports whether picture rows i and i−1 show the same image row.
func (a *axis) same(i int) bool {
	return !a.area && i > a.lo && a.first[i] == a.first[i-1]
}

// rows draws a picture whose rows are image rows.
func (r *Renderer) rows(dst *image.RGBA, p Plane, t *Table, ground uint32) {
	w := dst.Rect.Dx()
	for i := range dst.Rect.Dy() {
		out := dst.Pix[i*dst.Stride:][:4*w]
		switch {
		case i < r.across.lo || i >= r.across.hi || r.along.lo >= r.along.hi:
			fillRow(out, ground)
		case r.across.same(i):
			copy(out, dst.Pix[(i-1)*dst.Stride:][:4*w])
		default:
			fillRow(out[:4*r.along.lo], ground)
			fillRow(out[4*r.along.hi:], ground)
			t.colourRow(out[4*r.along.lo:4*r.along.hi], r.row(p, i))
		}
	}
}

// columns draws a picture whose columns are image rows, sixteen at a time so
// that each touch of the picture's memory fills a cache line.
func (r *Renderer) columns(dst *image.RGBA, p Plane, t *Table, ground uint32) {
	const n = 16
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	if len(r.block) < n*h {
		r.block = make([]uint32, n*h)
	}
	for x0 := 0; x0 < w; x0 += n {
		cols := min(n, w-x0)
		for k := range cols {
			r.column(r.block[k*h:(k+1)*h], p, t, x0+k, k, ground)
		}
		for y := range h {
			out := dst.Pix[y*dst.Stride+4*x0:][:4*cols]
			for k := range cols {
				binary.LittleEndian.PutUint32(out[4*k:4*k+4], r.block[k*h+y])
			}
		}
	}
}

func (r *Renderer) column(out []uint32, p Plane, t *Table, i, k int, ground uint32) {
	lo, hi := r.along.lo, r.along.hi
	if i < r.across.lo || i >= r.across.hi || lo >= hi {
		lo, hi = len(out), len(out)
	} else if k > 0 && r.across.same(i) {
		copy(out, r.block[(k-1)*len(out):][:len(out)])
		return
	}
	for y := range lo {
		out[y] = ground
	}
	for y := hi; y < len(out); y++ {
		out[y] = ground
	}
	if lo < hi {
		for j, v := range r.row(p, i) {
			out[lo+j] = t.at(v)
		}
	}
}

// colourRow looks up len(values) colours.
func (t *Table) colourRow(out []byte, values []float32) {
	lo, inv, bad := t.lo, t.inv, t.bad
	colour := &t.colour
	for j, v := range values {
		c := bad
		// Between the limits this is entry's, and the position beyond the table below and above.
		if k := math.Float32bits((v-lo)*inv+tableOffset)>>tableShift - tableFirst; k < tableSize {
			c = colour[k]
		} else if k = entry((v-lo)*inv + (v - v)); k < tableSize {
			c = colour[k]
		}
		binary.LittleEndian.PutUint32(out[4*j:4*j+4], c)
	}
}

func fill(dst *image.RGBA, c uint32) {
	for y := range dst.Rect.Dy() {
		fillRow(dst.Pix[y*dst.Stride:][:4*dst.Rect.Dx()], c)
	}
}

func fillRow(out []byte, c uint32) {
	for i := 0; i+4 <= len(out); i += 4 {
		binary.LittleEndian.PutUint32(out[i:], c)
	}
}
