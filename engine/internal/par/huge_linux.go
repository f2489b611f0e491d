package par

import "golang.org/x/sys/unix"

// adviseHuge asks for large pages; a system that refuses is let be.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
