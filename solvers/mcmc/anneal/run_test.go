package anneal_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

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
