package par

import "unsafe"

// Aligned returns n zero floats that start on a 64-byte boundary, as vector loads
// like best. The Go heap gives that for large blocks only.
func Aligned(n int) []float32 {
	if n == 0 {
		return nil
	}
	const line = 64
	b := make([]float32, n+line/4)
	off := 0
	if r := uintptr(unsafe.Pointer(&b[0])) % line; r != 0 {
		off = int((line - r) / 4)
	}
	return b[off : off+n : off+n]
}
