package observe

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"limpid"
	"limpid/solvers"
)

// Star is one candidate for the PSF, kept or not. Positions are pixels, (0, 0)
// the centre of the first.
type Star struct {
	X           float64 `json:"x"`
	Y           float64 `json:"y"`
	Flux        float64 `json:"flux"` // data unit, in the stamp's inner aperture
	SNR         float64 `json:"snr"`
	HalfLight   float64 `json:"half_light_px"`
	Ellipticity float64 `json:"ellipticity"` // (a−b)/(a+b) from windowed second moments
	Used        bool    `json:"used"`
	Reason      string  `json:"reason,omitempty"` // why not used
}

// StarPSF is a PSF measured from stars.
type StarPSF struct {
	PSF   solvers.Image // (1, n, n)
	Stars []Star        // every candidate, brightest first
	Used  int
	FWHM  float64 // of the fitted Moffat profile, pixels
	Beta  float64
	// Error is how much stars differ from the PSF beyond their noise, relative to
	// it: what the PSF cannot be trusted to.
	Error float64
}

// Limits of what is taken for a star.
const (
	minStarSNR     = 25.0
	maxCandidates  = 400
	maxEllipticity = 0.25 // of one star against the median of the locus
	sizeWindow     = 0.12 // relative width of the stellar locus
	neighbourLight = 0.05 // a neighbour's light over the star's
)

// MeasurePSF finds stars in a sky-subtracted plane, rejects what is saturated,
// masked, crowded, extended or lopsided, and stacks the rest with sub-pixel
// centring and outlier rejection; where the stack runs into the noise it is
// continued by its Moffat fit (Moffat 1969). saturation is the level of the
// brightest trusted pixel, or +Inf.
func MeasurePSF(data, weights []float32, h, w int, saturation float64, where string) (StarPSF, []limpid.Finding, error) {
	cand := candidates(data, weights, h, w, saturation)
	guess := stellarLocus(cand)
	if guess <= 0 {
		return StarPSF{Stars: cand}, nil, kinded{ErrNoStars, fmt.Errorf("observe: %s: no unsaturated, isolated star with S/N ≥ %g among %d bright peaks: give the PSF as a file or a profile", where, minStarSNR, len(cand))}
	}
	selectStars(cand, guess, h, w)
	used := usedStars(cand)
	if len(used) == 0 {
		return StarPSF{Stars: cand}, nil, kinded{ErrNoStars, fmt.Errorf("observe: %s: all %d star candidates were rejected (%s): give the PSF as a file or a profile", where, len(cand), cand[0].Reason)}
	}
	r := min(max(int(math.Ceil(4.5*2*guess)), 7), 40, (min(h, w)-1)/2)
	n := 2*r + 1
	stamps := cutStars(data, weights, h, w, used, r)
	stack, errs := stackStars(stamps, n)
	fit := fitMoffat(stack, errs, n)
	scatter := relativeError(stamps, stack, n, 1.5*fit.fwhm)
	extendWings(stack, errs, n, fit)
	im := solvers.NewImage(1, n, n)
	var sum float64
	for _, v := range stack {
		sum += v
	}
	for i, v := range stack {
		im.Pix[i] = float32(v / sum)
	}
	shiftToCentre(im)
	out := StarPSF{PSF: im, Stars: cand, Used: len(used), FWHM: fit.fwhm, Beta: fit.beta, Error: scatter}
	return out, starFindings(out, where), nil
}

func shiftToCentre(im solvers.Image) {
	p := im.Plane(0)
	if dx, dy := centroid(p, im.H, im.W); math.Hypot(dx, dy) > 0.01 && math.Hypot(dx, dy) < 1 {
		shiftPlane(p, im.H, im.W, -dx, -dy)
		scaleToOne(p)
	}
}

func starFindings(p StarPSF, where string) []limpid.Finding {
	what := fmt.Sprintf("PSF measured from %d stars of %d candidates: Moffat β %.1f, FWHM %.2f px; the stars differ from it by %.1f %%", p.Used, len(p.Stars), p.Beta, p.FWHM, 100*p.Error)
	if p.Error < 0.0005 { // zero where the noise explains all of it
		what = fmt.Sprintf("PSF measured from %d stars of %d candidates: Moffat β %.1f, FWHM %.2f px; their noise explains how the stars differ from it", p.Used, len(p.Stars), p.Beta, p.FWHM)
	}
	out := []limpid.Finding{{Severity: limpid.Info, Code: "psf.measured", Where: where, What: what}}
	if p.Error > 0.02 {
		out[0].Advice = fmt.Sprintf("sources much brighter than %.0f times their noise will leave rings: a PSF error of %.2f trusts them less", 1/p.Error, p.Error)
	}
	if p.Used < 4 {
		out = append(out, limpid.Finding{
			Severity: limpid.Warning, Code: "psf.few", Where: where,
			What:   fmt.Sprintf("the PSF rests on %d star(s)", p.Used),
			Advice: "look at it before you trust the result, or measure it on a larger image of the same exposure",
		})
	}
	if p.FWHM < 1.8 {
		out = append(out, limpid.Finding{
			Severity: limpid.Warning, Code: "psf.undersampled", Where: where,
			What:   fmt.Sprintf("the PSF is undersampled (FWHM %.2f px)", p.FWHM),
			Advice: "cosmic rays and hot pixels may have been taken for stars; a PSF on a finer grid would be better",
		})
	}
	return out
}

