package starlet

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"limpid/engine"
	"limpid/priors/internal/room"
)

// NoiseLevels are the standard deviations of the coefficients of stationary noise, per
// scale and with the smooth last: σ_j² = Σ_k |Ĝ_j|² P(k)/N, exactly. power is the
// noise's power on the modes of a real transform (h, w/2+1) of one band, normalised so
// that white noise of unit variance has 1 (as gaussian.Spectrum); nil means that white
// noise. Borders other than periodic ones change the levels only near them; such a
// transform takes no power but nil.
func (t *Transform) NoiseLevels(power []float64) ([]float64, error) {
	n := t.gh * (t.gw/2 + 1)
	if power != nil && (len(power) != n || t.margin > 0) {
		return nil, fmt.Errorf("starlet: noise power of %d modes for a transform of %d, which must be periodic", len(power), n)
	}
	out := make([]float64, t.Scales+1)
	for j, g := range t.host {
		var sum float64
		for i, v := range g {
			weight := 2.0
			if x := i % (t.gw/2 + 1); x == 0 || 2*x == t.gw {
				weight = 1
			}
			if power != nil {
				weight *= power[i]
			}
			sum += weight * v * v
		}
		out[j] = math.Sqrt(sum / float64(t.gh*t.gw))
	}
	return out, nil
}

// NoiseMaps writes the standard deviation of every coefficient, dst (J+1, C, H, W), for
// noise F η, η independent with the given variance (C, H, W) and F a filter with the
// transfer function (C, H, W/2+1, 2), or nil for none:
//
//	σ_j² = |F⁻¹[Ĝ_j F̂]|² ∗ variance.
//
// For the gradient of a data misfit, AᵀN⁻¹n with A a convolution, the variance is the
// inverse variance of the data (its Weights) and the filter conj(Ĥ); for Kaiser–Squires
// and other linear estimates it is the estimate's own filter. It allocates and frees
// its work space. Periodic transforms only.
func (t *Transform) NoiseMaps(dev engine.Device, s engine.Stream, dst, variance, transfer *engine.Tensor) error {
	if t.margin > 0 {
		return fmt.Errorf("starlet: noise maps are defined for periodic borders")
	}
	c, h, w := t.domain[0], t.domain[1], t.domain[2]
	r := room.New(dev)
	defer r.Close()
	psi := r.Tensor(c, h, w)
	half := engine.Shape{c, h, w}.Spectrum()
	spec, vhat := r.Tensor(half...), r.Tensor(half...)
	if err := r.Err(); err != nil {
		return fmt.Errorf("starlet: noise maps: %w", err)
	}
	s.RFFT2(vhat, variance)
	for j := range t.Scales + 1 {
		filter := t.smooth[t.Scales-1]
		if j < t.Scales {
			filter = t.detail[j]
		}
		if transfer != nil {
			s.CScale(spec, transfer, filter)
		} else {
			impulse(s, psi)
			s.RFFT2(spec, psi)
			s.CScale(spec, spec, filter)
		}
		s.IRFFT2(psi, spec)
		s.Mul(psi, psi, psi)
		s.RFFT2(spec, psi)
		s.CMul(spec, spec, vhat)
		out := dst.Slice(j, j+1).Reshape(c, h, w)
		s.IRFFT2(out, spec)
		s.Map(out, engine.Sqrt, out) // 0 where rounding made it negative
	}
	return s.Err()
}

// impulse is 1 in the first pixel of every plane.
func impulse(s engine.Stream, x *engine.Tensor) {
	s.Fill(x, 0)
	d := x.Shape()
	for b := range d[0] {
		s.Fill(x.Slice(b, b+1).Reshape(d[1]*d[2]).Slice(0, 1), 1)
	}
}

// MAD estimates the standard deviation of normal noise among coefficients that hold few
// sources: 1.4826 times the median absolute deviation from the median. NaNs are passed
// over; without any number it is NaN.
func MAD(coef []float32) float64 {
	v := make([]float64, 0, len(coef))
	for _, x := range coef {
		if f := float64(x); !math.IsNaN(f) {
			v = append(v, f)
		}
	}
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	m := stat.Quantile(0.5, stat.Empirical, v, nil)
	for i := range v {
		v[i] = math.Abs(v[i] - m)
	}
	slices.Sort(v)
	const normal = 1.482602218505602 // 1/Φ⁻¹(¾)
	return normal * stat.Quantile(0.5, stat.Empirical, v, nil)
}
