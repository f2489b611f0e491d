package viewer

import (
	"image/color"
	"math"

	"limpid/fitsio/regions"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/marks"
	"limpid/ui/widget"
)

// Tools for drawing, by the names of their shapes; "" pans.
var drawTools = []string{"", "circle", "ellipse", "box", "polygon", "annulus", "line", "point"}

// Tools lists them.
func Tools() []string { return drawTools }

// hints say how a shape is drawn.
var hints = map[string]string{
	"circle":  "Circle: drag from its centre (Esc: stop)",
	"ellipse": "Ellipse: drag from its centre to a corner (Esc: stop)",
	"box":     "Box: drag from corner to corner (Esc: stop)",
	"polygon": "Polygon: click its corners, the first again or Return to close it (Esc: stop)",
	"annulus": "Annulus: drag from its centre to the outer edge (Esc: stop)",
	"line":    "Line: drag it; its length and angle stand below Regions (Esc: stop)",
	"point":   "Point: click (Esc: stop)",
}

// drawer turns left drags on one pane into regions, or moves what is there.
type drawer struct {
	v    *Viewer
	pane int

	kind   string // being drawn; "": moving
	from   [2]float64
	shape  regions.Shape // drawn or moved so far
	ok     bool
	id     int // of the region being moved
	handle int
	seam   bool
	moved  bool
}

func (d *drawer) tile() *viewmodel.Tile {
	if t := d.v.m.Tiles(); d.pane < len(t) {
		return t[d.pane]
	}
	return nil
}

// Press begins a region with a tool chosen; else it takes hold of the seam of a
// split or of the chosen region.
func (d *drawer) Press(x, y, unit float64) bool {
	t := d.tile()
	if t == nil || t.Picture == nil {
		return false
	}
	d.v.m.SetActiveTile(d.pane)
	d.from, d.kind, d.ok, d.seam, d.moved = [2]float64{x, y}, d.v.tool, false, false, false
	switch {
	case d.v.tool == "polygon":
		d.corner(x, y, unit)
		return true
	case d.v.tool != "":
		return true
	case d.v.splitting() && math.Abs(d.v.panes[d.pane].SplitAt(x, y)-d.v.seam)*float64(d.v.panes[d.pane].Size().Width) < 8:
		d.seam = true
		return true
	}
	d.id = d.v.m.SelectedRegion()
	for _, item := range d.v.m.Marked() {
		if item.ID != d.id {
			continue
		}
		if s, ok := d.v.m.ShapeOn(t, item.Region); ok {
			if h, hit := marks.Hit(s, x, y, 8*unit); hit {
				d.shape, d.handle = s, h
				return true
			}
		}
	}
	return false
}

// corner adds one to the polygon being drawn, or closes it.
func (d *drawer) corner(x, y, unit float64) {
	p := d.v.corners
	if len(p) >= 3 && math.Hypot(x-p[0][0], y-p[0][1]) < 10*unit {
		d.v.ClosePolygon()
		return
	}
	d.v.corners = append(p, [2]float64{x, y})
	d.v.refreshOverlays()
}

// Drag shows the shape as it would be.
func (d *drawer) Drag(x, y float64) {
	switch {
	case d.seam:
		d.v.SetSeam(d.v.panes[d.pane].SplitAt(x, y))
		return
	case d.kind == "polygon":
		return
	case d.kind != "":
		d.shape, d.ok = marks.Draft(d.kind, d.from, [2]float64{x, y})
		d.v.sketch = nil
		if d.ok {
			d.v.sketch = &d.shape
		}
		d.v.refreshOverlays()
		return
	}
	r, has := regionOf(d.v.m, d.id)
	if !has {
		return
	}
	s := marks.Move(d.shape, x-d.from[0], y-d.from[1])
	if d.handle >= 0 {
		s = marks.Drag(d.shape, d.handle, x, y)
	}
	d.v.m.ReplaceRegion(d.id, d.v.m.RegionFrom(d.tile(), s, r), d.moved)
	d.moved = true
	d.v.refreshOverlays()
}

