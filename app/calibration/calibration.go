// Package calibration judges the error bars of a prior, an operator and a sampler taken
// together, by simulation: it draws scenes, observes them, samples posteriors, and asks
// whether the truth lies where the samples say.
package calibration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"limpid/app/training"
	"limpid/engine"
	"limpid/priors/card"
	"limpid/priors/sample"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/operator"
)

// Samplers are the names of the kernels that can be judged.
func Samplers() []string { return []string{"bridge", "moments", "hmc", "langevin", "gibbs"} }

// ErrInvalid marks options that cannot be used.
var ErrInvalid = errors.New("calibration: invalid options")

// Kept is what one pair was: the truth, its data, the draws and their mean, n² pixels each, in units of the noise.
type Kept struct {
	Truth, Data, Mean []float32
	Draws             [][]float32
}

// Truths names a source of true scenes.
type Truths string

const (
	// Simulator draws the scenes that the prior was trained on: prior and sampler are
	// judged together.
	Simulator Truths = "simulator"
	// OfPrior draws them from the learned prior itself, by its reverse process in fine
	// steps: then only the sampler can be wrong (Talts+2018).
	OfPrior Truths = "prior"
)

// Status is how far a calibration is.
type Status struct {
	Pairs   int
	Chi2    float64 // mean over the pairs of the χ² per pixel of draws
	Elapsed time.Duration
}

// rig is a calibration at work.
type rig struct {
	o        Options
	dev      engine.Device
	s        engine.Stream
	sky      *operator.Convolution // truths and their data
	op       *operator.Convolution // of the sampler
	grid     operator.Grid         // of the sampler
	prior    training.Loaded
	sims     *sims.Scenes
	suite    *calibrate.Suite
	faint    *calibrate.Faint // nil: draws are taken as they are
	learn    *calibrate.Faint
	out      *Report
	truthX   *engine.Tensor
	modelY   *engine.Tensor
	dithered *dithered // nil: one image
	colour   *smoothed // nil: pixels' noise is independent
	// at a target resolution: of truths and of draws; nil without
	smoothTruth, smoothDraw *deconv.Smoother
	load                    func(engine.Device, engine.Stream) (deconv.LearnedPrior, error)
}

// Run calibrates; status is told of every pair. A cancelled run gives the report of the
// pairs so far with ctx's error.
func Run(ctx context.Context, dev engine.Device, o Options, status func(Status)) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &rig{o: o, dev: dev, s: dev.NewStream()}
	if err := r.open(); err != nil {
		r.close()
		return nil, err
	}
	defer r.close()
	began := time.Now()
	for i := range o.Pairs {
		if err = r.pair(ctx, engine.NewKey(o.Seed).Fold(uint64(i))); err != nil {
			break
		}
		if status != nil {
			status(Status{Pairs: i + 1, Chi2: r.out.Chi2 / float64(i+1), Elapsed: time.Since(began)})
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	r.out.Seconds = time.Since(began).Seconds()
	if fin := r.out.finish(r.suite); fin != nil && err == nil {
		err = fin
	}
	return r.out, err
}

func (r *rig) open() error {
	entry, err := training.Find(r.o.Prior)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if entry.Card.Kind != card.Score {
		return fmt.Errorf("%w: the prior %q is of the kind %q; images are calibrated", ErrInvalid, r.o.Prior, entry.Card.Kind)
	}
	if entry.Card.Centred && !r.o.Single {
		return fmt.Errorf("%w: the prior %q knows one galaxy in the middle of a stamp: add --single", ErrInvalid, r.o.Prior)
	}
	r.load = func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) { return entry.Load(dev, s) }
	if r.prior, err = entry.Load(r.dev, r.s); err != nil {
		return err
	}
	align := r.prior.Align()
	full := operator.NewGrid(1, r.o.Side, r.o.Side, r.o.PSF.H, r.o.PSF.W).Aligned(align)
	if r.sky, err = operator.NewConvolutionOn(r.dev, r.s, r.o.PSF, full, 1); err != nil {
		return err
	}
	r.grid = deconv.GridOf(deconv.Learned, 1, r.o.Side, r.o.Side, r.o.PSF.H, r.o.PSF.W).Aligned(align)
	if r.op, err = operator.NewConvolutionOn(r.dev, r.s, r.o.PSF, r.grid, r.batch()); err != nil {
		return err
	}
	if r.sims, err = sims.NewScenes(sims.SceneConfig{Single: r.o.Single, MinPixel: r.o.Pixel, MaxPixel: r.o.Pixel}); err != nil {
		return err
	}
	if r.truthX, err = r.dev.Alloc(append(engine.Shape{1}, full.Domain()...)); err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	if r.modelY, err = r.dev.Alloc(append(engine.Shape{1}, r.grid.Range()...)); err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	if r.o.Exposures > 0 {
		if r.dithered, err = newDithered(r.dev, r.s, r.o.PSF, full, r.o.Exposures); err != nil {
			return err
		}
	}
	if r.o.Correlated > 0 {
		r.colour = newSmoothed(r.o.Correlated)
	}
	if fwhm := r.o.Resolution; fwhm > 0 {
		if r.smoothTruth, err = deconv.NewSmoother(r.dev, r.s, full, fwhm); err != nil {
			return err
		}
		if r.smoothDraw, err = deconv.NewSmoother(r.dev, r.s, r.grid, fwhm); err != nil {
			return err
		}
	}
	if r.o.Learn {
		r.learn = calibrate.NewFaint(entry.Name, entry.Card.Steps)
	} else if r.o.Recalibrate {
		if r.faint, err = Faint(entry); err != nil {
			return err
		}
		if r.faint == nil {
			return fmt.Errorf("%w: no table of faint pixels was measured with the prior %q: calibrate --learn does", ErrInvalid, r.o.Prior)
		}
	}
	of := functionals(r.o.Side - 2*r.o.Margin)
	if r.o.Single {
		of = append(of, shapes(r.o.Side-2*r.o.Margin)...)
	}
	r.suite = calibrate.NewSuite(calibrate.Options{Functionals: of, Precision: precision})
	r.out = newReport(r.o, entry)
	r.out.Faint = r.learn
	if r.faint != nil {
		r.out.FaintPairs = r.faint.Pairs
	}
	return nil
}

