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
	shape := scenes.Shape()
	one := append(engine.Shape{1}, shape[1:]...)
	n := one.Len()
	var ts [5]*engine.Tensor
	for i := range ts {
		var err error
		if ts[i], err = dev.Alloc(one); err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		defer ts[i].Free()
	}
	x, d, at, up, down := ts[0], ts[1], ts[2], ts[3], ts[4]
	out := make([]Width, len(edges)-1)
	for i := range out {
		out[i].Low, out[i].High = edges[i], edges[i+1]
	}
	truth, mean, a, b := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	signs, belief := make([]float32, n), make([]float64, n)
	step := 0.1 * sigma
	for i := range shape[0] {
		k := key.Fold(uint64(i))
		s.Normal(x, k.Fold(0))
		s.Scale(x, float32(sigma), x)
		s.Add(x, x, scenes.Slice(i, i+1))
		p.Score(s, d, x, sigma)
		s.Scale(d, float32(sigma*sigma), d)
		s.Add(d, d, x)
		s.Download(mean, d)
		s.Download(truth, scenes.Slice(i, i+1))
		clear(belief)
		for j := range probes {
			s.Normal(at, k.Fold(uint64(1+j)))
			s.Download(signs, at)
			for l, v := range signs {
				signs[l] = float32(math.Copysign(1, float64(v)))
			}
			s.Upload(at, signs)
			s.Copy(up, x)
			s.Axpy(up, float32(step), at)
			p.Score(s, d, up, sigma)
			s.Download(a, d)
			s.Copy(down, x)
			s.Axpy(down, float32(-step), at)
			p.Score(s, d, down, sigma)
			s.Download(b, d)
			for l := range belief {
				jv := 1 + sigma*sigma*float64(a[l]-b[l])/(2*step)*float64(signs[l])
				belief[l] += jv / float64(probes)
			}
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
