package anneal

import (
	"math"

	"limpid/engine"
)

// How the data correct a covariance that is too small: see innovation.
const (
	innovationWidth = 4.0  // px, σ of the Gaussian that residuals are averaged with
	innovationTrust = 1.3  // times the residuals expected, before anything is widened
	innovationMost  = 100  // times the variance
	innovationSeen  = 0.02 // share of a pixel's light that valid pixels must hold
)

// innovation widens the covariance of the scene given x where the data say that it is too
// small. The residual of the denoised scene should have the variance
//
//	E[w (y − A m)²] = 1 + w diag(A C Aᵀ),
//
// both sides averaged about a pixel. Where the left is larger by more than
// innovationTrust, the scene is not among those that x makes likely: what is known of it
// given x is not Gaussian, it has long tails, and C is their core. There C is multiplied by what
// makes the sides agree, as ensemble Kalman filters do (Anderson 2009, docs/adr/0022); with a Gaussian
// prior that is nowhere, up to chance. It supposes that A is a convolution, nearly: its
// adjoint is what spreads residuals over the scene that they belong to.
type innovation struct {
	blur    *engine.Tensor // (modes)
	valid   []float32      // (domain) Aᵀ of the mask, averaged
	belief  []float32      // (domain)
	found   []float32      // (n, domain)
	weights []float32      // (range)
	images  []float32      // (n, range)
}

func (k *core) newInnovation(err *error) *innovation {
	v := &innovation{blur: k.alloc(err, engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1})}
	if *err != nil {
		return nil
	}
	k.setGaussian(v.blur, innovationWidth)
	n := k.dom.Len()
	v.weights = k.cfg.Weights.Pix
	v.valid, v.belief, v.found = make([]float32, n), make([]float32, n), make([]float32, k.n*n)
	v.images = make([]float32, k.n*k.rng.Len())
	for i := range v.images[:k.rng.Len()] {
		if v.weights[i] > 0 {
			v.images[i] = 1
		}
	}
	v.average(k, v.valid, 1)
	return v
}

// average writes the blurred Aᵀ of the first n of v.images to dst.
func (v *innovation) average(k *core, dst []float32, n int) {
	wx, t := k.part(k.wx, 0, n), k.part(k.t, 0, n)
	k.s.Upload(wx, v.images[:n*k.rng.Len()])
	k.op.Adjoint(k.s, t, wx)
	k.filter(t, t, v.blur)
	k.s.Download(dst, t)
}

// measure leaves in found by what the variance of each scene's pixels is to be multiplied;
// m holds the denoised scenes, spread is a draw of N(0, C) for each.
func (v *innovation) measure(k *core, m, spread *engine.Tensor) error {
	s, pixels := k.s, k.rng.Len()
	k.op.Forward(s, k.ax, spread)
	s.Download(v.images, k.ax)
	for i := range pixels { // the mean of the batch, in its first image
		var sum float32
		for b := range k.n {
			d := v.images[b*pixels+i]
			sum += d * d
		}
		v.images[i] = sum * v.weights[i] / float32(k.n)
	}
	v.average(k, v.belief, 1)
	k.residual(m, k.w)
	s.Download(v.images, k.ax)
	if k.beside != nil {
		k.beside.Remove(v.images)
	}
	for i, r := range v.images {
		w := v.weights[i%pixels]
		v.images[i] = 0
		if w > 0 {
			v.images[i] = w*r*r - 1
		}
	}
	v.average(k, v.found, k.n)
	if err := s.Err(); err != nil {
		return err
	}
	n := k.dom.Len()
	for i, excess := range v.found {
		v.found[i] = widening(float64(v.valid[i%n]), float64(v.belief[i%n]), float64(excess))
	}
	return nil
}

// widening is the factor for a pixel: valid is the share of its light that was observed,
// belief and excess are the variance over the noise's, expected and found, times valid.
func widening(valid, belief, excess float64) float32 {
	if valid < innovationSeen {
		return 1
	}
	beyond := excess - (innovationTrust-1)*(valid+belief) // of what chance explains
	return float32(math.Max(1, math.Min(innovationMost, beyond/math.Max(belief, 1e-3*valid))))
}
