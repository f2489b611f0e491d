package observe

import (
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
)

// PSFKind says where the PSF comes from.
type PSFKind string

// The kinds of PSF.
const (
	PSFFile     PSFKind = "file"     // planes given with the Input
	PSFGaussian PSFKind = "gaussian" //
	PSFMoffat   PSFKind = "moffat"   // Moffat 1969, with Beta
	PSFAiry     PSFKind = "airy"     // unobstructed circular aperture
	PSFMeasure  PSFKind = "measure"  // from stars in the image
	PSFNone     PSFKind = "none"     // one pixel: denoising only
)

// PSFSettings are the user's choice.
type PSFSettings struct {
	Kind PSFKind `json:"kind"`
	FWHM float64 `json:"fwhm,omitempty"`
	Unit string  `json:"unit,omitempty"` // "px" (default) or "arcsec"
	Beta float64 `json:"beta,omitempty"` // Moffat; default 3
	File string  `json:"file,omitempty"` // read by app/session; default: the image's own file
	HDU  *int    `json:"hdu,omitempty"`
	// Rows and Cols are of a PSF that varies: the file's planes, or so many HDUs from HDU on,
	// are the PSF at nodes over the whole image, the outermost on its border pixels, row by
	// row from the lowest; or stars are measured for as many, over the pixels that are read.
	// 0: one PSF.
	Rows int `json:"rows,omitempty"`
	Cols int `json:"cols,omitempty"`
	// Samples is how many samples a file's PSF has per pixel and axis; with more than one, 0,
	// the integration over pixels is not in it.
	Samples int `json:"samples,omitempty"`
	// Recenter moves the PSF's centroid to the centre of its stamp. Without it an
	// off-centre PSF shifts the result by as much, the other way.
	Recenter bool `json:"recenter,omitempty"`
	// Error is the PSF's relative error: (Error × signal)² is added to the variance,
	// so that bright sources are not fitted more closely than the PSF is known.
	// Nil: 0. What stars show is StarPSF.Error.
	Error *float64 `json:"error,omitempty"`
}

// varies reports whether the PSF is at nodes.
func (p PSFSettings) varies() bool { return p.Rows > 0 }

// Analytic PSFs reach out to where 99.9 % of their light is, but no farther than
// this many FWHM: a Moffat wing of β = 2 never ends.
const (
	encircled  = 0.999
	maxReach   = 12.0
	subsamples = 9 // per pixel and axis, in the core; pixel integration
)

// AnalyticPSF makes a PSF of the given profile and FWHM in pixels on an odd
// square stamp that is no larger than limit pixels, integrated over pixels and
// normalised to 1.
func AnalyticPSF(kind PSFKind, fwhm, beta float64, limit int) (solvers.Image, error) {
	if !(fwhm > 0) || math.IsInf(fwhm, 0) {
		return solvers.Image{}, badSetting(fmt.Errorf("observe: PSF FWHM must be positive, is %g px", fwhm))
	}
	var profile func(r float64) float64
	switch kind {
	case PSFGaussian:
		profile = func(r float64) float64 { return math.Exp(-4 * math.Ln2 * r * r / (fwhm * fwhm)) }
	case PSFMoffat:
		if !(beta > 1) {
			return solvers.Image{}, badSetting(fmt.Errorf("observe: Moffat β must be above 1 (its flux is infinite otherwise), is %g", beta))
		}
		alpha := fwhm / (2 * math.Sqrt(math.Pow(2, 1/beta)-1))
		profile = func(r float64) float64 { return math.Pow(1+r*r/(alpha*alpha), -beta) }
	case PSFAiry:
		const halfMaximum = 1.616339948 // where (2 J1(v)/v)² = ½
		profile = func(r float64) float64 {
			v := 2 * halfMaximum * r / fwhm
			if v < 1e-6 {
				return 1
			}
			a := 2 * math.J1(v) / v
			return a * a
		}
	default:
		return solvers.Image{}, badSetting(fmt.Errorf("observe: PSF %q is not one of file, gaussian, moffat, airy, measure, none", kind))
	}
	r := min(reach(profile, fwhm), (limit-1)/2)
	return integrate(profile, fwhm, max(r, 1)), nil
}

