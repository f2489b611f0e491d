package anneal_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// dark is the prior of a sky of next to no light: white, of variance 1e-4.
type dark struct{}

const darkness = 1e-4

func (dark) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	s.Scale(dst, float32(-1/(darkness+sigma*sigma)), x)
}

func (dark) References() []string { return nil }

// Light that the prior does not believe in and the data show, a sheet of a tenth of the noise, 5 σ
// over the image, is in the draws; without it, what they hold stays within the noise.
func TestBridge_LightThatThePriorDoesNotSee_IsInTheDraws(t *testing.T) {
	const side, n = 48, 16
	dev := newDevice(t)
	s := dev.NewStream()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 3, 3, 9)
	if err != nil {
		t.Fatal(err)
	}
	op, err := operator.NewConvolution(dev, s, psf, side, side, n)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	noise, err := dev.Alloc(op.Range())
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Free()
	power := make([]float64, op.Domain()[1]*(op.Domain()[2]/2+1))
	for i := range power {
		power[i] = darkness
	}
	for _, sheet := range []float64{0, 0.1} {
		data, weights := solvers.NewImage(1, side, side), solvers.NewImage(1, side, side)
		s.Normal(noise, engine.NewKey(3))
		s.Download(data.Pix, noise)
		var sum float64
		for i := range data.Pix {
			data.Pix[i] += float32(sheet)
			weights.Pix[i] = 1
			sum += float64(data.Pix[i])
		}
		k, err := anneal.NewBridge(dev, anneal.Config{
			Op: op, Data: data, Weights: weights, Prior: dark{}, Power: power, Gain: op.Power(s), Batch: n, Stream: s,
			Patches: true, SigmaMax: 1, SigmaMin: 0.05, Levels: 8, Moves: -1, NoPreview: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		var flux []float64
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 8, Seed: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.State.Kind != solvers.Draw {
				continue
			}
			host := make([]float32, op.Domain().Len())
			for i := range step.State.Count {
				step.State.Stream.Download(host, step.State.X.Slice(i, i+1))
				var f float64
				for _, v := range op.Crop(host) {
					f += float64(v)
				}
				flux = append(flux, f)
			}
		}
		k.Close()
		var mean, m2 float64
		for _, f := range flux {
			mean += f / float64(len(flux))
		}
		for _, f := range flux {
			m2 += (f - mean) * (f - mean) / float64(len(flux)-1)
		}
		std := math.Sqrt(m2)
		t.Logf("a sheet of %g, %.0f in all, the data sum to %.0f: draws %.0f ± %.0f", sheet, sheet*side*side, sum, mean, std)
		if math.Abs(mean-sheet*side*side) > 3*math.Max(std, side/4) || std > 2*side {
			t.Errorf("draws hold %.0f ± %.0f, the truth is %.0f, the noise of the sum is %d", mean, std, sheet*side*side, side)
		}
	}
}
