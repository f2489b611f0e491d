package score

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/card"
	"limpid/priors/sims"
)

// Batches of patches of several sides have about as many pixels each, count all of them, and are the same for the same key.
func TestTask_SeveralSides_AsManyPixels(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	task, err := NewTask(dev, s, blobs{}, TaskConfig{UNet: tiny, Side: 40, Smallest: 16, Batch: 4, Centred: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	read := func(key engine.Key) (int, []float32) {
		task.Fill(key)
		shape := task.z.Shape()
		out := make([]float32, task.z.Len())
		s.Download(out, task.z)
		if r := task.D.radius.Shape(); !r.Equal(shape) || task.mask.Len() != shape[1]*shape[2] || task.Count() != float64(shape.Len()) {
			t.Fatalf("patches %v, distances %v, mask of %d pixels, %g count", shape, r, task.mask.Len(), task.Count())
		}
		return shape[1], out
	}
	seen := map[int]int{}
	for i := range uint64(60) {
		side, x := read(engine.NewKey(i))
		seen[side]++
		if len(x) < 4*40*40*4/5 || len(x) > 4*40*40*6/5 {
			t.Errorf("side %d: %d pixels a batch, %d at the largest side", side, len(x), 4*40*40)
		}
		if i%10 == 0 {
			_, again := read(engine.NewKey(i))
			for j := range x {
				if x[j] != again[j] {
					t.Fatalf("side %d: pixel %d is %g, then %g", side, j, x[j], again[j])
				}
			}
		}
	}
	if len(seen) != 4 || seen[16] < 5 || seen[24] < 5 || seen[32] < 5 || seen[40] < 5 {
		t.Errorf("sides (count) %v, want 16, 24, 32 and 40 as often", seen)
	}
	for _, c := range []TaskConfig{{Side: 40, Smallest: 48}, {Side: 40, Smallest: -8}, {Side: 40, Smallest: 18}, {Side: 40, Smallest: 16, Margin: 4}} {
		if c.UNet = tiny; !refusedTask(dev, s, c) {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func refusedTask(dev engine.Device, s engine.Stream, c TaskConfig) bool {
	task, err := NewTask(dev, s, blobs{}, c, 1)
	if err == nil {
		task.Close()
	}
	return err != nil
}

// On images larger than its stamps a centred prior has in the middle the score of a stamp, and elsewhere that of empty sky,
// also where the score replaces the image.
func TestPrior_LargerThanStamps_SeesTheMiddle(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	d, err := NewDenoiser(dev, s, tiny, true, engine.NewKey(3))
	if err != nil {
		t.Fatal(err)
	}
	p := New(dev, s, d, card.Card{Centred: true, Stamp: 16})
	defer p.Close()
	const n, h, w, side, sigma = 2, 32, 12, 16, 1.5
	rng := sims.Rand(engine.NewKey(9))
	x := make([]float32, n*h*w)
	for i := range x {
		x[i] = float32(3 * rng.NormFloat64())
	}
	middle := make([]float32, n*side*w)
	for i := range n {
		copy(middle[i*side*w:(i+1)*side*w], x[(i*h+(h-side)/2)*w:])
	}
	score := func(v []float32, rows int, inPlace bool) []float32 {
		tensors := make([]*engine.Tensor, 2)
		for i := range tensors {
			if tensors[i], err = dev.Alloc(engine.Shape{n, 1, rows, w}); err != nil {
				t.Fatal(err)
			}
			defer tensors[i].Free()
		}
		s.Upload(tensors[0], v)
		dst := tensors[1]
		if inPlace {
			dst = tensors[0]
		}
		p.Score(s, dst, tensors[0], sigma)
		if p.Err() != nil {
			t.Fatal(p.Err())
		}
		out := make([]float32, len(v))
		s.Download(out, dst)
		return out
	}
	want := score(middle, side, false)
	for _, inPlace := range []bool{false, true} {
		got := score(x, h, inPlace)
		for i := range got {
			im, row, col := i/(h*w), i/w%h, i%w
			expect := -x[i] / (sigma * sigma)
			if r := row - (h-side)/2; r >= 0 && r < side {
				expect = want[(im*side+r)*w+col]
			}
			if math.Abs(float64(got[i]-expect)) > 1e-4 {
				t.Fatalf("in place %v, image %d at (%d, %d): score %g, want %g", inPlace, im, col, row, got[i], expect)
			}
		}
	}
}
