package summary

import "math"

// RHat is the split R-hat of chains of equal purpose (Gelman & Rubin 1992;
// Vehtari+2021, eq. 4, without rank normalisation): each chain is cut in two
// and the variance between halves compared with that within. 1 when they agree;
// NaN with fewer than four draws in the shortest chain.
func RHat(chains [][]float64) float64 {
	halves, n := split(chains)
	if n < 2 {
		return math.NaN()
	}
	within, between := variances(halves, n)
	if within == 0 {
		if between == 0 {
			return 1
		}
		return math.Inf(1)
	}
	return math.Sqrt((float64(n-1)/float64(n)*within + between/float64(n)) / within)
}

// ESS is the effective number of independent draws in the chains (Vehtari+2021,
// eq. 10–13): the autocorrelations are summed in pairs until a pair is negative,
// made monotone (Geyer 1992). It is at most N log10 N for N draws.
func ESS(chains [][]float64) float64 {
	halves, n := split(chains)
	if n < 2 {
		return math.NaN()
	}
	total := float64(n * len(halves))
	within, between := variances(halves, n)
	pooled := float64(n-1)/float64(n)*within + between/float64(n)
	if pooled == 0 {
		return total
	}
	rho := func(lag int) float64 {
		var acov float64
		for _, h := range halves {
			acov += autocovariance(h, lag)
		}
		acov /= float64(len(halves))
		return 1 - (within-acov*float64(n)/float64(n-1))/pooled
	}
	tau, last := -1.0, math.Inf(1)
	for lag := 0; lag+1 < n; lag += 2 {
		first := 1.0
		if lag > 0 {
			first = rho(lag)
		}
		pair := first + rho(lag+1)
		if pair < 0 {
			break
		}
		pair = min(pair, last)
		last = pair
		tau += 2 * pair
	}
	tau = max(tau, 1/math.Log10(max(total, 10)))
	return total / tau
}

// split cuts every chain into two halves of n draws, dropping what is over.
func split(chains [][]float64) (halves [][]float64, n int) {
	n = math.MaxInt
	for _, c := range chains {
		n = min(n, len(c)/2)
	}
	for _, c := range chains {
		halves = append(halves, c[:n], c[len(c)-n:])
	}
	return halves, n
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

func variances(halves [][]float64, n int) (within, between float64) {
	means := make([]float64, len(halves))
	for i, h := range halves {
		m, v := moments(h)
		means[i] = m
		within += v / float64(len(halves))
	}
	_, b := moments(means)
	return within, b * float64(n)
}

func autocovariance(x []float64, lag int) float64 {
	mean, _ := moments(x)
	var sum float64
	for i := lag; i < len(x); i++ {
		sum += (x[i] - mean) * (x[i-lag] - mean)
	}
	return sum / float64(len(x))
}
