// Package optim holds iterative solvers and estimators: conjugate gradients,
// Richardson–Lucy.
package optim

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
)

// CG solves symmetric positive definite systems A x = b, many at a time, by the
// preconditioned conjugate gradient method (Hestenes+1952; Saad 2003, alg. 9.1).
// A tensor of leading dimension B holds B independent systems; their scalars
// stay on the device and are read back only every CheckEvery iterations.
type CG struct {
	Tol        float64 // stop when √(rᵀMr) fell by this factor in every system
	Below      float64 // or, if it is positive, when |r| is below it in every system
	MaxIter    int
	CheckEvery int // default 4

	r, q, p, ap     *engine.Tensor
	rq, rqNew, pap  *engine.Tensor
	start, now      []float32
	norms           []float32
	bestSoFar       []float64
	lastImprovement []int
	cut             *CG // this one's work space cut to fewer systems
}

// NewCG allocates work space for systems of the given shape, (B, …).
func NewCG(dev engine.Device, shape engine.Shape) (*CG, error) {
	c := &CG{Tol: 1e-5, MaxIter: 1000, CheckEvery: 4}
	b := shape[0]
	var err error
	for _, t := range []**engine.Tensor{&c.r, &c.q, &c.p, &c.ap} {
		if *t, err = dev.Alloc(shape); err != nil {
			c.Close()
			return nil, fmt.Errorf("optim: conjugate gradients for %v: %w", shape, err)
		}
	}
	for _, t := range []**engine.Tensor{&c.rq, &c.rqNew, &c.pap} {
		if *t, err = dev.Alloc(engine.Shape{b}); err != nil {
			c.Close()
			return nil, fmt.Errorf("optim: conjugate gradients for %v: %w", shape, err)
		}
	}
	c.start, c.now, c.norms = make([]float32, b), make([]float32, b), make([]float32, b)
	c.bestSoFar, c.lastImprovement = make([]float64, b), make([]int, b)
	return c, nil
}

// Close frees the work space.
func (c *CG) Close() {
	for _, t := range []*engine.Tensor{c.r, c.q, c.p, c.ap, c.rq, c.rqNew, c.pap} {
		t.Free()
	}
}

// stagnation is how many iterations without a 10 % better residual end a solve:
// then float32 rounding, not the iteration count, is what limits it.
const stagnation = 60

// Result says how a solve went.
type Result struct {
	Iterations int
	Residual   float64 // the worst system's √(rᵀMr) relative to its start
	Converged  bool
}

// Solve starts from x = 0 and overwrites x. apply writes A src to dst, precond
// M src (M ≈ A⁻¹, symmetric positive definite); b is not changed. x and b may
// hold fewer systems than the work space was made for.
func (c *CG) Solve(ctx context.Context, s engine.Stream, apply, precond func(dst, src *engine.Tensor), x, b *engine.Tensor) (Result, error) {
	if n := x.Shape()[0]; n < len(c.start) {
		return c.first(n).Solve(ctx, s, apply, precond, x, b)
	}
	s.Fill(x, 0)
	s.Copy(c.r, b)
	precond(c.q, c.r)
	s.Copy(c.p, c.q)
	s.Dot(c.rq, c.r, c.q)
	s.Download(c.start, c.rq)
	for i := range c.bestSoFar {
		c.bestSoFar[i], c.lastImprovement[i] = math.Inf(1), 0
	}
	res := Result{}
	for res.Iterations < c.MaxIter {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		apply(c.ap, c.p)
		s.Dot(c.pap, c.p, c.ap)
		s.AxpyBy(x, 1, c.rq, c.pap, c.p)
		s.AxpyBy(c.r, -1, c.rq, c.pap, c.ap)
		precond(c.q, c.r)
		s.Dot(c.rqNew, c.r, c.q)
		s.ScaleBy(c.p, c.rqNew, c.rq, c.p)
		s.Add(c.p, c.p, c.q)
		s.Copy(c.rq, c.rqNew)
		res.Iterations++
		if res.Iterations%c.CheckEvery == 0 || res.Iterations == c.MaxIter {
			if done, err := c.check(s, &res); done || err != nil {
				return res, err
			}
		}
	}
	return res, s.Err()
}

// first is c cut to n systems, sharing its tensors.
func (c *CG) first(n int) *CG {
	if c.cut == nil || len(c.cut.start) != n {
		c.cut = &CG{
			r: c.r.Slice(0, n), q: c.q.Slice(0, n), p: c.p.Slice(0, n), ap: c.ap.Slice(0, n),
			rq: c.rq.Slice(0, n), rqNew: c.rqNew.Slice(0, n), pap: c.pap.Slice(0, n),
			start: c.start[:n:n], now: c.now[:n:n], norms: c.norms[:n:n],
			bestSoFar: c.bestSoFar[:n:n], lastImprovement: c.lastImprovement[:n:n],
		}
	}
	c.cut.Tol, c.cut.Below, c.cut.MaxIter, c.cut.CheckEvery = c.Tol, c.Below, c.MaxIter, c.CheckEvery
	return c.cut
}

// check reads the residuals and decides whether every system has converged or
// stopped improving.
func (c *CG) check(s engine.Stream, res *Result) (bool, error) {
	s.Download(c.now, c.rq)
	if err := s.Err(); err != nil {
		return true, err
	}
	worst, above, stuck := 0.0, false, true
	if c.Below > 0 {
		s.Dot(c.pap, c.r, c.r)
		s.Download(c.norms, c.pap)
	}
	for i, v := range c.now {
		if c.start[i] == 0 {
			continue
		}
		rel := math.Sqrt(math.Abs(float64(v)) / math.Abs(float64(c.start[i])))
		if math.IsNaN(rel) {
			return true, fmt.Errorf("optim: conjugate gradients met NaN after %d iterations", res.Iterations)
		}
		worst = max(worst, rel)
		if rel < 0.9*c.bestSoFar[i] {
			c.bestSoFar[i], c.lastImprovement[i] = rel, res.Iterations
		}
		here := rel >= c.Tol
		if c.Below > 0 {
			here = math.Sqrt(float64(c.norms[i])) >= c.Below
		}
		if here {
			above = true
			stuck = stuck && res.Iterations-c.lastImprovement[i] >= stagnation
		}
	}
	res.Residual, res.Converged = worst, !above
	return res.Converged || stuck, nil
}
