//go:build !linux

package par

// lower does nothing: only Linux has a nice level per thread that Go can reach
// without C.
func lower(int) {}
