package widget

import (
	"fmt"
	"image/color"
	"math"

	"limpid/app/figure"
)

// SkyGrid draws lines of equal longitude and latitude with labels.
type SkyGrid struct {
	Sky   Projection
	Hours bool // longitudes in hours (equatorial frames)
}

var gridColour = color.RGBA{0x8f, 0xb9, 0xd8, 0x90}

// Steps of a grid: in arcsec, and for longitudes in seconds of time.
var (
	arcSteps  = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000, 54000, 108000}
	hourSteps = []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800}
)

// Draw finds the range of the sky in sight and puts about five lines of each kind
// into it.
func (g SkyGrid) Draw(p *Pen) {
	lon0, lo, hi, ok := g.extent(p)
	if !ok {
		return
	}
	latStep := gridStep(arcSteps, (hi[1]-lo[1])*3600)
	perUnit := 3600.0
	steps := arcSteps
	if g.Hours {
		perUnit, steps = 240, hourSteps
	}
	lonStep := gridStep(steps, (hi[0]-lo[0])*perUnit)
	step := lonStep / perUnit
	for k := math.Ceil((lon0 + lo[0]) / step); k*step <= lon0+hi[0]; k++ {
		lon := k * step
		g.line(p, func(t float64) (float64, float64) { return lon, lo[1] + t*(hi[1]-lo[1]) }, g.lonText(lon, lonStep))
	}
	step = latStep / 3600
	for k := math.Ceil(lo[1] / step); k*step <= hi[1]; k++ {
		lat := k * step
		if math.Abs(lat) > 90 {
			continue
		}
		g.line(p, func(t float64) (float64, float64) { return lon0 + lo[0] + t*(hi[0]-lo[0]), lat }, latText(lat, latStep))
	}
}

// extent is the sky in sight: longitudes are relative to lon0.
func (g SkyGrid) extent(p *Pen) (lon0 float64, lo, hi [2]float64, ok bool) {
	v := p.View()
	w, h := p.dst.Rect.Dx(), p.dst.Rect.Dy()
	lon0, _, ok = g.Sky.PixelToSky(v.X, v.Y)
	if !ok {
		return 0, lo, hi, false
	}
	lo, hi = [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	const n = 12
	for i := 0; i <= n; i++ {
		for j := 0; j <= n; j++ {
			x, y := v.Image(w, h, float64(w*i)/n, float64(h*j)/n)
			lon, lat, good := g.Sky.PixelToSky(x, y)
			if !good {
				continue
			}
			d := math.Remainder(lon-lon0, 360)
			lo[0], hi[0] = min(lo[0], d), max(hi[0], d)
			lo[1], hi[1] = min(lo[1], lat), max(hi[1], lat)
		}
	}
	return lon0, lo, hi, hi[0] > lo[0] && hi[1] > lo[1]
}

func gridStep(steps []float64, span float64) float64 {
	for _, s := range steps {
		if span/s <= 6 {
			return s
		}
	}
	return steps[len(steps)-1]
}

// line draws a curve of the sky and writes its label where it enters the picture.
func (g SkyGrid) line(p *Pen, at func(t float64) (lon, lat float64), label string) {
	const n = 48
	w, h := p.Size()
	var px, py float64
	have := false
	lx, ly, far := 0.0, 0.0, math.Inf(1)
	for i := 0; i <= n; i++ {
		lon, lat := at(float64(i) / n)
		x, y, ok := g.Sky.SkyToPixel(lon, lat)
		if !ok {
			have = false
			continue
		}
		sx, sy := p.At(x, y)
		if have && math.Hypot(sx-px, sy-py) < 4*(w+h) {
			p.Stroke(px, py, sx, sy, 1, gridColour)
		}
		px, py, have = sx, sy, true
		if sx > 50 && sx < w-50 && sy > 44 && sy < h-30 { // the place of the label: nearest to the upper left
			if d := math.Min(sx, sy*1.5); d < far {
				lx, ly, far = sx, sy, d
			}
		}
	}
	if !math.IsInf(far, 1) {
		const size = 11
		wide := p.Width(label, size)
		ink, _ := inkFor(p, lx-wide/2, ly-4-size, wide, size)
		p.Text(label, lx, ly-4, size, ink)
	}
}

func (g SkyGrid) lonText(lon, step float64) string {
	lon = math.Mod(math.Mod(lon, 360)+360, 360)
	if g.Hours {
		return sexaText(lon/15, step, "h", "m", "s", 24)
	}
	return sexaText(lon, step, "°", "′", "″", 360)
}

func latText(lat, step float64) string {
	sign := "+"
	if lat < 0 {
		sign = "−"
	}
	return sign + sexaText(math.Abs(lat), step, "°", "′", "″", 1000)
}

// sexaText writes a value in whole, minutes and seconds with no more parts than the
// step (in seconds) needs.
func sexaText(v, step float64, whole, minute, second string, wrap float64) string {
	digits := 0
	for s := step; s < 0.999 && digits < 3; s *= 10 {
		digits++
	}
	unit := math.Pow(10, -float64(digits))
	total := math.Round(v*3600/unit) * unit
	if total >= wrap*3600 {
		total -= wrap * 3600
	}
	a := math.Floor(total/3600 + 1e-9)
	b := math.Floor((total-a*3600)/60 + 1e-9)
	c := math.Max(0, total-a*3600-b*60)
	switch {
	case step >= 3600:
		return fmt.Sprintf("%.0f%s", a, whole)
	case step >= 60:
		return fmt.Sprintf("%.0f%s%02.0f%s", a, whole, b, minute)
	}
	width := 2
	if digits > 0 {
		width = 3 + digits
	}
	return fmt.Sprintf("%.0f%s%02.0f%s%0*.*f%s", a, whole, b, minute, width, digits, c, second)
}

var _ figure.Sky = Projection(nil)

// Lines draws many pieces of line in the pixels of the image: contours.
type Lines struct {
	Pieces [][4]float32 // x0, y0, x1, y1
	Colour color.RGBA
	Width  float64
}

// Draw draws those in sight.
func (l Lines) Draw(p *Pen) {
	for _, s := range l.Pieces {
		p.Line(float64(s[0]), float64(s[1]), float64(s[2]), float64(s[3]), l.Width, l.Colour)
	}
}
