package widget

import (
	"cmp"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/ui/widget/tr"
)

// Series is one curve, set of bars or set of points of a Chart.
type Series struct {
	Name   string
	X, Y   []float64
	Std    []float64 // drawn as a band or as error bars; nil: none
	Bars   bool      // Y from the axis, each as wide as to its neighbours
	Points bool
	Colour fyne.ThemeColorName // "": the accent
}

// ChartData is what a Chart shows.
type ChartData struct {
	XLabel, YLabel string
	LogX, LogY     bool
	Series         []Series
	Marks          []Mark
}

// Mark is a vertical line at a value.
type Mark struct {
	X      float64
	Name   string
	Colour fyne.ThemeColorName // "": that of warnings
}

// Chart draws curves with axes. It is empty until SetData.
type Chart struct {
	widget.BaseWidget
	data   ChartData
	pic    *image.RGBA
	pen    Pen
	raster *canvas.Raster
	empty  string
}

// NewChart makes an empty chart; empty is what it says without data.
func NewChart(empty string) *Chart {
	c := &Chart{empty: tr.T(empty)}
	c.ExtendBaseWidget(c)
	return c
}

// SetData shows other data.
func (c *Chart) SetData(d ChartData) {
	d.XLabel, d.YLabel = tr.T(d.XLabel), tr.T(d.YLabel)
	c.data = d
	c.Refresh()
}

// Data is what is shown.
func (c *Chart) Data() ChartData { return c.data }

// MinSize leaves the size to the layout.
func (c *Chart) MinSize() fyne.Size { return fyne.NewSize(160, 90) }

// CreateRenderer is called by Fyne.
func (c *Chart) CreateRenderer() fyne.WidgetRenderer {
	c.ExtendBaseWidget(c)
	c.raster = canvas.NewRaster(c.generate)
	c.raster.ScaleMode = canvas.ImageScalePixels
	return widget.NewSimpleRenderer(c.raster)
}

// Refresh draws it again.
func (c *Chart) Refresh() {
	if c.raster != nil {
		c.raster.Refresh()
	}
	c.BaseWidget.Refresh()
}

// axis1 is one axis: data from lo to hi (their logarithms where log).
type axis1 struct {
	lo, hi float64
	log    bool
}

func (a axis1) at(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}
	return (v - a.lo) / (a.hi - a.lo)
}

// span finds an axis that holds all values.
func span(log, zero bool, values ...[]float64) (axis1, bool) {
	a := axis1{lo: math.Inf(1), hi: math.Inf(-1), log: log}
	for _, vs := range values {
		for _, v := range vs {
			if log {
				v = math.Log10(v)
			}
			if v-v == 0 {
				a.lo, a.hi = min(a.lo, v), max(a.hi, v)
			}
		}
	}
	if math.IsInf(a.lo, 0) {
		return a, false
	}
	if zero && !log {
		a.lo, a.hi = min(a.lo, 0), max(a.hi, 0)
	}
	if a.hi <= a.lo {
		room := math.Max(1e-12, math.Abs(a.lo)*0.1)
		a.lo, a.hi = a.lo-room, a.hi+room
	}
	return a, true
}

// ticks are values along an axis with their labels.
func (a axis1) ticks(n int) (at []float64, label []string) {
	if a.log {
		step := max(1, int(math.Ceil((a.hi-a.lo)/float64(max(1, n)))))
		for e := int(math.Ceil(a.lo)); float64(e) <= a.hi; e += step {
			at = append(at, math.Pow(10, float64(e)))
			label = append(label, powerText(e))
		}
		if len(at) >= 2 {
			return at, label
		}
		at, label = nil, nil
		for e := int(math.Floor(a.lo)); float64(e) <= a.hi; e++ {
			for _, m := range []float64{1, 2, 5} {
				v := m * math.Pow(10, float64(e))
				if l := math.Log10(v); l >= a.lo && l <= a.hi {
					at, label = append(at, v), append(label, strconv.FormatFloat(v, 'g', 3, 64))
				}
			}
		}
		return at, label
	}
	raw := (a.hi - a.lo) / float64(max(1, n))
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * p
	for _, m := range []float64{1, 2, 5} {
		if m*p >= raw {
			step = m * p
			break
		}
	}
	for k := math.Ceil(a.lo/step - 1e-9); k*step <= a.hi+step*1e-9; k++ {
		v := k*step + 0 // no negative zero
		at = append(at, v)
		label = append(label, figure.Minus(strconv.FormatFloat(v, 'g', 5, 64)))
	}
	return at, label
}

