package figure

import (
	"image"
	"image/color"
	"math"
)

// Colour says how three bands become one picture whose colours do not depend on
// brightness (Lupton et al. 2004, eq. 2 and 3): with I = (r+g+b)/3 of the bands
// above their black points, every channel is c·f(I)/I with
// f(I) = asinh(Q·I/range)/asinh(Q); a pixel whose brightest channel is above 1 is
// divided by it, which keeps its hue.
type Colour struct {
	Black   [3]float64 // value that is black, per channel
	Scale   [3]float64 // what a channel is multiplied by before anything else
	Range   float64    // intensity that becomes white
	Soften  float64    // Q; 0: 8
	NoValue color.RGBA // where a band has none; the zero value is dark grey
}

// AutoColour finds black points and scales in the bands (red first): black is the
// median, scales make the bright pixels of all bands alike, and white is their
// 99.7th percentile, or as far above the noise of the noisiest band that the sky stays
// dark; the softening is as strong as that noise allows.
func AutoColour(bands [3]*Image) Colour {
	c := Colour{Soften: 8}
	var top [3]float64
	for i, im := range bands {
		q := im.Quantiles(0.5, 0.997)
		c.Black[i], top[i] = q[0], q[1]-q[0]
		if !(top[i] > 0) {
			top[i] = 1
		}
	}
	c.Range = (top[0] + top[1] + top[2]) / 3
	noise := 0.0
	for i := range top {
		c.Scale[i] = c.Range / top[i]
		if _, s := bands[i].Robust(); s > 0 && !math.IsInf(s, 0) {
			noise = math.Max(noise, s*c.Scale[i])
		}
	}
	const deep, dark, least = 16, 0.12, 1 // white in units of the noise; brightness of 1 σ; Q
	c.Range = math.Max(c.Range, deep*noise)
	for c.Soften > least && math.Asinh(c.Soften*noise/c.Range)/math.Asinh(c.Soften) > dark {
		c.Soften--
	}
	return c
}

// At is the colour of three values.
func (c Colour) At(v [3]float32) color.RGBA {
	q := c.Soften
	if !(q > 0) {
		q = 8
	}
	var x [3]float64
	var sum float64
	for i := range x {
		x[i] = (float64(v[i]) - c.Black[i]) * c.Scale[i]
		sum += x[i]
	}
	if math.IsNaN(sum) {
		if c.NoValue == (color.RGBA{}) {
			return color.RGBA{0x30, 0x30, 0x34, 0xff}
		}
		return c.NoValue
	}
	mean := sum / 3
	if !(mean > 0) || !(c.Range > 0) {
		return color.RGBA{0, 0, 0, 0xff}
	}
	f := math.Asinh(q*mean/c.Range) / math.Asinh(q) / mean
	most := 1.0
	for i := range x {
		x[i] = math.Max(0, x[i]*f)
		most = math.Max(most, x[i])
	}
	out := func(x float64) uint8 { return uint8(255*x/most + 0.5) }
	return color.RGBA{out(x[0]), out(x[1]), out(x[2]), 0xff}
}

// RenderColour draws three images of one size as a colour picture, with the same
// geometry as Render.
func (r *Renderer) RenderColour(dst *image.RGBA, bands [3]*Image, v View, c Colour, ground color.RGBA) {
	r.last = drawn{}
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	fill(dst, pack(ground))
	if w < 1 || h < 1 || !(v.Zoom > 0) || math.IsNaN(v.X+v.Y) || math.IsInf(v.X+v.Y+v.Zoom, 0) {
		return
	}
	iw, ih := bands[0].Size()
	for _, b := range bands[1:] {
		if bw, bh := b.Size(); bw != iw || bh != ih {
			return
		}
	}
	level := 0
	if v.Zoom < 1 {
		level = min(int(math.Log2(1/v.Zoom)), len(bands[0].levels)-1)
	}
	p := bands[0].levels[level]
	xx, xy, yx, yy := v.Turn.matrix()
	swap := v.Turn.Swaps()
	n := h
	if swap {
		n = w
		r.along.set(h, iw, p.W, v.X, v.Zoom, -float64(yx), level)
		r.across.set(w, ih, p.H, v.Y, v.Zoom, float64(xy), level)
	} else {
		r.along.set(w, iw, p.W, v.X, v.Zoom, float64(xx), level)
		r.across.set(h, ih, p.H, v.Y, v.Zoom, -float64(yy), level)
	}
	lo, hi := r.along.lo, r.along.hi
	if lo >= hi {
		return
	}
	var rows [3][]float32
	for k := range rows {
		rows[k] = make([]float32, hi-lo)
	}
	for i := max(0, r.across.lo); i < min(n, r.across.hi); i++ {
		for k := range rows {
			copy(rows[k], r.row(bands[k].levels[level], i))
		}
		for j := range rows[0] {
			q := c.At([3]float32{rows[0][j], rows[1][j], rows[2][j]})
			x, y := lo+j, i
			if swap {
				x, y = i, lo+j
			}
			o := dst.Pix[y*dst.Stride+4*x:][:4]
			o[0], o[1], o[2], o[3] = q.R, q.G, q.B, 0xff
		}
	}
}

// Levels is how many reduced copies the image has, itself included.
func (im *Image) Levels() int { return len(im.levels) }

// Level is the image reduced k times by two: its pixel (i, j) covers the pixels
// from (2^k i, 2^k j) on. Level 0 is the plane itself.
func (im *Image) Level(k int) Plane { return im.levels[min(max(0, k), len(im.levels)-1)] }
