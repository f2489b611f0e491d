// Package devicetest is what every device must pass: each operation against plain
// float64 loops, on odd sizes, on batches of 1 and 7, with a stated tolerance.
//
//	func TestDevice_Suite(t *testing.T) { devicetest.Run(t, open) }
package devicetest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"limpid/engine"
)

// check is one property of a device.
type check struct {
	name  string
	quick bool // part of SelfTest
	run   func(b *bench)
}

// checks is the whole suite.
func checks() []check {
	var c []check
	for _, f := range []func() []check{
		movementChecks, elementwiseChecks, reductionChecks, fourierChecks, randomChecks, memoryChecks, convChecks, netChecks,
	} {
		c = append(c, f()...)
	}
	return c
}

// Run runs the suite on the devices that open makes, one per check.
func Run(t *testing.T, open func(t testing.TB) engine.Device) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			dev := open(t)
			defer dev.Close()
			if err := runCheck(dev, c, false); err != nil {
				t.Error(err)
			}
		})
	}
}

// SelfTest runs a short part of the suite at the start of a program: a device that
// fails it must not be used.
func SelfTest(dev engine.Device) error {
	for _, c := range checks() {
		if !c.quick {
			continue
		}
		if err := runCheck(dev, c, true); err != nil {
			return fmt.Errorf("self-test of %s: %s: %w", dev.Info().Name, c.name, err)
		}
	}
	return nil
}

// bench runs one check: it keeps the first failure and frees what it allocates.
type bench struct {
	dev     engine.Device
	s       engine.Stream
	tensors []*engine.Tensor
	seed    uint64
	short   bool // smaller sizes, for SelfTest
}

// failure carries a check's verdict through panic and recover, so that a check
// reads as straight code.
type failure struct{ err error }

func runCheck(dev engine.Device, c check, short bool) (err error) {
	b := &bench{dev: dev, s: dev.NewStream(), short: short}
	defer func() {
		for _, t := range b.tensors {
			t.Free()
		}
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = f.err
		}
	}()
	c.run(b)
	return b.s.Sync(ctx)
}

func (b *bench) fail(format string, a ...any) { panic(failure{fmt.Errorf(format, a...)}) }

// alloc returns a tensor full of numbers no operation may leave behind.
func (b *bench) alloc(shape ...int) *engine.Tensor {
	t, err := b.dev.Alloc(shape)
	if err != nil {
		panic(failure{err})
	}
	b.tensors = append(b.tensors, t)
	b.s.Fill(t, 12345.678)
	return t
}

// upload makes a tensor of the given numbers.
func (b *bench) upload(x []float64, shape ...int) *engine.Tensor {
	t := b.alloc(shape...)
	v := make([]float32, len(x))
	for i := range x {
		v[i] = float32(x[i])
	}
	b.s.Upload(t, v)
	return t
}

func (b *bench) download(t *engine.Tensor) []float32 {
	v := make([]float32, t.Len())
	b.s.Download(v, t)
	if err := b.s.Sync(ctx); err != nil {
		panic(failure{err})
	}
	return v
}

// numbers draws n numbers in (lo, hi), exact in float32.
func (b *bench) numbers(n int, lo, hi float64) []float64 {
	b.seed++
	x := make([]float64, n)
	for i := range x {
		w := engine.Philox(b.seed, 99, uint64(i))
		x[i] = float64(float32(lo + (hi-lo)*(float64(w[0])+0.5)*0x1p-32))
	}
	return x
}

// near asks |got − want| ≤ tol·(|want| + scale), and NaN for NaN.
func (b *bench) near(what string, got *engine.Tensor, want []float64, tol, scale float64) {
	v := b.download(got)
	if len(v) != len(want) {
		b.fail("%s: %d numbers, want %d", what, len(v), len(want))
	}
	for i, g := range v {
		d := math.Abs(float64(g) - want[i])
		if !(d <= tol*(math.Abs(want[i])+scale)) {
			b.fail("%s: element %d of %v is %g, want %g (off by %.3g, tolerance %g)", what, i, got.Shape(), g, want[i], d, tol)
		}
	}
}

// shapes are the sizes elementwise operations are tried on: odd ones, batches of 1
// and 7, and one beyond every device's work-group and chunk.
func (b *bench) shapes() []engine.Shape {
	if b.short {
		return []engine.Shape{{1}, {3, 5}, {7, 17, 31}}
	}
	return []engine.Shape{{1}, {7}, {3, 5}, {1, 17, 31}, {7, 33, 29}, {2, 64, 64}, {3, 257, 301}}
}

// memoryChecks are on Alloc, Free, Reshape and Slice.
func memoryChecks() []check {
	return []check{
		{"Alloc zeroed after Free", true, func(b *bench) {
			for range 3 {
				t, err := b.dev.Alloc(engine.Shape{7, 33})
				if err != nil {
					panic(failure{err})
				}
				b.near("new tensor", t, make([]float64, t.Len()), 0, 0)
				b.s.Fill(t, 3)
				b.s.Sync(ctx)
				t.Free()
			}
		}},
		{"Alloc too large", false, func(b *bench) {
			_, err := b.dev.Alloc(engine.Shape{1 << 20, 1 << 20, 64})
			if m := (*engine.MemoryError)(nil); !errors.As(err, &m) {
				b.fail("2^46 floats: got error %v, want a MemoryError", err)
			}
			if _, err := b.dev.Alloc(engine.Shape{1 << 40, 1 << 40}); err == nil {
				b.fail("2^80 floats: no error")
			}
			if _, err := b.dev.Alloc(engine.Shape{-1, 4}); err == nil {
				b.fail("negative dimension: no error")
			}
		}},
		{"Slice and Reshape share storage", true, func(b *bench) {
			x := b.numbers(5*6, -1, 1)
			t := b.upload(x, 5, 6)
			b.s.Scale(t.Slice(2, 4), 2, t.Slice(2, 4))
			for i := 12; i < 24; i++ {
				x[i] *= 2
			}
			b.near("Slice", t.Reshape(3, 10), x, 0, 0)
			y := b.alloc(2, 6)
			b.s.Add(y, t.Slice(1, 3), t.Slice(3, 5))
			want := make([]float64, 12)
			for i := range want {
				want[i] = x[6+i] + x[18+i]
			}
			b.near("Add of slices", y, want, tolSum, 0)
		}},
	}
}
