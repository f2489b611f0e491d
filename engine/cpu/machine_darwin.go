package cpu

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// physicalMemory is in bytes.
func physicalMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return unknownMemory
	}
	return int64(n)
}

func processorName() string {
	n, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return runtime.GOARCH
	}
	return n
}
