package dock

import (
	"fmt"
	"math"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/ui/viewmodel"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// pixel explains one pixel: how the samples are spread there, what data, prior and
// posterior say, and the values around it.
type pixel struct {
	m     *viewmodel.Model
	chart *widget.Chart
	rows  *table
	text  *control.Text
	grid  *fynewidget.TextGrid
	where *control.Text
	box   fyne.CanvasObject
}

// around is how many pixels to each side the table of values shows.
const around = 3

func newPixel(m *viewmodel.Model) *pixel {
	p := &pixel{m: m, chart: widget.NewChart("Click a pixel of a result to see its samples"), rows: newTable()}
	p.text = control.NewText("", theme.SizeNameCaptionText, "")
	p.grid = fynewidget.NewTextGrid()
	p.where = caption()
	middle := container.NewVScroll(control.NewColumn(6, 0, p.rows.box, p.text))
	right := container.NewBorder(p.where, nil, nil, nil, container.NewScroll(p.grid))
	p.box = control.NewTopRow(14, []float32{-3, 240, -4}, tall{p.chart}.wrap(), tall{middle}.wrap(), tall{right}.wrap())
	return p
}

// tall gives an object the height of the dock in a row that asks for its least.
type tall struct{ o fyne.CanvasObject }

func (t tall) wrap() fyne.CanvasObject { return container.New(fullHeight{}, t.o) }

type fullHeight struct{}

func (fullHeight) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(o[0].MinSize().Width, height)
}

func (fullHeight) Layout(o []fyne.CanvasObject, size fyne.Size) { o[0].Resize(size) }

func (p *pixel) object() fyne.CanvasObject { return p.box }

func (p *pixel) update() {
	at := p.m.Inspected()
	if !at.Set {
		p.rows.set(nil)
		p.text.SetText("Click a pixel, or move the cursor there by the arrows and press i.")
		p.where.SetText("")
		p.grid.SetText("")
		p.chart.SetData(widget.ChartData{})
		return
	}
	p.values()
	w, ok := p.m.Why()
	if !ok {
		p.chart.SetData(widget.ChartData{})
		p.rows.set([][2]string{{"Pixel", widget.FormatPixel(at.X, at.Y)}})
		p.text.SetText("Run, or choose a result, to see how uncertain this pixel is and why.")
		return
	}
	unit := w.Unit
	rows := [][2]string{{"Pixel", widget.FormatPixel(at.X, at.Y)}}
	if w.Noise > 0 {
		rows = append(rows, [2]string{"Data ± noise", widget.FormatWithError(w.Data, w.Noise, unit)})
		rows = append(rows, [2]string{"Weight of the data", fmt.Sprintf("%.4g", 1/(w.Noise*w.Noise))})
	} else {
		rows = append(rows, [2]string{"Data", "masked"})
	}
	if w.Std > 0 {
		rows = append(rows, [2]string{"Posterior", widget.FormatWithError(w.Mean, w.Std, unit)})
	} else {
		rows = append(rows, [2]string{"Estimate", widget.FormatValue(w.Mean, unit)})
	}
	if w.Prior > 0 {
		rows = append(rows, [2]string{"Prior std", widget.FormatValue(w.Prior, unit)})
	} else {
		rows = append(rows, [2]string{"Prior std", "not known for this prior"})
	}
	if w.PSFPixels > 0 {
		rows = append(rows, [2]string{"PSF spreads over", fmt.Sprintf("%.1f px", w.PSFPixels)})
	}
	p.rows.set(rows)
	p.text.SetText(w.Sentence)
	p.chart.SetData(samplesChart(w))
}

// samplesChart is the histogram of a pixel over the samples.
func samplesChart(w viewmodel.Why) widget.ChartData {
	if len(w.Samples) < 2 {
		return widget.ChartData{}
	}
	lo, hi := w.Samples[0], w.Samples[0]
	for _, v := range w.Samples {
		lo, hi = min(lo, v), max(hi, v)
	}
	n := min(24, max(5, int(math.Sqrt(float64(len(w.Samples)))*1.5)))
	step := (hi - lo) / float64(n)
	if !(step > 0) {
		return widget.ChartData{}
	}
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = lo + (float64(i)+0.5)*step
	}
	for _, v := range w.Samples {
		y[min(n-1, int((v-lo)/step))]++
	}
	d := widget.ChartData{
		XLabel: "value in the samples (" + orPlain(w.Unit) + ")", YLabel: "samples",
		Series: []widget.Series{{X: x, Y: y, Bars: true}},
		Marks:  []widget.Mark{{X: w.Mean, Name: "mean"}},
	}
	if w.Noise > 0 && w.Data > lo-2*(hi-lo) && w.Data < hi+2*(hi-lo) {
		d.Marks = append(d.Marks, widget.Mark{X: w.Data, Name: "data", Colour: theme.ColorNameSuccess})
	}
	return d
}

func orPlain(unit string) string {
	if unit == "" {
		return "data unit"
	}
	return unit
}

// values fills the table of the pixels around.
func (p *pixel) values() {
	rows, x0, y0, ok := p.m.Neighbourhood(around)
	if !ok {
		p.where.SetText("")
		p.grid.SetText("")
		return
	}
	t := p.m.Tiles()[p.m.ActiveTile()]
	p.where.SetText("Values of " + t.Title + " around it")
	text := fmt.Sprintf("%5s", "y \\ x")
	for i := range rows[0] {
		text += fmt.Sprintf("%8d", x0+i)
	}
	for j, row := range rows {
		text += fmt.Sprintf("\n%5d", y0+2*around-j)
		for _, v := range row {
			cell := "–"
			if v == v {
				cell = figure.Minus(strconv.FormatFloat(v, 'g', 4, 64))
			}
			text += fmt.Sprintf("%8s", cell)
		}
	}
	p.grid.SetText(text)
	p.grid.SetRowStyle(around+1, &fynewidget.CustomTextGridStyle{TextStyle: fyne.TextStyle{Bold: true}})
}
