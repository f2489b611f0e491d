package widget

import (
	"fmt"
	"image"
	"math"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/ui/widget/tr"
)

// Corner shows samples of several quantities: a histogram of each along the diagonal,
// and below it every pair as points. The 16, 50 and 84 % quantiles stand above.
type Corner struct {
	widget.BaseWidget
	names  []string
	values [][]float64 // per quantity, the samples
	empty  string
	pic    *image.RGBA
	pen    Pen
	raster *canvas.Raster
}

// NewCorner makes an empty one; empty is what it says without samples.
func NewCorner(empty string) *Corner {
	c := &Corner{empty: tr.T(empty)}
	c.ExtendBaseWidget(c)
	return c
}

// SetData shows samples: values has a list of the same length for every name.
func (c *Corner) SetData(names []string, values [][]float64) {
	c.names, c.values = names, values
	if c.raster != nil {
		c.raster.Refresh()
	}
}

// MinSize leaves the size to the layout.
func (c *Corner) MinSize() fyne.Size { return fyne.NewSize(160, 90) }

// CreateRenderer is called by Fyne.
func (c *Corner) CreateRenderer() fyne.WidgetRenderer {
	c.ExtendBaseWidget(c)
	c.raster = canvas.NewRaster(c.generate)
	c.raster.ScaleMode = canvas.ImageScalePixels
	return widget.NewSimpleRenderer(c.raster)
}

func (c *Corner) generate(w, h int) image.Image {
	w, h = max(1, w), max(1, h)
	if c.pic == nil || c.pic.Rect.Dx() != w || c.pic.Rect.Dy() != h {
		c.pic = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	ground := rgba(theme.ColorForWidget(theme.ColorNameBackground, c))
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

func (c *Corner) draw() {
	p := &c.pen
	w, h := p.Size()
	soft := rgba(theme.ColorForWidget(theme.ColorNamePlaceHolder, c))
	n := len(c.values)
	if n == 0 || len(c.values[0]) < 2 {
		p.Text(c.empty, w/2, h/2, 12, soft)
		return
	}
	const left, top, gap = 8.0, 18.0, 6.0
	cw, ch := (w-2*left-float64(n-1)*gap)/float64(n), (h-top-4-float64(n-1)*gap)/float64(n)
	ink := rgba(theme.ColorForWidget(theme.ColorNamePrimary, c))
	frame := rgba(theme.ColorForWidget(theme.ColorNameSeparator, c))
	for row := range n {
		for col := 0; col <= row; col++ {
			x, y := left+float64(col)*(cw+gap), top+float64(row)*(ch+gap)
			for _, s := range [4][4]float64{{x, y, x + cw, y}, {x, y + ch, x + cw, y + ch}, {x, y, x, y + ch}, {x + cw, y, x + cw, y + ch}} {
				p.Stroke(s[0], s[1], s[2], s[3], 1, frame)
			}
			if row == col {
				c.histogram(row, x, y, cw, ch)
				continue
			}
			ax, ay := limitsOf(c.values[col]), limitsOf(c.values[row])
			for k := range c.values[row] {
				u, v := (c.values[col][k]-ax[0])/(ax[1]-ax[0]), (c.values[row][k]-ay[0])/(ay[1]-ay[0])
				if u >= 0 && u <= 1 && v >= 0 && v <= 1 {
					p.dot(x+u*cw, y+(1-v)*ch, 1.4, ink)
				}
			}
		}
	}
}

// histogram is the diagonal: bars, and the name with its quantiles beside them.
func (c *Corner) histogram(i int, x, y, w, h float64) {
	p := &c.pen
	v := c.values[i]
	lim := limitsOf(v)
	const bins = 16
	var counts [bins]float64
	for _, q := range v {
		counts[min(bins-1, max(0, int(bins*(q-lim[0])/(lim[1]-lim[0]))))]++
	}
	most := slices.Max(counts[:])
	ink := rgba(theme.ColorForWidget(theme.ColorNamePrimary, c))
	for k, q := range counts {
		if q > 0 {
			p.fill(x+float64(k)*w/bins+0.5, y+h-0.9*h*q/most, x+float64(k+1)*w/bins-0.5, y+h, ink)
		}
	}
	s := slices.Sorted(slices.Values(v))
	at := func(f float64) float64 { return s[min(len(s)-1, int(f*float64(len(s))))] }
	text := fmt.Sprintf("%s %s (−%s +%s)", c.names[i], FormatValue(at(0.5), ""), significant(at(0.5)-at(0.16), 2), significant(at(0.84)-at(0.5), 2))
	p.TextLeft(text, x, y-3, 10, rgba(theme.ColorForWidget(theme.ColorNameForeground, c)))
}

// limitsOf are the ends of values, a little apart.
func limitsOf(v []float64) [2]float64 {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, q := range v {
		if q-q == 0 {
			lo, hi = min(lo, q), max(hi, q)
		}
	}
	if !(hi > lo) {
		return [2]float64{lo - 1, lo + 1}
	}
	room := 0.05 * (hi - lo)
	return [2]float64{lo - room, hi + room}
}
