package grad

import "limpid/engine"

// Map is f(x), element by element.
func (t *Tape) Map(f engine.Unary, x *Var) *Var {
	v := t.made(x.Shape(), node{back: backMap, in: [5]*Var{x}, f: f})
	if t.ok() {
		t.s.Map(v.value, f, x.value)
	}
	return v
}

func backMap(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.MapGrad(g, n.f, n.in[0].value, n.out.grad)
		t.commit(n.in[0], g)
	}
}

// Affine is a x + b.
func (t *Tape) Affine(a float32, x *Var, b float32) *Var {
	v := t.made(x.Shape(), node{back: backScale, in: [5]*Var{x}, a: a})
	if t.ok() {
		t.s.Affine(v.value, a, x.value, b)
	}
	return v
}

// Scale is a x.
func (t *Tape) Scale(a float32, x *Var) *Var { return t.Affine(a, x, 0) }

func backScale(t *Tape, n *node) {
	if g := t.slot(n.in[0]); g != nil {
		t.s.Scale(g, n.a, n.out.grad)
		t.commit(n.in[0], g)
	}
}

// Clamp is min(max(x, lo), hi); its gradient is 0 outside.
func (t *Tape) Clamp(x *Var, lo, hi float32) *Var {
	v := t.made(x.Shape(), node{back: backClamp, in: [5]*Var{x}, a: lo, b: hi})
	if t.ok() {
		t.s.Clamp(v.value, x.value, lo, hi)
	}
	return v
}

// backClamp writes the indicator of lo < x < hi as relu′(x−lo) relu′(hi−x).
func backClamp(t *Tape, n *node) {
	x := n.in[0]
	g := t.slot(x)
	if g == nil {
		return
	}
	d := t.alloc(x.Shape())
	if d == nil {
		return
	}
	t.s.Affine(d, 1, x.value, -n.a)
	t.s.MapGrad(g, engine.ReLU, d, n.out.grad)
	t.s.Affine(d, -1, x.value, n.b)
	t.s.MapGrad(g, engine.ReLU, d, g)
	t.release(d)
	t.commit(x, g)
}

// Add is x + y; y may repeat, as in engine.Stream.
func (t *Tape) Add(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backAdd, in: [5]*Var{x, y}, a: 1})
	if t.ok() {
		t.s.Add(v.value, x.value, y.value)
	}
	return v
}

// Sub is x − y.
func (t *Tape) Sub(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backAdd, in: [5]*Var{x, y}, a: -1})
	if t.ok() {
		t.s.Sub(v.value, x.value, y.value)
	}
	return v
}

func backAdd(t *Tape, n *node) {
	t.share(n.in[0], n.out.grad)
	if g := t.slot(n.in[1]); g != nil {
		t.s.SumLeading(g, n.out.grad)
		if n.a < 0 {
			t.s.Scale(g, -1, g)
		}
		t.commit(n.in[1], g)
	}
}

// Mul is x y.
func (t *Tape) Mul(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backMul, in: [5]*Var{x, y}})
	if t.ok() {
		t.s.Mul(v.value, x.value, y.value)
	}
	return v
}

func backMul(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	if g := t.slot(x); g != nil {
		t.s.Mul(g, n.out.grad, y.value)
		t.commit(x, g)
	}
	t.repeated(y, func(d *engine.Tensor) { t.s.Mul(d, n.out.grad, x.value) }, x.Shape())
}

// repeated adds to the gradient of a source that may have been repeated over s: full
// writes the gradient over all of s.
func (t *Tape) repeated(y *Var, full func(d *engine.Tensor), s engine.Shape) {
	g := t.slot(y)
	if g == nil {
		return
	}
	if g.Len() == s.Len() {
		full(g)
		t.commit(y, g)
		return
	}
	d := t.alloc(s)
	if d == nil {
		return
	}
	full(d)
	t.s.SumLeading(g, d)
	t.release(d)
	t.commit(y, g)
}

// Div is x / y, 0 where y is 0.
func (t *Tape) Div(x, y *Var) *Var {
	v := t.made(x.Shape(), node{back: backDiv, in: [5]*Var{x, y}})
	if t.ok() {
		t.s.Div(v.value, x.value, y.value)
	}
	return v
}

func backDiv(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	if g := t.slot(x); g != nil {
		t.s.Div(g, n.out.grad, y.value)
		t.commit(x, g)
	}
	t.repeated(y, func(d *engine.Tensor) { // −g (x/y)/y
		t.s.Mul(d, n.out.grad, n.out.value)
		t.s.Div(d, d, y.value)
		t.s.Scale(d, -1, d)
	}, x.Shape())
}

// Reshape is x in another shape.
func (t *Tape) Reshape(x *Var, s ...int) *Var {
	v := t.made(s, node{back: backReshape, in: [5]*Var{x}})
	if t.ok() {
		t.s.Copy(v.value, x.value)
	}
	return v
}

func backReshape(t *Tape, n *node) { t.share(n.in[0], n.out.grad) }

// Sum is Σ x of every leading slice, (B).
func (t *Tape) Sum(x *Var) *Var {
	v := t.made(engine.Shape{x.Shape()[0]}, node{back: backSum, in: [5]*Var{x}})
	if t.ok() {
		t.s.Sum(v.value, x.value)
	}
	return v
}

func backSum(t *Tape, n *node) {
	x := n.in[0]
	if g := t.slot(x); g != nil {
		t.s.Fill(g, 1)
		t.s.ScaleBy(g, n.out.grad, nil, g)
		t.commit(x, g)
	}
}

// Dot is Σ x y of every leading slice, (B); y has x's shape.
func (t *Tape) Dot(x, y *Var) *Var {
	engine.CheckSame("Dot", x.value, y.value)
	v := t.made(engine.Shape{x.Shape()[0]}, node{back: backDot, in: [5]*Var{x, y}})
	if t.ok() {
		t.s.Dot(v.value, x.value, y.value)
	}
	return v
}

func backDot(t *Tape, n *node) {
	for i, x := range n.in[:2] {
		if g := t.slot(x); g != nil {
			t.s.ScaleBy(g, n.out.grad, nil, n.in[1-i].value)
			t.commit(x, g)
		}
	}
}

// ScaleBy is num[b]·x[b] of every leading slice.
func (t *Tape) ScaleBy(num, x *Var) *Var {
	v := t.made(x.Shape(), node{back: backScaleBy, in: [5]*Var{num, x}})
	if t.ok() {
		t.s.ScaleBy(v.value, num.value, nil, x.value)
	}
	return v
}

func backScaleBy(t *Tape, n *node) {
	num, x := n.in[0], n.in[1]
	if g := t.slot(x); g != nil {
		t.s.ScaleBy(g, num.value, nil, n.out.grad)
		t.commit(x, g)
	}
	if g := t.slot(num); g != nil {
		t.s.Dot(g, n.out.grad, x.value)
		t.commit(num, g)
	}
}

// SumLeading is Σ_k x[k·len+i] in shape s, whose length divides x's.
func (t *Tape) SumLeading(x *Var, s ...int) *Var {
	v := t.made(s, node{back: backSumLeading, in: [5]*Var{x}})
	if t.ok() {
		t.s.SumLeading(v.value, x.value)
	}
	return v
}

func backSumLeading(t *Tape, n *node) {
	x := n.in[0]
	if g := t.slot(x); g != nil {
		t.s.Fill(g, 0)
		t.s.Add(g, g, n.out.grad)
		t.commit(x, g)
	}
}
