package webgpu

import (
	"testing"

	"limpid/gpu/internal/ops"
	"limpid/gpu/webgpu/internal/native"
)

func TestKernels_AllCompile(t *testing.T) {
	a := adapter(t)
	for k := range ops.Kernels {
		dev, err := native.Open(a.Index)
		if err != nil {
			t.Fatal(err)
		}
		text, buffers, err := source(k, 1024)
		if err != nil {
			t.Fatal(err)
		}
		if dev.Pipeline(text, buffers).Nil() {
			t.Errorf("%s: %v", k.File(), dev.Err())
		}
		dev.Close()
	}
}