// batch is how many draws advance together: all of a truth's where scenes are small.
func (r *rig) batch() int {
	n := deconv.BatchOf(r.grid.Domain())
	if n == deconv.MostDraws {
		n = 2 * n
	}
	return min(n, r.o.Draws)
}

func (r *rig) close() {
	if r.prior != nil {
		r.prior.Close()
	}
	for _, op := range []*operator.Convolution{r.sky, r.op} {
		if op != nil {
			op.Close()
		}
	}
	r.truthX.Free()
	r.modelY.Free()
	r.dithered.close()
	r.smoothTruth.Close()
	r.smoothDraw.Close()
}

// pair simulates one truth and its data, and samples the posterior.
func (r *rig) pair(ctx context.Context, key engine.Key) error {
	n := r.o.Side
	scene, data, err := r.seen(ctx, key.Fold(1))
	if err != nil {
		return err
	}
	rng := sims.Rand(key.Fold(2))
	obs, scale, err := r.observation(data, r.measured(scene, data), rng)
	if err != nil {
		return err
	}
	if r.smoothTruth != nil {
		if err := r.smoothTruth.Smooth(scene); err != nil {
			return err
		}
	}
	truth := r.sky.Crop(scene)
	for i := range truth {
		truth[i] *= scale
	}
	var beside *placed
	if r.o.Star {
		p := place(obs.Data.Pix, n, r.o.Margin, r.o.PSF, r.out.Pairs%2 == 0, rng)
		p.addTo(obs)
		beside = &p
	}
	draws, chi2, err := r.draws(ctx, obs, beside, key)
	if err != nil {
		return err
	}
	for i, scene := range draws {
		if r.smoothDraw != nil {
			if err := r.smoothDraw.Smooth(scene); err != nil {
				return err
			}
		}
		draws[i] = r.grid.Crop(scene)
	}
	if r.faint != nil {
		r.faint.MapDraws(draws, func(i int) float64 { return float64(obs.Weights.Pix[i]) }) // the noise is 1 where it was observed
	}
	if r.o.Keep != nil {
		r.o.Keep(Kept{Truth: truth, Data: obs.Data.Pix, Mean: average(draws), Draws: draws})
	}
	truth = inner(truth, n, r.o.Margin)
	for i := range draws {
		draws[i] = inner(draws[i], n, r.o.Margin)
	}
	if r.learn != nil {
		if err := r.learn.Add(calibrate.Pair{Truth: truth, Draws: draws}); err != nil {
			return err
		}
	}
	r.out.add(truth, draws, chi2)
	return r.suite.Add(calibrate.Pair{Truth: truth, Draws: draws}, key.Fold(4))
}

// draws samples by the calibration's walk, or by that of results where there is more than one image of
// independent pixels.
func (r *rig) draws(ctx context.Context, obs *solvers.Observation, beside *placed, key engine.Key) ([][]float32, float64, error) {
	if obs.Colour == nil && obs.Exposures == nil && beside == nil {
		return r.sample(ctx, obs, key.Fold(3))
	}
	return r.asResults(ctx, obs, beside, key)
}

