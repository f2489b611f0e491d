package hybrid

import (
	"fmt"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
	"limpid/priors"
	"limpid/priors/card"
	"limpid/priors/internal/tiled"
)

// Prior is a learned density on maps, known by its score at every noise level: that
// of the Gaussian field of its spectrum, and what the network adds. Maps are periodic
// and in the absolute units of the training. Bands are taken one by one. It implements
// priors.Prior.
type Prior struct {
	Card card.Card
	// GaussianOnly leaves the network out: the score is that of the Gaussian field.
	GaussianOnly bool

	d     *Denoiser
	tape  *grad.Tape
	net   *tiled.Network
	dev   engine.Device
	s     engine.Stream
	h, w  int
	sigma float64 // filter's
	power []float64
	host  []float32
	c, v  float64 // scales

	filter, spec, notes *engine.Tensor
	a, r                *engine.Tensor // (1, H, W, 1)
	err                 error
}

var _ priors.Prior = (*Prior)(nil)

// Load reads weights from a safetensors file. The stream is the one that Score
// will be called with.
func Load(dev engine.Device, s engine.Stream, path string) (*Prior, error) {
	f, done, err := nn.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("hybrid: %w", err)
	}
	defer done()
	return From(dev, s, f)
}

// From makes a prior of an open safetensors file.
func From(dev engine.Device, s engine.Stream, f *safetensors.File) (*Prior, error) {
	c, err := card.Of(f)
	if err != nil {
		return nil, fmt.Errorf("hybrid: %w", err)
	}
	if c.Kind != card.Hybrid {
		return nil, fmt.Errorf("hybrid: the prior %q is of the kind %q", c.Name, c.Kind)
	}
	d, err := NewDenoiser(dev, s, c.UNet, *c.Spectrum, Range{c.Low, c.High}, engine.NewKey(0))
	if err != nil {
		return nil, err
	}
	if err := d.net.Params().Load(f); err != nil {
		d.Close()
		return nil, fmt.Errorf("hybrid: %w", err)
	}
	return New(dev, s, d, c), nil
}

// New wraps a denoiser, which it closes in the end.
func New(dev engine.Device, s engine.Stream, d *Denoiser, c card.Card) *Prior {
	return &Prior{Card: c, d: d, tape: grad.New(dev, s), net: tiled.New(dev, s, d.net), dev: dev, s: s}
}

// Align is what the sides of a grid must be multiples of.
func (p *Prior) Align() int { return p.d.net.Align() }

// Score writes ∇ log p_σ(x) = (D(x, σ) − x)/σ² for x (…, H, W); H and W are
// multiples of Align. A lack of memory fills dst with 0 and shows in Err.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	shape := x.Shape()
	h, w := shape[len(shape)-2], shape[len(shape)-1]
	n := x.Len() / (h * w)
	err := p.room(h, w)
	if err == nil {
		p.tune(s, sigma)
		for i := 0; i < n && err == nil; i++ {
			err = p.one(s, dst.Reshape(n, h, w, 1).Slice(i, i+1), x.Reshape(n, h, w, 1).Slice(i, i+1), sigma)
		}
	}
	if err != nil {
		p.err = err
		s.Fill(dst, 0)
	}
}

// one does the work for an image (1, H, W, 1):
//
//	(D − x)/σ² = −r/σ + c F/σ²
func (p *Prior) one(s engine.Stream, dst, x *engine.Tensor, sigma float64) error {
	plane := engine.Shape{1, p.h, p.w}
	s.RFFT2(p.spec, x.Reshape(plane...))
	s.CScale(p.spec, p.spec, p.filter)
	s.IRFFT2(p.a.Reshape(plane...), p.spec)
	s.Sub(p.r, x, p.a)
	if p.GaussianOnly {
		s.Scale(dst, float32(-1/(sigma*sigma)), p.r)
		return s.Err()
	}
	s.Scale(p.r, float32(1/sigma), p.r)
	s.Scale(p.a, float32(1/p.v), p.a)
	p.tape.Reset(grad.Forward)
	in := p.d.inputs(p.tape, p.tape.Const(p.a), p.tape.Const(p.r))
	f, err := p.net.Forward(p.tape, in, p.tape.Const(p.notes))
	if err != nil {
		return fmt.Errorf("hybrid: %w", err)
	}
	s.Scale(dst, float32(-1/sigma), p.r)
	s.Axpy(dst, float32(p.c/(sigma*sigma)), f.Value())
	return s.Err()
}

// room allocates for maps of a shape.
func (p *Prior) room(h, w int) error {
	if p.h == h && p.w == w && p.a != nil {
		return nil
	}
	p.free()
	p.h, p.w, p.sigma = h, w, 0
	img := engine.Shape{1, h, w, 1}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&p.filter, engine.Shape{1, h, w/2 + 1}},
		{&p.spec, engine.Shape{1, h, w}.Spectrum()},
		{&p.notes, engine.Shape{1, Features}},
		{&p.r, img},
		{&p.a, img},
	} {
		x, err := p.dev.Alloc(a.shape)
		if err != nil {
			p.free()
			return fmt.Errorf("hybrid: a map of %d×%d pixels: %w", w, h, err)
		}
		*a.t = x
	}
	p.power = p.d.Spectrum.OnGrid(h, w)
	p.host = make([]float32, len(p.power))
	return nil
}

// tune sets what depends on σ.
func (p *Prior) tune(s engine.Stream, sigma float64) {
	if sigma == p.sigma {
		return
	}
	for i, v := range p.power {
		p.host[i] = float32(v / (v + sigma*sigma))
	}
	s.Upload(p.filter, p.host)
	s.Upload(p.notes, p.d.Range.Note(sigma))
	p.c, p.v = Scales(p.power, p.h, p.w, sigma)
	p.sigma = sigma
}

// Err is the first failure of the network's own work, memory as a rule.
func (p *Prior) Err() error { return p.err }

// References are keys of assets/references.bib.
func (p *Prior) References() []string {
	return []string{"Wiener1949", "Vincent2011", "Karras2022", "Remy2023"}
}

func (p *Prior) free() {
	for _, x := range []**engine.Tensor{&p.filter, &p.spec, &p.notes, &p.a, &p.r} {
		(*x).Free()
		*x = nil
	}
}

// CloseScratch frees all but the denoiser, which goes on being used by others.
func (p *Prior) CloseScratch() {
	p.free()
	p.tape.Close()
	p.net.Close()
}

// Close frees everything.
func (p *Prior) Close() {
	p.CloseScratch()
	p.d.Close()
}

// Save writes weights and card.
func (p *Prior) Save(path string) error {
	return p.d.net.Params().Save(path, p.Card.Metadata())
}
