package proj

import (
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

// cylindrical is CAR, MER or CEA (WCS II, section 5.2).
type cylindrical struct {
	kind   string
	lambda float64 // of CEA
}

func (cylindrical) Theta0() float64 { return 0 }

func (p cylindrical) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	switch p.kind {
	case "MER":
		if math.Abs(theta) >= 90 {
			return 0, 0, false
		}
		return phi, angle.R0 * math.Asinh(angle.Tand(theta)), true
	case "CEA":
		return phi, angle.R0 * angle.Sind(theta) / p.lambda, true
	}
	return phi, theta, true
}

func (p cylindrical) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	switch p.kind {
	case "MER":
		theta = math.Atan(math.Sinh(y/angle.R0)) / angle.Deg
	case "CEA":
		s := y * p.lambda / angle.R0
		if math.Abs(s) > 1+1e-12 {
			return 0, 0, false
		}
		theta = angle.Asind(s)
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

func (pseudo) Theta0() float64 { return 0 }

func (p pseudo) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	switch p {
	case "SFL":
		return phi * angle.Cosd(theta), theta, true
	case "PAR":
		s := angle.Sind(theta / 3)
		return phi * (1 - 4*s*s), 180 * s, true
	case "MOL":
		g := mollweide(angle.Sind(theta), theta)
		s, c := math.Sincos(g)
		return 2 * math.Sqrt2 / math.Pi * phi * c, math.Sqrt2 * angle.R0 * s, true
	}
	st, ct := angle.Sincosd(theta)
	sp, cp := angle.Sincosd(phi / 2)
	g := angle.R0 * math.Sqrt(2/(1+ct*cp))
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

func (p pseudo) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	switch p {
	case "SFL":
		c := angle.Cosd(y)
		phi, theta = unscale(x, c), y
	case "PAR":
		s := y / 180
		theta = 3 * angle.Asind(s)
		phi = unscale(x, 1-4*s*s)
	case "MOL":
		s := y / (math.Sqrt2 * angle.R0)
		if math.Abs(s) > 1+1e-12 {
			return 0, 0, false
		}
		g := angle.Asind(s) * angle.Deg
		theta = angle.Asind((2*g + math.Sin(2*g)) / math.Pi)
		phi = unscale(x, 2*math.Sqrt2/math.Pi*math.Cos(g))
	default:
		u, v := x/(4*angle.R0), y/(2*angle.R0)
		z2 := 1 - u*u - v*v
		if z2 < 0.5-1e-12 {
			return 0, 0, false
		}
		z := math.Sqrt(z2)
		phi = 2 * angle.Direction(2*z*u, 2*z2-1)
		theta = angle.Asind(2 * v * z)
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
