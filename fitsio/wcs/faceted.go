package wcs

import (
	"fmt"
	"math"
)

// cube is the tangential spherical cube TSC (WCS II, section 5.6.1). Faces: 0 is
// the north cap, 1 to 4 lie along the equator at native longitude 0, 90, 180,
// 270, 5 is the south cap.
type cube struct{}

func (cube) theta0() float64 { return 0 }

func (cube) toPlane(phi, theta float64) (x, y float64, ok bool) {
	st, ct := sincosd(theta)
	sp, cp := sincosd(phi)
	l, m, n := ct*cp, ct*sp, st
	face, top := 0, n
	for i, v := range [...]float64{l, m, -l, -m, -n} {
		if v > top {
			face, top = i+1, v
		}
	}
	var xi, eta, px, py float64
	switch face {
	case 0:
		xi, eta, py = m, -l, 2
	case 1:
		xi, eta = m, n
	case 2:
		xi, eta, px = -l, n, 2
	case 3:
		xi, eta, px = -m, n, 4
	case 4:
		xi, eta, px = l, n, 6
	case 5:
		xi, eta, py = m, l, -2
	}
	return 45 * (px + xi/top), 45 * (py + eta/top), true
}

func (cube) toSphere(x, y float64) (phi, theta float64, ok bool) {
	const tol = 1e-12
	x, y = x/45, y/45
	in := func(v float64) bool { return math.Abs(v) <= 1+tol }
	var l, m, n float64
	switch {
	case !in(y) && in(x) && in(y-2):
		l, m, n = -(y - 2), x, 1
	case !in(y) && in(x) && in(y+2):
		l, m, n = y+2, x, -1
	case !in(y):
		return 0, 0, false
	default:
		if x < -1-tol {
			x += 8
		}
		switch {
		case in(x):
			l, m, n = 1, x, y
		case in(x - 2):
			l, m, n = -(x - 2), 1, y
		case in(x - 4):
			l, m, n = -1, -(x - 4), y
		case in(x - 6):
			l, m, n = x-6, -1, y
		default:
			return 0, 0, false
		}
	}
	return direction(m, l), atan2d(n, math.Hypot(l, m)), true
}

// hpx is the HEALPix projection (Calabretta & Roukema 2007, MNRAS 381, 865) with
// H facets in longitude and K in latitude.
type hpx struct {
	h, k   float64
	odd    bool    // K
	thetaX float64 // latitude where the polar part begins
}

func newHPX(h, k float64) (projection, error) {
	if h <= 0 || k <= 0 || h > 1000 || k > 1000 || k != math.Trunc(k) {
		return nil, fmt.Errorf("HPX with H = %g, K = %g", h, k)
	}
	return hpx{h: h, k: k, odd: math.Mod(k, 2) == 1, thetaX: asind((k - 1) / k)}, nil
}

func (hpx) theta0() float64 { return 0 }

// centre gives the native longitude of the middle of the polar facet that holds
// phi.
func (p hpx) centre(phi float64, north bool) float64 {
	w := 0.0
	if p.odd || north {
		w = 1
	}
	return -180 + (2*math.Floor((phi+180)*p.h/360+(1-w)/2)+w)*180/p.h
}

func (p hpx) toPlane(phi, theta float64) (x, y float64, ok bool) {
	s := sind(theta)
	if math.Abs(s) <= (p.k-1)/p.k {
		return phi, 90 * p.k / p.h * s, true
	}
	phi = wrap180(phi)
	if phi == 180 {
		phi = math.Nextafter(180, 0)
	}
	half := (90 - math.Abs(theta)) / 2
	sh := sind(half)
	sigma := math.Sqrt(p.k * 2 * sh * sh) // √(K(1 − |sin θ|)) without cancellation
	c := p.centre(phi, theta > 0)
	y = math.Copysign(180/p.h*((p.k+1)/2-sigma), theta)
	return c + (phi-c)*sigma, y, true
}

func (p hpx) toSphere(x, y float64) (phi, theta float64, ok bool) {
	edge := 90 * (p.k - 1) / p.h
	ay := math.Abs(y)
	if ay <= edge {
		theta = asind(y * p.h / (90 * p.k))
		return x, theta, onSphere(x, theta)
	}
	sigma := (p.k+1)/2 - ay*p.h/180
	if sigma < -1e-12 {
		return 0, 0, false
	}
	sigma = math.Max(sigma, 0)
	if math.Abs(x) > 180+1e-10 {
		return 0, 0, false
	}
	c := p.centre(math.Min(x, math.Nextafter(180, 0)), y > 0)
	if sigma > 0 {
		phi = c + (x-c)/sigma
		if math.Abs(x-c) > sigma*180/p.h*(1+1e-10)+1e-12 {
			return 0, 0, false // between the facets
		}
	} else {
		phi = c
	}
	// θ from cos: near the pole asin(1 − σ²/K) would lose digits.
	u := sigma * sigma / p.k
	theta = math.Copysign(atan2d(1-u, math.Sqrt(u*(2-u))), y)
	return phi, theta, true
}
