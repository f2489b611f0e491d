//go:build cgo && (amd64 || arm64)

// Package simd holds the inner loops for processors with vector instructions, in C,
// compiled once per instruction set from the same text.
package simd

/*
#cgo CFLAGS: -O2
#cgo noescape call_fft
#cgo nocallback call_fft
#cgo noescape call_rowsforward
#cgo nocallback call_rowsforward
#cgo noescape call_rowsbackward
#cgo nocallback call_rowsbackward
#cgo noescape call_loadcols
#cgo nocallback call_loadcols
#cgo noescape call_storecols
#cgo nocallback call_storecols
#cgo noescape call_unary
#cgo nocallback call_unary
#cgo noescape call_grad
#cgo nocallback call_grad
#cgo noescape call_binary
#cgo nocallback call_binary
#cgo noescape call_affine
#cgo nocallback call_affine
#cgo noescape call_axpy
#cgo nocallback call_axpy
#cgo noescape call_clamp
#cgo nocallback call_clamp
#cgo noescape call_dot
#cgo nocallback call_dot
#cgo noescape call_sum
#cgo nocallback call_sum
#cgo noescape call_maxabs
#cgo nocallback call_maxabs
#cgo noescape call_random
#cgo nocallback call_random
#cgo noescape call_addto
#cgo nocallback call_addto
#include "kernels.h"

static int have(int t) { return kernel_tables[t] != 0; }

static void call_fft(int t, const int32_t *pr, const float *tab, float *d, int64_t ds, int dm, const float *s, int64_t ss, int sm, float *w) {
	kernel_tables[t]->fft(pr, tab, d, ds, dm, s, ss, sm, w);
}
static void call_rowsforward(int t, const int32_t *pr, const float *tab, const float *rot, float *d, int64_t ds, const float *s, int64_t ss, int lanes, int past, float *w) {
	kernel_tables[t]->rowsforward(pr, tab, rot, d, ds, s, ss, lanes, past, w);
}
static void call_rowsbackward(int t, const int32_t *pr, const float *tab, const float *rot, float *d, int64_t ds, int lanes, float scale, float *w) {
	kernel_tables[t]->rowsbackward(pr, tab, rot, d, ds, lanes, scale, w);
}
static void call_loadcols(int t, float *d, const float *s, int64_t n, int64_t stride, int lanes, int swap) {
	kernel_tables[t]->loadcols(d, s, n, stride, lanes, swap);
}
static void call_storecols(int t, float *d, const float *s, int64_t n, int64_t stride, int lanes, int swap, float scale) {
	kernel_tables[t]->storecols(d, s, n, stride, lanes, swap, scale);
}
static void call_unary(int t, int f, float *d, const float *x, int64_t n) { kernel_tables[t]->unary[f](d, x, n); }
static void call_grad(int t, int f, float *d, const float *x, const float *g, int64_t n) { kernel_tables[t]->grad[f](d, x, g, n); }
static void call_binary(int t, int f, float *d, const float *x, const float *y, int64_t n) { kernel_tables[t]->binary[f](d, x, y, n); }
static void call_affine(int t, float *d, const float *x, float a, float b, int64_t n) { kernel_tables[t]->affine(d, x, a, b, n); }
static void call_axpy(int t, float *d, const float *x, float a, int64_t n) { kernel_tables[t]->axpy(d, x, a, n); }
static void call_clamp(int t, float *d, const float *x, float lo, float hi, int64_t n) { kernel_tables[t]->clamp(d, x, lo, hi, n); }
static double call_dot(int t, const float *x, const float *y, int64_t n) { return kernel_tables[t]->dot(x, y, n); }
static double call_sum(int t, const float *x, int64_t n) { return kernel_tables[t]->sum(x, n); }
static float call_maxabs(int t, const float *x, int64_t n) { return kernel_tables[t]->maxabs(x, n); }
static void call_addto(int t, double *acc, const float *x, int64_t n) { kernel_tables[t]->addto(acc, x, n); }
static void call_random(int t, float *d, int64_t n, uint64_t key, uint64_t counter, uint64_t block, int normal) {
	kernel_tables[t]->randomfill(d, n, key, counter, block, normal);
}
*/
import "C"

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"limpid/engine"
	"limpid/engine/internal/kern"
)

// The order of C's tables.
const (
	avx512 = iota
	avx2
	neon
)

// Tables returns what this processor can run, the fastest first; the portable table
// is always the last.
func Tables() []*kern.Table {
	var t []*kern.Table
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512CD && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasFMA && have(avx512) {
		t = append(t, table("AVX-512", avx512))
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && have(avx2) {
		t = append(t, table("AVX2", avx2))
	}
	if have(neon) {
		t = append(t, table("NEON", neon))
	}
	return append(t, kern.Portable())
}

func have(i int) bool { return C.have(C.int(i)) != 0 }

func ptr(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }

func ints(s []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(s))) }

