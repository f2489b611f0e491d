package deblend

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/deblend/internal/spergel"
)

// morphology is S_k over its box: what is seen through the model PSF.
type morphology struct {
	x0, x1, y0, y1 int       // in the group's grid
	smooth         []float32 // the profile
	s              []float32 // with its departures
	lost           float64   // share of the profile's light outside the box
	seen           []float32 // (B, H, W) P_b ∗ S_k of unit flux, in the cut-out
}

// adopt takes over another group's sources and parameters.
func (g *group) adopt(o *group) {
	for k := len(g.src); k < len(o.src); k++ {
		g.add(o.index[k], o.src[k], o.twin[k])
	}
	g.theta, g.flux, g.sky, g.seeing = o.theta, o.flux, o.sky, o.seeing
	g.arrange()
}

// finish gives second components where they are called for and makes curvature, covariance and morphologies at the mode.
func (g *group) finish(ctx context.Context) error {
	if err := g.split(ctx); err != nil {
		return err
	}
	if err := g.render(true); err != nil {
		return err
	}
	h, err := g.normal(seenFine)
	if err != nil {
		return err
	}
	g.cov = dense.Inverse(h, len(g.free))
	if err := g.allowMisfit(h); err != nil {
		return err
	}
	g.mode = append([]float64(nil), g.flux...)
	if err := g.makeMorphologies(); err != nil {
		return err
	}
	if g.p.opt.NoFreeForm {
		return nil
	}
	if g.p.opt.Learned != nil {
		return g.learnedForm(ctx)
	}
	return g.freeForm(ctx)
}

// fitParts fits the groups, some at a time; with several groups a second pass
// takes the other groups' light off first.
func (r *Result) fitParts(ctx context.Context, dev engine.Device, obs *solvers.Observation, sources []Source, parts []part, opt Options) error {
	r.fits = make([]*group, len(parts))
	if len(parts) > 1 { // the groups share the threads
		opt.threads = 1
	}
	steps := counter{tell: opt.Progress}
	steps.expect(2 * len(parts)) // profiles, then what departs from them
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
		if err := g.profiles(ctx); err != nil {
			return err
		}
		steps.step()
		if len(parts) > 1 {
			return nil
		}
		defer steps.step()
		return g.finish(ctx)
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
		g.foreign = first[i].foreign
		g.adopt(first[i])
		g.addBack(first[i])
		r.fits[i] = g
		defer steps.step()
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
	for k, at := range g.index {
		for l, to := range g.index {
			for b := range p.b {
				r.Cov[b][at*len(r.Sources)+to] += g.covariance(k, l, b)
			}
		}
	}
	for _, parts := range g.owners() {
		at := g.index[parts[0]]
		f := &r.Sources[at]
		*f = Fitted{Source: g.src[parts[0]], Added: at >= r.given, Flux: make([]float64, p.b), FluxErr: make([]float64, p.b)}
		f.Source.X, f.Source.Y = f.Source.X+float64(g.x0), f.Source.Y+float64(g.y0)
		for b := range p.b {
			if !p.live[b] {
				f.Flux[b], f.FluxErr[b] = math.NaN(), math.NaN()
				continue
			}
			for _, k := range parts {
				f.Flux[b] += g.flux[k*p.b+b]
			}
			f.FluxErr[b] = math.Sqrt(max(r.Cov[b][at*len(r.Sources)+at], 0))
		}
		f.Shape, f.Components = g.shapeOf(parts, g.reference(parts))
		f.ShapeErr = g.shapeError(parts, f.Shape)
		g.reportMorphology(f, parts)
	}
	for b, i := range g.slot.sky {
		if i >= 0 {
			// groups share a sky: their mean, which is fair where their areas are alike
			r.Sky[b] += g.sky[b] / float64(r.Groups)
			r.SkyErr[b] = max(r.SkyErr[b], math.Sqrt(g.cov[i*n+i]))
		}
	}
}

// owners lists the components of each source.
func (g *group) owners() [][]int {
	var out [][]int
	for k := range g.src {
		if g.twin[k] >= 0 {
			continue
		}
		parts := []int{k}
		for l, j := range g.twin {
			if j == k {
				parts = append(parts, l)
			}
		}
		out = append(out, parts)
	}
	return out
}

// reference is the band where a source is seen best.
func (g *group) reference(parts []int) int {
	p := g.p
	best, top := 0, -1.0
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		var f, v float64
		for _, k := range parts {
			f += g.flux[k*p.b+b]
			for _, l := range parts {
				v += g.covariance(k, l, b)
			}
		}
		if q := f / math.Sqrt(v); q > top {
			best, top = b, q
		}
	}
	return best
}

// shapeOf is a source's shape in the observation; of several components, the
// radius that holds half of the light in band b and the mean ellipticity and index
// by flux; and the components.
func (g *group) shapeOf(parts []int, b int) (Shape, []Component) {
	var all []Component
	for _, k := range parts {
		s := g.theta[k].shape()
		s.X, s.Y = s.X+float64(g.x0), s.Y+float64(g.y0)
		if g.src[k].Kind == Star {
			s.R, s.Eta1, s.Eta2 = 0, 0, 0
		}
		c := Component{Shape: s}
		for i := range g.p.b {
			v := g.flux[k*g.p.b+i]
			if !g.p.live[i] {
				v = math.NaN()
			}
			c.Flux = append(c.Flux, v)
		}
		all = append(all, c)
	}
	return together(all, b), all
}

