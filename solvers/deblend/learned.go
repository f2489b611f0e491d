package deblend

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/optim"
)

// MorphologyPrior is a learned density of what galaxies look like, known by its score;
// it takes images of sides that are multiples of Align.
type MorphologyPrior interface {
	priors.Prior
	Align() int
	Close()
}

// Learned says which prior morphologies have besides their profiles, and opens it.
type Learned struct {
	Name  string
	Align int
	Open  func(engine.Device, engine.Stream) (MorphologyPrior, error)
}

// learnedForm is the free-form step under a learned prior: the mode of the
// morphologies given fluxes and profiles, and then the fluxes again.
func (g *group) learnedForm(ctx context.Context) error {
	if err := g.render(false); err != nil {
		return err
	}
	c, err := g.newCanvas(g.p.dev)
	if err != nil {
		return err
	}
	defer c.close()
	s, err := c.mode(ctx, g.p.dev)
	if err != nil {
		return err
	}
	d, z := c.departures(s)
	return d.settle(z)
}

// departures are S minus the profiles.
func (c *canvas) departures(s [][]float32) (*departures, [][]float32) {
	d := c.g.newDepartures()
	z := d.new()
	for _, k := range c.which {
		for i, v := range s[k] {
			d.s[k][i] = 1
			z[k][i] = v - c.g.morph[k].smooth[i]
		}
	}
	return d, z
}

// The learned prior knows scenes, in which a galaxy may lie anywhere: each source is
// held to its place by its profile, from which a pixel may depart by its own value
// and half of the noise (1 σ).
const (
	learnedReach = 1.0
	learnedFloor = 0.5
)

// canvas is the free-form step under a learned prior. The scenes are T_k = A_k S_k, one
// plane a galaxy on the group's grid, A_k so chosen that the data's noise is 1 for
// each: with data in units of their noise and fluxes a_kb, d_b = Σ_k c_kb K_b ∗ T_k,
// c_kb = a_kb √w̄_b / A_k and A_k² = Σ_b a_kb² w̄_b. Further planes of the range hold the
// profiles, to which the scenes are held as if they had been observed.
type canvas struct {
	g      *group
	prior  MorphologyPrior
	s      engine.Stream
	which  []int       // component of each plane
	scale  []float64   // A_k
	unit   []float64   // √w̄_b
	smooth [][]float32 // A_k m_k on the grid
	op     *mixture
	data   solvers.Image // (B+K, H, W)
	weight solvers.Image
}

func (g *group) newCanvas(dev engine.Device) (*canvas, error) {
	p := g.p
	c := &canvas{g: g, s: dev.NewStream()}
	for k, s := range g.src {
		if s.Kind != Star {
			c.which = append(c.which, k)
		}
	}
	n := p.h * p.w
	for b := range p.b {
		var sum, count float64
		for _, w := range p.weights[b*n : (b+1)*n] {
			if w > 0 {
				sum, count = sum+float64(w), count+1
			}
		}
		c.unit = append(c.unit, math.Sqrt(sum/math.Max(count, 1)))
	}
	for _, k := range c.which {
		var a float64
		for b, u := range c.unit {
			a += math.Pow(g.flux[k*p.b+b]*u, 2)
		}
		c.scale = append(c.scale, math.Max(math.Sqrt(a), 1e-30))
	}
	var err error
	if c.prior, err = p.opt.Learned.Open(dev, c.s); err != nil {
		return nil, fmt.Errorf("deblend: prior %s: %w", p.opt.Learned.Name, err)
	}
	c.op, err = g.newMixture(dev, c.s, len(c.which))
	if err != nil {
		c.prior.Close()
		return nil, err
	}
	c.fill()
	return c, nil
}

func (c *canvas) close() {
	c.op.close()
	c.prior.Close()
}

