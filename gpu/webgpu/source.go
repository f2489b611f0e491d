package webgpu

import (
	"embed"
	"fmt"
	"strings"

	"limpid/gpu/internal/ops"
)

//go:embed wgsl/*.wgsl
var sources embed.FS

// source assembles a kernel: its constants, its bindings from the line "//!", the
// prelude, what "//+" names, and its own text.
func source(k ops.Kernel, line int) (text string, buffers int, err error) {
	body, err := sources.ReadFile("wgsl/" + k.File() + ".wgsl")
	if err != nil {
		return "", 0, err
	}
	prelude, err := sources.ReadFile("wgsl/prelude.wgsl")
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	if mode, narrow, ok := k.Gemm(); ok {
		m, n, depth := ops.TileM, ops.TileN, 16
		if narrow {
			m, n, depth = ops.NarrowTileM, ops.NarrowTileN, 8
		}
		fmt.Fprintf(&b, "const MODE: u32 = %du;\nconst BM: u32 = %du;\nconst BN: u32 = %du;\nconst BK: u32 = %du;\n", mode, m, n, depth)
	}
	fmt.Fprintf(&b, "const CAP: u32 = %du;\n", max(line, 1))
	head, rest, _ := strings.Cut(string(body), "\n")
	names, params, ok := strings.Cut(strings.TrimPrefix(head, "//! "), "|")
	if !ok {
		return "", 0, fmt.Errorf("%s.wgsl begins with %q, not with its buffers and parameters", k.File(), head)
	}
	b.WriteString("struct Params {\n")
	list := strings.Fields(names)
	for _, n := range list {
		fmt.Fprintf(&b, "\t%s_o: u32,\n", n)
	}
	for _, p := range strings.Fields(params) {
		name, kind, typed := strings.Cut(p, ":")
		if !typed {
			kind = "u32"
		}
		fmt.Fprintf(&b, "\t%s: %s,\n", name, kind)
	}
	b.WriteString("}\n@group(0) @binding(0) var<uniform> P: Params;\n")
	for i, n := range list {
		fmt.Fprintf(&b, "@group(0) @binding(%d) var<storage, read_write> %s: array<f32>;\n", i+1, n)
	}
	b.Write(prelude)
	if include, more, ok := strings.Cut(strings.TrimPrefix(rest, "//+ "), "\n"); ok && strings.HasPrefix(rest, "//+ ") {
		text, err := sources.ReadFile("wgsl/" + include + ".wgsl")
		if err != nil {
			return "", 0, err
		}
		b.Write(text)
		rest = more
	}
	b.WriteString(expand(rest))
	return b.String(), len(list), nil
}

// expand writes out the entry point that MAIN(threads) stands for.
func expand(text string) string {
	for _, n := range []string{"64", "256"} {
		text = strings.Replace(text, "MAIN("+n+")", "@compute @workgroup_size("+n+`)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32)`, 1)
	}
	return text
}
