// Package deconv puts deconvolution together: from an Observation and a method
// to a kernel, a fitted prior, and what the result says about the data.
package deconv

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/optimize"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
)

// FitSpectrum estimates the isotropic power spectrum of the scene in band c by
// maximising the Whittle likelihood (Whittle 1953) of the image's periodogram D:
//
//	−ln L = Σ_k [ln M(k) + D(k)/M(k)],  M = |H|² P + N,  over independent modes,
//
// N the noise power (the mean variance under the window). P is piecewise linear
// in log–log between knots. A weak prior keeps neighbouring slopes alike and near
// those of galaxy images, so that where the PSF has erased the data the spectrum
// goes on with its slope. The image is multiplied by a cosine-edged window to
// suppress the jump between opposite borders; masked pixels are filled with their
// neighbours' mean.
//
// The window mixes modes, which matters where the spectrum is steep: the
// expectation of the periodogram under the fit is computed exactly and what it
// has beyond M is added to M in further fits. Of an image with a side of more than
// leakMaxSide, D is the mean over parts of at most that side, spread evenly over it.
func FitSpectrum(dev engine.Device, o *solvers.Observation, c int) (gaussian.Spectrum, error) {
	pg, err := meanPeriodogram(dev, o, c)
	if err != nil {
		return gaussian.Spectrum{}, err
	}
	defer pg.close()
	var sp gaussian.Spectrum
	last, before := 0.0, make([]float64, len(pg.leak))
	for rounds, halvings := 0, 0; ; {
		next, err := fitGroups(pg.groups(), knots(max(pg.h, pg.w)))
		if err != nil {
			return next, err
		}
		seen := pg.seen(next)
		if seen < collapsed*last && halvings < mostHalvings {
			// the leak came to explain everything, as of a source in a small image
			for i, v := range before {
				pg.leak[i] = (pg.leak[i] + v) / 2
			}
			halvings++
			continue
		}
		if seen < collapsed*last {
			return sp, nil
		}
		sp, last = next, seen
		if rounds++; rounds == leakRounds {
			return sp, nil
		}
		copy(before, pg.leak)
		if err = pg.updateLeak(sp); err != nil {
			return sp, err
		}
	}
}

const (
	leakRounds   = 6
	collapsed    = 0.02 // of the scene's power in the image before: no correction of a leak is so large
	mostHalvings = 12   // of the leak's steps, in all
	leakMaxSide  = 2048 // of what is transformed at once
	mostParts    = 3    // along each side
)

// seen is the power of scenes of a spectrum in the image, over all modes.
func (p *periodogram) seen(sp gaussian.Spectrum) (sum float64) {
	for i, v := range sp.OnGrid(p.h, p.w) {
		if i > 0 { // the mean was subtracted
			sum += p.transfer2[i] * v
		}
	}
	return sum
}

// group is a set of modes of nearly equal |k| and |H|².
type group struct {
	logK, transfer2, power, noise float64 // noise includes the leak
	n                             float64 // independent modes
}

// Edges of the window, as a share of the side, and modes per group.
const (
	taperShare   = 0.12
	radialGroups = 80
	transferSets = 6
)

// cosineEdge is 1 inside and falls to 0 over taperShare at both ends.
func cosineEdge(i, n int) float64 {
	edge := math.Max(2, taperShare*float64(n))
	d := math.Min(float64(i)+0.5, float64(n)-float64(i)-0.5)
	if d >= edge {
		return 1
	}
	return 0.5 - 0.5*math.Cos(math.Pi*d/edge)
}

// fillMasked replaces masked pixels by a weighted mean of valid ones nearby, in
// growing rings.
func fillMasked(data, weights []float32, h, w int) []float64 {
	out := make([]float64, len(data))
	for i, v := range data {
		if weights[i] > 0 {
			out[i] = float64(v)
			continue
		}
		y, x := i/w, i%w
		for r := 1; r < 32; r++ {
			var sum, n float64
			for dy := -r; dy <= r; dy++ {
				for dx := -r; dx <= r; dx++ {
					yy, xx := y+dy, x+dx
					if max(dy, -dy, dx, -dx) == r && yy >= 0 && xx >= 0 && yy < h && xx < w && weights[yy*w+xx] > 0 {
						sum, n = sum+float64(data[yy*w+xx]), n+1
					}
				}
			}
			if n > 0 {
				out[i] = sum / n
				break
			}
		}
	}
	return out
}

