//go:build !linux && !darwin

package machine

import (
	"os"
	"runtime"
)

// Memory is the machine's memory in bytes.
func Memory() int64 { return unknownMemory }

// Name is the processor's own name.
func Name() string {
	// Windows sets this variable for every process.
	if n := os.Getenv("PROCESSOR_IDENTIFIER"); n != "" {
		return n
	}
	return runtime.GOARCH
}
