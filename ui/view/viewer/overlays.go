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
	out := v.lines(t)
	if w := t.WCS(); w != nil {
		out = append(out, widget.SkyMarks{Sky: w})
	}
	out = append(out, v.marked(t)...)
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

// lines are contours and the grid of the sky.
func (v *Viewer) lines(t *viewmodel.Tile) []widget.Overlay {
	var out []widget.Overlay
	if v.m.ContoursShown() {
		out = append(out, widget.Lines{Pieces: v.m.Contours(t), Colour: contourColour, Width: 1.2})
	}
	if w := t.WCS(); w != nil && v.m.GridShown() {
		frame := w.Frame.String()
		out = append(out, widget.SkyGrid{Sky: w, Hours: frame == "ICRS" || frame == "FK5" || frame == "FK4"})
	}
	return out
}

// marked are regions, the catalogue, what is being drawn and the chosen pixel.
func (v *Viewer) marked(t *viewmodel.Tile) []widget.Overlay {
	var out []widget.Overlay
	if places := v.m.CataloguePlaces(t); places != nil {
		out = append(out, widget.Markers{Points: places, Colour: sourceColour, Radius: 6})
		if row := v.m.CatalogueRow(); row >= 0 && row < len(places) {
			out = append(out, widget.Markers{Points: places[row : row+1], Colour: selectedColour, Radius: 10})
		}
	}
	list := shapes{chosen: -1}
	for _, x := range v.m.Marked() {
		s, ok := v.m.ShapeOn(t, x.Region)
		if !ok {
			continue
		}
		c, known := ds9Colours[x.Region.Color]
		if !known {
			c = regionColour
		}
		if x.ID == v.m.SelectedRegion() {
			list.chosen, c = len(list.list), selectedColour
		}
		list.list, list.text, list.colour = append(list.list, s), append(list.text, x.Region.Text), append(list.colour, c)
	}
	if v.sketch != nil {
		list.list, list.text, list.colour = append(list.list, *v.sketch), append(list.text, ""), append(list.colour, selectedColour)
	}
	if len(list.list) > 0 {
		out = append(out, list)
	}
	if len(v.corners) > 0 {
		out = append(out, polyline(v.corners))
	}
	if at := v.m.Inspected(); at.Set && !t.Other() && v.Inspecting {
		o := t.Grid().Origin
		out = append(out, widget.Markers{Points: [][2]float64{{at.X - float64(o[0]), at.Y - float64(o[1])}}, Colour: placeColour, Radius: 4})
	}
	if v.splitting() && t == v.m.Tiles()[0] {
		out = append(out, seamLine(v.seam))
	}
	return out
}
