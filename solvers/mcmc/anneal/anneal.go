// Package anneal holds the kernels that sample p(x | y) ∝ N(y; A x, N) p(x) for any
// linear operator A and any prior known by its score at every noise level: they walk
// from high noise to low.
//
//	Bridge    the default: some 20 to 32 levels, and Metropolised moves or none
//	Moments   the same with the denoiser's own Jacobian: slower, fewer assumptions
//	HMC       annealed Hamiltonian Monte Carlo: the reference
//	Langevin  annealed Langevin: what the literature uses; unadjusted
//	Gibbs     split Gibbs (PnP-DM): a cross-check where posteriors have several modes
//
// D(x, σ) = x + σ² ∇log p_σ(x) is the mean of the scene seen from x = scene + σ n
// (Tweedie's formula: Efron 2011), and σ² ∂D/∂x its covariance. All kernels give draws
// that do not depend on the number of threads, take their randomness from the step's
// key alone, and start afresh with every batch: a run that goes on from the first step
// of a batch gives the same draws as one that was never interrupted.
package anneal

import (
	"context"
	"fmt"
	"math"
	"slices"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/optim"
)

// core is what the kernels share: data, work space, likelihood, score.
type core struct {
	cfg       Config
	dev       engine.Device
	s         engine.Stream
	op        solvers.Operator
	dom, rng  engine.Shape
	n         int
	calls     int // of the prior, per scene
	meanW     float64
	weights   []float32      // those that y is taken to have now: see soften
	floor     float64        // the least variance of a pixel of theirs; 0: that of the data
	y, w      *engine.Tensor // range
	rootW     *engine.Tensor
	x, m, t   *engine.Tensor // (n, domain)
	u, rhs    *engine.Tensor
	sc        *engine.Tensor // score
	ax, wx    *engine.Tensor // (n, range)
	spec      *engine.Tensor // (n, spectrum)
	num       *engine.Tensor // (n)
	scale     *engine.Tensor // (domain) S of T = σ S F^½
	root      *engine.Tensor // (modes) F^½
	condition *engine.Tensor // (modes) preconditioner of solves
	host      []float32      // (n)
	modes     []float32      // (modes)
	cg        *optim.CG
	patchCG   *optim.CG // of patches
	cut       map[cutKey]*engine.Tensor
	all       []*engine.Tensor
	sigma     float64 // of T
	state     solvers.State
	rings     *rings
	beside    *solvers.Nuisance // nil: no columns beside the scene
}

type cutKey struct {
	t      *engine.Tensor
	lo, hi int
}

func newCore(dev engine.Device, cfg Config) (*core, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	k := &core{
		cfg: cfg, dev: dev, s: cfg.Stream, op: cfg.Op, dom: cfg.Op.Domain(), rng: cfg.Op.Range(), n: cfg.Batch,
		cut: map[cutKey]*engine.Tensor{},
	}
	if k.s == nil {
		k.s = dev.NewStream()
	}
	if got := cfg.Data.Shape(); !got.Equal(k.rng) || !cfg.Weights.Shape().Equal(k.rng) {
		return nil, fmt.Errorf("anneal: data %v and weights %v for an operator to %v", got, cfg.Weights.Shape(), k.rng)
	}
	scenes := append(engine.Shape{k.n}, k.dom...)
	half := engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1}
	for _, t := range []**engine.Tensor{&k.x, &k.m, &k.t, &k.u, &k.rhs, &k.sc} {
		*t = k.alloc(&err, scenes)
	}
	for _, t := range []**engine.Tensor{&k.y, &k.w, &k.rootW} {
		*t = k.alloc(&err, k.rng)
	}
	images := append(engine.Shape{k.n}, k.rng...)
	k.ax, k.wx = k.alloc(&err, images), k.alloc(&err, images)
	k.spec, k.num = k.alloc(&err, scenes.Spectrum()), k.alloc(&err, scenes[:1])
	k.scale, k.root, k.condition = k.alloc(&err, k.dom), k.alloc(&err, half), k.alloc(&err, half)
	if err == nil {
		k.cg, err = optim.NewCG(dev, scenes)
	}
	if err != nil {
		k.close()
		return nil, fmt.Errorf("anneal: %d draws of %v: %w", k.n, k.dom, err)
	}
	if len(k.cfg.Columns) > 0 {
		if k.beside, err = solvers.NewNuisance(k.cfg.Columns, k.cfg.Weights); err != nil {
			k.close()
			return nil, fmt.Errorf("anneal: %w", err)
		}
	}
	k.host, k.modes = make([]float32, k.n), make([]float32, half.Len())
	k.cg.MaxIter, k.cg.Tol = solveIterations, solveTol
	k.rings = newRings(k.dom)
	k.upload()
	if err := k.s.Err(); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *core) alloc(err *error, shape engine.Shape) *engine.Tensor {
	if *err != nil {
		return nil
	}
	t, e := k.dev.Alloc(shape)
	if e != nil {
		*err = e
		return nil
	}
	k.all = append(k.all, t)
	return t
}

