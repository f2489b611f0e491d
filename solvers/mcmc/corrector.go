package mcmc

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// corrector makes Metropolised moves of Hamiltonian Monte Carlo (Betancourt
// 2017) on the density p_σmin(x) N(y; H x, N): leapfrog steps with gradient
//
//	∇log p_σ(x) + Hᵀ w (y − H x),
//
// a mass matrix diagonal in Fourier space, 1/P + |H|² w̄, and an acceptance that
// needs no log density of the prior: its change is the line integral of the score
// from x to x′ (Simpson's rule on 4 intervals). The step size adapts to an
// acceptance of target by batch mean, within the moves of the first batch only;
// later batches keep it.
type corrector struct {
	k     *Bridge
	sigma float64
	eps   float64
	fixed bool // the step size no longer adapts
	moves int
	fresh bool // score at x is not known yet

	invMass, rootMass *engine.Tensor // (C, H, W/2+1), data unit
	mom, x0, xi       *engine.Tensor // (batch, C, H, W)
	score, grad       *engine.Tensor // at x
	s0, g0            *engine.Tensor // at x0
	res               *engine.Tensor // weighted residual scratch
	spec              *engine.Tensor
	num, acc          *engine.Tensor // (batch)
	host              []float32
	logA              []float64
	all               []*engine.Tensor
}

const (
	leapfrogs        = 2
	targetAcceptance = 0.75
	firstStep        = 0.4
)

func newCorrector(dev engine.Device, s engine.Stream, k *Bridge) (*corrector, error) {
	g := k.op.Grid
	c := &corrector{k: k, sigma: k.cfg.SigmaMin, eps: firstStep * math.Pow(256/float64(g.Domain().Len()), 0.25)}
	half, scenes := engine.Shape{g.C, g.H, g.W/2 + 1}, k.x.Shape()
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&c.invMass, half},
		{&c.rootMass, half},
		{&c.mom, scenes},
		{&c.x0, scenes},
		{&c.xi, scenes},
		{&c.score, scenes},
		{&c.grad, scenes},
		{&c.s0, scenes},
		{&c.g0, scenes},
		{&c.res, scenes},
		{&c.spec, scenes.Spectrum()},
		{&c.num, scenes[:1]},
		{&c.acc, scenes[:1]},
	} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			c.close()
			return nil, err
		}
		*a.t = t
		c.all = append(c.all, t)
	}
	c.host, c.logA = make([]float32, scenes[0]), make([]float64, scenes[0])
	c.setMass(s)
	return c, s.Err()
}

// setMass fills 1/M and √M, M = 1/(P + σ²) + |H|² w̄ with w̄ the mean weight over
// the image.
func (c *corrector) setMass(s engine.Stream) {
	k := c.k
	var w float64
	for _, v := range k.cfg.Weights.Pix {
		w += float64(v) / float64(len(k.cfg.Weights.Pix))
	}
	h2 := make([]float32, c.invMass.Len())
	s.Download(h2, k.cond.h2)
	inv, root := make([]float32, len(h2)), make([]float32, len(h2))
	for i, p := range k.cfg.Power {
		m := 1/(p+c.sigma*c.sigma) + float64(h2[i])*w
		inv[i], root[i] = float32(1/m), float32(math.Sqrt(m))
	}
	s.Upload(c.invMass, inv)
	s.Upload(c.rootMass, root)
}

// restart tells that x is a new batch.
func (c *corrector) restart() {
	if c.moves > 0 {
		c.fixed = true
	}
	c.fresh = true
}

// gradient leaves the prior's score at x in score and the full gradient in grad.
func (c *corrector) gradient(x *engine.Tensor) {
	s, k := c.k.stream, c.k
	k.cfg.Prior.Score(s, c.score, x, c.sigma)
	c.residual(x)
	s.RFFT2(c.spec, c.res)
	s.CMulConj(c.spec, c.spec, k.op.Transfer)
	s.IRFFT2(c.grad, c.spec)
	s.Scale(c.grad, float32(1/k.unit), c.grad)
	s.Add(c.grad, c.grad, c.score)
}

// residual leaves w (y − H x)/unit in res, normalised weights.
func (c *corrector) residual(x *engine.Tensor) {
	s, k := c.k.stream, c.k
	s.RFFT2(c.spec, x)
	s.CMul(c.spec, c.spec, k.op.Transfer)
	s.IRFFT2(c.res, c.spec)
	s.Scale(c.res, float32(-1/k.unit), c.res)
	s.Add(c.res, c.res, k.y)
	s.Mul(c.res, c.res, k.w)
}

