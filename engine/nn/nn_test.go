package nn

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/grad"
	"limpid/engine/nn/safetensors"
)

type rig struct {
	t    testing.TB
	d    *cpu.Device
	s    engine.Stream
	tape *grad.Tape
}

func newRig(t testing.TB, workers int) *rig {
	d := cpu.New(cpu.Options{Workers: workers})
	t.Cleanup(func() { d.Close() })
	s := d.NewStream()
	return &rig{t, d, s, grad.New(d, s)}
}

func (r *rig) tensor(s ...int) *engine.Tensor {
	x, err := r.d.Alloc(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return x
}

func (r *rig) normal(key uint64, s ...int) *engine.Tensor {
	x := r.tensor(s...)
	r.s.Normal(x, engine.NewKey(key))
	return x
}

func (r *rig) host(x *engine.Tensor) []float32 {
	v := make([]float32, x.Len())
	r.s.Download(v, x)
	return v
}

// lively gives every parameter that starts at 0 a value, so that nothing hides.
func (r *rig) lively(p *Params) {
	for i, q := range p.All() {
		if v := r.host(q.Value); v[0] == 0 {
			r.s.Normal(q.Value, engine.NewKey(uint64(1000+i)))
			r.s.Scale(q.Value, 0.05, q.Value)
		}
	}
}

func (r *rig) unet(c UNetConfig) *UNet {
	u, err := NewUNet(NewParams(r.d, r.s, engine.NewKey(7)), c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.lively(u.Params())
	return u
}

func (r *rig) noise(n int, sigmas ...float64) *engine.Tensor {
	x := r.tensor(len(sigmas), n)
	r.s.Upload(x, NoiseFeatures(sigmas, n))
	return x
}

var small = UNetConfig{In: 2, Out: 1, Channels: []int{8, 16}, Blocks: 1, Noise: 8, Embed: 16}

func inner(a, b []float32) (s float64) {
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

// tolGradient is relative to |gradient| |direction|: differences of float32 results of
// some twenty layers.
const tolGradient = 2e-3

func TestUNet_GradientsInInputAndWeights_MatchDifferences(t *testing.T) {
	for name, c := range map[string]UNetConfig{
		"per pixel": small,
		"groups and attention": {
			In: 2, Out: 1, Channels: []int{8, 16}, Blocks: 1, Noise: 8, Embed: 16, Groups: 4, Attention: 2,
			Edge: engine.Periodic,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2)
			u := r.unet(c)
			x, n, seed := r.normal(1, 2, 12, 8, 2), r.noise(8, 0.1, 3), r.normal(2, 2, 12, 8, 1)
			hs := r.host(seed)
			run := func(m grad.Mode) (*grad.Var, *grad.Var) {
				r.tape.Reset(m)
				in := r.tape.Param(x)
				return u.Forward(r.tape, in, r.tape.Const(n)), in
			}
			out, in := run(grad.Train)
			r.tape.Backward(out, seed)
			if err := r.tape.Err(); err != nil {
				t.Fatal(err)
			}
			tensors, grads := []*engine.Tensor{x}, [][]float32{r.host(r.tape.Grad(in))}
			for _, p := range u.Params().All() {
				g := r.tape.Grad(r.tape.Param(p.Value))
				if g == nil {
					t.Fatalf("%s has no gradient", p.Name)
				}
				tensors, grads = append(tensors, p.Value), append(grads, r.host(g))
			}
			for i, v := range tensors {
				dir := r.normal(uint64(50+i), v.Shape()...)
				hd := r.host(dir)
				slope := func(h float32) float64 {
					r.s.Axpy(v, h, dir)
					up, _ := run(grad.Forward)
					a := inner(r.host(up.Value()), hs)
					r.s.Axpy(v, -2*h, dir)
					down, _ := run(grad.Forward)
					b := inner(r.host(down.Value()), hs)
					r.s.Axpy(v, h, dir)
					return (a - b) / (2 * float64(h))
				}
				// Steps of one length in every space: shorter ones drown in float32's
				// rounding, longer ones in curvature.
				h := float32(0.04 / math.Sqrt(inner(hd, hd)))
				want := (4*slope(h) - slope(2*h)) / 3
				got := inner(grads[i], hd)
				if d := math.Abs(got - want); d > tolGradient*(math.Sqrt(inner(grads[i], grads[i])*inner(hd, hd))+0.1) {
					t.Errorf("tensor %d %v: slope %g, differences give %g", i, v.Shape(), got, want)
				}
			}
		})
	}
}

func TestUNet_ForwardAndTrainModes_SameBits(t *testing.T) {
	r := newRig(t, 2)
	u := r.unet(small)
	x, n := r.normal(1, 1, 16, 24, 2), r.noise(8, 0.5)
	var out [2][]float32
	var peak [2]int64
	for i, m := range []grad.Mode{grad.Train, grad.Forward} {
		tape := grad.New(r.d, r.s)
		tape.Reset(m)
		before := r.d.Usage().Used
		y := u.Forward(tape, tape.Const(x), tape.Const(n))
		after := r.d.Usage().Used
		peak[i] = after - before
		out[i] = r.host(y.Value())
		tape.Close()
	}
	for i := range out[0] {
		if math.Float32bits(out[0][i]) != math.Float32bits(out[1][i]) {
			t.Fatalf("pixel %d: %v and %v", i, out[0][i], out[1][i])
		}
	}
	if peak[1]*3 > peak[0] {
		t.Errorf("inference holds %d bytes, training %d", peak[1], peak[0])
	}
}

// A change of one pixel must not be felt beyond Reach, and tiles must not show.
func TestUNet_Reach_BoundsTheInfluence(t *testing.T) {
	r := newRig(t, 2)
	for _, c := range []UNetConfig{small, {In: 1, Out: 1, Channels: []int{4, 4, 4}, Blocks: 2, Edge: engine.Zero}} {
		u := r.unet(c)
		side := (2*u.Reach() + 8 + u.Align()) / u.Align() * u.Align()
		x := r.normal(1, 1, side, side, c.In)
		run := func() []float32 {
			r.tape.Reset(grad.Forward)
			var n *grad.Var
			if c.Noise > 0 {
				n = r.tape.Const(r.noise(c.Noise, 0.5))
			}
			return r.host(u.Forward(r.tape, r.tape.Const(x), n).Value())
		}
		a := run()
		for _, at := range []int{side / 2, side/2 + 1, side/2 + 2, side/2 + 3} {
			v := r.host(x)
			v[(at*side+at)*c.In] += 10
			r.s.Upload(x, v)
			far, most := 0, float32(0)
			b := run()
			for _, v := range a {
				most = max(most, v, -v)
			}
			for i := range b {
				// Winograd's tiles share their rounding, which goes with the values, a few
				// pixels further.
				if d := b[i] - a[i]; d > tolTiles*most || d < -tolTiles*most {
					far = max(far, abs(i/side-at), abs(i%side-at))
				}
			}
			v[(at*side+at)*c.In] -= 10
			r.s.Upload(x, v)
			if far > u.Reach() || far == 0 {
				t.Errorf("%+v: felt %d pixels away, reach %d", c, far, u.Reach())
			}
		}
	}
}

func abs(a int) int { return max(a, -a) }

// tolTiles is of the largest value: the same sums in float32, of tiles of
// Winograd's algorithm that may be cut elsewhere.
const tolTiles = 1e-5

func TestTiles_AnySide_EqualTheWholeImage(t *testing.T) {
	r := newRig(t, 2)
	for _, edge := range []engine.Edge{engine.Zero, engine.Reflect} {
		c := small
		c.Edge = edge
		u := r.unet(c)
		x, n, dst := r.normal(1, 2, 68, 100, 2), r.noise(8, 0.5, 2), r.tensor(2, 68, 100, 1)
		r.tape.Reset(grad.Forward)
		want := r.host(u.Forward(r.tape, r.tape.Const(x), r.tape.Const(n)).Value())
		scale := float32(0)
		for _, v := range want {
			scale = max(scale, v, -v)
		}
		for _, side := range []int{29, 64, 200} {
			r.s.Fill(dst, 9)
			if err := (Tiles{Net: u, Tape: r.tape, Side: side}).Forward(dst, x, n); err != nil {
				t.Fatal(err)
			}
			for i, v := range r.host(dst) {
				if d := v - want[i]; d > tolTiles*scale || d < -tolTiles*scale {
					t.Fatalf("edge %d, side %d: pixel %d is %v, want %v", edge, side, i, v, want[i])
				}
			}
		}
	}
	g := small
	g.Groups = 4
	if err := (Tiles{Net: r.unet(g), Tape: r.tape, Side: 8}).Forward(r.tensor(1, 8, 8, 1), r.tensor(1, 8, 8, 2), nil); err == nil {
		t.Error("a network with group normalisation worked on tiles")
	}
}

// Tiles fit where the whole image does not.
func TestTiles_SmallBudget_ImageDoesNotFitButTilesDo(t *testing.T) {
	d := cpu.New(cpu.Options{Workers: 2, MemoryBudget: 24 << 20})
	defer d.Close()
	r := &rig{t: t, d: d, s: d.NewStream()}
	r.tape = grad.New(d, r.s)
	u := r.unet(UNetConfig{In: 1, Out: 1, Channels: []int{8, 8}, Blocks: 1})
	x, dst := r.normal(1, 1, 384, 384, 1), r.tensor(1, 384, 384, 1)
	r.tape.Reset(grad.Forward)
	u.Forward(r.tape, r.tape.Const(x), nil)
	var m *engine.MemoryError
	if err := r.tape.Err(); !errors.As(err, &m) {
		t.Fatalf("the whole image: %v, want a MemoryError", err)
	}
	if err := (Tiles{Net: u, Tape: r.tape, Side: 96}).Forward(dst, x, nil); err != nil {
		t.Fatal(err)
	}
	if p := d.Usage().Peak; p > 24<<20 {
		t.Errorf("%d bytes held", p)
	}
}

func TestLoad_WrongFiles_SayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	l := newLesson(t, 1)
	path := filepath.Join(dir, "w.safetensors")
	write := func(d []safetensors.Data, meta map[string]string) {
		if err := safetensors.WriteFile(path, d, meta); err != nil {
			t.Fatal(err)
		}
	}
	load := func() error {
		f, done, err := OpenFile(path)
		if err != nil {
			return err
		}
		defer done()
		return l.u.Params().Load(f)
	}
	good := l.u.Params().data("", nil)
	before := l.bits()
	for want, change := range map[string]func(){
		"lacks": func() { write(good[1:], nil) },
		"has not": func() {
			write(append(good[:len(good):len(good)], safetensors.Data{Name: "x", Shape: []int{1}, Values: []float32{1}}), nil)
		},
		"shape": func() {
			g := good[0]
			g.Shape = []int{len(g.Values)}
			write(append([]safetensors.Data{g}, good[1:]...), nil)
		},
		"not finite": func() {
			g := good[0]
			g.Values = append([]float32(nil), g.Values...)
			g.Values[1] = float32(math.NaN())
			write(append([]safetensors.Data{g}, good[1:]...), nil)
		},
		"cut short": func() {
			if err := os.WriteFile(path, []byte("\xff\x00\x00\x00\x00\x00\x00\x00{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		change()
		if err := load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	same(t, "after refused files", before, l.bits())
	write(good, map[string]string{"step": "x"})
	if _, err := l.o.LoadTraining(path); err == nil {
		t.Error("a file without a step was taken for a training")
	}
	if _, _, err := OpenFile(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing file was opened")
	}
}

func TestStep_GradientNotFinite_MovesNothing(t *testing.T) {
	l := newLesson(t, 1)
	l.step()
	before := l.bits()
	r := l.rig
	x := r.tensor(1, 8, 8, 1)
	r.s.Fill(x, float32(math.Inf(1)))
	n := r.noise(4, 1)
	r.tape.Reset(grad.Train)
	y := l.u.Forward(r.tape, r.tape.Const(x), r.tape.Const(n))
	r.tape.Backward(y, x)
	if _, err := l.o.Step(context.Background(), r.tape); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("error %v", err)
	}
	same(t, "parameters", before, l.bits())
}

func TestSchedules_Values(t *testing.T) {
	c := Cosine(1, 10, 110)
	for step, want := range map[int]float64{1: 0.1, 10: 1, 60: 0.5, 110: 0, 500: 0} {
		if got := c(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("cosine at %d: %g, want %g", step, got, want)
		}
	}
	if k := Constant(2, 4); k(1) != 0.5 || k(4) != 2 || k(99) != 2 {
		t.Errorf("constant: %g %g %g", k(1), k(4), k(99))
	}
}

func TestUNetConfig_Wrong_IsAnError(t *testing.T) {
	for _, c := range []UNetConfig{
		{},
		{In: 1, Out: 1},
		{In: 1, Out: 1, Channels: []int{8}},
		{In: 1, Out: 1, Channels: []int{8}, Blocks: 1, Groups: 3},
		{In: 1, Out: 1, Channels: []int{8}, Blocks: 1, Attention: 3},
		{In: 1, Out: 1, Channels: []int{8}, Blocks: 1, Noise: 4},
		{In: 1 << 30, Out: 1, Channels: []int{8}, Blocks: 1},
	} {
		if c.Check() == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestPrecondition_Limits(t *testing.T) {
	skip, out, in := Precondition(1e-6, 2)
	if math.Abs(skip-1) > 1e-9 || out > 1e-5 || math.Abs(in-0.5) > 1e-9 {
		t.Errorf("no noise: %g %g %g", skip, out, in)
	}
	skip, out, in = Precondition(1e6, 2)
	if skip > 1e-9 || math.Abs(out-2) > 1e-9 || math.Abs(in*1e6-1) > 1e-9 {
		t.Errorf("all noise: %g %g %g", skip, out, in)
	}
}

func TestResNet_OutputIsInputAtFirst(t *testing.T) {
	r := newRig(t, 1)
	n, err := NewResNet(NewParams(r.d, r.s, engine.NewKey(1)), ResNetConfig{In: 3, Channels: 8, Blocks: 2})
	if err != nil {
		t.Fatal(err)
	}
	x := r.normal(1, 1, 9, 7, 3)
	r.tape.Reset(grad.Forward)
	y := r.host(n.Forward(r.tape, r.tape.Const(x), nil).Value())
	for i, v := range r.host(x) {
		if y[i] != v {
			t.Fatalf("pixel %d: %v, want %v", i, y[i], v)
		}
	}
}
