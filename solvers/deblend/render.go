package deblend

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"limpid/engine"
	"limpid/solvers/deblend/internal/spergel"
)

// scratch is what one goroutine needs to transform planes.
type scratch struct {
	f      *fourier
	spec   []float32
	planes []float32
}

func newScratch(p *problem, batch, workers int) ([]*scratch, error) {
	var out []*scratch
	for range workers {
		f, err := newFourier(p.dev, p.grid.H, p.grid.W, batch)
		if err != nil {
			for _, s := range out {
				s.f.close()
			}
			return nil, err
		}
		out = append(out, &scratch{f: f, spec: make([]float32, batch*p.half()), planes: make([]float32, batch*p.grid.H*p.grid.W)})
	}
	return out, nil
}

// half is the number of floats of a half plane's spectrum.
func (p *problem) half() int { return p.grid.H * (p.grid.W/2 + 1) * 2 }

// parallel calls f for 0 … n−1 on the group's workers; the result must not depend
// on which does what.
func (g *group) parallel(n int, f func(w *scratch, i int) error) error {
	if len(g.work) == 1 || n == 1 {
		for i := range n {
			if err := f(g.work[0], i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, len(g.work))
	for at, w := range g.work {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := int(next.Add(1)) - 1; i < n && errs[at] == nil; i = int(next.Add(1)) - 1 {
				errs[at] = f(w, i)
			}
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

// plane clears spectrum n of the scratch and gives it.
func (w *scratch) plane(p *problem, n int) []float32 {
	s := w.spec[n*p.half() : (n+1)*p.half()]
	clear(s)
	return s
}

func put(s []float32, m int32, v complex128) {
	s[2*m], s[2*m+1] = float32(real(v)), float32(imag(v))
}

// render computes the model at the present parameters, (B, H, W), with elements
// up to date; derivatives too if asked.
func (g *group) render(derivatives bool) error {
	if !g.fresh {
		if err := g.parallel(len(g.src), func(_ *scratch, k int) error {
			g.elements[k].set(g.p, g.theta[k], g.src[k].Kind, derivatives)
			return nil
		}); err != nil {
			return err
		}
	}
	g.fresh = false
	return g.parallel(g.p.b, g.renderBand)
}

func (g *group) renderBand(w *scratch, b int) error {
	p := g.p
	if p.opt.PSFError {
		g.seePSF(b)
	}
	acc, t := g.bare[b], g.transfer[b]
	clear(acc)
	for k, e := range g.elements {
		a := g.flux[k*p.b+b]
		if a == 0 {
			continue
		}
		for i, ph := range e.phase {
			v := a * e.f[i]
			acc[i] += complex(real(ph)*v, imag(ph)*v)
		}
	}
	s := w.plane(p, 0)
	for i, m := range p.modes {
		put(s, m, acc[i]*t[i])
	}
	if err := w.f.inverse(w.planes, w.spec, 1); err != nil {
		return err
	}
	out := g.model[b*p.h*p.w : (b+1)*p.h*p.w]
	p.window(out, w.planes, 0)
	if sky := float32(g.sky[b]); sky != 0 {
		for i := range out {
			out[i] += sky
		}
	}
	return nil
}

// window cuts the image out of plane n of a batch of grids.
func (p *problem) window(dst, planes []float32, n int) {
	gr := p.grid
	for y := range p.h {
		at := n*gr.H*gr.W + (y+gr.Row)*gr.W + gr.Col
		copy(dst[y*p.w:(y+1)*p.w], planes[at:at+p.w])
	}
}

// gradient renders the present parameters and gives −log posterior and its
// gradient: ∂/∂p ½Σ w r² = −Σ_b a_kb ⟨∂f_k, P_b* FFT(w r)⟩ by Parseval.
func (g *group) gradient(grad []float64) (float64, error) {
	clear(grad)
	if err := g.render(true); err != nil {
		return 0, err
	}
	p := g.p
	u := g.halfChi2() + g.prior(grad, nil)
	back := make([][]complex128, p.b)
	sky := make([]float64, p.b)
	seeing := make([][nSeeing]float64, p.b)
	if err := g.parallel(p.b, func(w *scratch, b int) (err error) {
		if p.live[b] {
			back[b], sky[b], seeing[b], err = g.backProject(w, b)
		}
		return err
	}); err != nil {
		return 0, err
	}
	shapes, amps := make([][nShape]float64, len(g.src)), make([][]float64, len(g.src))
	if err := g.parallel(len(g.src), func(_ *scratch, k int) error {
		shapes[k], amps[k] = g.project(k, back)
		return nil
	}); err != nil {
		return 0, err
	}
	for k := range g.src {
		n := nShape
		if g.src[k].Kind == Star {
			n = 2
		}
		for i := range n {
			grad[g.slot.shape[k][i]] -= shapes[k][i]
		}
		for b, s := range g.slot.flux[k] {
			if s >= 0 {
				grad[s] -= amps[k][b]
			}
		}
	}
	for b := range p.b {
		if s := g.slot.sky[b]; s >= 0 {
			grad[s] -= sky[b]
		}
		for i, s := range g.slot.seeing[b] {
			if s >= 0 {
				grad[s] -= seeing[b][i]
			}
		}
	}
	return u, nil
}

// backProject gives P* FFT(w r) of band b over the kept modes, each as often as it
// stands in the full plane, over the grid's size; the sum of w r; and its products
// with the derivatives by the PSF's parameters.
func (g *group) backProject(w *scratch, b int) (q []complex128, sum float64, seeing [nSeeing]float64, err error) {
	p, gr := g.p, g.p.grid
	plane := w.planes[:gr.H*gr.W]
	clear(plane)
	for y := range p.h {
		dst := plane[(y+gr.Row)*gr.W+gr.Col:]
		at := (b*p.h + y) * p.w
		for x, v := range p.eff[at : at+p.w] {
			dst[x] = v * (p.data[at+x] - g.model[at+x])
			sum += float64(dst[x])
		}
	}
	if err := w.f.forward(w.spec, plane, 1); err != nil {
		return nil, 0, seeing, err
	}
	q = make([]complex128, len(p.modes))
	norm := 1 / float64(gr.H*gr.W)
	for i, m := range p.modes {
		r := complex(float64(w.spec[2*m])*p.fold[i]*norm, float64(w.spec[2*m+1])*p.fold[i]*norm)
		q[i] = r * conj(g.transfer[b][i])
		if p.opt.PSFError {
			for j := range seeing {
				c := r * conj(g.seeingDerivative(b, j, i))
				seeing[j] += real(c)
			}
		}
	}
	return q, sum, seeing, nil
}

// project gives component k's part of the gradient of −½Σ w r².
func (g *group) project(k int, back [][]complex128) (d [nShape]float64, amp []float64) {
	p, e := g.p, g.elements[k]
	amp = make([]float64, p.b)
	total := make([]complex128, len(p.modes)) // Σ_b a_b conj(phase) q_b
	for b, q := range back {
		if q == nil {
			continue
		}
		a := g.flux[k*p.b+b]
		var s float64
		for i, ph := range e.phase {
			v := q[i] * conj(ph)
			s += e.f[i] * real(v)
			total[i] += complex(a*real(v), a*imag(v))
		}
		amp[b] = s
	}
	return e.along(p, total), amp
}

// along gives Σ_i Re(total_i ∂f_i) by position and shape: total is a spectrum that the
// phase has been taken off.
func (e *element) along(p *problem, total []complex128) (d [nShape]float64) {
	for i, v := range total {
		// conj(−i k) q = i k q: its real part is −k Im q
		f := e.f[i] * imag(v)
		d[iX] -= p.kx[i] * f
		d[iY] -= p.ky[i] * f
	}
	for j, by := range e.d {
		var s float64
		for i, v := range total {
			s += by[i] * real(v)
		}
		d[j+2] = s
	}
	return d
}

func conj(v complex128) complex128 { return complex(real(v), -imag(v)) }

// fourier transforms batches of planes of one size on a stream of its own.
type fourier struct {
	s          engine.Stream
	h, w, n    int
	real, spec *engine.Tensor
}

func newFourier(dev engine.Device, h, w, batch int) (*fourier, error) {
	f := &fourier{s: dev.NewStream(), h: h, w: w, n: batch}
	shape := engine.Shape{batch, h, w}
	var err error
	if f.real, err = dev.Alloc(shape); err != nil {
		return nil, fmt.Errorf("deblend: %w", err)
	}
	if f.spec, err = dev.Alloc(shape.Spectrum()); err != nil {
		f.real.Free()
		return nil, fmt.Errorf("deblend: %w", err)
	}
	return f, nil
}

func (f *fourier) close() {
	f.real.Free()
	f.spec.Free()
}

// forward transforms n planes; at most the batch.
func (f *fourier) forward(dst, src []float32, n int) error {
	r, s := f.real.Slice(0, n), f.spec.Slice(0, n)
	f.s.Upload(r, src[:n*f.h*f.w])
	f.s.RFFT2(s, r)
	f.s.Download(dst[:s.Len()], s)
	return f.s.Sync(context.Background())
}

// inverse is its inverse.
func (f *fourier) inverse(dst, src []float32, n int) error {
	r, s := f.real.Slice(0, n), f.spec.Slice(0, n)
	f.s.Upload(s, src[:s.Len()])
	f.s.IRFFT2(r, s)
	f.s.Download(dst[:r.Len()], r)
	return f.s.Sync(context.Background())
}

// theta is a shape as the optimiser sees it: position, ln R, τ = ln(1+ν), η.
type theta [6]float64

// Indices into theta.
const (
	iX = iota
	iY
	iLnR
	iTau
	iEta1
	iEta2
	nShape
)

func (t theta) shape() Shape {
	return Shape{X: t[iX], Y: t[iY], R: math.Exp(t[iLnR]), Nu: math.Exp(t[iTau]) - 1, Eta1: t[iEta1], Eta2: t[iEta2]}
}

// element is one source in Fourier space: the profile's transform is real,
//
//	f(k) = (1 + (R/c)² kᵀA²k)^−(1+ν),  A² = exp(η),
//
// with η the symmetric traceless matrix (η1, η2; η2, −η1); the whole is f times
// the phase of its position.
type element struct {
	phase []complex128 // exp(−i k·x)
	f     []float64
	d     [4][]float64 // ∂f/∂(ln R, τ, η1, η2)
}

func newElement(n int, derivatives bool) *element {
	e := &element{phase: make([]complex128, n), f: make([]float64, n)}
	if derivatives {
		for i := range e.d {
			e.d[i] = make([]float64, n)
		}
	}
	return e
}

// set computes the element of a source at t, in grid coordinates.
func (e *element) set(p *problem, t theta, kind Kind, derivatives bool) {
	e.setPhase(p, t[iX]+float64(p.grid.Col), t[iY]+float64(p.grid.Row))
	if kind == Star {
		for i := range e.f {
			e.f[i] = 1
		}
		return
	}
	m := math.Exp(t[iTau])
	lnC, dC := spergel.LnHalfLight(t[iTau])
	s2 := math.Exp(2 * (t[iLnR] - lnC))
	eta := math.Hypot(t[iEta1], t[iEta2])
	ch, sh, dsh := math.Cosh(eta), 1+eta*eta/6, 1.0/3 // sinh η/η, and (cosh η/η − sinh η/η²)/η
	if eta > 1e-3 {
		sh = math.Sinh(eta) / eta
		dsh = (ch - sh) / (eta * eta)
	}
	for i, kx := range p.kx {
		ky := p.ky[i]
		sum, diff, cross := kx*kx+ky*ky, kx*kx-ky*ky, 2*kx*ky
		g := diff*t[iEta1] + cross*t[iEta2]
		u := s2 * (ch*sum + sh*g)
		l := math.Log1p(u)
		f := math.Exp(-m * l)
		e.f[i] = f
		if !derivatives {
			continue
		}
		q := -m * f / (1 + u) // ∂f/∂u
		e.d[0][i] = q * 2 * u
		e.d[1][i] = -m*l*f - q*2*u*dC
		e.d[2][i] = q * s2 * (sh*t[iEta1]*sum + dsh*t[iEta1]*g + sh*diff)
		e.d[3][i] = q * s2 * (sh*t[iEta2]*sum + dsh*t[iEta2]*g + sh*cross)
	}
}

// setPhase fills exp(−i(kx x + ky y)); rows of one ky follow each other.
func (e *element) setPhase(p *problem, x, y float64) {
	gc := p.grid.W/2 + 1
	col := make([]complex128, gc)
	for q := range col {
		s, c := math.Sincos(-2 * math.Pi * float64(q) / float64(p.grid.W) * x)
		col[q] = complex(c, s)
	}
	row, last := complex(1, 0), int32(-1)
	for i, m := range p.modes {
		if r := m / int32(gc); r != last {
			s, c := math.Sincos(-p.ky[i] * y)
			row, last = complex(c, s), r
		}
		e.phase[i] = row * col[m%int32(gc)]
	}
}
