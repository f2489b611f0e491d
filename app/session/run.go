package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"limpid/app/recipe"
	"limpid/app/training"
	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
	"limpid/solvers/summary"
)

// Run is one recipe being carried out. Its methods are safe for concurrent use.
type Run struct {
	ID     int
	Recipe recipe.Recipe // as given

	s      *Session
	cancel context.CancelCauseFunc
	done   chan struct{}
	start  time.Time

	from *State // it goes on from; nil: from the beginning

	mu     sync.Mutex
	rev    int
	status Status
	result *Result
	err    error
	state  *State
}

func newRun(s *Session, id int, r recipe.Recipe, cancel context.CancelCauseFunc) *Run {
	return &Run{
		ID: id, Recipe: r, s: s, cancel: cancel, done: make(chan struct{}), start: time.Now(),
		status: Status{Phase: PhaseReading, Left: -1, Chi2: math.NaN(), RHat: math.NaN()},
	}
}

// Cancel stops the run at its next step; what was computed stays in Result.
func (r *Run) Cancel() { r.cancel(ErrCancelled) }

// Wait blocks until the run has ended and returns its error: nil when complete,
// ErrCancelled when it was cancelled.
func (r *Run) Wait() error {
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Done is closed when the run has ended.
func (r *Run) Done() <-chan struct{} { return r.done }

// Status is how far the run is.
func (r *Run) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.status
	if st.Phase != PhaseFinished && st.Phase != PhaseCanceled && st.Phase != PhaseFailed {
		st.Elapsed = time.Since(r.start)
	}
	return st
}

// Result is the latest snapshot, nil before the first; it never changes once
// given out.
func (r *Run) Result() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

// Err is the error the run ended with, nil while it runs.
func (r *Run) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Run) update(kind EventKind, change func(*Status)) {
	r.mu.Lock()
	if change != nil {
		change(&r.status)
	}
	r.rev++
	rev := r.rev
	r.mu.Unlock()
	r.s.publish(Event{Kind: kind, Run: r, Rev: rev})
}

// loop carries the recipe out and ends the run.
func (r *Run) loop(ctx context.Context) {
	r.update(Started, nil)
	err := r.carryOut(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = ErrCancelled
	}
	phase := PhaseFinished
	switch {
	case errors.Is(err, ErrCancelled):
		phase = PhaseCanceled
	case err != nil:
		phase = PhaseFailed
	}
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	r.update(Progress, func(s *Status) {
		s.Phase, s.Left, s.Elapsed = phase, 0, time.Since(r.start)
	})
	close(r.done)
	r.update(Ended, nil)
}

// work is what one run holds while it computes.
type work struct {
	obs      *Observed
	set      deconv.Settings
	prior    training.Entry // that was learned
	faint    *calibrate.Faint
	dev      engine.Device
	problem  *deconv.Problem
	sum      *summary.Summary
	total    int       // samples or iterations
	keep     int       // samples
	had      int       // samples at the first step
	began    time.Time // of the first step
	lastSnap time.Time
	snapCost time.Duration
	progress
}

func (r *Run) carryOut(ctx context.Context) error {
	o, err := r.s.Observe(ctx, r.Recipe)
	if err != nil {
		return err
	}
	set, known, err := r.settings(ctx, o)
	if err != nil {
		return err
	}
	w := &work{obs: o, set: set, prior: known, dev: r.s.dev, total: r.Recipe.Draw.Samples}
	if err = w.findFaint(); err != nil {
		return err
	}
	w.draws = r.draws()
	if w.keep = w.total; !w.draws {
		w.total, w.keep = set.StepsAtMost(), 0
	}
	if err := r.checkMemory(w); err != nil {
		return err
	}
	o.Recipe.Method.Tile = w.set.Tile
	r.update(Progress, func(s *Status) { s.Phase, s.Total = PhaseFitting, w.total })
	if set.Load != nil {
		other := append(unlike(w.dev, set.Load, w.prior.Card, o.Obs), noStamp(w.prior, o.Obs)...)
		other = append(other, ofScale(w.prior, o.Obs.Frame.PixelScale, r.Recipe.Input.Scale > 1)...)
		w.findings = append(w.findings, calibrated(w.prior, o.Obs, r.Recipe.Method, w.set, other))
		w.findings = append(w.findings, other...)
	}
	defer func() {
		if w.problem != nil {
			w.problem.Close()
		}
	}()
	if err = r.compute(ctx, w); err != nil && ctx.Err() == nil && deviceFailed(err) && r.s.spare(w.dev) != nil {
		to := r.s.spare(w.dev)
		w.findings = append(w.findings, moved(err, w.dev, to, w.next))
		w.dev = to
		err = r.compute(ctx, w)
	}
	r.keepState(w, err == nil)
	if err != nil && w.sum != nil && (w.sum.Draws() > 0 || !w.sum.Mean().Empty()) {
		_ = r.snapshot(w, false) // keep what is there; err says why it ended
	}
	return err
}

