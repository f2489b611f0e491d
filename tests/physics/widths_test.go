package physics

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/evaluate"
	"limpid/priors/sims"
)

// The shipped prior's denoiser is as wrong as its Jacobian says, at every brightness:
// what is narrow in a posterior comes from elsewhere.
func TestGalaxies_DenoiserIsAsWrongAsItBelieves(t *testing.T) {
	if !*long {
		t.Skip("slow: with -args -long")
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p, _ := shipped(t, dev, s, "galaxies")
	src, err := sims.NewScenes(sims.SceneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const n, side, enough, within = 100, 64, 1000, 0.1
	x, err := dev.Alloc(engine.Shape{n, 1, side, side})
	if err != nil {
		t.Fatal(err)
	}
	host := make([]float32, n*side*side)
	for _, snr := range []float32{30, 300, 3000} {
		for i := range n {
			patch := host[i*side*side : (i+1)*side*side]
			src.Patch(patch, side, engine.NewKey(77).Fold(uint64(i)))
			var peak float32
			for _, v := range patch {
				peak = max(peak, v)
			}
			for j := range patch {
				patch[j] *= snr / peak
			}
		}
		s.Upload(x, host)
		edges := []float64{-1e9, .3, 1, 3, 10, 30, 100, 300, 1000, 1e9}
		bins, err := evaluate.Widths(dev, s, p, x, 1, edges, 4, engine.NewKey(5))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bins {
			ratio := math.Sqrt(b.Error / b.Belief)
			t.Logf("peak %g σ: %8.3g to %-8.3g %7d px, error² %.4f, belief %.4f, ratio %.3f", snr, b.Low, b.High, b.Pixels, b.Error, b.Belief, ratio)
			// on the sky it believes to be worse than it is
			if b.Pixels > enough && (ratio > 1+within || b.Low > 0 && ratio < 1-within) {
				t.Errorf("peak %g σ, %g to %g: ratio %.3f", snr, b.Low, b.High, ratio)
			}
		}
	}
}