// reach is the radius, in whole pixels, that holds the encircled share of the
// light within maxReach FWHM.
func reach(profile func(float64) float64, fwhm float64) int {
	end := maxReach * fwhm
	dr := fwhm / 50
	var total float64
	for r := dr / 2; r < end; r += dr {
		total += profile(r) * r
	}
	var sum float64
	for r := dr / 2; r < end; r += dr {
		sum += profile(r) * r
		if sum > encircled*total {
			return int(math.Ceil(r))
		}
	}
	return int(math.Ceil(end))
}

func integrate(profile func(float64) float64, fwhm float64, r int) solvers.Image {
	n := 2*r + 1
	im := solvers.NewImage(1, n, n)
	var total float64
	values := make([]float64, n*n)
	for y := range n {
		for x := range n {
			dy, dx := float64(y-r), float64(x-r)
			sub := subsamples
			if math.Hypot(dx, dy) > 3*fwhm+2 {
				sub = 3
			}
			var sum float64
			for j := range sub {
				for i := range sub {
					oy := (float64(j)+0.5)/float64(sub) - 0.5
					ox := (float64(i)+0.5)/float64(sub) - 0.5
					sum += profile(math.Hypot(dx+ox, dy+oy))
				}
			}
			values[y*n+x] = sum / float64(sub*sub)
			total += values[y*n+x]
		}
	}
	for i, v := range values {
		im.Pix[i] = float32(v / total)
	}
	return im
}

// Normalise makes a PSF that came from a file usable: it checks it, gives it an
// odd size with the centre on a pixel, cuts it to maxH × maxW and scales each
// plane to 1. where names it in findings and errors.
func Normalise(psf solvers.Image, recenter bool, maxH, maxW int, where string) (solvers.Image, []limpid.Finding, error) {
	var out []limpid.Finding
	if psf.Empty() {
		return psf, nil, badPSF(fmt.Errorf("observe: %s: the PSF has no pixels", where))
	}
	for c := range psf.C {
		var sum, negative float64
		for i, v := range psf.Plane(c) {
			x := float64(v)
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return psf, nil, badPSF(fmt.Errorf("observe: %s: %s is %g at pixel (%d, %d)", where, planeName(psf, c), x, i%psf.W, i/psf.W))
			}
			sum += x
			negative += math.Max(0, -x)
		}
		switch {
		case !(sum > 1e-3*negative) || sum < 1e-20:
			return psf, nil, badPSF(fmt.Errorf("observe: %s: %s sums to %g: it must have positive light", where, planeName(psf, c), sum))
		case math.Abs(sum-1) > 1e-3:
			out = append(out, limpid.Finding{
				Severity: limpid.Info, Code: "psf.sum", Where: where,
				What: fmt.Sprintf("%s summed to %.5g and was scaled to 1", planeName(psf, c), sum),
			})
		}
		if negative > 0.02*sum {
			out = append(out, limpid.Finding{
				Severity: limpid.Warning, Code: "psf.negative", Where: where,
				What:   fmt.Sprintf("%s has negative pixels worth %.1f %% of its light", planeName(psf, c), 100*negative/sum),
				Advice: "its sky may be subtracted too far: use a PSF with clean wings",
			})
		}
	}
	psf = oddCentred(psf)
	psf, found, err := fitInto(psf, maxH, maxW, where)
	if err != nil {
		return psf, nil, err
	}
	out = append(out, found...)
	for c := range psf.C {
		dx, dy := centroid(psf.Plane(c), psf.H, psf.W)
		if recenter && math.Hypot(dx, dy) > 1e-3 {
			shiftPlane(psf.Plane(c), psf.H, psf.W, -dx, -dy)
		} else if math.Hypot(dx, dy) > offCentre {
			out = append(out, limpid.Finding{
				Severity: limpid.Warning, Code: "psf.center", Where: where,
				What:   fmt.Sprintf("the light of %s is centred (%+.2f, %+.2f) px off its stamp's centre", planeName(psf, c), dx, dy),
				Advice: "the result will be shifted by as much, the other way: recentre the PSF unless this is meant",
			})
		}
		scaleToOne(psf.Plane(c))
	}
	return psf, out, nil
}

