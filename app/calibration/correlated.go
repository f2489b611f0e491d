package calibration

import (
	"context"
	"math"
	"math/rand/v2"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

// smoothed is noise of unit variance whose pixels go together as resampling leaves them: white noise smoothed with a
// Gaussian along rows and columns, and a little that stays white.
type smoothed struct {
	kernel []float64 // of odd length; Σ k² = 1
	colour solvers.Correlation
}

// ownNoise is the share of the variance of smoothed noise that is every pixel's own.
const ownNoise = 0.05

// newSmoothed takes the Gaussian's σ in pixels.
func newSmoothed(sigma float64) *smoothed {
	reach := int(math.Ceil(3 * sigma))
	s := &smoothed{kernel: make([]float64, 2*reach+1), colour: solvers.Correlation{Reach: 2 * reach}}
	var norm float64
	for i := range s.kernel {
		d := float64(i-reach) / sigma
		s.kernel[i] = math.Exp(-d * d / 2)
		norm += s.kernel[i] * s.kernel[i]
	}
	for i := range s.kernel {
		s.kernel[i] /= math.Sqrt(norm)
	}
	along := make([]float64, 4*reach+1)
	for i := range along {
		for j, k := range s.kernel {
			if at := j + i - 2*reach; at >= 0 && at < len(s.kernel) {
				along[i] += k * s.kernel[at]
			}
		}
	}
	for _, a := range along {
		for _, b := range along {
			s.colour.At = append(s.colour.At, (1-ownNoise)*a*b)
		}
	}
	s.colour.At[len(s.colour.At)/2] = 1
	return s
}

// draw is noise of h × w pixels.
func (s *smoothed) draw(h, w int, rng *rand.Rand) []float32 {
	side := len(s.kernel)
	wide := w + side - 1
	white := make([]float64, (h+side-1)*wide)
	for i := range white {
		white[i] = rng.NormFloat64()
	}
	rows := make([]float64, (h+side-1)*w)
	for i := range rows {
		for j, k := range s.kernel {
			rows[i] += k * white[i/w*wide+i%w+j]
		}
	}
	out := make([]float32, h*w)
	for i := range out {
		var sum float64
		for j, k := range s.kernel {
			sum += k * rows[i+j*w]
		}
		out[i] = float32(math.Sqrt(1-ownNoise)*sum + math.Sqrt(ownNoise)*rng.NormFloat64())
	}
	return out
}

// asResults draws scenes on the grid as a result's are drawn, whatever there is in the observation.
func (r *rig) asResults(ctx context.Context, obs *solvers.Observation, beside *placed, key engine.Key) (draws [][]float32, chi2 float64, err error) {
	set := deconv.Settings{Method: deconv.Learned, Budget: r.o.Budget, Load: r.load, Seed: key.Fold(3).Seed}
	if beside != nil {
		set.FreeSky, set.Stars = true, []deconv.Star{beside.told}
	}
	p, err := deconv.New(ctx, r.dev, obs, set)
	if err != nil {
		return nil, 0, err
	}
	defer p.Close()
	for step, err := range solvers.Run(ctx, p.Kernel, nil, solvers.Options{Steps: math.MaxInt, Seed: set.Seed}) {
		if err != nil {
			return nil, 0, err
		}
		if err := p.AddDraws(step); err != nil {
			return nil, 0, err
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		for i := range step.State.Count {
			scene := make([]float32, p.Grid.H*p.Grid.W)
			step.State.Stream.Download(scene, step.State.X.Slice(i, i+1))
			draws = append(draws, scene)
		}
		if len(draws) >= r.o.Draws {
			break
		}
	}
	sums, drawn := p.Chi2Sums()
	draws = draws[:r.o.Draws]
	if beside != nil {
		skies, stars := p.BesideDraws()
		if err := r.out.Stars.add(*beside, skies[:r.o.Draws], stars[:r.o.Draws], key.Fold(5)); err != nil {
			return nil, 0, err
		}
	}
	return draws, sums[0] / float64(drawn), nil
}
