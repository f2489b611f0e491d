package figure

import (
	"fmt"
	"image/color"
	"math"
)

// Stretch says how brightness rises between the limits.
type Stretch string

// The stretches, on t from 0 (low limit) to 1 (high limit). Equalise takes the
// rank of the value among the image's pixels.
const (
	Linear   Stretch = "linear"
	Log      Stretch = "log"   // ln(1+1000 t)/ln 1001, as DS9
	Sqrt     Stretch = "sqrt"  // √t
	Asinh    Stretch = "asinh" // asinh(10 t)/asinh 10
	Power    Stretch = "power" // (1000^t − 1)/999, the inverse of Log
	Equalise Stretch = "equalise"
)

// Stretches lists every stretch in the order menus show them.
func Stretches() []Stretch { return []Stretch{Linear, Log, Sqrt, Asinh, Power, Equalise} }

// ParseStretch reads the name of a stretch.
func ParseStretch(s string) (Stretch, error) {
	for _, k := range Stretches() {
		if string(k) == s {
			return k, nil
		}
	}
	return "", fmt.Errorf("figure: no stretch %q; there are %v", s, Stretches())
}

const (
	logA   = 1000.0
	asinhA = 10.0
)

// At is the brightness at t from 0 to 1. Equalise, which depends on an image,
// counts as Linear here.
func (k Stretch) At(t float64) float64 {
	switch k {
	case Log:
		return math.Log1p(logA*t) / math.Log1p(logA)
	case Sqrt:
		return math.Sqrt(t)
	case Asinh:
		return math.Asinh(asinhA*t) / math.Asinh(asinhA)
	case Power:
		return math.Expm1(t*math.Log(logA)) / (logA - 1)
	}
	return t
}

// Style is how values become colours.
type Style struct {
	Limits  Limits
	Stretch Stretch
	Map     *Colormap // nil: Gray
	Invert  bool
	// Contrast and Bias are the right-drag adjustment: brightness b becomes
	// (b − Bias)·Contrast + ½. Both zero means 1 and ½, which changes nothing.
	Contrast, Bias float64
	Bad            color.RGBA // of pixels without a value; zero: the map's own
}

// The table's entries are not equidistant in t: entry i holds the values whose
// t + 2⁻⁸ share their upper float32 bits, 2048 entries per factor of two. That is
// 16392 entries of width 2⁻¹⁹ at the low end, where a log stretch is steep (an
// equidistant table of 16k entries would show steps there), and 2⁻¹² at the high
// end. Finding the entry costs one addition and one shift.
const (
	tableOffset = 1.0 / 256
	tableShift  = 23 - 11
	tableFirst  = (127 - 8) << 11 // Float32bits(tableOffset) >> tableShift
	tableSize   = 8*2048 + 9
)

// Table is a Style worked out: a colour for every value.
type Table struct {
	style   Style
	lo      float32
	inv     float32
	rank    *Image // the image the curve of an Equalise was counted on,
	rev     int    // and its revision then
	ready   bool
	changes int                // counts what Set changed
	curve   [tableSize]float32 // brightness
	colour  [tableSize]uint32  // R, G, B, A from the lowest byte
	bad     uint32
}

// entry is the table position of t = (v−lo)·inv; beyond the table for NaN.
func entry(t float32) uint32 {
	return math.Float32bits(min(max(t, 0), 1)+tableOffset)>>tableShift - tableFirst
}

// entryMiddle is the t at the middle of entry i, exactly 0 and 1 at the ends.
func entryMiddle(i int) float64 {
	at := func(k int) float64 {
		return float64(math.Float32frombits(uint32(k+tableFirst)<<tableShift)) - tableOffset
	}
	switch i {
	case 0:
		return 0
	case tableSize - 1:
		return 1
	}
	return min(1, (at(i)+at(i+1))/2)
}

