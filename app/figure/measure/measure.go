// Package measure takes measurements from planes for a viewer: profiles along
// lines and around places, contours, power spectra and statistics of parts. Pixel
// (0, 0) is the centre of the first pixel; values that are not finite are left
// out.
package measure

import (
	"math"
	"slices"

	"limpid/app/figure"
)

func finite(v float64) bool { return v-v == 0 }

// Line is the plane along a line from (x0, y0) to (x1, y1): n values, bilinear, and
// their distances from the start in pixels. NaN outside and beside pixels without
// a value.
func Line(p figure.Plane, x0, y0, x1, y1 float64, n int) (at, value []float64) {
	n = max(2, n)
	length := math.Hypot(x1-x0, y1-y0)
	for i := range n {
		t := float64(i) / float64(n-1)
		at = append(at, t*length)
		value = append(value, bilinear(p, x0+t*(x1-x0), y0+t*(y1-y0)))
	}
	return at, value
}

func bilinear(p figure.Plane, x, y float64) float64 {
	if !(x >= -0.5 && y >= -0.5 && x <= float64(p.W)-0.5 && y <= float64(p.H)-0.5) {
		return math.NaN()
	}
	x, y = min(max(x, 0), float64(p.W-1)), min(max(y, 0), float64(p.H-1))
	i, j := min(int(x), max(0, p.W-2)), min(int(y), max(0, p.H-2))
	u, v := x-float64(i), y-float64(j)
	i1, j1 := min(i+1, p.W-1), min(j+1, p.H-1)
	at := func(i, j int, w float64) float64 {
		if w == 0 {
			return 0
		}
		return w * float64(p.Data[j*p.W+i])
	}
	sum := at(i, j, (1-u)*(1-v)) + at(i1, j, u*(1-v)) + at(i, j1, (1-u)*v) + at(i1, j1, u*v)
	if !finite(sum) {
		return math.NaN()
	}
	return sum
}

// Ring is one step of a radial profile.
type Ring struct {
	Radius float64 // mean distance of its pixels from the centre
	Mean   float64
	Std    float64 // scatter within the ring
	N      int
}

// Radial averages the plane in rings one pixel wide around (x, y), out to radius.
func Radial(p figure.Plane, x, y, radius float64) []Ring {
	n := max(1, int(math.Ceil(radius)))
	r1, v1, v2 := make([]float64, n), make([]float64, n), make([]float64, n)
	count := make([]int, n)
	for j := max(0, int(y-radius)); j <= min(p.H-1, int(y+radius)+1); j++ {
		for i := max(0, int(x-radius)); i <= min(p.W-1, int(x+radius)+1); i++ {
			d := math.Hypot(float64(i)-x, float64(j)-y)
			k := int(d)
			v := float64(p.Data[j*p.W+i])
			if k >= n || !finite(v) {
				continue
			}
			r1[k] += d
			v1[k] += v
			v2[k] += v * v
			count[k]++
		}
	}
	var out []Ring
	for k, c := range count {
		if c > 0 {
			m := v1[k] / float64(c)
			out = append(out, Ring{r1[k] / float64(c), m, math.Sqrt(max(0, v2[k]/float64(c)-m*m)), c})
		}
	}
	return out
}

// Stats describe the pixels of a part.
type Stats struct {
	N                    int // with a value
	Sum, Mean, Std       float64
	Median, Min, Max     float64
	CentroidX, CentroidY float64 // weighted by positive values; NaN without any
}

// Within describes the pixels (row by row) for which in is true, within the box
// [x0, x1) × [y0, y1).
func Within(p figure.Plane, x0, y0, x1, y1 int, in func(x, y float64) bool) Stats {
	var vs []float64
	var sx, sy, sw float64
	for j := max(0, y0); j < min(p.H, y1); j++ {
		for i := max(0, x0); i < min(p.W, x1); i++ {
			v := float64(p.Data[j*p.W+i])
			if !finite(v) || !in(float64(i), float64(j)) {
				continue
			}
			vs = append(vs, v)
			if v > 0 {
				sx, sy, sw = sx+v*float64(i), sy+v*float64(j), sw+v
			}
		}
	}
	return describe(vs, sx, sy, sw)
}

func describe(vs []float64, sx, sy, sw float64) Stats {
	nan := math.NaN()
	s := Stats{N: len(vs), Mean: nan, Std: nan, Median: nan, Min: nan, Max: nan, CentroidX: nan, CentroidY: nan}
	if len(vs) == 0 {
		return s
	}
	for _, v := range vs {
		s.Sum += v
	}
	s.Mean = s.Sum / float64(s.N)
	var q float64
	for _, v := range vs {
		q += (v - s.Mean) * (v - s.Mean)
	}
	s.Std = math.Sqrt(q / float64(max(1, s.N-1)))
	slices.Sort(vs)
	s.Min, s.Max = vs[0], vs[len(vs)-1]
	s.Median = (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
	if sw > 0 {
		s.CentroidX, s.CentroidY = sx/sw, sy/sw
	}
	return s
}
