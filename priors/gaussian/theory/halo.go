package theory

import "math"

// Halo is a dark-matter halo with the profile of Navarro, Frenk & White (1997).
type Halo struct {
	Mass          float64 // Msun/h, within the radius of 200 × the reference density
	Concentration float64 // that radius over the scale radius
	Z             float64
	Mean          bool // the reference is the mean density of matter, else the critical one
}

// Radius is the radius of 200 × the reference density, physical, in Mpc/h.
func (c Cosmology) Radius(h Halo) float64 {
	rho := CriticalDensity * math.Pow(c.E(h.Z), 2)
	if h.Mean {
		rho = CriticalDensity * c.OmegaM * math.Pow(1+h.Z, 3)
	}
	return math.Cbrt(3 * h.Mass / (4 * math.Pi * 200 * rho))
}

// fourPiGOverC2 is 4πG/c² in Mpc/Msun.
const fourPiGOverC2 = 6.01344e-19

// Profile is the convergence of a halo as a function of the angle from its centre.
type Profile struct {
	Scale  float64 // angle of the scale radius, arcmin
	Height float64 // 2 ρ_s r_s / Σ_cr
	C      float64 // concentration
	// Truncated cuts the halo off at its radius, in three dimensions: its mass is then
	// Mass. Otherwise it goes on for ever, as fits to shear assume.
	Truncated bool
}

// Lens is the profile of a halo before sources with the lensing efficiency q (see
// Efficiency) at its redshift.
func (c Cosmology) Lens(h Halo, q float64) Profile {
	rs := c.Radius(h) / h.Concentration
	rho := h.Mass / (4 * math.Pi * rs * rs * rs * (math.Log1p(h.Concentration) - h.Concentration/(1+h.Concentration)))
	dl := c.Distance(h.Z) / (1 + h.Z)
	return Profile{
		Scale:  rs / dl * 180 / math.Pi * 60,
		Height: 2 * rho * rs * fourPiGOverC2 * dl * q,
		C:      h.Concentration,
	}
}

// Kappa is the convergence at the angle theta, in arcmin: Wright & Brainerd (2000), eq.
// 11, or truncated Takada & Jain (2003, MNRAS 340, 580), eq. 27. It rises like ln θ to
// the centre: theta 0 is infinite.
func (p Profile) Kappa(theta float64) float64 {
	x := theta / p.Scale
	if p.Truncated {
		return p.Height * truncated(x, p.C)
	}
	return p.Height * untruncated(x)
}

// nearOne is where the formulas lose digits and their common limit is used.
const nearOne = 1e-4

func untruncated(x float64) float64 {
	switch d := x*x - 1; {
	case math.Abs(d) < nearOne:
		return 1.0/3 - 0.2*d // its expansion
	case d < 0:
		s := math.Sqrt(-d)
		return (1 - math.Acosh(1/x)/s) / d
	default:
		s := math.Sqrt(d)
		return (1 - math.Acos(1/x)/s) / d
	}
}

func truncated(x, c float64) float64 {
	if x >= c {
		return 0
	}
	d := x*x - 1
	if math.Abs(d) < nearOne && c > 1+2*nearOne { // between points on either side
		t := (x - 1 + nearOne) / (2 * nearOne)
		return (1-t)*truncated(1-nearOne, c) + t*truncated(1+nearOne, c)
	}
	root := math.Sqrt(c*c-x*x) / (d * (1 + c))
	arg := (x*x + c) / (x * (1 + c))
	if d < 0 {
		return root + math.Acosh(arg)/math.Pow(-d, 1.5)
	}
	return root - math.Acos(min(arg, 1))/math.Pow(d, 1.5)
}

// Concentration is the mean relation of Duffy+2008 for the mean-density radius.
func Concentration(m, z float64) float64 {
	return 10.14 * math.Pow(m/2e12, -0.081) * math.Pow(1+z, -1.01)
}

// MassFunction prepares dn/d ln m at z: haloes of mass m (Msun/h, within 200 × the mean
// density) per comoving (Mpc/h)³, by Tinker+2008 (ApJ 688, 709), table 2 and eq. 2–8.
func (p *Power) MassFunction(z float64) func(m float64) float64 {
	growth := p.Growth(z)
	norm := 0.186 * math.Pow(1+z, -0.14)
	a := 1.47 * math.Pow(1+z, -0.06)
	alpha := math.Pow(10, -math.Pow(0.75/math.Log10(200.0/75), 1.2))
	b := 2.57 * math.Pow(1+z, -alpha)
	const c = 1.19
	rho := CriticalDensity * p.OmegaM
	return func(m float64) float64 {
		const step = 0.05
		s := growth * p.SigmaM(m)
		slope := math.Log(p.SigmaM(m*math.Exp(-step))/p.SigmaM(m*math.Exp(step))) / (2 * step)
		f := norm * (math.Pow(s/b, -a) + 1) * math.Exp(-c/(s*s))
		return f * rho / m * slope
	}
}
