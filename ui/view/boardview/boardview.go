// Package boardview shows a board.Board: tabs, one or two linked panes, and the
// controls of how values become colours. It is the middle of the workspaces of mass
// maps and of blends.
package boardview

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"limpid/app/figure"
	"limpid/ui/view/scale"
	"limpid/ui/viewmodel/board"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// Options are what a View is made from.
type Options struct {
	Board *board.Board
	// Overlays are drawn over a layer, beside scale and compass.
	Overlays func(l *board.Layer) []widget.Overlay
	// Tapped is called for a click on a layer, at a pixel; unit is pixels per Fyne unit.
	Tapped func(l *board.Layer, x, y, unit float64)
	// Grab takes left drags where it wants to; nil: they pan.
	Grab widget.Grab
	// Key, Rune and Shortcut get what a pane does not use.
	Key      func(*fyne.KeyEvent)
	Rune     func(rune)
	Shortcut func(fyne.Shortcut)
	// Hover follows the cursor, View another zoom or place.
	Hover func(tile int, x, y float64, ok bool)
	View  func()
	// Above stands between tabs and panes; nil: nothing.
	Above fyne.CanvasObject
	// Empty says why there is no picture; nil: nothing is said.
	Empty func() string
	// Zoom1 is the least zoom of Look.
	Zoom1 float64
}

// View shows a board.
type View struct {
	o      Options
	b      *board.Board
	port   *widget.Viewport
	panes  [2]*widget.ImageView
	bars   [2]*widget.ColorBar
	sides  [2]*fyne.Container
	barBox [2]*fyne.Container
	tabs   *control.Tabs
	beside *control.Select
	tools  *scale.Tools
	keys   []string // of the tabs
	grid   [2]int
	box    *fyne.Container
	body   *fyne.Container
}

// New makes a view.
func New(o Options) *View {
	v := &View{o: o, b: o.Board, port: widget.NewViewport()}
	v.port.OnChange = func() {
		if o.View != nil {
			o.View()
		}
	}
	for i := range v.panes {
		v.panes[i] = v.newPane(i)
		v.bars[i] = widget.NewColorBar()
		v.barBox[i] = control.Inset(8, 5, 8, 1, v.bars[i])
		v.sides[i] = container.NewBorder(nil, v.barBox[i], nil, nil, v.panes[i])
	}
	v.tabs = control.NewTabs(func(i int) { v.b.Show(v.keys[i]) })
	v.tabs.Shrinks = true
	v.beside = control.NewSelect("a second picture beside the first", v.b.ShowBeside)
	v.tools = scale.New(scale.Actions{
		Look:   func(f func(*board.Look)) { v.act(func(l *board.Layer) { v.b.SetLook(l, f) }) },
		Rule:   func(s string) { v.act(func(l *board.Layer) { _ = v.b.SetRule(l, s) }) },
		Limits: func(x figure.Limits) { v.act(func(l *board.Layer) { v.b.SetLimits(l, x) }) },
		Type: func(lo, hi string) (err error) {
			v.act(func(l *board.Layer) { err = v.b.TypeLimits(l, lo, hi) })
			return err
		},
	})
	top := container.NewVBox(control.Inset(4, 2, 6, 2, control.NewRow(8, []float32{-1, 150}, v.tabs, v.beside)))
	if o.Above != nil {
		top.Add(o.Above)
	}
	v.body = container.New(halves{}, v.sides[0], v.sides[1])
	v.box = container.NewBorder(top, v.tools.Object(), nil, nil, v.body)
	v.Update()
	return v
}

// Object is what to put into the window.
func (v *View) Object() fyne.CanvasObject { return v.box }

func (v *View) newPane(i int) *widget.ImageView {
	p := widget.NewImageView(v.port)
	p.Grab = v.o.Grab
	p.OnHover = func(h widget.Hover) {
		if v.o.Hover != nil {
			v.o.Hover(i, h.X, h.Y, h.Inside)
		}
	}
	p.OnStyle = func(s figure.Style) {
		tiles := v.b.Tiles()
		switch {
		case i >= len(tiles):
		case s.Limits != v.b.Style(tiles[i]).Limits:
			_ = v.b.SetRule(tiles[i], string(figure.ZScale))
		default:
			v.b.SetLook(tiles[i], func(l *board.Look) { l.Contrast, l.Bias = s.Contrast, s.Bias })
		}
	}
	p.OnTapped = func(h widget.Hover, second bool, _ fyne.Position) {
		v.b.SetActive(i)
		if tiles := v.b.Tiles(); !second && h.Inside && i < len(tiles) && v.o.Tapped != nil {
			v.o.Tapped(tiles[i], h.X, h.Y, 1/max(1e-9, v.port.Zoom()))
		}
	}
	p.OnKey, p.OnRune, p.OnShortcut = v.o.Key, v.o.Rune, v.o.Shortcut
	return p
}

