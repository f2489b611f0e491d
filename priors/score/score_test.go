package score

import (
	"context"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/nn"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/sims"
	"limpid/priors/train"
)

var long = flag.Bool("long", false, "run the slow tests")

func newDevice(t testing.TB) engine.Device {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	return dev
}

// tiny is a network that trains in seconds.
var tiny = nn.UNetConfig{Channels: []int{8, 16}, Blocks: 1, Edge: engine.Periodic}

// blobs are a few Gaussian sources.
type blobs struct{}

func (blobs) About() string { return "Gaussian blobs" }

func (blobs) Patch(dst []float32, side int, key engine.Key) {
	rng := sims.Rand(key)
	s := sims.NewScene(side, side)
	for range 1 + rng.IntN(5) {
		s.AddPoint(float64(side)*rng.Float64(), float64(side)*rng.Float64(), math.Exp(rng.NormFloat64()), 0.8+1.5*rng.Float64())
	}
	copy(dst, s.Float32())
}

func learn(t *testing.T, dev engine.Device, source Source, c TaskConfig, o train.Config, steps int) (*Task, *train.Trainer, []float64) {
	t.Helper()
	s := dev.NewStream()
	task, err := NewTask(dev, s, source, c, o.Seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	tr, err := train.New(dev, s, task, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	var losses []float64
	for range steps {
		l, err := tr.Step(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, l)
	}
	return task, tr, losses
}

func mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v / float64(len(x))
	}
	return s
}

func TestTrainer_Learns(t *testing.T) {
	_, _, losses := learn(t, newDevice(t), blobs{}, TaskConfig{UNet: tiny, Side: 32, Margin: 4}, train.Config{Steps: 150, Seed: 1}, 150)
	if first, last := mean(losses[:15]), mean(losses[135:]); last > 0.7*first {
		t.Errorf("loss %.3f at first, %.3f in the end", first, last)
	}
}

// Killed and resumed, a training goes on as if nothing had happened.
func TestTask_Resumed_SameLosses(t *testing.T) {
	c, o := TaskConfig{UNet: tiny, Side: 24, Batch: 4}, train.Config{Steps: 30, Seed: 2}
	_, _, want := learn(t, newDevice(t), blobs{}, c, o, 12)
	dev := newDevice(t)
	path := filepath.Join(t.TempDir(), "state.safetensors")
	_, first, got := learn(t, dev, blobs{}, c, o, 5)
	if err := first.Save(path, "five"); err != nil {
		t.Fatal(err)
	}
	_, second, _ := learn(t, dev, blobs{}, c, o, 0)
	if text, err := second.Resume(path); err != nil || text != "five" {
		t.Fatalf("%q, %v", text, err)
	}
	for second.Steps() < 12 {
		l, err := second.Step(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("step %d: loss %g, uninterrupted %g", i+1, got[i], want[i])
		}
	}
	o.Seed = 3
	if _, other, _ := learn(t, dev, blobs{}, c, o, 0); refused(other.Resume(path)) == nil {
		t.Error("a state of another seed was taken")
	}
	o.Seed, c.Batch = 2, 5
	if _, other, _ := learn(t, dev, blobs{}, c, o, 0); refused(other.Resume(path)) == nil {
		t.Error("a state of another task was taken")
	}
}

func refused(_ string, err error) error { return err }

// The score does not know units: s(λx, λσ) = s(x, σ)/λ, to rounding.
func TestPrior_Score_IsEquivariantToUnits(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	task, _, _ := learn(t, dev, blobs{}, TaskConfig{UNet: tiny, Side: 32, Batch: 4}, train.Config{Steps: 20, Seed: 4}, 20)
	p := New(dev, s, task.D, card.Card{})
	const n, sigma, tolerance = 32, 0.7, 2e-5
	x, _ := dev.Alloc(engine.Shape{2, 1, n, n})
	a, _ := dev.Alloc(x.Shape())
	b, _ := dev.Alloc(x.Shape())
	s.Normal(x, engine.NewKey(5))
	p.Score(s, a, x, sigma)
	for _, lambda := range []float64{1e-6, 3, 1e5} {
		s.Scale(b, float32(lambda), x)
		p.Score(s, b, b, lambda*sigma)
		ah, bh := make([]float32, a.Len()), make([]float32, a.Len())
		s.Download(ah, a)
		s.Download(bh, b)
		for i := range ah {
			if d := math.Abs(float64(bh[i])*lambda - float64(ah[i])); d > tolerance*(1+math.Abs(float64(ah[i]))) {
				t.Fatalf("λ = %g, pixel %d: %g, want %g", lambda, i, float64(bh[i])*lambda, ah[i])
			}
		}
	}
}

