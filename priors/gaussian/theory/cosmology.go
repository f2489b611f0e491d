// Package theory predicts the power spectrum of convergence maps: a flat ΛCDM universe,
// the linear spectrum of Eisenstein & Hu, halofit, Limber's approximation. It is what a
// mass map's Gaussian or lognormal prior is made of when no spectrum is given.
//
// Against CAMB (testdata/camb.json, made by testdata/reference.py) for the cosmologies of
// Planck and of a low-Ωm universe: see the tests, which state the bands.
package theory

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
)

// Cosmology is a flat universe of matter and a cosmological constant; radiation and
// neutrino masses are left out.
type Cosmology struct {
	OmegaM float64 `json:"omega_m"` // all matter
	OmegaB float64 `json:"omega_b"` // baryons
	H      float64 `json:"h"`       // H0 / (100 km/s/Mpc)
	NS     float64 `json:"n_s"`     // slope of the primordial spectrum
	Sigma8 float64 `json:"sigma_8"` // linear, today
}

// Planck2015 is the cosmology of the IllustrisTNG simulations and so of κTNG (Osato,
// Liu & Haiman 2021).
func Planck2015() Cosmology {
	return Cosmology{OmegaM: 0.3089, OmegaB: 0.0486, H: 0.6774, NS: 0.9667, Sigma8: 0.8159}
}

// Validate reports parameters outside the range where the fitting formulas hold.
func (c Cosmology) Validate() error {
	for _, p := range []struct {
		name          string
		v, least, top float64
	}{
		{"omega_m", c.OmegaM, 0.05, 0.95},
		{"omega_b", c.OmegaB, 0.001, 0.3},
		{"h", c.H, 0.3, 1.2},
		{"n_s", c.NS, 0.5, 1.5},
		{"sigma_8", c.Sigma8, 0.2, 2},
	} {
		if !(p.v >= p.least && p.v <= p.top) {
			return fmt.Errorf("theory: %s = %g: must be between %g and %g", p.name, p.v, p.least, p.top)
		}
	}
	if c.OmegaB >= c.OmegaM {
		return fmt.Errorf("theory: omega_b = %g is not less than omega_m = %g", c.OmegaB, c.OmegaM)
	}
	return nil
}

// HubbleDistance is c/H0 in Mpc/h.
const HubbleDistance = 2997.92458

// E is H(z)/H0.
func (c Cosmology) E(z float64) float64 {
	a := 1 + z
	return math.Sqrt(c.OmegaM*a*a*a + 1 - c.OmegaM)
}

// OmegaMAt is the share of matter at z.
func (c Cosmology) OmegaMAt(z float64) float64 {
	e := c.E(z)
	return c.OmegaM * math.Pow(1+z, 3) / (e * e)
}

// Distance is the comoving distance in Mpc/h.
func (c Cosmology) Distance(z float64) float64 {
	if z <= 0 {
		return 0
	}
	// in √(1+z), where 1/E is nearly linear
	return HubbleDistance * integrate(func(r float64) float64 { return 2 * r / c.E(r*r-1) }, 1, math.Sqrt(1+z))
}

// legendre is Gauss and Legendre's rule on (0, 1).
var legendre = sync.OnceValue(func() (r struct{ x, w [24]float64 }) {
	quad.Legendre{}.FixedLocations(r.x[:], r.w[:], 0, 1)
	return r
})

// integrate is ∫ f over (a, b) for smooth f.
func integrate(f func(x float64) float64, a, b float64) float64 {
	rule := legendre()
	var sum float64
	for i, x := range rule.x {
		sum += rule.w[i] * f(a+(b-a)*x)
	}
	return sum * (b - a)
}

// Growth is the linear growth factor, 1 today (Heath 1977):
// D ∝ H(a) ∫ da/(a H)³.
func (c Cosmology) Growth(z float64) float64 {
	return c.growth(1/(1+z)) / c.growth(1)
}

func (c Cosmology) growth(a float64) float64 {
	// With a = t^(2/5) the integrand is smooth at 0.
	f := func(t float64) float64 {
		b := math.Pow(t, 0.4)
		e := b * c.E(1/b-1)
		return 0.4 * b / t / (e * e * e)
	}
	return c.E(1/a-1) * integrate(f, 0, math.Pow(a, 2.5))
}

const cmb = 2.7255 // K

// Transfer is the matter transfer function with baryon oscillations of Eisenstein & Hu
// (1998, ApJ 496, 605), eq. 2 to 24, k in h/Mpc.
func (c Cosmology) Transfer() func(k float64) float64 {
	theta := cmb / 2.7
	om, ob := c.OmegaM*c.H*c.H, c.OmegaB*c.H*c.H
	fb := c.OmegaB / c.OmegaM
	fc := 1 - fb
	t4 := theta * theta * theta * theta
	zeq := 2.5e4 * om / t4
	keq := 7.46e-2 * om / (theta * theta)
	b1 := 0.313 * math.Pow(om, -0.419) * (1 + 0.607*math.Pow(om, 0.674))
	b2 := 0.238 * math.Pow(om, 0.223)
	zd := 1291 * math.Pow(om, 0.251) / (1 + 0.659*math.Pow(om, 0.828)) * (1 + b1*math.Pow(ob, b2))
	r := func(z float64) float64 { return 31.5 * ob / t4 * 1e3 / z }
	rd, req := r(zd), r(zeq)
	s := 2 / (3 * keq) * math.Sqrt(6/req) * math.Log((math.Sqrt(1+rd)+math.Sqrt(rd+req))/(1+math.Sqrt(req)))
	silk := 1.6 * math.Pow(ob, 0.52) * math.Pow(om, 0.73) * (1 + math.Pow(10.4*om, -0.95))
	a1 := math.Pow(46.9*om, 0.670) * (1 + math.Pow(32.1*om, -0.532))
	a2 := math.Pow(12.0*om, 0.424) * (1 + math.Pow(45.0*om, -0.582))
	alphaC := math.Pow(a1, -fb) * math.Pow(a2, -fb*fb*fb)
	betaC := 1 / (1 + 0.944/(1+math.Pow(458*om, -0.708))*(math.Pow(fc, math.Pow(0.395*om, -0.0266))-1))
	y := (1 + zeq) / (1 + zd)
	root := math.Sqrt(1 + y)
	g := y * (-6*root + (2+3*y)*math.Log((root+1)/(root-1)))
	alphaB := 2.07 * keq * s * math.Pow(1+rd, -0.75) * g
	betaB := 0.5 + fb + (3-2*fb)*math.Sqrt(17.2*om*17.2*om+1)
	node := 8.41 * math.Pow(om, 0.435)

	shape := func(q, alpha, beta float64) float64 {
		l := math.Log(math.E + 1.8*beta*q)
		return l / (l + (14.2/alpha+386/(1+69.9*math.Pow(q, 1.08)))*q*q)
	}
	h := c.H
	return func(k float64) float64 {
		k *= h
		q, ks := k/(13.41*keq), k*s
		f := 1 / (1 + math.Pow(ks/5.4, 4))
		cdm := f*shape(q, 1, betaC) + (1-f)*shape(q, alphaC, betaC)
		arg := ks / math.Cbrt(1+math.Pow(node/ks, 3))
		j0 := 1.0
		if arg > 1e-6 {
			j0 = math.Sin(arg) / arg
		}
		bar := shape(q, 1, 1)/(1+ks*ks/(5.2*5.2)) + alphaB/(1+math.Pow(betaB/ks, 3))*math.Exp(-math.Pow(k/silk, 1.4))
		return fb*bar*j0 + fc*cdm
	}
}
