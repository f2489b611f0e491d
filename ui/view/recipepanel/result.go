package recipepanel

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// resultCard says what the result shown is worth: a sentence, the numbers behind
// it, and what is doubtful.
type resultCard struct {
	m        *viewmodel.Model
	mark     *canvas.Image
	title    *control.Text
	state    *control.Text
	sentence *control.Text
	labels   []*control.Text
	values   []*control.Text
	rows     *fyne.Container
	notes    []*note
	found    *fyne.Container
	export   *control.Button
	written  *control.Text
	box      *fyne.Container
	height   float32
}

func newResultCard(m *viewmodel.Model, act Actions) *resultCard {
	c := &resultCard{m: m}
	c.mark = icon(nil, 16)
	c.title = control.NewText("Result", "", "")
	c.title.Bold = true
	c.state = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	c.sentence = control.NewText("", theme.SizeNameCaptionText, "")
	c.rows, c.found = control.NewColumn(2, 0), control.NewColumn(5, 0)
	c.export = control.NewButton("Export …", "write FITS, figure, recipe and references (Ctrl+E)", theme.DocumentSaveIcon(), act.Export)
	c.written = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	head := control.NewColumn(1, 0, c.title, c.state)
	top := &fyne.Container{Layout: markLayout{}, Objects: []fyne.CanvasObject{c.mark, head}}
	inner := control.NewColumn(7, 0, c.sentence, c.rows, c.found, container.NewHBox(c.export), c.written)
	c.box = control.NewColumn(0, 0, control.Inset(10, 9, 8, 6, top), control.Inset(32, 0, 10, 7, inner))
	return c
}

// update shows the result chosen.
func (c *resultCard) update() {
	e := c.m.Entry()
	if e == nil {
		c.box.Hide()
		return
	}
	c.box.Show()
	band, _ := c.m.Band()
	sentence, level, rows := e.Summary(band)
	_, _, state := e.Progress()
	if e.Problem != nil {
		state = e.Problem.What
	}
	if e.Running() {
		level = viewmodel.Busy
	} else if e.Result == nil {
		level = viewmodel.Wrong
	}
	c.mark.Resource = levelIcon(level)
	c.mark.Refresh()
	c.title.SetText(e.Name)
	c.state.SetText(Sentence(state))
	if e.Running() {
		sentence = ""
	}
	c.sentence.SetText(Sentence(sentence))
	c.sentence.Hidden = sentence == ""
	c.showRows(rows)
	c.showNotes(e)
	c.export.Hidden = e.Result == nil || e.Running()
	c.written.Hidden = len(e.Written) == 0
	if n := len(e.Written); n > 0 {
		c.written.SetText("Exported to " + e.Written[0])
	}
}

// grown says whether the card needs another height than when it was last asked.
func (c *resultCard) grown() bool {
	h := c.box.MinSize().Height
	changed := h != c.height
	c.height = h
	return changed
}

func (c *resultCard) showRows(rows []viewmodel.Row) {
	for len(c.labels) < len(rows) {
		l := control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
		v := control.NewText("", theme.SizeNameCaptionText, "")
		v.Align = fyne.TextAlignTrailing
		c.labels, c.values = append(c.labels, l), append(c.values, v)
		c.rows.Add(control.NewRow(6, []float32{-5, -6}, l, v))
	}
	for i := range c.labels {
		if i >= len(rows) {
			c.rows.Objects[i].Hide()
			continue
		}
		c.rows.Objects[i].Show()
		c.labels[i].SetText(rows[i].Label)
		c.values[i].SetText(rows[i].Value)
	}
}

func (c *resultCard) showNotes(e *viewmodel.Entry) {
	found := e.Findings()
	for len(c.notes) < len(found) {
		n := newNote(c.m)
		c.notes = append(c.notes, n)
		c.found.Add(n.box)
	}
	for i, n := range c.notes {
		if i >= len(found) {
			n.box.Hide()
			continue
		}
		n.set(found[i], e.File)
		n.box.Show()
	}
	c.found.Hidden = len(found) == 0
}

var _ = fynewidget.HighImportance
