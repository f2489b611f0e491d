package preview

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/priors/gaussian"
	"limpid/priors/hybrid"
	"limpid/priors/sims"
	"limpid/priors/train"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/operator"
)

// TaskConfig describes what is learned.
type TaskConfig struct {
	UNet  nn.UNetConfig `json:"unet"`
	Side  int           `json:"side"`  // of the maps; default 96
	Batch int           `json:"batch"` // default 4
	Range hybrid.Range  `json:"range"` // of σ, log-uniform in it
	Maps  string        `json:"maps"`  // Source.About
}

// maskedShare is what an error counts where there are no data.
const maskedShare = 0.2

// wienerTol is the relative residual of the Wiener maps that are learned from.
const wienerTol = 1e-4

// Task learns a Net by the ℓ2 loss: simulated maps on a torus are seen through their
// shear, with masks and numbers of galaxies drawn anew for every map. The residual is
// F − (κ − w)/c.
type Task struct {
	Config TaskConfig
	Net    *nn.UNet

	dev    engine.Device
	s      engine.Stream
	source hybrid.Source
	power  []float64

	op, white     *operator.Shear
	prior         *gaussian.Prior
	scene, image  *engine.Tensor // (1, 1, side, side), (1, 2, side, side)
	noise         *engine.Tensor
	x, want, mask *engine.Tensor // (B, side, side, …)
	notes         *engine.Tensor
	failed        error
}

var _ train.Task = (*Task)(nil)

// NewTask builds network and batches. s is the stream that the network works on.
func NewTask(dev engine.Device, s engine.Stream, source hybrid.Source, sp gaussian.Spectrum, c TaskConfig, seed uint64) (*Task, error) {
	if c.Side == 0 {
		c.Side = 96
	}
	if c.Batch == 0 {
		c.Batch = 4
	}
	c.UNet, c.Maps = network(c.UNet), source.About()
	if !(c.Range.Low > 0 && c.Range.High > c.Range.Low) {
		return nil, fmt.Errorf("preview: noise from %g to %g", c.Range.Low, c.Range.High)
	}
	net, err := nn.NewUNet(nn.NewParams(dev, s, engine.NewKey(seed).Fold(train.KeyWeights)), c.UNet)
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	t := &Task{Config: c, Net: net, dev: dev, s: s, source: source}
	if c.Side < 16 || c.Side != operator.GoodSize(c.Side) || c.Batch < 1 || c.Side%net.Align() != 0 {
		t.Close()
		return nil, fmt.Errorf("preview: batches of %d maps of %d pixels: sides must be multiples of %d without prime factors above 5", c.Batch, c.Side, net.Align())
	}
	t.power = sp.OnGrid(c.Side, c.Side)
	if err := t.allocate(sp); err != nil {
		t.Close()
		return nil, fmt.Errorf("preview: %w", err)
	}
	return t, s.Err()
}

func (t *Task) allocate(sp gaussian.Spectrum) error {
	c := t.Config
	grid := operator.ShearGrid(c.Side, c.Side, 0)
	var err error
	if t.op, err = operator.NewShear(t.dev, t.s, grid, 1); err != nil {
		return err
	}
	if t.white, err = operator.NewShear(t.dev, t.s, grid, 1); err != nil {
		return err
	}
	root := make([]float32, len(t.power))
	for i, p := range t.power {
		root[i] = float32(math.Sqrt(p))
	}
	t.white.SetRoot(t.s, root)
	if t.prior, err = gaussian.New(t.dev, t.s, []gaussian.Spectrum{sp}, t.op.Domain(), 1); err != nil {
		return err
	}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&t.scene, engine.Shape{1, 1, c.Side, c.Side}},
		{&t.image, engine.Shape{1, 2, c.Side, c.Side}},
		{&t.noise, engine.Shape{1, 2, c.Side, c.Side}},
		{&t.x, engine.Shape{c.Batch, c.Side, c.Side, channels}},
		{&t.want, engine.Shape{c.Batch, c.Side, c.Side, 1}},
		{&t.mask, engine.Shape{c.Batch, c.Side, c.Side, 1}},
		{&t.notes, engine.Shape{c.Batch, hybrid.Features}},
	} {
		if *a.t, err = t.dev.Alloc(a.shape); err != nil {
			return err
		}
	}
	return nil
}

