package deblend

import (
	"context"
	"math"

	"limpid/solvers/deblend/internal/shape"
)

// departures is the linear part of the free-form step: every source may depart
// from its profile by δ = s z, s = Roughness × profile and z ~ N(0, 1) pixel by
// pixel, which changes band b by a_kb K_b ∗ δ with K_b = P_b / model PSF in
// Fourier space.
type departures struct {
	g      *group
	s      [][]float32    // per source, over its box
	kernel [][]complex128 // per band, kept modes
	planes []float32      // (B, grid)
	image  []float32      // (B, H, W)
}

func (g *group) newDepartures() *departures {
	d := &departures{g: g, kernel: make([][]complex128, g.p.b)}
	p := g.p
	for b := range p.b {
		d.kernel[b] = make([]complex128, len(p.modes))
		for i := range p.modes {
			if p.model[i] > 1e-3 {
				d.kernel[b][i] = g.transfer[b][i] / complex(p.model[i], 0)
			}
		}
	}
	for k := range g.src {
		m := &g.morph[k]
		s := make([]float32, len(m.smooth))
		if g.src[k].Kind != Star {
			for i, v := range m.smooth {
				s[i] = float32(p.opt.Roughness) * v
			}
		}
		d.s = append(d.s, s)
	}
	d.planes = make([]float32, p.b*p.grid.H*p.grid.W)
	d.image = make([]float32, p.b*p.h*p.w)
	return d
}

// convolve replaces plane b by K ∗ plane, or its adjoint.
func (d *departures) convolve(w *scratch, b int, adjoint bool) error {
	p := d.g.p
	n := p.grid.H * p.grid.W
	plane := d.planes[b*n : (b+1)*n]
	if err := w.f.forward(w.spec, plane, 1); err != nil {
		return err
	}
	s, t := w.spec[:p.half()], d.kernel[b]
	j := 0
	// the modes come in order: clear what lies between them
	for i, m := range p.modes {
		clear(s[j : 2*m])
		j = int(2*m) + 2
		v := complex(float64(s[2*m]), float64(s[2*m+1]))
		if adjoint {
			v *= conj(t[i])
		} else {
			v *= t[i]
		}
		put(s, m, v)
	}
	clear(s[j:])
	return w.f.inverse(plane, s, 1)
}

// forward fills image with A z = Σ_k a_kb K_b ∗ (s_k z_k).
func (d *departures) forward(z [][]float32) error {
	return d.g.parallel(d.g.p.b, func(w *scratch, b int) error {
		g := d.g
		p, gr := g.p, g.p.grid
		plane := d.planes[b*gr.H*gr.W : (b+1)*gr.H*gr.W]
		clear(plane)
		for k := range g.src {
			m := &g.morph[k]
			wd := m.x1 - m.x0
			a := float32(g.flux[k*p.b+b])
			if a == 0 || g.src[k].Kind == Star {
				continue
			}
			for y := m.y0; y < m.y1; y++ {
				dst := plane[y*gr.W+m.x0:]
				s, q := d.s[k][(y-m.y0)*wd:(y-m.y0+1)*wd], z[k][(y-m.y0)*wd:]
				for x, v := range s {
					dst[x] += a * v * q[x]
				}
			}
		}
		if err := d.convolve(w, b, false); err != nil {
			return err
		}
		p.window(d.image[b*p.h*p.w:(b+1)*p.h*p.w], d.planes, b)
		return nil
	})
}

// adjoint fills out with Aᵀ image.
func (d *departures) adjoint(out [][]float32) error {
	g := d.g
	p, gr := g.p, g.p.grid
	if err := g.parallel(p.b, func(w *scratch, b int) error {
		plane := d.planes[b*gr.H*gr.W : (b+1)*gr.H*gr.W]
		clear(plane)
		for y := range p.h {
			copy(plane[(y+gr.Row)*gr.W+gr.Col:], d.image[(b*p.h+y)*p.w:(b*p.h+y+1)*p.w])
		}
		return d.convolve(w, b, true)
	}); err != nil {
		return err
	}
	return g.parallel(len(g.src), func(_ *scratch, k int) error {
		m := &g.morph[k]
		w := m.x1 - m.x0
		clear(out[k])
		if g.src[k].Kind == Star {
			return nil
		}
		for b := range p.b {
			a := float32(g.flux[k*p.b+b])
			if a == 0 {
				continue
			}
			for y := m.y0; y < m.y1; y++ {
				src := d.planes[b*gr.H*gr.W+y*gr.W+m.x0:]
				dst := out[k][(y-m.y0)*w : (y-m.y0+1)*w]
				for x := range dst {
					dst[x] += a * src[x]
				}
			}
		}
		for i, v := range d.s[k] {
			out[k][i] *= v
		}
		return nil
	})
}

func (d *departures) new() [][]float32 {
	out := make([][]float32, len(d.s))
	for k := range out {
		out[k] = make([]float32, len(d.s[k]))
	}
	return out
}

// freeIterations of the proximal gradient; it stops earlier when nothing moves.
const freeIterations = 60

