package anneal

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/solvers"
)

// HMC is annealed Hamiltonian Monte Carlo (Remy+2023, sec. 4.3), the reference: the
// tempered posteriors
//
//	p_σ(x) N(y; A x, N + σ²),  σ from σ_max to σ_min, each Ratio times the last,
//
// are followed with one Metropolised move each, preconditioned by the mass 1/(P + σ²) +
// |A|² w̄_σ in Fourier space and accepted by the line integral of the score. Moves at
// σ_min with the likelihood N end a batch. It needs about 2000 calls of the prior.
type HMC struct {
	*core
	sigmas []float64
	hmc    *mover
	wNow   *engine.Tensor // range: weights under N + σ²
	host   []float32
	level  int
}

// referenceLeapfrogs is the length of a trajectory of HMC: twice that of the corrector,
// since each level's move has to carry draws between modes.
const referenceLeapfrogs = 4

// NewHMC allocates the kernel. Ratio sets the number of levels.
func NewHMC(dev engine.Device, cfg Config) (*HMC, error) {
	c, err := newCore(dev, cfg)
	if err != nil {
		return nil, err
	}
	k := &HMC{core: c, sigmas: c.cfg.ladder(), host: make([]float32, c.rng.Len())}
	if k.hmc, err = c.newMover(); err == nil {
		k.wNow = c.alloc(&err, c.rng)
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("anneal: Hamiltonian Monte Carlo: %w", err)
	}
	return k, nil
}

// ladder is σ_max, Ratio σ_max, … down to σ_min.
func (c Config) ladder() []float64 {
	var out []float64
	for s := c.SigmaMax; s > c.SigmaMin; s *= c.Ratio {
		out = append(out, s)
	}
	return append(out, c.SigmaMin)
}

// temper fills dst with w/(1 + w σ²): the likelihood of noise N + σ².
func (k *core) temper(dst *engine.Tensor, host []float32, sigma float64) error {
	for i, w := range k.cfg.Weights.Pix {
		v := float64(w)
		host[i] = float32(v / (1 + v*sigma*sigma))
	}
	k.s.Upload(dst, host)
	if k.beside != nil {
		return k.beside.Weigh(host)
	}
	return nil
}

// untemper gives the columns beside the scene the weights of the data again.
func (k *core) untemper() error {
	if k.beside != nil {
		return k.beside.Weigh(k.cfg.Weights.Pix)
	}
	return nil
}

// StepsPerBatch is how many steps complete a batch.
func (k *HMC) StepsPerBatch() int { return len(k.sigmas) + k.cfg.Moves }

// Init starts a batch; x0 is not used.
func (k *HMC) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.level = 0
	k.state = solvers.State{Stream: k.s, X: k.x}
	return &k.state, k.s.Err()
}

// Step makes one move.
func (k *HMC) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	st.X, st.Kind, st.Count = k.x, solvers.Warmup, k.n
	sigma := k.sigmas[min(k.level, len(k.sigmas)-1)]
	if k.level == 0 {
		if err := k.untemper(); err != nil {
			return solvers.Info{}, err
		}
		if err := k.begin(ctx, key.Fold(0), sigma); err != nil {
			return solvers.Info{}, err
		}
		k.hmc.restart()
	}
	if k.level < len(k.sigmas) {
		if err := k.temper(k.wNow, k.host, sigma); err != nil {
			return solvers.Info{}, err
		}
		k.hmc.w, k.hmc.sigma, k.hmc.fresh = k.wNow, sigma, true
		k.setMass(sigma, sigma)
	} else if k.level == len(k.sigmas) {
		k.hmc.w, k.hmc.fresh = k.w, true
		if err := k.untemper(); err != nil {
			return solvers.Info{}, err
		}
		k.setMass(sigma, 0)
	}
	k.hmc.adapt = k.level < len(k.sigmas)
	info, err := k.hmc.move(ctx, key.Fold(1), referenceLeapfrogs)
	if err != nil {
		return info, err
	}
	k.level++
	if k.level == k.StepsPerBatch() {
		st.Kind, k.level = solvers.Draw, 0
	}
	return info, k.s.Sync(ctx)
}

// References are keys of assets/references.bib.
func (k *HMC) References() []string {
	return append([]string{"Remy2023", "Betancourt2017"}, k.cfg.Prior.References()...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *HMC) Close() { k.close() }
