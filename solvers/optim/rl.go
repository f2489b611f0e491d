package optim

import (
	"context"
	"fmt"
	"math"
	"slices"

	"limpid/engine"
	"limpid/priors/tv"
	"limpid/solvers"
)

// RichardsonLucy is the iteration of Richardson 1972 and Lucy 1974 for
// y ≈ Poisson(A x + b), x ≥ 0:
//
//	x ← x · Aᵀ(m r) / Aᵀ m,  r = y/(A x + b),
//
// m the mask (1 where the weight is positive), so that masked pixels and light
// from outside the frame are left free (Bertero & Boccacci 2005). With Damping T
// the change is held back where the model already agrees with the data within T
// standard deviations (White 1994, eq. 5–7, with the Gaussian likelihood):
//
//	r = 1 + U⁹(10 − 9U) (y − A x)/(A x + b),  U = min(w (y − A x)²/T², 1).
//
// With TV λ every update is divided by 1 − λ div(∇x/|∇x|) (Dey+2006, eq. 11, the
// expectation maximisation of the posterior with the prior e^(−λ‖∇x‖₁), one step late):
// noise in flat places does not grow.
//
// Its result is an estimate without an uncertainty.
type RichardsonLucy struct {
	op      solvers.Operator
	cfg     RLConfig
	stream  engine.Stream
	y, w, m *engine.Tensor // (C, H, W)
	b       *engine.Tensor // (C, H, W) background under the data
	lifted  *engine.Tensor // (C, H, W) m (y + b)
	inv     *engine.Tensor // (C, Hx, Wx) 1/Aᵀm, 0 where the image hardly sees
	x, corr *engine.Tensor // (C, Hx, Wx)
	ax, u   *engine.Tensor // (C, H, W)
	r, t    *engine.Tensor
	all     []*engine.Tensor
	chi2    *engine.Tensor // (C)
	scalars []float32
	valid   []float64
	state   solvers.State

	tv    *tv.Prior      // nil: none
	curve *engine.Tensor // (C, Hx, Wx)
}

// RLConfig is what RichardsonLucy needs. Data and Weights are (C, H, W).
type RLConfig struct {
	Data, Weights solvers.Image
	Background    []float64 // b per band, data unit: lifts a sky-subtracted image above 0
	Damping       float64   // T, in standard deviations; 0: none
	TV            float64   // λ of the total variation, without unit, < 1/8; 0: none
	StopAtNoise   bool      // stop once the residual's χ² per pixel is ≤ 1 in every band
}

// seen is the share of a full PSF below which a scene pixel counts as unseen.
const seen = 0.01

