// Package mcmc holds the kernels that draw from posteriors, one per file.
package mcmc

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// Exact is the exact posterior of a Gaussian prior, N(0, P) per band, under a
// convolution y = window(H x) + n with independent noise of inverse variance w:
//
//	x | y ~ N(μ, Σ),  Σ⁻¹ = P⁻¹ + Hᵀ w H,  μ = Σ Hᵀ w y.
//
// The first step is the estimate μ; every later step gives Batch independent
// draws μ + δ by perturb-and-solve (Papandreou & Yuille 2010, sec. 2;
// Elsner & Wandelt 2013): δ = Σ (Hᵀ √w η + P^-½ ξ) with white η, ξ.
//
// With w ≤ 1 (weights over their largest value, data scaled alike), d = 1 − w,
// and C = (P⁻¹ + HᵀH)⁻¹, which is diagonal in Fourier space, Σ b = C (b + Hᵀ√d u)
// where u solves the Schur complement
//
//	S u = w u + √d F[c] √d u = √d H C b,   c = 1/(1 + P|H|²).
//
// S is the identity wherever the noise is lowest, so only masked pixels, the
// border and noisier pixels cost anything, and S⁻¹ ≈ I + Σ_l θ_l√d F[g_l] θ_l√d,
// g_l = P|H|²/(1 + e_l P|H|²), is a preconditioner that does not degrade with
// signal to noise: θ_l² splits the pixels by their weight among the levels e_l.
type Exact struct {
	op     *operator.Convolution
	batch  int
	cfg    ExactConfig
	shape  engine.Shape // (batch·C, H, W)
	stream engine.Stream
	cg     *optim.CG

	w, rootW, rootD          *engine.Tensor   // (C, H, W)
	levels                   []*engine.Tensor // (C, H, W) θ_l √d
	wy                       *engine.Tensor   // (C, H, W) w y
	c, schur, noise          *engine.Tensor   // (C, H, W/2+1): c; 1−c; √P c
	gains                    []*engine.Tensor // (C, H, W/2+1) g_l
	post, cross              *engine.Tensor   // (C, H, W/2+1, 2): conj(H) P c; H √P c
	unit                     *engine.Tensor   // (batch·C) data unit over normalised unit
	mean                     *engine.Tensor   // (C, H, W), normalised
	x, u, rhs, real          *engine.Tensor   // (batch, C, H, W)
	spec, spec2              *engine.Tensor   // (batch, C, H, W/2+1, 2)
	all                      []*engine.Tensor
	views                    map[int]*exactViews
	state                    solvers.State
	drawn                    int
	applyBound, precondBound func(dst, src *engine.Tensor)
	now                      *exactViews
}

// exactViews are the scratch tensors cut to n scenes, made once per n.
type exactViews struct{ x, u, rhs, real, spec, spec2, xFlat, uFlat, rhsFlat, unit *engine.Tensor }

// ExactConfig is what Exact needs. Data and Weights are (C, H, W) on the image.
type ExactConfig struct {
	Data, Weights solvers.Image
	Spectra       []gaussian.Spectrum // per band, in (data unit)²
	Batch         int                 // draws per step; 0: chosen from the size
	MeanTol       float64             // relative residual of the mean's solve; default 1e-6
	DrawTol       float64             // of the draws' solves; default 1e-2
}

// Tolerances of the solves. A draw's right-hand side has no signal in it, so its
// relative residual is relative to the posterior std: 1e-2 was measured to leave
// an error of .001 σ rms and .015 σ at most. The mean's is relative to the signal
// and must be tighter.
const (
	defaultMeanTol = 1e-6
	defaultDrawTol = 1e-2
)

// NewExact allocates the kernel. op must have been made for ≥ 1 scene.
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
	k := &Exact{op: op, batch: cfg.Batch, cfg: cfg, stream: dev.NewStream(), views: map[int]*exactViews{}}
	k.shape = engine.Shape{cfg.Batch * op.C, op.H, op.W}
	if err := k.build(dev); err != nil {
		k.Close()
		return nil, fmt.Errorf("mcmc: exact Gaussian posterior on a %d×%d grid: %w", op.H, op.W, err)
	}
	k.applyBound, k.precondBound = k.apply, k.precondition
	return k, nil
}

// DrawsPerStep groups draws of small problems so that a step keeps every core
// busy; it depends on the size alone, never on the machine.
func DrawsPerStep(domain engine.Shape) int {
	const pixelsPerStep = 1 << 17
	return min(max(pixelsPerStep/domain.Len(), 1), 16)
}

// Init places nothing: the posterior does not depend on where one starts.
func (k *Exact) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.drawn = -1
	k.state = solvers.State{Stream: k.stream}
	return &k.state, k.stream.Err()
}

// Step computes the mean, then draws.
func (k *Exact) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	var res optim.Result
	var err error
	if k.drawn < 0 {
		res, err = k.stepMean(ctx, st)
	} else {
		res, err = k.stepDraw(ctx, key, st)
	}
	if err != nil {
		return solvers.Info{}, err
	}
	k.drawn++
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, k.stream.Sync(ctx)
}

