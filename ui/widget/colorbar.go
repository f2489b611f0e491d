package widget

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/app/figure"
)

// ColorBar shows the colours of a table with round values below and the unit at
// its right end.
type ColorBar struct {
	widget.BaseWidget
	table figure.Table
	im    *figure.Image
	unit  string
	rev   int // counts changes of the table
}

// NewColorBar makes an empty bar.
func NewColorBar() *ColorBar {
	b := &ColorBar{}
	b.ExtendBaseWidget(b)
	return b
}

// Set sets what the bar shows: a pane's style and image (which only an
// equalising stretch looks at) and the unit of its values. Nothing is drawn again
// if nothing changed.
func (b *ColorBar) Set(s figure.Style, im *figure.Image, unit string) {
	changed := b.table.Set(s, im)
	if changed {
		b.rev++
	}
	if changed || unit != b.unit || im != b.im {
		b.im, b.unit = im, unit
		b.Refresh()
	}
}

const rampHeight = 10

// CreateRenderer is called by Fyne.
func (b *ColorBar) CreateRenderer() fyne.WidgetRenderer {
	b.ExtendBaseWidget(b)
	r := &barRenderer{b: b, unit: canvas.NewText("", color.White)}
	r.ramp = canvas.NewRaster(r.generate)
	r.Refresh()
	return r
}

type barRenderer struct {
	b      *ColorBar
	ramp   *canvas.Raster
	unit   *canvas.Text
	marks  []*canvas.Rectangle
	labels []*canvas.Text
	shown  int // of marks and labels
	pic    *image.RGBA
	rev    int // of the table pic was drawn from
}

func (r *barRenderer) Destroy() {}

func (r *barRenderer) MinSize() fyne.Size {
	line := fyne.MeasureText("0", theme.SizeForWidget(theme.SizeNameCaptionText, r.b), fyne.TextStyle{})
	return fyne.NewSize(120, rampHeight+4+line.Height)
}

func (r *barRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.ramp, r.unit}
	for i := range r.shown {
		out = append(out, r.marks[i], r.labels[i])
	}
	return out
}

func (r *barRenderer) generate(w, h int) image.Image {
	if w < 1 || h < 1 {
		w, h = 1, 1
	}
	if r.pic == nil || r.pic.Rect.Dx() != w || r.pic.Rect.Dy() != h {
		r.pic = image.NewRGBA(image.Rect(0, 0, w, h))
	} else if r.rev == r.b.rev {
		return r.pic
	}
	r.rev = r.b.rev
	s := r.b.table.Style()
	if s.Map == nil {
		return r.pic
	}
	for x := range w {
		t := ((float64(x)+0.5)/float64(w)-s.Bias)*s.Contrast + 0.5
		t = min(1, max(0, t))
		if s.Invert {
			t = 1 - t
		}
		r.pic.SetRGBA(x, 0, s.Map.At(t))
	}
	for y := 1; y < h; y++ {
		copy(r.pic.Pix[y*r.pic.Stride:(y+1)*r.pic.Stride], r.pic.Pix[:r.pic.Stride])
	}
	return r.pic
}

func (r *barRenderer) Layout(size fyne.Size) {
	r.ramp.Resize(fyne.NewSize(size.Width, rampHeight))
	ticks, power := []figure.Tick(nil), 0
	if r.b.table.Style().Map != nil && size.Width > 60 {
		ticks, power = r.b.table.Ticks(int(min(8, max(2, size.Width/55))))
	}
	r.unit.Text = figure.WithPower(r.b.unit, power)
	room := size.Width
	const y = rampHeight + 3
	if r.unit.Text != "" {
		u := r.unit.MinSize()
		room -= u.Width + 8
		r.unit.Resize(u)
		r.unit.Move(fyne.NewPos(size.Width-u.Width, y))
	}
	r.shown = 0
	edge := float32(-1e6)
	for _, t := range ticks {
		if len(r.marks) <= r.shown {
			r.marks = append(r.marks, canvas.NewRectangle(color.White))
			r.labels = append(r.labels, canvas.NewText("", color.White))
			r.colours()
		}
		label := r.labels[r.shown]
		label.Text = t.Label
		m := label.MinSize()
		at := float32(t.At) * size.Width
		left := max(0, at-m.Width/2)
		if left+m.Width > room || left < edge+8 {
			continue
		}
		edge = left + m.Width
		label.Resize(m)
		label.Move(fyne.NewPos(left, y))
		r.marks[r.shown].Resize(fyne.NewSize(1, 3))
		r.marks[r.shown].Move(fyne.NewPos(min(at, size.Width-1), rampHeight))
		r.shown++
	}
}

func (r *barRenderer) colours() {
	text := theme.ColorForWidget(theme.ColorNameForeground, r.b)
	soft := theme.ColorForWidget(theme.ColorNamePlaceHolder, r.b)
	size := theme.SizeForWidget(theme.SizeNameCaptionText, r.b)
	r.unit.Color, r.unit.TextSize = soft, size
	for i := range r.labels {
		r.labels[i].Color, r.labels[i].TextSize = text, size
		r.marks[i].FillColor = soft
	}
}

func (r *barRenderer) Refresh() {
	r.colours()
	r.Layout(r.b.Size())
	if r.pic == nil || r.rev != r.b.rev {
		r.ramp.Refresh()
	}
	canvas.Refresh(r.b)
}
