package deconv

import (
	"context"
	"fmt"
	"math"

	"limpid"
	"limpid/engine"
	"limpid/priors"
	"limpid/priors/starlet"
	"limpid/priors/tv"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// Method names how the scene is inferred.
type Method string

// The methods there are.
const (
	// Gaussian is the exact posterior under a Gaussian prior: mean and samples.
	Gaussian Method = "gaussian"
	// Learned samples the posterior under a prior learned from simulations.
	Learned Method = "learned"
	// Wiener is the mean of Gaussian alone.
	Wiener Method = "wiener"
	// RichardsonLucy, Starlet and TV are estimates without uncertainty.
	RichardsonLucy Method = "rl"
	Starlet        Method = "starlet"
	TV             Method = "tv"
)

// About describes a method.
type About struct {
	Method   Method
	Title    string // for a list
	Short    string // names a result
	Samples  bool   // it draws from a posterior: error bars
	Spectrum bool   // it uses a power spectrum as its prior
	Iterates bool   // Settings.Iterations counts
}

// Methods lists them, as they stand in lists: posteriors first.
func Methods() []About {
	return []About{
		{Gaussian, "exact posterior, Gaussian prior", "Posterior", true, true, false},
		{Learned, "posterior, learned prior", "Posterior, learned prior", true, false, false},
		{Wiener, "Wiener filter (no uncertainty)", "Wiener", false, true, false},
		{Starlet, "sparse starlets (no uncertainty)", "Starlets", false, false, true},
		{TV, "total variation (no uncertainty)", "Total variation", false, false, true},
		{RichardsonLucy, "Richardson–Lucy (no uncertainty)", "Richardson–Lucy", false, false, true},
	}
}

// About is the method's description; ok is false for one there is not.
func (m Method) About() (a About, ok bool) {
	for _, a := range Methods() {
		if a.Method == m {
			return a, true
		}
	}
	return About{}, false
}

// Budget says how long sampling may take.
type Budget string

// Quick is for a look, with fewer levels; Publication has twice those of Standard. Error bars of
// all three are calibrated (docs/adr/0034).
const (
	Quick       Budget = "quick"
	Standard    Budget = ""
	Publication Budget = "publication"
)

// Name is what a user calls it.
func (b Budget) Name() string {
	if b == Standard {
		return "standard"
	}
	return string(b)
}

// Budgets lists them.
func Budgets() []Budget { return []Budget{Quick, Standard, Publication} }

// Walk is how many levels of noise a walk with a learned prior has, and how many draws its
// local covariance is measured on (0: as many as the sampler likes).
func (b Budget) Walk() (levels, probes int) {
	switch b {
	case Quick:
		return 14, 2
	case Publication:
		return 2 * learnedLevels, 0
	}
	return learnedLevels, 0
}

// LearnedPrior is a prior that is a network.
type LearnedPrior interface {
	priors.Prior
	Align() int // what the sides of a grid must be multiples of
	Err() error // the first failure of its own work
	Close()
}

// Settings of a deconvolution.
type Settings struct {
	Method Method
	// Spectra are the prior's power spectra per band; nil: fitted to the data.
	Spectra []Spectrum
	// Iterations of the iterating methods, at most. Of Richardson–Lucy: damping
	// threshold in σ (0: none), and whether to stop when the residual reaches the
	// noise.
	Iterations  int
	Damping     float64
	StopAtNoise bool
	// Strength is λ of Richardson–Lucy with total variation (0: none), the threshold
	// of Starlet in σ (0: 3, and 4 at the finest scale), and λ of TV in σ (0: chosen
	// by the least estimated risk).
	Strength float64
	// Load makes the learned prior for a stream.
	Load   func(dev engine.Device, s engine.Stream) (LearnedPrior, error)
	Budget Budget
	// Tile is the side in pixels of the tiles that an image is worked in; 0: one grid for
	// the whole image. For methods that can: see Tiles.
	Tile int
	// FreeSky leaves a pedestal free in every band, or in every exposure; Stars are point sources beside the
	// scene, their places known to StarError (0: DefaultStarError): see Method.Beside.
	FreeSky   bool
	Stars     []Star
	StarError float64 // px, 1 σ
	Seed      uint64  // of their draws
}

// Default iterations of the methods that iterate.
const (
	lucyIterations = 50
	proxIterations = 200
)

// StepsAtMost is how many steps an iterating method makes.
func (s Settings) StepsAtMost() int {
	switch {
	case s.Method == Wiener:
		return 1
	case s.Iterations > 0:
		return s.Iterations
	case s.Method == RichardsonLucy:
		return lucyIterations
	}
	return proxIterations
}

// MostDraws is the largest of BatchOf.
const MostDraws = 16

// BatchOf is how many draws of a learned prior advance together: enough for their
// spread to shape the moves, fewer where scenes are large.
func BatchOf(domain engine.Shape) int {
	const pixels = 1 << 19
	return min(max(pixels/domain.Len(), 2), MostDraws)
}

// GridOf is the grid that a method works on for c × h × w pixels and a PSF of ph × pw,
// before the alignment that a network asks for.
func GridOf(m Method, c, h, w, ph, pw int) operator.Grid {
	if m == Learned {
		return operator.NewFrameGrid(c, h, w, ph, pw)
	}
	return operator.NewGrid(c, h, w, ph, pw)
}

// Memory estimates the bytes a run of c × h × w pixels with a PSF of ph × pw
// takes on the device.
func Memory(m Method, c, h, w, ph, pw int) int64 {
	g := GridOf(m, c, h, w, ph, pw)
	real := int64(g.C) * int64(g.H) * int64(g.W) * 4
	switch m {
	case RichardsonLucy:
		return 20 * real
	case TV:
		return 30 * real
	case Starlet:
		return real * int64(20+5*starletScales(g))
	case Learned:
		// per draw: scenes, images and spectra of anneal; once: activations of a
		// network with 16 channels at full resolution
		return real * (int64(BatchOf(g.Domain()))*40 + 432)
	}
	batch := int64(mcmc.DrawsPerStep(g.Domain()))
	// per draw: 4 scenes, 2 spectra, 4 of conjugate gradients; per band: images
	// and filters of mcmc.Exact, and the operator's own
	return real * (batch*10 + 18)
}

// learned makes the sampler with a learned prior.
func (p *Problem) learned(ctx context.Context, set Settings) error {
	if set.Load == nil {
		return fmt.Errorf("deconv: no learned prior was given")
	}
	prior, err := set.Load(p.dev, p.stream)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, prior.Close)
	d, psf := p.Obs.Data, p.Obs.PSF
	grid := GridOf(Learned, d.C, d.H, d.W, psf.H, psf.W).Aligned(prior.Align())
	p.draws = BatchOf(grid.Domain())
	if err := p.convolve(grid, p.draws); err != nil {
		return err
	}
	if err := p.newBeside(ctx, set); err != nil {
		return err
	}
	if err := p.pilots(ctx, set, prior); err != nil {
		return err
	}
	k, err := p.bridge(set, prior, p.draws)
	if err != nil {
		return err
	}
	p.Kernel = k
	return p.misfit.init(p)
}

