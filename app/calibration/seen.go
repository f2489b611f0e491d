package calibration

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"limpid/engine"
	"limpid/solvers"
)

// observation is what is seen of the scene in truthX, whose image without noise is given, and what its S/N is of; scale
// is by what it was multiplied.
func (r *rig) observation(image solvers.Image, of []float32, rng *rand.Rand) (*solvers.Observation, float32, error) {
	if r.dithered != nil {
		return r.dithered.observe(r, r.truthX, rng)
	}
	scale, weights := r.observe(image, of, rng)
	o := &solvers.Observation{Data: image, Weights: weights, PSF: r.o.PSF, Bands: []string{"sim"}}
	if r.colour != nil {
		o.Colour = []solvers.Correlation{r.colour.colour}
	}
	return o, scale, nil
}

// measured is what S/N is of: the scene as the observer would have seen it without PSF, or its image without noise.
func (r *rig) measured(scene []float32, image solvers.Image) []float32 {
	if r.o.SceneSNR {
		return r.sky.Crop(scene)
	}
	return image.Pix
}

// scaled draws a signal to noise of what is given, and gives what that is multiplied by for it.
func (r *rig) scaled(of []float32, rng *rand.Rand) float32 {
	snr := r.o.LowSNR * math.Pow(r.o.HighSNR/r.o.LowSNR, rng.Float64())
	return float32(snr / max(r.signal(of), 1e-30))
}

// observe makes an image without noise an observation of some S/N, whose noise is 1; scale is by what it was multiplied.
func (r *rig) observe(image solvers.Image, of []float32, rng *rand.Rand) (scale float32, weights solvers.Image) {
	n := r.o.Side
	scale = r.scaled(of, rng)
	weights = solvers.NewImage(1, n, n)
	var coloured []float32
	if r.colour != nil {
		coloured = r.colour.draw(n, n, rng)
	}
	for i := range image.Pix {
		var noise float64
		if coloured != nil {
			noise = float64(coloured[i])
		} else {
			noise = rng.NormFloat64()
		}
		lost := float64(i/n) < r.o.Masked*float64(n)
		image.Pix[i] *= scale
		if !lost {
			image.Pix[i] += float32(noise)
			weights.Pix[i] = 1
		} else {
			image.Pix[i] = 0
		}
	}
	return scale, weights
}

// precision is that of the coverage of all pixels, in σ of a data pixel: empty sky is exactly 0 in many simulated
// truths, and an interval that begins there holds it always.
const precision = 0.1

// signal is what S/N is of: the peak of a noise-free image, or with TotalSNR or SceneSNR the root of its
// sum of squares.
func (r *rig) signal(im []float32) float64 {
	var peak, sum float64
	for _, v := range im {
		peak, sum = math.Max(peak, float64(v)), sum+float64(v)*float64(v)
	}
	if r.o.TotalSNR || r.o.SceneSNR {
		return math.Sqrt(sum)
	}
	return peak
}

// mostPassed is how many truths in a row may be passed over.
const mostPassed = 1000

// seen is the first scene whose image has its brightest light inside the margin, or at least half of it:
// images that hold no more than the light of sources beyond their border are passed over.
func (r *rig) seen(ctx context.Context, key engine.Key) (scene []float32, image solvers.Image, err error) {
	n := r.o.Side
	for try := range uint64(mostPassed) {
		if scene, err = r.truth(ctx, key.Fold(try)); err != nil {
			return nil, image, err
		}
		r.sky.Forward(r.s, r.modelY, r.truthX)
		image = solvers.NewImage(1, n, n)
		r.s.Download(image.Pix, r.modelY)
		if err := r.s.Err(); err != nil {
			return nil, image, err
		}
		if top := slices.Max(inner(image.Pix, n, r.o.Margin)); top > 0 && top >= slices.Max(image.Pix)/2 {
			return scene, image, nil
		}
		r.out.Passed++
	}
	return nil, image, fmt.Errorf("%w: none of %d scenes has its light inside a margin of %d of %d pixels", ErrInvalid, mostPassed, r.o.Margin, n)
}
