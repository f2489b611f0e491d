// Package grad is reverse-mode differentiation over the engine's operations.
//
// A Tape runs operations at once and remembers them; Backward walks back and leaves
// the vector–Jacobian product in the Vars that asked for it: parameters when a
// network is trained, its input when a sampler needs the gradient of a density.
//
//	t.Reset(grad.Input)
//	x := t.Param(image)
//	y := net.Forward(t, x)
//	t.Backward(y, g) // g has y's shape
//	dx := t.Grad(x)
//
// Between a Reset and the next the tape owns every tensor it makes; afterwards it
// uses their storage again, so that a step like the last allocates nothing on the
// device.
package grad

import (
	"fmt"

	"limpid/engine"
)

// Mode says what a tape is for.
type Mode int

const (
	Forward Mode = iota // nothing is recorded, and Drop frees early
	Input               // gradients in what Param is given; weights are constants
	Train               // in weights, too
)

// Tape records operations. It is used by one goroutine at a time.
type Tape struct {
	dev    engine.Device
	s      engine.Stream
	mode   Mode
	record bool
	err    error

	nodes []node
	vars  []*Var // those made so far come first
	used  int
	owned []*engine.Tensor // in use since Reset
	free  map[shapeKey][]idle
	step  int                    // counts Resets
	half  map[int]*engine.Tensor // weights of the columns of half spectra, by W
	param map[*engine.Tensor]*Var
}

// Var is a tensor on a tape.
type Var struct {
	value *engine.Tensor
	grad  *engine.Tensor
	needs bool // a gradient is wanted, here or upstream
	leaf  bool // its gradient is kept for the caller
	own   bool // its storage is the tape's
	held  bool // Drop leaves it
}

// Value is the tensor.
func (v *Var) Value() *engine.Tensor { return v.value }

// Shape is the tensor's shape.
func (v *Var) Shape() engine.Shape { return v.value.Shape() }

// node is one operation: what it was given and made, and how to go back.
type node struct {
	back func(t *Tape, n *node)
	out  *Var
	in   [5]*Var
	aux  [3]*engine.Tensor
	list []*Var // operations of many sources
	conv engine.Conv
	norm engine.Norm
	mat  engine.MatMul
	f    engine.Unary
	a, b float32
	i, j int
	edge engine.Edge
	body func(t *Tape, in []*Var) *Var
}

// shapeKey makes a shape comparable.
type shapeKey struct {
	rank int
	d    [6]int
}

func keyOf(s engine.Shape) (k shapeKey) {
	if len(s) > len(k.d) {
		panic(fmt.Sprintf("grad: shape %v has more than %d dimensions", s, len(k.d)))
	}
	k.rank = len(s)
	copy(k.d[:], s)
	return k
}

// New returns an empty tape that works on dev by way of s.
func New(dev engine.Device, s engine.Stream) *Tape {
	return &Tape{dev: dev, s: s, free: map[shapeKey][]idle{}, half: map[int]*engine.Tensor{}, param: map[*engine.Tensor]*Var{}}
}

// Stream is the stream the tape works on.
func (t *Tape) Stream() engine.Stream { return t.s }

// Device is the device the tape works on.
func (t *Tape) Device() engine.Device { return t.dev }

// Reset forgets everything: Vars and gradients are invalid from here on.
func (t *Tape) Reset(m Mode) {
	for _, x := range t.owned {
		t.put(x)
	}
	t.owned = t.owned[:0]
	t.forget()
	clear(t.nodes)
	t.nodes = t.nodes[:0]
	for _, v := range t.vars[:t.used] {
		*v = Var{}
	}
	clear(t.param)
	t.used, t.mode, t.record, t.err = 0, m, m != Forward, nil
}

// Close gives the tape's storage back to the device.
func (t *Tape) Close() {
	t.Reset(Forward)
	t.releaseIdle()
	for _, x := range t.half {
		x.Free()
	}
	clear(t.half)
}

// Err is the first failure of the tape or its stream: memory, as a rule. After one,
// operations return Vars of the right shape that hold nothing.
func (t *Tape) Err() error {
	if t.err != nil {
		return t.err
	}
	return t.s.Err()
}

// idle is a tensor in wait, and the step that used it last.
type idle struct {
	x    *engine.Tensor
	step int
}

