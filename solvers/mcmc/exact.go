// Package mcmc holds the kernels that draw from posteriors, one per file.
package mcmc

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// Exact is the exact posterior of a Gaussian prior, N(0, P) per band, under a
// convolution y = window(H x) + n with independent noise of inverse variance w:
//
//	x | y ~ N(μ, Σ),  Σ⁻¹ = P⁻¹ + Hᵀ w H,  μ = Σ Hᵀ w y
//
// (Wiener 1949). The first step is the estimate μ; every later step gives Batch
// independent draws μ + δ. See conditional for how.
//
// With columns P beside the scene, y = window(H x) + P a + n, a and x are drawn together:
// a of its own posterior, x being integrated out, and then x given a,
//
//	a | y ~ N(S⁻¹ Pᵀw (y − H μ), S⁻¹),  S = Λ⁻¹ + Pᵀw (P − H Z),  Z = Σ Hᵀ w P,
//	x | a, y = μ + δ − Z a.
//
// Both are taken in the forms that are stationary in what solves have wrong with μ and Z,
// and positive whatever that is: S = Λ⁻¹ + (P − HZ)ᵀw (P − HZ) + Zᵀ C⁻¹ Z, and
// (P − HZ)ᵀw (y − Hμ) + Zᵀ C⁻¹ μ, C being the prior's covariance.
type Exact struct {
	cfg    ExactConfig
	stream engine.Stream
	cond   *conditional
	wy     *engine.Tensor // (C, H, W) weighted data, normalised
	mean   *engine.Tensor // (C, H, W), normalised
	unit   *engine.Tensor // (Batch·C) data unit over normalised unit
	beside *beside        // nil: no columns
	state  solvers.State
	drawn  int // −1: the mean comes next
}

// ExactConfig is what Exact needs. Data and Weights are (C, H, W) on the image.
type ExactConfig struct {
	Data, Weights solvers.Image
	Spectra       []gaussian.Spectrum // per band, in (data unit)²
	Batch         int                 // draws per step; 0: chosen from the size
	MeanTol       float64             // relative residual of the mean's solve; default 1e-6
	DrawTol       float64             // of the draws' solves; default 1e-2
	White         solvers.White       // where draws take their numbers from; nil: Stream.Normal
	Deviations    bool                // draws are of x − μ, and μ is not computed
	Columns       []solvers.Column    // P
}

// Tolerances of the solves. A draw's right-hand side has no signal in it, so its
// relative residual is relative to the posterior std: 1e-2 was measured to leave
// an error of .001 σ rms and .015 σ at most. The mean's is relative to the signal
// and must be tighter.
const (
	defaultMeanTol = 1e-6
	defaultDrawTol = 1e-2
)

// NewExact allocates the kernel. op is used for its grid and transfer function.
func NewExact(dev engine.Device, op *operator.Convolution, cfg ExactConfig) (*Exact, error) {
	if cfg.Batch == 0 {
		cfg.Batch = DrawsPerStep(op.Domain())
	}
	if cfg.MeanTol == 0 {
		cfg.MeanTol = defaultMeanTol
	}
	if cfg.DrawTol == 0 {
		cfg.DrawTol = defaultDrawTol
	}
	k := &Exact{cfg: cfg, stream: dev.NewStream()}
	if err := k.build(dev, op); err != nil {
		k.Close()
		return nil, fmt.Errorf("mcmc: exact Gaussian posterior on a %d×%d grid: %w", op.H, op.W, err)
	}
	return k, nil
}

// DrawsPerStep groups draws of small problems so that a step keeps every core
// busy; it depends on the size alone, never on the machine.
func DrawsPerStep(domain engine.Shape) int {
	const pixelsPerStep = 1 << 17
	return min(max(pixelsPerStep/domain.Len(), 1), 16)
}

func (k *Exact) build(dev engine.Device, op *operator.Convolution) error {
	g, s := op.Grid, k.stream
	w, unit := normaliseWeights(g, k.cfg.Weights)
	var err error
	if k.cond, err = newConditional(dev, s, op, w, k.cfg.Batch); err != nil {
		return err
	}
	k.cond.white = k.cfg.White
	power, err := dev.Alloc(engine.Shape{g.C, g.H, g.W/2 + 1})
	if err != nil {
		return err
	}
	defer power.Free()
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&k.wy, g.Domain()}, {&k.mean, g.Domain()}, {&k.unit, engine.Shape{k.cfg.Batch * g.C}}} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			return err
		}
	}
	p, wy, plane := make([]float32, 0, power.Len()), g.Embed(k.cfg.Data), g.H*g.W
	for c, sp := range k.cfg.Spectra {
		for _, v := range sp.OnGrid(g.H, g.W) {
			p = append(p, float32(v/(unit[c]*unit[c])))
		}
	}
	for i, v := range w.Pix {
		wy.Pix[i] = float32(float64(v) * float64(wy.Pix[i]) / unit[i/plane])
	}
	units := make([]float32, k.unit.Len())
	for i := range units {
		units[i] = float32(unit[i%len(unit)])
	}
	s.Upload(power, p)
	s.Upload(k.wy, wy.Pix)
	s.Upload(k.unit, units)
	k.cond.setPower(power)
	if len(k.cfg.Columns) > 0 {
		if k.beside, err = newBeside(dev, k, op, unit, power); err != nil {
			return err
		}
	}
	return s.Sync(context.Background())
}

// Init places nothing: the posterior does not depend on where one starts.
func (k *Exact) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.drawn = -1
	if k.cfg.Deviations {
		k.drawn = 0 // about a mean of 0
	}
	k.state = solvers.State{Stream: k.stream}
	return &k.state, k.stream.Err()
}

// Step computes the mean, then draws.
func (k *Exact) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	s, n := k.stream, k.cfg.Batch
	var res optim.Result
	var err error
	if k.drawn < 0 {
		n = 1
		st.Kind = solvers.Estimate
		if res, err = k.cond.mean(ctx, n, k.wy, k.cfg.MeanTol); err != nil {
			return solvers.Info{}, err
		}
		if k.beside != nil {
			if err := k.beside.solve(ctx, k); err != nil {
				return solvers.Info{}, err
			}
		}
		s.Copy(k.mean, k.cond.view(n).x.Reshape(k.mean.Shape()...))
	} else {
		st.Kind = solvers.Draw
		drawKey := func(i int) engine.Key { return key.Fold(uint64(i)) }
		if res, err = k.cond.draw(ctx, n, nil, drawKey, k.cfg.DrawTol); err != nil {
			return solvers.Info{}, err
		}
		s.Add(k.cond.view(n).x, k.cond.view(n).x, k.mean)
		if k.beside != nil {
			k.beside.scatter(k, n, drawKey)
		}
	}
	v := k.cond.view(n)
	s.ScaleBy(v.xFlat, k.unit.Slice(0, n*k.cond.grid.C), nil, v.xFlat)
	st.X, st.Count = v.x, n
	k.drawn++
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, s.Sync(ctx)
}

// References are keys of assets/references.bib.
func (k *Exact) References() []string {
	return []string{"Wiener1949", "Whittle1953", "PapandreouYuille2010", "ElsnerWandelt2013"}
}

// Close frees the kernel's tensors, not the operator.
func (k *Exact) Close() {
	if k.cond != nil {
		k.cond.close()
	}
	if k.beside != nil {
		k.beside.close()
	}
	for _, t := range []*engine.Tensor{k.wy, k.mean, k.unit} {
		t.Free()
	}
}
