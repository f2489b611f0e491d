package engine

import (
	"math"
	"math/bits"
)

// Uniforms maps the four words of a Philox block to numbers in (0, 1): the upper
// 23 bits, centred, so that every value is exact in float32 and the ends are never
// reached.
func Uniforms(w [4]uint32) (u [4]float32) {
	for i, v := range w {
		u[i] = float32(2*(v>>9)+1) * 0x1p-24
	}
	return u
}

// Normals maps the four words of a Philox block to four standard normal numbers
// by the Box–Muller transform (Box & Muller 1958, doi 10.1214/aoms/1177706645) of
// words (0, 1) and (2, 3). Everything is float32 and integer arithmetic without a
// library function but the square root, written out so that shaders give the same
// numbers to a few units in the last place:
//
//	r = √(−2 ln u),  u = (w₀|1) 2⁻³²     |z| < 6.7
//	a = (π/2) f,     f the lower 30 bits of w₁ as a signed fraction in (−½, ½)
//	(z₀, z₁) = r (cos a, sin a), turned by w₁>>30 quarters
func Normals(w [4]uint32) (z [4]float32) {
	z[0], z[1] = boxMuller(w[0], w[1])
	z[2], z[3] = boxMuller(w[2], w[3])
	return z
}

func boxMuller(w0, w1 uint32) (c, s float32) {
	r := float32(math.Sqrt(float64(-2 * logFraction(w0))))
	t := int32(w1<<2) >> 9 // 23 bits, signed
	a := float32(2*t+1) * (0x1p-24 * math.Pi / 2)
	a2 := a * a
	// Taylor series to a⁹ and a⁸, |a| ≤ π/4: errors below 2e-9.
	s = a * (1 + a2*(-1./6+a2*(1./120+a2*(-1./5040+a2*(1./362880)))))
	c = 1 + a2*(-1./2+a2*(1./24+a2*(-1./720+a2*(1./40320))))
	switch w1 >> 30 {
	case 1:
		c, s = -s, c
	case 2:
		c, s = -c, -s
	case 3:
		c, s = s, -c
	}
	return r * c, r * s
}

// logFraction is ln((w|1) 2⁻³²), which is below 0, with small relative error
// everywhere: u = m 2ᵉ with m in [¾, 1½), so that near u = 1 the exponent is 0.
func logFraction(w uint32) float32 {
	w |= 1
	lz := bits.LeadingZeros32(w)
	n := w << lz >> 8 // 24 bits, the highest one set: n 2⁻²³ in [1, 2)
	e := float32(-lz)
	f := float32(n) * 0x1p-24 // in [½, 1)
	if f < 0.75 {
		f, e = f*2, e-1
	}
	f-- // exact, in [−¼, ½)
	// ln(1+f) = 2 atanh(s), s = f/(2+f), |s| ≤ 0.2: the series to s⁹, error 1e-8 relative.
	s := f / (2 + f)
	s2 := s * s
	l := s * (2 + s2*(2./3+s2*(2./5+s2*(2./7+s2*(2./9)))))
	return l + e*math.Ln2
}
