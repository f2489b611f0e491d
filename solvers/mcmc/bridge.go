package mcmc

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// Bridge draws posterior samples with a prior known by its score at every noise
// level. It walks from σ_max to σ_min, log-spaced, from x ~ N(0, P + σ_max²). At
// each level the prior seen from x is taken as Gaussian about the denoised image,
// with the covariance it would have if the prior were N(0, P):
//
//	m = x + σ² ∇log p_σ(x),  C = σ² P/(P + σ²) in Fourier space,
//	x0 ~ N(m, C) conditioned on the data, exactly (see conditional),
//	x ← x − τ (x − x0) + σ′ √τ ε,  τ = 1 − (σ′/σ)²,
//
// the last line being the transition of a Brownian bridge from x at σ to x0 at 0
// (the reverse process of Song+2021 given its end). With a Gaussian prior of
// spectrum P the draws are exact; with others the Gaussian step is an
// approximation whose error the corrector removes: Moves of Hamiltonian Monte
// Carlo at σ_min (see corrector).
//
// Every Step is one level, or one move; the step that completes the draws says
// so. Then a new batch starts.
type Bridge struct {
	cfg    BridgeConfig
	op     *operator.Convolution
	stream engine.Stream
	cond   *conditional
	hmc    *corrector
	sigmas []float64
	unit   float64

	y, w          *engine.Tensor // (C, H, W) on the grid: data over unit; weights ≤ 1
	p, power      *engine.Tensor // (C, H, W/2+1) P over unit²; C over unit²
	rootStart     *engine.Tensor // (C, H, W/2+1) √(P + σ_max²)
	x, m, t       *engine.Tensor // (batch, C, H, W), data unit
	spec          *engine.Tensor // (batch, C, H, W/2+1, 2)
	host, scratch []float32
	all           []*engine.Tensor
	state         solvers.State
	level         int // next level; len(sigmas) and above: corrector moves
}

// BridgeConfig is what Bridge needs. Data and Weights are (C, H, W) on the image.
type BridgeConfig struct {
	Data, Weights solvers.Image
	Prior         priors.Prior
	Power         []float64 // (C, H, W/2+1) P(k) on the grid, (data unit)²
	SigmaMax      float64   // data unit; default 20 √(mean P)
	SigmaMin      float64   // data unit; default .02 √(mean P)
	Levels        int       // T; default 32
	Moves         int       // of the corrector; default 10
	NoMoves       bool      // leave the corrector out
	Batch         int       // draws at a time; 0: chosen from the size
	Tol           float64   // of the conditional solves; default 1e-2
}

// Defaults of Bridge: 32 levels and 10 moves take 83 calls of the prior.
const (
	defaultLevels   = 32
	defaultMoves    = 10
	defaultSigmaTop = 20.0
	defaultSigmaEnd = 0.02
)

// NewBridge allocates the kernel.
func NewBridge(dev engine.Device, op *operator.Convolution, cfg BridgeConfig) (*Bridge, error) {
	var mean float64
	for _, v := range cfg.Power {
		mean += v / float64(len(cfg.Power))
	}
	setDefault := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	setDefault(&cfg.SigmaMax, defaultSigmaTop*math.Sqrt(mean))
	setDefault(&cfg.SigmaMin, defaultSigmaEnd*math.Sqrt(mean))
	setDefault(&cfg.Tol, defaultDrawTol)
	if cfg.Levels == 0 {
		cfg.Levels = defaultLevels
	}
	if cfg.Moves == 0 && !cfg.NoMoves {
		cfg.Moves = defaultMoves
	}
	if cfg.Batch == 0 {
		cfg.Batch = DrawsPerStep(op.Domain())
	}
	k := &Bridge{cfg: cfg, op: op, stream: dev.NewStream()}
	for i := range cfg.Levels {
		f := float64(i) / float64(cfg.Levels-1)
		k.sigmas = append(k.sigmas, cfg.SigmaMax*math.Pow(cfg.SigmaMin/cfg.SigmaMax, f))
	}
	if err := k.build(dev); err != nil {
		k.Close()
		return nil, fmt.Errorf("mcmc: bridge on a %d×%d grid: %w", op.H, op.W, err)
	}
	return k, nil
}

func (k *Bridge) build(dev engine.Device) error {
	g, s := k.op.Grid, k.stream
	w, unit := commonUnit(g, k.cfg.Weights)
	k.unit = unit
	var err error
	if k.cond, err = newConditional(dev, s, k.op, w, k.cfg.Batch); err != nil {
		return err
	}
	half := engine.Shape{g.C, g.H, g.W/2 + 1}
	scenes := engine.Shape{k.cfg.Batch, g.C, g.H, g.W}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.y, g.Domain()},
		{&k.w, g.Domain()},
		{&k.p, half},
		{&k.power, half},
		{&k.rootStart, half},
		{&k.x, scenes},
		{&k.m, scenes},
		{&k.t, scenes},
		{&k.spec, scenes.Spectrum()},
	} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			return err
		}
		k.all = append(k.all, *a.t)
	}
	y := g.Embed(k.cfg.Data)
	for i := range y.Pix {
		y.Pix[i] = float32(float64(y.Pix[i]) / unit)
	}
	k.host, k.scratch = make([]float32, half.Len()), make([]float32, half.Len())
	for i, v := range k.cfg.Power {
		k.host[i] = float32(v / (unit * unit))
		k.scratch[i] = float32(math.Sqrt(v + k.cfg.SigmaMax*k.cfg.SigmaMax))
	}
	s.Upload(k.y, y.Pix)
	s.Upload(k.w, w.Pix)
	s.Upload(k.p, k.host)
	s.Upload(k.rootStart, k.scratch)
	if k.cfg.Moves > 0 {
		if k.hmc, err = newCorrector(dev, s, k); err != nil {
			return err
		}
	}
	return s.Sync(context.Background())
}

