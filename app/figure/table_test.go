package figure

import (
	"image/color"
	"math"
	"testing"
)

func TestStretch_EndsAndOrder_AreKept(t *testing.T) {
	for _, s := range Stretches() {
		if a, b := s.At(0), s.At(1); math.Abs(a) > 1e-15 || math.Abs(b-1) > 1e-12 { // rounding of log and exp
			t.Errorf("%s runs from %g to %g", s, a, b)
		}
		for i := 1; i <= 1000; i++ {
			if s.At(float64(i)/1000) <= s.At(float64(i-1)/1000) {
				t.Fatalf("%s falls at %d/1000", s, i)
			}
		}
	}
	// By hand: ln 501/ln 1001, √.5, asinh 5/asinh 10, (√1000 − 1)/999.
	for s, want := range map[Stretch]float64{Log: 0.899816, Sqrt: 0.707107, Asinh: 0.771270, Power: 0.030654} {
		if got := s.At(0.5); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s(0.5) = %g, expected %g", s, got, want)
		}
	}
}

// A table of n entries draws each value within half an entry of its place; with
// 8-bit grey that is one level, at most, wherever the stretch is steepest.
func TestTable_EveryStretch_IsWithinOneGreyLevelOfTheFormula(t *testing.T) {
	for _, s := range Stretches()[:5] {
		var tab Table
		tab.Set(Style{Limits: Limits{-3, 7}, Stretch: s}, nil)
		for i := range 20001 {
			x := math.Pow(float64(i)/20000, 3) // dense near the low end
			want := 255 * s.At(x)
			got := tab.Colour(float32(-3 + 10*x))
			if math.Abs(float64(got.R)-want) > 1.01 {
				t.Fatalf("%s at %g: grey %d, formula %.2f", s, x, got.R, want)
			}
		}
	}
}

func TestTable_ValueAndBrightness_AreInverse(t *testing.T) {
	im := mustImage(t, planeOf(100, 100, func(i int) float64 { return sky(i, 1) }))
	for _, s := range Stretches() {
		var tab Table
		tab.Set(Style{Limits: Limits{-2, 2}, Stretch: s}, im)
		for b := 0.05; b < 1; b += 0.1 {
			// 2⁻¹⁰: the widest table entry (2⁻¹²) times the steepest slope left there.
			if got := tab.Brightness(tab.Value(b)); math.Abs(got-b) > 4.0/1024 {
				t.Errorf("%s: value at %g has brightness %g", s, b, got)
			}
		}
	}
}

func TestTable_Equalise_UsesAllGreysEvenly(t *testing.T) {
	im := mustImage(t, planeOf(300, 300, func(i int) float64 { return math.Exp(2 * sky(i, 6)) }))
	var tab Table
	tab.Set(Style{Limits: Range{Kind: MinMax}.Of(im), Stretch: Equalise}, im)
	var counts [8]int
	for _, v := range im.Plane().Data {
		counts[tab.Colour(v).R/32]++
	}
	for k, n := range counts {
		if share := float64(n) / 90000; math.Abs(share-0.125) > 0.01 { // grey levels are 1/32 of an eighth
			t.Errorf("grey eighth %d holds %.3f of the pixels", k, share)
		}
	}
}

func TestTable_SameStyle_IsNotWorkedOutAgain(t *testing.T) {
	im := mustImage(t, planeOf(10, 10, func(i int) float64 { return float64(i) }))
	var tab Table
	s := Style{Limits: Limits{0, 99}, Stretch: Equalise, Map: Viridis}
	if !tab.Set(s, im) || tab.Set(s, im) {
		t.Error("first Set must change the table, the second must not")
	}
	if err := im.Reset(planeOf(10, 10, func(i int) float64 { return float64(i * i % 99) })); err != nil {
		t.Fatal(err)
	}
	if !tab.Set(s, im) {
		t.Error("other values need another equalising curve")
	}
	s.Bias, s.Contrast = 0.4, 2
	if !tab.Set(s, im) || tab.Style().Bias != 0.4 {
		t.Error("a new bias must change the table")
	}
}

