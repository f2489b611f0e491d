package panel

import (
	"image"
	"image/color"
	"math"

	"limpid/app/figure"
)

// frame outlines a rectangle with lines outside of it.
func (s *sheet) frame(x, y, w, h float64) {
	l := max(s.px, snap(hairline, s.px))
	s.fill(box(x-l, y-l, w+2*l, l), s.palette.frame)
	s.fill(box(x-l, y+h, w+2*l, l), s.palette.frame)
	s.fill(box(x-l, y, l, h), s.palette.frame)
	s.fill(box(x+w, y, l, h), s.palette.frame)
}

// overhang is how far a tick's label may reach beyond its bar.
const overhang = 5.0

// bar draws a colour bar with ticks below and its unit under them.
func (s *sheet) bar(t Tile, table *figure.Table, x, y, w float64) {
	st := table.Style()
	h := snap(barHeight, s.px)
	ramp := image.NewRGBA(image.Rect(0, 0, int(math.Round(w/s.px)), 1))
	for i := range ramp.Rect.Dx() {
		b := (float64(i) + 0.5) / float64(ramp.Rect.Dx())
		b = min(1, max(0, (b-st.Bias)*st.Contrast+0.5))
		if st.Invert {
			b = 1 - b
		}
		ramp.SetRGBA(i, 0, st.Map.At(b))
	}
	s.picture(x, y, w, h, ramp)
	s.frame(x, y, w, h)
	n := int(min(6, max(2, w/32)))
	ticks, power := table.Ticks(n)
	l := max(s.px, snap(hairline, s.px))
	edge := x - 1e9
	for _, k := range ticks {
		at := x + k.At*w
		half := s.text.width(k.Label, labelSize, regular) / 2
		// Labels overhang the bar by less than half a gap, and stay apart.
		left := min(max(at-half, x-overhang), x+w+overhang-2*half)
		s.fill(box(snap(at-l/2, s.px), y+h+l, l, tickLength), s.palette.frame)
		if left < edge+2.5 {
			continue
		}
		edge = left + 2*half
		s.write(k.Label, left+half, y+h+tickLength+1.5+labelSize*0.75, w, labelSize, regular, alignMiddle, s.palette.ink)
	}
	unit := figure.WithPower(t.Unit, power)
	switch {
	case t.Label != "" && unit != "":
		unit = t.Label + "  [" + unit + "]"
	case t.Label != "":
		unit = t.Label
	}
	s.write(unit, x+w/2, y+h+tickLength+labelSize*1.85+2, w, labelSize, regular, alignMiddle, s.palette.ink)
}

// marks draws the scale bar (lower left) and the compass (lower right) over a
// picture, in whatever of black and white stands out there. zoom is points per
// image pixel.
func (s *sheet) marks(sky figure.Sky, turn figure.Transform, x, y, w, h, zoom float64, pic *image.RGBA, im *figure.Image) {
	if w < 60 || h < 45 {
		return
	}
	iw, ih := im.Size()
	north, east, scale, ok := figure.Compass(sky, float64(iw-1)/2, float64(ih-1)/2)
	if !ok {
		return
	}
	ink, halo := outstanding(pic, 0, 0.75, 0.6, 1)
	length, label := figure.ScaleBar(zoom/scale, w*0.3)
	if length > 0 {
		l := length * zoom / scale
		bx, by := x+7, y+h-8
		s.line(bx, by, bx+l, by, 1.2, ink, halo)
		s.line(bx, by-2, bx, by+2, 1.2, ink, halo)
		s.line(bx+l, by-2, bx+l, by+2, 1.2, ink, halo)
		s.haloed(label, bx+l/2, by-4.5, labelSize, ink, halo)
	}
	ink, halo = outstanding(pic, 0.7, 0.7, 1, 1)
	s.compass(turn, north, east, x+w, y+h, ink, halo)
}

// compass draws arrows to north and east whose letters stay inside the corner.
func (s *sheet) compass(turn figure.Transform, north, east [2]float64, right, bottom float64, ink, halo color.RGBA) {
	const length, letter, inset = 15.0, 5.5, 6.0
	nr, nu := turn.Apply(north[0], north[1])
	er, eu := turn.Apply(east[0], east[1])
	reach := length + 2*letter
	// The corner of the arrows, so that their tips' box keeps its distance.
	cx := right - inset - max(2, max(nr, er)*reach)
	cy := bottom - inset - max(2, max(-nu, -eu)*reach)
	for _, a := range []struct {
		r, u float64
		mark string
	}{{nr, nu, "N"}, {er, eu, "E"}} {
		s.arrow(cx, cy, cx+a.r*length, cy-a.u*length, ink, halo)
		s.haloed(a.mark, cx+a.r*(length+letter), cy-a.u*(length+letter)+labelSize*0.36, labelSize, ink, halo)
	}
}

