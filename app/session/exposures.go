package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"limpid"
	"limpid/app/recipe"
	"limpid/fitsio/wcs"
	"limpid/solvers"
	"limpid/solvers/observe"
)

// ErrExposure marks an exposure that cannot be laid on the first.
var ErrExposure = errors.New("unusable exposure")

// observeStacked makes the observation of a recipe of several exposures, or of a scene on finer
// pixels: every exposure is observed by itself, on its own pixels, and laid on the scene's by
// its coordinates.
func (s *Session) observeStacked(ctx context.Context, r recipe.Recipe) (*Observed, error) {
	first, err := s.observeOne(ctx, r)
	if err != nil {
		return first, err
	}
	if first.Obs.Data.C > 1 {
		return first, fmt.Errorf("%w: %s has %d planes: choose one with --plane", ErrExposure, fileName(r.Input.File), first.Obs.Data.C)
	}
	factor := max(1, r.Input.Scale)
	k := stacking{first: first, factor: float64(factor), h: factor * first.Obs.Data.H, w: factor * first.Obs.Data.W}
	if factor > 1 {
		first.Header = wcs.RescaleHeader(first.Header, k.factor)
	}
	k.sky = first.WCS // of the first's own pixels
	if factor > 1 && k.sky != nil {
		if first.WCS, err = celestial(first.Header); err != nil {
			return first, fmt.Errorf("%w: %s: coordinates of the finer pixels: %w", ErrExposure, fileName(r.Input.File), err)
		}
	}
	if len(r.Input.Others) > 0 && k.sky == nil {
		return first, fmt.Errorf("%w: %s has no world coordinates to lay the other exposures by", ErrExposure, fileName(r.Input.File))
	}
	if err := k.add(first, r.PSF); err != nil {
		return first, err
	}
	first.Recipe = first.Recipe.Clone()
	for i := range first.Recipe.Input.Others {
		if err := ctx.Err(); err != nil {
			return first, err
		}
		if err := k.observe(ctx, s, r, &first.Recipe.Input.Others[i]); err != nil {
			return first, err
		}
	}
	k.finish()
	return first, first.Obs.Validate()
}

// stacking is the work of observeStacked.
type stacking struct {
	first  *Observed
	sky    *wcs.WCS // of the first exposure's pixels
	factor float64
	h, w   int // of the scene's image
	list   []solvers.Exposure
}

// observe adds an exposure other than the first.
func (k *stacking) observe(ctx context.Context, s *Session, r recipe.Recipe, e *recipe.Exposure) error {
	r.Input = recipe.Input{File: e.File, SHA256: e.SHA256, HDU: e.HDU, Plane: r.Input.Plane}
	if e.PSF != nil {
		r.PSF = *e.PSF
	}
	o, err := s.observeOne(ctx, r)
	if err != nil {
		return err
	}
	name := fileName(e.File)
	switch {
	case o.Obs.Data.C > 1:
		return fmt.Errorf("%w: %s has %d planes: choose one with --plane", ErrExposure, name, o.Obs.Data.C)
	case o.WCS == nil:
		return fmt.Errorf("%w: %s has no world coordinates to lay it on the first by", ErrExposure, name)
	}
	e.SHA256, e.HDU = o.Recipe.Input.SHA256, o.Recipe.Input.HDU
	for _, f := range o.Findings {
		if f.Severity != limpid.Info && !slices.Contains(k.first.Findings, f) {
			k.first.Findings = append(k.first.Findings, f)
		}
	}
	if o.Obs.Unit != k.first.Obs.Unit {
		k.warn("exposure.unit", name, fmt.Sprintf("its unit is %q, that of the first exposure %q", o.Obs.Unit, k.first.Obs.Unit),
			"exposures must have one flux scale: convert them before")
	}
	if f := k.first.Scale / o.Scale; f != 1 {
		multiply(o.Obs.Data.Pix, f)
		multiply(o.Obs.Weights.Pix, 1/(f*f))
	}
	return k.add(o, r.PSF)
}

func (k *stacking) warn(code, where, what, advice string) {
	k.first.Findings = append(k.first.Findings, limpid.Finding{Severity: limpid.Warning, Code: code, Where: where, What: what, Advice: advice})
}

