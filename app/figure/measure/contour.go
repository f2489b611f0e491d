package measure

import (
	"math"

	"limpid/app/figure"
)

// Segment is a piece of a contour: from (X0, Y0) to (X1, Y1), pixels of the image.
type Segment struct{ X0, Y0, X1, Y1 float32 }

// maxContour bounds the pixels that contours are traced in: of larger images a
// reduced copy is used.
const maxContour = 1 << 20

// Contours traces a level through an image, or a copy of it reduced k times by two,
// by marching squares. Cells with a value that is not finite are left out.
func Contours(im *figure.Image, level float64, k int) []Segment {
	for k < im.Levels()-1 && im.Level(k).W*im.Level(k).H > maxContour {
		k++
	}
	p := im.Level(k)
	scale := float32(math.Ldexp(1, k))
	place := func(v float32) float32 { return (v+0.5)*scale - 0.5 }
	var out []Segment
	l := float32(level)
	for j := 0; j+1 < p.H; j++ {
		lo, hi := p.Data[j*p.W:][:p.W], p.Data[(j+1)*p.W:][:p.W]
		for i := 0; i+1 < p.W; i++ {
			a, b, c, d := lo[i]-l, lo[i+1]-l, hi[i+1]-l, hi[i]-l
			if s := a + b + c + d; s-s != 0 {
				continue
			}
			if (a > 0) == (b > 0) && (b > 0) == (c > 0) && (c > 0) == (d > 0) {
				continue
			}
			out = cell(out, float32(i), float32(j), [4]float32{a, b, c, d})
		}
	}
	for i := range out {
		s := &out[i]
		s.X0, s.Y0, s.X1, s.Y1 = place(s.X0), place(s.Y0), place(s.X1), place(s.Y1)
	}
	return out
}

// cell adds the pieces within one cell; corners run anticlockwise from (x, y).
func cell(out []Segment, x, y float32, v [4]float32) []Segment {
	var pts [4][2]float32
	n := 0
	corners := [4][2]float32{{x, y}, {x + 1, y}, {x + 1, y + 1}, {x, y + 1}}
	for e := range 4 {
		a, b := v[e], v[(e+1)%4]
		if (a > 0) != (b > 0) {
			t := a / (a - b)
			p, q := corners[e], corners[(e+1)%4]
			pts[n] = [2]float32{p[0] + t*(q[0]-p[0]), p[1] + t*(q[1]-p[1])}
			n++
		}
	}
	add := func(a, b [2]float32) { out = append(out, Segment{a[0], a[1], b[0], b[1]}) }
	switch {
	case n == 2:
		add(pts[0], pts[1])
	case n == 4 && (v[0]+v[1]+v[2]+v[3] > 0) == (v[0] > 0): // a saddle, joined through corners 0 and 2
		add(pts[0], pts[1])
		add(pts[2], pts[3])
	case n == 4:
		add(pts[3], pts[0])
		add(pts[1], pts[2])
	}
	return out
}

// contourSigma is how far above the middle, in robust standard deviations of the pixels,
// the lowest of AutoContours may not reach down, and autoLevels how many there are.
const (
	contourSigma = 2
	autoLevels   = 5
)

// AutoContours traces five levels between limits, none so low that it follows the noise,
// in a copy so much reduced that there are at most so many pieces, where that is possible.
func AutoContours(im *figure.Image, l figure.Limits, most int) []Segment {
	median, sigma := im.Robust()
	if low := median + contourSigma*sigma; low > l.Lo && low < l.Hi {
		l.Lo = low
	}
	var out []Segment
	for reduced := range im.Levels() {
		out = nil
		for _, level := range Levels(l, autoLevels) {
			out = append(out, Contours(im, level, reduced)...)
		}
		if len(out) <= most {
			break
		}
	}
	return out
}

// Levels are n contour levels between limits, in equal ratios of the distance from
// lo (each twice the one before), the highest half of hi.
func Levels(l figure.Limits, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = l.Lo + (l.Hi-l.Lo)*math.Ldexp(0.5, i-n+1)
	}
	return out
}
