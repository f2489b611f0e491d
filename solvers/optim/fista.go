package optim

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
)

// FISTA is the accelerated proximal gradient method (Beck & Teboulle 2009, SIAM J.
// Imaging Sci. 2, 183, eq. 4.1–4.3) for the maximum of the posterior
//
//	min_x ½ Σ w (y − A x)² − log p(x),
//	x⁺ = prox_{t(−log p)}(v + t Aᵀ w (y − A v)),   t = 1/‖AᵀwA‖,
//	v⁺ = x⁺ + (τ−1)/τ′ (x⁺ − x),  τ′ = (1 + √(1+4τ²))/2,
//
// with the momentum dropped whenever it points uphill (O'Donoghue & Candès 2015,
// gradient scheme), which keeps the iteration from oscillating. p is any prior with a
// proximal map, A any operator. ‖AᵀwA‖ is found by power iteration and enlarged by 2 %.
//
// Its result is one estimate, the mode of the posterior: it has no uncertainty.
type FISTA struct {
	op     solvers.Operator
	cfg    FISTAConfig
	prior  priors.Proxer
	stream engine.Stream

	y, w, r  *engine.Tensor // (C, H, W)
	x, v, g  *engine.Tensor // (1, C, Hx, Wx)
	old      *engine.Tensor
	num, den *engine.Tensor // (1)
	host     []float32
	all      []*engine.Tensor
	step     float64
	tau      float64
	state    solvers.State
}

// FISTAConfig is what FISTA needs. Data and Weights are (C, H, W).
type FISTAConfig struct {
	Data, Weights solvers.Image
	Prior         priors.Proxer
	References    []string // of the prior, keys of assets/references.bib
	// Tol ends the iteration when a step changes x by less than this share of its
	// norm; default 1e-5. Negative: never.
	Tol float64
	// Stream is the stream the prior works on; nil: a new one.
	Stream engine.Stream
}

const defaultFISTATol = 1e-5

// NewFISTA allocates the kernel and finds the step.
func NewFISTA(dev engine.Device, op solvers.Operator, cfg FISTAConfig) (*FISTA, error) {
	if cfg.Tol == 0 {
		cfg.Tol = defaultFISTATol
	}
	k := &FISTA{op: op, cfg: cfg, prior: cfg.Prior, stream: cfg.Stream, host: make([]float32, 1)}
	if k.stream == nil {
		k.stream = dev.NewStream()
	}
	scene := append(engine.Shape{1}, op.Domain()...)
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.y, op.Range()},
		{&k.w, op.Range()},
		{&k.r, op.Range()},
		{&k.x, scene},
		{&k.v, scene},
		{&k.g, scene},
		{&k.old, scene},
		{&k.num, scene[:1]},
		{&k.den, scene[:1]},
	} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			k.Close()
			return nil, fmt.Errorf("optim: proximal gradient on %v: %w", op.Domain(), err)
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	k.stream.Upload(k.y, cfg.Data.Pix)
	k.stream.Upload(k.w, cfg.Weights.Pix)
	norm := k.powerIteration()
	if err := k.stream.Err(); err != nil {
		k.Close()
		return nil, err
	}
	if !(norm > 0) {
		k.Close()
		return nil, fmt.Errorf("optim: proximal gradient: the data say nothing about the scene (every weight is 0)")
	}
	k.step = 1 / (1.02 * norm)
	return k, nil
}

// SetData replaces the data, for risk estimates; shape as before.
func (k *FISTA) SetData(pix []float32) { k.stream.Upload(k.y, pix) }

// Estimate is the present x, (1, C, H, W), the kernel's own.
func (k *FISTA) Estimate() *engine.Tensor { return k.x }

// powerIterations were measured to give the norm of blurs to .5 %.
const powerIterations = 24

// powerIteration is the largest eigenvalue of AᵀwA.
func (k *FISTA) powerIteration() float64 {
	s := k.stream
	s.Uniform(k.v, engine.NewKey(0x5eed)) // positive, as the leading vector of a blur is
	value := 0.0
	for range powerIterations {
		k.scalar(k.v, k.v)
		n := math.Sqrt(float64(k.host[0]))
		if n == 0 || math.IsNaN(n) {
			return 0
		}
		s.Scale(k.v, float32(1/n), k.v)
		k.op.Forward(s, k.r, k.v.Reshape(k.op.Domain()...))
		s.Mul(k.r, k.r, k.w)
		k.op.Adjoint(s, k.g.Reshape(k.op.Domain()...), k.r)
		k.scalar(k.v, k.g)
		value = float64(k.host[0])
		s.Copy(k.v, k.g)
	}
	return value
}

func (k *FISTA) scalar(a, b *engine.Tensor) float64 {
	k.stream.Dot(k.num, a, b)
	k.stream.Download(k.host, k.num)
	return float64(k.host[0])
}

// Init starts from x0, or from nothing.
func (k *FISTA) Init(_ context.Context, x0 *engine.Tensor) (*solvers.State, error) {
	s := k.stream
	s.Fill(k.x, 0)
	if x0 != nil {
		s.Copy(k.x, x0)
	}
	s.Copy(k.v, k.x)
	k.tau = 1
	k.state = solvers.State{Stream: s, X: k.x}
	return &k.state, s.Err()
}

// Step is one iteration.
func (k *FISTA) Step(ctx context.Context, _ engine.Key, st *solvers.State) (solvers.Info, error) {
	s, d := k.stream, k.op.Domain()
	k.op.Forward(s, k.r, k.v.Reshape(d...))
	s.Sub(k.r, k.y, k.r)
	s.Mul(k.r, k.r, k.w)
	k.op.Adjoint(s, k.g.Reshape(d...), k.r)
	s.Scale(k.g, float32(k.step), k.g)
	s.Add(k.g, k.g, k.v)
	s.Copy(k.old, k.x)
	k.prior.Prox(s, k.x, k.g, k.step)
	// momentum; uphill if (v − x⁺)·(x⁺ − x) > 0
	s.Sub(k.g, k.v, k.x)
	s.Sub(k.old, k.x, k.old) // x⁺ − x
	uphill := k.scalar(k.g, k.old) > 0
	change, size := k.scalar(k.old, k.old), k.scalar(k.x, k.x)
	if uphill {
		k.tau = 1
	}
	next := (1 + math.Sqrt(1+4*k.tau*k.tau)) / 2
	s.Copy(k.v, k.x)
	s.Axpy(k.v, float32((k.tau-1)/next), k.old)
	k.tau = next
	st.X, st.Kind, st.Count = k.x, solvers.Estimate, 1
	rel := math.Sqrt(change / math.Max(size, 1e-300))
	if math.IsNaN(rel) {
		return solvers.Info{}, fmt.Errorf("optim: proximal gradient met NaN")
	}
	return solvers.Info{Residual: rel, StepSize: k.step, Done: rel < k.cfg.Tol}, s.Sync(ctx)
}

// References are keys of assets/references.bib.
func (k *FISTA) References() []string {
	return append([]string{"BeckTeboulle2009", "ODonoghueCandes2015"}, k.cfg.References...)
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *FISTA) Close() {
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}
