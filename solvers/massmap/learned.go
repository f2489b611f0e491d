package massmap

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/operator"
)

// Learned is a prior known by its score, for pixels of the field's size.
type Learned struct {
	Prior  priors.Prior
	Stream engine.Stream // the one the prior works on
	Align  int           // what the sides of a grid must be multiples of
	Batch  int           // draws at a time; default 8, fewer for large maps
	Levels int           // default 12; 32 without Shift
	Moves  int           // Metropolised moves at the lowest noise; 0: none
	// Low is the lowest noise that the prior knows; default: what the bridge takes.
	Low float64
	// Shift is λ of a lognormal field near the prior; 0: unknown. With it the walk begins
	// at draws of the lognormal posterior with noise of Top, instead of at pure noise:
	// large scales are right from there on, and fewer levels do.
	Shift float64
	Top   float64 // default .15
	// Stationary takes the Gaussian covariance at each level instead of measuring the
	// denoiser's own.
	Stationary bool
}

// Defaults of the learned sampler.
const (
	learnedBatch  = 8
	learnedPixels = 1 << 21 // of a batch, unless that leaves less than two draws
	learnedLevels = 12
	learnedMean   = 0.07 // σ of the conditional means
	learnedWalks  = 2    // batches for their sake, to each batch of draws
	learnedTop    = 0.15
	learnedThin   = 6 // trajectories of the lognormal chain between draws
)

// score is the bridge of solvers/mcmc/anneal over the shear operator: draws of the
// posterior under the learned prior.
func (p *Problem) score(dev engine.Device) error {
	l := p.Settings.Learned
	if l.Prior == nil {
		return fmt.Errorf("massmap: method score needs a learned prior: %w", ErrSetting)
	}
	if l.Batch == 0 {
		l.Batch = max(2, min(learnedBatch, learnedPixels/(p.Op.H*p.Op.W)))
	}
	if l.Moves == 0 {
		l.Moves = -1
	}
	p.Op.Close()
	var err error
	if p.Op, err = operator.NewShear(dev, p.stream, p.Op.Grid.Aligned(max(l.Align, 1)), l.Batch); err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	p.close[0] = p.Op.Close
	cfg := anneal.Config{
		Op: p.Op, Data: p.Data, Weights: p.Weights, Prior: l.Prior,
		Power: p.Settings.Spectrum.OnGrid(p.Op.H, p.Op.W), Levels: l.Levels, Moves: l.Moves,
		SigmaMin: l.Low, MeanAt: []float64{learnedMean}, MeanWalks: learnedWalks, Batch: l.Batch, Probes: 1, Stationary: l.Stationary, Stream: l.Stream, Keep: true,
	}
	if l.Shift > 0 {
		start, err := p.newNear(dev, l)
		if err != nil {
			return err
		}
		if cfg.Levels == 0 {
			cfg.Levels = learnedLevels
		}
		if cfg.SigmaMax = l.Top; cfg.SigmaMax == 0 {
			cfg.SigmaMax = learnedTop
		}
		cfg.Start = start.draws
	}
	k, err := anneal.NewBridge(dev, cfg)
	if err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	p.mean = func() []float32 {
		m, _ := k.Mean(0)
		return m
	}
	p.setKernel(k)
	return nil
}

// Mean is the kernel's own estimate of the posterior mean, on the grid, where it has a
// better one than the mean of its draws: the learned sampler's average of conditional
// means (anneal.Bridge.Mean). nil: it has none.
func (p *Problem) Mean() []float32 {
	if p.mean == nil {
		return nil
	}
	return p.mean()
}

// Crop cuts the field, (H, W), out of a map on the grid.
func (p *Problem) Crop(grid []float32) []float32 {
	out := make([]float32, 0, p.Field.H*p.Field.W)
	for y := range p.Field.H {
		at := (y+p.Op.Row)*p.Op.W + p.Op.Col
		out = append(out, grid[at:at+p.Field.W]...)
	}
	return out
}

// near draws of the lognormal posterior, for the learned sampler to begin at. Its chains
// go on from batch to batch.
type near struct {
	hmc   *mcmc.LatentChains
	state *solvers.State
	n     int // pixels of a scene
	steps uint64
	host  []float32
}

func (p *Problem) newNear(dev engine.Device, l Learned) (*near, error) {
	if p.Settings.Warmup == 0 {
		p.Settings.Warmup = DefaultWarmup
	}
	k, err := p.lognormalChains(dev, l.Shift, DefaultChains, learnedThin)
	if err != nil {
		return nil, err
	}
	p.close = append(p.close, k.Close)
	n := p.Op.H * p.Op.W
	return &near{hmc: k, n: n, host: make([]float32, n)}, nil
}

// draws fills x with draws, each some trajectories after the last of its chain.
func (n *near) draws(ctx context.Context, s engine.Stream, x *engine.Tensor, key engine.Key) error {
	var err error
	if n.state == nil {
		if n.state, err = n.hmc.Init(ctx, nil); err != nil {
			return err
		}
	}
	want := x.Len() / n.n
	for got := 0; got < want; n.steps++ {
		if _, err := n.hmc.Step(ctx, key.Fold(n.steps), n.state); err != nil {
			return err
		}
		if n.state.Kind != solvers.Draw {
			continue
		}
		for b := 0; b < n.state.Count && got < want; b++ {
			n.state.Stream.Download(n.host, n.state.X.Slice(b, b+1))
			s.Upload(x.Slice(got, got+1), n.host)
			got++
		}
	}
	return s.Err()
}