// fill makes data and weights: what is left of the data without stars and sky, and the
// profiles.
func (c *canvas) fill() {
	g, p, gr := c.g, c.g.p, c.g.p.grid
	n, size, k := p.h*p.w, p.grid.H*p.grid.W, len(c.which)
	c.data, c.weight = solvers.NewImage(p.b+k, gr.H, gr.W), solvers.NewImage(p.b+k, gr.H, gr.W)
	for b := range p.b {
		for i, w := range p.weights[b*n : (b+1)*n] {
			if w == 0 {
				continue
			}
			v := p.data[b*n+i] - float32(g.sky[b])
			for q, s := range g.src {
				if s.Kind == Star {
					v -= float32(g.flux[q*p.b+b]) * g.morph[q].seen[b*n+i]
				}
			}
			at := (i/p.w+gr.Row)*gr.W + i%p.w + gr.Col
			c.data.Plane(b)[at] = v * float32(c.unit[b])
			c.weight.Plane(b)[at] = w / float32(c.unit[b]*c.unit[b])
		}
	}
	for j, q := range c.which {
		m := &g.morph[q]
		plane := make([]float32, size)
		for i, v := range m.smooth {
			plane[(i/(m.x1-m.x0)+m.y0)*gr.W+i%(m.x1-m.x0)+m.x0] = v * float32(c.scale[j])
		}
		c.smooth = append(c.smooth, plane)
		copy(c.data.Plane(p.b+j), plane)
		for i, v := range plane {
			e := learnedReach*v + learnedFloor
			c.weight.Plane(p.b + j)[i] = 1 / (e * e)
		}
	}
}

// amplitudes are c_kb for fluxes (K, B).
func (c *canvas) amplitudes(flux []float64) []float32 {
	b := c.g.p.b
	out := make([]float32, len(c.which)*b)
	for j, k := range c.which {
		for i, u := range c.unit {
			out[j*b+i] = float32(flux[k*b+i] * u / c.scale[j])
		}
	}
	return out
}

// Levels of the way to the mode, and how often the last is repeated.
const (
	mapLevels = 8
	mapRepeat = 4
	mapCG     = 30
)

// ends are the highest and the lowest noise level: half of the brightest pixel; twice
// the noise, or a fourth of the rms of what the profiles cover.
func (c *canvas) ends() (top, end float64) {
	var sum, count, peak float64
	for _, plane := range c.smooth {
		for _, v := range plane {
			peak = math.Max(peak, float64(v))
			if v > learnedFloor {
				sum, count = sum+float64(v)*float64(v), count+1
			}
		}
	}
	end = math.Min(2, 0.25*math.Sqrt(sum/math.Max(count, 1)))
	end = math.Max(end, 0.05)
	return math.Max(peak/2, 2*end), end
}

// mode finds the most probable scenes by half-quadratic splitting (Zoran & Weiss 2011;
// with denoisers Zhang+2021): at each noise level the scene is the compromise of the
// data and the denoised scene of before; at the last, a fixed point is where the score
// of p_σ balances the likelihood. The scene denoised there is what is given: the fixed
// point itself still carries noise of σ.
func (c *canvas) mode(ctx context.Context, dev engine.Device) ([][]float32, error) {
	g, s, k := c.g, c.s, len(c.which)
	gr := g.p.grid
	shape := engine.Shape{1, k, gr.H, gr.W}
	var all []*engine.Tensor
	defer func() {
		for _, t := range all {
			t.Free()
		}
	}()
	alloc := func(shape engine.Shape) *engine.Tensor {
		t, err := dev.Alloc(shape)
		if err == nil {
			all = append(all, t)
		}
		return t
	}
	rng := engine.Shape{1, c.data.C, gr.H, gr.W}
	x, m, rhs, delta, tmp := alloc(shape), alloc(shape), alloc(shape), alloc(shape), alloc(shape)
	y, w, ax := alloc(rng), alloc(rng), alloc(rng)
	cg, err := optim.NewCG(dev, shape)
	if err != nil {
		return nil, fmt.Errorf("deblend: %w", err)
	}
	defer cg.Close()
	if len(all) < 8 {
		return nil, fmt.Errorf("deblend: learned prior: no memory for %d sources of %d×%d", k, gr.H, gr.W)
	}
	cg.MaxIter, cg.Tol = mapCG, 1e-2
	c.op.amp = [][]float32{c.amplitudes(g.flux)}
	host := make([]float32, k*gr.H*gr.W)
	for j, plane := range c.smooth {
		copy(host[j*gr.H*gr.W:], plane)
	}
	s.Upload(x, host)
	s.Upload(y, c.data.Pix)
	s.Upload(w, c.weight.Pix)
	top, end := c.ends()
	for i := 0; ; i++ {
		sigma := top * math.Pow(end/top, math.Min(float64(i)/float64(mapLevels-1), 1))
		c.prior.Score(s, tmp, x, sigma)
		if f, ok := c.prior.(interface{ Err() error }); ok && f.Err() != nil {
			return nil, fmt.Errorf("deblend: learned prior: %w", f.Err())
		}
		s.Scale(m, float32(sigma*sigma), tmp)
		s.Add(m, m, x)
		if i == mapLevels+mapRepeat {
			break
		}
		// (AᵀwA + 1/σ²) δ = Aᵀ w (y − A m)
		c.op.Forward(s, ax, m)
		s.Sub(ax, y, ax)
		s.Mul(ax, ax, w)
		c.op.Adjoint(s, rhs, ax)
		if _, err := cg.Solve(ctx, s, func(dst, src *engine.Tensor) {
			c.op.Forward(s, ax, src)
			s.Mul(ax, ax, w)
			c.op.Adjoint(s, dst, ax)
			s.Axpy(dst, float32(1/(sigma*sigma)), src)
		}, func(dst, src *engine.Tensor) { s.Copy(dst, src) }, delta, rhs); err != nil {
			return nil, err
		}
		s.Add(x, m, delta)
		s.Clamp(x, x, 0, math.MaxFloat32)
	}
	s.Clamp(m, m, 0, math.MaxFloat32)
	s.Download(host, m)
	return c.cut(host), s.Sync(ctx)
}

