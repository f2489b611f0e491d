package calibrate_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"limpid/solvers/calibrate"
)

// sparse makes a pair as Gaussian samplers do on the sky: the truth is next to 0 in nine
// pixels of ten and a faint source in the tenth, and draws are Gaussian about a mean that
// hardly knows. Pixels from bright on are bright, and drawn rightly.
func sparse(rng *rand.Rand, pixels, bright, draws int) calibrate.Pair {
	p := calibrate.Pair{Truth: make([]float32, pixels), Draws: make([][]float32, draws)}
	for j := range p.Draws {
		p.Draws[j] = make([]float32, pixels)
	}
	for i := range p.Truth {
		truth, std := 0.002*rng.Float64(), 0.1
		if rng.IntN(10) == 0 {
			truth = 0.4 * rng.ExpFloat64()
		}
		mean := 0.3*truth + 0.02*rng.NormFloat64()
		if i >= bright {
			mean, std = 10, 0.3
			truth = mean + std*rng.NormFloat64()
		}
		p.Truth[i] = float32(truth)
		for j := range p.Draws {
			p.Draws[j][i] = float32(mean + std*rng.NormFloat64())
		}
	}
	return p
}

func learned(t *testing.T, rng *rand.Rand) *calibrate.Faint {
	t.Helper()
	f := calibrate.NewFaint("made-up", 7)
	for range 40 {
		if err := f.Add(sparse(rng, 2000, 1900, 20)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = calibrate.ReadFaint(text); err != nil {
		t.Fatal(err)
	}
	return f
}

func one(int) float64 { return 1 }

func TestFaint_SkyIsHeldAsOftenAsItSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := learned(t, rng)
	held := func(p calibrate.Pair) float64 {
		in := 0.0
		for i, truth := range p.Truth[:1900] {
			var v []float64
			for _, d := range p.Draws {
				v = append(v, float64(d[i]))
			}
			slices.Sort(v)
			if x := float64(truth); x >= calibrate.Quantile(v, 0.05) && x <= calibrate.Quantile(v, 0.95) {
				in++
			}
		}
		return in / 1900
	}
	var before, after float64
	const pairs = 10
	for range pairs {
		p := sparse(rng, 2000, 1900, 20)
		before += held(p) / pairs
		bright := make([]float32, 0, 20)
		for _, d := range p.Draws {
			bright = append(bright, d[1950])
		}
		f.MapDraws(p.Draws, one)
		after += held(p) / pairs
		for j, d := range p.Draws {
			if d[1950] != bright[j] {
				t.Fatalf("draw %d of a bright pixel was %g and became %g", j, bright[j], d[1950])
			}
		}
	}
	t.Logf("90 %% intervals of faint pixels held %.3f before and %.3f after", before, after)
	if before < 0.94 {
		t.Errorf("%.3f held before: there is nothing to mend", before)
	}
	if math.Abs(after-0.9) > 0.03 {
		t.Errorf("%.3f held, want .9 within .03", after)
	}
}

func TestFaint_Moments_AreThoseOfTheMappedDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	f := learned(t, rng)
	p := sparse(rng, 4000, 4000, 20)
	mean, std := make([]float32, 4000), make([]float32, 4000)
	for i := range mean {
		var sum, second float64
		for _, d := range p.Draws {
			sum, second = sum+float64(d[i]), second+float64(d[i])*float64(d[i])
		}
		sum /= 20
		mean[i], std[i] = float32(sum), float32(math.Sqrt((second-20*sum*sum)/19))
	}
	f.Map(mean, std, p.Draws, one)
	var offset, variance, said float64
	for i := range mean {
		var sum, second float64
		for _, d := range p.Draws {
			sum, second = sum+float64(d[i]), second+float64(d[i])*float64(d[i])
		}
		sum /= 20
		offset += (sum - float64(mean[i])) / 4000
		variance += (second - 20*sum*sum) / 19 / 4000
		said += float64(std[i]) * float64(std[i]) / 4000
	}
	t.Logf("mean of mapped draws less what is said %.5f, their std %.4f, said %.4f", offset, math.Sqrt(variance), math.Sqrt(said))
	if math.Abs(offset) > 0.002 || math.Abs(math.Sqrt(variance/said)-1) > 0.06 {
		t.Errorf("mapped draws are off by %.4f and have a std of %.4f, said %.4f", offset, math.Sqrt(variance), math.Sqrt(said))
	}
}

func TestFaint_WhatIsNotFaint_StaysAsItIs(t *testing.T) {
	f := learned(t, rand.New(rand.NewPCG(5, 6)))
	for name, p := range map[string]calibrate.Pixel{
		"bright":       f.Pixel(2, 0.1, 1),
		"unsure":       f.Pixel(0.1, 1.2, 1),
		"not observed": f.Pixel(0.1, 0.1, 0),
		"exact":        f.Pixel(0.1, 0, 1),
	} {
		if got := p.Draw(0.25); got != 0.25 {
			t.Errorf("%s: a draw of .25 became %g", name, got)
		}
	}
	none := calibrate.NewFaint("nothing", 1)
	text, err := json.Marshal(none)
	if err != nil {
		t.Fatal(err)
	}
	if none, err = calibrate.ReadFaint(text); err != nil {
		t.Fatal(err)
	}
	if got := none.Pixel(0.02, 0.1, 1).Draw(0.05); math.Abs(got-0.05) > 1e-5 {
		t.Errorf("a table of no pixels made .05 %g", got)
	}
}

func TestFaint_Mapped_KeepTheirOrder(t *testing.T) {
	p := learned(t, rand.New(rand.NewPCG(7, 8))).Pixel(0.03, 0.1, 1)
	last := math.Inf(-1)
	for v := -1.0; v < 1.5; v += 0.001 {
		got := p.Draw(v)
		if got < last-1e-12 {
			t.Fatalf("a draw of %g became %g, one before it %g", v, got, last)
		}
		last = got
	}
}

func TestReadFaint_BadTables_AreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "table of faint pixels",
		`{"draws":[[1]],"truth":[[1]]}`:       "classes",
		`{"draws":"x"}`:                       "table of faint pixels",
		`{"prior":"p","draws":[],"truth":[]}`: "classes",
	} {
		if _, err := calibrate.ReadFaint([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error about %q", text, err, want)
		}
	}
}
