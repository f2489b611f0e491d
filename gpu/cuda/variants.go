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

// variant finds the compiled kernel of k.
func variant(k ops.Kernel) (kernel, error) {
	text, err := files.ReadFile("variants.txt")
	if err != nil {
		return kernel{}, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == k.Name() {
			return kernel{f[0], f[1]}, nil
		}
	}
	return kernel{}, fmt.Errorf("variants.txt has no kernel %s", k.Name())
}