func planeName(psf solvers.Image, c int) string {
	if psf.C == 1 {
		return "the PSF"
	}
	return fmt.Sprintf("plane %d of the PSF", c)
}

// offCentre is the centroid offset, in pixels, above which the user is told.
const offCentre = 0.1

func scaleToOne(p []float32) {
	var sum float64
	for _, v := range p {
		sum += float64(v)
	}
	for i, v := range p {
		p[i] = float32(float64(v) / sum)
	}
}

// oddCentred pads even sizes by one row or column on the side that puts the
// light nearest to the central pixel.
func oddCentred(psf solvers.Image) solvers.Image {
	if psf.H%2 == 1 && psf.W%2 == 1 {
		return psf.Clone()
	}
	var mx, my float64
	for c := range psf.C {
		dx, dy := centroid(psf.Plane(c), psf.H, psf.W)
		mx, my = mx+dx/float64(psf.C), my+dy/float64(psf.C)
	}
	// centroid is relative to (n-1)/2.0; a pad row at the end puts the centre at
	// n/2, half a pixel above it, one at the start half a pixel below.
	padY, padX := 0, 0
	if psf.H%2 == 0 && my < 0 {
		padY = 1
	}
	if psf.W%2 == 0 && mx < 0 {
		padX = 1
	}
	out := solvers.NewImage(psf.C, psf.H|1, psf.W|1)
	for c := range psf.C {
		src, dst := psf.Plane(c), out.Plane(c)
		for y := range psf.H {
			copy(dst[(y+padY)*out.W+padX:], src[y*psf.W:(y+1)*psf.W])
		}
	}
	return out
}

// lightToKeep is the share of a PSF's light that a cut to the image's size must
// keep.
const lightToKeep = 0.99

// fitInto cuts a PSF that is larger than the image about its centre, if that
// loses little light.
func fitInto(psf solvers.Image, maxH, maxW int, where string) (solvers.Image, []limpid.Finding, error) {
	h, w := min(psf.H, (maxH-1)|1), min(psf.W, (maxW-1)|1)
	if h == psf.H && w == psf.W {
		return psf, nil, nil
	}
	y0, x0 := (psf.H-h)/2, (psf.W-w)/2
	cut := psf.Crop(x0, x0+w, y0, y0+h)
	worst := 1.0
	for c := range psf.C {
		var all, kept float64
		for _, v := range psf.Plane(c) {
			all += float64(v)
		}
		for _, v := range cut.Plane(c) {
			kept += float64(v)
		}
		worst = math.Min(worst, kept/all)
	}
	if worst < lightToKeep {
		return psf, nil, badPSF(fmt.Errorf("observe: %s: the PSF (%d×%d) is larger than the image (%d×%d) and only %.1f %% of its light fits: use a larger cut-out or a smaller PSF",
			where, psf.W, psf.H, maxW, maxH, 100*worst))
	}
	return cut, []limpid.Finding{{
		Severity: limpid.Warning, Code: "psf.cut", Where: where,
		What:   fmt.Sprintf("the PSF (%d×%d) is larger than the image and was cut to %d×%d, keeping %.2f %% of its light", psf.W, psf.H, w, h, 100*worst),
		Advice: "use a larger cut-out to keep the PSF's wings",
	}}, nil
}

