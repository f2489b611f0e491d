package wcs

import (
	"fmt"
	"math"
)

// projection maps the sphere in native coordinates to the plane and back, all in
// degrees (WCS II, section 5). ok is false where there is no image.
type projection interface {
	toSphere(x, y float64) (phi, theta float64, ok bool)
	toPlane(phi, theta float64) (x, y float64, ok bool)
	theta0() float64 // native latitude of the fiducial point: 90, 0, or that of a conic
}

// params are PVi_m of the latitude axis; what is absent is NaN.
type params [31]float64

func (p *params) or(m int, def float64) float64 {
	if math.IsNaN(p[m]) {
		return def
	}
	return p[m]
}

// newProjection knows the three-letter codes.
func newProjection(code string, pv *params) (projection, error) {
	switch code {
	case "TAN", "STG", "ARC", "ZEA":
		return zenithal(code), nil
	case "SIN", "NCP":
		return sine{xi: pv.or(1, 0), eta: pv.or(2, 0)}, nil
	case "AZP":
		return newAZP(pv.or(1, 0), pv.or(2, 0))
	case "ZPN":
		return newZPN(pv)
	case "CAR", "MER":
		return cylindrical{kind: code, lambda: 1}, nil
	case "CEA":
		l := pv.or(1, 1)
		if l <= 0 || l > 1 {
			return nil, fmt.Errorf("CEA with λ = %g, which is not in (0, 1]", l)
		}
		return cylindrical{kind: code, lambda: l}, nil
	case "SFL", "GLS", "PAR", "MOL", "AIT":
		if code == "GLS" {
			code = "SFL"
		}
		return pseudo(code), nil
	case "TSC", "QSC":
		return cube{quad: code == "QSC"}, nil
	case "SZP":
		return newSZP(pv.or(1, 0), pv.or(2, 0), pv.or(3, 90))
	case "AIR":
		return newAiry(pv.or(1, 90))
	case "CYP":
		return newCYP(pv.or(1, 1), pv.or(2, 1))
	case "COP", "COE", "COD", "COO":
		return newConic(code, pv)
	case "BON":
		return newBonne(pv.or(1, 0))
	case "PCO":
		return polyconic{}, nil
	case "HPX":
		return newHPX(pv.or(1, 4), pv.or(2, 3))
	}
	return nil, fmt.Errorf("projection %q is not supported", code)
}

// zenithal is TAN, STG, ARC or ZEA: R(θ) and its inverse (WCS II, section 5.1).
type zenithal string

func (zenithal) theta0() float64 { return 90 }

func (z zenithal) toSphere(x, y float64) (phi, theta float64, ok bool) {
	r := math.Hypot(x, y)
	if r > 0 {
		phi = atan2d(x, -y)
	}
	switch z {
	case "TAN":
		return phi, atan2d(r0, r), true
	case "STG":
		return phi, 90 - 2*math.Atan(r/(2*r0))/deg, true
	case "ARC":
		return phi, 90 - r, r <= 180*(1+1e-13)
	}
	s := r / (2 * r0) // ZEA
	return phi, 90 - 2*asind(s), s <= 1+1e-12
}

func (z zenithal) toPlane(phi, theta float64) (x, y float64, ok bool) {
	var r float64
	s, c := sincosd(theta)
	switch z {
	case "TAN":
		if s <= 0 {
			return 0, 0, false
		}
		r = r0 * c / s
	case "STG":
		if s == -1 {
			return 0, 0, false
		}
		r = 2 * r0 * c / (1 + s)
	case "ARC":
		r = 90 - theta
	case "ZEA":
		r = 2 * r0 * sind((90-theta)/2)
	}
	sp, cp := sincosd(phi)
	return r * sp, -r * cp, true
}

// sine is the slant orthographic projection (WCS II, section 5.1.5); NCP and
// plain SIN are special cases.
type sine struct{ xi, eta float64 }

func (sine) theta0() float64 { return 90 }

func (p sine) toPlane(phi, theta float64) (x, y float64, ok bool) {
	st, ct := sincosd(theta)
	sp, cp := sincosd(phi)
	z := 1 - st
	if theta > 89 { // 1 − sin θ without cancellation
		h := sind((90 - theta) / 2)
		z = 2 * h * h
	}
	x = r0 * (ct*sp + p.xi*z)
	y = -r0 * (ct*cp - p.eta*z)
	if p.xi == 0 && p.eta == 0 {
		return x, y, theta >= 0
	}
	limit := -atan2d(p.xi*sp-p.eta*cp, 1)
	return x, y, theta >= limit
}

func (p sine) toSphere(x, y float64) (phi, theta float64, ok bool) {
	x, y = x/r0, y/r0
	r2 := x*x + y*y
	if p.xi == 0 && p.eta == 0 {
		if r2 > 1+1e-12 {
			return 0, 0, false
		}
		return direction(x, -y), atan2d(math.Sqrt(math.Max(0, 1-r2)), math.Sqrt(r2)), true
	}
	// sin θ solves a s² + 2 b s + c = 0; with z = 1 − s the small root is exact
	// near the pole: a z² − 2 (a + b) z + (a + 2b + c) = 0, the last term being r².
	e2 := p.xi*p.xi + p.eta*p.eta
	xy := x*p.xi + y*p.eta
	a, b := 1+e2, xy-e2
	d := (a+b)*(a+b) - a*r2
	if d < 0 {
		return 0, 0, false
	}
	q := a + b + math.Copysign(math.Sqrt(d), a+b)
	z := r2 / q // the root that belongs to the larger θ
	if other := q / a; q == 0 || (z < 0 && other <= 2) {
		z = other
	}
	if z < -1e-12 || z > 2+1e-12 {
		return 0, 0, false
	}
	u, v := x-p.xi*z, -(y - p.eta*z)
	return direction(u, v), atan2d(1-z, math.Hypot(u, v)), true
}

