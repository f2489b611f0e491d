package deconv_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// galaxy observes an exponential disk: what the estimates are for.
func galaxy(t testing.TB, dev engine.Device, n int, sigma float64) (o *solvers.Observation, truth []float32) {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 3, 3, 21)
	if err != nil {
		t.Fatal(err)
	}
	s := dev.NewStream()
	op, err := operator.NewConvolution(dev, s, psf, n, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	scene := solvers.NewImage(1, n, n)
	for i := range scene.Pix {
		x, y := float64(i%n)-float64(n)/2, float64(i/n)-float64(n)/2
		scene.Pix[i] = float32(100 * math.Exp(-math.Hypot(x, 1.7*y)/3))
	}
	x, _ := dev.Alloc(op.Domain())
	defer x.Free()
	s.Upload(x, op.Embed(scene).Pix)
	o, _ = look(t, dev, s, op, op.Grid, psf, x, sigma, engine.NewKey(3))
	return o, scene.Pix
}

// Every estimate must be nearer to the truth than the data are, without being told
// anything.
func TestEstimates_OfAGalaxy_BeatTheData(t *testing.T) {
	dev := newDevice(t)
	o, truth := galaxy(t, dev, 48, 1)
	var norm, data float64
	for i, v := range truth {
		norm += float64(v) * float64(v)
		data += math.Pow(float64(o.Data.Pix[i]-v), 2)
	}
	for _, m := range []deconv.Method{deconv.Wiener, deconv.Starlet, deconv.TV, deconv.RichardsonLucy} {
		set := deconv.Settings{Method: m}
		p, err := deconv.New(context.Background(), dev, o, set)
		if err != nil {
			t.Fatal(m, err)
		}
		got, steps := make([]float32, p.Op.Domain().Len()), 0
		for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: set.StepsAtMost()}) {
			if err != nil {
				t.Fatal(m, err)
			}
			step.State.Stream.Download(got, step.State.X.Slice(0, 1))
			steps++
		}
		var e float64
		for i, v := range truth {
			at := (i/48+p.Grid.Row)*p.Grid.W + i%48 + p.Grid.Col
			e += math.Pow(float64(got[at]-v), 2)
		}
		t.Logf("%s: NMSE %.4f after %d steps, data %.4f, strength %.2f", m, e/norm, steps, data/norm, p.Strength)
		if e > 0.6*data {
			t.Errorf("%s: squared error %.3f of the data's", m, e/data)
		}
		p.Close()
	}
}

// learned is a Gaussian field in the clothes of a network.
type learned struct{ *gaussian.Prior }

func (learned) Align() int { return 4 }
func (learned) Err() error { return nil }

// The learned path with a Gaussian prior must agree with the exact posterior.
func TestLearned_GaussianPrior_AgreesWithTheExactPosterior(t *testing.T) {
	dev := newDevice(t)
	sp := gaussian.PowerLaw(30, 0.1, 2)
	o, _ := simulate(t, dev, sp, 40, 5)
	if previews := agrees(t, dev, o, sp, 64, 0.2); previews != 1 { // means of 64 draws each: .18
		t.Errorf("%d previews, want 1", previews)
	}
}
