package mcmc

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/gaussian"
	"limpid/solvers"
)

// LatentHMC is Hamiltonian Monte Carlo (Duane+1987; Betancourt 2017) in the white noise
// z behind a prior x = T(z), z ~ N(0, 1), under y = A x + n with independent normal
// noise:
//
//	−log p(z|y) = ½|z|² + ½ Σ w (y − A T(z))²
//
// Trajectories of leapfrog steps, a mass matrix M diagonal in Fourier space (the
// curvature of the posterior where T is linear: 1 + P(k) w̄), and exact acceptance. z and
// its momentum stay in Fourier space, so that a gradient costs the transforms of A and T
// alone. Chains advance together, each accepted by itself. The step size starts small,
// adapts to the acceptance during warm-up, by all chains alike, and is fixed afterwards;
// every trajectory's is jittered by ±20 %, so that none resonates. Chains start near
// z = 0: the maximum in z is far from where the posterior's mass is, and chains started
// there were measured to stay.
type LatentHMC struct {
	cfg    LatentConfig
	op     solvers.Operator
	prior  SpectralLatent
	stream engine.Stream

	y, w               *engine.Tensor // Range; sources of repetition over the chains
	invMass, rootMass  *engine.Tensor // (C, H, W/2+1)
	kinetic, potential *engine.Tensor // (C, H, W/2+1): mode weight/(N M), mode weight/N
	z, p, dz           *engine.Tensor // (B, C, H, W/2+1, 2)
	z0, dz0, tmp       *engine.Tensor
	x, x0, real        *engine.Tensor // (B, C, H, W)
	ax, r, r0          *engine.Tensor // (B, Range)
	num, keep          *engine.Tensor // (B)
	flat               []flatPair
	all                []*engine.Tensor
	host               []float32
	before, after      []float64
	eps, logEps        float64 // step size; its mean logarithm
	centre, bias       float64 // of dual averaging
	steps              int
	fresh              bool
	state              solvers.State
}

// flatPair is a tensor and what it was before the trajectory.
type flatPair struct{ now, before *engine.Tensor }

// SpectralLatent is a prior x = T(z) that takes the transform of z.
type SpectralLatent interface {
	// FromSpectrum does x = T(z).
	FromSpectrum(s engine.Stream, x, zhat *engine.Tensor)
	// PullbackSpectrum writes the transform of (∂T/∂z)ᵀ g at the z for which x = T(z).
	PullbackSpectrum(s engine.Stream, dzhat, x, g *engine.Tensor)
}

// LatentConfig is what LatentHMC needs.
type LatentConfig struct {
	Data, Weights solvers.Image // the operator's range
	// Power is P of x on the modes (C, H, W/2+1), for the mass matrix.
	Power  []float64
	Chains int // default 2
	Warmup int // trajectories; default 100
	Leaps  int // leapfrog steps of a trajectory; default 8
	Thin   int // a draw is given out after so many trajectories; default 1
	// Step is the first step size, default .03; Target the acceptance it adapts to,
	// default .65.
	Step, Target float64
	// Start is the standard deviation of z at the start; default .1.
	Start float64
}

func (c *LatentConfig) defaults() {
	for _, d := range []struct {
		v *int
		d int
	}{{&c.Chains, 2}, {&c.Warmup, 100}, {&c.Leaps, 8}, {&c.Thin, 1}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	for _, d := range []struct {
		v *float64
		d float64
	}{{&c.Step, 0.03}, {&c.Target, 0.65}, {&c.Start, 0.1}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
}

// NewLatentHMC allocates the kernel; op and prior must take Chains scenes at a time.
func NewLatentHMC(dev engine.Device, op solvers.Operator, prior SpectralLatent, cfg LatentConfig) (*LatentHMC, error) {
	cfg.defaults()
	k := &LatentHMC{cfg: cfg, op: op, prior: prior, stream: dev.NewStream()}
	d := op.Domain()
	if err := k.build(dev); err != nil {
		k.Close()
		return nil, fmt.Errorf("mcmc: Hamiltonian Monte Carlo on a %d×%d grid: %w", d[1], d[2], err)
	}
	return k, nil
}

func (k *LatentHMC) build(dev engine.Device) error {
	d, r, n := k.op.Domain(), k.op.Range(), k.cfg.Chains
	half := engine.Shape{d[0], d[1], d[2]/2 + 1}
	scenes := append(engine.Shape{n}, d...)
	images := append(engine.Shape{n}, r...)
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.y, r},
		{&k.w, r},
		{&k.invMass, half},
		{&k.rootMass, half},
		{&k.kinetic, half},
		{&k.potential, half},
		{&k.z, scenes.Spectrum()},
		{&k.p, scenes.Spectrum()},
		{&k.dz, scenes.Spectrum()},
		{&k.z0, scenes.Spectrum()},
		{&k.dz0, scenes.Spectrum()},
		{&k.tmp, scenes.Spectrum()},
		{&k.x, scenes},
		{&k.x0, scenes},
		{&k.real, scenes},
		{&k.ax, images},
		{&k.r, images},
		{&k.r0, images},
		{&k.num, scenes[:1]},
		{&k.keep, scenes[:1]},
	} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			return err
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	k.flat = []flatPair{{k.z, k.z0}, {k.dz, k.dz0}, {k.x, k.x0}, {k.r, k.r0}}
	k.host = make([]float32, n)
	k.before, k.after = make([]float64, n), make([]float64, n)
	k.stream.Upload(k.y, k.cfg.Data.Pix)
	k.stream.Upload(k.w, k.cfg.Weights.Pix)
	k.setMass(half)
	return k.stream.Err()
}

