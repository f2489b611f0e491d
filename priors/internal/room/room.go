// Package room allocates the work space of a prior: many tensors, one error.
package room

import (
	"fmt"

	"limpid/engine"
)

// Room collects tensors and the first failure to allocate one.
type Room struct {
	dev engine.Device
	all []*engine.Tensor
	err error
}

// New starts a collection.
func New(dev engine.Device) *Room { return &Room{dev: dev} }

// Tensor allocates; after a failure it returns nil.
func (r *Room) Tensor(shape ...int) *engine.Tensor {
	if r.err != nil {
		return nil
	}
	t, err := r.dev.Alloc(shape)
	if err != nil {
		r.err = err
		return nil
	}
	r.all = append(r.all, t)
	return t
}

// Err is the first failure.
func (r *Room) Err() error { return r.err }

// Close frees all tensors.
func (r *Room) Close() {
	for _, t := range r.all {
		t.Free()
	}
	r.all = nil
}

// Scenes is how many scenes of shape domain x holds; it panics where x holds no whole
// number of them or more than a prior was made for.
func Scenes(pkg string, x *engine.Tensor, domain engine.Shape, most int) int {
	n := x.Len() / domain.Len()
	if n*domain.Len() != x.Len() || n == 0 {
		panic(fmt.Sprintf("%s: %v for scenes of %v", pkg, x.Shape(), domain))
	}
	if n > most {
		panic(fmt.Sprintf("%s: %d scenes for a prior made for %d", pkg, n, most))
	}
	return n
}
