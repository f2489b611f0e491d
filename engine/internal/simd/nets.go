//go:build cgo && (amd64 || arm64)

package simd

/*
#cgo noescape c_gemm
#cgo nocallback c_gemm
#cgo noescape c_finish
#cgo nocallback c_finish
#cgo noescape c_winograd
#cgo nocallback c_winograd
#cgo noescape c_wininput
#cgo nocallback c_wininput
#cgo noescape c_winoadjoint
#cgo nocallback c_winoadjoint
#cgo noescape c_winoweights
#cgo nocallback c_winoweights
#cgo noescape c_winogradient
#cgo nocallback c_winogradient
#cgo noescape c_channelmap
#cgo nocallback c_channelmap
#cgo noescape c_channelsums
#cgo nocallback c_channelsums
#cgo noescape c_channelback
#cgo nocallback c_channelback
#cgo noescape c_pixelnorm
#cgo nocallback c_pixelnorm
#cgo noescape c_pixelback
#cgo nocallback c_pixelback
#cgo noescape c_softmax
#cgo nocallback c_softmax
#cgo noescape c_softmaxgrad
#cgo nocallback c_softmaxgrad
#cgo noescape c_adam
#cgo nocallback c_adam
#cgo noescape c_depthrow
#cgo nocallback c_depthrow
#cgo noescape c_depthweights
#cgo nocallback c_depthweights
#include "kernels.h"

static void c_gemm(int t, float *c, int64_t ldc, const float *a, const int64_t *taps, const float *b, const int64_t *g) {
	kernel_tables[t]->gemm(c, ldc, a, taps, b, g);
}
static void c_finish(int t, float *c, int64_t rows, int64_t n, int64_t ldc, const float *bias, const float *res, int64_t ldr, int act) {
	kernel_tables[t]->finish(c, rows, n, ldc, bias, res, ldr, act);
}
static void c_winograd(int t, const int64_t *g, const float *x, const int32_t *rm, const int32_t *cm, const float *u, float *y,
                       const float *bias, const float *res, int64_t t0, int64_t t1, float *s) {
	kernel_tables[t]->winograd(g, x, rm, cm, u, y, bias, res, t0, t1, s);
}
static void c_wininput(int t, const int64_t *g, const float *x, const int32_t *rm, const int32_t *cm, int64_t t0, int64_t t1, float *v) {
	kernel_tables[t]->wininput(g, x, rm, cm, t0, t1, v);
}
static void c_winoadjoint(int t, const int64_t *g, const float *dy, int64_t t0, int64_t t1, float *m) {
	kernel_tables[t]->winoadjoint(g, dy, t0, t1, m);
}
static void c_winoweights(int t, float *u, const float *w, int64_t c, int64_t n, int flip) {
	kernel_tables[t]->winoweights(u, w, c, n, flip);
}
static void c_winogradient(int t, float *dw, const float *du, int64_t c, int64_t n) { kernel_tables[t]->winogradient(dw, du, c, n); }
static void c_channelmap(int t, float *d, const float *x, const float *a, const float *b, int64_t p, int64_t c, int act) {
	kernel_tables[t]->channelmap(d, x, a, b, p, c, act);
}
static void c_channelsums(int t, double *s1, double *s2, const float *x, const float *g, const float *a, const float *b, int64_t p, int64_t c, int act) {
	kernel_tables[t]->channelsums(s1, s2, x, g, a, b, p, c, act);
}
static void c_channelback(int t, float *d, const float *x, const float *g, const float *a, const float *b, const float *p,
                          const float *q, const float *r, int64_t n, int64_t c, int act) {
	kernel_tables[t]->channelback(d, x, g, a, b, p, q, r, n, c, act);
}
static void c_pixelnorm(int t, float *d, const float *x, float *stats, const float *ga, const float *be, int64_t p, int64_t c, float eps, int act) {
	kernel_tables[t]->pixelnorm(d, x, stats, ga, be, p, c, eps, act);
}
static void c_pixelback(int t, float *d, const float *x, const float *g, const float *stats, const float *ga, const float *be,
                        double *s1, double *s2, int64_t p, int64_t c, int act, float *sums) {
	kernel_tables[t]->pixelback(d, x, g, stats, ga, be, s1, s2, p, c, act, sums);
}
static void c_softmax(int t, float *d, const float *x, int64_t rows, int64_t n) { kernel_tables[t]->softmax(d, x, rows, n); }
static void c_softmaxgrad(int t, float *d, const float *y, const float *g, int64_t rows, int64_t n) {
	kernel_tables[t]->softmaxgrad(d, y, g, rows, n);
}
static void c_adam(int t, float *p, float *m, float *v, const float *g, int64_t n, const float *a) { kernel_tables[t]->adam(p, m, v, g, n, a); }
static void c_depthrow(int t, float *d, const float *x, const float *w, const float *bias, const int64_t *taps, int64_t ntaps,
                       int64_t pixels, int64_t c, int64_t step) {
	kernel_tables[t]->depthrow(d, x, w, bias, taps, ntaps, pixels, c, step);
}
static void c_depthweights(int t, const float *g, const float *x, float *w, const int64_t *taps, int64_t ntaps, int64_t pixels, int64_t c, int64_t step) {
	kernel_tables[t]->depthweights(g, x, w, taps, ntaps, pixels, c, step);
}
*/
import "C"

import (
	"unsafe"

	"limpid/engine/internal/kern"
)

