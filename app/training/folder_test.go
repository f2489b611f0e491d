package training

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/priors/sims"
	"limpid/priors/train"
)

// A folder of images is learned from with patches smaller than the tiles of the test for
// unlike images, ends early when held-out images say so, and leaves a prior.
func TestRun_FolderWithSmallPatches_EndsEarlyWithAPrior(t *testing.T) {
	dir := t.TempDir()
	src, err := sims.NewScenes(sims.SceneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const side = 64
	for i := range 3 {
		pix := make([]float32, side*side)
		src.Patch(pix, side, engine.NewKey(5).Fold(uint64(i)))
		hdu, err := fitsio.NewImage("", []int{side, side}, pix, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := fitsio.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.fits", i)), fitsio.WriteOptions{}, hdu); err != nil {
			t.Fatal(err)
		}
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	out := filepath.Join(dir, "own.safetensors")
	steps := 0
	err = Run(context.Background(), dev, Options{
		Data: dir, Name: "own", Out: out, Side: 32, Batch: 2, Channels: []int{8, 16}, Blocks: 1, Look: 4, Patience: 1,
		Train: train.Config{Steps: 400, Seed: 1},
	}, func(s Status) { steps = s.Step })
	if err != nil {
		t.Fatal(err)
	}
	if steps == 0 || steps == 400 {
		t.Errorf("%d steps of 400: it did not end early", steps)
	}
	e, err := Find(out)
	if err != nil || e.Card.Name != "own" {
		t.Fatalf("%+v, %v", e.Card, err)
	}
}
