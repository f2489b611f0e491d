package training

import (
	"context"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/score"
)

// sides remembers which sizes of scenes were asked for.
type sides struct {
	score.Source
	asked map[int]int
}

func (s *sides) Patch(dst []float32, side int, key engine.Key) {
	s.asked[side]++
	s.Source.Patch(dst, side, key)
}

// A prior of one galaxy in the middle learns how far from there light is, up to the corners of its
// stamps: its errors are measured on stamps as large, not on the larger scenes of other priors.
func TestErrors_CentredPrior_AreMeasuredOnStampsAsLarge(t *testing.T) {
	defer func(n int) { errorScenes = n }(errorScenes)
	errorScenes = 1
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	j, err := newJob(context.Background(), dev, Options{Sims: "galaxies-small", Side: 40, Channels: []int{4, 4}, Out: "x.safetensors"})
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	s := &sides{j.source, map[int]int{}}
	j.source = s
	c := j.card
	if err := j.errors(context.Background(), &c); err != nil {
		t.Fatal(err)
	}
	if c.Errors == nil || s.asked[40] == 0 || len(s.asked) != 1 {
		t.Errorf("a prior of stamps of 40 px: errors measured (%v) on scenes of so many px: %v (side: count)", c.Errors != nil, s.asked)
	}
}
