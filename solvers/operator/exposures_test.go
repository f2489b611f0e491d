package operator_test

import (
	"math"
	"testing"

	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// exposure is one of h × w detector pixels, each factor pixels of the scene wide, displaced by
// (dx, dy) detector pixels and turned by angle degrees about its middle, through a Gaussian of
// 1.5 detector pixels.
func exposure(t testing.TB, h, w int, factor, dx, dy, angle float64) solvers.Exposure {
	t.Helper()
	sin, cos := math.Sincos(angle * math.Pi / 180)
	e := solvers.Exposure{Data: solvers.NewImage(1, h, w), Weights: solvers.NewImage(1, h, w), Area: factor * factor}
	for i := range e.Weights.Pix {
		e.Weights.Pix[i] = 1
		x, y := float64(i%w)-float64(w-1)/2, float64(i/w)-float64(h-1)/2
		x, y = cos*x-sin*y+dx+float64(w-1)/2, sin*x+cos*y+dy+float64(h-1)/2
		e.X, e.Y = append(e.X, float32((x+0.5)*factor-0.5)), append(e.Y, float32((y+0.5)*factor-0.5))
	}
	profile, err := observe.OversampledPSF(observe.PSFSettings{Kind: observe.PSFGaussian}, 1.5, 9)
	if err != nil {
		t.Fatal(err)
	}
	// of a turned detector: scene to detector
	e.PSF, err = observe.FinePSF(profile, observe.ProfileSamples, [4]float64{cos / factor, sin / factor, -sin / factor, cos / factor}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A point of the scene is seen where it lies, whole and integrated over the pixels, in
// exposures that are displaced and turned, against direct integration.
func TestExposures_Point_IntegratedOverPixels(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	const n, factor, flux = 24, 2.0, 5.0
	const sigma = 1.5 / 2.3548200450309493 // detector px
	for _, c := range []struct{ dx, dy, angle float64 }{{0, 0, 0}, {0.5, 0.5, 0}, {0.31, -0.17, 1.5}} {
		e := exposure(t, n, n, factor, c.dx, c.dy, c.angle)
		op, err := operator.NewExposures(dev, s, []solvers.Exposure{e}, operator.NewGrid(1, 2*n+4, 2*n+4, e.PSF.H, e.PSF.W), 1)
		if err != nil {
			t.Fatal(err)
		}
		const row, col = 21, 26
		scene := solvers.NewImage(1, 2*n+4, 2*n+4)
		scene.Pix[row*scene.W+col] = flux
		x, _ := dev.Alloc(op.Domain())
		y, _ := dev.Alloc(op.Range())
		s.Upload(x, op.Embed(scene).Pix)
		op.Forward(s, y, x)
		got := make([]float32, y.Len())
		s.Download(got, y)
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		var sum, worst, peak float64
		sin, cos := math.Sincos(c.angle * math.Pi / 180)
		edge := func(a float64) float64 { return 0.5 * math.Erf(a/(sigma*math.Sqrt2)) }
		for i, v := range got {
			du, dv := (col-float64(e.X[i]))/factor, (row-float64(e.Y[i]))/factor
			a, b := cos*du+sin*dv, -sin*du+cos*dv // in the detector's axes
			want := flux * (edge(a+0.5) - edge(a-0.5)) * (edge(b+0.5) - edge(b-0.5))
			worst, peak = math.Max(worst, math.Abs(float64(v)-want)), math.Max(peak, want)
			sum += float64(v)
		}
		t.Logf("%+v: flux %.4f of %g, off by %.4f of the peak at worst", c, sum, flux, worst/peak)
		if math.Abs(sum/flux-1) > 2e-3 || worst > 4e-3*peak {
			t.Errorf("%+v: flux %.4f of %g, off by %.4f of the peak at worst", c, sum, flux, worst/peak)
		}
		op.Close()
	}
}

// PSFs that are given with samples finer than pixels, even or odd, and at the pixels' own
// sampling agree.
func TestFinePSF_AnySampling_SamePSF(t *testing.T) {
	half := [4]float64{0.5, 0, 0, 0.5}
	want := exposure(t, 4, 4, 2, 0, 0, 0).PSF
	for over, tolerance := range map[int]float64{1: 0.03, 2: 0.01, 3: 0.01, 4: 0.01} {
		profile, err := observe.AnalyticPSF(observe.PSFGaussian, 1.5*float64(over), 3, 99)
		if err != nil {
			t.Fatal(err)
		}
		got, err := observe.FinePSF(profile, over, half, "test")
		if err != nil {
			t.Fatal(err)
		}
		var worst, peak float64
		for dy := -6; dy <= 6; dy++ {
			for dx := -6; dx <= 6; dx++ {
				a := float64(got.Pix[(got.H/2+dy)*got.W+got.W/2+dx])
				b := float64(want.Pix[(want.H/2+dy)*want.W+want.W/2+dx])
				worst, peak = math.Max(worst, math.Abs(a-b)), math.Max(peak, b)
			}
		}
		t.Logf("%d samples per pixel: off by %.4f of the peak", over, worst/peak)
		if worst > tolerance*peak {
			t.Errorf("%d samples per pixel: off by %.4f of the peak", over, worst/peak)
		}
	}
	if _, err := observe.FinePSF(want, 1, [4]float64{1, 1, 1, 1}, "test"); err == nil {
		t.Error("degenerate coordinates were taken")
	}
}
