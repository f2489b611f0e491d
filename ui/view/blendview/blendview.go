// Package blendview is the workspace of overlapping sources in the window: bands and
// runs at the left, pictures in the middle with the sources below, the form at the
// right.
package blendview

import (
	"fmt"
	"image/color"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/view/boardview"
	"limpid/ui/view/part"
	"limpid/ui/view/workpanel"
	"limpid/ui/viewmodel/blend"
	"limpid/ui/viewmodel/board"
	"limpid/ui/viewmodel/work"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// Actions are what the workspace cannot do itself.
type Actions struct {
	Open   func() // ask for images
	Sample func() // open the one that ships; nil: none
	Export func()
	Key    func(*fyne.KeyEvent)
	Rune   func(rune)
	Short  func(fyne.Shortcut)
	Hover  func(tile int, x, y float64, ok bool)
	View   func()
}

// View is the workspace.
type View struct {
	m     *blend.Model
	Left  *part.List
	Panel *workpanel.Panel
	Board *boardview.View
	tools *sourceTools
	list  *sourceList
	start fyne.CanvasObject
	body  *fyne.Container
	mid   *fyne.Container
}

// New makes the workspace.
func New(m *blend.Model, act Actions) *View {
	v := &View{m: m}
	open := control.Quiet("Add …", "add images: one of several planes, or one per band (Ctrl+O)", theme.FolderOpenIcon(), act.Open)
	v.Left = part.NewList("Bands", "No image is open. Drop one image of several planes, or one image per band, in this window.", open)
	v.tools = newSourceTools(m)
	v.Board = boardview.New(boardview.Options{
		Board: m.Board(), Overlays: v.overlays, Tapped: v.tapped, Grab: &drag{m: m, v: v}, Key: act.Key, Rune: act.Rune, Shortcut: act.Short,
		Hover: act.Hover, View: act.View, Above: v.tools.box, Zoom1: 2, Empty: func() string { _, why := m.CanRun(); return part.Sentence(why) },
	})
	v.list = newSourceList(m, v.Board.Look)
	v.Panel = workpanel.New(workpanel.Source{
		About: blend.About(), Name: v.name, Steps: m.Steps, Set: m.Set, SetOpen: m.SetOpen, Apply: m.Apply,
		Run: m.Run, Cancel: m.Cancel, CanRun: m.CanRun, Export: act.Export,
		Active: func() *work.Entry {
			if e := m.Active(); e != nil {
				return &e.Entry
			}
			return nil
		},
		Result: v.result,
	})
	v.start = startPage(act)
	v.body = container.NewBorder(nil, v.list.box, nil, nil, v.Board.Object())
	v.mid = container.NewStack(v.body, v.start)
	v.list.resized = func() { v.body.Refresh() }
	v.Update()
	return v
}

// Middle is what stands between the sides.
func (v *View) Middle() fyne.CanvasObject { return v.mid }

func startPage(act Actions) fyne.CanvasObject {
	title := control.NewText("Deblend", theme.SizeNameHeadingText, "")
	title.Bold = true
	about := control.NewText("Overlapping galaxies and stars taken apart: the light of each in every band, with errors and samples. Open one image of several planes, or one image per band with a common sky; a PSF HDU in the file is found.", "", theme.ColorNamePlaceHolder)
	open := control.NewButton("Open …", "Ctrl+O", theme.FolderOpenIcon(), act.Open)
	open.Importance = fynewidget.HighImportance
	row := container.NewHBox(open)
	if act.Sample != nil {
		row.Add(control.NewButton("Open the sample", "a simulated blend in five bands", nil, act.Sample))
	}
	col := control.NewColumn(16, 520, title, about, row)
	return control.Ground(theme.ColorNameBackground, 0, container.NewCenter(container.New(&part.FixedWidth{W: 520}, col)))
}

func (v *View) name() string {
	switch n := len(v.m.Files()); n {
	case 0:
		return "Open the bands of a field to begin"
	case 1:
		return filepath.Base(v.m.Files()[0])
	default:
		return fmt.Sprintf("%s and %d more", filepath.Base(v.m.Files()[0]), n-1)
	}
}

func (v *View) result() *workpanel.Result {
	e := v.m.Entry()
	if e == nil {
		return nil
	}
	r := &workpanel.Result{Entry: &e.Entry, Done: e.D.Result != nil && !e.Running}
	r.Sentence, r.Level, r.Rows, r.Findings = e.Summary()
	return r
}

// Update shows the workspace as it is now.
func (v *View) Update() {
	m := v.m
	var items []part.Item
	for i, f := range m.Files() {
		x := part.Item{First: filepath.Base(f), Second: filepath.Base(filepath.Dir(f)), Bold: true, Tapped: func() { m.Select(nil) }, Close: func() { m.RemoveFile(f) }}
		x.Chosen = m.Entry() == nil && i == 0
		items = append(items, x)
	}
	for i := len(m.Entries()) - 1; i >= 0; i-- {
		e := m.Entries()[i]
		_, _, text := e.Progress()
		x := part.Item{First: e.Name, Second: text, Accent: true, Deep: true, Chosen: e == m.Entry(), Tapped: func() { m.Select(e) }}
		if !e.Running {
			x.Close = func() { m.Remove(e) }
		}
		items = append(items, x)
	}
	v.Left.Set(items)
	empty := len(m.Files()) == 0
	v.start.(*fyne.Container).Hidden = !empty
	v.body.Hidden = empty
	v.tools.update()
	v.Board.Update()
	v.list.update()
	v.Panel.Update()
	v.mid.Refresh()
}

// tapped chooses a source, or adds one.
func (v *View) tapped(_ *board.Layer, x, y, unit float64) {
	if v.m.Adding() {
		v.m.AddSource(x, y)
		return
	}
	v.m.Choose(v.m.Near(x, y, 14*unit))
}

var (
	galaxyColour = color.RGBA{0x6c, 0xd3, 0xff, 0xff}
	starColour   = color.RGBA{0xff, 0xb8, 0x5c, 0xff}
	chosenColour = color.RGBA{0xff, 0xe0, 0x4a, 0xff}
	hiddenColour = color.RGBA{0x8a, 0x90, 0x9a, 0xff}
)

func (v *View) overlays(*board.Layer) []widget.Overlay { return []widget.Overlay{marks{v.m}} }

// marks are the sources with their numbers.
type marks struct{ m *blend.Model }

// Draw rings them.
func (k marks) Draw(p *widget.Pen) {
	list := k.m.Sources()
	for _, s := range list {
		c, r := galaxyColour, 8.0
		if s.Kind == "star" {
			c = starColour
		}
		if s.Hidden {
			c = hiddenColour
		}
		if s.ID == k.m.Chosen() {
			c, r = chosenColour, 10
		}
		p.Ring(s.X, s.Y, r, 1.5, c)
		if len(list) <= 150 || s.ID == k.m.Chosen() {
			x, y := p.At(s.X, s.Y)
			p.Text(fmt.Sprint(s.ID), x+r+6, y-r+2, 11, c)
		}
	}
}

// drag moves the centre of a source.
type drag struct {
	m     *blend.Model
	v     *View
	id    int
	first bool
}

// Press takes hold of a source.
func (d *drag) Press(x, y, unit float64) bool {
	if d.m.Adding() {
		return false
	}
	d.id, d.first = d.m.Near(x, y, 8*unit), true
	return d.id != 0 && d.id == d.m.Chosen()
}

// Drag moves it.
func (d *drag) Drag(x, y float64) {
	d.m.MoveSource(d.id, x, y, d.first)
	d.first = false
	d.v.Board.Redraw()
}

// Release ends it.
func (d *drag) Release(float64, float64) {}

// sourceTools are the band and what can be done with sources.
type sourceTools struct {
	m      *blend.Model
	band   *control.Select
	add    *control.Check
	remove *control.Button
	box    *fyne.Container
}

func newSourceTools(m *blend.Model) *sourceTools {
	t := &sourceTools{m: m}
	t.band = control.NewSelect("band of data, model and residual (< and >)", func(s string) {
		var k int
		if _, err := fmt.Sscan(s, &k); err == nil {
			m.SetBand(k)
		}
	})
	t.add = control.NewCheck("add by click", "clicks on the picture add sources (a)", m.SetAdding)
	t.remove = control.NewButton("Remove", "take the chosen source off the list (Delete)", theme.DeleteIcon(), func() { m.RemoveSource(m.Chosen()) })
	detect := control.NewButton("Detect", "look for sources anew; replaces the list", theme.SearchIcon(), m.Detect)
	said := control.NewText("Click a source to choose it, drag the chosen one to move it", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	said.Lines = 1
	t.box = control.Inset(8, 0, 8, 2, control.NewRow(8, []float32{110, 0, 0, 0, -1}, t.band, t.add, t.remove, detect, said))
	return t
}

func (t *sourceTools) update() {
	k, n := t.m.Band()
	list := make([]control.Option, n)
	for i := range list {
		list[i] = control.Option{Value: fmt.Sprint(i), Label: "band " + t.m.Field().Obs.Bands[i]}
	}
	t.band.Set(list, fmt.Sprint(k))
	t.band.Hidden = n < 2
	t.add.ShowChecked(t.m.Adding())
	t.remove.SetEnabled(t.m.Chosen() != 0)
	t.box.Hidden = n == 0
}
