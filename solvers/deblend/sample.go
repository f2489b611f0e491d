package deblend

import (
	"context"
	"fmt"
	"math"
	"sync"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/summary"
)

// SampleOptions of Sample.
type SampleOptions struct {
	Draws    int    // of all chains together; default 32
	Chains   int    // default 4
	Warmup   int    // trajectories per chain; default 40
	Thin     int    // trajectories per draw; default 4
	Seed     uint64 // default 0
	Positive bool   // fluxes are ≥ 0 a priori; else flat, also below 0: unbiased for what is faint
}

func (o SampleOptions) withDefaults() SampleOptions {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&o.Draws, 32)
	set(&o.Chains, 4)
	set(&o.Warmup, 40)
	set(&o.Thin, 4)
	o.Chains = min(o.Chains, o.Draws)
	return o
}

// Posterior is what samples say. Flux is (draw, source, band), unit of the data;
// Images is per draw and source the morphology over the source's Box.
type Posterior struct {
	Draws      int
	Flux       [][][]float64
	Shapes     [][]Shape
	Images     [][]solvers.Image
	Acceptance float64 // mean of the groups' chains
	RHat       float64 // the worst of all fluxes (Vehtari+2021); NaN below 4 draws per chain
	Findings   []limpid.Finding
}

// draws of one group, chain by chain.
type draws struct {
	theta      [][]theta   // per draw, per source
	flux       [][]float64 // per draw (K, B)
	sky        [][]float64
	seeing     [][][nSeeing]float64
	acceptance float64
}

