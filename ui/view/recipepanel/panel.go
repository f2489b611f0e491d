// Package recipepanel is the right side of the window: the recipe in five steps,
// each with a verdict of one line that opens to its fields and findings, then the
// result, and below them Run and its progress.
package recipepanel

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/view/part"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
	"limpid/ui/widget/tr"
)

// Actions are what the panel cannot do itself.
type Actions struct {
	Browse func(id form.ID)   // look for a file for a field
	InView func()             // make what is in sight the cut-out
	Look   func(x, y float64) // show a pixel of the file's image
	Export func()             // export the result shown
	Focus  func(fyne.Focusable)
}

// Panel shows the recipe of a Model.
type Panel struct {
	m     *viewmodel.Model
	act   Actions
	cards []*card
	psf   *psfView
	prior *priorView
	res   *resultCard
	name  *control.Text
	hint  *fyne.Container
	run   *control.Button
	queue *control.Button
	why   *control.Text
	bar   *widget.StepProgress
	list  *fyne.Container
	scr   *container.Scroll
	box   fyne.CanvasObject

	ended *viewmodel.Entry // whose end has been scrolled to
	foot  foot
}

// foot is what the height of the lines below the list follows from.
type foot struct {
	shown, running bool
	why            string
}

// New makes a panel.
func New(m *viewmodel.Model, act Actions) *Panel {
	p := &Panel{m: m, act: act}
	p.psf = newPSFView(m, act)
	p.prior = newPriorView(m)
	p.res = newResultCard(m, act)
	p.list = control.NewColumn(1, 0)
	for i, s := range form.Steps() {
		c := newCard(p, i+1, s)
		p.cards = append(p.cards, c)
		p.list.Add(c.box)
	}
	p.list.Add(p.res.box)
	p.scr = container.NewVScroll(control.Inset(0, 0, 0, 8, p.list))
	p.hint = p.newHint()

	p.name = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	p.name.Lines = 1
	head := control.Inset(10, 4, 10, 6, p.name)

	p.run = control.NewButton("Run", "carry the recipe out (Ctrl+R); while it runs: cancel and keep what is there (Esc)", theme.MediaPlayIcon(), p.pressed)
	p.run.Importance = fynewidget.HighImportance
	p.queue = control.NewButton("Queue this recipe", "run it when the runs before it have ended (Ctrl+R)", nil, p.m.Run)
	p.why = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	p.bar = widget.NewStepProgress()
	foot := control.Inset(10, 8, 10, 10, control.NewColumn(6, 0, p.bar, p.why, p.run, p.queue))
	foot = container.NewBorder(part.Line(), nil, nil, nil, foot)
	p.box = container.NewBorder(head, foot, nil, nil, container.NewStack(p.scr, p.hint))
	p.Update(viewmodel.All)
	return p
}

// Object is what to put into the window.
func (p *Panel) Object() fyne.CanvasObject { return p.box }

// newHint says what the steps are before there is an image.
func (p *Panel) newHint() *fyne.Container {
	col := control.NewColumn(14, 0)
	for i, s := range form.Steps() {
		title := control.NewText(stepTitle(i+1, s), "", "")
		about := control.NewText(s.About(), theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
		col.Add(control.NewColumn(1, 0, title, about))
	}
	return control.Inset(10, 8, 10, 8, container.NewVBox(col))
}

// pressed is Run, or Cancel while a run is under way.
func (p *Panel) pressed() {
	if p.m.Active() != nil {
		p.m.Cancel()
		return
	}
	p.m.Run()
}

// Update shows the Model as it is now.
func (p *Panel) Update(c viewmodel.Change) {
	if c&(viewmodel.Recipe|viewmodel.Files) != 0 {
		p.updateSteps()
	}
	if c&(viewmodel.Recipe|viewmodel.Running|viewmodel.Files|viewmodel.View) != 0 {
		p.updateRun()
	}
	if c&(viewmodel.Recipe|viewmodel.View) != 0 {
		p.psf.update()
	}
}

func (p *Panel) updateSteps() {
	f := p.m.File()
	if f == nil {
		p.name.SetText("Open an image to begin")
	} else {
		p.name.SetText(f.Name)
	}
	steps := p.m.Steps()
	if len(steps) == 0 {
		p.scr.Hide()
		p.hint.Show()
		return
	}
	p.scr.Show()
	p.hint.Hide()
	wants := p.m.TakeFocus()
	p.prior.update()
	for i, s := range steps {
		p.cards[i].update(s)
	}
	p.relayout()
	if wants != "" {
		p.focusField(wants)
	}
}

// relayout brings the heights of all cards up to date.
func (p *Panel) relayout() {
	p.list.Refresh()
	p.scr.Refresh()
}

// focusField gives a field the keyboard and brings it into sight.
func (p *Panel) focusField(id form.ID) {
	for _, c := range p.cards {
		if o, ok := c.fields.Control(id); ok {
			at := c.box.Position().Y
			p.scr.Offset.Y = max(0, min(at, p.scr.Content.MinSize().Height-p.scr.Size().Height))
			p.scr.Refresh()
			p.act.Focus(o)
		}
	}
}

func (p *Panel) updateRun() {
	e := p.m.Active()
	before := p.res.box.Visible()
	p.res.update()
	if p.res.box.Visible() != before || p.res.reshaped() {
		p.relayout()
	}
	if e != nil {
		done, total, text := e.Progress()
		if n := p.m.Queued(); n > 0 {
			text += fmt.Sprintf("; %d queued", n)
		}
		p.bar.SetStep(done, total, text)
		can, _ := p.m.CanRun()
		p.queue.SetEnabled(can)
		p.queue.Show()
		p.bar.Show()
		p.why.Hide()
		p.setRun("Cancel", theme.MediaStopIcon(), fynewidget.MediumImportance, true)
		p.layFoot(foot{shown: true, running: true})
		return
	}
	p.bar.Hide()
	p.queue.Hide()
	ok, why := p.m.CanRun()
	if shown := p.m.Entry(); shown != nil && shown != p.ended && shown.Result != nil {
		p.ended = shown
		p.scr.ScrollToBottom()
	}
	if ok || p.m.File() == nil {
		p.why.Hide()
		why = ""
	} else {
		p.why.Set("Cannot run yet: "+why, theme.ColorNameError)
		p.why.Show()
	}
	p.setRun("Run", theme.MediaPlayIcon(), fynewidget.HighImportance, ok)
	p.layFoot(foot{shown: true, why: why})
}

func (p *Panel) setRun(text string, icon fyne.Resource, imp fynewidget.Importance, on bool) {
	text = tr.T(text)
	if p.run.Text != text || p.run.Importance != imp {
		p.run.Text, p.run.Icon, p.run.Importance = text, icon, imp
		p.run.Refresh()
	}
	p.run.SetEnabled(on)
}

// layFoot lays the panel out anew where its foot has another height. Not with every
// step of a run: everything in the panel would be refreshed with it.
func (p *Panel) layFoot(f foot) {
	if f != p.foot {
		p.foot = f
		p.box.Refresh()
	}
}
