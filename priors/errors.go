package priors

import (
	"fmt"
	"math"
	"slices"
)

// Errors says how wrong a denoiser D(x, σ) is beside what its own derivative says, measured on
// simulated scenes. Were D the mean of the scene given x, the mean square of (scene − D)/σ would be
// the diagonal of ∂D/∂x (Efron 2011), and what a network has learned is not quite. The numbers are the same at
// every σ, since a network sees x/σ alone: docs/adr/0028.
type Errors struct {
	Scenes int `json:"scenes"`
	// Believed are variances over σ² as the derivative has them, and Bright denoised values over σ, both
	// ascending; Variance, a row for every brightness, is by what the former are to be multiplied.
	Believed []float64   `json:"believed"`
	Bright   []float64   `json:"bright"`
	Variance [][]float64 `json:"variance"`
	// Residual are (x − D)/σ, ascending, and Surprise is by what variances are to be multiplied besides, on sky, in faint
	// light and in bright light: where a pixel stands out of what the denoiser made of it, there may be more than it sees.
	Residual []float64    `json:"residual"`
	Surprise [3][]float64 `json:"surprise"`
	// Sharp are (D − B D)/|D|, |D| at least .1 σ, B D being blurred as the variance is, ascending, and Peaks is by what variances are to
	// be multiplied besides: a mean over the places near a peak is too low there.
	Sharp []float64    `json:"sharp"`
	Peaks [3][]float64 `json:"peaks"`
	// Factors λ of the variance, ascending, and how often each is found where the sky is
	// surest, on other sky, in faint and in bright light: an error is a draw of N(0, λ V), V the
	// variance, with one of them.
	Factors    []float64 `json:"factors"`
	DarkTails  []float64 `json:"dark_tails"`
	SkyTails   []float64 `json:"sky_tails"`
	FaintTails []float64 `json:"faint_tails"`
	LightTails []float64 `json:"light_tails"`
	DarkBelow  float64   `json:"darkest"` // V over σ² below which sky is sure
	// Rings are wave numbers in cycles per pixel, ascending, and Power is by what the power of errors on the modes of a
	// ring is to be multiplied, on sky, in faint light and in bright light: how errors of a given variance are
	// spread over scales. Empty: as the derivative says.
	Rings []float64    `json:"rings,omitempty"`
	Power [3][]float64 `json:"power,omitempty"`
	// Rough are mean squares of D − B D about a place over those of D, ascending, and Coarse and Fine are by what variances are to be
	// multiplied besides, in faint light and in bright light, at scales coarser and finer than .2 cycles per pixel: what is unknown of a
	// galaxy that looks smooth is nearly all coarse. Empty: 1.
	Rough  []float64    `json:"rough,omitempty"`
	Coarse [2][]float64 `json:"coarse,omitempty"`
	Fine   [2][]float64 `json:"fine,omitempty"`
}

// Judged is a prior whose denoiser's errors were measured.
type Judged interface {
	Errors() *Errors // nil: they were not
}

// Check says what of the table cannot be used.
func (e *Errors) Check() error {
	ascending := func(name string, v []float64) error {
		for i := range v {
			if !(v[i] > 0) || math.IsInf(v[i], 0) || i > 0 && v[i] <= v[i-1] {
				return fmt.Errorf("errors of the denoiser: entry %d of %s is %g", i, name, v[i])
			}
		}
		return nil
	}
	for name, v := range map[string][]float64{"believed": e.Believed, "brightness": e.Bright, "factors": e.Factors, "rings": e.Rings, "roughness": e.Rough} {
		if len(v) == 0 && name != "rings" && name != "roughness" {
			return fmt.Errorf("errors of the denoiser: no %s", name)
		}
		if err := ascending(name, v); err != nil {
			return err
		}
	}
	good := func(v []float64, n int) bool {
		return len(v) == n && !slices.ContainsFunc(v, func(f float64) bool { return !(f > 0) || math.IsInf(f, 0) })
	}
	for _, v := range e.Variance {
		if !good(v, len(e.Believed)) {
			return fmt.Errorf("errors of the denoiser: %d numbers for %d variances, or one not positive", len(v), len(e.Believed))
		}
	}
	if len(e.Variance) != len(e.Bright) {
		return fmt.Errorf("errors of the denoiser: %d rows for %d values of brightness", len(e.Variance), len(e.Bright))
	}
	for _, t := range []struct {
		name string
		at   []float64
		by   [][]float64
	}{{"residuals", e.Residual, e.Surprise[:]}, {"sharpness", e.Sharp, e.Peaks[:]}, {"rings", e.Rings, e.Power[:]}, {"roughness", e.Rough, append(e.Coarse[:], e.Fine[:]...)}} {
		for _, v := range t.by {
			if !good(v, len(t.at)) {
				return fmt.Errorf("errors of the denoiser: %d numbers for %d entries of %s, or one not positive", len(v), len(t.at), t.name)
			}
		}
		for i := 1; i < len(t.at); i++ {
			if !(t.at[i] > t.at[i-1]) {
				return fmt.Errorf("errors of the denoiser: entry %d of %s is %g", i, t.name, t.at[i])
			}
		}
	}
	for name, v := range map[string][]float64{"dark_tails": e.DarkTails, "sky_tails": e.SkyTails, "light_tails": e.LightTails, "faint_tails": e.FaintTails} {
		var sum float64
		for _, p := range v {
			if !(p >= 0) {
				return fmt.Errorf("errors of the denoiser: a share of %g in %s", p, name)
			}
			sum += p
		}
		if len(v) != len(e.Factors) || math.Abs(sum-1) > 1e-3 {
			return fmt.Errorf("errors of the denoiser: %d shares of %s for %d factors, which add up to %g", len(v), name, len(e.Factors), sum)
		}
	}
	if !(e.DarkBelow > 0) {
		return fmt.Errorf("errors of the denoiser: sky is sure below %g", e.DarkBelow)
	}
	return nil
}