// freeForm minimises ½ Σ w (d − model − A z)² + ½ Σ z² under S = m + s z ≥ 0 and
// the constraints asked for, by accelerated proximal gradient (Beck & Teboulle
// 2009) in the diagonal metric of metric; then solves for the fluxes again, exactly.
func (g *group) freeForm(ctx context.Context) error {
	d := g.newDepartures()
	if err := g.render(false); err != nil {
		return err
	}
	z := d.new()
	if err := d.descend(ctx, z); err != nil {
		return err
	}
	return d.settle(z)
}

// residual fills image with w (data − model − A z).
func (d *departures) residual(z [][]float32) error {
	if err := d.forward(z); err != nil {
		return err
	}
	p := d.g.p
	for i, w := range p.weights {
		if w > 0 {
			d.image[i] = w * (p.data[i] - d.g.model[i] - d.image[i])
		} else {
			d.image[i] = 0
		}
	}
	return nil
}

// metric is the diagonal |A|ᵀ w |A| 1 + 1, which bounds AᵀwA + 1 (De Pierro 1995):
// |A| convolves with the absolute value of K, whose lobes may be negative.
func (d *departures) metric() ([][]float32, error) {
	signed := d.kernel
	defer func() { d.kernel = signed }()
	var err error
	if d.kernel, err = d.absolute(); err != nil {
		return nil, err
	}
	one, out := d.new(), d.new()
	for k := range one {
		for i := range one[k] {
			one[k][i] = 1
		}
	}
	if err := d.forward(one); err != nil {
		return nil, err
	}
	for i, w := range d.g.p.weights {
		d.image[i] = w * max(d.image[i], 0)
	}
	if err := d.adjoint(out); err != nil {
		return nil, err
	}
	for k := range out {
		for i, v := range out[k] {
			out[k][i] = max(v, 0) + 1
		}
	}
	return out, nil
}

// absolute is the transfer of |K| in every band.
func (d *departures) absolute() ([][]complex128, error) {
	p := d.g.p
	out := make([][]complex128, p.b)
	n := p.grid.H * p.grid.W
	return out, d.g.parallel(p.b, func(w *scratch, b int) error {
		s := w.plane(p, 0)
		for i, m := range p.modes {
			put(s, m, d.kernel[b][i])
		}
		if err := w.f.inverse(w.planes, w.spec, 1); err != nil {
			return err
		}
		for i, v := range w.planes[:n] {
			w.planes[i] = max(v, -v)
		}
		if err := w.f.forward(w.spec, w.planes, 1); err != nil {
			return err
		}
		out[b] = make([]complex128, len(p.modes))
		for i, m := range p.modes {
			out[b][i] = complex(float64(w.spec[2*m]), float64(w.spec[2*m+1]))
		}
		return nil
	})
}

func (d *departures) descend(ctx context.Context, z [][]float32) error {
	metric, err := d.metric()
	if err != nil {
		return err
	}
	u, grad := d.new(), d.new()
	t, low := 1.0, float32(-1/d.g.p.opt.Roughness)
	for range freeIterations {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.residual(u); err != nil {
			return err
		}
		if err := d.adjoint(grad); err != nil {
			return err
		}
		next := (1 + math.Sqrt(1+4*t*t)) / 2
		beta := float32((t - 1) / next)
		t = next
		var moved, turn float64
		for k := range z {
			fresh := make([]float32, len(z[k]))
			for i, v := range u[k] {
				fresh[i] = max(v+(grad[k][i]-v)/metric[k][i], low)
			}
			d.constrain(k, fresh)
			for i, v := range fresh {
				step := v - z[k][i]
				moved = max(moved, math.Abs(float64(step)))
				turn += float64(u[k][i]-v) * float64(step) * float64(metric[k][i])
				u[k][i] = v + beta*step
				z[k][i] = v
			}
		}
		if turn > 0 { // the momentum points uphill: start it again (O'Donoghue & Candès 2015)
			t = 1
		}
		if moved < 0.01 {
			break
		}
	}
	return nil
}

// settle turns z into morphologies of unit sum, and solves for the fluxes.
func (d *departures) settle(z [][]float32) error {
	g := d.g
	p := g.p
	if err := d.show(z); err != nil {
		return err
	}
	for k := range g.src {
		m := &g.morph[k]
		gain := float32(g.gain(k))
		for i := range m.s {
			m.s[i] /= gain
		}
		for i := range m.seen {
			m.seen[i] /= gain
		}
		for b := range p.b {
			g.flux[k*p.b+b] *= float64(gain)
		}
	}
	g.linear()
	return nil
}

// show makes every morphology m + s z, and its images of unit flux of the profile.
func (d *departures) show(z [][]float32) error {
	g, p := d.g, d.g.p
	one := append([]float64(nil), g.flux...)
	for k := range g.src {
		m := &g.morph[k]
		m.s = make([]float32, len(m.smooth))
		for i, v := range m.smooth {
			m.s[i] = v + d.s[k][i]*z[k][i]
		}
		// the change of the source's image for unit flux
		solo := d.new()
		solo[k] = z[k]
		for l := range g.src {
			for b := range p.b {
				g.flux[l*p.b+b] = 0
				if l == k {
					g.flux[l*p.b+b] = 1
				}
			}
		}
		if err := d.forward(solo); err != nil {
			return err
		}
		for i, v := range d.image {
			m.seen[i] += v
		}
	}
	copy(g.flux, one)
	return nil
}

