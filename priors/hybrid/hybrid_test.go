package hybrid

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/train"
)

const side = 32

var (
	red  = gaussian.PowerLaw(0.01, 0.1, 2.5)
	tiny = TaskConfig{UNet: nn.UNetConfig{Channels: []int{8, 16}, Blocks: 1}, Side: side, Batch: 4, Range: Range{Low: 0.01, High: 1}}
)

// field is a Gaussian field of the spectrum red, or a lognormal function of it.
type field struct {
	dev  engine.Device
	skew bool
}

func (f field) About() string { return "test field" }

func (f field) Patch(dst []float32, n int, key engine.Key) {
	s := f.dev.NewStream()
	p, err := gaussian.New(f.dev, s, []gaussian.Spectrum{red}, engine.Shape{1, n, n}, 1)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	x, _ := f.dev.Alloc(engine.Shape{1, 1, n, n})
	defer x.Free()
	p.Sample(s, x, key)
	s.Download(dst, x)
	if f.skew {
		std := math.Sqrt(red.Variance(n, n))
		for i, v := range dst {
			dst[i] = float32(std * math.Expm1(0.8*float64(v)/std-0.32))
		}
	}
}

func newTask(t *testing.T, skew bool) (engine.Device, engine.Stream, *Task) {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	s := dev.NewStream()
	task, err := NewTask(dev, s, field{dev, skew}, red, tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	return dev, s, task
}

func host(s engine.Stream, x *engine.Tensor) []float32 {
	v := make([]float32, x.Len())
	s.Download(v, x)
	return v
}

// rms of a − b over that of b.
func rms(a, b []float32) float64 {
	var d, n float64
	for i := range a {
		d += math.Pow(float64(a[i]-b[i]), 2)
		n += math.Pow(float64(b[i]), 2)
	}
	return math.Sqrt(d / n)
}

// Trained on Gaussian maps, the learned score is the analytic one: within 5 % at every
// σ of the range (the bound), and the loss is the Wiener filter's, 1.
func TestTask_GaussianData_StaysTheAnalyticScore(t *testing.T) {
	dev, s, task := newTask(t, false)
	tr, err := train.New(dev, s, task, train.Config{Steps: 40, Warm: 10, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for !tr.Done() {
		if _, err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	p := New(dev, s, task.D, card.Card{})
	defer p.CloseScratch()
	exact, err := gaussian.New(dev, s, []gaussian.Spectrum{red}, engine.Shape{1, side, side}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer exact.Close()
	x, _ := dev.Alloc(engine.Shape{1, 1, side, side})
	n, _ := dev.Alloc(x.Shape())
	a, _ := dev.Alloc(x.Shape())
	b, _ := dev.Alloc(x.Shape())
	for _, sigma := range []float64{0.01, 0.05, 0.2, 1} {
		exact.Sample(s, x, engine.NewKey(5))
		s.Normal(n, engine.NewKey(6))
		s.Axpy(x, float32(sigma), n)
		exact.Score(s, b, x, sigma)
		p.Score(s, a, x, sigma)
		if e := rms(host(s, a), host(s, b)); e > 0.05 || e == 0 {
			t.Errorf("σ = %g: the learned score is %.3f off", sigma, e)
		}
		p.GaussianOnly = true
		p.Score(s, a, x, sigma)
		p.GaussianOnly = false
		if e := rms(host(s, a), host(s, b)); e > 1e-4 { // float32
			t.Errorf("σ = %g: without the network the score is %g off", sigma, e)
		}
	}
}

// On skewed maps the network beats the linear filter, which it is at first.
func TestTask_SkewedData_BeatsTheFilter(t *testing.T) {
	dev, s, task := newTask(t, true)
	tr, err := train.New(dev, s, task, train.Config{Steps: 100, Warm: 10, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	filter, err := tr.HeldOut(context.Background(), 4)
	if err != nil {
		t.Fatal(err)
	}
	for !tr.Done() {
		if _, err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	loss, err := tr.HeldOut(context.Background(), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("held-out loss %.3f, of the filter %.3f", loss, filter)
	if loss > 0.97*filter {
		t.Errorf("held-out loss %.3f, of the filter %.3f", loss, filter)
	}
}

// The prior's score is that of the denoiser the task trains, before and after a file.
func TestPrior_SavedAndLoaded_IsTheTasksDenoiser(t *testing.T) {
	dev, s, task := newTask(t, true)
	for i, q := range task.Params().All() { // a network that does something
		v, _ := dev.Alloc(q.Value.Shape())
		s.Normal(v, engine.NewKey(uint64(i)))
		s.Axpy(q.Value, 0.1, v)
	}
	sigmas := []float64{0.02, 0.1, 0.4, 0.9}
	maps := make([]float32, task.x0.Len())
	for i := range sigmas {
		task.source.Patch(maps[i*side*side:(i+1)*side*side], side, engine.NewKey(uint64(i)))
	}
	task.prepare(maps, sigmas, engine.NewKey(7))
	noisy := host(s, task.x)
	tape := grad.New(dev, s)
	defer tape.Close()
	tape.Reset(grad.Forward)
	loss := host(s, task.Loss(tape).Value())

	sp := red
	p := New(dev, s, task.D, card.Card{Kind: card.Hybrid, Name: "t", UNet: task.Config.UNet, Low: 0.01, High: 1, Spectrum: &sp})
	defer p.CloseScratch()
	path := filepath.Join(t.TempDir(), "p.safetensors")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	q, err := Load(dev, s, path)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	x, _ := dev.Alloc(engine.Shape{1, side, side})
	a, _ := dev.Alloc(x.Shape())
	b, _ := dev.Alloc(x.Shape())
	for i, sigma := range sigmas {
		one := noisy[i*side*side : (i+1)*side*side]
		s.Upload(x, one)
		p.Score(s, a, x, sigma)
		q.Score(s, b, x, sigma)
		pa, qa := host(s, a), host(s, b)
		c, _ := Scales(task.power, side, side, sigma)
		for j := range pa {
			if pa[j] != qa[j] {
				t.Fatalf("σ = %g: the score changed in the file", sigma)
			}
			// F − (x₀ − Wx)/c from the loss; D − x₀ = c times it
			d := float64(one[j]) + sigma*sigma*float64(pa[j])
			want := float64(maps[i*side*side+j]) + c*float64(loss[i*side*side+j])
			if math.Abs(d-want) > 1e-4*(1+math.Abs(want)) {
				t.Fatalf("σ = %g, pixel %d: the prior denoises to %g, the task to %g", sigma, j, d, want)
			}
		}
	}
}
