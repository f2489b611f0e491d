package nn

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"limpid/engine"
	"limpid/engine/grad"
)

// lesson trains a small network to remove noise and returns it with its optimiser.
type lesson struct {
	*rig
	u *UNet
	o *AdamW
}

func newLesson(t testing.TB, workers int) *lesson {
	r := newRig(t, workers)
	u, err := NewUNet(NewParams(r.d, r.s, engine.NewKey(3)), UNetConfig{In: 1, Out: 1, Channels: []int{8, 8}, Blocks: 1, Noise: 4, Embed: 8})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewAdamW(u.Params(), Cosine(3e-3, 5, 60))
	if err != nil {
		t.Fatal(err)
	}
	o.Clip, o.EMA, o.Decay = 1, 0.9, 1e-3
	return &lesson{r, u, o}
}

// step draws its data from the step's number alone.
func (l *lesson) step() float64 {
	r := l.rig
	key := engine.NewKey(5).Fold(uint64(l.o.Steps()))
	x, noisy := r.tensor(4, 16, 16, 1), r.tensor(4, 16, 16, 1)
	defer x.Free()
	defer noisy.Free()
	v := make([]float32, x.Len())
	for i := range v {
		v[i] = float32(math.Sin(float64(i%16)/3 + float64(i/256)))
	}
	r.s.Upload(x, v)
	r.s.Normal(noisy, key)
	r.s.Axpy(noisy, 2, x)
	n := r.noise(4, 1, 1, 1, 1)
	defer n.Free()
	r.tape.Reset(grad.Train)
	d := r.tape.Sub(l.u.Forward(r.tape, r.tape.Const(noisy), r.tape.Const(n)), r.tape.Const(x))
	loss := inner(r.host(d.Value()), r.host(d.Value())) / float64(d.Value().Len())
	g := r.tensor(x.Shape()...)
	defer g.Free()
	r.s.Scale(g, 2/float32(g.Len()), d.Value())
	r.tape.Backward(d, g)
	if _, err := l.o.Step(context.Background(), r.tape); err != nil {
		r.t.Fatal(err)
	}
	return loss
}

func (l *lesson) bits() []uint32 {
	var out []uint32
	for i, p := range l.u.Params().All() {
		for _, x := range []*engine.Tensor{p.Value, l.o.m[i], l.o.v[i], l.o.ema[i]} {
			for _, v := range l.host(x) {
				out = append(out, math.Float32bits(v))
			}
		}
	}
	return out
}

func same(t *testing.T, what string, a, b []uint32) {
	t.Helper()
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%s: number %d of %d differs", what, i, len(a))
		}
	}
}

func TestTraining_LearnsTheSameOnAnyWorkers(t *testing.T) {
	var want []uint32
	for _, w := range []int{1, 2, 4} {
		l := newLesson(t, w)
		first := l.step()
		last := 0.0
		for range 40 {
			last = l.step()
		}
		if last > first/3 {
			t.Errorf("the loss went from %g to %g", first, last)
		}
		if want == nil {
			want = l.bits()
		} else {
			same(t, "workers", want, l.bits())
		}
	}
}

func TestTraining_SavedAndResumed_GoesOnAsBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.safetensors")
	a := newLesson(t, 2)
	for range 7 {
		a.step()
	}
	if err := a.o.SaveTraining(path, map[string]string{"seed": "3"}); err != nil {
		t.Fatal(err)
	}
	b := newLesson(t, 2)
	b.step()
	meta, err := b.o.LoadTraining(path)
	if err != nil || meta["seed"] != "3" || b.o.Steps() != 7 {
		t.Fatalf("loaded %v, step %d, error %v", meta, b.o.Steps(), err)
	}
	for range 5 {
		a.step()
		b.step()
	}
	same(t, "resumed training", a.bits(), b.bits())
	// The average can be used by itself.
	if err := a.o.SaveAverage(path, nil); err != nil {
		t.Fatal(err)
	}
	f, done, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := b.u.Params().Load(f); err != nil {
		t.Fatal(err)
	}
	for i, p := range b.u.Params().All() {
		for k, v := range b.host(p.Value) {
			if v != a.host(a.o.ema[i])[k] {
				t.Fatalf("%s[%d] is not the average", p.Name, k)
			}
		}
	}
}
