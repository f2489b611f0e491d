package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/ui/widget/tr"
)

// StepProgress is a progress bar that is painted only when a step makes it a
// pixel longer or changes its text. (Fyne's endless bars repaint the window at
// 60 Hz, which costs the computation a core.)
type StepProgress struct {
	widget.BaseWidget
	done, total int
	text        string
	paints      int
}

// NewStepProgress makes an empty bar.
func NewStepProgress() *StepProgress {
	p := &StepProgress{}
	p.ExtendBaseWidget(p)
	return p
}

// SetStep says how many of how many steps are done, and what to write on the bar
// ("12 of 64 samples, 8 s left"). With a total of 0 the bar is empty.
func (p *StepProgress) SetStep(done, total int, text string) {
	done = min(max(0, done), max(0, total))
	before := p.length()
	changed := text != p.text
	p.done, p.total, p.text = done, total, text
	if changed || p.length() != before {
		p.paints++
		p.Refresh()
	}
}

// Step is what was last set.
func (p *StepProgress) Step() (done, total int, text string) { return p.done, p.total, p.text }

// length is the bar's, in Fyne units, rounded: what can be seen.
func (p *StepProgress) length() int {
	if p.total <= 0 {
		return 0
	}
	return int(float64(p.Size().Width)*float64(p.done)/float64(p.total) + 0.5)
}

// CreateRenderer is called by Fyne.
func (p *StepProgress) CreateRenderer() fyne.WidgetRenderer {
	p.ExtendBaseWidget(p)
	r := &progressRenderer{
		p:    p,
		bed:  canvas.NewRectangle(color.Transparent),
		bar:  canvas.NewRectangle(color.Transparent),
		text: canvas.NewText("", color.White),
	}
	r.bed.CornerRadius, r.bar.CornerRadius = 3, 3
	r.Refresh()
	return r
}

type progressRenderer struct {
	p        *StepProgress
	bed, bar *canvas.Rectangle
	text     *canvas.Text
}

func (r *progressRenderer) Destroy() {}

func (r *progressRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.bed, r.bar, r.text}
}

const progressHeight = 6

func (r *progressRenderer) MinSize() fyne.Size {
	line := fyne.MeasureText("0", theme.SizeForWidget(theme.SizeNameCaptionText, r.p), fyne.TextStyle{})
	return fyne.NewSize(100, progressHeight+3+line.Height)
}

func (r *progressRenderer) Layout(size fyne.Size) {
	r.bed.Resize(fyne.NewSize(size.Width, progressHeight))
	length := float32(r.p.length())
	r.bar.Resize(fyne.NewSize(length, progressHeight))
	r.bar.Hidden = length < 1
	m := r.text.MinSize()
	r.text.Resize(m)
	r.text.Move(fyne.NewPos(0, progressHeight+3))
}

func (r *progressRenderer) Refresh() {
	r.bed.FillColor = theme.ColorForWidget(theme.ColorNameInputBorder, r.p)
	r.bar.FillColor = theme.ColorForWidget(theme.ColorNamePrimary, r.p)
	r.text.Text = tr.T(r.p.text)
	r.text.Color = theme.ColorForWidget(theme.ColorNameForeground, r.p)
	r.text.TextSize = theme.SizeForWidget(theme.SizeNameCaptionText, r.p)
	r.Layout(r.p.Size())
	canvas.Refresh(r.p)
}
