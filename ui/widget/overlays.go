package widget

import (
	"image/color"

	"limpid/app/figure"
)

// Markers rings places of an image: the stars a PSF was measured from, a
// catalogue. Positions are pixels of the image. Where thousands are in sight the
// rings get smaller, as they would cover the picture (and take long to draw).
type Markers struct {
	Points [][2]float64
	Radius float64 // Fyne units; 0: 7
	Colour color.RGBA
}

// Draw rings every point in sight.
func (m Markers) Draw(p *Pen) {
	r := m.Radius
	if r == 0 {
		r = 7
	}
	w, h := p.Size()
	seen := 0
	for _, q := range m.Points {
		if x, y := p.At(q[0], q[1]); x >= 0 && y >= 0 && x < w && y < h {
			seen++
		}
	}
	switch {
	case seen > 20000:
		r = min(r, 2)
	case seen > 3000:
		r = min(r, 3.5)
	}
	for _, q := range m.Points {
		p.Ring(q[0], q[1], r, 1.4, m.Colour)
	}
}

// SkyMarks draws a scale bar in arcsec and a compass into the lower corners of a
// pane.
type SkyMarks struct{ Sky figure.Sky }

var markColour = color.RGBA{0xf2, 0xf4, 0xf7, 0xff}

// Draw judges the sky at the middle of what is seen.
func (m SkyMarks) Draw(p *Pen) {
	v := p.View()
	north, east, scale, ok := figure.Compass(m.Sky, v.X, v.Y)
	w, h := p.Size()
	if !ok || w < 160 || h < 110 {
		return
	}
	k := v.Zoom / scale / p.scale // Fyne units per arcsec
	var lines [][4]float64
	length, text := figure.ScaleBar(k, min(140, w*0.25))
	l, x, y := length*k, 16.0, h-16.0
	if length > 0 {
		lines = append(lines, [4]float64{x, y, x + l, y},
			[4]float64{x, y - 4, x, y + 4}, [4]float64{x + l, y - 4, x + l, y + 4})
	}
	const arm, letter, inset = 26.0, 9.0, 14.0
	nr, nu := v.Turn.Apply(north[0], north[1])
	er, eu := v.Turn.Apply(east[0], east[1])
	reach := arm + 2*letter
	cx := w - inset - max(0, max(nr, er)*reach)
	cy := h - inset - max(0, max(-nu, -eu)*reach)
	for _, a := range [2][2]float64{{nr, nu}, {er, eu}} {
		tx, ty := cx+a[0]*arm, cy-a[1]*arm
		lines = append(lines, [4]float64{cx, cy, tx, ty})
		for _, side := range []float64{-1, 1} { // the arrow's head
			lines = append(lines, [4]float64{tx, ty, tx - a[0]*6 - side*a[1]*3.2, ty + a[1]*6 - side*a[0]*3.2})
		}
	}
	for _, s := range lines { // a dark seam under everything, then the light lines
		p.Stroke(s[0], s[1], s[2], s[3], 3.6, color.RGBA{0, 0, 0, 170})
	}
	for _, s := range lines {
		p.Stroke(s[0], s[1], s[2], s[3], 1.4, markColour)
	}
	if length > 0 {
		p.Text(text, x+l/2, y-8, 12, markColour)
	}
	p.Text("N", cx+nr*(arm+letter), cy-nu*(arm+letter)+4, 12, markColour)
	p.Text("E", cx+er*(arm+letter), cy-eu*(arm+letter)+4, 12, markColour)
}
