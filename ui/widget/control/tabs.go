package control

import (
	"image/color"
	"slices"

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
	// Shrinks lets the row be narrower than its names: they stand closer then, and those that
	// have no room are in a menu at its end.
	Shrinks bool

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
	tabPadX     = 11
	tabPadLeast = 5
	tabPadY     = 6
	tabMore     = 26 // width of the button of the menu
)

func (t *Tabs) textSize() float32 { return theme.SizeForWidget(theme.SizeNameText, t) }

// widths are those of the names, and their sum.
func (t *Tabs) widths() (each []float32, sum float32) {
	each = make([]float32, len(t.names))
	for i, n := range t.names {
		each[i] = fyne.MeasureText(n, t.textSize(), fyne.TextStyle{}).Width
		sum += each[i]
	}
	return each, sum
}

// tabSpan is where a name stands: its part of the row, without a width where it has no room.
type tabSpan struct{ x, w, pad float32 }

// spans places the names in a row of a width; more is where the menu's button begins, below 0
// where all have room.
func (t *Tabs) spans(width float32) (out []tabSpan, more float32) {
	each, sum := t.widths()
	out = make([]tabSpan, len(each))
	pad := float32(tabPadX)
	if n := float32(len(each)); t.Shrinks && width > 0 && n > 0 {
		pad = max(tabPadLeast, min(pad, (width-sum)/(2*n)))
	}
	first, last, more := 0, len(each), float32(-1)
	if t.Shrinks && width > 0 && sum+2*pad*float32(len(each)) > width+0.5 {
		more = width - tabMore
		used := float32(0)
		for last = 0; last < len(each) && (used+each[last]+2*pad <= more || last <= t.chosen); last++ {
			for used += each[last] + 2*pad; used > more && first < last; first++ {
				used -= each[first] + 2*pad
			}
		}
	}
	x := float32(0)
	for i := first; i < last; i++ {
		out[i] = tabSpan{x, each[i] + 2*pad, pad}
		x += out[i].w
	}
	return out, more
}

// at is the name at a place of the row, their number on the menu's button, −1 nowhere.
func (t *Tabs) at(x float32) int {
	spans, more := t.spans(t.Size().Width)
	if more >= 0 && x >= more {
		return len(t.names)
	}
	for i, s := range spans {
		if x >= s.x && x < s.x+s.w {
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

// Tapped chooses the name under the mouse, or opens the menu of all.
func (t *Tabs) Tapped(ev *fyne.PointEvent) {
	i := t.at(ev.Position.X)
	if i < len(t.names) {
		t.choose(i)
		return
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(t); c != nil {
		widget.ShowPopUpMenuAtRelativePosition(t.all(), c, fyne.NewPos(t.Size().Width-tabMore, t.Size().Height), t)
	}
}

// all is the menu of the names.
func (t *Tabs) all() *fyne.Menu {
	m := fyne.NewMenu("")
	for i, n := range t.names {
		item := fyne.NewMenuItem(n, func() { t.choose(i) })
		item.Checked = i == t.chosen
		m.Items = append(m.Items, item)
	}
	return m
}

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
	r := &tabsRenderer{t: t, more: canvas.NewText("…", color.White), line: canvas.NewRectangle(color.Transparent), plate: canvas.NewRectangle(color.Transparent), ring: canvas.NewRectangle(color.Transparent)}
	r.ring.StrokeWidth, r.ring.CornerRadius, r.plate.CornerRadius = 1, 4, 4
	r.Refresh()
	return r
}

type tabsRenderer struct {
	t                 *Tabs
	texts             []*canvas.Text
	more              *canvas.Text
	line, plate, ring *canvas.Rectangle
}

func (r *tabsRenderer) Destroy() {}

func (r *tabsRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.plate, r.line, r.ring, r.more}
	for _, x := range r.texts {
		out = append(out, x)
	}
	return out
}

func (r *tabsRenderer) MinSize() fyne.Size {
	each, sum := r.t.widths()
	w := sum + 2*tabPadX*float32(len(each))
	if r.t.Shrinks && len(each) > 0 {
		w = min(w, slices.Max(each)+2*tabPadLeast+tabMore)
	}
	return fyne.NewSize(w, fyne.MeasureText("Ag", r.t.textSize(), fyne.TextStyle{}).Height+2*tabPadY)
}

func (r *tabsRenderer) Layout(size fyne.Size) {
	r.plate.Hidden, r.line.Hidden = true, true
	r.ring.Resize(size)
	spans, more := r.t.spans(size.Width)
	hover := func(x, w float32) {
		r.plate.Move(fyne.NewPos(x+2, 3))
		r.plate.Resize(fyne.NewSize(w-4, size.Height-6))
		r.plate.Hidden = false
	}
	for i, text := range r.texts {
		s := spans[i]
		text.Hidden = s.w == 0
		text.Move(fyne.NewPos(s.x+s.pad, (size.Height-text.MinSize().Height)/2))
		text.Resize(text.MinSize())
		if i == r.t.chosen {
			r.line.Move(fyne.NewPos(s.x+s.pad-2, size.Height-3))
			r.line.Resize(fyne.NewSize(s.w-2*s.pad+4, 2))
			r.line.Hidden = false
		}
		if i == r.t.hovered && i != r.t.chosen {
			hover(s.x, s.w)
		}
	}
	r.more.Hidden = more < 0
	if !r.more.Hidden {
		m := r.more.MinSize()
		r.more.Move(fyne.NewPos(more+(tabMore-m.Width)/2, (size.Height-m.Height)/2))
		r.more.Resize(m)
		if r.t.hovered == len(r.t.names) {
			hover(more, tabMore)
		}
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
	r.more.Color, r.more.TextSize = at(theme.ColorNamePlaceHolder), r.t.textSize()
	r.line.FillColor, r.plate.FillColor = at(theme.ColorNamePrimary), at(theme.ColorNameHover)
	r.ring.StrokeColor = color.Transparent
	if r.t.focused {
		r.ring.StrokeColor = at(theme.ColorNamePrimary)
	}
	r.Layout(r.t.Size())
	canvas.Refresh(r.t)
}
