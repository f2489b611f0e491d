package deconv_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
	"limpid/solvers/summary"
)

func newDevice(t testing.TB) engine.Device {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	return dev
}

// field draws a Gaussian field with the spectrum and looks at it through a Moffat PSF, with
// noise of σ. The truth is the scene over the image.
func field(t testing.TB, dev engine.Device, sp gaussian.Spectrum, n int, fwhm float64, stamp int, sigma float64, key engine.Key) (o *solvers.Observation, truth solvers.Image) {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, fwhm, 3, stamp)
	if err != nil {
		t.Fatal(err)
	}
	s := dev.NewStream()
	op, err := operator.NewConvolution(dev, s, psf, n, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x := gaussianScene(t, dev, s, sp, op.Domain(), key.Fold(0))
	return look(t, dev, s, op, op.Grid, psf, x, sigma, key.Fold(1))
}

// gaussianScene is a draw of a Gaussian prior.
func gaussianScene(t testing.TB, dev engine.Device, s engine.Stream, sp gaussian.Spectrum, domain engine.Shape, key engine.Key) *engine.Tensor {
	t.Helper()
	prior, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, domain, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	x, err := dev.Alloc(domain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Free)
	prior.Sample(s, x, key)
	return x
}

// simulate is field with unit noise and a few places masked.
func simulate(t testing.TB, dev engine.Device, sp gaussian.Spectrum, n int, seed uint64) (o *solvers.Observation, truth solvers.Image) {
	t.Helper()
	o, truth = field(t, dev, sp, n, 3, 31, 1, engine.NewKey(seed))
	for i := range o.Weights.Pix {
		if (i%n)%31 == 7 || (i/n > n/3 && i/n < n/3+4 && i%n > n/2 && i%n < n/2+6) {
			o.Weights.Pix[i], o.Data.Pix[i] = 0, 0
		}
	}
	return o, truth
}

// A power spectrum fitted to one image has sample variance; the fitted power of
// the modes that the PSF lets through should be right within this in ln P.
const fitTolerance = 0.35

