package recipepanel

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// priorView is the card of a learned prior: what it was trained on, and where it
// holds.
type priorView struct {
	m    *viewmodel.Model
	rows []viewmodel.Row
	box  *fyne.Container
}

func newPriorView(m *viewmodel.Model) *priorView {
	v := &priorView{m: m, box: control.NewColumn(4, 0)}
	v.box.Hide()
	return v
}

func (v *priorView) update() {
	rows, ok := v.m.PriorCard()
	if !ok {
		v.box.Hide()
		return
	}
	v.box.Show()
	if len(rows) > 0 && len(v.rows) == len(rows) && &rows[0] == &v.rows[0] {
		return
	}
	v.rows = rows
	v.box.RemoveAll()
	for _, r := range rows {
		if r.Label != "" {
			head := control.NewText(r.Label, theme.SizeNameCaptionText, "")
			head.Bold = true
			v.box.Add(head)
		}
		v.box.Add(control.NewText(r.Value, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder))
	}
	v.box.Refresh()
}
