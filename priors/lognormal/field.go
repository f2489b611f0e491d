package lognormal

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"

	"limpid/priors/gaussian"
)

// GaussianField is the Gaussian field behind a lognormal one.
type GaussianField struct {
	Power   []float64 // P_g at every mode (h, w/2+1), positive
	Sigma2  float64   // variance of a pixel, the mean of P_g over modes
	Clipped float64   // share of the variance in modes that came out negative
}

// relativeFloor is the least power of a mode over the mean: P_g has an inverse.
const relativeFloor = 1e-7

// FieldPower is P_g = F[ln(1 + ξ_κ/λ²)] for the power of κ at the modes (h, w/2+1) of a
// periodic grid (Xavier, Abdalla & Joachimi 2016, eq. 9 and 10).
func FieldPower(power []float64, h, w int, shift float64) (GaussianField, error) {
	if !(shift > 0) || math.IsInf(shift, 0) {
		return GaussianField{}, fmt.Errorf("shift %g: it must be positive", shift)
	}
	xi := inverse(power, h, w)
	for i, v := range xi {
		r := 1 + v/(shift*shift)
		if !(r > 0) {
			return GaussianField{}, fmt.Errorf("the correlation %.3g at lag (%d, %d) pixels is below −λ² = %.3g: no lognormal field has this spectrum; use a larger shift", v, i/w, i%w, -shift*shift)
		}
		xi[i] = math.Log(r)
	}
	g := GaussianField{Power: forward(xi, h, w)}
	var sum, lost float64
	weight := func(i int) float64 { return gaussian.ModeWeight(i%(w/2+1), w) }
	for i, v := range g.Power {
		sum += weight(i) * math.Abs(v)
		lost += weight(i) * max(-v, 0)
	}
	least := relativeFloor * sum / float64(h*w)
	for i, v := range g.Power {
		g.Power[i] = max(v, least)
		g.Sigma2 += weight(i) * g.Power[i]
	}
	g.Sigma2 /= float64(h * w)
	g.Clipped = lost / sum
	return g, nil
}

// inverse is the correlation function (h × w) of a power at modes (h, w/2+1).
func inverse(power []float64, h, w int) []float64 {
	half := w/2 + 1
	cols, rows := fourier.NewCmplxFFT(h), fourier.NewFFT(w)
	spec, col := make([]complex128, h*half), make([]complex128, h)
	for i := range half {
		for y := range h {
			col[y] = complex(power[y*half+i], 0)
		}
		cols.Sequence(col, col)
		for y := range h {
			spec[y*half+i] = col[y]
		}
	}
	out := make([]float64, h*w)
	for y := range h {
		rows.Sequence(out[y*w:(y+1)*w], spec[y*half:(y+1)*half])
	}
	for i := range out {
		out[i] /= float64(h * w)
	}
	return out
}

// forward is the transform of a symmetric function, which is real.
func forward(x []float64, h, w int) []float64 {
	half := w/2 + 1
	cols, rows := fourier.NewCmplxFFT(h), fourier.NewFFT(w)
	spec, col := make([]complex128, h*half), make([]complex128, h)
	for y := range h {
		rows.Coefficients(spec[y*half:(y+1)*half], x[y*w:(y+1)*w])
	}
	out := make([]float64, h*half)
	for i := range half {
		for y := range h {
			col[y] = spec[y*half+i]
		}
		cols.Coefficients(col, col)
		for y := range h {
			out[y*half+i] = real(col[y])
		}
	}
	return out
}
