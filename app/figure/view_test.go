package figure

import (
	"math"
	"testing"
)

// tan is a tangent-plane sky with CD matrix cd (degrees per pixel) around
// (lon0, lat0) at pixel (50, 40).
type tan struct {
	lon0, lat0     float64
	a, b, c, d     float64
	none, notThere bool
}

func (s tan) PixelToSky(x, y float64) (lon, lat float64, ok bool) {
	if s.none {
		return 0, 0, false
	}
	rad := math.Pi / 180
	xi, eta := (s.a*(x-50)+s.b*(y-40))*rad, (s.c*(x-50)+s.d*(y-40))*rad
	sin, cos := math.Sincos(s.lat0 * rad)
	den := cos - eta*sin
	lon = s.lon0 + math.Atan2(xi, den)/rad
	lat = math.Atan2(sin+eta*cos, math.Hypot(xi, den)) / rad
	return math.Mod(lon+360, 360), lat, true
}

func TestOrient_EveryDihedralSky_BringsNorthUpAndEastLeft(t *testing.T) {
	const px = 0.2 / 3600
	for _, place := range [][2]float64{{10, 41}, {0, 0}, {359.99999, -60}, {123, 89.999}, {83, -89.9999}} {
		for _, k := range Transforms() {
			for _, tilt := range []float64{0, 30, -44} {
				// Sky steps of a pixel step: first turned by k, then tilted, east to the left.
				sin, cos := math.Sincos(tilt * math.Pi / 180)
				r1, u1 := k.Apply(1, 0)
				r2, u2 := k.Apply(0, 1)
				east := func(r, u float64) float64 { return -(cos*r - sin*u) * px }
				north := func(r, u float64) float64 { return (sin*r + cos*u) * px }
				s := tan{place[0], place[1], east(r1, u1), east(r2, u2), north(r1, u1), north(r2, u2), false, false}
				if got := Orient(s, 101, 81); got != k {
					t.Errorf("at %v, tilt %g: %v, expected %v", place, tilt, got, k)
				}
				n, e, scale, ok := Compass(s, 50, 40)
				right, up := k.Apply(n[0], n[1])
				if !ok || math.Abs(math.Atan2(-right, up)*180/math.Pi+tilt) > 0.01 && place[1] < 89 && place[1] > -89 {
					t.Errorf("at %v, %v, tilt %g: north is (%.3f right, %.3f up)", place, k, tilt, right, up)
				}
				if math.Abs(n[0]*e[0]+n[1]*e[1]) > 1e-6 || math.Abs(scale-0.2) > 1e-6 {
					t.Errorf("north %v, east %v, scale %g", n, e, scale)
				}
			}
		}
	}
}

func TestOrient_NoSky_LeavesTheImageAlone(t *testing.T) {
	for _, s := range []Sky{nil, tan{none: true}, tan{}} {
		if got := Orient(s, 10, 10); got != Upright {
			t.Errorf("%v", got)
		}
		if _, _, _, ok := Compass(s, 5, 5); ok {
			t.Error("a compass without a sky")
		}
	}
}

func TestView_ScreenAndImage_AreInverse(t *testing.T) {
	for _, turn := range Transforms() {
		v := View{X: 12.5, Y: -3, Zoom: 1.7, Turn: turn}
		sx, sy := v.Screen(300, 200, 40, 55)
		x, y := v.Image(300, 200, sx, sy)
		if math.Abs(x-40) > 1e-9 || math.Abs(y-55) > 1e-9 {
			t.Errorf("%v: (40, 55) came back as (%g, %g)", turn, x, y)
		}
	}
	v := View{X: 10, Y: 10, Zoom: 2}
	if sx, sy := v.Screen(100, 100, 11, 11); sx != 52 || sy != 48 {
		t.Errorf("one pixel right and up is at (%g, %g)", sx, sy)
	}
}

func TestTransform_Then_IsComposition(t *testing.T) {
	if len(Transforms()) != 8 {
		t.Fatal("eight transforms")
	}
	for _, a := range Transforms() {
		for _, b := range Transforms() {
			c := a.Then(b)
			r, u := b.Apply(a.Apply(3, 5))
			cr, cu := c.Apply(3, 5)
			if r != cr || u != cu {
				t.Errorf("%v then %v is not %v", a, b, c)
			}
		}
		dx, dy := a.Undo(a.Apply(3, 5))
		if dx != 3 || dy != 5 {
			t.Errorf("%v undone gives (%g, %g)", a, dx, dy)
		}
	}
}

func TestFit_TurnedImage_FillsThePicture(t *testing.T) {
	if v := Fit(400, 200, 100, 100, Upright); v.Zoom != 0.25 || v.X != 199.5 || v.Y != 99.5 {
		t.Errorf("%+v", v)
	}
	if v := Fit(400, 200, 100, 400, Turn90); v.Zoom != 0.5 {
		t.Errorf("turned: %+v", v)
	}
}