// stepMean: rhs = √d F[1−c] w y; μ = F[conj(H)Pc] (w y + √d u).
func (k *Exact) stepMean(ctx context.Context, st *solvers.State) (optim.Result, error) {
	s, v := k.stream, k.view(1)
	s.Copy(v.real, k.wy.Reshape(v.real.Shape()...))
	s.RFFT2(v.spec, v.real)
	s.CScale(v.spec, v.spec, k.schur)
	s.IRFFT2(v.rhs, v.spec)
	s.Mul(v.rhs, v.rhs, k.rootD)
	res, err := k.solve(ctx, v, k.cfg.MeanTol)
	if err != nil {
		return res, err
	}
	s.Copy(v.real, k.wy.Reshape(v.real.Shape()...))
	s.Mul(v.u, v.u, k.rootD)
	s.Add(v.real, v.real, v.u)
	s.RFFT2(v.spec, v.real)
	s.CMul(v.spec, v.spec, k.post)
	s.IRFFT2(v.x, v.spec)
	s.Copy(k.mean, v.x.Reshape(k.mean.Shape()...))
	s.ScaleBy(v.xFlat, v.unit, nil, v.xFlat)
	st.X, st.Kind, st.Count = v.x, solvers.Estimate, 1
	return res, nil
}

// stepDraw: rhs = √d (F[1−c] √w η + F[H√P c] ξ);
// δ = F[conj(H)Pc] (√w η + √d u) + F[√P c] ξ.
func (k *Exact) stepDraw(ctx context.Context, key engine.Key, st *solvers.State) (optim.Result, error) {
	s, v := k.stream, k.view(k.batch)
	for i := range k.batch { // a key per draw
		draw := key.Fold(uint64(i))
		s.Normal(v.x.Slice(i, i+1), draw.Fold(0))
		s.Normal(v.real.Slice(i, i+1), draw.Fold(1))
	}
	s.RFFT2(v.spec2, v.x) // ξ̂, kept
	s.CMul(v.spec, v.spec2, k.cross)
	s.IRFFT2(v.rhs, v.spec)
	s.Mul(v.real, v.real, k.rootW) // √w η, kept
	s.RFFT2(v.spec, v.real)
	s.CScale(v.spec, v.spec, k.schur)
	s.IRFFT2(v.x, v.spec)
	s.Add(v.rhs, v.rhs, v.x)
	s.Mul(v.rhs, v.rhs, k.rootD)
	res, err := k.solve(ctx, v, k.cfg.DrawTol)
	if err != nil {
		return res, err
	}
	s.Mul(v.u, v.u, k.rootD)
	s.Add(v.real, v.real, v.u)
	s.RFFT2(v.spec, v.real)
	s.CMul(v.spec, v.spec, k.post)
	s.CScale(v.spec2, v.spec2, k.noise)
	s.Add(v.spec, v.spec, v.spec2)
	s.IRFFT2(v.x, v.spec)
	s.Add(v.x, v.x, k.mean)
	s.ScaleBy(v.xFlat, v.unit, nil, v.xFlat)
	st.X, st.Kind, st.Count = v.x, solvers.Draw, k.batch
	return res, nil
}

func (k *Exact) solve(ctx context.Context, v *exactViews, tol float64) (optim.Result, error) {
	k.now = v
	k.cg.Tol = tol
	return k.cg.Solve(ctx, k.stream, k.applyBound, k.precondBound, v.uFlat, v.rhsFlat)
}

// apply is S: dst = w src + √d F[c] √d src. It uses x and spec as scratch.
func (k *Exact) apply(dst, src *engine.Tensor) {
	s, v := k.stream, k.now
	s.Mul(v.xFlat, src, k.rootD)
	s.RFFT2(v.spec, v.x)
	s.CScale(v.spec, v.spec, k.c)
	s.IRFFT2(v.x, v.spec)
	s.Mul(v.xFlat, v.xFlat, k.rootD)
	s.Mul(dst, src, k.w)
	s.Add(dst, dst, v.xFlat)
}

// precondition is dst = src + Σ_l θ_l√d F[g_l] θ_l√d src.
func (k *Exact) precondition(dst, src *engine.Tensor) {
	s, v := k.stream, k.now
	s.Copy(dst, src)
	for l, level := range k.levels {
		s.Mul(v.xFlat, src, level)
		s.RFFT2(v.spec, v.x)
		s.CScale(v.spec, v.spec, k.gains[l])
		s.IRFFT2(v.x, v.spec)
		s.MulAdd(dst, v.xFlat, level)
	}
}

// References are keys of assets/references.bib.
func (k *Exact) References() []string {
	return []string{"Wiener1949", "PapandreouYuille2010", "ElsnerWandelt2013"}
}

// Close frees the kernel's tensors, not the operator.
func (k *Exact) Close() {
	if k.cg != nil {
		k.cg.Close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}

func (k *Exact) view(n int) *exactViews {
	if v := k.views[n]; v != nil {
		return v
	}
	flat := func(t *engine.Tensor) *engine.Tensor { return t.Reshape(n*k.op.C, k.op.H, k.op.W) }
	v := &exactViews{
		x: k.x.Slice(0, n), u: k.u.Slice(0, n), rhs: k.rhs.Slice(0, n), real: k.real.Slice(0, n),
		spec: k.spec.Slice(0, n), spec2: k.spec2.Slice(0, n), unit: k.unit.Slice(0, n*k.op.C),
	}
	v.xFlat, v.uFlat, v.rhsFlat = flat(v.x), flat(v.u), flat(v.rhs)
	k.views[n] = v
	return v
}

// levelWeights are the relative weights e_l the preconditioner is tuned to: 0
// for masked pixels and the border, the other for bright, noisier pixels. More
// levels cost a transform pair each and were measured to save no iterations.
var levelWeights = []float64{0, 0.1}

// levelShare is θ_l² of a pixel of relative weight w: it moves linearly in log w
// from one level to the next.
func levelShare(w float64, l int) float64 {
	const masked = 0.004 // below it a pixel counts as masked
	pos := math.Log(max(w, masked)/masked) / math.Log(levelWeights[1]/masked)
	pos = min(pos, 1)
	if l == 0 {
		return 1 - pos
	}
	return pos
}
