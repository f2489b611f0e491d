package wcs

import "math"

const (
	deg = math.Pi / 180
	r0  = 180 / math.Pi // radius of the generating sphere in degrees (WCS II, section 3)
)

// sincosd is sine and cosine of degrees, exact at multiples of 90.
func sincosd(a float64) (s, c float64) {
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
	return math.Sincos(a * deg)
}

func sind(a float64) float64 { s, _ := sincosd(a); return s }
func cosd(a float64) float64 { _, c := sincosd(a); return c }
func tand(a float64) float64 { s, c := sincosd(a); return s / c }

func atan2d(y, x float64) float64 { return math.Atan2(y, x) / deg }

// asind forgives rounding just outside ±1 and gives NaN further out.
func asind(x float64) float64 {
	if x > 1 && x < 1+1e-12 {
		return 90
	}
	if x < -1 && x > -1-1e-12 {
		return -90
	}
	return math.Asin(x) / deg
}

// wrap360 brings an angle to [0, 360).
func wrap360(a float64) float64 {
	a = math.Mod(a, 360)
	if a < 0 {
		a += 360
	}
	if a >= 360 {
		a = 0
	}
	return a
}

// wrap180 brings an angle to (-180, 180].
func wrap180(a float64) float64 {
	a = math.Mod(a, 360)
	if a > 180 {
		a -= 360
	} else if a <= -180 {
		a += 360
	}
	return a
}

// rotation is the turn between native and celestial coordinates (WCS II,
// section 2.3): the celestial position of the native pole and the native
// longitude of the celestial pole.
type rotation struct {
	lonp, phip       float64
	sinLatp, cosLatp float64
}

func newRotation(lonp, latp, phip float64) rotation {
	s, c := sincosd(latp)
	return rotation{lonp: lonp, phip: phip, sinLatp: s, cosLatp: c}
}

// toSky is WCS II, eq. 2.
func (r *rotation) toSky(phi, theta float64) (lon, lat float64) {
	st, ct := sincosd(theta)
	sp, cp := sincosd(phi - r.phip)
	x := st*r.cosLatp - ct*r.sinLatp*cp
	y := -ct * sp
	z := st*r.sinLatp + ct*r.cosLatp*cp
	return wrap360(r.lonp + direction(y, x)), atan2d(z, math.Hypot(x, y))
}

// toNative is WCS II, eq. 5.
func (r *rotation) toNative(lon, lat float64) (phi, theta float64) {
	sd, cd := sincosd(lat)
	sa, ca := sincosd(lon - r.lonp)
	x := sd*r.cosLatp - cd*r.sinLatp*ca
	y := -cd * sa
	z := sd*r.sinLatp + cd*r.cosLatp*ca
	return wrap180(r.phip + direction(y, x)), atan2d(z, math.Hypot(x, y))
}

// direction is atan2 that calls the direction at a pole 0.
func direction(y, x float64) float64 {
	if math.Abs(x) < 1e-300 && math.Abs(y) < 1e-300 {
		return 0
	}
	return atan2d(y, x)
}

// nativePole finds the celestial coordinates of the native pole from those of
// the fiducial point (WCS II, eqs. 8 to 10). ok is false where none exists.
func nativePole(phi0, theta0, lon0, lat0, phip, latpole float64) (lonp, latp float64, ok bool) {
	if theta0 == 90 {
		return lon0, lat0, true
	}
	st, ct := sincosd(theta0)
	sp, cp := sincosd(phip - phi0)
	u := atan2d(st, ct*cp)
	slat0 := sind(lat0)
	z := math.Sqrt(1 - ct*ct*sp*sp)
	if math.Abs(z) < 1e-15 {
		if math.Abs(slat0) > 1e-15 {
			return 0, 0, false
		}
		latp = latpole
	} else {
		q := slat0 / z
		if math.Abs(q) > 1 {
			if math.Abs(q) > 1+1e-10 {
				return 0, 0, false
			}
			q = math.Copysign(1, q)
		}
		latp, ok = choosePole(wrap180(u+math.Acos(q)/deg), wrap180(u-math.Acos(q)/deg), latpole)
		if !ok {
			return 0, 0, false
		}
	}
	sl, cl := sincosd(latp)
	switch {
	case math.Abs(cosd(lat0)) < 1e-15:
		lonp = lon0
	case math.Abs(cl) < 1e-15 && sl > 0:
		lonp = lon0 + phip - phi0 - 180
	case math.Abs(cl) < 1e-15:
		lonp = lon0 - phip + phi0
	default:
		c0 := cosd(lat0)
		x := (st - sl*slat0) / (cl * c0)
		y := sp * ct / c0
		lonp = lon0 - atan2d(y, x)
	}
	return wrap360(lonp), latp, true
}

// choosePole takes the latitude in range, and of two the one nearer to LATPOLE.
func choosePole(a, b, latpole float64) (float64, bool) {
	const tol = 1e-10
	okA, okB := math.Abs(a) <= 90+tol, math.Abs(b) <= 90+tol
	clip := func(v float64) float64 { return math.Max(-90, math.Min(90, v)) }
	switch {
	case okA && okB:
		if math.Abs(latpole-a) < math.Abs(latpole-b) {
			return clip(a), true
		}
		if math.Abs(latpole-a) == math.Abs(latpole-b) {
			return clip(math.Max(a, b)), true
		}
		return clip(b), true
	case okA:
		return clip(a), true
	case okB:
		return clip(b), true
	}
	return 0, false
}
