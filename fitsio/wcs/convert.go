package wcs

import (
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

type (
	vec  [3]float64
	rot3 [3]vec
)

func toVec(lon, lat float64) vec {
	sl, cl := angle.Sincosd(lon)
	sb, cb := angle.Sincosd(lat)
	return vec{cb * cl, cb * sl, sb}
}

func (v vec) lonLat() (lon, lat float64) {
	return angle.Wrap360(angle.Direction(v[1], v[0])), angle.Atan2d(v[2], math.Hypot(v[0], v[1]))
}

func (v vec) dot(w vec) float64 { return v[0]*w[0] + v[1]*w[1] + v[2]*w[2] }

func (m rot3) apply(v vec) vec { return vec{m[0].dot(v), m[1].dot(v), m[2].dot(v)} }

func (m rot3) transposed() rot3 {
	return rot3{{m[0][0], m[1][0], m[2][0]}, {m[0][1], m[1][1], m[2][1]}, {m[0][2], m[1][2], m[2][2]}}
}

// times is the product m · n.
func (m rot3) times(n rot3) rot3 {
	t := n.transposed()
	var out rot3
	for i := range out {
		out[i] = vec{m[i].dot(t[0]), m[i].dot(t[1]), m[i].dot(t[2])}
	}
	return out
}

// rotX, rotY and rotZ turn the axes by an angle in degrees.
func rotX(a float64) rot3 {
	s, c := angle.Sincosd(a)
	return rot3{{1, 0, 0}, {0, c, s}, {0, -s, c}}
}

func rotY(a float64) rot3 {
	s, c := angle.Sincosd(a)
	return rot3{{c, 0, -s}, {0, 1, 0}, {s, 0, c}}
}

func rotZ(a float64) rot3 {
	s, c := angle.Sincosd(a)
	return rot3{{c, s, 0}, {-s, c, 0}, {0, 0, 1}}
}

const mas = 1.0 / 3600e3

// fk5Bias leads from ICRS to FK5 J2000 (USNO Circular 179, section 3.5).
func fk5Bias() rot3 { return rotX(19.9 * mas).times(rotY(9.1 * mas)).times(rotZ(-22.9 * mas)) }

// meanBias leads from ICRS to the mean equator and equinox J2000 of the IAU
// (Capitaine & Wallace 2006).
func meanBias() rot3 {
	return rotX(6.8192 * mas).times(rotY(-16.6170 * mas)).times(rotZ(-14.6 * mas))
}

// precessFK5 leads from J2000 to a Julian equinox (Capitaine+2003, eq. 40).
func precessFK5(equinox float64) rot3 {
	t := (equinox - 2000) / 100
	poly := func(c ...float64) float64 {
		s := 0.0
		for i := len(c) - 1; i >= 0; i-- {
			s = s*t + c[i]
		}
		return s / 3600
	}
	zeta := poly(2.650545, 2306.083227, 0.2988499, 0.01801828, -5.971e-6, -3.173e-7)
	z := poly(-2.650545, 2306.077181, 1.0927348, 0.01826837, -2.8596e-5, -2.904e-7)
	theta := poly(0, 2004.191903, -0.4294934, -0.04182264, -7.089e-6, -1.274e-7)
	return rotZ(-z).times(rotY(theta)).times(rotZ(-zeta))
}

// precessFK4 leads from one Besselian equinox to another (Newcomb; Kinoshita
// 1975).
func precessFK4(from, to float64) rot3 {
	t := (from - 1850) / 1000
	d := (to - from) / 1000
	first := 23035.545 + (139.720+0.060*t)*t
	zeta := (first + (30.240-0.27*t+17.995*d)*d) * d / 3600
	z := (first + (109.480+0.39*t+18.325*d)*d) * d / 3600
	theta := (20051.12 + (-85.29-0.37*t)*t + (-42.65-0.37*t-41.8*d)*d) * d / 3600
	return rotZ(-z).times(rotY(theta)).times(rotZ(-zeta))
}

// besselianToJulian gives the Julian epoch of a Besselian one (Lieske 1979).
func besselianToJulian(b float64) float64 {
	jd := 2415020.31352 + (b-1900)*365.242198781
	return 2000 + (jd-2451545)/365.25
}

// fk4ToFK5 leads from FK4 B1950, without the E-terms, to FK5 J2000 (Murray 1989,
// A&A 218, 325, eqs. 28 and 29) for an epoch of observation.
func fk4ToFK5(epoch float64) rot3 {
	t := (besselianToJulian(epoch) - 1950) / 100 * 1e-6
	return rot3{
		{0.9999256794956877 - 0.0026455262*t, -0.0111814832204662 - 1.1539918689*t, -0.0048590038153592 + 2.1111346190*t},
		{0.0111814832391717 + 1.1540628161*t, 0.9999374848933135 - 0.0129042997*t, -0.0000271625947142 + 0.0236021478*t},
		{0.0048590037723143 - 2.1112979048*t, -0.0000271702937440 - 0.0056024448*t, 0.9999881946023742 + 0.0102587734*t},
	}
}

// eTerms is the elliptic part of the aberration, which FK4 positions contain
// (Explanatory Supplement 1992, section 3.53).
func eTerms(equinox float64) vec {
	const k = 0.0056932 * angle.Deg
	jd := 2415020.31352 + (equinox-1900)*365.242198781
	t := (jd - 2433282.42345905) / 36525
	e := k * ((-0.000000126*t-0.00004193)*t + 0.01673011)
	g := (((0.012*t+1.65)*t+6190.67)*t + 1015489.951) / 3600
	c := (jd - 2451545) / 36525
	obliquity := (84381.448 + (-46.8150+(-0.00059+0.001813*c)*c)*c) / 3600
	so, co := angle.Sincosd(obliquity)
	sg, cg := angle.Sincosd(g)
	return vec{e * sg, -e * cg * co, -e * cg * so}
}

func (v vec) unit() vec {
	n := math.Sqrt(v.dot(v))
	return vec{v[0] / n, v[1] / n, v[2] / n}
}

// dropETerms and addETerms convert between FK4 and FK4 without E-terms.
func dropETerms(v vec, equinox float64) vec {
	e := eTerms(equinox)
	d := 1 + e.dot(v)
	for i := range v {
		v[i] = v[i]*d - e[i]
	}
	return v.unit()
}

func addETerms(v vec, equinox float64) vec {
	e := eTerms(equinox)
	w := v
	for range 10 {
		d := 1 + e.dot(w)
		for i := range w {
			w[i] = (v[i] + e[i]) / d
		}
	}
	return w.unit()
}

// galacticPole leads from FK5 J2000 to Galactic coordinates (Reid & Brunthaler
// 2004, appendix; the values of the IAU system of 1958 precessed to J2000).
func galacticPole() rot3 {
	return rotZ(180 - 122.9319185680026).times(rotY(90 - 27.12825118085622)).times(rotZ(192.8594812065348))
}

// ecliptic leads from ICRS to the mean ecliptic and equinox of a Julian year.
func ecliptic(equinox float64) rot3 {
	t := (equinox - 2000) / 100
	obliquity := (84381.406 + (-46.836769+(-0.0001831+(0.00200340-5.76e-7*t)*t)*t)*t) / 3600
	return rotX(obliquity).times(precessFK5(equinox)).times(meanBias())
}

// toICRS and fromICRS go through unit vectors. ok is false for unknown frames.
func (f Frame) toICRS(v vec) (vec, bool) {
	switch f.Name {
	case "ICRS":
		return v, true
	case "FK5":
		return fk5Bias().transposed().apply(precessFK5(f.Equinox).transposed().apply(v)), true
	case "FK4", "FK4-NO-E":
		if f.Name == "FK4" {
			v = dropETerms(v, f.Equinox)
		}
		v = precessFK4(f.Equinox, 1950).apply(v)
		return fk5Bias().transposed().apply(fk4ToFK5(f.Equinox).apply(v)).unit(), true
	case "Galactic":
		return fk5Bias().transposed().apply(galacticPole().transposed().apply(v)), true
	case "Ecliptic":
		return ecliptic(f.Equinox).transposed().apply(v), true
	}
	return v, false
}

func (f Frame) fromICRS(v vec) (vec, bool) {
	switch f.Name {
	case "ICRS":
		return v, true
	case "FK5":
		return precessFK5(f.Equinox).apply(fk5Bias().apply(v)), true
	case "FK4", "FK4-NO-E":
		v = fk4ToFK5(f.Equinox).transposed().apply(fk5Bias().apply(v)).unit()
		v = precessFK4(1950, f.Equinox).apply(v)
		if f.Name == "FK4" {
			v = addETerms(v, f.Equinox)
		}
		return v, true
	case "Galactic":
		return galacticPole().apply(fk5Bias().apply(v)), true
	case "Ecliptic":
		return ecliptic(f.Equinox).apply(v), true
	}
	return v, false
}

// To converts a position in degrees from frame f to frame g, without proper
// motion; FK4 positions are taken at the epoch of their equinox. ok is false
// where one of the frames is unknown.
func (f Frame) To(g Frame, lon, lat float64) (lon2, lat2 float64, ok bool) {
	if f == g && f.Name != "" {
		return angle.Wrap360(lon), lat, true
	}
	v, ok1 := f.toICRS(toVec(lon, lat))
	v, ok2 := g.fromICRS(v)
	if !ok1 || !ok2 {
		return math.NaN(), math.NaN(), false
	}
	lon2, lat2 = v.lonLat()
	return lon2, lat2, true
}
