package physics

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/card"
	"limpid/priors/evaluate"
)

// realGalaxies are five galaxies of HST's COSMOS field, 96², as little noisy as they
// come.
func realGalaxies(t *testing.T) []float32 {
	t.Helper()
	var out []float32
	for _, im := range scoreImages(t, "true_galaxies.npy") {
		out = append(out, im...)
	}
	return out
}

// On real galaxies the learned prior must denoise better than the Wiener filter with
// the true spectrum, starlet and TV, although the images hold a little noise of their
// own, which it is right to take away: levels from .1 up.
func TestGalaxies_RealImages_Denoised(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p, _ := shipped(t, dev, s, "galaxies")
	scenes := evaluate.Scenes{Pix: realGalaxies(t), N: 5, Side: 96, Own: true, Positive: true}
	rows, err := evaluate.Table(dev, s, p, scenes, []float64{0.05, 0.1, 0.2, 0.5, 1, 2}, engine.NewKey(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Logf("σ/std %.2f: Wiener %.4f, starlet %.4f, TV %.4f, learned %.4f", r.Level, r.Wiener, r.Starlet, r.TV, r.Learned)
		if best := min(r.Wiener, r.Starlet, r.TV); r.Level >= 0.1 && r.Learned > best {
			t.Errorf("σ/std %.2f: learned %.4f, another %.4f", r.Level, r.Learned, best)
		}
	}
}

// The closure of the shipped scores: what samplers that accept by line integrals may
// expect. Bands as measured.
func TestShipped_ScoresAreNearlyGradients(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	for _, c := range []struct {
		name  string
		sigma float64
	}{{"galaxies", 1}, {"kappa-cosmos", 0.03}, {"kappa-cosmos", 0.01}} {
		p, info := shipped(t, dev, s, c.name)
		scenes := evaluate.Draw(sourceOf(t, info), 4, 64, engine.NewKey(11))
		x, err := dev.Alloc(engine.Shape{4, 1, 64, 64})
		if err != nil {
			t.Fatal(err)
		}
		n, err := dev.Alloc(x.Shape())
		if err != nil {
			t.Fatal(err)
		}
		if info.Kind == card.Score { // a peak of 30 σ
			for i := range scenes.N {
				var peak float32
				for _, v := range scenes.Scene(i) {
					peak = max(peak, v)
				}
				for j := range scenes.Scene(i) {
					scenes.Scene(i)[j] *= 30 / peak
				}
			}
		}
		s.Upload(x, scenes.Pix)
		s.Normal(n, engine.NewKey(12))
		s.Axpy(x, float32(c.sigma), n)
		for _, reach := range []float64{0.03, 0.3} {
			got, err := evaluate.Consistency(dev, s, p, x, c.sigma, reach, engine.NewKey(13))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, σ %g, steps of %g σ: loop %.5f, %.4f nats, curl %.3f", c.name, c.sigma, reach, got.Loop, got.Nats, got.Curl)
			if math.IsNaN(got.Loop) || got.Loop > 0.02 || got.Curl > 0.3 {
				t.Errorf("%s: closure %+v", c.name, got)
			}
		}
	}
}

// At noise below that of the training the network is told the nearest end; the learned
// prior is still better than Wiener's filter with the true spectrum, starlets and TV.
func TestKappa_LowNoise_LearnedIsBest(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p, c := shipped(t, dev, s, "kappa-cosmos")
	scenes := evaluate.Draw(sourceOf(t, c), 16, 96, engine.NewKey(991))
	rows, err := evaluate.Table(dev, s, p, scenes, []float64{0.05, 0.1, 0.2}, engine.NewKey(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Logf("σ/std %.2f: learned %.4f, Wiener %.4f, starlet %.4f, TV %.4f", r.Level, r.Learned, r.Wiener, r.Starlet, r.TV)
		if r.Learned >= min(r.Wiener, r.Starlet, r.TV) {
			t.Errorf("σ/std %.2f: the learned prior is not the best", r.Level)
		}
	}
}
