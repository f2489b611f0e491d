package deblend

import (
	"math"
	"math/rand/v2"

	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/deblend/internal/truncated"
)

// marginal is −log posterior of the shapes (and of the PSF's errors) with the fluxes
// and the sky integrated out. Given the shapes the model is linear, d = M a + n, and
// the fluxes of a band are Gaussian of precision H = MᵀWM + ridge about their least
// squares â, so that
//
//	U(θ) = Σ_b [½ |W^½(d − M â)|² + ½ âᵀ ridge â + ½ ln|H|] − ln prior(θ),
//	∂U = Σ_b Σ_k ⟨∂m_k, W(Σ_l (H⁻¹)_kl m_l − â_k (d − M â))⟩.
//
// What makes the joint posterior hard to walk, the bent valley of flux and size and
// the widening of a faint source's shape as its flux falls, is gone from it.
type marginal struct {
	g      *group
	coord  []int // which free parameters are coordinates
	linear int   // amplitudes per band: the components' fluxes, and the sky
	images [][]float32
	ones   []float32
	mean   [][]float64 // per band: â
	cov    [][]float64 // per band: H⁻¹
	back   []float32   // (B, h, w)
	grad   []float64   // of all free parameters
	total  []complex128
	bands  [][]complex128
}

func newMarginal(g *group) *marginal {
	p := g.p
	t := &marginal{g: g, linear: len(g.src), mean: make([][]float64, p.b), cov: make([][]float64, p.b)}
	for i, f := range g.free {
		if f.what == paramShape || f.what == paramSeeing {
			t.coord = append(t.coord, i)
		}
	}
	for range g.src {
		t.images = append(t.images, make([]float32, p.b*p.h*p.w))
	}
	if p.opt.Sky {
		t.linear++
		t.ones = make([]float32, p.h*p.w)
		for i := range t.ones {
			t.ones[i] = 1
		}
	}
	t.back, t.grad = make([]float32, p.b*p.h*p.w), make([]float64, len(g.free))
	t.total = make([]complex128, len(p.modes))
	if p.opt.PSFError {
		t.bands = p.perBand()
	}
	return t
}

// image is amplitude l's image in band b.
func (t *marginal) image(l, b int) []float32 {
	if l == len(t.images) {
		return t.ones
	}
	n := t.g.p.h * t.g.p.w
	return t.images[l][b*n : (b+1)*n]
}

// inside tells whether the parameters are where the prior allows them. The
// optimiser's limits of sizes and indices are no part of the prior, and a wall stops
// a chain: they lie 2 farther out here.
func (t *marginal) inside() bool {
	for _, i := range t.coord {
		f := t.g.free[i]
		v := t.g.get(f)
		lo, hi := t.g.allowed(f)
		if f.what == paramShape {
			lo, hi = lo-2, hi+2
		}
		if !(v >= lo && v <= hi) {
			return false
		}
	}
	return true
}

// value gives U at the group's parameters and fills grad, over the coordinates;
// +Inf outside of the parameters' range.
func (t *marginal) value(grad []float64) (float64, error) {
	g, p := t.g, t.g.p
	if !t.inside() {
		return math.Inf(1), nil
	}
	w := g.work[0]
	if p.opt.PSFError {
		for b := range p.b {
			g.seePSF(b)
		}
	}
	for k := range g.src {
		g.elements[k].set(p, g.theta[k], g.src[k].Kind, true)
		if err := g.unitImages(w, k, t.images[k]); err != nil {
			return 0, err
		}
	}
	g.fresh = true
	clear(t.grad)
	var u float64
	for _, i := range t.coord {
		if d, std := g.deviation(g.free[i]); std > 0 {
			u += 0.5 * d * d / (std * std)
			t.grad[i] = d / (std * std)
		}
	}
	for b := range p.b {
		if p.live[b] {
			u += t.solve(b)
		}
	}
	if err := t.gradient(w); err != nil {
		return 0, err
	}
	for j, i := range t.coord {
		grad[j] = t.grad[i]
	}
	return u, nil
}

