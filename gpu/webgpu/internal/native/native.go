// Package native calls wgpu-native for compute. It exists because a failure of a
// graphics driver must never end the program: see shim.c.
package native

/*
#cgo CFLAGS: -O2 -std=gnu11
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	_ "github.com/cogentcore/webgpu/wgpu" // brings the libraries
)

// The kinds of adapters.
const (
	Discrete = iota
	Integrated
	Software
	Unknown
)

// Adapter is what a driver says of a device.
type Adapter struct {
	Name, Driver    string
	Backend         string
	Type            int
	Vendor, Device  uint32
	MaxBuffer       int64 // bytes
	MaxBinding      int64
	SharedBytes     int
	OffsetAlignment int
}

var backends = map[C.uint32_t]string{4: "DirectX 12", 5: "Metal", 6: "Vulkan"}

// Adapters lists the adapters in the order that Open takes.
func Adapters() []Adapter {
	const room = 32
	var c [room]C.lp_adapter
	n := int(C.lp_adapters(&c[0], room))
	list := make([]Adapter, n)
	for i := range list {
		a := &c[i]
		list[i] = Adapter{
			Name: C.GoString(&a.name[0]), Driver: C.GoString(&a.driver[0]), Backend: backends[a.backend],
			Type: int(a._type), Vendor: uint32(a.vendor), Device: uint32(a.device),
			MaxBuffer: int64(a.max_buffer), MaxBinding: int64(a.max_binding),
			SharedBytes: int(a.shared_bytes), OffsetAlignment: int(a.offset_align),
		}
	}
	return list
}

// Errors of a device. All but ErrMemory are for good.
var (
	ErrInvalid = errors.New("wgpu rejected a command")
	ErrMemory  = errors.New("no memory left")
	ErrLost    = errors.New("the device is lost")
)

// Device is an opened adapter with its queue. One goroutine at a time.
type Device struct{ p *C.lp_device }

// Buffer, Pipeline and Group are objects of a device.
type (
	Buffer   struct{ p C.WGPUBuffer }
	Pipeline struct{ p C.WGPUComputePipeline }
	Group    struct{ p unsafe.Pointer }
)

// Nil reports whether there is no pipeline.
func (p Pipeline) Nil() bool { return p.p == nil }

// Usages of buffers.
const (
	Storage = C.WGPUUsage_Storage | C.WGPUUsage_CopySrc | C.WGPUUsage_CopyDst
	Uniform = C.WGPUUsage_Uniform | C.WGPUUsage_CopyDst
	Staging = C.WGPUUsage_MapRead | C.WGPUUsage_CopyDst
)

// Open opens an adapter by its place in Adapters.
func Open(adapter int) (*Device, error) {
	var msg [1024]C.char
	p := C.lp_open(C.int(adapter), &msg[0], C.size_t(len(msg)))
	if p == nil {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, tidy(C.GoString(&msg[0])))
	}
	return &Device{p}, nil
}

// tidy makes one line of wgpu's messages.
func tidy(s string) string { return strings.Join(strings.Fields(s), " ") }

// Close ends the device. No buffer of it may be used afterwards.
func (d *Device) Close() { C.lp_close(d.p) }

// Err is the first failure since Open, or since a lack of memory was forgiven.
func (d *Device) Err() error {
	var msg [1024]C.char
	kind := C.lp_error(d.p, &msg[0], C.size_t(len(msg)))
	if kind == C.LP_OK {
		return nil
	}
	base := map[C.int]error{C.LP_INVALID: ErrInvalid, C.LP_MEMORY: ErrMemory, C.LP_LOST: ErrLost, C.LP_ABORT: ErrLost}[kind]
	return fmt.Errorf("%w: %s", base, tidy(C.GoString(&msg[0])))
}

// ForgiveMemory forgets a lack of memory.
func (d *Device) ForgiveMemory() { C.lp_clear_memory(d.p) }

// Buffer allocates bytes, zeroed; ok is false after a failure, see Err.
func (d *Device) Buffer(bytes int64, usage uint32) (b Buffer, ok bool) {
	b.p = C.lp_buffer(d.p, C.uint64_t(bytes), C.uint32_t(usage))
	return b, b.p != nil
}

// FreeBuffer gives a buffer back once the work that uses it is done.
func (d *Device) FreeBuffer(b Buffer) { C.lp_buffer_free(d.p, b.p) }

// Pipeline compiles WGSL whose entry point main has a uniform buffer and the given
// number of storage buffers. See Err where it is Nil.
func (d *Device) Pipeline(wgsl string, buffers int) Pipeline {
	s := C.CString(wgsl)
	defer C.free(unsafe.Pointer(s))
	return Pipeline{C.lp_pipeline(d.p, s, C.int(buffers))}
}

// Bind binds whole buffers behind 256 bytes of the uniform buffer params.
func (d *Device) Bind(params Buffer, buffers []Buffer) (Group, bool) {
	var list [8]C.WGPUBuffer
	for i, b := range buffers {
		list[i] = b.p
	}
	g := C.lp_bind(d.p, params.p, &list[0], C.int(len(buffers)))
	return Group{g}, g != nil
}

// FreeGroup releases a group.
func (d *Device) FreeGroup(g Group) { C.lp_bind_free(d.p, g.p) }

// Dispatch records a launch with the parameters at offset.
func (d *Device) Dispatch(p Pipeline, g Group, offset uint32, grid [3]uint32) {
	C.lp_dispatch(d.p, p.p, g.p, C.uint32_t(offset), C.uint32_t(grid[0]), C.uint32_t(grid[1]), C.uint32_t(grid[2]))
}

// Copy records a copy; places and sizes in bytes.
func (d *Device) Copy(dst Buffer, at int64, src Buffer, from, bytes int64) {
	C.lp_copy(d.p, dst.p, C.uint64_t(at), src.p, C.uint64_t(from), C.uint64_t(bytes))
}

// Submit starts what was recorded.
func (d *Device) Submit() { C.lp_submit(d.p) }

// Write writes before everything that is submitted later. data is not empty.
func (d *Device) Write(dst Buffer, at int64, data []byte) {
	C.lp_write(d.p, dst.p, C.uint64_t(at), unsafe.Pointer(&data[0]), C.size_t(len(data)))
}

// Push starts what Write left.
func (d *Device) Push() { C.lp_push(d.p) }

// Wait waits for everything that was submitted.
func (d *Device) Wait() { C.lp_wait(d.p) }

// Read waits and copies the beginning of a staging buffer to dst, which is not empty.
func (d *Device) Read(dst []byte, staging Buffer) {
	C.lp_read(d.p, staging.p, unsafe.Pointer(&dst[0]), C.size_t(len(dst)))
}

// Failures for drills.
const (
	FailLost   = C.LP_LOST
	FailMemory = C.LP_MEMORY
	FailAbort  = C.LP_ABORT
)

// Fail makes a failure happen.
func (d *Device) Fail(kind int) { C.lp_fail(d.p, C.int(kind)) }
