package measure

import (
	"math"
	"math/rand/v2"
	"testing"

	"limpid/app/figure"
)

func plane(w, h int, f func(x, y int) float64) figure.Plane {
	p := figure.Plane{Data: make([]float32, w*h), W: w, H: h}
	for j := range h {
		for i := range w {
			p.Data[j*w+i] = float32(f(i, j))
		}
	}
	return p
}

func TestLine_Ramp_IsExact(t *testing.T) {
	p := plane(20, 10, func(x, y int) float64 { return 2*float64(x) - 3*float64(y) })
	at, v := Line(p, 1, 1, 13, 6, 27)
	if math.Abs(at[26]-13) > 1e-12 {
		t.Errorf("length %g, want 13", at[26])
	}
	for i := range at {
		k := float64(i) / 26
		if want := 2*(1+12*k) - 3*(1+5*k); math.Abs(v[i]-want) > 1e-5 {
			t.Errorf("point %d: %g, want %g", i, v[i], want)
		}
	}
	if _, v := Line(p, -5, 0, 5, 0, 3); !math.IsNaN(v[0]) || math.IsNaN(v[2]) {
		t.Errorf("outside the plane: %v", v)
	}
}

func TestRadial_Gaussian_FollowsIt(t *testing.T) {
	p := plane(41, 41, func(x, y int) float64 { return math.Exp(-(sq(x-20) + sq(y-20)) / 50) })
	for _, r := range Radial(p, 20, 20, 15) {
		if want := math.Exp(-r.Radius * r.Radius / 50); math.Abs(r.Mean-want) > 0.01 {
			t.Errorf("r %.2f: %.4f, want %.4f", r.Radius, r.Mean, want)
		}
	}
}

func sq(x int) float64 { return float64(x * x) }

func TestWithin_NaN_IsLeftOut(t *testing.T) {
	p := plane(4, 1, func(x, _ int) float64 { return []float64{1, 2, math.NaN(), 6}[x] })
	s := Within(p, -3, -3, 9, 9, func(_, _ float64) bool { return true })
	if s.N != 3 || s.Sum != 9 || s.Mean != 3 || s.Median != 2 || s.Min != 1 || s.Max != 6 || math.Abs(s.Std-math.Sqrt(7)) > 1e-12 {
		t.Errorf("%+v", s)
	}
	if s := Within(p, 0, 0, 4, 1, func(_, _ float64) bool { return false }); s.N != 0 || !math.IsNaN(s.Mean) {
		t.Errorf("nothing: %+v", s)
	}
}

func TestContours_Cone_LieOnTheCircle(t *testing.T) {
	im, err := figure.NewImage(plane(60, 50, func(x, y int) float64 { return -math.Hypot(float64(x)-30, float64(y)-25) }))
	if err != nil {
		t.Fatal(err)
	}
	segs := Contours(im, -12, 0)
	var length float64
	for _, s := range segs {
		if r := math.Hypot(float64(s.X0)-30, float64(s.Y0)-25); math.Abs(r-12) > 0.02 {
			t.Fatalf("a point at radius %.3f, want 12", r)
		}
		length += math.Hypot(float64(s.X1-s.X0), float64(s.Y1-s.Y0))
	}
	if want := 2 * math.Pi * 12; math.Abs(length-want) > 0.01*want {
		t.Errorf("length %.2f, want %.2f", length, want)
	}
}

func TestContours_LargeImage_AreInItsOwnPixels(t *testing.T) {
	im, err := figure.NewImage(plane(2100, 1100, func(x, _ int) float64 { return float64(x) }))
	if err != nil {
		t.Fatal(err)
	}
	segs := Contours(im, 1000, 0)
	if len(segs) == 0 {
		t.Fatal("none")
	}
	for _, s := range segs {
		if math.Abs(float64(s.X0)-1000) > 0.1 {
			t.Fatalf("at x %g, want 1000", s.X0)
		}
	}
}

func TestSpectrum_WhiteField_IsItsVariance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := Spectrum(plane(128, 96, func(_, _ int) float64 { return 5 + 3*r.NormFloat64() }))
	var sum float64
	n := 0
	for i, p := range s.P {
		sum += p * float64(s.N[i])
		n += s.N[i]
	}
	if got := sum / float64(n); math.Abs(got-9) > 0.5 { // 4700 modes, correlated by the window: 3 % of 9
		t.Errorf("power %.2f, want 9", got)
	}
}

func TestSpectrum_Wave_StandsAtItsWavenumber(t *testing.T) {
	s := Spectrum(plane(128, 128, func(x, _ int) float64 { return math.Sin(2 * math.Pi * float64(x) / 8) }))
	best := 0
	for i := range s.P {
		if s.P[i] > s.P[best] {
			best = i
		}
	}
	if math.Abs(s.K[best]-0.125) > 0.008 {
		t.Errorf("peak at %.4f, want 0.125", s.K[best])
	}
}