// candidates are the significant local maxima, brightest first, with their
// shapes measured.
func candidates(data, weights []float32, h, w int, saturation float64) []Star {
	sm := smooth(data, weights, h, w, 1.2)
	type peak struct {
		x, y int
		v    float64
	}
	var peaks []peak
	for y := 1; y+1 < h; y++ {
		for x := 1; x+1 < w; x++ {
			v := sm[y*w+x]
			if wt := weights[y*w+x]; !(wt > 0) || v*math.Sqrt(float64(wt)) < 5 {
				continue
			}
			if v > sm[y*w+x-1] && v >= sm[y*w+x+1] && v > sm[(y-1)*w+x] && v >= sm[(y+1)*w+x] &&
				v > sm[(y-1)*w+x-1] && v >= sm[(y+1)*w+x+1] && v > sm[(y-1)*w+x+1] && v >= sm[(y+1)*w+x-1] {
				peaks = append(peaks, peak{x, y, v})
			}
		}
	}
	sort.Slice(peaks, func(a, b int) bool { return peaks[a].v > peaks[b].v })
	var out []Star
	for _, p := range peaks {
		if len(out) == maxCandidates {
			break
		}
		s := measureStar(data, weights, h, w, p.x, p.y)
		switch {
		case s.SNR < minStarSNR:
			continue
		case touchesBad(data, weights, h, w, p.x, p.y, saturation):
			s.Reason = "saturated or masked pixels"
		case p.x < 8 || p.y < 8 || p.x >= w-8 || p.y >= h-8:
			s.Reason = "too near the edge"
		}
		out = append(out, s)
	}
	for i := range out {
		if out[i].Reason == "" && crowded(out[i], out, data, h, w) {
			out[i].Reason = "a neighbour's light"
		}
	}
	return out
}

// touchesBad reports masked pixels within 3 px of a peak or a pixel near
// saturation.
func touchesBad(data, weights []float32, h, w, px, py int, saturation float64) bool {
	for y := max(0, py-3); y <= min(h-1, py+3); y++ {
		for x := max(0, px-3); x <= min(w-1, px+3); x++ {
			if !(weights[y*w+x] > 0) || float64(data[y*w+x]) >= saturation {
				return true
			}
		}
	}
	return false
}

// measureStar finds centre, flux, half-light radius and ellipticity about a peak
// with a Gaussian window of σ 3 px.
func measureStar(data, weights []float32, h, w, px, py int) Star {
	const r, sigma = 8, 3.0
	x, y := float64(px), float64(py)
	var sxx, syy, sxy, sum float64
	for range 12 {
		var sx, sy float64
		sum, sxx, syy, sxy = 0, 0, 0, 0
		for j := max(0, py-r); j <= min(h-1, py+r); j++ {
			for i := max(0, px-r); i <= min(w-1, px+r); i++ {
				ox, oy := float64(i)-x, float64(j)-y
				g := math.Exp(-(ox*ox+oy*oy)/(2*sigma*sigma)) * float64(data[j*w+i])
				sum, sx, sy = sum+g, sx+g*ox, sy+g*oy
				sxx, syy, sxy = sxx+g*ox*ox, syy+g*oy*oy, sxy+g*ox*oy
			}
		}
		if !(sum > 0) {
			return Star{X: x, Y: y}
		}
		x, y = x+1.5*sx/sum, y+1.5*sy/sum
		if math.Hypot(x-float64(px), y-float64(py)) > 2 {
			x, y = float64(px), float64(py)
			break
		}
	}
	s := Star{X: x, Y: y}
	sxx, syy, sxy = sxx/sum, syy/sum, sxy/sum
	t, d := sxx+syy, math.Hypot(sxx-syy, 2*sxy)
	if t > 0 && d < t {
		a, b := math.Sqrt((t+d)/2), math.Sqrt((t-d)/2)
		s.Ellipticity = (a - b) / (a + b)
	}
	s.Flux, s.SNR, s.HalfLight = growth(data, weights, h, w, x, y, r)
	return s
}

