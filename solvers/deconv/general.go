package deconv

import (
	"context"
	"errors"
	"fmt"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/operator"
)

// ErrOperator marks a method that cannot work with the observation's operator.
var ErrOperator = errors.New("not with this PSF")

// Varies reports whether a method takes a PSF that varies over the image.
func (m Method) Varies() bool { return m != Starlet }

// VaryingMemory is what a PSF at nodes takes on the device beyond one, in bytes: a transfer
// function and a weight for each.
func VaryingMemory(g operator.Grid, nodes int) int64 {
	return 8 * int64(nodes) * int64(g.Domain().Len())
}

// general makes the exact posterior of a Gaussian prior under an operator that is no
// convolution, as those whose noise was whitened and of several exposures are not: in the white noise behind the prior, with what a convolution with the mean
// PSF would give for a preconditioner.
func (p *Problem) general(ctx context.Context, set Settings) error {
	d := p.Op.Domain()
	batch := mcmc.DrawsPerStep(d)
	if err := p.convolve(p.Grid, batch); err != nil {
		return err
	}
	k, free, err := p.latentExact(ctx, batch, 0)
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Kernel = k
	p.closers = append(p.closers, free)
	p.Findings = append(p.Findings, gaussianFinding(set.Method))
	return p.misfit.init(p)
}

// latentExact makes the kernel of general, for batch scenes that the operator takes; tol is of its mean,
// 0 the kernel's own. Once it is closed, free frees what it was made of.
func (p *Problem) latentExact(ctx context.Context, batch int, tol float64) (k *mcmc.LatentExact, free func(), err error) {
	return p.latentOf(ctx, p.kernelOp(), mcmc.LatentExactConfig{
		Data: p.kernelData(), Weights: p.kernelWeights(), Batch: batch, MeanTol: tol, Columns: p.columns(),
	})
}

// latentOf is latentExact of what is seen through op; the preconditioner of cfg is set here.
func (p *Problem) latentOf(ctx context.Context, op operator.Powered, cfg mcmc.LatentExactConfig) (k *mcmc.LatentExact, free func(), err error) {
	d := op.Domain()
	prior, err := gaussian.New(p.dev, p.stream, p.Spectra, d, cfg.Batch)
	if err != nil {
		return nil, nil, err
	}
	white := &throughPrior{op: op, prior: prior}
	free = func() {
		prior.Close()
		white.x.Free()
	}
	if white.x, err = p.dev.Alloc(append(engine.Shape{cfg.Batch}, d...)); err != nil {
		free()
		return nil, nil, err
	}
	modes := d[1] * (d[2]/2 + 1)
	cfg.Condition = op.Power(p.stream)
	for c, sp := range p.Spectra {
		weight := meanWeight(cfg.Weights.Plane(c))
		for i, v := range sp.OnGrid(d[1], d[2]) {
			cfg.Condition[c*modes+i] = 1 + v*weight*cfg.Condition[c*modes+i]
		}
	}
	if err = p.stream.Sync(ctx); err == nil {
		k, err = mcmc.NewLatentExact(p.dev, white, prior, cfg)
	}
	if err != nil {
		free()
		return nil, nil, err
	}
	return k, free, nil
}

// throughPrior is A T, x = T z the scene of white noise z.
type throughPrior struct {
	op    solvers.Operator
	prior *gaussian.Prior
	x     *engine.Tensor // (batch, C, H, W)
}

// Domain is that of A, and Range too.
func (o *throughPrior) Domain() engine.Shape { return o.op.Domain() }

// Range is that of A.
func (o *throughPrior) Range() engine.Shape { return o.op.Range() }

func (o *throughPrior) scratch(like *engine.Tensor) *engine.Tensor {
	return o.x.Slice(0, like.Len()/o.Domain().Len()).Reshape(like.Shape()...)
}

// Forward writes A T z.
func (o *throughPrior) Forward(s engine.Stream, y, z *engine.Tensor) {
	x := o.scratch(z)
	o.prior.FromWhite(s, x, z)
	o.op.Forward(s, y, x)
}

// Adjoint writes Tᵀ Aᵀ y.
func (o *throughPrior) Adjoint(s engine.Stream, z, y *engine.Tensor) {
	x := o.scratch(z)
	o.op.Adjoint(s, x, y)
	o.prior.Pullback(s, z, nil, x)
}