// cut turns scenes into S over the components' boxes; nil for stars.
func (c *canvas) cut(host []float32) [][]float32 {
	gr := c.g.p.grid
	out := make([][]float32, len(c.g.src))
	for j, k := range c.which {
		m := &c.g.morph[k]
		plane := host[j*gr.H*gr.W : (j+1)*gr.H*gr.W]
		for y := m.y0; y < m.y1; y++ {
			for x := m.x0; x < m.x1; x++ {
				out[k] = append(out[k], plane[y*gr.W+x]/float32(c.scale[j]))
			}
		}
	}
	return out
}

// Of the draws: levels of the walk, draws that advance together, and sweeps between
// fluxes and morphologies.
const (
	learnedLevels = 20
	learnedBatch  = 4
	learnedSweeps = 2
)

// draw gives a morphology of every component for each of a batch of fluxes (K, B).
func (c *canvas) draw(ctx context.Context, dev engine.Device, flux [][]float64, key engine.Key) ([][][]float32, error) {
	gr, k := c.g.p.grid, len(c.which)
	c.op.amp = nil
	for _, f := range flux {
		c.op.amp = append(c.op.amp, c.amplitudes(f))
	}
	_, end := c.ends()
	kernel, err := anneal.NewBridge(dev, anneal.Config{
		Op: c.op, Data: c.data, Weights: c.weight, Prior: c.prior, Power: c.power(), Stream: c.s,
		SigmaMin: end, Levels: learnedLevels, Moves: -1, Batch: len(flux), Patches: true, Keep: true, NoPreview: true,
	})
	if err != nil {
		return nil, fmt.Errorf("deblend: %w", err)
	}
	defer kernel.Close()
	state, err := kernel.Init(ctx, nil)
	if err != nil {
		return nil, err
	}
	for i := range kernel.StepsPerBatch() {
		if _, err := kernel.Step(ctx, key.Fold(uint64(i)), state); err != nil {
			return nil, err
		}
	}
	host := make([]float32, len(flux)*k*gr.H*gr.W)
	c.s.Download(host, state.X)
	var out [][][]float32
	for i := range flux {
		out = append(out, c.cut(host[i*k*gr.H*gr.W:(i+1)*k*gr.H*gr.W]))
	}
	return out, c.s.Sync(ctx)
}

// power is the profiles' power spectrum and a white floor.
func (c *canvas) power() []float64 {
	gr := c.g.p.grid
	n := gr.H * gr.W
	spec := make([]float32, c.g.p.half())
	var out []float64
	for _, plane := range c.smooth {
		if err := c.g.work[0].f.forward(spec, plane, 1); err != nil {
			clear(spec)
		}
		for i := range len(spec) / 2 {
			re, im := float64(spec[2*i]), float64(spec[2*i+1])
			out = append(out, (re*re+im*im)/float64(n)+1e-2)
		}
	}
	return out
}

