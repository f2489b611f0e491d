package observe

import (
	"fmt"
	"math"

	"limpid/solvers"
)

// ProfileSamples is at how many places per pixel and axis a profile is sampled for
// FinePSF; odd, so that one is the centre.
const ProfileSamples = 7

// smallestFine is the least side of a PSF that FinePSF gives: what grids pad by must hold a
// spline's reach.
const smallestFine = 13

// OversampledPSF is a profile of the settings at ProfileSamples places per pixel, before the
// integration over pixels. fwhm is in pixels.
func OversampledPSF(set PSFSettings, fwhm float64, limit int) (solvers.Image, error) {
	if set.Kind == PSFNone {
		return solvers.Image{C: 1, H: 1, W: 1, Pix: []float32{1}}, nil
	}
	beta := set.Beta
	if beta == 0 {
		beta = 3
	}
	return AnalyticPSF(set.Kind, fwhm*ProfileSamples, beta, limit*ProfileSamples)
}

// FinePSF puts a PSF that is sampled at over places per detector pixel on the pixels of a
// scene. With one it is what a pixel takes, the integration over the pixel in it; with more,
// that integration is added. jacobian is detector pixels per pixel of the scene, ∂x/∂u, ∂x/∂v,
// ∂y/∂u, ∂y/∂v. What it gives sums to 1 on an odd stamp.
func FinePSF(psf solvers.Image, over int, jacobian [4]float64, where string) (solvers.Image, error) {
	det := jacobian[0]*jacobian[3] - jacobian[1]*jacobian[2]
	if !(math.Abs(det) > 1e-6) || math.IsInf(det, 0) {
		return solvers.Image{}, kinded{ErrScale, fmt.Errorf("observe: %s: its coordinates are degenerate on the scene's pixels", where)}
	}
	if over > 1 {
		psf = overPixel(psf, over)
	}
	scale := float64(over)
	cy, cx := float64(psf.H-1)/2, float64(psf.W-1)/2
	// the stamp's corners on the scene's pixels
	reach := 0.0
	for _, c := range [][2]float64{{cx, cy}, {-cx, cy}} {
		u := (jacobian[3]*c[0] - jacobian[1]*c[1]) / det / scale
		v := (jacobian[0]*c[1] - jacobian[2]*c[0]) / det / scale
		reach = math.Max(reach, math.Max(math.Abs(u), math.Abs(v)))
	}
	r := max(int(math.Ceil(reach)), smallestFine/2)
	n := 2*r + 1
	out := solvers.NewImage(1, n, n)
	var sum float64
	values := make([]float64, n*n)
	for v := -r; v <= r; v++ {
		for u := -r; u <= r; u++ {
			x := (jacobian[0]*float64(u) + jacobian[1]*float64(v)) * scale
			y := (jacobian[2]*float64(u) + jacobian[3]*float64(v)) * scale
			if math.Abs(x) > cx+1 || math.Abs(y) > cy+1 {
				continue
			}
			p := lanczos(psf.Pix, psf.H, psf.W, cx+x, cy+y)
			values[(v+r)*n+u+r] = p
			sum += p
		}
	}
	if !(sum > 0) {
		return out, badPSF(fmt.Errorf("observe: %s: the PSF sums to %g on the scene's pixels", where, sum))
	}
	for i, v := range values {
		out.Pix[i] = float32(v / sum)
	}
	return out, nil
}

// overPixel sums a PSF over a square of n of its samples, on a stamp that is larger by as much.
// Where n is even the square's samples lie between those that there are.
func overPixel(psf solvers.Image, n int) solvers.Image {
	weight := make([]float64, n)
	for i := range weight {
		weight[i] = 1
	}
	if n%2 == 0 {
		const taps = 6
		impulse := make([]float32, 2*taps+1)
		impulse[taps] = 1
		between := make([]float64, n+taps-1)
		for k := range taps {
			f := lanczos(impulse, 1, len(impulse), float64(taps+k)-(taps-1)/2.0, 0)
			for i := range n {
				between[i+k] += f
			}
		}
		weight = between
	}
	r := len(weight) / 2
	h, w := psf.H+2*r, psf.W+2*r
	tmp, out := make([]float64, psf.H*w), solvers.NewImage(1, h, w)
	for y := range psf.H {
		for x := range psf.W {
			for i, f := range weight {
				tmp[y*w+x+i] += f * float64(psf.Pix[y*psf.W+x])
			}
		}
	}
	for y := range psf.H {
		for i, f := range weight {
			for x := range w {
				out.Pix[(y+i)*w+x] += float32(f * tmp[y*w+x])
			}
		}
	}
	return out
}
