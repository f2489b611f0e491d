package calibration

import (
	"math"
	"strings"
	"testing"
)

// Intervals of 8 draws hold seven ninths at most, which must not be read as a failure.
func TestReport_FewDraws_SayWhatTheyCanHold(t *testing.T) {
	for _, c := range []struct {
		draws int
		want  float64
		said  bool
	}{{8, 7.0 / 9, true}, {18, 17.0 / 19, true}, {19, 0.9, false}, {64, 0.9, false}} {
		r := &Report{Draws: c.draws}
		if got := r.Expected(); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d draws: %.3f expected, want %.3f", c.draws, got, c.want)
		}
		if said := strings.Contains(r.Table(), "least to the greatest"); said != c.said {
			t.Errorf("%d draws: said %v", c.draws, said)
		}
	}
}
