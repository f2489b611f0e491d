package mcmc

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// conditional is the posterior of scenes x ~ N(0, C), C diagonal in Fourier
// space, under y = window(H x) + n: it gives means and exact draws. It works in
// normalised units: weights w ≤ 1 and data over the unit 1/√max(w).
//
// The mean is Σ Hᵀ w y with Σ⁻¹ = C⁻¹ + Hᵀ w H; a draw is that plus
// Σ (Hᵀ√w η + C^-½ ξ) with white η and ξ (perturb-and-solve: Papandreou &
// Yuille 2010, sec. 2). With d = 1 − w and K = (C⁻¹ + HᵀH)⁻¹, diagonal in
// Fourier space, Σ b = K (b + Hᵀ√d u) where u solves the Schur complement
//
//	S u = w u + √d F[c] √d u = √d H K b,   c = 1/(1 + C|H|²).
//
// S is the identity wherever the noise is lowest, so only masked pixels, the
// border and noisier pixels cost anything, and S⁻¹ ≈ I + Σ_l θ_l√d F[g_l] θ_l√d,
// g_l = C|H|²/(1 + e_l C|H|²), is a preconditioner that does not degrade with
// signal to noise: θ_l² splits the pixels by their weight among the levels e_l.
type conditional struct {
	grid   operator.Grid
	batch  int
	stream engine.Stream
	cg     *optim.CG

	w, rootW, rootD  *engine.Tensor   // (C, H, W)
	levels           []*engine.Tensor // (C, H, W) θ_l √d
	levelWeights     []float64        // e_l
	h, hConj         *engine.Tensor   // (C, H, W/2+1, 2)
	h2               *engine.Tensor   // (C, H, W/2+1) |H|²
	c, schur, noise  *engine.Tensor   // (C, H, W/2+1): c; 1−c; √C c
	s2, tmp          *engine.Tensor   // (C, H, W/2+1) C|H|²; scratch
	gains            []*engine.Tensor // (C, H, W/2+1) g_l
	post, cross      *engine.Tensor   // (C, H, W/2+1, 2): conj(H) C c; H √C c
	x, u, rhs, real  *engine.Tensor   // (batch, C, H, W)
	spec, spec2      *engine.Tensor   // (batch, C, H, W/2+1, 2)
	all              []*engine.Tensor
	views            map[int]*sceneViews
	now              *sceneViews
	apply, condition func(dst, src *engine.Tensor)
	white            solvers.White // nil: Stream.Normal
}

// sceneViews are the scratch tensors cut to n scenes, made once per n.
type sceneViews struct{ x, u, rhs, real, spec, spec2, xFlat, uFlat, rhsFlat *engine.Tensor }

