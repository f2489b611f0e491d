// Package truncated draws from Gaussians, also such as are cut off below 0.
package truncated

import (
	"math"
	"math/rand/v2"
)

// Gaussian draws from N(mean, LLᵀ), L lower triangular, row-major.
func Gaussian(rng *rand.Rand, mean, l []float64) []float64 {
	n := len(mean)
	z, out := make([]float64, n), append([]float64(nil), mean...)
	for i := range n {
		z[i] = rng.NormFloat64()
		for j, v := range z[:i+1] {
			out[i] += l[i*n+j] * v
		}
	}
	return out
}

// trials of Draw.
const trials = 16

// Draw draws from N(mean, LLᵀ) cut to x_i ≥ 0 for i < bounded, and gives the log of an
// unbiased estimate of the Gaussian's share there (GHK: Geweke 1991, Hajivassiliou &
// McFadden 1998). The draw is one of some trials, chosen by their weights: estimate
// and draw together make a pseudo-marginal sampler exact (Andrieu & Roberts 2009).
func Draw(rng *rand.Rand, mean, l []float64, bounded int) (x []float64, logShare float64) {
	top := math.Inf(-1)
	all, weights := make([][]float64, trials), make([]float64, trials)
	for t := range trials {
		all[t], weights[t] = trial(rng, mean, l, bounded)
		top = max(top, weights[t])
	}
	var sum float64
	for t, w := range weights {
		weights[t] = math.Exp(w - top)
		sum += weights[t]
	}
	u := rng.Float64() * sum
	for t, w := range weights {
		if u -= w; u < 0 || t == trials-1 {
			x = all[t]
			break
		}
	}
	return x, top + math.Log(sum/trials)
}

func trial(rng *rand.Rand, mean, l []float64, bounded int) (x []float64, logWeight float64) {
	n := len(mean)
	z, x := make([]float64, n), append([]float64(nil), mean...)
	for i := range n {
		for j, v := range z[:i] {
			x[i] += l[i*n+j] * v
		}
		d := l[i*n+i]
		if i < bounded {
			var lw float64
			z[i], lw = above(rng, -x[i]/d)
			logWeight += lw
		} else {
			z[i] = rng.NormFloat64()
		}
		x[i] += d * z[i]
		if i < bounded {
			x[i] = max(x[i], 0)
		}
	}
	return x, logWeight
}

// above draws a standard normal above a, and gives the log of its chance.
func above(rng *rand.Rand, a float64) (z, logShare float64) {
	if a > 30 { // erfc is 0 from 38 on; the tail is exponential
		return a + rng.ExpFloat64()/a, -a*a/2 - math.Log(a*math.Sqrt(2*math.Pi))
	}
	share := math.Erfc(a/math.Sqrt2) / 2
	for { // rejection: plain where most is above, else from an exponential (Robert 1995)
		if a < 0.5 {
			if z = rng.NormFloat64(); z >= a {
				return z, math.Log(share)
			}
			continue
		}
		rate := (a + math.Sqrt(a*a+4)) / 2
		z = a + rng.ExpFloat64()/rate
		if rng.Float64() < math.Exp(-(z-rate)*(z-rate)/2) {
			return z, math.Log(share)
		}
	}
}
