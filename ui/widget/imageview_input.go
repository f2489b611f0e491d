package widget

import (
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"limpid/app/figure"
)

var (
	_ desktop.Mouseable  = (*ImageView)(nil)
	_ desktop.Hoverable  = (*ImageView)(nil)
	_ desktop.Cursorable = (*ImageView)(nil)
	_ fyne.Draggable     = (*ImageView)(nil)
	_ fyne.Scrollable    = (*ImageView)(nil)
	_ fyne.Focusable     = (*ImageView)(nil)
	_ fyne.Shortcutable  = (*ImageView)(nil)
)

// dragThreshold is how far the mouse may slip during a click, in Fyne units.
const dragThreshold = 3

// Scrolled zooms at the cursor. A notch of a wheel is 25 units: a quarter octave.
func (v *ImageView) Scrolled(ev *fyne.ScrollEvent) {
	if v.im == nil || v.w == 0 {
		return
	}
	k := v.scale()
	factor := math.Exp2(float64(ev.Scrolled.DY) / 100)
	v.port.zoomAt(v.w, v.h, float64(ev.Position.X)*k, float64(ev.Position.Y)*k, factor)
	v.hover(ev.Position)
}

// MouseDown takes the focus and remembers where a click or drag begins.
func (v *ImageView) MouseDown(ev *desktop.MouseEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(v); c != nil {
		c.Focus(v)
	}
	v.press = press{button: int(ev.Button), at: ev.Position, tracked: ev.Position, style: v.Style()}
	if v.Grab != nil && v.im != nil && v.w > 0 && ev.Button == desktop.MouseButtonPrimary {
		x, y, unit := v.placeAt(ev.Position)
		v.press.grabbed = v.Grab.Press(x, y, unit)
	}
}

// placeAt is a position in the pixels of the pane's image, and how many of them a
// Fyne unit is.
func (v *ImageView) placeAt(pos fyne.Position) (x, y, unit float64) {
	k := v.scale()
	view, _ := v.view()
	x, y = view.Image(v.w, v.h, float64(pos.X)*k, float64(pos.Y)*k)
	return x, y, k / view.Zoom
}

// MouseUp ends a drag, or makes a click of it.
func (v *ImageView) MouseUp(ev *desktop.MouseEvent) {
	p := v.press
	v.press = press{}
	if p.grabbed {
		x, y, _ := v.placeAt(ev.Position)
		v.Grab.Release(x, y)
		return
	}
	if p.button == int(ev.Button) && !p.moved && v.OnTapped != nil {
		v.OnTapped(v.hoverAt(ev.Position), ev.Button == desktop.MouseButtonSecondary, ev.AbsolutePosition)
	}
}

// Dragged pans. (Fyne reports drags of the right button as moves.)
func (v *ImageView) Dragged(ev *fyne.DragEvent) {
	v.press.moved = true
	if v.im == nil || v.w == 0 {
		return
	}
	if v.press.grabbed {
		x, y, _ := v.placeAt(ev.Position)
		v.Grab.Drag(x, y)
		v.hover(ev.Position)
		return
	}
	k := v.scale()
	v.port.pan(v.w, v.h, float64(ev.Dragged.DX)*k, float64(ev.Dragged.DY)*k)
	v.hover(ev.Position)
}

// DragEnd does nothing: every move has been followed.
func (v *ImageView) DragEnd() {}

// MouseIn reads the image under the cursor.
func (v *ImageView) MouseIn(ev *desktop.MouseEvent) { v.MouseMoved(ev) }

// MouseMoved reads the image under the cursor; with the right button held it
// changes contrast (up and down) and bias (left and right).
func (v *ImageView) MouseMoved(ev *desktop.MouseEvent) {
	right := int(desktop.MouseButtonSecondary)
	if v.press.button == right && ev.Button&desktop.MouseButtonSecondary != 0 {
		d := ev.Position.Subtract(v.press.at)
		if v.press.moved || math.Hypot(float64(d.X), float64(d.Y)) > dragThreshold {
			v.press.moved = true
			v.adjust(float64(d.X), float64(d.Y))
		}
	} else if v.press.button == right {
		v.press = press{} // released outside
	}
	v.hover(ev.Position)
}

// MouseOut forgets the cursor.
func (v *ImageView) MouseOut() {
	if v.port.cursor.from == v {
		v.port.HideCursor()
	}
	if v.OnHover != nil {
		v.OnHover(Hover{Value: float32(math.NaN())})
	}
}

// Cursor is a crosshair over an image.
func (v *ImageView) Cursor() desktop.Cursor {
	if v.im == nil {
		return desktop.DefaultCursor
	}
	return desktop.CrosshairCursor
}

// adjust is a right-drag by (dx, dy) since the button went down: the pane's width
// is the whole range of the bias, a third of its height a factor e of contrast.
func (v *ImageView) adjust(dx, dy float64) {
	s := v.press.style
	size := v.Size()
	if size.Width < 1 || size.Height < 1 || v.im == nil {
		return
	}
	s.Bias = min(1.5, max(-0.5, s.Bias-dx/float64(size.Width)))
	s.Contrast = min(50, max(0.05, s.Contrast*math.Exp(-3*dy/float64(size.Height))))
	v.style.Bias, v.style.Contrast = s.Bias, s.Contrast
	v.restyle()
	v.update()
	if v.OnStyle != nil {
		v.OnStyle(v.Style())
	}
}

// ResetContrast undoes the right-drag.
func (v *ImageView) ResetContrast() {
	v.style.Bias, v.style.Contrast = 0, 0
	v.restyle()
	v.update()
	if v.OnStyle != nil {
		v.OnStyle(v.Style())
	}
}

