package figure

import (
	"image"
	"image/color"
	"math"
)

// drawn is what Pan has drawn: the picture it is in, what it shows and from where.
type drawn struct {
	pix    *byte
	w, h   int
	im     *Image
	table  *Table
	rev    [2]int // of the image and of the table
	ground color.RGBA
	view   View
	at     [2]int // picture pixels, right and down, that it has been moved since view
}

// wholePixel is how far from whole pixels a move may be.
const wholePixel = 1. / 1024

// Pan draws what Render draws, into a picture that still holds what the last Pan drew. If
// nothing but the view has changed, and that by whole pixels of the picture, what stays in
// sight is moved, and only what comes into sight is worked out. Moves are counted from the
// last picture that was worked out as a whole, so their rounding (at most 1/1024 of a pixel)
// does not add up.
func (r *Renderer) Pan(dst *image.RGBA, im *Image, v View, t *Table, ground color.RGBA) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	if w < 1 || h < 1 {
		return
	}
	now := drawn{pix: &dst.Pix[0], w: w, h: h, im: im, table: t, ground: ground, view: v}
	if im != nil {
		now.rev = [2]int{im.rev, t.changes}
	}
	at, ok := r.last.moved(now)
	dx, dy := at[0]-r.last.at[0], at[1]-r.last.at[1]
	if !ok || max(dx, -dx) >= w || max(dy, -dy) >= h {
		r.Render(dst, im, v, t, ground)
		r.last = now
		return
	}
	shift(dst, dx, dy)
	strip := func(x0, y0, x1, y1 int) {
		if x0 < x1 && y0 < y1 {
			x, y := v.Image(w, h, float64(x0+x1)/2, float64(y0+y1)/2)
			part := dst.SubImage(image.Rect(x0, y0, x1, y1).Add(dst.Rect.Min)).(*image.RGBA)
			r.render(part, im, View{X: x, Y: y, Zoom: v.Zoom, Turn: v.Turn}, t, ground)
		}
	}
	top, bottom := max(0, dy), h+min(0, dy)
	strip(0, 0, w, top)
	strip(0, bottom, w, h)
	strip(0, top, max(0, dx), bottom)
	strip(w+min(0, dx), top, w, bottom)
	r.last.at = at
}

// moved is by how many picture pixels, right and down, a picture of now lies from one of d's
// view; ok is false where it is not the same picture, moved by whole pixels.
func (d *drawn) moved(now drawn) (at [2]int, ok bool) {
	same := *d
	same.at, same.view = [2]int{}, now.view
	if same != now || d.im == nil || d.view.Zoom != now.view.Zoom || d.view.Turn != now.view.Turn {
		return at, false
	}
	x, y := d.view.Screen(0, 0, now.view.X, now.view.Y)
	if !(math.Abs(x)+math.Abs(y) < 1<<30) {
		return at, false
	}
	for k, s := range [2]float64{-x, -y} {
		whole := math.Round(s)
		if math.Abs(s-whole) > wholePixel {
			return at, false
		}
		at[k] = int(whole)
	}
	return at, true
}

// shift moves a picture right and down by less than its size.
func shift(dst *image.RGBA, dx, dy int) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	n := 4 * (w - max(dx, -dx))
	to, from := 4*max(0, dx), 4*max(0, -dx)
	y, end, step := max(0, dy), h+min(0, dy), 1
	if dy > 0 { // rows are read before they are written
		y, end, step = end-1, y-1, -1
	}
	for ; y != end; y += step {
		copy(dst.Pix[y*dst.Stride+to:][:n], dst.Pix[(y-dy)*dst.Stride+from:][:n])
	}
}
