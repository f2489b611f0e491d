package deblend

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"

	"limpid/engine"
	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/summary"
)

// walk is the Hamiltonian Monte Carlo of one group (Betancourt 2017): some chains
// over the coordinates x of a marginal, in z = L⁻¹(x − mode).
type walk struct {
	g      *group
	mode   []float64
	l      []float64 // LLᵀ: the covariance that the metric is made from
	eps    float64
	chains []*chain
	walked *counter
}

// chain is one of them.
type chain struct {
	t        *marginal
	rng      *rand.Rand
	positive bool
	x, grad  []float64 // grad by x
	u        float64   // without what truncation adds
	share    float64   // log of the share of the fluxes' Gaussian that is ≥ 0
	state    snapshot
	eps      float64
	accepted float64 // sum of the probabilities
	trace    []snapshot
	places   [][]float64 // x along the trace
}

// snapshot is a point of a chain.
type snapshot struct {
	theta     []theta
	flux, sky []float64
	seeing    [][nSeeing]float64
}

// Of the step: the acceptance it is tuned to, and the length of a trajectory in
// units of the metric, which is half of a period of a Gaussian.
const (
	wanted  = 0.8
	orbit   = 1.6
	maxLeap = 12
)

// agreed is the R-hat at which chains need not go on.
const agreed = 1.1

// sample runs the chains until they agree or have used their rounds up, and keeps
// keep draws of each.
func (g *group) sample(ctx context.Context, key engine.Key, keep int, o SampleOptions, walked *counter) error {
	m, err := g.summit()
	if err != nil {
		return err
	}
	defer m.close()
	w := &walk{g: m, walked: walked}
	defer func() {
		for _, c := range w.chains {
			c.t.g.close()
		}
	}()
	for i := range o.Chains {
		copied, err := m.copy(g.p.b, true)
		if err != nil {
			return err
		}
		k := key.Fold(uint64(i))
		c := &chain{t: newMarginal(copied), rng: rand.New(rand.NewPCG(k.Seed, k.Counter)), positive: o.Positive}
		w.chains = append(w.chains, c)
	}
	w.start()
	if err := w.disperse(ctx); err != nil {
		return err
	}
	for _, n := range o.warmups() {
		if err := w.run(ctx, n, true); err != nil {
			return err
		}
		w.adapt()
	}
	n := keep * o.Thin
	for round := range o.Rounds {
		if err := w.run(ctx, n, false); err != nil {
			return err
		}
		if w.rhat() < agreed || round == o.Rounds-1 {
			break
		}
		w.adapt()
		n *= 2
		walked.expect(n * o.Chains)
	}
	g.draws = w.collect(keep)
	return nil
}

// summit is a copy of the group at the profiles' mode.
func (g *group) summit() (*group, error) {
	m, err := g.copy(g.p.b, true)
	if err != nil {
		return nil, err
	}
	copy(m.flux, g.mode)
	m.cov = g.cov
	return m, nil
}

// start takes the curvature's covariance as metric.
func (w *walk) start() {
	t := w.chains[0].t
	all, n := len(w.g.free), len(t.coord)
	w.l = make([]float64, n*n)
	for i, a := range t.coord {
		w.mode = append(w.mode, w.g.get(w.g.free[a]))
		for j, b := range t.coord {
			w.l[i*n+j] = w.g.cov[a*all+b]
		}
	}
	dense.Cholesky(w.l, n)
	w.eps = 0.9 * math.Pow(float64(n), -0.25)
}