// NewRichardsonLucy allocates the kernel.
func NewRichardsonLucy(dev engine.Device, op solvers.Operator, cfg RLConfig) (*RichardsonLucy, error) {
	k := &RichardsonLucy{op: op, cfg: cfg, stream: dev.NewStream()}
	d, r := op.Domain(), op.Range()
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.y, r},
		{&k.w, r},
		{&k.m, r},
		{&k.b, r},
		{&k.lifted, r},
		{&k.ax, r},
		{&k.u, r},
		{&k.r, r},
		{&k.t, r},
		{&k.inv, d},
		{&k.x, d},
		{&k.corr, d},
		{&k.chi2, r[:1]},
	} {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			k.Close()
			return nil, fmt.Errorf("optim: Richardson–Lucy on %v: %w", d, err)
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	k.scalars = make([]float32, r[0])
	if err := k.prepareTV(dev); err != nil {
		k.Close()
		return nil, err
	}
	k.fill()
	if err := k.stream.Err(); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// prepareTV makes the prior whose gradient RL–TV divides by.
func (k *RichardsonLucy) prepareTV(dev engine.Device) error {
	if k.cfg.TV == 0 {
		return nil
	}
	if !(k.cfg.TV > 0 && k.cfg.TV < 0.125) {
		return fmt.Errorf("optim: Richardson–Lucy with total variation: λ = %g: it must lie between 0 and 1/8, as .002", k.cfg.TV)
	}
	d := k.op.Domain()
	lambda := make([]float64, d[0])
	for c := range lambda {
		lambda[c] = k.cfg.TV
	}
	var err error
	if k.tv, err = tv.New(dev, k.stream, lambda, d, 1, tv.Options{}); err != nil {
		return err
	}
	if k.curve, err = dev.Alloc(d); err != nil {
		return fmt.Errorf("optim: Richardson–Lucy on %v: %w", d, err)
	}
	k.all = append(k.all, k.curve)
	return nil
}

// fill uploads data clipped at −b, mask and background, and inverts Aᵀ m.
func (k *RichardsonLucy) fill() {
	s, r := k.stream, k.op.Range()
	n := r[1] * r[2]
	y, m, b := make([]float32, r.Len()), make([]float32, r.Len()), make([]float32, r.Len())
	lifted := make([]float32, r.Len())
	k.valid = make([]float64, r[0])
	for i, v := range k.cfg.Data.Pix {
		c := i / n
		b[i] = float32(k.cfg.Background[c])
		y[i] = max(v, -b[i])
		if k.cfg.Weights.Pix[i] > 0 {
			m[i], lifted[i] = 1, y[i]+b[i]
			k.valid[c]++
		}
	}
	s.Upload(k.y, y)
	s.Upload(k.w, k.cfg.Weights.Pix)
	s.Upload(k.m, m)
	s.Upload(k.b, b)
	s.Upload(k.lifted, lifted)
	k.op.Adjoint(s, k.inv, k.m)
	sens := make([]float32, k.op.Domain().Len())
	s.Download(sens, k.inv)
	for i, v := range sens {
		sens[i] = 0
		if v > seen {
			sens[i] = 1 / v
		}
	}
	s.Upload(k.inv, sens)
}

// Init starts from x0, or from a flat scene: of the data's mean, or with damping,
// which would never correct a start within T σ of the data, of their median or a
// tenth of the noise.
func (k *RichardsonLucy) Init(_ context.Context, x0 *engine.Tensor) (*solvers.State, error) {
	s := k.stream
	k.state = solvers.State{Stream: s, X: k.x.Reshape(append(engine.Shape{1}, k.x.Shape()...)...)}
	if x0 != nil {
		s.Copy(k.x, x0)
		return &k.state, s.Err()
	}
	flat := make([]float32, k.x.Len())
	d, n := k.op.Domain(), len(k.cfg.Data.Pix)/k.op.Range()[0]
	for c := range d[0] {
		var sum, count float64
		for i := c * n; i < (c+1)*n; i++ {
			if k.cfg.Weights.Pix[i] > 0 {
				sum += math.Max(0, float64(k.cfg.Data.Pix[i]))
				count++
			}
		}
		level := float32(math.Max(sum, 1e-30) / math.Max(count, 1))
		if k.cfg.Damping > 0 {
			level = k.lowLevel(c, n)
		}
		for i := c * d[1] * d[2]; i < (c+1)*d[1]*d[2]; i++ {
			flat[i] = level
		}
	}
	s.Upload(k.x, flat)
	s.Mul(k.x, k.x, k.inv) // 0 where unseen, else flat/sensitivity
	s.Map(k.corr, engine.Recip, k.inv)
	s.Mul(k.x, k.x, k.corr)
	return &k.state, s.Err()
}

// lowLevel is the median of a band's data, at least a tenth of its median noise.
func (k *RichardsonLucy) lowLevel(c, n int) float32 {
	var v, sigma []float64
	for i := c * n; i < (c+1)*n; i++ {
		if w := k.cfg.Weights.Pix[i]; w > 0 {
			v, sigma = append(v, float64(k.cfg.Data.Pix[i])), append(sigma, 1/math.Sqrt(float64(w)))
		}
	}
	if len(v) == 0 {
		return 1e-30
	}
	slices.Sort(v)
	slices.Sort(sigma)
	return float32(math.Max(v[len(v)/2], 0.1*sigma[len(v)/2]))
}

// Step is one iteration.
func (k *RichardsonLucy) Step(ctx context.Context, _ engine.Key, st *solvers.State) (solvers.Info, error) {
	s := k.stream
	var info solvers.Info
	k.op.Forward(s, k.ax, k.x)
	if k.cfg.StopAtNoise || k.cfg.Damping > 0 {
		s.Sub(k.r, k.y, k.ax) // y − A x
		s.Mul(k.u, k.r, k.r)
		s.Mul(k.u, k.u, k.w)
	}
	if k.cfg.StopAtNoise {
		s.Sum(k.chi2, k.u)
		s.Download(k.scalars, k.chi2)
		info.Done = true
		for c, v := range k.scalars {
			info.Done = info.Done && float64(v) <= k.valid[c]
		}
		if info.Done {
			st.Kind, st.Count = solvers.Estimate, 1
			return info, s.Sync(ctx)
		}
	}
	s.Add(k.ax, k.ax, k.b)
	if k.cfg.Damping > 0 {
		s.Div(k.r, k.r, k.ax) // (y − A x)/(A x + b)
		k.damp()
		s.Mul(k.r, k.r, k.m)
		s.Add(k.r, k.r, k.m) // m (1 + …)
	} else {
		s.Div(k.r, k.lifted, k.ax) // m (y + b)/(A x + b)
	}
	k.op.Adjoint(s, k.corr, k.r)
	s.Mul(k.corr, k.corr, k.inv)
	if k.tv != nil { // its score is λ div(∇x/|∇x|), at most 4λ: the divisor stays above ½
		k.tv.Score(s, k.curve, k.x, 0)
		s.Affine(k.curve, -1, k.curve, 1)
		s.Div(k.corr, k.corr, k.curve)
	}
	s.Mul(k.x, k.x, k.corr)
	s.Clamp(k.x, k.x, 0, math.MaxFloat32) // rounding of the transforms
	st.Kind, st.Count = solvers.Estimate, 1
	return info, s.Sync(ctx)
}

// damp multiplies r by U⁹(10 − 9U), U = min(w (y − A x)²/T², 1).
func (k *RichardsonLucy) damp() {
	s := k.stream
	s.Scale(k.u, float32(1/(k.cfg.Damping*k.cfg.Damping)), k.u)
	s.Clamp(k.u, k.u, 0, 1)
	s.Mul(k.t, k.u, k.u)  // U²
	s.Mul(k.t, k.t, k.t)  // U⁴
	s.Mul(k.t, k.t, k.t)  // U⁸
	s.Mul(k.t, k.t, k.u)  // U⁹
	s.Mul(k.r, k.r, k.t)  // r U⁹
	s.Mul(k.t, k.r, k.u)  // r U¹⁰
	s.Scale(k.r, 10, k.r) //
	s.Axpy(k.r, -9, k.t)  // r U⁹ (10 − 9U)
}

// References are keys of assets/references.bib.
func (k *RichardsonLucy) References() []string {
	refs := []string{"Richardson1972", "Lucy1974", "BerteroBoccacci2005"}
	if k.cfg.Damping > 0 {
		refs = append(refs, "White1994")
	}
	if k.cfg.TV > 0 {
		refs = append(refs, "Dey2006", "RudinOsherFatemi1992")
	}
	return refs
}

// Close frees the kernel's tensors, not the operator.
func (k *RichardsonLucy) Close() {
	if k.tv != nil {
		k.tv.Close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}