func TestTable_ContrastBiasInvert_MoveTheRamp(t *testing.T) {
	var tab Table
	s := Style{Limits: Limits{0, 1}, Contrast: 2, Bias: 0.5}
	tab.Set(s, nil)
	if a, m, b := tab.Colour(0.2).R, tab.Colour(0.5).R, tab.Colour(0.8).R; a != 0 || b != 255 || m < 126 || m > 129 {
		t.Errorf("contrast 2: %d %d %d", a, m, b)
	}
	s.Invert = true
	tab.Set(s, nil)
	if a, b := tab.Colour(0.2).R, tab.Colour(0.8).R; a != 255 || b != 0 {
		t.Errorf("inverted: %d %d", a, b)
	}
}

// lightness is Oklab's L of an sRGB colour.
func lightness(c color.RGBA) float64 {
	lin := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	r, g, b := lin(c.R), lin(c.G), lin(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return 0.2104542553*l + 0.7936177850*m - 0.0040720468*s
}

func TestColormaps_Lightness_RisesSteadily(t *testing.T) {
	const rounding = 0.004 // of 8-bit colours
	for _, m := range []*Colormap{Gray, Viridis, Magma, Cividis} {
		for i := 1; i <= 255; i++ {
			if lightness(m.At(float64(i)/255)) < lightness(m.At(float64(i-1)/255))-rounding {
				t.Fatalf("%s darkens at %d/255", m.Name, i)
			}
		}
	}
	for i := range 128 {
		x := float64(i) / 255
		if a, b := lightness(Diverging.At(x)), lightness(Diverging.At(1-x)); math.Abs(a-b) > 2*rounding {
			t.Fatalf("diverging: lightness %.3f at %g, %.3f at the mirrored place", a, x, b)
		}
	}
}

func TestColormaps_BadColour_IsInNoMap(t *testing.T) {
	for _, m := range Colormaps() {
		for i := range 1025 {
			c := m.At(float64(i) / 1024)
			d := math.Abs(float64(c.R)-float64(m.Bad.R)) + math.Abs(float64(c.G)-float64(m.Bad.G)) + math.Abs(float64(c.B)-float64(m.Bad.B))
			if d < 25 {
				t.Fatalf("%s: bad %v is close to %v at %d/1024", m.Name, m.Bad, c, i)
			}
		}
	}
}

func TestColormaps_KnownPlaces_MatchThePublishedTables(t *testing.T) {
	const tolerance = 3 // of 255; the cubic through 26 points
	for _, c := range []struct {
		m    *Colormap
		i    int
		want [3]int
	}{
		{Viridis, 40, [3]int{69, 55, 129}},
		{Viridis, 177, [3]int{64, 189, 114}},
		{Magma, 100, [3]int{137, 40, 129}},
		{Magma, 230, [3]int{254, 207, 146}},
		{Cividis, 40, [3]int{39, 62, 110}},
		{Cividis, 177, [3]int{172, 161, 114}},
	} {
		got := c.m.At(float64(c.i) / 255)
		for k, v := range []uint8{got.R, got.G, got.B} {
			if d := int(v) - c.want[k]; d > tolerance || d < -tolerance {
				t.Errorf("%s[%d] = %v, published %v", c.m.Name, c.i, got, c.want)
			}
		}
	}
}

func TestNames_RoundTrip(t *testing.T) {
	for _, m := range Colormaps() {
		if got, err := ColormapByName(m.Name); err != nil || got != m {
			t.Errorf("%s: %v, %v", m.Name, got, err)
		}
	}
	for _, s := range Stretches() {
		if got, err := ParseStretch(string(s)); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if _, err := ColormapByName("jet"); err == nil {
		t.Error("jet exists")
	}
	if _, err := ParseStretch("cubic"); err == nil {
		t.Error("cubic exists")
	}
}
