package regions

import (
	"fmt"
	"math"

	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// Shape is a region in pixels, counted from 0.
type Shape struct {
	Kind    string
	Exclude bool
	Points  [][2]float64
	// Sizes are as in Region, in pixels.
	Sizes []float64
	Angle float64 // degrees from +x towards +y
}

// frames of the sky systems.
var frames = map[string]wcs.Frame{
	"fk5": wcs.FK5, "icrs": wcs.ICRS, "fk4": wcs.FK4, "galactic": wcs.Galactic, "ecliptic": wcs.Ecliptic,
}

// Pixels turns the region into pixels of an image. h supplies LTMi_i and LTVi for
// physical coordinates and w the sky; either may be nil where it is not needed.
func (r Region) Pixels(h *fitsio.Header, w *wcs.WCS) (Shape, error) {
	s := Shape{Kind: r.Shape, Exclude: r.Exclude, Angle: r.Angle}
	toPixel, err := r.mapper(h, w)
	if err != nil {
		return s, err
	}
	for _, p := range r.Points {
		x, y, ok := toPixel(p[0], p[1])
		if !ok {
			return s, fmt.Errorf("regions: %s: (%g, %g) is not on the image's projection", r.Shape, p[0], p[1])
		}
		s.Points = append(s.Points, [2]float64{x, y})
	}
	scale := 1.0 // pixels per unit of size
	if r.System == "physical" {
		scale = physicalScale(h)
	}
	var perDegree float64
	for _, z := range r.Sizes {
		if z.Unit == Degrees && perDegree == 0 {
			if perDegree, err = pixelsPerDegree(w, s.Points[0]); err != nil {
				return s, err
			}
		}
		if z.Unit == Degrees {
			s.Sizes = append(s.Sizes, z.Value*perDegree)
		} else {
			s.Sizes = append(s.Sizes, z.Value*scale)
		}
	}
	if r.onSky() && len(r.Sizes) > 1 {
		s.Angle = skyAngle(toPixel, r.Points[0], r.Angle)
	}
	return s, nil
}

// mapper gives the way from the region's coordinates to pixels from 0.
func (r Region) mapper(h *fitsio.Header, w *wcs.WCS) (func(x, y float64) (float64, float64, bool), error) {
	switch {
	case r.System == "image":
		return func(x, y float64) (float64, float64, bool) { return x - 1, y - 1, true }, nil
	case r.System == "physical":
		m, v := [2]float64{1, 1}, [2]float64{}
		if h != nil {
			m = [2]float64{h.FloatOr("LTM1_1", 1), h.FloatOr("LTM2_2", 1)}
			v = [2]float64{h.FloatOr("LTV1", 0), h.FloatOr("LTV2", 0)}
		}
		return func(x, y float64) (float64, float64, bool) { return m[0]*x + v[0] - 1, m[1]*y + v[1] - 1, true }, nil
	case w == nil:
		return nil, fmt.Errorf("regions: a region in %s needs an image with sky coordinates", r.System)
	}
	from, to := frames[r.System], w.Frame
	if r.System == "wcs" {
		from = to
	}
	if to.Name == "" || from.Name == "" {
		to = from // an unknown frame: take it as the region's
	}
	return func(lon, lat float64) (float64, float64, bool) {
		if from != to {
			var ok bool
			if lon, lat, ok = from.To(to, lon, lat); !ok {
				return 0, 0, false
			}
		}
		return w.SkyToPixel(lon, lat)
	}, nil
}

func physicalScale(h *fitsio.Header) float64 {
	if h == nil {
		return 1
	}
	return math.Sqrt(math.Abs(h.FloatOr("LTM1_1", 1) * h.FloatOr("LTM2_2", 1)))
}

// pixelsPerDegree is the local scale, the geometric mean of both directions.
func pixelsPerDegree(w *wcs.WCS, at [2]float64) (float64, error) {
	if w == nil {
		return 0, fmt.Errorf("regions: a size in angular units needs an image with sky coordinates")
	}
	sx, sy, ok := w.PixelScaleAt(at[0], at[1])
	if !ok || !(sx*sy > 0) {
		return 0, fmt.Errorf("regions: no pixel scale at pixel (%g, %g)", at[0], at[1])
	}
	return 3600 / math.Sqrt(sx*sy), nil
}

// skyAngle turns an angle from west through north into one of the image.
func skyAngle(toPixel func(x, y float64) (float64, float64, bool), at [2]float64, angle float64) float64 {
	const step = 1e-4 // degrees: small against any curvature, large against rounding
	s, c := math.Sincos(angle * math.Pi / 180)
	shrink := math.Max(math.Cos(at[1]*math.Pi/180), 1e-6)
	x0, y0, ok0 := toPixel(at[0]+c*step/shrink, at[1]-s*step)
	x1, y1, ok1 := toPixel(at[0]-c*step/shrink, at[1]+s*step)
	if !ok0 || !ok1 {
		return angle
	}
	return math.Atan2(y1-y0, x1-x0) * 180 / math.Pi
}

// Contains reports whether the point lies inside. Lines, points and texts have no
// inside. Exclude is not looked at.
func (s Shape) Contains(x, y float64) bool {
	if len(s.Points) == 0 {
		return false
	}
	dx, dy := x-s.Points[0][0], y-s.Points[0][1]
	switch s.Kind {
	case "circle", "annulus":
		r := math.Hypot(dx, dy)
		n := len(s.Sizes)
		if n == 0 {
			return false
		}
		return r <= s.Sizes[n-1] && (n == 1 || r > s.Sizes[0])
	case "ellipse", "box":
		sn, cs := math.Sincos(s.Angle * math.Pi / 180)
		u, v := dx*cs+dy*sn, -dx*sn+dy*cs
		n := len(s.Sizes)
		if n < 2 {
			return false
		}
		in := s.inPair(u, v, s.Sizes[n-2], s.Sizes[n-1])
		return in && (n == 2 || !s.inPair(u, v, s.Sizes[0], s.Sizes[1]))
	case "polygon":
		return inPolygon(s.Points, x, y)
	}
	return false
}

func (s Shape) inPair(u, v, a, b float64) bool {
	if s.Kind == "box" {
		return math.Abs(u) <= a/2 && math.Abs(v) <= b/2
	}
	return a > 0 && b > 0 && (u/a)*(u/a)+(v/b)*(v/b) <= 1
}

// inPolygon counts crossings.
func inPolygon(p [][2]float64, x, y float64) bool {
	in := false
	for i, j := 0, len(p)-1; i < len(p); j, i = i, i+1 {
		if (p[i][1] > y) != (p[j][1] > y) &&
			x < (p[j][0]-p[i][0])*(y-p[i][1])/(p[j][1]-p[i][1])+p[i][0] {
			in = !in
		}
	}
	return in
}

// Bounds gives a box that holds the shape.
func (s Shape) Bounds() (x0, y0, x1, y1 float64) {
	x0, y0, x1, y1 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	reach := 0.0
	for _, z := range s.Sizes {
		reach = math.Max(reach, z)
	}
	if s.Kind == "box" {
		reach *= math.Sqrt2 / 2
	}
	for _, p := range s.Points {
		x0, x1 = math.Min(x0, p[0]-reach), math.Max(x1, p[0]+reach)
		y0, y1 = math.Min(y0, p[1]-reach), math.Max(y1, p[1]+reach)
	}
	return x0, y0, x1, y1
}

// Mask marks the pixels of an image (height, width) whose centres lie inside.
func (s Shape) Mask(height, width int) []bool {
	m := make([]bool, height*width)
	s.mark(m, height, width, true)
	return m
}

// mark sets the pixels whose centres lie inside; it looks at the bounds alone.
func (s Shape) mark(m []bool, height, width int, to bool) {
	x0, y0, x1, y1 := s.Bounds()
	lo := func(v float64) int { return int(math.Max(0, math.Ceil(v))) }
	hi := func(v float64, n int) int { return int(math.Min(float64(n-1), math.Floor(v))) }
	if math.IsNaN(x0+y0+x1+y1) || len(s.Points) == 0 || x0 > float64(width) || y0 > float64(height) {
		return
	}
	for y := lo(y0); y <= hi(y1, height); y++ {
		for x := lo(x0); x <= hi(x1, width); x++ {
			if s.Contains(float64(x), float64(y)) {
				m[y*width+x] = to
			}
		}
	}
}

// Mask marks the pixels that a list of regions selects, as DS9 does: those inside
// any region and, where nothing but excluded regions is given, all others; then
// those inside an excluded region are taken out. Shapes without an inside do nothing.
func Mask(regs []Region, h *fitsio.Header, w *wcs.WCS, height, width int) ([]bool, error) {
	out := make([]bool, height*width)
	var exclude []Shape
	included := false
	for _, r := range regs {
		if r.Shape == "line" || r.Shape == "point" || r.Shape == "text" {
			continue
		}
		s, err := r.Pixels(h, w)
		if err != nil {
			return nil, err
		}
		if s.Exclude {
			exclude = append(exclude, s)
			continue
		}
		included = true
		s.mark(out, height, width, true)
	}
	if !included && len(exclude) > 0 {
		for i := range out {
			out[i] = true
		}
	}
	for _, s := range exclude {
		s.mark(out, height, width, false)
	}
	return out, nil
}
