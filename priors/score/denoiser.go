// Package score is the prior learned from simulations by score matching: a
// network that denoises.
//
// The network never sees units. A scene x with noise σ is handed to it as
// z = x/σ, and it was trained on scenes of every brightness relative to the noise,
// so the denoiser satisfies D(λx, λσ) = λ D(x, σ) exactly: the prior has no flux
// scale of its own, as counts of sources that fall as a power law have none. One
// noise level, σ = 1, is all there is to learn.
package score

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
)

// Denoiser is D₁(z) ≈ E[z₀ | z = z₀ + n], n ~ N(0, 1), with the dynamic range of
// galaxy images: cores of thousands of σ beside wings below one. Around every pixel
// the local signal s² = max(0, G∗z² − 1) + s₀² (G a Gaussian of 1.2 px) is
// estimated, and the network F works on what is of order one everywhere:
//
//	D₁(z) = z s²/(1+s²) + s/√(1+s²) · F(z/√(1+s²), z/√(1+z²/16), ¼ ln(1+s²)),
//
// the preconditioning of Karras+2022, eq. 7, with a local data variance. Where the
// signal is bright, D₁ is z and a bounded correction of the noise; the second input
// keeps faint light visible beside bright cores. A centred denoiser has a fourth
// input, ln(1 + r²/64) with r the distance in pixels from the middle of the image.
type Denoiser struct {
	net     *nn.UNet
	kernel  *engine.Tensor // G, (5, 5, 1)
	centred bool
	radius  *engine.Tensor // (N, H, W, 1) of the last shape, a part of far
	far     *engine.Tensor
	dev     engine.Device
}

// floor is s₀, in σ: the signal that is thought possible anywhere.
const floor = 0.15

// kernelSide and kernelSigma describe G.
const (
	kernelSide  = 5
	kernelSigma = 1.2
)

// NewDenoiser builds the network on dev with initial weights from key.
func NewDenoiser(dev engine.Device, s engine.Stream, cfg nn.UNetConfig, centred bool, key engine.Key) (*Denoiser, error) {
	cfg.In, cfg.Out, cfg.Noise = 3, 1, 0
	if centred {
		cfg.In = 4
	}
	net, err := nn.NewUNet(nn.NewParams(dev, s, key), cfg)
	if err != nil {
		return nil, err
	}
	d := &Denoiser{net: net, centred: centred, dev: dev}
	if d.kernel, err = dev.Alloc(engine.Shape{kernelSide, kernelSide, 1}); err != nil {
		net.Params().Free()
		return nil, err
	}
	g := make([]float32, kernelSide*kernelSide)
	var sum float64
	value := func(i int) float64 {
		y, x := float64(i/kernelSide-kernelSide/2), float64(i%kernelSide-kernelSide/2)
		return math.Exp(-(x*x + y*y) / (2 * kernelSigma * kernelSigma))
	}
	for i := range g {
		sum += value(i)
	}
	for i := range g {
		g[i] = float32(value(i) / sum)
	}
	s.Upload(d.kernel, g)
	return d, s.Err()
}

// Network is the U-Net inside.
func (d *Denoiser) Network() *nn.UNet { return d.net }

// Close frees the weights.
func (d *Denoiser) Close() {
	d.net.Params().Free()
	d.kernel.Free()
	d.far.Free()
}

// distance makes the fourth input for images of a shape.
func (d *Denoiser) distance(s engine.Stream, n, h, w int) {
	want := engine.Shape{n, h, w, 1}
	if d.radius != nil && d.radius.Shape().Equal(want) {
		return
	}
	v := make([]float32, want.Len())
	for i := range v {
		y, x := float64(i/w%h)-float64(h-1)/2, float64(i%w)-float64(w-1)/2
		v[i] = float32(math.Log1p((x*x + y*y) / 64))
	}
	d.radius = d.far.Slice(0, want.Len()).Reshape(want...)
	s.Upload(d.radius, v)
}

// reserve has room for the distances of so many pixels.
func (d *Denoiser) reserve(pixels int) error {
	if d.far != nil && d.far.Len() >= pixels {
		return nil
	}
	d.far.Free()
	d.far, d.radius = nil, nil
	var err error
	if d.far, err = d.dev.Alloc(engine.Shape{pixels}); err != nil {
		d.far = nil
		return fmt.Errorf("score: %w", err)
	}
	return nil
}

// parts are what the preconditioning makes of z, all (N, H, W, 1) but in.
type parts struct {
	in   *grad.Var // (N, H, W, 3 or 4)
	keep *grad.Var // 1/(1+s²)
	out  *grad.Var // s/√(1+s²)
}

// precondition computes the parts; they take no gradient in the weights.
func (d *Denoiser) precondition(t *grad.Tape, z *grad.Var) parts {
	square := t.Mul(z, z)
	local := t.Depthwise(square, t.Const(d.kernel), nil, engine.Conv{Pad: kernelSide / 2, Edge: d.net.Config().Edge})
	above := t.Clamp(t.Affine(1, local, -1), 0, math.MaxFloat32)
	s2 := t.Affine(1, above, floor*floor)
	one := t.Affine(1, s2, 1)
	keep := t.Map(engine.Recip, one)
	root := t.Map(engine.Sqrt, keep)
	in := []*grad.Var{
		t.Mul(z, root),
		t.Mul(z, t.Map(engine.Sqrt, t.Map(engine.Recip, t.Affine(1.0/16, square, 1)))),
		t.Scale(0.25, t.Map(engine.Log, one)),
	}
	if d.centred {
		in = append(in, t.Const(d.radius))
	}
	return parts{in: t.Concat(in...), keep: keep, out: t.Mul(t.Map(engine.Sqrt, s2), root)}
}

// Residual is D₁(z) − z for z (N, H, W, 1): the score at σ = 1. A lack of memory is
// the tape's error.
func (d *Denoiser) Residual(t *grad.Tape, z *grad.Var) *grad.Var {
	p := d.precondition(t, z)
	f := d.net.Forward(t, p.in, nil)
	return t.Sub(t.Mul(p.out, f), t.Mul(p.keep, z))
}

// Loss runs F on z = z0 + n and compares it with what it should give,
// F* = (z₀ − z + z/(1+s²))/out, over the pixels where mask is 1: the denoising
// score matching of Vincent 2011 with the weight 1/out², which only depends on z
// and so does not move the minimum. It returns F − F* times the mask, whose mean
// square is the loss.
func (d *Denoiser) Loss(t *grad.Tape, z, z0, mask *grad.Var) *grad.Var {
	p := d.precondition(t, z)
	f := d.net.Forward(t, p.in, nil)
	target := t.Div(t.Add(t.Sub(z0, z), t.Mul(p.keep, z)), p.out)
	return t.Mul(t.Sub(f, target), mask)
}
