// Package lensview is the workspace of mass maps in the window: catalogue and runs at
// the left, maps in the middle with peaks and curves below, the form at the right.
package lensview

import (
	"fmt"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/view/boardview"
	"limpid/ui/view/part"
	"limpid/ui/view/workpanel"
	"limpid/ui/viewmodel/board"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/lensing"
	"limpid/ui/viewmodel/work"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// Actions are what the workspace cannot do itself.
type Actions struct {
	Open   func() // ask for a catalogue
	Sample func() // open the one that ships
	Browse func(form.ID)
	Export func()
	Key    func(*fyne.KeyEvent)
	Rune   func(rune)
	Short  func(fyne.Shortcut)
	Hover  func(tile int, x, y float64, ok bool)
	View   func()
}

// View is the workspace.
type View struct {
	m     *lensing.Model
	Left  *part.List
	Panel *workpanel.Panel
	Board *boardview.View
	low   *below
	start fyne.CanvasObject
	steps *stepper
	mid   *fyne.Container
	body  *fyne.Container
}

// New makes the workspace.
func New(m *lensing.Model, act Actions) *View {
	v := &View{m: m}
	open := control.Quiet("Open …", "open a shear catalogue (Ctrl+O)", theme.FolderOpenIcon(), act.Open)
	v.Left = part.NewList("Shear", "No catalogue is open. Drop a FITS table or CSV file of galaxy shapes in this window.", open)
	v.steps = newStepper(m)
	v.Board = boardview.New(boardview.Options{
		Board: m.Board(), Overlays: v.overlays, Tapped: v.tapped, Key: act.Key, Rune: act.Rune, Shortcut: act.Short, Hover: act.Hover, View: act.View,
		Above: v.steps.box, Zoom1: 4, Empty: func() string { _, why := m.CanRun(); return part.Sentence(why) },
	})
	v.Panel = workpanel.New(workpanel.Source{
		About: lensing.About(), Name: v.name, Steps: m.Steps, Set: m.Set, SetOpen: m.SetOpen, Apply: m.Apply,
		Run: m.Run, Cancel: m.Cancel, CanRun: m.CanRun, Export: act.Export, Browse: act.Browse,
		Active: func() *work.Entry {
			if e := m.Active(); e != nil {
				return &e.Entry
			}
			return nil
		},
		Result: v.result,
	})
	v.low = newBelow(m, v.Board)
	v.start = startPage(act)
	v.body = container.NewBorder(nil, v.low.box, nil, nil, v.Board.Object())
	v.mid = container.NewStack(v.body, v.start)
	v.Update()
	return v
}

// Middle is what stands between the sides.
func (v *View) Middle() fyne.CanvasObject { return v.mid }

func startPage(act Actions) fyne.CanvasObject {
	title := control.NewText("Mass map", theme.SizeNameHeadingText, "")
	title.Bold = true
	about := control.NewText("From the shapes of galaxies to a map of the mass that bent their light, with error bars. Open a catalogue with positions and two components of the shape or shear: a FITS table, CSV or text. What its columns are taken for is shown and can be changed.", "", theme.ColorNamePlaceHolder)
	open := control.NewButton("Open …", "Ctrl+O", theme.FolderOpenIcon(), act.Open)
	open.Importance = fynewidget.HighImportance
	row := container.NewHBox(open)
	if act.Sample != nil {
		row.Add(control.NewButton("Open the sample", "18,000 simulated galaxies behind simulated mass", nil, act.Sample))
	}
	col := control.NewColumn(16, 520, title, about, row)
	return control.Ground(theme.ColorNameBackground, 0, container.NewCenter(container.New(&part.FixedWidth{W: 520}, col)))
}

func (v *View) name() string {
	switch {
	case v.m.Reading() != "" && v.m.Reading() != ".":
		return "Opening " + v.m.Reading() + " …"
	case v.m.Name() == "":
		return "Open a shear catalogue to begin"
	}
	return v.m.Name()
}

func (v *View) result() *workpanel.Result {
	e := v.m.Entry()
	if e == nil {
		return nil
	}
	r := &workpanel.Result{Entry: &e.Entry, Done: e.Result != nil}
	r.Sentence, r.Level, r.Rows, r.Findings = e.Summary()
	return r
}

// Update shows the workspace as it is now.
func (v *View) Update() {
	m := v.m
	var items []part.Item
	if m.Path() != "" {
		what := fmt.Sprintf("%d rows", m.Rows())
		if m.Rows() == 0 {
			what = "maps of shear"
		}
		items = append(items, part.Item{First: m.Name(), Second: what, Bold: true, Chosen: m.Entry() == nil, Tapped: func() { m.Select(nil) }})
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
	empty := m.Path() == ""
	v.start.(*fyne.Container).Hidden = !empty
	v.body.Hidden = empty
	v.steps.update()
	v.Board.Update()
	v.low.update()
	v.Panel.Update()
	v.mid.Refresh()
}

// tapped chooses a peak, or shows the profile about another place.
func (v *View) tapped(_ *board.Layer, x, y, unit float64) {
	if !v.m.PeakAt(x, y, 12*unit) {
		v.m.ProfileAt(x, y)
	}
}

var (
	peakColour   = color.RGBA{0x18, 0x1b, 0x20, 0xff}
	chosenColour = color.RGBA{0xff, 0xd8, 0x4a, 0xff}
	markColour   = color.RGBA{0x4a, 0xd9, 0xff, 0xff}
	lineColour   = color.RGBA{0xff, 0xb0, 0x00, 0xd0}
	stickColour  = color.RGBA{0xff, 0xff, 0xff, 0xd8}
)

func (v *View) overlays(l *board.Layer) []widget.Overlay {
	var out []widget.Overlay
	if l.Key == "shear" {
		if f := v.m.Field(); f != nil {
			out = append(out, sticks{v.m})
		}
	}
	switch l.Key {
	case "mean", "std", "sn", "sample", "e", "shear", "aperture":
	default:
		return out
	}
	if o := v.m.Overlay(); o != nil {
		lines := make([][4]float32, len(o.Lines))
		for i, q := range o.Lines {
			lines[i] = [4]float32{float32(q[0]), float32(q[1]), float32(q[2]), float32(q[3])}
		}
		out = append(out, widget.Lines{Pieces: lines, Colour: lineColour, Width: 1.2}, widget.Markers{Points: o.Marks, Colour: markColour, Radius: 9})
	}
	if l.Key == "shear" {
		return out
	}
	if v.m.Sticks() && v.m.Field() != nil {
		out = append(out, sticks{v.m})
	}
	peaks := v.m.Peaks()
	if len(peaks) == 0 {
		return out
	}
	var all [][2]float64
	for _, p := range peaks {
		all = append(all, [2]float64{p.X, p.Y})
	}
	out = append(out, widget.Markers{Points: all, Colour: peakColour, Radius: 7})
	if k := v.m.Peak(); k >= 0 && k < len(all) {
		out = append(out, widget.Markers{Points: all[k : k+1], Colour: chosenColour, Radius: 11})
	}
	return out
}

// sticks draw the shear averaged over cells that are large enough to be seen: along its
// direction, as long as it is strong.
type sticks struct{ m *lensing.Model }

// Draw draws those in sight.
func (s sticks) Draw(p *widget.Pen) {
	f := s.m.Field()
	if f == nil {
		return
	}
	x0, y0 := p.At(0, 0)
	x1, _ := p.At(1, 0)
	step := 1
	for math.Abs(x1-x0)*float64(step) < 15 && step < max(f.W, f.H) {
		step *= 2
	}
	cell := math.Abs(x1-x0) * float64(step)
	_ = y0
	n := f.H * f.W
	const full = 0.15 // shear whose stick is as long as its cell
	for cy := 0; cy < f.H; cy += step {
		for cx := 0; cx < f.W; cx += step {
			var g1, g2, w float64
			for y := cy; y < min(f.H, cy+step); y++ {
				for x := cx; x < min(f.W, cx+step); x++ {
					i := y*f.W + x
					q := float64(f.Weights.Pix[i])
					g1 += q * float64(f.Shear.Pix[i])
					g2 += q * float64(f.Shear.Pix[n+i])
					w += q
				}
			}
			if w == 0 {
				continue
			}
			g1, g2 = g1/w, g2/w
			size := math.Hypot(g1, g2)
			half := cell / 2 * min(1, size/full)
			a := math.Atan2(g2, g1) / 2
			mx, my := p.At(float64(cx)+float64(step-1)/2, float64(cy)+float64(step-1)/2)
			dx, dy := half*math.Cos(a), half*math.Sin(a)
			p.Stroke(mx-dx, my+dy, mx+dx, my-dy, 3, color.RGBA{0, 0, 0, 150})
			p.Stroke(mx-dx, my+dy, mx+dx, my-dy, 1.4, stickColour)
		}
	}
}

// stepper goes through the samples.
type stepper struct {
	m    *lensing.Model
	name *control.Text
	play *control.Button
	box  *fyne.Container
}

func newStepper(m *lensing.Model) *stepper {
	s := &stepper{m: m}
	step := func(n int) func() {
		return func() { k, _ := m.SampleNumber(); m.SetSample(k + n) }
	}
	s.play = control.Quiet("", "play the samples (p)", theme.MediaPlayIcon(), m.Play)
	s.name = control.NewText("", "", theme.ColorNamePlaceHolder)
	s.name.Lines = 1
	s.box = control.Inset(4, 0, 8, 2, control.NewRow(4, []float32{0, 0, 0, -1},
		control.Quiet("", "the sample before ( , )", theme.NavigateBackIcon(), step(-1)), s.play,
		control.Quiet("", "the next sample ( . )", theme.NavigateNextIcon(), step(1)), s.name))
	return s
}

func (s *stepper) update() {
	k, n := s.m.SampleNumber()
	on := false
	for _, t := range s.m.Board().Tiles() {
		on = on || t.Key == "sample"
	}
	s.box.Hidden = n == 0 || !on
	s.name.SetText(fmt.Sprintf("Sample %d of %d: each is a map that data and prior allow", k+1, n))
	icon := theme.MediaPlayIcon()
	if s.m.Playing() {
		icon = theme.MediaPauseIcon()
	}
	if s.play.Icon != icon {
		s.play.SetIcon(icon)
	}
}
