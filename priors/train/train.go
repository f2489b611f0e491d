// Package train moves the weights of a network: steps that can be repeated bit by
// bit, averages, states that survive being killed, early stopping. What is learned is
// a Task, made by the packages of priors.
package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
)

// Task is something to learn. It belongs to one goroutine.
type Task interface {
	Params() *nn.Params
	// Fill makes the batch of a key.
	Fill(key engine.Key)
	// Loss runs the network on the batch and returns residuals (batch, …) whose mean
	// square, the sum of squares over Count, is the loss.
	Loss(t *grad.Tape) *grad.Var
	Count() float64
	// Describe is what must be the same when a training is resumed; it is written as
	// JSON.
	Describe() any
}

// Holder is a Task whose held-out scenes come from elsewhere.
type Holder interface{ Hold(on bool) }

// Config says how to learn.
type Config struct {
	// Steps in all. The rate rises over Warm steps, stays, and falls linearly to 0 over
	// the last Cooldown steps (Hägele+2024): a training may be resumed with other numbers
	// of steps, as long as the rate does not jump.
	Steps    int     `json:"steps"`
	Warm     int     `json:"warm"`     // default 200, at most a tenth of Steps
	Cooldown int     `json:"cooldown"` // default a quarter of Steps
	Rate     float64 `json:"rate"`     // default 2e-3
	Average  float64 `json:"average"`  // decay of the average of the weights; default .999
	Clip     float64 `json:"clip"`     // largest norm of the gradient; default 1
	Seed     uint64  `json:"seed"`
}

func (c Config) withDefaults() Config {
	if c.Warm == 0 {
		c.Warm = min(200, c.Steps/10+1)
	}
	if c.Cooldown == 0 {
		c.Cooldown = c.Steps / 4
	}
	for _, d := range []struct {
		v *float64
		d float64
	}{{&c.Rate, 2e-3}, {&c.Average, 0.999}, {&c.Clip, 1}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	return c
}

// rate of a step from 1 on.
func (c Config) rate(step int) float64 {
	left := float64(c.Steps-step+1) / float64(max(c.Cooldown, 1))
	return c.Rate * max(0, min(1, float64(step)/float64(max(c.Warm, 1)), left))
}

// Trainer trains a task. It is used by one goroutine.
type Trainer struct {
	Config Config
	Task   Task

	dev  engine.Device
	s    engine.Stream
	tape *grad.Tape
	opt  *nn.AdamW
	num  *engine.Tensor // sums of squares (batch)
	seed *engine.Tensor
	swap []*engine.Tensor // the weights while the average is in their place
}

// Streams of keys: what a seed is used for.
const (
	KeyWeights = 1 // initial weights
	keyBatches = 2
	keyHeldOut = 3
)

// New prepares a training. s is the stream that the task's network works on.
func New(dev engine.Device, s engine.Stream, task Task, c Config) (*Trainer, error) {
	c = c.withDefaults()
	if c.Steps <= 0 || c.Cooldown > c.Steps || !(c.Rate > 0) || !(c.Average >= 0 && c.Average < 1) {
		return nil, fmt.Errorf("train: %d steps, %d of them cooling down, at the rate %g, average %g: makes no sense", c.Steps, c.Cooldown, c.Rate, c.Average)
	}
	t := &Trainer{Config: c, Task: task, dev: dev, s: s, tape: grad.New(dev, s)}
	var err error
	if t.opt, err = nn.NewAdamW(task.Params(), c.rate); err != nil {
		t.Close()
		return nil, fmt.Errorf("train: %w", err)
	}
	t.opt.Clip, t.opt.EMA = c.Clip, c.Average
	return t, nil
}

// Steps is how many steps were made.
func (t *Trainer) Steps() int { return t.opt.Steps() }

// Done says whether all steps were made.
func (t *Trainer) Done() bool { return t.Steps() >= t.Config.Steps }

// loss runs the task on its batch.
func (t *Trainer) loss(mode grad.Mode) (r *grad.Var, loss float64, err error) {
	t.tape.Reset(mode)
	r = t.Task.Loss(t.tape)
	if err := t.tape.Err(); err != nil {
		return nil, 0, err
	}
	b := r.Shape()[0]
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&t.num, engine.Shape{b}}, {&t.seed, r.Shape()}} {
		if *a.t != nil && (*a.t).Shape().Equal(a.shape) {
			continue
		}
		(*a.t).Free()
		if *a.t, err = t.dev.Alloc(a.shape); err != nil {
			*a.t = nil
			return nil, 0, err
		}
	}
	t.s.Dot(t.num, r.Value(), r.Value())
	sums := make([]float32, b)
	t.s.Download(sums, t.num)
	for _, v := range sums {
		loss += float64(v) / t.Task.Count()
	}
	return r, loss, t.s.Err()
}