// add lays an exposure on the scene. Pixels whose centres are beyond its image are left out.
func (k *stacking) add(o *Observed, set recipe.PSF) error {
	d, name := o.Obs.Data, fileName(o.Recipe.Input.File)
	e := solvers.Exposure{Name: name, Data: d, Weights: o.Obs.Weights}
	jacobian := [4]float64{1 / k.factor, 0, 0, 1 / k.factor}
	if o == k.first {
		for i := range d.Pix {
			e.X = append(e.X, float32((float64(i%d.W)+0.5)*k.factor-0.5))
			e.Y = append(e.Y, float32((float64(i/d.W)+0.5)*k.factor-0.5))
		}
	} else {
		var ok bool
		if jacobian, ok = k.jacobian(o.WCS); !ok {
			return fmt.Errorf("%w: %s: its coordinates do not reach the field of the first", ErrExposure, name)
		}
		e.X, e.Y = k.places(o.WCS, d.H, d.W)
		seen := 0
		for i, w := range e.Weights.Pix {
			x, y := float64(e.X[i]), float64(e.Y[i])
			if !(x >= -0.5 && y >= -0.5 && x <= float64(k.w)-0.5 && y <= float64(k.h)-0.5) {
				e.Weights.Pix[i], e.Data.Pix[i] = 0, 0
			} else if w > 0 {
				seen++
			}
		}
		if seen == 0 {
			k.warn("exposure.outside", name, "none of its pixels lies on the field of the first exposure: it is left out", "check its coordinates")
			return nil
		}
	}
	e.Area = 1 / math.Abs(jacobian[0]*jacobian[3]-jacobian[1]*jacobian[2])
	psf, over, err := o.sampledPSF(set)
	if err != nil {
		return err
	}
	if over == 1 && k.factor > 1 && o.Report.FWHM[0] < undersampled {
		k.warn("psf.coarse", name, fmt.Sprintf("the PSF (FWHM %.2f px) is sampled too coarsely to be known on finer pixels", o.Report.FWHM[0]),
			"give a PSF with several samples per pixel (--psf-samples), or a profile")
	}
	if e.PSF, err = observe.FinePSF(psf, over, jacobian, name); err != nil {
		return err
	}
	if e.Native, err = observe.FinePSF(psf, over, [4]float64{1, 0, 0, 1}, name); err != nil {
		return err
	}
	k.list = append(k.list, e)
	return nil
}

// undersampled is the FWHM in pixels below which a PSF cannot be interpolated between its
// pixels.
const undersampled = 2.0

// sampledPSF is the exposure's PSF with so many samples per pixel: what was observed, or of a
// profile a finer one.
func (o *Observed) sampledPSF(set recipe.PSF) (psf solvers.Image, over int, err error) {
	switch set.Kind {
	case observe.PSFGaussian, observe.PSFMoffat, observe.PSFAiry, observe.PSFNone:
		fwhm := set.FWHM
		if set.Unit == "arcsec" {
			fwhm /= o.Obs.Frame.PixelScale
		}
		psf, err = observe.OversampledPSF(set, fwhm, min(o.Obs.Data.H, o.Obs.Data.W, analyticLimit))
		return psf, observe.ProfileSamples, err
	case observe.PSFFile, "":
		return o.Obs.PSF, max(1, set.Samples), nil
	}
	return o.Obs.PSF, 1, nil
}

// onFirst is where a pixel of another exposure lies, in pixels of the scene.
func (k *stacking) onFirst(w *wcs.WCS, x, y float64) (u, v float64, ok bool) {
	lon, lat, ok := w.PixelToSky(x, y)
	if !ok {
		return 0, 0, false
	}
	if w.Frame != k.sky.Frame {
		if lon, lat, ok = w.Frame.To(k.sky.Frame, lon, lat); !ok {
			return 0, 0, false
		}
	}
	x, y, ok = k.sky.SkyToPixel(lon, lat)
	return (x+0.5)*k.factor - 0.5, (y+0.5)*k.factor - 0.5, ok
}

// jacobian is the exposure's pixels per pixel of the scene, at the middle of the scene.
func (k *stacking) jacobian(w *wcs.WCS) (j [4]float64, ok bool) {
	u, v := float64(k.w-1)/2, float64(k.h-1)/2
	at := func(u, v float64) (x, y float64, ok bool) {
		lon, lat, ok := k.sky.PixelToSky((u+0.5)/k.factor-0.5, (v+0.5)/k.factor-0.5)
		if !ok {
			return 0, 0, false
		}
		if w.Frame != k.sky.Frame {
			if lon, lat, ok = k.sky.Frame.To(w.Frame, lon, lat); !ok {
				return 0, 0, false
			}
		}
		return w.SkyToPixel(lon, lat)
	}
	ax, ay, ok1 := at(u-0.5, v)
	bx, by, ok2 := at(u+0.5, v)
	cx, cy, ok3 := at(u, v-0.5)
	dx, dy, ok4 := at(u, v+0.5)
	return [4]float64{bx - ax, dx - cx, by - ay, dy - cy}, ok1 && ok2 && ok3 && ok4
}

// placeStep is how far apart, in pixels, coordinates are computed; between, places are
// bilinear. Over so few pixels distortions bend them by some 1e-4 px.
const placeStep = 16

