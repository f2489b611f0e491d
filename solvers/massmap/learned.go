package massmap

import (
	"fmt"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/operator"
)

// Learned is a prior known by its score, for pixels of the field's size.
type Learned struct {
	Prior  priors.Prior
	Stream engine.Stream // the one the prior works on
	Align  int           // what the sides of a grid must be multiples of
	Batch  int           // draws at a time; default 2
	Levels int           // default 32
	Moves  int           // Metropolised moves at the lowest noise; default 10, negative: none
	// Stationary takes the Gaussian covariance at each level instead of measuring the
	// denoiser's own.
	Stationary bool
}

// score is the bridge of solvers/mcmc/anneal over the shear operator: draws of the
// posterior under the learned prior.
func (p *Problem) score(dev engine.Device) error {
	l := p.Settings.Learned
	if l.Prior == nil {
		return fmt.Errorf("massmap: method score needs a learned prior: %w", ErrSetting)
	}
	if l.Batch == 0 {
		l.Batch = 2
	}
	p.Op.Close()
	var err error
	if p.Op, err = operator.NewShear(dev, p.stream, p.Op.Grid.Aligned(max(l.Align, 1)), l.Batch); err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	p.close[0] = p.Op.Close
	k, err := anneal.NewBridge(dev, anneal.Config{
		Op: p.Op, Data: p.Data, Weights: p.Weights, Prior: l.Prior,
		Power: p.Settings.Spectrum.OnGrid(p.Op.H, p.Op.W), Levels: l.Levels, Moves: l.Moves,
		Batch: l.Batch, Probes: min(l.Batch, 2), Stationary: l.Stationary, Stream: l.Stream,
	})
	if err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	p.setKernel(k)
	return nil
}
