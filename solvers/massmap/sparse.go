package massmap

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/starlet"
	"limpid/solvers"
	"limpid/solvers/mcmc"
)

// Defaults of the sparse methods.
const (
	defaultThreshold = 3 // σ, of Sparse
	mcalensThreshold = 4 // σ, of MCALens
	sparseIterations = 60
	mcalensRounds    = 6
	mcalensInner     = 20
)

// sparseKernel minimises ½ Σ w (y − A κ)² + Σ_j λ_j |W_j κ| with starlets W (Leonard+2012
// for mass maps) by the accelerated proximal gradient method of Beck & Teboulle (2009).
// λ_j is Threshold times the noise of W_j Aᵀw n at each pixel, so that a coefficient of
// pure noise is kept with the chance of a Threshold-σ outlier. The proximal map is
// computed by a few warm dual steps.
//
// With a Wiener kernel it is the two-component map of Starck, Themelis, Jeffrey, Peel &
// Lanusse (2021, MCALens): κ = κ_G + κ_S by turns, κ_G the Wiener mean of the data less
// A κ_S, κ_S a few sparse steps on the data less A κ_G.
type sparseKernel struct {
	p      *Problem
	stream engine.Stream
	prior  *starlet.Prior
	wiener *mcmc.LatentExact // nil: sparse alone

	y, w, r       *engine.Tensor // (1, 2, H, W)
	x, xOld, z, g *engine.Tensor // (1, 1, gridH, gridW): sparse part, momentum point
	gauss, sum    *engine.Tensor
	all           []*engine.Tensor
	step          float64
	t             float64
	iteration     int
	total         int
	state         solvers.State
	data          solvers.Image
}

func (p *Problem) sparse(dev engine.Device) error {
	k, err := p.newSparse(dev, defaultThreshold, 0)
	if err != nil {
		return err
	}
	k.total = sparseIterations
	p.setKernel(k)
	return nil
}

func (p *Problem) mcalens(dev engine.Device) error {
	k, err := p.newSparse(dev, mcalensThreshold, 1)
	if err != nil {
		return err
	}
	k.total = mcalensRounds
	white, prior, err := p.gaussianParts(dev, 1)
	if err != nil {
		k.Close()
		return err
	}
	k.data = p.Data.Clone()
	k.wiener, err = mcmc.NewLatentExact(dev, white, prior, mcmc.LatentExactConfig{Data: k.data, Weights: p.Weights, MeanTol: 1e-4})
	if err != nil {
		k.Close()
		return fmt.Errorf("massmap: %w", err)
	}
	p.setKernel(k)
	return nil
}

func (p *Problem) newSparse(dev engine.Device, threshold float64, skip int) (*sparseKernel, error) {
	f, g := p.Field, p.Op.Grid
	if p.Settings.Threshold > 0 {
		threshold = p.Settings.Threshold
	}
	k := &sparseKernel{p: p, stream: p.stream, t: 1}
	image, scene := engine.Shape{1, 2, f.H, f.W}, engine.Shape{1, 1, g.H, g.W}
	for _, t := range []**engine.Tensor{&k.y, &k.w, &k.r} {
		if err := k.alloc(dev, t, image); err != nil {
			return nil, err
		}
	}
	for _, t := range []**engine.Tensor{&k.x, &k.xOld, &k.z, &k.g, &k.gauss, &k.sum} {
		if err := k.alloc(dev, t, scene); err != nil {
			return nil, err
		}
	}
	var err error
	if k.prior, err = starlet.New(dev, k.stream, engine.Shape{1, g.H, g.W}, 1, starlet.Options{Iterations: 5, Warm: true}); err != nil {
		k.Close()
		return nil, fmt.Errorf("massmap: %w", err)
	}
	top := float32(0)
	for _, w := range p.Weights.Pix {
		top = max(top, w)
	}
	k.step = 1 / float64(top)
	k.stream.Upload(k.y, p.Data.Pix)
	k.stream.Upload(k.w, p.Weights.Pix)
	if err := k.thresholds(dev, threshold, skip); err != nil {
		k.Close()
		return nil, err
	}
	return k, k.stream.Err()
}

func (k *sparseKernel) alloc(dev engine.Device, t **engine.Tensor, shape engine.Shape) error {
	x, err := dev.Alloc(shape)
	if err != nil {
		k.Close()
		return fmt.Errorf("massmap: sparse map: %w", err)
	}
	*t = x
	k.all = append(k.all, x)
	return nil
}

