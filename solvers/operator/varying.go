package operator

import (
	"fmt"

	"limpid/engine"
	"limpid/solvers"
)

// Varying is a PSF that changes over the field: known at nodes of a regular grid over
// the image and interpolated between them, bilinearly in the place of the source,
//
//	A x = window Σ_i P_i ∗ (b_i x),  Σ_i b_i = 1
//
// (Nagy & O'Leary 1998, eq. 3). It costs one convolution per node. Within the distance
// of two nodes a true PSF must change slowly enough that mixing its neighbours is right.
type Varying struct {
	Grid
	parts []*Convolution
	hats  []*engine.Tensor // (C, H, W) b_i
	prod  *engine.Tensor   // (batch, C, H, W)
	sum   *engine.Tensor   // (batch, C, ImgH, ImgW)
	batch int
}

// NewVarying takes psfs, row by row from the lowest, at rows × cols nodes that lie evenly
// over the image, the outermost on its border pixels. All have the same size.
func NewVarying(dev engine.Device, s engine.Stream, psfs []solvers.Image, rows, cols, h, w, batch int) (*Varying, error) {
	if len(psfs) == 0 {
		return nil, fmt.Errorf("operator: no PSF for %d × %d nodes", rows, cols)
	}
	return NewVaryingOn(dev, s, psfs, rows, cols, NewGrid(psfs[0].C, h, w, psfs[0].H, psfs[0].W), batch)
}

// NewVaryingOn is NewVarying on a grid of the caller's.
func NewVaryingOn(dev engine.Device, s engine.Stream, psfs []solvers.Image, rows, cols int, g Grid, batch int) (*Varying, error) {
	if rows < 1 || cols < 1 || len(psfs) != rows*cols {
		return nil, fmt.Errorf("operator: %d PSFs for %d × %d nodes", len(psfs), rows, cols)
	}
	first := psfs[0]
	for i, p := range psfs {
		if !p.Shape().Equal(first.Shape()) {
			return nil, fmt.Errorf("operator: PSF %d is %v, the first %v", i, p.Shape(), first.Shape())
		}
	}
	o := &Varying{Grid: g, batch: batch}
	var err error
	for i, p := range psfs {
		c := &Convolution{Grid: g, batch: batch}
		if i == 0 {
			c, err = NewConvolutionOn(dev, s, p, g, batch)
		} else { // all work in the scratch of the first
			c.spec, c.real = o.parts[0].spec, o.parts[0].real
			c.Transfer, err = TransferFunction(dev, s, p, g)
		}
		if err != nil {
			break
		}
		o.parts = append(o.parts, c)
		var t *engine.Tensor
		if t, err = dev.Alloc(o.Domain()); err != nil {
			break
		}
		o.hats = append(o.hats, t)
		s.Upload(t, o.hat(i/cols, i%cols, rows, cols).Pix)
	}
	if err == nil {
		o.prod, err = dev.Alloc(append(engine.Shape{batch}, o.Domain()...))
	}
	if err == nil {
		o.sum, err = dev.Alloc(append(engine.Shape{batch}, o.Range()...))
	}
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("operator: varying PSF on a %d×%d grid: %w", o.H, o.W, err)
	}
	return o, s.Err()
}

// Hat is the bilinear weight along one axis, at the place p in pixels from 0, of the node at of
// n that lie evenly over size pixels; beyond the border nodes it stays constant.
func Hat(p float64, at, n, size int) float64 {
	if n == 1 {
		return 1
	}
	p *= float64(n-1) / float64(size-1) // in nodes
	p = min(max(p, 0), float64(n-1))
	return max(0, 1-abs(p-float64(at)))
}

// hat is the weight of a node.
func (o *Varying) hat(row, col, rows, cols int) solvers.Image {
	im := solvers.NewImage(o.C, o.H, o.W)
	for c := range o.C {
		plane := im.Plane(c)
		for y := range o.H {
			v := Hat(float64(y-o.Row), row, rows, o.ImgH)
			for x := range o.W {
				plane[y*o.W+x] = float32(v * Hat(float64(x-o.Col), col, cols, o.ImgW))
			}
		}
	}
	return im
}

func abs(v float64) float64 { return max(v, -v) }

// Forward writes A x.
func (o *Varying) Forward(s engine.Stream, y, x *engine.Tensor) {
	n := x.Len() / o.Domain().Len()
	prod, sum := o.prod.Slice(0, n).Reshape(x.Shape()...), o.sum.Slice(0, n).Reshape(y.Shape()...)
	for i, c := range o.parts {
		s.Mul(prod, x, o.hats[i])
		if i == 0 {
			c.Forward(s, y, prod)
			continue
		}
		c.Forward(s, sum, prod)
		s.Add(y, y, sum)
	}
}

// Adjoint writes Σ b_i P_iᵀ ∗ embed(y).
func (o *Varying) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	n := x.Len() / o.Domain().Len()
	prod := o.prod.Slice(0, n).Reshape(x.Shape()...)
	for i, c := range o.parts {
		if i == 0 {
			c.Adjoint(s, x, y)
			s.Mul(x, x, o.hats[i])
			continue
		}
		c.Adjoint(s, prod, y)
		s.Mul(prod, prod, o.hats[i])
		s.Add(x, x, prod)
	}
}

// Power is |H|² of the mean PSF, on the modes of the grid.
func (o *Varying) Power(s engine.Stream) []float64 {
	var out []float64
	for _, c := range o.parts {
		p := c.Power(s)
		if out == nil {
			out = make([]float64, len(p))
		}
		for i, v := range p {
			out[i] += v / float64(len(o.parts))
		}
	}
	return out
}

// Close frees the operator's tensors.
func (o *Varying) Close() {
	for i, c := range o.parts {
		if i == 0 {
			c.Close()
			continue
		}
		c.Transfer.Free()
	}
	for _, t := range append(o.hats, o.prod, o.sum) {
		t.Free()
	}
}

// Corner is where on the grid the image begins.
func (o *Varying) Corner() (row, col int) { return o.Row, o.Col }
