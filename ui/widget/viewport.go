// Package widget holds the parts of the window that Fyne does not have: the image
// pane, colour bar, histogram, progress bar, and the theme they are drawn in.
//
// Everything here belongs to the main goroutine: call it from event handlers or
// inside fyne.Do. Nothing here starts a goroutine, reads a file or knows about
// observations; images come as figure.Image, coordinates through small interfaces.
package widget

import (
	"math"

	"limpid/app/figure"
)

// Bounds of the zoom, in screen pixels per image pixel.
const (
	minZoom = 1.0 / 512
	maxZoom = 256.0
)

// Viewport is what linked panes have in common: where they look and where the
// cursor is, in the pixels of a reference image. A new one shows all of the
// reference and keeps doing so when panes change size, until someone zooms or
// pans.
type Viewport struct {
	w, h   int
	turn   figure.Transform
	fitted bool
	x, y   float64
	zoom   float64
	cursor cursor
	panes  []*ImageView
	// OnChange is called after the view changed (not for the cursor).
	OnChange func()
}

type cursor struct {
	on   bool
	x, y float64
	from *ImageView
}

// NewViewport makes a viewport without a reference.
func NewViewport() *Viewport { return &Viewport{fitted: true, zoom: 1} }

// SetReference sets the size of the reference image in pixels and how it is
// turned. A new size shows all of it; the same size keeps the view.
func (p *Viewport) SetReference(w, h int, turn figure.Transform) {
	if p.w == w && p.h == h && p.turn == turn {
		return
	}
	if p.w != w || p.h != h {
		p.fitted = true
		p.cursor = cursor{}
	}
	p.w, p.h, p.turn = w, h, turn
	p.changed()
}

// Reference is the size given to SetReference.
func (p *Viewport) Reference() (w, h int) { return p.w, p.h }

// Turn is how pictures are turned.
func (p *Viewport) Turn() figure.Transform { return p.turn }

// SetTurn turns the pictures, keeping what is at their middle.
func (p *Viewport) SetTurn(t figure.Transform) { p.SetReference(p.w, p.h, t) }

// Fit shows all of the reference.
func (p *Viewport) Fit() {
	if !p.fitted {
		p.fitted = true
		p.changed()
	}
}

// Fitted reports whether all of the reference is shown in panes of any size.
func (p *Viewport) Fitted() bool { return p.fitted }

// Zoom is the zoom in screen pixels per reference pixel, as the first pane that
// is on screen shows it.
func (p *Viewport) Zoom() float64 {
	if !p.fitted {
		return p.zoom
	}
	for _, v := range p.panes {
		if v.w > 0 && v.h > 0 && v.Visible() {
			return p.view(v.w, v.h).Zoom
		}
	}
	return p.zoom
}

// SetView looks at reference pixel (x, y) with a zoom.
func (p *Viewport) SetView(x, y, zoom float64) {
	if math.IsNaN(x+y+zoom) || math.IsInf(x+y, 0) {
		return
	}
	zoom = min(maxZoom, max(minZoom, zoom))
	if p.w > 0 && p.h > 0 { // keep some of the image in sight
		x = min(max(x, -0.5), float64(p.w)-0.5)
		y = min(max(y, -0.5), float64(p.h)-0.5)
	}
	if !p.fitted && p.x == x && p.y == y && p.zoom == zoom {
		return
	}
	p.fitted, p.x, p.y, p.zoom = false, x, y, zoom
	p.changed()
}

// view is the reference's view in a picture of w × h pixels.
func (p *Viewport) view(w, h int) figure.View {
	if p.fitted {
		if p.w == 0 || p.h == 0 {
			return figure.View{Zoom: 1, Turn: p.turn}
		}
		return figure.Fit(p.w, p.h, w, h, p.turn)
	}
	return figure.View{X: p.x, Y: p.y, Zoom: p.zoom, Turn: p.turn}
}

// zoomAt changes the zoom of a pane of w × h pixels by a factor, keeping what is
// under (sx, sy) where it is. Crossing a zoom of 1 stops there.
func (p *Viewport) zoomAt(w, h int, sx, sy, factor float64) {
	v := p.view(w, h)
	zoom := min(maxZoom, max(minZoom, v.Zoom*factor))
	if (v.Zoom-1)*(zoom-1) < 0 {
		zoom = 1
	}
	x, y := v.Image(w, h, sx, sy)
	dx, dy := v.Turn.Undo((sx-float64(w)/2)/zoom, (float64(h)/2-sy)/zoom)
	p.SetView(x-dx, y-dy, zoom)
}

// pan moves the picture of a pane of w × h pixels by (dx, dy) screen pixels.
func (p *Viewport) pan(w, h int, dx, dy float64) {
	v := p.view(w, h)
	ix, iy := v.Turn.Undo(dx/v.Zoom, -dy/v.Zoom)
	p.SetView(v.X-ix, v.Y-iy, v.Zoom)
}

