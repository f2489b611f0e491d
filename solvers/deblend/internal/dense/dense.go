// Package dense solves small dense systems: matrices are n×n, row-major, symmetric.
package dense

import "math"

// SolveBounded minimises ½ dᵀHd + gᵀd with low ≤ 0 ≤ high and low ≤ d ≤ high (nil:
// no upper bound) by an active set: what would pass its bound is held there, what
// pulls away from its bound is let go. Where that does not settle, projected
// Gauss–Seidel sweeps finish; the result is never worse than d = 0.
func SolveBounded(h, grad, low, high []float64, n int) []float64 {
	held := make([]bool, n)
	d := make([]float64, n)
	for range activeRounds {
		solveFree(h, grad, d, held, n)
		passed := false
		for i := range n {
			switch {
			case held[i]:
			case d[i] < low[i]:
				d[i], held[i], passed = low[i], true, true
			case high != nil && d[i] > high[i]:
				d[i], held[i], passed = high[i], true, true
			}
		}
		if passed {
			continue
		}
		let := false
		for i := range n {
			if held[i] {
				slope := grad[i] + dot(h[i*n:(i+1)*n], d)
				if d[i] == low[i] && slope < 0 || d[i] != low[i] && slope > 0 {
					held[i], let = false, true
				}
			}
		}
		if !let {
			return d
		}
	}
	sweep(h, grad, low, high, d, n)
	return d
}

const activeRounds, sweeps = 12, 30

// solveFree solves for what is not held.
func solveFree(h, grad, d []float64, held []bool, n int) {
	free := make([]int, 0, n)
	for i := range n {
		if !held[i] {
			free = append(free, i)
		}
	}
	m := len(free)
	a, rhs := make([]float64, m*m), make([]float64, m)
	for i, fi := range free {
		rhs[i] = -grad[fi]
		for j := range n {
			if held[j] {
				rhs[i] -= h[fi*n+j] * d[j]
			}
		}
		for j, fj := range free[:i+1] {
			a[i*m+j] = h[fi*n+fj]
		}
	}
	Cholesky(a, m)
	ForwardSolve(a, rhs, m)
	BackSolve(a, rhs, m)
	for i, fi := range free {
		d[fi] = rhs[i]
	}
}

// sweep improves d coordinate by coordinate, from 0 where d is worse than that.
func sweep(h, grad, low, high, d []float64, n int) {
	var q float64
	for i := range n {
		d[i] = max(d[i], low[i])
		if high != nil {
			d[i] = min(d[i], high[i])
		}
	}
	for i, v := range d {
		q += v * (grad[i] + 0.5*dot(h[i*n:(i+1)*n], d))
	}
	if q > 0 {
		clear(d)
	}
	for range sweeps {
		for i := range n {
			v := d[i] - (grad[i]+dot(h[i*n:(i+1)*n], d))/h[i*n+i]
			v = max(v, low[i])
			if high != nil {
				v = min(v, high[i])
			}
			d[i] = v
		}
	}
}

func dot(a, b []float64) float64 {
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// Cholesky factors the lower triangle of a in place, a = LLᵀ. A pivot that
// rounding has made too small is lifted: the parameter then does not move.
func Cholesky(a []float64, n int) {
	for j := range n {
		rj := a[j*n : j*n+j]
		d := a[j*n+j]
		floor := 1e-10*math.Abs(d) + 1e-300
		for _, v := range rj {
			d -= v * v
		}
		d = math.Sqrt(max(d, floor))
		a[j*n+j] = d
		for i := j + 1; i < n; i++ {
			s, ri := a[i*n+j], a[i*n:i*n+j]
			for k, v := range rj {
				s -= ri[k] * v
			}
			a[i*n+j] = s / d
		}
	}
}

// ForwardSolve solves Lx = b in place.
func ForwardSolve(l, b []float64, n int) {
	for i := range n {
		s := b[i]
		for k, v := range l[i*n : i*n+i] {
			s -= v * b[k]
		}
		b[i] = s / l[i*n+i]
	}
}

// BackSolve solves Lᵀx = b in place.
func BackSolve(l, b []float64, n int) {
	for i := n - 1; i >= 0; i-- {
		b[i] /= l[i*n+i]
		for k, v := range l[i*n : i*n+i] {
			b[k] -= v * b[i]
		}
	}
}

// Inverse of a positive definite matrix, whose lower triangle is read.
func Inverse(h []float64, n int) []float64 {
	l := append([]float64(nil), h...)
	Cholesky(l, n)
	return InverseOf(l, n)
}

// InverseOf is (LLᵀ)⁻¹.
func InverseOf(l []float64, n int) []float64 {
	inv := make([]float64, n*n)
	col := make([]float64, n)
	for j := range n {
		clear(col)
		col[j] = 1
		ForwardSolve(l, col, n)
		BackSolve(l, col, n)
		for i := range n {
			inv[i*n+j] = col[i]
		}
	}
	return inv
}

// Transposed gives Lᵀ x.
func Transposed(l, x []float64, n int) []float64 {
	out := make([]float64, n)
	for i, v := range x {
		for j, w := range l[i*n : i*n+i+1] {
			out[j] += w * v
		}
	}
	return out
}

// Lower gives L x.
func Lower(l, x []float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = dot(l[i*n:i*n+i+1], x)
	}
	return out
}

// LogDet is ln|H| of a positive definite matrix.
func LogDet(h []float64, n int) float64 {
	l := append([]float64(nil), h...)
	Cholesky(l, n)
	var s float64
	for i := range n {
		s += 2 * math.Log(l[i*n+i])
	}
	return s
}
