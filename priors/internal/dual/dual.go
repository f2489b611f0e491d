// Package dual computes the proximal maps of analysis priors −log p(x) = h(L x), h a
// norm, by the fast gradient projection of their dual problem.
package dual

import (
	"math"

	"limpid/engine"
)

// Operator is L, with the dual ball of h.
type Operator interface {
	// Analyse does p = L x, Adjoint x = Lᵀ p. The source is not changed.
	Analyse(s engine.Stream, p, x *engine.Tensor)
	Adjoint(s engine.Stream, x, p *engine.Tensor)
	// Project moves p to the nearest point with h*(p/t) = 0, in place.
	Project(s engine.Stream, p *engine.Tensor, t float64)
}

// Space is the tensors of one proximal map for a fixed number of scenes: three of L's
// range and one of its domain.
type Space struct {
	P, Old, R *engine.Tensor
	U         *engine.Tensor
}

// Solver minimises ½‖u − x‖² + t h(L u) over lo ≤ u ≤ hi.
type Solver struct {
	Op         Operator
	Norm2      float64 // at least ‖L‖²
	Iterations int
	Lo, Hi     float32 // no bounds: ∓MaxFloat32
	Warm       bool    // start from the dual of the last call in this Space
}

// Bounded reports whether u is constrained.
func (v *Solver) Bounded() bool { return v.Lo > -math.MaxFloat32 || v.Hi < math.MaxFloat32 }

// Prox writes the minimiser to dst, which is not x (Beck & Teboulle 2009, IEEE Trans.
// Image Process. 18, 2419, algorithm FGP):
//
//	p ← Π(r + L P(x − Lᵀ r)/‖L‖²),  r ← p + (τ−1)/τ′ (p − p_old),  u = P(x − Lᵀ p).
//
// Nothing is read back; the distance to the minimum falls with the square of the
// iterations.
func (v *Solver) Prox(s engine.Stream, dst, x *engine.Tensor, t float64, w *Space) {
	if !v.Warm {
		s.Fill(w.P, 0)
	}
	v.Op.Project(s, w.P, t)
	s.Copy(w.R, w.P)
	tau := 1.0
	for range v.Iterations {
		v.primal(s, w.U, x, w.R)
		v.Op.Analyse(s, w.Old, w.U)
		s.Scale(w.Old, float32(1/v.Norm2), w.Old)
		s.Add(w.R, w.R, w.Old)
		v.Op.Project(s, w.R, t)
		// w.R is the new p and w.P the old one: turn them round.
		w.P, w.R, w.Old = w.R, w.Old, w.P
		next := (1 + math.Sqrt(1+4*tau*tau)) / 2
		beta := float32((tau - 1) / next)
		s.Scale(w.R, 1+beta, w.P)
		s.Axpy(w.R, -beta, w.Old)
		tau = next
	}
	v.primal(s, dst, x, w.P)
}

// primal is the point that belongs to a dual: P(x − Lᵀ p).
func (v *Solver) primal(s engine.Stream, u, x, p *engine.Tensor) {
	v.Op.Adjoint(s, u, p)
	s.Sub(u, x, u)
	if v.Bounded() {
		s.Clamp(u, u, v.Lo, v.Hi)
	}
}
