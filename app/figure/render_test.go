package figure

import (
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

func sortFloats(v []float64) { slices.Sort(v) }

// halfStep is the rounding to 8-bit grey (0.5), plus that of the table (0.2).
const halfStep = 0.7

// identityTable draws value v as grey level v (0 to 255).
func identityTable() *Table {
	t := &Table{}
	t.Set(Style{Limits: Limits{0, 255}, Bad: color.RGBA{255, 0, 0, 255}}, nil)
	return t
}

var ground = color.RGBA{0, 0, 255, 255}

// expected is the picture by definition, in float64 and without a pyramid: each
// screen pixel is the mean over its area (or the nearest pixel at zoom ≥ 1).
func expected(p Plane, v View, w, h, i, j int) (value float64, inside bool) {
	x, y := v.Image(w, h, float64(i)+0.5, float64(j)+0.5)
	if x < -0.5 || y < -0.5 || x >= float64(p.W)-0.5 || y >= float64(p.H)-0.5 {
		return 0, false
	}
	if v.Zoom >= 1 {
		return float64(p.Data[int(y+0.5)*p.W+int(x+0.5)]), true
	}
	r := 0.5 / v.Zoom
	var sum, weight float64
	for py := max(0, int(y-r)); py <= min(p.H-1, int(y+r+1)); py++ {
		wy := min(y+r, float64(py)+0.5) - max(y-r, float64(py)-0.5)
		for px := max(0, int(x-r)); px <= min(p.W-1, int(x+r+1)); px++ {
			wx := min(x+r, float64(px)+0.5) - max(x-r, float64(px)-0.5)
			if wx > 0 && wy > 0 {
				sum += wx * wy * float64(p.Data[py*p.W+px])
				weight += wx * wy
			}
		}
	}
	return sum / weight, true
}

func TestRender_EveryTransformAndZoom_MatchesTheDefinition(t *testing.T) {
	// A smooth image, so that means of means (the pyramid) are close to means.
	p := planeOf(83, 61, func(i int) float64 {
		return 128 + 70*math.Sin(float64(i%83)/9) + 50*math.Cos(float64(i/83)/7)
	})
	im := mustImage(t, p)
	tab := identityTable()
	const w, h = 90, 70
	for _, turn := range Transforms() {
		for _, c := range []struct{ zoom, tolerance float64 }{
			{4, halfStep},
			{2.5, halfStep},
			{1, halfStep},
			{0.9, halfStep},
			{0.51, halfStep}, // level 0: exact areas
			// Below ½ a cell of n = 2, 4, 8 pixels cut by the screen pixel's edge counts
			// with its mean: wrong by up to n/8 pixels' worth of the gradients, 8 and 7.
			{0.43, 15. / 8 * 2},
			{0.25, 15. / 8 * 4},
			{0.11, 15. / 8 * 8},
		} {
			var r Renderer
			dst := image.NewRGBA(image.Rect(0, 0, w, h))
			v := View{X: 39.3, Y: 28.8, Zoom: c.zoom, Turn: turn}
			r.Render(dst, im, v, tab, ground)
			for j := range h {
				for i := range w {
					got := dst.RGBAAt(i, j)
					want, inside := expected(p, v, w, h, i, j)
					if !inside {
						if got != ground {
							t.Fatalf("%v zoom %g: (%d, %d) outside is %v", turn, c.zoom, i, j, got)
						}
						continue
					}
					if got == ground || math.Abs(float64(got.R)-want) > c.tolerance {
						t.Fatalf("%v zoom %g: (%d, %d) is %v, expected %.2f", turn, c.zoom, i, j, got, want)
					}
				}
			}
		}
	}
}

func TestRender_Upright_PutsRowZeroAtTheBottom(t *testing.T) {
	im := mustImage(t, Plane{Data: []float32{0, 50, 100, 150}, W: 2, H: 2})
	dst := image.NewRGBA(image.Rect(0, 0, 2, 2))
	var r Renderer
	r.Render(dst, im, Fit(2, 2, 2, 2, Upright), identityTable(), ground)
	got := [4]uint8{dst.RGBAAt(0, 0).R, dst.RGBAAt(1, 0).R, dst.RGBAAt(0, 1).R, dst.RGBAAt(1, 1).R}
	if got != [4]uint8{100, 150, 0, 50} {
		t.Errorf("top row, bottom row: %v", got)
	}
}

func TestRender_NoValue_IsDrawnInTheBadColour(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	im := mustImage(t, Plane{Data: []float32{nan, 10, inf, -inf}, W: 4, H: 1})
	tab := identityTable()
	bad := tab.Style().Bad
	for _, turn := range []Transform{Upright, Turn180} {
		dst := image.NewRGBA(image.Rect(0, 0, 8, 2))
		var r Renderer
		r.Render(dst, im, Fit(4, 1, 8, 2, turn), tab, ground)
		n := 0
		for x := range 8 {
			if dst.RGBAAt(x, 0) == bad {
				n++
			}
		}
		if n != 6 {
			t.Errorf("%v: %d of 8 columns in the bad colour, expected 6", turn, n)
		}
	}
}

func TestRender_ZoomedOutOverHoles_AveragesWhatIsThere(t *testing.T) {
	p := planeOf(64, 64, func(i int) float64 {
		if i%5 == 0 {
			return math.NaN()
		}
		return 77
	})
	tab := identityTable()
	im := mustImage(t, p)
	dst := image.NewRGBA(image.Rect(0, 0, 20, 20))
	for _, zoom := range []float64{0.3, 0.26, 0.1, 0.02} {
		var r Renderer
		v := View{X: 31.5, Y: 31.5, Zoom: zoom}
		r.Render(dst, im, v, tab, ground)
		if c := dst.RGBAAt(10, 10); c.R != 77 || c.G != 77 {
			t.Errorf("zoom %g: %v, expected grey 77", zoom, c)
		}
	}
	// A solid mask keeps its outline to a pixel.
	solid := mustImage(t, planeOf(64, 64, func(i int) float64 {
		if i%64 < 32 {
			return math.NaN()
		}
		return 77
	}))
	var r Renderer
	r.Render(dst, solid, Fit(64, 64, 20, 20, Upright), tab, ground)
	if dst.RGBAAt(8, 10) != tab.Style().Bad || dst.RGBAAt(11, 10).R != 77 {
		t.Errorf("mask edge: %v | %v", dst.RGBAAt(8, 10), dst.RGBAAt(11, 10))
	}
}

func TestRender_StrangeViewsAndSizes_DoNotPanic(t *testing.T) {
	tab := identityTable()
	for _, size := range [][2]int{{1, 1}, {1, 7}, {5, 1}, {2, 3}, {17, 33}} {
		im := mustImage(t, planeOf(size[0], size[1], func(i int) float64 { return float64(i) }))
		for _, pic := range [][2]int{{1, 1}, {3, 50}, {50, 3}, {0, 5}} {
			for _, turn := range Transforms() {
				for _, zoom := range []float64{1e-9, 0.013, 0.5, 0.999999, 1, 7.7, 1e9, math.Inf(1), math.NaN(), 0, -1} {
					for _, x := range []float64{0, -1e12, 1e12, math.NaN(), 0.5} {
						var r Renderer
						dst := image.NewRGBA(image.Rect(0, 0, pic[0], pic[1]))
						r.Render(dst, im, View{X: x, Y: 0.25, Zoom: zoom, Turn: turn}, tab, ground)
						if n := pic[0] * pic[1]; n > 0 && dst.Pix[4*n-1] != 255 {
							t.Fatalf("%v in %v at zoom %g: a pixel was left undrawn", size, pic, zoom)
						}
					}
				}
			}
		}
	}
}

func TestRender_SecondFrame_AllocatesNothing(t *testing.T) {
	im := mustImage(t, planeOf(700, 500, func(i int) float64 { return float64(i % 255) }))
	tab := identityTable()
	var r Renderer
	dst := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for _, turn := range []Transform{Upright, Turn90} {
		for _, zoom := range []float64{0.3, 0.7, 3} {
			r.Render(dst, im, View{X: 350, Y: 250, Zoom: zoom, Turn: turn}, tab, ground)
		}
	}
	k := 0.0
	n := testing.AllocsPerRun(50, func() {
		k++
		r.Render(dst, im, View{X: 350 + k, Y: 250, Zoom: 0.3 + k/20, Turn: Transform(int(k) % 8)}, tab, ground)
	})
	if n != 0 {
		t.Errorf("%g allocations per frame", n)
	}
}

func TestNewImage_WrongShape_IsAnError(t *testing.T) {
	for _, p := range []Plane{{}, {Data: make([]float32, 5), W: 2, H: 3}, {Data: make([]float32, 4), W: -2, H: -2}, {Data: make([]float32, 4), W: 1 << 40, H: 1 << 40}} {
		if _, err := NewImage(p); err == nil {
			t.Errorf("a plane of %d × %d with %d values was accepted", p.W, p.H, len(p.Data))
		}
	}
}

func TestReset_NewValues_AreSeenAtEveryLevel(t *testing.T) {
	p := planeOf(40, 40, func(int) float64 { return 10 })
	im := mustImage(t, p)
	_ = im.Stats()
	for i := range p.Data {
		p.Data[i] = 200
	}
	if err := im.Reset(p); err != nil {
		t.Fatal(err)
	}
	for k, l := range im.levels {
		if l.Data[0] != 200 {
			t.Errorf("level %d still has %g", k, l.Data[0])
		}
	}
	if im.Stats().Max != 200 {
		t.Errorf("stats are stale: %+v", im.Stats())
	}
}
