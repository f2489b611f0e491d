package score

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/train"
)

// Regressor estimates the scene at once, as DeepMass (Jeffrey+2020) does for
// convergence: a network trained on pairs of scenes and observations y = P ∗ x + n, P a
// Gaussian of one width and n white, gives the mean of the posterior where the loss is
// ℓ2, its median, pixel by pixel, where it is ℓ1. It is fast, and knows no error bars,
// no other PSF and no mask: a preview, and a peer for samplers. With z = y/σ and the
// inputs of Denoiser,
//
//	x̂/σ = z + s F(…).
type Regressor struct {
	Card card.Card
	d    *Denoiser
	dev  engine.Device
	tape *grad.Tape
	z    *engine.Tensor
	err  error
}

// LoadRegressor makes a Regressor of an open safetensors file.
func LoadRegressor(dev engine.Device, s engine.Stream, f *safetensors.File) (*Regressor, error) {
	c, err := card.Of(f)
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if c.Kind != card.Mean && c.Kind != card.Median {
		return nil, fmt.Errorf("score: %q is of the kind %q and predicts no image", c.Name, c.Kind)
	}
	d, err := NewDenoiser(dev, s, c.UNet, c.Centred, engine.NewKey(0))
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if err := d.net.Params().Load(f); err != nil {
		d.Close()
		return nil, fmt.Errorf("score: %w", err)
	}
	return NewRegressor(dev, s, d, c), nil
}

// NewRegressor wraps a network, which it closes in the end.
func NewRegressor(dev engine.Device, s engine.Stream, d *Denoiser, c card.Card) *Regressor {
	return &Regressor{Card: c, d: d, dev: dev, tape: grad.New(dev, s)}
}

// Align is what the sides of an image must be multiples of.
func (r *Regressor) Align() int { return r.d.net.Align() }

// Predict writes the estimate of the scene behind y (…, H, W) with noise sigma. A lack
// of memory is the error.
func (r *Regressor) Predict(s engine.Stream, dst, y *engine.Tensor, sigma float64) error {
	shape := y.Shape()
	h, w := shape[len(shape)-2], shape[len(shape)-1]
	n := y.Len() / (h * w)
	if r.z == nil || r.z.Len() != y.Len() {
		r.z.Free()
		if r.z, r.err = r.dev.Alloc(engine.Shape{n, h, w, 1}); r.err != nil {
			r.z = nil
			return fmt.Errorf("score: %w", r.err)
		}
	}
	z := r.z.Reshape(n, h, w, 1)
	s.Scale(z.Reshape(shape...), float32(1/sigma), y)
	for i := range n {
		r.tape.Reset(grad.Forward)
		v := r.tape.Const(z.Slice(i, i+1))
		f, size := r.d.regression(r.tape, v)
		x := r.tape.Add(v, r.tape.Mul(size, f))
		if err := r.tape.Err(); err != nil {
			return fmt.Errorf("score: %w", err)
		}
		s.Scale(dst.Reshape(n, h, w, 1).Slice(i, i+1), float32(sigma), x.Value())
	}
	return s.Err()
}

// Close frees everything.
func (r *Regressor) Close() {
	r.z.Free()
	r.tape.Close()
	r.d.Close()
}

// regression is F and s for z (N, H, W, 1).
func (d *Denoiser) regression(t *grad.Tape, z *grad.Var) (f, size *grad.Var) {
	p := d.precondition(t, z)
	// out = s/√(1+s²) and keep = 1/(1+s²)
	return d.net.Forward(t, p.in, nil), t.Div(p.out, t.Map(engine.Sqrt, p.keep))
}

// RegressTask learns a Regressor. It draws scenes as Task does.
type RegressTask struct {
	*Task
	FWHM   float64 // of the point spread, in pixels; 0: none
	Median bool    // ℓ1 instead of ℓ2

	psf, spec *engine.Tensor
}

var _ train.Task = (*RegressTask)(nil)

// NewRegressTask allocates network and batches.
func NewRegressTask(dev engine.Device, s engine.Stream, source Source, c TaskConfig, fwhm float64, median bool, seed uint64) (*RegressTask, error) {
	if !(fwhm >= 0 && fwhm < 50) {
		return nil, fmt.Errorf("score: a point spread of %g pixels (FWHM): 0 to 50 are possible", fwhm)
	}
	if _, noisy := source.(Noisy); noisy && source.(Noisy).Noise(engine.NewKey(0)) > 0 {
		return nil, fmt.Errorf("score: a regression learns from noiseless scenes only")
	}
	t, err := NewTask(dev, s, source, c, seed)
	if err != nil {
		return nil, err
	}
	r := &RegressTask{Task: t, FWHM: fwhm, Median: median}
	side := t.Config.Side
	if r.psf, err = dev.Alloc(engine.Shape{side, side/2 + 1}); err == nil {
		r.spec, err = dev.Alloc(engine.Shape{t.Config.Batch, side, side}.Spectrum())
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("score: %w", err)
	}
	sigma := fwhm / (2 * math.Sqrt(2*math.Ln2))
	h := make([]float32, side*(side/2+1))
	for i := range h {
		ky, kx := gaussian.Frequency(i/(side/2+1), side), float64(i%(side/2+1))/float64(side)
		h[i] = float32(math.Exp(-2 * math.Pi * math.Pi * sigma * sigma * (kx*kx + ky*ky)))
	}
	s.Upload(r.psf, h)
	return r, s.Err()
}

// Describe is the configuration.
func (r *RegressTask) Describe() any {
	return struct {
		TaskConfig
		FWHM   float64 `json:"fwhm"`
		Median bool    `json:"median"`
	}{r.Config, r.FWHM, r.Median}
}

// Fill makes the batch of a key.
func (r *RegressTask) Fill(key engine.Key) {
	r.Task.Fill(key)
	if r.FWHM == 0 {
		return
	}
	// z = P ∗ z₀ + n in place of z₀ + n
	t, side := r.Task, r.Config.Side
	planes := func(x *engine.Tensor) *engine.Tensor { return x.Reshape(r.Config.Batch, side, side) }
	t.s.Sub(t.z, t.z, t.z0)
	t.s.RFFT2(r.spec, planes(t.z0))
	t.s.CScale(r.spec, r.spec, r.psf)
	t.s.IRFFT2(planes(t.z0), r.spec)
	t.s.Add(t.z, t.z, t.z0)
	t.s.Upload(t.z0, t.host)
}

// roundness is where ℓ1 turns into ℓ2, in units of s.
const roundness = 0.01

// Loss is, for the mean, (z₀ − z)/s − F; for the median the square root of its size,
// rounded at roundness, whose mean square is the ℓ1 loss.
func (r *RegressTask) Loss(tape *grad.Tape) *grad.Var {
	z := tape.Const(r.z)
	f, size := r.D.regression(tape, z)
	e := tape.Mul(tape.Sub(f, tape.Div(tape.Sub(tape.Const(r.z0), z), size)), tape.Const(r.mask))
	if !r.Median {
		return e
	}
	root := tape.Map(engine.Sqrt, tape.Affine(1, tape.Mul(e, e), roundness*roundness))
	return tape.Map(engine.Sqrt, root)
}

// Close frees everything.
func (r *RegressTask) Close() {
	r.Task.Close()
	r.psf.Free()
	r.spec.Free()
}

// Params are the network's.
func (r *RegressTask) Params() *nn.Params { return r.Task.Params() }
