// Package priors holds densities on images: their scores, their samples and how
// they are fitted or trained. Likelihoods and samplers of posteriors live in
// solvers.
//
// Every prior lives on a grid (C, H, W) and takes scenes (…, C, H, W), as many at a
// time as it was made for. What a density can do beyond Prior it says by the optional
// interfaces here; nothing pretends to a density it does not have.
package priors

import "limpid/engine"

// Prior is a density p on scenes. Score writes ∇ log (p ∗ N(0, σ²)) at x to dst;
// x is (…, C, H, W) on the prior's grid, in the units of the data. dst is not x. A
// prior for which the convolution has no closed form says in its doc what it writes
// instead.
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

// Proxer is a prior with a proximal map,
//
//	dst = argmin_u ½‖u − x‖² − t log p(u),
//
// what proximal gradient methods need. dst is not x.
type Proxer interface {
	Prox(s engine.Stream, dst, x *engine.Tensor, t float64)
}

// Latent is a prior that is the image of white noise, x = T(z) with z ~ N(0, 1), so
// that samplers may move in z, where the prior is simple. Scenes and noise have the
// same shape.
type Latent interface {
	// FromWhite does x = T(z). x is not z.
	FromWhite(s engine.Stream, x, z *engine.Tensor)
	// Pullback does dz = (∂T/∂z)ᵀ g at z. dz is neither z nor g.
	Pullback(s engine.Stream, dz, z, g *engine.Tensor)
}
