package anneal

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// mover makes Metropolised moves of Hamiltonian Monte Carlo (Betancourt 2017) on
// p_σ(x) N(y; A x, 1/w) in the coordinates z of x = T z, T the kernel's present
// preconditioner: leapfrog steps
//
//	q ← q + ½ε Tᵀg,  x ← x + ε T q,  q ← q + ½ε Tᵀg,  g = ∇log p_σ + Aᵀw(y − A x),
//
// accepted with probability min(1, e^Δ). The prior has no log density; its change is
// the line integral of the score (Remy+2023, sec. 4.2): from x to x′ by Simpson's rule
// on 4 intervals, or, with path, along the leapfrog's own steps by the trapezoid rule,
// which takes no further call of the prior and is exact where the score is linear. The
// step size adapts while adapt is on.
type mover struct {
	k          *core
	sigma, eps float64
	adapt      bool
	fresh      bool // score and gradient at x are not known yet
	path       bool // integrate along the leapfrog's steps
	w          *engine.Tensor

	q, x0, mid   *engine.Tensor // (n, domain)
	score, grad  *engine.Tensor
	s0, g0, back *engine.Tensor
	acc          *engine.Tensor // (n)
	logA         []float64
}

const (
	leapfrogs        = 2
	targetAcceptance = 0.75
	firstStep        = 0.4 // at 16², falling with the fourth root of the dimension
)

func (k *core) newMover() (*mover, error) {
	var err error
	m := &mover{k: k, w: k.w}
	for _, t := range []**engine.Tensor{&m.q, &m.x0, &m.mid, &m.score, &m.grad, &m.s0, &m.g0, &m.back} {
		*t = k.alloc(&err, k.x.Shape())
	}
	m.acc = k.alloc(&err, engine.Shape{k.n})
	m.logA = make([]float64, k.n)
	m.restart()
	return m, err
}

// restart forgets what was adapted: every batch begins alike.
func (m *mover) restart() {
	m.eps = firstStep * math.Pow(256/float64(m.k.dom.Len()), 0.25)
	m.fresh, m.adapt = true, true
}

func (m *mover) gradient(ctx context.Context) error {
	k := m.k
	if err := k.score(ctx, m.score, k.x, k.n, m.sigma); err != nil {
		return err
	}
	k.likelihoodGradient(m.grad, k.x, m.w)
	k.s.Add(m.grad, m.grad, m.score)
	return nil
}

func (m *mover) addDot(f float64, a, b *engine.Tensor) {
	k := m.k
	k.s.Dot(k.num, a, b)
	k.s.Download(k.host, k.num)
	for i, v := range k.host {
		m.logA[i] += f * float64(v)
	}
}

// addEnergy adds f (−½ q² − ½ Σ w (y − A x)²).
func (m *mover) addEnergy(f float64) {
	m.addDot(-0.5*f, m.q, m.q)
	ax, wx := m.k.residual(m.k.x, m.w)
	m.addDot(-0.5*f, ax, wx)
}

// move is one trajectory and its acceptance, scene by scene.
func (m *mover) move(ctx context.Context, key engine.Key, steps int) (solvers.Info, error) {
	k, s := m.k, m.k.s
	if m.fresh {
		if err := m.gradient(ctx); err != nil {
			return solvers.Info{}, err
		}
		m.fresh = false
	}
	k.normals(m.q, k.n, key.Fold(1))
	s.Copy(m.x0, k.x)
	s.Copy(m.s0, m.score)
	s.Copy(m.g0, m.grad)
	clear(m.logA)
	m.addEnergy(-1)
	for range steps {
		m.kick()
		k.spread(k.m, m.q)
		s.Scale(k.m, float32(m.eps), k.m)
		s.Add(k.x, k.x, k.m)
		if m.path {
			m.addDot(0.5, m.score, k.m)
		}
		if err := m.gradient(ctx); err != nil {
			return solvers.Info{}, err
		}
		if m.path {
			m.addDot(0.5, m.score, k.m)
		}
		m.kick()
	}
	m.addEnergy(1)
	if !m.path {
		if err := m.addLineIntegral(ctx); err != nil {
			return solvers.Info{}, err
		}
	}
	mean := m.accept(key.Fold(2))
	if m.adapt {
		m.eps *= math.Exp((mean - targetAcceptance) * 0.8)
		m.eps = min(max(m.eps, 1e-4), 1.2)
	}
	return solvers.Info{Acceptance: mean, StepSize: m.eps}, s.Err()
}

