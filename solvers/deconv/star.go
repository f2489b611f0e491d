package deconv

import (
	"math"

	"limpid/solvers"
)

// starPatches are the image of a star of flux 1 in band c and its derivatives by x and y:
// the PSF's stamp, moved by a part of a pixel as a band-limited function, in float64.
func starPatches(o *solvers.Observation, c int, s Star) [3]solvers.Patch {
	psf := o.PSF
	x0, y0 := int(math.Floor(s.X)), int(math.Floor(s.Y))
	kx, dx, left := shifts(psf.W, s.X-float64(x0))
	ky, dy, low := shifts(psf.H, s.Y-float64(y0))
	x0, y0 = x0-(psf.W-1)/2-left, y0-(psf.H-1)/2-low
	// cut to the image
	cx0, cx1 := max(0, x0), min(o.Data.W, x0+len(kx))
	cy0, cy1 := max(0, y0), min(o.Data.H, y0+len(ky))
	plane := psf.Plane(c)
	along := func(rows [][]float64) [][]float64 { // (rows of the stamp) × (columns of the patch)
		out := make([][]float64, psf.H)
		for j := range out {
			for x := cx0; x < cx1; x++ {
				var sum float64
				for i, k := range rows[x-x0] {
					sum += k * float64(plane[j*psf.W+i])
				}
				out[j] = append(out[j], sum)
			}
		}
		return out
	}
	plain, byX := along(kx), along(dx)
	var out [3]solvers.Patch
	for n, q := range []struct {
		stamp [][]float64
		rows  [][]float64
	}{{plain, ky}, {byX, ky}, {plain, dy}} {
		p := solvers.Patch{Band: c, X: cx0, Y: cy0, W: cx1 - cx0}
		for y := cy0; y < cy1; y++ {
			for x := range p.W {
				var sum float64
				for j, k := range q.rows[y-y0] {
					sum += k * q.stamp[j][x]
				}
				p.Pix = append(p.Pix, sum)
			}
		}
		out[n] = p
	}
	return out
}

// shiftMargin is how far beyond its stamp a moved PSF reaches, px.
const shiftMargin = 3

// shifts are the matrices that move n samples by t pixels, and their derivatives by t, onto
// n + 2·margin samples from −margin on: the periodic sinc of an odd period.
func shifts(n int, t float64) (k, d [][]float64, margin int) {
	margin = shiftMargin
	period := n + 2*margin
	if period%2 == 0 {
		period++
	}
	m := float64(period)
	for i := -margin; i < n+margin; i++ {
		var rowK, rowD []float64
		for j := range n {
			u := float64(i-j) - t
			sin, cos := math.Sincos(math.Pi * u)
			s, c := math.Sincos(math.Pi * u / m)
			if math.Abs(s) < 1e-9 {
				rowK, rowD = append(rowK, 1), append(rowD, 0)
				continue
			}
			rowK = append(rowK, sin/(m*s))
			rowD = append(rowD, -(math.Pi*cos/(m*s) - sin*math.Pi*c/(m*m*s*s)))
		}
		k, d = append(k, rowK), append(d, rowD)
	}
	return k, d, margin
}
