// Package engine defines tensors and the operations on them, on any device.
//
// A Device allocates tensors and makes streams; a Stream runs operations in
// order. Storage is float32, sums are float64 (or compensated where the device
// has no float64). Nothing here is global: devices are passed.
//
// Layout is row-major; images are (C, H, W) with H = NAXIS2. A batch is one more
// leading dimension. Complex spectra are (…, H, W/2+1, 2): the half plane of a
// real transform, real and imaginary parts interleaved.
package engine

import (
	"context"
	"fmt"
)

// Info describes a device to the user.
type Info struct {
	Kind   string // "cpu", "webgpu", "cuda"
	Name   string // the adapter's or processor's own name
	Detail string // instruction set, driver, threads
	Memory int64  // bytes this device may use; 0: unknown
}

// Device owns memory and makes streams. A Device may be used by several
// goroutines; a Stream or a Tensor by one at a time.
type Device interface {
	Info() Info
	// Alloc returns a zeroed tensor, or an error that says how much was asked
	// for and how much the budget has left.
	Alloc(shape Shape) (*Tensor, error)
	NewStream() Stream
	Close() error
}

// Stream runs operations in the order they are called. The first failure is
// kept, later calls do nothing, and Sync and Err report it (as bufio.Writer does).
// Shape mismatches are bugs of the caller and panic with both shapes. No
// operation allocates once its plan is cached.
//
// Lengths, not shapes, must agree in elementwise operations (Reshape is free).
//
// Repetition: where x and y are both sources, y may be shorter than x if its
// length divides x's; it is then repeated along the leading dimensions. dst may
// be the same tensor as x (elementwise operations only).
//
// Batch scalars: a tensor of shape (B) holds one scalar per leading-dimension
// slice; Dot, Sum, MaxAbs and AxpyBy use them so that B independent problems
// advance together without a read-back.
type Stream interface {
	Upload(dst *Tensor, src []float32)
	Download(dst []float32, src *Tensor) // waits for the operations before it
	Copy(dst, src *Tensor)
	Fill(dst *Tensor, v float32)
	// Window copies dst[…,r,c] = src[…,r+row,c+col] over the last two
	// dimensions, 0 outside src: it crops, and with negative offsets it embeds.
	Window(dst, src *Tensor, row, col int)
	// AddWindow does dst[…,r+row,c+col] += src[…,r,c] where that is inside dst:
	// it drops a stamp into a scene.
	AddWindow(dst, src *Tensor, row, col int)

	Scale(dst *Tensor, a float32, x *Tensor)             // dst = a x
	Affine(dst *Tensor, a float32, x *Tensor, b float32) // dst = a x + b
	Axpy(dst *Tensor, a float32, x *Tensor)              // dst += a x
	Add(dst, x, y *Tensor)
	Sub(dst, x, y *Tensor)
	Mul(dst, x, y *Tensor)
	Div(dst, x, y *Tensor)    // 0 where y is 0
	MulAdd(dst, x, y *Tensor) // dst += x y
	Map(dst *Tensor, f Unary, x *Tensor)
	MapGrad(dst *Tensor, f Unary, x, g *Tensor) // dst = f′(x) g; dst may be g
	Clamp(dst, x *Tensor, lo, hi float32)

	// Dot writes Σ x y of every leading-dimension slice to dst (B).
	Dot(dst, x, y *Tensor)
	Sum(dst, x *Tensor)
	MaxAbs(dst, x *Tensor)
	// SumLeading does dst[i] = Σ_k x[k·len(dst)+i]: the adjoint of repetition.
	SumLeading(dst, x *Tensor)
	// AxpyBy does dst[b] += sign · num[b]/den[b] · x[b]; den may be nil (1).
	// A slice whose den is 0 is left as it is.
	AxpyBy(dst *Tensor, sign float32, num, den, x *Tensor)
	// ScaleBy does dst[b] = num[b]/den[b] · x[b]; den may be nil. A slice whose den
	// is 0 becomes 0.
	ScaleBy(dst *Tensor, num, den, x *Tensor)

	// RFFT2 transforms the last two dimensions, unnormalised; dst is
	// (…, H, W/2+1, 2) for src (…, H, W).
	RFFT2(dst, src *Tensor)
	// IRFFT2 is its inverse, with the factor 1/(HW). src is not changed.
	IRFFT2(dst, src *Tensor)
	CMul(dst, x, y *Tensor)     // complex x y
	CMulConj(dst, x, y *Tensor) // complex x conj(y)
	// CScale multiplies complex x (…, 2) by real y without the last dimension.
	CScale(dst, x, y *Tensor)

	Nets

	Normal(dst *Tensor, key Key)  // N(0, 1), the same numbers on every device
	Uniform(dst *Tensor, key Key) // (0, 1), likewise

	Sync(ctx context.Context) error // waits; the first failure, or ctx's
	Err() error                     // the first failure so far, without waiting
}

