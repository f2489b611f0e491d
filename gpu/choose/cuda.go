//go:build cuda

package choose

import (
	"fmt"

	"limpid/engine"
	"limpid/gpu/cuda"
)

type nvidia struct{}

func (nvidia) Kind() string { return "cuda" }

func (nvidia) List() ([]Candidate, error) {
	cards, err := cuda.Cards()
	var list []Candidate
	for _, c := range cards {
		list = append(list, Candidate{
			ID: fmt.Sprintf("cuda:%d", c.Index), Kind: "cuda", Name: c.Name, Detail: c.Detail, Memory: c.Memory,
			Open: func() (engine.Device, error) { return cuda.Open(c.Index, cuda.Options{}) },
		})
		if c.Tensor() {
			o := cuda.Options{Precision: cuda.TF32x3}
			list = append(list, Candidate{
				ID: fmt.Sprintf("cuda:%d-%s", c.Index, o.Precision), Kind: "cuda", Name: c.Name, Detail: c.Detail + ", tensor cores", Memory: c.Memory,
				Open: func() (engine.Device, error) { return cuda.Open(c.Index, o) },
			})
		}
	}
	return list, err
}
