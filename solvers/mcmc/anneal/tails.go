package anneal

import (
	"context"
	"math"
	"math/rand/v2"

	"limpid/engine"
	"limpid/solvers/optim"
)

const (
	tailFreedom    = 3   // degrees of freedom ν of Student's t
	tailLeast      = 0.6 // times the variance: see docs/adr/0023
	tailMost       = 1e4
	tailSweeps     = 2
	tailIterations = 25 // of the solves that the factors are drawn from
)

// tailed is draw with the tails that a scene given x has: a source may be there or not, a
// star or a galaxy. Every pixel's deviation from m is taken as Student's t of ν degrees of
// freedom and the variance that C gives it, as a mixture of Gaussians over the factor λ of
// its variance (Geweke 1993). Two sweeps of its Gibbs sampler, with rough draws d of the
// deviations, give
//
//	λ ~ (ν − 2 + d²/C_ii) / χ²(ν + 1), but at least tailLeast,
//
// and the draw is of N(m, √λ C √λ) conditioned on the data. A few pixels of each draw may
// then be far from m, others in every draw, where a Gaussian of the same variance would move
// all of them a little.
func (p *patches) tailed(ctx context.Context, k *core, dst, m *engine.Tensor, key engine.Key) (optim.Result, error) {
	copy(p.base, p.host)
	for sweep := range uint64(tailSweeps) {
		rough := key.Fold(1 + 2*sweep)
		p.cg.MaxIter = tailIterations
		_, err := p.draw(ctx, k, dst, m, &rough)
		p.cg.MaxIter = solveIterations
		if err == nil {
			copy(p.host, p.base)
			err = p.factors(k, dst, m, key.Fold(2+2*sweep))
		}
		if err != nil {
			return optim.Result{}, err
		}
	}
	last := key.Fold(0)
	return p.draw(ctx, k, dst, m, &last)
}

// factors multiplies the windows by √λ, drawn for the deviations of x from m.
func (p *patches) factors(k *core, x, m *engine.Tensor, key engine.Key) error {
	n := k.dom.Len()
	k.s.Sub(k.t, x, m)
	k.s.Download(p.means, k.t)
	if err := k.s.Err(); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(key.Seed, key.Counter))
	haze := p.share[kinds]
	p.share = [classes]float64{kinds: haze}
	for i, d := range p.means {
		at := i/n*classes*n + i%n // of class 0
		var v float64
		for c := range kinds {
			a := float64(p.host[at+c*n])
			v += a * a
		}
		v *= k.sigma * k.sigma
		var chi2 float64
		for range tailFreedom + 1 {
			z := rng.NormFloat64()
			chi2 += z * z
		}
		l := math.Min(tailMost, (0.4+float64(d)*float64(d)/math.Max(v, 1e-30))/chi2)
		for c := range kinds {
			a := float64(p.host[at+c*n]) * math.Sqrt(l)
			p.host[at+c*n] = float32(a)
			p.share[c] += a * a / float64(len(p.means))
		}
	}
	k.s.Upload(p.window, p.host)
	return k.s.Err()
}
