package sims

import (
	"fmt"
	"math"
	"math/rand/v2"

	"limpid/engine"
)

// Scenes simulates patches of extragalactic sky on a torus, without noise. Sizes,
// axis ratios, magnitudes and bulges are distributed as those of galaxies of HST's
// COSMOS field with I < 23.5; the picture in docs/priors.md shows how well. It may be
// used by several goroutines at once.
type Scenes struct{ Config SceneConfig }

// SceneConfig is what a simulator of galaxies is made from. The zero value of a field
// means its default.
type SceneConfig struct {
	// The pixel's side in arcsec is log-uniform between these; default .03 to .3, of
	// single galaxies .08 to .4: postage stamps are cut from surveys of weak lensing.
	MinPixel float64 `json:"min_pixel"`
	MaxPixel float64 `json:"max_pixel"`
	// Galaxies per square arcsec beside the first one are log-uniform between these;
	// default .003 to .1.
	MinDensity float64 `json:"min_density"`
	MaxDensity float64 `json:"max_density"`
	// Crowded is the share of fields of stars; default .06.
	Crowded float64 `json:"crowded"`
	// Sharp is the share of scenes whose only smoothing is the pixel; the others have
	// a Gaussian point spread of σ .5 to 1.2 px, as images of space telescopes have.
	// Default .5.
	Sharp float64 `json:"sharp"`
	// Single leaves one galaxy, within a pixel of the middle, on a stamp with borders
	// instead of a torus, and nothing else.
	Single bool `json:"single,omitempty"`
	// Band is u, g, r, i (the default) or z: bluer bands have more knots and less
	// bulge.
	Band string `json:"band"`
}

