package cuda

import (
	"embed"
	"fmt"
	"strings"

	"limpid/gpu/internal/ops"
)

//go:embed ptx variants.txt
var files embed.FS

// kernel is a line of variants.txt.
type kernel struct{ name, source string }

// Precision is how products of matrices and convolutions are computed.
type Precision string

// The precisions. TF32x3, TF32 and BF16 run on tensor cores, from compute capability 8.0
// on; kernels/tensor_sm80.cu says how, and TestTensor_Accuracy measures what they lose.
// Only Float32 and TF32x3 keep what engine/devicetest asks for: runs are offered no
// other, lest rounding moves an error bar.
const (
	Float32 Precision = ""
	TF32x3  Precision = "tf32x3"
	TF32    Precision = "tf32"
	BF16    Precision = "bf16"
)

// Precisions lists those on tensor cores.
func Precisions() []Precision { return []Precision{TF32x3, TF32, BF16} }

// variant finds the compiled kernel of k, that of precision p where there is one.
func variant(k ops.Kernel, p Precision) (kernel, error) {
	if p != Float32 {
		if v, err := named(k.Name() + "_" + string(p)); err == nil {
			return v, nil
		}
	}
	return named(k.Name())
}

func named(name string) (kernel, error) {
	text, err := files.ReadFile("variants.txt")
	if err != nil {
		return kernel{}, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			return kernel{f[0], f[1]}, nil
		}
	}
	return kernel{}, fmt.Errorf("variants.txt has no kernel %s", name)
}
