package calibration

import (
	"math"
	"math/rand/v2"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
)

// How the star of a field is drawn: its S/N were there nothing else, uniform as a flux is a priori; how far it is from the
// brightest pixel where that is its host, 1 σ a coordinate; and the sky, in σ of a data pixel.
const (
	starLow, starHigh = 10, 300
	starOffHost       = 0.7 // px
	starSky           = 1.0
)

// Stars is how often 90 % intervals held what was beside the scenes: of every field one star and the sky. Every other star
// is anywhere, as the model has it; the rest, as quasars, are on the brightest source of their field, where it has
// no more than elsewhere to say that there is a core beneath.
type Stars struct {
	Host  StarsHeld `json:"on_a_host"`
	Field StarsHeld `json:"elsewhere"`
	Sky   float64   `json:"sky_coverage_90"`

	suite *calibrate.Suite
	sky   float64
}

// StarsHeld is how often intervals held fluxes and places, and the error of their means.
type StarsHeld struct {
	Stars int     `json:"stars"`
	Flux  float64 `json:"flux_coverage_90"`
	Place float64 `json:"place_coverage_90"` // of a coordinate
	// Error is the median error of the flux, over the flux; Off that of the place, px.
	Error float64 `json:"flux_error_median"`
	Off   float64 `json:"place_error_median"`

	flux, place  float64
	errors, offs []float64
}

func newStars() *Stars {
	at := func(name string, i int) calibrate.Functional {
		return calibrate.Functional{Name: name, Of: func(v []float32) float64 { return float64(v[i]) }}
	}
	return &Stars{suite: calibrate.NewSuite(calibrate.Options{Functionals: []calibrate.Functional{
		at("flux of the star", 0), at("place of the star, x", 1), at("place of the star, y", 2), at("sky", 3),
	}})}
}

// placed is a star as it is and as it is told, and the sky beside it.
type placed struct {
	star, told deconv.Star
	flux, sky  float64
	host       bool
}

// place draws a star for an image without noise, of n² pixels, through psf.
func place(image []float32, n, margin int, psf solvers.Image, host bool, rng *rand.Rand) placed {
	var square float64
	for _, v := range psf.Pix {
		square += float64(v) * float64(v)
	}
	p := placed{host: host, sky: starSky * rng.NormFloat64()}
	p.flux = (starLow + (starHigh-starLow)*rng.Float64()) / math.Sqrt(square)
	if host {
		top := -1
		for i, v := range image {
			x, y := i%n, i/n
			if inside := x >= 2*margin && y >= 2*margin && x < n-2*margin && y < n-2*margin; inside && (top < 0 || v > image[top]) {
				top = i
			}
		}
		p.star = deconv.Star{X: float64(top%n) + starOffHost*rng.NormFloat64(), Y: float64(top/n) + starOffHost*rng.NormFloat64()}
	} else {
		side := float64(n - 4*margin)
		p.star = deconv.Star{X: 2*float64(margin) + side*rng.Float64(), Y: 2*float64(margin) + side*rng.Float64()}
	}
	p.told = deconv.Star{X: p.star.X + deconv.DefaultStarError*rng.NormFloat64(), Y: p.star.Y + deconv.DefaultStarError*rng.NormFloat64()}
	return p
}

// addTo adds the star and the sky to an observation.
func (p placed) addTo(o *solvers.Observation) {
	deconv.AddStar(o, 0, p.star, p.flux)
	for i, w := range o.Weights.Pix {
		if w > 0 {
			o.Data.Pix[i] += float32(p.sky)
		} else {
			o.Data.Pix[i] = 0
		}
	}
}

// add takes one field in, whose draws of stars and sky those are.
func (s *Stars) add(p placed, skies [][]float64, stars [][]deconv.StarDraw, key engine.Key) error {
	pair := calibrate.Pair{Truth: []float32{float32(p.flux), float32(p.star.X), float32(p.star.Y), float32(p.sky)}}
	values := make([][]float64, 4)
	for i, list := range stars {
		d := [4]float64{list[0].Flux[0], list[0].X, list[0].Y, skies[i][0]}
		var draw []float32
		for k, v := range d {
			values[k] = append(values[k], v)
			draw = append(draw, float32(v))
		}
		pair.Draws = append(pair.Draws, draw)
	}
	var mean [4]float64
	var held [4]float64
	for k, list := range values {
		for _, v := range list {
			mean[k] += v / float64(len(list))
		}
		truth := float64(pair.Truth[k])
		if lo, hi := interval(list); truth >= lo && truth <= hi {
			held[k] = 1
		}
	}
	h := &s.Field
	if p.host {
		h = &s.Host
	}
	h.Stars++
	h.flux, h.place, s.sky = h.flux+held[0], h.place+(held[1]+held[2])/2, s.sky+held[3]
	h.errors = append(h.errors, math.Abs(mean[0]/p.flux-1))
	h.offs = append(h.offs, math.Hypot(mean[1]-p.star.X, mean[2]-p.star.Y))
	return s.suite.Add(pair, key)
}

// finish gives the ranks of fluxes, places and skies.
func (s *Stars) finish() ([]calibrate.Ranks, error) {
	s.Sky = s.sky / float64(s.Host.Stars+s.Field.Stars)
	for _, h := range []*StarsHeld{&s.Host, &s.Field} {
		if n := float64(h.Stars); n > 0 {
			h.Flux, h.Place, h.Error, h.Off = h.flux/n, h.place/n, median(h.errors), median(h.offs)
		}
	}
	rep, err := s.suite.Report()
	return rep.SBC, err
}
