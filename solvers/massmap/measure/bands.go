package measure

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/stat"

	"limpid/priors/gaussian"
	"limpid/solvers/massmap"
)

// Band is a function with its posterior band at points X: of the mean map, and the 5, 16,
// 50, 84 and 95 % quantiles over samples.
type Band struct {
	X, Mean   []float64
	Quantiles [][5]float64 // nil without samples
	Count     []int        // pixels or modes behind each point
}

var levels = [5]float64{0.05, 0.16, 0.5, 0.84, 0.95}

// band evaluates f on the mean and on every sample.
func band(x []float64, count []int, mean []float32, samples [][]float32, f func(m []float32) []float64) Band {
	b := Band{X: x, Mean: f(mean), Count: count}
	if len(samples) < 2 {
		return b
	}
	values := make([][]float64, len(samples))
	for i, s := range samples {
		values[i] = f(s)
	}
	column := make([]float64, len(samples))
	for k := range x {
		for i := range values {
			column[i] = values[i][k]
		}
		sort.Float64s(column)
		var q [5]float64
		for j, p := range levels {
			q[j] = stat.Quantile(p, stat.LinInterp, column, nil)
		}
		b.Quantiles = append(b.Quantiles, q)
	}
	return b
}

// Profile is the mean of κ, less its mean over the field, in rings of width arcmin about
// a pixel, out to radius arcmin.
func Profile(f *massmap.Field, mean []float32, samples [][]float32, x, y, width, radius float64) (Band, error) {
	if !(width > 0) || !(radius > width) || radius/width > 1e4 {
		return Band{}, fmt.Errorf("measure: a profile of rings of %g′ to %g′: %w", width, radius, massmap.ErrSetting)
	}
	n := int(radius / width)
	ring, count, mid := make([]int, f.H*f.W), make([]int, n), make([]float64, n)
	for i := range ring {
		r := math.Hypot(float64(i%f.W)-x, float64(i/f.W)-y) * f.Arcmin
		ring[i] = -1
		if k := int(r / width); k < n && !f.Masked(i) {
			ring[i] = k
			count[k]++
			mid[k] += r
		}
	}
	for k := range mid {
		mid[k] /= float64(count[k])
	}
	return band(mid, count, mean, samples, func(m []float32) []float64 {
		out, zero := make([]float64, n), Mean(f, m)
		for i, k := range ring {
			if k >= 0 {
				out[k] += float64(m[i]) - zero
			}
		}
		for k := range out {
			out[k] /= float64(count[k])
		}
		return out
	}), nil
}

// PowerSpectrum is C_ℓ (steradian) of maps in rings of ℓ, masked pixels included: a
// posterior sample is a whole map. The edges are faded over a tenth of each side.
func PowerSpectrum(f *massmap.Field, mean []float32, samples [][]float32) (Band, error) {
	side := f.Arcmin / 60 * math.Pi / 180
	one := func(m []float32) ([]gaussian.Bin, error) {
		v := make([]float64, len(m))
		for i, q := range m {
			v[i] = float64(q)
		}
		return gaussian.Periodogram([][]float64{v}, f.H, f.W, 2, 0.1)
	}
	bins, err := one(mean)
	if err != nil {
		return Band{}, fmt.Errorf("measure: %w", err)
	}
	x, count := make([]float64, len(bins)), make([]int, len(bins))
	for i, b := range bins {
		x[i], count[i] = 2*math.Pi*b.K/side, b.Modes
	}
	return band(x, count, mean, samples, func(m []float32) []float64 {
		out := make([]float64, len(bins))
		got, e := one(m)
		if e != nil {
			err = fmt.Errorf("measure: %w", e)
			return out
		}
		for i, b := range got {
			out[i] = b.Power * side * side
		}
		return out
	}), err
}

// Distribution is the one-point density of κ, its mean over the field subtracted, over
// unmasked pixels, in bins equal from lo to hi.
func Distribution(f *massmap.Field, mean []float32, samples [][]float32, lo, hi float64, bins int) (Band, error) {
	if !(hi > lo) || bins < 1 || bins > 1e5 {
		return Band{}, fmt.Errorf("measure: a distribution in %d bins from %g to %g: %w", bins, lo, hi, massmap.ErrSetting)
	}
	step := (hi - lo) / float64(bins)
	x, count := make([]float64, bins), make([]int, bins)
	for i := range x {
		x[i] = lo + (float64(i)+0.5)*step
	}
	hist := func(m []float32, add func(k int)) (n float64) {
		zero := Mean(f, m)
		for i, v := range m {
			if f.Masked(i) {
				continue
			}
			n++
			if k := math.Floor((float64(v) - zero - lo) / step); k >= 0 && k < float64(bins) {
				add(int(k))
			}
		}
		return n
	}
	hist(mean, func(k int) { count[k]++ })
	return band(x, count, mean, samples, func(m []float32) []float64 {
		out := make([]float64, bins)
		n := hist(m, func(k int) { out[k]++ })
		for k := range out {
			out[k] /= n * step
		}
		return out
	}), nil
}

// StackResult is the mean of a map at given positions against random ones.
type StackResult struct {
	Used   int     // positions on unmasked pixels
	Mean   float64 // of the map there
	Random float64 // of the map at all unmasked pixels
	Std    float64 // of the mean at as many random unmasked pixels, drawn independently
	Sigma  float64 // (Mean − Random)/Std
}

// Stack averages a map at positions (RA, Dec). smoothing is the standard deviation of a
// Gaussian in arcmin, 0 for none: a posterior mean is smooth by itself, and more smoothing
// takes signal away. What random positions would give is not drawn but known exactly, the
// map's own mean and its standard deviation over √Used.
func Stack(f *massmap.Field, m []float32, ra, dec []float64, smoothing float64) (StackResult, error) {
	if !(smoothing >= 0) || math.IsInf(smoothing, 0) || len(ra) != len(dec) {
		return StackResult{}, fmt.Errorf("measure: a stack of %d and %d coordinates smoothed by %g′: %w", len(ra), len(dec), smoothing, massmap.ErrSetting)
	}
	s := make([]float64, len(m))
	for i, v := range m {
		s[i] = float64(v)
	}
	if smoothing > 0 {
		s = newBlur(f, smoothing).apply(f, m)
	}
	var r StackResult
	for i := range ra {
		x, y, ok := f.Projection.ToPixel(ra[i], dec[i])
		px, py := int(math.Round(x)), int(math.Round(y))
		if !ok || px < 0 || py < 0 || px >= f.W || py >= f.H || f.Masked(py*f.W+px) {
			continue
		}
		r.Used++
		r.Mean += s[py*f.W+px]
	}
	if r.Used == 0 {
		return r, fmt.Errorf("measure: none of %d positions lies on an unmasked pixel: %w", len(ra), massmap.ErrEmpty)
	}
	r.Mean /= float64(r.Used)
	var open []float64
	for i, v := range s {
		if !f.Masked(i) {
			open = append(open, v)
		}
	}
	r.Random, r.Std = stat.PopMeanStdDev(open, nil)
	r.Std /= math.Sqrt(float64(r.Used))
	r.Sigma = (r.Mean - r.Random) / r.Std
	return r, nil
}
