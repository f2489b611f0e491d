package anneal

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/optim"
)

// Moments is moment matching (Rozet+2024, sec. 4.2): the walk of Bridge with the
// covariance of the scene given x not modelled but applied, σ² J, J = ∂D/∂x, in
//
//	E[x0 | x, y] ≈ m + σ² J AᵀN^-½ u,  (1 + N^-½A σ²J AᵀN^-½) u = N^-½(y − A m),
//
// by MomentIterations conjugate gradients a level, each of one product J v, which is a
// difference of two scores: J is symmetric where the score is a gradient. The mean takes
// the place of x0 in the bridge's transition; what this leaves out of the spread falls
// with the step and is put right by the moves. A level costs six times the calls of one of Bridge,
// and assumes less: few levels, and some more moves, share draws out between the parts of a mixture better than many
// levels do (docs/adr/0036).
type Moments struct {
	*Bridge
	xp, je, diff *engine.Tensor // (n, domain)
	b, u, q      *engine.Tensor // (n, range)
	solver       *optim.CG
}

// Of Moments: iterations of a solve, and default levels and moves.
const (
	MomentIterations = 5
	momentLevels     = 11
	momentMoves      = 13
)

// NewMoments allocates the kernel.
func NewMoments(dev engine.Device, cfg Config) (*Moments, error) {
	cfg.NoPreview, cfg.Keep = true, true
	if cfg.Levels == 0 {
		cfg.Levels = momentLevels
	}
	if cfg.Moves == 0 {
		cfg.Moves = momentMoves
	}
	if len(cfg.Columns) > 0 {
		return nil, fmt.Errorf("anneal: moment matching cannot have columns beside the scene: Bridge, HMC, Langevin and Gibbs can")
	}
	br, err := NewBridge(dev, cfg)
	if err != nil {
		return nil, err
	}
	k := &Moments{Bridge: br}
	for _, t := range []**engine.Tensor{&k.xp, &k.je, &k.diff} {
		*t = k.alloc(&err, k.x.Shape())
	}
	for _, t := range []**engine.Tensor{&k.b, &k.u, &k.q} {
		*t = k.alloc(&err, k.ax.Shape())
	}
	if err == nil {
		k.solver, err = optim.NewCG(dev, k.ax.Shape())
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("anneal: moment matching: %w", err)
	}
	k.solver.MaxIter, k.solver.Tol = MomentIterations, solveTol
	return k, nil
}

// Step walks one level or makes one move.
func (k *Moments) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	if k.level >= len(k.sigmas) {
		return k.Bridge.Step(ctx, key, st)
	}
	st.X, st.Kind, st.Count = k.x, solvers.Warmup, k.n
	sigma := k.sigmas[k.level]
	if k.level == 0 {
		if err := k.begin(ctx, key.Fold(0), sigma); err != nil {
			return solvers.Info{}, err
		}
	}
	res, err := k.match(ctx, sigma)
	if err != nil {
		return solvers.Info{}, err
	}
	next := 0.0
	if k.level+1 < len(k.sigmas) {
		next = k.sigmas[k.level+1]
	}
	k.transition(k.x, k.m, sigma, next, k.cfg.Keep, key.Fold(5))
	k.level++
	if k.level == k.StepsPerBatch() {
		st.Kind, k.level = solvers.Draw, 0
	}
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, k.s.Sync(ctx)
}

// match leaves E[x0 | x, y] in m.
func (k *Moments) match(ctx context.Context, sigma float64) (optim.Result, error) {
	s := k.s
	if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
		return optim.Result{}, err
	}
	ax, _ := k.residual(k.m, k.w)
	s.Mul(k.b, ax, k.rootW)
	s.Scale(k.b, -1, k.b)
	var failed error
	// dst = N^-½ A σ²J Aᵀ N^-½ src + src
	apply := func(dst, src *engine.Tensor) {
		s.Mul(k.q, src, k.rootW)
		k.op.Adjoint(s, k.diff, k.q)
		if err := k.jacobian(ctx, k.je, k.diff, sigma); err != nil {
			failed = err
		}
		k.op.Forward(s, dst, k.je)
		s.Mul(dst, dst, k.rootW)
		s.Scale(dst, float32(sigma*sigma), dst)
		s.Add(dst, dst, src)
	}
	res, err := k.solver.Solve(ctx, s, apply, func(dst, src *engine.Tensor) { s.Copy(dst, src) }, k.u, k.b)
	if failed != nil {
		err = failed
	}
	if err != nil {
		return res, err
	}
	s.Mul(k.q, k.u, k.rootW)
	k.op.Adjoint(s, k.diff, k.q)
	if err := k.jacobian(ctx, k.je, k.diff, sigma); err != nil {
		return res, err
	}
	s.Axpy(k.m, float32(sigma*sigma), k.je)
	return res, nil
}

// jacobian writes J v, J v = v + σ² (score(x + δ v) − score(x))/δ, with δ v of an rms of
// probeStep σ, scene by scene.
func (k *Moments) jacobian(ctx context.Context, dst, v *engine.Tensor, sigma float64) error {
	s := k.s
	s.Dot(k.num, v, v)
	s.Download(k.Bridge.core.host, k.num)
	for i, n2 := range k.Bridge.core.host {
		rms := sqrt(float64(n2) / float64(k.dom.Len()))
		if rms > 0 {
			k.Bridge.core.host[i] = float32(probeStep * sigma / rms)
		}
	}
	s.Upload(k.num, k.Bridge.core.host)
	s.ScaleBy(k.xp, k.num, nil, v)
	s.Add(k.xp, k.xp, k.x)
	if err := k.score(ctx, dst, k.xp, k.n, sigma); err != nil {
		return err
	}
	s.Sub(dst, dst, k.sc)
	for i, f := range k.Bridge.core.host {
		if f != 0 {
			k.Bridge.core.host[i] = float32(sigma * sigma / float64(f))
		}
	}
	s.Upload(k.num, k.Bridge.core.host)
	s.ScaleBy(dst, k.num, nil, dst)
	s.Add(dst, dst, v)
	return nil
}

// References are keys of assets/references.bib.
func (k *Moments) References() []string {
	return append([]string{"Rozet2024"}, k.Bridge.References()...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *Moments) Close() {
	if k.solver != nil {
		k.solver.Close()
	}
	k.Bridge.Close()
}