func (v *View) act(f func(*board.Layer)) {
	if tiles := v.b.Tiles(); len(tiles) > 0 {
		f(tiles[v.b.Active()])
	}
}

// Active is the pane that has the keys.
func (v *View) Active() *widget.ImageView { return v.panes[v.b.Active()] }

// Zoom is screen pixels per image pixel.
func (v *View) Zoom() float64 { return v.port.Zoom() }

// Look centres the panes on a pixel and marks it.
func (v *View) Look(x, y float64) {
	v.port.SetView(x, y, max(v.o.Zoom1, v.port.Zoom()))
	v.port.SetCursor(x, y)
}

// Update shows the board as it is now.
func (v *View) Update() {
	tiles := v.b.Tiles()
	v.showTabs()
	if len(tiles) > 0 {
		for _, t := range tiles {
			if t.Image == nil {
				continue
			}
			w, h := t.Image.Size()
			if [2]int{w, h} != v.grid {
				v.grid = [2]int{w, h}
				v.port.Fit()
			}
			v.port.SetReference(w, h, figure.Upright)
			break
		}
	}
	for i := range v.panes {
		if i >= len(tiles) {
			if i == 0 {
				v.panes[0].SetImage(nil)
				if v.o.Empty != nil {
					v.panes[0].SetMessage(v.o.Empty())
				}
				v.showBar(0, false)
				continue
			}
			v.sides[i].Hide()
			v.panes[i].Hide()
			continue
		}
		v.sides[i].Show()
		v.panes[i].Show()
		v.showTile(i, tiles[i])
	}
	v.body.Refresh()
	before := v.tools.Object().Visible()
	v.showTools(tiles)
	if before != v.tools.Object().Visible() {
		v.box.Refresh()
	}
}

func (v *View) showTabs() {
	var names []string
	v.keys = v.keys[:0]
	chosen := -1
	list := []control.Option{{Value: "", Label: "one picture"}}
	for _, l := range v.b.Layers() {
		if l.Key == v.b.Shown() {
			chosen = len(names)
		}
		names, v.keys = append(names, l.Name), append(v.keys, l.Key)
		list = append(list, control.Option{Value: l.Key, Label: "beside: " + l.Name})
	}
	v.tabs.Set(names, chosen)
	v.beside.Set(list, v.b.Beside())
	v.beside.Hidden = len(names) < 2
}

func (v *View) showTile(i int, l *board.Layer) {
	p := v.panes[i]
	p.SetTitle(l.Title)
	p.SetImage(l.Image)
	colour := l.Bands[0] != nil
	switch {
	case l.Image == nil:
		p.SetMessage(l.Message)
		p.SetColour(nil)
		v.showBar(i, false)
		return
	case colour:
		p.SetColour(&widget.ColourImage{Bands: l.Bands, Colour: l.Colour})
	default:
		p.SetColour(nil)
	}
	p.SetMessage("")
	p.SetStyle(v.b.Style(l))
	v.overlay(i, l)
	v.bars[i].Set(p.Style(), l.Image, l.Unit)
	v.showBar(i, !colour)
}

func (v *View) showBar(i int, on bool) {
	if v.barBox[i].Hidden == on {
		v.barBox[i].Hidden = !on
		v.sides[i].Refresh()
	}
}

func (v *View) overlay(i int, l *board.Layer) {
	var out []widget.Overlay
	if sky := v.b.Sky(); sky != nil {
		out = append(out, widget.SkyMarks{Sky: sky})
	}
	if v.o.Overlays != nil {
		out = append(out, v.o.Overlays(l)...)
	}
	v.panes[i].SetOverlays(out...)
}

// Redraw draws what is over the pictures again.
func (v *View) Redraw() {
	for i, l := range v.b.Tiles() {
		if l.Image != nil {
			v.overlay(i, l)
		}
	}
}

func (v *View) showTools(tiles []*board.Layer) {
	if len(tiles) == 0 {
		v.tools.Show(nil)
		return
	}
	l := tiles[v.b.Active()]
	if l.Image == nil || l.Bands[0] != nil {
		v.tools.Show(nil)
		return
	}
	v.tools.Show(&scale.State{Title: l.Title, Look: v.b.Look(l), Style: v.b.Style(l), Rule: v.b.Rule(l), Counts: v.b.Histogram(l), Of: l.Image})
}

// halves shows one object, or two side by side with a seam.
type halves struct{}

func (halves) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(200, 120) }

func (halves) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var shown []fyne.CanvasObject
	for _, o := range objects {
		if o.Visible() {
			shown = append(shown, o)
		}
	}
	const seam = 2
	w := (size.Width - float32(len(shown)-1)*seam) / float32(max(1, len(shown)))
	for i, o := range shown {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos(float32(i)*(w+seam), 0))
	}
}