// growth sums light in growing apertures out to r pixels.
func growth(data, weights []float32, h, w int, x, y float64, r int) (flux, snr, half float64) {
	const bins = 8
	light := make([]float64, bins*(r+1))
	var variance float64
	for j := max(0, int(y)-r); j <= min(h-1, int(y)+r+1); j++ {
		for i := max(0, int(x)-r); i <= min(w-1, int(x)+r+1); i++ {
			d := math.Hypot(float64(i)-x, float64(j)-y)
			if d > float64(r) {
				continue
			}
			light[int(d*bins)] += float64(data[j*w+i])
			flux += float64(data[j*w+i])
			if wt := weights[j*w+i]; wt > 0 && d < 4 {
				variance += 1 / float64(wt)
			}
		}
	}
	var inner, sum float64
	for i, v := range light {
		if i < 4*bins {
			inner += v
		}
	}
	for i, v := range light {
		sum += v
		if sum >= flux/2 {
			half = (float64(i) + 1 - (sum-flux/2)/math.Max(v, 1e-300)) / bins
			break
		}
	}
	return flux, inner / math.Sqrt(math.Max(variance, 1e-300)), half
}

// crowded reports another candidate within 10 px that has a fair share of the
// star's light, or an excess in the ring around it.
func crowded(s Star, all []Star, data []float32, h, w int) bool {
	for _, o := range all {
		d := math.Hypot(o.X-s.X, o.Y-s.Y)
		if d > 0.5 && d < 10 && o.Flux > neighbourLight*s.Flux {
			return true
		}
	}
	var ring, n float64
	for j := max(0, int(s.Y)-13); j <= min(h-1, int(s.Y)+13); j++ {
		for i := max(0, int(s.X)-13); i <= min(w-1, int(s.X)+13); i++ {
			if d := math.Hypot(float64(i)-s.X, float64(j)-s.Y); d > 9 && d < 13 {
				ring += math.Abs(float64(data[j*w+i]))
				n++
			}
		}
	}
	return n > 0 && ring/n > 0.01*s.Flux
}

// stellarLocus is the half-light radius where candidates crowd: point sources
// share one size, galaxies scatter above it. The window with most weight wins,
// smaller sizes favoured; 0 when there is no candidate.
func stellarLocus(cand []Star) float64 {
	var size []float64
	for _, s := range cand {
		if s.Reason == "" && s.HalfLight > 0.4 {
			size = append(size, s.HalfLight)
		}
	}
	if len(size) == 0 {
		return 0
	}
	slices.Sort(size)
	best, bestScore := size[0], 0.0
	for i, lo := range size {
		n := 0
		for _, v := range size[i:] {
			if v <= lo*(1+2*sizeWindow) {
				n++
			}
		}
		if score := float64(n) / math.Sqrt(lo); n >= min(2, len(size)) && score > bestScore {
			best, bestScore = lo*(1+sizeWindow), score
		}
	}
	return best
}

// selectStars marks the candidates on the locus as used.
func selectStars(cand []Star, guess float64, h, w int) {
	var ell, sizes []float64
	for _, s := range cand {
		if s.Reason == "" && math.Abs(s.HalfLight/guess-1) < sizeWindow*1.5 {
			ell, sizes = append(ell, s.Ellipticity), append(sizes, s.HalfLight)
		}
	}
	if len(ell) == 0 {
		return
	}
	slices.Sort(ell)
	slices.Sort(sizes)
	e, size := sortedMedian(ell), sortedMedian(sizes)
	for i := range cand {
		s := &cand[i]
		switch {
		case s.Reason != "":
		case s.HalfLight > size*(1+1.25*sizeWindow):
			s.Reason = fmt.Sprintf("extended (half-light radius %.2f px, stars have %.2f)", s.HalfLight, size)
		case s.HalfLight < size*(1-1.5*sizeWindow):
			s.Reason = fmt.Sprintf("sharper than the stars (half-light radius %.2f px): cosmic ray or hot pixel", s.HalfLight)
		case s.Ellipticity > e+maxEllipticity:
			s.Reason = fmt.Sprintf("elongated (ellipticity %.2f)", s.Ellipticity)
		default:
			s.Used = true
		}
	}
}

func usedStars(cand []Star) []Star {
	var out []Star
	for _, s := range cand {
		if s.Used {
			out = append(out, s)
		}
	}
	const most = 60 // the brightest carry nearly all of the information
	return out[:min(len(out), most)]
}
