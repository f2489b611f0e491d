package operator

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// Powered is an operator that knows its power: |A|² on the modes of the domain, as far as it
// is a convolution.
type Powered interface {
	solvers.Operator
	Power(s engine.Stream) []float64
}

// Whitened is A′ = W A, the operator that whitened data W y come from: with it every solver
// that knows independent noise of unit variance knows coloured noise. W works on the host.
type Whitened struct {
	inner  Powered
	white  *Whitening
	colour []solvers.Correlation
	mean   []float64 // per band: mean weight of the pixels that are not masked
	grid   Grid
	image  *engine.Tensor // (batch, Range)
	host   []float32
}

// NewWhitened wraps op, whose domain is the grid, for up to batch scenes.
func NewWhitened(dev engine.Device, op Powered, grid Grid, white *Whitening, weights solvers.Image, colour []solvers.Correlation, batch int) (*Whitened, error) {
	r := op.Range()
	if !r.Equal(weights.Shape()) {
		return nil, fmt.Errorf("operator: weights %v for an operator to %v", weights.Shape(), r)
	}
	o := &Whitened{inner: op, white: white, colour: colour, grid: grid, host: make([]float32, batch*r.Len())}
	for c := range weights.C {
		var sum, n float64
		for _, w := range weights.Plane(c) {
			if w > 0 {
				sum, n = sum+float64(w), n+1
			}
		}
		o.mean = append(o.mean, sum/math.Max(n, 1))
	}
	var err error
	if o.image, err = dev.Alloc(append(engine.Shape{batch}, r...)); err != nil {
		return nil, fmt.Errorf("operator: whitening: %w", err)
	}
	return o, nil
}

// Domain is that of A.
func (o *Whitened) Domain() engine.Shape { return o.inner.Domain() }

// Range is that of A.
func (o *Whitened) Range() engine.Shape { return o.inner.Range() }

// Forward writes W A x.
func (o *Whitened) Forward(s engine.Stream, y, x *engine.Tensor) {
	o.inner.Forward(s, y, x)
	host := o.host[:y.Len()]
	s.Download(host, y)
	o.white.Apply(host, host)
	s.Upload(y, host)
}

// Adjoint writes Aᵀ Wᵀ y.
func (o *Whitened) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	host := o.host[:y.Len()]
	s.Download(host, y)
	o.white.Transpose(host, host)
	image := o.image.Slice(0, y.Len()/o.Range().Len()).Reshape(y.Shape()...)
	s.Upload(image, host)
	o.inner.Adjoint(s, x, image)
}

// Power is |A|² w̄/R on the modes of the grid, w̄ the mean weight.
func (o *Whitened) Power(s engine.Stream) []float64 {
	out := o.inner.Power(s)
	modes := len(out) / o.grid.C
	for c, r := range o.colour {
		for i, p := range r.Power(o.grid.H, o.grid.W) {
			out[c*modes+i] *= o.mean[c] / p
		}
	}
	return out
}

// MeanWeights are w̄ of every band.
func (o *Whitened) MeanWeights() []float64 { return o.mean }

// Close frees the wrapper's tensor, not the operator inside.
func (o *Whitened) Close() { o.image.Free() }

// Corner is where on the grid the image begins.
func (o *Whitened) Corner() (row, col int) { return o.grid.Row, o.grid.Col }
