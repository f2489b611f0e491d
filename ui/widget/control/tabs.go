package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/ui/widget/tr"
)

// Tabs is a row of names of which one is chosen: by click, or with the keyboard by
// Left and Right.
type Tabs struct {
	widget.BaseWidget
	OnSelect func(int)

	names   []string
	chosen  int
	hovered int
	focused bool
}

var (
	_ fyne.Focusable    = (*Tabs)(nil)
	_ fyne.Tappable     = (*Tabs)(nil)
	_ desktop.Hoverable = (*Tabs)(nil)
)

// NewTabs makes a row; f gets the number of the one that is chosen by the user.
func NewTabs(f func(int)) *Tabs {
	t := &Tabs{OnSelect: f, hovered: -1}
	t.ExtendBaseWidget(t)
	return t
}

// Set shows names and which of them is chosen (−1: none).
func (t *Tabs) Set(names []string, chosen int) {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = tr.T(n)
	}
	names = words
	same := chosen == t.chosen && len(names) == len(t.names)
	for i := 0; same && i < len(names); i++ {
		same = names[i] == t.names[i]
	}
	if !same {
		t.names, t.chosen = names, chosen
		t.Refresh()
	}
}

const (
	tabPadX = 11
	tabPadY = 6
)

func (t *Tabs) textSize() float32 { return theme.SizeForWidget(theme.SizeNameText, t) }

func (t *Tabs) widths() []float32 {
	out := make([]float32, len(t.names))
	for i, n := range t.names {
		out[i] = fyne.MeasureText(n, t.textSize(), fyne.TextStyle{}).Width + 2*tabPadX
	}
	return out
}

func (t *Tabs) at(x float32) int {
	for i, w := range t.widths() {
		if x -= w; x < 0 {
			return i
		}
	}
	return -1
}

func (t *Tabs) choose(i int) {
	if i >= 0 && i < len(t.names) && t.OnSelect != nil {
		t.OnSelect(i)
	}
}

// Tapped chooses the name under the mouse.
func (t *Tabs) Tapped(ev *fyne.PointEvent) { t.choose(t.at(ev.Position.X)) }

// MouseIn follows the mouse.
func (t *Tabs) MouseIn(ev *desktop.MouseEvent) { t.MouseMoved(ev) }

// MouseMoved follows the mouse.
func (t *Tabs) MouseMoved(ev *desktop.MouseEvent) {
	if i := t.at(ev.Position.X); i != t.hovered {
		t.hovered = i
		t.Refresh()
	}
}

// MouseOut forgets the mouse.
func (t *Tabs) MouseOut() {
	t.hovered = -1
	t.Refresh()
}

// FocusGained shows where keys go.
func (t *Tabs) FocusGained() { t.focused = true; t.Refresh() }

// FocusLost hides it.
func (t *Tabs) FocusLost() { t.focused = false; t.Refresh() }

// TypedRune passes letters on.
func (t *Tabs) TypedRune(r rune) { PassRune(t, r) }

// TypedKey chooses by Left and Right.
func (t *Tabs) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyLeft:
		t.choose(max(0, t.chosen-1))
	case fyne.KeyRight:
		t.choose(min(len(t.names)-1, t.chosen+1))
	default:
		Pass(t, ev)
	}
}

// CreateRenderer is called by Fyne.
func (t *Tabs) CreateRenderer() fyne.WidgetRenderer {
	t.ExtendBaseWidget(t)
	r := &tabsRenderer{t: t, line: canvas.NewRectangle(color.Transparent), plate: canvas.NewRectangle(color.Transparent), ring: canvas.NewRectangle(color.Transparent)}
	r.ring.StrokeWidth, r.ring.CornerRadius, r.plate.CornerRadius = 1, 4, 4
	r.Refresh()
	return r
}

type tabsRenderer struct {
	t                 *Tabs
	texts             []*canvas.Text
	line, plate, ring *canvas.Rectangle
}

func (r *tabsRenderer) Destroy() {}

func (r *tabsRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.plate, r.line, r.ring}
	for _, x := range r.texts {
		out = append(out, x)
	}
	return out
}

func (r *tabsRenderer) MinSize() fyne.Size {
	var w float32
	for _, v := range r.t.widths() {
		w += v
	}
	return fyne.NewSize(w, fyne.MeasureText("Ag", r.t.textSize(), fyne.TextStyle{}).Height+2*tabPadY)
}

func (r *tabsRenderer) Layout(size fyne.Size) {
	r.plate.Hidden, r.line.Hidden = true, true
	r.ring.Resize(size)
	x := float32(0)
	for i, w := range r.t.widths() {
		if i >= len(r.texts) {
			break
		}
		r.texts[i].Move(fyne.NewPos(x+tabPadX, (size.Height-r.texts[i].MinSize().Height)/2))
		r.texts[i].Resize(r.texts[i].MinSize())
		if i == r.t.chosen {
			r.line.Move(fyne.NewPos(x+tabPadX-2, size.Height-3))
			r.line.Resize(fyne.NewSize(w-2*tabPadX+4, 2))
			r.line.Hidden = false
		}
		if i == r.t.hovered && i != r.t.chosen {
			r.plate.Move(fyne.NewPos(x+2, 3))
			r.plate.Resize(fyne.NewSize(w-4, size.Height-6))
			r.plate.Hidden = false
		}
		x += w
	}
}

func (r *tabsRenderer) Refresh() {
	at := func(n fyne.ThemeColorName) color.Color { return theme.ColorForWidget(n, r.t) }
	for len(r.texts) < len(r.t.names) {
		r.texts = append(r.texts, canvas.NewText("", color.White))
	}
	r.texts = r.texts[:len(r.t.names)]
	for i, n := range r.t.names {
		c := at(theme.ColorNamePlaceHolder)
		if i == r.t.chosen || i == r.t.hovered {
			c = at(theme.ColorNameForeground)
		}
		r.texts[i].Text, r.texts[i].Color, r.texts[i].TextSize = n, c, r.t.textSize()
	}
	r.line.FillColor, r.plate.FillColor = at(theme.ColorNamePrimary), at(theme.ColorNameHover)
	r.ring.StrokeColor = color.Transparent
	if r.t.focused {
		r.ring.StrokeColor = at(theme.ColorNamePrimary)
	}
	r.Layout(r.t.Size())
	canvas.Refresh(r.t)
}
