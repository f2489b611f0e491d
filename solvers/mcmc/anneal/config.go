package anneal

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
)

// Config is what every kernel needs. Zero values take the defaults.
type Config struct {
	Op            solvers.Operator // made for Batch scenes at a time
	Data, Weights solvers.Image    // in the range of Op; weights are inverse variances
	Prior         priors.Prior
	// Columns are what the data hold beside the scene, y = A x + P a + n: integrated out,
	// see solvers.Nuisance. Moments cannot have them.
	Columns []solvers.Column
	// Power is the scene's mean power on the modes of Op's domain, (C, H, W/2+1), in
	// (data unit)²: it sets where the walk begins and ends, and scales moves.
	Power []float64
	// Gain is |A|² on the same modes, where A is a convolution or nearly one: it
	// shapes moves and speeds solves up, and changes no result. nil: 1.
	Gain []float64

	SigmaMax float64 // data unit; default see sigmaRange
	SigmaMin float64
	Levels   int     // default 62, with Keep 32, of Moments 11; of HMC and Langevin by Ratio
	Ratio    float64 // σ of a level over that before; default .97 (HMC, Langevin)
	Moves    int     // at σ_min; default 10, of Moments 13; negative: none
	Batch    int     // draws at a time; default 8
	Probes   int     // draws of a batch that the local covariance is measured on; default 4
	// Stationary takes σ² P/(P + σ²) for the covariance of the scene given x, which is
	// exact where the prior is Gaussian, instead of measuring it.
	Stationary bool
	// Patches gives sky, faint and bright light a spectrum of the local covariance each, lets
	// the data widen it and add what the prior does not see, and gives draws long tails: see
	// patches, innovation, haze and tailed. A must be a convolution, nearly. It asks for some
	// three times the Fourier transforms, and no further call of the prior.
	Patches bool
	// Keep takes the bridge's own step, which keeps (σ′/σ)² of x. Else x at the next level is x0
	// with fresh noise, and nothing of x before: exact if the draws of x0 are (Zhang+2024,
	// arXiv:2407.01521), and quicker to forget what was wrong with them.
	Keep      bool
	White     solvers.White // where noise comes from; nil: Stream.Normal
	NoPreview bool          // no Gaussian mean to look at before the first draws
	Stream    engine.Stream // the stream the prior works on; nil: a new one
	// Start fills x, (Batch, domain), on the stream with draws of a posterior close to the
	// one asked for: the walk then begins at them with noise of SigmaMax added, which may
	// be far lower. nil: draws under the Gaussian stand-in.
	Start func(ctx context.Context, s engine.Stream, x *engine.Tensor, key engine.Key) error
	// MeanAt are noise levels at which Bridge gathers the mean of the scene given x and
	// the data: see Bridge.Mean.
	MeanAt []float64
	// MeanWalks is how many batches walk before each batch of draws only as far as the
	// first of MeanAt, for the sake of Mean: a few levels each.
	MeanWalks int
}

const (
	defaultLevels = 62
	keepingLevels = 32
	defaultMoves  = 10
	defaultRatio  = 0.97
	defaultBatch  = 8
	defaultProbes = 4
)

// withDefaults fills what is zero.
func (c Config) withDefaults() (Config, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	if c.Keep {
		def(&c.Levels, keepingLevels)
	}
	def(&c.Levels, defaultLevels)
	def(&c.Moves, defaultMoves)
	def(&c.Batch, defaultBatch)
	def(&c.Probes, defaultProbes)
	c.Moves, c.Probes = max(c.Moves, 0), min(c.Probes, c.Batch)
	if c.Ratio == 0 {
		c.Ratio = defaultRatio
	}
	if c.Levels < 2 || c.Ratio <= 0 || c.Ratio >= 1 {
		return c, fmt.Errorf("anneal: %d levels with a ratio of %g: at least 2, and a ratio between 0 and 1", c.Levels, c.Ratio)
	}
	d := c.Op.Domain()
	modes := d[0] * d[1] * (d[2]/2 + 1)
	if len(c.Power) != modes {
		return c, fmt.Errorf("anneal: power on %d modes, the scene has %d", len(c.Power), modes)
	}
	if c.Gain == nil {
		c.Gain = make([]float64, modes)
		for i := range c.Gain {
			c.Gain[i] = 1
		}
	}
	if len(c.Gain) != modes {
		return c, fmt.Errorf("anneal: gain on %d modes, the scene has %d", len(c.Gain), modes)
	}
	top, end := c.sigmaRange()
	if c.SigmaMax == 0 {
		c.SigmaMax = top
	}
	if c.SigmaMin == 0 {
		c.SigmaMin = end
	}
	if !(c.SigmaMin > 0) || !(c.SigmaMax > c.SigmaMin) || math.IsInf(c.SigmaMax, 0) {
		return c, fmt.Errorf("anneal: noise levels from %g to %g: they must fall and be positive", c.SigmaMax, c.SigmaMin)
	}
	return c, nil
}

// Ends of the walk, relative to the scene and the noise.
const (
	sigmaTop   = 20.0 // times the rms of the scene
	sigmaEnd   = 0.02 // times the rms of the scene …
	sigmaNoise = 0.1  // … or times the lowest noise, what is less
)

// sigmaRange begins where nothing of the scene is seen under the noise and ends far
// below both scene and noise.
func (c Config) sigmaRange() (top, end float64) {
	var weight float64
	for _, w := range c.Weights.Pix {
		weight = math.Max(weight, float64(w))
	}
	rms := c.rms()
	return sigmaTop * rms, math.Min(sigmaEnd*rms, sigmaNoise/math.Sqrt(weight))
}

// rms is the scene's.
func (c Config) rms() float64 {
	var power float64
	for _, p := range c.Power {
		power += p / float64(len(c.Power))
	}
	return math.Sqrt(power)
}

// levels are log-spaced from σ_max to σ_min.
func (c Config) levels() []float64 {
	out := make([]float64, c.Levels)
	for i := range out {
		out[i] = c.SigmaMax * math.Pow(c.SigmaMin/c.SigmaMax, float64(i)/float64(c.Levels-1))
	}
	return out
}
