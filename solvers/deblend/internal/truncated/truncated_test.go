package truncated

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDraw_CorrelatedPair_MatchesRejection(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	mean, l := []float64{-0.7, 0.4, 1}, []float64{1, 0, 0, -.6, .8, 0, .3, .2, .5}
	const n = 40000
	var want, got [3]float64
	kept := 0
	for range n {
		if x := Gaussian(rng, mean, l); x[0] >= 0 && x[1] >= 0 {
			kept++
			for i, v := range x {
				want[i] += v
			}
		}
	}
	var share float64
	for range n {
		x, s := Draw(rng, mean, l, 2)
		if x[0] < 0 || x[1] < 0 {
			t.Fatalf("%v is not ≥ 0", x)
		}
		w := math.Exp(s)
		share += w / n
		for i, v := range x {
			got[i] += w * v
		}
	}
	if p := float64(kept) / n; math.Abs(share-p) > 0.01 {
		t.Errorf("share %.4f, by rejection %.4f", share, p)
	}
	for i := range mean {
		if a, b := got[i]/(share*n), want[i]/float64(kept); math.Abs(a-b) > 0.03 {
			t.Errorf("mean of %d: %.3f, by rejection %.3f", i, a, b)
		}
	}
}

func TestAbove_FarInTheTail_IsFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, a := range []float64{-40, 0, 3, 12, 29, 50} {
		z, s := above(rng, a)
		if z < a || math.IsInf(s, 0) || math.IsNaN(s) {
			t.Errorf("above %g: %g, log share %g", a, z, s)
		}
	}
}
