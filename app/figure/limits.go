package figure

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits are the values drawn as the first and the last colour.
type Limits struct{ Lo, Hi float64 }

// usable makes limits that a table can divide by: finite, in order, and apart.
// A constant image gets a little room on both sides, and so the middle colour.
func (l Limits) usable() Limits {
	if math.IsNaN(l.Lo) || math.IsInf(l.Lo, 0) || math.IsNaN(l.Hi) || math.IsInf(l.Hi, 0) {
		return Limits{0, 1}
	}
	if l.Hi < l.Lo {
		l.Lo, l.Hi = l.Hi, l.Lo
	}
	if room := 1e-6 * max(math.Abs(l.Lo), math.Abs(l.Hi), 1e-30); l.Hi-l.Lo < room {
		l.Lo, l.Hi = l.Lo-room, l.Hi+room
	}
	return l
}

// Range says how limits are found in the data. Its text form is what recipes,
// flags and menus use: "minmax", "zscale", "99.5%" (the central 99.5 per cent),
// "sym 99%" (±, from the 99th percentile of the absolute values: for residuals),
// or "-0.1:2.5" for limits given by hand.
type Range struct {
	Kind    RangeKind
	Percent float64 // of Percentile and Symmetric
	Limits  Limits  // of Manual
}

// RangeKind names a way to find limits.
type RangeKind string

// The ways to find limits.
const (
	MinMax     RangeKind = "minmax"
	ZScale     RangeKind = "zscale"
	Percentile RangeKind = "percentile"
	Symmetric  RangeKind = "symmetric"
	Manual     RangeKind = "manual"
)

// String is the text form that ParseRange reads.
func (r Range) String() string {
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	switch r.Kind {
	case Percentile:
		return num(r.Percent) + "%"
	case Symmetric:
		return "sym " + num(r.Percent) + "%"
	case Manual:
		return num(r.Limits.Lo) + ":" + num(r.Limits.Hi)
	case MinMax:
		return string(MinMax)
	}
	return string(ZScale)
}

// ParseRange reads the text form of a Range.
func ParseRange(s string) (Range, error) {
	t := strings.TrimSpace(s)
	switch {
	case t == string(MinMax):
		return Range{Kind: MinMax}, nil
	case t == string(ZScale):
		return Range{Kind: ZScale}, nil
	case strings.HasSuffix(t, "%"):
		kind := Percentile
		t = strings.TrimSuffix(t, "%")
		if rest, ok := strings.CutPrefix(t, "sym"); ok {
			kind, t = Symmetric, rest
		}
		p, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		if err == nil && p > 0 && p <= 100 {
			return Range{Kind: kind, Percent: p}, nil
		}
	default:
		if a, b, ok := strings.Cut(t, ":"); ok {
			lo, err1 := strconv.ParseFloat(strings.TrimSpace(a), 64)
			hi, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
			if err1 == nil && err2 == nil && lo < hi && !math.IsInf(hi-lo, 0) {
				return Range{Kind: Manual, Limits: Limits{lo, hi}}, nil
			}
		}
	}
	return Range{}, fmt.Errorf("figure: display limits %q: expected minmax, zscale, 99.5%%, sym 99%% or LOW:HIGH", s)
}

// Of finds the limits in an image. Without a finite value they are 0 and 1.
func (r Range) Of(im *Image) Limits {
	var l Limits
	switch r.Kind {
	case MinMax:
		s := im.Stats()
		l = Limits{s.Min, s.Max}
	case Percentile:
		tail := (100 - r.Percent) / 200
		q := im.Quantiles(tail, 1-tail)
		l = Limits{q[0], q[1]}
	case Symmetric:
		abs := func(v float32) float32 { return max(v, -v) }
		q := quantiles(im.levels[0], abs, []float64{r.Percent / 100})[0]
		l = Limits{-q, q}
	case Manual:
		l = r.Limits
	default:
		l = zscale(im)
	}
	return l.usable()
}