// places are where the exposure's pixels lie on the scene; far outside where there are no
// coordinates.
func (k *stacking) places(w *wcs.WCS, h, width int) (xs, ys []float32) {
	ny, nx := (h-1)/placeStep+2, (width-1)/placeStep+2
	u, v := make([]float64, ny*nx), make([]float64, ny*nx)
	for j := range ny {
		for i := range nx {
			a, b, ok := k.onFirst(w, float64(i*placeStep), float64(j*placeStep))
			if !ok {
				a, b = math.NaN(), math.NaN()
			}
			u[j*nx+i], v[j*nx+i] = a, b
		}
	}
	xs, ys = make([]float32, h*width), make([]float32, h*width)
	for y := range h {
		j, ty := y/placeStep, float64(y%placeStep)/placeStep
		for x := range width {
			i, tx := x/placeStep, float64(x%placeStep)/placeStep
			at := j*nx + i
			blend := func(p []float64) float32 {
				return float32((1-ty)*((1-tx)*p[at]+tx*p[at+1]) + ty*((1-tx)*p[at+nx]+tx*p[at+nx+1]))
			}
			xs[y*width+x], ys[y*width+x] = blend(u), blend(v)
		}
	}
	return xs, ys
}

// finish puts the exposures into the first's observation, with their mean to look at.
func (k *stacking) finish() {
	o := k.first
	old := o.Obs
	values := make([]float32, 0, solvers.Seen(k.list, nil))
	solvers.Seen(k.list, func(_, e, i int) { values = append(values, k.list[e].Data.Pix[i]) })
	obs := &solvers.Observation{
		PSF: k.list[0].PSF, Exposures: k.list, Bands: old.Bands, Unit: old.Unit,
		Frame: solvers.Frame{PixelScale: old.Frame.PixelScale / k.factor},
	}
	obs.Data, obs.Weights = solvers.Coadd(k.list, values, k.h, k.w)
	o.Obs = obs
	k.checkFluxes()
	o.Report.FWHM = []float64{observe.FWHM(obs.PSF.Pix, obs.PSF.H, obs.PSF.W)}
	o.Report.Masked = []int{k.h*k.w - obs.ValidPixels(0)}
	text := fmt.Sprintf("%d exposure(s) on %d×%d pixels", len(k.list), k.w, k.h)
	if k.factor > 1 {
		text += fmt.Sprintf(", %.0f × %.0f of each of the first's", k.factor, k.factor)
	}
	o.Findings = append(o.Findings, limpid.Finding{Severity: limpid.Info, Code: "exposures", Where: fileName(o.Recipe.Input.File), What: text})
}

// What is bright enough, in σ, to compare fluxes of exposures by, how many pixels of the scene
// that takes, and what difference is worth a word.
const (
	fluxBright    = 10.0
	fluxFewest    = 20
	fluxDifferent = 0.05
)

// aboveSkies is the flux of an image over that of another where they have skies of their own: the light of the
// brightest pixels of both above the faintest; ok is false where there is too little.
func aboveSkies(im, w, ref, refW solvers.Image) (ratio float64, ok bool) {
	var seen []int
	for i := range im.Pix {
		if w.Pix[i] > 0 && refW.Pix[i] > 0 {
			seen = append(seen, i)
		}
	}
	slices.SortFunc(seen, func(i, j int) int { return cmp.Compare(im.Pix[i]+ref.Pix[i], im.Pix[j]+ref.Pix[j]) })
	n := len(seen) / 20
	if n < fluxFewest {
		return 0, false
	}
	mean := func(im solvers.Image, list []int) (m float64) {
		for _, i := range list {
			m += float64(im.Pix[i]) / float64(len(list))
		}
		return m
	}
	bright, faint := seen[len(seen)-n:], seen[:len(seen)/2]
	a, b := mean(ref, bright)-mean(ref, faint), mean(im, bright)-mean(im, faint)
	return b / a, a*math.Sqrt(mean(refW, bright)) > fluxBright && b*math.Sqrt(mean(w, bright)) > fluxBright
}

// overFirst is the flux of an image over that of another, the median where both are bright; ok is false where too little
// is.
func overFirst(im, w, ref, refW solvers.Image) (ratio float64, ok bool) {
	var all []float64
	for j, v := range im.Pix {
		a, b := float64(ref.Pix[j]), float64(v)
		if a*math.Sqrt(float64(refW.Pix[j])) > fluxBright && b*math.Sqrt(float64(w.Pix[j])) > fluxBright {
			all = append(all, b/a)
		}
	}
	if len(all) < fluxFewest {
		return 0, false
	}
	slices.Sort(all)
	return all[len(all)/2], true
}

// checkFluxes compares every exposure with the first.
func (k *stacking) checkFluxes() {
	compare := overFirst
	if k.first.Recipe.Sky.Free {
		compare = aboveSkies
	}
	var ref, refW solvers.Image
	for i := range k.list {
		one := k.list[i : i+1]
		var values []float32
		solvers.Seen(one, func(_, _, j int) { values = append(values, one[0].Data.Pix[j]) })
		im, w := solvers.Coadd(one, values, k.h, k.w)
		if i == 0 {
			ref, refW = im, w
			continue
		}
		if m, ok := compare(im, w, ref, refW); ok && math.Abs(m-1) > fluxDifferent {
			k.warn("exposure.flux", fmt.Sprintf("exposure %d", i+1), fmt.Sprintf("where both are bright it has %.2f of the first exposure's flux", m),
				"exposures must have one flux scale: divide them by exposure time and zero point before")
		}
	}
}
