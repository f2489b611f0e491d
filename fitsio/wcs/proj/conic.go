package proj

import (
	"fmt"
	"math"

	"limpid/fitsio/wcs/internal/angle"
)

// conic is COP, COE, COD or COO (WCS II, section 5.4), written with the cone
// constant c, the radius at the fiducial parallel y0, and R(θ) by kind.
type conic struct {
	kind       string
	thetaA, c  float64
	y0         float64
	k, g, psi  float64 // constants of R(θ), see radius
	cotA, cosE float64
}

func newConic(kind string, pv *Params) (Projection, error) {
	ta, eta := pv.Or(1, math.NaN()), pv.Or(2, 0)
	t1, t2 := ta-eta, ta+eta
	if math.IsNaN(ta) || math.Abs(t1) > 90 || math.Abs(t2) > 90 || (ta == 0 && kind != "COE") {
		return nil, fmt.Errorf("%s with θa = %g, η = %g", kind, ta, eta)
	}
	p := conic{kind: kind, thetaA: ta, cotA: angle.Cosd(ta) / angle.Sind(ta), cosE: angle.Cosd(eta)}
	switch kind {
	case "COP":
		p.c, p.y0 = angle.Sind(ta), angle.R0*p.cosE*p.cotA
	case "COE":
		p.g = angle.Sind(t1) + angle.Sind(t2)
		p.c, p.k = p.g/2, 1+angle.Sind(t1)*angle.Sind(t2)
		p.y0, _ = p.radius(ta)
	case "COD":
		p.c, p.k = angle.Sind(ta), angle.R0*p.cotA
		if eta != 0 {
			p.c *= angle.Sind(eta) * angle.R0 / eta
			p.k = eta * angle.Cosd(eta) / angle.Sind(eta) * p.cotA
		}
		p.y0 = p.k
	case "COO":
		p.c = angle.Sind(ta)
		if eta != 0 {
			p.c = math.Log(angle.Cosd(t2)/angle.Cosd(t1)) / math.Log(angle.Tand((90-t2)/2)/angle.Tand((90-t1)/2))
		}
		p.psi = angle.R0 * angle.Cosd(t1) / (p.c * math.Pow(angle.Tand((90-t1)/2), p.c))
		p.y0 = p.psi * math.Pow(angle.Tand((90-ta)/2), p.c)
	}
	if p.c == 0 || math.IsNaN(p.c+p.y0) || math.IsInf(p.c+p.y0, 0) {
		return nil, fmt.Errorf("%s with θa = %g, η = %g", kind, ta, eta)
	}
	return p, nil
}

func (p conic) Theta0() float64 { return p.thetaA }

// radius is R(θ).
func (p conic) radius(theta float64) (float64, bool) {
	switch p.kind {
	case "COP":
		d := theta - p.thetaA
		return angle.R0 * p.cosE * (p.cotA - angle.Tand(d)), math.Abs(d) < 90
	case "COE":
		v := p.k - p.g*angle.Sind(theta)
		return angle.R0 * 2 / p.g * math.Sqrt(v), v >= 0
	case "COD":
		return p.thetaA - theta + p.k, true
	}
	return p.psi * math.Pow(angle.Tand((90-theta)/2), p.c), theta > -90
}

func (p conic) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	r, ok := p.radius(theta)
	s, c := angle.Sincosd(p.c * phi)
	// A parallel beyond the apex of the cone has no place.
	return r * s, p.y0 - r*c, ok && r*p.thetaA >= -1e-12
}

func (p conic) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	dy := p.y0 - y
	r := math.Hypot(x, dy)
	if p.thetaA < 0 {
		r = -r
	}
	if r != 0 {
		phi = angle.Atan2d(x/r, dy/r) / p.c
	}
	switch p.kind {
	case "COP":
		theta = p.thetaA + math.Atan(p.cotA-r/(angle.R0*p.cosE))/angle.Deg
	case "COE":
		h := r * p.g / (2 * angle.R0)
		s := (p.k - h*h) / p.g
		if math.Abs(s) > 1+1e-9 {
			return 0, 0, false
		}
		theta = angle.Asind(math.Max(-1, math.Min(1, s)))
	case "COD":
		theta = p.thetaA + p.k - r
	case "COO":
		if r == 0 {
			theta = math.Copysign(90, p.c)
		} else {
			theta = 90 - 2*math.Atan(math.Pow(r/p.psi, 1/p.c))/angle.Deg
		}
	}
	return phi, theta, onSphere(phi, theta)
}

// bonne is BON (WCS II, section 5.5.1) with θ1 ≠ 0.
type bonne struct{ theta1, y0 float64 }

func newBonne(theta1 float64) (Projection, error) {
	if theta1 == 0 {
		return pseudo("SFL"), nil
	}
	if math.Abs(theta1) > 90 {
		return nil, fmt.Errorf("BON with θ1 = %g", theta1)
	}
	return bonne{theta1, angle.R0*angle.Cosd(theta1)/angle.Sind(theta1) + theta1}, nil
}

func (bonne) Theta0() float64 { return 0 }

func (p bonne) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	r := p.y0 - theta
	if r == 0 {
		return 0, p.y0, true
	}
	s, c := angle.Sincosd(angle.R0 * phi * angle.Cosd(theta) / r)
	return r * s, p.y0 - r*c, true
}

func (p bonne) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	dy := p.y0 - y
	r := math.Hypot(x, dy)
	if p.theta1 < 0 {
		r = -r
	}
	theta = p.y0 - r
	if r != 0 {
		phi = unscale(angle.Atan2d(x/r, dy/r)*r/angle.R0, angle.Cosd(theta))
	}
	return phi, theta, onSphere(phi, theta)
}

// polyconic is PCO (WCS II, section 5.5.2).
type polyconic struct{}

func (polyconic) Theta0() float64 { return 0 }

func (polyconic) ToPlane(phi, theta float64) (x, y float64, ok bool) {
	s, c := angle.Sincosd(theta)
	if math.Abs(s) < 1e-12 {
		return phi, theta, true
	}
	a := phi * s
	h := angle.Sind(a / 2)
	return angle.R0 * c / s * angle.Sind(a), theta + angle.R0*c/s*2*h*h, true
}

func (polyconic) ToSphere(x, y float64) (phi, theta float64, ok bool) {
	if math.Abs(y) < 1e-12 {
		return x, 0, onSphere(x, 0)
	}
	// The parallel is a circle: x² + (y−θ)² = 2 (y−θ) r0 cot θ. Times tan θ this
	// has one root between 0 and y.
	f := func(t float64) float64 {
		d := y - t
		return (x*x+d*d)*angle.Tand(t) - 2*d*angle.R0
	}
	lo, hi := 0.0, math.Copysign(math.Min(math.Abs(y), 90), y)
	for range 200 {
		theta = (lo + hi) / 2
		if theta == lo || theta == hi {
			break
		}
		if f(theta)*y < 0 {
			lo = theta
		} else {
			hi = theta
		}
	}
	s, c := angle.Sincosd(theta)
	if math.Abs(theta) == 90 {
		return 0, theta, math.Abs(x) < 1e-12
	}
	t := s / c
	phi = angle.Direction(x*t/angle.R0, 1-(y-theta)*t/angle.R0) / s
	return phi, theta, onSphere(phi, theta)
}
