// Package sample draws from a prior that is known by its score at every noise level,
// without data: what the prior believes.
package sample

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
)

// Method names a sampler.
type Method string

// The samplers.
const (
	// SDE is the reverse of the process that adds noise (Song+2021, eq. 6) as algorithm 2
	// of Karras+2022: every level first raises the noise, x ← x + √(σ̂² − σ²) ε with
	// σ̂ = (1 + Churn) σ, and then takes a step of ODE down. Two calls a level.
	SDE Method = "sde"
	// ODE is the probability flow dx/dσ = −σ s(x, σ), by Heun's method (Karras+2022,
	// algorithm 1): two calls a level, and the same noise gives the same image.
	ODE Method = "ode"
	// Langevin is annealed Langevin dynamics (Song & Ermon 2019, algorithm 1): at each
	// level Moves steps x ← x + ½α s(x, σ) + √α ε, α = Rate σ².
	Langevin Method = "langevin"
)

// Config says how to draw. Zero values mean defaults.
type Config struct {
	Method Method  // default SDE
	Start  float64 // σ at first: well above the scenes' size, or the largest trained
	End    float64 // σ in the end
	Levels int     // log-spaced; default 64
	Churn  float64 // of SDE; default .2
	Moves  int     // of Langevin per level; default 3
	Rate   float64 // of Langevin; default .15
	Key    engine.Key
	// Given: x holds an image with noise of rms Start already, and what is drawn is a
	// draw of the posterior given it; else Draw starts from pure noise.
	Given    bool
	Progress func(level, levels int) // may be nil
}

// Methods lists the samplers.
func Methods() []Method { return []Method{SDE, ODE, Langevin} }

func (c Config) withDefaults() (Config, error) {
	if c.Method == "" {
		c.Method = SDE
	}
	if c.Levels == 0 {
		c.Levels = 64
	}
	if c.Moves == 0 {
		c.Moves = 3
	}
	if c.Churn == 0 {
		c.Churn = 0.2
	}
	if c.Rate == 0 {
		c.Rate = 0.15
	}
	if !(c.Start > c.End && c.End > 0) || c.Levels < 2 || c.Moves < 1 || !(c.Rate > 0 && c.Rate < 2) || !(c.Churn > 0 && c.Churn < 1) {
		return c, fmt.Errorf("sample: from σ = %g to %g in %d levels of %d moves at the rate %g makes no sense", c.Start, c.End, c.Levels, c.Moves, c.Rate)
	}
	switch c.Method {
	case SDE, ODE, Langevin:
		return c, nil
	}
	return c, fmt.Errorf("sample: method %q: sde, ode and langevin are known", c.Method)
}

// sigma of a level, log-spaced from Start to End.
func (c Config) sigma(level int) float64 {
	return c.Start * math.Pow(c.End/c.Start, float64(level)/float64(c.Levels-1))
}

// Draw fills x (…, H, W) with draws of the prior, denoised at the last level (Tweedie's
// formula), so that they hold no noise of End.
func Draw(ctx context.Context, dev engine.Device, s engine.Stream, p priors.Prior, x *engine.Tensor, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	w := &work{s: s, p: p, x: x, c: c}
	for _, t := range []**engine.Tensor{&w.score, &w.noise, &w.other} {
		if *t, err = dev.Alloc(x.Shape()); err != nil {
			w.free()
			return fmt.Errorf("sample: %w", err)
		}
	}
	defer w.free()
	if !c.Given {
		s.Normal(x, c.Key.Fold(0))
		s.Scale(x, float32(c.Start), x)
	}
	for l := range c.Levels - 1 {
		if err := s.Sync(ctx); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		from, to := c.sigma(l), c.sigma(l+1)
		switch c.Method {
		case SDE:
			w.sde(from, to, l)
		case ODE:
			w.ode(from, to)
		case Langevin:
			w.langevin(to, l)
		}
		if c.Progress != nil {
			c.Progress(l+1, c.Levels)
		}
	}
	p.Score(s, w.score, x, c.End)
	s.Axpy(x, float32(c.End*c.End), w.score)
	if e, ok := p.(interface{ Err() error }); ok && e.Err() != nil {
		return fmt.Errorf("sample: %w", e.Err())
	}
	return s.Sync(ctx)
}

// work is the space of a Draw.
type work struct {
	s                   engine.Stream
	p                   priors.Prior
	c                   Config
	x                   *engine.Tensor
	score, noise, other *engine.Tensor
}

func (w *work) free() {
	for _, t := range []*engine.Tensor{w.score, w.noise, w.other} {
		t.Free()
	}
}

func (w *work) sde(from, to float64, level int) {
	up := from * (1 + w.c.Churn)
	w.s.Normal(w.noise, w.c.Key.Fold(uint64(level)+1))
	w.s.Axpy(w.x, float32(math.Sqrt(up*up-from*from)), w.noise)
	w.ode(up, to)
}

func (w *work) ode(from, to float64) {
	w.p.Score(w.s, w.score, w.x, from)
	w.s.Scale(w.other, 1, w.x)
	w.s.Axpy(w.other, float32(from*(from-to)), w.score)
	w.p.Score(w.s, w.noise, w.other, to)
	w.s.Axpy(w.x, float32(0.5*from*(from-to)), w.score)
	w.s.Axpy(w.x, float32(0.5*to*(from-to)), w.noise)
}

func (w *work) langevin(sigma float64, level int) {
	alpha := w.c.Rate * sigma * sigma
	for m := range w.c.Moves {
		w.p.Score(w.s, w.score, w.x, sigma)
		w.s.Axpy(w.x, float32(alpha/2), w.score)
		w.s.Normal(w.noise, w.c.Key.Fold(uint64(level)+1).Fold(uint64(m)))
		w.s.Axpy(w.x, float32(math.Sqrt(alpha)), w.noise)
	}
}
