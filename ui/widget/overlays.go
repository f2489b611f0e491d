package widget

import (
	"image/color"

	"limpid/app/figure"
)

// Markers rings places of an image: the stars a PSF was measured from, a
// catalogue. Positions are pixels of the image. Where thousands are in sight the
// rings get smaller, and then dots, as they would cover the picture (and take long to
// draw).
type Markers struct {
	Points [][2]float64
	Radius float64 // Fyne units; 0: 7
	Colour color.RGBA
}

// Draw marks every point in sight.
func (m Markers) Draw(p *Pen) {
	r := m.Radius
	if r == 0 {
		r = 7
	}
	const width = 1.4
	p.marks = p.marks[:0]
	for _, q := range m.Points {
		p.mark(q[0], q[1], (r+width+1)*p.scale)
	}
	switch n := len(p.marks); {
	case n > 20000:
		p.dots(m.Colour)
	case n > 3000:
		p.rings(min(r, 3.5), width, m.Colour)
	default:
		p.rings(r, width, m.Colour)
	}
}

// SkyMarks draws a scale bar in arcsec and a compass into the lower corners of a
// pane.
type SkyMarks struct{ Sky figure.Sky }

// markColour and its seam on dark pictures; on light ones they change places.
var (
	markColour = color.RGBA{0xf2, 0xf4, 0xf7, 0xff}
	markDark   = color.RGBA{0x14, 0x17, 0x1c, 0xff}
)

// inkFor chooses what can be read over a part of the picture.
func inkFor(p *Pen, x, y, w, h float64) (ink, seam color.RGBA) {
	const light = 150 // of 255
	if p.brightness(x, y, w, h) > light {
		return markDark, color.RGBA{0xb4, 0xb4, 0xb4, 0xb4}
	}
	return markColour, color.RGBA{0, 0, 0, 170}
}

// Draw judges the sky at the middle of what is seen.
func (m SkyMarks) Draw(p *Pen) {
	v := p.View()
	north, east, scale, ok := figure.Compass(m.Sky, v.X, v.Y)
	w, h := p.Size()
	if !ok || w < 160 || h < 110 {
		return
	}
	k := v.Zoom / scale / p.scale // Fyne units per arcsec
	length, text := figure.ScaleBar(k, min(140, w*0.25))
	if l, x, y := length*k, 16.0, h-16.0; length > 0 {
		ink, seam := inkFor(p, x, y-18, l, 22)
		strokes(p, [][4]float64{{x, y, x + l, y}, {x, y - 4, x, y + 4}, {x + l, y - 4, x + l, y + 4}}, ink, seam)
		p.Text(text, x+l/2, y-8, 12, ink)
	}
	const arm, letter, inset = 26.0, 9.0, 14.0
	nr, nu := v.Turn.Apply(north[0], north[1])
	er, eu := v.Turn.Apply(east[0], east[1])
	reach := arm + 2*letter
	cx := w - inset - max(0, max(nr, er)*reach)
	cy := h - inset - max(0, max(-nu, -eu)*reach)
	var lines [][4]float64
	for _, a := range [2][2]float64{{nr, nu}, {er, eu}} {
		tx, ty := cx+a[0]*arm, cy-a[1]*arm
		lines = append(lines, [4]float64{cx, cy, tx, ty})
		for _, side := range []float64{-1, 1} { // the arrow's head
			lines = append(lines, [4]float64{tx, ty, tx - a[0]*6 - side*a[1]*3.2, ty + a[1]*6 - side*a[0]*3.2})
		}
	}
	ink, seam := inkFor(p, w-inset-reach, h-inset-reach, reach, reach)
	strokes(p, lines, ink, seam)
	p.Text("N", cx+nr*(arm+letter), cy-nu*(arm+letter)+4, 12, ink)
	p.Text("E", cx+er*(arm+letter), cy-eu*(arm+letter)+4, 12, ink)
}

// strokes draws lines with a seam under all of them.
func strokes(p *Pen, lines [][4]float64, ink, seam color.RGBA) {
	for _, s := range lines {
		p.Stroke(s[0], s[1], s[2], s[3], 3.6, seam)
	}
	for _, s := range lines {
		p.Stroke(s[0], s[1], s[2], s[3], 1.4, ink)
	}
}
