package deblend

import "math"

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
