package grad

import (
	"fmt"

	"limpid/engine"
)

func val(v *Var) *engine.Tensor {
	if v == nil {
		return nil
	}
	return v.value
}

// Conv is act(x ⋆ w + bias + res); bias and res may be nil. See engine.Nets.
func (t *Tape) Conv(x, w, bias, res *Var, c engine.Conv) *Var {
	if t.record && c.Act != engine.Identity && c.Act != engine.ReLU {
		// The way back needs what the function was given.
		plain := c
		plain.Act = engine.Identity
		return t.Map(c.Act, t.Conv(x, w, bias, res, plain))
	}
	s, k := x.Shape(), w.Shape()
	if len(s) != 4 || len(k) != 4 {
		panic(fmt.Sprintf("grad: Conv of %v by %v", s, k))
	}
	v := t.made(engine.Shape{s[0], c.Out(s[1], k[0]), c.Out(s[2], k[1]), k[3]},
		node{back: backConv, in: [5]*Var{x, w, bias, res}, conv: c})
	if t.ok() {
		t.s.Conv(v.value, x.value, w.value, val(bias), val(res), c)
	}
	return v
}

func backConv(t *Tape, n *node) {
	x, w, bias, res := n.in[0], n.in[1], n.in[2], n.in[3]
	g := n.out.grad
	c := n.conv
	if c.Act == engine.ReLU { // the result is positive where what it was given was
		t.s.MapGrad(g, engine.ReLU, n.out.value, g)
	}
	c.Act = engine.Identity
	t.share(res, g)
	t.channelGrad(bias, g)
	if d := t.slot(w); d != nil {
		t.s.ConvWeights(d, x.value, g, c)
		t.commit(w, d)
	}
	if d := t.slot(x); d != nil {
		t.s.ConvTransposed(d, g, w.value, nil, c)
		t.commit(x, d)
	}
}

// channelGrad adds Σ g over images and pixels to the gradient of a bias (C).
func (t *Tape) channelGrad(bias *Var, g *engine.Tensor) {
	d := t.slot(bias)
	if d == nil {
		return
	}
	s := g.Shape()
	sums := t.alloc(engine.Shape{s[0], s[3]})
	if sums == nil {
		return
	}
	t.s.ChannelSums(sums, g, nil)
	t.s.SumLeading(d, sums)
	t.release(sums)
	t.commit(bias, d)
}

// ConvTransposed is the adjoint of a convolution, plus bias (nil: none), to images of
// h by w pixels.
func (t *Tape) ConvTransposed(y, w, bias *Var, h, wd int, c engine.Conv) *Var {
	s, k := y.Shape(), w.Shape()
	v := t.made(engine.Shape{s[0], h, wd, k[2]}, node{back: backTransposed, in: [5]*Var{y, w, bias}, conv: c})
	if t.ok() {
		t.s.ConvTransposed(v.value, y.value, w.value, val(bias), c)
	}
	return v
}

func backTransposed(t *Tape, n *node) {
	y, w, bias := n.in[0], n.in[1], n.in[2]
	g := n.out.grad
	t.channelGrad(bias, g)
	if d := t.slot(w); d != nil { // ⟨g, Aᵀ y⟩ = ⟨A g, y⟩
		t.s.ConvWeights(d, g, y.value, n.conv)
		t.commit(w, d)
	}
	if d := t.slot(y); d != nil {
		t.s.Conv(d, g, w.value, nil, nil, n.conv)
		t.commit(y, d)
	}
}

// Depthwise is x ⋆ w + bias, channel by channel.
func (t *Tape) Depthwise(x, w, bias *Var, c engine.Conv) *Var {
	s, k := x.Shape(), w.Shape()
	act := c.Act
	c.Act = engine.Identity
	v := t.made(engine.Shape{s[0], c.Out(s[1], k[0]), c.Out(s[2], k[1]), s[3]},
		node{back: backDepthwise, in: [5]*Var{x, w, bias}, conv: c})
	if t.ok() {
		t.s.Depthwise(v.value, x.value, w.value, val(bias), c)
	}
	if act != engine.Identity {
		return t.Map(act, v)
	}
	return v
}

func backDepthwise(t *Tape, n *node) {
	x, w, bias := n.in[0], n.in[1], n.in[2]
	g := n.out.grad
	t.channelGrad(bias, g)
	if d := t.slot(w); d != nil {
		t.s.DepthwiseWeights(d, x.value, g, n.conv)
		t.commit(w, d)
	}
	if d := t.slot(x); d != nil {
		t.s.DepthwiseTransposed(d, g, w.value, n.conv)
		t.commit(x, d)
	}
}

