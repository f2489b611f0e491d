package deblend

import (
	"math"
	"sync"
)

// theta is a shape as the optimiser sees it: position, ln R, τ = ln(1+ν), η.
type theta [6]float64

// Indices into theta.
const (
	iX = iota
	iY
	iLnR
	iTau
	iEta1
	iEta2
	nShape
)

func (t theta) shape() Shape {
	return Shape{X: t[iX], Y: t[iY], R: math.Exp(t[iLnR]), Nu: math.Exp(t[iTau]) - 1, Eta1: t[iEta1], Eta2: t[iEta2]}
}

// Limits of τ: ν from −.83 to 6. Beyond them the profile no longer changes within
// any noise.
const (
	tauLow, tauHigh = -1.8, 1.95
	tauSteps        = 64
)

var halfLight = sync.OnceValue(func() (t [tauSteps + 1]float64) {
	for i := range t {
		tau := tauLow + (tauHigh-tauLow)*float64(i)/tauSteps
		t[i] = math.Log(halfLightRadius(math.Exp(tau) - 1))
	}
	return t
})

// halfLightRadius solves (1+ν) f_{1+ν}(c) = ¼ for the half-light radius c of the
// profile (x/2)^ν K_ν(x)/Γ(ν+1) (Spergel 2010, eq. 4).
func halfLightRadius(nu float64) float64 {
	lo, hi := 1e-6, 20.0
	for range 60 {
		c := math.Sqrt(lo * hi)
		if (1+nu)*spergelF(1+nu, c) > 0.25 {
			lo = c
		} else {
			hi = c
		}
	}
	return math.Sqrt(lo * hi)
}

// spergelF is (x/2)^ν K_ν(x)/Γ(ν+1), K_ν = ∫₀^∞ exp(−x cosh t) cosh(νt) dt by the
// trapezium rule, which converges fast for this integrand.
func spergelF(nu, x float64) float64 {
	const step = 0.05
	sum := 0.5 * math.Exp(-x)
	for t := step; ; t += step {
		e := x * math.Cosh(t)
		if e-nu*t > 700 {
			break
		}
		sum += math.Exp(-e) * math.Cosh(nu*t)
	}
	return math.Pow(x/2, nu) * sum * step / math.Gamma(nu+1)
}

// enclosed is the share of the light of a profile within x half-light radii:
// 1 − 2(1+ν) f_{1+ν} (Spergel 2010, eq. 4).
func enclosed(nu, x float64) float64 {
	if x <= 0 {
		return 0
	}
	return 1 - 2*(1+nu)*spergelF(1+nu, x*halfLightRadius(nu))
}

// lnHalfLight is ln c(τ) and its derivative.
func lnHalfLight(tau float64) (v, d float64) {
	table := halfLight()
	const step = (tauHigh - tauLow) / tauSteps
	pos := (tau - tauLow) / step
	i := min(max(int(pos), 0), tauSteps-1)
	d = (table[i+1] - table[i]) / step
	return table[i] + d*(tau-tauLow-float64(i)*step), d
}

// element is one source in Fourier space: the profile's transform is real,
//
//	f(k) = (1 + (R/c)² kᵀA²k)^−(1+ν),  A² = exp(η),
//
// with η the symmetric traceless matrix (η1, η2; η2, −η1); the whole is f times
// the phase of its position.
type element struct {
	phase []complex128 // exp(−i k·x)
	f     []float64
	d     [4][]float64 // ∂f/∂(ln R, τ, η1, η2)
}

func newElement(n int, derivatives bool) *element {
	e := &element{phase: make([]complex128, n), f: make([]float64, n)}
	if derivatives {
		for i := range e.d {
			e.d[i] = make([]float64, n)
		}
	}
	return e
}

// set computes the element of a source at t, in grid coordinates.
func (e *element) set(p *problem, t theta, kind Kind, derivatives bool) {
	e.setPhase(p, t[iX]+float64(p.grid.Col), t[iY]+float64(p.grid.Row))
	if kind == Star {
		for i := range e.f {
			e.f[i] = 1
		}
		return
	}
	m := math.Exp(t[iTau])
	lnC, dC := lnHalfLight(t[iTau])
	s2 := math.Exp(2 * (t[iLnR] - lnC))
	eta := math.Hypot(t[iEta1], t[iEta2])
	ch, sh, dsh := math.Cosh(eta), 1+eta*eta/6, 1.0/3 // sinh η/η, and (cosh η/η − sinh η/η²)/η
	if eta > 1e-3 {
		sh = math.Sinh(eta) / eta
		dsh = (ch - sh) / (eta * eta)
	}
	for i, kx := range p.kx {
		ky := p.ky[i]
		sum, diff, cross := kx*kx+ky*ky, kx*kx-ky*ky, 2*kx*ky
		g := diff*t[iEta1] + cross*t[iEta2]
		u := s2 * (ch*sum + sh*g)
		l := math.Log1p(u)
		f := math.Exp(-m * l)
		e.f[i] = f
		if !derivatives {
			continue
		}
		q := -m * f / (1 + u) // ∂f/∂u
		e.d[0][i] = q * 2 * u
		e.d[1][i] = -m*l*f - q*2*u*dC
		e.d[2][i] = q * s2 * (sh*t[iEta1]*sum + dsh*t[iEta1]*g + sh*diff)
		e.d[3][i] = q * s2 * (sh*t[iEta2]*sum + dsh*t[iEta2]*g + sh*cross)
	}
}

// setPhase fills exp(−i(kx x + ky y)); rows of one ky follow each other.
func (e *element) setPhase(p *problem, x, y float64) {
	gc := p.grid.W/2 + 1
	col := make([]complex128, gc)
	for q := range col {
		s, c := math.Sincos(-2 * math.Pi * float64(q) / float64(p.grid.W) * x)
		col[q] = complex(c, s)
	}
	row, last := complex(1, 0), int32(-1)
	for i, m := range p.modes {
		if r := m / int32(gc); r != last {
			s, c := math.Sincos(-p.ky[i] * y)
			row, last = complex(c, s), r
		}
		e.phase[i] = row * col[m%int32(gc)]
	}
}
