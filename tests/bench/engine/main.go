// Command engine answers timing requests for the engine, one JSON object per line on
// standard input and output, so that a driver can time it turn by turn with others
// on a shared machine. See bench.py, and ../gpu/bench.py for graphics cards.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"time"

	"limpid/app/calibration"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
	"limpid/gpu/choose"
)

// request is one line from the driver.
type request struct {
	Op      string // info, fft, net, train, save, output, tiles, matmul, call, sample
	N       int    // side of an FFT
	Inverse bool
	Net     string // unet, unet-pixel, resnet
	Shape   []int  // of the input (B, H, W, C)
	Reps    int
	Path    string
	Side    int
	Budget  int64  // bytes
	Kernels string // of op kernels: an instruction set
}

// answer is one line back.
type answer struct {
	Seconds []float64 `json:",omitempty"`
	Info    string    `json:",omitempty"`
	Kind    string    `json:",omitempty"`
	Params  int       `json:",omitempty"`
	Peak    int64     `json:",omitempty"` // bytes in tensors and free blocks
	Diff    float64   `json:",omitempty"` // tiles: from the whole image, of its largest value
	Error   string    `json:",omitempty"`
}

// noiseFeatures is the width of the U-Nets' condition.
const noiseFeatures = 16

// bench keeps what was built between requests.
type bench struct {
	dev  engine.Device
	s    engine.Stream
	tape *grad.Tape
	nets map[string]nn.Network
	opts map[string]*nn.AdamW
	x    map[string]*engine.Tensor

	whole []float32 // the result of tiles on the whole image
}

func main() {
	log.SetFlags(0)
	name := flag.String("device", "cpu", "where to compute: as limpid-cli's --device")
	flag.Parse()
	c := &choose.Chooser{CPU: cpu.New(cpu.Options{}), Backends: choose.All(0)}
	got, err := c.Choose(context.Background(), *name)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range got.Findings {
		log.Print(f)
	}
	dev := got.Device
	s := dev.NewStream()
	b := &bench{dev: dev, s: s, tape: grad.New(dev, s), nets: map[string]nn.Network{}, opts: map[string]*nn.AdamW{}, x: map[string]*engine.Tensor{}}
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for in.Scan() {
		var r request
		var a answer
		err := json.Unmarshal(in.Bytes(), &r)
		if err == nil {
			err = b.do(r, &a)
		}
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			log.Fatal(err)
		}
	}
}

func (b *bench) do(r request, a *answer) error {
	switch r.Op {
	case "info":
		i := b.dev.Info()
		a.Info, a.Kind = i.Name+", "+i.Detail, i.Kind
		return nil
	case "fft":
		return b.fft(r, a)
	case "net":
		return b.forward(r, a)
	case "train":
		return b.train(r, a)
	case "save":
		n, err := b.net(r.Net)
		if err != nil {
			return err
		}
		a.Params = n.Params().Count()
		return n.Params().Save(r.Path, nil)
	case "output":
		return b.output(r)
	case "tiles":
		return b.tiles(r, a)
	case "sample":
		return b.sample(r, a)
	case "matmul", "call":
		return kernels(r, a)
	}
	return fmt.Errorf("unknown request %q", r.Op)
}

// times calls f reps times.
func (a *answer) times(reps int, f func() error) error {
	for range max(reps, 1) {
		t := time.Now()
		if err := f(); err != nil {
			return err
		}
		a.Seconds = append(a.Seconds, time.Since(t).Seconds())
	}
	return nil
}

// tensor returns a tensor of normal numbers, the same for the same name.
func (b *bench) tensor(name string, s ...int) (*engine.Tensor, error) {
	name += fmt.Sprint(s)
	if x := b.x[name]; x != nil {
		return x, nil
	}
	x, err := b.dev.Alloc(s)
	if err != nil {
		return nil, err
	}
	b.s.Normal(x, engine.NewKey(uint64(len(name))))
	b.x[name] = x
	return x, nil
}

