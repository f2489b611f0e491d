package session

import (
	"math"

	"limpid/solvers"
	"limpid/solvers/observe"
)

// Typical magnitudes between which data are left as they are: weights are their
// inverse squares and must stay well inside float32.
const (
	smallest = 1e-7
	largest  = 1e9
)

// rescale multiplies data and maps by a power of two if the data's typical
// magnitude is out of range for float32 arithmetic.
func (o *Observed) rescale(in *observe.Input) {
	var top float64
	for _, v := range in.Data.Pix {
		if x := math.Abs(float64(v)); x > top && !math.IsInf(x, 0) {
			top = x
		}
	}
	if top == 0 || (top > smallest && top < largest) {
		return
	}
	_, exp := math.Frexp(top)
	o.Scale = math.Ldexp(1, 10-exp) // the brightest pixel becomes about 1000
	multiply(in.Data.Pix, o.Scale)
	if in.NoiseMap != nil {
		f := o.Scale
		switch o.Recipe.Noise.Kind {
		case observe.NoiseVariance:
			f *= o.Scale
		case observe.NoiseWeights:
			f = 1 / (o.Scale * o.Scale)
		}
		multiply(in.NoiseMap.Pix, f)
	}
	in.Gain /= o.Scale
	in.Saturation *= o.Scale
}

// settings are the recipe's, in scaled units.
func (o *Observed) settings() observe.Settings {
	r := o.Recipe
	set := observe.Settings{PSF: r.PSF, Noise: r.Noise, Sky: r.Sky, Mask: r.Mask}
	if o.Scale == 1 {
		return set
	}
	set.Noise.Sigma *= o.Scale
	set.Noise.Gain /= o.Scale
	for _, p := range []**float64{&set.Sky.Value, &set.Mask.Saturation} {
		if *p != nil {
			v := **p * o.Scale
			*p = &v
		}
	}
	return set
}

func multiply(pix []float32, f float64) {
	for i, v := range pix {
		pix[i] = float32(float64(v) * f)
	}
}

// physical is an image in the data's own unit.
func (o *Observed) physical(im solvers.Image) solvers.Image {
	if o.Scale == 1 || im.Empty() {
		return im
	}
	out := im.Clone()
	multiply(out.Pix, 1/o.Scale)
	return out
}