// Unary names an elementwise function for Stream.Map.
type Unary int

// The functions Map knows. Log and Sqrt of what is not positive give 0, so that
// masked pixels stay finite; callers check their data before.
const (
	Identity Unary = iota
	Exp
	Log
	Sqrt
	Square
	Recip // 0 for 0
	Abs
	ReLU
	Tanh
	Sigmoid
	SiLU     // x · Sigmoid(x)
	GELU     // x · Φ(x), Φ the normal distribution function
	Softplus // ln(1 + eˣ)
)

// Shape is a list of dimensions, slowest first.
type Shape []int

// Len is the number of elements.
func (s Shape) Len() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether both have the same dimensions.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i, d := range s {
		if t[i] != d {
			return false
		}
	}
	return true
}

func (s Shape) String() string { return fmt.Sprint([]int(s)) }

// Spectrum is the shape RFFT2 gives for a real tensor of shape s:
// (…, H, W/2+1, 2).
func (s Shape) Spectrum() Shape {
	t := append(Shape(nil), s...)
	t[len(t)-1] = t[len(t)-1]/2 + 1
	return append(t, 2)
}

// Tensor is a float32 array on a device. It is a header over a buffer: Reshape
// and Slice share storage.
type Tensor struct {
	shape  Shape
	offset int // in elements, into buf
	buf    Buffer
}

// Buffer is a device's storage. Only the device that made it looks inside.
type Buffer interface {
	Len() int // elements
	Free()
}

// NewTensor is for devices: it wraps storage they made.
func NewTensor(shape Shape, buf Buffer) *Tensor {
	if shape.Len() > buf.Len() {
		panic(fmt.Sprintf("engine: shape %v in a buffer of %d elements", shape, buf.Len()))
	}
	return &Tensor{shape: append(Shape(nil), shape...), buf: buf}
}

// Shape is the tensor's shape; do not change it.
func (t *Tensor) Shape() Shape { return t.shape }

// Len is the number of elements.
func (t *Tensor) Len() int { return t.shape.Len() }

// Buffer and Offset are for devices.
func (t *Tensor) Buffer() Buffer { return t.buf }

// Offset is where the tensor starts in its buffer, in elements.
func (t *Tensor) Offset() int { return t.offset }

// Reshape returns a tensor over the same elements.
func (t *Tensor) Reshape(s ...int) *Tensor {
	if Shape(s).Len() != t.Len() {
		panic(fmt.Sprintf("engine: reshape %v to %v", t.shape, s))
	}
	return &Tensor{shape: append(Shape(nil), s...), offset: t.offset, buf: t.buf}
}

// Slice returns elements lo to hi of the leading dimension, sharing storage.
func (t *Tensor) Slice(lo, hi int) *Tensor {
	if len(t.shape) == 0 || lo < 0 || hi > t.shape[0] || lo > hi {
		panic(fmt.Sprintf("engine: slice [%d:%d] of %v", lo, hi, t.shape))
	}
	s := append(Shape(nil), t.shape...)
	s[0] = hi - lo
	return &Tensor{shape: s, offset: t.offset + lo*s[1:].Len(), buf: t.buf}
}

// Free gives the storage back; every tensor that shares it dies too.
func (t *Tensor) Free() {
	if t != nil && t.buf != nil {
		t.buf.Free()
	}
}
