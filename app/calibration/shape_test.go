package calibration

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/sims"
)

// blob is a Gaussian of σ pixels that was sheared, in the middle of n² pixels.
func blob(n int, sigma, g1, g2 float64) []float32 {
	im := make([]float32, n*n)
	for i := range im {
		x, y := float64(i%n-n/2), float64(i/n-n/2)
		u, v := (1-g1)*x-g2*y, (1+g1)*y-g2*x
		im[i] = float32(math.Exp(-(u*u + v*v) / (2 * sigma * sigma * (1 - g1*g1 - g2*g2))))
	}
	return im
}

// The estimator gives back a shear to first order, with its sign.
func TestShear_ShearedGaussian_IsMeasured(t *testing.T) {
	for _, g := range [][2]float64{{0.05, 0}, {0, 0.05}, {-0.03, 0.04}, {0, 0}} {
		g1, g2 := shear(blob(40, 3, g[0], g[1]), 40)
		if d := math.Hypot(g1-g[0], g2-g[1]); d > 0.003 {
			t.Errorf("sheared by %v: measured %.4f, %.4f", g, g1, g2)
		}
	}
}

// Draws that scatter as the truth does hold it as often as they say.
func TestShapes_DrawsLikeTheTruth_SayTheirError(t *testing.T) {
	const n, pairs, draws, scatter = 24, 120, 19, 0.02
	s, rng := Shapes{}, sims.Rand(engine.NewKey(4))
	one := func() []float32 { return blob(n, 3, 0.1+scatter*rng.NormFloat64(), scatter*rng.NormFloat64()) }
	for range pairs {
		var list [][]float32
		for range draws {
			list = append(list, one())
		}
		s.add(one(), list, n)
	}
	s.finish()
	if math.Abs(s.Held-0.9) > 0.07 || math.Abs(s.Square/s.Scatter-1) > 0.2 || math.Abs(s.Scatter/scatter-1) > 0.15 {
		t.Errorf("held %.3f, error %.4f where the draws say %.4f and %g is right", s.Held, s.Square, s.Scatter, scatter)
	}
	if !(s.Median > 0) || math.Abs(s.Median/s.Modulus-1) > 0.2 {
		t.Errorf("median error of |g| %.4f, of the median |g| of the draws %.4f", s.Modulus, s.Median)
	}
	if !(s.Error > 0.5*scatter && s.Error < 2*scatter) || !(s.Modulus > 0.2*scatter && s.Modulus < s.Error) || math.Abs(s.Truth-0.1) > 0.02 {
		t.Errorf("median error %.4f, median shear %.4f", s.Error, s.Truth)
	}
}