// Step makes one step and returns the loss of its batch.
func (t *Trainer) Step(ctx context.Context) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t.Task.Fill(engine.NewKey(t.Config.Seed).Fold(keyBatches).Fold(uint64(t.Steps())))
	r, loss, err := t.loss(grad.Train)
	if err != nil {
		return 0, fmt.Errorf("train: step %d: %w", t.Steps()+1, err)
	}
	t.s.Scale(t.seed, float32(2/t.Task.Count()), r.Value())
	t.tape.Backward(r, t.seed)
	if _, err := t.opt.Step(ctx, t.tape); err != nil {
		return loss, fmt.Errorf("train: step %d: %w", t.Steps()+1, err)
	}
	return loss, t.tape.Err()
}

// Averaged runs f with the averaged weights in the network.
func (t *Trainer) Averaged(f func() error) error {
	list := t.Task.Params().All()
	if t.swap == nil {
		for _, p := range list {
			x, err := t.dev.Alloc(p.Value.Shape())
			if err != nil {
				return fmt.Errorf("train: %w", err)
			}
			t.swap = append(t.swap, x)
		}
	}
	for i, p := range list {
		t.s.Copy(t.swap[i], p.Value)
		t.s.Copy(p.Value, t.opt.Average()[i])
	}
	err := f()
	for i, p := range list {
		t.s.Copy(p.Value, t.swap[i])
	}
	return err
}

// HeldOut is the loss of the averaged weights on batches that are never trained on.
func (t *Trainer) HeldOut(ctx context.Context, batches int) (loss float64, err error) {
	if h, ok := t.Task.(Holder); ok {
		h.Hold(true)
		defer h.Hold(false)
	}
	err = t.Averaged(func() error {
		for i := range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			t.Task.Fill(engine.NewKey(t.Config.Seed).Fold(keyHeldOut).Fold(uint64(i)))
			_, l, err := t.loss(grad.Forward)
			if err != nil {
				return fmt.Errorf("train: held-out scenes: %w", err)
			}
			loss += l / float64(batches)
		}
		return nil
	})
	return loss, err
}

// keys of a state's metadata.
const (
	configKey = "limpid.training"
	taskKey   = "limpid.task"
	extraKey  = "limpid.progress"
)

