package grad

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
)

// tolSlope is relative to |gradient| |direction|. The differences are of float32
// results: rounding of 1e-7 over steps of 1e-2, and what Richardson's rule leaves of
// the curvature.
const tolSlope = 1e-3

// opCase is an operation on sources of the given shapes, drawn from (lo, hi).
type opCase struct {
	name   string
	lo, hi float32
	shapes []engine.Shape
	run    func(t *Tape, v []*Var) *Var
}

func img(b, h, w, c int) engine.Shape { return engine.Shape{b, h, w, c} }

func opCases() []opCase {
	e := engine.Edge(engine.Reflect)
	conv := engine.Conv{Pad: 1, Edge: engine.Zero}
	s := func(s ...engine.Shape) []engine.Shape { return s }
	return []opCase{
		{"Scale", -1, 1, s(img(1, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Scale(-2, v[0]) }},
		{"Affine", -1, 1, s(img(1, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Affine(-2, v[0], 3) }},
		{"Clamp", -1, 1, s(img(1, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Clamp(v[0], -3, 4) }},
		{"Add repeated", -1, 1, s(img(7, 3, 5, 4), engine.Shape{5, 4}), func(t *Tape, v []*Var) *Var { return t.Add(v[0], v[1]) }},
		{"Sub", -1, 1, s(img(1, 3, 5, 4), img(1, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Sub(v[0], v[1]) }},
		{"Mul repeated", -1, 1, s(img(7, 3, 5, 4), engine.Shape{4}), func(t *Tape, v []*Var) *Var { return t.Mul(v[0], v[1]) }},
		{"Mul with itself", -1, 1, s(img(1, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Mul(v[0], v[0]) }},
		{"Div", 1, 2, s(img(7, 3, 5, 4), engine.Shape{5, 4}), func(t *Tape, v []*Var) *Var { return t.Div(v[0], v[1]) }},
		{"Reshape", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Reshape(v[0], 21, 20) }},
		{"Sum", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Sum(v[0]) }},
		{"Dot", -1, 1, s(img(7, 3, 5, 4), img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Dot(v[0], v[1]) }},
		{"ScaleBy", -1, 1, s(engine.Shape{7}, img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.ScaleBy(v[0], v[1]) }},
		{"SumLeading", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.SumLeading(v[0], 5, 4) }},
		{"Window", -1, 1, s(engine.Shape{7, 5, 6}), func(t *Tape, v []*Var) *Var { return t.Window(v[0], -2, 3, 7, 9, 4) }},
		{"Pad", -1, 1, s(engine.Shape{7, 5, 6}), func(t *Tape, v []*Var) *Var { return t.Pad(v[0], 2, 3, e, 7, 9, 11) }},
		{"RFFT2 even", -1, 1, s(engine.Shape{7, 5, 6}), func(t *Tape, v []*Var) *Var { return t.RFFT2(v[0]) }},
		{"RFFT2 odd", -1, 1, s(engine.Shape{1, 4, 7}), func(t *Tape, v []*Var) *Var { return t.RFFT2(v[0]) }},
		{"IRFFT2 even", -1, 1, s(engine.Shape{7, 5, 4, 2}), func(t *Tape, v []*Var) *Var { return t.IRFFT2(v[0], 7, 5, 6) }},
		{"IRFFT2 odd", -1, 1, s(engine.Shape{1, 4, 4, 2}), func(t *Tape, v []*Var) *Var { return t.IRFFT2(v[0], 1, 4, 7) }},
		{"CMul repeated", -1, 1, s(engine.Shape{7, 5, 2}, engine.Shape{5, 2}), func(t *Tape, v []*Var) *Var { return t.CMul(v[0], v[1]) }},
		{"CMulConj", -1, 1, s(engine.Shape{7, 5, 2}, engine.Shape{7, 5, 2}), func(t *Tape, v []*Var) *Var { return t.CMulConj(v[0], v[1]) }},
		{"CScale repeated", -1, 1, s(engine.Shape{7, 5, 2}, engine.Shape{5}), func(t *Tape, v []*Var) *Var { return t.CScale(v[0], v[1]) }},
		{"Conv", -1, 1, s(img(7, 6, 5, 3), engine.Shape{3, 3, 3, 4}, engine.Shape{4}, img(7, 6, 5, 4)), func(t *Tape, v []*Var) *Var {
			return t.Conv(v[0], v[1], v[2], v[3], conv)
		}},
		{"Conv Winograd", -1, 1, s(img(1, 9, 7, 16), engine.Shape{3, 3, 16, 8}, engine.Shape{8}), func(t *Tape, v []*Var) *Var {
			return t.Conv(v[0], v[1], v[2], nil, engine.Conv{Pad: 1, Edge: engine.Periodic})
		}},
		{"Conv SiLU", -1, 1, s(img(1, 6, 5, 3), engine.Shape{3, 3, 3, 4}, engine.Shape{4}), func(t *Tape, v []*Var) *Var {
			return t.Conv(v[0], v[1], v[2], nil, engine.Conv{Pad: 1, Act: engine.SiLU})
		}},
		{"Conv strided, reflecting", -1, 1, s(img(1, 7, 6, 3), engine.Shape{3, 3, 3, 4}), func(t *Tape, v []*Var) *Var {
			return t.Conv(v[0], v[1], nil, nil, engine.Conv{Pad: 1, Stride: 2, Edge: e})
		}},
		{"ConvTransposed", -1, 1, s(img(7, 3, 4, 5), engine.Shape{4, 4, 3, 5}, engine.Shape{3}), func(t *Tape, v []*Var) *Var {
			return t.ConvTransposed(v[0], v[1], v[2], 6, 8, engine.Conv{Stride: 2, Pad: 1})
		}},
		{"Depthwise", -1, 1, s(img(7, 5, 4, 6), engine.Shape{3, 3, 6}, engine.Shape{6}), func(t *Tape, v []*Var) *Var {
			return t.Depthwise(v[0], v[1], v[2], engine.Conv{Pad: 1, Act: engine.Tanh})
		}},
		{"MatMul", -1, 1, s(engine.Shape{7, 3, 5}, engine.Shape{7, 5, 4}), func(t *Tape, v []*Var) *Var { return t.MatMul(v[0], v[1], engine.MatMul{}) }},
		{"MatMul AᵀB", -1, 1, s(engine.Shape{7, 5, 3}, engine.Shape{7, 5, 4}), func(t *Tape, v []*Var) *Var {
			return t.MatMul(v[0], v[1], engine.MatMul{TransA: true, Scale: 0.5})
		}},
		{"MatMul ABᵀ", -1, 1, s(engine.Shape{7, 3, 5}, engine.Shape{7, 4, 5}), func(t *Tape, v []*Var) *Var {
			return t.MatMul(v[0], v[1], engine.MatMul{TransB: true, Scale: -2})
		}},
		{"MatMul AᵀBᵀ", -1, 1, s(engine.Shape{5, 3}, engine.Shape{4, 5}), func(t *Tape, v []*Var) *Var {
			return t.MatMul(v[0], v[1], engine.MatMul{TransA: true, TransB: true})
		}},
		{"MatMul shared", -1, 1, s(engine.Shape{7, 3, 5}, engine.Shape{1, 5, 4}), func(t *Tape, v []*Var) *Var { return t.MatMul(v[0], v[1], engine.MatMul{}) }},
		{"Softmax", -1, 1, s(engine.Shape{7, 3, 5}), func(t *Tape, v []*Var) *Var { return t.Softmax(v[0]) }},
		{"Norm per image", -1, 2, s(img(7, 3, 5, 4), engine.Shape{7, 4}, engine.Shape{7, 4}), func(t *Tape, v []*Var) *Var {
			return t.Norm(v[0], v[1], v[2], engine.Norm{Groups: 2, Eps: 1e-3, Act: engine.SiLU})
		}},
		{"Norm per pixel", -1, 2, s(img(7, 3, 5, 4), engine.Shape{4}, engine.Shape{4}), func(t *Tape, v []*Var) *Var {
			return t.Norm(v[0], v[1], v[2], engine.Norm{PerPixel: true, Eps: 1e-1})
		}},
		{"ChannelAffine", -1, 1, s(img(7, 3, 5, 4), engine.Shape{7, 4}, engine.Shape{7, 4}), func(t *Tape, v []*Var) *Var {
			return t.ChannelAffine(v[0], v[1], v[2])
		}},
		{"Concat", -1, 1, s(img(7, 3, 5, 4), img(7, 3, 5, 2)), func(t *Tape, v []*Var) *Var { return t.Concat(v[0], v[1], v[0]) }},
		{"Channels", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Channels(v[0], 1, 2) }},
		{"Upsample", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.Upsample(v[0], 2) }},
		{"SumPool", -1, 1, s(img(7, 6, 4, 4)), func(t *Tape, v []*Var) *Var { return t.SumPool(v[0], 2) }},
		{"ChannelsFirst", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.ChannelsFirst(v[0]) }},
		{"ChannelsLast", -1, 1, s(img(7, 3, 5, 4)), func(t *Tape, v []*Var) *Var { return t.ChannelsLast(v[0]) }},
		{"Checkpoint", -1, 1, s(img(1, 6, 5, 3), engine.Shape{3, 3, 3, 3}), func(t *Tape, v []*Var) *Var {
			block := func(t *Tape, in []*Var) *Var {
				h := t.Conv(in[0], in[1], nil, nil, conv)
				u := t.Map(engine.Tanh, h)
				t.Drop(h)
				y := t.Add(u, in[0])
				t.Drop(u)
				return y
			}
			return t.Checkpoint(block, t.Checkpoint(block, v[0], v[1]), v[1])
		}},
	}
}