// Params are the network's.
func (t *Task) Params() *nn.Params { return t.Net.Params() }

// Count is the number of pixels of a batch.
func (t *Task) Count() float64 { return float64(t.want.Len()) }

// Describe is the configuration.
func (t *Task) Describe() any { return t.Config }

// Err is the first failure to simulate: memory as a rule.
func (t *Task) Err() error { return t.failed }

// Fill draws maps, fields and their Wiener maps.
func (t *Task) Fill(key engine.Key) {
	c := t.Config
	n := c.Side * c.Side
	maps := make([]float32, c.Batch*n)
	var wg sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range c.Batch {
		room <- struct{}{}
		wg.Go(func() {
			t.source.Patch(maps[i*n:(i+1)*n], c.Side, key.Fold(uint64(i)))
			<-room
		})
	}
	wg.Wait()
	x, want, mask := make([]float32, t.x.Len()), make([]float32, t.want.Len()), make([]float32, t.mask.Len())
	var notes []float32
	for i := range c.Batch {
		rng := sims.Rand(key.Fold(1 << 32).Fold(uint64(i)))
		// spread evenly over the batch: every batch sees the whole range
		u := (float64(i) + rng.Float64()) / float64(c.Batch)
		kappa := maps[i*n : (i+1)*n]
		weight := observe(rng, c.Side, c.Range.Low*math.Pow(c.Range.High/c.Range.Low, u))
		m, err := t.look(kappa, weight, key.Fold(2<<32).Fold(uint64(i)))
		if err != nil && t.failed == nil {
			t.failed = err
		}
		sigma := m.Sigma()
		gain := m.inputs(x[i*n*channels:(i+1)*n*channels], t.power, sigma)
		for p := range kappa {
			at := i*n + p
			if mask[at] = 1; weight[p] == 0 {
				mask[at] = maskedShare
			}
			want[at] = (kappa[p] - m.Wiener[p]) / float32(gain)
		}
		notes = append(notes, c.Range.Note(sigma)...)
	}
	t.s.Upload(t.x, x)
	t.s.Upload(t.want, want)
	t.s.Upload(t.mask, mask)
	t.s.Upload(t.notes, notes)
}

// look observes a map with noise and gives what the network is to see.
func (t *Task) look(kappa, weight []float32, key engine.Key) (Maps, error) {
	side := t.Config.Side
	n := side * side
	m := Maps{H: side, W: side, Wiener: make([]float32, n), Residual: make([]float32, n), Weight: weight}
	y, eps := solvers.NewImage(2, side, side), make([]float32, 2*n)
	w := solvers.NewImage(2, side, side)
	t.s.Upload(t.scene, kappa)
	t.op.Forward(t.s, t.image, t.scene)
	t.s.Normal(t.noise, key)
	t.s.Download(y.Pix, t.image)
	t.s.Download(eps, t.noise)
	for i := range y.Pix {
		q := weight[i%n]
		if w.Pix[i] = q; q == 0 {
			y.Pix[i] = 0
			continue
		}
		y.Pix[i] += eps[i] / float32(math.Sqrt(float64(q)))
	}
	k, err := mcmc.NewLatentExact(t.dev, t.white, t.prior, mcmc.LatentExactConfig{Data: y, Weights: w, MeanTol: wienerTol})
	if err != nil {
		return m, fmt.Errorf("preview: %w", err)
	}
	defer k.Close()
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 1}) {
		if err != nil {
			return m, fmt.Errorf("preview: %w", err)
		}
		step.State.Stream.Download(m.Wiener, step.State.X)
	}
	return m, ResidualOf(t.s, t.op, m, y, w, t.scene, t.image)
}

