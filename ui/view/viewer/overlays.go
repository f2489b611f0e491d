package viewer

import (
	"image/color"

	"limpid/ui/viewmodel"
	"limpid/ui/widget"
)

// Colours of what is drawn over images; they can be told apart by people who do
// not see red and green, also by their brightness.
var (
	usedColour     = color.RGBA{0x5f, 0xe0, 0xa8, 0xff}
	rejectedColour = color.RGBA{0xff, 0x9a, 0x3c, 0xff}
	cutoutColour   = color.RGBA{0x6f, 0xb8, 0xff, 0xff}
)

// overlays are what is drawn over a tile: scale and compass, the stars of a
// measured PSF, the cut-out.
func (v *Viewer) overlays(t *viewmodel.Tile) []widget.Overlay {
	var out []widget.Overlay
	if w := t.WCS(); w != nil {
		out = append(out, widget.SkyMarks{Sky: w})
	}
	if t.Other() || t.Source != viewmodel.Data {
		return out
	}
	o := t.Grid().Origin
	if v.m.StarsMarked() && v.m.ShowsRecipeImage() {
		used, rejected := widget.Markers{Colour: usedColour, Radius: 9}, widget.Markers{Colour: rejectedColour, Radius: 7}
		for _, s := range v.m.Stars() {
			at := [2]float64{s.X - float64(o[0]), s.Y - float64(o[1])}
			if s.Used {
				used.Points = append(used.Points, at)
			} else {
				rejected.Points = append(rejected.Points, at)
			}
		}
		out = append(out, rejected, used)
	}
	if c, ok := v.m.Cutout(); ok {
		out = append(out, frame{c})
	}
	return out
}

// frame is the outline of a cut-out, [x0, x1, y0, y1] with upper ends excluded.
type frame struct{ c [4]int }

// Draw draws it along the outer edges of its pixels.
func (f frame) Draw(p *widget.Pen) {
	x0, x1 := float64(f.c[0])-0.5, float64(f.c[1])-0.5
	y0, y1 := float64(f.c[2])-0.5, float64(f.c[3])-0.5
	for _, l := range [4][4]float64{{x0, y0, x1, y0}, {x1, y0, x1, y1}, {x1, y1, x0, y1}, {x0, y1, x0, y0}} {
		p.Line(l[0], l[1], l[2], l[3], 3, color.RGBA{0, 0, 0, 160})
		p.Line(l[0], l[1], l[2], l[3], 1.4, cutoutColour)
	}
}
