package widget

import (
	"image"

	"limpid/app/figure"
)

// Grab is what takes a left drag instead of panning: drawing a region, moving the
// seam of a split. Places are pixels of the pane's image.
type Grab interface {
	// Press says whether the drag that begins here is its own; unit is image pixels
	// per Fyne unit.
	Press(x, y, unit float64) bool
	Drag(x, y float64)
	Release(x, y float64)
}

// ColourImage is three images of one size shown as red, green and blue.
type ColourImage struct {
	Bands  [3]*figure.Image
	Colour figure.Colour
}

// Split is a second image shown to the right of a seam.
type Split struct {
	Image *figure.Image
	Style figure.Style
	Link  Link    // from the viewport's reference; nil: the reference's own pixels
	At    float64 // of the pane's width, 0 to 1
}

// layers are what a pane shows beside its own image.
type layers struct {
	colour *ColourImage
	split  *Split
	table  figure.Table
	render figure.Renderer
	pic    *image.RGBA
}

// SetColour shows three bands in colour instead of the image, which stays the one
// that is read and has to have their size; nil shows the image.
func (v *ImageView) SetColour(c *ColourImage) {
	if c == nil && v.layers.colour == nil || c != nil && v.layers.colour != nil && *c == *v.layers.colour {
		return
	}
	v.layers.colour = c
	v.Invalidate()
}

// SetSplit shows another image beyond a seam; nil takes it away.
func (v *ImageView) SetSplit(s *Split) {
	old := v.layers.split
	if s == nil && old == nil || s != nil && old != nil && *s == *old {
		return
	}
	v.layers.split = s
	v.Invalidate()
}

// drawSplit draws what lies beyond the seam over the picture.
func (v *ImageView) drawSplit(want frame) {
	s := v.layers.split
	if s == nil || s.Image == nil || want.im == nil {
		return
	}
	view, ok := linked(s.Link, v.port.view(want.w, want.h))
	l := &v.layers
	l.table.Set(s.Style, s.Image)
	if l.pic == nil || l.pic.Rect != v.pic.Rect {
		l.pic = image.NewRGBA(v.pic.Rect)
	}
	im := s.Image
	if !ok {
		im = nil
	}
	l.render.Pan(l.pic, im, view, &l.table, want.ground)
	x := 4 * min(want.w, max(0, int(s.At*float64(want.w)+0.5)))
	for y := range want.h {
		row := y * v.pic.Stride
		copy(v.pic.Pix[row+x:row+4*want.w], l.pic.Pix[row+x:row+4*want.w])
	}
}

// SplitAt is where an image pixel lies along the pane's width, 0 to 1.
func (v *ImageView) SplitAt(x, y float64) float64 {
	view, _ := v.view()
	sx, _ := view.Screen(v.w, v.h, x, y)
	return sx / float64(max(1, v.w))
}