// kick does q ← q + ½ε Tᵀg.
func (m *mover) kick() {
	m.k.gather(m.k.t, m.grad)
	m.k.s.Axpy(m.q, float32(m.eps/2), m.k.t)
}

// addLineIntegral adds ∫ score·dx from x0 to x; the ends are known.
func (m *mover) addLineIntegral(ctx context.Context) error {
	k, s := m.k, m.k.s
	dx := k.m
	s.Sub(dx, k.x, m.x0)
	m.addDot(1.0/12, m.s0, dx)
	m.addDot(1.0/12, m.score, dx)
	for i, weight := range []float64{4, 2, 4} {
		s.Copy(m.mid, m.x0)
		s.Axpy(m.mid, float32(i+1)/4, dx)
		if err := k.score(ctx, m.back, m.mid, k.n, m.sigma); err != nil {
			return err
		}
		m.addDot(weight/12, m.back, dx)
	}
	return nil
}

// accept keeps the new state of a scene with its probability, else goes back, and
// returns the mean probability.
func (m *mover) accept(key engine.Key) float64 {
	k, s := m.k, m.k.s
	var mean float64
	for i, a := range m.logA {
		u := (float64(engine.Philox(key.Seed, key.Counter, uint64(i))[0]) + 0.5) / (1 << 32)
		prob := 0.0
		if !math.IsNaN(a) {
			prob = math.Exp(math.Min(0, a))
		}
		mean += prob / float64(len(m.logA))
		k.host[i] = 0
		if u >= prob {
			k.host[i] = 1
		}
	}
	s.Upload(m.acc, k.host)
	back := func(now, before *engine.Tensor) {
		s.Sub(m.back, before, now)
		s.AxpyBy(now, 1, m.acc, nil, m.back)
	}
	back(k.x, m.x0)
	back(m.score, m.s0)
	back(m.grad, m.g0)
	return mean
}

// leastEnsemble is the smallest batch whose own spread shapes the moves.
const leastEnsemble = 4

// setEnsemble makes T from the batch itself: S the smoothed standard deviation of its
// draws, F the spectrum of what remains. A batch of fewer than four takes the mass of
// the Gaussian stand-in.
func (k *core) setEnsemble(l *local, sigma float64) {
	if k.n < leastEnsemble || l == nil {
		k.setMass(sigma, 0)
		return
	}
	s, n := k.s, k.n
	mean := k.part(k.u, 0, 1).Reshape(k.dom...)
	s.SumLeading(mean, k.x)
	s.Scale(mean, 1/float32(n), mean)
	s.Sub(k.m, k.x, mean)
	s.Mul(k.t, k.m, k.m)
	k.setScale(l, k.t, n-1)
	s.Clamp(k.scale, k.scale, float32(sigma), math.MaxFloat32)
	// whitened deviations and their power, against white noise of the same number
	s.Div(k.m, k.m, k.scale)
	s.RFFT2(k.spec, k.m)
	host := make([]float32, k.spec.Len())
	s.Download(host, k.spec)
	k.setPower(host, n)
	k.sigma = 1
}

// setPower sets F^½ from the power of spectra (n, C, H, W/2+1, 2), in rings.
func (k *core) setPower(spec []float32, n int) {
	modes := len(k.rings.log)
	one := make([]float64, modes)
	for i := range one {
		one[i] = 1
	}
	for c := range k.rings.planes {
		num := make([]float64, modes)
		for i := range n {
			at := 2 * modes * (i*k.rings.planes + c)
			for j := range modes {
				re, im := float64(spec[at+2*j]), float64(spec[at+2*j+1])
				num[j] += re*re + im*im
			}
		}
		ring := k.rings.average(num, one)
		top := 0.0
		for _, v := range ring {
			if !math.IsNaN(v) {
				top = math.Max(top, v)
			}
		}
		k.rings.fill(k.modes[c*modes:(c+1)*modes], ring, math.Max(top*leastF, 1e-30))
	}
	k.s.Upload(k.root, k.modes)
}