// MatMul is scale · a b; see engine.MatMul. A b that is shared by a batch needs an a
// that is not transposed.
func (t *Tape) MatMul(a, b *Var, m engine.MatMul) *Var {
	if m.Add {
		panic("grad: MatMul: a tape adds by Add")
	}
	sa, sb := a.Shape(), b.Shape()
	r, c := len(sa), len(sb)
	rows, cols := sa[r-2], sb[c-1]
	if m.TransA {
		rows = sa[r-1]
	}
	if m.TransB {
		cols = sb[c-2]
	}
	s := engine.Shape{rows, cols}
	if r == 3 {
		s = engine.Shape{sa[0], rows, cols}
	}
	v := t.made(s, node{back: backMatMul, in: [5]*Var{a, b}, mat: m})
	if t.ok() {
		t.s.MatMul(v.value, a.value, b.value, m)
	}
	return v
}

func backMatMul(t *Tape, n *node) {
	a, b, g, m := n.in[0], n.in[1], n.out.grad, n.mat
	if d := t.slot(a); d != nil {
		if m.TransA {
			t.s.MatMul(d, b.value, g, engine.MatMul{TransA: m.TransB, TransB: true, Scale: m.Scale})
		} else {
			t.s.MatMul(d, g, b.value, engine.MatMul{TransB: !m.TransB, Scale: m.Scale})
		}
		t.commit(a, d)
	}
	d := t.slot(b)
	if d == nil {
		return
	}
	x, y := a.value, g
	if sa, sb := a.Shape(), b.Shape(); len(sa) == 3 && (len(sb) == 2 || sb[0] == 1 && sa[0] > 1) {
		if m.TransA {
			panic("grad: MatMul: a transposed batch by a shared matrix")
		}
		// The batch is more rows.
		x = x.Reshape(sa[0]*sa[1], sa[2])
		y = y.Reshape(sa[0]*sa[1], g.Shape()[2])
	}
	if m.TransB {
		t.s.MatMul(d, y, x, engine.MatMul{TransA: true, TransB: m.TransA, Scale: m.Scale})
	} else {
		t.s.MatMul(d, x, y, engine.MatMul{TransA: !m.TransA, Scale: m.Scale})
	}
	t.commit(b, d)
}

// Softmax is over the last dimension.
func (t *Tape) Softmax(x *Var) *Var {
	v := t.made(x.Shape(), node{back: backSoftmax, in: [5]*Var{x}})
	if t.ok() {
		t.s.Softmax(v.value, x.value)
	}
	return v
}

func backSoftmax(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.SoftmaxGrad(g, n.out.value, n.out.grad)
		t.commit(n.in[0], g)
	}
}

// Norm is act(γ (x − mean)/√(variance + ε) + β); gamma and beta are (C), (B, C) or
// nil. See engine.Nets.
func (t *Tape) Norm(x, gamma, beta *Var, m engine.Norm) *Var {
	stats := t.alloc(m.Stats(x.Shape()))
	v := t.made(x.Shape(), node{back: backNorm, in: [5]*Var{x, gamma, beta}, norm: m, aux: [3]*engine.Tensor{stats}})
	if t.ok() {
		t.s.Norm(v.value, stats, x.value, val(gamma), val(beta), m)
		if !t.record {
			t.release(stats)
		}
	}
	return v
}

func backNorm(t *Tape, n *node) {
	x, gamma, beta := n.in[0], n.in[1], n.in[2]
	s := x.Shape()
	bc := engine.Shape{s[0], s[3]}
	var dg, db *engine.Tensor
	if gamma != nil && gamma.needs {
		dg = t.alloc(bc)
	}
	if beta != nil && beta.needs {
		db = t.alloc(bc)
	}
	dx := t.alloc(s)
	if !t.ok() {
		return
	}
	t.s.NormGrad(dx, dg, db, n.aux[0], x.value, val(gamma), val(beta), n.out.grad, n.norm)
	if x.needs {
		t.commit(x, dx)
	} else {
		t.release(dx)
	}
	t.perImage(gamma, dg)
	t.perImage(beta, db)
}

// perImage adds the gradient d (B, C) to that of p, (C) or (B, C), and releases it.
func (t *Tape) perImage(p *Var, d *engine.Tensor) {
	if d == nil {
		return
	}
	if g := t.slot(p); g != nil {
		t.s.SumLeading(g, d)
		t.commit(p, g)
	}
	t.release(d)
}

