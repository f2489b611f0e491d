package deconv_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/operator"
)

// resampled is noise of unit variance as resampling leaves it: white noise averaged with the
// weights 1 2 1 along rows and columns, and a little that is white.
const resampledWhite = 0.06

func resampled(h, w int, key engine.Key) []float32 {
	e, own := solvers.Normals(key.Fold(0), (h+2)*(w+2)), solvers.Normals(key.Fold(1), h*w)
	out := make([]float32, h*w)
	norm := math.Sqrt((1 - resampledWhite) / 36) // Σ of the weights' squares is 6 along each axis
	for i := range out {
		var sum float64
		for dy := range 3 {
			for dx := range 3 {
				sum += float64((2-abs(dy-1))*(2-abs(dx-1))) * e[(i/w+dy)*(w+2)+i%w+dx]
			}
		}
		out[i] = float32(norm*sum + math.Sqrt(resampledWhite)*own[i])
	}
	return out
}

func abs(v int) int { return max(v, -v) }

func resampledCorrelation() solvers.Correlation {
	along := []float64{1, 4, 6, 4, 1}
	c := solvers.Correlation{Reach: 2}
	for _, a := range along {
		for _, b := range along {
			c.At = append(c.At, (1-resampledWhite)*a*b/36)
		}
	}
	c.At[12] = 1
	return c
}

// coloured observes a Gaussian field of n² pixels with noise of σ that is resampled.
func coloured(t testing.TB, dev engine.Device, sp gaussian.Spectrum, n int, sigma float64, seed uint64) (o *solvers.Observation, truth solvers.Image) {
	t.Helper()
	key := engine.NewKey(seed)
	o, truth = field(t, dev, sp, n, 2.2, 9, 0, key)
	for i, v := range resampled(n, n, key.Fold(2)) {
		o.Data.Pix[i] += float32(sigma) * v
		o.Weights.Pix[i] = float32(1 / (sigma * sigma))
	}
	o.Colour = []solvers.Correlation{resampledCorrelation()}
	return o, truth
}

func mask(o *solvers.Observation, bad func(x, y int) bool) {
	for i := range o.Weights.Pix {
		if bad(i%o.Data.W, i/o.Data.W) {
			o.Weights.Pix[i], o.Data.Pix[i] = 0, 0
		}
	}
}

// Mean and variance of the exact posterior under correlated noise, a blur and a mask, against
// dense algebra.
func TestColour_Posterior_MatchesDenseAlgebra(t *testing.T) {
	dev := newDevice(t)
	const n, draws = 14, 4000
	sp := gaussian.PowerLaw(60, 0.1, 2.5)
	o, _ := coloured(t, dev, sp, n, 1, 3)
	mask(o, func(x, y int) bool { return x > 3 && x < 7 && y > 5 && y < 8 || x == 11 })
	for i := range o.Weights.Pix {
		o.Weights.Pix[i] *= float32(1 + 0.3*math.Sin(float64(i)))
	}
	p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	mean, std := denseColour(t, dev, p, o, sp)
	sum, _ := collect(t, p, draws)
	estimate, got := sum.GridEstimate(), sum.Std()
	g := p.Grid
	var off, ratio, worst float64
	for i := range n * n {
		at := (i/n+g.Row)*g.W + i%n + g.Col
		d := (float64(estimate[at]) - mean[at]) / std[at]
		r := float64(got.Pix[i]) / std[at]
		off, ratio = off+d*d/(n*n), ratio+r/(n*n)
		worst = math.Max(worst, math.Abs(r-1))
	}
	t.Logf("mean off by %.4f σ rms, σ ratio %.4f, at worst %.3f off", math.Sqrt(off), ratio, worst)
	if math.Sqrt(off) > 0.01 || math.Abs(ratio-1) > 0.01 || worst > 0.05 { // a σ of 4000 draws is known to 1.1 %
		t.Errorf("mean off by %.4f σ rms, σ ratio %.4f, at worst %.3f off", math.Sqrt(off), ratio, worst)
	}
}

