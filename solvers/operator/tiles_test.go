package operator_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers/operator"
)

// Tiles give the convolution of the whole, and what they count adds up to 1 everywhere.
func TestTiled_IsTheConvolution(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	for _, c := range []struct{ h, w, side, overlap int }{{100, 70, 40, 20}, {45, 90, 44, 22}, {30, 30, 64, 32}, {300, 41, 64, 16}} {
		grid := func(h, w int) operator.Grid { return operator.NewGrid(1, h, w, 9, 7) }
		tiling, err := operator.NewTiling(c.h, c.w, c.side, c.overlap, grid)
		if err != nil {
			t.Fatal(err)
		}
		g := tiling.Whole
		total := make([]float64, g.H*g.W)
		for i := range tiling.Count() {
			row, col := tiling.At(i)
			for k, v := range tiling.Weights(i) {
				total[(row+k/tiling.Tile.W)*g.W+col+k%tiling.Tile.W] += float64(v)
			}
		}
		for i, v := range total {
			if math.Abs(v-1) > 1e-6 {
				t.Fatalf("%+v: pixel %d counts %g", c, i, v)
			}
		}
		tiled, err := operator.NewTiled(dev, s, psf(1, 9, 7), tiling)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := operator.NewConvolution(dev, s, psf(1, 9, 7), c.h, c.w, 1)
		if err != nil {
			t.Fatal(err)
		}
		scene, _ := dev.Alloc(tiled.Domain())
		other, _ := dev.Alloc(plain.Domain())
		a, _ := dev.Alloc(tiled.Range())
		b, _ := dev.Alloc(plain.Range())
		s.Normal(scene, engine.NewKey(3))
		s.Window(other, scene, g.Row-plain.Row, g.Col-plain.Col)
		tiled.Forward(s, a, scene)
		plain.Forward(s, b, other)
		s.Sub(b, b, a)
		if d := dot(s, b, b); d > 1e-10*dot(s, a, a) {
			t.Errorf("%+v: differ by %g", c, d)
		}
	}
	if _, err := operator.NewTiling(100, 100, 64, 40, func(h, w int) operator.Grid { return operator.NewGrid(1, h, w, 5, 5) }); err == nil {
		t.Error("tiles that share more than half of themselves were taken")
	}
}

// Images cut from the plane of noise at different places agree where they overlap; the
// noise is white.
func TestNoise_BelongsToPixels(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	n, err := operator.NewNoise(dev)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	get := func(row, col, h, w int) []float32 {
		x, _ := dev.Alloc(engine.Shape{2, h, w})
		defer x.Free()
		n.Row, n.Col = row, col
		n.Fill(s, x, engine.NewKey(7))
		out := make([]float32, x.Len())
		s.Download(out, x)
		return out
	}
	a, b := get(-20, 100, 150, 170), get(37, 90, 60, 80)
	var sum, sq, next float64
	for i, v := range b {
		p, y, x := i/(60*80), i/80%60, i%80
		if x >= 10 {
			if w := a[(p*150+y+57)*170+x-10]; v != w {
				t.Fatalf("plane %d, row %d, column %d: %g and %g", p, y, x, v, w)
			}
		}
	}
	for i, v := range a {
		sum, sq = sum+float64(v), sq+float64(v)*float64(v)
		if i > 0 {
			next += float64(v) * float64(a[i-1])
		}
	}
	m := float64(len(a)) // 51000: sums are right to 1/√51000 = .0044
	if math.Abs(sum/m) > 0.02 || math.Abs(sq/m-1) > 0.03 || math.Abs(next/m) > 0.02 {
		t.Errorf("mean %g, variance %g, of neighbours %g", sum/m, sq/m, next/m)
	}
}
