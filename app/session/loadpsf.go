package session

import (
	"context"
	"fmt"
	"math"

	"limpid/app/recipe"
	"limpid/solvers"
	"limpid/solvers/observe"
)

// analyticLimit bounds a profile's stamp, in pixels.
const analyticLimit = 101

// LoadPSF reads one PSF plane as --psf names it: a profile in pixels, a file, or a file
// and HDU; side > 0 cuts its stamp to the middle side × side pixels, rounded down to odd.
// It sums to 1.
func LoadPSF(ctx context.Context, name string, side int) (solvers.Image, error) {
	set, err := recipe.ParsePSF(name)
	if err != nil {
		return solvers.Image{}, err
	}
	var im solvers.Image
	switch set.Kind {
	case observe.PSFGaussian, observe.PSFMoffat, observe.PSFAiry:
		if set.Unit == "arcsec" {
			return im, fmt.Errorf("%w: PSF %s: give its width in pixels", recipe.ErrInvalid, name)
		}
		beta := set.Beta
		if beta == 0 {
			beta = 3
		}
		if im, err = observe.AnalyticPSF(set.Kind, set.FWHM, beta, analyticLimit); err != nil {
			return im, err
		}
	case observe.PSFFile:
		if im, err = readPSFFile(ctx, set); err != nil {
			return im, err
		}
	default:
		return im, fmt.Errorf("%w: PSF %s: give a profile or a file", recipe.ErrInvalid, name)
	}
	if side > 0 {
		n := min(side-(1-side%2), im.H, im.W)
		y, x := (im.H-1)/2-(n-1)/2, (im.W-1)/2-(n-1)/2
		im = im.Crop(x, x+n, y, y+n)
	}
	var sum float64
	for _, v := range im.Pix {
		sum += float64(v)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return im, fmt.Errorf("%w: %s: the PSF sums to %g", observe.ErrPSF, name, sum)
	}
	for i := range im.Pix {
		im.Pix[i] = float32(float64(im.Pix[i]) / sum)
	}
	return im, nil
}

func readPSFFile(ctx context.Context, set recipe.PSF) (solvers.Image, error) {
	s := &Session{}
	doc, err := s.Open(ctx, set.File)
	if err != nil {
		return solvers.Image{}, err
	}
	defer doc.Close()
	o := &Observed{Recipe: recipe.Recipe{PSF: set}}
	o.Recipe.PSF.File = ""
	if set.HDU == nil && doc.WithRole(RolePSF, 0, 0) < 0 {
		first, err := doc.FirstImage()
		if err != nil {
			return solvers.Image{}, err
		}
		o.Recipe.PSF.HDU = &first
	}
	im, err := o.readPSF(ctx, s, doc)
	if err != nil {
		return solvers.Image{}, err
	}
	return solvers.Image{C: 1, H: im.H, W: im.W, Pix: im.Plane(0)}, nil
}
