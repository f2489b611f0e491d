package score

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/nn"
	"limpid/priors/card"
	"limpid/priors/sims"
	"limpid/priors/train"
)

// drops are independent pixels with an exponential distribution of mean 3, in units of
// the noise.
type drops struct{}

const dropMean = 3

func (drops) About() string { return "exponential pixels" }

func (drops) Patch(dst []float32, _ int, key engine.Key) {
	rng := sims.Rand(key)
	for i := range dst {
		dst[i] = float32(dropMean * rng.ExpFloat64())
	}
}

// posterior is the mean and the median of a pixel given z: a normal distribution
// about z − 1/dropMean, cut off at 0, on a grid.
func posterior(z float64) (mean, median float64) {
	const n, top = 4000, 40.0
	w := make([]float64, n)
	var sum float64
	for i := range w {
		x := top * (float64(i) + 0.5) / n
		w[i] = math.Exp(-0.5*(z-x)*(z-x) - x/dropMean)
		sum, mean = sum+w[i], mean+w[i]*x
	}
	var c float64
	for i, v := range w {
		if c += v; c > sum/2 {
			return mean / sum, top * (float64(i) + 0.5) / n
		}
	}
	return mean / sum, top
}

// The ℓ2 loss learns the posterior mean and the ℓ1 loss the median, here known: on
// average over pixels within .15 σ, and each is nearer to its own than to the other.
func TestRegress_KnownPosterior_MeanAndMedian(t *testing.T) {
	dev := newDevice(t)
	for _, median := range []bool{false, true} {
		s := dev.NewStream()
		net := nn.UNetConfig{Channels: []int{12}, Blocks: 1, Edge: engine.Periodic}
		task, err := NewRegressTask(dev, s, drops{}, TaskConfig{UNet: net, Side: 16, Batch: 8, Absolute: true}, 0, median, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer task.Close()
		tr, err := train.New(dev, s, task, train.Config{Steps: 160, Rate: 8e-3, Average: 0.98, Seed: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		for !tr.Done() {
			if _, err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		task.Fill(engine.NewKey(77))
		y, got := make([]float32, task.z.Len()), make([]float32, task.z.Len())
		s.Download(y, task.z)
		out, _ := dev.Alloc(task.z.Shape())
		p := NewRegressor(dev, s, task.D, card.Card{})
		in := task.z.Reshape(8, 16, 16)
		s.Scale(in, 5, in) // the unit does not matter
		if err := tr.Averaged(func() error { return p.Predict(s, out.Reshape(8, 16, 16), in, 5) }); err != nil {
			t.Fatal(err)
		}
		s.Download(got, out)
		var toMean, toMedian float64
		for i := range y {
			mean, med := posterior(float64(y[i]))
			g := float64(got[i]) / 5
			toMean, toMedian = toMean+math.Abs(g-mean)/float64(len(y)), toMedian+math.Abs(g-med)/float64(len(y))
		}
		t.Logf("median %v: %.3f from the mean, %.3f from the median", median, toMean, toMedian)
		own, other := toMean, toMedian
		if median {
			own, other = other, own
		}
		if own > 0.15 || own > other {
			t.Errorf("median %v: %.3f from its own, %.3f from the other", median, own, other)
		}
	}
}

// With a point spread the observation is the blurred scene plus noise of 1.
func TestRegressTask_Blurs(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	task, err := NewRegressTask(dev, s, blobs{}, TaskConfig{UNet: tiny, Side: 32, Batch: 8, LowSNR: 1e-9, HighSNR: 1.1e-9}, 4, false, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	task.Fill(engine.NewKey(1))
	z := make([]float32, task.z.Len())
	s.Download(z, task.z)
	var n float64
	for _, v := range z {
		n += float64(v) * float64(v) / float64(len(z))
	}
	if math.Abs(n-1) > 5*math.Sqrt(2/float64(len(z))) {
		t.Errorf("noise of variance %.3f", n)
	}
	bright := task.Config
	bright.LowSNR, bright.HighSNR = 1e6, 1.1e6
	loud, err := NewRegressTask(dev, s, blobs{}, bright, 4, false, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer loud.Close()
	loud.Fill(engine.NewKey(1))
	z0 := make([]float32, loud.z0.Len())
	s.Download(z, loud.z)
	s.Download(z0, loud.z0)
	var flux, blurred, peak, low float64
	for i := range z[:1024] {
		flux, blurred = flux+float64(z0[i]), blurred+float64(z[i])
		peak, low = max(peak, float64(z0[i])), max(low, float64(z[i]))
	}
	if math.Abs(blurred/flux-1) > 1e-3 || low > 0.8*peak {
		t.Errorf("flux %.4g of %.4g, peak %.3g of %.3g", blurred, flux, low, peak)
	}
}
