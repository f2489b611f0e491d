package calibration

import (
	"fmt"
	"math"
	"slices"

	"limpid/app/recipe"
	"limpid/solvers"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Options of a calibration.
type Options struct {
	Prior   string // a learned prior that ships, or a weights file
	Sampler string // one of Samplers; default bridge
	PSF     solvers.Image
	About   string  // of the PSF, for the report
	Side    int     // of the images; default 64
	Pairs   int     // truths; default 200
	Draws   int     // per truth; default 20
	LowSNR  float64 // peak of the blurred scene over the noise, log-uniform; default 5
	HighSNR float64 // default 300
	Masked  float64 // share of the rows that are lost; default 0
	Budget  deconv.Budget
	Levels  int // default those of the budget
	Moves   int
	// SigmaMin ends the walk, in σ of a data pixel; 0: the sampler's own.
	SigmaMin float64
	Seed     uint64
	Single   bool // one galaxy in the middle, not a field
	// Pixel is the pixel's side in arcsec that the simulator is told; 0: its own range.
	Pixel float64
	// Margin is how many pixels at the image's border do not count: what shines there from
	// beyond it is not seen. Negative: default, the PSF's FWHM.
	Margin int
	// TotalSNR takes S/N as √Σ(blurred scene)² over the noise, instead of the peak.
	TotalSNR bool
	// SceneSNR takes S/N as √Σ(scene)² over the noise, before the PSF.
	SceneSNR bool
	// Resolution is the FWHM in pixels of the target PSF that truths and draws are judged at; 0: their own.
	Resolution float64
	// Correlated is the σ in pixels of the Gaussian that white noise was smoothed with, as resampling does; 0: not.
	Correlated float64
	// Exposures is how many dithered exposures there are of every scene, on detector pixels of 2 × 2 of the scene's; the PSF
	// is then the light that such a pixel takes, on the scene's pixels. 0: one image on the scene's own.
	Exposures int
	// Star puts a star and a sky beside every scene, which are sampled with it.
	Star bool
	// Recalibrate maps draws of faint pixels: see calibrate.Faint.
	Recalibrate bool
	// Learn counts the pairs in a table of faint pixels, from draws as they are.
	Learn bool
	// Keep is given every pair.
	Keep func(Kept)
	// Truths says where truths come from; default Simulator.
	Truths Truths
}

func (o Options) withDefaults() (Options, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Side, 64)
	def(&o.Pairs, 200)
	def(&o.Draws, 20)
	levels, _ := o.Budget.Walk()
	def(&o.Levels, levels)
	def(&o.Moves, deconv.LearnedMoves)
	if o.Sampler == "" {
		o.Sampler = Samplers()[0]
	}
	if o.LowSNR == 0 {
		o.LowSNR = 5
	}
	if o.HighSNR == 0 {
		o.HighSNR = 300
	}
	if o.Truths == "" {
		o.Truths = Simulator
	}
	switch {
	case o.Truths != Simulator && o.Truths != OfPrior:
		return o, fmt.Errorf("%w: truths from %q: %q or %q", ErrInvalid, o.Truths, Simulator, OfPrior)
	case o.Truths == OfPrior && o.Single:
		return o, fmt.Errorf("%w: the prior cannot be told to draw one galaxy in the middle", ErrInvalid)
	case !slices.Contains(deconv.Budgets(), o.Budget):
		return o, fmt.Errorf("%w: budget %q is not one of quick, standard, publication", ErrInvalid, o.Budget)
	case o.Learn && (o.Budget != deconv.Standard || o.own()):
		return o, fmt.Errorf("%w: a table of faint pixels is measured with the standard budget's walk", ErrInvalid)
	case o.Resolution != 0 && !(o.Resolution >= recipe.MinResolution && o.Resolution <= recipe.MaxResolution):
		return o, fmt.Errorf("%w: a target resolution of %g px: a FWHM from %g to %g px, or 0 for none", ErrInvalid, o.Resolution, recipe.MinResolution, recipe.MaxResolution)
	case !(o.Correlated >= 0 && o.Correlated <= mostCorrelated):
		return o, fmt.Errorf("%w: noise smoothed over %g px: 0 to %d", ErrInvalid, o.Correlated, mostCorrelated)
	case o.Exposures < 0 || o.Exposures > mostDithered:
		return o, fmt.Errorf("%w: %d exposures: at most %d", ErrInvalid, o.Exposures, mostDithered)
	case o.Exposures > 0 && (o.Correlated > 0 || o.Star || o.Masked > 0 || o.Learn || o.Recalibrate || o.Side%ditherScale != 0):
		return o, fmt.Errorf("%w: exposures are of independent pixels, without stars and masks, and of an even side", ErrInvalid)
	case (o.Correlated > 0 || o.Star || o.Exposures > 0) && o.own():
		return o, fmt.Errorf("%w: with correlated noise, a star or exposures the walk is that of a budget", ErrInvalid)
	case (o.Correlated > 0 || o.Resolution > 0 || o.Star) && (o.Learn || o.Recalibrate):
		return o, fmt.Errorf("%w: faint pixels are mapped where noise is independent, not at a target resolution, and without stars", ErrInvalid)
	case o.Side < 16 || o.Side > 1024:
		return o, fmt.Errorf("%w: images of %d pixels: 16 to 1024", ErrInvalid, o.Side)
	case o.Draws < 8 || o.Draws > 10000:
		return o, fmt.Errorf("%w: %d draws: at least 8", ErrInvalid, o.Draws)
	case o.Pairs < calibrate.LeastPairs:
		return o, fmt.Errorf("%w: %d pairs: at least %d, 200 for a verdict", ErrInvalid, o.Pairs, calibrate.LeastPairs)
	case o.TotalSNR && o.SceneSNR:
		return o, fmt.Errorf("%w: S/N is of the scene or of its image, not of both", ErrInvalid)
	case o.SceneSNR && o.Exposures > 0:
		return o, fmt.Errorf("%w: with exposures S/N is of an image, not of the scene", ErrInvalid)
	case !(o.LowSNR > 0) || o.HighSNR < o.LowSNR:
		return o, fmt.Errorf("%w: S/N from %g to %g", ErrInvalid, o.LowSNR, o.HighSNR)
	case !(o.Masked >= 0 && o.Masked < 0.9):
		return o, fmt.Errorf("%w: %g of the image masked", ErrInvalid, o.Masked)
	case o.PSF.Empty():
		return o, fmt.Errorf("%w: no PSF", ErrInvalid)
	}
	if o.Margin < 0 {
		o.Margin = int(math.Ceil(observe.FWHM(o.PSF.Plane(0), o.PSF.H, o.PSF.W)))
	}
	if o.Star && o.Side-4*o.Margin < 8 {
		return o, fmt.Errorf("%w: a margin of %d of %d pixels leaves a star too few", ErrInvalid, o.Margin, o.Side)
	}
	if o.Side-2*o.Margin < 8 {
		return o, fmt.Errorf("%w: a margin of %d of %d pixels leaves too few", ErrInvalid, o.Margin, o.Side)
	}
	return o, nil
}

// mostCorrelated is the most that noise is smoothed over, px.
const mostCorrelated = 2

// mostDithered is the most exposures of a field.
const mostDithered = 16

// own says whether the walk is another than results have.
func (o Options) own() bool {
	levels, _ := o.Budget.Walk()
	return o.Sampler != Samplers()[0] || o.Levels != levels || o.Moves != deconv.LearnedMoves || o.SigmaMin != 0
}
