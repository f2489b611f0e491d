// Package workpanel is the right side of the workspaces of mass maps and of blends:
// the form in steps, the result, and below them Run and its progress.
package workpanel

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/ui/view/part"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/work"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
	"limpid/ui/widget/tr"
)

// Source is the workspace that a panel shows.
type Source struct {
	About   []work.Step // the steps before there are data
	Name    func() string
	Steps   func() []work.Step
	Set     func(form.ID, string)
	SetOpen func(form.Step, bool)
	Apply   func(form.Fix)
	Browse  func(form.ID)
	Below   func(form.ID) fyne.CanvasObject
	Run     func()
	Cancel  func() bool
	CanRun  func() (bool, string)
	Active  func() *work.Entry // nil: nothing runs
	Result  func() *Result     // of the run shown; nil: none
	Export  func()
}

// Result is what is said of a run.
type Result struct {
	Entry    *work.Entry
	Done     bool // there is something to export
	Sentence string
	Level    viewmodel.Level
	Rows     []viewmodel.Row
	Findings []viewmodel.Finding
}

// Panel shows a workspace's form and result.
type Panel struct {
	s     Source
	cards []*card
	res   *result
	name  *control.Text
	hint  *fyne.Container
	list  *fyne.Container
	scr   *container.Scroll
	bar   *widget.StepProgress
	why   *control.Text
	run   *control.Button
	ended *work.Entry
	box   *fyne.Container
}

// New makes a panel.
func New(s Source) *Panel {
	p := &Panel{s: s}
	p.list = control.NewColumn(1, 0)
	for i, x := range s.About {
		c := p.newCard(i+1, x)
		p.cards = append(p.cards, c)
		p.list.Add(c.box)
	}
	p.res = newResult(s)
	p.list.Add(p.res.box)
	p.scr = container.NewVScroll(control.Inset(0, 0, 0, 8, p.list))
	p.hint = p.newHint()
	p.name = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	p.name.Lines = 1
	p.run = control.NewButton("Run", "carry it out (Ctrl+R); while it runs: cancel (Esc)", theme.MediaPlayIcon(), func() {
		if s.Active() != nil {
			s.Cancel()
			return
		}
		s.Run()
	})
	p.run.Importance = fynewidget.HighImportance
	p.why = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	p.bar = widget.NewStepProgress()
	foot := container.NewBorder(part.Line(), nil, nil, nil, control.Inset(10, 8, 10, 10, control.NewColumn(6, 0, p.bar, p.why, p.run)))
	p.box = container.NewBorder(control.Inset(10, 4, 10, 6, p.name), foot, nil, nil, container.NewStack(p.scr, p.hint))
	p.Update()
	return p
}

// Object is what to put into the window.
func (p *Panel) Object() fyne.CanvasObject { return p.box }

func (p *Panel) newHint() *fyne.Container {
	col := control.NewColumn(14, 0)
	for i, s := range p.s.About {
		col.Add(control.NewColumn(1, 0, control.NewText(title(i+1, s.Title), "", ""), control.NewText(s.About, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)))
	}
	return control.Inset(10, 8, 10, 8, container.NewVBox(col))
}

func title(n int, s string) string { return fmt.Sprintf("%d  %s", n, tr.T(s)) }

// Update shows the workspace as it is now.
func (p *Panel) Update() {
	p.name.SetText(p.s.Name())
	steps := p.s.Steps()
	on := len(steps) > 0
	if on {
		p.scr.Show()
		p.hint.Hide()
	} else {
		p.scr.Hide()
		p.hint.Show()
	}
	for i, s := range steps {
		if i < len(p.cards) {
			p.cards[i].update(s)
		}
	}
	p.res.update()
	p.list.Refresh()
	p.scr.Refresh()
	p.updateRun(on)
}

func (p *Panel) updateRun(on bool) {
	set := func(text string, icon fyne.Resource, imp fynewidget.Importance, enabled bool) {
		text = tr.T(text)
		if p.run.Text != text || p.run.Importance != imp {
			p.run.Text, p.run.Icon, p.run.Importance = text, icon, imp
			p.run.Refresh()
		}
		p.run.SetEnabled(enabled)
	}
	if e := p.s.Active(); e != nil {
		done, total, text := e.Progress()
		p.bar.SetStep(done, total, text)
		p.bar.Show()
		p.why.Hide()
		set("Cancel", theme.MediaStopIcon(), fynewidget.MediumImportance, true)
		p.box.Refresh()
		return
	}
	p.bar.Hide()
	if r := p.s.Result(); r != nil && r.Done && r.Entry != p.ended {
		p.ended = r.Entry
		p.scr.ScrollToBottom()
	}
	ok, why := p.s.CanRun()
	p.why.Hidden = ok || !on
	p.why.Set("Cannot run yet: "+why, theme.ColorNamePlaceHolder)
	set("Run", theme.MediaPlayIcon(), fynewidget.HighImportance, ok)
	p.box.Refresh()
}

