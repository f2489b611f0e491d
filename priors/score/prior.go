package score

import (
	"errors"
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
	Card  card.Card
	d     *Denoiser
	tape  *grad.Tape
	net   *tiled.Network
	dev   engine.Device
	s     engine.Stream
	z     *engine.Tensor // scratch of the last shape
	large *engine.Tensor // scratch where images are larger than stamps, else nil
	err   error
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
// same result. A prior of one galaxy in the middle sees that part of larger images only that is as large as the stamps it
// learned from; farther out D is 0. A lack of memory fills dst with 0 and shows in Err.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	shape := x.Shape()
	h, w := shape[len(shape)-2], shape[len(shape)-1]
	n := x.Len() / (h * w)
	if err := p.room(n, h, w); err != nil {
		p.err = err
		s.Fill(dst, 0)
		return
	}
	sh, sw := p.stamp(h), p.stamp(w)
	top, left := (h-sh)/2, (w-sw)/2
	z := p.z.Reshape(n, sh, sw, 1)
	if p.large == nil {
		s.Scale(z.Reshape(shape...), float32(1/sigma), x)
	} else {
		s.PadAdjoint(z.Reshape(n, sh, sw), x.Reshape(n, h, w), top, left, engine.Zero)
		s.Scale(z, float32(1/sigma), z)
	}
	for i := range n {
		p.tape.Reset(grad.Forward)
		zi := z.Slice(i, i+1)
		parts := p.d.precondition(p.tape, p.tape.Const(zi))
		f, err := p.net.Forward(p.tape, parts.in, nil)
		if err == nil {
			r := p.tape.Sub(p.tape.Mul(parts.out, f), p.tape.Mul(parts.keep, p.tape.Const(zi)))
			if err = p.tape.Err(); err == nil && p.large == nil {
				s.Scale(dst.Reshape(n, h, w, 1).Slice(i, i+1), float32(1/sigma), r.Value())
			} else if err == nil {
				s.Add(zi, zi, r.Value()) // D/σ
			}
		}
		if err != nil {
			p.err = err
			s.Fill(dst, 0)
			return
		}
	}
	if p.large != nil {
		s.Pad(p.large.Reshape(n, h, w), z.Reshape(n, sh, sw), top, left, engine.Zero)
		s.Scale(dst, float32(-1/(sigma*sigma)), x)
		s.Axpy(dst, float32(1/sigma), p.large.Reshape(shape...))
	}
}

// stamp is how much the prior sees of a side.
func (p *Prior) stamp(side int) int {
	if p.Card.Stamp > 0 {
		return min(side, p.Card.Stamp)
	}
	return side
}

// room allocates the scratch for images of a shape.
func (p *Prior) room(n, h, w int) error {
	sh, sw := p.stamp(h), p.stamp(w)
	fit := func(t **engine.Tensor, pixels int) (err error) {
		if *t != nil && (*t).Len() == pixels {
			return nil
		}
		(*t).Free()
		if *t = nil; pixels > 0 {
			if *t, err = p.dev.Alloc(engine.Shape{pixels}); err != nil {
				*t = nil
				return fmt.Errorf("score: %w", err)
			}
		}
		return nil
	}
	whole := n * h * w
	if sh == h && sw == w {
		whole = 0
	}
	if err := errors.Join(fit(&p.z, n*sh*sw), fit(&p.large, whole)); err != nil {
		return err
	}
	if p.Card.Centred {
		if err := p.d.reserve(sh * sw); err != nil {
			return err
		}
		p.d.distance(p.s, 1, sh, sw)
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
	p.large.Free()
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
