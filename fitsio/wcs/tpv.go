package wcs

import "math"

// tpv is the TPV convention (registry of FITS conventions): ξ' and η' as
// polynomials up to order 7 of ξ, η and r = √(ξ²+η²), in degrees.
type tpv struct{ a, b [40]float64 }

func (p *parser) tpv() planeDistortion {
	var t tpv
	for m := range t.a {
		def := 0.0
		if m == 1 {
			def = 1
		}
		t.a[m] = p.float(def, "PV%d_%d", p.lon+1, m)
		t.b[m] = p.float(def, "PV%d_%d", p.lat+1, m)
	}
	if p.lon > p.lat {
		return swapped{&t}
	}
	return &t
}

// scampPV tells TPV coefficients from PVi_1 … PVi_4 of the standard: TAN has no
// parameters on the latitude axis, and PVi_m with m > 4 on no axis.
func (p *parser) scampPV() bool {
	for m := range 40 {
		if p.h.Has(p.key("PV%d_%d", p.lat+1, m)) || m > 4 && p.h.Has(p.key("PV%d_%d", p.lon+1, m)) {
			return true
		}
	}
	return false
}

// swapped serves headers whose first axis is the latitude.
type swapped struct{ d planeDistortion }

func (s swapped) apply(a, b float64) (float64, float64) {
	x, y := s.d.apply(b, a)
	return y, x
}

func (t *tpv) apply(x, y float64) (float64, float64) {
	r := math.Hypot(x, y)
	return tpvPoly(&t.a, x, y, r), tpvPoly(&t.b, y, x, r)
}

// tpvPoly lists the terms in the order of the convention; for η, x and y change
// places.
func tpvPoly(c *[40]float64, x, y, r float64) float64 {
	x2, y2, r2 := x*x, y*y, r*r
	x3, y3, r3 := x2*x, y2*y, r2*r
	s := c[0] + c[1]*x + c[2]*y + c[3]*r
	s += c[4]*x2 + c[5]*x*y + c[6]*y2
	s += c[7]*x3 + c[8]*x2*y + c[9]*x*y2 + c[10]*y3 + c[11]*r3
	s += c[12]*x2*x2 + c[13]*x3*y + c[14]*x2*y2 + c[15]*x*y3 + c[16]*y2*y2
	s += c[17]*x3*x2 + c[18]*x2*x2*y + c[19]*x3*y2 + c[20]*x2*y3 + c[21]*x*y2*y2 + c[22]*y3*y2 + c[23]*r3*r2
	s += c[24]*x3*x3 + c[25]*x3*x2*y + c[26]*x2*x2*y2 + c[27]*x3*y3 + c[28]*x2*y2*y2 + c[29]*x*y3*y2 + c[30]*y3*y3
	s += c[31]*x3*x3*x + c[32]*x3*x3*y + c[33]*x3*x2*y2 + c[34]*x2*x2*y3 + c[35]*x3*y2*y2 + c[36]*x2*y3*y2
	s += c[37]*x*y3*y3 + c[38]*y3*y3*y + c[39]*r3*r3*r
	return s
}
