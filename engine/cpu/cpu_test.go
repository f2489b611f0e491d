package cpu

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"limpid/engine"
	"limpid/engine/devicetest"
	"limpid/engine/internal/simd"
)

// Every instruction set this machine has, with more workers than most machines have
// processors for; other numbers of workers give the same bits, see below.
func TestDevice_Suite_EveryInstructionSet(t *testing.T) {
	for _, k := range simd.Tables() {
		t.Run(k.Name, func(t *testing.T) {
			devicetest.Run(t, func(testing.TB) engine.Device { return New(Options{Workers: 4, Nice: 5, Kernels: k.Name}) })
		})
	}
}

func TestSelfTest_GoodDevice_PassesQuickly(t *testing.T) {
	d := New(Options{})
	defer d.Close()
	t0 := time.Now()
	if err := devicetest.SelfTest(d); err != nil {
		t.Error(err)
	}
	t.Logf("self-test took %v", time.Since(t0))
}

func must(t testing.TB, d *Device, s ...int) *engine.Tensor {
	x, err := d.Alloc(s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// program runs a bit of everything that is cut into chunks and returns the numbers.
func program(t testing.TB, workers int) []float32 {
	d := New(Options{Workers: workers})
	defer d.Close()
	s := d.NewStream()
	x, y := must(t, d, 7, 123, 201), must(t, d, 7, 123, 201)
	spec := must(t, d, x.Shape().Spectrum()...)
	sum := must(t, d, 7)
	s.Normal(x, engine.NewKey(1))
	s.Uniform(y, engine.NewKey(2))
	s.Mul(x, x, y)
	s.RFFT2(spec, x)
	s.CScale(spec, spec, y.Reshape(y.Len()).Slice(0, spec.Len()/14))
	s.IRFFT2(x, spec)
	s.Dot(sum, x, y)
	s.AxpyBy(x, 1, sum, nil, y)
	s.Sum(sum, x)
	lead := must(t, d, 3)
	s.SumLeading(lead, x)
	out := make([]float32, x.Len()+7+3)
	s.Download(out[:x.Len()], x)
	s.Download(out[x.Len():x.Len()+7], sum)
	s.Download(out[x.Len()+7:], lead)
	if err := s.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	return out
}

// network runs every kind of network operation and its gradients.
func network(t testing.TB, workers int) []float32 {
	d := New(Options{Workers: workers})
	defer d.Close()
	s := d.NewStream()
	draw := func(key uint64, shape ...int) *engine.Tensor {
		x := must(t, d, shape...)
		s.Normal(x, engine.NewKey(key))
		return x
	}
	x, g := draw(1, 3, 37, 41, 24), draw(2, 3, 37, 41, 40)
	var out []*engine.Tensor
	keep := func(x *engine.Tensor) *engine.Tensor {
		out = append(out, x)
		return x
	}
	for i, k := range []int{1, 3, 5} { // products, Winograd's tiles, taps
		w, c := draw(uint64(10+i), k, k, 24, 40), engine.Conv{Pad: k / 2}
		s.Conv(keep(must(t, d, 3, 37, 41, 40)), x, w, nil, g, c)
		s.ConvTransposed(keep(must(t, d, 3, 37, 41, 24)), g, w, nil, c)
		s.ConvWeights(keep(must(t, d, k, k, 24, 40)), x, g, c)
	}
	half, w := engine.Conv{Pad: 1, Stride: 2}, draw(20, 3, 3, 24, 40)
	y := keep(must(t, d, 3, 19, 21, 40))
	s.Conv(y, x, w, nil, nil, half)
	s.ConvTransposed(keep(must(t, d, 3, 37, 41, 24)), y, w, nil, half)
	s.ConvWeights(keep(must(t, d, 3, 3, 24, 40)), x, y, half)
	dw, c := draw(21, 3, 3, 24), engine.Conv{Pad: 1}
	s.Depthwise(keep(must(t, d, 3, 37, 41, 24)), x, dw, nil, c)
	s.DepthwiseTransposed(keep(must(t, d, 3, 37, 41, 24)), x, dw, c)
	s.DepthwiseWeights(keep(must(t, d, 3, 3, 24)), x, x, c)
	for _, n := range []engine.Norm{{Groups: 4, Eps: 1e-5}, {PerPixel: true, Eps: 1e-5}} {
		stats := keep(must(t, d, n.Stats(x.Shape())...))
		s.Norm(keep(must(t, d, x.Shape()...)), stats, x, nil, nil, n)
		s.NormGrad(keep(must(t, d, x.Shape()...)), keep(must(t, d, 3, 24)), keep(must(t, d, 3, 24)), stats, x, nil, nil, out[len(out)-3], n)
	}
	s.ChannelSums(keep(must(t, d, 3, 24)), x, nil)
	s.MatMul(keep(must(t, d, 3, 24, 24)), x.Reshape(3, 37*41, 24), x.Reshape(3, 37*41, 24), engine.MatMul{TransA: true})
	if err := s.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	var all []float32
	for _, o := range out {
		v := make([]float32, o.Len())
		s.Download(v, o)
		all = append(all, v...)
	}
	return all
}

func TestDevice_AnyWorkerCount_SameBits(t *testing.T) {
	for name, run := range map[string]func(testing.TB, int) []float32{"solvers": program, "networks": network} {
		want := run(t, 1)
		for _, w := range []int{2, 4} {
			for i, v := range run(t, w) {
				if math.Float32bits(v) != math.Float32bits(want[i]) {
					t.Fatalf("%s, %d workers: element %d is %v, with one %v", name, w, i, v, want[i])
				}
			}
		}
	}
}

func TestStream_WarmStep_AllocatesNothing(t *testing.T) {
	d := New(Options{Workers: 2})
	defer d.Close()
	s := d.NewStream()
	x, y := must(t, d, 3, 60, 61), must(t, d, 3, 60, 61)
	spec := must(t, d, x.Shape().Spectrum()...)
	sum, lead := must(t, d, 3), must(t, d, 61)
	host := make([]float32, x.Len())
	n := testing.AllocsPerRun(50, func() {
		s.Upload(x, host)
		s.Normal(y, engine.NewKey(1))
		s.Add(x, x, y)
		s.Map(x, engine.Exp, x)
		s.Window(x, y, 1, -2)
		s.AddWindow(x, y, 3, 2)
		s.RFFT2(spec, x)
		s.CMul(spec, spec, spec)
		s.IRFFT2(x, spec)
		s.Dot(sum, x, y)
		s.SumLeading(lead, x)
		s.AxpyBy(x, 1, sum, sum, y)
		s.Fill(x, 1)
		s.Download(host, x)
	})
	if n != 0 {
		t.Errorf("%v allocations per step, want 0", n)
	}
}

func TestStream_WarmNetworkStep_AllocatesNothing(t *testing.T) {
	d := New(Options{Workers: 2})
	defer d.Close()
	s := d.NewStream()
	x, y, w, dw := must(t, d, 2, 16, 16, 16), must(t, d, 2, 16, 16, 16), must(t, d, 3, 3, 16, 16), must(t, d, 3, 3, 16)
	half, w5 := must(t, d, 2, 8, 8, 16), must(t, d, 5, 5, 16, 16)
	norm := engine.Norm{Groups: 4, Eps: 1e-5, Act: engine.SiLU}
	stats, chans := must(t, d, norm.Stats(x.Shape())...), must(t, d, 2, 16)
	mats, rows := must(t, d, 2, 16, 16), x.Reshape(2, 256, 16)
	s.Normal(x, engine.NewKey(1))
	s.Normal(w, engine.NewKey(2))
	s.Normal(w5, engine.NewKey(3))
	planes := must(t, d, 2, 260, 20)
	c, c5, c2 := engine.Conv{Pad: 1}, engine.Conv{Pad: 2, Edge: engine.Periodic}, engine.Conv{Pad: 1, Stride: 2, Edge: engine.Reflect}
	n := testing.AllocsPerRun(20, func() {
		s.Conv(y, x, w, nil, x, c)
		s.Conv(y, x, w5, nil, nil, c5)
		s.Conv(half, x, w, nil, nil, c2)
		s.ConvTransposed(y, x, w, nil, c)
		s.ConvTransposed(y, half, w, nil, c2)
		s.ConvWeights(w5, x, y, c5)
		s.ConvWeights(w, x, y, c)
		s.Depthwise(y, x, dw, nil, c)
		s.DepthwiseTransposed(y, x, dw, c)
		s.DepthwiseWeights(dw, x, y, c)
		s.Norm(y, stats, x, nil, nil, norm)
		s.NormGrad(y, chans, chans, stats, x, nil, nil, y, norm)
		s.ChannelAffine(y, x, chans, chans)
		s.ChannelSums(chans, x, y)
		s.CopyChannels(y, 0, x, 8, 8)
		s.SumPool(half, x, 2)
		s.Upsample(y, half, 2)
		s.Softmax(y, x)
		s.Adam(w, w, w, w, engine.Adam{Step: 1})
		s.MatMul(mats, rows, rows, engine.MatMul{TransA: true})
		s.Pad(planes, rows, 1, 2, engine.Reflect)
		s.PadAdjoint(rows, planes, 1, 2, engine.Reflect)
	})
	if n != 0 {
		t.Errorf("%v allocations per step, want 0", n)
	}
}

func TestAlloc_OverBudget_SaysHowMuchIsLeft(t *testing.T) {
	d := New(Options{MemoryBudget: 1 << 20})
	defer d.Close()
	a := must(t, d, 128, 1024)
	_, err := d.Alloc(engine.Shape{200, 1024})
	var m *engine.MemoryError
	if !errors.As(err, &m) || m.Want != 200*4096 || m.Left != 1<<19 || m.Budget != 1<<20 {
		t.Fatalf("got %v (%+v)", err, m)
	}
	a.Free()
	a.Free() // twice is once
	b, err := d.Alloc(engine.Shape{200, 1024})
	if err != nil {
		t.Fatal("after Free:", err)
	}
	b.Free()
	if u := d.Usage(); u.Used != 0 {
		t.Errorf("%d bytes in use after the last Free", u.Used)
	}
}

func TestAlloc_SameSizeAgain_ReusesTheBlock(t *testing.T) {
	d := New(Options{})
	defer d.Close()
	for range 10 {
		must(t, d, 1000, 1000).Free()
	}
	if u := d.Usage(); u.Pooled > 5e6 {
		t.Errorf("%d bytes kept for one tensor of 4 MB at a time", u.Pooled)
	}
}

func TestStream_UseAfterFree_Panics(t *testing.T) {
	d := New(Options{})
	defer d.Close()
	x := must(t, d, 4)
	x.Free()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	d.NewStream().Fill(x, 1)
}

func TestClose_AfterWork_LeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		program(t, 4)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestSync_CancelledContext_ReportsIt(t *testing.T) {
	d := New(Options{})
	defer d.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.NewStream().Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
