package recipe

import (
	"strings"
	"testing"
)

func TestValidate_Device_AsDevicesAreCalled(t *testing.T) {
	for name, good := range map[string]bool{
		"": true, "auto": true, "cpu": true, "gpu": true, "webgpu": true, "webgpu:1": true, "cuda:0": true, "cuda:0-tf32x3": true,
		"cuda-tf32x3": false, "webgpu:0-tf32x3": false, "cuda:0-bf16": false, "cpu:0": false, "tpu": false,
	} {
		r := Default("image.fits")
		r.Device = name
		if err := r.Validate(); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "device") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
