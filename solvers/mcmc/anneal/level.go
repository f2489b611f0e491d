package anneal

import (
	"context"
	"fmt"

	"limpid/engine"
)

// Sigmas are the noise levels of the walk, in the data's unit; read only.
func (k *Bridge) Sigmas() []float64 { return k.sigmas }

// Judgement is what a level makes of scenes with noise: the denoised scenes, draws of the scene before the data are seen (Gaussian where the
// prior's errors were not measured), and draws given the data; (n, domain) each, in the data's unit.
type Judgement struct{ Mean, Free, Given []float32 }

// Judge draws scenes at a level of the walk from x, (n, domain) for the n of a batch, which it leaves as it is. What a walk has
// there is the scene with noise of the level's σ; a known scene with such noise is therefore a draw of that, and the scene has to be one of
// the draws as far as anybody can tell (simulation-based calibration, Talts+2018, of one step). So every level is judged by itself, whatever those
// before it did. Not between the steps of a walk: the next would go on from here.
func (k *Bridge) Judge(ctx context.Context, level int, x []float32, key engine.Key) (*Judgement, error) {
	switch {
	case level < 0 || level >= len(k.sigmas):
		return nil, fmt.Errorf("anneal: level %d of a walk of %d", level, len(k.sigmas))
	case len(x) != k.x.Len():
		return nil, fmt.Errorf("anneal: %d values for %d scenes of %v", len(x), k.n, k.dom)
	case k.local == nil || k.local.patches == nil:
		return nil, fmt.Errorf("anneal: levels are judged with Config.Patches, without Stationary")
	}
	sigma, p := k.sigmas[level], k.local.patches
	k.level = level
	if err := k.soften(k.softening()); err != nil {
		return nil, err
	}
	k.s.Upload(k.x, x)
	k.drawDoubt(key.Fold(4))
	if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
		return nil, err
	}
	if err := k.measure(ctx, k.local, k.x, k.m, sigma, key.Fold(0)); err != nil {
		return nil, err
	}
	out := &Judgement{Mean: make([]float32, len(x)), Free: make([]float32, len(x)), Given: make([]float32, len(x))}
	k.s.Download(out.Mean, k.m)
	draw := key.Fold(1)
	if _, err := k.conditional(ctx, k.sc, k.m, &draw); err != nil {
		return nil, err
	}
	k.s.Download(out.Given, k.sc)
	copy(p.host, p.base) // as it was before tails were drawn given the data
	var err error
	if p.errors != nil {
		err = p.measured(k.core, nil, k.m, tailMost, key.Fold(2))
	} else {
		k.s.Upload(p.cover.window, p.host)
	}
	if err != nil {
		return nil, err
	}
	p.noise(k.core, k.u, key.Fold(3))
	k.s.Add(k.u, k.u, k.m)
	k.s.Download(out.Free, k.u)
	return out, k.s.Err()
}
