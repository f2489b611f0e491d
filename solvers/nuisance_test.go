package solvers_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
)

// Root is a square root of N^½ N′⁻¹ N^½, with weights that vary, one of them 0, and columns that
// are known well, badly, and not apart.
func TestNuisance_Root_IsTheSquareRoot(t *testing.T) {
	const h, w = 5, 6
	weights := solvers.NewImage(1, h, w)
	for i := range weights.Pix {
		weights.Pix[i] = 0.3 + float32(i%7)
	}
	weights.Pix[8] = 0
	sky, star := solvers.Patch{W: w}, solvers.Patch{X: 1, Y: 1, W: 3}
	for range h * w {
		sky.Pix = append(sky.Pix, 1)
	}
	for i := range 9 {
		star.Pix = append(star.Pix, float64(1+i%4))
	}
	n, err := solvers.NewNuisance([]solvers.Column{
		{Patches: []solvers.Patch{sky}, Sigma: 1e4},
		{Patches: []solvers.Patch{star}, Sigma: 0.1},
		{Patches: []solvers.Patch{star}, Sigma: 3},
	}, weights)
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	v, err := dev.Alloc(engine.Shape{2, 1, h, w})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Free()
	s.Normal(v, engine.NewKey(1))
	got, want := make([]float32, v.Len()), make([]float32, v.Len())
	s.Download(want, v)
	n.Root(s, v)
	n.Root(s, v)
	s.Download(got, v)
	for i := range want {
		want[i] *= float32(math.Sqrt(float64(weights.Pix[i%(h*w)])))
	}
	s.Upload(v, want)
	n.Weighted(s, v, nil)
	s.Download(want, v)
	for i := range want {
		root := math.Sqrt(float64(weights.Pix[i%(h*w)]))
		if root == 0 {
			continue // the right is 0/0
		}
		if d := math.Abs(float64(got[i]) - float64(want[i])/root); d > 1e-4 {
			t.Errorf("pixel %d: %g, want %g", i, got[i], float64(want[i])/root)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}
