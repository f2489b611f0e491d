package session

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"limpid"
	"limpid/app/calibration"
	"limpid/app/recipe"
	"limpid/app/training"
	"limpid/engine"
	"limpid/priors/card"
	"limpid/priors/evaluate"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// learnedPrior says how to load the recipe's learned prior, after reading its card, so
// that a wrong file is refused before anything is computed.
func learnedPrior(p recipe.Prior) (func(engine.Device, engine.Stream) (deconv.LearnedPrior, error), training.Entry, error) {
	name := p.Kind
	if p.Kind == recipe.PriorWeights {
		name = p.File
	}
	entry, err := training.Find(name)
	if err != nil {
		return nil, entry, fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
	}
	if entry.Card.Kind != card.Score {
		return nil, entry, fmt.Errorf("%w: the prior %q is of the kind %q: it is not for images", recipe.ErrInvalid, name, entry.Card.Kind)
	}
	return func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) {
		p, err := entry.Load(dev, s)
		if err != nil {
			return nil, fmt.Errorf("session: prior %s: %w", name, err)
		}
		return p, nil
	}, entry, nil
}

// CodeCalibration marks the finding that says how often error bars like a result's held the
// truth of simulations.
const CodeCalibration = "calibration"

// codeUnlike marks the finding that an image is not of the kind that a prior was trained on.
const codeUnlike = "prior.unlike"

// codeStamp marks the finding that an image is larger than the stamps that a prior is for.
const codeStamp = "prior.stamp"

// calibrated says what is known of the error bars that a learned prior gives data like
// these: of the stored calibration whose signal to noise is nearest. m is how they are sampled and
// shown, set what there is beside the scene, unlike what was found where the data were compared with the training's.
func calibrated(e training.Entry, o *solvers.Observation, m recipe.Method, set deconv.Settings, unlike []limpid.Finding) limpid.Finding {
	beside := set.FreeSky || len(set.Stars) > 0
	f := limpid.Finding{Severity: limpid.Warning, Code: CodeCalibration, Where: "error bars"}
	all, err := calibration.Stored(e)
	width := psfWidth(o)
	like := calibration.Like{SNR: peakSNR(o, set.Stars, width), FWHM: width, Budget: m.Budget, Resolution: m.Resolution, Correlated: o.Colour != nil, Exposures: o.Exposures != nil, Stars: beside}
	near := calibration.Nearest(all, like)
	var apart calibration.Apart
	if near != nil {
		apart = near.Apart(like)
	}
	switch {
	case err != nil:
		f.What, f.Advice = fmt.Sprintf("the stored calibration of the prior %s cannot be read: %s", e.Name, plain(err.Error())), "remove the file, and calibrate it again"
	case near == nil:
		f.What = fmt.Sprintf("the error bars of the prior %s were never calibrated", e.Name)
		f.Advice = "measure them on simulations: limpid-cli calibrate --prior NAME --psf PSF, which keeps the result with weights of your own"
	case apart.SNR:
		f.What = fmt.Sprintf("this image has a peak of %.0f σ, for which error bars were not calibrated; %s", like.SNR, near.Sentence())
		f.Advice = "measure them: limpid-cli calibrate --snr LO,HI"
	case !near.Right():
		f.What = near.Sentence()
		f.Advice = "where this is not 90 % do not rely on single intervals: compare with the Gaussian prior"
	default:
		f.Severity, f.What = limpid.Info, near.Sentence()
		f.Advice = "measure them for your own PSF: limpid-cli calibrate --psf FILE"
	}
	if near == nil {
		return f
	}
	add := func(s limpid.Severity, format string, a ...any) {
		if s == limpid.Warning {
			f.Severity = s
		}
		f.What += "; " + fmt.Sprintf(format, a...)
	}
	if apart.PSF {
		add(limpid.Warning, "that was with a PSF of FWHM %.2g px, this one has %.2g px", near.FWHM, like.FWHM)
		f.Advice = "measure them for your own PSF: limpid-cli calibrate --psf FILE"
	}
	if apart.Budget {
		add(limpid.Warning, "that was with the %s budget", near.Budget.Name())
	}
	switch {
	case apart.Resolution && near.Resolution == 0:
		add(limpid.Warning, "that was without a target resolution")
	case apart.Resolution:
		add(limpid.Warning, "that was at another target resolution")
	}
	switch {
	case apart.Exposures && near.Exposures == 0:
		add(limpid.Warning, "that was of one image, not of several exposures or finer pixels")
	case apart.Exposures:
		add(limpid.Warning, "that was of several exposures")
	}
	switch {
	case apart.Correlated && near.Correlated == 0:
		add(limpid.Warning, "that was of noise that is independent from pixel to pixel")
	case apart.Correlated:
		add(limpid.Warning, "that was of correlated noise")
	}
	switch {
	case apart.Stars && beside:
		add(limpid.Warning, "that was without stars and a free sky")
	case apart.Stars:
		add(limpid.Warning, "that was with a star and a free sky")
	}
	if m.Recalibrate && near.FaintPairs == 0 {
		add(limpid.Info, "that was without faint pixels recalibrated")
	}
	if slices.ContainsFunc(unlike, func(u limpid.Finding) bool {
		return u.Code == codeUnlike || u.Code == codeStamp || u.Code == codeScale && u.Severity == limpid.Warning
	}) {
		f.Advice = "compare with the Gaussian prior, or train a prior on such images"
		add(limpid.Warning, "this image is unlike those fields")
	}
	return f
}

