// Package proj holds the map projections of FITS (Calabretta & Greisen 2002, "WCS
// II", section 5; Calabretta & Roukema 2007 for HPX) in native coordinates.
package proj

import (
	"fmt"
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

// Projection maps the sphere in native coordinates to the plane and back, all in
// degrees (WCS II, section 5). ok is false where there is no image.
type Projection interface {
	ToSphere(x, y float64) (phi, theta float64, ok bool)
	ToPlane(phi, theta float64) (x, y float64, ok bool)
	Theta0() float64 // native latitude of the fiducial point: 90, 0, or that of a conic
}

// Params are PVi_m of the latitude axis; what is absent is NaN.
type Params [31]float64

func (p *Params) Or(m int, def float64) float64 {
	if math.IsNaN(p[m]) {
		return def
	}
	return p[m]
}

// New knows the three-letter codes.
func New(code string, pv *Params) (Projection, error) {
	switch code {
	case "TAN", "STG", "ARC", "ZEA":
		return zenithal(code), nil
	case "SIN", "NCP":
		return sine{xi: pv.Or(1, 0), eta: pv.Or(2, 0)}, nil
	case "AZP":
		return newAZP(pv.Or(1, 0), pv.Or(2, 0))
	case "ZPN":
		return newZPN(pv)
	case "CAR", "MER":
		return cylindrical{kind: code, lambda: 1}, nil
	case "CEA":
		l := pv.Or(1, 1)
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
		return newSZP(pv.Or(1, 0), pv.Or(2, 0), pv.Or(3, 90))
	case "AIR":
		return newAiry(pv.Or(1, 90))
	case "CYP":
		return newCYP(pv.Or(1, 1), pv.Or(2, 1))
	case "COP", "COE", "COD", "COO":
		return newConic(code, pv)
	case "BON":
		return newBonne(pv.Or(1, 0))
	case "PCO":
		return polyconic{}, nil
	case "HPX":
		return newHPX(pv.Or(1, 4), pv.Or(2, 3))
	}
	return nil, fmt.Errorf("projection %q is not supported", code)
}

// zenithal is TAN, STG, ARC or ZEA: R(θ) and its inverse (WCS II, section 5.1).
type zenithal string

func (zenithal) Theta0() float64 { return 90 }

func (z zenithal) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	r := math.Hypot(x, y)
	if r > 0 {
		phi = angle.Atan2d(x, -y)
	}
	switch z {
	case "TAN":
		return phi, angle.Atan2d(angle.R0, r), true
	case "STG":
		return phi, 90 - 2*math.Atan(r/(2*angle.R0))/angle.Deg, true
	case "ARC":
		return phi, 90 - r, r <= 180*(1+1e-13)
	}
	s := r / (2 * angle.R0) // ZEA
	return phi, 90 - 2*angle.Asind(s), s <= 1+1e-12
}

func (z zenithal) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	var r float64
	s, c := angle.Sincosd(theta)
	switch z {
	case "TAN":
		if s <= 0 {
			return 0, 0, false
		}
		r = angle.R0 * c / s
	case "STG":
		if s == -1 {
			return 0, 0, false
		}
		r = 2 * angle.R0 * c / (1 + s)
	case "ARC":
		r = 90 - theta
	case "ZEA":
		r = 2 * angle.R0 * angle.Sind((90-theta)/2)
	}
	sp, cp := angle.Sincosd(phi)
	return r * sp, -r * cp, true
}

// sine is the slant orthographic projection (WCS II, section 5.1.5); NCP and
// plain SIN are special cases.
type sine struct{ xi, eta float64 }

func (sine) Theta0() float64 { return 90 }

