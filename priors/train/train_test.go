package train

import (
	"math"
	"testing"
)

func TestConfig_Rate_RisesStaysAndFalls(t *testing.T) {
	c := Config{Steps: 100, Warm: 10, Cooldown: 20, Rate: 0.5}
	for step, want := range map[int]float64{1: 0.05, 10: 0.5, 50: 0.5, 81: 0.5, 91: 0.25, 100: 0.025, 101: 0} {
		if got := c.rate(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: rate %g, want %g", step, got, want)
		}
	}
}

func TestStopper_EndsWhenNothingImproves(t *testing.T) {
	s := Stopper{Patience: 2, Least: 0.01}
	for i, c := range []struct {
		loss       float64
		best, stop bool
	}{{1, true, false}, {0.9, true, false}, {0.895, false, false}, {0.8, true, false}, {0.81, false, false}, {0.8, false, true}} {
		if best, stop := s.Look(c.loss); best != c.best || stop != c.stop {
			t.Errorf("look %d: %v, %v", i, best, stop)
		}
	}
	never := Stopper{}
	for range 50 {
		if _, stop := never.Look(1); stop {
			t.Fatal("stopped without patience")
		}
	}
}

func TestWidened_NewInputsAreUnheard(t *testing.T) {
	got, ok := widened([]float32{1, 2, 3, 4}, []int{1, 1, 2, 2}, []int{1, 1, 3, 2})
	if !ok || len(got) != 6 || got[3] != 4 || got[4] != 0 || got[5] != 0 {
		t.Errorf("%v, %v", got, ok)
	}
	if _, ok := widened([]float32{1, 2}, []int{1, 1, 1, 2}, []int{1, 1, 1, 3}); ok {
		t.Error("more outputs were taken")
	}
}
