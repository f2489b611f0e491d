package gaussian

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Bin is a ring of modes and the mean of their power.
type Bin struct {
	K     float64 // geometric mean wavenumber of its modes, cycles per pixel
	Power float64 // mean of |x̂|²/N, N pixels
	Modes int     // of the full plane
}

// Periodogram averages |x̂(k)|²/N of maps (h × w, row-major) over rings of log k,
// perOctave of them per factor of 2, from the lowest mode to the Nyquist frequency of
// the shorter axis; the mean (k = 0) is left out. taper is the share of each side over
// which the maps, their mean subtracted, are faded to 0: 0 for periodic maps, about 0.1
// for cut-outs, whose opposite borders do not fit together. The loss of power by the
// taper is made up for.
func Periodogram(maps [][]float64, h, w, perOctave int, taper float64) ([]Bin, error) {
	if len(maps) == 0 || h < 4 || w < 4 || perOctave < 1 || !(taper >= 0 && taper <= 0.5) {
		return nil, fmt.Errorf("gaussian: periodogram of %d maps of %d×%d, %d rings per octave, taper %g", len(maps), h, w, perOctave, taper)
	}
	window, norm := taperWindow(h, w, taper)
	lo := 1 / float64(max(h, w))
	ring := func(k float64) int { return int(math.Floor(math.Log2(k/lo)*float64(perOctave) + 0.5)) }
	bins := make([]Bin, ring(0.5)+1)
	rows := fourier.NewFFT(w)
	cols := fourier.NewCmplxFFT(h)
	spec := make([]complex128, h*(w/2+1))
	for m, x := range maps {
		if len(x) != h*w {
			return nil, fmt.Errorf("gaussian: map %d has %d pixels, want %d×%d", m, len(x), h, w)
		}
		if err := realFFT2(spec, x, window, rows, cols, h, w); err != nil {
			return nil, fmt.Errorf("gaussian: map %d: %w", m, err)
		}
		for y := range h {
			for xx := range w/2 + 1 {
				k := math.Hypot(Frequency(y, h), float64(xx)/float64(w))
				if k == 0 || k > 0.5 {
					continue
				}
				b := &bins[ring(k)]
				c := spec[y*(w/2+1)+xx]
				n := ModeWeight(xx, w)
				b.Power += n * (real(c)*real(c) + imag(c)*imag(c)) * norm
				b.K += n * math.Log(k)
				b.Modes += int(n)
			}
		}
	}
	out := bins[:0]
	for _, b := range bins {
		if b.Modes > 0 {
			b.Power /= float64(b.Modes)
			b.K = math.Exp(b.K / float64(b.Modes))
			b.Modes /= len(maps)
			out = append(out, b)
		}
	}
	return out, nil
}

// Estimate is the spectrum through a Periodogram with two rings per octave.
func Estimate(maps [][]float64, h, w int, taper float64) (Spectrum, error) {
	bins, err := Periodogram(maps, h, w, 2, taper)
	if err != nil {
		return Spectrum{}, err
	}
	var k, p []float64
	for _, b := range bins {
		if b.Power > 0 {
			k, p = append(k, b.K), append(p, b.Power)
		}
	}
	if len(k) == 0 {
		return Spectrum{}, fmt.Errorf("gaussian: the maps are constant: no spectrum")
	}
	return NewSpectrum(k, p)
}

// taperWindow is a cosine edge and the factor that makes up for it.
func taperWindow(h, w int, taper float64) (window []float64, norm float64) {
	edge := func(i, n int) float64 {
		d := math.Min(float64(i)+0.5, float64(n-i)-0.5)
		if width := taper * float64(n); d < width {
			return 0.5 - 0.5*math.Cos(math.Pi*d/width)
		}
		return 1
	}
	window = make([]float64, h*w)
	var sum float64
	for i := range window {
		window[i] = edge(i/w, h) * edge(i%w, w)
		sum += window[i] * window[i]
	}
	return window, 1 / sum
}

// realFFT2 transforms (x − mean) · window.
func realFFT2(spec []complex128, x, window []float64, rows *fourier.FFT, cols *fourier.CmplxFFT, h, w int) error {
	var mean, sum float64
	for i, v := range x {
		mean += v * window[i]
		sum += window[i]
	}
	mean /= sum
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return fmt.Errorf("it holds values that are not numbers")
	}
	half := w/2 + 1
	row := make([]float64, w)
	for y := range h {
		for i := range row {
			row[i] = (x[y*w+i] - mean) * window[y*w+i]
		}
		rows.Coefficients(spec[y*half:(y+1)*half], row)
	}
	col := make([]complex128, h)
	for i := range half {
		for y := range h {
			col[y] = spec[y*half+i]
		}
		cols.Coefficients(col, col)
		for y := range h {
			spec[y*half+i] = col[y]
		}
	}
	return nil
}
