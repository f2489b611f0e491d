package closedform

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// Problem is a simulated observation whose posterior is known.
type Problem struct {
	Op            solvers.Operator
	Mixture       *Mixture
	Data, Weights solvers.Image
	Posterior     Posterior
}

// Simulate draws a scene from component from, observes it through op with noise σ and
// computes the posterior. mask says which data pixels are lost. The operator must be
// small: its matrix is dense.
func Simulate(dev engine.Device, s engine.Stream, op solvers.Operator, batch int, parts []Part, from int, sigma float64, mask func(x, y int) bool, key engine.Key) (*Problem, error) {
	m, err := New(dev, s, op.Domain(), batch, parts)
	if err != nil {
		return nil, err
	}
	p := &Problem{Op: op, Mixture: m}
	x, err := dev.Alloc(append(engine.Shape{1}, op.Domain()...))
	if err != nil {
		return nil, fmt.Errorf("closedform: %w", err)
	}
	defer x.Free()
	y, err := dev.Alloc(append(engine.Shape{1}, op.Range()...))
	if err != nil {
		return nil, fmt.Errorf("closedform: %w", err)
	}
	defer y.Free()
	noise, err := dev.Alloc(y.Shape())
	if err != nil {
		return nil, fmt.Errorf("closedform: %w", err)
	}
	defer noise.Free()
	m.SampleFrom(s, x, from, key.Fold(1))
	op.Forward(s, y, x)
	s.Normal(noise, key.Fold(2))
	s.Axpy(y, float32(sigma), noise)
	r := op.Range()
	p.Data, p.Weights = solvers.NewImage(r[0], r[1], r[2]), solvers.NewImage(r[0], r[1], r[2])
	s.Download(p.Data.Pix, y)
	if err := s.Sync(context.Background()); err != nil {
		return nil, err
	}
	for i := range p.Data.Pix {
		if mask != nil && mask(i%r[2], i/r[2]%r[1]) {
			p.Data.Pix[i] = 0
			continue
		}
		p.Weights.Pix[i] = float32(1 / (sigma * sigma))
	}
	a, err := Matrix(dev, s, op)
	if err != nil {
		return nil, err
	}
	p.Posterior, err = m.Given(a, p.Data.Pix, p.Weights.Pix)
	return p, err
}

// Draws runs a kernel until n draws are in, and says how many calls of the prior each
// took.
func (p *Problem) Draws(ctx context.Context, k solvers.Kernel, n int, seed uint64) (draws [][]float32, calls float64, err error) {
	p.Mixture.Calls = 0
	total := 0
	for step, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: math.MaxInt, Seed: seed}) {
		if err != nil {
			return nil, 0, err
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		total += step.State.Count
		for i := range step.State.Count {
			d := make([]float32, p.Op.Domain().Len())
			step.State.Stream.Download(d, step.State.X.Slice(i, i+1))
			draws = append(draws, d)
		}
		if len(draws) >= n {
			break
		}
	}
	return draws[:n], float64(p.Mixture.Calls) / float64(total), nil
}