func (b *bench) fft(r request, a *answer) error {
	x, err := b.tensor("image", r.N, r.N)
	if err != nil {
		return err
	}
	spec, err := b.tensor("spectrum", x.Shape().Spectrum()...)
	if err != nil {
		return err
	}
	b.s.RFFT2(spec, x)
	return a.times(r.Reps, func() error {
		if r.Inverse {
			b.s.IRFFT2(x, spec)
		} else {
			b.s.RFFT2(spec, x)
		}
		return b.s.Sync(context.Background())
	})
}

// net builds a network whose last layers are not 0, so that outputs can be compared.
func (b *bench) net(name string) (nn.Network, error) {
	if n := b.nets[name]; n != nil {
		return n, nil
	}
	p := nn.NewParams(b.dev, b.s, engine.NewKey(1))
	var n nn.Network
	var err error
	u := nn.UNetConfig{In: 1, Out: 1, Channels: []int{32, 64, 96}, Blocks: 2, Noise: noiseFeatures, Embed: 128}
	switch name {
	case "unet":
		u.Groups = 8
		n, err = nn.NewUNet(p, u)
	case "unet-pixel":
		n, err = nn.NewUNet(p, u)
	case "resnet":
		n, err = nn.NewResNet(p, nn.ResNetConfig{In: 1, Channels: 64, Blocks: 7})
	default:
		err = fmt.Errorf("unknown network %q", name)
	}
	if err != nil {
		return nil, err
	}
	for i, q := range p.All() {
		v := make([]float32, q.Value.Len())
		b.s.Download(v, q.Value)
		if len(q.Value.Shape()) == 4 && v[0] == 0 {
			b.s.Normal(q.Value, engine.NewKey(uint64(1000+i)))
			b.s.Scale(q.Value, 0.05, q.Value)
		}
	}
	b.nets[name] = n
	return n, nil
}

// noise is the condition of the U-Nets, nil for others.
func (b *bench) noise(net string, n int) (*grad.Var, error) {
	if net == "resnet" {
		return nil, nil
	}
	x, err := b.tensor("noise", n, noiseFeatures)
	if err != nil {
		return nil, err
	}
	return b.tape.Const(x), nil
}

func (b *bench) run(r request, m grad.Mode, x *engine.Tensor) (*grad.Var, error) {
	n, err := b.net(r.Net)
	if err != nil {
		return nil, err
	}
	b.tape.Reset(m)
	v, err := b.noise(r.Net, x.Shape()[0])
	if err != nil {
		return nil, err
	}
	y := n.Forward(b.tape, b.tape.Const(x), v)
	return y, errors.Join(b.tape.Err(), b.s.Sync(context.Background()))
}

func (b *bench) forward(r request, a *answer) error {
	x, err := b.tensor("input", r.Shape...)
	if err != nil {
		return err
	}
	if len(b.opts) == 0 { // the first pass packs weights
		if _, err := b.run(r, grad.Forward, x); err != nil {
			return err
		}
	}
	return a.times(r.Reps, func() error {
		_, err := b.run(r, grad.Forward, x)
		return err
	})
}

// train times forward, backward and the optimiser's step.
func (b *bench) train(r request, a *answer) error {
	x, err := b.tensor("input", r.Shape...)
	if err != nil {
		return err
	}
	n, err := b.net(r.Net)
	if err != nil {
		return err
	}
	if b.opts[r.Net] == nil {
		if b.opts[r.Net], err = nn.NewAdamW(n.Params(), nn.Constant(1e-4, 10)); err != nil {
			return err
		}
	}
	g, err := b.tensor("gradient", r.Shape...)
	if err != nil {
		return err
	}
	return a.times(r.Reps, func() error {
		y, err := b.run(r, grad.Train, x)
		if err != nil {
			return err
		}
		b.s.Sub(g, y.Value(), x)
		b.s.Scale(g, 2/float32(g.Len()), g)
		b.tape.Backward(y, g)
		_, err = b.opts[r.Net].Step(context.Background(), b.tape)
		return err
	})
}

