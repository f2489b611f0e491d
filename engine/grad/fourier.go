package grad

import "limpid/engine"

// Window crops or embeds, as engine.Stream.Window, to the shape s.
func (t *Tape) Window(x *Var, row, col int, s ...int) *Var {
	v := t.made(s, node{back: backWindow, in: [5]*Var{x}, i: row, j: col})
	if t.ok() {
		t.s.Window(v.value, x.value, row, col)
	}
	return v
}

func backWindow(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.Window(g, n.out.grad, -n.i, -n.j)
		t.commit(n.in[0], g)
	}
}

// Pad surrounds images (…, H, W) with what lies beyond their edges.
func (t *Tape) Pad(x *Var, top, left int, e engine.Edge, s ...int) *Var {
	v := t.made(s, node{back: backPad, in: [5]*Var{x}, i: top, j: left, edge: e})
	if t.ok() {
		t.s.Pad(v.value, x.value, top, left, e)
	}
	return v
}

func backPad(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.PadAdjoint(g, n.out.grad, n.i, n.j, n.edge)
		t.commit(n.in[0], g)
	}
}

// RFFT2 is the half-plane spectrum of images.
func (t *Tape) RFFT2(x *Var) *Var {
	v := t.made(x.Shape().Spectrum(), node{back: backRFFT2, in: [5]*Var{x}})
	if t.ok() {
		t.s.RFFT2(v.value, x.value)
	}
	return v
}

// backRFFT2: the half plane is the whole result, so that its columns count once,
// where the inverse transform counts all but the ends twice.
func backRFFT2(t *Tape, n *node) {
	x := n.in[0]
	g := t.slot(x)
	if g == nil {
		return
	}
	h, w := sides(x.Shape())
	d, c := t.alloc(n.out.Shape()), t.columns(w)
	if d == nil || c == nil {
		return
	}
	t.s.Div(d, n.out.grad, c)
	t.s.IRFFT2(g, d)
	t.s.Scale(g, float32(h*w), g)
	t.release(d)
	t.commit(x, g)
}

// IRFFT2 is the image of shape s of a half-plane spectrum.
func (t *Tape) IRFFT2(x *Var, s ...int) *Var {
	v := t.made(s, node{back: backIRFFT2, in: [5]*Var{x}})
	if t.ok() {
		t.s.IRFFT2(v.value, x.value)
	}
	return v
}

func backIRFFT2(t *Tape, n *node) {
	x := n.in[0]
	g := t.slot(x)
	if g == nil {
		return
	}
	h, w := sides(n.out.Shape())
	c := t.columns(w)
	if c == nil {
		return
	}
	t.s.RFFT2(g, n.out.grad)
	t.s.Mul(g, g, c)
	t.s.Scale(g, 1/float32(h*w), g)
	t.commit(x, g)
}

func sides(s engine.Shape) (h, w int) { return s[len(s)-2], s[len(s)-1] }

// columns is how often the inverse transform counts each column of a half spectrum
// of images w pixels wide, for both parts: (w/2+1, 2).
func (t *Tape) columns(w int) *engine.Tensor {
	if c := t.half[w]; c != nil {
		return c
	}
	c, err := t.dev.Alloc(engine.Shape{w/2 + 1, 2})
	if err != nil {
		if t.err == nil {
			t.err = err
		}
		return nil
	}
	v := make([]float32, 2*(w/2+1))
	for k := range w/2 + 1 {
		n := float32(2)
		if k == 0 || 2*k == w {
			n = 1
		}
		v[2*k], v[2*k+1] = n, n
	}
	t.s.Upload(c, v)
	t.half[w] = c
	return c
}

// CMul is the complex product x y, CMulConj x conj(y); y may repeat.
func (t *Tape) CMul(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backCMul, in: [5]*Var{x, y}})
	if t.ok() {
		t.s.CMul(v.value, x.value, y.value)
	}
	return v
}

// CMulConj is x conj(y).
func (t *Tape) CMulConj(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backCMulConj, in: [5]*Var{x, y}})
	if t.ok() {
		t.s.CMulConj(v.value, x.value, y.value)
	}
	return v
}

// Parts count as independent numbers: the gradient of x y in x is g conj(y).
func backCMul(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	if g := t.slot(x); g != nil {
		t.s.CMulConj(g, n.out.grad, y.value)
		t.commit(x, g)
	}
	t.repeated(y, func(d *engine.Tensor) { t.s.CMulConj(d, n.out.grad, x.value) }, x.Shape())
}

// Of x conj(y): in x it is g y, in y x conj(g).
func backCMulConj(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	if g := t.slot(x); g != nil {
		t.s.CMul(g, n.out.grad, y.value)
		t.commit(x, g)
	}
	t.repeated(y, func(d *engine.Tensor) { t.s.CMulConj(d, x.value, n.out.grad) }, x.Shape())
}

// CScale is complex x (…, 2) times real y without the last dimension.
func (t *Tape) CScale(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backCScale, in: [5]*Var{x, y}})
	if t.ok() {
		t.s.CScale(v.value, x.value, y.value)
	}
	return v
}

func backCScale(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	if g := t.slot(x); g != nil {
		t.s.CScale(g, n.out.grad, y.value)
		t.commit(x, g)
	}
	if !y.needs || !t.ok() {
		return
	}
	// dy = Re x Re g + Im x Im g: the products summed by pairs.
	s := x.Shape()
	products, ones := t.alloc(s), t.alloc(engine.Shape{2, 1})
	if !t.ok() {
		return
	}
	t.s.Mul(products, x.value, n.out.grad)
	t.s.Fill(ones, 1)
	pairs := len(s) - 1
	t.repeated(y, func(d *engine.Tensor) {
		t.s.MatMul(d.Reshape(d.Len(), 1), products.Reshape(d.Len(), 2), ones, engine.MatMul{})
	}, s[:pairs])
	t.release(products)
	t.release(ones)
}
