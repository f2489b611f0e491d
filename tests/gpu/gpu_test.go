// Package gpu checks whole runs on a graphics card (or a processor that plays one)
// against the device cpu, with and without failures.
package gpu

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/assets"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/gpu/choose"
	"limpid/gpu/webgpu"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

// Tolerances, in units of the posterior's standard deviation at each pixel. A draw is
// solved to a relative residual of 1e-2, which leaves .001 σ rms and .015 σ at most
// (mcmc.Exact) on each device.
const (
	tolRMS = 0.003
	tolMax = 0.03
)

func open(t *testing.T, o webgpu.Options) *webgpu.Device {
	t.Helper()
	list := webgpu.Adapters()
	if len(list) == 0 {
		t.Skip("no WebGPU adapter at all: install a Vulkan driver (mesa-vulkan-drivers has one in software)")
	}
	best := list[0]
	for _, a := range list {
		if !a.Software {
			best = a
			break
		}
	}
	d, err := webgpu.Open(best.Index, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// problem is size × size pixels of the shipped sample.
func problem(t *testing.T, method deconv.Method, size, draws int) recipe.Recipe {
	t.Helper()
	item := assets.Samples()[0]
	data, err := assets.ReadSample(item.File)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), item.File)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := recipe.Default(path)
	// A small stamp and few iterations of the solver: processors that play a graphics card
	// are slow.
	psf, err := recipe.ParsePSF("gaussian:1.3px")
	if err != nil {
		t.Fatal(err)
	}
	r.PSF = psf
	r.Input.Cutout = &[4]int{0, size, 0, size}
	r.Draw.Samples = draws
	r.Method.Kind = method
	return r
}

// run carries a recipe out; at a number of draws or iterations it calls trouble.
func run(t *testing.T, d session.Devices, r recipe.Recipe, at int, trouble func()) *session.Result {
	t.Helper()
	s := session.NewOn(d)
	defer s.Close()
	var once sync.Once
	defer s.Subscribe(func(e session.Event) {
		if st := e.Run.Status(); trouble != nil && st.Done >= at && st.Total > 0 {
			once.Do(trouble)
		}
	})()
	a, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(); err != nil {
		t.Fatal(err)
	}
	return a.Result()
}

func onCPU(t *testing.T, r recipe.Recipe) *session.Result {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	return run(t, session.Devices{Main: dev}, r, 0, nil)
}

// differ compares two images in units of σ and gives rms and maximum.
func differ(a, b, sigma solvers.Image) (rms, most float64) {
	for i, v := range a.Pix {
		d := math.Abs(float64(v-b.Pix[i])) / float64(sigma.Pix[i])
		rms += d * d
		most = math.Max(most, d)
	}
	return math.Sqrt(rms / float64(len(a.Pix))), most
}

// same asks that two runs of one recipe found the same posterior, draw by draw.
func same(t *testing.T, got, want *session.Result) {
	t.Helper()
	if got.Draws != want.Draws || len(got.Samples) != len(want.Samples) || !got.Complete {
		t.Fatalf("%d draws, %d samples, complete %v; want %d, %d", got.Draws, len(got.Samples), got.Complete, want.Draws, len(want.Samples))
	}
	check := func(what string, a, b solvers.Image) {
		rms, most := differ(a, b, want.Std)
		t.Logf("%s: off by %.2g σ rms, %.2g σ at most", what, rms, most)
		if !(rms <= tolRMS && most <= tolMax) {
			t.Errorf("%s: off by %.2g σ rms (tolerance %g), %.2g σ at most (%g)", what, rms, tolRMS, most, tolMax)
		}
	}
	check("mean", got.Mean, want.Mean)
	for _, i := range []int{0, len(got.Samples) / 2, len(got.Samples) - 1} {
		check("sample", got.Samples[i], want.Samples[i])
	}
	for i, v := range got.Std.Pix {
		if d := math.Abs(float64(v/want.Std.Pix[i]) - 1); d > tolMax {
			t.Fatalf("σ of pixel %d is %g, want %g", i, v, want.Std.Pix[i])
		}
	}
	if d := math.Abs(got.Fits[0].Chi2Draws - want.Fits[0].Chi2Draws); !(d < 1e-3) {
		t.Errorf("χ² of draws %g, want %g", got.Fits[0].Chi2Draws, want.Fits[0].Chi2Draws)
	}
}

func TestPosterior_64Pixels_MatchesTheCPU(t *testing.T) {
	r := problem(t, deconv.Gaussian, 64, 12)
	dev := open(t, webgpu.Options{})
	got := run(t, session.Devices{Main: dev}, r, 0, nil)
	if got.Device != dev.Info().Name {
		t.Errorf("computed on %q", got.Device)
	}
	same(t, got, onCPU(t, r))
}

// Failures at several moments of a run: the CPU goes on, and the posterior is the same.
func TestFailure_DuringARun_CPUGoesOnWithTheSameResult(t *testing.T) {
	r := problem(t, deconv.Gaussian, 24, 20)
	want := onCPU(t, r)
	for _, c := range []struct {
		name        string
		at, failure int
		words       string
	}{
		{"vanishes at the start", 0, webgpu.DrillVanish, "vanished"},
		{"vanishes among the draws", 16, webgpu.DrillVanish, "vanished"},
		{"driver gives up", 1, webgpu.DrillAbort, "gave up"},
		{"out of memory", 16, webgpu.DrillMemory, "memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			gpu, dev := open(t, webgpu.Options{}), cpu.New(cpu.Options{})
			defer dev.Close()
			got := run(t, session.Devices{Main: gpu, CPU: dev}, r, c.at, func() { gpu.Drill(c.failure) })
			same(t, got, want)
			if got.Device != dev.Info().Name {
				t.Errorf("the result names %q", got.Device)
			}
			told(t, got, "device.moved", c.words)
		})
	}
}

