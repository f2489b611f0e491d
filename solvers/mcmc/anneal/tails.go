package anneal

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/solvers/optim"
)

const (
	tailFreedom = 3   // degrees of freedom ν of Student's t
	tailLeast   = 0.6 // times the variance: see docs/adr/0023
	tailMost    = 1e4
	tailEnd     = 100  // the most at the last level, after which no denoiser sees a draw
	tailMean    = 1.16 // mean of λ for deviations of the variance C, which it is divided by
	tailSweeps  = 2
)

// tailed is draw with the tails that a scene given x has: a source may be there or not, a
// star or a galaxy. Every pixel's deviation from m is taken as Student's t of ν degrees of
// freedom and the variance that C gives it, as a mixture of Gaussians over the factor λ of
// its variance (Geweke 1993). Two sweeps of its Gibbs sampler, d draws of the deviations,
// give
//
//	λ ~ (ν − 2 + d²/C_ii) / χ²(ν + 1), but at least tailLeast and at most most, over its mean,
//
// and the draw is of N(m, √λ C √λ) conditioned on the data. A few pixels of each draw may
// then be far from m, others in every draw, where a Gaussian of the same variance would move
// all of them a little.
func (p *patches) tailed(ctx context.Context, k *core, dst, m *engine.Tensor, most float64, key engine.Key) (optim.Result, error) {
	copy(p.base, p.host)
	iterations := 0
	for sweep := range uint64(tailSweeps) {
		rough := key.Fold(1 + 2*sweep)
		res, err := p.draw(ctx, k, dst, m, &rough)
		if err == nil {
			iterations += res.Iterations
			copy(p.host, p.base)
			err = p.factors(k, dst, m, most, key.Fold(2+2*sweep))
		}
		if err != nil {
			return res, err
		}
	}
	last := key.Fold(0)
	res, err := p.draw(ctx, k, dst, m, &last)
	res.Iterations += iterations
	return res, err
}

// factors multiplies the windows by √λ, drawn for the deviations of x from m.
func (p *patches) factors(k *core, x, m *engine.Tensor, most float64, key engine.Key) error {
	s, n := k.s, k.dom.Len()
	s.Sub(k.t, x, m)
	s.Download(p.means, k.t)
	s.Fill(k.u, 0)
	for i := range uint64(tailFreedom + 1) {
		k.normals(k.t, k.n, key.Fold(i))
		s.MulAdd(k.u, k.t, k.t)
	}
	s.Download(p.chi2, k.u)
	if err := s.Err(); err != nil {
		return err
	}
	p.scenes(k, func(i int) {
		chi2 := p.chi2[i*n : (i+1)*n]
		for j, d := range p.means[i*n : (i+1)*n] {
			var v float64
			for c := range kinds {
				a := float64(p.host[(c*k.n+i)*n+j])
				v += a * a
			}
			v *= k.sigma * k.sigma
			l := (tailFreedom - 2 + float64(d)*float64(d)/math.Max(v, 1e-30)) / math.Max(float64(chi2[j]), 1e-30)
			f := float32(math.Sqrt(math.Max(tailLeast, math.Min(most, l)) / tailMean))
			for c := range kinds {
				p.host[(c*k.n+i)*n+j] *= f
			}
		}
	})
	s.Upload(p.cover.window, p.host)
	return s.Err()
}