// bridge makes the sampler on the whole grid, for batch draws at a time.
func (p *Problem) bridge(set Settings, prior LearnedPrior, batch int) (*anneal.Bridge, error) {
	cfg := p.walk(set, prior, p.kernelOp(), p.Grid, p.Obs)
	cfg.Data, cfg.Weights, cfg.Columns, cfg.Batch = p.kernelData(), p.kernelWeights(), p.columns(), batch
	k, err := anneal.NewBridge(p.dev, cfg)
	if err != nil {
		return nil, fmt.Errorf("deconv: %w", err)
	}
	return k, nil
}

// walk configures the sampler of a learned prior for o, all of what was observed or a part
// of it; the noise levels are those of all.
func (p *Problem) walk(set Settings, prior LearnedPrior, op operator.Powered, grid operator.Grid, o *solvers.Observation) anneal.Config {
	cfg := anneal.Config{
		Op: op, Data: o.Data, Weights: o.Weights, Prior: prior, Gain: op.Power(p.stream),
		Batch: p.draws, Stream: p.stream, Patches: true,
	}
	for _, sp := range p.Spectra {
		cfg.Power = append(cfg.Power, sp.OnGrid(grid.H, grid.W)...)
	}
	cfg.SigmaMax, cfg.SigmaMin = LearnedWalk(cfg.Power, p.effective())
	cfg.Moves = LearnedMoves
	cfg.Levels, cfg.Probes = set.Budget.Walk()
	return cfg
}

