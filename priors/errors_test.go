package priors_test

import (
	"math"
	"testing"

	"limpid/priors"
)

func table() priors.Errors {
	return priors.Errors{
		Scenes: 1, Believed: []float64{0.01, 1}, Sky: []float64{1, 4}, Light: []float64{2, 2}, Factors: []float64{0.1, 1},
		DarkTails: []float64{0.5, 0.5}, SkyTails: []float64{0, 1}, LightTails: []float64{1, 0}, DarkBelow: 0.003,
	}
}

func TestErrors_Factor_IsInterpolatedInLogarithms(t *testing.T) {
	e := table()
	for _, c := range []struct{ believed, sky, want float64 }{
		{0.01, 1, 1}, {1, 1, 4}, {0.1, 1, 2}, {0.1, 0, 2}, {1, 0.5, 3}, {1e-6, 1, 1}, {50, 1, 4},
	} {
		if f := e.Factor(c.believed, c.sky); math.Abs(f-c.want) > 1e-9 {
			t.Errorf("a variance of %g at a place that is sky by %g is multiplied by %g: want %g", c.believed, c.sky, f, c.want)
		}
	}
}

func TestErrors_Check_RefusesWhatCannotBeUsed(t *testing.T) {
	good := table()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*priors.Errors){
		"no variances":       func(e *priors.Errors) { e.Believed = nil },
		"variances fall":     func(e *priors.Errors) { e.Believed = []float64{1, 0.01} },
		"a factor too few":   func(e *priors.Errors) { e.Sky = e.Sky[:1] },
		"a factor of 0":      func(e *priors.Errors) { e.Light = []float64{0, 1} },
		"not a number":       func(e *priors.Errors) { e.Sky = []float64{math.NaN(), 1} },
		"shares of 2":        func(e *priors.Errors) { e.DarkTails = []float64{1, 1} },
		"a negative share":   func(e *priors.Errors) { e.SkyTails = []float64{-1, 2} },
		"no factors":         func(e *priors.Errors) { e.Factors = nil },
		"sky is never sure":  func(e *priors.Errors) { e.DarkBelow = 0 },
		"shares for nothing": func(e *priors.Errors) { e.LightTails = []float64{1, 0, 0} },
	} {
		e := table()
		spoil(&e)
		if e.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
