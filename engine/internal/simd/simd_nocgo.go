//go:build !cgo || !(amd64 || arm64)

// Package simd holds the inner loops for processors with vector instructions. This
// build has none.
package simd

import "limpid/engine/internal/kern"

// Tables returns the portable table.
func Tables() []*kern.Table { return []*kern.Table{kern.Portable()} }
