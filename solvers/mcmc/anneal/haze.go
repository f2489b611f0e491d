package anneal

import (
	"math"

	"limpid/engine"
)

const hazeWidth = 8.0 // px, σ of the Gaussian that fields are smooth over

// haze is what the denoiser does not see and the data do: light spread over many pixels, each
// far below the noise, such as sources too faint to stand out one by one. The residuals of
// the denoised scenes, r = y − A m, averaged over hazeWidth, should have the power that noise
// and covariance explain,
//
//	E|G Aᵀ N⁻¹ r|² = |G Aᵀ N^-½ η|² + |G Aᵀ N⁻¹ A T z|².
//
// What is beyond, by more than chance, over all of a band's image and the batch, is the power
// of smooth fields that the covariance lacks, and it becomes its last class. Without it total
// fluxes of faint fields are too low by several of their standard deviations
// (docs/adr/0023).
type haze struct {
	blur     *engine.Tensor // (modes) G
	root     []float32      // (modes) F^½ of the fields, F of mean 1
	response []float64      // per band: power of the averaged image of a field of unit variance
	noise    []float64      // power of averaged noise
	chance   float64        // standard deviation of a power over its expectation
	scenes   []float32      // (n, domain)
}

func (k *core) newHaze(err *error) *haze {
	h := &haze{blur: k.alloc(err, engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1})}
	if *err != nil {
		return nil
	}
	k.setGaussian(h.blur, hazeWidth)
	h.scenes = make([]float32, k.n*k.dom.Len())
	h.roots(k)
	s := k.s
	s.Upload(k.root, h.root)
	key := engine.NewKey(hazeSeed)
	k.normals(k.u, k.n, key.Fold(0))
	k.filter(k.u, k.u, k.root)
	k.op.Forward(s, k.ax, k.u)
	k.weigh(k.wx, k.ax, k.w)
	h.response = h.power(k)
	k.noise(k.wx, k.n, key.Fold(1))
	h.noise = h.power(k)
	// correlations of G n are e^(−r²/4w²), of their squares the square of that
	cells := float64(k.rng[1]*k.rng[2]) / (2 * math.Pi * hazeWidth * hazeWidth)
	h.chance = math.Sqrt(2 / math.Max(cells, 1))
	return h
}

// hazeSeed is of the draws that response and noise are measured with.
const hazeSeed = 23

// roots sets F^½: F falls as the square of G.
func (h *haze) roots(k *core) {
	var sum, total float64
	for i, l := range k.rings.log {
		q := 2 * math.Pi * hazeWidth * math.Exp(l)
		f := math.Exp(-q * q)
		if i == 0 {
			f = 1
		}
		sum, total = sum+k.rings.weight[i]*f, total+k.rings.weight[i]
		h.root = append(h.root, float32(math.Sqrt(f)))
	}
	for i := range h.root {
		h.root[i] *= float32(math.Sqrt(total / sum))
	}
	plane := h.root
	for range k.dom[0] - 1 {
		h.root = append(h.root, plane...)
	}
}

// power is the mean square, per band, of G Aᵀ of what is in k.wx.
func (h *haze) power(k *core) []float64 {
	k.op.Adjoint(k.s, k.t, k.wx)
	k.filter(k.t, k.t, h.blur)
	k.s.Download(h.scenes, k.t)
	bands, plane := k.dom[0], k.dom[1]*k.dom[2]
	out := make([]float64, bands)
	for i, v := range h.scenes {
		out[i/plane%bands] += float64(v) * float64(v) / float64(k.n*plane)
	}
	return out
}

// measure is the variance of the fields in every band: m holds the denoised scenes, spread a
// draw of N(0, C) for each.
func (h *haze) measure(k *core, m, spread *engine.Tensor) []float64 {
	k.op.Forward(k.s, k.ax, spread)
	k.weigh(k.wx, k.ax, k.w)
	belief := h.power(k)
	k.residual(m, k.w)
	out := h.power(k)
	for c, found := range out {
		out[c] = 0
		if h.response[c] > 0 { // else nothing was observed
			out[c] = math.Max(0, (found-(1+h.chance)*(h.noise[c]+belief[c]))/h.response[c])
		}
	}
	return out
}
