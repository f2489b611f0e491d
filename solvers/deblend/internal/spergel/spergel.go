// Package spergel holds the numbers of the profile (x/2)^ν K_ν(x) (Spergel 2010).
package spergel

import (
	"math"
	"sync"
)

// Limits of τ: ν from −.83 to 6. Beyond them the profile no longer changes within
// any noise.
const (
	TauLow, TauHigh = -1.8, 1.95
	tauSteps        = 64
)

var halfLight = sync.OnceValue(func() (t [tauSteps + 1]float64) {
	for i := range t {
		tau := TauLow + (TauHigh-TauLow)*float64(i)/tauSteps
		t[i] = math.Log(HalfLightRadius(math.Exp(tau) - 1))
	}
	return t
})

// HalfLightRadius solves (1+ν) f_{1+ν}(c) = ¼ for the half-light radius c of the
// profile (x/2)^ν K_ν(x)/Γ(ν+1) (Spergel 2010, eq. 4).
func HalfLightRadius(nu float64) float64 {
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

// Enclosed is the share of the light of a profile within x half-light radii:
// 1 − 2(1+ν) f_{1+ν} (Spergel 2010, eq. 4).
func Enclosed(nu, x float64) float64 {
	if x <= 0 {
		return 0
	}
	return 1 - 2*(1+nu)*spergelF(1+nu, x*HalfLightRadius(nu))
}

// LnHalfLight is ln c(τ) and its derivative.
func LnHalfLight(tau float64) (v, d float64) {
	table := halfLight()
	const step = (TauHigh - TauLow) / tauSteps
	pos := (tau - TauLow) / step
	i := min(max(int(pos), 0), tauSteps-1)
	d = (table[i+1] - table[i]) / step
	return table[i] + d*(tau-TauLow-float64(i)*step), d
}