// Release takes the shape over.
func (d *drawer) Release(x, y float64) {
	kind := d.kind
	d.kind = ""
	if d.seam || kind == "polygon" || kind == "" {
		if kind == "" && !d.seam && !d.moved {
			d.v.tapped(d.pane, x, y)
		}
		return
	}
	s, ok := marks.Draft(kind, d.from, [2]float64{x, y})
	d.v.sketch = nil
	if ok {
		d.v.m.AddRegion(d.v.m.RegionFrom(d.tile(), s, regions.Region{}))
		d.v.SetTool("")
	}
	d.v.refreshOverlays()
}

func regionOf(m *viewmodel.Model, id int) (regions.Region, bool) {
	for _, x := range m.Marked() {
		if x.ID == id {
			return x.Region, true
		}
	}
	return regions.Region{}, false
}

// Tool is the shape that left drags draw; "" while they pan.
func (v *Viewer) Tool() string { return v.tool }

// SetTool chooses it.
func (v *Viewer) SetTool(kind string) {
	v.tool, v.corners, v.sketch = kind, nil, nil
	for _, p := range v.panes {
		p.SetBusy(hints[kind])
	}
	v.refreshOverlays()
	if v.OnTool != nil {
		v.OnTool()
	}
}

// NextTool goes on to the next shape.
func (v *Viewer) NextTool() {
	for i, k := range drawTools {
		if k == v.tool {
			v.SetTool(drawTools[(i+1)%len(drawTools)])
			return
		}
	}
}

// ClosePolygon ends the polygon being drawn; it reports whether there was one.
func (v *Viewer) ClosePolygon() bool {
	tiles := v.m.Tiles()
	if v.tool != "polygon" || len(v.corners) < 3 || len(tiles) == 0 {
		return false
	}
	s := regions.Shape{Kind: "polygon", Points: v.corners}
	v.m.AddRegion(v.m.RegionFrom(tiles[v.m.ActiveTile()], s, regions.Region{}))
	v.SetTool("")
	return true
}

// tapped is a click: on a region or source it chooses that, else the pixel.
func (v *Viewer) tapped(pane int, x, y float64) {
	v.m.SetActiveTile(pane)
	tiles := v.m.Tiles()
	if pane >= len(tiles) || tiles[pane].Picture == nil {
		return
	}
	t := tiles[pane]
	unit := 1 / v.panes[pane].View().Zoom
	items := v.m.Marked()
	chosen := 0
	for i := len(items) - 1; i >= 0 && chosen == 0; i-- {
		if s, ok := v.m.ShapeOn(t, items[i].Region); ok {
			if _, hit := marks.Hit(s, x, y, 6*unit); hit {
				chosen = items[i].ID
			}
		}
	}
	v.m.SelectRegion(chosen)
	best, far := -1, 9*unit
	for i, p := range v.m.CataloguePlaces(t) {
		if d := math.Hypot(p[0]-x, p[1]-y); d < far {
			best, far = i, d
		}
	}
	if best >= 0 {
		v.m.SelectRow(best)
	}
	o := t.Grid().Origin
	if !t.Other() {
		v.m.Inspect(x+float64(o[0]), y+float64(o[1]))
	}
	v.refreshOverlays()
}

// refreshOverlays draws the marks of all panes again.
func (v *Viewer) refreshOverlays() {
	for i, t := range v.shown {
		if t != nil && t.Picture != nil {
			v.panes[i].SetOverlays(v.overlays(t)...)
		}
	}
}

var (
	regionColour   = color.RGBA{0x4b, 0xe3, 0x6d, 0xff}
	selectedColour = color.RGBA{0xff, 0xd8, 0x4a, 0xff}
	sourceColour   = color.RGBA{0x6c, 0xd3, 0xff, 0xff}
	contourColour  = color.RGBA{0xff, 0xb0, 0x00, 0xd0}
	placeColour    = color.RGBA{0xff, 0x5c, 0x8d, 0xff}
)

// ds9Colours are those that region files name.
var ds9Colours = map[string]color.RGBA{
	"green": regionColour, "red": {0xff, 0x5c, 0x5c, 0xff}, "blue": {0x6b, 0x9c, 0xff, 0xff}, "cyan": {0x4a, 0xe0, 0xe0, 0xff},
	"magenta": {0xf0, 0x70, 0xf0, 0xff}, "yellow": {0xf0, 0xe0, 0x50, 0xff}, "white": {0xf4, 0xf4, 0xf4, 0xff}, "black": {0, 0, 0, 0xff},
	"orange": {0xff, 0xa5, 0x20, 0xff},
}

