package anneal_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/calibrate/closedform"
	"limpid/solvers/mcmc/anneal"
)

// short draws two batches on a number of workers, from a step on, and gives them.
func short(t *testing.T, workers, first int, preview bool) [][]float32 {
	t.Helper()
	dev := cpu.New(cpu.Options{Workers: workers})
	defer dev.Close()
	s := dev.NewStream()
	_, cfg := maskedBlur(t, dev, s, closedform.Four, 2)
	cfg.Levels, cfg.Moves, cfg.NoPreview = 5, 2, !preview
	k, err := anneal.NewBridge(dev, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var out [][]float32
	end := 1 + 2*k.StepsPerBatch()
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: end, First: first, Seed: 9}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		for i := range step.State.Count {
			d := make([]float32, cfg.Op.Domain().Len())
			step.State.Stream.Download(d, step.State.X.Slice(i, i+1))
			out = append(out, d)
		}
	}
	return out
}

func TestBridge_OneOrTwoWorkers_SameBits(t *testing.T) {
	one, two := short(t, 1, 0, true), short(t, 2, 0, true)
	if len(one) != 2*batch {
		t.Fatalf("%d draws", len(one))
	}
	for i := range one {
		if !slices.Equal(one[i], two[i]) {
			t.Fatalf("draw %d differs", i)
		}
	}
}

// A run that goes on from the first step of its second batch gives the draws that the
// uninterrupted one gave there.
func TestBridge_Resumed_SameDraws(t *testing.T) {
	const perBatch = 5 + 2
	whole, rest := short(t, 2, 0, true), short(t, 2, 1+perBatch, false)
	if len(rest) != batch {
		t.Fatalf("%d draws after resuming", len(rest))
	}
	for i := range rest {
		if !slices.Equal(rest[i], whole[batch+i]) {
			t.Fatalf("draw %d differs", i)
		}
	}
}

func TestBridge_Cancelled_StopsAtOnce(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	_, cfg := maskedBlur(t, dev, s, closedform.Four, 2)
	k, err := anneal.NewBridge(dev, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var at time.Time
	for step, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: 1 << 20, Seed: 1}) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			break
		}
		if step.Index == 3 {
			at = time.Now()
			cancel()
		}
	}
	if d := time.Since(at); d > 500*time.Millisecond {
		t.Errorf("stopped %v after it was told to", d)
	}
}

// A walk that begins at draws of the posterior stays there, and the mean of its
// conditional means is the posterior's, nearer to it than the mean of as many draws.
func TestBridge_StartedNear_StaysAndGathersTheMean(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	p, cfg := maskedBlur(t, dev, s, closedform.Gaussian, 0)
	k, err := anneal.NewBridge(dev, cfg)
	if err != nil {
		t.Fatal(err)
	}
	const walks = 1
	exact, _, err := p.Draws(context.Background(), k, (1+walks)*draws, 4)
	k.Close()
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	cfg.Start = func(_ context.Context, s engine.Stream, x *engine.Tensor, _ engine.Key) error {
		for i := range x.Shape()[0] {
			s.Upload(x.Slice(i, i+1), exact[next%len(exact)])
			next++
		}
		return s.Err()
	}
	cfg.SigmaMax, cfg.Levels, cfg.Moves, cfg.NoPreview = 1, 6, -1, true
	cfg.MeanAt, cfg.MeanWalks = []float64{0.7}, walks
	if k, err = anneal.NewBridge(dev, cfg); err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if m, n := k.Mean(0); m != nil || n != 0 {
		t.Errorf("a mean of %d before the first step", n)
	}
	got, _, err := p.Draws(context.Background(), k, draws, 5)
	if err != nil {
		t.Fatal(err)
	}
	mean, n := k.Mean(0)
	if n != (1+walks)*draws || next != n {
		t.Errorf("a mean over %d walks from %d starts, want %d", n, next, (1+walks)*draws)
	}
	q, m := p.Posterior.Judge(got), p.Posterior.Judge([][]float32{mean, mean})
	t.Logf("draws: bias %.3f, σ ratio %.3f; mean: bias %.3f", q.Bias, q.Ratio, m.Bias)
	if q.Bias > 1.3/math.Sqrt(draws) || math.Abs(q.Ratio-1) > 0.03 {
		t.Errorf("draws: %+v", q)
	}
	if m.Bias > 0.9/math.Sqrt(draws) {
		t.Errorf("mean off by %.3f σ, the mean of %d draws by %.3f", m.Bias, draws, 1/math.Sqrt(draws))
	}
}

// What a kernel takes of the device it gives back: many in turn fit where two at once
// hardly would.
func TestBridge_Closed_GivesAllMemoryBack(t *testing.T) {
	const budget = 3 << 20
	dev := cpu.New(cpu.Options{MemoryBudget: budget})
	t.Cleanup(func() { dev.Close() })
	_, cfg := maskedBlur(t, dev, dev.NewStream(), closedform.Gaussian, 0)
	cfg.Patches = true
	for i := range 40 {
		k, err := anneal.NewBridge(dev, cfg)
		if err != nil {
			t.Fatalf("kernel %d: %v", i, err)
		}
		k.Close()
	}
}
