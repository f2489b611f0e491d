package calibration

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/sims"
)

// What is told of the noise is how it was drawn: correlations of many fields, by lag.
func TestSmoothed_Noise_HasItsCorrelation(t *testing.T) {
	const side, fields = 32, 400
	s, rng := newSmoothed(0.8), sims.Rand(engine.NewKey(3))
	lags := [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 1}, {0, 6}}
	sums := make([]float64, len(lags))
	var pairs float64
	for range fields {
		im := s.draw(side, side, rng)
		for y := range side - 6 {
			for x := range side - 6 {
				pairs++
				for i, l := range lags {
					sums[i] += float64(im[y*side+x]) * float64(im[(y+l[0])*side+x+l[1]])
				}
			}
		}
	}
	for i, l := range lags {
		got, want := sums[i]/pairs, s.colour.Lag(l[0], l[1])
		// neighbours go together, so that pairs are worth about a tenth of what they are many
		if tolerance := 4 * math.Sqrt(10/pairs); math.Abs(got-want) > tolerance {
			t.Errorf("lag %v: %.4f, told %.4f ± %.4f", l, got, want, tolerance)
		}
	}
	if a, b := s.colour.Lag(0, 1), s.colour.Lag(0, 2); s.colour.Lag(0, 0) != 1 || !(a > 0.5 && a < 0.95 && b < a) {
		t.Errorf("neighbours %g, the next %g", a, b)
	}
}
