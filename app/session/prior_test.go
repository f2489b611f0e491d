package session

import (
	"errors"
	"math"
	"testing"

	"limpid/app/recipe"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

// A field like the training's raises nothing; the same field with its noise said to be
// half as large does, in the band where it is so.
func TestUnlike_NoiseSaidTooSmall_IsFoundInItsBand(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	load, known, err := learnedPrior(recipe.Prior{Kind: recipe.PriorGalaxies})
	if err != nil {
		t.Fatal(err)
	}
	const side, snr = 128, 50
	scenes, err := sims.NewScenes(sims.SceneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	o := &solvers.Observation{Data: solvers.NewImage(2, side, side), Weights: solvers.NewImage(2, side, side), Bands: []string{"g", "r"}}
	scene := make([]float32, side*side)
	scenes.Patch(scene, side, engine.NewKey(3))
	var peak float32
	for _, v := range scene {
		peak = max(peak, v)
	}
	rng := sims.Rand(engine.NewKey(4))
	for i := range o.Data.Pix {
		o.Data.Pix[i] = snr*scene[i%len(scene)]/peak + float32(rng.NormFloat64())
		o.Weights.Pix[i] = float32(math.Pow(4, float64(i/len(scene)))) // the second band's noise is 1, not ½
	}
	got := unlike(dev, load, known.Card, o)
	if len(got) != 1 || got[0].Code != "prior.unlike" || got[0].Where != "prior, band r" {
		t.Fatalf("findings %+v, want one about band r", got)
	}
	none := func(engine.Device, engine.Stream) (deconv.LearnedPrior, error) { return nil, errors.New("no memory") }
	if got := unlike(dev, none, known.Card, o); len(got) != 1 || got[0].Code != "prior.untested" {
		t.Errorf("a prior that cannot be loaded: %+v", got)
	}
	for i := range o.Weights.Pix {
		o.Weights.Pix[i] = 0
	}
	if got := unlike(dev, load, known.Card, o); len(got) != 0 {
		t.Errorf("all masked: %+v", got)
	}
}
