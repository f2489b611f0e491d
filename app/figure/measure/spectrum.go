package measure

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"

	"limpid/app/figure"
)

// Power is an azimuthally averaged power spectrum: P(k) = <|x̂(k)|²>/Σw² with k in
// cycles per pixel and a Hann window w. A white field of variance v has P = v.
type Power struct {
	K, P []float64
	N    []int // modes averaged
}

// maxSpectrum is the side beyond which the middle of a plane is used.
const maxSpectrum = 1024

// Spectrum measures the power spectrum of the middle of a plane (at most 1024² of
// it); the mean is taken off, and values that are not finite become the mean.
func Spectrum(p figure.Plane) Power {
	w, h := min(p.W, maxSpectrum), min(p.H, maxSpectrum)
	if w < 8 || h < 8 {
		return Power{}
	}
	x0, y0 := (p.W-w)/2, (p.H-h)/2
	field, norm := windowed(p, x0, y0, w, h)
	half := w/2 + 1
	rows := fourier.NewFFT(w)
	modes := make([]complex128, half*h)
	for j := range h {
		rows.Coefficients(modes[j*half:(j+1)*half], field[j*w:(j+1)*w])
	}
	cols := fourier.NewCmplxFFT(h)
	line, out := make([]complex128, h), make([]complex128, h)
	n := min(w, h) / 2
	sum, count := make([]float64, n+1), make([]int, n+1)
	ksum := make([]float64, n+1)
	for i := range half {
		for j := range h {
			line[j] = modes[j*half+i]
		}
		cols.Coefficients(out, line)
		for j, c := range out {
			ky := float64(j) / float64(h)
			if ky > 0.5 {
				ky--
			}
			k := math.Hypot(float64(i)/float64(w), ky)
			b := int(k*float64(2*n) + 0.5)
			if b < 1 || b > n || k > 0.5 {
				continue
			}
			sum[b] += (real(c)*real(c) + imag(c)*imag(c)) / norm
			ksum[b] += k
			count[b]++
		}
	}
	return collect(sum, ksum, count)
}

func collect(sum, ksum []float64, count []int) Power {
	var out Power
	for b, c := range count {
		if c > 0 {
			out.K = append(out.K, ksum[b]/float64(c))
			out.P = append(out.P, sum[b]/float64(c))
			out.N = append(out.N, c)
		}
	}
	return out
}

// windowed is the part of the plane less its mean times a Hann window, and the sum
// of the window's squares.
func windowed(p figure.Plane, x0, y0, w, h int) (field []float64, norm float64) {
	var mean float64
	n := 0
	for j := range h {
		for i := range w {
			if v := float64(p.Data[(y0+j)*p.W+x0+i]); finite(v) {
				mean += v
				n++
			}
		}
	}
	mean /= float64(max(1, n))
	hann := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			s := math.Sin(math.Pi * (float64(i) + 0.5) / float64(n))
			out[i] = s * s
		}
		return out
	}
	wx, wy := hann(w), hann(h)
	field = make([]float64, w*h)
	for j := range h {
		for i := range w {
			k := wx[i] * wy[j]
			norm += k * k
			if v := float64(p.Data[(y0+j)*p.W+x0+i]); finite(v) {
				field[j*w+i] = (v - mean) * k
			}
		}
	}
	return field, norm
}
