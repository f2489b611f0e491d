package sims

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"gonum.org/v1/gonum/dsp/fourier"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/gaussian/theory"
	"limpid/priors/lognormal"
)

// Kappa simulates convergence maps on a torus: a lognormal field (Xavier, Abdalla &
// Joachimi 2016)
//
//	κ = λ (e^(g − σg²/2) − 1),  P_g = F[ln(1 + ξ/λ²)]
//
// with, if asked for, NFW haloes strewn at random by the mass function. The haloes'
// own power is taken from the field's, so that the sum has the spectrum asked for.
// It may be used by several goroutines at once.
type Kappa struct {
	Config KappaConfig

	total gaussian.Spectrum // of the maps
	field gaussian.Spectrum // of the lognormal part
	halos *haloField

	mu    sync.Mutex
	sides map[int]lognormal.GaussianField
}

// KappaConfig is what a simulator of convergence maps is made from.
type KappaConfig struct {
	Arcmin float64 `json:"arcmin"` // side of a pixel
	Shift  float64 `json:"shift"`  // λ
	// Sources are galaxies of Smail's n(z) ∝ z^A exp(−(z/Z0)^B).
	A  float64 `json:"a"`
	B  float64 `json:"b"`
	Z0 float64 `json:"z0"`
	// MinHalo, in Msun/h, is the least halo added; 0: none.
	MinHalo float64 `json:"min_halo"`
}

// COSMOS are pixels of 0.29′ and sources like those of HST's COSMOS field (median
// redshift 1.3): the power spectrum agrees within 15 % with that of ray-traced maps
// of hydrodynamic simulations for it between .01 and .4 cycles per pixel.
func COSMOS() KappaConfig {
	return KappaConfig{Arcmin: 0.29, Shift: 0.0487, A: 2, B: 1.5, Z0: 0.9, MinHalo: 3e13}
}

// NewKappa computes the spectra.
func NewKappa(c KappaConfig) (*Kappa, error) {
	if !(c.Shift > 0) || math.IsInf(c.Shift, 0) || c.MinHalo < 0 || math.IsNaN(c.MinHalo) {
		return nil, fmt.Errorf("sims: convergence maps with shift %g and haloes from %g: the shift must be positive, the mass not negative", c.Shift, c.MinHalo)
	}
	p, err := theory.NewPower(theory.Planck2015())
	if err != nil {
		return nil, fmt.Errorf("sims: %w", err)
	}
	sources, err := theory.Smail(c.A, c.B, c.Z0)
	if err != nil {
		return nil, fmt.Errorf("sims: %w", err)
	}
	k := &Kappa{Config: c, sides: map[int]lognormal.GaussianField{}}
	if k.total, err = theory.NewKappa(p, sources, false).Spectrum(c.Arcmin, true); err != nil {
		return nil, fmt.Errorf("sims: %w", err)
	}
	k.field = k.total
	if c.MinHalo > 0 {
		k.halos = newHaloField(p, sources, c.Arcmin, c.MinHalo)
		if k.field, err = k.halos.without(k.total); err != nil {
			return nil, fmt.Errorf("sims: %w", err)
		}
	}
	return k, nil
}

// Spectrum is the power of the maps.
func (k *Kappa) Spectrum() gaussian.Spectrum { return k.total }

// About says what is simulated.
func (k *Kappa) About() string {
	s := fmt.Sprintf("convergence maps of %.2f′ pixels, lognormal with shift %g", k.Config.Arcmin, k.Config.Shift)
	if k.halos != nil {
		s += fmt.Sprintf(" and NFW haloes from %.0e Msun/h", k.Config.MinHalo)
	}
	return s
}

// generator is the Gaussian field behind maps of a side.
func (k *Kappa) generator(side int) lognormal.GaussianField {
	k.mu.Lock()
	defer k.mu.Unlock()
	g, ok := k.sides[side]
	if !ok {
		var err error
		if g, err = lognormal.FieldPower(k.field.OnGrid(side, side), side, side, k.Config.Shift); err != nil {
			panic(fmt.Sprintf("sims: a torus of %d pixels: %v", side, err)) // NewKappa's spectra are smooth
		}
		k.sides[side] = g
	}
	return g
}

// Patch fills dst with the map of a key.
func (k *Kappa) Patch(dst []float32, side int, key engine.Key) {
	rng := Rand(key)
	f := k.generator(side)
	g := gaussianField(f.Power, side, rng)
	for i, v := range g {
		g[i] = k.Config.Shift * math.Expm1(v-f.Sigma2/2)
	}
	if k.halos != nil {
		k.halos.add(g, side, rng)
	}
	for i, v := range g {
		dst[i] = float32(v)
	}
}

// gaussianField draws a field of power (side, side/2+1) on the torus.
func gaussianField(power []float64, side int, rng *rand.Rand) []float64 {
	half := side/2 + 1
	cols, rows := fourier.NewCmplxFFT(side), fourier.NewFFT(side)
	x := make([]float64, side*side)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	spec, col := make([]complex128, side*half), make([]complex128, side)
	for y := range side {
		rows.Coefficients(spec[y*half:(y+1)*half], x[y*side:(y+1)*side])
	}
	norm := 1 / float64(side*side)
	for i := range half {
		for y := range side {
			col[y] = spec[y*half+i]
		}
		cols.Coefficients(col, col)
		for y := range side {
			col[y] *= complex(math.Sqrt(power[y*half+i])*norm, 0)
		}
		cols.Sequence(col, col)
		for y := range side {
			spec[y*half+i] = col[y]
		}
	}
	for y := range side {
		rows.Sequence(x[y*side:(y+1)*side], spec[y*half:(y+1)*half])
	}
	return x
}
