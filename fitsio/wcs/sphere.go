package wcs

import (
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

// rotation is the turn between native and celestial coordinates (WCS II,
// section 2.3): the celestial position of the native pole and the native
// longitude of the celestial pole.
type rotation struct {
	lonp, phip       float64
	sinLatp, cosLatp float64
}

func newRotation(lonp, latp, phip float64) rotation {
	s, c := angle.Sincosd(latp)
	return rotation{lonp: lonp, phip: phip, sinLatp: s, cosLatp: c}
}

// toSky is WCS II, eq. 2.
func (r *rotation) toSky(phi, theta float64) (lon, lat float64) {
	st, ct := angle.Sincosd(theta)
	sp, cp := angle.Sincosd(phi - r.phip)
	x := st*r.cosLatp - ct*r.sinLatp*cp
	y := -ct * sp
	z := st*r.sinLatp + ct*r.cosLatp*cp
	return angle.Wrap360(r.lonp + angle.Direction(y, x)), angle.Atan2d(z, math.Hypot(x, y))
}

// toNative is WCS II, eq. 5.
func (r *rotation) toNative(lon, lat float64) (phi, theta float64) {
	sd, cd := angle.Sincosd(lat)
	sa, ca := angle.Sincosd(lon - r.lonp)
	x := sd*r.cosLatp - cd*r.sinLatp*ca
	y := -cd * sa
	z := sd*r.sinLatp + cd*r.cosLatp*ca
	return angle.Wrap180(r.phip + angle.Direction(y, x)), angle.Atan2d(z, math.Hypot(x, y))
}

// nativePole finds the celestial coordinates of the native pole from those of
// the fiducial point (WCS II, eqs. 8 to 10). ok is false where none exists.
func nativePole(phi0, theta0, lon0, lat0, phip, latpole float64) (lonp, latp float64, ok bool) {
	if theta0 == 90 {
		return lon0, lat0, true
	}
	st, ct := angle.Sincosd(theta0)
	sp, cp := angle.Sincosd(phip - phi0)
	u := angle.Atan2d(st, ct*cp)
	slat0 := angle.Sind(lat0)
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
		latp, ok = choosePole(angle.Wrap180(u+math.Acos(q)/angle.Deg), angle.Wrap180(u-math.Acos(q)/angle.Deg), latpole)
		if !ok {
			return 0, 0, false
		}
	}
	sl, cl := angle.Sincosd(latp)
	switch {
	case math.Abs(angle.Cosd(lat0)) < 1e-15:
		lonp = lon0
	case math.Abs(cl) < 1e-15 && sl > 0:
		lonp = lon0 + phip - phi0 - 180
	case math.Abs(cl) < 1e-15:
		lonp = lon0 - phip + phi0
	default:
		c0 := angle.Cosd(lat0)
		x := (st - sl*slat0) / (cl * c0)
		y := sp * ct / c0
		lonp = lon0 - angle.Atan2d(y, x)
	}
	return angle.Wrap360(lonp), latp, true
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