func powerText(e int) string {
	if e >= -2 && e <= 3 {
		return strconv.FormatFloat(math.Pow(10, float64(e)), 'g', -1, 64)
	}
	return "10" + figure.Superscript(e)
}

// Margins of the plot in Fyne units.
const (
	chartLeft, chartRight, chartTop, chartBottom = 62.0, 12.0, 16.0, 32.0
)

func (c *Chart) colour(n fyne.ThemeColorName) color.RGBA { return rgba(theme.ColorForWidget(n, c)) }

func (c *Chart) generate(w, h int) image.Image {
	w, h = max(1, w), max(1, h)
	if c.pic == nil || c.pic.Rect.Dx() != w || c.pic.Rect.Dy() != h {
		c.pic = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	ground := c.colour(theme.ColorNameBackground)
	for i := 0; i < len(c.pic.Pix); i += 4 {
		c.pic.Pix[i], c.pic.Pix[i+1], c.pic.Pix[i+2], c.pic.Pix[i+3] = ground.R, ground.G, ground.B, 0xff
	}
	scale := 1.0
	if s := c.Size(); s.Width > 0 {
		scale = float64(w) / float64(s.Width)
	}
	c.pen.begin(c.pic, figure.View{Zoom: 1}, scale)
	c.pen.plain = true
	c.draw()
	return c.pic
}

// plot is where data lie in the chart.
type plot struct {
	x, y       axis1
	l, t, r, b float64
}

func (q plot) px(v float64) float64 { return q.l + q.x.at(v)*(q.r-q.l) }
func (q plot) py(v float64) float64 { return q.b - q.y.at(v)*(q.b-q.t) }

func (c *Chart) draw() {
	p := &c.pen
	w, h := p.Size()
	ink, soft := c.colour(theme.ColorNameForeground), c.colour(theme.ColorNamePlaceHolder)
	var xs, ys [][]float64
	bars, points := 0, false
	for _, s := range c.data.Series {
		xs, ys, points = append(xs, s.X), append(ys, s.Y), points || s.Points
		if s.Bars {
			bars = max(bars, len(s.X))
		}
		if s.Std != nil && !s.Bars {
			lo, hi := make([]float64, len(s.Y)), make([]float64, len(s.Y))
			for i := range s.Y {
				lo[i], hi[i] = s.Y[i]-s.Std[i], s.Y[i]+s.Std[i]
			}
			ys = append(ys, lo, hi)
		}
	}
	for _, m := range c.data.Marks {
		xs = append(xs, []float64{m.X})
	}
	ax, okx := span(c.data.LogX, false, xs...)
	ay, oky := span(c.data.LogY, bars > 0, ys...)
	if bars > 0 && !c.data.LogY { // counts: the error of what is expected may reach below
		ay.lo = 0
	}
	if !okx || !oky {
		c.sayEmpty(w, h, soft)
		return
	}
	if bars > 0 { // the outer ones have their whole width
		half := (ax.hi - ax.lo) / float64(2*max(1, bars-1))
		ax.lo, ax.hi = ax.lo-half, ax.hi+half
	}
	room := 0.05 * (ay.hi - ay.lo)
	if points { // none on the axes
		side := 0.03 * (ax.hi - ax.lo)
		ax.lo, ax.hi, ay.lo = ax.lo-side, ax.hi+side, ay.lo-room
	}
	ay.hi += room
	q := plot{x: ax, y: ay, l: chartLeft, t: chartTop, r: w - chartRight, b: h - chartBottom}
	c.axes(q, ink, soft)
	for _, s := range c.data.Series {
		c.series(q, s)
	}
	c.marks(q)
	c.legend(q, soft)
}

// sayEmpty writes what there is to say without data, in as many lines as it takes.
func (c *Chart) sayEmpty(w, h float64, ink color.RGBA) {
	const size, step, margin = 12, 17, 8
	var lines []string
	for _, word := range strings.Fields(c.empty) {
		if n := len(lines); n > 0 && c.pen.Width(lines[n-1]+" "+word, size) <= w-2*margin {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	for i, line := range lines {
		c.pen.Text(line, w/2, h/2+step*(float64(i)-float64(len(lines)-1)/2), size, ink)
	}
}

// marks are lines with their names above the plot: side by side where lines are near
// each other, from the least value on.
func (c *Chart) marks(q plot) {
	p := &c.pen
	list := slices.SortedFunc(slices.Values(c.data.Marks), func(a, b Mark) int { return cmp.Compare(a.X, b.X) })
	const size, gap = 10, 6
	wide := 0.0 // of this name and those after it
	for _, m := range list {
		wide += p.Width(tr.T(m.Name), size) + gap
	}
	free := math.Inf(-1)
	for _, m := range list {
		ink := c.colour(cmp.Or(m.Colour, theme.ColorNameWarning))
		x, name := q.px(m.X), tr.T(m.Name)
		p.Stroke(x, q.t, x, q.b, 1.4, ink)
		left := min(max(x-p.Width(name, size)/2, free), q.r-wide+gap)
		p.TextLeft(name, left, q.t-4, size, ink)
		step := p.Width(name, size) + gap
		free, wide = left+step, wide-step
	}
}

func (c *Chart) axes(q plot, ink, soft color.RGBA) {
	p := &c.pen
	line := c.colour(theme.ColorNameSeparator)
	at, label := q.x.ticks(max(2, int((q.r-q.l)/90)))
	for i, v := range at {
		x := q.px(v)
		if x < q.l-1 || x > q.r+1 {
			continue
		}
		p.Stroke(x, q.t, x, q.b, 0.8, line)
		p.Text(label[i], x, q.b+13, 10, soft)
	}
	at, label = q.y.ticks(max(2, int((q.b-q.t)/34)))
	for i, v := range at {
		y := q.py(v)
		if y < q.t-1 || y > q.b+1 {
			continue
		}
		p.Stroke(q.l, y, q.r, y, 0.8, line)
		p.Text(label[i], q.l-30, y+4, 10, soft)
	}
	p.Stroke(q.l, q.b, q.r, q.b, 1, soft)
	p.Stroke(q.l, q.t, q.l, q.b, 1, soft)
	p.Text(c.data.XLabel, (q.l+q.r)/2, q.b+27, 11, ink)
	if c.data.YLabel != "" {
		p.TextLeft(c.data.YLabel, 4, q.t-4, 11, ink)
	}
}

// legend names the curves: above the plot where there is room beside the axis' name and no
// mark has its name there, else inside.
func (c *Chart) legend(q plot, soft color.RGBA) {
	p := &c.pen
	const size, dash, gap = 10, 20, 14
	wide := 0.0
	for _, s := range c.data.Series {
		if s.Name != "" {
			wide += p.Width(tr.T(s.Name), size) + dash + gap
		}
	}
	x, y := q.r, q.t-4
	if len(c.data.Marks) > 0 || 4+p.Width(c.data.YLabel, 11)+wide > q.r {
		y = q.t + 12
	}
	for i := len(c.data.Series) - 1; i >= 0; i-- {
		s := c.data.Series[i]
		if s.Name == "" {
			continue
		}
		name := tr.T(s.Name)
		x -= p.Width(name, size)
		p.TextLeft(name, x, y, size, soft)
		p.Stroke(x-dash, y-4, x-6, y-4, 2.4, c.seriesColour(s))
		x -= dash + gap
	}
}

func (c *Chart) seriesColour(s Series) color.RGBA {
	if s.Colour == "" {
		return c.colour(theme.ColorNamePrimary)
	}
	return c.colour(s.Colour)
}

func (c *Chart) series(q plot, s Series) {
	p := &c.pen
	ink := c.seriesColour(s)
	good := func(v float64) bool { return v-v == 0 && v >= q.t-1e4 && v <= q.b+1e4 }
	faint := ink
	faint.A = 0x66
	lastX, lastY := math.NaN(), math.NaN()
	for i := range s.X {
		x, y := q.px(s.X[i]), q.py(s.Y[i])
		if s.Bars {
			c.bar(q, s, i, ink)
			continue
		}
		if !good(y) || x-x != 0 {
			lastX = math.NaN()
			continue
		}
		if s.Std != nil && i < len(s.Std) {
			if a, b := q.py(s.Y[i]-s.Std[i]), q.py(s.Y[i]+s.Std[i]); good(a) && good(b) {
				p.Stroke(x, min(a, q.b), x, b, 1.4, faint)
			}
		}
		if s.Points {
			p.dot(x, y, 2.4, ink)
		} else if lastX == lastX {
			p.Stroke(lastX, lastY, x, y, 1.6, ink)
		}
		lastX, lastY = x, y
	}
}

func (c *Chart) bar(q plot, s Series, i int, ink color.RGBA) {
	wide := (q.r - q.l) / float64(max(2, len(s.X)))
	if len(s.X) > 1 {
		wide = math.Abs(q.px(s.X[1]) - q.px(s.X[0]))
	}
	x, y := q.px(s.X[i]), q.py(s.Y[i])
	if y < q.b {
		c.pen.fill(x-wide/2+0.5, y, x+wide/2-0.5, q.b, ink)
	}
}