// linear draws the fluxes (K, B) given morphologies, with the bare noise, and leaves
// these, of unit sum, in the group.
func (c *canvas) linear(rng *rand.Rand, base []morphology, s [][]float32) ([]float64, error) {
	g, p, n := c.g, c.g.p, c.g.p.h*c.g.p.w
	g.morph = make([]morphology, len(base))
	for k, m := range base {
		g.morph[k] = m
		g.morph[k].seen = append([]float32(nil), m.seen...)
	}
	d, z := c.departures(s)
	if err := d.show(z); err != nil {
		return nil, err
	}
	for k := range g.src {
		m, gain := &g.morph[k], float32(g.gain(k))
		for i := range m.s {
			m.s[i] /= gain
		}
		for i := range m.seen {
			m.seen[i] /= gain
		}
	}
	count := len(g.src)
	flux := make([]float64, count*p.b)
	wa := make([]float32, n)
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		l, rhs := make([]float64, count*count), make([]float64, count)
		for i := range count {
			a := g.morph[i].seen[b*n : (b+1)*n]
			for q, w := range p.weights[b*n : (b+1)*n] {
				wa[q] = w * a[q]
				rhs[i] += float64(wa[q]) * (float64(p.data[b*n+q]) - g.sky[b])
			}
			for j := range i + 1 {
				l[i*count+j] = float64(dot32(wa, g.morph[j].seen[b*n:(b+1)*n]))
			}
			l[i*count+i] += 1 / (g.ridge[b] * g.ridge[b])
		}
		dense.Cholesky(l, count)
		dense.ForwardSolve(l, rhs, count)
		for i := range rhs {
			rhs[i] += rng.NormFloat64()
		}
		dense.BackSolve(l, rhs, count)
		for i, v := range rhs {
			flux[i*p.b+b] = v
		}
	}
	return flux, nil
}

// drawLearned draws the group's morphologies and fluxes in turn, learnedSweeps times,
// from the fluxes of its draws (Gibbs: morphologies by the bridge, fluxes exactly).
func (g *group) drawLearned(ctx context.Context, dev engine.Device, out *Posterior, key engine.Key) error {
	p := g.p
	own, err := g.copy(p.b+1, false)
	if err != nil {
		return err
	}
	defer own.close()
	copy(own.flux, g.mode)
	own.boxes = g.morph
	if err := own.render(false); err != nil {
		return err
	}
	if err := own.makeMorphologies(); err != nil {
		return err
	}
	base := own.morph
	c, err := own.newCanvas(dev)
	if err != nil {
		return err
	}
	defer c.close()
	if len(c.which) == 0 {
		return nil
	}
	for first := 0; first < len(out.Images); first += learnedBatch {
		last := min(first+learnedBatch, len(out.Images))
		flux := make([][]float64, 0, last-first)
		for d := first; d < last; d++ {
			flux = append(flux, g.draws.flux[d])
		}
		for sweep := range learnedSweeps {
			k := key.Fold(uint64(first)).Fold(uint64(sweep))
			own.morph = base
			s, err := c.draw(ctx, dev, flux, k)
			if err != nil {
				return err
			}
			for i := range s {
				r := k.Fold(uint64(1e6 + i))
				if flux[i], err = c.linear(rand.New(rand.NewPCG(r.Seed, r.Counter)), base, s[i]); err != nil {
					return err
				}
				if sweep == learnedSweeps-1 {
					copy(own.flux, flux[i])
					g.record(own, out, first+i)
				}
			}
		}
	}
	return nil
}

// record writes the fluxes and morphologies of c, a copy of the group, as draw d.
func (g *group) record(c *group, out *Posterior, d int) {
	p := g.p
	for _, parts := range c.owners() {
		at := g.index[parts[0]]
		for b := range p.b {
			if !p.live[b] {
				continue
			}
			out.Flux[d][at][b] = 0
			for _, k := range parts {
				out.Flux[d][at][b] += c.flux[k*p.b+b]
			}
		}
		_, out.Images[d][at] = c.compose(parts, g.reference(parts), func(k int) []float32 { return c.morph[k].s })
	}
}
