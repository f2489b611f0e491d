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

func TestDevice_Suite_OneWorker(t *testing.T) {
	devicetest.Run(t, func(testing.TB) engine.Device { return New(Options{Workers: 1}) })
}

func TestDevice_Suite_FourWorkers(t *testing.T) {
	devicetest.Run(t, func(testing.TB) engine.Device { return New(Options{Workers: 4, Nice: 5}) })
}

// Every instruction set this machine has.
func TestDevice_Suite_EveryInstructionSet(t *testing.T) {
	for _, k := range simd.Tables() {
		t.Run(k.Name, func(t *testing.T) {
			devicetest.Run(t, func(testing.TB) engine.Device { return New(Options{Workers: 2, Kernels: k.Name}) })
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

func TestDevice_AnyWorkerCount_SameBits(t *testing.T) {
	want := program(t, 1)
	for _, w := range []int{2, 4} {
		for i, v := range program(t, w) {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("%d workers: element %d is %v, with one %v", w, i, v, want[i])
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