// thresholds sets λ from the noise of the gradient Aᵀ w n, whose two parts add in
// quadrature; skip leaves that many of the finest scales out of the map altogether.
func (k *sparseKernel) thresholds(dev engine.Device, threshold float64, skip int) error {
	g, f, s := k.p.Op.Grid, k.p.Field, k.stream
	n := g.H * g.W
	scales := k.prior.Scales
	sum := make([]float64, (scales+1)*n)
	dst, err := dev.Alloc(engine.Shape{scales + 1, 1, g.H, g.W})
	if err != nil {
		return fmt.Errorf("massmap: sparse map: %w", err)
	}
	defer dst.Free()
	variance, err := dev.Alloc(engine.Shape{1, g.H, g.W})
	if err != nil {
		return fmt.Errorf("massmap: sparse map: %w", err)
	}
	defer variance.Free()
	transfer, err := dev.Alloc(engine.Shape{1, g.H, g.W/2 + 1, 2})
	if err != nil {
		return fmt.Errorf("massmap: sparse map: %w", err)
	}
	defer transfer.Free()
	host := make([]float32, dst.Len())
	for c, mult := range k.p.Op.Multipliers() {
		w := solvers.Image{C: 1, H: f.H, W: f.W, Pix: k.p.Weights.Plane(c)}
		spec := make([]float32, 2*len(mult))
		for i, v := range mult {
			spec[2*i] = v
		}
		s.Upload(variance, g.Embed(w).Pix)
		s.Upload(transfer, spec)
		if err := k.prior.NoiseMaps(dev, s, dst, variance, transfer); err != nil {
			return fmt.Errorf("massmap: %w", err)
		}
		s.Download(host, dst)
		for i, v := range host {
			sum[i] += float64(v) * float64(v)
		}
	}
	for i, v := range sum {
		host[i] = float32(math.Sqrt(v))
	}
	s.Upload(dst, host)
	level := make([]float64, scales)
	for j := range level {
		level[j] = threshold
		if j < skip {
			level[j] = 1e3 * threshold
		}
	}
	if err := k.prior.SetThresholds(s, level, dst); err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	return s.Err()
}

func (k *sparseKernel) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	s := k.stream
	for _, t := range []*engine.Tensor{k.x, k.xOld, k.z, k.gauss, k.sum} {
		s.Fill(t, 0)
	}
	k.iteration, k.t = 0, 1
	k.state = solvers.State{Stream: s, X: k.sum, Kind: solvers.Estimate, Count: 1}
	return &k.state, s.Err()
}

// Step is one proximal step, or one round of both components.
func (k *sparseKernel) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	s := k.stream
	inner := 1
	if k.wiener != nil {
		inner = mcalensInner
		k.t = 1
		s.Copy(k.z, k.x)
	}
	for range inner {
		if err := ctx.Err(); err != nil {
			return solvers.Info{}, err
		}
		k.proximal()
	}
	if k.wiener != nil { // after the peaks, or it would take them
		if err := k.gaussianPart(ctx, key); err != nil {
			return solvers.Info{}, err
		}
	}
	s.Add(k.sum, k.x, k.gauss)
	k.iteration++
	st.X, st.Kind, st.Count = k.sum, solvers.Estimate, 1
	return solvers.Info{Iterations: k.iteration, Done: k.iteration >= k.total}, s.Sync(ctx)
}

// gaussianPart is the Wiener mean of what the sparse part leaves.
func (k *sparseKernel) gaussianPart(ctx context.Context, key engine.Key) error {
	s := k.stream
	k.p.Op.Forward(s, k.r, k.x)
	s.Sub(k.r, k.y, k.r)
	s.Download(k.data.Pix, k.r)
	for i, w := range k.p.Weights.Pix {
		if w == 0 {
			k.data.Pix[i] = 0
		}
	}
	st, err := k.wiener.Init(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := k.wiener.Step(ctx, key, st); err != nil {
		return err
	}
	if err := st.Stream.Sync(ctx); err != nil {
		return err
	}
	s.Copy(k.gauss, st.X)
	return nil
}

// proximal is a step of the accelerated method on x, the Gaussian part held.
func (k *sparseKernel) proximal() {
	s := k.stream
	s.Add(k.sum, k.z, k.gauss)
	k.p.Op.Forward(s, k.r, k.sum)
	s.Sub(k.r, k.y, k.r)
	s.Mul(k.r, k.r, k.w)
	k.p.Op.Adjoint(s, k.g, k.r)
	s.Axpy(k.z, float32(k.step), k.g)
	s.Copy(k.xOld, k.x)
	k.prior.Prox(s, k.x, k.z, k.step)
	next := (1 + math.Sqrt(1+4*k.t*k.t)) / 2
	beta := float32((k.t - 1) / next)
	k.t = next
	s.Sub(k.z, k.x, k.xOld)
	s.Scale(k.z, beta, k.z)
	s.Add(k.z, k.z, k.x)
}

func (k *sparseKernel) References() []string {
	refs := append([]string{"Leonard2012", "BeckTeboulle2009"}, k.prior.References()...)
	if k.wiener != nil {
		refs = append(refs, "Starck2021", "ElsnerWandelt2013")
	}
	return refs
}

func (k *sparseKernel) Close() {
	if k.wiener != nil {
		k.wiener.Close()
	}
	if k.prior != nil {
		k.prior.Close()
	}
	for _, t := range k.all {
		t.Free()
	}
	k.all = nil
}
