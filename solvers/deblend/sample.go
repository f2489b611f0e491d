package deblend

import (
	"context"
	"fmt"
	"math"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
)

// SampleOptions of Sample.
type SampleOptions struct {
	Draws    int    // of all chains together; default 32
	Chains   int    // default 4
	Warmup   int    // trajectories per chain before the first draw; default 90
	Thin     int    // trajectories per draw; default 8
	Rounds   int    // how often a chain may go on, twice as long, until R-hat is below 1.1; default 3
	Seed     uint64 // default 0
	Positive bool   // fluxes are ≥ 0 a priori; else flat, also below 0: unbiased for what is faint

	// Progress, if not nil, is told how many trajectories of all chains are done; from any
	// goroutine. The total grows where chains go on.
	Progress func(done, total int) `json:"-"`
}

func (o SampleOptions) withDefaults() SampleOptions {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&o.Draws, 32)
	set(&o.Chains, 4)
	set(&o.Warmup, 90)
	set(&o.Thin, 8)
	set(&o.Rounds, 3)
	o.Chains = min(o.Chains, o.Draws)
	return o
}

// warmups are the trajectories of the warm-up's parts, between which the metric is adapted.
func (o SampleOptions) warmups() []int {
	parts := []int{o.Warmup / 6, o.Warmup / 3, o.Warmup - o.Warmup/3 - o.Warmup/6}
	for i := range parts {
		parts[i] = max(parts[i], 2)
	}
	return parts
}

// Posterior is what samples say. Flux is (draw, source, band), unit of the data;
// Images is per draw and source the morphology over the source's Box.
type Posterior struct {
	Draws      int
	Flux       [][][]float64
	Shapes     [][]Shape
	Images     [][]solvers.Image
	Acceptance float64 // mean of the groups' chains
	RHat       float64 // the worst of all fluxes (Vehtari+2021), over all trajectories after the warm-up
	Findings   []limpid.Finding
}

// draws of one group, chain by chain.
type draws struct {
	theta      [][]theta   // per draw, per source
	flux       [][]float64 // per draw (K, B)
	sky        [][]float64
	seeing     [][][nSeeing]float64
	acceptance float64
	rhat       float64 // the worst of the fluxes, over all trajectories
}

// Sample draws from the posterior of shapes and fluxes: Hamiltonian Monte Carlo over
// the shapes, with the fluxes and the sky integrated out (marginal), then fluxes and
// sky from their exact conditional. The metric is the covariance of the curvature at
// first, then that of the chains so far. Chains that do not agree go on. The errors of
// the model (misfits) are added to the drawn fluxes. It writes
// FluxErr, ShapeErr, Std and Cov of the result from the draws, and gives the draws.
// Departures of pixels are drawn from their Gaussian conditional for the images' Std.
func (r *Result) Sample(ctx context.Context, dev engine.Device, o SampleOptions) (*Posterior, error) {
	o = o.withDefaults()
	per := (o.Draws + o.Chains - 1) / o.Chains
	out := &Posterior{Draws: per * o.Chains}
	walked := counter{tell: o.Progress}
	warm := 0
	for _, n := range o.warmups() {
		warm += n
	}
	walked.expect(len(r.fits) * o.Chains * (warm + per*o.Thin))
	for i, g := range r.fits {
		if err := g.sample(ctx, engine.NewKey(o.Seed).Fold(uint64(i)), per, o, &walked); err != nil {
			return nil, err
		}
		out.Acceptance += g.draws.acceptance / float64(len(r.fits))
		out.RHat = max(out.RHat, g.draws.rhat)
	}
	r.collect(out)
	if err := r.images(ctx, dev, out, o.Seed); err != nil {
		return nil, err
	}
	r.addMisfits(out, o.Seed, o.Positive)
	r.recentre(out)
	if len(r.fits) > 0 && r.fits[0].p.opt.Learned != nil {
		out.Findings = append(out.Findings, learnedFinding())
	}
	if out.RHat > 1.2 {
		f := limpid.Finding{
			Severity: limpid.Warning, Code: "deblend.rhat", Where: "samples",
			What:   fmt.Sprintf("the chains do not agree: worst R-hat of the fluxes %.2f", out.RHat),
			Advice: "draw more samples, or remove sources that the data do not tell apart",
		}
		if out.RHat > frozen {
			f.What = "the chains of a group hardly moved: its errors of shapes are not samples of a posterior"
			f.Advice = "look at the χ² of the fit: where it is far above 1 the model does not describe the sources"
		}
		out.Findings = append(out.Findings, f)
	}
	return out, nil
}

// frozen is an R-hat of chains that stayed where they began.
const frozen = 100

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

// collect turns draws into errors and covariances.
func (r *Result) collect(out *Posterior) {
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