func table(name string, index int) *kern.Table {
	t := kern.Portable()
	t.Name = name
	i := C.int(index)
	// Large radices have many inputs a power of two apart, and more of them than there
	// are registers: measured, 4 is the cheapest per bit.
	t.Radices = []int{2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 29, kern.MaxRadix}
	t.RadixCost = map[int]float64{
		2: 1, 3: 1.1, 4: 1.1, 5: 1.4, 7: 3, 8: 1.9, 9: 2, 11: 6, 13: 7, 16: 2.6, 17: 12,
		19: 14, 23: 18, 29: 24, kern.MaxRadix: 27,
	}
	t.TwoLevels = 8192
	t.FFT = func(p *kern.Program, dst, src kern.View, work []float32) {
		C.call_fft(i, ints(p.Desc), ptr(p.Tab), ptr(dst.Data), C.int64_t(dst.Step), C.int(dst.Mode),
			ptr(src.Data), C.int64_t(src.Step), C.int(src.Mode), ptr(work))
	}
	t.RowsForward = func(r kern.Rows, dst []float32, dstride int, src []float32, sstride int, buf []float32) {
		past := C.int(0)
		if r.Past {
			past = 1
		}
		C.call_rowsforward(i, ints(r.Program.Desc), ptr(r.Program.Tab), ptr(r.Rot), ptr(dst), C.int64_t(dstride),
			ptr(src), C.int64_t(sstride), C.int(r.Lanes), past, ptr(buf))
	}
	t.RowsBackward = func(r kern.Rows, data []float32, stride int, scale float32, buf []float32) {
		C.call_rowsbackward(i, ints(r.Program.Desc), ptr(r.Program.Tab), ptr(r.Rot), ptr(data), C.int64_t(stride),
			C.int(r.Lanes), C.float(scale), ptr(buf))
	}
	t.LoadCols = func(dst, src []float32, n, stride, lanes, swap int) {
		C.call_loadcols(i, ptr(dst), ptr(src), C.int64_t(n), C.int64_t(stride), C.int(lanes), C.int(swap))
	}
	t.StoreCols = func(dst, src []float32, n, stride, lanes, swap int, scale float32) {
		C.call_storecols(i, ptr(dst), ptr(src), C.int64_t(n), C.int64_t(stride), C.int(lanes), C.int(swap), C.float(scale))
	}
	elementwise(t, i)
	nets(t, i)
	return t
}

// elementwise fills in the functions of elements. The slices are not empty.
func elementwise(t *kern.Table, i C.int) {
	for f := range t.Unary {
		t.Unary[f] = func(dst, x []float32) { C.call_unary(i, C.int(f), ptr(dst), ptr(x), C.int64_t(len(dst))) }
		t.Grad[f] = func(dst, x, g []float32) {
			C.call_grad(i, C.int(f), ptr(dst), ptr(x), ptr(g), C.int64_t(len(dst)))
		}
	}
	for f := range t.Binary {
		t.Binary[f] = func(dst, x, y []float32) {
			C.call_binary(i, C.int(f), ptr(dst), ptr(x), ptr(y), C.int64_t(len(dst)))
		}
	}
	t.Affine = func(dst, x []float32, a, b float32) {
		C.call_affine(i, ptr(dst), ptr(x), C.float(a), C.float(b), C.int64_t(len(dst)))
	}
	t.Axpy = func(dst, x []float32, a float32) { C.call_axpy(i, ptr(dst), ptr(x), C.float(a), C.int64_t(len(dst))) }
	t.Clamp = func(dst, x []float32, lo, hi float32) {
		C.call_clamp(i, ptr(dst), ptr(x), C.float(lo), C.float(hi), C.int64_t(len(dst)))
	}
	t.Dot = func(x, y []float32) float64 { return float64(C.call_dot(i, ptr(x), ptr(y), C.int64_t(len(x)))) }
	t.Sum = func(x []float32) float64 { return float64(C.call_sum(i, ptr(x), C.int64_t(len(x)))) }
	t.MaxAbs = func(x []float32) float32 { return float32(C.call_maxabs(i, ptr(x), C.int64_t(len(x)))) }
	t.Random = func(dst []float32, key engine.Key, block uint64, normal bool) {
		n := C.int(0)
		if normal {
			n = 1
		}
		C.call_random(i, ptr(dst), C.int64_t(len(dst)), C.uint64_t(key.Seed), C.uint64_t(key.Counter), C.uint64_t(block), n)
	}
	t.AddTo = func(acc []float64, x []float32) {
		C.call_addto(i, (*C.double)(unsafe.SliceData(acc)), ptr(x), C.int64_t(len(acc)))
	}
}
