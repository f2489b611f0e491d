package par

import "unsafe"

// huge is the size of a large memory page. Strided walks over large tensors miss the
// address cache at every step with pages of 4 kB.
const huge = 2 << 20

// Aligned returns n zero floats that start on a 64-byte boundary, as vector loads
// like best; the Go heap gives that for large blocks only. Blocks of several
// megabytes start on a large page, and the system is asked to use those.
func Aligned(n int) []float32 {
	if n == 0 {
		return nil
	}
	align := 64
	if 4*n >= 2*huge {
		align = huge
	}
	b := make([]float32, n+align/4)
	off := 0
	if r := int(uintptr(unsafe.Pointer(&b[0])) % uintptr(align)); r != 0 {
		off = (align - r) / 4
	}
	b = b[off : off+n : off+n]
	if align == huge {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(&b[0])), 4*n/huge*huge))
	}
	return b
}

// Scratch is Aligned for the memory of one worker: large pages from a quarter
// megabyte on, at the cost of unused addresses, not of memory.
func Scratch(n int) []float32 {
	if 4*n < huge/8 {
		return Aligned(n)
	}
	return Aligned(max(n, 2*huge/4))
}