// centroid is the light's centre relative to ((w-1)/2, (h-1)/2), in pixels, by a
// Gaussian window that follows it, so that noise in the wings does not count.
func centroid(p []float32, h, w int) (dx, dy float64) {
	cx, cy := float64(w-1)/2, float64(h-1)/2
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	x, y := float64(best%w), float64(best/w)
	sigma := math.Max(1.5, 0.85*halfLightRadius(p, h, w, x, y))
	for range 50 {
		var sx, sy, sum float64
		for j := range h {
			for i := range w {
				ox, oy := float64(i)-x, float64(j)-y
				g := math.Exp(-(ox*ox+oy*oy)/(2*sigma*sigma)) * float64(p[j*w+i])
				sum, sx, sy = sum+g, sx+g*ox, sy+g*oy
			}
		}
		if !(sum > 0) {
			break
		}
		// the window halves the step for a source as wide as itself
		x, y = x+2*sx/sum, y+2*sy/sum
		if math.Hypot(sx, sy)/sum < 1e-5 {
			break
		}
	}
	if !(x >= 0 && x <= float64(w-1) && y >= 0 && y <= float64(h-1)) {
		x, y = float64(best%w), float64(best/w)
	}
	return x - cx, y - cy
}

// halfLightRadius is the radius about (x, y) that holds half the positive light
// of the plane, in pixels.
func halfLightRadius(p []float32, h, w int, x, y float64) float64 {
	rmax := int(math.Hypot(float64(h), float64(w))) + 1
	const bins = 4 // per pixel
	light := make([]float64, bins*rmax+1)
	var total float64
	for j := range h {
		for i := range w {
			v := math.Max(0, float64(p[j*w+i]))
			r := math.Hypot(float64(i)-x, float64(j)-y)
			light[min(int(r*bins), len(light)-1)] += v
			total += v
		}
	}
	var sum float64
	for i, v := range light {
		sum += v
		if sum >= total/2 {
			return (float64(i) + 0.5) / bins
		}
	}
	return float64(rmax)
}

// shiftPlane moves a plane by (dx, dy) pixels with Lanczos-3 interpolation.
func shiftPlane(p []float32, h, w int, dx, dy float64) {
	out := make([]float32, len(p))
	for y := range h {
		for x := range w {
			out[y*w+x] = float32(lanczos(p, h, w, float64(x)-dx, float64(y)-dy))
		}
	}
	copy(p, out)
}

// lanczos interpolates a plane at (x, y), 0 beyond its edges.
func lanczos(p []float32, h, w int, x, y float64) float64 {
	const a = 3
	kernel := func(t float64) float64 {
		if math.Abs(t) < 1e-9 {
			return 1
		}
		if math.Abs(t) >= a {
			return 0
		}
		t *= math.Pi
		return a * math.Sin(t) * math.Sin(t/a) / (t * t)
	}
	x0, y0 := int(math.Floor(x)), int(math.Floor(y))
	var kx, ky [2 * a]float64
	var nx, ny float64
	for i := range kx {
		kx[i], ky[i] = kernel(x-float64(x0-a+1+i)), kernel(y-float64(y0-a+1+i))
		nx, ny = nx+kx[i], ny+ky[i]
	}
	var sum float64
	for j := range ky {
		yy := y0 - a + 1 + j
		if yy < 0 || yy >= h {
			continue
		}
		for i := range kx {
			if xx := x0 - a + 1 + i; xx >= 0 && xx < w {
				sum += ky[j] * kx[i] * float64(p[yy*w+xx])
			}
		}
	}
	return sum / (nx * ny)
}

// FWHM measures a PSF plane: the full width at half of its fitted maximum, from
// the area above half maximum of a Lanczos-resampled stamp, in pixels.
func FWHM(p []float32, h, w int) float64 {
	dx, dy := centroid(p, h, w)
	cx, cy := float64(w-1)/2+dx, float64(h-1)/2+dy
	peak := lanczos(p, h, w, cx, cy)
	const step = 0.1
	r := math.Min(float64(min(h, w))/2, 40)
	n := 0
	for y := cy - r; y <= cy+r; y += step {
		for x := cx - r; x <= cx+r; x += step {
			if lanczos(p, h, w, x, y) > peak/2 {
				n++
			}
		}
	}
	return 2 * math.Sqrt(float64(n)*step*step/math.Pi)
}
