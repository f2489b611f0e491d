// Package priors holds densities on images: their scores, their samples and how
// they are fitted or trained. Likelihoods and samplers of posteriors live in
// solvers.
package priors

import "limpid/engine"

// Prior is a density p on scenes. Score writes ∇ log (p ∗ N(0, σ²)) at x to dst;
// x is (…, C, H, W) on the prior's grid, in the units of the data.
type Prior interface {
	Score(s engine.Stream, dst, x *engine.Tensor, sigma float64)
	References() []string
}

// Sampler is a prior that can draw from itself.
type Sampler interface {
	Sample(s engine.Stream, dst *engine.Tensor, key engine.Key)
}

// LogProber is a prior with a known log density, up to a constant: dst (B) for
// x (B, C, H, W).
type LogProber interface {
	LogProb(s engine.Stream, dst, x *engine.Tensor)
}
