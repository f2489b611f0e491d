package operator_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// psf makes an asymmetric PSF of any size with unit sum.
func psf(c, h, w int) solvers.Image {
	im := solvers.NewImage(c, h, w)
	for b := range c {
		var sum float64
		p := im.Plane(b)
		for i := range p {
			x, y := float64(i%w)-0.6*float64(w)/2, float64(i/w)-0.4*float64(h)/2
			p[i] = float32(math.Exp(-(x*x+y*y+0.5*x*y)/(2+float64(b))) + 0.01)
			sum += float64(p[i])
		}
		for i := range p {
			p[i] = float32(float64(p[i]) / sum)
		}
	}
	return im
}

// adjointTolerance is float32 rounding of two transforms over the norms.
const adjointTolerance = 2e-6

// Every operator there is, in odd and even sizes.
func operators(t *testing.T, dev engine.Device) map[string]solvers.Operator {
	t.Helper()
	out := map[string]solvers.Operator{}
	for name, c := range map[string]struct {
		p    solvers.Image
		h, w int
	}{
		"odd PSF":     {psf(1, 7, 9), 33, 40},
		"even PSF":    {psf(1, 8, 6), 31, 17},
		"three bands": {psf(3, 5, 5), 20, 24},
		"one pixel":   {psf(1, 1, 1), 16, 16},
		"large PSF":   {psf(1, 31, 31), 24, 25},
	} {
		op, err := operator.NewConvolution(dev, dev.NewStream(), c.p, c.h, c.w, 2)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = op
	}
	moreOperators(t, dev, out)
	return out
}

// moreOperators adds those that are made of convolutions.
func moreOperators(t *testing.T, dev engine.Device, out map[string]solvers.Operator) {
	t.Helper()
	s := dev.NewStream()
	add := func(name string, op solvers.Operator, err error) {
		if err != nil {
			t.Fatal(name, err)
		}
		out[name] = op
	}
	nodes := []solvers.Image{psf(2, 7, 7), psf(2, 7, 7), psf(2, 7, 7), psf(2, 7, 7), psf(2, 7, 7), psf(2, 7, 7)}
	for i := range nodes {
		nodes[i].Pix[i*5] += 0.1
	}
	varying, err := operator.NewVarying(dev, s, nodes, 2, 3, 30, 26, 2)
	add("varying PSF", varying, err)
	list := []solvers.Exposure{exposure(t, 12, 15, 2, 0, 0, 0), exposure(t, 11, 14, 2, 0.7, -0.4, 2)}
	list[0].Weights.Pix[20] = 0
	dithered, err := operator.NewExposures(dev, s, list, operator.NewGrid(1, 24, 30, 21, 21), 2)
	add("dithered, turned exposures", dithered, err)
	inner, err := operator.NewConvolution(dev, s, psf(1, 5, 5), 18, 21, 2)
	add("inner", inner, err)
	weights := solvers.NewImage(1, 18, 21)
	for i := range weights.Pix {
		weights.Pix[i] = float32(i % 9) // some masked
	}
	colour := []solvers.Correlation{smoothed(0.8)}
	w, err := operator.NewWhitening(weights, colour)
	if err != nil {
		t.Fatal(err)
	}
	white, err := operator.NewWhitened(dev, inner, inner.Grid, w, weights, colour, 2)
	add("whitened", white, err)
	tiling, err := operator.NewTiling(100, 70, 40, 18, func(h, w int) operator.Grid { return operator.NewGrid(2, h, w, 9, 7) })
	if err != nil {
		t.Fatal(err)
	}
	tiled, err := operator.NewTiled(dev, s, psf(2, 9, 7), tiling)
	add("tiles", tiled, err)
}

// A PSF that is the same at every node must give the plain convolution.
func TestVarying_EqualPSFs_IsAConvolution(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p := psf(1, 7, 5)
	plain, err := operator.NewConvolution(dev, s, p, 30, 26, 1)
	if err != nil {
		t.Fatal(err)
	}
	varying, err := operator.NewVarying(dev, s, []solvers.Image{p, p, p, p}, 2, 2, 30, 26, 1)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := dev.Alloc(plain.Domain())
	a, _ := dev.Alloc(plain.Range())
	b, _ := dev.Alloc(plain.Range())
	s.Normal(x, engine.NewKey(3))
	plain.Forward(s, a, x)
	varying.Forward(s, b, x)
	s.Sub(b, b, a)
	if d := dot(s, b, b); d > 1e-10*dot(s, a, a) {
		t.Errorf("differ by %g", d)
	}
}

