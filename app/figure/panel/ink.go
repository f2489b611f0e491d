package panel

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/font/sfnt"
)

// ink is what a figure is drawn with: filled outlines (non-zero winding) and
// pictures. Points, y down.
type ink interface {
	fill(p path, c color.RGBA)
	picture(x, y, w, h float64, pic *image.RGBA)
}

type op uint8

const (
	opMove op = iota
	opLine
	opQuad // one control point, then the end
	opCube // two control points, then the end
)

type segment struct {
	op op
	p  [3][2]float64
}

// path is a list of closed outlines; each move closes the one before.
type path []segment

func (p *path) move(x, y float64) { *p = append(*p, segment{op: opMove, p: [3][2]float64{{x, y}}}) }
func (p *path) to(x, y float64)   { *p = append(*p, segment{op: opLine, p: [3][2]float64{{x, y}}}) }

func box(x, y, w, h float64) path {
	var p path
	p.move(x, y)
	p.to(x+w, y)
	p.to(x+w, y+h)
	p.to(x, y+h)
	return p
}

// stroke is the outline of a straight line with square ends.
func stroke(x0, y0, x1, y1, width float64) path {
	r := math.Hypot(x1-x0, y1-y0)
	if r == 0 {
		return box(x0-width/2, y0-width/2, width, width)
	}
	ux, uy := (x1-x0)/r*width/2, (y1-y0)/r*width/2
	var p path
	p.move(x0-ux-uy, y0-uy+ux)
	p.to(x1+ux-uy, y1+uy+ux)
	p.to(x1+ux+uy, y1+uy-ux)
	p.to(x0-ux+uy, y0-uy-ux)
	return p
}

// glyph appends the outlines of a letter.
func (p *path) glyph(segs sfnt.Segments, x, y, scale float64) {
	for _, s := range segs {
		var out segment
		n := 1
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			out.op = opMove
		case sfnt.SegmentOpLineTo:
			out.op = opLine
		case sfnt.SegmentOpQuadTo:
			out.op, n = opQuad, 2
		case sfnt.SegmentOpCubeTo:
			out.op, n = opCube, 3
		}
		for i := range n {
			out.p[i] = [2]float64{x + float64(s.Args[i].X)*scale, y + float64(s.Args[i].Y)*scale}
		}
		*p = append(*p, out)
	}
}

// moved is a copy shifted by (x, y).
func (p path) moved(x, y float64) path {
	out := append(path(nil), p...)
	for i := range out {
		for k := range out[i].p {
			out[i].p[k][0] += x
			out[i].p[k][1] += y
		}
	}
	return out
}

// points says how many entries of segment.p an operation uses.
func (o op) points() int {
	switch o {
	case opQuad:
		return 2
	case opCube:
		return 3
	}
	return 1
}

// bounds of the outlines and their control points.
func (p path) bounds() (x0, y0, x1, y1 float64) {
	x0, y0, x1, y1 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, s := range p {
		for _, q := range s.p[:s.op.points()] {
			x0, y0 = min(x0, q[0]), min(y0, q[1])
			x1, y1 = max(x1, q[0]), max(y1, q[1])
		}
	}
	return x0, y0, x1, y1
}
