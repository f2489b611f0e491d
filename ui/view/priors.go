package view

import (
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/ui/viewmodel/learned"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// priorsPage is the dialog of learned priors: what each believes, and the training of
// new ones.
type priorsPage struct {
	w     *Window
	m     *learned.Model
	names *control.Select
	card  *fyne.Container
	pane  *widget.ImageView
	said  *control.Text
	draw  *control.Button

	name, steps *control.Entry
	what        *control.Select
	folder      *control.Entry
	train       *control.Button
	bar         *widget.StepProgress
	chart       *widget.Chart
	d           *modal
}

// priorsDialog opens the page. Drawing and training go on when it is closed.
func (w *Window) priorsDialog() {
	if w.learned == nil {
		w.learned = learned.New(learned.Options{Session: w.o.Session, Post: w.o.Post, Changed: func() {
			if w.modal != nil && w.modal.changed != nil {
				w.modal.changed()
			}
		}})
	}
	p := &priorsPage{w: w, m: w.learned}
	p.m.Reload()
	p.names = control.NewSelect("which prior to look at", func(v string) {
		if i, err := strconv.Atoi(v); err == nil {
			p.m.Choose(i)
		}
	})
	p.card = control.NewColumn(3, 0)
	p.pane = widget.NewImageView(nil)
	p.pane.SetMessage("Draw images to see what it believes before it has seen any data")
	p.said = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	p.draw = control.NewButton("Draw images", "without any data", theme.MediaPlayIcon(), func() {
		if p.m.Drawing() {
			p.m.StopDrawing()
			return
		}
		p.m.Draw()
	})
	left := container.NewBorder(control.NewColumn(6, 0, p.names), control.NewColumn(4, 0, p.said, container.NewHBox(p.draw)), nil, nil,
		container.NewGridWrap(fyne.NewSize(380, 330), p.pane))
	right := control.NewColumn(8, 0, heading("What it says of itself"), container.NewGridWrap(fyne.NewSize(422, 150), container.NewVScroll(p.card)), heading("Train one"), p.training())
	ok := control.NewButton("Close", "", nil, nil)
	p.d = w.open("Learned priors", 820, control.NewTopRow(18, []float32{380, -1}, left, right), ok)
	p.d.changed = p.update
	p.d.closed = p.pane.Close
	ok.OnTapped = p.d.close
	p.update()
	w.win.Canvas().Focus(ok)
}

// training are the fields of a training.
func (p *priorsPage) training() fyne.CanvasObject {
	line := func(name string, o fyne.CanvasObject) fyne.CanvasObject {
		return control.NewRow(8, []float32{90, -1}, control.NewText(name, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder), o)
	}
	p.name, p.steps, p.folder = control.NewEntry(nil), control.NewEntry(nil), control.NewEntry(nil)
	p.name.Set("mine", false)
	p.steps.Set("20000", false)
	p.folder.SetPlaceHolder("or a folder of FITS images")
	p.what = control.NewSelect("simulations to learn from", nil)
	var list []control.Option
	for _, s := range learned.Presets() {
		list = append(list, control.Option{Value: s, Label: s})
	}
	p.what.Set(list, list[0].Value)
	p.train = control.NewButton("Train", "hours on a processor; it can be paused and goes on by the same name", nil, func() {
		if p.m.Training() {
			p.m.Pause()
			return
		}
		n, _ := strconv.Atoi(strings.TrimSpace(p.steps.Text))
		what := p.what.Value()
		if f := strings.TrimSpace(p.folder.Text); f != "" {
			what = f
		}
		p.m.Train(strings.TrimSpace(p.name.Text), what, n)
	})
	p.bar = widget.NewStepProgress()
	p.chart = widget.NewChart("The loss is drawn here")
	return control.NewColumn(5, 0, line("Name", p.name), line("Simulations", p.what), line("Images", p.folder), line("Steps", p.steps),
		container.NewHBox(p.train), p.bar, container.NewGridWrap(fyne.NewSize(422, 110), p.chart))
}

func (p *priorsPage) update() {
	var list []control.Option
	for i, n := range p.m.Names() {
		list = append(list, control.Option{Value: strconv.Itoa(i), Label: n})
	}
	p.names.Set(list, strconv.Itoa(p.m.Chosen()))
	p.card.RemoveAll()
	for _, r := range p.m.Card() {
		if r.Label != "" {
			t := control.NewText(r.Label, theme.SizeNameCaptionText, "")
			t.Bold = true
			p.card.Add(t)
		}
		p.card.Add(control.NewText(r.Value, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder))
	}
	im, limits := p.m.Picture()
	p.pane.SetImage(im)
	p.pane.SetStyle(figure.Style{Limits: limits, Stretch: figure.Asinh, Map: figure.Gray})
	p.said.SetText(p.m.Said())
	text, icon := "Draw images", theme.MediaPlayIcon()
	if p.m.Drawing() {
		text, icon = "Cancel", theme.MediaStopIcon()
	}
	p.draw.SetText(text)
	p.draw.SetIcon(icon)
	p.draw.SetEnabled(len(list) > 0)
	done, total, stand, steps, loss, held := p.m.Progress()
	p.bar.SetStep(done, total, stand)
	data := widget.ChartData{XLabel: "step", YLabel: "loss", LogY: true}
	if len(steps) > 1 {
		data.Series = []widget.Series{{Name: "loss", X: steps, Y: loss}, {Name: "held out", X: steps, Y: held, Points: true, Colour: theme.ColorNameWarning}}
	}
	p.chart.SetData(data)
	p.train.SetText("Train")
	p.train.Importance = fynewidget.MediumImportance
	if p.m.Training() {
		p.train.SetText("Pause")
	}
	p.d.refit()
}
