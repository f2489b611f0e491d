package operator

import (
	"fmt"
	"math"

	"limpid/engine"
)

// Shear is the weak-lensing map from the convergence κ to the shear (γ1, γ2) of a flat
// sky (Kaiser & Squires 1993, eq. 2.1.9 to 2.1.12),
//
//	γ̂ = [(k1² − k2²) + 2i k1 k2]/k² κ̂,  γ̂ = 0 at k = 0,
//
// k1 along columns and k2 along rows, on a periodic grid whose window is the field:
// with padding, mass outside the field is part of the model and nothing wraps. The
// components are those of a frame with x along the columns and y along the rows. Its
// domain is (1, H, W), its range (2, ImgH, ImgW). The mean of κ leaves no trace in γ
// (the mass sheet). A mask is not part of it: masked pixels have weight 0.
//
// With a root r(k) set by SetRoot it is γ = P r z instead: where κ = r z is a Gaussian
// field of power r², the map from its white noise z.
type Shear struct {
	Grid

	plain  [2]*engine.Tensor // (H, W/2+1) the multipliers of the two components
	filter *engine.Tensor    // (2, H, W/2+1) with the root
	host   [2][]float32
	one    *engine.Tensor // (batch, 1, H, W/2+1, 2) scratch
	two    *engine.Tensor // (batch, 2, H, W/2+1, 2)
	real   *engine.Tensor // (batch, 2, H, W)
	root   []float32
	batch  int
	views  shearViews
}

// shearViews are the scratch tensors cut to n scenes.
type shearViews struct {
	n              int
	one, two, real *engine.Tensor
	each           []shearScene
}

type shearScene struct{ one, first, second *engine.Tensor }

// ShearGrid surrounds a field of h × w pixels by at least pad pixels on every side.
func ShearGrid(h, w, pad int) Grid {
	g := Grid{C: 1, ImgH: h, ImgW: w}
	g.H, g.W = GoodSize(h+2*pad), GoodSize(w+2*pad)
	g.Row, g.Col = (g.H-h)/2, (g.W-w)/2
	return g
}

// NewShear makes the operator for up to batch scenes at a time. Close frees it.
func NewShear(dev engine.Device, s engine.Stream, g Grid, batch int) (*Shear, error) {
	o := &Shear{Grid: g, batch: batch}
	half := engine.Shape{g.H, g.W/2 + 1}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&o.plain[0], half},
		{&o.plain[1], half},
		{&o.filter, engine.Shape{2, g.H, g.W/2 + 1}},
		{&o.one, engine.Shape{batch, 1, g.H, g.W/2 + 1, 2}},
		{&o.two, engine.Shape{batch, 2, g.H, g.W/2 + 1, 2}},
		{&o.real, engine.Shape{batch, 2, g.H, g.W}},
	} {
		var err error
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			o.Close()
			return nil, fmt.Errorf("operator: shear on a %d×%d grid: %w", g.H, g.W, err)
		}
	}
	o.host[0], o.host[1] = ShearKernel(g.H, g.W)
	s.Upload(o.plain[0], o.host[0])
	s.Upload(o.plain[1], o.host[1])
	o.SetRoot(s, nil)
	return o, s.Err()
}

// ShearKernel gives the multipliers (k1² − k2²)/k² and 2 k1 k2/k² on the modes of a
// real transform, (h, w/2+1). Where k1 or k2 is the Nyquist frequency its sign is not
// known, and the second, which depends on it, is 0: the same as taking the real part
// of a complex transform.
func ShearKernel(h, w int) (first, second []float32) {
	half := w/2 + 1
	first, second = make([]float32, h*half), make([]float32, h*half)
	for y := range h {
		k2 := float64(y) / float64(h)
		if 2*y > h {
			k2--
		}
		for x := range half {
			k1 := float64(x) / float64(w)
			k := k1*k1 + k2*k2
			if k == 0 {
				continue
			}
			first[y*half+x] = float32((k1*k1 - k2*k2) / k)
			if 2*x != w && 2*y != h {
				second[y*half+x] = float32(2 * k1 * k2 / k)
			}
		}
	}
	return first, second
}

// SetRoot sets r(k) on the modes (H, W/2+1); nil means 1.
func (o *Shear) SetRoot(s engine.Stream, root []float32) {
	n := len(o.host[0])
	if o.root == nil {
		o.root = make([]float32, 2*n)
	}
	for c := range 2 {
		for i, v := range o.host[c] {
			if root != nil {
				v *= root[i]
			}
			o.root[c*n+i] = v
		}
	}
	s.Upload(o.filter, o.root)
}

// Domain is (1, H, W) and Range (2, ImgH, ImgW).
func (o *Shear) Domain() engine.Shape { return engine.Shape{1, o.H, o.W} }

