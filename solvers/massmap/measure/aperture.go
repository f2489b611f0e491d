package measure

import (
	"fmt"
	"math"

	"limpid/solvers/massmap"
)

// ApertureFilter names the weight Q of an aperture mass.
type ApertureFilter string

// The filters, with x = θ/R and Q = 0 beyond x = 1. Schneider is 6/(πR²) x²(1 − x²)
// (Schneider 1996; Schneider+1998, eq. 3.12 for ℓ = 1). Schirmer follows the shear of an
// NFW halo (Schirmer+2007, eq. 7, x_c = 0.15), here normalised like Schneider's to
// ∫ Q d²θ = 1.
const (
	Schneider ApertureFilter = "schneider"
	Schirmer  ApertureFilter = "schirmer"
)

// Aperture is the aperture mass at every pixel.
type Aperture struct {
	Mass  []float32 // ∫ Q γ_t
	Cross []float32 // ∫ Q γ_×: no lensing signal
	Std   []float32 // noise of either
	// Filled is the share of the aperture's weight Q that has data.
	Filled []float32
}

// ApertureMass averages the tangential shear about every pixel,
//
//	M = Σ w Q γ_t / Σ w Q,  σ² = Σ w Q² / (Σ w Q)²,
//
// over the pixels of the aperture, w their inverse variances: the filter's integral where
// all have data, and unbiased for a constant γ_t where some are masked. radius is in
// arcmin. 0 where nothing of the aperture has data.
func ApertureMass(f *massmap.Field, filter ApertureFilter, radius float64) (*Aperture, error) {
	r := radius / f.Arcmin
	if filter != Schneider && filter != Schirmer {
		return nil, fmt.Errorf("measure: aperture filter %q is not one of schneider, schirmer: %w", filter, massmap.ErrSetting)
	}
	if !(r >= 1.5) || r > float64(min(f.H, f.W))/2 {
		return nil, fmt.Errorf("measure: an aperture of %g′ is %.1f pixels: from 1.5 to half the map: %w", radius, r, massmap.ErrSetting)
	}
	k := apertureKernel(filter, r)
	n := f.H * f.W
	a := &Aperture{Mass: make([]float32, n), Cross: make([]float32, n), Std: make([]float32, n), Filled: make([]float32, n)}
	for y := range f.H {
		for x := range f.W {
			a.at(f, k, x, y)
		}
	}
	return a, nil
}

// tap is one pixel of an aperture.
type tap struct {
	dx, dy      int
	q, cos, sin float64
}

func apertureKernel(filter ApertureFilter, r float64) []tap {
	var k []tap
	m := int(r)
	for dy := -m; dy <= m; dy++ {
		for dx := -m; dx <= m; dx++ {
			d := math.Hypot(float64(dx), float64(dy))
			if d == 0 || d > r {
				continue
			}
			x := d / r
			q := x * x * (1 - x*x)
			if filter == Schirmer {
				q = math.Tanh(x/0.15) / (x / 0.15) / (1 + math.Exp(6-150*x) + math.Exp(-47+50*x))
			}
			phi := 2 * math.Atan2(float64(dy), float64(dx))
			k = append(k, tap{dx, dy, q, math.Cos(phi), math.Sin(phi)})
		}
	}
	return k
}

func (a *Aperture) at(f *massmap.Field, kernel []tap, x, y int) {
	n := f.H * f.W
	var tan, cross, norm, noise, full, have float64
	for _, t := range kernel {
		full += t.q
		i, j := x+t.dx, y+t.dy
		if i < 0 || j < 0 || i >= f.W || j >= f.H {
			continue
		}
		at := j*f.W + i
		w := float64(f.Weights.Pix[at]+f.Weights.Pix[n+at]) / 2
		if w == 0 {
			continue
		}
		g1, g2 := float64(f.Shear.Pix[at]), float64(f.Shear.Pix[n+at])
		wq := w * t.q
		tan -= wq * (g1*t.cos + g2*t.sin)
		cross += wq * (g1*t.sin - g2*t.cos)
		norm += wq
		noise += wq * t.q
		have += t.q
	}
	if norm == 0 {
		return
	}
	at := y*f.W + x
	a.Mass[at], a.Cross[at] = float32(tan/norm), float32(cross/norm)
	a.Std[at], a.Filled[at] = float32(math.Sqrt(noise)/norm), float32(have/full)
}
