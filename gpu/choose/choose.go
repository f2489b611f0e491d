// Package choose finds the device to compute on: it lists what backends offer, tests it,
// measures it, and falls back to the processor, saying why.
package choose

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"limpid"
	"limpid/engine"
	"limpid/engine/devicetest"
)

// Candidate is a device that can be opened.
type Candidate struct {
	ID       string // "webgpu:0", as a user names it
	Kind     string // "webgpu", "cuda"
	Name     string
	Detail   string
	Memory   int64 // bytes, 0: unknown
	Software bool  // a processor that plays a graphics card: only on request
	Open     func() (engine.Device, error)
}

// Backend lists the devices of one kind, or says why it has none.
type Backend interface {
	Kind() string
	List() ([]Candidate, error)
}

// Report is what is known of a device, for a page of settings.
type Report struct {
	ID, Kind, Name, Detail string
	Memory                 int64
	Software               bool
	Problem                string  // why it cannot be used; "": it passed the self-test
	Speed                  float64 // of 3×3 convolutions, GFLOP/s
	Fourier                float64 // of 256×256 transforms there and back, per second
}

// Chooser holds the backends and the processor.
type Chooser struct {
	CPU      engine.Device
	Backends []Backend
	Cache    string // file that keeps results of tests; "": none
}

// Choice is a device and what is to be said of it.
type Choice struct {
	Device   engine.Device // c.CPU, or one to be closed
	Findings []limpid.Finding
}

// Requests that Choose knows, for help and checks.
const Requests = "auto, cpu, gpu, cuda, webgpu or webgpu:N, cuda:N, cuda:N-tf32x3"

// Choose opens what request asks for: "auto" or "" the fastest device that passes the
// self-test, "gpu" the fastest that is not the processor, "cpu", "cuda", "webgpu" the
// first of a kind, "webgpu:N" the Nth adapter, software too. What was asked for by name
// and cannot be used is replaced by the processor, with a finding; a request that is no
// request is an error.
func (c *Chooser) Choose(ctx context.Context, request string) (Choice, error) {
	kind, number, err := parse(request)
	if err != nil {
		return Choice{}, err
	}
	cpu := Choice{Device: c.CPU}
	if kind == "cpu" {
		return cpu, nil
	}
	named := kind != "auto" && kind != "gpu"
	var usable []Candidate
	var why []string
	for _, b := range c.Backends {
		if named && b.Kind() != kind {
			continue
		}
		list, err := b.List()
		if err != nil {
			why = append(why, err.Error())
		}
		for _, d := range list {
			if number >= 0 && d.ID != request || number < 0 && d.Software {
				continue
			}
			usable = append(usable, d)
		}
	}
	if len(usable) == 0 {
		if kind == "auto" {
			return cpu, nil
		}
		if number >= 0 && len(why) == 0 {
			why = append(why, "there is no "+request)
		}
		if len(why) == 0 {
			why = append(why, "there is no graphics card that Limpid can use")
		}
		cpu.Findings = []limpid.Finding{instead(strings.Join(why, "; "), c.CPU)}
		return cpu, nil
	}
	return c.best(ctx, usable, kind == "auto")
}

func instead(why string, cpu engine.Device) limpid.Finding {
	return limpid.Finding{
		Severity: limpid.Warning, Code: "device.fallback", Where: "device",
		What: why + ": computing on " + cpu.Info().Name, Advice: "limpid-cli devices lists what there is",
	}
}

// best opens the fastest of the devices that passes; auto also asks it to be faster than
// the processor.
func (c *Chooser) best(ctx context.Context, list []Candidate, auto bool) (Choice, error) {
	var best engine.Device
	var speed float64
	var failed []string
	known := c.load()
	defer func() { c.save(known) }()
	for _, d := range list {
		if err := ctx.Err(); err != nil {
			return Choice{}, err
		}
		dev, r := c.try(d, known)
		if r.Problem != "" {
			failed = append(failed, r.Problem)
			continue
		}
		if best != nil && r.Speed <= speed {
			dev.Close()
			continue
		}
		if best != nil {
			best.Close()
		}
		best, speed = dev, r.Speed
	}
	out := Choice{Device: best}
	if best != nil && auto && speed < c.cpuSpeed(known) {
		best.Close()
		out.Device, best = c.CPU, nil
		return out, nil
	}
	if best == nil {
		out.Device = c.CPU
		out.Findings = []limpid.Finding{instead(strings.Join(failed, "; "), c.CPU)}
	}
	return out, nil
}

