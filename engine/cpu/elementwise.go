package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// chunk is the number of elements of a task: large against the cost of handing it
// out, small against the caches.
const chunk = 1 << 15

func chunks(n int) int { return (n + chunk - 1) / chunk }

type ewKind int

const (
	ewBinary ewKind = iota
	ewUnary
	ewAffine
	ewAxpy
	ewClamp
	ewCopy
	ewFill
)

// elementwise is an operation on elements; y is repeated over x.
type elementwise struct {
	kind      ewKind
	binary    func(dst, x, y []float32)
	unary     func(dst, x []float32)
	dst, x, y []float32
	width     int // floats of x for one of y: 2 for CScale
	a, b      float32
	k         *kern.Table
}

func (s *stream) elementwise(e elementwise) {
	s.ew = e
	s.ew.k = s.k
	s.team.Run(chunks(len(e.dst)), &s.ew)
	s.ew = elementwise{}
}

// Do runs one chunk.
func (e *elementwise) Do(i int, w *par.Worker) {
	lo := i * chunk
	hi := min(lo+chunk, len(e.dst))
	d := e.dst[lo:hi]
	switch e.kind {
	case ewBinary:
		e.repeat(lo, hi, w)
	case ewUnary:
		e.unary(d, e.x[lo:hi])
	case ewAffine:
		e.k.Affine(d, e.x[lo:hi], e.a, e.b)
	case ewAxpy:
		e.k.Axpy(d, e.x[lo:hi], e.a)
	case ewClamp:
		e.k.Clamp(d, e.x[lo:hi], e.a, e.b)
	case ewCopy:
		copy(d, e.x[lo:hi])
	case ewFill:
		for i := range d {
			d[i] = e.a
		}
	}
}

// shortRepeat is the length below which a repeated y is first written out, for a
// call per handful of elements would cost more than the work.
const shortRepeat = 1 << 10

func (e *elementwise) repeat(lo, hi int, w *par.Worker) {
	y, u := e.y, e.width
	if m := len(y); m < shortRepeat && m*u < len(e.x) {
		times := (shortRepeat + m - 1) / m
		t := w.Floats(times * m)
		for k := range times {
			copy(t[k*m:], y)
		}
		y = t
	}
	for lo < hi {
		o := lo / u % len(y)
		n := min(hi-lo, (len(y)-o)*u)
		e.binary(e.dst[lo:lo+n], e.x[lo:lo+n], y[o:o+n/u])
		lo += n
	}
}

func (s *stream) binary(op string, f kern.Binary, dst, x, y *engine.Tensor) {
	engine.CheckRepeat(op, dst, x, y)
	s.elementwise(elementwise{binary: s.k.Binary[f], dst: s.out(dst), x: s.data(x), y: s.data(y), width: 1})
}

// Add does dst = x + y.
func (s *stream) Add(dst, x, y *engine.Tensor) { s.binary("Add", kern.Add, dst, x, y) }

// Sub does dst = x − y.
func (s *stream) Sub(dst, x, y *engine.Tensor) { s.binary("Sub", kern.Sub, dst, x, y) }

// Mul does dst = x y.
func (s *stream) Mul(dst, x, y *engine.Tensor) { s.binary("Mul", kern.Mul, dst, x, y) }

// Div does dst = x / y, 0 where y is 0.
func (s *stream) Div(dst, x, y *engine.Tensor) { s.binary("Div", kern.Div, dst, x, y) }

// MulAdd does dst += x y.
func (s *stream) MulAdd(dst, x, y *engine.Tensor) { s.binary("MulAdd", kern.MulAdd, dst, x, y) }

// CMul does dst = x y in complex numbers.
func (s *stream) CMul(dst, x, y *engine.Tensor) {
	engine.CheckComplex("CMul", dst, x, y)
	s.binary("CMul", kern.CMul, dst, x, y)
}

