// Package training is the use case of a user's own prior: simulations or a folder of
// images in, weights with a model card out. The command line and the window share it.
package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"limpid"
	"limpid/engine"
	"limpid/priors/train"
)

// Options say what to learn and how. Zero values mean defaults.
type Options struct {
	Sims string // galaxies, galaxies-small, kappa or kappa-lognormal
	Data string // or a folder of FITS images
	// Noise is the rms of the noise in the images of Data, in their unit; 0: none.
	Noise float64

	// Kind is "" for a prior, or mean or median for a network that predicts scenes seen
	// through a Gaussian point spread of FWHM pixels; mean of kappa predicts convergence
	// behind a field of shear.
	Kind string
	FWHM float64

	Name, About, Validity string

	Channels []int // of the network's levels; default 16, 32, 64
	Blocks   int   // residual blocks per level; default 1
	Side     int
	Batch    int
	Train    train.Config

	Out   string // weights
	State string // default Out + ".state"
	Init  string // weights to start from
	Fresh bool   // do not resume
	// Save is how often the state is written; default two minutes.
	Save time.Duration
	// Look is how often, in steps, held-out scenes are looked at; default 200. After
	// Patience looks without an improvement of .1 % the training ends; 0: never.
	Look     int
	Patience int
	// Command is written to the model card.
	Command string
}

// StateFile is where the state of a training is kept.
func (o Options) StateFile() string {
	if o.State != "" {
		return o.State
	}
	return o.Out + ".state"
}

// Resuming is o for a second try of a training that began at a time and failed: it goes
// on from what the first saved, if it did.
func (o Options) Resuming(began time.Time) Options {
	if st, err := os.Stat(o.StateFile()); err == nil && st.ModTime().After(began) {
		o.Fresh = false
	}
	return o
}

// Point is the loss at a step; HeldOut is 0 where it was not looked at.
type Point struct {
	Step    int     `json:"step"`
	Loss    float64 `json:"loss"`
	HeldOut float64 `json:"held_out,omitempty"`
}

// Status is how a training stands.
type Status struct {
	Point
	Steps     int
	PerSecond float64
	Resumed   int // the step it was resumed at
	Findings  []limpid.Finding
	Saved     string // the file that was just written
}

// ErrPaused is returned when the context ends: the state is saved, and the same
// options go on where it stopped.
var ErrPaused = errors.New("training: paused; the same command goes on")

// progress is what a state remembers beside the weights.
type progress struct {
	Curve   []Point       `json:"curve"`
	Stopper train.Stopper `json:"stopper"`
	History []string      `json:"history"`
}

// curvePoints is how many points of the curve a state keeps.
const curvePoints = 2000

// run is a training under way.
type run struct {
	o      Options
	job    *job
	t      *train.Trainer
	past   progress
	saved  time.Time
	status func(Status)
	began  time.Time
	first  int
}

// Run trains until all steps are made, the held-out loss ceases to fall, or ctx ends,
// and writes the weights. status hears of every step.
func Run(ctx context.Context, dev engine.Device, o Options, status func(Status)) error {
	o.State = o.StateFile()
	if o.Save == 0 {
		o.Save = 2 * time.Minute
	}
	if o.Look == 0 {
		o.Look = 200
	}
	j, err := newJob(ctx, dev, o)
	if err != nil {
		return err
	}
	defer j.close()
	r := &run{o: o, job: j, status: status, saved: time.Now(), began: time.Now()}
	r.past.Stopper = train.Stopper{Patience: o.Patience, Least: 1e-3}
	if r.t, err = train.New(dev, j.s, j.task, o.Train); err != nil {
		return err
	}
	defer r.t.Close()
	if err := r.start(); err != nil {
		return err
	}
	if err := r.loop(ctx); err != nil {
		return err
	}
	return r.finish(ctx)
}

