package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// reduceChunk is the length of a partial sum. It is part of the result's bits.
const reduceChunk = 1 << 14

type redKind int

const (
	redDot redKind = iota
	redSum
	redMaxAbs
)

// reduction reduces every slice of x to one number, by partial results in float64
// that are added in order.
type reduction struct {
	kind    redKind
	x, y    []float32
	n       int // elements of a slice
	per     int // partials of a slice
	partial []float64
	k       *kern.Table
}

func (s *stream) reduce(op string, kind redKind, dst, x, y *engine.Tensor) {
	b := engine.CheckSlices(op, x, dst)
	r := &s.red
	out := s.out(dst)
	if x.Len() == 0 {
		clear(out)
		return
	}
	r.kind, r.x, r.k = kind, s.data(x), s.k
	if y != nil {
		r.y = s.data(y)
	}
	r.n = len(r.x) / b
	r.per = (r.n + reduceChunk - 1) / reduceChunk
	if len(r.partial) < b*r.per {
		r.partial = make([]float64, b*r.per)
	}
	s.team.Run(b*r.per, r)
	for i := range out {
		p := r.partial[i*r.per:][:r.per]
		acc := p[0]
		for _, v := range p[1:] {
			if kind == redMaxAbs {
				acc = max(acc, v)
			} else {
				acc += v
			}
		}
		out[i] = float32(acc)
	}
	r.x, r.y = nil, nil
}

// Do computes one partial result.
func (r *reduction) Do(i int, _ *par.Worker) {
	lo := i % r.per * reduceChunk
	hi := min(lo+reduceChunk, r.n)
	base := i / r.per * r.n
	lo, hi = base+lo, base+hi
	switch r.kind {
	case redSum:
		r.partial[i] = r.k.Sum(r.x[lo:hi])
	case redMaxAbs:
		r.partial[i] = float64(r.k.MaxAbs(r.x[lo:hi]))
	case redDot:
		acc := 0.0
		for lo < hi {
			o := lo % len(r.y)
			n := min(hi-lo, len(r.y)-o)
			acc += r.k.Dot(r.x[lo:lo+n], r.y[o:o+n])
			lo += n
		}
		r.partial[i] = acc
	}
}

// Dot writes Σ x y of every slice.
func (s *stream) Dot(dst, x, y *engine.Tensor) {
	engine.CheckRepeat("Dot", x, x, y)
	s.reduce("Dot", redDot, dst, x, y)
}

// Sum writes Σ x of every slice.
func (s *stream) Sum(dst, x *engine.Tensor) { s.reduce("Sum", redSum, dst, x, nil) }

// MaxAbs writes max |x| of every slice.
func (s *stream) MaxAbs(dst, x *engine.Tensor) { s.reduce("MaxAbs", redMaxAbs, dst, x, nil) }

// leading sums x (reps, n) over reps. A short n is cut along reps into parts, whose
// sums are added in order.
type leading struct {
	dst, x  []float32
	reps    int
	parts   int
	partial []float64 // (parts, n) where parts > 1
	k       *kern.Table
}

const (
	leadBlock = 512     // columns at a time
	leadPart  = 1 << 15 // elements of a part
)

// SumLeading does dst[i] = Σ_k x[k·len(dst)+i].
func (s *stream) SumLeading(dst, x *engine.Tensor) {
	engine.CheckLeading("SumLeading", dst, x)
	t := &s.lead
	t.dst, t.x, t.k = s.out(dst), s.data(x), s.k
	n := len(t.dst)
	t.reps, t.parts = len(t.x)/n, 1
	if n <= leadBlock {
		t.parts = max(1, len(t.x)/leadPart)
	}
	if t.parts == 1 {
		s.team.Run((n+leadBlock-1)/leadBlock, t)
	} else {
		if len(t.partial) < t.parts*n {
			t.partial = make([]float64, t.parts*n)
		}
		s.team.Run(t.parts, t)
		for i := range t.dst {
			acc := 0.0
			for p := range t.parts {
				acc += t.partial[p*n+i]
			}
			t.dst[i] = float32(acc)
		}
	}
	t.dst, t.x = nil, nil
}

// Do sums one block of columns, or one part of the rows.
func (t *leading) Do(i int, w *par.Worker) {
	n := len(t.dst)
	if t.parts > 1 {
		acc := t.partial[i*n:][:n]
		clear(acc)
		for k := i * t.reps / t.parts; k < (i+1)*t.reps/t.parts; k++ {
			t.k.AddTo(acc, t.x[k*n:][:n])
		}
		return
	}
	lo, hi := i*leadBlock, min((i+1)*leadBlock, n)
	acc := w.Doubles(hi - lo)
	clear(acc)
	for k := range t.reps {
		t.k.AddTo(acc, t.x[k*n+lo:k*n+hi])
	}
	for j, v := range acc {
		t.dst[lo+j] = float32(v)
	}
}

// bySlice scales every slice by a number of its own.
type bySlice struct {
	dst, x, num, den []float32
	n, per           int
	sign             float32
	add              bool
	k                *kern.Table
}

func (s *stream) bySlice(op string, dst *engine.Tensor, sign float32, num, den, x *engine.Tensor, add bool) {
	engine.CheckSame(op, dst, x)
	b := engine.CheckSlices(op, dst, num, den)
	if dst.Len() == 0 {
		return
	}
	s.slices = bySlice{dst: s.out(dst), x: s.data(x), num: s.data(num), sign: sign, add: add, k: s.k}
	if den != nil {
		s.slices.den = s.data(den)
	}
	s.slices.n = dst.Len() / b
	s.slices.per = chunks(s.slices.n)
	s.team.Run(b*s.slices.per, &s.slices)
	s.slices = bySlice{}
}

// Do runs one chunk of one slice.
func (t *bySlice) Do(i int, _ *par.Worker) {
	b := i / t.per
	lo := b*t.n + i%t.per*chunk
	hi := min(lo+chunk, (b+1)*t.n)
	f := t.sign * t.num[b]
	if t.den != nil {
		if t.den[b] == 0 {
			f = 0
		} else {
			f /= t.den[b]
		}
	}
	switch {
	case !t.add:
		t.k.Affine(t.dst[lo:hi], t.x[lo:hi], f, 0)
	case f != 0:
		t.k.Axpy(t.dst[lo:hi], t.x[lo:hi], f)
	}
}

// AxpyBy does dst[b] += sign num[b]/den[b] x[b].
func (s *stream) AxpyBy(dst *engine.Tensor, sign float32, num, den, x *engine.Tensor) {
	s.bySlice("AxpyBy", dst, sign, num, den, x, true)
}

// ScaleBy does dst[b] = num[b]/den[b] x[b].
func (s *stream) ScaleBy(dst *engine.Tensor, num, den, x *engine.Tensor) {
	s.bySlice("ScaleBy", dst, 1, num, den, x, false)
}
