package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// Rows are labels with values.
type Rows struct {
	labels, values []*control.Text
	box            *fyne.Container
}

// NewRows makes an empty list.
func NewRows() *Rows { return &Rows{box: control.NewColumn(2, 0)} }

// Object is what to put into a panel.
func (r *Rows) Object() fyne.CanvasObject { return r.box }

// Set shows rows.
func (r *Rows) Set(rows []viewmodel.Row) {
	for len(r.labels) < len(rows) {
		l := control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
		v := control.NewText("", theme.SizeNameCaptionText, "")
		v.Align = fyne.TextAlignTrailing
		r.labels, r.values = append(r.labels, l), append(r.values, v)
		r.box.Add(control.NewRow(6, []float32{-5, -6}, l, v))
	}
	for i := range r.labels {
		r.box.Objects[i].(*fyne.Container).Hidden = i >= len(rows)
		if i < len(rows) {
			r.labels[i].SetText(rows[i].Label)
			r.values[i].SetText(rows[i].Value)
		}
	}
	r.box.Hidden = len(rows) == 0
}
