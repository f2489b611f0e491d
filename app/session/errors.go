package session

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/engine"
	"limpid/fitsio"
	"limpid/fitsio/catalogue"
	"limpid/solvers/deblend"
	"limpid/solvers/deconv"
	"limpid/solvers/massmap"
	"limpid/solvers/observe"
)

// Errors of this package.
var (
	ErrCancelled = errors.New("cancelled")
	ErrOutput    = errors.New("cannot write")
	ErrMemory    = errors.New("not enough memory")
	ErrShape     = errors.New("not an image this can take")
	ErrChanged   = errors.New("the input file has changed")
	ErrPartial   = errors.New("some images failed") // of a batch; the others stand
)

// plain takes package names off the front of a message: they help us, not the
// user.
func plain(msg string) string {
	for {
		head, rest, ok := strings.Cut(msg, ": ")
		if !ok {
			return msg
		}
		switch head {
		case "session", "observe", "massmap", "lens", "measure", "catalogue", "recipe", "deconv", "solvers", "optim", "mcmc", "operator", "gaussian", "summary", "deblend":
			msg = rest
		default:
			return msg
		}
	}
}

// classify maps an error to an exit code and to words with advice.
func classify(err error) (int, limpid.Finding) {
	f := limpid.Finding{Severity: limpid.Problem, Code: "error", What: plain(err.Error())}
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	var memory *engine.MemoryError
	switch {
	case is(ErrCancelled, context.Canceled):
		f.Severity, f.Code, f.What = limpid.Info, "cancelled", "cancelled; no result was written"
		return ExitCancelled, f
	case is(recipe.ErrInvalid):
		f.Code, f.Advice = "recipe", "see limpid-cli help deconvolve"
		return ExitUsage, f
	case is(ErrOutput):
		f.Code, f.Advice = "output", "choose a folder you may write to, with enough space"
		return ExitOutput, f
	case is(ErrMemory) || errors.As(err, &memory):
		f.Code, f.Advice = "memory", "work on a cut-out, or keep fewer samples"
		return ExitMemory, f
	case is(ErrShape, fitsio.ErrNoImage, fitsio.ErrNoHDU):
		f.Code, f.Advice = "shape", "choose another HDU or one plane: limpid-cli info lists them"
		return ExitInput, f
	case is(ErrPartial):
		f.Code, f.Advice = "batch", "the log says why, image by image; --retry tries the failed ones again"
		return ExitPartial, f
	case is(ErrState):
		f.Code, f.Advice = "state", "run it again without --resume"
		return ExitUsage, f
	case is(ErrChanged):
		f.Code, f.Advice = "changed", "take the sha256 out of the recipe to run it on the new file"
		return ExitInput, f
	}
	return classifyData(err, f, is)
}

func classifyData(err error, f limpid.Finding, is func(...error) bool) (int, limpid.Finding) {
	switch {
	case is(observe.ErrSetting, deconv.ErrTile, deconv.ErrOperator, deconv.ErrColour, deconv.ErrExposures):
		f.Code, f.Advice = "setting", "correct the number"
		return ExitUsage, f
	case is(ErrExposure):
		f.Code, f.Advice = "exposure", "give calibrated exposures of one field with world coordinates, one plane of each"
		return ExitData, f
	case is(deconv.ErrStar):
		f.Code, f.Advice = "star", "check its position, which counts from 1 over the whole image, x before y; or leave it out"
		return ExitData, f
	case is(deblend.ErrSource):
		f.Code, f.Advice = "sources", "check the positions: pixels from 0, x before y (--swap-xy, --origin), or detect them (--detect)"
		return ExitData, f
	case is(deblend.ErrInput):
		f.Code, f.Advice = "input", "correct the weights, mask or PSF"
		return ExitData, f
	case is(observe.ErrNoise):
		f.Code, f.Advice = "noise", "choose another noise map, or measure the noise from the sky"
		return ExitData, f
	case is(observe.ErrSpectrum):
		f.Code, f.Advice = "noise.spectrum", "give an image of noise alone (--noise-spectrum FILE), a larger cut-out, or take pixels as independent"
		return ExitData, f
	case is(observe.ErrPSF):
		f.Code, f.Advice = "psf", "give another PSF, or measure it from stars"
		return ExitData, f
	case is(observe.ErrNoStars):
		f.Code, f.Advice = "stars", "give the PSF as a file (--psf psf.fits) or as a profile (--psf moffat:3px,3)"
		return ExitData, f
	case is(massmap.ErrEmpty):
		f.Code, f.Advice = "shear.empty", "check the columns, the cuts and the centre: limpid-cli massmap FILE --columns"
		return ExitData, f
	case is(massmap.ErrField):
		f.Code, f.Advice = "shear.field", "maps of shear and noise must have one size and finite values"
		return ExitData, f
	case is(massmap.ErrSetting):
		f.Code, f.Advice = "setting", "see limpid-cli help massmap"
		return ExitUsage, f
	case is(fitsio.ErrNoColumn, catalogue.ErrNoTable):
		f.Code, f.Advice = "columns", "name the columns: limpid-cli massmap FILE --columns lists them"
		return ExitInput, f
	case is(observe.ErrMasked):
		f.Code, f.Advice = "masked", "choose another HDU, mask or cut-out"
		return ExitData, f
	case is(observe.ErrMismatch):
		f.Code, f.Advice = "mismatch", "maps must have the image's size; a PSF one plane or as many as the image"
		return ExitData, f
	case is(observe.ErrScale):
		f.Code, f.Advice = "scale", "give the PSF's FWHM in px"
		return ExitData, f
	case is(fs.ErrNotExist):
		f.Code, f.Advice = "missing", "check the path"
		if file := new(fitsio.Error); errors.As(err, &file) && err.Error() == file.Error() {
			f.What = filepath.Base(file.Path) + ": no such file"
		}
		return ExitInput, f
	case is(fs.ErrPermission):
		f.Code, f.Advice = "permission", "check the file's permissions"
		return ExitInput, f
	}
	var file *fitsio.Error
	if errors.As(err, &file) {
		// the outer error may say more about what the file was for
		g := fitsio.AsFinding(err)
		g.Severity = limpid.Problem
		return ExitInput, g
	}
	return ExitInternal, f
}