// shapes draws regions; the chosen one with its handles.
type shapes struct {
	list   []regions.Shape
	text   []string
	colour []color.RGBA
	chosen int // index; −1: none
}

// Draw draws every shape in sight.
func (s shapes) Draw(p *widget.Pen) {
	for i, x := range s.list {
		width := 1.5
		if i == s.chosen {
			width = 2.2
		}
		if !inSight(p, x) {
			continue
		}
		outline(p, x, width, s.colour[i])
		if s.text[i] != "" {
			tx, ty := p.At(x.Points[0][0], x.Points[0][1])
			p.Text(s.text[i], tx, ty-6, 11, s.colour[i])
		}
		if i == s.chosen {
			for _, h := range marks.Handles(x) {
				p.Ring(h[0], h[1], 3.5, 2, selectedColour)
			}
		}
	}
}

// inSight says whether anything of a shape may be, its text included.
func inSight(p *widget.Pen, s regions.Shape) bool {
	if len(s.Points) == 0 {
		return false
	}
	size := 0.0
	for _, r := range s.Sizes {
		size = max(size, math.Abs(r))
	}
	const beside = 200 // Fyne units, for the text
	w, h := p.Size()
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	reach := size * p.PerPixel()
	for _, q := range s.Points {
		x, y := p.At(q[0], q[1])
		x0, y0, x1, y1 = min(x0, x-reach), min(y0, y-reach), max(x1, x+reach), max(y1, y+reach)
	}
	return x1 > -beside && y1 > -beside && x0 < w+beside && y0 < h+beside
}

func outline(p *widget.Pen, s regions.Shape, width float64, c color.RGBA) {
	o := s.Points[0]
	line := func(a, b [2]float64) { p.Line(a[0], a[1], b[0], b[1], width, c) }
	switch s.Kind {
	case "circle", "annulus":
		for _, r := range s.Sizes {
			p.Circle(o[0], o[1], r, width, c)
		}
	case "ellipse", "box":
		for k := 0; k+1 < len(s.Sizes); k += 2 {
			pts := turned(s.Kind, o, s.Sizes[k], s.Sizes[k+1], s.Angle, min(72, max(12, int(max(s.Sizes[k], s.Sizes[k+1])*p.PerPixel()))))
			for i := range pts {
				line(pts[i], pts[(i+1)%len(pts)])
			}
		}
	case "polygon":
		for i := range s.Points {
			line(s.Points[i], s.Points[(i+1)%len(s.Points)])
		}
	case "line":
		if len(s.Points) > 1 {
			line(o, s.Points[1])
			p.Ring(o[0], o[1], 2, 1.5, c)
			p.Ring(s.Points[1][0], s.Points[1][1], 2, 1.5, c)
		}
	default:
		p.Ring(o[0], o[1], 5, width, c)
	}
}

// turned are the corners of a box, or n of the points of an ellipse.
func turned(kind string, o [2]float64, a, b, angle float64, n int) [][2]float64 {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	at := func(x, y float64) [2]float64 { return [2]float64{o[0] + x*cos - y*sin, o[1] + x*sin + y*cos} }
	if kind == "box" {
		return [][2]float64{at(-a/2, -b/2), at(a/2, -b/2), at(a/2, b/2), at(-a/2, b/2)}
	}
	out := make([][2]float64, n)
	for i := range out {
		s, c := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		out[i] = at(a*c, b*s)
	}
	return out
}

// polyline is a polygon that is not closed yet.
type polyline [][2]float64

// Draw draws its sides so far.
func (l polyline) Draw(p *widget.Pen) {
	for i := range l {
		p.Ring(l[i][0], l[i][1], 3, 1.8, selectedColour)
		if i > 0 {
			p.Line(l[i-1][0], l[i-1][1], l[i][0], l[i][1], 1.6, selectedColour)
		}
	}
}

// seamLine is the seam of a split.
type seamLine float64

// Draw draws it from top to bottom with a grip.
func (s seamLine) Draw(p *widget.Pen) {
	w, h := p.Size()
	x := float64(s) * w
	p.Stroke(x, 0, x, h, 3, color.RGBA{0, 0, 0, 150})
	p.Stroke(x, 0, x, h, 1.4, selectedColour)
	p.Stroke(x, h/2-14, x, h/2+14, 6, selectedColour)
}