// Factor is by what a variance over σ² is to be multiplied where the denoised scene is bright σ.
func (e *Errors) Factor(believed, bright float64) float64 {
	i, f := place(e.Bright, math.Abs(bright), math.Log)
	at := func(row []float64) float64 { return between(e.Believed, row, believed) }
	if f == 0 {
		return at(e.Variance[i])
	}
	return math.Exp((1-f)*math.Log(at(e.Variance[i])) + f*math.Log(at(e.Variance[i+1])))
}

// SurpriseAt is by what it is to be multiplied besides, at a place that is sky, faint light and bright light by shares,
// where the noisy scene is residual σ above the denoised one.
func (e *Errors) SurpriseAt(kinds [3]float64, residual float64) float64 {
	return mixed(e.Residual, e.Surprise, kinds, residual)
}

// PeaksAt is by what it is to be multiplied besides where the denoised scene is sharp.
func (e *Errors) PeaksAt(kinds [3]float64, sharp float64) float64 {
	return mixed(e.Sharp, e.Peaks, kinds, sharp)
}

// ScalesAt is by what it is to be multiplied besides at coarse and at fine scales, where the denoised scene is of some roughness.
func (e *Errors) ScalesAt(kinds [3]float64, rough float64) (coarse, fine float64) {
	if len(e.Rough) == 0 {
		return 1, 1
	}
	i, f := place(e.Rough, rough, math.Log)
	coarse, fine = kinds[0], kinds[0]
	for light, w := range kinds[1:] {
		coarse, fine = coarse+w*along(e.Coarse[light], i, f), fine+w*along(e.Fine[light], i, f)
	}
	return coarse, fine
}

// mixed interpolates the tables of the kinds at x and weighs them; without entries it is 1.
func mixed(at []float64, tables [3][]float64, kinds [3]float64, x float64) float64 {
	if len(at) == 0 {
		return 1
	}
	i, f := place(at, x, func(v float64) float64 { return v })
	var sum float64
	for kind, w := range kinds {
		sum += w * along(tables[kind], i, f)
	}
	return sum
}

// along is v at f of the way from entry i to the next.
func along(v []float64, i int, f float64) float64 {
	if f == 0 {
		return v[i]
	}
	return v[i] + f*(v[i+1]-v[i])
}

// PowerAt is by what the power of errors at k cycles per pixel is to be multiplied at places of a kind: 0 sky,
// 1 faint light, 2 bright light.
func (e *Errors) PowerAt(kind int, k float64) float64 {
	if len(e.Rings) == 0 {
		return 1
	}
	return between(e.Rings, e.Power[kind], k)
}

// between interpolates v of ascending at, in logarithms; beyond the ends it is that of the ends.
func between(at, v []float64, x float64) float64 {
	i, f := place(at, x, math.Log)
	if f == 0 {
		return v[i]
	}
	return math.Exp((1-f)*math.Log(v[i]) + f*math.Log(v[i+1]))
}

// place is where x lies in ascending at: f of the way from entry i to the next, on a scale.
func place(at []float64, x float64, scale func(float64) float64) (i int, f float64) {
	i, _ = slices.BinarySearch(at, x)
	switch {
	case i == 0:
		return 0, 0
	case i == len(at):
		return i - 1, 0
	}
	lo, hi := scale(at[i-1]), scale(at[i])
	return i - 1, (scale(x) - lo) / (hi - lo)
}
