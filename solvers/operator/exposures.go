package operator

import (
	"fmt"

	"limpid/engine"
	"limpid/solvers"
)

// Exposure is one image of the scene: its PSF on the scene's fine pixels, before the
// integration over the detector's pixel, and where it lies: fine pixels by which the
// lower left corner of its pixel (0, 0) is displaced.
type Exposure struct {
	PSF    solvers.Image
	DY, DX int
}

// Exposures is super-resolution: a scene on pixels Factor times finer than the
// detector's, seen in one or more exposures that are displaced by whole fine pixels
// (dithered),
//
//	A_e x = pool(window_e(P_e ∗ x)),
//
// pool adding the Factor² fine pixels of each detector pixel: the integration over the
// pixel, flux kept. Its range is (E·C, h, w), exposure by exposure. Displacements that
// are no whole fine pixels belong into the PSF, which may lie off its stamp's centre.
type Exposures struct {
	Grid   // of the scene: fine pixels; ImgH, ImgW are those of one exposure times Factor
	Factor int
	parts  []*Convolution
	shifts []Exposure
	h, w   int
	conv   *engine.Tensor // (batch·C, H, W)
	fine   *engine.Tensor // (batch, C, ImgH, ImgW)
	coarse *engine.Tensor // (batch, C, h, w)
	tmp    *engine.Tensor // (batch, C, H, W)
	batch  int
}

// NewExposures makes the operator for exposures of h × w detector pixels.
func NewExposures(dev engine.Device, s engine.Stream, list []Exposure, factor, h, w, batch int) (*Exposures, error) {
	if len(list) == 0 || factor < 1 || factor > 16 {
		return nil, fmt.Errorf("operator: %d exposures with pixels divided by %d: at least one, and 1 to 16", len(list), factor)
	}
	var c, ph, pw, reach int
	for _, e := range list {
		c, ph, pw = e.PSF.C, max(ph, e.PSF.H), max(pw, e.PSF.W)
		reach = max(reach, e.DY, -e.DY, e.DX, -e.DX)
	}
	o := &Exposures{Grid: NewGrid(c, factor*h, factor*w, ph+2*reach, pw+2*reach), Factor: factor, shifts: list, h: h, w: w, batch: batch}
	var err error
	for _, e := range list {
		if e.PSF.C != c {
			err = fmt.Errorf("PSFs of %d and %d bands", e.PSF.C, c)
			break
		}
		var conv *Convolution
		if conv, err = NewConvolutionOn(dev, s, e.PSF, o.whole(), batch); err != nil {
			break
		}
		o.parts = append(o.parts, conv)
	}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&o.conv, engine.Shape{batch, c, o.H, o.W}},
		{&o.tmp, engine.Shape{batch, c, o.H, o.W}},
		{&o.fine, engine.Shape{batch, c, factor * h, factor * w}},
		{&o.coarse, engine.Shape{batch, c, h, w}},
	} {
		if err == nil {
			*a.t, err = dev.Alloc(a.shape)
		}
	}
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("operator: %d exposures on a %d×%d grid: %w", len(list), o.H, o.W, err)
	}
	return o, s.Err()
}

// whole is the grid without a window.
func (o *Exposures) whole() Grid {
	return Grid{C: o.C, H: o.H, W: o.W, ImgH: o.H, ImgW: o.W}
}

// Range is (E·C, h, w).
func (o *Exposures) Range() engine.Shape { return engine.Shape{len(o.parts) * o.C, o.h, o.w} }

// views are the scratch of n scenes.
func (o *Exposures) views(n int) (conv, tmp, fine, coarse *engine.Tensor) {
	return o.conv.Slice(0, n), o.tmp.Slice(0, n), o.fine.Slice(0, n), o.coarse.Slice(0, n)
}

// Forward writes every exposure of x.
func (o *Exposures) Forward(s engine.Stream, y, x *engine.Tensor) {
	n := x.Len() / o.Domain().Len()
	conv, _, fine, coarse := o.views(n)
	x4 := x.Reshape(conv.Shape()...)
	for e, c := range o.parts {
		c.Forward(s, conv, x4)
		s.Window(fine, conv, o.Row+o.shifts[e].DY, o.Col+o.shifts[e].DX)
		o.pool(s, coarse, fine, n)
		o.copyOut(s, y, coarse, e, n)
	}
}

// Adjoint adds the exposures' adjoints.
func (o *Exposures) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	n := x.Len() / o.Domain().Len()
	conv, tmp, fine, coarse := o.views(n)
	x4 := x.Reshape(conv.Shape()...)
	for e, c := range o.parts {
		o.copyIn(s, coarse, y, e, n)
		p := n * o.C
		s.Upsample(fine.Reshape(p, o.Factor*o.h, o.Factor*o.w, 1), coarse.Reshape(p, o.h, o.w, 1), o.Factor)
		s.Window(conv, fine, -o.Row-o.shifts[e].DY, -o.Col-o.shifts[e].DX)
		if e == 0 {
			c.Adjoint(s, x4, conv)
			continue
		}
		c.Adjoint(s, tmp, conv)
		s.Add(x4, x4, tmp)
	}
}

func (o *Exposures) pool(s engine.Stream, coarse, fine *engine.Tensor, n int) {
	p := n * o.C
	s.SumPool(coarse.Reshape(p, o.h, o.w, 1), fine.Reshape(p, o.Factor*o.h, o.Factor*o.w, 1), o.Factor)
}

// copyOut puts exposure e of n scenes into y, copyIn takes it out.
func (o *Exposures) copyOut(s engine.Stream, y, coarse *engine.Tensor, e, n int) {
	all := y.Reshape(n*len(o.parts), o.C, o.h, o.w)
	for i := range n {
		s.Copy(all.Slice(i*len(o.parts)+e, i*len(o.parts)+e+1), coarse.Slice(i, i+1))
	}
}

func (o *Exposures) copyIn(s engine.Stream, coarse, y *engine.Tensor, e, n int) {
	all := y.Reshape(n*len(o.parts), o.C, o.h, o.w)
	for i := range n {
		s.Copy(coarse.Slice(i, i+1), all.Slice(i*len(o.parts)+e, i*len(o.parts)+e+1))
	}
}

// Close frees the operator's tensors.
func (o *Exposures) Close() {
	for _, c := range o.parts {
		c.Close()
	}
	for _, t := range []*engine.Tensor{o.conv, o.tmp, o.fine, o.coarse} {
		t.Free()
	}
}