func (p sine) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	st, ct := angle.Sincosd(theta)
	sp, cp := angle.Sincosd(phi)
	z := 1 - st
	if theta > 89 { // 1 − sin θ without cancellation
		h := angle.Sind((90 - theta) / 2)
		z = 2 * h * h
	}
	x = angle.R0 * (ct*sp + p.xi*z)
	y = -angle.R0 * (ct*cp - p.eta*z)
	if p.xi == 0 && p.eta == 0 {
		return x, y, theta >= 0
	}
	limit := -angle.Atan2d(p.xi*sp-p.eta*cp, 1)
	return x, y, theta >= limit
}

func (p sine) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	x, y = x/angle.R0, y/angle.R0
	r2 := x*x + y*y
	if p.xi == 0 && p.eta == 0 {
		if r2 > 1+1e-12 {
			return 0, 0, false
		}
		return angle.Direction(x, -y), angle.Atan2d(math.Sqrt(math.Max(0, 1-r2)), math.Sqrt(r2)), true
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
	return angle.Direction(u, v), angle.Atan2d(1-z, math.Hypot(u, v)), true
}

// azp is the tilted perspective projection (WCS II, section 5.1.1).
type azp struct{ mu, gamma, sg, cg float64 }

func newAZP(mu, gamma float64) (Projection, error) {
	s, c := angle.Sincosd(gamma)
	if c == 0 || mu == -1 {
		return nil, fmt.Errorf("AZP with μ = %g, γ = %g", mu, gamma)
	}
	return azp{mu, gamma, s, c}, nil
}

func (azp) Theta0() float64 { return 90 }

func (p azp) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	sp, cp := angle.Sincosd(phi)
	st, ct := angle.Sincosd(theta)
	a := ct * cp * p.sg / p.cg
	d := p.mu + st + a
	if d <= 0 {
		return 0, 0, false
	}
	r := angle.R0 * (p.mu + 1) * ct / d
	x, y = r*sp, -r*cp/p.cg
	// What lies behind the limb of the sphere, or of the tilted plane, is hidden.
	t := -angle.Asind(1 / p.mu)
	if math.Abs(p.mu) > 1 && theta < t {
		return x, y, false
	}
	q := p.mu / math.Sqrt(1+(cp*p.sg/p.cg)*(cp*p.sg/p.cg))
	if math.Abs(q) <= 1 {
		s := math.Atan2(-cp*p.sg, p.cg) / angle.Deg
		w := angle.Asind(q)
		a1, b1 := angle.Wrap180(s-w), angle.Wrap180(s+w+180)
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

func (p azp) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	yc := y * p.cg
	r := math.Hypot(x, yc)
	if r == 0 {
		return 0, 90, true
	}
	phi = angle.Atan2d(x, -yc)
	rho := r / (angle.R0*(p.mu+1) + y*p.sg)
	s := rho * p.mu / math.Sqrt(rho*rho+1)
	psi := angle.Atan2d(1, rho)
	if math.Abs(s) > 1 {
		if math.Abs(s) > 1+1e-12 {
			return 0, 0, false
		}
		s = math.Copysign(1, s)
	}
	w := angle.Asind(s)
	a, b := angle.Wrap180(psi-w), angle.Wrap180(psi+w+180)
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

func newZPN(pv *Params) (Projection, error) {
	p := zpn{zMax: math.Pi}
	last := -1
	for m := range 30 {
		if v := pv.Or(m, 0); v != 0 {
			last = m
		}
	}
	if last < 1 {
		return nil, fmt.Errorf("ZPN without coefficients PV2_m")
	}
	for m := range last + 1 {
		p.c = append(p.c, pv.Or(m, 0))
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

func (zpn) Theta0() float64 { return 90 }

func (p zpn) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	z := (90 - theta) * angle.Deg
	r, _ := p.eval(z)
	sp, cp := angle.Sincosd(phi)
	return angle.R0 * r * sp, -angle.R0 * r * cp, z <= p.zMax*(1+1e-13)
}

func (p zpn) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	r := math.Hypot(x, y) / angle.R0
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
	return angle.Direction(x, -y), 90 - z/angle.Deg, true
}
