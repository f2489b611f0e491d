package session

import (
	"context"
	"fmt"

	"limpid/app/recipe"
	"limpid/priors/gaussian"
)

// ReadSpectrum reads a power spectrum from a CSV or text file of k (cycles per pixel) and
// P columns.
func ReadSpectrum(path string) (gaussian.Spectrum, error) {
	k, p, err := readSpectrum(context.Background(), path)
	if err != nil {
		return gaussian.Spectrum{}, err
	}
	sp, err := gaussian.NewSpectrum(k, p)
	if err != nil {
		return sp, fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
	}
	return sp, nil
}