// Set works the style out for an image (which only Equalise looks at; it may be
// nil for the others). It does nothing if nothing changed, and reports whether
// anything did.
func (t *Table) Set(s Style, im *Image) bool {
	s.Limits = s.Limits.usable()
	if s.Map == nil {
		s.Map = Gray
	}
	if s.Contrast == 0 && s.Bias == 0 {
		s.Contrast, s.Bias = 1, 0.5
	}
	if s.Bad == (color.RGBA{}) {
		s.Bad = s.Map.Bad
	}
	sameRank := s.Stretch != Equalise || t.rank == im && (im == nil || t.rev == im.rev)
	if t.ready && s == t.style && sameRank {
		return false
	}
	old := t.style
	curveStays := t.ready && sameRank && s.Stretch == old.Stretch &&
		(s.Stretch != Equalise || s.Limits == old.Limits)
	t.style, t.ready = s, true
	t.changes++
	t.lo = float32(s.Limits.Lo)
	t.inv = float32(min(1/(s.Limits.Hi-s.Limits.Lo), math.MaxFloat32))
	if !curveStays {
		t.setCurve(im)
	}
	t.setColours()
	return true
}

// Style is the style last set, with its defaults filled in.
func (t *Table) Style() Style { return t.style }

func (t *Table) setCurve(im *Image) {
	t.rank = nil
	if t.style.Stretch == Equalise && im != nil {
		t.rank, t.rev = im, im.rev
		t.equalise(im)
		return
	}
	for i := range t.curve {
		t.curve[i] = float32(t.style.Stretch.At(entryMiddle(i)))
	}
}

// equaliseSamples bounds the pixels counted for Equalise.
const equaliseSamples = 1 << 20

// equalise makes the curve the share of pixels between the limits that are below
// each entry. Pixels outside the limits do not count, as in DS9.
func (t *Table) equalise(im *Image) {
	p := im.levels[0]
	counts := make([]int, tableSize)
	stride := zStride(p.W*p.H/(equaliseSamples/zSamples), p.W)
	n := 0
	for i := 0; i < p.W*p.H; i += stride {
		v := (p.Data[i] - t.lo) * t.inv
		if v >= 0 && v <= 1 {
			counts[entry(v)]++
			n++
		}
	}
	if n == 0 {
		for i := range t.curve {
			t.curve[i] = float32(entryMiddle(i))
		}
		return
	}
	below := 0
	for i, c := range counts {
		t.curve[i] = float32((float64(below) + float64(c)/2) / float64(n))
		below += c
	}
	t.curve[0], t.curve[tableSize-1] = 0, 1
}

// setColours turns the curve into colours. Maps are costly to evaluate, so they
// are tabulated at 1024 places first (four per 8-bit step).
func (t *Table) setColours() {
	const steps = 1024
	var ramp [steps + 1]uint32
	for i := range ramp {
		b := float64(i) / steps
		if t.style.Invert {
			b = 1 - b
		}
		ramp[i] = pack(t.style.Map.At(b))
	}
	gain := float32(t.style.Contrast)
	shift := 0.5 - float32(t.style.Bias)*gain
	for i, b := range t.curve {
		b = min(max(b*gain+shift, 0), 1)
		t.colour[i] = ramp[int(b*steps+0.5)]
	}
	t.bad = pack(t.style.Bad)
}

func pack(c color.RGBA) uint32 {
	return uint32(c.R) | uint32(c.G)<<8 | uint32(c.B)<<16 | uint32(c.A)<<24
}

// Colour is the colour of one value.
func (t *Table) Colour(v float32) color.RGBA {
	c := t.at(v)
	return color.RGBA{uint8(c), uint8(c >> 8), uint8(c >> 16), uint8(c >> 24)}
}

func (t *Table) at(v float32) uint32 {
	if k := entry((v-t.lo)*t.inv + (v - v)); k < tableSize { // v−v: 0, or NaN for ±Inf
		return t.colour[k]
	}
	return t.bad
}

// Value is the value drawn at brightness b (0 to 1): where the ticks of a colour
// bar belong. It inverts the stretch by search and leaves contrast, bias and
// inversion aside, as colour bars show these themselves.
func (t *Table) Value(b float64) float64 {
	lo, hi := 0, tableSize-1
	for lo < hi {
		if mid := (lo + hi) / 2; float64(t.curve[mid]) < b {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return t.style.Limits.Lo + entryMiddle(lo)*(t.style.Limits.Hi-t.style.Limits.Lo)
}

// Brightness is the position of v on the stretch, 0 to 1, before contrast, bias
// and inversion; NaN for NaN.
func (t *Table) Brightness(v float64) float64 {
	l := t.style.Limits
	x := (v - l.Lo) / (l.Hi - l.Lo)
	switch {
	case math.IsNaN(x):
		return x
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case t.style.Stretch == Equalise && t.rank != nil:
		return float64(t.curve[entry(float32(x))])
	}
	return t.style.Stretch.At(x)
}
