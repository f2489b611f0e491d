package score

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/sims"
)

// white is a field of variance v that holds noise of rms sd already.
type white struct{ v, sd float64 }

func (w white) About() string { return "white field" }

func (w white) Noise(engine.Key) float64 { return w.sd }

func (w white) Patch(dst []float32, _ int, key engine.Key) {
	rng := sims.Rand(key)
	for i := range dst {
		dst[i] = float32(math.Sqrt(w.v)*rng.NormFloat64() + w.sd*rng.NormFloat64())
	}
}

// The targets made of noisy scenes have the mean of the noiseless ones: for a white
// Gaussian field E[z₀|z] = v/(v+1) z, in units of the noise. The slope of the targets
// over z must be that, within four standard errors; that of the noisy scenes
// themselves, which a naive training would learn, is not.
func TestTask_NoisyData_TargetsAreUnbiased(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	task, err := NewTask(dev, s, white{2, 1}, TaskConfig{UNet: tiny, Side: 32, Batch: 64, LowSNR: 2, HighSNR: 2.01}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	task.Fill(engine.NewKey(3))
	z, target := make([]float32, task.z.Len()), make([]float32, task.z0.Len())
	s.Download(z, task.z)
	s.Download(target, task.z0)
	var zz, zt, want, naive float64
	for i := range 64 {
		// the scale of a scene follows from what Fill does to it
		patch := task.host[i*1024 : (i+1)*1024]
		var sum float64
		for _, v := range patch {
			sum += float64(v) * float64(v) / 1024
		}
		v, noise := sum*2/3, sum/3 // signal and noise of the scaled scene: 2 to 1
		for j := range 1024 {
			a := float64(z[i*1024+j])
			zz, zt = zz+a*a, zt+a*float64(target[i*1024+j])
			want += a * a * v / (v + 1)
			naive += a * a * (v + noise) / (v + 1)
		}
	}
	slope := zt / zz
	want, naive = want/zz, naive/zz
	// Var(target|z) is of order 1; 65536 pixels
	if math.Abs(slope-want) > 4*1.2/math.Sqrt(zz) || math.Abs(naive-want) < 10*1.2/math.Sqrt(zz) {
		t.Errorf("slope %.4f, unbiased %.4f, naive %.4f", slope, want, naive)
	}
}
