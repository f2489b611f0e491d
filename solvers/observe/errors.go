package observe

import "errors"

// Kinds of what can be wrong with an observation; errors.Is finds them.
var (
	ErrSetting  = errors.New("setting out of range")          // a number the user typed
	ErrNoise    = errors.New("unusable noise map")            // negative, zero variance, wrong shape
	ErrSpectrum = errors.New("unknown spectrum of the noise") // too little empty sky
	ErrPSF      = errors.New("unusable PSF")                  // sums to 0, too large, not finite
	ErrMasked   = errors.New("no usable pixels")              // all NaN or masked
	ErrNoStars  = errors.New("no stars to measure")           // PSF measurement failed
	ErrMismatch = errors.New("shapes do not match")           // maps or planes of other sizes
	ErrScale    = errors.New("the pixel scale unknown")       // arcsec without a WCS
)

type kinded struct {
	kind error
	err  error
}

func (k kinded) Error() string   { return k.err.Error() }
func (k kinded) Unwrap() []error { return []error{k.kind, k.err} }

func badMap(err error) error     { return kinded{ErrNoise, err} }
func badSetting(err error) error { return kinded{ErrSetting, err} }
func badPSF(err error) error     { return kinded{ErrPSF, err} }
