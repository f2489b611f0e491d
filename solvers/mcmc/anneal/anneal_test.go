package anneal_test

import (
	"context"
	"flag"
	"math"
	"strings"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/calibrate/closedform"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

var long = flag.Bool("long", false, "judge the reference samplers too")

const side, batch, draws = 16, 16, 128

func newDevice(t testing.TB) engine.Device {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	return dev
}

// maskedBlur is a 16² image of a scene, blurred, with noise of σ .7 and a masked corner.
func maskedBlur(t testing.TB, dev engine.Device, s engine.Stream, parts []closedform.Part, from int) (*closedform.Problem, anneal.Config) {
	t.Helper()
	return blurOf(t, dev, s, parts, from, 77)
}

// blurOf is that with data of a seed.
func blurOf(t testing.TB, dev engine.Device, s engine.Stream, parts []closedform.Part, from int, seed uint64) (*closedform.Problem, anneal.Config) {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 2.5, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	op, err := operator.NewConvolution(dev, s, psf, side, side, batch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := closedform.Simulate(dev, s, op, batch, parts, from, 0.7, func(x, y int) bool { return x >= 10 && y >= 9 }, engine.NewKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	gain := op.Power(s)
	return p, anneal.Config{Op: op, Data: p.Data, Weights: p.Weights, Prior: p.Mixture, Power: p.Mixture.Power(), Gain: gain, Batch: batch, Stream: s}
}

// maskedShear is the shear of a 16² map, periodic, with noise of σ .7 a component and half of
// it masked.
func maskedShear(t testing.TB, dev engine.Device, s engine.Stream, parts []closedform.Part, from int) (*closedform.Problem, anneal.Config) {
	t.Helper()
	return shearOf(t, dev, s, parts, from, 78)
}

// shearOf is that with data of a seed.
func shearOf(t testing.TB, dev engine.Device, s engine.Stream, parts []closedform.Part, from int, seed uint64) (*closedform.Problem, anneal.Config) {
	t.Helper()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(side, side, 0), batch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := closedform.Simulate(dev, s, op, batch, parts, from, 0.7, func(x, y int) bool { return x >= 9 || y >= 3 && y < 5 }, engine.NewKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	return p, anneal.Config{Op: op, Data: p.Data, Weights: p.Weights, Prior: p.Mixture, Power: p.Mixture.Power(), Batch: batch, Stream: s}
}

// problems are those that kernels are judged on.
var problems = []struct {
	name string
	make func(testing.TB, engine.Device, engine.Stream, []closedform.Part, int) (*closedform.Problem, anneal.Config)
}{{"blur", maskedBlur}, {"shear", maskedShear}}

type made interface {
	solvers.Kernel
}

// kernels are all samplers; bounds are those of the design's table for 128 draws, but for moments' least σ ratio, .95: see
// TestKernels_MixturesOfManyData.
var kernels = []struct {
	name              string
	make              func(dev engine.Device, c anneal.Config) (made, error)
	bias, lo, hi, v95 float64
	calls             float64
	gauss             float64 // |σ ratio − 1| with a Gaussian prior
}{
	{"bridge", func(d engine.Device, c anneal.Config) (made, error) { return anneal.NewBridge(d, c) }, 0.15, 0.95, 1.08, 1.4, 100, 0.03},
	{"bridge, stationary", func(d engine.Device, c anneal.Config) (made, error) {
		c.Stationary = true
		return anneal.NewBridge(d, c)
	}, 0.15, 0.95, 1.08, 1.4, 100, 0.03},
	{"bridge, patches, keeping", func(d engine.Device, c anneal.Config) (made, error) {
		c.Patches, c.Keep = true, true
		return anneal.NewBridge(d, c)
	}, 0.15, 0.95, 1.08, 1.4, 100, 0.03},
	{"bridge, patches, 32 levels", func(d engine.Device, c anneal.Config) (made, error) {
		c.Patches, c.Levels = true, 32
		return anneal.NewBridge(d, c)
	}, 0.15, 0.95, 1.08, 1.4, 100, 0.03},
	{"bridge, keeping", func(d engine.Device, c anneal.Config) (made, error) {
		c.Keep = true
		return anneal.NewBridge(d, c)
	}, 0.15, 0.95, 1.08, 1.4, 100, 0.03},
	{"moments", func(d engine.Device, c anneal.Config) (made, error) { return anneal.NewMoments(d, c) }, 0.15, 0.92, 1.05, 1.35, 100, 0.03},
	{"annealed HMC", func(d engine.Device, c anneal.Config) (made, error) { return anneal.NewHMC(d, c) }, 0.12, 0.95, 1.03, 1.25, 2200, 0.03},
	{"Langevin", func(d engine.Device, c anneal.Config) (made, error) { return anneal.NewLangevin(d, c) }, 0.2, 0.9, 1.1, 1.7, 2000, 0.03},
	{"split Gibbs", func(d engine.Device, c anneal.Config) (made, error) { return anneal.NewGibbs(d, c) }, 0.2, 0.9, 1.1, 1.5, 2000, 0.06},
}

func TestKernels_GaussianPrior_AreCalibrated(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	for _, pr := range problems {
		p, cfg := pr.make(t, dev, s, closedform.Gaussian, 0)
		for _, c := range kernels {
			switch {
			case c.calls > 400 && !*long && c.name != "split Gibbs":
				continue
			case pr.name == "shear" && strings.Contains(c.name, "patches"):
				continue // for convolutions
			case pr.name == "shear" && c.name == "bridge, stationary" && !*long:
				continue // .95 with 128 draws, .99 with 1536
			case pr.name == "shear" && c.name == "split Gibbs":
				continue // its rounds go too little way along the mean that shear does not see: bias .54
			}
			n := draws
			if pr.name == "shear" && *long && c.calls < 400 {
				// The mean of the map is not seen: 128 draws leave 3 to 6 % in every σ at once. With as many draws annealed
				// HMC has one variance 5.5 of its standard errors too large.
				n = 12 * draws
			}
			k, err := c.make(dev, cfg)
			if err != nil {
				t.Fatal(err)
			}
			got, calls, err := p.Draws(context.Background(), k, n, 4)
			k.Close()
			if err != nil {
				t.Fatal(pr.name, c.name, err)
			}
			q := p.Posterior.Judge(got)
			t.Logf("%s, %s: bias %.3f (floor %.3f to %.3f), σ ratio %.3f, v95 %.2f, worst %.1f σ, %.0f calls", pr.name, c.name, q.Bias, 1/math.Sqrt(float64(n)), p.Posterior.Floor(n), q.Ratio, q.V95, q.Worst, calls)
			if q.Bias > 1.1*p.Posterior.Floor(n) || math.Abs(q.Ratio-1) > c.gauss || math.Abs(q.Worst) > 4.5 {
				t.Errorf("%s, %s: %+v", pr.name, c.name, q)
			}
		}
	}
}

func TestKernels_MixturePrior_AreNearTheClosedForm(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	for _, pr := range problems {
		t.Run(pr.name, func(t *testing.T) {
			p, cfg := pr.make(t, dev, s, closedform.Four, 2)
			t.Logf("posterior weights of the components %.3f", p.Posterior.Weights)
			for _, c := range kernels {
				switch {
				case c.calls > 400 && !*long:
					continue
				case pr.name == "shear" && c.name != "bridge" && c.name != "moments" && c.name != "split Gibbs":
					// Shear does not see the mean of the map, by which the components differ: with
					// seed 4 bias, σ ratio and v95 are .23, 1.12, 1.41 for a bridge that keeps, .49, 1.09, 1.71 for annealed HMC and .28, 1.09, 1.54 for Langevin.
					continue
				case pr.name == "blur" && c.name == "annealed HMC":
					// .21, 1.04, 1.68 with 1895 calls: its likelihood, of noise N + σ², gives the
					// components other weights where draws settle for one. A cross-check only.
					continue
				}
				k, err := c.make(dev, cfg)
				if err != nil {
					t.Fatal(err)
				}
				got, calls, err := p.Draws(context.Background(), k, draws, 4)
				k.Close()
				if err != nil {
					t.Fatal(c.name, err)
				}
				q := p.Posterior.Judge(got)
				t.Logf("%s: bias %.3f (exact draws: below %.3f), σ ratio %.3f, v95 %.2f, %.0f calls", c.name, q.Bias, p.Posterior.Floor(draws), q.Ratio, q.V95, calls)
				if q.Bias > math.Max(c.bias, p.Posterior.Floor(draws)) || q.Ratio < c.lo || q.Ratio > c.hi || q.V95 > c.v95 || calls > c.calls {
					t.Errorf("%s: %+v, %.0f calls", c.name, q, calls)
				}
			}
		})
	}
}

// One set of data says little of how a sampler shares draws out between the parts of a mixture: six of them that no choice has
// seen, 512 draws each, 100 calls of the prior at most. With blur the bridge is within the design's bounds (.15, .95 to 1.08, 1.4), and moment
// matching a little narrow. Shear does not see the mean of the map, by which the parts differ: there moment matching is within
// them, and the bridge is not (docs/adr/0036).
func TestKernels_MixturesOfManyData(t *testing.T) {
	if !*long {
		t.Skip("slow, a minute on two cores: run with -args -long")
	}
	dev := newDevice(t)
	s := dev.NewStream()
	const sets, first, many = 6, 7, 512
	for _, pr := range []struct {
		name   string
		make   func(testing.TB, engine.Device, engine.Stream, []closedform.Part, int, uint64) (*closedform.Problem, anneal.Config)
		bounds map[string][3]float64 // bias, σ ratio at least and at most
	}{
		{"blur", blurOf, map[string][3]float64{"bridge": {0.15, 0.95, 1.08}, "moments": {0.15, 0.93, 1.08}}},
		{"shear", shearOf, map[string][3]float64{"bridge": {0.35, 0.95, 1.2}, "moments": {0.15, 0.95, 1.08}}},
	} {
		sum := map[string][3]float64{}
		var floor float64
		for seed := range uint64(sets) {
			p, cfg := pr.make(t, dev, s, closedform.Four, 2, first+seed)
			floor += p.Posterior.Floor(many) / sets
			for _, c := range kernels {
				if _, ok := pr.bounds[c.name]; !ok {
					continue
				}
				k, err := c.make(dev, cfg)
				if err != nil {
					t.Fatal(err)
				}
				got, calls, err := p.Draws(context.Background(), k, many, 4)
				k.Close()
				if err != nil || calls > 100 {
					t.Fatalf("%s: %.0f calls, %v", c.name, calls, err)
				}
				q := p.Posterior.Judge(got)
				t.Logf("%s, data %d, weights %.3f, %s: bias %.3f, σ ratio %.3f, v95 %.2f, %.0f calls", pr.name, first+seed, p.Posterior.Weights, c.name, q.Bias, q.Ratio, q.V95, calls)
				x := sum[c.name]
				sum[c.name] = [3]float64{x[0] + q.Bias/sets, x[1] + q.Ratio/sets, x[2] + q.V95/sets}
			}
		}
		for name, x := range sum {
			t.Logf("%s, %s: bias %.3f (exact draws: below %.3f), σ ratio %.3f, v95 %.2f", pr.name, name, x[0], floor, x[1], x[2])
			if b := pr.bounds[name]; x[0] > b[0] || x[1] < b[1] || x[1] > b[2] || x[2] > 1.4 {
				t.Errorf("%s, %s: %v", pr.name, name, x)
			}
		}
	}
}
