package view

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/view/part"
	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// noticeBar stands above the image and says what went wrong, until it is
// dismissed (by its button, or Escape).
type noticeBar struct {
	m   *viewmodel.Model
	box *fyne.Container
}

func newNoticeBar(m *viewmodel.Model) *noticeBar {
	return &noticeBar{m: m, box: control.NewColumn(2, 0)}
}

func (n *noticeBar) update() {
	n.box.RemoveAll()
	for _, x := range n.m.Notices() {
		mark := canvas.NewImageFromResource(part.SeverityIcon(x.Severity))
		mark.FillMode = canvas.ImageFillContain
		mark.SetMinSize(fyne.NewSize(18, 18))
		what := x.What
		if x.Where != "" && !strings.Contains(what, x.Where) {
			what = x.Where + ": " + what
		}
		lines := control.NewColumn(2, 0, control.NewText(part.Sentence(what), "", ""))
		if x.Advice != "" {
			lines.Add(control.NewText(part.Sentence(x.Advice), theme.SizeNameCaptionText, theme.ColorNamePlaceHolder))
		}
		dismiss := control.Quiet("", "dismiss (Esc)", theme.CancelIcon(), func() { n.m.Dismiss(x.ID) })
		row := control.NewRow(10, []float32{18, -1, 0}, mark, lines, dismiss)
		n.box.Add(control.Ground(theme.ColorNameHeaderBackground, 0, control.Inset(12, 7, 6, 7, row)))
	}
	n.box.Refresh()
}
