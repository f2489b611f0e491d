//go:build !linux && !darwin

package cpu

import (
	"os"
	"runtime"
)

func physicalMemory() int64 { return unknownMemory }

func processorName() string {
	// Windows sets this variable for every process.
	if n := os.Getenv("PROCESSOR_IDENTIFIER"); n != "" {
		return n
	}
	return runtime.GOARCH
}