// mapCases are the functions of Map where they are smooth.
func mapCases() (out []opCase) {
	for _, f := range []struct {
		f      engine.Unary
		lo, hi float32
	}{
		{engine.Identity, -1, 1},
		{engine.Exp, -2, 2},
		{engine.Log, 0.5, 2},
		{engine.Sqrt, 0.5, 2},
		{engine.Square, -2, 2},
		{engine.Recip, 0.5, 2},
		{engine.Abs, 0.5, 2},
		{engine.Abs, -2, -0.5},
		{engine.ReLU, 0.5, 2},
		{engine.ReLU, -2, -0.5},
		{engine.Tanh, -2, 2},
		{engine.Sigmoid, -2, 2},
		{engine.SiLU, -2, 2},
		{engine.GELU, -2, 2},
		{engine.Softplus, -2, 2},
	} {
		out = append(out, opCase{fmt.Sprint("Map ", int(f.f), " from ", f.lo), f.lo, f.hi, []engine.Shape{img(7, 3, 5, 4)}, func(t *Tape, v []*Var) *Var { return t.Map(f.f, v[0]) }})
	}
	return out
}

// otherBatch is the case with one image where it has seven, and the reverse; false
// where the batch is part of the operation.
func (c opCase) otherBatch() (opCase, bool) {
	switch c.name {
	case "Reshape", "Window", "Pad", "IRFFT2 even", "IRFFT2 odd", "MatMul shared":
		return c, false
	}
	changed := false
	d := c
	d.name, d.shapes = c.name+", other batch", nil
	for _, s := range c.shapes {
		s = append(engine.Shape(nil), s...)
		switch {
		case s[0] == 7:
			s[0], changed = 1, true
		case s[0] == 1 && len(s) >= 3:
			s[0], changed = 7, true
		}
		d.shapes = append(d.shapes, s)
	}
	return d, changed
}

