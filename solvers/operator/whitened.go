package operator

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// Whitened makes stationary coloured noise white. With noise of power N(k) on the image,
// taken as periodic, the data F[N^-½] y have white noise of unit variance and come from
// the operator
//
//	A′ = F[N^-½] A.
//
// It holds for images without masked pixels, whose noise N describes everywhere; near
// the image's border, within the noise's correlation length, it is approximate.
type Whitened struct {
	inner  solvers.Operator
	filter *engine.Tensor // (C, H, W/2+1) N^-½
	spec   *engine.Tensor // (batch, C, H, W/2+1, 2)
	real   *engine.Tensor // (batch, C, H, W)
}

// NewWhitened wraps op for up to batch scenes. power is N on the modes of op's range, in
// (data unit)², normalised so that white noise of variance σ² has σ² everywhere.
func NewWhitened(dev engine.Device, s engine.Stream, op solvers.Operator, power []float64, batch int) (*Whitened, error) {
	r := op.Range()
	half := engine.Shape{r[0], r[1], r[2]/2 + 1}
	if len(power) != half.Len() {
		return nil, fmt.Errorf("operator: noise power on %d modes, the image has %d", len(power), half.Len())
	}
	f := make([]float32, len(power))
	for i, p := range power {
		if !(p > 0) || math.IsInf(p, 0) {
			return nil, fmt.Errorf("operator: noise power %g at mode %d: it must be positive", p, i)
		}
		f[i] = float32(1 / math.Sqrt(p))
	}
	o := &Whitened{inner: op}
	images := append(engine.Shape{batch}, r...)
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&o.filter, half}, {&o.spec, images.Spectrum()}, {&o.real, images}} {
		var err error
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			o.Close()
			return nil, fmt.Errorf("operator: whitening: %w", err)
		}
	}
	s.Upload(o.filter, f)
	return o, s.Err()
}

// Domain is that of the operator inside.
func (o *Whitened) Domain() engine.Shape { return o.inner.Domain() }

// Range is that of the operator inside.
func (o *Whitened) Range() engine.Shape { return o.inner.Range() }

// Whiten filters images: F[N^-½] y. dst may be y.
func (o *Whitened) Whiten(s engine.Stream, dst, y *engine.Tensor) {
	n := y.Len() / o.Range().Len()
	shape := append(engine.Shape{n}, o.Range()...)
	spec := o.spec.Slice(0, n)
	s.RFFT2(spec, y.Reshape(shape...))
	s.CScale(spec, spec, o.filter)
	s.IRFFT2(dst.Reshape(shape...), spec)
}

// Forward writes F[N^-½] A x.
func (o *Whitened) Forward(s engine.Stream, y, x *engine.Tensor) {
	o.inner.Forward(s, y, x)
	o.Whiten(s, y, y)
}

// Adjoint writes Aᵀ F[N^-½] y.
func (o *Whitened) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	real := o.real.Slice(0, y.Len()/o.Range().Len()).Reshape(y.Shape()...)
	o.Whiten(s, real, y)
	o.inner.Adjoint(s, x, real)
}

// Close frees the wrapper's tensors, not the operator inside.
func (o *Whitened) Close() {
	for _, t := range []*engine.Tensor{o.filter, o.spec, o.real} {
		t.Free()
	}
}