func (k *core) upload() {
	k.s.Upload(k.y, k.cfg.Data.Pix)
	k.setWeights(k.cfg.Weights.Pix)
	k.s.Fill(k.scale, 1)
}

// setWeights has y weigh so much.
func (k *core) setWeights(w []float32) {
	root := make([]float32, len(w))
	k.weights, k.meanW = w, 0
	for i, v := range w {
		root[i] = float32(math.Sqrt(float64(v)))
		k.meanW += float64(v) / float64(len(w))
	}
	k.s.Upload(k.w, w)
	k.s.Upload(k.rootW, root)
}

// leastNoise is the least noise of y at a level, in σ of that.
const leastNoise = 1.0 / 1000

// soften takes y to be no better than the level σ asks for: what is drawn there is seen again through noise only a little
// below σ, and the variances that a solve spans, |A|²σ² over that of y, stay what float32 can hold.
// Data of a high signal to noise lose nothing by the end: from σ = 1000 of their noise on they have their own weights,
// and at the last level (σ = 0 here) in any case.
func (k *core) soften(sigma float64) error {
	floor := leastNoise * sigma * leastNoise * sigma
	if floor*float64(slices.Max(k.cfg.Weights.Pix)) <= 1 {
		floor = 0
	}
	if floor == k.floor {
		return nil
	}
	k.floor = floor
	w := k.cfg.Weights.Pix
	if floor > 0 {
		w = slices.Clone(w)
		for i, v := range w {
			w[i] = min(v, float32(1/floor))
		}
	}
	k.setWeights(w)
	if k.beside != nil {
		return k.beside.Weigh(w)
	}
	return nil
}

func (k *core) close() {
	if k.cg != nil {
		k.cg.Close()
	}
	if k.patchCG != nil {
		k.patchCG.Close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}

// part is scenes lo to hi of t, made once.
func (k *core) part(t *engine.Tensor, lo, hi int) *engine.Tensor {
	if lo == 0 && hi == t.Shape()[0] {
		return t
	}
	return k.view(cutKey{t, lo, hi}, func() *engine.Tensor { return t.Slice(lo, hi) })
}

// score writes the prior's score of the first n scenes of x, one at a time, so that a
// cancelled run stops between two calls of a network.
func (k *core) score(ctx context.Context, dst, x *engine.Tensor, n int, sigma float64) error {
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		k.cfg.Prior.Score(k.s, k.part(dst, i, i+1), k.part(x, i, i+1), sigma)
		if f, ok := k.cfg.Prior.(interface{ Err() error }); ok {
			if err := f.Err(); err != nil {
				return fmt.Errorf("anneal: prior: %w", err)
			}
		}
	}
	k.calls++
	return k.s.Err()
}

// denoise leaves D(x, σ) in m and the score in sc.
func (k *core) denoise(ctx context.Context, m, x *engine.Tensor, sigma float64) error {
	if err := k.score(ctx, k.sc, x, k.n, sigma); err != nil {
		return err
	}
	k.s.Scale(m, float32(sigma*sigma), k.sc)
	k.s.Add(m, m, x)
	return nil
}

// normals fills n slices of t from key, one child each.
func (k *core) normals(t *engine.Tensor, n int, key engine.Key) {
	for i := range n {
		k.cfg.White.Fill(k.s, k.part(t, i, i+1), key.Fold(uint64(i)))
	}
}

// filter multiplies by a real function of the modes.
func (k *core) filter(dst, src, f *engine.Tensor) {
	spec := k.part(k.spec, 0, src.Shape()[0])
	k.s.RFFT2(spec, src)
	k.s.CScale(spec, spec, f)
	k.s.IRFFT2(dst, spec)
}

// weigh leaves N⁻¹ r in wx: w r, or with columns beside the scene, which are integrated
// out, what solvers.Nuisance makes of it. w are the weights that beside has.
func (k *core) weigh(wx, r, w *engine.Tensor) {
	k.s.Mul(wx, r, w)
	if k.beside != nil {
		k.beside.Weighted(k.s, wx, nil)
	}
}

