package nn

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
)

// AdamW is the optimiser of engine.Adam over all parameters, with the gradient
// clipped to a norm and an exponential moving average of the parameters.
type AdamW struct {
	Rate  func(step int) float64 // from step 1 on
	Beta1 float64
	Beta2 float64
	Eps   float64
	Decay float64
	Clip  float64 // largest norm of the gradient, 0: none
	// EMA is the decay of the average, 0: none. Early on it is lower, (1+t)/(10+t), so
	// that the start is forgotten.
	EMA float64

	p         *Params
	m, v, ema []*engine.Tensor
	norms     *engine.Tensor // (number of parameters)
	host      []float32
	step      int
}

// NewAdamW returns the optimiser with usual settings: betas .9 and .999, ε 1e-8, no
// decay, no clipping, no average.
func NewAdamW(p *Params, rate func(step int) float64) (*AdamW, error) {
	o := &AdamW{Rate: rate, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, p: p, host: make([]float32, len(p.list))}
	for _, l := range []*[]*engine.Tensor{&o.m, &o.v, &o.ema} {
		for _, q := range p.list {
			x, err := p.dev.Alloc(q.Value.Shape())
			if err != nil {
				o.Free()
				return nil, fmt.Errorf("nn: optimiser: %w", err)
			}
			*l = append(*l, x)
		}
	}
	var err error
	if o.norms, err = p.dev.Alloc(engine.Shape{len(p.list)}); err != nil {
		o.Free()
		return nil, fmt.Errorf("nn: optimiser: %w", err)
	}
	for i, q := range p.list {
		p.s.Copy(o.ema[i], q.Value)
	}
	return o, nil
}

// Free gives the moments and the average back.
func (o *AdamW) Free() {
	for _, l := range [][]*engine.Tensor{o.m, o.v, o.ema, {o.norms}} {
		for _, x := range l {
			x.Free()
		}
	}
	o.m, o.v, o.ema, o.norms = nil, nil, nil, nil
}

// Steps is how many steps were made.
func (o *AdamW) Steps() int { return o.step }

// Average are the averaged parameters, in the order of Params.All.
func (o *AdamW) Average() []*engine.Tensor { return o.ema }

// Step moves the parameters along the gradients on the tape and returns the norm of
// the gradient before clipping. It reads one number per parameter back. A gradient
// that is not finite moves nothing and is an error.
func (o *AdamW) Step(ctx context.Context, t *grad.Tape) (norm float64, err error) {
	if err := t.Err(); err != nil {
		return 0, err
	}
	s := o.p.s
	s.Fill(o.norms, 0)
	for i, q := range o.p.list {
		if g := t.Grad(t.Param(q.Value)); g != nil {
			s.Dot(o.norms.Slice(i, i+1), g.Reshape(1, g.Len()), g.Reshape(1, g.Len()))
		}
	}
	s.Download(o.host, o.norms)
	if err := s.Sync(ctx); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, v := range o.host {
		sum += float64(v)
	}
	norm = math.Sqrt(sum)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("nn: the gradient of step %d is not finite: lower the learning rate or look at the data", o.step+1)
	}
	o.step++
	a := engine.Adam{
		Step: o.step, Rate: float32(o.Rate(o.step)), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2),
		Eps: float32(o.Eps), Decay: float32(o.Decay), GradScale: 1,
	}
	if o.Clip > 0 && norm > o.Clip {
		a.GradScale = float32(o.Clip / norm)
	}
	d := min(o.EMA, float64(1+o.step)/float64(10+o.step))
	for i, q := range o.p.list {
		g := t.Grad(t.Param(q.Value))
		if g == nil {
			continue
		}
		s.Adam(q.Value, o.m[i], o.v[i], g, a)
		if o.EMA > 0 {
			s.Scale(o.ema[i], float32(d), o.ema[i])
			s.Axpy(o.ema[i], float32(1-d), q.Value)
		}
	}
	return norm, s.Err()
}

// Cosine rises to peak over warm steps and falls to 0 at total along a cosine.
func Cosine(peak float64, warm, total int) func(step int) float64 {
	return func(step int) float64 {
		if step <= warm {
			return peak * float64(step) / float64(max(warm, 1))
		}
		x := min(float64(step-warm)/float64(max(total-warm, 1)), 1)
		return peak * 0.5 * (1 + math.Cos(math.Pi*x))
	}
}

// Constant rises to rate over warm steps and stays there.
func Constant(rate float64, warm int) func(step int) float64 {
	return func(step int) float64 { return rate * min(1, float64(step)/float64(max(warm, 1))) }
}
