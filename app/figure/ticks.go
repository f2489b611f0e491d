package figure

import (
	"math"
	"strconv"
	"strings"
)

// Tick is one labelled place of a colour bar.
type Tick struct {
	Value float64
	At    float64 // brightness, 0 to 1: the place along the bar
	Label string  // Value divided by the common power of ten
}

// Ticks chooses about n round values for a colour bar of the table's limits and
// stretch. Labels of very large and very small values leave out a power of ten,
// which is returned (0: nothing left out) and belongs into the bar's unit, see
// WithPower.
func (t *Table) Ticks(n int) (ticks []Tick, power int) {
	l := t.style.Limits
	n = max(2, n)
	power = commonPower(max(math.Abs(l.Lo), math.Abs(l.Hi)), (l.Hi-l.Lo)/float64(n))
	if t.style.Stretch == Linear || t.style.Stretch == "" {
		for _, v := range roundValues(l.Lo, l.Hi, n) {
			ticks = append(ticks, Tick{Value: v, At: t.Brightness(v)})
		}
	} else {
		ticks = t.curvedTicks(n)
	}
	scale := math.Pow(10, float64(-power))
	digits := 0
	for i := range ticks {
		ticks[i].Label = shortest(ticks[i].Value * scale)
		_, decimals, _ := strings.Cut(ticks[i].Label, ".")
		digits = max(digits, len(decimals))
	}
	if t.style.Stretch == Linear || t.style.Stretch == "" { // equal steps: equal decimals
		for i := range ticks {
			ticks[i].Label = fixed(ticks[i].Value*scale, digits)
		}
	}
	return ticks, power
}

// roundValues are the multiples of 1, 2 or 5 times a power of ten in [lo, hi].
func roundValues(lo, hi float64, n int) []float64 {
	step := roundStep((hi - lo) / float64(n))
	first, last := math.Ceil(lo/step-1e-9), math.Floor(hi/step+1e-9)
	if !(last-first < 1000) { // limits too close to each other for float64
		return nil
	}
	var out []float64
	for k := first; k <= last; k++ {
		out = append(out, tidy(k*step))
	}
	return out
}

// roundStep is the smallest of 1, 2, 5 × 10ᵏ that is at least x (nearly).
func roundStep(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= 0.999*x {
			return m * p
		}
	}
	return 10 * p
}

// tidy removes the rounding of a product with a power of ten.
func tidy(v float64) float64 {
	w, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil {
		return v
	}
	return w + 0 // −0 becomes 0
}

// curvedTicks takes the value at n+1 equidistant brightnesses and rounds each as
// coarsely as its neighbours allow; what rounds to the same value, or lands too
// close to the one before, is left out.
func (t *Table) curvedTicks(n int) []Tick {
	var out []Tick
	for k := range n + 1 {
		b := float64(k) / float64(n)
		half := 0.4 / float64(n)
		room := t.Value(min(1, b+half)) - t.Value(max(0, b-half))
		if !(room > 0) {
			continue
		}
		step := roundStep(room / 2)
		v := tidy(math.Round(t.Value(b)/step) * step)
		l := t.style.Limits
		if l.Lo < 0 && l.Hi > 0 && math.Abs(t.Brightness(0)-b) <= 0.5/float64(n) {
			v = 0 // the most useful label there is
		}
		if v < l.Lo || v > l.Hi {
			v = tidy(v + math.Copysign(step, l.Lo-v)) // one step back inside
			if v < l.Lo || v > l.Hi {
				continue
			}
		}
		at := t.Brightness(v)
		if len(out) > 0 && at-out[len(out)-1].At < 0.55/float64(n) {
			continue
		}
		out = append(out, Tick{Value: v, At: at})
	}
	return out
}

// commonPower is the power of ten to leave out of labels up to size large, or 0
// where plain numbers are short enough.
func commonPower(size, step float64) int {
	if size == 0 || math.IsInf(size, 0) || math.IsNaN(size) {
		return 0
	}
	p := int(math.Floor(math.Log10(size)))
	if p >= 5 || p <= -3 {
		return p
	}
	return 0
}

// shortest writes a number with as few digits as it needs, minus sign included.
func shortest(v float64) string {
	return Minus(strconv.FormatFloat(tidy(v), 'f', -1, 64))
}

func fixed(v float64, digits int) string {
	return Minus(strconv.FormatFloat(tidy(v), 'f', digits, 64))
}

// Minus replaces the hyphen of a formatted number by a minus sign.
func Minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// WithPower writes the unit of a bar whose labels leave out 10^power:
// "10⁻³ µJy/px".
func WithPower(unit string, power int) string {
	if power == 0 {
		return unit
	}
	return strings.TrimSpace("10" + Superscript(power) + " " + unit)
}

// Superscript writes a whole number in raised digits.
func Superscript(n int) string {
	raised := strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴",
		"5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")
	return raised.Replace(strconv.Itoa(n))
}

// ScaleBar chooses a round length in arcsec whose drawing is at most most long,
// for a screen scale of perArcsec; its label has the unit that suits it.
func ScaleBar(perArcsec, most float64) (arcsec float64, label string) {
	if !(perArcsec > 0) || !(most > 0) {
		return 0, ""
	}
	limit := most / perArcsec
	for _, u := range []struct {
		size float64
		mark string
	}{{3600, "°"}, {60, "′"}, {1, "″"}} {
		if limit < u.size && u.size > 1 {
			continue
		}
		n := limit / u.size
		p := math.Pow(10, math.Floor(math.Log10(n)))
		m := p
		for _, k := range []float64{2, 5} {
			if k*p <= n*(1+1e-9) {
				m = k * p
			}
		}
		if u.size > 1 && m >= 20 && u.size == 60 { // 20′ and 30′ are rounder than 50′
			m = 20
			if n >= 30 {
				m = 30
			}
		}
		if u.size == 1 && m == 50 {
			m = 30
		}
		return m * u.size, shortest(m) + u.mark
	}
	return 0, ""
}
