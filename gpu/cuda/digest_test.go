package cuda

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"limpid/gpu/internal/ops"
)

// packaging/cuda.sh ptx writes the digests of what it compiled and of what came out.
func TestPTX_Digests_CurrentWithTheSources(t *testing.T) {
	var names []string
	for _, pattern := range []string{"kernels/*.cu", "kernels/*.cuh", "variants.txt"} {
		list, err := filepath.Glob(pattern)
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(list), err)
		}
		names = append(names, list...)
	}
	h := sha256.New()
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(text)
	}
	want, err := os.ReadFile("ptx/SOURCES.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Errorf("the sources' digest is %s, the PTX was made from %s: run packaging/cuda.sh ptx", got, strings.TrimSpace(string(want)))
	}
	list, err := os.ReadFile("ptx/PTX.sha256")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		text, err := os.ReadFile(filepath.Join("ptx", f[1]))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != f[0] {
			t.Errorf("%s is not what was compiled", f[1])
		}
		count++
	}
	if files, _ := filepath.Glob("ptx/*.ptx"); len(files) != count {
		t.Errorf("%d files, %d digests", len(files), count)
	}
}

// Every kernel of ops has its PTX, with the entry that is looked for.
func TestPTX_EveryKernel_HasItsEntry(t *testing.T) {
	check := func(k ops.Kernel, p Precision) {
		v, err := variant(k, p)
		if err != nil {
			t.Error(err)
			return
		}
		if mode, narrow, ok := k.Gemm(); ok && mode != 2 && !narrow && !strings.HasSuffix(k.Name(), "direct") && p != Float32 && v.source != "tensor_sm80" {
			t.Errorf("%s in %s is computed by %s", k.Name(), p, v.source)
		}
		text, err := files.ReadFile("ptx/" + v.name + ".ptx")
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), ".entry limpid_"+v.source+"(") {
			t.Errorf("%s.ptx has no entry limpid_%s", v.name, v.source)
		}
	}
	for k := range ops.Kernels {
		for _, p := range append(Precisions(), Float32) {
			check(k, p)
		}
	}
}

// The sources of both backends take the same buffers and parameters.
func TestKernels_Parameters_AsWebGPU(t *testing.T) {
	seen := map[string]bool{}
	for k := range ops.Kernels {
		if seen[k.File()] {
			continue
		}
		seen[k.File()] = true
		wgsl, err := os.ReadFile("../webgpu/wgsl/" + k.File() + ".wgsl")
		if err != nil {
			t.Fatal(err)
		}
		cu, err := os.ReadFile("kernels/" + k.File() + ".cu")
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(strings.TrimPrefix(string(wgsl), "//! "), "\n")
		names, params, _ := strings.Cut(head, "|")
		var want []string
		for _, n := range strings.Fields(names) {
			want = append(want, "uint "+n+"_o")
		}
		for _, p := range strings.Fields(params) {
			n, kind, _ := strings.Cut(p, ":")
			want = append(want, map[string]string{"": "uint ", "f32": "float ", "i32": "int "}[kind]+n)
		}
		_, rest, _ := strings.Cut(string(cu), "struct Params {")
		body, _, _ := strings.Cut(rest, "};")
		var got []string
		for stmt := range strings.SplitSeq(body, ";") {
			kind, list, _ := strings.Cut(strings.TrimSpace(stmt), " ")
			for n := range strings.SplitSeq(list, ",") {
				if n = strings.TrimSpace(n); n != "" {
					got = append(got, kind+" "+n)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: CUDA takes %v, WebGPU %v", k.File(), got, want)
		}
	}
}
