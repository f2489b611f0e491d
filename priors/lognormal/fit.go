package lognormal

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"limpid/priors/gaussian"
)

// Skewness is that of a shifted lognormal field whose logarithm has the variance s2,
// (e^s2 + 2) √(e^s2 − 1), whatever the shift.
func Skewness(s2 float64) float64 {
	e := math.Expm1(s2)
	return (e + 3) * math.Sqrt(e)
}

// ShiftFromMoments is the λ of a lognormal field of mean 0 with the given variance and
// third moment ⟨κ³⟩; independent normal noise adds to the variance, which must be taken
// off, and not to the third moment. A field that is not skewed to the right has no such
// λ.
func ShiftFromMoments(variance, third float64) (float64, error) {
	skew := third / math.Pow(variance, 1.5)
	if !(variance > 0) || !(skew > 0) || math.IsInf(skew, 0) {
		return 0, fmt.Errorf("lognormal: variance %g and third moment %g: the field must vary and be skewed to the right", variance, third)
	}
	// Skewness rises without bound; e^s2 − 1 =: e solves e³ + 6e² + 9e = skew².
	lo, hi := 0.0, 1+skew*skew
	for range 200 {
		mid := (lo + hi) / 2
		if (mid+3)*(mid+3)*mid < skew*skew {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Sqrt(variance / ((lo + hi) / 2)), nil
}

// tail is the probability beyond each of the outer quantiles ShiftFromQuantiles uses.
const tail = 0.02

// ShiftFromQuantiles is the λ for which ln(x + λ) has its median midway between its 2 %
// and 98 % quantiles, as a normal variable has: (q₀₂ + λ)(q₉₈ + λ) = (q₅₀ + λ)². A few
// extreme pixels, such as the cores of clusters, do not disturb it.
func ShiftFromQuantiles(x []float64) (float64, error) {
	if len(x) == 0 {
		return 0, fmt.Errorf("lognormal: no pixels to fit a shift to")
	}
	v := slices.Clone(x)
	slices.Sort(v)
	lo, mid, hi := stat.Quantile(tail, stat.Empirical, v, nil), stat.Quantile(0.5, stat.Empirical, v, nil), stat.Quantile(1-tail, stat.Empirical, v, nil)
	d := lo + hi - 2*mid
	if l := (mid*mid - lo*hi) / d; d > 0 && l > -lo {
		return l, nil
	}
	return 0, fmt.Errorf("lognormal: quantiles %.3g, %.3g, %.3g are not skewed to the right: no shift fits", lo, mid, hi)
}

// Fit finds the shift and the spectrum of maps of κ without noise (h × w each): that of
// the pixels' quantiles, each map's mean subtracted, and gaussian.Estimate's with the
// given taper.
func Fit(maps [][]float64, h, w int, taper float64) (shift float64, sp gaussian.Spectrum, err error) {
	if sp, err = gaussian.Estimate(maps, h, w, taper); err != nil {
		return 0, sp, err
	}
	var all []float64
	for _, m := range maps {
		mean := stat.Mean(m, nil)
		for _, v := range m {
			all = append(all, v-mean)
		}
	}
	shift, err = ShiftFromQuantiles(all)
	return shift, sp, err
}