func TestFitSpectrum_RecoversThePowerLaw(t *testing.T) {
	dev := newDevice(t)
	for _, c := range []struct{ p0, slope float64 }{{30, 2}, {100, 3}, {3000, 3}, {1000, 4}} {
		sp := gaussian.PowerLaw(c.p0, 0.1, c.slope)
		o, _ := simulate(t, dev, sp, 192, 11)
		got, err := deconv.FitSpectrum(dev, o, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []float64{0.02, 0.05, 0.1, 0.2} {
			if snr := sp.At(k) * math.Exp(-4*math.Pi*math.Pi*k*k*1.27*1.27); snr < 1 {
				continue
			}
			d := math.Log(got.At(k) / sp.At(k))
			t.Logf("p0 %g slope %g k %.2f: ln ratio %+.2f", c.p0, c.slope, k, d)
			if math.Abs(d) > fitTolerance {
				t.Errorf("p0 %g slope %g: ln P at k = %g off by %+.2f", c.p0, c.slope, k, d)
			}
		}
	}
}

// The end-to-end promise: with the spectrum fitted to the very image, 90 %
// intervals hold 90 % of the pixels. The band allows for the sample variance of
// correlated pixels (measured over seeds: ±.015) and of 48 draws.
func TestGaussian_FittedSpectrum_CoverageHolds(t *testing.T) {
	dev := newDevice(t)
	const lo, hi, z90 = 0.87, 0.93, 1.6449
	for _, c := range []struct{ p0, slope float64 }{{30, 2}, {3000, 3}} {
		var inside, total float64
		for seed := range uint64(3) {
			o, truth := simulate(t, dev, gaussian.PowerLaw(c.p0, 0.1, c.slope), 96, 100+seed)
			sum := runGaussian(t, dev, o, nil, 48)
			mean, std := sum.Mean(), sum.Std()
			for i, v := range truth.Pix {
				total++
				if math.Abs(float64(v-mean.Pix[i])) < z90*float64(std.Pix[i]) {
					inside++
				}
			}
		}
		t.Logf("p0 %g slope %g: coverage %.3f", c.p0, c.slope, inside/total)
		if inside/total < lo || inside/total > hi {
			t.Errorf("p0 %g slope %g: 90 %% intervals hold %.1f %%", c.p0, c.slope, 100*inside/total)
		}
	}
}

// look observes a scene x on a grid through an operator, with noise of σ, and gives it over
// the image besides.
func look(t testing.TB, dev engine.Device, s engine.Stream, op solvers.Operator, g operator.Grid, psf solvers.Image, x *engine.Tensor, sigma float64, key engine.Key) (o *solvers.Observation, truth solvers.Image) {
	t.Helper()
	y, err := dev.Alloc(op.Range())
	if err != nil {
		t.Fatal(err)
	}
	defer y.Free()
	noise, err := dev.Alloc(op.Range())
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Free()
	op.Forward(s, y, x)
	s.Normal(noise, key)
	s.Axpy(y, float32(sigma), noise)
	o = &solvers.Observation{Data: solvers.NewImage(1, g.ImgH, g.ImgW), Weights: solvers.NewImage(1, g.ImgH, g.ImgW), PSF: psf, Bands: []string{"r"}}
	s.Download(o.Data.Pix, y)
	scene := make([]float32, x.Len())
	s.Download(scene, x)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range o.Weights.Pix {
		o.Weights.Pix[i] = float32(1 / (sigma * sigma))
	}
	return o, solvers.Image{C: 1, H: g.ImgH, W: g.ImgW, Pix: g.Crop(scene)}
}

// agrees compares samples of the learned path with a Gaussian prior with the exact posterior:
// 64 draws of that and so many of the other, whose means may be apart by so many σ rms; it
// returns how many previews there were.
func agrees(t *testing.T, dev engine.Device, o *solvers.Observation, sp gaussian.Spectrum, draws int, apart float64) (previews int) {
	t.Helper()
	exact := runGaussian(t, dev, o, []gaussian.Spectrum{sp}, 64)
	p, err := deconv.New(context.Background(), dev, o, deconv.Settings{
		Method: deconv.Learned,
		Load: func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) {
			grid := deconv.GridOf(deconv.Learned, 1, o.Data.H, o.Data.W, o.PSF.H, o.PSF.W).Aligned(4)
			g, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, grid.Domain(), 16)
			return learned{g}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sum, previews := collect(t, p, draws)
	near(t, exact, sum, apart)
	return previews
}

// near holds means against each other, which may be apart by so many of want's σ rms, and
// standard deviations, whose mean ratio may be off by a twentieth.
func near(t *testing.T, want, got *summary.Summary, apart float64) {
	t.Helper()
	mean, std, m2, s2 := want.Mean(), want.Std(), got.Mean(), got.Std()
	var bias, ratio float64
	for i := range mean.Pix {
		z := float64(m2.Pix[i]-mean.Pix[i]) / float64(std.Pix[i])
		bias += z * z / float64(len(mean.Pix))
		ratio += float64(s2.Pix[i]/std.Pix[i]) / float64(len(mean.Pix))
	}
	t.Logf("means differ by %.4f σ rms, σ ratio %.3f", math.Sqrt(bias), ratio)
	if math.Sqrt(bias) > apart || math.Abs(ratio-1) > 0.05 {
		t.Errorf("means differ by %.4f σ rms, σ ratio %.3f", math.Sqrt(bias), ratio)
	}
}

func runGaussian(t testing.TB, dev engine.Device, o *solvers.Observation, sp []gaussian.Spectrum, draws int) *summary.Summary {
	t.Helper()
	p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: deconv.Gaussian, Spectra: sp})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sum, _ := collect(t, p, draws)
	return sum
}

// collect runs a problem until enough draws are in and counts its previews.
func collect(t testing.TB, p *deconv.Problem, draws int) (sum *summary.Summary, previews int) {
	t.Helper()
	return gather(t, p, 1<<20, draws, 9)
}

// gather runs steps of a problem, for draws > 0 until so many are in, and counts previews.
func gather(t testing.TB, p *deconv.Problem, steps, draws int, seed uint64) (sum *summary.Summary, previews int) {
	t.Helper()
	sum = summary.New(p.Grid, summary.Options{Keep: 4, Chains: 4})
	for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: steps, Seed: seed}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind == solvers.Preview {
			previews++
		}
		if err := sum.Add(step); err != nil {
			t.Fatal(err)
		}
		if err := p.AddDraws(step); err != nil {
			t.Fatal(err)
		}
		if draws > 0 && sum.Draws() >= draws {
			break
		}
	}
	return sum, previews
}
