package score

import (
	"fmt"
	"math"
	"math/rand/v2"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/priors/train"
)

// Source gives training scenes. Patch fills dst, side × side, with the scene that
// key names, in any unit; it must be safe to call from several goroutines at once.
type Source interface {
	Patch(dst []float32, side int, key engine.Key)
	About() string
}

// Noisy is a Source whose scenes hold noise already: Noise is its rms in the scene of
// a key, in the scene's unit.
type Noisy interface {
	Noise(key engine.Key) float64
}

// TaskConfig describes what is learned. With the same configuration and seed a
// training gives the same weights on any number of workers.
type TaskConfig struct {
	UNet    nn.UNetConfig `json:"unet"`
	Side    int           `json:"side"`   // of the patches, the largest where they vary; default 64, or 80 where they vary
	Margin  int           `json:"margin"` // pixels along the edges that do not count: 0 for scenes on a torus
	Batch   int           `json:"batch"`  // patches of Side; default 8, or 4 where they vary
	Centred bool          `json:"centred,omitempty"`
	// Smallest, if not 0, is the side of the smallest patches: each batch has one of the sides from there to Side that
	// are multiples of sideStep, and about as many pixels. A network that sees one side only learns where the borders are.
	Smallest int     `json:"smallest,omitempty"`
	LowSNR   float64 `json:"low_snr"`
	HighSNR  float64 `json:"high_snr"` // peak S/N of a scene is log-uniform between these
	// Absolute leaves scenes as the source gives them, in units of the noise.
	Absolute bool   `json:"absolute,omitempty"`
	Scenes   string `json:"scenes"` // Source.About
}

// Small is a network of .6 million parameters.
func Small() nn.UNetConfig {
	return nn.UNetConfig{Channels: []int{16, 32, 64}, Blocks: 1, Edge: engine.Periodic}
}

// Sides of patches where they vary.
const (
	sideStep  = 8
	mostStamp = 80 // default of the largest
)

// batchOf is how many patches of a side a batch has.
func (c TaskConfig) batchOf(side int) int {
	return max(1, (c.Batch*c.Side*c.Side+side*side/2)/(side*side))
}

func (c TaskConfig) withDefaults() TaskConfig {
	if c.Side == 0 {
		c.Side = 64
		if c.Smallest > 0 {
			c.Side = mostStamp
		}
	}
	if c.Batch == 0 {
		c.Batch = 8
		if c.Smallest > 0 {
			c.Batch = 4
		}
	}
	if len(c.UNet.Channels) == 0 {
		c.UNet = Small()
	}
	if c.LowSNR == 0 {
		c.LowSNR = 0.3
	}
	if c.HighSNR == 0 {
		c.HighSNR = 5000
	}
	return c
}

// Task is denoising score matching of a Source's scenes (Vincent 2011). It
// implements train.Task.
//
// Scenes that are noisy already, by σ_d in units of the noise at which the network
// works, get the noise that is missing to 1 on top, and the network is shown
//
//	z + (y − z)/(1 − σ_d²),  z = y + √(1 − σ_d²) n,
//
// whose mean given z is that of the noiseless scene (Tweedie's formula at both noise
// levels: Moran+2020; Daras+2024, eq. 3.2). Scenes are scaled so that σ_d ≤ ⅔: the
// prior learns nothing below 1.5 times the noise of its training data.
type Task struct {
	Config TaskConfig
	D      *Denoiser

	// HeldOut, if not nil, gives the scenes of held-out batches. Simulations without
	// end need none.
	HeldOut Source

	s      engine.Stream
	source Source
	held   bool
	z0, z  *engine.Tensor // (B, side, side, 1), parts of room
	mask   *engine.Tensor // (side, side, 1), a part of all
	scale  *engine.Tensor // (B)
	room   [2]*engine.Tensor
	all    *engine.Tensor
	host   []float32
	counts float64 // pixels that count
}

var _ train.Task = (*Task)(nil)

// mostDataNoise is the largest σ_d.
const mostDataNoise = 2.0 / 3

// NewTask allocates network and batches.
func NewTask(dev engine.Device, s engine.Stream, source Source, c TaskConfig, seed uint64) (*Task, error) {
	c = c.withDefaults()
	c.Scenes = source.About()
	if c.Margin < 0 || c.Side <= 2*c.Margin || c.Batch <= 0 || !(c.LowSNR > 0) || c.HighSNR < c.LowSNR {
		return nil, fmt.Errorf("score: training on batches of %d patches of %d pixels less %d on every side, S/N %g to %g, makes no sense", c.Batch, c.Side, c.Margin, c.LowSNR, c.HighSNR)
	}
	if c.Smallest != 0 && (c.Smallest < sideStep || c.Smallest > c.Side || (c.Side-c.Smallest)%sideStep != 0 || c.Margin != 0) {
		return nil, fmt.Errorf("score: patches of %d to %d pixels: sides of stamps are %d and multiples of %d more, without a margin", c.Smallest, c.Side, c.Smallest, sideStep)
	}
	t := &Task{s: s, source: source}
	var err error
	if t.D, err = NewDenoiser(dev, s, c.UNet, c.Centred, engine.NewKey(seed).Fold(train.KeyWeights)); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	c.UNet = t.D.net.Config()
	t.Config = c
	if a := t.D.net.Align(); c.Side%a != 0 || c.Smallest%a != 0 {
		t.Close()
		return nil, fmt.Errorf("score: patches of %d pixels: this network wants multiples of %d", c.Side, a)
	}
	most, scenes := 0, c.Batch
	for _, side := range t.sides() {
		most, scenes = max(most, c.batchOf(side)*side*side), max(scenes, c.batchOf(side))
	}
	for _, a := range []struct {
		t **engine.Tensor
		n int
	}{{&t.room[0], most}, {&t.room[1], most}, {&t.all, c.Side * c.Side}, {&t.scale, scenes}} {
		if *a.t, err = dev.Alloc(engine.Shape{a.n}); err != nil {
			t.Close()
			return nil, fmt.Errorf("score: %w", err)
		}
	}
	m := make([]float32, c.Side*c.Side)
	for i := range m {
		y, x := i/c.Side, i%c.Side
		if min(x, y, c.Side-1-x, c.Side-1-y) >= c.Margin {
			m[i] = 1
			t.counts++
		}
	}
	s.Upload(t.all, m)
	t.counts *= float64(c.Batch)
	t.host = make([]float32, most)
	if c.Centred {
		if err := t.D.reserve(most); err != nil {
			t.Close()
			return nil, err
		}
	}
	t.shape(c.Side)
	return t, s.Err()
}

