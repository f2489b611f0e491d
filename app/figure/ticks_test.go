package figure

import (
	"math"
	"testing"
)

func labels(ts []Tick) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.Label)
	}
	return out
}

func TestTicks_Linear_AreRoundWithEqualDecimals(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   []string
		power  int
	}{
		{0, 1, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}, 0},
		{-0.013, 0.027, []string{"−0.01", "0.00", "0.01", "0.02"}, 0},
		{-3, 3, []string{"−2", "0", "2"}, 0},
		{88.8, 110.7, []string{"90", "95", "100", "105", "110"}, 0},
		{0, 4e-17, []string{"0", "1", "2", "3", "4"}, -17},
		{-250000, 250000, []string{"−2", "−1", "0", "1", "2"}, 5},
	} {
		var tab Table
		tab.Set(Style{Limits: Limits{c.lo, c.hi}}, nil)
		got, power := tab.Ticks(5)
		if g := labels(got); len(g) != len(c.want) || power != c.power {
			t.Errorf("%g to %g: %q × 10^%d, expected %q × 10^%d", c.lo, c.hi, g, power, c.want, c.power)
			continue
		}
		for i, tick := range got {
			if tick.Label != c.want[i] {
				t.Errorf("%g to %g: %q, expected %q", c.lo, c.hi, labels(got), c.want)
				break
			}
			if want := (tick.Value - c.lo) / (c.hi - c.lo); math.Abs(tick.At-want) > 1e-12 {
				t.Errorf("%q is at %g, expected %g", tick.Label, tick.At, want)
			}
		}
	}
}

func TestTicks_CurvedStretches_AreOrderedApartAndEnough(t *testing.T) {
	im := mustImage(t, planeOf(200, 200, func(i int) float64 { return math.Exp(2 * sky(i, 6)) }))
	for _, s := range []Stretch{Log, Sqrt, Asinh, Power, Equalise} {
		for _, l := range []Limits{{0, 1}, {-0.02, 5}, {-3, 3}, {1e-18, 7e-15}, {90, 6e4}, {100, 101}} {
			var tab Table
			tab.Set(Style{Limits: l, Stretch: s}, im)
			ticks, _ := tab.Ticks(5)
			if len(ticks) < 3 && s != Equalise {
				t.Errorf("%s %v: only %q", s, l, labels(ticks))
			}
			for i, tick := range ticks {
				if len([]rune(tick.Label)) > 9 || tick.Value < l.Lo || tick.Value > l.Hi {
					t.Errorf("%s %v: tick %q at %g", s, l, tick.Label, tick.At)
				}
				if i > 0 && (tick.At <= ticks[i-1].At || tick.Value <= ticks[i-1].Value) {
					t.Errorf("%s %v: out of order: %q", s, l, labels(ticks))
				}
			}
		}
	}
}

func TestWithPower_SmallUnits_AreRaised(t *testing.T) {
	if got := WithPower("Jy", -13); got != "10⁻¹³ Jy" {
		t.Error(got)
	}
	if got := WithPower("Jy", 0) + WithPower("", 5); got != "Jy10⁵" {
		t.Error(got)
	}
}

func TestScaleBar_AnyScale_IsRoundAndFits(t *testing.T) {
	for _, c := range []struct {
		perArcsec, most, want float64
		label                 string
	}{
		{10, 70, 5, "5″"},
		{1, 100, 60, "1′"},
		{1, 55, 30, "30″"},
		{0.01, 100, 2 * 3600, "2°"},
		{0.05, 100, 30 * 60, "30′"},
		{1000, 100, 0.1, "0.1″"},
	} {
		got, label := ScaleBar(c.perArcsec, c.most)
		if math.Abs(got-c.want) > 1e-9*c.want || label != c.label || got*c.perArcsec > c.most*(1+1e-9) {
			t.Errorf("scale %g, room %g: %g %q, expected %g %q", c.perArcsec, c.most, got, label, c.want, c.label)
		}
	}
	if a, l := ScaleBar(0, 100); a != 0 || l != "" {
		t.Error("a bar without a scale")
	}
}
