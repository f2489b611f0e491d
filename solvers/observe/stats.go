// Package observe turns pixels into an Observation: it measures the sky and the
// noise, makes masks, builds or measures the PSF, and says what is doubtful.
package observe

import (
	"math"
	"slices"
)

// madToSigma turns a median absolute deviation into the σ of a Gaussian.
const madToSigma = 1.482602218505602

// Level is a robust location and scale of a set of pixels.
type Level struct {
	Median, Mean, Sigma float64 // of the pixels that survived the clipping
	Kept, Total         int
}

// Mode estimates the sky under sources: 2.5 median − 1.5 mean, or the median
// where the two differ by more than 0.3 σ (Bertin & Arnouts 1996, sec. 2).
func (l Level) Mode() float64 {
	if l.Sigma > 0 && math.Abs(l.Mean-l.Median) < 0.3*l.Sigma {
		return 2.5*l.Median - 1.5*l.Mean
	}
	return l.Median
}

// clipIterations bounds the rounds of ClippedLevel.
const clipIterations = 20

// ClippedLevel clips the values at ±kappa σ about their median until no more
// fall away, σ from the median absolute deviation. values is reordered.
func ClippedLevel(values []float64, kappa float64) Level {
	out := Level{Total: len(values)}
	if len(values) == 0 {
		return Level{Median: math.NaN(), Mean: math.NaN(), Sigma: math.NaN()}
	}
	slices.Sort(values)
	kept, scratch := values, make([]float64, len(values))
	for range clipIterations {
		out.Median = sortedMedian(kept)
		out.Sigma = mad(kept, out.Median, scratch) * madToSigma
		lo := lowerBound(kept, out.Median-kappa*out.Sigma)
		hi := len(kept)
		for hi > lo && kept[hi-1] > out.Median+kappa*out.Sigma {
			hi--
		}
		if hi-lo == len(kept) || hi == lo || out.Sigma == 0 {
			break
		}
		kept = kept[lo:hi]
	}
	var sum float64
	for _, v := range kept {
		sum += v
	}
	out.Mean, out.Kept = sum/float64(len(kept)), len(kept)
	return out
}

func lowerBound(sorted []float64, v float64) int {
	i, _ := slices.BinarySearch(sorted, v)
	return i
}

func sortedMedian(v []float64) float64 {
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return 0.5 * (v[n/2-1] + v[n/2])
}

// mad is the median absolute deviation of sorted values about centre.
func mad(sorted []float64, centre float64, scratch []float64) float64 {
	d := scratch[:len(sorted)]
	for i, v := range sorted {
		d[i] = math.Abs(v - centre)
	}
	slices.Sort(d)
	return sortedMedian(d)
}

// LaplacianNoise is the σ of white noise in a plane from its response to the
// kernel [1 −2 1; −2 4 −2; 1 −2 1], which smooth structure hardly excites
// (Immerkær 1996), by the median absolute deviation. Pixels whose neighbourhood
// is masked (weight 0) are left out; NaN with fewer than 16 left.
func LaplacianNoise(data, weights []float32, h, w int) float64 {
	var resp []float64
	step := stride(h * w)
	for y := 1; y+1 < h; y++ {
	next:
		for x := 1 + y%step; x+1 < w; x += step {
			var sum float64
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					i := (y+dy)*w + x + dx
					if !(weights[i] > 0) {
						continue next
					}
					sum += float64((3*dx*dx-2)*(3*dy*dy-2)) * float64(data[i])
				}
			}
			resp = append(resp, math.Abs(sum))
		}
	}
	if len(resp) < 16 {
		return math.NaN()
	}
	slices.Sort(resp)
	const norm = 6 // √(Σ kernel²)
	return sortedMedian(resp) * madToSigma / norm
}

// smooth convolves a plane with a Gaussian of the given σ in pixels, weighting
// by validity, so that masked pixels take their neighbours' mean.
func smooth(data, weights []float32, h, w int, sigma float64) []float64 {
	r := int(math.Ceil(3 * sigma))
	kernel := make([]float64, 2*r+1)
	for i := range kernel {
		d := float64(i - r)
		kernel[i] = math.Exp(-d * d / (2 * sigma * sigma))
	}
	num, den := make([]float64, h*w), make([]float64, h*w)
	for i, v := range data {
		if weights[i] > 0 {
			num[i], den[i] = float64(v), 1
		}
	}
	tmp := make([]float64, h*w)
	for _, plane := range [][]float64{num, den} {
		for y := range h {
			convolveRow(tmp[y*w:(y+1)*w], plane[y*w:(y+1)*w], kernel, r)
		}
		convolveColumns(plane, tmp, h, w, kernel, r)
	}
	for i := range num {
		if den[i] > 1e-12 {
			num[i] /= den[i]
		} else {
			num[i] = 0
		}
	}
	return num
}

func convolveRow(dst, src, kernel []float64, r int) {
	n := len(src)
	for i := range dst {
		lo, hi := max(0, i-r), min(n-1, i+r)
		var sum float64
		k := kernel[lo-i+r:]
		for j, v := range src[lo : hi+1] {
			sum += k[j] * v
		}
		dst[i] = sum
	}
}

// convolveColumns adds whole rows, which runs along memory.
func convolveColumns(dst, src []float64, h, w int, kernel []float64, r int) {
	for y := range h {
		row := dst[y*w : (y+1)*w]
		clear(row)
		for j := max(0, y-r); j <= min(h-1, y+r); j++ {
			k := kernel[j-y+r]
			for x, v := range src[j*w : (j+1)*w] {
				row[x] += k * v
			}
		}
	}
}

// enough is how many pixels a robust level or scatter of a plane is taken from:
// the standard error of a median is then 1.25/√enough σ, .2 %.
const enough = 400_000

// stride thins n values to about enough; odd, so that it does not fall into step
// with even row lengths.
func stride(n int) int {
	return max(1, n/enough) | 1
}
