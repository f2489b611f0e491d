package ops

import (
	"math"

	"limpid/engine"
)

// The operations of the kernel unary.
const (
	opCopy = iota
	opFill
	opAffine
	opAxpy
	opClamp
	opMap
)

// The operations of the kernel binary.
const (
	opAdd = iota
	opSub
	opMul
	opDiv
	opMulAdd
	opSlope
	opScaleComplex
)

func (s *stream) unary(dst, x *engine.Tensor, op int, f engine.Unary, a, b float32) {
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.begin(Unary, dst, x).ints(dst.Len(), op, int(f)).floats(a, b).threads(dst.Len())
}

// Copy does dst = src.
func (s *stream) Copy(dst, src *engine.Tensor) {
	engine.CheckSame("Copy", dst, src)
	s.unary(dst, src, opCopy, 0, 0, 0)
}

// Fill sets every element to v.
func (s *stream) Fill(dst *engine.Tensor, v float32) { s.unary(dst, dst, opFill, 0, v, 0) }

// Scale does dst = a x.
func (s *stream) Scale(dst *engine.Tensor, a float32, x *engine.Tensor) {
	engine.CheckSame("Scale", dst, x)
	s.unary(dst, x, opAffine, 0, a, 0)
}

// Affine does dst = a x + b.
func (s *stream) Affine(dst *engine.Tensor, a float32, x *engine.Tensor, b float32) {
	engine.CheckSame("Affine", dst, x)
	s.unary(dst, x, opAffine, 0, a, b)
}

// Axpy does dst += a x.
func (s *stream) Axpy(dst *engine.Tensor, a float32, x *engine.Tensor) {
	engine.CheckSame("Axpy", dst, x)
	s.unary(dst, x, opAxpy, 0, a, 0)
}

// Clamp does dst = min(max(x, lo), hi).
func (s *stream) Clamp(dst, x *engine.Tensor, lo, hi float32) {
	engine.CheckSame("Clamp", dst, x)
	s.unary(dst, x, opClamp, 0, lo, hi)
}

// Map does dst = f(x).
func (s *stream) Map(dst *engine.Tensor, f engine.Unary, x *engine.Tensor) {
	engine.CheckSame("Map", dst, x)
	s.unary(dst, x, opMap, f, 0, 0)
}

func (s *stream) binary(op string, code int, dst, x, y *engine.Tensor) {
	engine.CheckRepeat(op, dst, x, y)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.begin(Binary, dst, x, y).ints(dst.Len(), y.Len(), code, 0).threads(dst.Len())
}

// Add does dst = x + y.
func (s *stream) Add(dst, x, y *engine.Tensor) { s.binary("Add", opAdd, dst, x, y) }

// Sub does dst = x − y.
func (s *stream) Sub(dst, x, y *engine.Tensor) { s.binary("Sub", opSub, dst, x, y) }

// Mul does dst = x y.
func (s *stream) Mul(dst, x, y *engine.Tensor) { s.binary("Mul", opMul, dst, x, y) }

// Div does dst = x / y, 0 where y is 0.
func (s *stream) Div(dst, x, y *engine.Tensor) { s.binary("Div", opDiv, dst, x, y) }

// MulAdd does dst += x y.
func (s *stream) MulAdd(dst, x, y *engine.Tensor) { s.binary("MulAdd", opMulAdd, dst, x, y) }

// MapGrad does dst = f′(x) g.
func (s *stream) MapGrad(dst *engine.Tensor, f engine.Unary, x, g *engine.Tensor) {
	engine.CheckSame("MapGrad", dst, x, g)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.begin(Binary, dst, x, g).ints(dst.Len(), g.Len(), opSlope, int(f)).threads(dst.Len())
}

func (s *stream) complex(op string, dst, x, y *engine.Tensor, conj float32) {
	engine.CheckComplex(op, dst, x, y)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	n := dst.Len() / 2
	s.begin(Complex, dst, x, y).ints(n, y.Len()/2).floats(conj).threads(n)
}

// CMul does dst = x y in complex numbers.
func (s *stream) CMul(dst, x, y *engine.Tensor) { s.complex("CMul", dst, x, y, 1) }

// CMulConj does dst = x conj(y).
func (s *stream) CMulConj(dst, x, y *engine.Tensor) { s.complex("CMulConj", dst, x, y, -1) }

// CScale does dst = x y with complex x and real y.
func (s *stream) CScale(dst, x, y *engine.Tensor) {
	engine.CheckComplexScale("CScale", dst, x, y)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.begin(Binary, dst, x, y).ints(dst.Len(), y.Len(), opScaleComplex, 0).threads(dst.Len())
}

func (s *stream) bySlice(op string, dst *engine.Tensor, sign float32, num, den, x *engine.Tensor, add int) {
	engine.CheckSame(op, dst, x)
	b := engine.CheckSlices(op, dst, num, den)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.begin(BySlice, dst, num, den, x).ints(dst.Len(), dst.Len()/b, add).floats(sign).threads(dst.Len())
}

// AxpyBy does dst[b] += sign num[b]/den[b] x[b].
func (s *stream) AxpyBy(dst *engine.Tensor, sign float32, num, den, x *engine.Tensor) {
	s.bySlice("AxpyBy", dst, sign, num, den, x, 1)
}

// ScaleBy does dst[b] = num[b]/den[b] x[b].
func (s *stream) ScaleBy(dst *engine.Tensor, num, den, x *engine.Tensor) {
	s.bySlice("ScaleBy", dst, 1, num, den, x, 0)
}

func (s *stream) random(dst *engine.Tensor, key engine.Key, normal int) {
	if s.err != nil || dst.Len() == 0 {
		return
	}
	word := func(v uint64) int { return int(uint32(v)) }
	s.begin(Random, dst).ints(dst.Len(), word(key.Seed), word(key.Seed>>32), word(key.Counter), word(key.Counter>>32), normal).
		threads((dst.Len() + 3) / 4)
}

// Normal fills dst with standard normal numbers.
func (s *stream) Normal(dst *engine.Tensor, key engine.Key) { s.random(dst, key, 1) }

// Uniform fills dst with numbers in (0, 1).
func (s *stream) Uniform(dst *engine.Tensor, key engine.Key) { s.random(dst, key, 0) }

// Adam moves the parameters by one step.
func (s *stream) Adam(p, m, v, g *engine.Tensor, a engine.Adam) {
	engine.CheckSame("Adam", p, m, v, g)
	if s.err != nil || p.Len() == 0 {
		return
	}
	k := float64(a.GradScale)
	if k == 0 {
		k = 1
	}
	b1, b2 := float64(a.Beta1), float64(a.Beta2)
	s.begin(Adam, p, m, v, g).ints(p.Len()).floats(
		a.Beta1, float32((1-b1)*k), a.Beta2, float32((1-b2)*k*k),
		float32(1-float64(a.Rate)*float64(a.Decay)),
		float32(float64(a.Rate)/(1-math.Pow(b1, float64(a.Step)))),
		float32(1/math.Sqrt(1-math.Pow(b2, float64(a.Step)))), a.Eps).threads(p.Len())
}