// CMulConj does dst = x conj(y).
func (s *stream) CMulConj(dst, x, y *engine.Tensor) {
	engine.CheckComplex("CMulConj", dst, x, y)
	s.binary("CMulConj", kern.CMulConj, dst, x, y)
}

// CScale does dst = x y with complex x and real y.
func (s *stream) CScale(dst, x, y *engine.Tensor) {
	engine.CheckComplexScale("CScale", dst, x, y)
	s.elementwise(elementwise{binary: s.k.Binary[kern.CScale], dst: s.out(dst), x: s.data(x), y: s.data(y), width: 2})
}

// Map does dst = f(x).
func (s *stream) Map(dst *engine.Tensor, f engine.Unary, x *engine.Tensor) {
	engine.CheckSame("Map", dst, x)
	s.elementwise(elementwise{kind: ewUnary, unary: s.k.Unary[f], dst: s.out(dst), x: s.data(x)})
}

// MapGrad does dst = f′(x) g.
func (s *stream) MapGrad(dst *engine.Tensor, f engine.Unary, x, g *engine.Tensor) {
	engine.CheckSame("MapGrad", dst, x, g)
	s.elementwise(elementwise{binary: s.k.Grad[f], dst: s.out(dst), x: s.data(x), y: s.data(g), width: 1})
}

// Scale does dst = a x.
func (s *stream) Scale(dst *engine.Tensor, a float32, x *engine.Tensor) { s.Affine(dst, a, x, 0) }

// Affine does dst = a x + b.
func (s *stream) Affine(dst *engine.Tensor, a float32, x *engine.Tensor, b float32) {
	engine.CheckSame("Affine", dst, x)
	s.elementwise(elementwise{kind: ewAffine, dst: s.out(dst), x: s.data(x), a: a, b: b})
}

// Axpy does dst += a x.
func (s *stream) Axpy(dst *engine.Tensor, a float32, x *engine.Tensor) {
	engine.CheckSame("Axpy", dst, x)
	s.elementwise(elementwise{kind: ewAxpy, dst: s.out(dst), x: s.data(x), a: a})
}

// Clamp does dst = min(max(x, lo), hi).
func (s *stream) Clamp(dst, x *engine.Tensor, lo, hi float32) {
	engine.CheckSame("Clamp", dst, x)
	s.elementwise(elementwise{kind: ewClamp, dst: s.out(dst), x: s.data(x), a: lo, b: hi})
}

// Copy does dst = src.
func (s *stream) Copy(dst, src *engine.Tensor) {
	engine.CheckSame("Copy", dst, src)
	s.elementwise(elementwise{kind: ewCopy, dst: s.out(dst), x: s.data(src)})
}

// Fill sets every element to v.
func (s *stream) Fill(dst *engine.Tensor, v float32) {
	s.elementwise(elementwise{kind: ewFill, dst: s.out(dst), a: v})
}

// filler writes random numbers.
type filler struct {
	k      *kern.Table
	dst    []float32
	key    engine.Key
	normal bool
}

func (s *stream) random(dst *engine.Tensor, key engine.Key, normal bool) {
	s.fill = filler{k: s.k, dst: s.out(dst), key: key, normal: normal}
	s.team.Run(chunks(len(s.fill.dst)), &s.fill)
	s.fill = filler{}
}

// Do fills one chunk; chunk is a multiple of a Philox block.
func (t *filler) Do(i int, _ *par.Worker) {
	lo := i * chunk
	hi := min(lo+chunk, len(t.dst))
	t.k.Random(t.dst[lo:hi], t.key, uint64(lo/4), t.normal)
}

// Normal fills dst with standard normal numbers.
func (s *stream) Normal(dst *engine.Tensor, key engine.Key) { s.random(dst, key, true) }

// Uniform fills dst with numbers in (0, 1).
func (s *stream) Uniform(dst *engine.Tensor, key engine.Key) { s.random(dst, key, false) }