// together is the shape of several components of one centre.
func together(all []Component, b int) Shape {
	if len(all) == 1 {
		return all[0].Shape
	}
	var sum float64
	for _, c := range all {
		sum += max(c.Flux[b], 0)
	}
	if !(sum > 0) {
		return all[0].Shape
	}
	out := Shape{X: all[0].Shape.X, Y: all[0].Shape.Y}
	lo, hi := math.Inf(1), 0.0
	for _, c := range all {
		w := max(c.Flux[b], 0) / sum
		out.Nu += w * c.Shape.Nu
		out.Eta1, out.Eta2 = out.Eta1+w*c.Shape.Eta1, out.Eta2+w*c.Shape.Eta2
		lo, hi = min(lo, c.Shape.R), max(hi, c.Shape.R)
	}
	for range 40 {
		out.R = math.Sqrt(lo * hi)
		var in float64
		for _, c := range all {
			in += max(c.Flux[b], 0) / sum * spergel.Enclosed(c.Shape.Nu, out.R/c.Shape.R)
		}
		if in < 0.5 {
			lo = out.R
		} else {
			hi = out.R
		}
	}
	return out
}

// shapeError propagates the covariance of the components' parameters by
// differences.
func (g *group) shapeError(parts []int, at Shape) Shape {
	n, b := len(g.free), g.reference(parts)
	var slots []int
	for i, f := range g.free {
		mine := f.what == paramShape || f.what == paramFlux && f.i == b && len(parts) > 1
		if mine && slices.Contains(parts, f.k) {
			slots = append(slots, i)
		}
	}
	base := at.numbers()
	jac := make([][6]float64, len(slots))
	for q, i := range slots {
		f := g.free[i]
		v, step := g.get(f), 0.1*math.Sqrt(g.cov[i*n+i])
		if step == 0 {
			continue
		}
		g.put(f, v+step)
		s, _ := g.shapeOf(parts, b)
		g.put(f, v)
		for j, u := range s.numbers() {
			jac[q][j] = (u - base[j]) / step
		}
	}
	var out [6]float64
	for j := range out {
		var v float64
		for q, i := range slots {
			for r, l := range slots {
				v += jac[q][j] * g.cov[i*n+l] * jac[r][j]
			}
		}
		out[j] = math.Sqrt(max(v, 0))
	}
	return Shape{out[0], out[1], out[2], out[3], out[4], out[5]}
}

func (s Shape) numbers() [6]float64 { return [6]float64{s.X, s.Y, s.R, s.Nu, s.Eta1, s.Eta2} }

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

// reportMorphology gives the light of all components, as they contribute in the
// band where the source is seen best, over a box that holds them.
func (g *group) reportMorphology(f *Fitted, parts []int) {
	gr := g.p.grid
	box, im := g.compose(parts, g.reference(parts), func(k int) []float32 {
		if m := &g.morph[k]; m.s != nil {
			return m.s
		}
		return g.morph[k].smooth
	})
	f.Box = [4]int{box[0] - gr.Col + g.x0, box[1] - gr.Col + g.x0, box[2] - gr.Row + g.y0, box[3] - gr.Row + g.y0}
	f.Morphology = im
}

// compose adds the components' images weighted by their share of the flux in band
// b; the box is in the group's grid.
func (g *group) compose(parts []int, b int, image func(k int) []float32) (box [4]int, im solvers.Image) {
	m := &g.morph[parts[0]]
	if len(parts) == 1 {
		return [4]int{m.x0, m.x1, m.y0, m.y1}, solvers.Image{C: 1, H: m.y1 - m.y0, W: m.x1 - m.x0, Pix: image(parts[0])}
	}
	box = [4]int{m.x0, m.x1, m.y0, m.y1}
	var sum float64
	for _, k := range parts {
		m := &g.morph[k]
		box = [4]int{min(box[0], m.x0), max(box[1], m.x1), min(box[2], m.y0), max(box[3], m.y1)}
		sum += g.flux[k*g.p.b+b]
	}
	im = solvers.NewImage(1, box[3]-box[2], box[1]-box[0])
	for _, k := range parts {
		m, v := &g.morph[k], image(k)
		w := float32(1.0 / float64(len(parts)))
		if sum != 0 {
			w = float32(g.flux[k*g.p.b+b] / sum)
		}
		for i, x := range v {
			y := i/(m.x1-m.x0) + m.y0 - box[2]
			im.Pix[y*im.W+i%(m.x1-m.x0)+m.x0-box[0]] += w * x
		}
	}
	return box, im
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
	if len(r.fits) > 0 && r.fits[0].p.opt.Learned != nil {
		out = append(out, learnedFinding())
	}
	out = append(out, r.judgeChi2()...)
	out = append(out, r.judgeSources(obs)...)
	return append(out, r.unmodelled(obs)...)
}