// compute runs the problem on w.dev, from the beginning or from where another device
// failed.
func (r *Run) compute(ctx context.Context, w *work) error {
	p, err := deconv.New(ctx, w.dev, w.obs.Obs, w.set)
	if err != nil {
		return err
	}
	if w.problem != nil {
		p.Adopt(w.problem)
		w.problem.Close()
	}
	w.problem, w.set.Spectra = p, p.Spectra
	if w.sum == nil {
		opt := r.summaryOptions(w.keep)
		if fwhm := r.Recipe.Method.Resolution; fwhm > 0 {
			opt.Smooth = func(scene []float32, draw int) error { return w.problem.Show(scene, fwhm, draw) }
		}
		w.sum = summary.New(p.Grid, opt)
		if r.from != nil {
			if err := w.adopt(r.from); err != nil {
				return err
			}
		}
	}
	if err := r.iterate(ctx, w); err != nil {
		return err
	}
	return r.snapshot(w, true)
}

func (r *Run) summaryOptions(keep int) summary.Options {
	o := summary.Options{Keep: keep, Chains: recipe.Chains}
	if r.Recipe.Method.Resolution > 0 {
		o.Smooth = func([]float32, int) error { return nil } // counts in Memory
	}
	return o
}

// draws says whether the run samples a posterior; else it gives one estimate.
func (r *Run) draws() bool {
	a, _ := r.Recipe.Method.Kind.About()
	return a.Samples
}

// settings turns the recipe's method and prior into the solver's.
func (r *Run) settings(ctx context.Context, o *Observed) (deconv.Settings, training.Entry, error) {
	m, p := r.Recipe.Method, r.Recipe.Prior
	stars, sigma := o.stars()
	set := deconv.Settings{
		Method: m.Kind, Iterations: m.Iterations, Damping: m.Damping, StopAtNoise: m.StopAtNoise,
		Strength: m.Strength, Budget: m.Budget,
		FreeSky: r.Recipe.Sky.Free, Stars: stars, StarError: sigma, Seed: r.Recipe.Draw.Seed,
	}
	if m.Kind == deconv.Learned {
		load, known, err := learnedPrior(p)
		set.Load = load
		return set, known, err
	}
	if about, _ := m.Kind.About(); !about.Spectrum || p.Spectrum == "fit" || p.Spectrum == "" {
		return set, training.Entry{}, nil
	}
	k, power := p.K, p.P
	if p.Spectrum == "file" {
		var err error
		if k, power, err = readSpectrum(ctx, p.File); err != nil {
			return set, training.Entry{}, err
		}
	}
	scaled := make([]float64, len(power))
	for i, v := range power {
		scaled[i] = v * o.Scale * o.Scale
	}
	sp, err := gaussian.NewSpectrum(k, scaled)
	if err != nil {
		return set, training.Entry{}, fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
	}
	set.Spectra = []gaussian.Spectrum{sp}
	return set, training.Entry{}, nil
}

