package anneal

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/optim"
)

// Bridge is the default sampler. It walks down T levels from σ_max to σ_min. At each
// level the scene seen from x is taken as Gaussian about the denoised image, with the
// covariance that the denoiser itself has there (see local),
//
//	m = D(x, σ),  C = σ² S F S ≈ σ² ∂D/∂x,
//	x0 ~ N(m, C) conditioned on the data, exactly,
//	x ← x0 + σ′ ε
//
// (Zhang+2024), or, with Keep, x ← x − τ (x − x0) + σ′ √τ ε, τ = 1 − (σ′/σ)², the transition of a Brownian bridge
// from x at σ to x0 at 0 (the reverse process of Song+2021 given its end). Then moves of Hamiltonian Monte Carlo at
// σ_min (see mover), preconditioned by the batch's own spread, remove what the Gaussian
// steps got wrong; the draw is D(x, σ_min) plus noise of the covariance C there.
//
// Every Step is one level, or one move; the step that completes the draws says so. Then
// a new batch starts. The very first step is a preview: the mean under a Gaussian
// prior.
type Bridge struct {
	*core
	sigmas []float64
	local  *local
	hmc    *mover
	level  int // −1: the preview
	means  []levelMean
	walked int // of MeanWalks, in this batch
}

// levelMean gathers conditional means at a level.
type levelMean struct {
	level int
	sum   []float64 // (domain)
	count int
}

// NewBridge allocates the kernel.
func NewBridge(dev engine.Device, cfg Config) (*Bridge, error) {
	c, err := newCore(dev, cfg)
	if err != nil {
		return nil, err
	}
	k := &Bridge{core: c, sigmas: c.cfg.levels()}
	if !c.cfg.Stationary {
		k.local, err = c.newLocal()
	}
	if err == nil && c.cfg.Moves > 0 {
		k.hmc, err = c.newMover()
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("anneal: bridge: %w", err)
	}
	for _, at := range c.cfg.MeanAt {
		m := levelMean{sum: make([]float64, c.dom.Len())}
		for i, sigma := range k.sigmas {
			if math.Abs(math.Log(sigma/at)) < math.Abs(math.Log(k.sigmas[m.level]/at)) {
				m.level = i
			}
		}
		k.means = append(k.means, m)
	}
	return k, nil
}

// Mean is the average over all draws so far of E[scene | x_σ, data] at the level next to
// MeanAt[i], on the grid, and how many they were. Its expectation is that of the draws, as
// far as the Gaussian step at that level is right, without the scatter of what x_σ leaves
// open (Rao–Blackwell): at a σ where that is most of the posterior's, a few draws give the
// mean of many. nil before there is one.
func (k *Bridge) Mean(i int) (mean []float32, count int) {
	m := k.means[i]
	if m.count == 0 {
		return nil, 0
	}
	mean = make([]float32, len(m.sum))
	for j, v := range m.sum {
		mean[j] = float32(v / float64(m.count))
	}
	return mean, m.count
}

// gatherMeans adds the conditional means of a level; the denoised scenes are in m and T is set.
func (k *Bridge) gatherMeans(ctx context.Context) error {
	for i := range k.means {
		m := &k.means[i]
		if m.level != k.level {
			continue
		}
		if _, err := k.conditional(ctx, k.sc, k.m, nil); err != nil {
			return err
		}
		host := make([]float32, k.dom.Len())
		for b := range k.n {
			k.s.Download(host, k.part(k.sc, b, b+1))
			for j, v := range host {
				m.sum[j] += float64(v)
			}
		}
		m.count += k.n
	}
	return nil
}

// StepsPerBatch is how many steps complete a batch of draws, after the preview.
func (k *Bridge) StepsPerBatch() int {
	n := len(k.sigmas) + k.cfg.Moves
	if len(k.means) > 0 {
		n += k.cfg.MeanWalks * (k.means[0].level + 1)
	}
	return n
}

// turns reports whether the walk is one for the mean and has come as far as it goes.
func (k *Bridge) turns() bool {
	return len(k.means) > 0 && k.walked < k.cfg.MeanWalks && k.level == k.means[0].level
}

// Calls is how many times the prior's score was taken of a scene, per batch member,
// since the kernel was made.
func (k *Bridge) Calls() int { return k.calls }

// Init starts a batch; x0 is not used: the walk begins at noise.
func (k *Bridge) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.level, k.walked = -1, 0
	if k.cfg.NoPreview {
		k.level = 0
	}
	k.state = solvers.State{Stream: k.s, X: k.x}
	return &k.state, k.s.Err()
}

// Step walks one level or makes one move.
func (k *Bridge) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	if k.level < 0 {
		k.level = 0
		return solvers.Info{}, k.preview(ctx, st)
	}
	st.X, st.Kind, st.Count = k.x, solvers.Warmup, k.n
	var info solvers.Info
	var err error
	if k.level < len(k.sigmas) {
		info, err = k.walk(ctx, key)
	} else {
		info, err = k.correct(ctx, key)
	}
	if err != nil {
		return info, err
	}
	if k.turns() {
		k.walked, k.level = k.walked+1, 0
		return info, k.s.Sync(ctx)
	}
	k.level++
	if k.level == len(k.sigmas)+k.cfg.Moves {
		st.X, st.Kind, k.level, k.walked = k.m, solvers.Draw, 0, 0
		if k.cfg.Moves > 0 {
			if err := k.finish(ctx, key.Fold(9)); err != nil {
				return info, err
			}
		}
	}
	return info, k.s.Sync(ctx)
}