// learnedLevels and LearnedMoves are those of a learned prior. Moves at the end, which mend what closed-form
// priors leave, do not help: on single galaxies of S/N 200 draws that began at the truth
// were, after 800 leapfrogs, a fifth to a half as wide as those of the walk.
const (
	learnedLevels = 18
	LearnedMoves  = -1
)

// learnedTop is where a walk begins, in units of the scene's rms: draws of the Gaussian
// posterior, which have the data's light already, under noise of that.
const learnedTop = 12

// LearnedWalk is the noise levels that a walk with a learned prior begins and ends at. The
// end is the data's noise, or a fourth of the scene's rms where that is less (docs/adr/0033).
func LearnedWalk(power []float64, weights solvers.Image) (start, end float64) {
	var mean, top float64
	for _, p := range power {
		mean += p / float64(len(power))
	}
	for _, w := range weights.Pix {
		top = math.Max(top, float64(w))
	}
	rms := math.Sqrt(mean)
	return learnedTop * rms, math.Min(1/math.Sqrt(top), 0.25*rms)
}

// starletScales keeps the coarsest scale within a fourth of the grid.
func starletScales(g operator.Grid) int {
	return max(2, min(5, int(math.Log2(float64(min(g.H, g.W))))-2))
}

// Thresholds of starlets in units of the noise of a coefficient of the gradient
// (Starck & Murtagh: 3 to 5; the finest scale holds little of a blurred scene).
const (
	starletK       = 3.0
	starletFinestK = 4.0
	innerProx      = 12 // iterations of the dual per step; it starts from the last one
)

// starlet makes the estimate that is sparse in starlets and positive.
func (p *Problem) starlet(set Settings) error {
	scales := starletScales(p.Grid)
	prior, err := starlet.New(p.dev, p.stream, p.Op.Domain(), 1, starlet.Options{Scales: scales, Positive: true, Iterations: innerProx, Warm: true})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, prior.Close)
	k := make([]float64, scales)
	for j := range k {
		k[j] = starletK
		if set.Strength > 0 {
			k[j] = set.Strength
		}
	}
	if set.Strength == 0 {
		k[0] = starletFinestK
	}
	if err := p.setThresholds(prior, k); err != nil {
		return err
	}
	p.Findings = append(p.Findings, estimateFinding("sparse starlets"))
	return p.fista(prior, prior.References())
}

// setThresholds gives every scale k times the noise of its coefficients of Aᵀ N⁻¹ n.
func (p *Problem) setThresholds(prior *starlet.Prior, k []float64) error {
	g := p.Grid
	var err error
	alloc := func(shape engine.Shape) *engine.Tensor {
		if err != nil {
			return nil
		}
		var t *engine.Tensor
		t, err = p.dev.Alloc(shape)
		return t
	}
	sigma := alloc(append(engine.Shape{prior.Scales + 1}, g.Domain()...))
	defer sigma.Free()
	w := alloc(g.Domain())
	defer w.Free()
	conj := alloc(g.Domain().Spectrum())
	defer conj.Free()
	if err != nil {
		return fmt.Errorf("deconv: thresholds: %w", err)
	}
	host := make([]float32, conj.Len())
	p.stream.Download(host, p.conv.Transfer)
	for i := 1; i < len(host); i += 2 {
		host[i] = -host[i]
	}
	p.stream.Upload(conj, host)
	p.stream.Upload(w, g.Embed(p.Obs.Weights).Pix)
	if err := prior.NoiseMaps(p.dev, p.stream, sigma, w, conj); err != nil {
		return err
	}
	return prior.SetThresholds(p.stream, k, sigma)
}

func (p *Problem) fista(prior priors.Proxer, refs []string) error {
	k, err := optim.NewFISTA(p.dev, p.kernelOp(), optim.FISTAConfig{Data: p.kernelData(), Weights: p.kernelWeights(), Prior: prior, References: refs, Stream: p.stream})
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Kernel = k
	return nil
}

