package starlet_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/internal/priortest"
	"limpid/priors/starlet"
)

func transform(t testing.TB, scales int, edge engine.Edge, batch int, domain ...int) (*priortest.Bench, *starlet.Transform) {
	b := priortest.New(t)
	tr, err := starlet.NewTransform(b.Dev, b.S, scales, domain, edge, batch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return b, tr
}

// aTrous is the transform of one plane by the definition's loops.
func aTrous(x []float64, h, w, scales int, edge engine.Edge) [][]float64 {
	taps := []float64{1. / 16, 4. / 16, 6. / 16, 4. / 16, 1. / 16}
	var out [][]float64
	c := append([]float64(nil), x...)
	for j := range scales {
		next := make([]float64, len(c))
		for y := range h {
			for xx := range w {
				for a, ta := range taps {
					for b, tb := range taps {
						next[y*w+xx] += ta * tb * c[edge.At(y+(a-2)<<j, h)*w+edge.At(xx+(b-2)<<j, w)]
					}
				}
			}
		}
		detail := make([]float64, len(c))
		for i := range c {
			detail[i] = c[i] - next[i]
		}
		out, c = append(out, detail), next
	}
	return append(out, c)
}

// float32 and its Fourier transform, for images of unit variance.
const tolerance = 4e-6

func TestForward_AgainstLoops_Equal(t *testing.T) {
	for _, edge := range []engine.Edge{engine.Periodic, engine.Reflect} {
		for _, d := range [][2]int{{32, 32}, {33, 45}} {
			const scales = 3
			b, tr := transform(t, scales, edge, 2, 1, d[0], d[1])
			n := d[0] * d[1]
			x, coef := b.Normal(1, 1, 2, 1, d[0], d[1]), b.Tensor(tr.Coefficients(2)...)
			tr.Forward(b.S, coef, x)
			hx, hc := b.Host(x), b.Host(coef)
			for k := range 2 {
				for j, want := range aTrous(hx[k*n:(k+1)*n], d[0], d[1], scales, edge) {
					for i, v := range want {
						if got := hc[(j*2+k)*n+i]; math.Abs(got-v) > tolerance {
							t.Fatalf("edge %d, %v, scene %d, scale %d, pixel %d: %g, want %g", edge, d, k, j, i, got, v)
						}
					}
				}
			}
		}
	}
}

func TestReconstruct_OfForward_IsExact(t *testing.T) {
	// a few roundings of the sum, relative to the brightest pixel
	const exact = 5e-7
	for _, edge := range []engine.Edge{engine.Periodic, engine.Reflect} {
		b, tr := transform(t, 0, edge, 2, 3, 100, 81)
		x, y := b.Normal(2, 100, 2, 3, 100, 81), b.Tensor(2, 3, 100, 81)
		coef := b.Tensor(tr.Coefficients(2)...)
		tr.Forward(b.S, coef, x)
		tr.Reconstruct(b.S, y, coef)
		hx, hy := b.Host(x), b.Host(y)
		for i := range hx {
			if math.Abs(hx[i]-hy[i]) > exact*500 {
				t.Fatalf("edge %d: pixel %d is %g, was %g", edge, i, hy[i], hx[i])
			}
		}
	}
}

func TestAdjoint_BothBorders_Agrees(t *testing.T) {
	for _, edge := range []engine.Edge{engine.Periodic, engine.Reflect} {
		b, tr := transform(t, 3, edge, 2, 2, 40, 33)
		b.Adjoint(engine.Shape{2, 2, 40, 33}, tr.Coefficients(2),
			func(dst, src *engine.Tensor) { tr.Forward(b.S, dst, src) },
			func(dst, src *engine.Tensor) { tr.Adjoint(b.S, dst, src) }, 1e-6)
	}
}

func TestNorm2_PowerIteration_StaysBelow(t *testing.T) {
	for _, edge := range []engine.Edge{engine.Periodic, engine.Reflect} {
		for _, d := range [][3]int{{9, 8, 1}, {32, 31, 3}, {20, 70, 2}, {64, 64, 4}, {64, 64, 1}} {
			h, w := d[0], d[1]
			b, tr := transform(t, d[2], edge, 1, 1, h, w)
			x, y, c := b.Normal(5, 1, 1, 1, h, w), b.Tensor(1, 1, h, w), b.Tensor(tr.Coefficients(1)...)
			var norm float64
			for range 150 {
				tr.Forward(b.S, c, x)
				tr.Adjoint(b.S, y, c)
				norm = math.Sqrt(b.Dot(y, y) / b.Dot(x, x))
				b.S.Scale(x, float32(1/math.Sqrt(b.Dot(y, y))), y)
			}
			t.Logf("edge %d, %v: ‖W‖² = %.4f, bound %.4f", edge, d, norm, tr.Norm2())
			if norm > tr.Norm2()*(1+1e-5) {
				t.Errorf("edge %d, %v: ‖W‖² = %g is above the stated %g", edge, d, norm, tr.Norm2())
			}
		}
	}
}

// The values in use since Starck, Murtagh & Bijaoui 1998 (B3 spline, white noise of unit
// variance), which are simulated.
func TestNoiseLevels_WhiteNoise_ThePublishedOnes(t *testing.T) {
	_, tr := transform(t, 5, engine.Periodic, 1, 1, 256, 256)
	got, err := tr.NoiseLevels(nil)
	if err != nil {
		t.Fatal(err)
	}
	for j, want := range []float64{0.8908, 0.2007, 0.0855, 0.0412, 0.0204} {
		if math.Abs(got[j]-want) > 4e-4 { // of their simulation
			t.Errorf("scale %d: %.4f, published %.4f", j+1, got[j], want)
		}
	}
}

// The noise of 400 realisations through a filter, with a variance that changes over the
// image; a standard deviation from 400 draws has an error of 3.5 %.
func TestNoiseMaps_FilteredNoise_ThatOfRealisations(t *testing.T) {
	const h, w, draws, scales = 48, 40, 400, 3
	b, tr := transform(t, scales, engine.Periodic, draws, 1, h, w)
	variance := make([]float32, h*w)
	for i := range variance {
		variance[i] = float32(0.2 + math.Pow(float64(i%w)/w, 2))
	}
	// an asymmetric filter: a shifted pair of points
	kernel := make([]float32, h*w)
	kernel[0], kernel[3*w+5] = 1, -0.6
	transfer := b.Tensor(engine.Shape{1, h, w}.Spectrum()...)
	b.S.RFFT2(transfer, b.Of(kernel, 1, h, w))
	v := b.Of(variance, 1, h, w)
	maps := b.Tensor(scales+1, 1, h, w)
	if err := tr.NoiseMaps(b.Dev, b.S, maps, v, transfer); err != nil {
		t.Fatal(err)
	}
	root := b.Tensor(1, h, w)
	b.S.Map(root, engine.Sqrt, v)
	x := b.Normal(6, 1, draws, 1, h, w)
	b.S.Mul(x, x, root)
	spec := b.Tensor(x.Shape().Spectrum()...)
	b.S.RFFT2(spec, x)
	b.S.CMul(spec, spec, transfer)
	b.S.IRFFT2(x, spec)
	coef := b.Tensor(tr.Coefficients(draws)...)
	tr.Forward(b.S, coef, x)
	hc, hm := b.Host(coef), b.Host(maps)
	n := h * w
	for j := range scales + 1 {
		var chi, worst float64
		for i := range n {
			var sum float64
			for k := range draws {
				c := hc[(j*draws+k)*n+i]
				sum += c * c
			}
			r := math.Sqrt(sum/draws)/hm[j*n+i] - 1
			chi += r * r
			worst = max(worst, math.Abs(r))
		}
		if rms := math.Sqrt(chi/float64(n)) * math.Sqrt(2*draws); rms > 1.25 || worst > 0.035*5.5 {
			t.Errorf("scale %d: realisations differ by %.2f of their own error, at worst by %.1f %%", j+1, rms, 100*worst)
		}
	}
}

func TestNoiseMaps_WhiteNoise_AreTheLevels(t *testing.T) {
	b, tr := transform(t, 3, engine.Periodic, 1, 2, 64, 64)
	levels, err := tr.NoiseLevels(nil)
	if err != nil {
		t.Fatal(err)
	}
	v, maps := b.Tensor(2, 64, 64), b.Tensor(4, 2, 64, 64)
	b.S.Fill(v, 4)
	if err := tr.NoiseMaps(b.Dev, b.S, maps, v, nil); err != nil {
		t.Fatal(err)
	}
	for i, got := range b.Host(maps) {
		if want := 2 * levels[i/(2*64*64)]; math.Abs(got-want) > 1e-4*want {
			t.Fatalf("element %d: %g, want %g", i, got, want)
		}
	}
}

func TestNewTransform_ImpossibleScales_AreErrors(t *testing.T) {
	b := priortest.New(t)
	for _, c := range []struct {
		scales, side int
		edge         engine.Edge
	}{{6, 64, engine.Periodic}, {-1, 64, engine.Periodic}, {1, 4, engine.Periodic}, {2, 64, engine.Zero}} {
		if _, err := starlet.NewTransform(b.Dev, b.S, c.scales, engine.Shape{1, c.side, c.side}, c.edge, 1); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestMAD_NoiseWithOutliers_FindsTheNoise(t *testing.T) {
	b := priortest.New(t)
	h := b.Host(b.Normal(3, 2.5, 100, 100))
	v := make([]float32, len(h))
	for i, x := range h {
		v[i] = float32(x)
		if i%50 == 0 {
			v[i] = 1e6
		}
		if i%777 == 0 {
			v[i] = float32(math.NaN())
		}
	}
	if got := starlet.MAD(v); math.Abs(got-2.5) > 0.12 { // 2 % outliers add 2.5 %
		t.Errorf("MAD %g, want 2.5", got)
	}
	if !math.IsNaN(starlet.MAD(nil)) {
		t.Error("MAD of nothing is a number")
	}
}
