package tiled

import (
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
