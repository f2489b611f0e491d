package preview

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/nn"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/hybrid"
	"limpid/priors/sims"
	"limpid/priors/train"
)

// spikes are maps with a flat power spectrum, very unlike a Gaussian field: few pixels hold
// everything.
type spikes struct{}

func (spikes) About() string { return "spikes" }

func (spikes) Patch(dst []float32, _ int, key engine.Key) {
	rng := sims.Rand(key)
	for i := range dst {
		dst[i] = 0
		if rng.Float64() < 0.02 {
			dst[i] = float32(0.7 * rng.ExpFloat64())
		}
	}
}

// flat is their power: variance .02 · 2 · .49 less the mean squared.
func flat() gaussian.Spectrum {
	s, err := gaussian.NewSpectrum([]float64{0.01, 0.5}, []float64{0.0194, 0.0194})
	if err != nil {
		panic(err)
	}
	return s
}

func newTask(t *testing.T, dev engine.Device) *Task {
	t.Helper()
	task, err := NewTask(dev, dev.NewStream(), spikes{}, flat(), TaskConfig{
		UNet: nn.UNetConfig{Channels: []int{8, 8}, Blocks: 1}, Side: 32, Batch: 4, Range: hybrid.Range{Low: 0.05, High: 0.15},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	return task
}

// Before it has learned anything the network gives the Wiener map, and its loss is about
// one: the error in units of what the Wiener filter leaves, more where there are no data.
func TestTask_NothingLearned_IsTheWienerMap(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	task := newTask(t, dev)
	tr, err := train.New(dev, task.s, task, train.Config{Steps: 1, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	loss, err := tr.HeldOut(context.Background(), 6)
	if err != nil || task.Err() != nil {
		t.Fatal(err, task.Err())
	}
	if loss < 0.7 || loss > 1.6 {
		t.Errorf("loss %.3f of a network that says nothing", loss)
	}
	net := New(dev, task.s, task.Net, card.Card{Low: 0.05, High: 0.15, Spectrum: func() *gaussian.Spectrum { s := flat(); return &s }()})
	defer net.tape.Close()
	m := Maps{H: 32, W: 32, Wiener: make([]float32, 1024), Residual: make([]float32, 1024), Weight: make([]float32, 1024)}
	for i := range m.Wiener {
		m.Wiener[i], m.Weight[i] = float32(math.Sin(float64(i))), 100
	}
	got, err := net.Predict(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != m.Wiener[i] {
			t.Fatalf("pixel %d: %g, Wiener %g", i, v, m.Wiener[i])
		}
	}
	if s := m.Sigma(); math.Abs(s-0.1) > 1e-9 {
		t.Errorf("noise %g, want .1", s)
	}
}

// A network that has learned leaves clearly less than the Wiener filter does.
func TestTask_Learned_BeatsTheWienerFilter(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	task := newTask(t, dev)
	tr, err := train.New(dev, task.s, task, train.Config{Steps: 50, Rate: 5e-3, Average: 0.95, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	before, err := tr.HeldOut(context.Background(), 6)
	if err != nil {
		t.Fatal(err)
	}
	for !tr.Done() {
		if _, err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	after, err := tr.HeldOut(context.Background(), 6)
	if err != nil || task.Err() != nil {
		t.Fatal(err, task.Err())
	}
	t.Logf("loss %.3f, of the Wiener filter %.3f", after, before)
	if after > 0.7*before {
		t.Errorf("loss %.3f, of the Wiener filter %.3f", after, before)
	}
}

// Fields have holes, borders and numbers of galaxies as they were asked for.
func TestObserve_NoiseAndMask(t *testing.T) {
	var masked, sum, n float64
	for k := range 200 {
		w := observe(sims.Rand(engine.NewKey(uint64(k))), 64, 0.2)
		m := 0.0
		for _, v := range w {
			if v == 0 {
				m++
				continue
			}
			sum, n = sum+float64(v)*0.04, n+1
		}
		masked += m / float64(len(w)) / 200
		if m == float64(len(w)) {
			t.Fatal("everything is masked")
		}
	}
	if masked < 0.1 || masked > 0.5 {
		t.Errorf("%.2f of the pixels are masked", masked)
	}
	if mean := sum / n; math.Abs(mean-1) > 0.1 {
		t.Errorf("mean weight %.2f of what was asked for", mean)
	}
	var all float64
	rng := sims.Rand(engine.NewKey(9))
	for range 20000 {
		all += poisson(rng, 3.5)
	}
	if math.Abs(all/20000-3.5) > 4*math.Sqrt(3.5/20000) {
		t.Errorf("mean of the Poisson numbers %.3f, want 3.5", all/20000)
	}
}
