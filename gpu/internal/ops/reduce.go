package ops

import "limpid/engine"

// The operations of the kernel reduce.
const (
	opDot = iota
	opSum
	opMaxAbs
)

func (s *stream) reduce(op string, code int, dst, x, y *engine.Tensor) {
	b := engine.CheckSlices(op, x, dst)
	if s.err != nil || b == 0 {
		return
	}
	n := x.Len() / b
	if n == 0 {
		s.Fill(dst, 0)
		return
	}
	// Parts are long enough to keep 256 threads busy, and few enough to be added by one
	// group.
	per := max(1<<12, (n+1023)/1024)
	parts := (n + per - 1) / per
	part := s.room(b, parts, 2)
	if part == nil {
		return
	}
	s.begin(Reduce, part, x, y).ints(n, per, parts, y.Len(), x.Len(), code, b).groups(b * parts)
	s.begin(ReduceEnd, dst, part).ints(parts, code, b).groups(b)
	part.Free()
}

// Dot writes Σ x y of every slice.
func (s *stream) Dot(dst, x, y *engine.Tensor) {
	engine.CheckRepeat("Dot", x, x, y)
	s.reduce("Dot", opDot, dst, x, y)
}

// Sum writes Σ x of every slice.
func (s *stream) Sum(dst, x *engine.Tensor) { s.reduce("Sum", opSum, dst, x, x) }

// MaxAbs writes max |x| of every slice.
func (s *stream) MaxAbs(dst, x *engine.Tensor) { s.reduce("MaxAbs", opMaxAbs, dst, x, x) }

// SumLeading does dst[i] = Σ_k x[k·len(dst)+i].
func (s *stream) SumLeading(dst, x *engine.Tensor) {
	engine.CheckLeading("SumLeading", dst, x)
	if s.err == nil {
		s.sumLead(dst, x, x.Len()/dst.Len())
	}
}

// sumLead sums x (reps, n), in several rounds where there are few columns for the
// threads of a device and many rows.
func (s *stream) sumLead(dst, x *engine.Tensor, reps int) {
	const threads, serial = 1 << 14, 64
	n := dst.Len()
	var last *engine.Tensor
	for reps > serial && n < threads {
		parts := min((reps+15)/16, (threads+n-1)/n)
		if parts >= reps {
			break
		}
		r := s.room(parts, n)
		if r == nil {
			break
		}
		s.begin(SumLead, r, x).ints(n, reps, parts).threads(n * parts)
		last.Free()
		last, x, reps = r, r, parts
	}
	s.begin(SumLead, dst, x).ints(n, reps, 1).threads(n)
	last.Free()
}