// card is one step.
type card struct {
	p      *Panel
	id     form.Step
	head   *part.Header
	fields *part.Fields
	found  *fyne.Container
	notes  []*part.Note
	body   *fyne.Container
	box    *fyne.Container
}

func (p *Panel) newCard(n int, s work.Step) *card {
	c := &card{p: p}
	c.head = part.NewHeader(title(n, s.Title), func() { p.s.SetOpen(c.id, !c.head.Open()) })
	c.fields = part.NewFields(part.FieldActions{Set: p.s.Set, Browse: p.s.Browse, Below: p.s.Below})
	c.body = control.NewColumn(6, 0, c.fields.Object())
	c.found = control.NewColumn(5, 0)
	c.box = container.NewBorder(nil, part.Line(), nil, nil, control.NewColumn(0, 0, c.head, control.Inset(32, 0, 10, 7, control.NewColumn(7, 0, c.body, c.found))))
	return c
}

func (c *card) update(s work.Step) {
	c.id = s.ID
	c.head.Set(s.Level, s.Verdict, s.Open)
	c.body.Hidden = !s.Open
	if s.Open {
		c.fields.Update(s.Fields)
	}
	var list []viewmodel.Finding
	for _, f := range s.Findings {
		if s.Open || f.Severity != limpid.Info {
			list = append(list, f)
		}
	}
	c.notes = showNotes(c.found, c.notes, list, c.p.s)
}

func showNotes(box *fyne.Container, notes []*part.Note, list []viewmodel.Finding, s Source) []*part.Note {
	for len(notes) < len(list) {
		n := part.NewNote(s.Apply)
		notes = append(notes, n)
		box.Add(n.Object())
	}
	for i, n := range notes {
		if i >= len(list) {
			n.Object().Hide()
			continue
		}
		n.Set(list[i], s.Name())
		n.Object().Show()
	}
	box.Hidden = len(list) == 0
	return notes
}

// result says what the run shown is worth.
type result struct {
	s        Source
	mark     *canvas.Image
	title    *control.Text
	state    *control.Text
	sentence *control.Text
	rows     *part.Rows
	found    *fyne.Container
	notes    []*part.Note
	export   *control.Button
	written  *control.Text
	box      *fyne.Container
}

func newResult(s Source) *result {
	c := &result{s: s}
	c.mark = part.Icon(nil, 16)
	c.title = control.NewText("Result", "", "")
	c.title.Bold = true
	c.state = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	c.sentence = control.NewText("", theme.SizeNameCaptionText, "")
	c.rows, c.found = part.NewRows(), control.NewColumn(5, 0)
	c.export = control.NewButton("Export …", "write files (Ctrl+E)", theme.DocumentSaveIcon(), s.Export)
	c.written = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	top := &fyne.Container{Layout: part.MarkLayout{}, Objects: []fyne.CanvasObject{c.mark, control.NewColumn(1, 0, c.title, c.state)}}
	inner := control.NewColumn(7, 0, c.sentence, c.rows.Object(), c.found, container.NewHBox(c.export), c.written)
	c.box = control.NewColumn(0, 0, control.Inset(10, 9, 8, 6, top), control.Inset(32, 0, 10, 7, inner))
	return c
}

func (c *result) update() {
	r := c.s.Result()
	c.box.Hidden = r == nil
	if r == nil {
		return
	}
	_, _, state := r.Entry.Progress()
	level := r.Level
	switch {
	case r.Entry.Running:
		level = viewmodel.Busy
	case r.Entry.Problem != nil:
		level, state = viewmodel.Wrong, r.Entry.Problem.What
	}
	part.SetIcon(c.mark, part.LevelIcon(level))
	c.title.SetText(r.Entry.Name)
	c.state.SetText(part.Sentence(state))
	c.sentence.SetText(part.Sentence(r.Sentence))
	c.sentence.Hidden = r.Sentence == ""
	c.rows.Set(r.Rows)
	c.notes = showNotes(c.found, c.notes, r.Findings, c.s)
	c.export.Hidden = !r.Done
	c.written.Hidden = len(r.Entry.Written) == 0
	if len(r.Entry.Written) > 0 {
		c.written.SetText("Exported to " + r.Entry.Written[0])
	}
}
