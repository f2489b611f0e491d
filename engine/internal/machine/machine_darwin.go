package machine

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Memory is the machine's memory in bytes.
func Memory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return unknownMemory
	}
	return int64(n)
}

// Name is the processor's own name.
func Name() string {
	n, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return runtime.GOARCH
	}
	return n
}
