package physics

import (
	"os"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/evaluate"
	"limpid/priors/score"
	"limpid/priors/sims"
)

func TestPrior_WidthsAgree(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	var p *score.Prior
	var err error
	if f := os.Getenv("PRIOR"); f != "" {
		p, err = score.Load(dev, s, f)
		if err != nil {
			t.Fatal(err)
		}
	} else {
		q, _ := shipped(t, dev, s, "galaxies")
		p = q.(*score.Prior)
	}
	src, err := sims.NewScenes(sims.SceneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const n, side = 100, 64
	x, _ := dev.Alloc(engine.Shape{n, 1, side, side})
	host := make([]float32, n*side*side)
	for _, snr := range []float64{30, 300, 3000} {
		for i := range n {
			patch := host[i*side*side : (i+1)*side*side]
			src.Patch(patch, side, engine.NewKey(77).Fold(uint64(i)))
			var peak float32
			for _, v := range patch {
				peak = max(peak, v)
			}
			for j := range patch {
				patch[j] *= float32(snr) / peak
			}
		}
		s.Upload(x, host)
		w, err := evaluate.Widths(dev, s, p, x, 1, []float64{-1e9, .3, 1, 3, 10, 30, 100, 300, 1000, 1e9}, 4, engine.NewKey(5))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("peak %g", snr)
		for _, b := range w {
			if b.Pixels > 0 {
				t.Logf("  %8.3g..%-8.3g %7d px error %.4f belief %.4f ratio %.3f", b.Low, b.High, b.Pixels, b.Error, b.Belief, math.Sqrt(b.Error/b.Belief))
			}
		}
	}
}
