package view

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/browse"
	"limpid/ui/widget/control"
)

// exporter is the export dialog: what to write and where, then what was written.
type exporter struct {
	w      *Window
	e      *viewmodel.Entry
	plan   viewmodel.ExportPlan
	dir    *control.Entry
	name   *control.Entry
	said   *control.Text
	write  *control.Button
	cancel *control.Button
	d      *modal
	done   bool // written: what is said stays
}

// exportDialog opens it for the result shown.
func (w *Window) exportDialog() {
	if w.spaces.shown != Deconvolve {
		w.exportSpace()
		return
	}
	e := w.m.Entry()
	if e == nil || e.Result == nil || e.Running() || w.modal != nil {
		return
	}
	w.m.ForgetExport()
	x := &exporter{w: w, e: e, plan: w.m.Plan(e)}
	label := func(s string) fyne.CanvasObject {
		return control.NewText(s, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	}
	x.dir = control.NewEntry(func(s string) { x.plan.Dir = browse.Expand(s); x.check() })
	x.name = control.NewEntry(func(s string) { x.plan.Name = strings.TrimSpace(s); x.check() })
	x.dir.Set(x.plan.Dir, false)
	x.name.Set(x.plan.Name, false)
	line := func(name string, o fyne.CanvasObject) fyne.CanvasObject {
		return control.NewRow(8, []float32{60, -1}, label(name), o)
	}
	x.said = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	content := control.NewColumn(8, 0, line("Folder", x.dir), line("Name", x.name), x.choices(), x.said)
	x.cancel = control.NewButton("Cancel", "", nil, nil)
	x.write = control.NewButton("Export", "", theme.DocumentSaveIcon(), x.start)
	x.write.Importance = fynewidget.HighImportance
	x.d = w.open("Export "+e.Name, 560, content, x.cancel, x.write)
	x.d.changed = x.changed
	x.cancel.OnTapped = x.d.close
	x.name.OnSubmitted = func(s string) { x.plan.Name = strings.TrimSpace(s); x.start() }
	x.check()
	w.win.Canvas().Focus(x.name)
}

// choices are the kinds of file.
func (x *exporter) choices() fyne.CanvasObject {
	p := &x.plan
	check := func(text, tip string, v *bool) *control.Check {
		c := control.NewCheck(text, tip, func(on bool) { *v = on; x.check() })
		c.ShowChecked(*v)
		return c
	}
	fits := check("FITS: mean, std, residual, data, mask, PSF, recipe", "WCS and cards are kept; HISTORY says what was done", &p.FITS)
	samples := check("with the samples", "a cube of every sample", &p.Samples)
	if len(x.e.Result.Samples) == 0 {
		p.Samples = true // nothing to leave out; the same file as from the command line
		samples.Hide()
	}
	figs := control.NewRow(10, nil, control.NewWhole("Figure", "", ""), check("PNG", "for screens and slides", &p.PNG), check("PDF", "for papers", &p.PDF), check("SVG", "to edit", &p.SVG))
	recipe := check("Recipe (.recipe.json)", "runs here and with limpid-cli run", &p.Recipe)
	refs := check("References (.bib)", "what to cite for the method used", &p.References)
	return control.Inset(64, 0, 0, 0, control.NewColumn(2, 0, fits, control.Inset(22, 0, 0, 0, samples), control.Inset(6, 0, 0, 0, figs), recipe, refs))
}

// check says what is wrong with the plan or what it would replace.
func (x *exporter) check() {
	if x.said == nil || x.d == nil || x.done || x.w.m.Exporting().Busy {
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

func (x *exporter) start() {
	x.plan.Dir, x.plan.Name = browse.Expand(x.dir.Text), strings.TrimSpace(x.name.Text)
	if x.plan.Check() != nil {
		x.check()
		return
	}
	x.w.m.Export(x.e, x.plan)
}

// changed shows how the export goes.
func (x *exporter) changed() {
	s := x.w.m.Exporting()
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
	default:
		x.done = true
		x.said.Set("Wrote\n"+strings.Join(s.Written, "\n"), theme.ColorNameSuccess)
		x.write.Hide()
		x.cancel.SetText("Close")
		x.w.win.Canvas().Focus(x.cancel)
	}
	x.d.refit()
}
