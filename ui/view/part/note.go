// Package part holds pieces that the panels at the right of the window are made of:
// the header of a step, lines of a form, notes, rows of numbers.
package part

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/widget/control"
)

// Note is a finding: its severity by mark and colour, what it is, what to do, and
// a button that does it.
type Note struct {
	apply  func(form.Fix)
	mark   *canvas.Image
	what   *control.Text
	advice *control.Text
	fix    *control.Button
	at     viewmodel.Finding
	box    *fyne.Container
}

// NewNote makes an empty note; apply carries a remedy out.
func NewNote(apply func(form.Fix)) *Note {
	n := &Note{apply: apply}
	n.mark = Icon(nil, 14)
	n.what = control.NewText("", theme.SizeNameCaptionText, "")
	n.advice = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	n.fix = control.NewButton("", "", nil, func() {
		if n.at.Fix != nil {
			n.apply(*n.at.Fix)
		}
	})
	n.fix.Importance = fynewidget.MediumImportance
	fixRow := container.NewHBox(n.fix)
	lines := control.NewColumn(3, 0, n.what, n.advice, fixRow)
	n.box = control.Ground(theme.ColorNameHeaderBackground, 4, control.Inset(8, 6, 8, 6, &fyne.Container{
		Layout: MarkLayout{}, Objects: []fyne.CanvasObject{n.mark, lines},
	}))
	return n
}

// SeverityIcon is the mark of a severity.
func SeverityIcon(s limpid.Severity) fyne.Resource {
	switch s {
	case limpid.Problem:
		return theme.NewColoredResource(theme.ErrorIcon(), theme.ColorNameError)
	case limpid.Warning:
		return theme.NewColoredResource(theme.WarningIcon(), theme.ColorNameWarning)
	}
	return theme.NewColoredResource(theme.InfoIcon(), theme.ColorNamePrimary)
}

// Object is what to put into a panel.
func (n *Note) Object() fyne.CanvasObject { return n.box }

// Set shows a finding; file is the name that need not be repeated in it.
func (n *Note) Set(f viewmodel.Finding, file string) {
	n.at = f
	SetIcon(n.mark, SeverityIcon(f.Severity))
	what := strings.TrimSuffix(f.What, ".")
	where := strings.TrimLeft(strings.TrimPrefix(f.Where, file), ", ")
	if f.Others > 0 {
		where += fmt.Sprintf(" and %d more", f.Others)
	}
	if where != "" && where != f.Where || f.Others > 0 {
		what += " (" + where + ")"
	}
	n.what.SetText(Sentence(what))
	n.advice.SetText(Sentence(f.Advice))
	n.advice.Hidden = f.Advice == ""
	row := n.fix
	if f.Fix == nil {
		row.Hide()
		return
	}
	if row.Text != f.Fix.Label {
		row.SetText(f.Fix.Label)
	}
	row.Show()
}

// Sentence begins with a capital and ends with a full stop.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.TrimSuffix(form.Plain(s), ".") + "."
}