// Range is the shape of the two components on the field.
func (o *Shear) Range() engine.Shape { return engine.Shape{2, o.ImgH, o.ImgW} }

// Forward writes window(P r x) to y: x (…, 1, H, W), y (…, 2, ImgH, ImgW).
func (o *Shear) Forward(s engine.Stream, y, x *engine.Tensor) {
	v := o.cut(x.Len() / (o.H * o.W))
	s.RFFT2(v.one, x.Reshape(v.n, 1, o.H, o.W))
	o.ForwardSpectrum(s, y, v.one)
}

// ForwardSpectrum is Forward for x given by its transform, (…, 1, H, W/2+1, 2).
func (o *Shear) ForwardSpectrum(s engine.Stream, y, spec *engine.Tensor) {
	v := o.cut(spec.Len() / (2 * o.H * (o.W/2 + 1)))
	if v.n == 1 {
		s.Copy(v.each[0].first, spec)
		s.Copy(v.each[0].second, spec)
	} else {
		for i, e := range v.each {
			s.Copy(e.first, spec.Slice(i, i+1))
			s.Copy(e.second, spec.Slice(i, i+1))
		}
	}
	s.CScale(v.two, v.two, o.filter)
	s.IRFFT2(v.real, v.two)
	s.Window(y, v.real, o.Row, o.Col)
}

// Adjoint writes r Pᵀ embed(y) to x.
func (o *Shear) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	v := o.cut(y.Len() / (2 * o.ImgH * o.ImgW))
	o.AdjointSpectrum(s, v.one, y)
	s.IRFFT2(x.Reshape(v.n, 1, o.H, o.W), v.one)
}

// AdjointSpectrum writes the transform of Adjoint's result.
func (o *Shear) AdjointSpectrum(s engine.Stream, spec, y *engine.Tensor) {
	v := o.cut(y.Len() / (2 * o.ImgH * o.ImgW))
	s.Window(v.real, y, -o.Row, -o.Col)
	s.RFFT2(v.two, v.real)
	s.CScale(v.two, v.two, o.filter)
	if v.n == 1 {
		s.Add(spec, v.each[0].first, v.each[0].second)
		return
	}
	for i, e := range v.each {
		s.Add(spec.Slice(i, i+1), e.first, e.second)
	}
}

// EB writes the E and B modes of a shear field (…, 2, ImgH, ImgW), both (…, 1, H, W):
// Kaiser–Squires without smoothing, the field embedded among zeros. Their means are 0.
func (o *Shear) EB(s engine.Stream, e, b, y *engine.Tensor) {
	v := o.cut(y.Len() / (2 * o.ImgH * o.ImgW))
	s.Window(v.real, y, -o.Row, -o.Col)
	for k, dst := range []*engine.Tensor{e, b} {
		s.RFFT2(v.two, v.real)
		for _, c := range v.each {
			s.CScale(c.first, c.first, o.plain[k])
			s.CScale(c.second, c.second, o.plain[1-k])
			sign := float32(1 - 2*k) // E = P1 γ1 + P2 γ2, B = P1 γ2 − P2 γ1
			s.Scale(c.first, sign, c.first)
			s.Add(c.one, c.first, c.second)
		}
		s.IRFFT2(dst.Reshape(v.n, 1, o.H, o.W), v.one)
	}
}

// cut is the scratch cut to n scenes; it is made once per n.
func (o *Shear) cut(n int) *shearViews {
	if o.views.n == n {
		return &o.views
	}
	if n > o.batch || n == 0 {
		panic(fmt.Sprintf("operator: %d scenes in a shear operator made for %d", n, o.batch))
	}
	v := shearViews{n: n, one: o.one.Slice(0, n), two: o.two.Slice(0, n), real: o.real.Slice(0, n)}
	half := o.W/2 + 1
	for i := range n {
		pair := v.two.Slice(i, i+1).Reshape(2, o.H, half, 2)
		v.each = append(v.each, shearScene{
			one:   v.one.Slice(i, i+1),
			first: pair.Slice(0, 1), second: pair.Slice(1, 2),
		})
	}
	o.views = v
	return &o.views
}

// Response is the mean over directions of |A|² at each mode, 1 but at k = 0: what a
// preconditioner or a mass matrix needs.
func (o *Shear) Response() []float64 {
	out := make([]float64, len(o.host[0]))
	for i := range out {
		a, b := float64(o.host[0][i]), float64(o.host[1][i])
		out[i] = math.Min(1, a*a+b*b)
	}
	return out
}

// Close frees the operator's tensors.
func (o *Shear) Close() {
	for _, t := range []*engine.Tensor{o.plain[0], o.plain[1], o.filter, o.one, o.two, o.real} {
		t.Free()
	}
}

// Multipliers are the two filters on the modes (H, W/2+1), without the root.
func (o *Shear) Multipliers() [2][]float32 { return o.host }
