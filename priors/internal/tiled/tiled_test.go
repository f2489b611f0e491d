package tiled

import (
	"errors"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/grad"
	"limpid/engine/nn"
)

// tolerance is of the largest value: the same float32 sums, of Winograd tiles that
// may be cut elsewhere, through normalisations that may divide by little.
const tolerance = 5e-5

func TestForward_Tiles_EqualTheWhole(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	for _, edge := range []engine.Edge{engine.Periodic, engine.Reflect, engine.Zero} {
		net, err := nn.NewUNet(nn.NewParams(dev, s, engine.NewKey(1)), nn.UNetConfig{In: 2, Out: 1, Channels: []int{4, 8}, Blocks: 1, Edge: edge})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range net.Params().All() { // what starts at 0 hides nothing
			v, _ := dev.Alloc(p.Value.Shape())
			s.Normal(v, engine.NewKey(uint64(10+i)))
			s.Axpy(p.Value, 0.1, v)
			v.Free()
		}
		x, _ := dev.Alloc(engine.Shape{2, 76, 92, 2})
		s.Normal(x, engine.NewKey(2))
		tape := grad.New(dev, s)
		run := func(whole int) []float32 {
			n := New(dev, s, net)
			defer n.Close()
			n.Whole, n.Side = whole, 24
			tape.Reset(grad.Forward)
			y, err := n.Forward(tape, tape.Const(x), nil)
			if err != nil {
				t.Fatal(err)
			}
			out := make([]float32, y.Value().Len())
			s.Download(out, y.Value())
			return out
		}
		want, got := run(1<<20), run(100)
		var most float64
		for _, v := range want {
			most = max(most, math.Abs(float64(v)))
		}
		for i := range want {
			if d := math.Abs(float64(want[i] - got[i])); d > tolerance*most || most == 0 {
				t.Fatalf("edge %d, pixel %d: %g in tiles, %g at once", edge, i, got[i], want[i])
			}
		}
		tape.Close()
	}
}

// A device that has no room for the whole image gives what one that has gives.
func TestForward_TooLittleMemory_GoesToTiles(t *testing.T) {
	run := func(budget int64) (out []float32, whole, side int, err error) {
		dev := cpu.New(cpu.Options{MemoryBudget: budget})
		defer dev.Close()
		s := dev.NewStream()
		net, err := nn.NewUNet(nn.NewParams(dev, s, engine.NewKey(1)), nn.UNetConfig{In: 1, Out: 1, Channels: []int{8, 8}, Blocks: 1, Edge: engine.Reflect})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range net.Params().All() {
			v, _ := dev.Alloc(p.Value.Shape())
			s.Normal(v, engine.NewKey(uint64(10+i)))
			s.Axpy(p.Value, 0.1, v)
			v.Free()
		}
		x, err := dev.Alloc(engine.Shape{1, 256, 320, 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Normal(x, engine.NewKey(2))
		tape, n := grad.New(dev, s), New(dev, s, net)
		defer tape.Close()
		defer n.Close()
		for range 2 { // the second time there is nothing to find out
			tape.Reset(grad.Forward)
			y, err := n.Forward(tape, tape.Const(x), nil)
			if err != nil {
				return nil, n.Whole, n.Side, err
			}
			out = make([]float32, y.Value().Len())
			s.Download(out, y.Value())
		}
		return out, n.Whole, n.Side, s.Err()
	}
	want, whole, _, err := run(1 << 30)
	if err != nil || whole < 256*320 {
		t.Fatalf("with room for all: %v, whole images of %d pixels", err, whole)
	}
	got, whole, side, err := run(10 << 20)
	if err != nil || whole >= 256*320 || side > 160 {
		t.Fatalf("with 10 MB: %v, whole images of %d pixels, tiles of %d", err, whole, side)
	}
	var most float64
	for _, v := range want {
		most = max(most, math.Abs(float64(v)))
	}
	for i := range want {
		if d := math.Abs(float64(want[i] - got[i])); d > tolerance*most || most == 0 {
			t.Fatalf("pixel %d: %g in tiles, %g at once", i, got[i], want[i])
		}
	}
	var m *engine.MemoryError
	if _, _, _, err := run(1 << 20); !errors.As(err, &m) {
		t.Errorf("with 1 MB: %v", err)
	}
}