type rig struct {
	t testing.TB
	d *cpu.Device
	s engine.Stream
}

func newRig(t testing.TB) *rig {
	d := cpu.New(cpu.Options{Workers: 2})
	t.Cleanup(func() { d.Close() })
	return &rig{t, d, d.NewStream()}
}

func (r *rig) tensor(s engine.Shape) *engine.Tensor {
	x, err := r.d.Alloc(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return x
}

func (r *rig) uniform(s engine.Shape, lo, hi float32, key uint64) *engine.Tensor {
	x := r.tensor(s)
	r.s.Uniform(x, engine.NewKey(key))
	r.s.Affine(x, hi-lo, x, lo)
	return x
}

func (r *rig) host(x *engine.Tensor) []float32 {
	v := make([]float32, x.Len())
	r.s.Download(v, x)
	return v
}

func inner(a, b []float32) (s float64) {
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func TestTape_EveryOperation_MatchesDifferences(t *testing.T) {
	cases := append(opCases(), mapCases()...)
	for _, c := range cases {
		if d, ok := c.otherBatch(); ok {
			cases = append(cases, d)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			tape := New(r.d, r.s)
			var in []*engine.Tensor
			for i, s := range c.shapes {
				in = append(in, r.uniform(s, c.lo, c.hi, uint64(i+1)))
			}
			forward := func(m Mode) (*Var, []*Var) {
				tape.Reset(m)
				var v []*Var
				for _, x := range in {
					v = append(v, tape.Param(x))
				}
				return c.run(tape, v), v
			}
			out, _ := forward(Forward)
			seed := r.uniform(out.Shape(), -1, 1, 99)
			hs := r.host(seed)
			out, v := forward(Train)
			tape.Backward(out, seed)
			if err := tape.Err(); err != nil {
				t.Fatal(err)
			}
			grads := make([][]float32, len(in))
			for i := range in {
				grads[i] = r.host(tape.Grad(v[i]))
			}
			for i, x := range in {
				dir := r.uniform(x.Shape(), -1, 1, uint64(200+i))
				hd := r.host(dir)
				slope := func(h float32) float64 {
					r.s.Axpy(x, h, dir)
					up, _ := forward(Forward)
					a := inner(r.host(up.Value()), hs)
					r.s.Axpy(x, -2*h, dir)
					down, _ := forward(Forward)
					b := inner(r.host(down.Value()), hs)
					r.s.Axpy(x, h, dir)
					return (a - b) / (2 * float64(h))
				}
				want := (4*slope(0.01) - slope(0.02)) / 3
				got := inner(grads[i], hd)
				if d := math.Abs(got - want); d > tolSlope*(math.Sqrt(inner(grads[i], grads[i])*inner(hd, hd))+1e-2) {
					t.Errorf("source %d: slope %g, differences give %g", i, got, want)
				}
			}
			tape.Close()
		})
	}
}

func TestTape_WarmStep_AllocatesNothingOnTheDevice(t *testing.T) {
	r := newRig(t)
	tape := New(r.d, r.s)
	x, w := r.uniform(img(2, 16, 16, 8), -1, 1, 1), r.uniform(engine.Shape{3, 3, 8, 8}, -1, 1, 2)
	seed := r.uniform(img(2, 16, 16, 8), -1, 1, 3)
	step := func() {
		tape.Reset(Train)
		h := tape.Conv(tape.Param(x), tape.Weight(w), nil, nil, engine.Conv{Pad: 1, Act: engine.SiLU})
		h = tape.Norm(h, nil, nil, engine.Norm{Groups: 2, Eps: 1e-5})
		tape.Backward(h, seed)
	}
	step()
	step()
	before := r.d.Usage()
	for range 5 {
		step()
	}
	if after := r.d.Usage(); after != before {
		t.Errorf("memory went from %+v to %+v", before, after)
	}
	tape.Close()
}

func TestTape_InputMode_LeavesWeightsAlone(t *testing.T) {
	r := newRig(t)
	tape := New(r.d, r.s)
	x, w := r.uniform(img(1, 8, 8, 3), -1, 1, 1), r.uniform(engine.Shape{3, 3, 3, 3}, -1, 1, 2)
	tape.Reset(Input)
	vx, vw := tape.Param(x), tape.Weight(w)
	y := tape.Conv(vx, vw, nil, nil, engine.Conv{Pad: 1})
	tape.Backward(y, x)
	if tape.Grad(vx) == nil || tape.Grad(vw) != nil {
		t.Errorf("gradients: input %v, weights %v", tape.Grad(vx), tape.Grad(vw))
	}
}

// Checkpointing a deep chain keeps less memory than recording it.
func TestCheckpoint_DeepChain_UsesLessMemory(t *testing.T) {
	peak := func(check bool) int64 {
		r := newRig(t)
		tape := New(r.d, r.s)
		x := r.uniform(img(1, 64, 64, 8), -1, 1, 1)
		tape.Reset(Input)
		v := tape.Param(x)
		for range 8 {
			block := func(t *Tape, in []*Var) *Var {
				h := in[0]
				for range 4 {
					g := t.Map(engine.Tanh, h)
					if h != in[0] {
						t.Drop(h)
					}
					h = g
				}
				return h
			}
			if check {
				v = tape.Checkpoint(block, v)
			} else {
				v = block(tape, []*Var{v})
			}
		}
		tape.Backward(v, x)
		return r.d.Usage().Peak
	}
	if a, b := peak(false), peak(true); b*2 > a {
		t.Errorf("recorded: %d bytes, checkpointed: %d", a, b)
	}
}

func TestTape_NoMemory_ReportsAndDoesNotPanic(t *testing.T) {
	d := cpu.New(cpu.Options{Workers: 1, MemoryBudget: 1 << 16})
	defer d.Close()
	s := d.NewStream()
	x, err := d.Alloc(img(1, 32, 32, 8))
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Alloc(engine.Shape{1, 1, 8, 64})
	if err != nil {
		t.Fatal(err)
	}
	tape := New(d, s)
	tape.Reset(Train)
	y := tape.Conv(tape.Param(x), tape.Weight(w), nil, nil, engine.Conv{})
	y = tape.Map(engine.SiLU, tape.Norm(y, nil, nil, engine.Norm{PerPixel: true}))
	tape.Backward(y, y.Value())
	var m *engine.MemoryError
	if !errors.As(tape.Err(), &m) {
		t.Errorf("got %v, want a MemoryError", tape.Err())
	}
	if s.Sync(context.Background()) != nil && !errors.As(s.Sync(context.Background()), &m) {
		t.Errorf("stream: %v", s.Sync(context.Background()))
	}
}