// average is the mean of the draws.
func average(draws [][]float32) []float32 {
	out := make([]float32, len(draws[0]))
	for i := range out {
		var sum float64
		for _, d := range draws {
			sum += float64(d[i])
		}
		out[i] = float32(sum / float64(len(draws)))
	}
	return out
}

// inner is an image of n² pixels without m at every border.
func inner(im []float32, n, m int) []float32 {
	out := make([]float32, 0, (n-2*m)*(n-2*m))
	for y := m; y < n-m; y++ {
		out = append(out, im[y*n+m:y*n+n-m]...)
	}
	return out
}

// truth leaves a scene in truthX, and returns it.
func (r *rig) truth(ctx context.Context, key engine.Key) ([]float32, error) {
	g := r.sky.Grid
	scene := make([]float32, g.H*g.W)
	if r.o.Truths == OfPrior {
		c := sample.Config{Start: training.FreeStart, End: training.FreeEnd, Key: key}
		if err := sample.Draw(ctx, r.dev, r.s, r.prior, r.truthX, c); err != nil {
			return nil, fmt.Errorf("calibration: truth: %w", err)
		}
		r.s.Download(scene, r.truthX)
		return scene, r.s.Err()
	}
	side := max(g.H, g.W)
	patch := make([]float32, side*side)
	r.sims.Patch(patch, side, key)
	for y := range g.H {
		copy(scene[y*g.W:(y+1)*g.W], patch[y*side:y*side+g.W])
	}
	r.s.Upload(r.truthX, scene)
	return scene, r.s.Err()
}

// walk is the configuration of a walk for an observation.
func (r *rig) walk(obs *solvers.Observation) (anneal.Config, error) {
	spectrum, err := deconv.FitSpectrum(r.dev, obs, 0)
	if err != nil {
		return anneal.Config{}, err
	}
	cfg := anneal.Config{
		Op: r.op, Data: obs.Data, Weights: obs.Weights, Prior: r.prior, Stream: r.s, NoPreview: true,
		Power: spectrum.OnGrid(r.grid.H, r.grid.W), Gain: r.op.Power(r.s),
		Batch: r.batch(), Levels: r.o.Levels, Moves: r.o.Moves, SigmaMin: r.o.SigmaMin,
		Patches: true,
	}
	_, cfg.Probes = r.o.Budget.Walk()
	start, end := deconv.LearnedWalk(cfg.Power, obs.Weights)
	cfg.SigmaMax = start
	if cfg.SigmaMin == 0 {
		cfg.SigmaMin = end
	}
	return cfg, nil
}

// sample draws scenes on the grid from the posterior.
func (r *rig) sample(ctx context.Context, obs *solvers.Observation, key engine.Key) (draws [][]float32, chi2 float64, err error) {
	cfg, err := r.walk(obs)
	if err != nil {
		return nil, 0, err
	}
	k, err := kernel(r.dev, r.o.Sampler, cfg)
	if err != nil {
		return nil, 0, err
	}
	defer k.Close()
	var acc, moves float64
	for step, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: math.MaxInt, Seed: key.Seed}) {
		if err != nil {
			return nil, 0, err
		}
		if step.Info.Acceptance > 0 {
			acc, moves = acc+step.Info.Acceptance, moves+1
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		for i := range step.State.Count {
			x := step.State.X.Slice(i, i+1)
			r.op.Forward(r.s, r.modelY, x)
			model, scene := make([]float32, r.grid.ImgH*r.grid.ImgW), make([]float32, r.grid.H*r.grid.W)
			r.s.Download(model, r.modelY)
			r.s.Download(scene, x)
			chi2 += misfit(obs, model)
			draws = append(draws, scene)
		}
		if len(draws) >= r.o.Draws {
			break
		}
	}
	chi2 /= float64(len(draws))
	r.out.Acceptance += acc / math.Max(moves, 1)
	return draws[:r.o.Draws], chi2, nil
}

func misfit(o *solvers.Observation, model []float32) float64 {
	var sum, n float64
	for i, w := range o.Weights.Pix {
		if w > 0 {
			d := float64(o.Data.Pix[i] - model[i])
			sum, n = sum+float64(w)*d*d, n+1
		}
	}
	return sum / n
}

// kernel makes a sampler by name.
func kernel(dev engine.Device, name string, cfg anneal.Config) (solvers.Kernel, error) {
	switch name {
	case "bridge":
		return anneal.NewBridge(dev, cfg)
	case "moments":
		return anneal.NewMoments(dev, cfg)
	case "hmc":
		return anneal.NewHMC(dev, cfg)
	case "langevin":
		return anneal.NewLangevin(dev, cfg)
	case "gibbs":
		return anneal.NewGibbs(dev, cfg)
	}
	return nil, fmt.Errorf("%w: sampler %q is not one of %v", ErrInvalid, name, Samplers())
}