// NewScenes fills the defaults in and checks.
func NewScenes(c SceneConfig) (*Scenes, error) {
	finest, coarsest := 0.03, 0.3
	if c.Single {
		finest, coarsest = 0.08, 0.4
	}
	for _, d := range []struct {
		v *float64
		d float64
	}{{&c.MinPixel, finest}, {&c.MaxPixel, coarsest}, {&c.MinDensity, 0.003}, {&c.MaxDensity, 0.1}, {&c.Crowded, 0.06}, {&c.Sharp, 0.5}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if c.Band == "" {
		c.Band = "i"
	}
	if _, ok := bands[c.Band]; !ok {
		return nil, fmt.Errorf("sims: band %q: u, g, r, i and z are known", c.Band)
	}
	if !(c.MinPixel > 0 && c.MaxPixel >= c.MinPixel && c.MaxPixel < 10) {
		return nil, fmt.Errorf("sims: pixels of %g to %g arcsec", c.MinPixel, c.MaxPixel)
	}
	if !(c.MinDensity > 0 && c.MaxDensity >= c.MinDensity && c.MaxDensity < 100) || !(c.Crowded >= 0 && c.Crowded <= 1 && c.Sharp >= 0 && c.Sharp <= 1) {
		return nil, fmt.Errorf("sims: %g to %g galaxies per square arcsec, share of crowded fields %g, of sharp scenes %g", c.MinDensity, c.MaxDensity, c.Crowded, c.Sharp)
	}
	return &Scenes{c}, nil
}

// band is how the light of a band differs from that of I.
type band struct{ bulge, knots float64 }

var bands = map[string]band{"u": {0.4, 2.2}, "g": {0.7, 1.5}, "r": {0.9, 1.15}, "i": {1, 1}, "z": {1.05, 0.85}}

// About says what is simulated.
func (s *Scenes) About() string {
	what := "patches of sky with galaxies and stars"
	if s.Config.Single {
		what = "single galaxies"
	}
	return fmt.Sprintf("%s, pixels of %g to %g arcsec, band %s", what, s.Config.MinPixel, s.Config.MaxPixel, s.Config.Band)
}

// What the parameters of galaxies are drawn from (see docs/priors.md).
const (
	lnRadius      = -1.09 // mean of ln(half-light radius/arcsec), circularised
	lnRadiusSigma = 0.70
	sizeMagnitude = -0.35 // correlation of ln radius and magnitude
	countSlope    = 0.33  // log₁₀ counts per magnitude
	faintest      = 23.5
	brightest     = 18.0
	meanMagnitude = 22.3
	magSigma      = 1.0
	mostGalaxies  = 60
	mostOfStamp   = 0.2 // half-light radius over the side of a stamp
)

func logUniform(lo, hi float64, rng *rand.Rand) float64 {
	return lo * math.Pow(hi/lo, rng.Float64())
}

// Patch fills dst with the scene of a key; its unit is arbitrary.
func (s *Scenes) Patch(dst []float32, side int, key engine.Key) {
	rng := Rand(key)
	c := newCanvas(side)
	cfg := s.Config
	pixel := logUniform(cfg.MinPixel, cfg.MaxPixel, rng)
	smooth := rng.Float64() >= cfg.Sharp
	sigma := 0.5 + 0.7*rng.Float64()
	n := float64(side)
	switch {
	case cfg.Single:
		c.stamp = true
		mid := n/2 - 0.5
		s.galaxy(c, mid+2*rng.Float64()-1, mid+2*rng.Float64()-1, pixel, magnitude(rng), rng)
	case rng.Float64() < cfg.Crowded:
		s.stars(c, int(logUniform(20, n*n/25, rng)), rng)
		if rng.IntN(2) == 0 {
			s.galaxy(c, n*rng.Float64(), n*rng.Float64(), pixel, magnitude(rng), rng)
		}
	default:
		density := logUniform(cfg.MinDensity, cfg.MaxDensity, rng)
		more := min(poisson(density*n*n*pixel*pixel, rng), mostGalaxies)
		for range 1 + more {
			s.galaxy(c, n*rng.Float64(), n*rng.Float64(), pixel, magnitude(rng), rng)
		}
		if rng.Float64() < 0.3 {
			s.stars(c, 1+poisson(0.7, rng), rng)
		}
	}
	if smooth {
		c.blur(sigma)
	}
	for i, v := range c.pix {
		dst[i] = float32(v)
	}
}

// magnitude is drawn from the counts, a power law of flux.
func magnitude(rng *rand.Rand) float64 {
	u := rng.Float64()
	lo := math.Pow(10, countSlope*(brightest-faintest))
	return faintest + math.Log10(lo+(1-lo)*u)/countSlope
}

// flux of a magnitude, in units of that at the limit.
func flux(mag float64) float64 { return math.Pow(10, -0.4*(mag-faintest)) }

// stars strews points, fluxes a power law.
func (s *Scenes) stars(c *canvas, count int, rng *rand.Rand) {
	width := 0.3 + 0.25*rng.Float64()
	alpha := 0.5 + rng.Float64()
	for range count {
		f := min(math.Pow(1-rng.Float64(), -1/alpha), 3000)
		c.point(float64(c.n)*rng.Float64(), float64(c.n)*rng.Float64(), 2*f, width)
	}
}

// galaxy draws one of a magnitude: its kind first, then its shape.
func (s *Scenes) galaxy(c *canvas, x, y, pixel, mag float64, rng *rand.Rand) {
	mean := lnRadius + sizeMagnitude*lnRadiusSigma*(mag-meanMagnitude)/magSigma
	radius := math.Exp(mean+lnRadiusSigma*math.Sqrt(1-sizeMagnitude*sizeMagnitude)*rng.NormFloat64()) / pixel
	radius = min(max(radius, 0.15), 0.6*float64(c.n))
	if s.Config.Single {
		radius = min(radius, mostOfStamp*float64(c.n))
	}
	f := flux(mag)
	switch kind := rng.Float64(); {
	case kind < 0.10:
		s.irregular(c, x, y, f, radius, rng)
	case kind < 0.16:
		share := 0.25 + 0.5*rng.Float64()
		d := radius * (0.8 + 2*rng.Float64())
		sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
		s.regular(c, x, y, f*share, radius, rng)
		s.regular(c, x+d*cos, y+d*sin, f*(1-share)*0.9, radius*(0.5+rng.Float64()), rng)
		tail(c, x, y, f*0.1, radius, rng)
	default:
		s.regular(c, x, y, f, radius, rng)
	}
}

// axisRatio follows the measured quantiles .20 .33 .56 .80 .90.
func axisRatio(rng *rand.Rand) float64 {
	a, b := rng.Float64(), rng.Float64()
	return 0.13 + 0.85*math.Pow(0.5*(a+b), 1.05)
}

// bulgeShare is 0 for some 38 % of galaxies and has the measured median .10.
func (s *Scenes) bulgeShare(rng *rand.Rand) float64 {
	u := rng.Float64()
	if u < 0.38 {
		return 0
	}
	u = (u - 0.38) / 0.62
	return min(0.95, 0.95*math.Pow(u, 1.35)*bands[s.Config.Band].bulge)
}