// setMass fills M = 1 + P w̄, w̄ the mean over the whole grid of the weight that the
// components of the data give each other.
func (k *LatentHMC) setMass(half engine.Shape) {
	d := k.op.Domain()
	pixels := float64(d[1] * d[2])
	var w float64
	for _, v := range k.cfg.Weights.Pix {
		w += float64(v)
	}
	w /= float64(k.op.Range()[0]) * pixels
	inv, root := make([]float32, half.Len()), make([]float32, half.Len())
	kin, pot := make([]float32, half.Len()), make([]float32, half.Len())
	for i := range inv {
		m := 1 + k.cfg.Power[i]*w
		inv[i], root[i] = float32(1/m), float32(math.Sqrt(m))
		share := gaussian.ModeWeight(i%half[2], d[2]) / pixels
		kin[i], pot[i] = float32(share/m), float32(share)
	}
	for _, u := range []struct {
		t *engine.Tensor
		v []float32
	}{{k.invMass, inv}, {k.rootMass, root}, {k.kinetic, kin}, {k.potential, pot}} {
		k.stream.Upload(u.t, u.v)
	}
}

// Init starts new chains. x0 is not used.
func (k *LatentHMC) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.steps, k.fresh, k.bias = 0, true, 0
	k.eps = k.cfg.Step
	k.logEps, k.centre = math.Log(k.eps), math.Log(k.eps)
	k.state = solvers.State{Stream: k.stream, X: k.x}
	return &k.state, k.stream.Err()
}

// Step is one trajectory of every chain.
func (k *LatentHMC) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	st.X, st.Count, st.Kind = k.x, k.cfg.Chains, k.kind()
	info, err := k.trajectory(ctx, key)
	if err != nil {
		return info, err
	}
	k.adapt(info.Acceptance)
	k.steps++
	return info, k.stream.Sync(ctx)
}

// kind is what the next step gives.
func (k *LatentHMC) kind() solvers.StepKind {
	if k.steps < k.cfg.Warmup || (k.steps-k.cfg.Warmup+1)%k.cfg.Thin != 0 {
		return solvers.Warmup
	}
	return solvers.Draw
}

// trajectory moves every chain once, and keeps or takes back the move.
func (k *LatentHMC) trajectory(ctx context.Context, key engine.Key) (solvers.Info, error) {
	s := k.stream
	if k.fresh {
		k.white(k.z, key.Fold(2))
		s.Scale(k.z, float32(k.cfg.Start), k.z)
		k.gradient()
		k.fresh = false
	}
	for _, f := range k.flat {
		s.Copy(f.before, f.now)
	}
	k.white(k.p, key.Fold(0))
	s.CScale(k.p, k.p, k.rootMass)
	k.energy(k.before)
	u := engine.Uniforms(engine.Philox(key.Seed, key.Counter, 1<<50))
	eps := float32(k.eps * (0.8 + 0.4*float64(u[0])))
	for range k.cfg.Leaps {
		if err := ctx.Err(); err != nil {
			k.fresh = true // this trajectory is lost; the next begins anew
			return solvers.Info{}, err
		}
		s.Axpy(k.p, -eps/2, k.dz)
		s.CScale(k.tmp, k.p, k.invMass)
		s.Axpy(k.z, eps, k.tmp)
		k.gradient()
		s.Axpy(k.p, -eps/2, k.dz)
	}
	k.energy(k.after)
	info := k.accept(key.Fold(1))
	info.StepSize = float64(eps)
	return info, s.Err()
}

// white fills the transform of white noise, chain by chain.
func (k *LatentHMC) white(dst *engine.Tensor, key engine.Key) {
	for i := range k.cfg.Chains {
		k.stream.Normal(k.real.Slice(i, i+1), key.Fold(uint64(i)))
	}
	k.stream.RFFT2(dst, k.real)
}

// gradient leaves T(z) in x, its residual in r and the transform of ∇(−log p) in dz.
func (k *LatentHMC) gradient() {
	s := k.stream
	k.prior.FromSpectrum(s, k.x, k.z)
	k.op.Forward(s, k.ax, k.x)
	s.Sub(k.r, k.ax, k.y)
	s.Mul(k.ax, k.r, k.w)
	k.op.Adjoint(s, k.real, k.ax)
	k.prior.PullbackSpectrum(s, k.dz, k.x, k.real)
	s.Axpy(k.dz, 1, k.z)
}

