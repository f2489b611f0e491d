package tile

import "sync"

// Integers that a quantised tile uses for pixels that are not numbers and, with
// SUBTRACTIVE_DITHER_2, for pixels that are exactly 0 (FITS 4.0, section 10.2).
const (
	NullValue = -2147483647
	ZeroValue = -2147483646
)

const randoms = 10000

// dithers is the random sequence of FITS 4.0, appendix I (Park & Miller 1988):
// 10000 numbers between 0 and 1, kept as float32.
var dithers = sync.OnceValue(func() *[randoms]float32 {
	const a, m = 16807.0, 2147483647.0
	var out [randoms]float32
	seed := 1.0
	for i := range out {
		t := a * seed
		seed = t - m*float64(int(t/m))
		out[i] = float32(seed / m)
	}
	return &out
})

// Dither walks through the random sequence for one tile.
type Dither struct {
	tab        *[randoms]float32
	seed, next int
}

// NewDither starts at tile (from 0, in the order of the table's rows) of an
// image with keyword ZDITHER0.
func NewDither(tile, zdither0 int64) Dither {
	d := Dither{tab: dithers()}
	d.seed = int((tile%randoms + zdither0%randoms - 1 + randoms) % randoms)
	d.next = int(d.tab[d.seed] * 500)
	return d
}

// Unquantize turns integers back into numbers: (q − r + ½)·scale + zero, r being
// the next random number. Pixels equal to blank become NaN if hasBlank; with
// method 2, ZeroValue becomes 0. Arithmetic is float64, as cfitsio's.
func (d *Dither) Unquantize(dst []float64, q []int32, scale, zero float64, two bool) {
	for len(q) > 0 {
		n := min(len(q), randoms-d.next)
		r := d.tab[d.next : d.next+n]
		out := dst[:n]
		for i, v := range q[:n] {
			out[i] = (float64(v)-float64(r[i])+0.5)*scale + zero
		}
		if two {
			for i, v := range q[:n] {
				if v == ZeroValue {
					out[i] = 0
				}
			}
		}
		dst, q = dst[n:], q[n:]
		if d.next += n; d.next == randoms {
			if d.seed++; d.seed == randoms {
				d.seed = 0
			}
			d.next = int(d.tab[d.seed] * 500)
		}
	}
}