// start resumes, or starts from weights.
func (r *run) start() error {
	_, err := os.Stat(r.o.State)
	switch {
	case err == nil && !r.o.Fresh:
		text, err := r.t.Resume(r.o.State)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &r.past); err != nil && text != "" {
			return fmt.Errorf("training: %s: its progress cannot be read: %w", r.o.State, err)
		}
		r.past.Stopper.Patience = r.o.Patience
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("training: %w", err)
	case r.o.Init != "":
		if err := r.job.warmStart(r.t, r.o.Init); err != nil {
			return err
		}
	}
	if n := len(r.past.History); !r.t.Done() && (n == 0 || r.past.History[n-1] != r.o.Command) {
		r.past.History = append(r.past.History, r.o.Command)
	}
	r.first = r.t.Steps()
	r.status(Status{Point: Point{Step: r.first}, Steps: r.o.Train.Steps, Resumed: r.first, Findings: r.job.findings})
	return nil
}

func (r *run) loop(ctx context.Context) error {
	for !r.t.Done() {
		loss, err := r.t.Step(ctx)
		if ctx.Err() != nil {
			if err := r.save(); err != nil {
				return err
			}
			return ErrPaused
		}
		if err != nil {
			return err
		}
		stop, err := r.look(ctx, loss)
		if err != nil {
			return err
		}
		if time.Since(r.saved) > r.o.Save {
			if err := r.save(); err != nil {
				return err
			}
		}
		if stop {
			break
		}
	}
	return r.save()
}

// look notes a step and, now and then, measures held-out scenes.
func (r *run) look(ctx context.Context, loss float64) (stop bool, err error) {
	p := Point{Step: r.t.Steps(), Loss: loss}
	if p.Step%r.o.Look == 0 || r.t.Done() {
		if p.HeldOut, err = r.t.HeldOut(ctx, heldOutBatches); err != nil && ctx.Err() == nil {
			return false, err
		}
		_, stop = r.past.Stopper.Look(p.HeldOut)
	}
	r.past.Curve = append(r.past.Curve, p)
	if len(r.past.Curve) > curvePoints {
		r.past.thin()
	}
	n := float64(p.Step - r.first)
	r.status(Status{Point: p, Steps: r.t.Config.Steps, PerSecond: n / time.Since(r.began).Seconds(), Resumed: r.first})
	return stop, nil
}

// heldOutBatches are looked at each time.
const heldOutBatches = 8

// thin drops every other point without a look.
func (p *progress) thin() {
	kept := p.Curve[:0]
	for i, c := range p.Curve {
		if c.HeldOut != 0 || i%2 == 0 {
			kept = append(kept, c)
		}
	}
	p.Curve = kept
}

func (r *run) save() error {
	text, err := json.Marshal(r.past)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if err := r.t.Save(r.o.State, string(text)); err != nil {
		return err
	}
	r.saved = time.Now()
	r.status(Status{Point: Point{Step: r.t.Steps()}, Steps: r.t.Config.Steps, Saved: r.o.State})
	return nil
}

// finish measures the prior and writes the weights.
func (r *run) finish(ctx context.Context) error {
	c := r.job.card
	c.Name, c.About, c.Validity = r.o.Name, r.o.About, r.o.Validity
	c.Trained, c.Seed, c.Steps = r.past.History, r.t.Config.Seed, r.t.Steps()
	loss, err := r.t.HeldOut(ctx, 4*heldOutBatches)
	if err != nil {
		return err
	}
	c.Loss = loss
	if err := r.t.Averaged(func() error { return r.job.measure(ctx, &c) }); err != nil {
		return err
	}
	if err := r.t.SaveAverage(r.o.Out, c.Metadata()); err != nil {
		return err
	}
	if err := os.WriteFile(r.o.Out+".md", []byte(Markdown(c)), 0o644); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	r.status(Status{Point: Point{Step: r.t.Steps(), HeldOut: loss}, Steps: r.t.Config.Steps, Saved: r.o.Out})
	return nil
}