// commonUnit puts weights on the grid over the largest of all bands.
func commonUnit(g operator.Grid, weights solvers.Image) (solvers.Image, float64) {
	w := g.Embed(weights)
	top := float32(0)
	for _, v := range w.Pix {
		top = max(top, v)
	}
	for i, v := range w.Pix {
		w.Pix[i] = v / top
	}
	return w, 1 / math.Sqrt(float64(top))
}

// Init starts a batch; x0 is not used: the walk begins at noise.
func (k *Bridge) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.level = 0
	k.state = solvers.State{Stream: k.stream, X: k.x}
	return &k.state, k.stream.Err()
}

// Step walks one level or makes one move of the corrector.
func (k *Bridge) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	st.X, st.Kind, st.Count = k.x, solvers.Warmup, k.cfg.Batch
	var info solvers.Info
	var err error
	if k.level == 0 {
		k.begin(key.Fold(0))
	}
	if k.level < len(k.sigmas) {
		info, err = k.walk(ctx, key.Fold(1))
	} else {
		info, err = k.hmc.move(ctx, key.Fold(2))
	}
	if err != nil {
		return info, err
	}
	k.level++
	if k.level == len(k.sigmas)+k.cfg.Moves {
		st.Kind, k.level = solvers.Draw, 0
	}
	return info, k.stream.Sync(ctx)
}

// begin draws x ~ N(0, P + σ_max²).
func (k *Bridge) begin(key engine.Key) {
	s := k.stream
	for i := range k.cfg.Batch {
		s.Normal(k.x.Slice(i, i+1), key.Fold(uint64(i)))
	}
	s.RFFT2(k.spec, k.x)
	s.CScale(k.spec, k.spec, k.rootStart)
	s.IRFFT2(k.x, k.spec)
	if k.hmc != nil {
		k.hmc.restart()
	}
}

// walk goes from level σ to the next; the last level ends in its x0.
func (k *Bridge) walk(ctx context.Context, key engine.Key) (solvers.Info, error) {
	s, sigma := k.stream, k.sigmas[k.level]
	last, next := k.level+1 == len(k.sigmas), 0.0
	if !last {
		next = k.sigmas[k.level+1]
	}
	// m = x + σ² score, in the data unit
	k.cfg.Prior.Score(s, k.m, k.x, sigma)
	s.Scale(k.m, float32(sigma*sigma), k.m)
	s.Add(k.m, k.m, k.x)
	k.setBridgePower(sigma / k.unit)
	// w (y − H m), in normalised units
	s.RFFT2(k.spec, k.m)
	s.CMul(k.spec, k.spec, k.op.Transfer)
	s.IRFFT2(k.t, k.spec)
	s.Scale(k.t, float32(-1/k.unit), k.t)
	s.Add(k.t, k.t, k.y)
	s.Mul(k.t, k.t, k.w)
	draw := func(i int) engine.Key { return key.Fold(uint64(i)) }
	res, err := k.cond.draw(ctx, k.cfg.Batch, k.t, draw, k.cfg.Tol)
	if err != nil {
		return solvers.Info{}, err
	}
	s.Axpy(k.m, float32(k.unit), k.cond.view(k.cfg.Batch).x) // x0
	// x ← (1 − τ) x + τ x0 + σ′ √τ ε
	tau := 1 - (next/sigma)*(next/sigma)
	s.Scale(k.x, float32(1-tau), k.x)
	s.Axpy(k.x, float32(tau), k.m)
	if !last {
		for i := range k.cfg.Batch {
			s.Normal(k.t.Slice(i, i+1), key.Fold(uint64(1<<32+i)))
		}
		s.Axpy(k.x, float32(next*math.Sqrt(tau)), k.t)
	}
	return solvers.Info{Iterations: res.Iterations, Residual: res.Residual}, nil
}

// setBridgePower sets C = σ²P/(P + σ²), σ in normalised units.
func (k *Bridge) setBridgePower(sigma float64) {
	for i, p := range k.host {
		k.scratch[i] = float32(sigma * sigma * float64(p) / (float64(p) + sigma*sigma))
	}
	k.stream.Upload(k.power, k.scratch)
	k.cond.setPower(k.power)
}

// References are keys of assets/references.bib.
func (k *Bridge) References() []string {
	refs := []string{"Song2021", "PapandreouYuille2010"}
	if k.cfg.Moves > 0 {
		refs = append(refs, "Betancourt2017")
	}
	return append(refs, k.cfg.Prior.References()...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *Bridge) Close() {
	if k.cond != nil {
		k.cond.close()
	}
	if k.hmc != nil {
		k.hmc.close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}