// solve finds â, H⁻¹ and the residual of band b, which it leaves in the group's model,
// and gives the band's part of U.
func (t *marginal) solve(b int) float64 {
	g, p, m := t.g, t.g.p, t.linear
	n := p.h * p.w
	w, data := p.eff[b*n:(b+1)*n], p.data[b*n:(b+1)*n]
	wa := t.back[:n]
	l, rhs := make([]float64, m*m), make([]float64, m)
	for i := range m {
		a := t.image(i, b)
		for q, v := range w {
			wa[q] = v * a[q]
		}
		rhs[i] = float64(dot32(wa, data))
		for j := range i + 1 {
			l[i*m+j] = float64(dot32(wa, t.image(j, b)))
		}
		if i < len(g.src) {
			l[i*m+i] += 1 / (g.ridge[b] * g.ridge[b])
		}
	}
	dense.Cholesky(l, m)
	dense.ForwardSolve(l, rhs, m)
	dense.BackSolve(l, rhs, m)
	t.mean[b], t.cov[b] = rhs, dense.InverseOf(l, m)
	// the residual, whose sum of squares keeps the digits that dᵀWd − rhsᵀâ loses
	res := g.model[b*n : (b+1)*n]
	copy(res, data)
	for i, v := range rhs {
		a := float32(v)
		for q, x := range t.image(i, b) {
			res[q] -= a * x
		}
	}
	var u float64
	for q, v := range w {
		u += float64(v * res[q] * res[q])
	}
	for i, v := range rhs {
		u += 2 * math.Log(l[i*m+i])
		if i < len(g.src) {
			u += v * v / (g.ridge[b] * g.ridge[b])
		}
	}
	return u / 2
}

// gradient adds the data's part of ∂U.
func (t *marginal) gradient(w *scratch) error {
	g, p := t.g, t.g.p
	for b := range t.bands {
		clear(t.bands[b])
	}
	for k := range g.src {
		if err := t.backProject(w, k); err != nil {
			return err
		}
		d := g.elements[k].along(p, t.total)
		n := nShape
		if g.src[k].Kind == Star {
			n = 2
		}
		for i := range n {
			t.grad[g.slot.shape[k][i]] += d[i]
		}
	}
	for b := range t.bands {
		for i, s := range g.slot.seeing[b] {
			if s >= 0 {
				t.grad[s] += t.seeing(b, i)
			}
		}
	}
	return nil
}

// backProject fills total with Σ_b conj(phase) P_b* FFT(W(Σ_l (H⁻¹)_kl m_l − â_k r)),
// folded and over the grid's size.
func (t *marginal) backProject(w *scratch, k int) error {
	g, p, gr := t.g, t.g.p, t.g.p.grid
	n, size := p.h*p.w, p.grid.H*p.grid.W
	clear(w.planes[:p.b*size])
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		q := t.back[b*n : (b+1)*n]
		a := float32(-t.mean[b][k])
		for i, r := range g.model[b*n : (b+1)*n] {
			q[i] = a * r
		}
		for l := range t.linear {
			c := float32(t.cov[b][k*t.linear+l])
			for i, v := range t.image(l, b) {
				q[i] += c * v
			}
		}
		for y := range p.h {
			dst := w.planes[b*size+(y+gr.Row)*gr.W+gr.Col:]
			at := b*n + y*p.w
			for x, v := range p.eff[at : at+p.w] {
				dst[x] = v * q[y*p.w+x]
			}
		}
	}
	if err := w.f.forward(w.spec, w.planes, p.b); err != nil {
		return err
	}
	clear(t.total)
	norm, e := 1/float64(size), g.elements[k]
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		s := w.spec[b*p.half() : (b+1)*p.half()]
		for i, m := range p.modes {
			f := p.fold[i] * norm
			v := complex(float64(s[2*m])*f, float64(s[2*m+1])*f) * conj(e.phase[i])
			t.total[i] += v * conj(g.transfer[b][i])
			if t.bands != nil {
				t.bands[b][i] += v * complex(e.f[i], 0)
			}
		}
	}
	return nil
}

// seeing is ∂U by parameter j of band b's PSF.
func (t *marginal) seeing(b, j int) float64 {
	g, p := t.g, t.g.p
	var s float64
	for i, v := range t.bands[b] {
		var d complex128
		switch j {
		case 0:
			d = g.transfer[b][i] * complex(0, -p.kx[i])
		case 1:
			d = g.transfer[b][i] * complex(0, -p.ky[i])
		default:
			d = p.basis[b][j][i] * g.phase[b][i]
		}
		s += real(v * conj(d))
	}
	return s
}

// drawFluxes draws the amplitudes of the last value from their Gaussian and puts
// them into the group. With positive, fluxes are ≥ 0: the best of some draws by
// importance, and the log of the share of the Gaussian that is ≥ 0, estimated without
// bias.
func (t *marginal) drawFluxes(rng *rand.Rand, positive bool) (logShare float64) {
	g, p, m := t.g, t.g.p, t.linear
	for b := range p.b {
		if !p.live[b] {
			continue
		}
		l := append([]float64(nil), t.cov[b]...)
		dense.Cholesky(l, m)
		var a []float64
		if positive {
			var share float64
			a, share = truncated.Draw(rng, t.mean[b], l, len(g.src))
			logShare += share
		} else {
			a = truncated.Gaussian(rng, t.mean[b], l)
		}
		for k := range g.src {
			g.flux[k*p.b+b] = a[k]
		}
		if m > len(g.src) {
			g.sky[b] = a[len(g.src)]
		}
	}
	return logShare
}