// addDot adds f·Σ a b per scene to the log acceptance.
func (c *corrector) addDot(f float64, a, b *engine.Tensor) {
	s := c.k.stream
	s.Dot(c.num, a, b)
	s.Download(c.host, c.num)
	for i, v := range c.host {
		c.logA[i] += f * float64(v)
	}
}

// addEnergy adds f·(−½ pᵀM⁻¹p − ½ Σ w (y − H x)²) at the present x and momentum.
func (c *corrector) addEnergy(f float64, x *engine.Tensor) {
	s, k := c.k.stream, c.k
	s.RFFT2(c.spec, c.mom)
	s.CScale(c.spec, c.spec, c.invMass)
	s.IRFFT2(c.res, c.spec)
	c.addDot(-0.5*f, c.mom, c.res)
	c.residual(x) // w r; need Σ w r² = Σ (w r) r
	s.RFFT2(c.spec, x)
	s.CMul(c.spec, c.spec, k.op.Transfer)
	s.IRFFT2(c.xi, c.spec)
	s.Scale(c.xi, float32(-1/k.unit), c.xi)
	s.Add(c.xi, c.xi, k.y)
	c.addDot(-0.5*f, c.res, c.xi)
}

// move is one trajectory of leapfrog steps and its acceptance, scene by scene.
func (c *corrector) move(ctx context.Context, key engine.Key) (solvers.Info, error) {
	s, k, n := c.k.stream, c.k, c.k.cfg.Batch
	if c.fresh {
		c.gradient(k.x)
		c.fresh = false
	}
	for i := range n {
		s.Normal(c.xi.Slice(i, i+1), key.Fold(uint64(i)))
	}
	s.RFFT2(c.spec, c.xi)
	s.CScale(c.spec, c.spec, c.rootMass)
	s.IRFFT2(c.mom, c.spec)
	s.Copy(c.x0, k.x)
	s.Copy(c.s0, c.score)
	s.Copy(c.g0, c.grad)
	clear(c.logA)
	c.addEnergy(-1, k.x)
	for range leapfrogs {
		if err := ctx.Err(); err != nil {
			return solvers.Info{}, err
		}
		s.Axpy(c.mom, float32(c.eps/2), c.grad)
		s.RFFT2(c.spec, c.mom)
		s.CScale(c.spec, c.spec, c.invMass)
		s.IRFFT2(c.res, c.spec)
		s.Axpy(k.x, float32(c.eps), c.res)
		c.gradient(k.x)
		s.Axpy(c.mom, float32(c.eps/2), c.grad)
	}
	c.addEnergy(1, k.x)
	c.addLineIntegral()
	mean := c.accept(key.Fold(1 << 40))
	c.moves++
	if !c.fixed {
		c.eps *= math.Exp((mean - targetAcceptance) * 0.8)
		c.eps = min(max(c.eps, 1e-3), 1.2)
	}
	return solvers.Info{Acceptance: mean, StepSize: c.eps}, s.Err()
}

// addLineIntegral adds ∫ score·dx from x0 to x by Simpson's rule on 4 intervals;
// the scores at the ends are known.
func (c *corrector) addLineIntegral() {
	s, k := c.k.stream, c.k
	s.Sub(c.res, k.x, c.x0) // dx, kept in res
	c.addDot(1.0/12, c.s0, c.res)
	c.addDot(1.0/12, c.score, c.res)
	for i, weight := range []float64{4, 2, 4} {
		s.Copy(c.xi, c.x0)
		s.Axpy(c.xi, float32(i+1)/4, c.res)
		k.cfg.Prior.Score(s, k.t, c.xi, c.sigma)
		c.addDot(weight/12, k.t, c.res)
	}
}

// accept keeps the new state of a scene with its probability, else goes back,
// and returns the mean acceptance probability.
func (c *corrector) accept(key engine.Key) float64 {
	s, k := c.k.stream, c.k
	var mean float64
	for i, a := range c.logA {
		u := (float64(engine.Philox(key.Seed, key.Counter, uint64(i))[0]) + 0.5) / (1 << 32)
		prob := 0.0
		if !math.IsNaN(a) {
			prob = math.Exp(math.Min(0, a))
		}
		mean += prob / float64(len(c.logA))
		c.host[i] = 0
		if u >= prob {
			c.host[i] = 1 // back
		}
	}
	s.Upload(c.acc, c.host)
	back := func(now, before *engine.Tensor) {
		s.Sub(k.t, before, now)
		s.AxpyBy(now, 1, c.acc, nil, k.t)
	}
	back(k.x, c.x0)
	back(c.score, c.s0)
	back(c.grad, c.g0)
	return mean
}

func (c *corrector) close() {
	for _, t := range c.all {
		t.Free()
	}
	c.all = nil
}
