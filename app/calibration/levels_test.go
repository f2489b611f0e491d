package calibration

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Truths and draws of one distribution are not told apart; draws with twice the scatter are.
func TestJudged_DrawsLikeTheTruth_AreRight(t *testing.T) {
	const side, draws, truths, sigma = 12, 20, 400, 2
	rng := rand.New(rand.NewPCG(1, 2))
	smooth := func(by float64) []float32 { // errors that are alike along a row
		out := make([]float32, side*side)
		for y := range side {
			last := 0.0
			for x := range side {
				last = 0.8*last + 0.6*rng.NormFloat64()
				out[y*side+x] = float32(by * last)
			}
		}
		return out
	}
	judge := func(by float64) *Judged {
		j := &Judged{square: make([]float64, len(LevelBrightness())), variance: make([]float64, len(LevelBrightness()))}
		for range truths {
			m := make([]float32, side*side)
			for i := range m {
				m[i] = float32(5 * sigma * (i / side % 2)) // sky and light in turns
			}
			around := func(by float64) []float32 {
				v := smooth(by)
				for i := range v {
					v[i] += m[i]
				}
				return v
			}
			list := make([][]float32, draws)
			for i := range list {
				list[i] = around(by)
			}
			j.add(around(1), m, list, sigma)
		}
		j.finish()
		return j
	}
	right := judge(1)
	var chi2 float64
	for _, n := range right.Ranks {
		d := float64(n) - truths/float64(LevelRanks)
		chi2 += d * d / (truths / float64(LevelRanks))
	}
	if chi2 > 16.8 { // 6 degrees of freedom: one in a hundred
		t.Errorf("ranks %v of a right level: χ² %.1f", right.Ranks, chi2)
	}
	if math.Abs(right.Ratio-1) > 0.05 {
		t.Errorf("|truth − mean|² over the draws' own is %.3f", right.Ratio)
	}
	for i, v := range right.Variance {
		if seen := i == 0 || i == 3; seen && math.Abs(v-1) > 0.05 || !seen && !math.IsNaN(v) {
			t.Errorf("variance of draws over squared error in class %d: %.3f", i, v)
		}
	}
	for i := range right.Near {
		if math.Abs(right.Near[i]-right.NearDraws[i]) > 0.03 || right.Near[i] < 0.3 {
			t.Errorf("correlation of errors %.3f, of draws %.3f", right.Near[i], right.NearDraws[i])
		}
	}
	wide := judge(2) // whose mean scatters by 4/20 of the error
	if wide.Ranks[0] < truths*9/10 || math.Abs(wide.Variance[3]-3.5) > 0.2 {
		t.Errorf("draws with twice the scatter: ranks %v, variance %.2f", wide.Ranks, wide.Variance)
	}
}
