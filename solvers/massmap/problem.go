package massmap

import (
	"context"
	"fmt"
	"math"

	"limpid"
	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/lognormal"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/operator"
)

// Method names an algorithm.
type Method string

// The methods. KS, the sparse ones and UNet are estimates; Wiener, Lognormal and Score give
// posterior samples.
const (
	KS        Method = "ks"        // Kaiser & Squires 1993, smoothed
	Wiener    Method = "wiener"    // exact posterior of a Gaussian prior
	Sparse    Method = "sparse"    // starlet ℓ1
	MCALens   Method = "mcalens"   // sparse + Gaussian, Starck+2021
	Lognormal Method = "lognormal" // Hamiltonian Monte Carlo on a lognormal prior
	Score     Method = "score"     // bridge with a learned prior
	UNet      Method = "unet"      // regression by a network: a preview
)

// Methods in the order a user sees them.
func Methods() []Method { return []Method{KS, Wiener, Sparse, MCALens, Lognormal, Score, UNet} }

// Samples reports whether the method draws from a posterior.
func (m Method) Samples() bool { return m == Wiener || m == Lognormal || m == Score }

// Settings of a Problem.
type Settings struct {
	Method Method
	// Spectrum of κ, for pixels of the field's size; needed by Wiener, MCALens, Lognormal.
	Spectrum gaussian.Spectrum
	Shift    float64 // λ of Lognormal
	// Pad is how many pixels surround the field at least; negative: DefaultPad.
	Pad int
	// Smoothing is the standard deviation of KS's Gaussian, arcmin.
	Smoothing float64
	FillGaps  int // iterations that fill masked pixels (KS)
	Reduced   int // iterations for g = γ/(1 − κ); 0: the shear is taken as γ
	Threshold float64
	Chains    int // of Lognormal; default 2
	Warmup    int // of Lognormal; default 200
	Thin      int // of Lognormal: trajectories per draw; default 2
	Batch     int // draws per step of Wiener; default 1
	Learned   Learned
	Network   Network // of UNet
}

// DefaultShift is λ of simulated convergence maps at pixels of .29′ and sources like
// those of COSMOS.
const DefaultShift = 0.0487

// DefaultPad is an eighth of the longer side.
func DefaultPad(h, w int) int { return max(h, w) / 8 }

// Problem is a field with an operator and a kernel that maps it. Close it.
type Problem struct {
	Field    *Field
	Settings Settings
	Op       *operator.Shear
	Kernel   solvers.Kernel
	// Data and Weights are what the kernel sees, (2, H, W): the field's, corrected for
	// reduced shear if asked.
	Data, Weights solvers.Image
	Findings      []limpid.Finding
	// Shift and Clipped say what the lognormal prior is.
	Clipped float64

	dev    engine.Device
	stream engine.Stream
	mean   func() []float32 // on the grid; nil: none
	close  []func()
}

// New makes a problem. The field must be valid.
func New(ctx context.Context, dev engine.Device, f *Field, set Settings) (*Problem, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if err := set.check(); err != nil {
		return nil, err
	}
	if set.Pad < 0 {
		set.Pad = DefaultPad(f.H, f.W)
	}
	p := &Problem{Field: f, Settings: set, Data: f.Shear, Weights: f.Weights, dev: dev, stream: dev.NewStream()}
	if set.Method == UNet {
		p.Settings.Spectrum = set.Network.Spectrum() // the one it was trained with
	}
	batch := max(set.Chains, set.Batch, set.Learned.Batch, 1)
	var err error
	if p.Op, err = operator.NewShear(dev, p.stream, operator.ShearGrid(f.H, f.W, set.Pad), batch); err != nil {
		return nil, fmt.Errorf("massmap: %w", err)
	}
	p.close = append(p.close, p.Op.Close)
	if set.Reduced > 0 && set.Method != KS {
		if err := p.unreduce(ctx); err != nil {
			p.Close()
			return nil, err
		}
	}
	build := map[Method]func(engine.Device) error{KS: p.ks, Wiener: p.wiener, Sparse: p.sparse, MCALens: p.mcalens, Lognormal: p.lognormal, Score: p.score, UNet: p.unet}[set.Method]
	if err := build(dev); err != nil {
		p.Close()
		return nil, err
	}
	p.say()
	return p, nil
}

