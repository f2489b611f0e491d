package deblend

import (
	"os"
	"path/filepath"
	"sort"
	"testing"

	"limpid/solvers"
)

func dataFolder(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "deconv_deblend")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the shared test data: set LIMPID_DATA to its folder")
	}
	return dir
}

func normalisePSF(psf solvers.Image) solvers.Image {
	for c := range psf.C {
		var s float64
		for _, v := range psf.Plane(c) {
			s += float64(v)
		}
		for i := range psf.Plane(c) {
			psf.Plane(c)[i] = float32(float64(psf.Plane(c)[i]) / s)
		}
	}
	return psf
}

func quantile(v []float64, q float64) float64 {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	if len(s) == 0 {
		return 0
	}
	pos := q * float64(len(s)-1)
	i := int(pos)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (pos-float64(i))*(s[i+1]-s[i])
}
