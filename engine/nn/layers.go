package nn

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
)

// Conv is a convolution layer.
type Conv struct {
	W, B *engine.Tensor
	Spec engine.Conv
}

// NewConv makes a k×k convolution from c to n channels with weights of variance
// gain²/(k² c).
func NewConv(p *Params, name string, k, c, n int, gain float64, spec engine.Conv) *Conv {
	return &Conv{
		W:    p.Normal(name+".weight", gain/math.Sqrt(float64(k*k*c)), k, k, c, n),
		B:    p.Fill(name+".bias", 0, n),
		Spec: spec,
	}
}

// Forward runs the layer; res (nil: none) is added before the activation.
func (l *Conv) Forward(t *grad.Tape, x, res *grad.Var) *grad.Var {
	return t.Conv(x, t.Weight(l.W), t.Weight(l.B), res, l.Spec)
}

// Linear is x W + b on rows (B, C).
type Linear struct{ W, B *engine.Tensor }

// NewLinear makes a layer from c to n numbers.
func NewLinear(p *Params, name string, c, n int, gain float64) *Linear {
	return &Linear{W: p.Normal(name+".weight", gain/math.Sqrt(float64(c)), c, n), B: p.Fill(name+".bias", 0, n)}
}

// Forward runs the layer.
func (l *Linear) Forward(t *grad.Tape, x *grad.Var) *grad.Var {
	y := t.MatMul(x, t.Weight(l.W), engine.MatMul{})
	z := t.Add(y, t.Weight(l.B))
	t.Drop(y)
	return z
}

// Norm is a normalisation layer with learned scale and shift.
type Norm struct {
	Gamma, Beta *engine.Tensor
	Spec        engine.Norm
}

// NewNorm makes the layer for c channels.
func NewNorm(p *Params, name string, c int, spec engine.Norm) *Norm {
	return &Norm{Gamma: p.Fill(name+".weight", 1, c), Beta: p.Fill(name+".bias", 0, c), Spec: spec}
}

// Forward runs the layer.
func (l *Norm) Forward(t *grad.Tape, x *grad.Var) *grad.Var {
	return t.Norm(x, t.Weight(l.Gamma), t.Weight(l.Beta), l.Spec)
}

// ResBlock is a pre-activation residual block whose second normalisation is
// conditioned on an embedding (B, E) (feature-wise linear modulation, Perez+2018):
//
//	h = conv₁(act(norm₁ x)),  y = conv₂(act(γ(e) norm(h) + β(e))) + skip x
//
// Without an embedding the second normalisation has a scale and shift of its own.
type ResBlock struct {
	norm1, norm2 *Norm
	conv1, conv2 *Conv
	skip         *Conv // 1×1 where the channels change
	film         *Linear
	n            int
}

// newResBlock makes a block from c to n channels; embed 0 means no condition.
func newResBlock(p *Params, name string, c, n, embed int, norm engine.Norm, conv engine.Conv) *ResBlock {
	b := &ResBlock{n: n}
	b.norm1 = NewNorm(p, name+".norm1", c, norm)
	b.conv1 = NewConv(p, name+".conv1", 3, c, n, 1, conv)
	if embed > 0 {
		b.film = NewLinear(p, name+".film", embed, 2*n, 0)
		if b.film.B != nil { // the scales start at 1
			p.s.Fill(b.film.B.Slice(0, n), 1)
		}
		b.norm2 = &Norm{Spec: norm}
	} else {
		b.norm2 = NewNorm(p, name+".norm2", n, norm)
	}
	b.conv2 = NewConv(p, name+".conv2", 3, n, n, 0, conv)
	if c != n {
		b.skip = NewConv(p, name+".skip", 1, c, n, 1, engine.Conv{})
	}
	return b
}

// Forward runs the block; e is the embedding or nil.
func (b *ResBlock) Forward(t *grad.Tape, x, e *grad.Var) *grad.Var {
	a := b.norm1.Forward(t, x)
	h := b.conv1.Forward(t, a, nil)
	t.Drop(a)
	if b.film != nil {
		f := b.film.Forward(t, e)
		ga, be := t.Channels(f, 0, b.n), t.Channels(f, b.n, b.n)
		a = t.Norm(h, ga, be, b.norm2.Spec)
		t.Drop(f, ga, be)
	} else {
		a = b.norm2.Forward(t, h)
	}
	t.Drop(h)
	res := x
	if b.skip != nil {
		res = b.skip.Forward(t, x, nil)
	}
	y := b.conv2.Forward(t, a, res)
	t.Drop(a)
	if b.skip != nil {
		t.Drop(res)
	}
	return y
}

// Attention is self-attention over the pixels of an image (Vaswani+2017), for low
// resolutions: its cost grows with the square of the number of pixels.
type Attention struct {
	norm      *Norm
	qkv, out  *Conv
	heads, ch int
}

func newAttention(p *Params, name string, c, heads int, norm engine.Norm) *Attention {
	if c%heads != 0 {
		panic(fmt.Sprintf("nn: %d channels in %d heads", c, heads))
	}
	norm.Act = engine.Identity
	return &Attention{
		norm: NewNorm(p, name+".norm", c, norm), qkv: NewConv(p, name+".qkv", 1, c, 3*c, 1, engine.Conv{}),
		out: NewConv(p, name+".out", 1, c, c, 0, engine.Conv{}), heads: heads, ch: c,
	}
}

// Forward runs the layer.
func (l *Attention) Forward(t *grad.Tape, x *grad.Var) *grad.Var {
	s := x.Shape()
	d := l.ch / l.heads
	n := l.norm.Forward(t, x)
	q4 := l.qkv.Forward(t, n, nil)
	t.Drop(n)
	all := t.Reshape(q4, s[0], s[1]*s[2], 3*l.ch)
	t.Drop(q4)
	var heads []*grad.Var
	for h := range l.heads {
		q, k, v := t.Channels(all, h*d, d), t.Channels(all, l.ch+h*d, d), t.Channels(all, 2*l.ch+h*d, d)
		w := t.MatMul(q, k, engine.MatMul{TransB: true, Scale: float32(1 / math.Sqrt(float64(d)))})
		p := t.Softmax(w)
		heads = append(heads, t.MatMul(p, v, engine.MatMul{}))
		t.Drop(q, k, v, w, p)
	}
	t.Drop(all)
	y := heads[0]
	if l.heads > 1 {
		y = t.Concat(heads...)
		t.Drop(heads...)
	}
	img := t.Reshape(y, s[0], s[1], s[2], l.ch)
	t.Drop(y)
	out := l.out.Forward(t, img, x)
	t.Drop(img)
	return out
}
