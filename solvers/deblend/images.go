package deblend

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"

	"limpid/engine"
	"limpid/solvers"
)

// images draws the departures of every draw's morphologies from their Gaussian
// conditional,
//
//	z ~ N(μ, (AᵀwA + 1)⁻¹),  (AᵀwA + 1) z = Aᵀ(w r + √w η) + ξ,
//
// (perturb and solve: Papandreou & Yuille 2010), adds them to the profiles, lets
// the fluxes carry what they add, and writes the means and Std.
func (r *Result) images(ctx context.Context, dev engine.Device, out *Posterior, seed uint64) error {
	out.Images = make([][]solvers.Image, out.Draws)
	for d := range out.Images {
		out.Images[d] = make([]solvers.Image, len(r.Sources))
	}
	for i, g := range r.fits {
		if g.p.opt.Learned != nil && !g.p.opt.NoFreeForm {
			if err := g.drawLearned(ctx, dev, out, engine.NewKey(seed^0x5bd1e995).Fold(uint64(i))); err != nil {
				return err
			}
			continue
		}
		workers := max(g.p.opt.Workers, 1)
		errs := make([]error, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				errs[w] = g.drawImages(ctx, dev, out, w, workers, engine.NewKey(seed^0x5bd1e995).Fold(uint64(i)))
			}()
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	for k := range r.Sources {
		r.Sources[k].Std = spread(out.Images, k)
	}
	return nil
}

// addMisfits adds the model's errors to the drawn fluxes, with opposite signs in pairs
// of draws, so that the means stay. Fluxes that are positive a priori stay so.
func (r *Result) addMisfits(out *Posterior, seed uint64, positive bool) {
	for i, g := range r.fits {
		if g.p.opt.Learned != nil && !g.p.opt.NoFreeForm {
			continue
		}
		key := engine.NewKey(seed ^ 0x3c6ef372).Fold(uint64(i))
		rng := rand.New(rand.NewPCG(key.Seed, key.Counter))
		var e []float64
		for d := range out.Flux {
			if d%2 == 0 {
				e = g.misfit.draw(rng, len(g.flux))
			}
			for k, at := range g.index {
				for b := range g.p.b {
					out.Flux[d][at][b] += e[k*g.p.b+b]
				}
			}
			for i := range e {
				e[i] = -e[i]
			}
			for _, at := range g.index {
				for b, v := range out.Flux[d][at] {
					if positive {
						out.Flux[d][at][b] = max(v, 0)
					}
				}
			}
		}
	}
}

// recentre makes the fluxes of the result the posterior means, with the
// covariance of the draws.
func (r *Result) recentre(out *Posterior) {
	k := len(r.Sources)
	for b := range r.Bands {
		for i := range r.Sources {
			if math.IsNaN(r.Sources[i].Flux[b]) {
				continue
			}
			var m float64
			for _, d := range out.Flux {
				m += d[i][b] / float64(out.Draws)
			}
			r.Sources[i].Flux[b] = m
		}
		for _, g := range r.fits {
			for _, i := range g.index {
				for _, j := range g.index {
					r.Cov[b][i*k+j] = covariance(out.Flux, i, j, b)
				}
				if !math.IsNaN(r.Sources[i].Flux[b]) {
					r.Sources[i].FluxErr[b] = math.Sqrt(r.Cov[b][i*k+i])
				}
			}
		}
	}
}

func spread(images [][]solvers.Image, k int) solvers.Image {
	first := images[0][k]
	std := solvers.NewImage(1, first.H, first.W)
	n := float64(len(images))
	for i := range std.Pix {
		var m, s float64
		for _, d := range images {
			m += float64(d[k].Pix[i]) / n
		}
		for _, d := range images {
			v := float64(d[k].Pix[i]) - m
			s += v * v
		}
		std.Pix[i] = float32(math.Sqrt(s / math.Max(n-1, 1)))
	}
	return std
}

// drawImages does every workers-th draw of the group from the first-th.
func (g *group) drawImages(ctx context.Context, dev engine.Device, out *Posterior, first, workers int, key engine.Key) error {
	p := g.p
	c, err := g.copy(p.b+1, false)
	if err != nil {
		return err
	}
	defer c.close()
	c.boxes = g.morph
	for d := first; d < len(out.Images); d += workers {
		c.theta, c.flux = g.draws.theta[d], append([]float64(nil), g.draws.flux[d]...)
		c.sky, c.seeing = g.draws.sky[d], g.draws.seeing[d]
		if err := c.render(false); err != nil {
			return err
		}
		if err := c.makeMorphologies(); err != nil {
			return err
		}
		var z [][]float32
		dep := c.newDepartures()
		if !p.opt.NoFreeForm {
			if z, err = dep.draw(ctx, key.Fold(uint64(d))); err != nil {
				return err
			}
		}
		for k, gain := range c.depart(dep, z) {
			for b := range p.b {
				c.flux[k*p.b+b] *= gain
			}
		}
		g.record(c, out, d)
	}
	return nil
}

// depart makes every morphology the profile with its departures, of unit sum, and
// gives what that takes off each component's flux as a factor.
func (g *group) depart(dep *departures, z [][]float32) []float64 {
	gains := make([]float64, len(g.src))
	for k := range g.src {
		m := &g.morph[k]
		m.s = append([]float32(nil), m.smooth...)
		gain := 1.0
		if z != nil {
			for i, v := range z[k] {
				e := dep.s[k][i] * v
				m.s[i] += e
				gain += float64(e)
			}
		}
		for i := range m.s {
			m.s[i] /= float32(gain)
		}
		gains[k] = gain
	}
	return gains
}

const drawIterations = 40

// draw solves for one draw by conjugate gradients with the metric as
// preconditioner.
func (d *departures) draw(ctx context.Context, key engine.Key) ([][]float32, error) {
	metric, err := d.metric()
	if err != nil {
		return nil, err
	}
	p := d.g.p
	noise := normals32(key.Fold(0), len(p.weights))
	for i, w := range p.weights {
		d.image[i] = 0
		if w > 0 {
			d.image[i] = w*(p.data[i]-d.g.model[i]) + noise[i]*root32(w)
		}
	}
	rhs, z, q := d.new(), d.new(), d.new()
	if err := d.adjoint(rhs); err != nil {
		return nil, err
	}
	dir := d.new()
	var rho float64
	for k := range rhs {
		xi := normals32(key.Fold(uint64(k+1)), len(rhs[k]))
		for i := range rhs[k] {
			rhs[k][i] += xi[i]
			dir[k][i] = rhs[k][i] / metric[k][i]
			rho += float64(rhs[k][i]) * float64(dir[k][i])
		}
	}
	start := rho
	for range drawIterations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if rho <= 1e-6*start {
			break
		}
		if err := d.curvature(q, dir); err != nil {
			return nil, err
		}
		var dq float64
		for k := range q {
			for i, v := range q[k] {
				dq += float64(v) * float64(dir[k][i])
			}
		}
		alpha := float32(rho / dq)
		var next float64
		for k := range q {
			for i, v := range q[k] {
				z[k][i] += alpha * dir[k][i]
				rhs[k][i] -= alpha * v
				next += float64(rhs[k][i]) * float64(rhs[k][i]) / float64(metric[k][i])
			}
		}
		beta := float32(next / rho)
		rho = next
		for k := range dir {
			for i := range dir[k] {
				dir[k][i] = rhs[k][i]/metric[k][i] + beta*dir[k][i]
			}
		}
	}
	return z, nil
}

// curvature is q = (AᵀwA + 1) v.
func (d *departures) curvature(q, v [][]float32) error {
	if err := d.forward(v); err != nil {
		return err
	}
	for i, w := range d.g.p.weights {
		d.image[i] *= w
	}
	if err := d.adjoint(q); err != nil {
		return err
	}
	for k := range q {
		for i, x := range v[k] {
			q[k][i] += x
		}
	}
	return nil
}

func normals32(key engine.Key, n int) []float32 {
	out := make([]float32, 0, n+3)
	for i := 0; len(out) < n; i++ {
		z := engine.Normals(engine.Philox(key.Seed, key.Counter, uint64(i)))
		out = append(out, z[:]...)
	}
	return out[:n]
}