// walk goes from one level to the next; the last ends in its x0, in m, and leaves x
// there too.
func (k *Bridge) walk(ctx context.Context, key engine.Key) (solvers.Info, error) {
	sigma := k.sigmas[k.level]
	if err := k.soften(k.softening()); err != nil {
		return solvers.Info{}, err
	}
	if k.level == 0 {
		if err := k.begin(ctx, key.Fold(0), sigma); err != nil {
			return solvers.Info{}, err
		}
		k.drawDoubt(key.Fold(doubtKey))
	}
	if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
		return solvers.Info{}, err
	}
	if k.local == nil {
		k.stationary(sigma)
	} else if err := k.measure(ctx, k.local, k.x, k.m, sigma, key.Fold(3)); err != nil {
		return solvers.Info{}, err
	}
	if err := k.gatherMeans(ctx); err != nil || k.turns() {
		return solvers.Info{}, err
	}
	draw := key.Fold(4)
	res, err := k.conditional(ctx, k.sc, k.m, &draw)
	if err != nil {
		return solvers.Info{}, err
	}
	last, next := k.level+1 == len(k.sigmas), 0.0
	if !last {
		next = k.sigmas[k.level+1]
	}
	k.transition(k.x, k.sc, sigma, next, k.cfg.Keep, key.Fold(5))
	if last {
		k.s.Copy(k.m, k.x)
	}
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, nil
}

// softening is what soften is told at the level: draws end with what the data say.
func (k *Bridge) softening() float64 {
	if k.level+1 == len(k.sigmas) {
		return 0
	}
	return k.sigmas[k.level]
}

// drawDoubt begins a walk whose prior's errors were measured.
func (k *Bridge) drawDoubt(key engine.Key) {
	if k.local != nil && k.local.patches != nil && k.local.patches.doubt != nil {
		k.local.patches.doubt.draw(k.core, key)
	}
}

// conditional is draw with the covariance, and the tails, that were measured.
func (k *Bridge) conditional(ctx context.Context, dst, m *engine.Tensor, key *engine.Key) (optim.Result, error) {
	if k.local != nil && k.local.patches != nil {
		if key != nil {
			most := tailMost
			if k.level+1 == len(k.sigmas) && k.cfg.Moves == 0 {
				most = tailEnd
			}
			return k.local.patches.tailed(ctx, k.core, dst, m, most, *key)
		}
		return k.local.patches.draw(ctx, k.core, dst, m, key)
	}
	return k.draw(ctx, dst, m, key)
}

// correct makes a move at σ_min.
func (k *Bridge) correct(ctx context.Context, key engine.Key) (solvers.Info, error) {
	move := k.level - len(k.sigmas)
	if move == 0 {
		k.hmc.restart()
		k.hmc.sigma, k.hmc.path = k.cfg.SigmaMin, true
		k.normals(k.t, k.n, key.Fold(6)) // a scene becomes one at σ_min
		k.s.Axpy(k.x, float32(k.cfg.SigmaMin), k.t)
		k.setEnsemble(k.local, k.cfg.SigmaMin)
	}
	k.hmc.adapt = move < k.cfg.Moves/2
	return k.hmc.move(ctx, key.Fold(7), leapfrogs)
}

// finish leaves in m a draw of the scene given x at σ_min.
func (k *Bridge) finish(ctx context.Context, key engine.Key) error {
	sigma := k.cfg.SigmaMin
	if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
		return err
	}
	if k.local == nil {
		k.stationary(sigma)
	} else if err := k.measure(ctx, k.local, k.x, k.m, sigma, key.Fold(0)); err != nil {
		return err
	}
	if k.local != nil && k.local.patches != nil {
		k.local.patches.noise(k.core, k.u, key.Fold(1))
	} else {
		k.normals(k.t, k.n, key.Fold(1))
		k.spread(k.u, k.t)
	}
	k.s.Add(k.m, k.m, k.u)
	return nil
}

// References are keys of assets/references.bib.
func (k *Bridge) References() []string {
	refs := []string{"Song2021", "Efron2011", "PapandreouYuille2010"}
	if !k.cfg.Keep {
		refs = append(refs, "Zhang2024")
	}
	if k.local != nil {
		refs = append(refs, "Hutchinson1990")
		if k.local.patches != nil {
			refs = append(refs, "Anderson2009", "Geweke1993", "Wilson2020")
		}
	}
	if k.cfg.Moves > 0 {
		refs = append(refs, "Betancourt2017", "Remy2023")
	}
	return append(refs, k.cfg.Prior.References()...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *Bridge) Close() { k.close() }
