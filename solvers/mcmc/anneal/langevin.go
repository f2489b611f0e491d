package anneal

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/solvers"
)

// Langevin is annealed Langevin dynamics (Song & Ermon 2019, alg. 1) on the tempered
// posteriors of HMC, preconditioned by the same mass M in Fourier space:
//
//	x ← x + ½ε² M⁻¹ g + ε M^-½ ξ,  g = ∇log p_σ + AᵀN_σ⁻¹(y − A x),
//
// LangevinSteps a level. Without the preconditioner a step that is stable at the finest
// scales hardly moves the coarse ones, and diverges at high signal to noise. Nothing is
// accepted or refused: the step leaves a bias of the order of ε²/4 in the variance, so
// it is a cross-check, not what error bars are made with.
type Langevin struct {
	*core
	sigmas []float64
	grad   *engine.Tensor
	wNow   *engine.Tensor
	host   []float32
	level  int
}

// Of Langevin: ε, and steps per level.
const (
	langevinStep  = 0.35
	LangevinSteps = 4
)

// NewLangevin allocates the kernel. Ratio sets the number of levels.
func NewLangevin(dev engine.Device, cfg Config) (*Langevin, error) {
	c, err := newCore(dev, cfg)
	if err != nil {
		return nil, err
	}
	k := &Langevin{core: c, sigmas: c.cfg.ladder(), host: make([]float32, c.rng.Len())}
	k.grad, k.wNow = c.alloc(&err, c.x.Shape()), c.alloc(&err, c.rng)
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("anneal: Langevin: %w", err)
	}
	return k, nil
}

// StepsPerBatch is how many steps complete a batch.
func (k *Langevin) StepsPerBatch() int { return len(k.sigmas) }

// Init starts a batch; x0 is not used.
func (k *Langevin) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.level = 0
	k.state = solvers.State{Stream: k.s, X: k.x}
	return &k.state, k.s.Err()
}

// Step runs the steps of one level.
func (k *Langevin) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	st.X, st.Kind, st.Count = k.x, solvers.Warmup, k.n
	sigma := k.sigmas[k.level]
	if k.level == 0 {
		if err := k.untemper(); err != nil {
			return solvers.Info{}, err
		}
		if err := k.begin(ctx, key.Fold(0), sigma); err != nil {
			return solvers.Info{}, err
		}
	}
	extra := sigma
	if k.level+1 == len(k.sigmas) {
		extra = 0 // the end has the likelihood itself
	}
	if err := k.temper(k.wNow, k.host, extra); err != nil {
		return solvers.Info{}, err
	}
	k.setMass(sigma, extra)
	for i := range LangevinSteps {
		if err := k.score(ctx, k.sc, k.x, k.n, sigma); err != nil {
			return solvers.Info{}, err
		}
		k.likelihoodGradient(k.grad, k.x, k.wNow)
		k.s.Add(k.grad, k.grad, k.sc)
		k.gather(k.t, k.grad)
		k.s.Scale(k.t, langevinStep*langevinStep/2, k.t)
		k.normals(k.u, k.n, key.Fold(uint64(1+i)))
		k.s.Axpy(k.t, langevinStep, k.u)
		k.spread(k.u, k.t)
		k.s.Add(k.x, k.x, k.u)
	}
	k.level++
	if k.level == len(k.sigmas) {
		st.Kind, k.level = solvers.Draw, 0
	}
	return solvers.Info{StepSize: langevinStep}, k.s.Sync(ctx)
}

// References are keys of assets/references.bib.
func (k *Langevin) References() []string {
	return append([]string{"SongErmon2019", "Remy2023"}, k.cfg.Prior.References()...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *Langevin) Close() { k.close() }