// energy writes ½ pᵀM⁻¹p + ½|z|² + ½ Σ w r² of every chain; r is that of z.
func (k *LatentHMC) energy(dst []float64) {
	s := k.stream
	clear(dst)
	add := func(a, b *engine.Tensor) {
		s.Dot(k.num, a, b)
		s.Download(k.host, k.num)
		for i, v := range k.host {
			dst[i] += 0.5 * float64(v)
		}
	}
	s.CScale(k.tmp, k.p, k.kinetic)
	add(k.tmp, k.p)
	s.CScale(k.tmp, k.z, k.potential)
	add(k.tmp, k.z)
	s.Mul(k.ax, k.r, k.w)
	add(k.ax, k.r)
}

// divergent is the energy error from which a trajectory counts as divergent.
const divergent = 1000

// accept keeps or takes back each chain's trajectory.
func (k *LatentHMC) accept(key engine.Key) solvers.Info {
	s := k.stream
	var info solvers.Info
	for i := range k.host {
		gain := k.before[i] - k.after[i]
		prob := 0.0
		if !math.IsNaN(gain) {
			prob = math.Exp(math.Min(0, gain))
		}
		info.Divergent = info.Divergent || !(gain > -divergent)
		info.Acceptance += prob / float64(len(k.host))
		u := (float64(engine.Philox(key.Seed, key.Counter, uint64(i))[0]) + 0.5) / (1 << 32)
		k.host[i] = 1
		if u >= prob {
			k.host[i] = 0
		}
	}
	for i, v := range k.host {
		if v == 1 {
			continue
		}
		for _, f := range k.flat { // copies, not sums: what is thrown away may be infinite
			s.Copy(f.now.Slice(i, i+1), f.before.Slice(i, i+1))
		}
	}
	return info
}

// adapt moves the step size towards the target acceptance: in the first half of warm-up
// quickly, for the way to where the posterior is takes other steps than the posterior; in
// the second by dual averaging (Nesterov 2009; Hoffman & Gelman 2014, sec. 3.2), whose
// average is kept.
func (k *LatentHMC) adapt(acceptance float64) {
	const gamma, t0, kappa, fast = 0.05, 10, 0.75, 0.3
	half := k.cfg.Warmup / 2
	switch n := k.steps + 1; {
	case n < half:
		k.eps = math.Min(k.eps*math.Exp(fast*(acceptance-k.cfg.Target)), 1)
		k.logEps = math.Log(k.eps)
		k.centre, k.bias = math.Log(1.5*k.eps), 0
	case n < k.cfg.Warmup:
		t := float64(n - half + 1)
		k.bias += (k.cfg.Target - acceptance - k.bias) / (t + t0)
		log := math.Min(k.centre-math.Sqrt(t)/gamma*k.bias, 0)
		eta := math.Pow(t, -kappa)
		k.logEps = eta*log + (1-eta)*k.logEps
		k.eps = math.Exp(log)
	case n == k.cfg.Warmup:
		k.eps = math.Exp(k.logEps)
	}
}

// References are keys of assets/references.bib.
func (k *LatentHMC) References() []string {
	refs := []string{"Betancourt2017", "HoffmanGelman2014"}
	if p, ok := k.prior.(interface{ References() []string }); ok {
		refs = append(refs, p.References()...)
	}
	return refs
}

// Close frees the kernel's tensors, not the operator or the prior.
func (k *LatentHMC) Close() {
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}

// Spectral makes a SpectralLatent of any prior on white noise, at the price of two
// transforms more per gradient. Close frees its scratch.
type Spectral struct {
	priors.Latent
	z, dz *engine.Tensor // (B, C, H, W)
}

// NewSpectral allocates scratch for scenes (B, C, H, W).
func NewSpectral(dev engine.Device, p priors.Latent, scenes engine.Shape) (*Spectral, error) {
	z, err := dev.Alloc(scenes)
	if err != nil {
		return nil, err
	}
	dz, err := dev.Alloc(scenes)
	if err != nil {
		z.Free()
		return nil, err
	}
	return &Spectral{Latent: p, z: z, dz: dz}, nil
}

// FromSpectrum does x = T(z) and remembers z.
func (p *Spectral) FromSpectrum(s engine.Stream, x, zhat *engine.Tensor) {
	s.IRFFT2(p.z, zhat)
	p.FromWhite(s, x, p.z)
}

// PullbackSpectrum uses the z of the last FromSpectrum.
func (p *Spectral) PullbackSpectrum(s engine.Stream, dzhat, _, g *engine.Tensor) {
	p.Pullback(s, p.dz, p.z, g)
	s.RFFT2(dzhat, p.dz)
}

// References of the prior, if it has any.
func (p *Spectral) References() []string {
	if r, ok := p.Latent.(interface{ References() []string }); ok {
		return r.References()
	}
	return nil
}

// Close frees the scratch.
func (p *Spectral) Close() {
	p.z.Free()
	p.dz.Free()
}
