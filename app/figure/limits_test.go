package figure

import (
	"math"
	"math/rand/v2"
	"testing"
)

// fitTolerance: astropy fits its line through an SVD, we in closed form.
const fitTolerance = 1e-9

// uniform is the hash the golden values were made with in Python:
//
//	h = ((i+seed)·2654435761) mod 2³²; h ^= h>>15; h = h·2246822519 mod 2³²; h ^= h>>13
func uniform(i, seed uint64) float64 {
	h := ((i + seed) * 2654435761) % (1 << 32)
	h ^= h >> 15
	h = (h * 2246822519) % (1 << 32)
	h ^= h >> 13
	return float64(h) / (1 << 32)
}

// sky is nearly normal: six uniform numbers less their mean.
func sky(i int, seed uint64) float64 {
	s := 0.0
	for k := range uint64(6) {
		s += uniform(uint64(i), seed+k*7919)
	}
	return s - 3
}

func planeOf(w, h int, f func(i int) float64) Plane {
	p := Plane{Data: make([]float32, w*h), W: w, H: h}
	for i := range p.Data {
		p.Data[i] = float32(f(i))
	}
	return p
}

func mustImage(t testing.TB, p Plane) *Image {
	t.Helper()
	im, err := NewImage(p)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func TestZScale_SyntheticImages_AgreesWithAstropy(t *testing.T) {
	galaxy := func(i int) float64 {
		x, y := float64(i%509)-200, float64(i/509)-150
		return 100 + 5*sky(i, 1) + 2000*math.Exp(-(x*x+y*y)/(2*40*40))
	}
	cases := []struct {
		name   string
		w, h   int
		f      func(int) float64
		lo, hi float64 // astropy 8.0.2, ZScaleInterval().get_limits
	}{
		{"sky", 509, 331, func(i int) float64 { return 100 + 5*sky(i, 1) }, 88.7667007446289, 110.7038803100586},
		{"galaxy", 509, 331, galaxy, 90.15154266357422, 249.36158353948085},
		{"galaxy with NaN", 509, 331, func(i int) float64 {
			if i%7 == 0 {
				return math.NaN()
			}
			return galaxy(i)
		}, 90.09343719482422, 253.77197986170208},
		{"ramp", 509, 331, func(i int) float64 { return float64(i) * 1e-3 }, 0, 167.83200073242188},
		{"fewer pixels than samples", 31, 29, func(i int) float64 { return 3 + sky(i, 5) }, 0.7750166654586792, 4.854559898376465},
		{"four pixels", 4, 1, func(i int) float64 { return []float64{5, 1, 4, 2}[i] }, 1, 5},
		{"two values", 509, 331, func(i int) float64 {
			v := 1000.0
			if i%3 == 0 {
				v = 1
			}
			return v + 1e-3*sky(i, 9)
		}, 0.9979838728904724, 1.00237238407135},
		{"odd count", 997, 1, func(i int) float64 { return sky(i, 11) }, -2.2249834537506104, 2.205557107925415},
	}
	for _, c := range cases {
		got := Range{Kind: ZScale}.Of(mustImage(t, planeOf(c.w, c.h, c.f)))
		if math.Abs(got.Lo-c.lo) > fitTolerance*max(1, math.Abs(c.lo)) || math.Abs(got.Hi-c.hi) > fitTolerance*max(1, math.Abs(c.hi)) {
			t.Errorf("%s: %v, astropy has %v to %v", c.name, got, c.lo, c.hi)
		}
	}
}

func TestZScale_WidthDividesStride_LooksAtManyColumns(t *testing.T) {
	// 1000 × 1000: a step of 1000 would see column 0 alone.
	p := planeOf(1000, 1000, func(i int) float64 {
		if i%1000 == 0 {
			return -1e6
		}
		return sky(i, 3)
	})
	if l := (Range{Kind: ZScale}).Of(mustImage(t, p)); l.Lo < -5 || l.Hi > 5 || l.Hi < 1 {
		t.Errorf("limits %v of a sky between -3 and 3", l)
	}
}

func TestLimits_DegenerateData_StayUsable(t *testing.T) {
	nan := math.NaN()
	for name, f := range map[string]func(int) float64{
		"constant": func(int) float64 { return 7 },
		"zero":     func(int) float64 { return 0 },
		"all NaN":  func(int) float64 { return nan },
		"infinite": func(i int) float64 { return math.Inf(1 - 2*(i&1)) },
		"huge":     func(i int) float64 { return 3e38 * float64(1-2*(i&1)) },
		"denormal": func(i int) float64 { return 1e-42 * float64(i&1) },
	} {
		im := mustImage(t, planeOf(37, 41, f))
		for _, r := range []Range{{Kind: MinMax}, {Kind: ZScale}, {Kind: Percentile, Percent: 99}, {Kind: Symmetric, Percent: 99}} {
			l := r.Of(im)
			if !(l.Lo < l.Hi) || math.IsInf(l.Hi-l.Lo, 0) {
				t.Errorf("%s, %v: limits %v", name, r, l)
			}
			var tab Table
			tab.Set(Style{Limits: l, Stretch: Equalise}, im)
			tab.Colour(float32(f(0)))
		}
	}
}

func TestRange_TextForm_RoundTrips(t *testing.T) {
	for _, s := range []string{"minmax", "zscale", "99.5%", "sym 99%", "-0.1:2.5", "-1e-05:0"} {
		r, err := ParseRange(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if r.String() != s {
			t.Errorf("%q came back as %q", s, r.String())
		}
	}
	for _, s := range []string{"", "max", "0%", "101%", "2:1", "1:1", "nan:1", "a:b", "-inf:1", "sym"} {
		if r, err := ParseRange(s); err == nil {
			t.Errorf("%q was read as %v", s, r)
		}
	}
}

func TestQuantiles_AgainstSorting_AreExact(t *testing.T) {
	p := planeOf(173, 59, func(i int) float64 {
		if i%11 == 0 {
			return math.NaN()
		}
		return sky(i, 2) * math.Pow(10, float64(i%9)-4)
	})
	im := mustImage(t, p)
	var sorted []float64
	for _, v := range p.Data {
		if finite(v) {
			sorted = append(sorted, float64(v))
		}
	}
	sortFloats(sorted)
	for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.77, 0.999, 1} {
		at := q * float64(len(sorted)-1)
		k := int(at)
		want := sorted[k]
		if k+1 < len(sorted) {
			want += (at - float64(k)) * (sorted[k+1] - sorted[k])
		}
		if got := im.Quantiles(q)[0]; math.Abs(got-want) > 1e-12*math.Abs(want) { // one float64 interpolation
			t.Errorf("quantile %g: %g, sorting gives %g", q, got, want)
		}
	}
}

func TestRobust_OutliersAndNaN_FindsSkyAndNoise(t *testing.T) {
	im := mustImage(t, planeOf(301, 203, func(i int) float64 {
		switch {
		case i%17 == 0:
			return 1e6
		case i%19 == 0:
			return math.NaN()
		}
		return 50 + 2*sky(i, 8)
	}))
	// The sum of six uniforms has variance ½; its MAD-based sigma is within 1 %
	// of that, and 6 % of one-sided outliers move both numbers by a few per cent.
	median, sigma := im.Robust()
	if want := 2 * math.Sqrt(0.5); math.Abs(median-50) > 0.15 || math.Abs(sigma/want-1) > 0.1 {
		t.Errorf("median %g, sigma %g; expected 50 and %g", median, sigma, want)
	}
}

func TestStats_LargeSky_KeepsTheDigitsOfTheNoise(t *testing.T) {
	f := func(i int) float64 { return float64(float32(1e6 + sky(i, 4))) }
	s := mustImage(t, planeOf(211, 97, f)).Stats()
	var mean, m2 float64
	for i := range 211 * 97 { // Welford, as a second opinion
		d := f(i) - mean
		mean += d / float64(i+1)
		m2 += d * (f(i) - mean)
	}
	std := math.Sqrt(m2 / (211 * 97))
	if math.Abs(s.Mean-mean) > 1e-6 || math.Abs(s.Std/std-1) > 1e-6 || s.Count != 211*97 || s.Bad != 0 {
		t.Errorf("%+v; expected mean %g, std %g", s, mean, std)
	}
}

func TestHistogram_EveryPixel_IsCountedOnce(t *testing.T) {
	im := mustImage(t, Plane{Data: []float32{0, 0.5, 1, 1.5, 2, -1, 3, float32(math.NaN()), float32(math.Inf(1))}, W: 3, H: 3})
	h := im.Histogram(0, 2, 2)
	if h.Counts[0] != 2 || h.Counts[1] != 3 || h.Under != 1 || h.Over != 1 || h.Bad != 2 || h.Peak() != 3 {
		t.Errorf("%+v", h)
	}
	if h = im.Histogram(1, 1, 4); h.Counts[0] != 1 || h.Under != 3 || h.Over != 3 {
		t.Errorf("empty interval: %+v", h)
	}
}

func TestThinned_LargePlane_HasTheSameQuantiles(t *testing.T) {
	const w, h, n = 1024, 1000, 1 << 16
	rng := rand.New(rand.NewPCG(3, 3))
	p := Plane{Data: make([]float32, w*h), W: w, H: h}
	for i := range p.Data {
		p.Data[i] = float32(rng.NormFloat64())
	}
	im, err := NewImage(p)
	if err != nil {
		t.Fatal(err)
	}
	some := im.Thinned(n)
	got, _ := some.Size()
	if got < n/2 || got > 2*n {
		t.Fatalf("%d values, about %d expected", got, n)
	}
	const tolerance = 0.08 // a quantile of 65536 normal values scatters by .005, that at 99.8 % by .02
	for _, q := range []float64{0.05, 0.5, 0.95, 0.998} {
		if a, b := im.Quantiles(q)[0], some.Quantiles(q)[0]; math.Abs(a-b) > tolerance {
			t.Errorf("quantile %g: %g of all, %g of some", q, a, b)
		}
	}
	if im.Thinned(w*h) != im {
		t.Error("a plane that is small enough was copied")
	}
}