// newConditional allocates for batch scenes; weights are on the grid, ≤ 1.
func newConditional(dev engine.Device, s engine.Stream, op *operator.Convolution, weights solvers.Image, batch int) (*conditional, error) {
	g := op.Grid
	k := &conditional{grid: g, batch: batch, stream: s, views: map[int]*sceneViews{}}
	image, half := g.Domain(), engine.Shape{g.C, g.H, g.W/2 + 1}
	scenes := engine.Shape{batch, g.C, g.H, g.W}
	type want struct {
		t     **engine.Tensor
		shape engine.Shape
	}
	list := []want{
		{&k.w, image},
		{&k.rootW, image},
		{&k.rootD, image},
		{&k.h, image.Spectrum()},
		{&k.hConj, image.Spectrum()},
		{&k.h2, half},
		{&k.c, half},
		{&k.schur, half},
		{&k.noise, half},
		{&k.s2, half},
		{&k.tmp, half},
		{&k.post, image.Spectrum()},
		{&k.cross, image.Spectrum()},
		{&k.x, scenes},
		{&k.u, scenes},
		{&k.rhs, scenes},
		{&k.real, scenes},
		{&k.spec, scenes.Spectrum()},
		{&k.spec2, scenes.Spectrum()},
	}
	k.levelWeights = usedLevels(weights)
	k.levels, k.gains = make([]*engine.Tensor, len(k.levelWeights)), make([]*engine.Tensor, len(k.levelWeights))
	for i := range k.levels {
		list = append(list, want{&k.levels[i], image}, want{&k.gains[i], half})
	}
	for _, a := range list {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			k.close()
			return nil, err
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	var err error
	if k.cg, err = optim.NewCG(dev, engine.Shape{batch * g.C, g.H, g.W}); err != nil {
		k.close()
		return nil, err
	}
	k.cg.MaxIter = maxIterations
	k.apply, k.condition = k.applySchur, k.precondition
	k.fillPixels(weights)
	k.fillTransfer(op.Transfer)
	if err := s.Err(); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// maxIterations bounds a solve; the residual it stopped at is reported.
const maxIterations = 600

func (k *conditional) fillPixels(w solvers.Image) {
	s, n := k.stream, len(w.Pix)
	rootW, rootD, level := make([]float32, n), make([]float32, n), make([]float32, n)
	for i, v := range w.Pix {
		rootW[i] = float32(math.Sqrt(float64(v)))
		rootD[i] = float32(math.Sqrt(max(0, 1-float64(v))))
	}
	s.Upload(k.w, w.Pix)
	s.Upload(k.rootW, rootW)
	s.Upload(k.rootD, rootD)
	for i, e := range k.levelWeights {
		for j, v := range w.Pix {
			level[j] = float32(math.Sqrt(levelShare(float64(v), e, len(k.levelWeights)))) * rootD[j]
		}
		s.Upload(k.levels[i], level)
	}
}

func (k *conditional) fillTransfer(transfer *engine.Tensor) {
	host := make([]float32, transfer.Len())
	k.stream.Download(host, transfer)
	h2 := make([]float32, len(host)/2)
	for i := range h2 {
		re, im := float64(host[2*i]), float64(host[2*i+1])
		h2[i] = float32(re*re + im*im)
	}
	k.stream.Upload(k.h, host)
	k.stream.Upload(k.h2, h2)
	for i := range h2 {
		host[2*i+1] = -host[2*i+1]
	}
	k.stream.Upload(k.hConj, host)
}

// setPower sets C: p is (C, H, W/2+1), in normalised units.
func (k *conditional) setPower(p *engine.Tensor) {
	s := k.stream
	s.Mul(k.s2, p, k.h2)
	s.Affine(k.c, 1, k.s2, 1)
	s.Map(k.c, engine.Recip, k.c)
	s.Mul(k.schur, k.s2, k.c)
	s.Mul(k.tmp, p, k.c)
	s.CScale(k.post, k.hConj, k.tmp)
	s.Map(k.noise, engine.Sqrt, p)
	s.Mul(k.noise, k.noise, k.c)
	s.CScale(k.cross, k.h, k.noise)
	for l, e := range k.levelWeights {
		s.Affine(k.tmp, float32(e), k.s2, 1)
		s.Div(k.gains[l], k.s2, k.tmp)
	}
}

// mean leaves Σ Hᵀ wy in the x of the views of n scenes; wy is (C, H, W) or
// (n, C, H, W), weighted data on the grid.
func (k *conditional) mean(ctx context.Context, n int, wy *engine.Tensor, tol float64) (optim.Result, error) {
	s, v := k.stream, k.view(n)
	k.load(v.real, wy)
	s.RFFT2(v.spec, v.real)
	s.CScale(v.spec, v.spec, k.schur)
	s.IRFFT2(v.rhs, v.spec)
	s.Mul(v.rhs, v.rhs, k.rootD)
	res, err := k.solve(ctx, v, tol)
	if err != nil {
		return res, err
	}
	s.Mul(v.u, v.u, k.rootD)
	s.Add(v.real, v.real, v.u)
	s.RFFT2(v.spec, v.real)
	s.CMul(v.spec, v.spec, k.post)
	s.IRFFT2(v.x, v.spec)
	return res, nil
}

// draw leaves n draws in the x of the views: of the posterior given weighted
// data wy, or of its fluctuation about the mean for wy nil. Draw i takes its
// numbers from key(i).
func (k *conditional) draw(ctx context.Context, n int, wy *engine.Tensor, key func(i int) engine.Key, tol float64) (optim.Result, error) {
	s, v := k.stream, k.view(n)
	for i := range n {
		draw := key(i)
		k.white.Fill(s, v.x.Slice(i, i+1), draw.Fold(0))
		k.white.Fill(s, v.real.Slice(i, i+1), draw.Fold(1))
	}
	s.RFFT2(v.spec2, v.x) // ξ̂, kept
	s.CMul(v.spec, v.spec2, k.cross)
	s.IRFFT2(v.rhs, v.spec)
	s.Mul(v.real, v.real, k.rootW) // √w η + wy, kept
	if wy != nil {
		s.Add(v.real, v.real, wy)
	}
	s.RFFT2(v.spec, v.real)
	s.CScale(v.spec, v.spec, k.schur)
	s.IRFFT2(v.x, v.spec)
	s.Add(v.rhs, v.rhs, v.x)
	s.Mul(v.rhs, v.rhs, k.rootD)
	res, err := k.solve(ctx, v, tol)
	if err != nil {
		return res, err
	}
	s.Mul(v.u, v.u, k.rootD)
	s.Add(v.real, v.real, v.u)
	s.RFFT2(v.spec, v.real)
	s.CMul(v.spec, v.spec, k.post)
	s.CScale(v.spec2, v.spec2, k.noise)
	s.Add(v.spec, v.spec, v.spec2)
	s.IRFFT2(v.x, v.spec)
	return res, nil
}

// load copies wy, repeated over the scenes if it is one.
func (k *conditional) load(dst, wy *engine.Tensor) {
	k.stream.Fill(dst, 0)
	k.stream.Add(dst, dst, wy)
}

func (k *conditional) solve(ctx context.Context, v *sceneViews, tol float64) (optim.Result, error) {
	k.now = v
	k.cg.Tol = tol
	return k.cg.Solve(ctx, k.stream, k.apply, k.condition, v.uFlat, v.rhsFlat)
}

// applySchur is S: dst = w src + √d F[c] √d src. It uses x and spec as scratch.
func (k *conditional) applySchur(dst, src *engine.Tensor) {
	s, v := k.stream, k.now
	s.Mul(v.xFlat, src, k.rootD)
	s.RFFT2(v.spec, v.x)
	s.CScale(v.spec, v.spec, k.c)
	s.IRFFT2(v.x, v.spec)
	s.Mul(v.xFlat, v.xFlat, k.rootD)
	s.Mul(dst, src, k.w)
	s.Add(dst, dst, v.xFlat)
}

// precondition is dst = src + Σ_l θ_l√d F[g_l] θ_l√d src.
func (k *conditional) precondition(dst, src *engine.Tensor) {
	s, v := k.stream, k.now
	s.Copy(dst, src)
	for l, level := range k.levels {
		s.Mul(v.xFlat, src, level)
		s.RFFT2(v.spec, v.x)
		s.CScale(v.spec, v.spec, k.gains[l])
		s.IRFFT2(v.x, v.spec)
		s.MulAdd(dst, v.xFlat, level)
	}
}

func (k *conditional) view(n int) *sceneViews {
	if v := k.views[n]; v != nil {
		return v
	}
	g := k.grid
	flat := func(t *engine.Tensor) *engine.Tensor { return t.Reshape(n*g.C, g.H, g.W) }
	v := &sceneViews{
		x: k.x.Slice(0, n), u: k.u.Slice(0, n), rhs: k.rhs.Slice(0, n), real: k.real.Slice(0, n),
		spec: k.spec.Slice(0, n), spec2: k.spec2.Slice(0, n),
	}
	v.xFlat, v.uFlat, v.rhsFlat = flat(v.x), flat(v.u), flat(v.rhs)
	k.views[n] = v
	return v
}

func (k *conditional) close() {
	if k.cg != nil {
		k.cg.Close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}

// The preconditioner's levels: 0 for masked pixels and the border, the other for
// bright, noisier pixels. More levels cost a transform pair each and were
// measured to save no iterations.
const (
	noisyLevel  = 0.1
	maskedLevel = 0.004 // below it a pixel counts as masked
)

// levelShare is θ_l² of a pixel of relative weight w for the level e: it moves
// linearly in log w from masked to noisy. With one level all is masked.
func levelShare(w, e float64, levels int) float64 {
	if levels == 1 {
		return 1
	}
	pos := math.Log(max(w, maskedLevel)/maskedLevel) / math.Log(noisyLevel/maskedLevel)
	pos = min(pos, 1)
	if e == 0 {
		return 1 - pos
	}
	return pos
}

// usedLevels lists the levels e_l: the border's 0, and the noisy one if any fair
// number of pixels belongs to it.
func usedLevels(w solvers.Image) []float64 {
	var share float64
	for _, v := range w.Pix {
		if v < 1 {
			share += levelShare(float64(v), noisyLevel, 2) * float64(1-v)
		}
	}
	if share > 1e-4*float64(len(w.Pix)) {
		return []float64{0, noisyLevel}
	}
	return []float64{0}
}

// normaliseWeights puts weights on the grid over their largest value and gives
// the data's unit 1/√max(w) per band.
func normaliseWeights(g operator.Grid, weights solvers.Image) (w solvers.Image, unit []float64) {
	w = g.Embed(weights)
	unit = make([]float64, w.C)
	for c := range unit {
		plane, top := w.Plane(c), float32(0)
		for _, v := range plane {
			top = max(top, v)
		}
		unit[c] = 1
		if top > 0 {
			unit[c] = 1 / math.Sqrt(float64(top))
		}
		for i := range plane {
			plane[i] = float32(float64(plane[i]) * unit[c] * unit[c])
		}
	}
	return w, unit
}
