package calibration

import (
	"math"

	"limpid/solvers/calibrate"
)

// functionals are what ranks are taken of: fluxes in apertures and single pixels.
func functionals(n int) []calibrate.Functional {
	sum := func(x0, x1, y0, y1 int) func([]float32) float64 {
		return func(im []float32) float64 {
			var s float64
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					s += float64(im[y*n+x])
				}
			}
			return s
		}
	}
	return []calibrate.Functional{
		{Name: "total flux", Of: sum(0, n, 0, n)},
		{Name: "central quarter", Of: sum(n/4, 3*n/4, n/4, 3*n/4)},
		{Name: "central pixel", Of: sum(n/2, n/2+1, n/2, n/2+1)},
		{Name: "central pixel ± .1 σ", Of: sum(n/2, n/2+1, n/2, n/2+1), Fine: true},
		{Name: "brightest pixel", Of: func(im []float32) float64 {
			m := math.Inf(-1)
			for _, v := range im {
				m = math.Max(m, float64(v))
			}
			return m
		}},
		{Name: "sharpness Σx²", Of: func(im []float32) float64 {
			var s float64
			for _, v := range im {
				s += float64(v) * float64(v)
			}
			return s
		}},
	}
}
