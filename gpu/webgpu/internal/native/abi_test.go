package native

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The C interface is written down twice, in the module's header and in wgpu.h: sizes
// and offsets must agree.
func TestABI_HeaderOfTheModule_SameSizesAndOffsets(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cogentcore/webgpu").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "wgpu", "lib")
	if _, statErr := os.Stat(filepath.Join(dir, "webgpu.h")); err != nil || statErr != nil {
		t.Skip("the module's header is not at hand")
	}
	// name of ours, name of theirs, pairs of fields
	table := []string{
		"WGPUChain WGPUChainedStruct next:next type:sType",
		"WGPUAdapterInfo WGPUAdapterInfo vendor:vendor device:device description:description backend:backendType adapterType:adapterType vendorID:vendorID deviceID:deviceID",
		"WGPULimits WGPULimits maxStorageBuffers:maxStorageBuffersPerShaderStage maxUniformBufferBindingSize:maxUniformBufferBindingSize maxStorageBufferBindingSize:maxStorageBufferBindingSize minUniformBufferOffsetAlignment:minUniformBufferOffsetAlignment maxBufferSize:maxBufferSize maxComputeWorkgroupStorageSize:maxComputeWorkgroupStorageSize maxComputeWorkgroupsPerDimension:maxComputeWorkgroupsPerDimension",
		"WGPUChainedLimits WGPUSupportedLimits limits:limits",
		"WGPUChainedLimits WGPURequiredLimits limits:limits",
		"WGPUDeviceDescriptor WGPUDeviceDescriptor limits:requiredLimits lost:deviceLostCallback lostUser:deviceLostUserdata errorNext:uncapturedErrorCallbackInfo",
		"WGPUBufferDescriptor WGPUBufferDescriptor usage:usage size:size mapped:mappedAtCreation",
		"WGPUBindGroupLayoutEntry WGPUBindGroupLayoutEntry binding:binding visibility:visibility buffer.type:buffer.type buffer.dynamic:buffer.hasDynamicOffset buffer.minSize:buffer.minBindingSize sampler:sampler texture:texture storageTexture:storageTexture",
		"WGPUBindGroupLayoutDescriptor WGPUBindGroupLayoutDescriptor count:entryCount entries:entries",
		"WGPUBindGroupEntry WGPUBindGroupEntry binding:binding buffer:buffer offset:offset size:size",
		"WGPUBindGroupDescriptor WGPUBindGroupDescriptor layout:layout count:entryCount entries:entries",
		"WGPUPipelineLayoutDescriptor WGPUPipelineLayoutDescriptor count:bindGroupLayoutCount layouts:bindGroupLayouts",
		"WGPUShaderModuleDescriptor WGPUShaderModuleDescriptor next:nextInChain",
		"WGPUShaderModuleWGSLDescriptor WGPUShaderModuleWGSLDescriptor code:code",
		"WGPUComputePipelineDescriptor WGPUComputePipelineDescriptor layout:layout compute.module:compute.module compute.entryPoint:compute.entryPoint",
		"WGPUPassDescriptor WGPUComputePassDescriptor timestamps:timestampWrites",
		"WGPUInstanceExtras WGPUInstanceExtras backends:backends flags:flags dxilPath:dxilPath",
	}
	var theirs, ours strings.Builder
	write := func(b *strings.Builder, header, head string, field int) {
		fmt.Fprintf(b, "#include %q\n#include <stdio.h>\n#include <stddef.h>\nint main(void) {\n%s", header, head)
		for i, row := range table {
			f := strings.Fields(row)
			fmt.Fprintf(b, "printf(\"%d size %%zu\\n\", sizeof(%s));\n", i, f[field])
			for _, pair := range f[2:] {
				fmt.Fprintf(b, "printf(\"%d %s %%zu\\n\", offsetof(%s, %s));\n", i, pair, f[field], strings.Split(pair, ":")[field])
			}
		}
		b.WriteString("return 0; }\n")
	}
	write(&ours, "wgpu.h", "", 0)
	write(&theirs, "wgpu.h", "", 1)
	tmp := t.TempDir()
	run := func(name, source, include string) string {
		src, bin := filepath.Join(tmp, name+".c"), filepath.Join(tmp, name)
		if err := os.WriteFile(src, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(cc, "-I", include, "-o", bin, src).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		out, err := exec.Command(bin).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	a, b := run("ours", ours.String(), here), run("theirs", theirs.String(), dir)
	if a != b {
		t.Errorf("ours:\n%s\nthe module's:\n%s", a, b)
	}
	if len(strings.Split(a, "\n")) < 60 {
		t.Errorf("only compared:\n%s", a)
	}
}
