package widget

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/app/figure"
)

// Histogram shows how often values occur (on a logarithmic axis) and the display
// limits as two handles to drag; what lies between them can be dragged as a whole.
// By keyboard: Tab to it, Space chooses the other handle, Left and Right move the
// chosen one by a hundredth of the width (with Shift: a tenth).
type Histogram struct {
	widget.BaseWidget
	// OnLimits is called while a limit moves and once more, with done true, when
	// it has been let go.
	OnLimits func(l figure.Limits, done bool)

	data    figure.Histogram
	limits  figure.Limits
	rev     int
	grip    grip
	chosen  grip // by keyboard
	focused bool
	hovered grip
}

type grip int

const (
	gripNone grip = iota
	gripLow
	gripHigh
	gripBoth
)

var (
	_ fyne.Draggable     = (*Histogram)(nil)
	_ fyne.Focusable     = (*Histogram)(nil)
	_ desktop.Mouseable  = (*Histogram)(nil)
	_ desktop.Hoverable  = (*Histogram)(nil)
	_ desktop.Cursorable = (*Histogram)(nil)
)

// NewHistogram makes an empty histogram.
func NewHistogram() *Histogram {
	h := &Histogram{chosen: gripHigh}
	h.ExtendBaseWidget(h)
	return h
}

// SetData sets the counts.
func (h *Histogram) SetData(d figure.Histogram) {
	h.data = d
	h.rev++
	h.Refresh()
}

// SetLimits moves the handles. It calls nobody.
func (h *Histogram) SetLimits(l figure.Limits) {
	if l != h.limits {
		h.limits = l
		h.rev++
		h.Refresh()
	}
}

// Limits is where the handles are.
func (h *Histogram) Limits() figure.Limits { return h.limits }

// at is where a value lies along the widget, 0 to 1.
func (h *Histogram) at(v float64) float64 {
	return min(1, max(0, (v-h.data.Lo)/(h.data.Hi-h.data.Lo)))
}

func (h *Histogram) empty() bool { return !(h.data.Hi > h.data.Lo) || len(h.data.Counts) == 0 }

// gripAt says what a press at x would take hold of.
func (h *Histogram) gripAt(x float32) grip {
	w := h.Size().Width
	if h.empty() || w < 1 {
		return gripNone
	}
	const reach = 7
	a, b := float32(h.at(h.limits.Lo))*w, float32(h.at(h.limits.Hi))*w
	da, db := abs(x-a), abs(x-b)
	switch {
	case da <= reach && da < db || x < a && da <= reach:
		return gripLow
	case db <= reach:
		return gripHigh
	case x > a && x < b:
		return gripBoth
	}
	return gripNone
}

// move shifts what grip holds by a number of values, keeping order and range.
func (h *Histogram) move(g grip, by float64) {
	l := h.limits
	least := (h.data.Hi - h.data.Lo) / 500
	switch g {
	case gripLow:
		l.Lo = min(max(l.Lo+by, h.data.Lo), l.Hi-least)
	case gripHigh:
		l.Hi = max(min(l.Hi+by, h.data.Hi), l.Lo+least)
	case gripBoth:
		by = min(max(by, h.data.Lo-l.Lo), max(0, h.data.Hi-l.Hi))
		l.Lo, l.Hi = l.Lo+by, l.Hi+by
	}
	if l != h.limits {
		h.SetLimits(l)
		if h.OnLimits != nil {
			h.OnLimits(l, false)
		}
	}
}

func (h *Histogram) done() {
	if h.OnLimits != nil {
		h.OnLimits(h.limits, true)
	}
}

// MouseDown takes hold of a handle.
func (h *Histogram) MouseDown(ev *desktop.MouseEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(h); c != nil {
		c.Focus(h)
	}
	if ev.Button != desktop.MouseButtonPrimary {
		return
	}
	h.grip = h.gripAt(ev.Position.X)
	if h.grip == gripLow || h.grip == gripHigh {
		h.chosen = h.grip
		h.Refresh()
	}
}

// MouseUp lets go.
func (h *Histogram) MouseUp(*desktop.MouseEvent) {}

// Dragged moves what is held.
func (h *Histogram) Dragged(ev *fyne.DragEvent) {
	if w := h.Size().Width; w > 0 && !h.empty() {
		h.move(h.grip, float64(ev.Dragged.DX/w)*(h.data.Hi-h.data.Lo))
	}
}

// DragEnd lets go.
func (h *Histogram) DragEnd() {
	if h.grip != gripNone {
		h.done()
	}
	h.grip = gripNone
}

// MouseIn follows the mouse, for its cursor.
func (h *Histogram) MouseIn(ev *desktop.MouseEvent) { h.MouseMoved(ev) }

// MouseMoved follows the mouse, for its cursor.
func (h *Histogram) MouseMoved(ev *desktop.MouseEvent) { h.hovered = h.gripAt(ev.Position.X) }

// MouseOut forgets the mouse.
func (h *Histogram) MouseOut() { h.hovered = gripNone }

// Cursor says what can be dragged.
func (h *Histogram) Cursor() desktop.Cursor {
	switch h.hovered {
	case gripLow, gripHigh:
		return desktop.HResizeCursor
	case gripBoth:
		return desktop.PointerCursor
	}
	return desktop.DefaultCursor
}