// totalVariation makes the estimate of least total variation, λ in units of the noise
// of a pixel of AᵀN⁻¹n.
func (p *Problem) totalVariation(ctx context.Context, set Settings) error {
	strength := set.Strength
	if strength == 0 {
		var err error
		if strength, err = p.leastRisk(ctx); err != nil {
			return err
		}
	}
	prior, err := p.tvPrior(strength)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, prior.Close)
	p.Strength = strength
	p.Findings = append(p.Findings, estimateFinding("total variation"))
	return p.fista(prior, prior.References())
}

func (p *Problem) tvPrior(strength float64) (*tv.Prior, error) {
	gain := p.kernelOp().Power(p.stream)
	modes := len(gain) / p.Obs.Data.C
	lambda := make([]float64, p.Obs.Data.C)
	for c := range lambda {
		var h2 float64
		for _, v := range gain[c*modes : (c+1)*modes] {
			h2 += v / float64(modes)
		}
		lambda[c] = strength * math.Sqrt(h2*meanWeight(p.kernelWeights().Plane(c)))
	}
	return tv.New(p.dev, p.stream, lambda, p.Op.Domain(), 1, tv.Options{Positive: true, Iterations: innerProx, Warm: true})
}

func estimateFinding(name string) limpid.Finding {
	return limpid.Finding{
		Severity: limpid.Info, Code: "method.estimate", Where: "method",
		What:   name + " gives one estimate, the mode of its posterior, without an uncertainty",
		Advice: "use a posterior method for error bars",
	}
}

// The strengths of total variation that are tried, and how.
const (
	riskIterations = 60
	riskStep       = 0.1 // of the noise
)

var riskStrengths = []float64{0.1, 0.2, 0.4, 0.8, 1.6, 3.2}

// leastRisk is the strength of total variation with the least estimated error of the
// blurred scene (Stein's unbiased risk estimate, its divergence from one probe:
// Ramani+2008, eq. 12–14), refined by a parabola in ln λ:
//
//	R = Σ w (y − A x̂)² + 2 bᵀ√w A (x̂(y + ε b/√w) − x̂(y))/ε.
func (p *Problem) leastRisk(ctx context.Context) (float64, error) {
	var risks []float64
	best := 0
	for i, strength := range riskStrengths {
		r, err := p.risk(ctx, strength)
		if err != nil {
			return 0, err
		}
		risks = append(risks, r)
		if r < risks[best] {
			best = i
		}
	}
	at := math.Log(riskStrengths[best])
	if best > 0 && best+1 < len(risks) {
		a, b, c := risks[best-1], risks[best], risks[best+1]
		if curve := a - 2*b + c; curve > 0 {
			at += 0.5 * (a - c) / curve * math.Ln2
		}
	}
	return math.Exp(at), nil
}

func (p *Problem) risk(ctx context.Context, strength float64) (float64, error) {
	prior, err := p.tvPrior(strength)
	if err != nil {
		return 0, err
	}
	defer prior.Close()
	k, err := optim.NewFISTA(p.dev, p.kernelOp(), optim.FISTAConfig{Data: p.kernelData(), Weights: p.kernelWeights(), Prior: prior, Stream: p.stream, Tol: 1e-4})
	if err != nil {
		return 0, fmt.Errorf("deconv: %w", err)
	}
	defer k.Close()
	data, weights := p.kernelData().Pix, p.kernelWeights().Pix
	moved := make([]float32, len(data))
	for i, v := range data {
		moved[i] = v
		if weights[i] > 0 {
			moved[i] += float32(riskStep * probeSign(i) / math.Sqrt(float64(weights[i])))
		}
	}
	var models [2][]float32
	for i, y := range [][]float32{data, moved} {
		k.SetData(y)
		for step, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: riskIterations}) {
			if err != nil {
				return 0, err
			}
			_ = step
		}
		if models[i], err = p.kernelModel(k.Estimate().Reshape(p.Op.Domain()...)); err != nil {
			return 0, err
		}
	}
	var r float64
	for i, w := range weights {
		root := math.Sqrt(float64(w))
		d := root * float64(data[i]-models[0][i])
		r += d*d + 2*probeSign(i)*root*float64(models[1][i]-models[0][i])/riskStep
	}
	return r, nil
}

// probeSign is ±1, the same for every strength so that risks compare.
func probeSign(i int) float64 {
	return float64(int(engine.Philox(0x5eed, 7, uint64(i))[0]&1)*2 - 1)
}
