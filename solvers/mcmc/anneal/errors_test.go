package anneal_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/calibrate/closedform"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// timid is a prior that moves by a share of what it should: its denoiser is x + f (D − x).
type timid struct {
	priors.Prior
	f float32
}

func (p timid) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	p.Prior.Score(s, dst, x, sigma)
	s.Scale(dst, p.f, dst)
}

// steepPrior is a Gaussian prior of scenes of n² pixels whose power falls as amplitude/(.03 + k)².
func steepPrior(t *testing.T, dev engine.Device, s engine.Stream, n, batch int, amplitude float64) (*gaussian.Prior, gaussian.Spectrum) {
	t.Helper()
	var k, power []float64
	for f := 0.003; f < 0.8; f *= 1.3 {
		k, power = append(k, f), append(power, amplitude/math.Pow(0.03+f, 2))
	}
	spectrum, err := gaussian.NewSpectrum(k, power)
	if err != nil {
		t.Fatal(err)
	}
	p, err := gaussian.New(dev, s, []gaussian.Spectrum{spectrum}, engine.Shape{1, n, n}, batch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, spectrum
}

// errorsOf measures a Gaussian prior, or one made timid, on scenes of it.
func errorsOf(t *testing.T, f float32, sigmas ...float64) *priors.Errors {
	t.Helper()
	const n = 64
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	s := dev.NewStream()
	p, _ := steepPrior(t, dev, s, n, 4, 1)
	x, err := dev.Alloc(engine.Shape{4, 1, n, n})
	if err != nil {
		t.Fatal(err)
	}
	p.Sample(s, x, engine.NewKey(4))
	all := make([]float32, x.Len())
	s.Download(all, x)
	var scenes []anneal.Scene
	for i := range 4 {
		scenes = append(scenes, anneal.Scene{Pix: all[i*n*n:][:n*n], Sigmas: sigmas})
	}
	e, err := anneal.MeasureErrors(context.Background(), dev, s, timid{p, f}, scenes, n, n, 0, engine.NewKey(5))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	return e
}

// The mean of a Gaussian is as wrong as its derivative says, and its errors are Gaussian.
func TestMeasureErrors_OfAnExactDenoiser_AreWhatItBelieves(t *testing.T) {
	e := errorsOf(t, 1, 20, 5, 1)
	t.Logf("%.3g\nvariance %.2f\nsurprise %.2f\npeaks %.2f\nrings %.2g\npower %.2f\ncoarse %.2f\nfine %.2f\ntails %.3f", e.Believed, e.Variance, e.Surprise, e.Peaks, e.Rings, e.Power, e.Coarse, e.Fine, e.LightTails)
	for b, row := range e.Variance {
		for i, f := range row {
			if c := e.Believed[i]; e.Bright[b] > 1 && c > 0.02 && c < 1 && math.Abs(math.Log(f)) > 0.2 {
				t.Errorf("where it believes %.3g σ² at %g σ the errors are %.2f times that", c, e.Bright[b], f)
			}
		}
	}
	for i, r := range e.Residual {
		if f := e.Surprise[2][i]; math.Abs(r) < 1 && math.Abs(math.Log(f)) > 0.2 {
			t.Errorf("a residual of %g σ multiplies the variance by %.2f", r, f)
		}
	}
	for i, k := range e.Rings {
		if f := e.Power[2][i]; k > 0.05 && math.Abs(math.Log(f)) > 0.3 {
			t.Errorf("at %.2g cycles a pixel the power of the errors is %.2f times what it believes", k, f)
		}
	}
	for i, r := range e.Rough {
		for light := range e.Fine {
			if coarse, fine := e.Coarse[light][i], e.Fine[light][i]; math.Abs(math.Log(fine)) > 0.3 || math.Abs(math.Log(coarse)) > 0.3 {
				t.Errorf("light %d of roughness %.2g: coarse errors are %.2f and fine ones %.2f times what it believes", light, r, coarse, fine)
			}
		}
	}
	var mean float64
	for i, l := range e.Factors {
		mean += l * e.LightTails[i]
		if (l < 0.1 || l > 10) && e.LightTails[i] > 0.01 {
			t.Errorf("factors of %g have a share of %.3f", l, e.LightTails[i])
		}
	}
	if one := slices.Index(e.Factors, 1); e.DarkTails[one] < 0.9 { // no place is so sure: nothing was counted
		t.Errorf("tails nobody measured: %.3f", e.DarkTails)
	}
	if math.Abs(mean-1) > 0.3 {
		t.Errorf("factors of the variance are %.2f in the mean", mean)
	}
}

// Where the scene is hidden and a fifth of the noise stays, the derivative is a fifth, and the error is what stays, of
// standard deviation .2 σ: its mean square is that of a normal variable cut off where the rows of the table meet.
func TestMeasureErrors_OfOneThatKeepsNoise_AreSmallerThanItBelieves(t *testing.T) {
	e := errorsOf(t, 0.8, 1000)
	const sd, believed = 0.2, 0.2
	cut := func(lo, hi float64) float64 { // mean square between lo and hi, over sd²
		density := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
		return 1 + (lo*density(lo)-hi*density(hi))/(0.5*(math.Erf(hi/math.Sqrt2)-math.Erf(lo/math.Sqrt2)))
	}
	meet := func(i int) float64 { return math.Sqrt(e.Bright[i]*e.Bright[i]*2) / sd }
	for i, want := range []float64{cut(0, meet(0)), cut(meet(0), meet(1))} {
		if f, want := e.Factor(believed, e.Bright[i]), want*sd*sd/believed; math.Abs(f/want-1) > 0.1 {
			t.Errorf("where it believes a fifth of σ² at %g σ the errors are %.3f times that: want %.3f", e.Bright[i], f, want)
		}
	}
}

// judged is a prior with a table of errors.
type judged struct {
	priors.Prior
	table *priors.Errors
}

func (p judged) Errors() *priors.Errors { return p.table }

// Draws with the errors that were measured do not depend on the number of workers, and explain the data.
func TestBridge_WithMeasuredErrors_SameBitsAndTheData(t *testing.T) {
	table := &priors.Errors{
		Scenes: 1, Believed: []float64{0.001, 1}, Bright: []float64{0.5, 5}, Variance: [][]float64{{1, 0.8}, {1, 1}}, Factors: []float64{0.01, 0.3, 1, 10, 1e4},
		DarkTails: []float64{0.4, 0.3, 0.2, 0.09, 0.01}, SkyTails: []float64{0.2, 0.3, 0.4, 0.09, 0.01}, FaintTails: []float64{0.1, 0.3, 0.5, 0.09, 0.01}, LightTails: []float64{0, 0.3, 0.6, 0.09, 0.01}, DarkBelow: 0.003,
	}
	draws := func(workers int) (all [][]float32, chi2 float64) {
		dev := cpu.New(cpu.Options{Workers: workers})
		defer dev.Close()
		s := dev.NewStream()
		_, cfg := maskedBlur(t, dev, s, closedform.Four, 2)
		cfg.Prior, cfg.Patches, cfg.NoPreview, cfg.Levels, cfg.Moves = judged{cfg.Prior, table}, true, true, 8, -1
		k, err := anneal.NewBridge(dev, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		image, err := dev.Alloc(append(engine.Shape{cfg.Batch}, cfg.Op.Range()...))
		if err != nil {
			t.Fatal(err)
		}
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: k.StepsPerBatch(), Seed: 9}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.State.Kind != solvers.Draw {
				continue
			}
			cfg.Op.Forward(s, image, step.State.X)
			seen, scenes := make([]float32, image.Len()), make([]float32, step.State.X.Len())
			s.Download(seen, image)
			s.Download(scenes, step.State.X)
			all = append(all, scenes)
			pixels, used := len(cfg.Data.Pix), 0.0
			for i, v := range seen {
				if w := cfg.Weights.Pix[i%pixels]; w > 0 {
					d := v - cfg.Data.Pix[i%pixels]
					chi2, used = chi2+float64(w*d*d), used+1
				}
			}
			chi2 /= used
		}
		return all, chi2
	}
	one, chi2 := draws(1)
	two, _ := draws(2)
	if len(one) != 1 || !slices.Equal(one[0], two[0]) {
		t.Errorf("%d and %d batches of draws, or draws that differ", len(one), len(two))
	}
	if chi2 < 0.6 || chi2 > 1.4 {
		t.Errorf("χ² per pixel of the draws is %.2f", chi2)
	}
}

