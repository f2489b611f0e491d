package evaluate

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
)

// Width compares how wrong a denoiser is with how wrong it believes to be, over the
// pixels whose denoised value lies between two levels.
type Width struct {
	Low, High float64 // of D(x, σ), in σ
	Pixels    int
	// Error is the mean square of D − x₀ and Belief the mean of the diagonal of
	// σ² ∂D/∂x (Efron 2011), both over σ². Were D the mean of the scene given x, they
	// would agree over many scenes, in every bin.
	Error, Belief float64
}

// Widths measures a prior on scenes x₀ (N, 1, H, W) with noise sigma on top. The
// diagonal comes from products of the Jacobian with random signs (Hutchinson 1990),
// probes of them for each scene, by central differences of a tenth of σ.
func Widths(dev engine.Device, s engine.Stream, p priors.Prior, scenes *engine.Tensor, sigma float64, edges []float64, probes int, key engine.Key) ([]Width, error) {
	one := append(engine.Shape{1}, scenes.Shape()[1:]...)
	j := &jacobian{s: s, p: p, sigma: sigma}
	for _, t := range []**engine.Tensor{&j.x, &j.d, &j.at, &j.to} {
		var err error
		if *t, err = dev.Alloc(one); err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		defer (*t).Free()
	}
	out := make([]Width, len(edges)-1)
	for i := range out {
		out[i].Low, out[i].High = edges[i], edges[i+1]
	}
	truth, mean, belief := make([]float32, one.Len()), make([]float32, one.Len()), make([]float64, one.Len())
	for i := range scenes.Shape()[0] {
		k, scene := key.Fold(uint64(i)), scenes.Slice(i, i+1)
		s.Normal(j.x, k.Fold(0))
		s.Scale(j.x, float32(sigma), j.x)
		s.Add(j.x, j.x, scene)
		j.denoised(mean, j.x)
		s.Download(truth, scene)
		clear(belief)
		for l := range probes {
			j.addDiagonal(belief, 1/float64(probes), k.Fold(uint64(1+l)))
		}
		if err := s.Err(); err != nil {
			return nil, err
		}
		for l, v := range mean {
			level := float64(v) / sigma
			for w := range out {
				if level >= out[w].Low && level < out[w].High {
					e := float64(truth[l]-v) / sigma
					out[w].Pixels++
					out[w].Error += e * e
					out[w].Belief += belief[l]
				}
			}
		}
	}
	for i := range out {
		out[i].Error /= float64(max(out[i].Pixels, 1))
		out[i].Belief /= float64(max(out[i].Pixels, 1))
	}
	return out, nil
}

// jacobian probes ∂D/∂x at x.
type jacobian struct {
	s            engine.Stream
	p            priors.Prior
	sigma        float64
	x, d, at, to *engine.Tensor // (1, 1, H, W)
}

// denoised is D(x, σ).
func (j *jacobian) denoised(dst []float32, x *engine.Tensor) {
	j.p.Score(j.s, j.d, x, j.sigma)
	j.s.Scale(j.d, float32(j.sigma*j.sigma), j.d)
	j.s.Add(j.d, j.d, x)
	j.s.Download(dst, j.d)
}

// addDiagonal adds weight ε·Jε, ε random signs.
func (j *jacobian) addDiagonal(sum []float64, weight float64, key engine.Key) {
	signs := make([]float32, len(sum))
	up, down := make([]float32, len(sum)), make([]float32, len(sum))
	j.s.Normal(j.at, key)
	j.s.Download(signs, j.at)
	for i, v := range signs {
		signs[i] = float32(math.Copysign(1, float64(v)))
	}
	j.s.Upload(j.at, signs)
	step := 0.1 * j.sigma
	for _, d := range []struct {
		step float64
		dst  []float32
	}{{step, up}, {-step, down}} {
		j.s.Copy(j.to, j.x)
		j.s.Axpy(j.to, float32(d.step), j.at)
		j.denoised(d.dst, j.to)
	}
	for i := range sum {
		sum[i] += weight * float64(up[i]-down[i]) / (2 * step) * float64(signs[i])
	}
}