// knots are spread evenly in log k from the lowest mode to the corner.
func knots(n int) []float64 {
	lo, hi := math.Log(1/float64(n)), math.Log(0.72)
	count := max(5, int(math.Round((hi-lo)/0.5))+1)
	out := make([]float64, count)
	for i := range out {
		out[i] = lo + (hi-lo)*float64(i)/float64(count-1)
	}
	return out
}

// The weak prior on the slope d ln P / d ln k: galaxy images fall with about
// k⁻³; neighbouring segments differ by about one. Weights are inverse variances.
const (
	priorSlope      = -3.0
	priorSlopeSigma = 1.5
	priorBendSigma  = 0.3
	riseSigma       = 0.1 // a rising spectrum is not a galaxy's
)

// fitGroups minimises −ln L − ln prior over the log powers at the knots (BFGS).
func fitGroups(groups []group, logK []float64) (gaussian.Spectrum, error) {
	var top float64
	for _, g := range groups {
		top = math.Max(top, g.power)
	}
	if !(top > 0) {
		return gaussian.Spectrum{}, fmt.Errorf("deconv: the image is flat: there is no power spectrum to fit")
	}
	sp := gaussian.Spectrum{LogK: logK, LogP: make([]float64, len(logK))}
	start := make([]float64, len(logK))
	for i, lk := range logK {
		start[i] = math.Log(top) + priorSlope*0.5*(lk-logK[0])
	}
	dk := logK[1] - logK[0]
	cost := func(grad, p []float64) float64 {
		var sum float64
		for i := range grad {
			grad[i] = 0
		}
		for _, g := range groups {
			i, t := sp.Locate(g.logK)
			power := math.Exp(math.Min(200, math.Max(-200, p[i]+t*(p[i+1]-p[i]))))
			m := g.transfer2*power + g.noise
			sum += g.n * (math.Log(m) + g.power/m)
			d := g.n * (1 - g.power/m) / m * g.transfer2 * power
			grad[i] += d * (1 - t)
			grad[i+1] += d * t
		}
		return sum + slopePrior(grad, p, dk)
	}
	problem := optimize.Problem{
		Func: func(p []float64) float64 { return cost(make([]float64, len(p)), p) },
		Grad: func(grad, p []float64) { cost(grad, p) },
	}
	res, err := optimize.Minimize(problem, start, &optimize.Settings{MajorIterations: 500}, &optimize.BFGS{})
	if res == nil {
		return gaussian.Spectrum{}, fmt.Errorf("deconv: fit of the power spectrum: %w", err)
	}
	copy(sp.LogP, res.X)
	for _, v := range sp.LogP {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return gaussian.Spectrum{}, fmt.Errorf("deconv: fit of the power spectrum ended at %g", v)
		}
	}
	return sp, nil
}

// slopePrior adds the gradient of the weak prior to grad and returns its value.
func slopePrior(grad, p []float64, dk float64) float64 {
	var sum float64
	add := func(value, sigma float64, at int, coef ...float64) {
		sum += value * value / (2 * sigma * sigma)
		for i, c := range coef {
			grad[at+i] += value / (sigma * sigma) * c
		}
	}
	for i := 0; i+1 < len(p); i++ {
		slope := (p[i+1] - p[i]) / dk
		add(slope-priorSlope, priorSlopeSigma, i, -1/dk, 1/dk)
		if slope > 0 {
			add(slope, riseSigma, i, -1/dk, 1/dk)
		}
	}
	for i := 0; i+2 < len(p); i++ {
		add((p[i+2]-2*p[i+1]+p[i])/dk, priorBendSigma, i, 1/dk, -2/dk, 1/dk)
	}
	return sum
}
