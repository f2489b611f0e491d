package choose

import (
	"fmt"

	"limpid/engine"
	"limpid/gpu/webgpu"
)

// All are the backends of this build. budget bounds the tensors of devices that share
// the machine's memory, in bytes.
func All(budget int64) []Backend {
	return []Backend{webGPU{budget}, nvidia{}}
}

type webGPU struct{ budget int64 }

func (webGPU) Kind() string { return "webgpu" }

func (w webGPU) List() ([]Candidate, error) {
	var list []Candidate
	for _, a := range webgpu.Adapters() {
		c := Candidate{
			ID: fmt.Sprintf("webgpu:%d", a.Index), Kind: "webgpu", Name: a.Name, Detail: a.Backend + ", " + a.Driver,
			Memory: a.Memory, Software: a.Software,
		}
		var o webgpu.Options
		if a.Shared {
			o.Budget, c.Memory = w.budget, w.budget
		}
		c.Open = func() (engine.Device, error) { return webgpu.Open(a.Index, o) }
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("WebGPU: no adapter")
	}
	return list, nil
}
