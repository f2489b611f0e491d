package calibrate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine"
	"limpid/solvers/calibrate"
)

var functionals = []calibrate.Functional{
	{Name: "pixel 0", Of: func(x []float32) float64 { return float64(x[0]) }},
	{Name: "sum", Of: func(x []float32) float64 {
		var s float64
		for _, v := range x {
			s += float64(v)
		}
		return s
	}},
	{Name: "maximum", Of: func(x []float32) float64 {
		m := math.Inf(-1)
		for _, v := range x {
			m = math.Max(m, float64(v))
		}
		return m
	}},
}

// pairs of a conjugate problem, x ~ N(0, 1), y = x + N(0, s²), whose posterior
// N(k y, k s²), k = 1/(1+s²), is falsified by widening and shifting its draws.
func report(t *testing.T, pairs int, widen, shift float64) calibrate.Report {
	t.Helper()
	const pixels, draws, s = 40, 63, 0.8
	rng := rand.New(rand.NewPCG(9, 10))
	suite := calibrate.NewSuite(calibrate.Options{Functionals: functionals})
	k := 1 / (1 + s*s)
	for p := range pairs {
		truth, mean := make([]float32, pixels), make([]float64, pixels)
		for i := range truth {
			x := rng.NormFloat64()
			truth[i], mean[i] = float32(x), k*(x+s*rng.NormFloat64())
		}
		var ds [][]float32
		for range draws {
			d := make([]float32, pixels)
			for i := range d {
				d[i] = float32(mean[i] + shift + widen*math.Sqrt(k)*s*rng.NormFloat64())
			}
			ds = append(ds, d)
		}
		if err := suite.Add(calibrate.Pair{Truth: truth, Draws: ds}, engine.NewKey(1).Fold(uint64(p))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := suite.Report()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSuite_RightPosterior_Passes(t *testing.T) {
	r := report(t, 400, 1, 0)
	if p := r.WorstP(); p < 0.01 {
		t.Errorf("p = %.4f: %+v", p, r)
	}
	// 400·40 pixels: the coverage's standard error is .0024
	if math.Abs(r.Coverage-0.9) > 0.008 || math.Abs(r.ZRMS-1) > 0.03 {
		t.Errorf("coverage %.3f, z rms %.3f", r.Coverage, r.ZRMS)
	}
}

func TestSuite_WrongPosteriors_AreCaught(t *testing.T) {
	for _, c := range []struct {
		name         string
		widen, shift float64
	}{{"overconfident", 0.8, 0}, {"underconfident", 1.25, 0}, {"biased", 1, 0.1}} {
		if r := report(t, 400, c.widen, c.shift); r.WorstP() > 0.01 {
			t.Errorf("%s passed: p = %.3f, coverage %.3f", c.name, r.WorstP(), r.Coverage)
		}
	}
	if r := report(t, 100, 0.8, 0); r.Coverage > 0.85 || r.ZRMS < 1.2 {
		t.Errorf("overconfident by .8: coverage %.3f, z rms %.3f", r.Coverage, r.ZRMS)
	}
}

// The same statistics under many right posteriors: p values must be uniform
// enough that a right sampler is not refused.
func TestSuite_RightPosteriors_PValuesAreUniform(t *testing.T) {
	low := 0
	const runs = 60
	rng := rand.New(rand.NewPCG(1, 1))
	for range runs {
		suite := calibrate.NewSuite(calibrate.Options{Functionals: functionals[:1]})
		for p := range 60 {
			draws := make([][]float32, 31)
			for i := range draws {
				draws[i] = []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64())}
			}
			truth := []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64())}
			if err := suite.Add(calibrate.Pair{Truth: truth, Draws: draws}, engine.NewKey(rng.Uint64()).Fold(uint64(p))); err != nil {
				t.Fatal(err)
			}
		}
		r, err := suite.Report()
		if err != nil {
			t.Fatal(err)
		}
		if r.SBC[0].P < 0.1 || r.TARPP < 0.1 || r.TARPFarP < 0.1 {
			low++
		}
	}
	// three tests at .1 each: 27 % of 60 runs is 16.3 ± 3.4
	if low > 26 {
		t.Errorf("%d of %d right posteriors had p < .1", low, runs)
	}
}

// blind is the report of draws of the prior, which are right posteriors without data.
func blind(t *testing.T, o calibrate.Options, pairs int, image func() []float32) calibrate.Report {
	t.Helper()
	suite := calibrate.NewSuite(o)
	for p := range pairs {
		var draws [][]float32
		for range 20 {
			draws = append(draws, image())
		}
		if err := suite.Add(calibrate.Pair{Truth: image(), Draws: draws}, engine.NewKey(2).Fold(uint64(p))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := suite.Report()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Images of thousands of pixels and few draws: right posteriors pass TARP about either point, and draws a tenth too wide do not.
func TestSuite_ManyPixelsFewDraws_TARPKnowsTheRightOnes(t *testing.T) {
	for _, width := range []float64{1, 1.1} {
		rng := rand.New(rand.NewPCG(5, 6))
		made := 0
		r := blind(t, calibrate.Options{}, 200, func() []float32 {
			x, w := make([]float32, 2000), width
			if made++; made%21 == 0 { // the truth
				w = 1
			}
			for i := range x {
				x[i] = float32(w * rng.NormFloat64())
			}
			return x
		})
		if right := width == 1; (r.TARPP > 0.01) != right || (r.TARPFarP > 0.01) != right {
			t.Errorf("draws %g times as wide as truths: p of TARP %.2g about the mean, %.2g about another scene", width, r.TARPP, r.TARPFarP)
		}
	}
}

// Half of the truths are exactly 0: every interval that begins or ends there holds those. To a precision they are held
// as often as is said.
func TestSuite_TruthsOfExactlyNothing_AreJudgedToAPrecision(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	r := blind(t, calibrate.Options{Precision: 0.1}, 60, func() []float32 {
		x := make([]float32, 200)
		for i := range x {
			if rng.Float64() < 0.5 {
				x[i] = float32(math.Abs(rng.NormFloat64()))
			}
		}
		return x
	})
	if r.Coverage < 0.94 {
		t.Errorf("as they are %.3f are held: the test tests nothing", r.Coverage)
	}
	if math.Abs(r.Fine-0.9) > 0.01 { // 12,000 pixels: ±.003
		t.Errorf("to a precision %.3f are held", r.Fine)
	}
}

func TestSuite_TooFewPairsOrDraws_AreErrors(t *testing.T) {
	suite := calibrate.NewSuite(calibrate.Options{})
	if _, err := suite.Report(); err == nil {
		t.Error("a report of nothing")
	}
	if err := suite.Add(calibrate.Pair{Truth: []float32{1}, Draws: [][]float32{{1}}}, engine.NewKey(1)); err == nil {
		t.Error("one draw was taken")
	}
}
