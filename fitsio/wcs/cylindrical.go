package wcs

import "math"

// cylindrical is CAR, MER or CEA (WCS II, section 5.2).
type cylindrical struct {
	kind   string
	lambda float64 // of CEA
}

func (cylindrical) theta0() float64 { return 0 }

func (p cylindrical) toPlane(phi, theta float64) (x, y float64, ok bool) {
	switch p.kind {
	case "MER":
		if math.Abs(theta) >= 90 {
			return 0, 0, false
		}
		return phi, r0 * math.Asinh(tand(theta)), true
	case "CEA":
		return phi, r0 * sind(theta) / p.lambda, true
	}
	return phi, theta, true
}

func (p cylindrical) toSphere(x, y float64) (phi, theta float64, ok bool) {
	switch p.kind {
	case "MER":
		theta = math.Atan(math.Sinh(y/r0)) / deg
	case "CEA":
		s := y * p.lambda / r0
		if math.Abs(s) > 1+1e-12 {
			return 0, 0, false
		}
		theta = asind(s)
	default:
		theta = y
	}
	return x, theta, onSphere(x, theta)
}

// onSphere accepts native coordinates in range, with room for rounding.
func onSphere(phi, theta float64) bool {
	const tol = 1e-10
	return math.Abs(phi) <= 180+tol && math.Abs(theta) <= 90+tol
}

// pseudo is SFL, PAR, MOL or AIT (WCS II, section 5.3).
type pseudo string

func (pseudo) theta0() float64 { return 0 }

func (p pseudo) toPlane(phi, theta float64) (x, y float64, ok bool) {
	switch p {
	case "SFL":
		return phi * cosd(theta), theta, true
	case "PAR":
		s := sind(theta / 3)
		return phi * (1 - 4*s*s), 180 * s, true
	case "MOL":
		g := mollweide(sind(theta), theta)
		s, c := math.Sincos(g)
		return 2 * math.Sqrt2 / math.Pi * phi * c, math.Sqrt2 * r0 * s, true
	}
	st, ct := sincosd(theta)
	sp, cp := sincosd(phi / 2)
	g := r0 * math.Sqrt(2/(1+ct*cp))
	return 2 * g * ct * sp, g * st, true
}

// mollweide solves 2γ + sin 2γ = π sin θ for γ by Newton inside a bracket.
func mollweide(sinTheta, theta float64) float64 {
	if math.Abs(theta) >= 90 {
		return math.Copysign(math.Pi/2, theta)
	}
	target := math.Pi * sinTheta
	lo, hi := -math.Pi, math.Pi
	v := target // v = 2γ: v + sin v = π sin θ
	for range 200 {
		f := v + math.Sin(v) - target
		if f < 0 {
			lo = v
		} else {
			hi = v
		}
		next := v - f/(1+math.Cos(v))
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if math.Abs(next-v) < 1e-16 {
			break
		}
		v = next
	}
	return v / 2
}

func (p pseudo) toSphere(x, y float64) (phi, theta float64, ok bool) {
	switch p {
	case "SFL":
		c := cosd(y)
		phi, theta = unscale(x, c), y
	case "PAR":
		s := y / 180
		theta = 3 * asind(s)
		phi = unscale(x, 1-4*s*s)
	case "MOL":
		s := y / (math.Sqrt2 * r0)
		if math.Abs(s) > 1+1e-12 {
			return 0, 0, false
		}
		g := asind(s) * deg
		theta = asind((2*g + math.Sin(2*g)) / math.Pi)
		phi = unscale(x, 2*math.Sqrt2/math.Pi*math.Cos(g))
	default:
		u, v := x/(4*r0), y/(2*r0)
		z2 := 1 - u*u - v*v
		if z2 < 0.5-1e-12 {
			return 0, 0, false
		}
		z := math.Sqrt(z2)
		phi = 2 * direction(2*z*u, 2*z2-1)
		theta = asind(2 * v * z)
	}
	return phi, theta, onSphere(phi, theta)
}

// unscale divides a longitude by the shrinking of its parallel; at the pole only
// 0 is on the map.
func unscale(x, c float64) float64 {
	if math.Abs(c) < 1e-14 {
		if math.Abs(x) < 1e-12 {
			return 0
		}
		return math.NaN()
	}
	return x / c
}
