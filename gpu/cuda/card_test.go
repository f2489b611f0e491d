//go:build cuda

package cuda

import (
	"errors"
	"testing"

	"limpid/engine"
	"limpid/engine/devicetest"
)

// What this file needs is a card: make build-cuda's settings, then
//
//	go test -tags cuda ./gpu/cuda -v
func first(t testing.TB) Card {
	cards, err := Cards()
	if err != nil {
		t.Skipf("needs an NVIDIA card and its driver: %v", err)
	}
	return cards[0]
}

func TestCard_Suite(t *testing.T) {
	c := first(t)
	t.Logf("%s, %s, %d bytes", c.Name, c.Detail, c.Memory)
	devicetest.Run(t, func(t testing.TB) engine.Device {
		d, err := Open(c.Index, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// Products on tensor cores in three parts keep the suite's tolerances.
func TestCard_Suite_TensorCores(t *testing.T) {
	c := first(t)
	if !c.Tensor() {
		t.Skipf("needs a card with tensor cores for %s (sm_80 or later), this is a %s", TF32x3, c.Name)
	}
	devicetest.Run(t, func(t testing.TB) engine.Device {
		d, err := Open(c.Index, Options{Precision: TF32x3})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

func TestCard_BudgetTooSmall_IsAMemoryError(t *testing.T) {
	d, err := Open(first(t).Index, Options{Budget: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var mem *engine.MemoryError
	if _, err := d.Alloc(engine.Shape{1 << 20}); !errors.As(err, &mem) {
		t.Errorf("4 MB of a budget of 1: %v", err)
	}
}
