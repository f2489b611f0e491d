package mcmc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"limpid/engine"
	"limpid/solvers"
)

// LatentChains is LatentHMC with every chain on a stream and a goroutine of its own:
// small maps keep all processors busy better so than by sharing out each operation. The
// chains adapt one step size together.
type LatentChains struct {
	lanes  []*LatentHMC
	stream engine.Stream
	x      *engine.Tensor // (chains, domain)
	infos  []solvers.Info
	errs   []error
	state  solvers.State
}

// NewLatentChains allocates the kernel. build gives the operator and the prior of one
// chain, made for one scene at a time; it is called Chains times, and what it gives stays
// the caller's.
func NewLatentChains(dev engine.Device, build func() (solvers.Operator, SpectralLatent, error), cfg LatentConfig) (*LatentChains, error) {
	cfg.defaults()
	n := cfg.Chains
	cfg.Chains = 1
	k := &LatentChains{stream: dev.NewStream(), infos: make([]solvers.Info, n), errs: make([]error, n)}
	for range n {
		op, prior, err := build()
		if err == nil {
			var lane *LatentHMC
			if lane, err = NewLatentHMC(dev, op, prior, cfg); err == nil {
				k.lanes = append(k.lanes, lane)
			}
		}
		if err != nil {
			k.Close()
			return nil, err
		}
	}
	d := k.lanes[0].op.Domain()
	var err error
	if k.x, err = dev.Alloc(append(engine.Shape{n}, d...)); err != nil {
		k.Close()
		return nil, fmt.Errorf("mcmc: Hamiltonian Monte Carlo on a %d×%d grid: %w", d[1], d[2], err)
	}
	return k, nil
}

// Init starts new chains. x0 is not used.
func (k *LatentChains) Init(ctx context.Context, _ *engine.Tensor) (*solvers.State, error) {
	for _, l := range k.lanes {
		if _, err := l.Init(ctx, nil); err != nil {
			return nil, err
		}
	}
	k.state = solvers.State{Stream: k.stream, X: k.x}
	return &k.state, k.stream.Err()
}

// Step is one trajectory of every chain.
func (k *LatentChains) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	var wg sync.WaitGroup
	for i, l := range k.lanes {
		wg.Go(func() {
			k.infos[i], k.errs[i] = l.trajectory(ctx, key.Fold(uint64(i)))
			if k.errs[i] == nil {
				k.errs[i] = l.stream.Sync(ctx)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(k.errs...); err != nil {
		for _, l := range k.lanes {
			l.fresh = true
		}
		return solvers.Info{}, k.errs[0]
	}
	var info solvers.Info
	n := float64(len(k.lanes))
	for _, one := range k.infos {
		info.Acceptance += one.Acceptance / n
		info.StepSize += one.StepSize / n
		info.Divergent = info.Divergent || one.Divergent
	}
	st.X, st.Count, st.Kind = k.x, len(k.lanes), k.lanes[0].kind()
	for i, l := range k.lanes {
		l.adapt(info.Acceptance)
		l.steps++
		if st.Kind == solvers.Draw {
			k.stream.Copy(k.x.Slice(i, i+1), l.x)
		}
	}
	return info, k.stream.Sync(ctx)
}

// References are keys of assets/references.bib.
func (k *LatentChains) References() []string { return k.lanes[0].References() }

// Close frees the kernel's tensors, not the operators or the priors.
func (k *LatentChains) Close() {
	for _, l := range k.lanes {
		l.Close()
	}
	k.lanes = nil
	k.x.Free()
}