// iterate runs the kernel until enough draws or iterations are in.
func (r *Run) iterate(ctx context.Context, w *work) error {
	if k, ok := w.problem.Kernel.(interface{ StepsPerBatch() int }); ok {
		w.batch = k.StepsPerBatch()
	}
	phase, opt := PhaseMean, w.start()
	opt.Seed, opt.Steps = r.Recipe.Draw.Seed, math.MaxInt
	if !w.draws {
		phase, opt.Steps = PhaseIterate, w.total
	}
	w.began, w.had = time.Now(), w.sum.Draws()
	r.update(Progress, func(s *Status) { s.Phase, s.Done = phase, w.had })
	x0, err := w.lastEstimate()
	if err != nil {
		return err
	}
	defer x0.Free()
	for step, err := range solvers.Run(ctx, w.problem.Kernel, x0, opt) {
		if err != nil {
			return err
		}
		last := step.Info.Done || step.Index+1 == opt.Steps
		if !w.draws && !last && !w.due() { // the next estimate replaces this one
			r.report(w, step, opt.First, step.Index+1)
			continue
		}
		if err := w.take(step); err != nil {
			return err
		}
		done := w.sum.Draws()
		if !w.draws {
			done = step.Index + 1
		}
		r.report(w, step, opt.First, done)
		if w.draws && done >= w.total {
			return nil
		}
		if err := r.maybeSnapshot(w); err != nil {
			return err
		}
	}
	return nil
}

// report updates the status after a step.
func (r *Run) report(w *work, step solvers.Step, first, done int) {
	r.update(Progress, func(s *Status) {
		if r.draws() && (step.State.Kind == solvers.Estimate || step.State.Kind == solvers.Preview) {
			s.Phase = PhaseDrawing
			w.began = time.Now() // the mean's time says nothing about a draw's
			return
		}
		s.Done = done
		if w.batch > 0 { // steps of a batch take about the same time, and its draws come at its end
			n := w.problem.DrawsPerBatch()
			steps := (w.total + n - 1) / n * w.batch
			s.Share = min(1, float64(step.Index)/float64(steps))
			if ran := step.Index - first; ran > 0 {
				s.Left = time.Since(w.began) / time.Duration(ran) * time.Duration(max(0, steps-step.Index))
			}
			return
		}
		if drawn := done - w.had; drawn > 0 {
			each := time.Since(w.began) / time.Duration(drawn)
			s.Left = each * time.Duration(w.total-done)
		}
	})
}

// snapshotEvery is the shortest time between snapshots; a snapshot may also take
// no more than a fifth of the time.
const snapshotEvery = 100 * time.Millisecond

func (r *Run) maybeSnapshot(w *work) error {
	if w.sum.Draws() == 0 && w.sum.GridEstimate() == nil {
		return nil // nothing to show yet
	}
	if !w.due() {
		return nil
	}
	return r.snapshot(w, false)
}

// due reports whether it is time for a snapshot.
func (w *work) due() bool {
	since := time.Since(w.lastSnap)
	return since >= snapshotEvery && since >= 5*w.snapCost
}

// snapshot makes a Result of what is there and publishes it.
func (r *Run) snapshot(w *work, complete bool) error {
	began := time.Now()
	res, err := newResult(w, complete)
	if err != nil {
		return err
	}
	res.Device = w.dev.Info().Name
	res.Findings = append(append(res.Findings, r.s.devices.Findings...), w.findings...)
	r.mu.Lock()
	r.result = res
	r.mu.Unlock()
	r.update(Snapshot, func(s *Status) {
		s.Chi2 = res.WorstChi2()
		s.RHat = res.Convergence.RHat
	})
	w.lastSnap = time.Now()
	w.snapCost = w.lastSnap.Sub(began)
	return nil
}

// readSpectrum reads k and P from the first two columns of a CSV or text file.
func readSpectrum(ctx context.Context, path string) (k, p []float64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	rows, err := readNumbers(path)
	if err != nil {
		return nil, nil, err
	}
	for i, row := range rows {
		if len(row) < 2 {
			return nil, nil, fmt.Errorf("%w: %s: row %d has %d columns, needs k (cycles per pixel) and P", recipe.ErrInvalid, path, i+1, len(row))
		}
		k, p = append(k, row[0]), append(p, row[1])
	}
	if len(k) == 0 {
		return nil, nil, fmt.Errorf("%w: %s holds no numbers", recipe.ErrInvalid, path)
	}
	return k, p, nil
}
