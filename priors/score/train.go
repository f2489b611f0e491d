package score

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
)

// Source gives noiseless training scenes. Patch fills dst, side × side, with the
// scene that key names, in any unit; it must be safe to call from several
// goroutines at once.
type Source interface {
	Patch(dst []float32, side int, key engine.Key)
	About() string
}

// TrainConfig describes a training; with the same configuration and seed it gives
// the same weights on any number of workers.
type TrainConfig struct {
	UNet    nn.UNetConfig `json:"unet"`
	Side    int           `json:"side"`   // of the patches; default 64
	Margin  int           `json:"margin"` // pixels along the edges that do not count; default 8
	Batch   int           `json:"batch"`  // default 16
	Steps   int           `json:"steps"`
	Rate    float64       `json:"rate"` // peak learning rate; default 2e-3
	LowSNR  float64       `json:"low_snr"`
	HighSNR float64       `json:"high_snr"` // peak S/N of a scene is log-uniform between these
	// Absolute leaves scenes as the source gives them, in units of the noise.
	Absolute bool   `json:"absolute,omitempty"`
	Seed     uint64 `json:"seed"`
}

// Small is a network of .3 million parameters: a 128² denoising takes tens of
// milliseconds on two cores.
func Small() nn.UNetConfig {
	return nn.UNetConfig{Channels: []int{16, 32, 64}, Blocks: 1, Edge: engine.Periodic}
}

func (c TrainConfig) withDefaults() TrainConfig {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.Side, 64)
	def(&c.Margin, 8)
	def(&c.Batch, 16)
	if len(c.UNet.Channels) == 0 {
		c.UNet = Small()
	}
	if c.Rate == 0 {
		c.Rate = 2e-3
	}
	if c.LowSNR == 0 {
		c.LowSNR = 0.3
	}
	if c.HighSNR == 0 {
		c.HighSNR = 3000
	}
	return c
}

// Trainer trains a denoiser. It is used by one goroutine.
type Trainer struct {
	Config TrainConfig

	dev    engine.Device
	s      engine.Stream
	source Source
	d      *Denoiser
	opt    *nn.AdamW
	tape   *grad.Tape
	z0, z  *engine.Tensor // (B, side, side, 1)
	mask   *engine.Tensor // (side, side, 1)
	seed   *engine.Tensor // gradient of the loss
	num    *engine.Tensor // (B)
	host   []float32
	counts float64 // pixels that count
}

// NewTrainer allocates network, optimiser and batches.
func NewTrainer(dev engine.Device, source Source, c TrainConfig) (*Trainer, error) {
	c = c.withDefaults()
	if c.Side <= 2*c.Margin || c.Steps <= 0 || c.Batch <= 0 || !(c.LowSNR > 0) || c.HighSNR < c.LowSNR {
		return nil, fmt.Errorf("score: training of %d steps on %d patches of %d pixels, S/N %g to %g, makes no sense", c.Steps, c.Batch, c.Side, c.LowSNR, c.HighSNR)
	}
	t := &Trainer{Config: c, dev: dev, s: dev.NewStream(), source: source}
	var err error
	if t.d, err = NewDenoiser(dev, t.s, c.UNet, engine.NewKey(c.Seed).Fold(1)); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if t.opt, err = nn.NewAdamW(t.d.net.Params(), nn.Cosine(c.Rate, min(200, c.Steps/10+1), c.Steps)); err != nil {
		t.Close()
		return nil, fmt.Errorf("score: %w", err)
	}
	t.opt.Clip, t.opt.EMA = 1, 0.999
	t.tape = grad.New(dev, t.s)
	batch := engine.Shape{c.Batch, c.Side, c.Side, 1}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&t.z0, batch}, {&t.z, batch}, {&t.seed, batch}, {&t.mask, batch[1:]}, {&t.num, batch[:1]}} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			t.Close()
			return nil, fmt.Errorf("score: %w", err)
		}
	}
	m := make([]float32, c.Side*c.Side)
	for i := range m {
		y, x := i/c.Side, i%c.Side
		if min(x, y, c.Side-1-x, c.Side-1-y) >= c.Margin {
			m[i] = 1
			t.counts += float64(c.Batch)
		}
	}
	t.s.Upload(t.mask, m)
	t.host = make([]float32, batch.Len())
	return t, t.s.Err()
}

