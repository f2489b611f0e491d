package priors_test

import (
	"math"
	"testing"

	"limpid/priors"
)

func table() priors.Errors {
	return priors.Errors{
		Scenes: 1, Believed: []float64{0.01, 1}, Bright: []float64{0.5, 5}, Variance: [][]float64{{1, 4}, {2, 2}},
		Residual: []float64{-1, 0, 2}, Surprise: [3][]float64{{1, 1, 3}, {1, 1, 2}, {1, 1, 1}},
		Sharp: []float64{0, 1}, Peaks: [3][]float64{{1, 2}, {1, 3}, {1, 1}},
		Rings: []float64{0.01, 0.25}, Power: [3][]float64{{4, 0.25}, {1, 1}, {1, 1}}, Factors: []float64{0.1, 1},
		DarkTails: []float64{0.5, 0.5}, SkyTails: []float64{0, 1}, FaintTails: []float64{0.5, 0.5}, LightTails: []float64{1, 0}, DarkBelow: 0.003,
		Rough: []float64{0.01, 1}, Coarse: [2][]float64{{2, 1}, {1, 1}}, Fine: [2][]float64{{0.2, 1}, {0.4, 0.8}},
	}
}

func TestErrors_Factor_IsInterpolatedInLogarithms(t *testing.T) {
	e := table()
	for _, c := range []struct{ believed, bright, want float64 }{
		{0.01, 0.5, 1}, {1, 0.5, 4}, {0.1, 0.5, 2}, {0.1, 5, 2}, {1, math.Sqrt(2.5), math.Sqrt(8)}, {1e-6, 0, 1}, {50, -0.5, 4}, {50, 100, 2},
	} {
		if f := e.Factor(c.believed, c.bright); math.Abs(f-c.want) > 1e-9 {
			t.Errorf("a variance of %g at a place of %g σ is multiplied by %g: want %g", c.believed, c.bright, f, c.want)
		}
	}
	for k, want := range map[float64]float64{0.001: 4, 0.05: 1, 0.25: 0.25, 0.5: 0.25} {
		if f := e.PowerAt(0, k); math.Abs(f-want) > 1e-9 {
			t.Errorf("at %g cycles a pixel power is multiplied by %g: want %g", k, f, want)
		}
	}
}

func TestErrors_SurpriseAndPeaks_AreWeighedByKind(t *testing.T) {
	e := table()
	for _, c := range []struct {
		kinds          [3]float64
		x              float64
		surprise, peak float64
	}{
		{[3]float64{1, 0, 0}, 1, 2, 2}, {[3]float64{0.5, 0.5, 0}, 2, 2.5, 2.5}, {[3]float64{0, 0, 1}, 9, 1, 1}, {[3]float64{1, 0, 0}, -9, 1, 1},
	} {
		if s, p := e.SurpriseAt(c.kinds, c.x), e.PeaksAt(c.kinds, c.x); math.Abs(s-c.surprise) > 1e-9 || math.Abs(p-c.peak) > 1e-9 {
			t.Errorf("at %g of %v: %g and %g, want %g and %g", c.x, c.kinds, s, p, c.surprise, c.peak)
		}
	}
	if f := (&priors.Errors{}).SurpriseAt([3]float64{1, 0, 0}, 3); f != 1 {
		t.Errorf("nothing measured multiplies by %g", f)
	}
}

func TestErrors_Scales_AreOfLightAlone(t *testing.T) {
	e := table()
	for _, c := range []struct {
		kinds               [3]float64
		rough, coarse, fine float64
	}{
		{[3]float64{1, 0, 0}, 0.01, 1, 1}, {[3]float64{0, 1, 0}, 1e-9, 2, 0.2}, {[3]float64{0, 1, 0}, 0.1, 1.5, 0.6}, {[3]float64{0, 0, 1}, 5, 1, 0.8}, {[3]float64{0.5, 0.25, 0.25}, 0.01, 1.25, 0.65},
	} {
		if coarse, fine := e.ScalesAt(c.kinds, c.rough); math.Abs(coarse-c.coarse) > 1e-9 || math.Abs(fine-c.fine) > 1e-9 {
			t.Errorf("roughness %g of %v: %g and %g, want %g and %g", c.rough, c.kinds, coarse, fine, c.coarse, c.fine)
		}
	}
	if coarse, fine := (&priors.Errors{}).ScalesAt([3]float64{0, 0, 1}, 0.1); coarse != 1 || fine != 1 {
		t.Errorf("nothing measured multiplies by %g and %g", coarse, fine)
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
		"a factor too few":   func(e *priors.Errors) { e.Variance[0] = e.Variance[0][:1] },
		"a row too few":      func(e *priors.Errors) { e.Variance = e.Variance[:1] },
		"a factor of 0":      func(e *priors.Errors) { e.Variance[1] = []float64{0, 1} },
		"not a number":       func(e *priors.Errors) { e.Variance[0] = []float64{math.NaN(), 1} },
		"no brightness":      func(e *priors.Errors) { e.Bright, e.Variance = nil, nil },
		"residuals fall":     func(e *priors.Errors) { e.Residual = []float64{0, -1, 2} },
		"no peaks":           func(e *priors.Errors) { e.Peaks[1] = nil },
		"power of a ring":    func(e *priors.Errors) { e.Power[2] = []float64{1} },
		"shares of 2":        func(e *priors.Errors) { e.DarkTails = []float64{1, 1} },
		"a negative share":   func(e *priors.Errors) { e.SkyTails = []float64{-1, 2} },
		"no factors":         func(e *priors.Errors) { e.Factors = nil },
		"sky is never sure":  func(e *priors.Errors) { e.DarkBelow = 0 },
		"roughness of 0":     func(e *priors.Errors) { e.Rough = []float64{0, 1} },
		"nothing of fine":    func(e *priors.Errors) { e.Fine[1] = nil },
		"no coarse factor":   func(e *priors.Errors) { e.Coarse[0] = []float64{1, -1} },
		"shares for nothing": func(e *priors.Errors) { e.LightTails = []float64{1, 0, 0} },
	} {
		e := table()
		spoil(&e)
		if e.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