// whiten leaves N^-½ r in dst, whose noise is white; with columns beside the scene that
// takes them out as solvers.Nuisance does. dst is not r.
func (k *core) whiten(dst, r *engine.Tensor) {
	k.s.Mul(dst, r, k.rootW)
	if k.beside != nil {
		k.beside.Root(k.s, dst)
	}
}

// whitenTransposed is its transpose.
func (k *core) whitenTransposed(dst, v *engine.Tensor) {
	if k.beside != nil {
		k.s.Copy(dst, v)
		k.beside.Root(k.s, dst)
		v = dst
	}
	k.s.Mul(dst, v, k.rootW)
}

// noise fills n images of t with draws of N(0, N⁻¹).
func (k *core) noise(t *engine.Tensor, n int, key engine.Key) {
	k.normals(t, n, key)
	k.s.Mul(t, t, k.rootW)
	if k.beside != nil {
		amplitudes := key.Fold(1 << 32)
		k.beside.Weighted(k.s, t, &amplitudes)
	}
}

// residual leaves A x − y in ax and N⁻¹ (A x − y) in wx.
func (k *core) residual(x *engine.Tensor, w *engine.Tensor) (ax, wx *engine.Tensor) {
	n := x.Shape()[0]
	ax, wx = k.part(k.ax, 0, n), k.part(k.wx, 0, n)
	k.op.Forward(k.s, ax, x)
	k.s.Sub(ax, ax, k.y)
	k.weigh(wx, ax, w)
	return ax, wx
}

// likelihoodGradient writes Aᵀ N⁻¹ (y − A x).
func (k *core) likelihoodGradient(dst, x, w *engine.Tensor) {
	_, wx := k.residual(x, w)
	k.op.Adjoint(k.s, dst, wx)
	k.s.Scale(dst, -1, dst)
}

// setMass makes T = M^-½ diagonal in Fourier space, M = 1/(P + σ²) + |A|² w̄, with w̄
// the mean weight under a likelihood of noise N + extra².
func (k *core) setMass(sigma, extra float64) {
	w := k.meanW / (1 + k.meanW*extra*extra)
	for i, p := range k.cfg.Power {
		k.modes[i] = float32(1 / math.Sqrt(1/(p+sigma*sigma)+k.cfg.Gain[i]*w))
	}
	k.s.Upload(k.root, k.modes)
	k.s.Fill(k.scale, 1)
	k.sigma = 1
}

// spread does dst = T z, T = σ S F^½; gather is its transpose.
func (k *core) spread(dst, z *engine.Tensor) {
	k.filter(dst, z, k.root)
	k.s.Mul(dst, dst, k.scale)
	if k.sigma != 1 {
		k.s.Scale(dst, float32(k.sigma), dst)
	}
}

func (k *core) gather(dst, x *engine.Tensor) {
	k.s.Mul(dst, x, k.scale)
	k.filter(dst, dst, k.root)
	if k.sigma != 1 {
		k.s.Scale(dst, float32(k.sigma), dst)
	}
}

// Solves of the Gaussian steps. A draw has unit variance in z: the residual is brought
// below a tenth of that, whatever the signal to noise, and below 2 % in any case.
const (
	solveIterations = 150
	solveTol        = 2e-2
	solveError      = 0.1
)

// tolerance is the relative residual at which the solve of rhs may stop.
func (k *core) tolerance(rhs *engine.Tensor) float64 {
	s, n := k.s, rhs.Shape()[0]
	t, num := k.part(k.u, 0, n), k.part(k.num, 0, n)
	k.filter(t, rhs, k.condition)
	s.Dot(num, t, rhs)
	s.Download(k.host[:n], num)
	worst := 0.0
	for _, v := range k.host[:n] {
		worst = math.Max(worst, float64(v))
	}
	want := solveError * math.Sqrt(float64(k.dom.Len()))
	return math.Max(1e-6, math.Min(solveTol, want/math.Sqrt(math.Max(worst, 1e-300))))
}

