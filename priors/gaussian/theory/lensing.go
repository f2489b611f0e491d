package theory

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"

	"limpid/priors/gaussian"
)

// Sources is the redshift distribution n(z) of the galaxies whose shear is measured.
type Sources struct {
	z, n []float64 // normalised; one point: all at that redshift
}

// Mean is the mean redshift.
func (s Sources) Mean() float64 {
	if len(s.z) == 1 {
		return s.z[0]
	}
	var zn, n float64
	for i := 1; i < len(s.z); i++ {
		w := (s.n[i] + s.n[i-1]) / 2 * (s.z[i] - s.z[i-1])
		zn, n = zn+w*(s.z[i]+s.z[i-1])/2, n+w
	}
	return zn / n
}

// SinglePlane puts all sources at z.
func SinglePlane(z float64) (Sources, error) { return NewSources([]float64{z}, []float64{1}) }

// Smail is n(z) ∝ z^a exp(−(z/z0)^b) (Smail, Ellis & Fitchett 1994).
func Smail(a, b, z0 float64) (Sources, error) {
	if !(a > 0 && b > 0 && z0 > 0) {
		return Sources{}, fmt.Errorf("theory: n(z) with a = %g, b = %g, z0 = %g: all must be positive", a, b, z0)
	}
	top := z0 * math.Pow(20, 1/b)
	var z, n []float64
	for i := range 201 {
		x := top * float64(i) / 200
		z, n = append(z, x), append(n, math.Pow(x, a)*math.Exp(-math.Pow(x/z0, b)))
	}
	return NewSources(z, n)
}

// NewSources is n(z) through points of ascending z, in any normalisation.
func NewSources(z, n []float64) (Sources, error) {
	if len(z) == 0 || len(z) != len(n) {
		return Sources{}, fmt.Errorf("theory: n(z) with %d redshifts and %d values", len(z), len(n))
	}
	for i := range z {
		if !(z[i] >= 0) || !(n[i] >= 0) || z[i] > 20 || math.IsInf(n[i], 0) {
			return Sources{}, fmt.Errorf("theory: point %d of n(z) is (%g, %g): redshifts from 0 to 20, values not negative", i, z[i], n[i])
		}
		if i > 0 && z[i] <= z[i-1] {
			return Sources{}, fmt.Errorf("theory: redshift %g of n(z) follows %g: they must ascend", z[i], z[i-1])
		}
	}
	s := Sources{z: append([]float64(nil), z...), n: append([]float64(nil), n...)}
	total := 1.0
	if len(z) > 1 {
		total = s.integral(func(float64) float64 { return 1 }, 0)
	} else if z[0] == 0 {
		total = 0
	}
	if !(total > 0) {
		return Sources{}, fmt.Errorf("theory: n(z) is zero everywhere, or at z = 0 alone")
	}
	if len(z) > 1 {
		for i := range s.n {
			s.n[i] /= total
		}
	}
	return s, nil
}

// Max is the largest redshift with sources.
func (s Sources) Max() float64 { return s.z[len(s.z)-1] }

// integral is ∫ n(z) f(z) dz over z > from, by two-point Gauss–Legendre per segment.
func (s Sources) integral(f func(z float64) float64, from float64) float64 {
	if len(s.z) == 1 {
		if s.z[0] <= from {
			return 0
		}
		return f(s.z[0])
	}
	t := table{s.z, s.n}
	var sum float64
	for i := 1; i < len(s.z); i++ {
		lo, hi := max(s.z[i-1], from), s.z[i]
		if hi <= lo {
			continue
		}
		mid, half := (lo+hi)/2, (hi-lo)/2
		for _, g := range []float64{-1, 1} {
			z := mid + g*half/math.Sqrt(3)
			sum += half * t.at(z) * f(z)
		}
	}
	return sum
}

