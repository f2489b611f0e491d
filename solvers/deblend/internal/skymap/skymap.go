// Package skymap finds what stands out of an image: matched filter, regions, peaks.
package skymap

import (
	"math"
	"slices"

	"limpid/solvers"
)

// Width is the FWHM of the widest PSF, at least 2 px.
func Width(obs *solvers.Observation) float64 {
	var top float64
	for c := range obs.PSF.C {
		top = max(top, PSFWidth(obs.PSF.Plane(c), obs.PSF.H, obs.PSF.W))
	}
	return max(top, 2)
}

// Label numbers 4-connected regions above a threshold from 1.
func Label(labels []int32, v []float32, h, w int, above float32) int {
	n := int32(0)
	var stack []int
	for start := range v {
		if v[start] <= above || labels[start] != 0 {
			continue
		}
		n++
		labels[start] = n
		stack = append(stack[:0], start)
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			y, x := i/w, i%w
			for _, j := range [4]int{i - 1, i + 1, i - w, i + w} {
				if j == i-1 && x == 0 || j == i+1 && x == w-1 || j == i-w && y == 0 || j == i+w && y == h-1 {
					continue
				}
				if v[j] > above && labels[j] == 0 {
					labels[j] = n
					stack = append(stack, j)
				}
			}
		}
	}
	return int(n)
}

// LabelBoxes are x0, x1, y0, y1 of every region.
func LabelBoxes(labels []int32, h, w, n int) [][4]int {
	boxes := make([][4]int, n+1)
	for l := range boxes {
		boxes[l] = [4]int{w, 0, h, 0}
	}
	for i, l := range labels {
		b := &boxes[l]
		x, y := i%w, i/w
		b[0], b[1], b[2], b[3] = min(b[0], x), max(b[1], x+1), min(b[2], y), max(b[3], y+1)
	}
	return boxes
}

// SNR is the matched filter of all bands for point sources, in units of
// its own noise: Σ_b P̃_b ∗ (w d) over the root of Σ_b P̃_b² ∗ w, with a Gaussian of
// each PSF's width (Kaiser 2004, quoted in Bosch+2018; equal fluxes assumed).
func SNR(obs *solvers.Observation) []float32 {
	d := obs.Data
	n := d.H * d.W
	num, den := make([]float32, n), make([]float32, n)
	wd, tmp := make([]float32, n), make([]float32, n)
	for c := range d.C {
		sigma := max(PSFWidth(obs.PSF.Plane(c), obs.PSF.H, obs.PSF.W)/FWHMOverSigma, 0.5)
		w := obs.Weights.Plane(c)
		norm := math.Sqrt(medianPositive(w)) // every band counts by its S/N: flux in units of its noise
		if norm == 0 {
			continue
		}
		for i, v := range d.Plane(c) {
			wd[i] = v * w[i] / float32(norm)
		}
		blur(wd, tmp, d.H, d.W, gaussianKernel(sigma, false))
		for i, v := range wd {
			num[i] += v
		}
		for i, v := range w {
			wd[i] = v / float32(norm*norm)
		}
		blur(wd, tmp, d.H, d.W, gaussianKernel(sigma, true))
		for i, v := range wd {
			den[i] += v
		}
	}
	for i, v := range den {
		if v > 1e-12 {
			num[i] /= float32(math.Sqrt(float64(v)))
		} else {
			num[i] = 0
		}
	}
	return num
}

func medianPositive(w []float32) float64 {
	var v []float32
	for i := 0; i < len(w); i += max(len(w)/4096, 1) {
		if w[i] > 0 {
			v = append(v, w[i])
		}
	}
	return float64(Median(v))
}

func gaussianKernel(sigma float64, squared bool) []float32 {
	r := int(math.Ceil(3.5 * sigma))
	k, sum := make([]float64, 2*r+1), 0.0
	for i := range k {
		x := float64(i-r) / sigma
		k[i] = math.Exp(-0.5 * x * x)
		sum += k[i]
	}
	out := make([]float32, len(k))
	for i, v := range k {
		v /= sum
		if squared {
			v *= v
		}
		out[i] = float32(v)
	}
	return out
}

// blur convolves rows and columns with a symmetric kernel; nothing beyond the edge.
func blur(v, tmp []float32, h, w int, k []float32) {
	r := len(k) / 2
	for y := range h {
		for x := range w {
			var s float32
			for j := max(-r, -x); j <= min(r, w-1-x); j++ {
				s += k[j+r] * v[y*w+x+j]
			}
			tmp[y*w+x] = s
		}
	}
	clear(v)
	for y := range h {
		for j := max(-r, -y); j <= min(r, h-1-y); j++ {
			a, src := k[j+r], tmp[(y+j)*w:(y+j+1)*w]
			dst := v[y*w : (y+1)*w]
			for x, s := range src {
				dst[x] += a * s
			}
		}
	}
}

// Median sorts v and gives its middle; 0 of nothing.
func Median(v []float32) float32 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// LocalPeak tells whether (x, y) is the highest within r pixels, the first of equals.
func LocalPeak(v []float32, h, w, x, y, r int) bool {
	top := v[y*w+x]
	for j := max(y-r, 0); j <= min(y+r, h-1); j++ {
		for i := max(x-r, 0); i <= min(x+r, w-1); i++ {
			if q := v[j*w+i]; q > top || q == top && (j*w+i) < y*w+x {
				return false
			}
		}
	}
	return true
}

// PSFWidth is the FWHM of the Gaussian with the PSF's noise-equivalent area:
// Σp² = 1/(4πσ²).
func PSFWidth(p []float32, _, _ int) float64 {
	var s2 float64
	for _, v := range p {
		s2 += float64(v) * float64(v)
	}
	if s2 <= 0 {
		return 0
	}
	return FWHMOverSigma / math.Sqrt(4*math.Pi*s2)
}

// FWHMOverSigma of a Gaussian, √(8 ln 2).
const FWHMOverSigma = 2.3548200450309493