// denseColour is mean and standard deviation over the grid, in float64.
func denseColour(t *testing.T, dev engine.Device, p *deconv.Problem, o *solvers.Observation, sp gaussian.Spectrum) (mean, std []float64) {
	t.Helper()
	g, s, n := p.Grid, dev.NewStream(), p.Grid.H*p.Grid.W
	prior, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, g.Domain(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	var used []int
	for i, w := range o.Weights.Pix {
		if w > 0 {
			used = append(used, i)
		}
	}
	m := len(used)
	x, _ := dev.Alloc(g.Domain())
	defer x.Free()
	y, _ := dev.Alloc(g.Range())
	defer y.Free()
	b := mat.NewDense(m, n, nil) // A T
	root := mat.NewDense(n, n, nil)
	host, image := make([]float32, n), make([]float32, y.Len())
	for j := range n {
		clear(host)
		host[j] = 1
		s.Upload(x, host)
		prior.FromWhite(s, x, x)
		s.Download(host, x)
		for i, v := range host {
			root.Set(i, j, float64(v))
		}
		p.Op.Forward(s, y, x)
		s.Download(image, y)
		for i, at := range used {
			b.Set(i, j, float64(image[at]))
		}
	}
	noise, data := mat.NewDense(m, m, nil), mat.NewVecDense(m, nil)
	for i, a := range used {
		data.SetVec(i, float64(o.Data.Pix[a]))
		for j, c := range used {
			noise.Set(i, j, o.Colour[0].Lag(a/o.Data.W-c/o.Data.W, a%o.Data.W-c%o.Data.W)/math.Sqrt(float64(o.Weights.Pix[a])*float64(o.Weights.Pix[c])))
		}
	}
	var precision, nb, inverse, cov, scene mat.Dense
	if err := nb.Solve(noise, b); err != nil {
		t.Fatal(err)
	}
	precision.Mul(b.T(), &nb)
	for i := range n {
		precision.Set(i, i, precision.At(i, i)+1)
	}
	if err := inverse.Inverse(&precision); err != nil {
		t.Fatal(err)
	}
	cov.Mul(root, &inverse)
	var rhs, at mat.VecDense
	rhs.MulVec(nb.T(), data)
	at.MulVec(&cov, &rhs)
	scene.Mul(&cov, root.T())
	for i := range n {
		mean, std = append(mean, at.AtVec(i)), append(std, math.Sqrt(scene.At(i, i)))
	}
	return mean, std
}

// Over simulations 90 % intervals hold the truth where the noise's correlation is known, and
// do not where it is taken as independent; whitened residuals of draws have a χ² of 1.
func TestColour_Intervals_HoldTheTruth(t *testing.T) {
	dev := newDevice(t)
	const n, sims, draws, lo, hi, z90 = 24, 100, 24, 0.87, 0.93, 1.6449
	sp := gaussian.PowerLaw(30, 0.1, 2.5)
	var inside, total [2]float64
	var chi [2]float64
	for seed := range uint64(sims) {
		o, truth := coloured(t, dev, sp, n, 1, 100+seed)
		mask(o, func(x, y int) bool { return x%13 == 5 && y%4 == 1 })
		white := *o
		white.Colour = nil
		for k, o := range []*solvers.Observation{o, &white} {
			sum, fit := solve(t, dev, o, deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}}, draws)
			mean, std := sum.GridEstimate(), sum.Std()
			g := operator.NewGrid(1, n, n, o.PSF.H, o.PSF.W)
			for i, v := range truth.Pix {
				total[k]++
				at := (i/n+g.Row)*g.W + i%n + g.Col
				if math.Abs(float64(v-mean[at])) < z90*float64(std.Pix[i]) {
					inside[k]++
				}
			}
			chi[k] += fit.Chi2Draws / sims
		}
	}
	known, not := inside[0]/total[0], inside[1]/total[1]
	t.Logf("90 %% intervals hold %.3f, χ² of whitened draws %.3f; taken as independent %.3f and %.3f", known, chi[0], not, chi[1])
	if known < lo || known > hi || math.Abs(chi[0]-1) > 0.02 {
		t.Errorf("90 %% intervals hold %.3f, χ² of draws %.3f", known, chi[0])
	}
	if not >= lo && not <= hi {
		t.Errorf("intervals that take the noise as independent hold %.3f: this test tells nothing", not)
	}
}

