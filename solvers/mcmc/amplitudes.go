package mcmc

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/solvers"
)

// amplitudes is the posterior of the amplitudes a of columns beside the scene.
type amplitudes struct {
	sigma []float64 // of the prior
	mean  []float64
	upper mat.TriDense // U of the precision σ⁻¹ UᵀU σ⁻¹
}

// newAmplitudes takes what the data say of a, the scene integrated out: a precision, of which the upper
// triangle is read, and the precision times the mean.
func newAmplitudes(columns []solvers.Column, precision *mat.SymDense, excess []float64) (*amplitudes, error) {
	n := len(columns)
	a := &amplitudes{sigma: make([]float64, n), mean: make([]float64, n)}
	m, b := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	for j, c := range columns {
		a.sigma[j] = c.Sigma
		b.SetVec(j, c.Sigma*excess[j])
		for i := range j + 1 {
			m.SetSym(i, j, precision.At(i, j)*columns[i].Sigma*c.Sigma)
		}
		m.SetSym(j, j, 1+m.At(j, j))
	}
	var fisher mat.Cholesky
	if !fisher.Factorize(m) {
		return nil, fmt.Errorf("mcmc: exact Gaussian posterior: %d columns beside the scene cannot be told from it", n)
	}
	fisher.UTo(&a.upper)
	if err := fisher.SolveVecTo(b, b); err != nil {
		return nil, fmt.Errorf("mcmc: exact Gaussian posterior: %w", err)
	}
	for i, s := range a.sigma {
		a.mean[i] = s * b.AtVec(i)
	}
	return a, nil
}

// stationary is a form in scenes x and z whose stationary value is that of uᵀ(w − w A Σ Aᵀ w) v, Σ the posterior's
// covariance of the scene: r and q are u − A x and v − A z, cz is z through the prior's inverse covariance.
func stationary(w, r, q, x, cz []float32) float64 {
	var sum float64
	for i, v := range w {
		sum += float64(v) * float64(r[i]) * float64(q[i])
	}
	for i, v := range x {
		sum += float64(v) * float64(cz[i])
	}
	return sum
}

// besideKey folds a draw's key for the amplitudes beside its scene.
const besideKey = 2

// scatter is a draw of a about its mean, for a draw of the scene of that key.
func (a *amplitudes) scatter(key engine.Key) []float64 {
	z := mat.NewVecDense(len(a.mean), solvers.Normals(key.Fold(besideKey), len(a.mean)))
	if err := z.SolveVec(&a.upper, z); err != nil {
		panic(err) // a factor of a positive matrix no smaller than 1
	}
	out := make([]float64, len(a.mean))
	for i, s := range a.sigma {
		out[i] = s * z.AtVec(i)
	}
	return out
}