// output writes the input, the noise and the network's result to a file.
func (b *bench) output(r request) error {
	x, err := b.tensor("input", r.Shape...)
	if err != nil {
		return err
	}
	y, err := b.run(r, grad.Forward, x)
	if err != nil {
		return err
	}
	var d []safetensors.Data
	add := func(name string, t *engine.Tensor) {
		v := make([]float32, t.Len())
		b.s.Download(v, t)
		d = append(d, safetensors.Data{Name: name, Shape: t.Shape(), Values: v})
	}
	add("x", x)
	add("y", y.Value())
	if n, err := b.noise(r.Net, r.Shape[0]); err != nil {
		return err
	} else if n != nil {
		add("noise", n.Value())
	}
	return safetensors.WriteFile(r.Path, d, nil)
}

// sample times posterior samples with the learned prior that ships, as the calibration of
// error bars draws them: Shape is (draws, side), the seconds are those of all draws.
func (b *bench) sample(r request, a *answer) error {
	psf, err := session.LoadPSF(context.Background(), "gaussian:3px", 0)
	if err != nil {
		return err
	}
	o := calibration.Options{Prior: "galaxies", PSF: psf, Side: r.Shape[1], Pairs: r.Reps + 1, Draws: r.Shape[0], Seed: 1}
	var last time.Duration
	_, err = calibration.Run(context.Background(), b.dev, o, func(s calibration.Status) {
		if s.Pairs > 1 { // the first builds plans and kernels
			a.Seconds = append(a.Seconds, (s.Elapsed - last).Seconds())
		}
		last = s.Elapsed
	})
	if len(a.Seconds) == r.Reps {
		return nil // so few pairs judge no error bar, which is all that Run has to complain of
	}
	return err
}

// tiles times a network by tiles on a device of its own, and reports its memory.
func (b *bench) tiles(r request, a *answer) error {
	dev := cpu.New(cpu.Options{MemoryBudget: r.Budget})
	defer dev.Close()
	s := dev.NewStream()
	o := &bench{dev: dev, s: s, tape: grad.New(dev, s), nets: map[string]nn.Network{}, opts: map[string]*nn.AdamW{}, x: map[string]*engine.Tensor{}}
	x, err := o.tensor("input", r.Shape...)
	if err != nil {
		return err
	}
	n, err := o.net(r.Net)
	if err != nil {
		return err
	}
	dst, err := o.tensor("result", r.Shape...)
	if err != nil {
		return err
	}
	noise, err := o.tensor("noise", r.Shape[0], noiseFeatures)
	if err != nil {
		return err
	}
	a.Params = n.Params().Count()
	err = a.times(r.Reps, func() error {
		if r.Side == 0 {
			o.tape.Reset(grad.Forward)
			y := n.Forward(o.tape, o.tape.Const(x), o.tape.Const(noise))
			s.Copy(dst, y.Value())
			return o.tape.Err()
		}
		return nn.Tiles{Net: n, Tape: o.tape, Side: r.Side}.Forward(dst, x, noise)
	})
	a.Peak = dev.Usage().Peak
	if err != nil {
		return err
	}
	v := make([]float32, dst.Len())
	s.Download(v, dst)
	if r.Side == 0 {
		b.whole = v
	} else if len(b.whole) == len(v) {
		most := 0.0
		for i := range v {
			most = max(most, math.Abs(float64(b.whole[i])))
			a.Diff = max(a.Diff, math.Abs(float64(v[i]-b.whole[i])))
		}
		a.Diff /= most
	}
	return s.Sync(context.Background())
}

// kernels times a product of N×N matrices, or an operation on one number, in one
// thread with one instruction set.
func kernels(r request, a *answer) error {
	dev := cpu.New(cpu.Options{Workers: 1, Kernels: r.Kernels})
	defer dev.Close()
	s := dev.NewStream()
	o := &bench{dev: dev, s: s, x: map[string]*engine.Tensor{}}
	a.Info = dev.Info().Detail
	x, err := o.tensor("a", r.N, r.N)
	if err != nil {
		return err
	}
	y, err := o.tensor("bb", r.N, r.N)
	if err != nil {
		return err
	}
	dst, err := o.tensor("result", r.N, r.N)
	if err != nil {
		return err
	}
	const calls = 1000 // of one number each
	return a.times(r.Reps, func() error {
		if r.Op == "matmul" {
			s.MatMul(dst, x, y, engine.MatMul{})
			return s.Err()
		}
		for range calls {
			s.Scale(dst, 2, x)
		}
		return s.Err()
	})
}