// Sample draws from the posterior of shapes and fluxes by Hamiltonian Monte Carlo
// about the mode that Fit found (Betancourt 2017): mass matrix JᵀWJ + prior, so
// that the density is near N(0, 1) in the coordinates z = Lᵀ(x − mode), LLᵀ the
// mass. It writes FluxErr, ShapeErr, Std and Cov of the result from the draws, and
// gives the draws. Departures of pixels are drawn from their Gaussian conditional
// for the images' Std.
func (r *Result) Sample(ctx context.Context, dev engine.Device, o SampleOptions) (*Posterior, error) {
	o = o.withDefaults()
	per := (o.Draws + o.Chains - 1) / o.Chains
	out := &Posterior{Draws: per * o.Chains}
	for i, g := range r.fits {
		chains := make([]*draws, o.Chains)
		errs := make([]error, o.Chains)
		var wg sync.WaitGroup
		limit := make(chan struct{}, max(g.p.opt.Workers, 1))
		for c := range chains {
			wg.Add(1)
			limit <- struct{}{}
			go func() {
				defer func() { <-limit; wg.Done() }()
				key := engine.NewKey(o.Seed).Fold(uint64(i)).Fold(uint64(c))
				chains[c], errs[c] = g.chain(ctx, dev, key, per, o)
			}()
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
		all := &draws{}
		for _, c := range chains {
			all.theta, all.flux = append(all.theta, c.theta...), append(all.flux, c.flux...)
			all.sky, all.seeing = append(all.sky, c.sky...), append(all.seeing, c.seeing...)
			all.acceptance += c.acceptance / float64(len(chains))
		}
		g.draws = all
		out.Acceptance += all.acceptance / float64(len(r.fits))
	}
	r.collect(out, o.Chains)
	if err := r.images(ctx, dev, out, o.Seed); err != nil {
		return nil, err
	}
	if out.RHat > 1.2 {
		out.Findings = append(out.Findings, limpid.Finding{
			Severity: limpid.Warning, Code: "deblend.rhat", Where: "samples",
			What:   fmt.Sprintf("the chains do not agree: worst R-hat of the fluxes %.2f", out.RHat),
			Advice: "draw more samples, or remove sources that the data do not tell apart",
		})
	}
	return out, nil
}

// chain runs one chain on a copy of the group.
func (g *group) chain(ctx context.Context, dev engine.Device, key engine.Key, keep int, o SampleOptions) (*draws, error) {
	c, err := g.copy(g.p.b, true)
	if err != nil {
		return nil, err
	}
	defer c.close()
	copy(c.flux, g.mode)
	h := &hmc{g: c, n: len(g.free), mode: c.values(), eps: 0.9 * math.Pow(float64(len(g.free)), -0.25), key: key}
	h.l = append([]float64(nil), g.hess...)
	dense.Cholesky(h.l, h.n)
	h.positive = o.Positive
	return h.run(ctx, keep, o)
}

// copy is a group of the same sources at the same place with memory of its own.
func (g *group) copy(batch int, derivatives bool) (*group, error) {
	c := &group{
		p: g.p, index: g.index, src: g.src, twin: g.twin, free: g.free, slot: g.slot, ridge: g.ridge,
		theta: append([]theta(nil), g.theta...), flux: append([]float64(nil), g.flux...),
		sky: append([]float64(nil), g.sky...), seeing: append([][nSeeing]float64(nil), g.seeing...),
	}
	for range g.src {
		c.elements = append(c.elements, newElement(len(g.p.modes), derivatives))
	}
	c.alloc(true)
	var err error
	c.work, err = newScratch(g.p, batch, 1)
	return c, err
}

// hmc is one chain. Positions are z, x = mode + L⁻ᵀ z.
type hmc struct {
	g        *group
	n        int
	mode     []float64
	l        []float64
	eps      float64
	positive bool
	key      engine.Key
	count    uint64
	z, grad  []float64
	u        float64
}

const leapfrogs = 6

func (h *hmc) run(ctx context.Context, keep int, o SampleOptions) (*draws, error) {
	h.z, h.grad = make([]float64, h.n), make([]float64, h.n)
	// start away from the mode: that is what makes chains independent
	start := h.normals()
	for i := range h.z {
		h.z[i] = start[i]
	}
	var err error
	for range 6 {
		if h.u, err = h.potential(h.z, h.grad); err != nil {
			return nil, err
		}
		if !math.IsInf(h.u, 1) {
			break
		}
		for i := range h.z {
			h.z[i] /= 2
		}
	}
	out := &draws{}
	total := o.Warmup + keep*o.Thin
	for i := range total {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		prob, err := h.trajectory()
		if err != nil {
			return nil, err
		}
		if i < o.Warmup {
			h.eps = min(max(h.eps*math.Exp(0.3*(prob-0.8)), 0.01), 1.2)
			continue
		}
		out.acceptance += prob / float64(total-o.Warmup)
		if (i-o.Warmup+1)%o.Thin == 0 {
			h.place(h.z)
			out.theta = append(out.theta, append([]theta(nil), h.g.theta...))
			out.flux = append(out.flux, append([]float64(nil), h.g.flux...))
			out.sky = append(out.sky, append([]float64(nil), h.g.sky...))
			out.seeing = append(out.seeing, append([][nSeeing]float64(nil), h.g.seeing...))
		}
	}
	return out, nil
}

// normals gives n standard normal numbers, the next of the chain.
func (h *hmc) normals() []float64 {
	out := make([]float64, 0, h.n+3)
	k := h.key.Fold(h.count)
	h.count++
	for i := 0; len(out) < h.n; i++ {
		for _, v := range engine.Normals(engine.Philox(k.Seed, k.Counter, uint64(i))) {
			out = append(out, float64(v))
		}
	}
	return out[:h.n]
}

func (h *hmc) uniform() float64 {
	k := h.key.Fold(h.count)
	h.count++
	return float64(engine.Uniforms(engine.Philox(k.Seed, k.Counter, 0))[0])
}

// place sets the group's parameters to those of z.
func (h *hmc) place(z []float64) {
	d := append([]float64(nil), z...)
	dense.BackSolve(h.l, d, h.n)
	for i, f := range h.g.free {
		h.g.put(f, h.mode[i]+d[i])
	}
}

// potential is −log posterior and its gradient in z; +Inf outside the range of
// the shapes.
func (h *hmc) potential(z, grad []float64) (float64, error) {
	h.place(z)
	for _, f := range h.g.free {
		v := h.g.get(f)
		if f.what == paramShape || f.what == paramSeeing {
			lo, hi := h.g.allowed(f)
			if f.what == paramShape { // the optimiser's limits are no part of the prior, and a wall stops a chain
				lo, hi = lo-2, hi+2
			}
			if v < lo || v > hi {
				return math.Inf(1), nil
			}
		} else if f.what == paramFlux && h.positive && v < 0 {
			return math.Inf(1), nil
		}
	}
	u, err := h.g.gradient(grad)
	if err != nil {
		return 0, err
	}
	dense.ForwardSolve(h.l, grad, h.n)
	return u, nil
}

// trajectory makes one proposal and accepts or rejects it (Metropolis); it gives
// the probability of acceptance.
func (h *hmc) trajectory() (float64, error) {
	p := h.normals()
	z, grad := append([]float64(nil), h.z...), append([]float64(nil), h.grad...)
	energy := h.u
	for _, v := range p {
		energy += 0.5 * v * v
	}
	// a step size of its own for each trajectory: no orbit closes on itself
	eps := h.eps * (0.8 + 0.4*h.uniform())
	u := h.u
	for range leapfrogs {
		for i := range p {
			p[i] -= eps / 2 * grad[i]
			z[i] += eps * p[i]
		}
		var err error
		if u, err = h.potential(z, grad); err != nil {
			return 0, err
		}
		if math.IsInf(u, 1) || math.IsNaN(u) {
			return 0, nil
		}
		for i := range p {
			p[i] -= eps / 2 * grad[i]
		}
	}
	end := u
	for _, v := range p {
		end += 0.5 * v * v
	}
	prob := math.Min(1, math.Exp(energy-end))
	if math.IsNaN(prob) {
		prob = 0
	}
	if h.uniform() < prob {
		h.z, h.grad, h.u = z, grad, u
	}
	return prob, nil
}

// collect turns draws into errors, covariances and R-hat.
func (r *Result) collect(out *Posterior, chains int) {
	k, nb := len(r.Sources), len(r.Bands)
	for range out.Draws {
		f := make([][]float64, k)
		for i := range f {
			f[i] = make([]float64, nb)
		}
		out.Flux, out.Shapes = append(out.Flux, f), append(out.Shapes, make([]Shape, k))
	}
	for _, g := range r.fits {
		for d := range out.Draws {
			for _, parts := range g.owners() {
				at := g.index[parts[0]]
				for b := range nb {
					out.Flux[d][at][b] = math.NaN()
					if g.p.live[b] {
						out.Flux[d][at][b] = 0
						for _, k := range parts {
							out.Flux[d][at][b] += g.draws.flux[d][k*nb+b]
						}
					}
				}
				out.Shapes[d][at] = g.drawnShape(d, parts)
			}
		}
	}
	for b := range nb {
		for _, g := range r.fits {
			for _, i := range g.index {
				for _, j := range g.index {
					r.Cov[b][i*k+j] = covariance(out.Flux, i, j, b)
				}
			}
		}
		for i := range r.Sources {
			if !math.IsNaN(r.Sources[i].Flux[b]) {
				r.Sources[i].FluxErr[b] = math.Sqrt(r.Cov[b][i*k+i])
				out.RHat = max(out.RHat, rhat(out.Flux, i, b, chains))
			}
		}
	}
	r.shapeErrors(out)
}

// drawnShape is a source's shape in draw d.
func (g *group) drawnShape(d int, parts []int) Shape {
	t, f := g.theta, g.flux
	g.theta, g.flux = g.draws.theta[d], g.draws.flux[d]
	s, _ := g.shapeOf(parts, g.reference(parts))
	g.theta, g.flux = t, f
	return s
}

func covariance(f [][][]float64, i, j, b int) float64 {
	var mi, mj, s float64
	n := float64(len(f))
	for _, d := range f {
		mi, mj = mi+d[i][b]/n, mj+d[j][b]/n
	}
	for _, d := range f {
		s += (d[i][b] - mi) * (d[j][b] - mj)
	}
	return s / math.Max(n-1, 1)
}

// rhat is the split R-hat of one flux.
func rhat(f [][][]float64, i, b, chains int) float64 {
	per := len(f) / chains
	if per < 4 {
		return math.NaN()
	}
	series := make([][]float64, chains)
	for c := range series {
		for _, d := range f[c*per : (c+1)*per] {
			series[c] = append(series[c], d[i][b])
		}
	}
	return summary.RHat(series)
}

func (r *Result) shapeErrors(out *Posterior) {
	for i := range r.Sources {
		get := []func(s *Shape) *float64{
			func(s *Shape) *float64 { return &s.X }, func(s *Shape) *float64 { return &s.Y },
			func(s *Shape) *float64 { return &s.R }, func(s *Shape) *float64 { return &s.Nu },
			func(s *Shape) *float64 { return &s.Eta1 }, func(s *Shape) *float64 { return &s.Eta2 },
		}
		for _, field := range get {
			var m, s float64
			for d := range out.Shapes {
				m += *field(&out.Shapes[d][i]) / float64(out.Draws)
			}
			for d := range out.Shapes {
				v := *field(&out.Shapes[d][i]) - m
				s += v * v
			}
			*field(&r.Sources[i].ShapeErr) = math.Sqrt(s / math.Max(float64(out.Draws-1), 1))
		}
	}
}
