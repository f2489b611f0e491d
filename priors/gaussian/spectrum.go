// Package gaussian is the Gaussian prior with an isotropic power spectrum per
// band: the prior of the Wiener filter, exact to sample from and to condition.
package gaussian

import (
	"fmt"
	"math"
	"sort"
)

// Spectrum is an isotropic power spectrum P(k), piecewise linear in log–log, k
// in cycles per pixel. P is in (data unit)², normalised so that a white field of
// unit variance has P = 1: for a scene x of N pixels, E|x̂(k)|² = N P(k) with the
// unnormalised transform, and the variance of a pixel is the mean of P over modes.
type Spectrum struct {
	LogK []float64 `json:"log_k"` // ascending
	LogP []float64 `json:"log_p"`
}

// NewSpectrum makes a spectrum through the points (k, p), all positive.
func NewSpectrum(k, p []float64) (Spectrum, error) {
	if len(k) != len(p) || len(k) < 1 {
		return Spectrum{}, fmt.Errorf("gaussian: %d wavenumbers for %d powers", len(k), len(p))
	}
	idx := make([]int, len(k))
	for i := range idx {
		idx[i] = i
	}
	sort.Slice(idx, func(a, b int) bool { return k[idx[a]] < k[idx[b]] })
	var s Spectrum
	for n, i := range idx {
		if !(k[i] > 0) || !(p[i] > 0) || math.IsInf(k[i], 0) || math.IsInf(p[i], 0) {
			return Spectrum{}, fmt.Errorf("gaussian: point %d of the spectrum is (%g, %g): both must be positive and finite", i, k[i], p[i])
		}
		if n > 0 && k[i] == k[idx[n-1]] {
			return Spectrum{}, fmt.Errorf("gaussian: wavenumber %g appears twice", k[i])
		}
		s.LogK = append(s.LogK, math.Log(k[i]))
		s.LogP = append(s.LogP, math.Log(p[i]))
	}
	return s, nil
}

// PowerLaw is P(k) = p0 (k/k0)^-slope.
func PowerLaw(p0, k0, slope float64) Spectrum {
	return Spectrum{
		LogK: []float64{math.Log(k0), math.Log(k0) + 1},
		LogP: []float64{math.Log(p0), math.Log(p0) - slope},
	}
}

// At is P(k); beyond the points it goes on with the slope of the last two.
func (s Spectrum) At(k float64) float64 {
	lk := math.Log(k)
	i, t := s.Locate(lk)
	if len(s.LogK) == 1 {
		return math.Exp(s.LogP[0])
	}
	return math.Exp(s.LogP[i] + t*(s.LogP[i+1]-s.LogP[i]))
}

// Locate finds the segment [i, i+1] that gives P at log k and the position t on
// it; t is outside [0, 1] beyond the points.
func (s Spectrum) Locate(lk float64) (i int, t float64) {
	n := len(s.LogK)
	if n == 1 {
		return 0, 0
	}
	i = sort.SearchFloat64s(s.LogK, lk) - 1
	i = min(max(i, 0), n-2)
	return i, (lk - s.LogK[i]) / (s.LogK[i+1] - s.LogK[i])
}

// OnGrid is P at every mode of a real transform of h × w pixels: (h, w/2+1). The
// mean of the scene (k = 0) has the power of half the lowest wavenumber: it is
// nearly free, so that the flux is set by the data.
func (s Spectrum) OnGrid(h, w int) []float64 {
	kMin := 0.5 / float64(max(h, w))
	out := make([]float64, h*(w/2+1))
	for y := range h {
		ky := Frequency(y, h)
		for x := range w/2 + 1 {
			kx := float64(x) / float64(w)
			out[y*(w/2+1)+x] = s.At(max(math.Hypot(kx, ky), kMin))
		}
	}
	return out
}

// Frequency is the signed frequency, in cycles per pixel, of row y of a
// transform of length n.
func Frequency(y, n int) float64 {
	if 2*y > n {
		y -= n
	}
	return float64(y) / float64(n)
}

// Variance is the variance of one pixel on a grid of h × w.
func (s Spectrum) Variance(h, w int) float64 {
	p := s.OnGrid(h, w)
	var sum float64
	for y := range h {
		for x := range w/2 + 1 {
			sum += ModeWeight(x, w) * p[y*(w/2+1)+x]
		}
	}
	return sum / float64(h*w)
}

// ModeWeight is how many modes of the full plane column x of a half plane
// stands for: 1 in the columns that are their own mirror, else 2.
func ModeWeight(x, w int) float64 {
	if x == 0 || 2*x == w {
		return 1
	}
	return 2
}
