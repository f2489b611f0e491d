package solvers

import (
	"context"
	"iter"

	"limpid/engine"
)

// Operator is the linear map A of y = A x + n. Forward and Adjoint act on
// tensors with any number of leading batch dimensions before Domain and Range,
// and satisfy ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ to rounding. dst and source must differ.
type Operator interface {
	Domain() engine.Shape // of x: (C, Hx, Wx)
	Range() engine.Shape  // of y: (C, H, W)
	Forward(s engine.Stream, y, x *engine.Tensor)
	Adjoint(s engine.Stream, x, y *engine.Tensor)
}

// StepKind says what a step's state is.
type StepKind int

// An Estimate replaces the one before it (an iteration of an optimiser, the
// exact mean of a conjugate posterior); Draws are samples of the posterior;
// Warmup states are neither. A Preview is something to look at until the first draw
// comes; nothing of it stays.
const (
	Warmup StepKind = iota
	Estimate
	Draw
	Preview
)

// State is where a kernel is. X is (B, C, Hx, Wx) in the domain of the operator:
// B draws of one step, or one estimate. The kernel owns it and reuses it.
type State struct {
	X      *engine.Tensor
	Kind   StepKind
	Count  int // leading slices of X that this step filled
	Stream engine.Stream
}

// Info is what a step says of itself. Fields that do not apply are 0.
type Info struct {
	Iterations int     // of an inner solver
	Residual   float64 // of an inner solver, relative
	Acceptance float64 // of a Metropolis step
	StepSize   float64
	Divergent  bool
	Done       bool // the kernel has converged: no later step changes the estimate
}

// Kernel is one algorithm. Step draws its randomness from key alone, allocates
// nothing, returns soon after ctx is done, and may be called again after it was.
type Kernel interface {
	Init(ctx context.Context, x0 *engine.Tensor) (*State, error)
	Step(ctx context.Context, key engine.Key, st *State) (Info, error)
	References() []string // keys of assets/references.bib
	Close()
}

// White fills dst (…, H, W) with white noise from key. A solver that takes its noise from
// one may be given noise that belongs to places rather than to the tensor; nil stands for
// Stream.Normal.
type White func(s engine.Stream, dst *engine.Tensor, key engine.Key)

// Fill calls w, or Stream.Normal.
func (w White) Fill(s engine.Stream, dst *engine.Tensor, key engine.Key) {
	if w == nil {
		s.Normal(dst, key)
		return
	}
	w(s, dst, key)
}

// Options of Run.
type Options struct {
	Steps int    // at most
	Seed  uint64 // step i uses NewKey(Seed).Fold(i)
	First int    // index of the first step: to go on from a saved run
}

// Step is one finished step of a run.
type Step struct {
	Index int
	State *State
	Info  Info
}

// Run is the only loop: it initialises the kernel and yields its steps until
// Options.Steps, Info.Done, an error or ctx. It owns no goroutine. x0 may be nil:
// the kernel starts where it thinks best. The kernel is not closed.
func Run(ctx context.Context, k Kernel, x0 *engine.Tensor, o Options) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		st, err := k.Init(ctx, x0)
		if err != nil {
			yield(Step{}, err)
			return
		}
		key := engine.NewKey(o.Seed)
		for i := o.First; i < o.Steps; i++ {
			if err := ctx.Err(); err != nil {
				yield(Step{Index: i}, err)
				return
			}
			info, err := k.Step(ctx, key.Fold(uint64(i)), st)
			if err != nil {
				yield(Step{Index: i}, err)
				return
			}
			if !yield(Step{Index: i, State: st, Info: info}, nil) || info.Done {
				return
			}
		}
	}
}
