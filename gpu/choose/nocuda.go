//go:build !cuda

package choose

import "errors"

type nvidia struct{}

func (nvidia) Kind() string { return "cuda" }

func (nvidia) List() ([]Candidate, error) {
	return nil, errors.New("CUDA: not in this build (make build-cuda)")
}
