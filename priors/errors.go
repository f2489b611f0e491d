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
	// Believed are variances over σ² as the derivative has them, ascending; Sky and Light are
	// by what they are to be multiplied where the denoised scene is below the noise, and
	// elsewhere.
	Believed []float64 `json:"believed"`
	Sky      []float64 `json:"sky"`
	Light    []float64 `json:"light"`
	// Factors λ of the variance, ascending, and how often each is found where the sky is
	// surest, on other sky and in light: an error is a draw of N(0, λ V), V the
	// variance, with one of them.
	Factors    []float64 `json:"factors"`
	DarkTails  []float64 `json:"dark_tails"`
	SkyTails   []float64 `json:"sky_tails"`
	LightTails []float64 `json:"light_tails"`
	DarkBelow  float64   `json:"darkest"` // V over σ² below which sky is sure
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
	for name, v := range map[string][]float64{"believed": e.Believed, "factors": e.Factors} {
		if len(v) == 0 {
			return fmt.Errorf("errors of the denoiser: no %s", name)
		}
		if err := ascending(name, v); err != nil {
			return err
		}
	}
	for name, v := range map[string][]float64{"sky": e.Sky, "light": e.Light} {
		if len(v) != len(e.Believed) || slices.ContainsFunc(v, func(f float64) bool { return !(f > 0) || math.IsInf(f, 0) }) {
			return fmt.Errorf("errors of the denoiser: %d numbers of %s for %d variances, or one not positive", len(v), name, len(e.Believed))
		}
	}
	for name, v := range map[string][]float64{"dark_tails": e.DarkTails, "sky_tails": e.SkyTails, "light_tails": e.LightTails} {
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

// Factor is by what a variance over σ² is to be multiplied at a place that is sky by a share.
func (e *Errors) Factor(believed, sky float64) float64 {
	if len(e.Believed) == 1 {
		return sky*e.Sky[0] + (1-sky)*e.Light[0]
	}
	i, _ := slices.BinarySearch(e.Believed, believed)
	i = max(1, min(len(e.Believed)-1, i))
	lo, hi := math.Log(e.Believed[i-1]), math.Log(e.Believed[i])
	f := max(0, min(1, (math.Log(believed)-lo)/(hi-lo)))
	at := func(v []float64) float64 { return math.Exp((1-f)*math.Log(v[i-1]) + f*math.Log(v[i])) }
	return sky*at(e.Sky) + (1-sky)*at(e.Light)
}
