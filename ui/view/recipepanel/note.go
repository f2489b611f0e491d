package recipepanel

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// note is a finding: its severity by mark and colour, what it is, what to do, and
// a button that does it.
type note struct {
	m      *viewmodel.Model
	mark   *canvas.Image
	what   *control.Text
	advice *control.Text
	fix    *control.Button
	at     viewmodel.Finding
	box    *fyne.Container
}

func newNote(m *viewmodel.Model) *note {
	n := &note{m: m}
	n.mark = icon(nil, 14)
	n.what = control.NewText("", theme.SizeNameCaptionText, "")
	n.advice = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	n.fix = control.NewButton("", "", nil, func() {
		if n.at.Fix != nil {
			n.m.Apply(*n.at.Fix)
		}
	})
	n.fix.Importance = fynewidget.MediumImportance
	fixRow := container.NewHBox(n.fix)
	lines := control.NewColumn(3, 0, n.what, n.advice, fixRow)
	n.box = control.Ground(theme.ColorNameHeaderBackground, 4, control.Inset(8, 6, 8, 6, &fyne.Container{
		Layout: markLayout{}, Objects: []fyne.CanvasObject{n.mark, lines},
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

func (n *note) set(f viewmodel.Finding, file *viewmodel.File) {
	n.at = f
	n.mark.Resource = SeverityIcon(f.Severity)
	n.mark.Refresh()
	what := Sentence(f.What)
	if where := strings.TrimPrefix(f.Where, fileName(file)); where != "" && where != f.Where {
		what += " (" + strings.TrimLeft(where, ", ") + ")"
	}
	n.what.SetText(what)
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

func fileName(f *viewmodel.File) string {
	if f == nil {
		return ""
	}
	return f.Name
}

// Sentence begins with a capital and ends with a full stop.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	if c := s[0]; c >= 'a' && c <= 'z' && !strings.HasPrefix(s, "σ") {
		s = string(c-'a'+'A') + s[1:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, ")") || strings.HasSuffix(s, ")") {
		s = strings.TrimSuffix(s, ".") + "."
	}
	return s
}