// FocusGained shows where keys go.
func (h *Histogram) FocusGained() { h.focused = true; h.Refresh() }

// FocusLost hides it.
func (h *Histogram) FocusLost() { h.focused = false; h.Refresh() }

// TypedRune chooses the other handle on Space.
func (h *Histogram) TypedRune(r rune) {
	if r == ' ' {
		h.chosen = gripLow + gripHigh - h.chosen
		h.Refresh()
	}
}

// TypedKey moves the chosen handle.
func (h *Histogram) TypedKey(ev *fyne.KeyEvent) {
	if h.empty() {
		return
	}
	step := (h.data.Hi - h.data.Lo) / 100
	if d, ok := fyne.CurrentApp().Driver().(desktop.Driver); ok && d.CurrentKeyModifiers()&fyne.KeyModifierShift != 0 {
		step *= 10
	}
	switch ev.Name {
	case fyne.KeyLeft:
		h.move(h.chosen, -step)
		h.done()
	case fyne.KeyRight:
		h.move(h.chosen, step)
		h.done()
	}
}

// CreateRenderer is called by Fyne.
func (h *Histogram) CreateRenderer() fyne.WidgetRenderer {
	h.ExtendBaseWidget(h)
	r := &histogramRenderer{h: h}
	r.raster = canvas.NewRaster(r.generate)
	r.raster.ScaleMode = canvas.ImageScalePixels
	for i := range r.handles {
		r.handles[i] = canvas.NewRectangle(color.White)
		r.handles[i].CornerRadius = 2
	}
	r.Refresh()
	return r
}

type histogramRenderer struct {
	h       *Histogram
	raster  *canvas.Raster
	handles [2]*canvas.Rectangle
	pic     *image.RGBA
	drawn   histogramFrame
}

type histogramFrame struct {
	rev                  int
	inside, outside, bed color.RGBA
}

func (r *histogramRenderer) Destroy() {}

func (r *histogramRenderer) MinSize() fyne.Size { return fyne.NewSize(120, 44) }

func (r *histogramRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.raster, r.handles[0], r.handles[1]}
}

func (r *histogramRenderer) frame() histogramFrame {
	at := func(n fyne.ThemeColorName) color.RGBA { return rgba(theme.ColorForWidget(n, r.h)) }
	return histogramFrame{r.h.rev, at(theme.ColorNamePrimary), at(theme.ColorNameDisabled), at(theme.ColorNameInputBackground)}
}

// generate draws the counts: log(1 + count), so that a single star can be seen
// beside a million pixels of sky.
func (r *histogramRenderer) generate(w, h int) image.Image {
	w, h = max(1, w), max(1, h)
	f := r.frame()
	if r.pic != nil && r.pic.Rect.Dx() == w && r.pic.Rect.Dy() == h && f == r.drawn {
		return r.pic
	}
	if r.pic == nil || r.pic.Rect.Dx() != w || r.pic.Rect.Dy() != h {
		r.pic = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	r.drawn = f
	d := r.h.data
	a, b := r.h.at(r.h.limits.Lo), r.h.at(r.h.limits.Hi)
	top := math.Log1p(float64(d.Peak()))
	for x := range w {
		t := (float64(x) + 0.5) / float64(w)
		height := 0
		if !r.h.empty() && top > 0 {
			n := len(d.Counts)
			// The tallest of the bins under this column.
			lo, hi := x*n/w, max(x*n/w+1, (x+1)*n/w)
			peak := 0
			for _, c := range d.Counts[lo:min(hi, n)] {
				peak = max(peak, c)
			}
			height = int(math.Log1p(float64(peak))/top*float64(h-2) + 0.5)
		}
		bar := f.outside
		if t >= a && t <= b {
			bar = f.inside
		}
		for y := range h {
			c := f.bed
			if y >= h-height {
				c = bar
			}
			r.pic.SetRGBA(x, y, c)
		}
	}
	return r.pic
}

func (r *histogramRenderer) Layout(size fyne.Size) {
	r.raster.Resize(size)
	at := [2]float64{r.h.at(r.h.limits.Lo), r.h.at(r.h.limits.Hi)}
	for i, l := range r.handles {
		width := float32(3)
		if r.h.focused && r.h.chosen == gripLow+grip(i) {
			width = 5
		}
		l.Resize(fyne.NewSize(width, size.Height))
		l.Move(fyne.NewPos(min(max(0, float32(at[i])*size.Width-width/2), size.Width-width), 0))
		l.Hidden = r.h.empty()
	}
}

func (r *histogramRenderer) Refresh() {
	for i, l := range r.handles {
		l.FillColor = theme.ColorForWidget(theme.ColorNameForeground, r.h)
		if r.h.focused && r.h.chosen == gripLow+grip(i) {
			l.FillColor = theme.ColorForWidget(theme.ColorNameWarning, r.h)
		}
		l.Refresh()
	}
	r.Layout(r.h.Size())
	if r.frame() != r.drawn {
		r.raster.Refresh()
	}
	canvas.Refresh(r.h)
}

func abs(v float32) float32 { return float32(math.Abs(float64(v))) }