// forget gives back what the last step did not use, and begins a new one.
func (t *Tape) forget() {
	for k, l := range t.free {
		kept := l[:0]
		for _, i := range l {
			if i.step == t.step {
				kept = append(kept, i)
			} else {
				i.x.Free()
			}
		}
		clear(l[len(kept):])
		t.free[k] = kept
	}
	t.step++
}

// alloc returns a tensor with undefined contents, the tape's until Reset or release;
// nil after a failure.
func (t *Tape) alloc(s engine.Shape) *engine.Tensor {
	k := keyOf(s)
	if l := t.free[k]; len(l) > 0 {
		x := l[len(l)-1].x
		t.free[k] = l[:len(l)-1]
		t.owned = append(t.owned, x)
		return x
	}
	if x := t.refit(s); x != nil {
		t.owned = append(t.owned, x)
		return x
	}
	x, err := t.dev.Alloc(s)
	if err != nil && t.releaseIdle() {
		x, err = t.dev.Alloc(s)
	}
	if err != nil {
		if t.err == nil {
			t.err = err
		}
		return nil
	}
	t.owned = append(t.owned, x)
	return x
}

// refit finds idle storage of another shape that is at most half as large again.
func (t *Tape) refit(s engine.Shape) *engine.Tensor {
	n := s.Len()
	var best shapeKey
	room := n + n/2 + 1
	for k, l := range t.free {
		if len(l) == 0 {
			continue
		}
		if have := l[len(l)-1].x.Buffer().Len(); have >= n && have < room {
			best, room = k, have
		}
	}
	l := t.free[best]
	if len(l) == 0 {
		return nil
	}
	t.free[best] = l[:len(l)-1]
	return engine.NewTensor(s, l[len(l)-1].x.Buffer())
}

// releaseIdle gives idle storage back to the device.
func (t *Tape) releaseIdle() bool {
	any := false
	for k, l := range t.free {
		for _, i := range l {
			i.x.Free()
			any = true
		}
		delete(t.free, k)
	}
	return any
}

func (t *Tape) put(x *engine.Tensor) {
	k := keyOf(x.Shape())
	t.free[k] = append(t.free[k], idle{x, t.step})
}

// release takes x back before Reset.
func (t *Tape) release(x *engine.Tensor) {
	for i := len(t.owned) - 1; i >= 0; i-- {
		if t.owned[i] == x {
			t.owned = append(t.owned[:i], t.owned[i+1:]...)
			t.put(x)
			return
		}
	}
}

func (t *Tape) newVar() *Var {
	if t.used == len(t.vars) {
		t.vars = append(t.vars, &Var{})
	}
	v := t.vars[t.used]
	t.used++
	return v
}

// Param is a tensor of the caller's whose gradient is wanted; the same Var for the
// same tensor until Reset.
func (t *Tape) Param(x *engine.Tensor) *Var {
	if v := t.param[x]; v != nil {
		return v
	}
	v := t.newVar()
	*v = Var{value: x, needs: true, leaf: true}
	t.param[x] = v
	return v
}

// Weight is a Param in mode Train, else a Const.
func (t *Tape) Weight(x *engine.Tensor) *Var {
	if t.mode == Train {
		return t.Param(x)
	}
	return t.Const(x)
}

// Const is a tensor of the caller's without a gradient.
func (t *Tape) Const(x *engine.Tensor) *Var {
	v := t.newVar()
	*v = Var{value: x}
	return v
}

// Grad is the gradient of a Param after Backward; nil where nothing depends on it.
func (t *Tape) Grad(v *Var) *engine.Tensor { return v.grad }

// Keep keeps the value and the gradient of an intermediate Var, too.
func (t *Tape) Keep(v *Var) { v.leaf = true }

// Drop says that v is not needed any more. While recording it does nothing.
func (t *Tape) Drop(vs ...*Var) {
	if t.record {
		return
	}
	for _, v := range vs {
		if v != nil && v.own && !v.held {
			t.release(v.value)
			v.own = false
		}
	}
}