func told(t *testing.T, res *session.Result, code, words string) {
	t.Helper()
	for _, f := range res.Findings {
		if f.Code == code && strings.Contains(f.What, words) && f.Advice != "" {
			return
		}
	}
	t.Errorf("no finding %s about %q in %v", code, words, res.Findings)
}

// An iteration goes on from its last state.
func TestFailure_RichardsonLucy_GoesOnFromTheLastIteration(t *testing.T) {
	r := problem(t, deconv.RichardsonLucy, 24, 0)
	want := onCPU(t, r)
	gpu, dev := open(t, webgpu.Options{}), cpu.New(cpu.Options{})
	defer dev.Close()
	got := run(t, session.Devices{Main: gpu, CPU: dev}, r, 20, func() { gpu.Drill(webgpu.DrillVanish) })
	var top float64
	for _, v := range want.Mean.Pix {
		top = math.Max(top, float64(v))
	}
	for i, v := range got.Mean.Pix {
		if d := math.Abs(float64(v - want.Mean.Pix[i])); d > 1e-4*top {
			t.Fatalf("pixel %d is %g, want %g", i, v, want.Mean.Pix[i])
		}
	}
	told(t, got, "device.moved", "were kept")
}

// A shader that does not compile, and a device that is too small: the CPU takes the run.
func TestFailure_BeforeARun_CPUTakesIt(t *testing.T) {
	r := problem(t, deconv.Gaussian, 24, 20)
	want := onCPU(t, r)
	for _, c := range []struct {
		name, words string
		o           webgpu.Options
		drill       bool
	}{
		{"shader", "compile", webgpu.Options{}, true},
		{"small device", "GiB", webgpu.Options{Budget: 1 << 18}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			gpu, dev := open(t, c.o), cpu.New(cpu.Options{})
			defer dev.Close()
			if c.drill {
				gpu.Drill(webgpu.DrillShader)
			}
			got := run(t, session.Devices{Main: gpu, CPU: dev}, r, 0, nil)
			same(t, got, want)
			told(t, got, "device.moved", c.words)
		})
	}
}

func TestRuns_TwoAtOnceOnOneDevice_EachFindsItsPosterior(t *testing.T) {
	a := problem(t, deconv.Gaussian, 24, 20)
	b := a
	b.Draw.Seed = 7
	dev := open(t, webgpu.Options{})
	s := session.NewOn(session.Devices{Main: dev})
	defer s.Close()
	var runs []*session.Run
	for _, r := range []recipe.Recipe{a, b} {
		x, err := s.Start(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, x)
	}
	for i, r := range []recipe.Recipe{a, b} {
		if err := runs[i].Wait(); err != nil {
			t.Fatal(err)
		}
		same(t, runs[i].Result(), onCPU(t, r))
	}
}

// fake is a backend whose devices are processors.
type fake struct {
	kind string
	list []choose.Candidate
	err  error
}

func (f fake) Kind() string                      { return f.kind }
func (f fake) List() ([]choose.Candidate, error) { return f.list, f.err }

func TestChoose_Requests(t *testing.T) {
	host := cpu.New(cpu.Options{})
	defer host.Close()
	works := func() (engine.Device, error) { return cpu.New(cpu.Options{Workers: 1}), nil }
	fails := func() (engine.Device, error) { return nil, errors.New("the driver is too old") }
	c := &choose.Chooser{CPU: host, Cache: filepath.Join(t.TempDir(), "x", "devices.json"), Backends: []choose.Backend{
		fake{"webgpu", []choose.Candidate{
			{ID: "webgpu:0", Kind: "webgpu", Name: "soft", Software: true, Open: works},
			{ID: "webgpu:1", Kind: "webgpu", Name: "broken", Open: fails},
		}, nil},
		fake{"cuda", nil, errors.New("CUDA: no driver")},
	}}
	for _, k := range []struct {
		request string
		onHost  bool
		words   string // of a finding; "": none
		bad     bool
	}{
		{"", true, "too old", false},
		{"cpu", true, "", false},
		{"webgpu:0", false, "", false},
		{"webgpu:1", true, "too old", false},
		{"webgpu:5", true, "no webgpu:5", false},
		{"cuda", true, "CUDA: no driver", false},
		{"gpu", true, "too old", false},
		{"tpu", false, "", true},
		{"webgpu:x", false, "", true},
		{"cpu:1", false, "", true},
	} {
		got, err := c.Choose(context.Background(), k.request)
		if (err != nil) != k.bad {
			t.Errorf("%q: error %v", k.request, err)
		}
		if err != nil {
			continue
		}
		if (got.Device == host) != k.onHost {
			t.Errorf("%q: computes on %s, want the processor: %v", k.request, got.Device.Info().Name, k.onHost)
		}
		text := ""
		for _, f := range got.Findings {
			text += f.What
		}
		if k.words == "" && text != "" || !strings.Contains(text, k.words) {
			t.Errorf("%q: findings %v, want %q", k.request, got.Findings, k.words)
		}
		if got.Device != host {
			got.Device.Close()
		}
	}
	for _, r := range c.Survey(context.Background()) {
		switch r.ID {
		case "cpu", "webgpu:0":
			if r.Problem != "" || !(r.Speed > 0) || !(r.Fourier > 0) {
				t.Errorf("survey: %+v", r)
			}
		default:
			if r.Problem == "" {
				t.Errorf("survey: %+v", r)
			}
		}
	}
}
