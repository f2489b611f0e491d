package training

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/card"
	"limpid/priors/hybrid"
	"limpid/priors/sample"
	"limpid/priors/score"
)

// Loaded is a learned prior ready for work on a stream.
type Loaded interface {
	priors.Prior
	Align() int
	Err() error
	Close()
}

// Load reads the weights of an entry.
func (e Entry) Load(dev engine.Device, s engine.Stream) (Loaded, error) {
	f, done, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("training: prior %q: %w", e.Name, err)
	}
	defer done()
	switch e.Card.Kind {
	case card.Score:
		return score.From(dev, s, f)
	case card.Hybrid:
		return hybrid.From(dev, s, f)
	}
	return nil, fmt.Errorf("training: %q is of the kind %q, which has no score to sample from", e.Name, e.Card.Kind)
}

// Draw describes unconditional samples of a prior.
type Draw struct {
	N, Side int
	Config  sample.Config // Start and End: chosen from the card where 0
}

// FreeStart and FreeEnd are the range of noise that a scale-free prior is walked
// through, in its own unit: images come out with peaks of about one, and the dynamic
// range of the end.
const (
	FreeStart = 1.0
	FreeEnd   = 1.0 / 2000
)

// Sample draws images (N, Side, Side).
func (e Entry) Sample(ctx context.Context, dev engine.Device, d Draw) ([]float32, error) {
	s := dev.NewStream()
	p, err := e.Load(dev, s)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if d.N < 1 || d.Side < p.Align() || d.Side%p.Align() != 0 {
		return nil, fmt.Errorf("training: %d images of %d pixels: the sides must be multiples of %d", d.N, d.Side, p.Align())
	}
	c := d.Config
	if c.Start == 0 {
		c.Start = FreeStart
		if e.Card.Kind == card.Hybrid {
			// beyond the training the Wiener filter does the work, exactly
			c.Start = 5 * e.Card.High
		}
	}
	if c.End == 0 {
		c.End = c.Start * FreeEnd
		if e.Card.Kind == card.Hybrid {
			c.End = e.Card.Low / 4
		}
	}
	x, err := dev.Alloc(engine.Shape{d.N, 1, d.Side, d.Side})
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	defer x.Free()
	if err := sample.Draw(ctx, dev, s, p, x, c); err != nil {
		return nil, err
	}
	out := make([]float32, x.Len())
	s.Download(out, x)
	return out, s.Err()
}

// Predict runs a regression on an image (h, w) with noise sigma; sides that do not
// suit the network are continued by reflection.
func (e Entry) Predict(dev engine.Device, pix []float32, h, w int, sigma float64) ([]float32, error) {
	s := dev.NewStream()
	f, done, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("training: %q: %w", e.Name, err)
	}
	defer done()
	p, err := score.LoadRegressor(dev, s, f)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if !(sigma > 0) {
		return nil, fmt.Errorf("training: noise of %g: it must be positive", sigma)
	}
	up := func(n int) int { return (n + p.Align() - 1) / p.Align() * p.Align() }
	big := make([]float32, up(h)*up(w))
	for i := range big {
		v := pix[engine.Reflect.At(i/up(w), h)*w+engine.Reflect.At(i%up(w), w)]
		if v-v != 0 {
			return nil, fmt.Errorf("training: the image has missing pixels, which a regression cannot take: use the sampler")
		}
		big[i] = v
	}
	x, err := dev.Alloc(engine.Shape{1, up(h), up(w)})
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	defer x.Free()
	s.Upload(x, big)
	if err := p.Predict(s, x, x, sigma); err != nil {
		return nil, err
	}
	s.Download(big, x)
	out := make([]float32, h*w)
	for y := range h {
		copy(out[y*w:(y+1)*w], big[y*up(w):])
	}
	return out, s.Err()
}
