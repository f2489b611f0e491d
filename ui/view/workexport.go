package view

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/viewmodel/work"
	"limpid/ui/widget/browse"
	"limpid/ui/widget/control"
)

// workExporter is the export dialog of mass maps and blends.
type workExporter struct {
	w         *Window
	plan      work.Plan
	start     func(work.Plan)
	state     func() work.ExportState
	dir, name *control.Entry
	said      *control.Text
	write     *control.Button
	cancel    *control.Button
	d         *modal
	done      bool
}

// exportSpace opens it for the result shown.
func (w *Window) exportSpace() {
	if _, _, ok := w.can(); !ok || w.modal != nil {
		return
	}
	x := &workExporter{w: w}
	title := ""
	switch w.spaces.shown {
	case MassMap:
		m, e := w.spaces.lens, w.spaces.lens.Entry()
		m.ForgetExport()
		x.plan, x.state, title = m.Plan(e), m.Exporting, e.Name
		x.start = func(p work.Plan) { m.Export(e, p) }
	case Deblend:
		m, e := w.spaces.blend, w.spaces.blend.Entry()
		m.ForgetExport()
		x.plan, x.state, title = m.Plan(e), m.Exporting, e.Name
		x.start = func(p work.Plan) { m.Export(e, p) }
	}
	x.dir = control.NewEntry(func(s string) { x.plan.Dir = browse.Expand(s); x.check() })
	x.name = control.NewEntry(func(s string) { x.plan.Name = strings.TrimSpace(s); x.check() })
	x.dir.Set(x.plan.Dir, false)
	x.name.Set(x.plan.Name, false)
	line := func(name string, o fyne.CanvasObject) fyne.CanvasObject {
		return control.NewRow(8, []float32{60, -1}, control.NewText(name, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder), o)
	}
	parts := control.NewColumn(2, 0)
	for i := range x.plan.Parts {
		p := &x.plan.Parts[i]
		c := control.NewCheck(p.Label, p.Tip, func(on bool) { p.On = on; x.check() })
		c.ShowChecked(p.On)
		left := float32(0)
		if p.Suffix == "" {
			left = 22
		}
		parts.Add(control.Inset(left, 0, 0, 0, c))
	}
	x.said = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	x.cancel = control.NewButton("Cancel", "", nil, nil)
	x.write = control.NewButton("Export", "", theme.DocumentSaveIcon(), x.export)
	x.write.Importance = fynewidget.HighImportance
	x.d = w.open("Export "+title, 560, control.NewColumn(8, 0, line("Folder", x.dir), line("Name", x.name), control.Inset(64, 0, 0, 0, parts), x.said), x.cancel, x.write)
	x.d.changed = x.changed
	x.cancel.OnTapped = x.d.close
	x.name.OnSubmitted = func(string) { x.export() }
	x.check()
	w.win.Canvas().Focus(x.name)
}

func (x *workExporter) check() {
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

func (x *workExporter) export() {
	x.plan.Dir, x.plan.Name = browse.Expand(x.dir.Text), strings.TrimSpace(x.name.Text)
	if x.done || x.plan.Check() != nil {
		x.check()
		return
	}
	x.start(x.plan)
}

func (x *workExporter) changed() {
	s := x.state()
	x.write.SetEnabled(!s.Busy)
	switch {
	case s.Busy:
		x.said.Set("Writing …", theme.ColorNamePlaceHolder)
	case s.Problem != nil:
		x.said.Set(s.Problem.What+". "+s.Problem.Advice, theme.ColorNameError)
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
