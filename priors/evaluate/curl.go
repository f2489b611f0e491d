package evaluate

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
)

// Closure says how far a score is from the gradient of a density.
type Closure struct {
	// Loop is |∮ s·dx| around triangles in the space of images over the sum of the
	// three sides' |∫ s·dx|, on average: 0 for a gradient. Samplers that accept moves by
	// the line integral of the score rely on it.
	Loop float64
	// Nats is the rms of ∮ s·dx itself: the error of such a log probability ratio.
	Nats float64
	// Curl is ‖J − Jᵀ‖/‖J‖ (Frobenius), J the score's Jacobian, from random directions.
	Curl float64
}

// Consistency measures the closure of a score at images x (N, 1, H, W), which hold
// noise sigma, on triangles whose corners are two steps of noise of rms reach · sigma
// away; sides are integrated by Simpson's rule with eight intervals.
func Consistency(dev engine.Device, s engine.Stream, p priors.Prior, x *engine.Tensor, sigma, reach float64, key engine.Key) (Closure, error) {
	c := &closer{s: s, p: p, sigma: sigma}
	one := engine.Shape{1, 1, x.Shape()[2], x.Shape()[3]}
	for _, t := range []**engine.Tensor{&c.u, &c.v, &c.at, &c.a, &c.b, &c.dir} {
		var err error
		if *t, err = dev.Alloc(one); err != nil {
			c.free()
			return Closure{}, fmt.Errorf("evaluate: %w", err)
		}
	}
	var err error
	if c.num, err = dev.Alloc(engine.Shape{1}); err != nil {
		c.free()
		return Closure{}, fmt.Errorf("evaluate: %w", err)
	}
	defer c.free()
	var out Closure
	var skew, whole float64
	n := float64(x.Shape()[0])
	for i := range x.Shape()[0] {
		base := x.Slice(i, i+1)
		for j, d := range []*engine.Tensor{c.u, c.v} {
			s.Normal(d, key.Fold(uint64(2*i+j)))
			s.Scale(d, float32(reach*sigma), d)
		}
		ab := c.side(base, nil, c.u)
		s.Sub(c.dir, c.v, c.u)
		bc := c.side(base, c.u, c.dir)
		s.Scale(c.dir, -1, c.v)
		ca := c.side(base, c.v, c.dir)
		loop := ab + bc + ca
		out.Loop += math.Abs(loop) / (math.Abs(ab) + math.Abs(bc) + math.Abs(ca)) / n
		out.Nats += loop * loop / n
		a, b := c.curl(base)
		skew, whole = skew+a, whole+b
	}
	out.Curl = math.Sqrt(skew / max(whole, 1e-300))
	out.Nats = math.Sqrt(out.Nats)
	return out, s.Err()
}

type closer struct {
	s                        engine.Stream
	p                        priors.Prior
	sigma                    float64
	u, v, at, a, b, dir, num *engine.Tensor
}

func (c *closer) free() {
	for _, t := range []*engine.Tensor{c.u, c.v, c.at, c.a, c.b, c.dir, c.num} {
		t.Free()
	}
}

// dot is x·y.
func (c *closer) dot(x, y *engine.Tensor) float64 {
	c.s.Dot(c.num, x, y)
	var v [1]float32
	c.s.Download(v[:], c.num)
	return float64(v[0])
}

// intervals of Simpson's rule.
const intervals = 8

// side is ∫ s·d from base + from (nil: 0) along d.
func (c *closer) side(base, from, d *engine.Tensor) (sum float64) {
	for i := range intervals + 1 {
		c.s.Copy(c.at, base)
		if from != nil {
			c.s.Add(c.at, c.at, from)
		}
		c.s.Axpy(c.at, float32(i)/intervals, d)
		c.p.Score(c.s, c.a, c.at, c.sigma)
		w := 2.0
		if i == 0 || i == intervals {
			w = 1
		} else if i%2 == 1 {
			w = 4
		}
		sum += w / (3 * intervals) * c.dot(c.a, d)
	}
	return sum
}

// jacobian writes J d at base by differences to dst.
func (c *closer) jacobian(dst, base, d *engine.Tensor) {
	const h = 0.1
	c.s.Copy(c.at, base)
	c.s.Axpy(c.at, h, d)
	c.p.Score(c.s, dst, c.at, c.sigma)
	c.s.Axpy(c.at, -2*h, d)
	c.p.Score(c.s, c.dir, c.at, c.sigma)
	c.s.Sub(dst, dst, c.dir)
	c.s.Scale(dst, 1/(2*h), dst)
}

// curl gives unbiased estimates of ‖J − Jᵀ‖² and ‖J‖², both times |u|²|v|²/N².
func (c *closer) curl(base *engine.Tensor) (skew, whole float64) {
	c.jacobian(c.a, base, c.v)
	uv := c.dot(c.a, c.u)
	whole = c.dot(c.a, c.a) * c.dot(c.u, c.u) / float64(c.u.Len())
	c.jacobian(c.b, base, c.u)
	return math.Pow(uv-c.dot(c.b, c.v), 2), whole
}
