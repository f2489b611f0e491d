package score

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

// Prior is a learned density on images, known by its score at every noise level.
// Bands are taken one by one. It implements priors.Prior.
type Prior struct {
	Card card.Card
	d    *Denoiser
	tape *grad.Tape
	net  *tiled.Network
	dev  engine.Device
	s    engine.Stream
	z    *engine.Tensor // scratch of the last shape
	err  error
}

var (
	_ priors.Prior  = (*Prior)(nil)
	_ priors.Judged = (*Prior)(nil)
)

// Option changes how a prior is loaded.
type Option func(*card.Card)

// WithEdge sets what the network takes to lie beyond the image's borders; periodic is
// the default, as the operators' scenes are periodic.
func WithEdge(e engine.Edge) Option { return func(c *card.Card) { c.UNet.Edge = e } }

// Load reads weights from a safetensors file. The stream is the one that Score
// will be called with.
func Load(dev engine.Device, s engine.Stream, path string, opts ...Option) (*Prior, error) {
	f, done, err := nn.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	defer done()
	return From(dev, s, f, opts...)
}

// From makes a prior of an open safetensors file.
func From(dev engine.Device, s engine.Stream, f *safetensors.File, opts ...Option) (*Prior, error) {
	c, err := card.Of(f)
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if c.Kind != card.Score {
		return nil, fmt.Errorf("score: the prior %q is of the kind %q", c.Name, c.Kind)
	}
	for _, o := range opts {
		o(&c)
	}
	d, err := NewDenoiser(dev, s, c.UNet, c.Centred, engine.NewKey(0))
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if err := d.net.Params().Load(f); err != nil {
		d.Close()
		return nil, fmt.Errorf("score: %w", err)
	}
	return New(dev, s, d, c), nil
}

// New wraps a denoiser, which it closes in the end.
func New(dev engine.Device, s engine.Stream, d *Denoiser, c card.Card) *Prior {
	return &Prior{Card: c, d: d, tape: grad.New(dev, s), net: tiled.New(dev, s, d.net), dev: dev, s: s}
}

// Errors are those of the denoiser, where they were measured: see priors.Judged.
func (p *Prior) Errors() *priors.Errors { return p.Card.Errors }

// Align is what the sides of a grid must be multiples of.
func (p *Prior) Align() int { return p.d.net.Align() }

// Score writes ∇ log p_σ(x) = (D(x, σ) − x)/σ² for x (…, H, W); H and W are
// multiples of Align. It works on one image at a time, large ones in tiles, with the
// same result. A lack of memory fills dst with 0 and shows in Err.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	shape := x.Shape()
	h, w := shape[len(shape)-2], shape[len(shape)-1]
	n := x.Len() / (h * w)
	if err := p.room(n, h, w); err != nil {
		p.err = err
		s.Fill(dst, 0)
		return
	}
	z := p.z.Reshape(n, h, w, 1)
	s.Scale(z.Reshape(shape...), float32(1/sigma), x)
	for i := range n {
		p.tape.Reset(grad.Forward)
		parts := p.d.precondition(p.tape, p.tape.Const(z.Slice(i, i+1)))
		f, err := p.net.Forward(p.tape, parts.in, nil)
		if err == nil {
			r := p.tape.Sub(p.tape.Mul(parts.out, f), p.tape.Mul(parts.keep, p.tape.Const(z.Slice(i, i+1))))
			if err = p.tape.Err(); err == nil {
				s.Scale(dst.Reshape(n, h, w, 1).Slice(i, i+1), float32(1/sigma), r.Value())
			}
		}
		if err != nil {
			p.err = err
			s.Fill(dst, 0)
			return
		}
	}
}

// room allocates the scratch for images of a shape.
func (p *Prior) room(n, h, w int) error {
	if p.z == nil || p.z.Len() != n*h*w {
		p.z.Free()
		var err error
		if p.z, err = p.dev.Alloc(engine.Shape{n, h, w, 1}); err != nil {
			p.z = nil
			return fmt.Errorf("score: %w", err)
		}
	}
	if p.Card.Centred {
		return p.d.distance(p.s, 1, h, w)
	}
	return nil
}

// Err is the first failure of the network's own work, memory as a rule.
func (p *Prior) Err() error { return p.err }

// References are keys of assets/references.bib.
func (p *Prior) References() []string { return []string{"Vincent2011", "Karras2022"} }

// CloseScratch frees all but the denoiser, which goes on being used by others.
func (p *Prior) CloseScratch() {
	p.z.Free()
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
