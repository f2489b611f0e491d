package lens

import (
	"context"
	"fmt"
	"math"
	"time"

	"limpid"
	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/gaussian/theory"
	"limpid/solvers"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
	"limpid/solvers/summary"
)

// Job is a field and what to do with it.
type Job struct {
	Field    *massmap.Field
	Settings massmap.Settings
	Samples  int
	Seed     uint64
	Peaks    measure.PeakOptions
	// Smoothing of the E and B modes that are shown and tested, arcmin; default 1.
	Smoothing float64
	Rotations int // of the null tests; default 50; negative: none
}

// Progress tells how far a job is.
type Progress struct {
	Phase       string // "mapping", "testing"
	Done, Total int
	// Mean is the map so far, (H, W); nil before there is one. It is not changed later.
	Mean []float32
	// Sample is the newest draw, for animation; nil for estimates.
	Sample []float32
}

// Result of a job. Maps are (H, W).
type Result struct {
	Job         Job
	Mean, Std   []float32 // Std nil without samples
	SN          []float32
	Samples     [][]float32
	E, B        []float32 // Kaiser–Squires modes, smoothed
	Peaks       []measure.Peak
	Null        *measure.Null
	Spectrum    measure.Band
	OnePoint    measure.Band
	Aperture    *measure.Aperture // nil: not asked for
	Profile     *measure.Band     // nil: not asked for
	Recovery    *Recovery         // nil: no halo was injected
	Overlay     *Overlay          // nil: nothing is laid over the map
	Chi2        float64           // per component of the mean map; NaN where unknown
	Chi2Draws   float64           // of single draws: 1 if prior and noise are right; NaN without
	Acceptance  float64
	Convergence summary.Convergence
	Findings    []limpid.Finding
	References  []string
	Seconds     float64
}

// Theory is the spectrum of κ for a flat ΛCDM (Planck 2015 where c is zero) and sources.
func Theory(c theory.Cosmology, src theory.Sources, arcmin float64) (gaussian.Spectrum, error) {
	if c == (theory.Cosmology{}) {
		c = theory.Planck2015()
	}
	p, err := theory.NewPower(c)
	if err != nil {
		return gaussian.Spectrum{}, fmt.Errorf("lens: %w: %w", err, massmap.ErrSetting)
	}
	return theory.NewKappa(p, src, false).Spectrum(arcmin, true)
}

// leakyB is the excess power of the B mode, in σ, that a mask alone was seen to make of a
// field full of lensing (1.7 to 3.7), and a bit.
const leakyB = 5