func (s *Settings) check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("massmap: "+format+": %w", append(a, ErrSetting)...)
	}
	needsSpectrum := s.Method != UNet && (s.Method == Wiener || s.Method == MCALens || s.Method == Lognormal || s.Method == Score || (s.Reduced > 0 && s.Method != KS))
	known := false
	for _, m := range Methods() {
		known = known || m == s.Method
	}
	switch {
	case !known:
		return bad("method %q is not one of %v", s.Method, Methods())
	case needsSpectrum && len(s.Spectrum.LogK) == 0:
		return bad("method %s needs a power spectrum of the convergence", s.Method)
	case s.Method == UNet && s.Network == nil:
		return bad("method %s needs a network", s.Method)
	case s.Method == Lognormal && !(s.Shift > 0):
		return bad("a lognormal map needs a shift above 0, not %g", s.Shift)
	case s.Smoothing < 0 || math.IsNaN(s.Smoothing) || math.IsInf(s.Smoothing, 0):
		return bad("smoothing of %g arcmin", s.Smoothing)
	case s.FillGaps < 0 || s.Reduced < 0 || s.FillGaps > 1000 || s.Reduced > 20:
		return bad("%d iterations to fill gaps and %d for reduced shear: at most 1000 and 20", s.FillGaps, s.Reduced)
	}
	return nil
}

// say adds what every map must state.
func (p *Problem) say() {
	note := func(sev limpid.Severity, code, where, what, advice string) {
		p.Findings = append(p.Findings, limpid.Finding{Severity: sev, Code: code, What: what, Where: where, Advice: advice})
	}
	note(limpid.Info, "mass.sheet", "map",
		"shear does not see a constant κ (the mass sheet): the mean of the map is the prior's, not the data's",
		"compare differences of κ, or subtract the mean over the field")
	switch p.Settings.Method {
	case KS, Sparse, MCALens:
		note(limpid.Info, "method.estimate", "method", "this method gives an estimate without posterior samples", "use wiener, lognormal or score for error bars")
	case UNet:
		note(limpid.Warning, "method.preview", "method", "a preview by a network that has learned what maps look like: no samples and no error bars", "use score, lognormal or wiener for error bars")
	case Wiener:
		note(limpid.Warning, "prior.gaussian", "prior",
			"the Gaussian prior does not know that mass maps have high peaks: its error bars hold on average, and are far too narrow at peaks",
			"use lognormal or score where peaks matter")
	}
}

// rootPower is √P on the grid.
func (p *Problem) rootPower() []float32 {
	power := p.Settings.Spectrum.OnGrid(p.Op.H, p.Op.W)
	root := make([]float32, len(power))
	for i, v := range power {
		root[i] = float32(math.Sqrt(v))
	}
	return root
}

// gaussianParts makes the operator on white noise and the prior of Wiener.
func (p *Problem) gaussianParts(dev engine.Device, batch int) (*operator.Shear, *gaussian.Prior, error) {
	white, err := operator.NewShear(dev, p.stream, p.Op.Grid, batch)
	if err != nil {
		return nil, nil, fmt.Errorf("massmap: %w", err)
	}
	p.close = append(p.close, white.Close)
	white.SetRoot(p.stream, p.rootPower())
	prior, err := gaussian.New(dev, p.stream, []gaussian.Spectrum{p.Settings.Spectrum}, p.Op.Domain(), batch)
	if err != nil {
		return nil, nil, fmt.Errorf("massmap: %w", err)
	}
	p.close = append(p.close, prior.Close)
	return white, prior, nil
}

func (p *Problem) wiener(dev engine.Device) error {
	batch := max(p.Settings.Batch, 1)
	white, prior, err := p.gaussianParts(dev, batch)
	if err != nil {
		return err
	}
	k, err := mcmc.NewLatentExact(dev, white, prior, mcmc.LatentExactConfig{Data: p.Data, Weights: p.Weights, Batch: batch})
	if err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	p.setKernel(k)
	return nil
}

func (p *Problem) lognormal(dev engine.Device) error {
	set := &p.Settings
	if set.Chains == 0 {
		set.Chains = DefaultChains
	}
	if set.Warmup == 0 {
		set.Warmup = DefaultWarmup
	}
	if set.Thin == 0 {
		set.Thin = DefaultThin
	}
	k, err := p.lognormalChains(dev, set.Shift, set.Chains, set.Thin)
	if err != nil {
		return err
	}
	p.setKernel(k)
	return nil
}