// hover reads the image at a position and moves the crosshair of every pane there.
func (v *ImageView) hover(pos fyne.Position) {
	if v.im == nil || v.w == 0 {
		return
	}
	h := v.hoverAt(pos)
	if x, y, ok := v.toReference(h.X, h.Y); ok && h.Inside {
		v.port.setCursor(cursor{on: true, x: x, y: y, from: v})
	} else {
		v.port.HideCursor()
	}
	if v.OnHover != nil {
		v.OnHover(h)
	}
}

// FocusGained and FocusLost show and hide the frame that says where keys go.
func (v *ImageView) FocusGained() { v.setFocus(true) }

// FocusLost hides the focus frame.
func (v *ImageView) FocusLost() { v.setFocus(false) }

func (v *ImageView) setFocus(on bool) {
	v.focused = on
	v.refreshParts()
}

// TypedKey handles the keys without a character: the arrows move the cursor by
// one pixel of the image, Home puts it to the middle, PageUp and PageDown zoom.
func (v *ImageView) TypedKey(ev *fyne.KeyEvent) {
	if v.im == nil || v.w == 0 {
		v.pass(ev)
		return
	}
	switch ev.Name {
	case fyne.KeyLeft:
		v.step(-1, 0)
	case fyne.KeyRight:
		v.step(1, 0)
	case fyne.KeyUp:
		v.step(0, 1)
	case fyne.KeyDown:
		v.step(0, -1)
	case fyne.KeyHome:
		v.step(0, 0)
	case fyne.KeyPageUp:
		v.ZoomBy(1)
	case fyne.KeyPageDown:
		v.ZoomBy(-1)
	default:
		v.pass(ev)
	}
}

func (v *ImageView) pass(ev *fyne.KeyEvent) {
	if v.OnKey != nil {
		v.OnKey(ev)
	}
}

// TypedRune handles + and − (zoom by two), 1 (one screen pixel per image pixel),
// f (all of the image), z (zscale limits) and 0 (contrast and bias as they were).
func (v *ImageView) TypedRune(r rune) {
	if v.im != nil && v.w > 0 {
		switch r {
		case '+', '=':
			v.ZoomBy(1)
			return
		case '-', '_':
			v.ZoomBy(-1)
			return
		case '1':
			v.ZoomOne()
			return
		case 'f', 'F':
			v.port.Fit()
			return
		case 'z', 'Z':
			v.AutoLimits(figure.Range{Kind: figure.ZScale})
			if v.OnStyle != nil {
				v.OnStyle(v.Style())
			}
			return
		case '0':
			v.ResetContrast()
			return
		}
	}
	if v.OnRune != nil {
		v.OnRune(r)
	}
}

// TypedShortcut hands shortcuts on.
func (v *ImageView) TypedShortcut(s fyne.Shortcut) {
	if v.OnShortcut != nil {
		v.OnShortcut(s)
	}
}

// ZoomBy zooms to the next power of two up (1) or down (−1), about the cursor if
// it is in sight, else about the middle.
func (v *ImageView) ZoomBy(octaves int) {
	if v.w == 0 {
		return
	}
	zoom := v.port.view(v.w, v.h).Zoom
	e := math.Log2(zoom)
	const near = 1e-6
	next := math.Ceil(e - 1 - near)
	if octaves > 0 {
		next = math.Floor(e + 1 + near)
	}
	v.zoomAbout(math.Exp2(next) / zoom)
}

// ZoomOne makes an image pixel a screen pixel.
func (v *ImageView) ZoomOne() {
	if v.w > 0 {
		v.zoomAbout(1 / v.port.view(v.w, v.h).Zoom)
	}
}

func (v *ImageView) zoomAbout(factor float64) {
	sx, sy := float64(v.w)/2, float64(v.h)/2
	if x, y, ok := v.port.Cursor(); ok {
		cx, cy := v.port.view(v.w, v.h).Screen(v.w, v.h, x, y)
		if cx >= 0 && cy >= 0 && cx < float64(v.w) && cy < float64(v.h) {
			sx, sy = cx, cy
		}
	}
	v.port.zoomAt(v.w, v.h, sx, sy, factor)
}

// step moves the cursor by one pixel of the pane's image to the right and up on
// the screen; (0, 0) puts it to the middle of the view. The view follows.
func (v *ImageView) step(right, up float64) {
	view, ok := v.view()
	if !ok {
		return
	}
	x, y := math.Round(view.X), math.Round(view.Y)
	if cx, cy, on := v.port.Cursor(); on && (right != 0 || up != 0) {
		px, py, ok := cx, cy, true
		if v.link != nil {
			px, py, ok = v.link.ToPane(cx, cy)
		}
		if ok {
			dx, dy := view.Turn.Undo(right, up)
			x, y = math.Round(px)+dx, math.Round(py)+dy
		}
	}
	iw, ih := v.im.Size()
	x, y = min(max(x, 0), float64(iw-1)), min(max(y, 0), float64(ih-1))
	rx, ry, ok := v.toReference(x, y)
	if !ok {
		return
	}
	v.port.setCursor(cursor{on: true, x: rx, y: ry, from: v})
	v.follow(rx, ry)
	if v.OnHover != nil {
		v.OnHover(v.hoverPixel(x, y))
	}
}

// follow pans just far enough to keep a reference pixel in sight.
func (v *ImageView) follow(x, y float64) {
	rv := v.port.view(v.w, v.h)
	sx, sy := rv.Screen(v.w, v.h, x, y)
	edge := max(1, rv.Zoom)
	over := func(s, size float64) float64 {
		return max(0, edge-s) - max(0, s+edge-size)
	}
	dx, dy := over(sx, float64(v.w)), over(sy, float64(v.h))
	if (dx != 0 || dy != 0) && !v.port.fitted {
		v.port.pan(v.w, v.h, dx, dy)
	}
}