func (s *sheet) arrow(x0, y0, x1, y1 float64, ink, halo color.RGBA) {
	r := math.Hypot(x1-x0, y1-y0)
	ux, uy := (x1-x0)/r, (y1-y0)/r
	const head, half = 4.2, 1.7
	bx, by := x1-ux*head, y1-uy*head
	tip := func(g float64) path {
		var p path
		p.move(x1+ux*g*2, y1+uy*g*2)
		p.to(bx-uy*(half+g)-ux*g, by+ux*(half+g)-uy*g)
		p.to(bx+uy*(half+g)-ux*g, by-ux*(half+g)-uy*g)
		return p
	}
	s.fill(stroke(x0, y0, bx, by, 0.9+2*haloWidth), halo)
	s.fill(tip(haloWidth), halo)
	s.fill(stroke(x0, y0, bx+ux*0.5, by+uy*0.5, 0.9), ink)
	s.fill(tip(0), ink)
}

// haloWidth is the seam of the other colour around marks on a picture.
const haloWidth = 0.55

func (s *sheet) line(x0, y0, x1, y1, width float64, ink, halo color.RGBA) {
	s.fill(stroke(x0, y0, x1, y1, width+2*haloWidth), halo)
	s.fill(stroke(x0, y0, x1, y1, width), ink)
}

func (s *sheet) haloed(text string, x, y, size float64, ink, halo color.RGBA) {
	for k := range 12 {
		sin, cos := math.Sincos(float64(k) * math.Pi / 6)
		s.write(text, x+cos*haloWidth*1.3, y+sin*haloWidth*1.3, 60, size, bold, alignMiddle, halo)
	}
	s.write(text, x, y, 60, size, bold, alignMiddle, ink)
}

// outstanding chooses white on black or black on white by the mean brightness of
// a part of the picture, given in shares of its sides.
func outstanding(pic *image.RGBA, x0, y0, x1, y1 float64) (ink, halo color.RGBA) {
	w, h := float64(pic.Rect.Dx()), float64(pic.Rect.Dy())
	var sum, n float64
	for y := int(y0 * h); y < int(y1*h); y++ {
		for x := int(x0 * w); x < int(x1*w); x++ {
			c := pic.RGBAAt(x, y)
			sum += 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
			n++
		}
	}
	white, black := color.RGBA{255, 255, 255, 255}, color.RGBA{0, 0, 0, 255}
	if n > 0 && sum/n > 140 {
		return black, white
	}
	return white, black
}

// Sizes of what is drawn over a picture, in points.
const (
	lineWidth  = 0.5
	markWidth  = 0.7
	markRadius = 3.2
)

var (
	lineInk = color.RGBA{255, 255, 255, 255}
	markInk = color.RGBA{0x4a, 0xd9, 0xff, 255}
)

// over draws the lines and marks of a tile whose picture is at (x, y), w × h points.
func (s *sheet) over(t Tile, view figure.View, x, y, w, h float64) {
	pw, ph := int(math.Round(w/s.px)), int(math.Round(h/s.px))
	at := func(ix, iy float64) (sx, sy float64, in bool) {
		sx, sy = view.Screen(pw, ph, ix, iy)
		sx, sy = sx*s.px, sy*s.px
		return x + sx, y + sy, sx >= 0 && sy >= 0 && sx <= w && sy <= h
	}
	var p path
	for _, l := range t.Lines {
		ax, ay, in1 := at(l[0], l[1])
		bx, by, in2 := at(l[2], l[3])
		if in1 && in2 && (ax != bx || ay != by) {
			p = append(p, stroke(ax, ay, bx, by, lineWidth)...)
		}
	}
	if p != nil {
		s.fill(p, lineInk)
	}
	p = nil
	for _, m := range t.Marks {
		cx, cy, _ := at(m[0], m[1])
		if cx-markRadius < x || cy-markRadius < y || cx+markRadius > x+w || cy+markRadius > y+h {
			continue
		}
		const sides = 20
		for k := range sides {
			s0, c0 := math.Sincos(2 * math.Pi * float64(k) / sides)
			s1, c1 := math.Sincos(2 * math.Pi * float64(k+1) / sides)
			p = append(p, stroke(cx+markRadius*c0, cy+markRadius*s0, cx+markRadius*c1, cy+markRadius*s1, markWidth)...)
		}
	}
	if p != nil {
		s.fill(p, markInk)
	}
}