func TestOperators_AdjointIsExact(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	for name, op := range operators(t, dev) {
		for batch := 1; batch <= 2; batch++ {
			dom := append(engine.Shape{batch}, op.Domain()...)
			rng := append(engine.Shape{batch}, op.Range()...)
			x, _ := dev.Alloc(dom)
			ax, _ := dev.Alloc(rng)
			y, _ := dev.Alloc(rng)
			aty, _ := dev.Alloc(dom)
			s.Normal(x, engine.NewKey(1))
			s.Normal(y, engine.NewKey(2))
			op.Forward(s, ax, x)
			op.Adjoint(s, aty, y)
			left, right := dot(s, ax, y), dot(s, x, aty)
			scale := math.Sqrt(dot(s, x, x) * dot(s, y, y))
			if d := math.Abs(left-right) / scale; !(d < adjointTolerance) {
				t.Errorf("%s, batch %d: ⟨Ax,y⟩ = %g, ⟨x,Aᵀy⟩ = %g (%.1e of the norms)", name, batch, left, right, d)
			}
		}
	}
}

func dot(s engine.Stream, x, y *engine.Tensor) float64 {
	a, b := make([]float32, x.Len()), make([]float32, y.Len())
	s.Download(a, x)
	s.Download(b, y)
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// Against a direct sum, so that orientation and centring are right, not only
// consistent: a point at p must appear at p with the PSF around it.
func TestConvolution_Point_GivesThePSF(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p := psf(1, 7, 5)
	op, err := operator.NewConvolution(dev, s, p, 30, 26, 1)
	if err != nil {
		t.Fatal(err)
	}
	const px, py, tolerance = 11, 17, 1e-6
	scene := solvers.NewImage(1, 30, 26)
	scene.Pix[py*26+px] = 1
	x, _ := dev.Alloc(op.Domain())
	y, _ := dev.Alloc(op.Range())
	s.Upload(x, op.Embed(scene).Pix)
	op.Forward(s, y, x)
	got := make([]float32, y.Len())
	s.Download(got, y)
	for j := range 30 {
		for i := range 26 {
			want := float32(0)
			if u, v := i-px+2, j-py+3; u >= 0 && u < 5 && v >= 0 && v < 7 {
				want = p.Pix[v*5+u]
			}
			if math.Abs(float64(got[j*26+i]-want)) > tolerance {
				t.Fatalf("pixel (%d, %d): %g, want %g", i, j, got[j*26+i], want)
			}
		}
	}
}

func TestConvolution_TooLittleMemory_SaysHowMuch(t *testing.T) {
	dev := cpu.New(cpu.Options{MemoryBudget: 1 << 16})
	defer dev.Close()
	if _, err := operator.NewConvolution(dev, dev.NewStream(), psf(1, 5, 5), 400, 400, 1); err == nil {
		t.Fatal("no error with a budget of 64 KiB")
	}
}

func TestGoodSize_IsEvenSmoothAndNotSmaller(t *testing.T) {
	for n := 1; n < 5000; n++ {
		g := operator.GoodSize(n)
		m := g
		for _, p := range []int{2, 3, 5} {
			for m%p == 0 {
				m /= p
			}
		}
		if g < n || g%2 != 0 || m != 1 {
			t.Fatalf("GoodSize(%d) = %d", n, g)
		}
	}
}

func TestAnalyticPSF_Profiles(t *testing.T) {
	for _, c := range []struct {
		kind observe.PSFKind
		fwhm float64
		tol  float64 // pixel integration widens narrow profiles
	}{{observe.PSFGaussian, 3, 0.06}, {observe.PSFGaussian, 6.5, 0.02}, {observe.PSFMoffat, 4, 0.04}, {observe.PSFAiry, 5, 0.03}} {
		im, err := observe.AnalyticPSF(c.kind, c.fwhm, 3, 201)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, v := range im.Pix {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("%s: sums to %g", c.kind, sum)
		}
		if got := observe.FWHM(im.Pix, im.H, im.W); math.Abs(got/c.fwhm-1) > c.tol {
			t.Errorf("%s: FWHM %.3f, want %.3f", c.kind, got, c.fwhm)
		}
	}
}