// try opens a device, tests and measures it, or takes what is known of it.
func (c *Chooser) try(d Candidate, known map[string]Report) (engine.Device, Report) {
	r := Report{ID: d.ID, Kind: d.Kind, Name: d.Name, Detail: d.Detail, Memory: d.Memory, Software: d.Software}
	dev, err := d.Open()
	if err != nil {
		r.Problem = err.Error()
		return nil, r
	}
	if k, ok := known[key(r)]; ok && k.Problem == "" {
		return dev, k
	}
	if err := devicetest.SelfTest(dev); err != nil {
		r.Problem = err.Error()
		dev.Close()
		return nil, r
	}
	if r.Speed, r.Fourier, err = Measure(dev, d.Software); err != nil {
		r.Problem = err.Error()
		dev.Close()
		return nil, r
	}
	known[key(r)] = r
	return dev, r
}

func (c *Chooser) cpuSpeed(known map[string]Report) float64 {
	return c.cpuReport(known).Speed
}

func (c *Chooser) cpuReport(known map[string]Report) Report {
	i := c.CPU.Info()
	r := Report{ID: "cpu", Kind: "cpu", Name: i.Name, Detail: i.Detail, Memory: i.Memory}
	if k, ok := known[key(r)]; ok {
		return k
	}
	var err error
	if r.Speed, r.Fourier, err = Measure(c.CPU, false); err != nil {
		r.Problem = err.Error()
		return r
	}
	known[key(r)] = r
	return r
}

// Survey tests and measures every device, software too. It takes seconds.
func (c *Chooser) Survey(ctx context.Context) []Report {
	known := map[string]Report{}
	list := []Report{c.cpuReport(known)}
	for _, b := range c.Backends {
		all, err := b.List()
		if err != nil {
			list = append(list, Report{ID: b.Kind(), Kind: b.Kind(), Problem: err.Error()})
		}
		for _, d := range all {
			if ctx.Err() != nil {
				return list
			}
			dev, r := c.try(d, known)
			if dev != nil {
				dev.Close()
			}
			list = append(list, r)
		}
	}
	c.save(known)
	return list
}

// Measure times 3×3 convolutions of 32 channels, or of 8 of a small image where the
// device is slow, and transforms of 256×256 images.
func Measure(dev engine.Device, slow bool) (gflops, transforms float64, err error) {
	const side = 256
	size, ch, images := 64, 32, 4
	if slow {
		size, ch, images = 16, 8, 1
	}
	s := dev.NewStream()
	var all []*engine.Tensor
	defer func() {
		for _, t := range all {
			t.Free()
		}
	}()
	alloc := func(shape ...int) *engine.Tensor {
		t, allocErr := dev.Alloc(shape)
		if allocErr != nil && err == nil {
			err = allocErr
		}
		all = append(all, t)
		return t
	}
	x, y, w := alloc(2, size, size, ch), alloc(2, size, size, ch), alloc(3, 3, ch, ch)
	img, spec := alloc(images, side, side), alloc(images, side, side/2+1, 2)
	if err != nil {
		return 0, 0, err
	}
	s.Normal(x, engine.NewKey(1))
	s.Normal(w, engine.NewKey(2))
	s.Normal(img, engine.NewKey(3))
	conv, err := rate(s, func() { s.Conv(y, x, w, nil, nil, engine.Conv{Pad: 1}) })
	if err != nil {
		return 0, 0, err
	}
	four, err := rate(s, func() {
		s.RFFT2(spec, img)
		s.IRFFT2(img, spec)
	})
	return conv * float64(2*2*size*size*9*ch*ch) / 1e9, four * float64(images), err
}

// rate runs f for a tenth of a second at least and gives the runs per second.
func rate(s engine.Stream, f func()) (float64, error) {
	f() // plans, compiled kernels
	if err := s.Sync(context.Background()); err != nil {
		return 0, err
	}
	for n := 1; ; n *= 4 {
		began := time.Now()
		for range n {
			f()
		}
		if err := s.Sync(context.Background()); err != nil {
			return 0, err
		}
		if d := time.Since(began); d > 100*time.Millisecond {
			return float64(n) / d.Seconds(), nil
		}
		if n > math.MaxInt32 {
			return 0, fmt.Errorf("choose: a device that does nothing")
		}
	}
}