// Steps is how many steps were made.
func (t *Trainer) Steps() int { return t.opt.Steps() }

// fill makes the batch of a key: scenes scaled to their S/N, and noise.
func (t *Trainer) fill(key engine.Key) {
	c := t.Config
	n := c.Side * c.Side
	parallel(c.Batch, func(i int) {
		patch := t.host[i*n : (i+1)*n]
		k := key.Fold(uint64(i))
		t.source.Patch(patch, c.Side, k.Fold(0))
		rng := rand.New(rand.NewPCG(k.Seed, k.Counter))
		var peak float32
		for _, v := range patch {
			peak = max(peak, v, -v)
		}
		if peak == 0 || c.Absolute {
			return
		}
		scale := float32(c.LowSNR*math.Pow(c.HighSNR/c.LowSNR, rng.Float64())) / peak
		for j := range patch {
			patch[j] *= scale
		}
	})
	t.s.Upload(t.z0, t.host)
	t.s.Normal(t.z, key.Fold(1<<32))
	t.s.Add(t.z, t.z, t.z0)
}

// Step makes one step and returns the loss of its batch: the mean square of
// F − F* (1 would be a network that gives noise of the right size).
func (t *Trainer) Step(ctx context.Context) (loss float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t.fill(engine.NewKey(t.Config.Seed).Fold(2).Fold(uint64(t.opt.Steps())))
	t.tape.Reset(grad.Train)
	r := t.d.Loss(t.tape, t.tape.Const(t.z), t.tape.Const(t.z0), t.tape.Const(t.mask))
	t.s.Dot(t.num, r.Value(), r.Value())
	sums := make([]float32, t.Config.Batch)
	t.s.Download(sums, t.num)
	for _, v := range sums {
		loss += float64(v) / t.counts
	}
	t.s.Scale(t.seed, float32(2/t.counts), r.Value())
	t.tape.Backward(r, t.seed)
	if _, err := t.opt.Step(ctx, t.tape); err != nil {
		return loss, fmt.Errorf("score: step %d: %w", t.opt.Steps()+1, err)
	}
	return loss, t.tape.Err()
}

const configKey = "limpid.training"

// Save writes everything needed to go on.
func (t *Trainer) Save(path string) error {
	text, err := json.Marshal(t.Config)
	if err != nil {
		return fmt.Errorf("score: %w", err)
	}
	return t.opt.SaveTraining(path, map[string]string{configKey: string(text)})
}

// Resume reads what Save wrote for the same configuration.
func (t *Trainer) Resume(path string) error {
	meta, err := t.opt.LoadTraining(path)
	if err != nil {
		return fmt.Errorf("score: resume: %w", err)
	}
	want, _ := json.Marshal(t.Config)
	if meta[configKey] != string(want) {
		return fmt.Errorf("score: resume: %s was made with another configuration: %s, now %s", path, meta[configKey], want)
	}
	return nil
}

// SavePrior writes the averaged weights as a prior.
func (t *Trainer) SavePrior(path string, card Card) error {
	card.UNet = t.d.net.Config()
	card.Steps, card.LowSNR, card.HighSNR = t.opt.Steps(), t.Config.LowSNR, t.Config.HighSNR
	return t.opt.SaveAverage(path, card.metadata())
}

// Close frees everything.
func (t *Trainer) Close() {
	if t.tape != nil {
		t.tape.Close()
	}
	if t.opt != nil {
		t.opt.Free()
	}
	if t.d != nil {
		t.d.Close()
	}
	for _, x := range []*engine.Tensor{t.z0, t.z, t.mask, t.seed, t.num} {
		x.Free()
	}
}