// Cursor is the reference pixel under the cursor; ok is false when it is nowhere.
func (p *Viewport) Cursor() (x, y float64, ok bool) {
	return p.cursor.x, p.cursor.y, p.cursor.on
}

// SetCursor puts the cursor (the crosshair of every pane) at a reference pixel.
func (p *Viewport) SetCursor(x, y float64) { p.setCursor(cursor{on: true, x: x, y: y}) }

// HideCursor takes the crosshair away.
func (p *Viewport) HideCursor() { p.setCursor(cursor{}) }

func (p *Viewport) setCursor(c cursor) {
	if p.cursor == c {
		return
	}
	p.cursor = c
	for _, v := range p.panes {
		v.placeCrosshair()
	}
}

func (p *Viewport) changed() {
	for _, v := range p.panes {
		v.update()
	}
	if p.OnChange != nil {
		p.OnChange()
	}
}

func (p *Viewport) join(v *ImageView) { p.panes = append(p.panes, v) }

func (p *Viewport) leave(v *ImageView) {
	for i, w := range p.panes {
		if w == v {
			p.panes = append(p.panes[:i], p.panes[i+1:]...)
			return
		}
	}
}

// Link maps between the pixels of a viewport's reference image and those of a
// pane that shows another image of the same sky. ok is false where there is no
// counterpart.
type Link interface {
	ToPane(x, y float64) (px, py float64, ok bool)
	FromPane(px, py float64) (x, y float64, ok bool)
}

// Affine is a Link: pane = M·reference + offset, for instance a cutout
// ({1, 0, 0, 1, −x0, −y0}) or an image of twice the resolution.
type Affine struct{ XX, XY, YX, YY, X0, Y0 float64 }

// ToPane is M·(x, y) + offset.
func (a Affine) ToPane(x, y float64) (px, py float64, ok bool) {
	return a.XX*x + a.XY*y + a.X0, a.YX*x + a.YY*y + a.Y0, true
}

// FromPane inverts ToPane; ok is false for a matrix without an inverse.
func (a Affine) FromPane(px, py float64) (x, y float64, ok bool) {
	det := a.XX*a.YY - a.XY*a.YX
	if det == 0 {
		return 0, 0, false
	}
	px, py = px-a.X0, py-a.Y0
	return (a.YY*px - a.XY*py) / det, (a.XX*py - a.YX*px) / det, true
}

// Projection is a sky with both directions, in degrees.
type Projection interface {
	figure.Sky
	SkyToPixel(lon, lat float64) (x, y float64, ok bool)
}

// SkyLink is a Link through the sky that both images know.
type SkyLink struct{ Reference, Pane Projection }

// ToPane goes from the reference's pixels over the sky to the pane's.
func (s SkyLink) ToPane(x, y float64) (px, py float64, ok bool) {
	return overSky(s.Reference, s.Pane, x, y)
}

// FromPane goes the other way.
func (s SkyLink) FromPane(px, py float64) (x, y float64, ok bool) {
	return overSky(s.Pane, s.Reference, px, py)
}

func overSky(from, to Projection, x, y float64) (float64, float64, bool) {
	lon, lat, ok := from.PixelToSky(x, y)
	if !ok {
		return 0, 0, false
	}
	return to.SkyToPixel(lon, lat)
}

// linked is the pane's view that corresponds to the reference's: the same middle,
// the same scale on the sky, and of the eight turns the one closest to it (a
// rotation by another angle remains). ok is false without a counterpart there.
func linked(l Link, v figure.View) (figure.View, bool) {
	if l == nil {
		return v, true
	}
	x, y, ok := l.ToPane(v.X, v.Y)
	const step = 0.5
	ax, ay, ok1 := l.ToPane(v.X+step, v.Y)
	bx, by, ok2 := l.ToPane(v.X, v.Y+step)
	if !ok || !ok1 || !ok2 {
		return v, false
	}
	jxx, jyx := (ax-x)/step, (ay-y)/step
	jxy, jyy := (bx-x)/step, (by-y)/step
	det := math.Abs(jxx*jyy - jxy*jyx)
	if !(det > 0) || math.IsInf(det, 0) {
		return v, false
	}
	r1, u1 := v.Turn.Apply(1, 0)
	r2, u2 := v.Turn.Apply(0, 1)
	best, score := v.Turn, math.Inf(-1)
	for _, t := range figure.Transforms() {
		a, b := t.Apply(jxx, jyx)
		c, d := t.Apply(jxy, jyy)
		if s := a*r1 + b*u1 + c*r2 + d*u2; s > score+1e-9*math.Sqrt(det) {
			best, score = t, s
		}
	}
	return figure.View{X: x, Y: y, Zoom: v.Zoom / math.Sqrt(det), Turn: best}, true
}
