//go:build cuda

// Package driver stands between gorgonia.org/cu and libcuda, so that a program built for
// CUDA links without the driver's library and starts where there is none.
package driver

/*
#cgo LDFLAGS: -ldl
#include <stddef.h>
int limpid_cuda_open(char *message, size_t room);
*/
import "C"

import (
	"fmt"
	"sync"
)

var open = sync.OnceValue(func() error {
	var msg [512]C.char
	if C.limpid_cuda_open(&msg[0], C.size_t(len(msg))) == 0 {
		return fmt.Errorf("no driver (%s)", C.GoString(&msg[0]))
	}
	return nil
})

// Open loads libcuda when first called; call it before anything of gorgonia.org/cu.
func Open() error { return open() }
