package proj

import (
	"fmt"
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

// szp is the slant zenithal perspective projection (WCS II, section 5.1.2).
type szp struct{ xp, yp, zp float64 }

func newSZP(mu, phic, thetac float64) (Projection, error) {
	sp, cp := angle.Sincosd(phic)
	st, ct := angle.Sincosd(thetac)
	p := szp{-mu * ct * sp, mu * ct * cp, mu*st + 1}
	if p.zp == 0 || math.IsNaN(p.zp+p.xp+p.yp) {
		return nil, fmt.Errorf("SZP with μ = %g, φc = %g, θc = %g", mu, phic, thetac)
	}
	return p, nil
}

func (szp) Theta0() float64 { return 90 }

func (p szp) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	sp, cp := angle.Sincosd(phi)
	h, ct := angle.Sind((90-theta)/2), angle.Cosd(theta)
	z := 2 * h * h
	d := p.zp - z
	if d == 0 {
		return 0, 0, false
	}
	x = angle.R0 * (p.zp*ct*sp - p.xp*z) / d
	y = -angle.R0 * (p.zp*ct*cp + p.yp*z) / d
	// Of two points on one line of sight only the nearer one is seen.
	_, t, ok := p.ToSphere(x, y)
	return x, y, ok && math.Abs(t-theta) < 1e-6
}

func (p szp) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	x, y = x/angle.R0, y/angle.R0
	x1, y1 := (x-p.xp)/p.zp, (y-p.yp)/p.zp
	// With z = 1 − sin θ the point is u = x − x1 z, v = y − y1 z and
	// u² + v² = z (2 − z): a z² − 2 b z + c = 0.
	a, b, c := x1*x1+y1*y1+1, x*x1+y*y1+1, x*x+y*y
	d := b*b - a*c
	if d < 0 {
		return 0, 0, false
	}
	q := b + math.Copysign(math.Sqrt(d), b)
	z := c / q
	if other := q / a; other >= 0 && (other < z || z < 0) {
		z = other
	}
	if !(z >= 0 && z <= 2+1e-12) {
		return 0, 0, false
	}
	u, v := x-x1*z, y-y1*z
	return angle.Direction(u, -v), angle.Atan2d(1-z, math.Hypot(u, v)), true
}

// airy is AIR (WCS II, section 5.1.9); k is its constant of θb.
type airy struct{ k float64 }

func newAiry(thetab float64) (Projection, error) {
	xi := (90 - thetab) / 2
	if !(xi >= 0 && xi < 90) {
		return nil, fmt.Errorf("AIR with θb = %g", thetab)
	}
	if xi < 1e-4 {
		return airy{-0.5}, nil
	}
	t := angle.Tand(xi)
	return airy{math.Log(angle.Cosd(xi)) / (t * t)}, nil
}

func (airy) Theta0() float64 { return 90 }

// radius of ξ = (90° − θ)/2 in radians, and its derivative.
func (p airy) radius(xi float64) (r, d float64) {
	if xi < 1e-9 {
		return 2 * angle.R0 * xi * (0.5 - p.k), 2 * angle.R0 * (0.5 - p.k)
	}
	s, c := math.Sincos(xi)
	t := s / c
	ln := 0.5 * math.Log1p(-s*s)
	r = -2 * angle.R0 * (ln/t + p.k*t)
	d = -2 * angle.R0 * (-1 - ln/(s*s) + p.k/(c*c))
	return r, d
}

func (p airy) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	if theta <= -90 {
		return 0, 0, false
	}
	r, _ := p.radius((90 - theta) / 2 * angle.Deg)
	s, c := angle.Sincosd(phi)
	return r * s, -r * c, true
}

func (p airy) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	want := math.Hypot(x, y)
	lo, hi := 0.0, math.Pi/2
	xi := math.Min(want/(2*angle.R0*(0.5-p.k)), 1.5)
	for range 200 { // Newton inside a bracket
		r, d := p.radius(xi)
		if r < want {
			lo = xi
		} else {
			hi = xi
		}
		next := xi - (r-want)/d
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if math.Abs(next-xi) < 1e-17 {
			break
		}
		xi = next
	}
	return angle.Direction(x, -y), 90 - 2*xi/angle.Deg, true
}

// cyp is the cylindrical perspective projection (WCS II, section 5.2.1).
type cyp struct{ mu, lambda float64 }

func newCYP(mu, lambda float64) (Projection, error) {
	if lambda == 0 || mu+lambda == 0 || math.IsNaN(mu+lambda) {
		return nil, fmt.Errorf("CYP with μ = %g, λ = %g", mu, lambda)
	}
	return cyp{mu, lambda}, nil
}

func (cyp) Theta0() float64 { return 0 }

func (p cyp) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	s, c := angle.Sincosd(theta)
	if p.mu+c == 0 {
		return 0, 0, false
	}
	return p.lambda * phi, angle.R0 * (p.mu + p.lambda) / (p.mu + c) * s, true
}

func (p cyp) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	eta := y / (angle.R0 * (p.mu + p.lambda))
	s := eta * p.mu / math.Sqrt(eta*eta+1)
	if math.Abs(s) > 1+1e-12 {
		return 0, 0, false
	}
	phi, theta = x/p.lambda, angle.Atan2d(eta, 1)+angle.Asind(s)
	return phi, theta, onSphere(phi, theta)
}