// linear solves for the fluxes (≥ 0) of the morphologies as they are, band by
// band, and renews the model.
func (g *group) linear() {
	p := g.p
	n := p.h * p.w
	var images [][]float32
	for k := range g.src {
		images = append(images, g.morph[k].seen)
	}
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		g.solveFluxes(images, b)
		model := g.model[b*n : (b+1)*n]
		for q := range model {
			model[q] = float32(g.sky[b])
		}
		for k := range g.src {
			a := float32(g.flux[k*p.b+b])
			for q, v := range images[k][b*n : (b+1)*n] {
				model[q] += a * v
			}
		}
	}
}

// constrain makes z of source k such that S = m + s z is symmetric or monotonic,
// as asked.
func (d *departures) constrain(k int, z []float32) {
	o := d.g.p.opt
	if !o.Symmetric && !o.Monotone || d.g.src[k].Kind == Star {
		return
	}
	m := &d.g.morph[k]
	w, h := m.x1-m.x0, m.y1-m.y0
	s := make([]float32, len(z))
	for i, v := range z {
		s[i] = m.smooth[i] + d.s[k][i]*v
	}
	cx := int(math.Round(d.g.theta[k][iX])) + d.g.p.grid.Col - m.x0
	cy := int(math.Round(d.g.theta[k][iY])) + d.g.p.grid.Row - m.y0
	if o.Symmetric {
		shape.Symmetric(s, h, w, cx, cy)
	}
	if o.Monotone {
		shape.Monotone(s, h, w, cx, cy)
	}
	for i, v := range s {
		if q := d.s[k][i]; q > 0 {
			z[i] = (v - m.smooth[i]) / q
		}
	}
}

// makeMorphologies renders every component's profile through the model PSF on the
// grid and cuts out the box where it matters, and its image in every band.
func (g *group) makeMorphologies() error {
	g.morph = make([]morphology, len(g.src))
	return g.parallel(len(g.src), g.makeMorphology)
}

func (g *group) makeMorphology(w *scratch, k int) error {
	p, e, m := g.p, g.elements[k], &g.morph[k]
	n := p.grid.H * p.grid.W
	s := w.plane(p, p.b)
	for i, mode := range p.modes {
		put(s, mode, e.phase[i]*complex(e.f[i]*p.model[i], 0))
	}
	for b := range p.b {
		s := w.plane(p, b)
		for i, mode := range p.modes {
			put(s, mode, e.phase[i]*g.transfer[b][i]*complex(e.f[i], 0))
		}
	}
	if err := w.f.inverse(w.planes, w.spec, p.b+1); err != nil {
		return err
	}
	m.seen = make([]float32, p.b*p.h*p.w)
	for b := range p.b {
		p.window(m.seen[b*p.h*p.w:(b+1)*p.h*p.w], w.planes, b)
	}
	g.cutBox(k, w.planes[p.b*n:(p.b+1)*n])
	return nil
}

// cutBox takes a box about the source: the image's own columns and a margin, but
// no farther than where the profile has lost all but 1e-4 of its peak.
func (g *group) cutBox(k int, plane []float32) {
	p, gr, m := g.p, g.p.grid, &g.morph[k]
	if g.boxes != nil {
		b := g.boxes[k]
		m.x0, m.x1, m.y0, m.y1 = b.x0, b.x1, b.y0, b.y1
		g.fillBox(m, plane)
		return
	}
	cx, cy := int(math.Round(g.theta[k][iX]))+gr.Col, int(math.Round(g.theta[k][iY]))+gr.Row
	var peak float32
	for _, v := range plane {
		peak = max(peak, v)
	}
	reach := int(math.Ceil(2 * p.widest()))
	for i, v := range plane {
		if v > 1e-4*peak {
			y, x := i/gr.W, i%gr.W
			reach = max(reach, min(max(abs(x-cx), abs(y-cy)), max(p.h, p.w)/2))
		}
	}
	m.x0, m.x1 = bounds(cx-reach, cx+reach+1, gr.W)
	m.y0, m.y1 = bounds(cy-reach, cy+reach+1, gr.H)
	g.fillBox(m, plane)
}

func (g *group) fillBox(m *morphology, plane []float32) {
	gr := g.p.grid
	var all, in float64
	for _, v := range plane {
		all += float64(v)
	}
	for y := m.y0; y < m.y1; y++ {
		for x := m.x0; x < m.x1; x++ {
			v := max(plane[y*gr.W+x], 0)
			m.smooth = append(m.smooth, v)
			in += float64(v)
		}
	}
	m.lost = all - in
}

func abs(a int) int { return max(a, -a) }