// lognormalChains are chains of the lognormal posterior on the grid.
func (p *Problem) lognormalChains(dev engine.Device, shift float64, chains, thin int) (*mcmc.LatentChains, error) {
	set := &p.Settings
	build := func() (solvers.Operator, mcmc.SpectralLatent, error) {
		prior, err := lognormal.New(dev, p.stream, []gaussian.Spectrum{set.Spectrum}, []float64{shift}, p.Op.Domain(), 1)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", err, ErrSetting)
		}
		p.close = append(p.close, prior.Close)
		p.Clipped = prior.Clipped[0]
		op, err := operator.NewShear(dev, p.stream, p.Op.Grid, 1)
		if err != nil {
			return nil, nil, err
		}
		p.close = append(p.close, op.Close)
		return op, prior, nil
	}
	k, err := mcmc.NewLatentChains(dev, build, mcmc.LatentConfig{
		Data: p.Data, Weights: p.Weights, Power: set.Spectrum.OnGrid(p.Op.H, p.Op.W),
		Chains: chains, Warmup: max(set.Warmup, 0), Thin: thin,
	})
	if err != nil {
		return nil, fmt.Errorf("massmap: %w", err)
	}
	return k, nil
}

// Defaults of the lognormal sampler.
const (
	DefaultChains = 2
	DefaultWarmup = 200
	DefaultThin   = 2
)

func (p *Problem) setKernel(k solvers.Kernel) {
	p.Kernel = k
	p.close = append(p.close, k.Close)
}

// unreduce turns g into γ = g (1 − κ) with the Wiener mean, Reduced times; the noise goes
// along: it is the noise of g.
func (p *Problem) unreduce(ctx context.Context) error {
	f, n := p.Field, p.Field.H*p.Field.W
	for range p.Settings.Reduced {
		kappa, err := p.wienerMean(ctx)
		if err != nil {
			return err
		}
		p.Data, p.Weights = f.Shear.Clone(), f.Weights.Clone()
		for i := range p.Data.Pix {
			y, x := i%n/f.W, i%f.W
			k := float64(kappa[(y+p.Op.Row)*p.Op.W+x+p.Op.Col])
			one := 1 - math.Min(k, 0.9)
			p.Data.Pix[i] = float32(float64(p.Data.Pix[i]) * one)
			p.Weights.Pix[i] = float32(float64(p.Weights.Pix[i]) / (one * one))
		}
	}
	return nil
}

// wienerMean is the mean of the exact Gaussian posterior on the grid.
func (p *Problem) wienerMean(ctx context.Context) ([]float32, error) {
	before := len(p.close)
	defer func() { // what it took goes back
		for _, f := range p.close[before:] {
			f()
		}
		p.close = p.close[:before]
	}()
	white, prior, err := p.gaussianParts(p.dev, 1)
	if err != nil {
		return nil, err
	}
	k, err := mcmc.NewLatentExact(p.dev, white, prior, mcmc.LatentExactConfig{Data: p.Data, Weights: p.Weights})
	if err != nil {
		return nil, fmt.Errorf("massmap: %w", err)
	}
	defer k.Close()
	out := make([]float32, p.Op.H*p.Op.W)
	for step, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: 1}) {
		if err != nil {
			return nil, err
		}
		step.State.Stream.Download(out, step.State.X)
	}
	return out, nil
}

// Chi2 is Σ w (y − A κ)²/n over the two components of unmasked pixels, for a map on the
// grid.
func (p *Problem) Chi2(kappa []float32) (float64, error) {
	res, err := p.Residual(kappa)
	if err != nil {
		return 0, err
	}
	var sum, n float64
	for i, r := range res.Pix {
		if w := float64(p.Weights.Pix[i]); w > 0 {
			sum += w * float64(r) * float64(r)
			n++
		}
	}
	return sum / n, nil
}

// Residual is y − A κ, 0 where masked, for a map on the grid.
func (p *Problem) Residual(kappa []float32) (solvers.Image, error) {
	out := solvers.NewImage(2, p.Field.H, p.Field.W)
	x, err := p.dev.Alloc(engine.Shape{1, 1, p.Op.H, p.Op.W})
	if err != nil {
		return out, fmt.Errorf("massmap: residual: %w", err)
	}
	defer x.Free()
	y, err := p.dev.Alloc(engine.Shape{1, 2, p.Field.H, p.Field.W})
	if err != nil {
		return out, fmt.Errorf("massmap: residual: %w", err)
	}
	defer y.Free()
	p.stream.Upload(x, kappa)
	p.Op.Forward(p.stream, y, x)
	p.stream.Download(out.Pix, y)
	for i, w := range p.Weights.Pix {
		if w == 0 {
			out.Pix[i] = 0
			continue
		}
		out.Pix[i] = p.Data.Pix[i] - out.Pix[i]
	}
	return out, p.stream.Err()
}

// Close frees what the problem took.
func (p *Problem) Close() {
	for i := len(p.close) - 1; i >= 0; i-- {
		p.close[i]()
	}
	p.close = nil
}
