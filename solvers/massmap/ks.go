package massmap

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// ksKernel is the estimate of Kaiser & Squires (1993), smoothed by a Gaussian:
//
//	κ̂ = e^{−k²s²/2} (P1 ĝ1 + P2 ĝ2),
//
// masked pixels taken as 0. With filling, they are given the shear of the E mode found so
// far, smoothed alike, again and again, which undoes the leak of power into the B mode
// and the bias at the mask's border (in the spirit of Pires+2009). With reduced shear,
// g (1 − κ) takes the place of g (Seitz & Schneider 1995).
type ksKernel struct {
	p         *Problem
	stream    engine.Stream
	y, y0     *engine.Tensor // (1, 2, H, W)
	gaps      *engine.Tensor // 1 where masked
	e, b      *engine.Tensor // (1, 1, gridH, gridW)
	field     *engine.Tensor // (1, 1, H, W)
	one       *engine.Tensor // (1, 2, H, W): 1 − κ
	filter    *engine.Tensor // (gridH, gridW/2+1)
	spec      *engine.Tensor
	all       []*engine.Tensor
	state     solvers.State
	iteration int
	total     int
}

func (p *Problem) ks(dev engine.Device) error {
	f, g := p.Field, p.Op.Grid
	k := &ksKernel{p: p, stream: p.stream, total: max(1, p.Settings.FillGaps+p.Settings.Reduced)}
	image, scene := engine.Shape{1, 2, f.H, f.W}, engine.Shape{1, 1, g.H, g.W}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.y, image},
		{&k.y0, image},
		{&k.gaps, image},
		{&k.one, image},
		{&k.field, engine.Shape{1, 1, f.H, f.W}},
		{&k.e, scene},
		{&k.b, scene},
		{&k.spec, scene.Spectrum()},
		{&k.filter, engine.Shape{g.H, g.W/2 + 1}},
	} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			k.Close()
			return fmt.Errorf("massmap: Kaiser–Squires: %w", err)
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	gaps := make([]float32, 2*f.H*f.W)
	for i, w := range f.Weights.Pix {
		if w == 0 {
			gaps[i] = 1
		}
	}
	k.stream.Upload(k.gaps, gaps)
	k.stream.Upload(k.y0, f.Shear.Pix)
	k.stream.Upload(k.filter, SmoothingFilter(g.H, g.W, p.Settings.Smoothing/f.Arcmin))
	p.setKernel(k)
	return k.stream.Err()
}

// SmoothingFilter is e^{−(2πk)² s²/2} on the modes of a real transform (h, w/2+1), s the
// standard deviation of the Gaussian in pixels.
func SmoothingFilter(h, w int, s float64) []float32 {
	half := w/2 + 1
	out := make([]float32, h*half)
	for i := range out {
		k := 2 * math.Pi * math.Hypot(gaussian.Frequency(i/half, h), float64(i%half)/float64(w))
		out[i] = float32(math.Exp(-k * k * s * s / 2))
	}
	return out
}

func (k *ksKernel) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.iteration = 0
	k.stream.Copy(k.y, k.y0)
	k.state = solvers.State{Stream: k.stream, X: k.e, Kind: solvers.Estimate, Count: 1}
	return &k.state, k.stream.Err()
}

func (k *ksKernel) Step(ctx context.Context, _ engine.Key, st *solvers.State) (solvers.Info, error) {
	s, op := k.stream, k.p.Op
	if k.iteration > 0 {
		k.refine()
	}
	op.EB(s, k.e, k.b, k.y)
	k.smooth(k.e)
	k.iteration++
	st.X, st.Kind, st.Count = k.e, solvers.Estimate, 1
	return solvers.Info{Iterations: k.iteration, Done: k.iteration >= k.total}, s.Sync(ctx)
}

// refine corrects the data with the map found so far: κ in e.
func (k *ksKernel) refine() {
	s, op := k.stream, k.p.Op
	s.Copy(k.y, k.y0)
	if k.p.Settings.Reduced > 0 {
		s.Window(k.field, k.e, op.Row, op.Col)
		s.Clamp(k.field, k.field, -1, 0.9)
		s.Affine(k.field, -1, k.field, 1)
		n := k.p.Field.H * k.p.Field.W
		y, one := k.y.Reshape(2, n), k.field.Reshape(1, n)
		s.Mul(y, y, one)
	}
	if k.p.Settings.FillGaps > 0 {
		op.Forward(s, k.one, k.e)
		s.Mul(k.one, k.one, k.gaps)
		s.Add(k.y, k.y, k.one)
	}
}

func (k *ksKernel) smooth(x *engine.Tensor) {
	s := k.stream
	s.RFFT2(k.spec, x)
	s.CScale(k.spec, k.spec, k.filter)
	s.IRFFT2(x, k.spec)
}

func (k *ksKernel) References() []string {
	refs := []string{"KaiserSquires1993"}
	if k.p.Settings.Reduced > 0 {
		refs = append(refs, "SeitzSchneider1995")
	}
	if k.p.Settings.FillGaps > 0 {
		refs = append(refs, "Pires2009")
	}
	return refs
}

func (k *ksKernel) Close() {
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}

// EB gives the Kaiser–Squires E and B modes of a field, (H, W) each, smoothed by a
// Gaussian of the given standard deviation in arcmin: gravity makes no B mode, so that B
// shows what the data have beyond lensing.
func EB(dev engine.Device, f *Field, pad int, smoothing float64) (e, b []float32, err error) {
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(f.H, f.W, pad), 1)
	if err != nil {
		return nil, nil, fmt.Errorf("massmap: %w", err)
	}
	defer op.Close()
	var tensors []*engine.Tensor
	defer func() {
		for _, t := range tensors {
			t.Free()
		}
	}()
	alloc := func(shape ...int) *engine.Tensor {
		var t *engine.Tensor
		if err == nil {
			if t, err = dev.Alloc(shape); err == nil {
				tensors = append(tensors, t)
			}
		}
		return t
	}
	y, te, tb := alloc(1, 2, f.H, f.W), alloc(1, 1, op.H, op.W), alloc(1, 1, op.H, op.W)
	spec, filter, out := alloc(1, 1, op.H, op.W/2+1, 2), alloc(op.H, op.W/2+1), alloc(1, 1, f.H, f.W)
	if err != nil {
		return nil, nil, fmt.Errorf("massmap: %w", err)
	}
	s.Upload(y, f.Shear.Pix)
	s.Upload(filter, SmoothingFilter(op.H, op.W, smoothing/f.Arcmin))
	op.EB(s, te, tb, y)
	e, b = make([]float32, f.H*f.W), make([]float32, f.H*f.W)
	for i, t := range []*engine.Tensor{te, tb} {
		s.RFFT2(spec, t)
		s.CScale(spec, spec, filter)
		s.IRFFT2(t, spec)
		s.Window(out, t, op.Row, op.Col)
		s.Download([][]float32{e, b}[i], out)
	}
	return e, b, s.Err()
}
