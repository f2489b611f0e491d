package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel/form"
	"limpid/ui/widget/control"
)

// FieldActions are what the lines of a form do.
type FieldActions struct {
	Set    func(id form.ID, value string)
	Browse func(id form.ID)                   // look for a file
	Below  func(id form.ID) fyne.CanvasObject // what stands below a line; nil: nothing
}

// Fields are the lines of a step. Lines are kept while they are needed, so that
// the keyboard stays where it is.
type Fields struct {
	act  FieldActions
	rows map[form.ID]*row
	box  *fyne.Container
}

// NewFields makes an empty list of lines.
func NewFields(act FieldActions) *Fields {
	return &Fields{act: act, rows: map[form.ID]*row{}, box: control.NewColumn(5, 0)}
}

// Object is what to put into a panel.
func (f *Fields) Object() fyne.CanvasObject { return f.box }

// row is one line: a name, a control, a unit, and below it what is wrong.
type row struct {
	id     form.ID
	kind   form.Kind
	entry  *control.Entry
	choice *control.Select
	check  *control.Check
	unit   *control.Text
	side   *fyne.Container // the control with what stands beside it
	wrong  *control.Text
	box    *fyne.Container
}

const labelWidth = 76

func (f *Fields) newRow(x form.Field) *row {
	r := &row{id: x.ID, kind: x.Kind}
	set := func(v string) { f.act.Set(x.ID, v) }
	label := control.NewText(x.Label, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	r.unit = control.NewWhole("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	r.wrong = control.NewText("", theme.SizeNameCaptionText, theme.ColorNameError)
	var main fyne.CanvasObject
	switch x.Kind {
	case form.Choice, form.File:
		r.choice = control.NewSelect(x.Help, set)
		main = r.choice
	case form.Toggle:
		r.check = control.NewCheck(toggleText(x), x.Help, func(on bool) {
			v := ""
			if on {
				v = form.True
			}
			set(v)
		})
		main = r.check
	default:
		r.entry = control.NewEntry(set)
		main = r.entry
	}
	r.side = control.NewRow(5, []float32{-1, 0, 0}, main, r.unit)
	if x.Kind == form.File {
		r.side.Add(control.Quiet("", "look for a file", theme.FolderOpenIcon(), func() { f.act.Browse(x.ID) }))
	}
	r.box = control.NewColumn(2, 0, control.NewRow(6, []float32{labelWidth, -1}, label, r.side), control.Inset(labelWidth+6, 0, 0, 0, r.wrong))
	if x.Kind == form.Text && x.Help != "" {
		help := control.NewText(x.Help, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
		r.box.Add(control.Inset(labelWidth+6, 0, 0, 0, help))
	}
	if f.act.Below != nil {
		if o := f.act.Below(x.ID); o != nil {
			r.box.Add(control.Inset(labelWidth+6, 2, 0, 0, o))
		}
	}
	return r
}

func toggleText(x form.Field) string {
	switch x.ID {
	case form.Recenter:
		return "centre its light"
	case form.SkyFree:
		return "sampled with the scene"
	case form.StopAtNoise:
		return "at the noise"
	case form.FaintLight:
		return "recalibrated"
	}
	return x.Label
}

// Control is what takes the keyboard for a field.
func (f *Fields) Control(id form.ID) (fyne.Focusable, bool) {
	r, ok := f.rows[id]
	if !ok || !r.box.Visible() {
		return nil, false
	}
	switch {
	case r.entry != nil:
		return r.entry, true
	case r.choice != nil:
		return r.choice, true
	}
	return r.check, true
}

// Update shows a step's lines as they are now.
func (f *Fields) Update(list []form.Field) {
	var objects []fyne.CanvasObject
	for _, x := range list {
		r := f.rows[x.ID]
		if r == nil || r.kind != x.Kind {
			r = f.newRow(x)
			f.rows[x.ID] = r
		}
		r.set(x)
		if x.ID == form.FWHMUnit { // stands beside the width
			if w := f.rows[form.FWHM]; len(w.side.Objects) == 2 {
				r.choice.Resize(fyne.NewSize(84, r.choice.MinSize().Height))
				w.side.Add(r.choice)
			}
			continue
		}
		objects = append(objects, r.box)
	}
	if !same(objects, f.box.Objects) {
		f.box.Objects = objects
	}
	f.box.Refresh()
}

func same(a, b []fyne.CanvasObject) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (r *row) set(x form.Field) {
	switch {
	case r.choice != nil:
		list := make([]control.Option, len(x.Options))
		for i, o := range x.Options {
			list[i] = control.Option{Value: o.Value, Label: o.Label}
		}
		r.choice.Set(list, x.Value)
	case r.check != nil:
		r.check.ShowChecked(x.Value == form.True)
	default:
		if r.entry.PlaceHolder != x.Blank {
			r.entry.SetPlaceHolder(x.Blank)
		}
		r.entry.Set(x.Value, x.Error != "")
	}
	r.unit.SetText(x.Unit)
	r.unit.Hidden = x.Unit == ""
	r.wrong.SetText(x.Error)
	r.box.Objects[1].(*fyne.Container).Hidden = x.Error == ""
}