// The spectrum of a Gaussian prior is fitted to what is not noise.
func TestColour_FitSpectrum_TakesTheNoiseOut(t *testing.T) {
	dev := newDevice(t)
	sp := gaussian.PowerLaw(3, 0.1, 2.5)
	const k = 0.1
	var off [2]float64
	for seed := range uint64(4) {
		o, _ := coloured(t, dev, sp, 128, 1, 40+seed)
		white := *o
		white.Colour = nil
		for i, o := range []*solvers.Observation{o, &white} {
			got, err := deconv.FitSpectrum(dev, o, 0)
			if err != nil {
				t.Fatal(err)
			}
			off[i] += math.Log(got.At(k)/sp.At(k)) / 4
		}
	}
	t.Logf("ln power at k = %g is off by %+.2f; with noise taken as white by %+.2f", k, off[0], off[1])
	if math.Abs(off[0]) > 0.25 || math.Abs(off[1]) < 2*math.Abs(off[0]) {
		t.Errorf("ln power at k = %g is off by %+.2f; with noise taken as white by %+.2f", k, off[0], off[1])
	}
}

// The learned path with a Gaussian prior agrees with the exact posterior.
func TestColour_Learned_AgreesWithTheExactPosterior(t *testing.T) {
	dev := newDevice(t)
	const n = 32
	sp := gaussian.PowerLaw(30, 0.1, 2)
	o, _ := coloured(t, dev, sp, n, 1, 7)
	mask(o, func(x, y int) bool { return x > 18 && x < 22 && y > 8 && y < 13 })
	agrees(t, dev, o, sp, 64, 0.22) // both means are of 64 draws: .18
}

// Total variation takes the noise's correlation: with it the estimate is better, its strength
// chosen by itself. Methods that cannot say so.
func TestColour_OtherMethods(t *testing.T) {
	dev := newDevice(t)
	const n = 48
	o, truth := galaxy(t, dev, n, 1)
	clean, _ := galaxy(t, dev, n, 0)
	for i, v := range resampled(n, n, engine.NewKey(8)) {
		o.Data.Pix[i] = clean.Data.Pix[i] + 2*v
		o.Weights.Pix[i] = 0.25
	}
	errorOf := func(o *solvers.Observation) (e float64, chi2 float64) {
		sum, fit := solve(t, dev, o, deconv.Settings{Method: deconv.TV}, 0)
		for i, v := range sum.Mean().Pix {
			d := float64(v - truth[i])
			e += d * d
		}
		return e, fit.Chi2
	}
	white, _ := errorOf(o)
	o.Colour = []solvers.Correlation{resampledCorrelation()}
	known, chi2 := errorOf(o)
	t.Logf("squared error of total variation %.3f of that with noise taken as white, χ² %.3f", known/white, chi2)
	if known > white || chi2 < 0.7 || chi2 > 1.1 {
		t.Errorf("squared error of total variation %.3f of that with noise taken as white, χ² %.3f", known/white, chi2)
	}
	for _, m := range []deconv.Method{deconv.RichardsonLucy, deconv.Starlet} {
		p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: m})
		if err == nil {
			p.Close()
		}
		if !errors.Is(err, deconv.ErrColour) {
			t.Errorf("%s: %v", m, err)
		}
	}
}