// codeScale marks the findings on the pixels of a scene beside those that a prior learned from.
const codeScale = "prior.scale"

// pixelSlack is by how much pixels may be finer or coarser than those of a prior's training before it is warned of.
const pixelSlack = 1.2

// ofScale says that the scene's pixels, of so many arcsec (0 for unknown), are not those that the prior learned from,
// where sources have other sizes; or that they are finer than the image's.
func ofScale(e training.Entry, arcsec float64, finer bool) []limpid.Finding {
	f := limpid.Finding{
		Severity: limpid.Info, Code: codeScale, Where: "prior",
		What:   fmt.Sprintf("the scene's pixels are finer than the image's; %s learned from %s", e.Name, e.Card.Scenes),
		Advice: "its detail is what sources of its training have on pixels of their own: compare with the Gaussian prior",
	}
	if arcsec > 0 {
		f.What = fmt.Sprintf("the scene's pixels are %.3g arcsec; %s learned from %s", arcsec, e.Name, e.Card.Scenes)
	}
	lo, hi := e.Card.MinPixel/pixelSlack, e.Card.MaxPixel*pixelSlack
	switch {
	case arcsec > 0 && hi > 0 && (arcsec < lo || arcsec > hi):
		f.Severity, f.Advice = limpid.Warning, "sources have other sizes on such pixels than this prior knows: compare with the Gaussian prior, or train a prior on such images"
	case !finer:
		return nil
	}
	return []limpid.Finding{f}
}

// noStamp says that a prior of one galaxy in the middle of a stamp is used on a larger image.
func noStamp(e training.Entry, o *solvers.Observation) []limpid.Finding {
	if h, w := o.Data.H, o.Data.W; e.Card.Stamp > 0 && max(h, w) > e.Card.Stamp {
		return []limpid.Finding{{
			Severity: limpid.Warning, Code: codeStamp, Where: "prior",
			What:   fmt.Sprintf("%s knows one galaxy in the middle of a stamp of at most %d pixels, and this image has %d × %d: what is farther out is taken for empty sky", e.Name, e.Card.Stamp, w, h),
			Advice: "cut a galaxy out, or use the prior galaxies",
		}}
	}
	return nil
}

// psfWidth is the FWHM of the PSF in the pixels of the scene, the widest where there are several; 0 where there is none.
func psfWidth(o *solvers.Observation) (widest float64) {
	p := o.PSF
	for c := range p.C {
		widest = math.Max(widest, observe.FWHM(p.Plane(c), p.H, p.W))
	}
	return widest
}

// peakSNR is the largest value over its noise, but where stars beside the scene are, through a PSF of FWHM width pixels.
func peakSNR(o *solvers.Observation, stars []deconv.Star, width float64) (top float64) {
	reach, plane := 1.5*math.Max(width, 1), o.Data.H*o.Data.W
	for i, w := range o.Weights.Pix {
		v := float64(o.Data.Pix[i]) * math.Sqrt(float64(w))
		if v <= top {
			continue
		}
		x, y := float64(i%plane%o.Data.W), float64(i%plane/o.Data.W)
		if !slices.ContainsFunc(stars, func(s deconv.Star) bool { return math.Hypot(x-s.X, y-s.Y) < reach }) {
			top = v
		}
	}
	return top
}

// unlike says where bands are not of the kind that a learned prior was trained on, by the
// test that its card holds the distribution of. Data seen through a PSF do not fail it more
// often than scenes (TestShipped_UnlikeImagesAreFound). A test that could not be made is
// said to be missing; the run goes on.
func unlike(dev engine.Device, load func(engine.Device, engine.Stream) (deconv.LearnedPrior, error), c card.Card, o *solvers.Observation) []limpid.Finding {
	switch {
	case c.Typical == nil:
		return nil
	case o.Colour != nil || o.Exposures != nil:
		return untested(errors.New("the test is of independent noise on one image"))
	}
	s := dev.NewStream()
	p, err := load(dev, s)
	if err != nil {
		return untested(err)
	}
	defer p.Close()
	t, err := evaluate.NewTest(dev, s, p, *c.Typical)
	if err != nil {
		return untested(err)
	}
	defer t.Close()
	d := o.Data
	plane := d.H * d.W
	pix := make([]float32, plane)
	var out []limpid.Finding
	for b := range d.C {
		weights := o.Weights.Pix[b*plane : (b+1)*plane]
		copy(pix, d.Pix[b*plane:])
		for i, w := range weights {
			if w <= 0 {
				pix[i] = float32(math.NaN())
			}
		}
		f, ok := t.Image(pix, d.H, d.W, func(i int) float64 { return 1 / math.Sqrt(float64(weights[i])) }, engine.NewKey(1))
		err := s.Err()
		if f, fails := p.(interface{ Err() error }); err == nil && fails {
			err = f.Err()
		}
		if err != nil {
			return untested(err)
		}
		if !ok || f == nil {
			continue
		}
		f.Code, f.Where = codeUnlike, "prior"
		if d.C > 1 {
			f.Where = "prior, band " + o.Bands[b]
		}
		out = append(out, *f)
	}
	return out
}

func untested(err error) []limpid.Finding {
	return []limpid.Finding{{
		Severity: limpid.Info, Code: "prior.untested", Where: "prior",
		What: "the image was not compared with what the prior was trained on: " + err.Error(),
	}}
}