// Save writes everything needed to go on, beside the file's name first and then
// renamed, so that a kill leaves the old state or the new one. progress is the
// caller's.
func (t *Trainer) Save(path, progress string) error {
	config, err := json.Marshal(t.Config)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	task, err := json.Marshal(t.Task.Describe())
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	part := path + ".part"
	if err := t.opt.SaveTraining(part, map[string]string{configKey: string(config), taskKey: string(task), extraKey: progress}); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// continuous is how much, in units of the full rate, the rate may jump where a training
// is resumed with another number of steps.
const continuous = 0.02

// Resume reads what Save wrote for the same task, rate and seed, and returns the
// caller's progress.
func (t *Trainer) Resume(path string) (string, error) {
	f, done, err := nn.OpenFile(path)
	if err != nil {
		return "", fmt.Errorf("train: %w", err)
	}
	meta := f.Metadata
	done()
	task, _ := json.Marshal(t.Task.Describe())
	if meta[taskKey] != string(task) {
		return "", fmt.Errorf("train: resume: %s was made for another task: %s, now %s", path, meta[taskKey], task)
	}
	var old Config
	if err := json.Unmarshal([]byte(meta[configKey]), &old); err != nil {
		return "", fmt.Errorf("train: resume: %s holds no training: %w", path, err)
	}
	now := t.Config
	now.Steps, now.Cooldown, now.Warm = old.Steps, old.Cooldown, old.Warm
	if now != old {
		return "", fmt.Errorf("train: resume: %s was made with another configuration: %+v, now %+v", path, old, t.Config)
	}
	if _, err := t.opt.LoadTraining(path); err != nil {
		return "", fmt.Errorf("train: resume: %w", err)
	}
	if next := t.Steps() + 1; math.Abs(t.Config.rate(next)-old.rate(next)) > continuous*old.Rate {
		return "", fmt.Errorf("train: resume: %s is at step %d of %d and its rate has begun to fall: it can be carried to its end, or be given steps and a cooldown with the same rate here", path, t.Steps(), old.Steps)
	}
	return meta[extraKey], nil
}

// SaveAverage writes the averaged weights.
func (t *Trainer) SaveAverage(path string, metadata map[string]string) error {
	part := path + ".part"
	if err := t.opt.SaveAverage(part, metadata); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// LoadWeights starts from the weights of a file. Where a kernel of the file takes fewer
// channels in, the others start at 0: the network does at first what it did.
func (t *Trainer) LoadWeights(f *safetensors.File) error {
	list := t.Task.Params().All()
	values := make([][]float32, len(list))
	for i, p := range list {
		e, ok := f.Lookup(p.Name)
		if !ok {
			return fmt.Errorf("train: no tensor %q: the weights of another network", p.Name)
		}
		v, err := f.Float32(e)
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		if values[i], ok = widened(v, e.Shape, p.Value.Shape()); !ok {
			return fmt.Errorf("train: tensor %q has the shape %v, the network wants %v", p.Name, e.Shape, p.Value.Shape())
		}
	}
	for i, p := range list {
		t.s.Upload(p.Value, values[i])
		t.s.Copy(t.opt.Average()[i], p.Value)
	}
	return t.s.Err()
}

// widened pads a kernel (k, k, c, n) with zeros to more channels in.
func widened(v []float32, have, want engine.Shape) ([]float32, bool) {
	if have.Equal(want) {
		return v, true
	}
	if len(have) != 4 || len(want) != 4 || have[0] != want[0] || have[1] != want[1] || have[3] != want[3] || have[2] > want[2] {
		return nil, false
	}
	out := make([]float32, want.Len())
	row, wide := have[2]*have[3], want[2]*want[3]
	for k := range have[0] * have[1] {
		copy(out[k*wide:], v[k*row:(k+1)*row])
	}
	return out, true
}

// Close frees the optimiser; the task is the caller's.
func (t *Trainer) Close() {
	t.tape.Close()
	if t.opt != nil {
		t.opt.Free()
	}
	for _, x := range append(t.swap, t.num, t.seed) {
		x.Free()
	}
}

// Stopper ends a training that has ceased to improve (Prechelt 1998).
type Stopper struct {
	Patience int     // looks without a better loss; 0: never stop
	Least    float64 // relative improvement that counts
	Best     float64
	Since    int
	Looks    int
}

// Look takes a held-out loss and says whether it is the best so far and whether to
// stop.
func (s *Stopper) Look(loss float64) (best, stop bool) {
	s.Looks++
	if s.Looks == 1 || loss < s.Best*(1-s.Least) || math.IsNaN(s.Best) {
		s.Best, s.Since = loss, 0
		return true, false
	}
	s.Since++
	return false, s.Patience > 0 && s.Since >= s.Patience
}