// made returns a Var of the tape's own, and records how it came to be.
func (t *Tape) made(s engine.Shape, n node) *Var {
	v := t.newVar()
	*v = Var{value: t.alloc(s), own: true}
	if v.value == nil { // a failure; the shape is still needed
		*v = Var{value: engine.NewTensor(s, nothing(s.Len()))}
		return v
	}
	for _, in := range n.in {
		v.needs = v.needs || in != nil && in.needs
	}
	for _, in := range n.list {
		v.needs = v.needs || in.needs
	}
	if t.record && v.needs {
		n.out = v
		t.nodes = append(t.nodes, n)
	}
	return v
}

// ok reports whether an operation can run: nothing has failed, so that every source
// holds numbers.
func (t *Tape) ok() bool { return t.err == nil }

// nothing is a buffer that only has a length.
type nothing int

func (n nothing) Len() int { return int(n) }
func (nothing) Free()      {}

// Backward walks back from out, whose gradient is seed (of out's shape; not
// changed), and uses the storage of what it passes again: values that are wanted
// afterwards are read before, or kept by Keep.
func (t *Tape) Backward(out *Var, seed *engine.Tensor) {
	if !t.record {
		panic("grad: Backward in mode Forward")
	}
	if !out.Shape().Equal(seed.Shape()) {
		panic(fmt.Sprintf("grad: seed %v for a result %v", seed.Shape(), out.Shape()))
	}
	if !t.ok() || !out.needs {
		return
	}
	if g := t.slot(out); g != nil {
		t.s.Copy(g, seed)
		t.commit(out, g)
	}
	t.walk(0)
}

// walk goes back over the nodes down to first.
func (t *Tape) walk(first int) {
	for i := len(t.nodes) - 1; i >= first && t.ok(); i-- {
		n := t.nodes[i] // a checkpoint appends to the list
		if n.out.grad != nil {
			n.back(t, &n)
			if !n.out.leaf {
				t.release(n.out.grad)
				n.out.grad = nil
			}
		}
		for _, x := range n.aux {
			if x != nil {
				t.release(x)
			}
		}
		if n.out.own && !n.out.leaf {
			t.release(n.out.value)
			n.out.own = false
		}
	}
	clear(t.nodes[min(first, len(t.nodes)):])
	t.nodes = t.nodes[:min(first, len(t.nodes))]
}

// slot returns where a contribution to v's gradient is to be written; nil where none
// is wanted or memory failed. commit follows.
func (t *Tape) slot(v *Var) *engine.Tensor {
	if v == nil || !v.needs || !t.ok() {
		return nil
	}
	return t.alloc(v.Shape())
}

// commit adds the contribution to what is there.
func (t *Tape) commit(v *Var, g *engine.Tensor) {
	if v.grad == nil {
		v.grad = g
		return
	}
	t.s.Add(v.grad, v.grad, g)
	t.release(g)
}

// share adds g, which stays its owner's, to v's gradient.
func (t *Tape) share(v *Var, g *engine.Tensor) {
	if v == nil || !v.needs || !t.ok() {
		return
	}
	if v.grad != nil {
		t.s.Add(v.grad, v.grad, g)
		return
	}
	if d := t.slot(v); d != nil {
		t.s.Copy(d, g)
		t.commit(v, d)
	}
}

// Checkpoint runs body without remembering its inside and runs it again on the way
// back: memory for time. body must do the same both times; the Vars it uses besides
// in must be parameters.
func (t *Tape) Checkpoint(body func(t *Tape, in []*Var) *Var, in ...*Var) *Var {
	if !t.record {
		return body(t, in)
	}
	before := len(t.owned)
	t.record = false
	for _, v := range in { // body may drop only what it made
		v.held = true
	}
	inner := body(t, in)
	for _, v := range in {
		v.held = false
	}
	t.record = true
	if !t.ok() {
		return inner
	}
	for i := len(t.owned) - 1; i >= before; i-- {
		if x := t.owned[i]; x != inner.value {
			t.release(x)
		}
	}
	inner.needs = true
	t.nodes = append(t.nodes, node{
		back: backCheckpoint, out: inner, list: append([]*Var(nil), in...), body: body,
	})
	return inner
}

func backCheckpoint(t *Tape, n *node) {
	first := len(t.nodes)
	again := n.body(t, n.list)
	if !t.ok() || !again.needs {
		return
	}
	if g := t.slot(again); g != nil {
		t.s.Copy(g, n.out.grad)
		t.commit(again, g)
		t.walk(first)
	}
}
