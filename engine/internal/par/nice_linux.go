package par

import "golang.org/x/sys/unix"

// lower sets the calling thread's nice level; a system that refuses is let be.
func lower(nice int) { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice) }