// ChannelAffine is x·scale + shift with scale and shift (B, C); either may be nil.
func (t *Tape) ChannelAffine(x, scale, shift *Var) *Var {
	v := t.made(x.Shape(), node{back: backChannelAffine, in: [5]*Var{x, scale, shift}})
	if t.ok() {
		t.s.ChannelAffine(v.value, x.value, val(scale), val(shift))
	}
	return v
}

func backChannelAffine(t *Tape, n *node) {
	x, scale, shift := n.in[0], n.in[1], n.in[2]
	if g := t.slot(x); g != nil {
		t.s.ChannelAffine(g, n.out.grad, val(scale), nil)
		t.commit(x, g)
	}
	if g := t.slot(scale); g != nil {
		t.s.ChannelSums(g, n.out.grad, x.value)
		t.commit(scale, g)
	}
	if g := t.slot(shift); g != nil {
		t.s.ChannelSums(g, n.out.grad, nil)
		t.commit(shift, g)
	}
}

// Concat puts the channels (last dimension) of xs side by side.
func (t *Tape) Concat(xs ...*Var) *Var {
	s := append(engine.Shape(nil), xs[0].Shape()...)
	last := len(s) - 1
	s[last] = 0
	for _, x := range xs {
		s[last] += x.Shape()[last]
	}
	v := t.made(s, node{back: backConcat, list: append([]*Var(nil), xs...)})
	if !t.ok() {
		return v
	}
	at := 0
	for _, x := range xs {
		n := x.Shape()[last]
		t.s.CopyChannels(v.value, at, x.value, 0, n)
		at += n
	}
	return v
}

func backConcat(t *Tape, n *node) {
	at := 0
	for _, x := range n.list {
		s := x.Shape()
		c := s[len(s)-1]
		if g := t.slot(x); g != nil {
			t.s.CopyChannels(g, 0, n.out.grad, at, c)
			t.commit(x, g)
		}
		at += c
	}
}

// Channels is the n channels (last dimension) of x from the given one on.
func (t *Tape) Channels(x *Var, from, n int) *Var {
	s := append(engine.Shape(nil), x.Shape()...)
	s[len(s)-1] = n
	v := t.made(s, node{back: backChannels, in: [5]*Var{x}, i: from})
	if t.ok() {
		t.s.CopyChannels(v.value, 0, x.value, from, n)
	}
	return v
}

func backChannels(t *Tape, n *node) {
	x := n.in[0]
	if g := t.slot(x); g != nil {
		s := n.out.Shape()
		t.s.Fill(g, 0)
		t.s.CopyChannels(g, n.i, n.out.grad, 0, s[len(s)-1])
		t.commit(x, g)
	}
}

// Upsample repeats every pixel k×k times.
func (t *Tape) Upsample(x *Var, k int) *Var {
	s := x.Shape()
	v := t.made(engine.Shape{s[0], s[1] * k, s[2] * k, s[3]}, node{back: backUpsample, in: [5]*Var{x}, i: k})
	if t.ok() {
		t.s.Upsample(v.value, x.value, k)
	}
	return v
}

func backUpsample(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.SumPool(g, n.out.grad, n.i)
		t.commit(n.in[0], g)
	}
}

// SumPool adds k×k pixels.
func (t *Tape) SumPool(x *Var, k int) *Var {
	s := x.Shape()
	v := t.made(engine.Shape{s[0], s[1] / k, s[2] / k, s[3]}, node{back: backSumPool, in: [5]*Var{x}, i: k})
	if t.ok() {
		t.s.SumPool(v.value, x.value, k)
	}
	return v
}

func backSumPool(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.Upsample(g, n.out.grad, n.i)
		t.commit(n.in[0], g)
	}
}

// ChannelsLast is (B, C, H, W) as (B, H, W, C), ChannelsFirst the reverse.
func (t *Tape) ChannelsLast(x *Var) *Var {
	s := x.Shape()
	v := t.made(engine.Shape{s[0], s[2], s[3], s[1]}, node{back: backChannelsLast, in: [5]*Var{x}})
	if t.ok() {
		t.s.ChannelsLast(v.value, x.value)
	}
	return v
}

func backChannelsLast(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.ChannelsFirst(g, n.out.grad)
		t.commit(n.in[0], g)
	}
}

// ChannelsFirst is (B, H, W, C) as (B, C, H, W).
func (t *Tape) ChannelsFirst(x *Var) *Var {
	s := x.Shape()
	v := t.made(engine.Shape{s[0], s[3], s[1], s[2]}, node{back: backChannelsFirst, in: [5]*Var{x}})
	if t.ok() {
		t.s.ChannelsFirst(v.value, x.value)
	}
	return v
}

func backChannelsFirst(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.ChannelsLast(g, n.out.grad)
		t.commit(n.in[0], g)
	}
}
