package widget

import (
	"image"
	"image/color"
	"image/draw"

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

// Heights of the colours and of the marks below them, in Fyne units.
const (
	rampHeight = 10
	markHeight = 3
)

// CreateRenderer is called by Fyne.
func (b *ColorBar) CreateRenderer() fyne.WidgetRenderer {
	b.ExtendBaseWidget(b)
	r := &barRenderer{b: b, unit: canvas.NewText("", color.White)}
	r.ramp = canvas.NewRaster(r.generate)
	r.ramp.ScaleMode = canvas.ImageScalePixels
	r.Refresh()
	return r
}

type barRenderer struct {
	b      *ColorBar
	ramp   *canvas.Raster
	unit   *canvas.Text
	marks  []float32 // where the labels' values are, in Fyne units
	labels []*canvas.Text
	pic    *image.RGBA
	drawn  barLook // what pic shows
}

// barLook is what colours and marks follow from: equal ones look alike.
type barLook struct {
	rev     int // of the table
	unit    string
	mark    color.RGBA
	letters float32
	size    fyne.Size
}

func (r *barRenderer) Destroy() {}

func (r *barRenderer) MinSize() fyne.Size {
	line := fyne.MeasureText("0", theme.SizeForWidget(theme.SizeNameCaptionText, r.b), fyne.TextStyle{})
	return fyne.NewSize(120, rampHeight+4+line.Height)
}

func (r *barRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.ramp, r.unit}
	for _, l := range r.labels[:len(r.marks)] {
		out = append(out, l)
	}
	return out
}

// wanted is what the picture should show. The marks are part of it, as every
// object of its own takes a window's time with each frame.
func (r *barRenderer) wanted() barLook {
	return barLook{
		rev: r.b.rev, unit: r.b.unit, size: r.b.Size(),
		mark:    rgba(theme.ColorForWidget(theme.ColorNamePlaceHolder, r.b)),
		letters: theme.SizeForWidget(theme.SizeNameCaptionText, r.b),
	}
}

func (r *barRenderer) generate(w, h int) image.Image {
	if w < 1 || h < 1 {
		w, h = 1, 1
	}
	want := r.wanted()
	if r.pic != nil && r.pic.Rect.Dx() == w && r.pic.Rect.Dy() == h && r.drawn == want {
		return r.pic
	}
	r.pic, r.drawn = image.NewRGBA(image.Rect(0, 0, w, h)), want
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
	bottom := max(1, h*rampHeight/(rampHeight+markHeight))
	for y := 1; y < bottom; y++ {
		copy(r.pic.Pix[y*r.pic.Stride:(y+1)*r.pic.Stride], r.pic.Pix[:r.pic.Stride])
	}
	scale := float32(w) / max(1, want.size.Width)
	for _, at := range r.marks {
		left := int(at*scale + 0.5)
		line := image.Rect(left, bottom, left+max(1, int(scale+0.5)), h)
		draw.Draw(r.pic, line, image.NewUniform(want.mark), image.Point{}, draw.Src)
	}
	return r.pic
}

func (r *barRenderer) Layout(size fyne.Size) {
	r.ramp.Resize(fyne.NewSize(size.Width, rampHeight+markHeight))
	ticks, power := []figure.Tick(nil), 0
	if r.b.table.Style().Map != nil && size.Width > 60 {
		ticks, power = r.b.table.Ticks(int(min(8, max(2, size.Width/55))))
	}
	r.unit.Text = figure.WithPower(r.b.unit, power)
	room := size.Width
	const y = rampHeight + markHeight
	if r.unit.Text != "" {
		u := r.unit.MinSize()
		room -= u.Width + 8
		r.unit.Resize(u)
		r.unit.Move(fyne.NewPos(size.Width-u.Width, y))
	}
	r.marks = r.marks[:0]
	edge := float32(-1e6)
	for _, t := range ticks {
		if len(r.labels) <= len(r.marks) {
			r.labels = append(r.labels, canvas.NewText("", color.White))
			r.colours()
		}
		label := r.labels[len(r.marks)]
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
		r.marks = append(r.marks, min(at, size.Width-1))
	}
}

func (r *barRenderer) colours() {
	text := theme.ColorForWidget(theme.ColorNameForeground, r.b)
	soft := theme.ColorForWidget(theme.ColorNamePlaceHolder, r.b)
	size := theme.SizeForWidget(theme.SizeNameCaptionText, r.b)
	r.unit.Color, r.unit.TextSize = soft, size
	for i := range r.labels {
		r.labels[i].Color, r.labels[i].TextSize = text, size
	}
}

func (r *barRenderer) Refresh() {
	r.colours()
	r.Layout(r.b.Size())
	if r.pic == nil || r.drawn != r.wanted() {
		r.ramp.Refresh()
	}
	canvas.Refresh(r.b)
}