func TestPrior_SavedAndLoaded_SameScore(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	task, _, _ := learn(t, dev, blobs{}, TaskConfig{UNet: tiny, Side: 32, Batch: 4}, train.Config{Steps: 3, Seed: 6}, 3)
	p := New(dev, s, task.D, card.Card{Kind: card.Score, Name: "blobs", UNet: task.Config.UNet})
	path := filepath.Join(t.TempDir(), "prior.safetensors")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	q, err := Load(dev, s, path)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if q.Card.Name != "blobs" {
		t.Errorf("card %+v", q.Card)
	}
	x, _ := dev.Alloc(engine.Shape{1, 1, 32, 40})
	a, _ := dev.Alloc(x.Shape())
	b, _ := dev.Alloc(x.Shape())
	s.Normal(x, engine.NewKey(7))
	p.Score(s, a, x, 1)
	q.Score(s, b, x, 1)
	ah, bh := make([]float32, a.Len()), make([]float32, a.Len())
	s.Download(ah, a)
	s.Download(bh, b)
	for i := range ah {
		if ah[i] != bh[i] {
			t.Fatalf("pixel %d: %g before, %g after", i, ah[i], bh[i])
		}
	}
	if err := os.WriteFile(path, []byte("not weights at all, but long enough to be looked at"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dev, s, path); err == nil {
		t.Error("a file of words was taken for a prior")
	}
}

// field is a Gaussian random field on a torus, in units of the noise.
type field struct {
	power []float64 // on the half plane of side²
	side  int
}

func (f field) About() string { return "Gaussian field" }

// Patch synthesises the field as a sum of cosines, mode by mode (small sides).
func (f field) Patch(dst []float32, side int, key engine.Key) {
	dev := cpu.New(cpu.Options{Workers: 1})
	defer dev.Close()
	s := dev.NewStream()
	x, _ := dev.Alloc(engine.Shape{1, side, side})
	sp, _ := dev.Alloc(x.Shape().Spectrum())
	p, _ := dev.Alloc(engine.Shape{1, side, side/2 + 1})
	root := make([]float32, len(f.power))
	for i, v := range f.power {
		root[i] = float32(math.Sqrt(v))
	}
	s.Upload(p, root)
	s.Normal(x, key)
	s.RFFT2(sp, x)
	s.CScale(sp, sp, p)
	s.IRFFT2(x, sp)
	s.Download(dst, x)
}

// On Gaussian training data the learned score must be the analytic one,
// −(P + 1)⁻¹ z: within 5 % rms of its own size (the bound).
func TestTrainer_GaussianData_LearnsTheAnalyticScore(t *testing.T) {
	if !*long {
		t.Skip("slow: run with -args -long")
	}
	const side, steps, bound = 32, 3000, 0.05
	dev := newDevice(t)
	power := gaussian.PowerLaw(3, 0.1, 2.5).OnGrid(side, side)
	f := field{power: power, side: side}
	task, tr, losses := learn(t, dev, f, TaskConfig{
		UNet: nn.UNetConfig{Channels: []int{16, 32}, Blocks: 1, Edge: engine.Periodic}, Side: side, Batch: 16, Absolute: true,
	}, train.Config{Steps: steps, Seed: 8}, steps)
	t.Logf("loss %.4f at first, %.4f in the end", mean(losses[:50]), mean(losses[steps-50:]))
	path := filepath.Join(t.TempDir(), "gauss.safetensors")
	if err := tr.SaveAverage(path, card.Card{Kind: card.Score, UNet: task.Config.UNet}.Metadata()); err != nil {
		t.Fatal(err)
	}
	s := dev.NewStream()
	p, err := Load(dev, s, path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	task.Fill(engine.NewKey(99))
	z := task.z.Reshape(task.Config.Batch, 1, side, side)
	got, _ := dev.Alloc(z.Shape())
	want, _ := dev.Alloc(z.Shape())
	spec, _ := dev.Alloc(z.Shape().Spectrum())
	filter, _ := dev.Alloc(engine.Shape{1, side, side/2 + 1})
	inv := make([]float32, len(power))
	for i, v := range power {
		inv[i] = float32(-1 / (v + 1))
	}
	s.Upload(filter, inv)
	p.Score(s, got, z, 1)
	s.RFFT2(spec, z)
	s.CScale(spec, spec, filter)
	s.IRFFT2(want, spec)
	g, w := make([]float32, got.Len()), make([]float32, got.Len())
	s.Download(g, got)
	s.Download(w, want)
	var diff, size float64
	for i := range g {
		diff += math.Pow(float64(g[i]-w[i]), 2)
		size += math.Pow(float64(w[i]), 2)
	}
	t.Logf("rms error %.4f of the score", math.Sqrt(diff/size))
	if math.Sqrt(diff/size) > bound {
		t.Errorf("the learned score is off by %.3f rms, at most %g", math.Sqrt(diff/size), bound)
	}
}
