package deblend

import (
	"context"
	"math"
	"slices"

	"limpid/engine"
	"limpid/solvers"
)

// DetectOptions of Detect.
type DetectOptions struct {
	Threshold float64 // S/N of a peak in the matched filter; default 6
	Rounds    int     // how often the residual of a fit is searched; default 2, < 0: never
	Max       int     // sources; default 1000
}

func (o DetectOptions) withDefaults() DetectOptions {
	if o.Threshold <= 0 {
		o.Threshold = 6
	}
	if o.Rounds == 0 {
		o.Rounds = 2
	}
	if o.Max <= 0 {
		o.Max = 1000
	}
	return o
}

// Detect finds sources: the peaks of the matched filter over all bands; then,
// round by round, those of the residual after fitting profiles to what is known,
// which shows sources on the flanks of brighter ones. A constant background is
// taken off first (Background).
func Detect(ctx context.Context, dev engine.Device, obs *solvers.Observation, o DetectOptions, fit Options) ([]Source, error) {
	o = o.withDefaults()
	flat := *obs
	flat.Data = obs.Data.Clone()
	for c := range flat.Data.C {
		level := Background(obs, c)
		w := obs.Weights.Plane(c)
		for i := range flat.Data.Plane(c) {
			if w[i] > 0 {
				flat.Data.Plane(c)[i] -= float32(level)
			}
		}
	}
	found := peaks(signalToNoise(&flat), flat.Data.H, flat.Data.W, o.Threshold, width(obs), nil)
	fit.NoFreeForm = true
	for range o.Rounds {
		if len(found) == 0 || len(found) >= o.Max {
			break
		}
		number(found)
		r, err := Fit(ctx, dev, &flat, found, fit)
		if err != nil {
			return nil, err
		}
		more := peaks(r.residualSNR(&flat), flat.Data.H, flat.Data.W, o.Threshold, width(obs), found)
		if len(more) == 0 {
			break
		}
		found = append(found, more...)
	}
	if len(found) > o.Max {
		found = found[:o.Max]
	}
	number(found)
	return found, nil
}

func number(s []Source) {
	for i := range s {
		s[i].ID = i + 1
	}
}

// Background is the sky of a band: the median of the valid pixels after clipping
// at 3 σ (of the median absolute deviation) until nothing changes, ten times at
// most. It is 0 where fewer than 16 pixels are left.
func Background(obs *solvers.Observation, band int) float64 {
	var v []float32
	w := obs.Weights.Plane(band)
	for i, d := range obs.Data.Plane(band) {
		if w[i] > 0 {
			v = append(v, d)
		}
	}
	level := 0.0
	for range 10 {
		if len(v) < 16 {
			return 0
		}
		m := median(v)
		level = float64(m)
		dev := make([]float32, len(v))
		for i, d := range v {
			dev[i] = max(d-m, m-d)
		}
		cut := 3 * 1.4826 * median(dev)
		n := len(v)
		v = slices.DeleteFunc(v, func(d float32) bool { return d-m > cut || m-d > cut })
		if len(v) == n {
			break
		}
	}
	return level
}

// peaks are the local maxima of an S/N map above a threshold, brightest first,
// not within .6 FWHM of a known one.
func peaks(snr []float32, h, w int, threshold, fwhm float64, known []Source) []Source {
	type peak struct {
		Source
		v float32
	}
	var list []peak
	r := max(int(fwhm/2), 1)
	for y := range h {
		for x := range w {
			v := snr[y*w+x]
			if float64(v) < threshold || !localPeak(snr, h, w, x, y, r) {
				continue
			}
			s := Source{X: float64(x) + vertex(snr, x, 1, w, y*w+x), Y: float64(y) + vertex(snr, y, w, h, y*w+x), Kind: Galaxy}
			if !slices.ContainsFunc(known, func(k Source) bool { return math.Hypot(k.X-s.X, k.Y-s.Y) < 0.6*fwhm }) {
				list = append(list, peak{s, v})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b peak) int {
		switch {
		case a.v > b.v:
			return -1
		case a.v < b.v:
			return 1
		}
		return 0
	})
	out := make([]Source, len(list))
	for i, p := range list {
		out[i] = p.Source
	}
	return out
}

// vertex is the offset of the parabola through a peak and its two neighbours.
func vertex(v []float32, at, stride, n, i int) float64 {
	if at == 0 || at == n-1 {
		return 0
	}
	a, b, c := float64(v[i-stride]), float64(v[i]), float64(v[i+stride])
	if d := a - 2*b + c; d < 0 {
		return min(max(0.5*(a-c)/d, -0.5), 0.5)
	}
	return 0
}
