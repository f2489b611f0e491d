package proj

import (
	"fmt"
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

// cube is the tangential spherical cube TSC or the quadrilateralized one QSC (WCS
// II, sections 5.6.1 and 5.6.3). Faces: 0 is the north cap, 1 to 4 lie along the
// equator at native longitude 0, 90, 180, 270, 5 is the south cap.
type cube struct{ quad bool }

func (cube) Theta0() float64 { return 0 }

// faceX and faceY are the middles of the faces in units of 45 degrees.
var (
	faceX = [6]float64{0, 0, 2, 4, 6, 0}
	faceY = [6]float64{2, 0, 0, 0, 0, -2}
)

// toFace turns direction cosines into those of a face: ξ along x, η along y, ζ
// outwards.
func toFace(face int, l, m, n float64) (xi, eta, zeta float64) {
	switch face {
	case 0:
		return m, -l, n
	case 1:
		return m, n, l
	case 2:
		return -l, n, m
	case 3:
		return -m, n, -l
	case 4:
		return l, n, -m
	}
	return m, l, -n
}

// fromFace is the inverse of toFace.
func fromFace(face int, xi, eta, zeta float64) (l, m, n float64) {
	switch face {
	case 0:
		return -eta, xi, zeta
	case 1:
		return zeta, xi, eta
	case 2:
		return -xi, zeta, eta
	case 3:
		return -zeta, -xi, eta
	case 4:
		return xi, -zeta, eta
	}
	return eta, xi, -zeta
}

func (p cube) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	st, ct := angle.Sincosd(theta)
	sp, cp := angle.Sincosd(phi)
	l, m, n := ct*cp, ct*sp, st
	face, top := 0, n
	for i, v := range [...]float64{l, m, -l, -m, -n} {
		if v > top {
			face, top = i+1, v
		}
	}
	xi, eta, zeta := toFace(face, l, m, n)
	u, v := xi/zeta, eta/zeta
	if p.quad {
		u, v = quadFace(xi, eta)
	}
	return 45 * (faceX[face] + u), 45 * (faceY[face] + v), true
}

func (p cube) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	const tol = 1e-12
	x, y = x/45, y/45
	in := func(v float64) bool { return math.Abs(v) <= 1+tol }
	face := -1
	if in(y) && x < -1-tol {
		x += 8
	}
	for f := range faceX {
		if in(x-faceX[f]) && in(y-faceY[f]) && (face < 0 || f == 1) {
			face = f
		}
	}
	if face < 0 {
		return 0, 0, false
	}
	u, v := x-faceX[face], y-faceY[face]
	xi, eta, zeta := u, v, 1.0
	if p.quad {
		xi, eta, zeta = quadUnface(u, v)
	}
	l, m, n := fromFace(face, xi, eta, zeta)
	return angle.Direction(m, l), angle.Atan2d(n, math.Hypot(l, m)), true
}

// quadFace is the equal-area map of a face of QSC to the square −1 … 1.
func quadFace(xi, eta float64) (u, v float64) {
	if math.Abs(xi) < math.Abs(eta) {
		v, u = quadFace(eta, xi)
		return u, v
	}
	if xi == 0 {
		return 0, 0
	}
	w := eta / xi
	r2 := xi*xi + eta*eta
	z := r2 / (1 + math.Sqrt(math.Max(0, 1-r2))) // 1 − ζ without cancellation
	u = math.Copysign(math.Sqrt(z/(1-1/math.Sqrt(2+w*w))), xi)
	return u, u / 15 * (math.Atan(w) - math.Asin(w/math.Sqrt(2*(1+w*w)))) / angle.Deg
}

// quadUnface is the inverse of quadFace.
func quadUnface(u, v float64) (xi, eta, zeta float64) {
	if math.Abs(u) < math.Abs(v) {
		eta, xi, zeta = quadUnface(v, u)
		return xi, eta, zeta
	}
	if u == 0 {
		return 0, 0, 1
	}
	s, c := angle.Sincosd(15 * v / u)
	w := s / (c - 1/math.Sqrt2)
	z := u * u * (1 - 1/math.Sqrt(2+w*w)) // 1 − ζ
	xi = math.Copysign(math.Sqrt(z*(2-z)/(1+w*w)), u)
	return xi, w * xi, 1 - z
}

// hpx is the HEALPix projection (Calabretta & Roukema 2007, MNRAS 381, 865) with
// H facets in longitude and K in latitude.
type hpx struct {
	h, k   float64
	odd    bool    // K
	thetaX float64 // latitude where the polar part begins
}

func newHPX(h, k float64) (Projection, error) {
	if h <= 0 || k <= 0 || h > 1000 || k > 1000 || k != math.Trunc(k) {
		return nil, fmt.Errorf("HPX with H = %g, K = %g", h, k)
	}
	return hpx{h: h, k: k, odd: math.Mod(k, 2) == 1, thetaX: angle.Asind((k - 1) / k)}, nil
}

func (hpx) Theta0() float64 { return 0 }

// centre gives the native longitude of the middle of the polar facet that holds
// phi.
func (p hpx) centre(phi float64, north bool) float64 {
	w := 0.0
	if p.odd || north {
		w = 1
	}
	return -180 + (2*math.Floor((phi+180)*p.h/360+(1-w)/2)+w)*180/p.h
}

func (p hpx) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	s := angle.Sind(theta)
	if math.Abs(s) <= (p.k-1)/p.k {
		return phi, 90 * p.k / p.h * s, true
	}
	phi = angle.Wrap180(phi)
	if phi == 180 {
		phi = math.Nextafter(180, 0)
	}
	half := (90 - math.Abs(theta)) / 2
	sh := angle.Sind(half)
	sigma := math.Sqrt(p.k * 2 * sh * sh) // √(K(1 − |sin θ|)) without cancellation
	c := p.centre(phi, theta > 0)
	y = math.Copysign(180/p.h*((p.k+1)/2-sigma), theta)
	return c + (phi-c)*sigma, y, true
}

func (p hpx) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	edge := 90 * (p.k - 1) / p.h
	ay := math.Abs(y)
	if ay <= edge {
		theta = angle.Asind(y * p.h / (90 * p.k))
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
	theta = math.Copysign(angle.Atan2d(1-u, math.Sqrt(u*(2-u))), y)
	return phi, theta, true
}
