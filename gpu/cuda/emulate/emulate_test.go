//go:build emulate

package emulate

import (
	"math"
	"os"
	"testing"

	"limpid/engine"
	"limpid/engine/devicetest"
	"limpid/gpu/cuda"
)

const library = "../../../build/cuda/libkernels.so"

func TestKernels_Suite(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Skip("needs the emulated kernels (clang-16): run packaging/cuda.sh emulate")
	}
	devicetest.Run(t, func(t testing.TB) engine.Device {
		d, err := Open(library, 1<<20, cuda.Float32)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// Small products through tiles too, and through tensor cores in three parts.
func TestKernels_SelfTest_InTiles(t *testing.T) {
	for _, p := range []cuda.Precision{cuda.Float32, cuda.TF32x3} {
		if err := devicetest.SelfTest(open(t, 0, p)); err != nil {
			t.Errorf("precision %q: %v", p, err)
		}
	}
}

func open(t *testing.T, direct int, p cuda.Precision) engine.Device {
	t.Helper()
	if _, err := os.Stat(library); err != nil {
		t.Skip("needs the emulated kernels (clang-16): run packaging/cuda.sh emulate")
	}
	d, err := Open(library, direct, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// product is an operation that goes to tensor cores: it fills dst from x and w.
type product struct {
	name      string
	dst, x, w engine.Shape
	depth     int // terms of a sum
	run       func(s engine.Stream, dst, x, w *engine.Tensor)
}

// Channels that are and are not multiples of four, tiles that are not full, strides and
// edges.
func products() []product {
	conv := func(c engine.Conv) func(engine.Stream, *engine.Tensor, *engine.Tensor, *engine.Tensor) {
		return func(s engine.Stream, dst, x, w *engine.Tensor) { s.Conv(dst, x, w, nil, nil, c) }
	}
	return []product{
		{"3×3, 32 to 32 channels", engine.Shape{1, 9, 11, 32}, engine.Shape{1, 9, 11, 32}, engine.Shape{3, 3, 32, 32}, 288, conv(engine.Conv{Pad: 1})},
		{"3×3, 5 to 70 channels, periodic", engine.Shape{2, 5, 7, 70}, engine.Shape{2, 5, 7, 5}, engine.Shape{3, 3, 5, 70}, 45, conv(engine.Conv{Pad: 1, Edge: engine.Periodic})},
		{"3×3, stride 2", engine.Shape{1, 5, 6, 24}, engine.Shape{1, 10, 12, 12}, engine.Shape{3, 3, 12, 24}, 108, conv(engine.Conv{Pad: 1, Stride: 2})},
		{"1×1, 64 to 20 channels", engine.Shape{1, 6, 6, 20}, engine.Shape{1, 6, 6, 64}, engine.Shape{1, 1, 64, 20}, 64, conv(engine.Conv{})},
		{"adjoint of 3×3, stride 2", engine.Shape{1, 10, 12, 20}, engine.Shape{1, 5, 6, 24}, engine.Shape{3, 3, 20, 24}, 216, func(s engine.Stream, dst, x, w *engine.Tensor) {
			s.ConvTransposed(dst, x, w, nil, engine.Conv{Pad: 1, Stride: 2})
		}},
		{"matrices", engine.Shape{2, 33, 40}, engine.Shape{2, 33, 50}, engine.Shape{2, 50, 40}, 50, func(s engine.Stream, dst, x, w *engine.Tensor) {
			s.MatMul(dst, x, w, engine.MatMul{})
		}},
		{"matrices, transposed", engine.Shape{1, 40, 36}, engine.Shape{1, 24, 40}, engine.Shape{1, 36, 24}, 24, func(s engine.Stream, dst, x, w *engine.Tensor) {
			s.MatMul(dst, x, w, engine.MatMul{TransA: true, TransB: true})
		}},
	}
}

// outcome runs p on d with numbers that depend on nothing but their place.
func outcome(t *testing.T, d engine.Device, p product) []float32 {
	t.Helper()
	s := d.NewStream()
	tensor := func(shape engine.Shape) *engine.Tensor {
		x, err := d.Alloc(shape)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(x.Free)
		return x
	}
	dst, x, w := tensor(p.dst), tensor(p.x), tensor(p.w)
	s.Normal(x, engine.NewKey(1))
	s.Normal(w, engine.NewKey(2))
	p.run(s, dst, x, w)
	out := make([]float32, dst.Len())
	s.Download(out, dst)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The error of products on tensor cores, in units of √depth, the size of a sum of that
// many products of normal numbers. Roundings of both factors add up as a random walk does:
// u √2/√3 per product for u half a unit of the last place, rms.
func TestTensor_Accuracy(t *testing.T) {
	// The processor's own 3×3 convolutions are less exact (Winograd). Sums of float32 in
	// another order differ by some 1e-7 of √depth, of large sums by more.
	ref := open(t, 0, cuda.Float32)
	limit := map[cuda.Precision]float64{cuda.TF32x3: 4e-7, cuda.TF32: 4e-4, cuda.BF16: 3.2e-3}
	for _, prec := range cuda.Precisions() {
		d := open(t, 0, prec)
		var rms, most, n float64
		for _, p := range products() {
			want, got := outcome(t, ref, p), outcome(t, d, p)
			var r, m float64
			for i := range want {
				e := math.Abs(float64(got[i]-want[i])) / math.Sqrt(float64(p.depth))
				r, m = r+e*e, math.Max(m, e)
			}
			t.Logf("%-7s %-32s rms %.1e, largest %.1e", prec, p.name, math.Sqrt(r/float64(len(want))), m)
			rms, most, n = rms+r, math.Max(most, m), n+float64(len(want))
		}
		rms = math.Sqrt(rms / n)
		t.Logf("%-7s all: rms %.1e, largest %.1e", prec, rms, most)
		if rms > limit[prec] || most > 20*limit[prec] {
			t.Errorf("%s: error %.1e rms, %.1e at most; wanted %.1e", prec, rms, most, limit[prec])
		}
		if prec != cuda.TF32x3 && rms < limit[prec]/100 {
			t.Errorf("%s: error %.1e: it is not that precision that was used", prec, rms)
		}
	}
}
