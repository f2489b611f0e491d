//go:build emulate

package emulate

import (
	"os"
	"testing"

	"limpid/engine"
	"limpid/engine/devicetest"
)

const library = "../../../build/cuda/libkernels.so"

func TestKernels_Suite(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Skip("run packaging/cuda.sh emulate first")
	}
	devicetest.Run(t, func(t testing.TB) engine.Device {
		d, err := Open(library, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// Small products through tiles too.
func TestKernels_SelfTest_InTiles(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Skip("run packaging/cuda.sh emulate first")
	}
	d, err := Open(library, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := devicetest.SelfTest(d); err != nil {
		t.Error(err)
	}
}