// azp is the tilted perspective projection (WCS II, section 5.1.1).
type azp struct{ mu, gamma, sg, cg float64 }

func newAZP(mu, gamma float64) (projection, error) {
	s, c := sincosd(gamma)
	if c == 0 || mu == -1 {
		return nil, fmt.Errorf("AZP with μ = %g, γ = %g", mu, gamma)
	}
	return azp{mu, gamma, s, c}, nil
}

func (azp) theta0() float64 { return 90 }

func (p azp) toPlane(phi, theta float64) (x, y float64, ok bool) {
	sp, cp := sincosd(phi)
	st, ct := sincosd(theta)
	a := ct * cp * p.sg / p.cg
	d := p.mu + st + a
	if d <= 0 {
		return 0, 0, false
	}
	r := r0 * (p.mu + 1) * ct / d
	x, y = r*sp, -r*cp/p.cg
	// What lies behind the limb of the sphere, or of the tilted plane, is hidden.
	t := -asind(1 / p.mu)
	if math.Abs(p.mu) > 1 && theta < t {
		return x, y, false
	}
	q := p.mu / math.Sqrt(1+(cp*p.sg/p.cg)*(cp*p.sg/p.cg))
	if math.Abs(q) <= 1 {
		s := math.Atan2(-cp*p.sg, p.cg) / deg
		w := asind(q)
		a1, b1 := wrap180(s-w), wrap180(s+w+180)
		if a1 > 90 {
			a1 -= 360
		}
		if b1 > 90 {
			b1 -= 360
		}
		return x, y, theta >= math.Max(a1, b1)
	}
	return x, y, true
}

func (p azp) toSphere(x, y float64) (phi, theta float64, ok bool) {
	yc := y * p.cg
	r := math.Hypot(x, yc)
	if r == 0 {
		return 0, 90, true
	}
	phi = atan2d(x, -yc)
	rho := r / (r0*(p.mu+1) + y*p.sg)
	s := rho * p.mu / math.Sqrt(rho*rho+1)
	psi := atan2d(1, rho)
	if math.Abs(s) > 1 {
		if math.Abs(s) > 1+1e-12 {
			return 0, 0, false
		}
		s = math.Copysign(1, s)
	}
	w := asind(s)
	a, b := wrap180(psi-w), wrap180(psi+w+180)
	if a > 90 {
		a -= 360
	}
	if b > 90 {
		b -= 360
	}
	return phi, math.Max(a, b), true
}

// zpn is the zenithal polynomial (WCS II, section 5.1.7).
type zpn struct {
	c    []float64 // coefficients of the zenith distance in radians
	zMax float64   // first maximum of R in radians
	rMax float64   // R there, in units of r0
}

func newZPN(pv *params) (projection, error) {
	p := zpn{zMax: math.Pi}
	last := -1
	for m := range 30 {
		if v := pv.or(m, 0); v != 0 {
			last = m
		}
	}
	if last < 1 {
		return nil, fmt.Errorf("ZPN without coefficients PV2_m")
	}
	for m := range last + 1 {
		p.c = append(p.c, pv.or(m, 0))
	}
	const steps = 1800
	for i := range steps { // the polynomial may be used up to its first maximum
		z := float64(i) * math.Pi / steps
		if _, d := p.eval(z + math.Pi/steps); d <= 0 {
			lo, hi := z, z+math.Pi/steps
			for range 60 {
				mid := (lo + hi) / 2
				if _, d := p.eval(mid); d > 0 {
					lo = mid
				} else {
					hi = mid
				}
			}
			p.zMax = lo
			break
		}
	}
	p.rMax, _ = p.eval(p.zMax)
	return p, nil
}

// eval gives R and its derivative.
func (p zpn) eval(z float64) (r, d float64) {
	for m := len(p.c) - 1; m >= 0; m-- {
		d = d*z + r
		r = r*z + p.c[m]
	}
	return r, d
}

func (zpn) theta0() float64 { return 90 }

func (p zpn) toPlane(phi, theta float64) (x, y float64, ok bool) {
	z := (90 - theta) * deg
	r, _ := p.eval(z)
	sp, cp := sincosd(phi)
	return r0 * r * sp, -r0 * r * cp, z <= p.zMax*(1+1e-13)
}

func (p zpn) toSphere(x, y float64) (phi, theta float64, ok bool) {
	r := math.Hypot(x, y) / r0
	if r < p.c[0]-1e-12 || r > p.rMax+1e-12 {
		return 0, 0, false
	}
	lo, hi := 0.0, p.zMax
	z := math.Min(r, hi)
	for range 100 { // Newton inside a bracket
		f, d := p.eval(z)
		if f < r {
			lo = z
		} else {
			hi = z
		}
		next := z - (f-r)/d
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if math.Abs(next-z) < 1e-16 {
			break
		}
		z = next
	}
	return direction(x, -y), 90 - z/deg, true
}
