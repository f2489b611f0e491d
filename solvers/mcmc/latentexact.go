package mcmc

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
	"limpid/solvers/optim"
)

// LatentExact samples the posterior of a Gaussian prior x = T z, z ~ N(0, 1), T linear,
// under y = A x + n for any linear A, exactly. In z, with B = A T, the posterior is
// Gaussian of precision 1 + BᵀwB; the first step yields its mean,
//
//	(1 + BᵀwB) z = Bᵀw y,
//
// the Wiener filter (Elsner & Wandelt 2013, eq. 1), and every later one Batch draws, the
// mean plus the solution for the right-hand side Bᵀ√w η + ξ with white η and ξ
// (Papandreou & Yuille 2010, sec. 2).
type LatentExact struct {
	cfg    LatentExactConfig
	white  solvers.Operator // B
	prior  priors.Latent
	stream engine.Stream
	cond   *latentConditional
	beside *latentBeside  // nil: no columns
	mean   *engine.Tensor // (C, H, W)
	state  solvers.State
	drawn  int
}

// LatentExactConfig is what LatentExact needs.
type LatentExactConfig struct {
	Data, Weights    solvers.Image // the operator's range
	Batch            int           // draws per step; default 1
	MeanTol, DrawTol float64       // as ExactConfig
	// Condition is 1 + BᵀwB on the modes (C, H, W/2+1), were it diagonal there: solves take
	// its inverse for a preconditioner. nil: none.
	Condition []float64
	// Columns are what is in the data beside the scene, y = A x + P a + n, drawn with it.
	Columns    []solvers.Column
	White      solvers.White // as ExactConfig
	Deviations bool          // as ExactConfig
}

// NewLatentExact allocates the kernel. white is B: it takes z; prior gives x of z.
func NewLatentExact(dev engine.Device, white solvers.Operator, prior priors.Latent, cfg LatentExactConfig) (*LatentExact, error) {
	if cfg.Batch == 0 {
		cfg.Batch = 1
	}
	if cfg.MeanTol == 0 {
		cfg.MeanTol = defaultMeanTol
	}
	if cfg.DrawTol == 0 {
		cfg.DrawTol = defaultDrawTol
	}
	k := &LatentExact{cfg: cfg, white: white, prior: prior, stream: dev.NewStream()}
	d := white.Domain()
	var err error
	if k.cond, err = newLatentConditional(dev, k.stream, white, cfg.Weights, cfg.Batch); err == nil {
		k.cond.white = cfg.White
		k.mean, err = dev.Alloc(d)
	}
	if err == nil && len(cfg.Columns) > 0 {
		k.beside, err = newLatentBeside(dev, d, cfg.Columns, cfg.Weights)
	}
	if err == nil && cfg.Condition != nil {
		err = k.cond.setCondition(dev, cfg.Condition, cfg.Batch)
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("mcmc: exact Gaussian posterior on a %d×%d grid: %w", d[1], d[2], err)
	}
	return k, nil
}

// Init places nothing: the posterior does not depend on where one starts.
func (k *LatentExact) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.drawn = -1
	if k.cfg.Deviations {
		k.stream.Fill(k.mean, 0)
		k.drawn = 0
	}
	k.state = solvers.State{Stream: k.stream}
	return &k.state, k.stream.Err()
}

// Step computes the mean, then draws.
func (k *LatentExact) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	s, n := k.stream, k.cfg.Batch
	var res optim.Result
	var err error
	if k.drawn < 0 {
		n = 1
		st.Kind = solvers.Estimate
		if res, err = k.cond.mean(ctx, k.cfg.Data, k.cfg.MeanTol); err != nil {
			return solvers.Info{}, err
		}
		if k.beside != nil {
			if err := k.beside.solve(ctx, k); err != nil {
				return solvers.Info{}, err
			}
		}
	} else {
		st.Kind = solvers.Draw
		if res, err = k.cond.draw(ctx, n, nil, key.Fold, k.cfg.DrawTol); err != nil {
			return solvers.Info{}, err
		}
	}
	v := k.cond.view(n)
	k.prior.FromWhite(s, v.x, v.u)
	switch {
	case k.drawn < 0:
		if k.beside != nil {
			k.beside.take(s, v.x, k.beside.a.mean)
		}
		s.Copy(k.mean, v.x)
	default:
		s.Add(v.x, v.x, k.mean)
		for i := 0; k.beside != nil && i < n; i++ {
			k.beside.take(s, v.x.Slice(i, i+1), k.beside.a.scatter(key.Fold(uint64(i))))
		}
	}
	st.X, st.Count = v.x, n
	k.drawn++
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, s.Sync(ctx)
}

// Amplitudes is the posterior's mean of a, once the first step has been made.
func (k *LatentExact) Amplitudes() []float64 { return k.beside.a.mean }

// References are keys of assets/references.bib.
func (k *LatentExact) References() []string {
	return []string{"Wiener1949", "PapandreouYuille2010", "ElsnerWandelt2013"}
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *LatentExact) Close() {
	if k.cond != nil {
		k.cond.close()
	}
	k.beside.close()
	k.mean.Free()
}

