package anneal

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// Gibbs is the split Gibbs sampler with a diffusion prior, PnP-DM (Wu+2024, alg. 1),
// for posteriors with several modes: a twin z of the scene at distance ρ is drawn in
// turns with it,
//
//	z | x, y ~ N(y; A z, N) N(z; x, ρ²)   exactly, by conjugate gradients,
//	x | z    ~ p(x) N(x; z, ρ²)           by the prior's reverse diffusion from ρ to σ_min,
//
// while ρ falls log-spaced from σ_max/GibbsTop to σ_min in Levels rounds and stays there
// for a fourth as many. The reverse diffusion takes GibbsDiffusion steps of the bridge
// with the scene's own mean for its end. It needs 1600 and more calls of the prior.
type Gibbs struct {
	*core
	rhos  []float64
	round int
}

// Of Gibbs: the first ρ as a share of σ_max, steps of each reverse diffusion, and rounds.
const (
	GibbsTop       = 8.0
	GibbsDiffusion = 40
	gibbsLevels    = 32
)

// NewGibbs allocates the kernel. Levels are its rounds, by default 32.
func NewGibbs(dev engine.Device, cfg Config) (*Gibbs, error) {
	if cfg.Levels == 0 {
		cfg.Levels = gibbsLevels
	}
	c, err := newCore(dev, cfg)
	if err != nil {
		return nil, fmt.Errorf("anneal: split Gibbs: %w", err)
	}
	k := &Gibbs{core: c}
	end := gibbsEnd * math.Sqrt(c.cfg.SigmaMin*c.cfg.SigmaMax)
	for i := range c.cfg.Levels {
		k.rhos = append(k.rhos, expo(c.cfg.SigmaMax/GibbsTop, end, float64(i)/float64(c.cfg.Levels-1)))
	}
	for range c.cfg.Levels / 4 {
		k.rhos = append(k.rhos, end)
	}
	return k, nil
}

// gibbsEnd sets the last ρ, over the geometric mean of σ_min and σ_max: twins nearer
// than that mix no more.
const gibbsEnd = 0.25

// StepsPerBatch is how many steps complete a batch.
func (k *Gibbs) StepsPerBatch() int { return len(k.rhos) }

// Init starts a batch; x0 is not used.
func (k *Gibbs) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.round = 0
	k.state = solvers.State{Stream: k.s, X: k.x}
	return &k.state, k.s.Err()
}

// Step is one round.
func (k *Gibbs) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	st.X, st.Kind, st.Count = k.x, solvers.Warmup, k.n
	rho := k.rhos[k.round]
	if k.round == 0 {
		if err := k.begin(ctx, key.Fold(0), rho); err != nil {
			return solvers.Info{}, err
		}
	}
	// z, around x with covariance ρ²
	for i := range k.modes {
		k.modes[i] = 1
	}
	k.s.Upload(k.root, k.modes)
	k.s.Fill(k.scale, 1)
	k.sigma = rho
	k.s.Copy(k.m, k.x)
	draw := key.Fold(1)
	res, err := k.draw(ctx, k.x, k.m, &draw)
	if err != nil {
		return solvers.Info{}, err
	}
	if err := k.diffuse(ctx, rho, key.Fold(2)); err != nil {
		return solvers.Info{}, err
	}
	k.round++
	if k.round == len(k.rhos) {
		st.Kind, k.round = solvers.Draw, 0
	}
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, k.s.Sync(ctx)
}

// diffuse draws x from p(x) N(x; z, ρ²), z being in x: the ancestral sampler from ρ.
func (k *Gibbs) diffuse(ctx context.Context, rho float64, key engine.Key) error {
	end := math.Min(k.cfg.SigmaMin, rho/20)
	for i := range GibbsDiffusion {
		sigma := expo(rho, end, float64(i)/GibbsDiffusion)
		next := expo(rho, end, float64(i+1)/GibbsDiffusion)
		if i+1 == GibbsDiffusion {
			next = 0
		}
		if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
			return err
		}
		k.transition(k.x, k.m, sigma, next, true, key.Fold(uint64(i)))
	}
	return nil
}

// References are keys of assets/references.bib.
func (k *Gibbs) References() []string {
	return append([]string{"Wu2024", "Song2021", "PapandreouYuille2010"}, k.cfg.Prior.References()...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *Gibbs) Close() { k.close() }

// expo interpolates between a and b in the logarithm.
func expo(a, b, t float64) float64 { return a * math.Pow(b/a, t) }
