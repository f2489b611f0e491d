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
)

// morphology is S_k over its box: what is seen through the model PSF.
type morphology struct {
	x0, x1, y0, y1 int       // in the group's grid
	smooth         []float32 // the profile
	s              []float32 // with its departures
	lost           float64   // share of the profile's light outside the box
	seen           []float32 // (B, H, W) P_b ∗ S_k of unit flux, in the cut-out
}

// finish makes curvature, covariance and morphologies at the mode.
func (g *group) finish(ctx context.Context) error {
	if err := g.render(true); err != nil {
		return err
	}
	h, err := g.normal(seenFine)
	if err != nil {
		return err
	}
	g.hess = h
	g.cov = dense.Inverse(h, len(g.free))
	g.mode = append([]float64(nil), g.flux...)
	if err := g.makeMorphologies(); err != nil {
		return err
	}
	if g.p.opt.NoFreeForm {
		return nil
	}
	return g.freeForm(ctx)
}

// fitParts fits the groups, some at a time; with several groups a second pass
// takes the other groups' light off first.
func (r *Result) fitParts(ctx context.Context, dev engine.Device, obs *solvers.Observation, sources []Source, parts []part, opt Options) error {
	r.fits = make([]*group, len(parts))
	pass := func(fit func(i int) error) error {
		var wg sync.WaitGroup
		limit := make(chan struct{}, opt.Workers)
		errs := make([]error, len(parts))
		for i := range parts {
			wg.Add(1)
			limit <- struct{}{}
			go func() {
				defer func() { <-limit; wg.Done() }()
				if err := ctx.Err(); err != nil {
					errs[i] = err
					return
				}
				errs[i] = fit(i)
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
	err := pass(func(i int) error {
		g, err := parts[i].group(dev, obs, sources, nil, opt)
		if err != nil {
			return err
		}
		r.fits[i] = g
		defer g.close()
		if len(parts) == 1 {
			return g.fit(ctx)
		}
		if err := g.start(); err != nil {
			return err
		}
		return g.gaussNewton(ctx)
	})
	if err != nil || len(parts) == 1 {
		return err
	}
	first := append([]*group(nil), r.fits...)
	light := r.lightOf(obs, first)
	return pass(func(i int) error {
		g, err := parts[i].group(dev, obs, sources, light, opt)
		if err != nil {
			return err
		}
		defer g.close()
		g.theta, g.flux, g.sky = first[i].theta, first[i].flux, first[i].sky
		own := first[i]
		g.addBack(own)
		r.fits[i] = g
		if err := g.gaussNewton(ctx); err != nil {
			return err
		}
		return g.finish(ctx)
	})
}

// lightOf adds up the groups' models without sky.
func (r *Result) lightOf(obs *solvers.Observation, fits []*group) *solvers.Image {
	d := obs.Data
	out := solvers.NewImage(d.C, d.H, d.W)
	for _, g := range fits {
		g.addTo(&out, g.light())
	}
	return &out
}

// light is the group's model without its sky: (B, H, W) of the cut-out.
func (g *group) light() []float32 {
	out := append([]float32(nil), g.model...)
	n := g.p.h * g.p.w
	for b, sky := range g.sky {
		for i := b * n; i < (b+1)*n; i++ {
			out[i] -= float32(sky)
		}
	}
	return out
}

// addTo adds planes of the cut-out to an image of the observation.
func (g *group) addTo(dst *solvers.Image, v []float32) {
	for b := range g.p.b {
		plane := dst.Plane(b)
		for y := range g.p.h {
			src := v[(b*g.p.h+y)*g.p.w : (b*g.p.h+y+1)*g.p.w]
			row := plane[(y+g.y0)*dst.W+g.x0:]
			for x, a := range src {
				row[x] += a
			}
		}
	}
}

// addBack gives the group its own light back after everybody's was taken off.
func (g *group) addBack(own *group) {
	for i, v := range own.light() {
		if g.p.weights[i] > 0 {
			g.p.data[i] += v
		}
	}
}

// assemble collects the groups' results.
func (r *Result) assemble(obs *solvers.Observation, sources []Source) {
	d := obs.Data
	r.Model, r.Residual = solvers.NewImage(d.C, d.H, d.W), solvers.NewImage(d.C, d.H, d.W)
	r.Sources = make([]Fitted, len(sources))
	r.Sky, r.SkyErr = make([]float64, d.C), make([]float64, d.C)
	r.Cov = make([][]float64, d.C)
	for b := range r.Cov {
		r.Cov[b] = make([]float64, len(sources)*len(sources))
	}
	for _, g := range r.fits {
		r.Iter, r.Converged = max(r.Iter, g.iter), r.Converged && g.converged
		r.ModelPSF = g.p.sigma
		g.addTo(&r.Model, g.light())
		g.report(r)
	}
	for b := range d.C {
		for i := range d.H * d.W {
			r.Model.Plane(b)[i] += float32(r.Sky[b])
		}
	}
	for i, w := range obs.Weights.Pix {
		if w > 0 {
			r.Residual.Pix[i] = d.Pix[i] - r.Model.Pix[i]
		}
	}
	r.Chi2 = make([]float64, d.C)
	for b := range d.C {
		var s, n float64
		for i, w := range obs.Weights.Plane(b) {
			if w > 0 {
				v := float64(r.Residual.Plane(b)[i])
				s, n = s+v*v*float64(w), n+1
			}
		}
		r.Chi2[b] = s / n
	}
	r.blend()
}

// report writes the group's sources into the result.
func (g *group) report(r *Result) {
	p, n := g.p, len(g.free)
	flux, sky := g.slot.flux, g.slot.sky
	for k, at := range g.index {
		f := &r.Sources[at]
		*f = Fitted{Source: g.src[k], Shape: g.theta[k].shape(), Flux: make([]float64, p.b), FluxErr: make([]float64, p.b)}
		f.Source.X, f.Source.Y = f.Source.X+float64(g.x0), f.Source.Y+float64(g.y0)
		f.Shape.X, f.Shape.Y = f.Shape.X+float64(g.x0), f.Shape.Y+float64(g.y0)
		for b := range p.b {
			f.Flux[b], f.FluxErr[b] = math.NaN(), math.NaN()
			if i := flux[k][b]; i >= 0 {
				f.Flux[b], f.FluxErr[b] = g.flux[k*p.b+b], math.Sqrt(g.cov[i*n+i])
			}
		}
		g.reportShape(f, k)
		for l, to := range g.index {
			for b := range p.b {
				if i, j := flux[k][b], flux[l][b]; i >= 0 && j >= 0 {
					r.Cov[b][at*len(r.Sources)+to] = g.cov[i*n+j]
				}
			}
		}
		g.reportMorphology(f, k)
	}
	for b, i := range sky {
		if i >= 0 {
			// groups share a sky: their mean, which is fair where their areas are alike
			r.Sky[b] += g.sky[b] / float64(r.Groups)
			r.SkyErr[b] = max(r.SkyErr[b], math.Sqrt(g.cov[i*n+i]))
		}
	}
}

// gain is the flux of a source's image over its profile's.
func (g *group) gain(k int) float64 {
	m := &g.morph[k]
	if m.s == nil {
		return 1
	}
	var s, t float64
	for i, v := range m.s {
		s, t = s+float64(v), t+float64(m.smooth[i])
	}
	return 1 + s - t
}

func (g *group) reportShape(f *Fitted, k int) {
	if f.Kind == Star {
		f.Shape.R, f.Shape.Eta1, f.Shape.Eta2 = 0, 0, 0
	}
	n := len(g.free)
	for i, q := range g.free {
		if q.what != paramShape || q.k != k {
			continue
		}
		e := math.Sqrt(g.cov[i*n+i])
		switch q.i {
		case iX:
			f.ShapeErr.X = e
		case iY:
			f.ShapeErr.Y = e
		case iLnR:
			f.ShapeErr.R = e * f.Shape.R
		case iTau:
			f.ShapeErr.Nu = e * (1 + f.Shape.Nu)
		case iEta1:
			f.ShapeErr.Eta1 = e
		case iEta2:
			f.ShapeErr.Eta2 = e
		}
	}
}

func (g *group) reportMorphology(f *Fitted, k int) {
	m := &g.morph[k]
	gr := g.p.grid
	f.Box = [4]int{m.x0 - gr.Col + g.x0, m.x1 - gr.Col + g.x0, m.y0 - gr.Row + g.y0, m.y1 - gr.Row + g.y0}
	f.Morphology = solvers.Image{C: 1, H: m.y1 - m.y0, W: m.x1 - m.x0, Pix: m.smooth}
	if m.s != nil {
		f.Morphology.Pix = m.s
	}
}

// judge says what is doubtful about the result.
func (r *Result) judge(obs *solvers.Observation) []limpid.Finding {
	var out []limpid.Finding
	if !r.Converged {
		out = append(out, limpid.Finding{
			Severity: limpid.Warning, Code: "deblend.converged", Where: "fit",
			What:   fmt.Sprintf("the fit had not converged after %d iterations", r.Iter),
			Advice: "allow more iterations, or remove sources that the data do not show",
		})
	}
	out = append(out, r.judgeChi2()...)
	out = append(out, r.judgeSources(obs)...)
	return append(out, r.unmodelled(obs)...)
}