// draw leaves in dst draws of x0 ~ N(m, T Tᵀ) conditioned on the data:
//
//	x0 = m + T z,  (1 + TᵀAᵀwA T) z = TᵀAᵀ(w (y − A m) + √w η) + ξ,
//
// with white η, ξ (Papandreou & Yuille 2010); key nil leaves them out and gives the
// mean. It works on the scenes of m, at most n; dst is not m.
func (k *core) draw(ctx context.Context, dst, m *engine.Tensor, key *engine.Key) (optim.Result, error) {
	s, n := k.s, m.Shape()[0]
	k.setCondition()
	ax, wx := k.residual(m, k.w)
	s.Scale(wx, -1, wx)
	rhs, u, t := k.part(k.rhs, 0, n), k.part(k.u, 0, n), k.part(k.t, 0, n)
	if key != nil {
		k.noise(ax, n, key.Fold(1))
		s.Add(wx, wx, ax)
	}
	k.op.Adjoint(s, t, wx)
	k.gather(rhs, t)
	if key != nil {
		k.normals(t, n, key.Fold(2))
		s.Add(rhs, rhs, t)
	}
	apply := func(d, src *engine.Tensor) {
		k.spread(t, src)
		k.op.Forward(s, wx, t)
		k.weigh(wx, wx, k.w)
		k.op.Adjoint(s, t, wx)
		k.gather(d, t)
		s.Add(d, d, src)
	}
	k.cg.Tol = k.tolerance(rhs)
	res, err := k.cg.Solve(ctx, s, apply, func(d, src *engine.Tensor) { k.filter(d, src, k.condition) }, u, rhs)
	if err != nil {
		return res, err
	}
	k.spread(dst, u)
	s.Add(dst, dst, m)
	return res, nil
}

// setCondition fills 1/(1 + F |A|² w̄ σ² mean(S²)): the solve's inverse were S and w
// constant.
func (k *core) setCondition() {
	s := k.s
	plane := k.part(k.t, 0, 1).Reshape(k.dom...)
	s.Mul(plane, k.scale, k.scale)
	one := k.part(k.num, 0, 1)
	s.Sum(one, plane.Reshape(1, plane.Len()))
	s.Download(k.host[:1], one)
	f := float64(k.host[0]) / float64(k.dom.Len()) * k.sigma * k.sigma * k.meanW
	s.Download(k.modes, k.root)
	for i, r := range k.modes {
		k.modes[i] = float32(1 / (1 + f*float64(r)*float64(r)*k.cfg.Gain[i]))
	}
	s.Upload(k.condition, k.modes)
}

// setPrior makes T T ᵀ = P, the Gaussian stand-in for the prior.
func (k *core) setPrior() {
	for i, p := range k.cfg.Power {
		k.modes[i] = float32(math.Sqrt(p))
	}
	k.s.Upload(k.root, k.modes)
	k.s.Fill(k.scale, 1)
	k.sigma = 1
}

// preview is the mean under the Gaussian stand-in, in the first scene of x.
func (k *core) preview(ctx context.Context, st *solvers.State) error {
	k.setPrior()
	m, x := k.part(k.m, 0, 1), k.part(k.x, 0, 1)
	k.s.Fill(m, 0)
	if _, err := k.draw(ctx, x, m, nil); err != nil {
		return err
	}
	st.X, st.Kind, st.Count = k.x, solvers.Preview, 1
	return k.s.Sync(ctx)
}

// begin draws x from the posterior under the Gaussian stand-in, or takes Start's draws,
// with noise σ.
func (k *core) begin(ctx context.Context, key engine.Key, sigma float64) error {
	start := key.Fold(1)
	if k.cfg.Start != nil {
		if err := k.cfg.Start(ctx, k.s, k.x, start); err != nil {
			return fmt.Errorf("anneal: start: %w", err)
		}
	} else {
		k.setPrior()
		k.s.Fill(k.m, 0)
		if _, err := k.draw(ctx, k.x, k.m, &start); err != nil {
			return err
		}
	}
	k.normals(k.t, k.n, key.Fold(2))
	k.s.Axpy(k.x, float32(sigma), k.t)
	return nil
}

// transition goes from x at σ towards x0 to σ′: the Brownian bridge's step, which keeps (σ′/σ)² of x, or fresh noise.
func (k *core) transition(x, x0 *engine.Tensor, sigma, next float64, keeps bool, key engine.Key) {
	s := k.s
	keep := 0.0
	if keeps {
		keep = (next / sigma) * (next / sigma)
	}
	s.Scale(x, float32(keep), x)
	s.Axpy(x, float32(1-keep), x0)
	if next > 0 {
		k.normals(k.t, k.n, key)
		s.Axpy(x, float32(math.Sqrt(next*next-keep*keep*sigma*sigma)), k.t)
	}
}