// latentConditional solves (1 + BᵀwB) u = b for several scenes.
type latentConditional struct {
	op       solvers.Operator
	white    solvers.White // nil: Stream.Normal
	stream   engine.Stream
	cg       *optim.CG
	w, rootW *engine.Tensor // (Range)
	u, b, x  *engine.Tensor // (batch, C, H, W): x is the caller's
	data     *engine.Tensor // (batch, Range)
	inverse  *engine.Tensor // (C, H, W/2+1) of the preconditioner; nil: none
	spec     *engine.Tensor // (batch, C, H, W/2+1, 2), with it
	views    map[int]*latentViews
	now      *latentViews
	all      []*engine.Tensor
	host     []float32
}

type latentViews struct{ u, b, x, data, uFlat, bFlat *engine.Tensor }

func newLatentConditional(dev engine.Device, s engine.Stream, op solvers.Operator, weights solvers.Image, batch int) (*latentConditional, error) {
	k := &latentConditional{op: op, stream: s, views: map[int]*latentViews{}}
	scenes, images := append(engine.Shape{batch}, op.Domain()...), append(engine.Shape{batch}, op.Range()...)
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.w, op.Range()},
		{&k.rootW, op.Range()},
		{&k.u, scenes},
		{&k.b, scenes},
		{&k.x, scenes},
		{&k.data, images},
	} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			k.close()
			return nil, err
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	var err error
	if k.cg, err = optim.NewCG(dev, scenes); err != nil {
		k.close()
		return nil, err
	}
	k.cg.MaxIter, k.cg.CheckEvery = maxIterations, 2
	k.host = make([]float32, len(weights.Pix))
	for i, v := range weights.Pix {
		k.host[i] = float32(math.Sqrt(float64(v)))
	}
	s.Upload(k.w, weights.Pix)
	s.Upload(k.rootW, k.host)
	return k, s.Err()
}

// setCondition makes the preconditioner.
func (k *latentConditional) setCondition(dev engine.Device, condition []float64, batch int) error {
	d := k.op.Domain()
	half := engine.Shape{d[0], d[1], d[2]/2 + 1}
	if len(condition) != half.Len() {
		return fmt.Errorf("a preconditioner on %d modes, the scene has %d", len(condition), half.Len())
	}
	host := make([]float32, len(condition))
	for i, v := range condition {
		host[i] = float32(1 / v)
	}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&k.inverse, half}, {&k.spec, append(engine.Shape{batch}, d...).Spectrum()}} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			return err
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	k.stream.Upload(k.inverse, host)
	return k.stream.Err()
}

// precondition is dst = src over the condition.
func (k *latentConditional) precondition(dst, src *engine.Tensor) {
	s, spec := k.stream, k.spec.Slice(0, src.Shape()[0])
	s.RFFT2(spec, src)
	s.CScale(spec, spec, k.inverse)
	s.IRFFT2(dst, spec)
}

// mean leaves the solution for Bᵀw y in the u of one scene.
func (k *latentConditional) mean(ctx context.Context, y solvers.Image, tol float64) (optim.Result, error) {
	s, v := k.stream, k.view(1)
	s.Upload(v.data, y.Pix)
	s.Mul(v.data, v.data, k.w)
	k.op.Adjoint(s, v.b, v.data)
	return k.solve(ctx, v, tol)
}

// draw leaves n draws of the fluctuation about the mean, or, with weighted residuals wy
// (n, Range), of the posterior, in u. Draw i takes its numbers from key(i).
func (k *latentConditional) draw(ctx context.Context, n int, wy *engine.Tensor, key func(i uint64) engine.Key, tol float64) (optim.Result, error) {
	s, v := k.stream, k.view(n)
	for i := range n {
		draw := key(uint64(i))
		k.white.Fill(s, v.u.Slice(i, i+1), draw.Fold(0))
		k.white.Fill(s, v.data.Slice(i, i+1), draw.Fold(1))
	}
	s.Mul(v.data, v.data, k.rootW)
	if wy != nil {
		s.Add(v.data, v.data, wy)
	}
	k.op.Adjoint(s, v.b, v.data)
	s.Add(v.b, v.b, v.u)
	return k.solve(ctx, v, tol)
}

func (k *latentConditional) solve(ctx context.Context, v *latentViews, tol float64) (optim.Result, error) {
	k.now = v
	k.cg.Tol = tol
	precondition := k.stream.Copy
	if k.inverse != nil {
		precondition = k.precondition
	}
	return k.cg.Solve(ctx, k.stream, k.apply, precondition, v.uFlat, v.bFlat)
}

// apply is dst = src + BᵀwB src.
func (k *latentConditional) apply(dst, src *engine.Tensor) {
	s, v := k.stream, k.now
	k.op.Forward(s, v.data, src.Reshape(v.x.Shape()...))
	s.Mul(v.data, v.data, k.w)
	k.op.Adjoint(s, dst.Reshape(v.x.Shape()...), v.data)
	s.Add(dst, dst, src)
}

func (k *latentConditional) view(n int) *latentViews {
	v := k.views[n]
	if v == nil {
		v = &latentViews{u: k.u.Slice(0, n), b: k.b.Slice(0, n), x: k.x.Slice(0, n), data: k.data.Slice(0, n)}
		v.uFlat, v.bFlat = v.u, v.b
		k.views[n] = v
	}
	return v
}

func (k *latentConditional) close() {
	if k.cg != nil {
		k.cg.Close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}
