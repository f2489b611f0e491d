package mcmc

import (
	"context"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/solvers"
)

// latentBeside is what LatentExact needs of the columns P beside the scene, y = B z + P a + n.
// As in Exact a and z are drawn together: with D = 1 + BᵀwB and Z = D⁻¹ BᵀwP the posterior of
// a has the precision
//
//	Λ⁻¹ + Pᵀ(w − w B D⁻¹ Bᵀ w)P,
//
// and z given a is the posterior without columns less Z a. The precision's entries are taken
// in the form that is stationary in Z, so that what its solves leave enters squared.
type latentBeside struct {
	columns []solvers.Column
	n       *solvers.Nuisance // of which nothing is taken but P
	w       []float32
	x       *engine.Tensor // (columns, C, H, W) T Z
	list    []*engine.Tensor
	a       *amplitudes
}

func newLatentBeside(dev engine.Device, domain engine.Shape, columns []solvers.Column, weights solvers.Image) (*latentBeside, error) {
	n, err := solvers.NewNuisance(columns, weights)
	if err != nil {
		return nil, err
	}
	b := &latentBeside{columns: columns, n: n, w: weights.Pix}
	if b.x, err = dev.Alloc(append(engine.Shape{len(columns)}, domain...)); err != nil {
		return nil, err
	}
	for i := range columns {
		b.list = append(b.list, b.x.Slice(i, i+1))
	}
	return b, nil
}

// less is y − B z for the z of one scene in the conditional's u.
func (b *latentBeside) less(k *LatentExact, y []float32) []float32 {
	v := k.cond.view(1)
	k.white.Forward(k.stream, v.data, v.u)
	out := make([]float32, v.data.Len())
	k.stream.Download(out, v.data)
	for i, m := range out {
		out[i] = y[i] - m
	}
	return out
}

// solve finds Z and the posterior of a; the z without columns is in the conditional's u.
func (b *latentBeside) solve(ctx context.Context, k *LatentExact) error {
	s, v := k.stream, k.cond.view(1)
	host := func() []float32 {
		out := make([]float32, v.u.Len())
		s.Download(out, v.u)
		return out
	}
	mean, rest := host(), b.less(k, k.cfg.Data.Pix)
	m := mat.NewSymDense(len(b.columns), nil)
	excess := make([]float64, len(b.columns))
	var zs, residuals [][]float32 // Z, and P − B Z
	for j := range b.columns {
		one := make([]float64, len(b.columns))
		one[j] = 1
		column := solvers.NewImage(k.cfg.Data.C, k.cfg.Data.H, k.cfg.Data.W)
		b.n.Add(column.Pix, 1, one)
		if _, err := k.cond.mean(ctx, column, k.cfg.MeanTol); err != nil {
			return err
		}
		k.prior.FromWhite(s, b.list[j], v.u)
		zs, residuals = append(zs, host()), append(residuals, b.less(k, column.Pix))
		excess[j] = stationary(b.w, rest, residuals[j], mean, zs[j])
		for i := range j + 1 {
			m.SetSym(i, j, stationary(b.w, residuals[i], residuals[j], zs[i], zs[j]))
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	var err error
	if b.a, err = newAmplitudes(b.columns, m, excess); err != nil {
		return err
	}
	s.Upload(v.u, mean)
	return s.Err()
}

// take takes T Z a off a scene, (1, C, H, W).
func (b *latentBeside) take(s engine.Stream, x *engine.Tensor, a []float64) {
	for i, v := range a {
		s.Axpy(x, float32(-v), b.list[i])
	}
}

func (b *latentBeside) close() {
	if b != nil {
		b.x.Free()
	}
}