// each runs f for all chains, at most as many at a time as there are workers.
func (w *walk) each(f func(c *chain) error) error {
	var wg sync.WaitGroup
	limit := make(chan struct{}, max(w.g.p.opt.Workers, 1))
	errs := make([]error, len(w.chains))
	for i, c := range w.chains {
		wg.Add(1)
		limit <- struct{}{}
		go func() {
			defer func() { <-limit; wg.Done() }()
			errs[i] = f(c)
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// disperse starts every chain at a draw of the curvature's Gaussian, nearer to the
// mode where that is out of range.
func (w *walk) disperse(context.Context) error {
	n := len(w.mode)
	return w.each(func(c *chain) error {
		z := c.normals(n)
		c.x, c.grad, c.eps = make([]float64, n), make([]float64, n), w.eps
		for range 8 {
			for i, d := range dense.Lower(w.l, z, n) {
				c.x[i] = w.mode[i] + d
			}
			if err := c.settle(); err != nil {
				return err
			}
			if !math.IsInf(c.u, 1) {
				return nil
			}
			for i := range z {
				z[i] /= 2
			}
		}
		return nil
	})
}

func (c *chain) normals(n int) []float64 {
	z := make([]float64, n)
	for i := range z {
		z[i] = c.rng.NormFloat64()
	}
	return z
}

// settle evaluates the chain's place and draws the fluxes there.
func (c *chain) settle() (err error) {
	if c.u, err = c.at(c.x, c.grad); err != nil || math.IsInf(c.u, 1) {
		return err
	}
	c.share = c.t.drawFluxes(c.rng, c.positive)
	c.state = c.t.g.snapshot()
	return nil
}

func (c *chain) at(x, grad []float64) (float64, error) {
	for j, i := range c.t.coord {
		c.t.g.put(c.t.g.free[i], x[j])
	}
	return c.t.value(grad)
}

func (g *group) snapshot() snapshot {
	return snapshot{
		append([]theta(nil), g.theta...), append([]float64(nil), g.flux...),
		append([]float64(nil), g.sky...), append([][nSeeing]float64(nil), g.seeing...),
	}
}

// run makes n trajectories with every chain; warming, each chain tunes its step, and
// the mean of their logarithms is the walk's from then on.
func (w *walk) run(ctx context.Context, n int, warming bool) error {
	steps := make([]float64, len(w.chains))
	err := w.each(func(c *chain) error {
		c.trace, c.places, c.accepted, c.eps = nil, nil, 0, w.eps
		var mean float64
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := w.trajectory(c)
			if err != nil {
				return err
			}
			w.walked.step()
			c.accepted += p
			c.trace = append(c.trace, c.state)
			c.places = append(c.places, append([]float64(nil), c.x...))
			if warming {
				c.eps = min(max(c.eps*math.Exp(0.3*(p-wanted)), 0.01), 1.2)
				if i >= n/2 {
					mean += math.Log(c.eps) / float64(n-n/2)
				}
			}
		}
		for at, o := range w.chains {
			if o == c {
				steps[at] = mean
			}
		}
		return nil
	})
	if err != nil || !warming {
		return err
	}
	var mean float64
	for _, s := range steps {
		mean += s / float64(len(steps))
	}
	w.eps = math.Exp(mean)
	return nil
}

// trajectory makes one proposal and accepts or rejects it (Metropolis); it gives the
// probability of acceptance. Step and length differ from one to the next: no orbit
// closes on itself.
func (w *walk) trajectory(c *chain) (float64, error) {
	n := len(c.x)
	p := c.normals(n)
	x, grad := append([]float64(nil), c.x...), append([]float64(nil), c.grad...)
	energy := c.u - c.share
	for _, v := range p {
		energy += 0.5 * v * v
	}
	eps := c.eps * (0.8 + 0.4*c.rng.Float64())
	leaps := min(max(int(math.Round(orbit*(0.6+0.8*c.rng.Float64())/eps)), 1), maxLeap)
	var u float64
	for range leaps {
		for i, d := range dense.Transposed(w.l, grad, n) {
			p[i] -= eps / 2 * d
		}
		for i, d := range dense.Lower(w.l, p, n) {
			x[i] += eps * d
		}
		var err error
		if u, err = c.at(x, grad); err != nil {
			return 0, err
		}
		if math.IsInf(u, 1) || math.IsNaN(u) {
			return 0, nil
		}
		for i, d := range dense.Transposed(w.l, grad, n) {
			p[i] -= eps / 2 * d
		}
	}
	share := c.t.drawFluxes(c.rng, c.positive)
	end := u - share
	for _, v := range p {
		end += 0.5 * v * v
	}
	prob := math.Min(1, math.Exp(energy-end))
	if math.IsNaN(prob) {
		prob = 0
	}
	if c.rng.Float64() < prob {
		c.x, c.grad, c.u, c.share = x, grad, u, share
		c.state = c.t.g.snapshot()
	}
	return prob, nil
}

// adapt takes the covariance of all chains' last places, with that of before as if it
// had been seen in as many places as there are coordinates, as metric.
func (w *walk) adapt() {
	n := len(w.mode)
	mean, count := make([]float64, n), 0.0
	for _, c := range w.chains {
		for _, x := range c.places[len(c.places)/3:] {
			count++
			for i, v := range x {
				mean[i] += v
			}
		}
	}
	for i := range mean {
		mean[i] /= count
	}
	cov := make([]float64, n*n)
	weight := float64(n)
	for i := range n {
		for j := range i + 1 {
			var s float64
			for k := range j + 1 {
				s += w.l[i*n+k] * w.l[j*n+k]
			}
			cov[i*n+j] = s * weight
		}
	}
	for _, c := range w.chains {
		for _, x := range c.places[len(c.places)/3:] {
			for i := range n {
				for j := range i + 1 {
					cov[i*n+j] += (x[i] - mean[i]) * (x[j] - mean[j])
				}
			}
		}
	}
	for i := range cov {
		cov[i] /= count + weight
	}
	w.l = cov
	dense.Cholesky(w.l, n)
}

// rhat is the worst split R-hat of the fluxes of the last run.
func (w *walk) rhat() float64 {
	worst := 0.0
	for i, f := range w.g.free {
		if f.what != paramFlux {
			continue
		}
		at := f.k*w.g.p.b + w.g.free[i].i
		series := make([][]float64, len(w.chains))
		for c, ch := range w.chains {
			for _, s := range ch.trace {
				series[c] = append(series[c], s.flux[at])
			}
		}
		worst = max(worst, summary.RHat(series))
	}
	return worst
}

// collect takes keep draws of every chain, evenly, the last of them the last.
func (w *walk) collect(keep int) *draws {
	d := &draws{rhat: w.rhat()}
	for _, c := range w.chains {
		n := len(c.trace)
		d.acceptance += c.accepted / float64(n*len(w.chains))
		for i := range keep {
			s := c.trace[(i+1)*n/keep-1]
			d.theta, d.flux = append(d.theta, s.theta), append(d.flux, s.flux)
			d.sky, d.seeing = append(d.sky, s.sky), append(d.seeing, s.seeing)
		}
	}
	return d
}