func longs(s []int64) *C.int64_t { return (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(s))) }

func doubles(s []float64) *C.double { return (*C.double)(unsafe.SliceData(s)) }

func long(n int) C.int64_t { return C.int64_t(n) }

// nets fills in the functions of networks.
func nets(t *kern.Table, i C.int) {
	t.Gemm = func(g kern.Gemm) {
		add := int64(0)
		if g.Add {
			add = 1
		}
		n := [9]int64{int64(g.M), int64(g.N), int64(g.K), int64(len(g.Taps)), int64(g.RS), int64(g.KS), int64(g.BS), int64(g.BP), add}
		C.c_gemm(i, ptr(g.C), long(g.LDC), ptr(g.A), longs(g.Taps), ptr(g.B), longs(n[:]))
	}
	t.Finish = func(f kern.Finish) {
		C.c_finish(i, ptr(f.C), long(f.Rows), long(f.N), long(f.LDC), ptr(f.Bias), ptr(f.Res), long(f.LDR), C.int(f.Act))
	}
	t.DepthRow = func(d kern.DepthRow) {
		C.c_depthrow(i, ptr(d.Dst), ptr(d.X), ptr(d.W), ptr(d.Bias), longs(d.Taps), long(len(d.Taps)), long(d.Pixels), long(d.C), long(d.Step))
	}
	t.DepthWeights = func(d kern.DepthRow) {
		C.c_depthweights(i, ptr(d.Dst), ptr(d.X), ptr(d.W), longs(d.Taps), long(len(d.Taps)), long(d.Pixels), long(d.C), long(d.Step))
	}
	t.Softmax = func(dst, x []float32, n int) { C.c_softmax(i, ptr(dst), ptr(x), long(len(x)/n), long(n)) }
	t.SoftmaxGrad = func(dst, y, g []float32, n int) {
		C.c_softmaxgrad(i, ptr(dst), ptr(y), ptr(g), long(len(y)/n), long(n))
	}
	t.Adam = func(p, m, v, g []float32, a kern.Adam) {
		n := [8]float32{a.B1, a.C1, a.B2, a.C2, a.Keep, a.Rate, a.Root, a.Eps}
		C.c_adam(i, ptr(p), ptr(m), ptr(v), ptr(g), long(len(p)), ptr(n[:]))
	}
	norms(t, i)
	t.Winograd = winograd(i)
}

func norms(t *kern.Table, i C.int) {
	t.ChannelMap = func(dst, x, a, b []float32, act int) {
		C.c_channelmap(i, ptr(dst), ptr(x), ptr(a), ptr(b), long(len(dst)/len(a)), long(len(a)), C.int(act))
	}
	t.ChannelSums = func(s1, s2 []float64, x, g, a, b []float32, act int) {
		C.c_channelsums(i, doubles(s1), doubles(s2), ptr(x), ptr(g), ptr(a), ptr(b), long(len(g)/len(s1)), long(len(s1)), C.int(act))
	}
	t.ChannelBack = func(dst, x, g, a, b, p, q, r []float32, act int) {
		C.c_channelback(i, ptr(dst), ptr(x), ptr(g), ptr(a), ptr(b), ptr(p), ptr(q), ptr(r), long(len(dst)/len(p)), long(len(p)), C.int(act))
	}
	t.PixelNorm = func(n kern.PixelNorm) {
		c := len(n.Gamma)
		C.c_pixelnorm(i, ptr(n.Dst), ptr(n.X), ptr(n.Stats), ptr(n.Gamma), ptr(n.Beta), long(len(n.X)/c), long(c), C.float(n.Eps), C.int(n.Act))
	}
	t.PixelBack = func(n kern.PixelNorm) {
		c := len(n.Gamma)
		C.c_pixelback(i, ptr(n.Dst), ptr(n.X), ptr(n.G), ptr(n.Stats), ptr(n.Gamma), ptr(n.Beta), doubles(n.S1), doubles(n.S2),
			long(len(n.X)/c), long(c), C.int(n.Act), ptr(n.Scratch))
	}
}

func winograd(i C.int) *kern.Winograd {
	return &kern.Winograd{
		Weights: func(u, w []float32, c, n int, flip bool) {
			f := C.int(0)
			if flip {
				f = 1
			}
			C.c_winoweights(i, ptr(u), ptr(w), long(c), long(n), f)
		},
		Block: func(g kern.WinogradGeometry, x, u, y, bias, res []float32, t0, t1 int, scratch []float32) {
			C.c_winograd(i, longs(g.Numbers[:]), ptr(x), ints(g.Rows), ints(g.Cols), ptr(u), ptr(y), ptr(bias), ptr(res),
				long(t0), long(t1), ptr(scratch))
		},
		Input: func(g kern.WinogradGeometry, x []float32, t0, t1 int, v []float32) {
			C.c_wininput(i, longs(g.Numbers[:]), ptr(x), ints(g.Rows), ints(g.Cols), long(t0), long(t1), ptr(v))
		},
		Output: func(g kern.WinogradGeometry, dy []float32, t0, t1 int, m []float32) {
			C.c_winoadjoint(i, longs(g.Numbers[:]), ptr(dy), long(t0), long(t1), ptr(m))
		},
		Gradient: func(dw, du []float32, c, n int) { C.c_winogradient(i, ptr(dw), ptr(du), long(c), long(n)) },
	}
}
