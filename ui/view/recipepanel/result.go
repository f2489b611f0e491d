package recipepanel

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/view/part"
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
	rows     *part.Rows
	notes    []*part.Note
	found    *fyne.Container
	goOn     *control.Button
	export   *control.Button
	written  *control.Text
	box      *fyne.Container
	shape    shape
}

// shape is what the layout of the card follows from.
type shape struct {
	height       float32
	goOn, export bool
}

func newResultCard(m *viewmodel.Model, act Actions) *resultCard {
	c := &resultCard{m: m}
	c.mark = part.Icon(nil, 16)
	c.title = control.NewText("Result", "", "")
	c.title.Bold = true
	c.state = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	c.sentence = control.NewText("", theme.SizeNameCaptionText, "")
	c.rows, c.found = part.NewRows(), control.NewColumn(5, 0)
	c.export = control.NewButton("Export …", "write FITS, figure, recipe and references (Ctrl+E)", theme.DocumentSaveIcon(), act.Export)
	c.goOn = control.NewButton("Go on", "draw the samples that are missing (Ctrl+Shift+R)", theme.MediaPlayIcon(), func() { m.GoOn(m.Entry()) })
	c.written = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	head := control.NewColumn(1, 0, c.title, c.state)
	top := &fyne.Container{Layout: part.MarkLayout{}, Objects: []fyne.CanvasObject{c.mark, head}}
	inner := control.NewColumn(7, 0, c.sentence, c.rows.Object(), c.found, container.NewHBox(c.goOn, c.export), c.written)
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
	part.SetIcon(c.mark, part.LevelIcon(level))
	c.title.SetText(e.Name)
	c.state.SetText(part.Sentence(state))
	if e.Running() {
		sentence = ""
	}
	c.sentence.SetText(part.Sentence(sentence))
	c.sentence.Hidden = sentence == ""
	c.rows.Set(rows)
	c.showNotes(e)
	c.goOn.Hidden = !e.CanGoOn()
	c.export.Hidden = e.Result == nil || e.Running()
	c.written.Hidden = len(e.Written) == 0
	if n := len(e.Written); n > 0 {
		c.written.SetText("Exported to " + e.Written[0])
	}
}

// reshaped says whether the card has to be laid out otherwise than when it was last
// asked.
func (c *resultCard) reshaped() bool {
	s := shape{height: c.box.MinSize().Height, goOn: c.goOn.Visible(), export: c.export.Visible()}
	changed := s != c.shape
	c.shape = s
	return changed
}

func (c *resultCard) showNotes(e *viewmodel.Entry) {
	found := e.Findings()
	for len(c.notes) < len(found) {
		n := part.NewNote(c.m.Apply)
		c.notes = append(c.notes, n)
		c.found.Add(n.Object())
	}
	for i, n := range c.notes {
		if i >= len(found) {
			n.Object().Hide()
			continue
		}
		n.Set(found[i], fileName(e.File))
		n.Object().Show()
	}
	c.found.Hidden = len(found) == 0
}