// lost is a prior whose denoiser leaves what is far beyond every scene as it is, as a network does.
type lost struct {
	priors.Prior
	most float32
}

func (p lost) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	p.Prior.Score(s, dst, x, sigma)
	score, scene := make([]float32, dst.Len()), make([]float32, x.Len())
	s.Download(score, dst)
	s.Download(scene, x)
	for i, v := range scene {
		if v > p.most || v < -p.most {
			score[i] = 0
		}
	}
	s.Upload(dst, score)
}

// A walk on data that such a prior did not expect ends at light that the data can have.
func TestBridge_DataFarFromThePrior_DoesNotRunAway(t *testing.T) {
	const n, draws, peak = 32, 4, 400.0
	dev := newDevice(t)
	s := dev.NewStream()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 4.5, 3, 17)
	if err != nil {
		t.Fatal(err)
	}
	op, err := operator.NewConvolution(dev, s, psf, n, n, draws)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	grid := op.Domain()[1]
	prior, spectrum := steepPrior(t, dev, s, grid, draws, 1)
	data, weights := solvers.NewImage(1, n, n), solvers.NewImage(1, n, n)
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range data.Pix {
		dx, dy := float64(i%n-n/2), float64(i/n-n/2)
		data.Pix[i] = float32(peak*math.Exp(-(dx*dx+dy*dy)/8) + noise.NormFloat64())
		weights.Pix[i] = 1
	}
	table := &priors.Errors{
		Scenes: 1, Believed: []float64{0.001, 1}, Bright: []float64{0.5, 5}, Variance: [][]float64{{1, 2}, {1, 3}}, Factors: []float64{0.3, 1, 10, 1e4},
		DarkTails: []float64{0.6, 0.3, 0.09, 0.01}, SkyTails: []float64{0.5, 0.4, 0.09, 0.01}, FaintTails: []float64{0.4, 0.5, 0.09, 0.01}, LightTails: []float64{0.3, 0.6, 0.09, 0.01}, DarkBelow: 0.003,
	}
	k, err := anneal.NewBridge(dev, anneal.Config{
		Op: op, Data: data, Weights: weights, Prior: judged{lost{prior, 60}, table}, Power: spectrum.OnGrid(grid, grid), Gain: op.Power(s), Batch: draws, Stream: s,
		Patches: true, SigmaMin: 2, Levels: 14, Moves: -1, NoPreview: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: k.StepsPerBatch(), Seed: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		scenes := make([]float32, step.State.X.Len())
		s.Download(scenes, step.State.X)
		top, low := slices.Max(scenes), slices.Min(scenes)
		t.Logf("draws reach from %.0f to %.0f", low, top)
		if top > 20*peak || -low > 20*peak || math.IsNaN(float64(top)) {
			t.Errorf("draws of a source of %g reach from %g to %g", peak, low, top)
		}
	}
}