// Efficiency is q(z) = ∫ n(z′) (1 − χ/χ′) dz′ over z′ > z: how much a mass at z bends
// the light of the sources, relative to the best there is.
func (c Cosmology) Efficiency(s Sources) func(z float64) float64 {
	// distances to the nodes of n(z) once; between them χ is smooth
	const steps = 400
	var t table
	for i := range steps + 1 {
		z := s.Max() * float64(i) / steps
		t.x, t.y = append(t.x, z), append(t.y, c.Distance(z))
	}
	return func(z float64) float64 {
		chi := c.Distance(z)
		return s.integral(func(zs float64) float64 { return max(0, 1-chi/t.at(zs)) }, z)
	}
}

// Kappa is the angular power spectrum C_ℓ of the convergence,
//
//	C_ℓ = (9/4) Ωm² (H0/c)⁴ ∫ dχ [(1+z) q]² P((ℓ+½)/χ, z),
//
// by the approximation of Limber (1953) in its second-order form (LoVerde & Afshordi
// 2008), in steradian.
type Kappa struct {
	z, chi, kernel []float64 // at the nodes of the integral, with its weights
	power          []func(k float64) float64
}

// kernelNodes is the number of redshifts of the integral.
const kernelNodes = 80

// NewKappa prepares the integral. Linear leaves halofit out.
func NewKappa(p *Power, s Sources, linear bool) *Kappa {
	k := &Kappa{}
	x, w := make([]float64, kernelNodes), make([]float64, kernelNodes)
	// in √z, since nearby mass matters at high ℓ
	quad.Legendre{}.FixedLocations(x, w, 0, math.Sqrt(s.Max()))
	q := p.Efficiency(s)
	front := 2.25 * p.OmegaM * p.OmegaM / math.Pow(HubbleDistance, 4)
	for i, r := range x {
		z := r * r
		dchi := 2 * r * HubbleDistance / p.E(z)
		g := (1 + z) * q(z)
		k.z = append(k.z, z)
		k.chi = append(k.chi, p.Distance(z))
		k.kernel = append(k.kernel, w[i]*dchi*front*g*g)
		if linear {
			growth := p.Growth(z)
			k.power = append(k.power, func(k float64) float64 { return growth * growth * p.today(math.Log(k)) })
			continue
		}
		k.power = append(k.power, p.At(z))
	}
	return k
}

// C is C_ℓ.
func (k *Kappa) C(ell float64) float64 {
	var sum float64
	for i, chi := range k.chi {
		sum += k.kernel[i] * k.power[i]((ell+0.5)/chi)
	}
	return sum
}

// Spectrum is the power of maps with square pixels of the given side, in arcmin, in the
// units of gaussian.Spectrum: P(k) = C_ℓ/Ω, Ω the solid angle of a pixel and
// ℓ = 2πk/side. With average, the maps are means over pixels, which the square of the
// pixel's transform, averaged over direction, takes from the power; without, they are
// samples at the pixels' centres.
func (k *Kappa) Spectrum(arcmin float64, average bool) (gaussian.Spectrum, error) {
	if !(arcmin > 0 && arcmin < 60) {
		return gaussian.Spectrum{}, fmt.Errorf("theory: pixels of %g arcmin: more than 0 and less than 60 are possible", arcmin)
	}
	side := arcmin / 60 * math.Pi / 180
	var ks, ps []float64
	for lk := math.Log(1.0 / 8192); lk < 0; lk += 0.15 {
		f := math.Exp(lk)
		v := k.C(2*math.Pi*f/side) / (side * side)
		if average {
			v *= pixelWindow2(f)
		}
		ks, ps = append(ks, f), append(ps, v)
	}
	return gaussian.NewSpectrum(ks, ps)
}

// pixelWindow2 is sinc²(kx) sinc²(ky) averaged over the direction of k.
func pixelWindow2(k float64) float64 {
	sinc2 := func(x float64) float64 {
		x *= math.Pi
		if x < 1e-4 {
			return 1 - x*x/3
		}
		return math.Sin(x) * math.Sin(x) / (x * x)
	}
	const n = 16
	var sum float64
	for i := range n {
		a := (float64(i) + 0.5) / n * math.Pi / 4
		sum += sinc2(k*math.Cos(a)) * sinc2(k*math.Sin(a))
	}
	return sum / n
}
