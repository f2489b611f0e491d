package view

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/viewmodel/plan"
	"limpid/ui/widget/browse"
	"limpid/ui/widget/control"
)

// exporter is the export dialog of every workspace: what to write and where, then what
// was written.
type exporter struct {
	w         *Window
	plan      plan.Plan
	start     func(plan.Plan)
	state     func() plan.State
	dir, name *control.Entry
	said      *control.Text
	write     *control.Button
	cancel    *control.Button
	d         *modal
	done      bool // written: what is said stays
}

// exportDialog opens it for the result shown.
func (w *Window) exportDialog() {
	if _, _, ok := w.can(); !ok || w.modal != nil {
		return
	}
	x := &exporter{w: w}
	title := ""
	switch w.spaces.shown {
	case MassMap:
		m, e := w.spaces.lens, w.spaces.lens.Entry()
		m.ForgetExport()
		x.plan, x.state, title = m.Plan(e), m.Exporting, e.Name
		x.start = func(p plan.Plan) { m.Export(e, p) }
	case Deblend:
		m, e := w.spaces.blend, w.spaces.blend.Entry()
		m.ForgetExport()
		x.plan, x.state, title = m.Plan(e), m.Exporting, e.Name
		x.start = func(p plan.Plan) { m.Export(e, p) }
	default:
		m, e := w.m, w.m.Entry()
		m.ForgetExport()
		x.plan, x.state, title = m.Plan(e), m.Exporting, e.Name
		x.start = func(p plan.Plan) { m.Export(e, p) }
	}
	x.dir = control.NewEntry(func(s string) { x.plan.Dir = browse.Expand(s); x.check() })
	x.name = control.NewEntry(func(s string) { x.plan.Name = strings.TrimSpace(s); x.check() })
	x.dir.Set(x.plan.Dir, false)
	x.name.Set(x.plan.Name, false)
	line := func(name string, o fyne.CanvasObject) fyne.CanvasObject {
		return control.NewRow(8, []float32{60, -1}, control.NewText(name, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder), o)
	}
	x.said = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	x.cancel = control.NewButton("Cancel", "", nil, nil)
	x.write = control.NewButton("Export", "", theme.DocumentSaveIcon(), x.export)
	x.write.Importance = fynewidget.HighImportance
	content := control.NewColumn(8, 0, line("Folder", x.dir), line("Name", x.name), control.Inset(64, 0, 0, 0, x.parts()), x.said)
	x.d = w.open("Export "+title, 560, content, x.cancel, x.write)
	x.d.changed = x.changed
	x.cancel.OnTapped = x.d.close
	x.name.OnSubmitted = func(string) { x.export() }
	x.check()
	w.win.Canvas().Focus(x.name)
}

// parts are the kinds of file.
func (x *exporter) parts() fyne.CanvasObject {
	const indent, label = 22, 64
	box := control.NewColumn(2, 0)
	row := ""
	var in *fyne.Container
	for i := range x.plan.Parts {
		p := &x.plan.Parts[i]
		c := control.NewCheck(p.Label, p.Tip, func(on bool) { p.On = on; x.check() })
		c.ShowChecked(p.On)
		switch {
		case p.Row != "" && p.Row == row:
			in.Add(c)
		case p.Row != "":
			in = control.NewRow(10, nil, control.NewRow(0, []float32{label}, control.NewWhole(p.Row, "", "")), c)
			box.Add(control.Inset(6, 0, 0, 0, in))
		case p.Suffix == "":
			box.Add(control.Inset(indent, 0, 0, 0, c))
		default:
			box.Add(c)
		}
		row = p.Row
	}
	return box
}

// check says what is wrong with the plan or what it would replace.
func (x *exporter) check() {
	if x.d == nil || x.done || x.state().Busy {
		return
	}
	err := x.plan.Check()
	x.write.SetEnabled(err == nil)
	switch {
	case err != nil:
		x.said.Set("Cannot export yet: "+err.Error(), theme.ColorNameError)
	case len(x.plan.Existing()) > 0:
		x.said.Set("Will be replaced: "+strings.Join(x.plan.Existing(), ", "), theme.ColorNameWarning)
	default:
		x.said.Set("Writes "+strings.Join(bases(x.plan.Paths()), ", "), theme.ColorNamePlaceHolder)
	}
	x.d.refit()
}

func bases(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = p[strings.LastIndexAny(p, `/\`)+1:]
	}
	return out
}

func (x *exporter) export() {
	x.plan.Dir, x.plan.Name = browse.Expand(x.dir.Text), strings.TrimSpace(x.name.Text)
	if x.done || x.plan.Check() != nil {
		x.check()
		return
	}
	x.start(x.plan)
}

// changed shows how the export goes.
func (x *exporter) changed() {
	s := x.state()
	x.write.SetEnabled(!s.Busy)
	switch {
	case s.Busy:
		x.said.Set("Writing …", theme.ColorNamePlaceHolder)
	case s.Problem != nil:
		text := s.Problem.What + ". " + s.Problem.Advice
		if len(s.Written) > 0 {
			text += "\nWritten before that: " + strings.Join(bases(s.Written), ", ")
		}
		x.said.Set(text, theme.ColorNameError)
	case len(s.Written) > 0 && !x.done:
		x.done = true
		x.said.Set("Wrote\n"+strings.Join(s.Written, "\n"), theme.ColorNameSuccess)
		x.write.Hide()
		x.cancel.SetText("Close")
		x.w.win.Canvas().Focus(x.cancel)
	default:
		return
	}
	x.d.refit()
}
