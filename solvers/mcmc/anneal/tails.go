package anneal

import (
	"context"
	"math"
	"slices"

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
	errorSweeps = 1
)

// tailed is draw with the tails that a scene given x has: a source may be there or not, a
// star or a galaxy. Every pixel's deviation from m is a draw of N(0, λ V), V the variance that C gives it and λ its own:
// a few pixels of each draw may then be far from m, others in every draw, where a Gaussian of the same variance would
// move all of them a little. The draw is of N(m, √λ C √λ) conditioned on the data, with λ from sweeps of a Gibbs sampler.
//
// Where the prior's errors were measured λ has the distribution that they have (priors.Errors): it begins as a draw of that, so that most
// of the sky is sure and sources find their places among the few pixels that are not, and is drawn once more given the deviations. Else deviations are
// Student's t (see factors), and λ begins as 1.
func (p *patches) tailed(ctx context.Context, k *core, dst, m *engine.Tensor, most float64, key engine.Key) (optim.Result, error) {
	copy(p.base, p.host)
	factors, sweeps := p.factors, tailSweeps
	if p.errors != nil {
		factors, sweeps = p.measured, errorSweeps
		if err := p.measured(k, nil, m, most, key.Fold(1+2*tailSweeps)); err != nil {
			return optim.Result{}, err
		}
	}
	iterations := 0
	for sweep := range uint64(sweeps) {
		rough := key.Fold(1 + 2*sweep)
		res, err := p.draw(ctx, k, dst, m, &rough)
		if err == nil {
			iterations += res.Iterations
			copy(p.host, p.base)
			err = factors(k, dst, m, most, key.Fold(2+2*sweep))
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

// factors multiplies the windows by √λ, drawn for the deviations of x from m: Student's t of ν degrees of freedom as
// a mixture of Gaussians (Geweke 1993),
//
//	λ ~ (ν − 2 + d²/C_ii) / χ²(ν + 1), but at least tailLeast and at most most, over its mean.
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
			v := p.variance(k, i, j) * k.sigma * k.sigma
			l := (tailFreedom - 2 + float64(d)*float64(d)/math.Max(v, 1e-30)) / math.Max(float64(chi2[j]), 1e-30)
			p.multiply(k, i, j, v/(k.sigma*k.sigma), math.Max(tailLeast, math.Min(most, l))/tailMean)
		}
	})
	s.Upload(p.cover.window, p.host)
	return s.Err()
}

// variance is that of pixel j of scene i, over σ², without haze.
func (p *patches) variance(k *core, i, j int) float64 {
	var v float64
	for c := range hazeClass {
		a := float64(p.host[(c*k.n+i)*k.dom.Len()+j])
		v += a * a
	}
	return v
}

// multiply multiplies its variance, v σ², by factor, as far as the scene allows.
func (p *patches) multiply(k *core, i, j int, v, factor float64) {
	f := float32(math.Sqrt(p.widened(v, factor, k.sigma)))
	for c := range hazeClass {
		p.host[(c*k.n+i)*k.dom.Len()+j] *= f
	}
}

// tailFilters make λ alike in neighbouring pixels: λ that are independent from pixel to pixel would make errors white, which
// are smooth.
type tailFilters struct{ unit, mean *engine.Tensor } // (modes): of white noise's variance, and of its mean

// Widths of the Gaussian that λ are alike over. Errors of a denoiser are as smooth as unannounced sources, and their
// spectrum is measured beside λ of that width. Walks take less, since sharp cores could not be drawn otherwise (docs/adr/0030).
const (
	tailWidth     = 0.7 // px
	tailWidthSeen = 1.5 // px, of MeasureErrors
)

func (k *core) newTailFilters(width float64, err *error) *tailFilters {
	f := &tailFilters{unit: k.newUnitFilter(width, err), mean: k.alloc(err, engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1})}
	if *err == nil {
		k.setGaussian(f.mean, width)
	}
	return f
}

// newUnitFilter makes white noise alike over a Gaussian of width pixels, and leaves its variance.
func (k *core) newUnitFilter(width float64, err *error) *engine.Tensor {
	unit := k.alloc(err, engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1})
	if *err != nil {
		return nil
	}
	k.setGaussian(unit, width)
	host := make([]float32, unit.Len())
	k.s.Download(host, unit)
	var sum, total float64
	for i, w := range k.rings.weight {
		sum, total = sum+w*float64(host[i])*float64(host[i]), total+w
	}
	for i := range host {
		host[i] *= float32(math.Sqrt(total / sum))
	}
	k.s.Upload(unit, host)
	return unit
}

// measured multiplies the windows by √λ, λ a draw from how often the prior's errors have each, given the
// deviations of x from m near each pixel; x nil: before there are any.
func (p *patches) measured(k *core, x, m *engine.Tensor, most float64, key engine.Key) error {
	s, n, e := k.s, k.dom.Len(), p.errors
	s.Download(p.means, m)
	clear(p.chi2)
	if x != nil {
		s.Sub(k.t, x, m)
		s.Download(p.chi2, k.t)
	}
	k.normals(k.t, k.n, key)
	k.filter(k.t, k.t, p.tails.unit)
	s.Download(p.uniform, k.t)
	if x != nil {
		p.scenes(k, func(i int) {
			for at := i * n; at < (i+1)*n; at++ {
				d := float64(p.chi2[at]) / k.sigma
				p.chi2[at] = float32(d * d / math.Max(p.variance(k, i, at-i*n), 1e-30))
			}
		})
		s.Upload(k.t, p.chi2)
		k.filter(k.t, k.t, p.tails.mean)
		s.Download(p.chi2, k.t)
	}
	if err := s.Err(); err != nil {
		return err
	}
	allowed, _ := slices.BinarySearch(e.Factors, 1.01*most)
	allowed = max(1, allowed)
	p.scenes(k, func(i int) {
		cum := make([]float64, allowed)
		for j := range n {
			v, at := p.variance(k, i, j), i*n+j
			shares := errorKinds(e, v, classWeights(float64(p.means[at])/k.sigma))
			z2, sum := math.Max(0, float64(p.chi2[at])), 0.0
			for t, l := range e.Factors[:allowed] {
				share := shares[0]*e.DarkTails[t] + shares[1]*e.SkyTails[t] + shares[2]*e.FaintTails[t] + shares[3]*e.LightTails[t]
				if x != nil && share > 0 {
					share *= math.Exp(-z2/2/l) / math.Sqrt(l)
				}
				sum += share
				cum[t] = sum
			}
			t := allowed - 1 // so far out that no other explains it
			if sum > 0 {
				u := 0.5 * math.Erfc(-float64(p.uniform[at])/math.Sqrt2) * sum
				at, _ := slices.BinarySearch(cum, u)
				t = min(t, at)
			}
			p.multiply(k, i, j, v, e.Factors[t])
		}
	})
	s.Upload(p.cover.window, p.host)
	return s.Err()
}