// sides are those that batches may have.
func (t *Task) sides() (out []int) {
	c := t.Config
	if c.Smallest == 0 {
		return []int{c.Side}
	}
	for side := c.Smallest; side <= c.Side; side += sideStep {
		out = append(out, side)
	}
	return out
}

// shape makes batches have patches of a side.
func (t *Task) shape(side int) {
	n := t.Config.batchOf(side)
	t.z0 = t.room[0].Slice(0, n*side*side).Reshape(n, side, side, 1)
	t.z = t.room[1].Slice(0, n*side*side).Reshape(n, side, side, 1)
	t.mask = t.all.Slice(0, side*side).Reshape(side, side, 1)
	if t.Config.Smallest > 0 {
		t.counts = float64(n * side * side)
	}
	if t.Config.Centred {
		t.D.distance(t.s, n, side, side)
	}
}

// Params are the network's.
func (t *Task) Params() *nn.Params { return t.D.net.Params() }

// Count is how many pixels of a batch count.
func (t *Task) Count() float64 { return t.counts }

// Describe is the configuration.
func (t *Task) Describe() any { return t.Config }

// Fill makes the batch of a key: scenes scaled to their S/N, and noise.
func (t *Task) Fill(key engine.Key) {
	c := t.Config
	sides := t.sides()
	side := sides[0]
	if len(sides) > 1 {
		side = sides[rand.New(rand.NewPCG(key.Seed, key.Counter)).IntN(len(sides))]
	}
	t.shape(side)
	n, batch := side*side, t.z.Shape()[0]
	already := make([]float32, batch)
	source := t.source
	if t.held && t.HeldOut != nil {
		source = t.HeldOut
	}
	noisy, isNoisy := source.(Noisy)
	parallel(batch, func(i int) {
		patch := t.host[i*n : (i+1)*n]
		k := key.Fold(uint64(i))
		source.Patch(patch, side, k.Fold(0))
		rng := rand.New(rand.NewPCG(k.Seed, k.Counter))
		var peak float32
		for _, v := range patch {
			peak = max(peak, v, -v)
		}
		if peak == 0 || c.Absolute {
			return
		}
		scale := float32(c.LowSNR*math.Pow(c.HighSNR/c.LowSNR, rng.Float64())) / peak
		if isNoisy {
			own := float32(noisy.Noise(k.Fold(0)))
			if own > 0 {
				scale = min(scale, mostDataNoise/own)
			}
			already[i] = scale * own
		}
		for j := range patch {
			patch[j] *= scale
		}
	})
	t.s.Upload(t.z0, t.host[:batch*n])
	t.s.Normal(t.z, key.Fold(1<<32))
	if isNoisy {
		t.addMissing(already)
		return
	}
	t.s.Add(t.z, t.z, t.z0)
}

// Hold turns the batches to held-out scenes and back.
func (t *Task) Hold(on bool) { t.held = on }

// addMissing brings scenes that hold noise of rms sd to noise 1, and makes the target
// of them.
func (t *Task) addMissing(sd []float32) {
	missing, share := make([]float32, len(sd)), make([]float32, len(sd))
	for i, v := range sd {
		rest := 1 - float64(v)*float64(v)
		missing[i], share[i] = float32(math.Sqrt(rest)), float32(1/rest)
	}
	scale := t.scale.Slice(0, len(sd))
	t.s.Upload(scale, missing)
	t.s.ScaleBy(t.z, scale, nil, t.z)
	t.s.Add(t.z, t.z, t.z0)
	t.s.Sub(t.z0, t.z0, t.z)
	t.s.Upload(scale, share)
	t.s.ScaleBy(t.z0, scale, nil, t.z0)
	t.s.Add(t.z0, t.z0, t.z)
}

// Loss is F − F* (see Denoiser.Loss): 1 would be a network that gives noise of the
// right size.
func (t *Task) Loss(tape *grad.Tape) *grad.Var {
	return t.D.Loss(tape, tape.Const(t.z), tape.Const(t.z0), tape.Const(t.mask))
}

// Close frees everything.
func (t *Task) Close() {
	if t.D != nil {
		t.D.Close()
	}
	for _, x := range []*engine.Tensor{t.room[0], t.room[1], t.all, t.scale} {
		x.Free()
	}
}