// ResidualOf fills m.Residual on the operator's grid; x and y are scratch tensors of a
// scene and an image.
func ResidualOf(s engine.Stream, op *operator.Shear, m Maps, data, weights solvers.Image, x, y *engine.Tensor) error {
	s.Upload(x, m.Wiener)
	op.Forward(s, y, x)
	model := make([]float32, len(data.Pix))
	s.Download(model, y)
	for i, v := range model {
		model[i] = weights.Pix[i] * (data.Pix[i] - v)
	}
	s.Upload(y, model)
	op.Adjoint(s, x, y)
	s.Download(m.Residual, x)
	return s.Err()
}

// observe draws the inverse variances of a field: numbers of galaxies that vary by chance
// and with the depth, holes about stars, and borders; sigma is the noise of a pixel with
// as many galaxies as the mean.
func observe(rng *rand.Rand, side int, sigma float64) []float32 {
	n := side * side
	w := make([]float32, n)
	base := 1 / (sigma * sigma)
	uniform := rng.Float64() < 0.2
	mean := 2 * math.Pow(15, rng.Float64()) // galaxies per pixel: 2 to 30
	depth, phase, turn := 0.4*rng.Float64(), 2*math.Pi*rng.Float64(), 2*math.Pi*rng.Float64()
	for i := range w {
		if uniform {
			w[i] = float32(base)
			continue
		}
		along := float64(i%side)*math.Cos(turn) + float64(i/side)*math.Sin(turn)
		here := mean * (1 + depth*math.Sin(2*math.Pi*along/float64(side)+phase))
		w[i] = float32(base * poisson(rng, here) / mean)
	}
	if rng.Float64() < 0.15 {
		return w
	}
	for range int(rng.ExpFloat64() * float64(n) / 1500) { // stars
		cx, cy, r := rng.Float64()*float64(side), rng.Float64()*float64(side), 0.7+1.2*rng.ExpFloat64()
		for i := range w {
			if math.Hypot(float64(i%side)-cx, float64(i/side)-cy) < r {
				w[i] = 0
			}
		}
	}
	if rng.Float64() < 0.7 { // the field ends
		tilt := (rng.Float64() - 0.5) * math.Pi / 4
		for k := range 1 + rng.IntN(4) {
			s, c := math.Sincos(tilt + float64(k)*math.Pi/2)
			from := float64(side) * (0.5 - 0.3*rng.Float64())
			for i := range w {
				if (float64(i%side)-float64(side)/2)*c+(float64(i/side)-float64(side)/2)*s > from {
					w[i] = 0
				}
			}
		}
	}
	return w
}

// poisson draws a number of mean m, by Knuth's product for small m.
func poisson(rng *rand.Rand, m float64) float64 {
	if m > 60 {
		return math.Max(0, math.Round(m+math.Sqrt(m)*rng.NormFloat64()))
	}
	end, p, k := math.Exp(-m), 1.0, -1.0
	for p > end || k < 0 {
		p *= rng.Float64()
		k++
	}
	return k
}

// Loss is F less its target.
func (t *Task) Loss(tape *grad.Tape) *grad.Var {
	f := t.Net.Forward(tape, tape.Const(t.x), tape.Const(t.notes))
	return tape.Mul(tape.Sub(f, tape.Const(t.want)), tape.Const(t.mask))
}

// Close frees everything.
func (t *Task) Close() {
	t.Net.Params().Free()
	for _, op := range []*operator.Shear{t.op, t.white} {
		if op != nil {
			op.Close()
		}
	}
	if t.prior != nil {
		t.prior.Close()
	}
	for _, x := range []*engine.Tensor{t.scene, t.image, t.noise, t.x, t.want, t.mask, t.notes} {
		x.Free()
	}
}