// Map carries a job out. tell may be nil; it is called from this goroutine.
func Map(ctx context.Context, dev engine.Device, j Job, tell func(Progress)) (*Result, error) {
	began := time.Now()
	if j.Smoothing == 0 {
		j.Smoothing = 1
	}
	if j.Rotations == 0 {
		j.Rotations = 50
	}
	if j.Samples == 0 {
		j.Samples = 64
	}
	if tell == nil {
		tell = func(Progress) {}
	}
	if j.Samples < 2 && j.Settings.Method.Samples() {
		return nil, fmt.Errorf("lens: %d samples: at least 2: %w", j.Samples, massmap.ErrSetting)
	}
	p, err := massmap.New(ctx, dev, j.Field, j.Settings)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	j.Settings = p.Settings
	r := &Result{Job: j, Chi2: math.NaN(), Chi2Draws: math.NaN()}
	if err := r.iterate(ctx, p, tell); err != nil {
		return nil, err
	}
	r.Findings = append(append(r.Findings, j.Field.Findings...), p.Findings...)
	r.References = p.Kernel.References()
	tell(Progress{Phase: "testing", Done: j.Samples, Total: j.Samples, Mean: r.Mean})
	if err := r.measure(ctx, dev); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

func (r *Result) iterate(ctx context.Context, p *massmap.Problem, tell func(Progress)) error {
	j := r.Job
	draws := j.Settings.Method.Samples()
	sum := summary.New(p.Op.Grid, summary.Options{Keep: j.Samples, Chains: max(1, p.Settings.Chains)})
	var accept, trajectories float64
	chis := 0
	for step, err := range solvers.Run(ctx, p.Kernel, nil, solvers.Options{Steps: math.MaxInt, Seed: j.Seed}) {
		if err != nil {
			return err
		}
		if step.State.Kind == solvers.Draw {
			step.State.Count = min(step.State.Count, j.Samples-sum.Draws())
			accept, trajectories = accept+step.Info.Acceptance, trajectories+1
			var err error
			if chis, err = r.addChi2(p, step, sum.Draws(), chis); err != nil {
				return err
			}
		}
		if err := sum.Add(step); err != nil {
			return fmt.Errorf("lens: %w", err)
		}
		r.report(sum, step, tell)
		if draws && sum.Draws() >= j.Samples {
			break
		}
	}
	r.Mean = sum.Mean().Pix
	grid := sum.GridMean()
	if m := p.Mean(); m != nil {
		grid = m
		r.Mean = p.Crop(m)
	}
	if std := sum.Std(); !std.Empty() {
		r.Std = std.Pix
		r.SN = make([]float32, len(r.Mean))
		zero := measure.Mean(j.Field, r.Mean)
		for i, s := range r.Std {
			if s > 0 {
				r.SN[i] = (r.Mean[i] - float32(zero)) / s
			}
		}
	}
	for _, s := range sum.Samples() {
		r.Samples = append(r.Samples, s.Pix)
	}
	r.Convergence = sum.Convergence()
	if trajectories > 0 {
		r.Acceptance = accept / trajectories
	}
	var err error
	r.Chi2, err = p.Chi2(grid)
	return err
}

// chiDraws is how many draws χ² is averaged over, spread over the run.
const chiDraws = 16

// addChi2 takes a draw into the mean χ² of draws, of which n went before; it returns how
// many there are now.
func (r *Result) addChi2(p *massmap.Problem, step solvers.Step, before, n int) (int, error) {
	if before%max(1, r.Job.Samples/chiDraws) >= step.State.Count && n > 0 {
		return n, nil
	}
	x := make([]float32, p.Op.H*p.Op.W)
	step.State.Stream.Download(x, step.State.X.Slice(0, 1))
	c, err := p.Chi2(x)
	if n == 0 {
		r.Chi2Draws = 0
	}
	r.Chi2Draws += (c - r.Chi2Draws) / float64(n+1)
	return n + 1, err
}

func (r *Result) report(sum *summary.Summary, step solvers.Step, tell func(Progress)) {
	pr := Progress{Phase: "mapping", Done: sum.Draws(), Total: r.Job.Samples}
	if step.State.Kind != solvers.Warmup {
		pr.Mean = sum.Mean().Pix
		if s := sum.Samples(); len(s) > 0 {
			pr.Sample = s[len(s)-1].Pix
		}
	}
	tell(pr)
}

// measure fills what is derived of the map.
func (r *Result) measure(ctx context.Context, dev engine.Device) error {
	f := r.Job.Field
	var err error
	if r.E, r.B, err = massmap.EB(dev, f, massmap.DefaultPad(f.H, f.W), r.Job.Smoothing); err != nil {
		return err
	}
	if r.Job.Rotations > 0 {
		n, err := measure.NullTests(ctx, dev, f, r.Job.Smoothing, r.Job.Rotations, r.Job.Seed)
		if err != nil {
			return err
		}
		r.Null = &n
		if math.Abs(n.SigmaB) > leakyB && n.SigmaB > n.SigmaE/4 {
			r.Findings = append(r.Findings, limpid.Finding{
				Severity: limpid.Warning, Code: "shear.bmode", Where: "shear",
				What:   fmt.Sprintf("the B mode has %.1f σ more power than noise, the E mode %.1f σ: lensing makes none", n.SigmaB, n.SigmaE),
				Advice: "check the signs of the components (limpid-cli massmap --check), then the shapes",
			})
		}
	}
	opt := r.Job.Peaks
	if len(r.Samples) < 2 && opt.Noise == 0 {
		var ss, n float64
		for i, v := range r.B {
			if !f.Masked(i) {
				ss, n = ss+float64(v)*float64(v), n+1
			}
		}
		opt.Noise = math.Sqrt(ss / n) // of the B mode
	}
	if r.Peaks, err = measure.Peaks(f, r.Mean, r.Samples, opt); err != nil {
		return err
	}
	if r.Spectrum, err = measure.PowerSpectrum(f, r.Mean, r.Samples); err != nil {
		return err
	}
	r.OnePoint, err = measure.Distribution(f, r.Mean, r.Samples, -0.1, 0.3, 80)
	return err
}
