//go:build emulate

// Package emulate is a device that runs the kernels of gpu/cuda on the processor, from
// the library that "packaging/cuda.sh emulate" makes: for tests where there is no card.
package emulate

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef void (*launch)(uint32_t, uint32_t, uint32_t, void **);

static void run(void *f, uint32_t x, uint32_t y, uint32_t z, float **buffers, int n, void *params) {
	void *args[9];
	for (int i = 0; i < n; i++) args[i] = &buffers[i];
	args[n] = params;
	((launch)f)(x, y, z, args);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"limpid/engine"
	"limpid/gpu/cuda"
	"limpid/gpu/internal/ops"
)

// Open loads the library. direct is ops.Config.Direct, precision that of products.
func Open(library string, direct int, precision cuda.Precision) (engine.Device, error) {
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	lib := C.dlopen(path, C.RTLD_NOW)
	if lib == nil {
		return nil, fmt.Errorf("emulate: %s", C.GoString(C.dlerror()))
	}
	q := &queue{}
	symbol := func(name string) unsafe.Pointer {
		s := C.CString("limpid_" + name)
		defer C.free(unsafe.Pointer(s))
		return C.dlsym(lib, s)
	}
	for k := range ops.Kernels {
		if precision != cuda.Float32 {
			q.kernels[k] = symbol(k.Name() + "_" + string(precision))
		}
		if q.kernels[k] == nil {
			q.kernels[k] = symbol(k.Name())
		}
		if q.kernels[k] == nil {
			return nil, fmt.Errorf("emulate: no kernel %s", k.Name())
		}
	}
	return ops.New(ops.Config{
		Info:   engine.Info{Kind: "cuda", Name: "CUDA kernels on the processor"},
		Memory: q, Queue: q, MaxBlock: 1 << 30, Line: 2048, Direct: direct,
	}), nil
}

type queue struct{ kernels [ops.Kernels]unsafe.Pointer }

// Alloc makes a zeroed block.
func (q *queue) Alloc(n int) (ops.Block, error) {
	p := C.calloc(C.size_t(n), 4)
	if p == nil {
		return nil, ops.ErrMemory
	}
	return p, nil
}

// Free gives it back.
func (q *queue) Free(b ops.Block) { C.free(b.(unsafe.Pointer)) }

func place(b ops.Block, at, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(b.(unsafe.Pointer), 4*at)), n)
}

// Write copies.
func (q *queue) Write(dst ops.Block, at int, src []float32) error {
	copy(place(dst, at, len(src)), src)
	return nil
}

// Read copies.
func (q *queue) Read(dst []float32, src ops.Block, at int) error {
	copy(dst, place(src, at, len(dst)))
	return nil
}

// Launch runs a kernel at once.
func (q *queue) Launch(k ops.Kernel, grid [3]uint32, blocks []ops.Block, params []uint32) error {
	var list [8]*C.float
	for i, b := range blocks {
		list[i] = (*C.float)(b.(unsafe.Pointer))
	}
	var p [64]uint32
	copy(p[:], params)
	C.run(q.kernels[k], C.uint32_t(grid[0]), C.uint32_t(grid[1]), C.uint32_t(grid[2]), &list[0], C.int(len(blocks)), unsafe.Pointer(&p[0]))
	return nil
}

// Wait has nothing to wait for.
func (q *queue) Wait() error { return nil }

// Close leaves the library loaded.
func (q *queue) Close() error { return nil }