// Constants of IRAF's zscale (Tody 1986, display task; the values astropy keeps).
const (
	zSamples    = 1000
	zContrast   = 0.25
	zMaxReject  = 0.5
	zMinPixels  = 5
	zReject     = 2.5
	zIterations = 5
)

// zscale samples the image and fits the line of sorted values around the median.
func zscale(im *Image) Limits {
	p := im.levels[0]
	n := im.Stats().Count
	if n == 0 {
		return Limits{math.NaN(), math.NaN()}
	}
	stride := zStride(n, p.W)
	samples := make([]float64, 0, zSamples)
	k := 0
	for i := 0; i < p.W*p.H && len(samples) < zSamples; i++ {
		if n == p.W*p.H { // nothing to skip: step straight to the next sample
			samples = append(samples, float64(p.Data[i]))
			i += stride - 1
			continue
		}
		if !finite(p.Data[i]) {
			continue
		}
		if k%stride == 0 {
			samples = append(samples, float64(p.Data[i]))
		}
		k++
	}
	slices.Sort(samples)
	return zscaleSorted(samples)
}

// zStride is the step between samples. A step that shares a factor with the
// width would look at a few columns only (1000 × 1000 pixels: at one), so it is
// lowered until it does not.
func zStride(n, w int) int {
	stride := max(1, n/zSamples)
	if stride < 16 {
		return stride
	}
	gcd := func(a, b int) int {
		for b != 0 {
			a, b = b, a%b
		}
		return a
	}
	for gcd(stride, w) > 1 {
		stride--
	}
	return stride
}

// zscaleSorted is the algorithm proper, on sorted samples.
func zscaleSorted(s []float64) Limits {
	n := len(s)
	l := Limits{s[0], s[n-1]}
	minGood := max(zMinPixels, int(float64(n)*zMaxReject))
	bad := make([]bool, n)
	mark := make([]bool, n)
	grow := max(1, int(float64(n)*0.01))
	good, last := n, n+1
	var slope float64
	for range zIterations {
		if good >= last || good < minGood {
			break
		}
		var offset, sigma float64
		offset, slope, sigma = fitLine(s, bad)
		limit := zReject * sigma
		for i, v := range s {
			if r := v - (offset + slope*float64(i)); r < -limit || r > limit {
				bad[i] = true
			}
		}
		// Whatever lies within half a kernel of a rejected sample goes too.
		for i := range s {
			mark[i] = false
			for j := max(0, i-grow/2); j <= min(n-1, i+(grow-1)/2); j++ {
				mark[i] = mark[i] || bad[j]
			}
		}
		copy(bad, mark)
		last, good = good, 0
		for _, b := range bad {
			if !b {
				good++
			}
		}
	}
	if good < minGood {
		return l
	}
	slope /= zContrast
	middle := (n - 1) / 2
	median := s[n/2]
	if n%2 == 0 {
		median = (s[n/2-1] + s[n/2]) / 2
	}
	l.Lo = max(l.Lo, median-float64(middle-1)*slope)
	l.Hi = min(l.Hi, median+float64(n-middle)*slope)
	return l
}

// fitLine fits offset + slope·i by least squares to the samples not marked bad,
// and gives the standard deviation of their residuals about their mean.
func fitLine(s []float64, bad []bool) (offset, slope, sigma float64) {
	var n, mx, my float64
	for i, v := range s {
		if !bad[i] {
			n++
			mx += float64(i)
			my += v
		}
	}
	mx, my = mx/n, my/n
	var sxx, sxy float64
	for i, v := range s {
		if !bad[i] {
			dx := float64(i) - mx
			sxx += dx * dx
			sxy += dx * (v - my)
		}
	}
	if sxx > 0 {
		slope = sxy / sxx
	}
	offset = my - slope*mx
	for i, v := range s {
		if !bad[i] {
			r := v - offset - slope*float64(i)
			sigma += r * r
		}
	}
	return offset, slope, math.Sqrt(sigma / n)
}
