package anneal

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/solvers/optim"
)

// draw leaves in dst draws of x0 ~ N(m, C) conditioned on the data:
//
//	x0 = m + s − C A′ᵀ v,  (1 + A′ C A′ᵀ) v = A′ (m + s) + η − y′,
//
// A′ = N^-½ A, y′ = N^-½ y, s ~ N(0, C) and white η (Matheron's rule: Wilson+2020);
// key nil leaves s and η out and gives the mean. The system is of the size of the images,
// whatever C is made of. Its residual r leaves an error of the draw whose norm, in standard deviations of
// the posterior, is √(rᵀ K/(1 + K) r) ≤ |r|, K = A′ C A′ᵀ: it is brought below a tenth of
// what a draw has.
func (p *patches) draw(ctx context.Context, k *core, dst, m *engine.Tensor, key *engine.Key) (optim.Result, error) {
	s, from := k.s, m
	p.condition.set(k, p)
	if key != nil {
		p.noise(k, k.u, key.Fold(2))
		s.Add(k.u, k.u, m)
		from = k.u
	}
	k.op.Forward(s, k.ax, from)
	s.Sub(k.ax, k.ax, k.y)
	k.whiten(p.rhs, k.ax)
	if key != nil {
		k.normals(k.ax, k.n, key.Fold(1))
		s.Mul(k.ax, k.ax, p.seen)
		s.Add(p.rhs, p.rhs, k.ax)
	}
	back := func(v *engine.Tensor) *engine.Tensor { // C A′ᵀ v
		k.whitenTransposed(k.wx, v)
		k.op.Adjoint(s, k.t, k.wx)
		p.cover.apply(k, p.fit, k.t)
		return p.fit
	}
	apply := func(d, src *engine.Tensor) {
		k.op.Forward(s, k.wx, back(src))
		k.whiten(d, k.wx)
		s.Add(d, d, src)
	}
	precondition := func(d, src *engine.Tensor) { p.condition.apply(k, d, src) }
	p.cg.Below = solveError * math.Sqrt(float64(k.dom.Len()))
	res, err := p.cg.Solve(ctx, s, apply, precondition, p.v, p.rhs)
	if err != nil {
		return res, err
	}
	s.Sub(dst, from, back(p.v))
	return res, nil
}

// noise leaves in dst a draw of N(0, C).
func (p *patches) noise(k *core, dst *engine.Tensor, key engine.Key) {
	s, b := k.s, p.cover
	for c := range b.windows {
		if c > 0 && c == b.empty {
			continue
		}
		k.normals(b.part, k.n, key.Fold(uint64(c)))
		s.RFFT2(k.spec, b.part)
		s.CScale(k.spec, k.spec, p.roots[c])
		s.IRFFT2(b.part, k.spec)
		b.add(s, dst, c)
	}
}

// bank is the operator Σ_c W_c F_c W_c, W_c windows over a scene and F_c real functions of the
// modes.
type bank struct {
	window, filter   *engine.Tensor // (count, n, domain), (count, modes)
	windows, filters []*engine.Tensor
	part             *engine.Tensor // (n, domain), work space
	empty            int            // a class whose window is 0 everywhere, which costs nothing; 0: none
}

func (k *core) newBank(count int, part *engine.Tensor, err *error) *bank {
	b := &bank{
		window: k.alloc(err, append(engine.Shape{count}, k.x.Shape()...)),
		filter: k.alloc(err, engine.Shape{count, k.dom[0], k.dom[1], k.dom[2]/2 + 1}),
		part:   part,
	}
	if *err != nil {
		return nil
	}
	b.windows = parts(b.window)
	b.filters = parts(b.filter)
	return b
}

// parts are the parts of t along its leading dimension.
func parts(t *engine.Tensor) []*engine.Tensor {
	out := make([]*engine.Tensor, t.Shape()[0])
	for i := range out {
		out[i] = t.Slice(i, i+1).Reshape(t.Shape()[1:]...)
	}
	return out
}

// apply leaves it of x in dst, another tensor.
func (b *bank) apply(k *core, dst, x *engine.Tensor) {
	s := k.s
	for c, w := range b.windows {
		if c > 0 && c == b.empty {
			continue
		}
		s.Mul(b.part, x, w)
		s.RFFT2(k.spec, b.part)
		s.CScale(k.spec, k.spec, b.filters[c])
		s.IRFFT2(b.part, k.spec)
		b.add(s, dst, c)
	}
}

// add adds W_c of part to dst; the first takes its place.
func (b *bank) add(s engine.Stream, dst *engine.Tensor, c int) {
	if c == 0 {
		s.Mul(dst, b.part, b.windows[c])
		return
	}
	s.MulAdd(dst, b.part, b.windows[c])
}
