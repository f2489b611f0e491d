package deconv

import (
	"math"

	"limpid/solvers"
	"limpid/solvers/operator"
)

// starColumns are the light of a star of flux 1 in band c and its derivatives by x and y, as
// patches of the data before noise was whitened: of several exposures, of all their pixels in
// one row.
func starColumns(o *solvers.Observation, c int, s Star) [3][]solvers.Patch {
	if o.Exposures != nil {
		return starInExposures(o.Exposures, s)
	}
	var out [3][]solvers.Patch
	for i, p := range starPatches(o, psfAt(o, s), c, s) {
		out[i] = []solvers.Patch{p}
	}
	return out
}

// AddStar adds the light of a star to band c of one image, on masked pixels too.
func AddStar(o *solvers.Observation, c int, s Star, flux float64) {
	q := starPatches(o, psfAt(o, s), c, s)[0]
	for i, v := range q.Pix {
		o.Data.Pix[(c*o.Data.H+q.Y+i/q.W)*o.Data.W+q.X+i%q.W] += float32(flux * v)
	}
}

// psfAt is the PSF of a source at a star's place: of nodes the mean that operator.Varying takes.
func psfAt(o *solvers.Observation, s Star) solvers.Image {
	f := o.Field
	if f.Nodes == nil {
		return o.PSF
	}
	out := solvers.NewImage(o.PSF.C, o.PSF.H, o.PSF.W)
	for i, n := range f.Nodes {
		w := operator.Hat(s.Y, i/f.Cols, f.Rows, o.Data.H) * operator.Hat(s.X, i%f.Cols, f.Cols, o.Data.W)
		for j, v := range n.Pix {
			out.Pix[j] += float32(w) * v
		}
	}
	return out
}

// starInExposures evaluates the exposures' PSFs at the distances of their pixels from a star, as
// starPatches does.
func starInExposures(list []solvers.Exposure, s Star) [3][]solvers.Patch {
	var out [3][]solvers.Patch
	last := -2
	solvers.Seen(list, func(at, e, i int) {
		x := &list[e]
		psf := x.PSF
		ux := float64(x.X[i]) - s.X + float64(psf.W-1)/2 // in samples of the stamp
		uy := float64(x.Y[i]) - s.Y + float64(psf.H-1)/2
		if ux < -shiftMargin || uy < -shiftMargin || ux > float64(psf.W-1+shiftMargin) || uy > float64(psf.H-1+shiftMargin) {
			return
		}
		kx, dx := shiftRow(psf.W, ux)
		ky, dy := shiftRow(psf.H, uy)
		var sums [3]float64
		for j, k := range ky {
			var plain, byX float64
			for n, v := range psf.Pix[j*psf.W : (j+1)*psf.W] {
				plain, byX = plain+kx[n]*float64(v), byX+dx[n]*float64(v)
			}
			sums[0], sums[1], sums[2] = sums[0]+k*plain, sums[1]+k*byX, sums[2]+dy[j]*plain
		}
		for n, v := range sums {
			if at != last+1 {
				out[n] = append(out[n], solvers.Patch{X: at})
			}
			p := &out[n][len(out[n])-1]
			p.Pix, p.W = append(p.Pix, x.Area*v), p.W+1
		}
		last = at
	})
	return out
}

// starPatches are the image of a star of flux 1 in band c and its derivatives by x and y:
// the PSF's stamp, moved by a part of a pixel as a band-limited function, in float64.
func starPatches(o *solvers.Observation, psf solvers.Image, c int, s Star) [3]solvers.Patch {
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
	for i := -margin; i < n+margin; i++ {
		rowK, rowD := shiftRow(n, float64(i)-t)
		k, d = append(k, rowK), append(d, rowD)
	}
	return k, d, margin
}

// shiftRow is a row of such matrices: what n samples are worth at the place u, in samples from
// the first.
func shiftRow(n int, u float64) (k, d []float64) {
	period := n + 2*shiftMargin
	if period%2 == 0 {
		period++
	}
	m := float64(period)
	for j := range n {
		u := u - float64(j)
		sin, cos := math.Sincos(math.Pi * u)
		s, c := math.Sincos(math.Pi * u / m)
		if math.Abs(s) < 1e-9 {
			k, d = append(k, 1), append(d, 0)
			continue
		}
		k = append(k, sin/(m*s))
		d = append(d, -(math.Pi*cos/(m*s) - sin*math.Pi*c/(m*m*s*s)))
	}
	return k, d
}
