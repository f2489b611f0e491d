// Package measure takes numbers out of mass maps: peaks with their probability, aperture
// masses, profiles, spectra and distributions with bands from posterior samples, stacks,
// and the tests that tell whether a shear field is one.
//
// Maps are (H, W) of a massmap.Field, row-major.
package measure

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"

	"limpid/solvers/massmap"
)

// Peak is a local maximum of the smoothed mean map.
type Peak struct {
	X, Y    float64 // pixels from 0
	RA, Dec float64 // degrees; NaN without a sky
	Kappa   float64 // of the smoothed mean there
	Std     float64 // of the smoothed samples there; NaN without samples
	SN      float64 // Kappa/Std, or over Noise without samples
	// Probability is the share of the samples whose smoothed map has a local maximum of
	// at least PeakOptions.Level within PeakOptions.Radius; NaN without samples.
	Probability float64
}

// PeakOptions of Peaks.
type PeakOptions struct {
	Smoothing float64 // standard deviation of the Gaussian, arcmin; default 0.5
	Level     float64 // default 0.05
	Radius    float64 // arcmin; default 1
	MinSN     float64 // least S/N of what is listed; default 3
	Noise     float64 // standard deviation of the smoothed map where there are no samples
	Most      int     // default 200
}

// Peaks lists the maxima of the mean map where there are data, highest S/N first. The mean
// over the field is subtracted everywhere, since shear does not tell it.
func Peaks(f *massmap.Field, mean []float32, samples [][]float32, o PeakOptions) ([]Peak, error) {
	if o.Smoothing == 0 {
		o.Smoothing = 0.5
	}
	if o.Level == 0 {
		o.Level = 0.05
	}
	if o.Radius == 0 {
		o.Radius = 1
	}
	if o.MinSN == 0 {
		o.MinSN = 3
	}
	if o.Most == 0 {
		o.Most = 200
	}
	if !(o.Smoothing > 0 && o.Radius > 0 && o.Level > 0) || math.IsInf(o.Smoothing+o.Radius+o.Level, 0) {
		return nil, fmt.Errorf("measure: peaks smoothed by %g′ of at least %g within %g′: %w", o.Smoothing, o.Level, o.Radius, massmap.ErrSetting)
	}
	blur := newBlur(f, o.Smoothing)
	smooth := blur.apply(f, mean)
	smoothed := make([][]float64, len(samples))
	for i, s := range samples {
		smoothed[i] = blur.apply(f, s)
	}
	var out []Peak
	column := make([]float64, len(samples))
	for _, at := range maxima(f, smooth, math.Inf(-1)) {
		p := Peak{X: float64(at % f.W), Y: float64(at / f.W), Kappa: smooth[at], Std: math.NaN(), Probability: math.NaN(), RA: math.NaN(), Dec: math.NaN()}
		switch {
		case len(samples) > 1:
			for i, s := range smoothed {
				column[i] = s[at]
			}
			p.Std = stat.StdDev(column, nil)
			p.SN = p.Kappa / p.Std
		case o.Noise > 0:
			p.SN = p.Kappa / o.Noise
		}
		if p.SN < o.MinSN {
			continue
		}
		if ra, dec, ok := f.Projection.ToSky(p.X, p.Y); ok {
			p.RA, p.Dec = ra, dec
		}
		out = append(out, p)
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].SN > out[b].SN })
	out = out[:min(len(out), o.Most)]
	if len(samples) > 1 {
		probabilities(f, out, smoothed, o)
	}
	return out, nil
}

// probabilities fills Probability.
func probabilities(f *massmap.Field, peaks []Peak, samples [][]float64, o PeakOptions) {
	count := make([]int, len(peaks))
	r2 := math.Pow(o.Radius/f.Arcmin, 2)
	for _, s := range samples {
		tops := maxima(f, s, o.Level)
		for i, p := range peaks {
			if slices.ContainsFunc(tops, func(at int) bool {
				dx, dy := float64(at%f.W)-p.X, float64(at/f.W)-p.Y
				return dx*dx+dy*dy <= r2
			}) {
				count[i]++
			}
		}
	}
	for i := range peaks {
		peaks[i].Probability = float64(count[i]) / float64(len(samples))
	}
}

// maxima are pixels higher than their eight neighbours and at least level, where there
// are data.
func maxima(f *massmap.Field, m []float64, level float64) []int {
	var out []int
	for y := 1; y < f.H-1; y++ {
		for x := 1; x < f.W-1; x++ {
			at := y*f.W + x
			if m[at] < level {
				continue
			}
			top := true
			for dy := -1; dy <= 1 && top; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if (dx != 0 || dy != 0) && m[at+dy*f.W+dx] >= m[at] {
						top = false
						break
					}
				}
			}
			if top && amongData(f, x, y) {
				out = append(out, at)
			}
		}
	}
	return out
}

// amongData says whether a pixel has data, or most of its neighbours do: where a pixel
// holds two galaxies one in eight holds none, and the top of a peak may be such a one.
// In a hole none has any.
func amongData(f *massmap.Field, x, y int) bool {
	if !f.Masked(y*f.W + x) {
		return true
	}
	n := 0
	for j := y - 1; j <= y+1; j++ {
		for i := x - 1; i <= x+1; i++ {
			if !f.Masked(j*f.W + i) {
				n++
			}
		}
	}
	return n > 4
}

// blur smooths maps by a Gaussian, in rows and columns; what lies beyond the map is 0.
type blur struct{ kernel []float64 }

func newBlur(f *massmap.Field, arcmin float64) *blur {
	s := arcmin / f.Arcmin
	r := int(math.Ceil(4 * s))
	b := &blur{kernel: make([]float64, 2*r+1)}
	var sum float64
	for i := range b.kernel {
		d := float64(i - r)
		b.kernel[i] = math.Exp(-d * d / (2 * s * s))
		sum += b.kernel[i]
	}
	for i := range b.kernel {
		b.kernel[i] /= sum
	}
	return b
}

// apply subtracts the mean over unmasked pixels and smooths.
func (b *blur) apply(f *massmap.Field, m []float32) []float64 {
	mean := Mean(f, m)
	r := len(b.kernel) / 2
	rows, out := make([]float64, len(m)), make([]float64, len(m))
	for y := range f.H {
		for x := range f.W {
			var sum float64
			for i := max(0, x-r); i <= min(f.W-1, x+r); i++ {
				sum += b.kernel[i-x+r] * (float64(m[y*f.W+i]) - mean)
			}
			rows[y*f.W+x] = sum
		}
	}
	for y := range f.H {
		for j := max(0, y-r); j <= min(f.H-1, y+r); j++ {
			k := b.kernel[j-y+r]
			for x := range f.W {
				out[y*f.W+x] += k * rows[j*f.W+x]
			}
		}
	}
	return out
}

// Mean of a map over unmasked pixels.
func Mean(f *massmap.Field, m []float32) float64 {
	var sum, n float64
	for i, v := range m {
		if !f.Masked(i) {
			sum, n = sum+float64(v), n+1
		}
	}
	return sum / n
}
