// Package hybrid is the prior of fields that are nearly Gaussian: the Wiener filter,
// which knows the power spectrum at all scales exactly, and a network that has learned
// from simulations what it misses (Remy+2023).
package hybrid

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/priors/gaussian"
)

// Denoiser is
//
//	D(x, σ) = W x + c(σ) F(a, squash(a), r; σ)
//	W = P/(P+σ²)     c² = mean over modes of Pσ²/(P+σ²)
//	a = W x/√(mean P²/(P+σ²))     r = (x − W x)/σ
//
// with P the power spectrum, in absolute units: c² is the mean square error of the
// Wiener filter, so that F learns something of order one at every σ, and the loss is
// the mean square error relative to the Wiener filter's.
type Denoiser struct {
	Spectrum gaussian.Spectrum
	Range    Range
	net      *nn.UNet
}

// Range is the noise levels that the network was trained for. Beyond, it is told the
// nearest end.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Features is how many numbers describe the noise to a network: see Range.Note.
const Features = 16

// embedding is the width of the network's condition.
const embedding = 48

// Network completes a configuration: three channels in, one out, told σ.
func Network(c nn.UNetConfig) nn.UNetConfig {
	c.In, c.Out, c.Noise, c.Embed = 3, 1, Features, embedding
	return c
}

// NewDenoiser builds the network on dev with initial weights from key.
func NewDenoiser(dev engine.Device, s engine.Stream, cfg nn.UNetConfig, sp gaussian.Spectrum, r Range, key engine.Key) (*Denoiser, error) {
	if !(r.Low > 0 && r.High > r.Low) {
		return nil, fmt.Errorf("hybrid: noise from %g to %g", r.Low, r.High)
	}
	net, err := nn.NewUNet(nn.NewParams(dev, s, key), Network(cfg))
	if err != nil {
		return nil, fmt.Errorf("hybrid: %w", err)
	}
	return &Denoiser{Spectrum: sp, Range: r, net: net}, nil
}

// Network is the U-Net inside.
func (d *Denoiser) Network() *nn.UNet { return d.net }

// Close frees the weights.
func (d *Denoiser) Close() { d.net.Params().Free() }

// Note is what a network is told of σ: features of a root of it, which vary slowly.
func (r Range) Note(sigma float64) []float32 {
	s := min(max(sigma, r.Low), r.High)
	return nn.NoiseFeatures([]float64{math.Pow(s, 0.25)}, Features)
}

// Scales are c and the standard deviation of W x for the power (h, w/2+1) of a grid.
func Scales(power []float64, h, w int, sigma float64) (c, signal float64) {
	for i, p := range power {
		m := gaussian.ModeWeight(i%(w/2+1), w) / float64(h*w)
		c += m * p * sigma * sigma / (p + sigma*sigma)
		signal += m * p * p / (p + sigma*sigma)
	}
	return math.Sqrt(c), math.Sqrt(signal)
}

// inputs are what the network sees, for a and r (N, H, W, 1).
func (d *Denoiser) inputs(t *grad.Tape, a, r *grad.Var) *grad.Var {
	square := t.Mul(a, a)
	squashed := t.Mul(a, t.Map(engine.Sqrt, t.Map(engine.Recip, t.Affine(1.0/9, square, 1))))
	return t.Concat(a, squashed, r)
}
