// Package angle holds trigonometry in degrees.
package angle

import "math"

// Deg is a degree in radians; R0, a radian in degrees, is the radius of the
// generating sphere of every projection (WCS II, section 3).
const (
	Deg = math.Pi / 180
	R0  = 180 / math.Pi
)

// Sincosd is sine and cosine of degrees, exact at multiples of 90.
func Sincosd(a float64) (s, c float64) {
	a = math.Mod(a, 360)
	switch a {
	case 0:
		return 0, 1
	case 90, -270:
		return 1, 0
	case 180, -180:
		return 0, -1
	case 270, -90:
		return -1, 0
	}
	return math.Sincos(a * Deg)
}

// Sind is the sine of degrees.
func Sind(a float64) float64 { s, _ := Sincosd(a); return s }

// Cosd is the cosine of degrees.
func Cosd(a float64) float64 { _, c := Sincosd(a); return c }

// Tand is the tangent of degrees.
func Tand(a float64) float64 { s, c := Sincosd(a); return s / c }

// Atan2d is the direction of (x, y) in degrees.
func Atan2d(y, x float64) float64 { return math.Atan2(y, x) / Deg }

// Asind forgives rounding just outside ±1 and gives NaN further out.
func Asind(x float64) float64 {
	if x > 1 && x < 1+1e-12 {
		return 90
	}
	if x < -1 && x > -1-1e-12 {
		return -90
	}
	return math.Asin(x) / Deg
}

// Wrap360 brings an angle to [0, 360).
func Wrap360(a float64) float64 {
	a = math.Mod(a, 360)
	if a < 0 {
		a += 360
	}
	if a >= 360 {
		a = 0
	}
	return a
}

// Wrap180 brings an angle to (-180, 180].
func Wrap180(a float64) float64 {
	a = math.Mod(a, 360)
	if a > 180 {
		a -= 360
	} else if a <= -180 {
		a += 360
	}
	return a
}

// Direction is atan2 that calls the direction at a pole 0.
func Direction(y, x float64) float64 {
	if math.Abs(x) < 1e-300 && math.Abs(y) < 1e-300 {
		return 0
	}
	return Atan2d(y, x)
}
