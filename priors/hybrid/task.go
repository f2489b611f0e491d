package hybrid

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/priors/gaussian"
	"limpid/priors/train"
)

// Source gives maps on a torus. Patch fills dst, side × side, with the map that key
// names; it must be safe to call from several goroutines at once.
type Source interface {
	Patch(dst []float32, side int, key engine.Key)
	About() string
}

// TaskConfig describes what is learned.
type TaskConfig struct {
	UNet  nn.UNetConfig `json:"unet"`
	Side  int           `json:"side"`  // of the maps; default 96
	Batch int           `json:"batch"` // default 4
	Range Range         `json:"range"` // σ is log-uniform in it
	Maps  string        `json:"maps"`  // Source.About
}

// Task is denoising score matching (Vincent 2011) of maps on a torus, at noise levels
// that are log-uniform, one per map. The residual is F − (x₀ − W x)/c.
type Task struct {
	Config TaskConfig
	D      *Denoiser

	s      engine.Stream
	source Source
	power  []float64
	host   []float32

	x0, x, a, r *engine.Tensor // (B, side, side)
	scale       *engine.Tensor // (B) scalars
	spec        *engine.Tensor
	filter      *engine.Tensor // (B, side, side/2+1)
	notes       *engine.Tensor // (B, Features)
}

// NewTask builds network and batches.
func NewTask(dev engine.Device, s engine.Stream, source Source, sp gaussian.Spectrum, c TaskConfig, seed uint64) (*Task, error) {
	if c.Side == 0 {
		c.Side = 96
	}
	if c.Batch == 0 {
		c.Batch = 4
	}
	c.UNet.Edge = engine.Periodic
	c.UNet = Network(c.UNet)
	c.Maps = source.About()
	d, err := NewDenoiser(dev, s, c.UNet, sp, c.Range, engine.NewKey(seed).Fold(train.KeyWeights))
	if err != nil {
		return nil, err
	}
	if c.Side < 8 || c.Batch < 1 || c.Side%d.net.Align() != 0 {
		d.Close()
		return nil, fmt.Errorf("hybrid: batches of %d maps of %d pixels: sides must be multiples of %d", c.Batch, c.Side, d.net.Align())
	}
	t := &Task{Config: c, D: d, s: s, source: source, power: sp.OnGrid(c.Side, c.Side)}
	maps := engine.Shape{c.Batch, c.Side, c.Side}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&t.x0, maps},
		{&t.x, maps},
		{&t.a, maps},
		{&t.r, maps},
		{&t.scale, maps[:1]},
		{&t.spec, maps.Spectrum()},
		{&t.filter, engine.Shape{c.Batch, c.Side, c.Side/2 + 1}},
		{&t.notes, engine.Shape{c.Batch, Features}},
	} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			t.Close()
			return nil, fmt.Errorf("hybrid: %w", err)
		}
	}
	t.host = make([]float32, maps.Len())
	return t, s.Err()
}

// Params are the network's.
func (t *Task) Params() *nn.Params { return t.D.net.Params() }

// Count is the number of pixels of a batch.
func (t *Task) Count() float64 { return float64(t.x.Len()) }

// Describe is the configuration.
func (t *Task) Describe() any { return t.Config }

// Close frees everything.
func (t *Task) Close() {
	t.D.Close()
	for _, x := range []*engine.Tensor{t.x0, t.x, t.a, t.r, t.scale, t.spec, t.filter, t.notes} {
		x.Free()
	}
}

// Fill draws maps, noise levels and noise.
func (t *Task) Fill(key engine.Key) {
	sigmas := make([]float64, t.Config.Batch)
	lo, hi := t.Config.Range.Low, t.Config.Range.High
	for i := range sigmas {
		u := engine.Uniforms(engine.Philox(key.Seed, key.Counter, uint64(i)))[0]
		// spread evenly over the batch: every batch sees the whole range
		sigmas[i] = lo * math.Pow(hi/lo, (float64(i)+float64(u))/float64(len(sigmas)))
	}
	n := t.Config.Side * t.Config.Side
	var wg sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range sigmas {
		room <- struct{}{}
		wg.Go(func() {
			t.source.Patch(t.host[i*n:(i+1)*n], t.Config.Side, key.Fold(uint64(i)))
			<-room
		})
	}
	wg.Wait()
	t.prepare(t.host, sigmas, key.Fold(1<<32))
}

// prepare makes the network's inputs of maps and noise.
func (t *Task) prepare(maps []float32, sigmas []float64, key engine.Key) {
	c := t.Config
	t.s.Upload(t.x0, maps)
	t.s.Normal(t.x, key)
	filter := make([]float32, 0, t.filter.Len())
	var notes, sig, signal, inverse, gain []float32
	for _, sigma := range sigmas {
		for _, p := range t.power {
			filter = append(filter, float32(p/(p+sigma*sigma)))
		}
		notes = append(notes, t.D.Range.Note(sigma)...)
		cc, w := Scales(t.power, c.Side, c.Side, sigma)
		sig, signal = append(sig, float32(sigma)), append(signal, float32(1/w))
		inverse, gain = append(inverse, float32(1/sigma)), append(gain, float32(1/cc))
	}
	t.s.Upload(t.filter, filter)
	t.s.Upload(t.notes, notes)
	by := func(x *engine.Tensor, v []float32) {
		t.s.Upload(t.scale, v)
		t.s.ScaleBy(x, t.scale, nil, x)
	}
	by(t.x, sig)
	t.s.Add(t.x, t.x, t.x0)
	t.s.RFFT2(t.spec, t.x)
	t.s.CScale(t.spec, t.spec, t.filter)
	t.s.IRFFT2(t.a, t.spec)
	t.s.Sub(t.r, t.x, t.a)
	t.s.Sub(t.x0, t.x0, t.a) // the target
	by(t.r, inverse)
	by(t.x0, gain)
	by(t.a, signal)
}

// Loss is F less its target.
func (t *Task) Loss(tape *grad.Tape) *grad.Var {
	img := func(x *engine.Tensor) *grad.Var {
		return tape.Const(x.Reshape(t.Config.Batch, t.Config.Side, t.Config.Side, 1))
	}
	f := t.D.net.Forward(tape, t.D.inputs(tape, img(t.a), img(t.r)), tape.Const(t.notes))
	return tape.Sub(f, img(t.x0))
}
