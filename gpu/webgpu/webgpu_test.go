package webgpu

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"limpid/engine"
	"limpid/engine/devicetest"
)

// adapter is the first real one, or a software one, or the test is skipped.
func adapter(t testing.TB) Adapter {
	list := Adapters()
	if len(list) == 0 {
		t.Skip("no WebGPU adapter at all: install a Vulkan driver (mesa-vulkan-drivers has one in software)")
	}
	for _, a := range list {
		if !a.Software {
			return a
		}
	}
	return list[0]
}

func open(t testing.TB) *Device {
	d, err := Open(adapter(t).Index, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shared is one device for many checks: compiling is what takes time here.
type shared struct{ *Device }

func (shared) Close() error { return nil }

func TestDevice_Suite(t *testing.T) {
	d := open(t)
	defer d.Close()
	devicetest.Run(t, func(testing.TB) engine.Device { return shared{d} })
}

// The suite's small products go without tiles; here all go through them.
func TestTiles_SelfTest_Passes(t *testing.T) {
	d, err := Open(adapter(t).Index, Options{Tiles: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := devicetest.SelfTest(d); err != nil {
		t.Error(err)
	}
}

// Lines too long for a group's memory, and Bluestein's algorithm over such.
func TestFFT_LongLines_MatchTheDefinition(t *testing.T) {
	d := open(t)
	defer d.Close()
	s := d.NewStream()
	for _, w := range []int{4096, 3 * 1500, 1511} {
		const h, at = 3, 7
		img, err := d.Alloc(engine.Shape{h, w})
		if err != nil {
			t.Fatal(err)
		}
		spec, err := d.Alloc(img.Shape().Spectrum())
		if err != nil {
			t.Fatal(err)
		}
		// One pixel in row 1: its spectrum is a product of two waves.
		x := make([]float32, h*w)
		x[w+at] = 1
		s.Upload(img, x)
		s.RFFT2(spec, img)
		got := make([]float32, spec.Len())
		s.Download(got, spec)
		for ky := range h {
			for kx := range w/2 + 1 {
				sn, cs := math.Sincos(-2 * math.Pi * (float64(ky)/h + float64(at*kx%w)/float64(w)))
				o := 2 * (ky*(w/2+1) + kx)
				if math.Abs(float64(got[o])-cs) > 1e-5 || math.Abs(float64(got[o+1])-sn) > 1e-5 {
					t.Fatalf("width %d: coefficient (%d, %d) is (%g, %g), want (%g, %g)", w, ky, kx, got[o], got[o+1], cs, sn)
				}
			}
		}
		s.IRFFT2(img, spec)
		back := make([]float32, h*w)
		s.Download(back, img)
		for i, v := range back {
			if math.Abs(float64(v-x[i])) > 1e-5 {
				t.Fatalf("width %d: pixel %d comes back as %g, not %g", w, i, v, x[i])
			}
		}
		if err := s.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		img.Free()
		spec.Free()
	}
}

func TestMemory_Budget_ErrorSaysWhatIsLeft(t *testing.T) {
	d, err := Open(adapter(t).Index, Options{Budget: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	a, err := d.Alloc(engine.Shape{100, 1000})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Alloc(engine.Shape{200, 1000})
	var m *engine.MemoryError
	if !errors.As(err, &m) || m.Budget != 1<<20 || m.Left >= 1<<20-400000 || m.Left <= 0 {
		t.Errorf("800 kB of a megabyte with 400 kB in use: %v", err)
	}
	a.Free()
	if b, err := d.Alloc(engine.Shape{200, 1000}); err != nil {
		t.Errorf("after Free: %v", err)
	} else {
		b.Free()
	}
}

// Two goroutines with streams of their own: each finds its own numbers.
func TestStreams_TwoAtOnce_DoNotDisturbEachOther(t *testing.T) {
	d := open(t)
	defer d.Close()
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() {
			s := d.NewStream()
			for round := range 20 {
				x, err := d.Alloc(engine.Shape{1000 + 500*g})
				if err != nil {
					t.Error(err)
					return
				}
				for range 10 {
					s.Affine(x, 1, x, float32(g+1))
				}
				got := make([]float32, x.Len())
				s.Download(got, x)
				for i, v := range got {
					if v != float32(10*(g+1)) {
						t.Errorf("goroutine %d, round %d: element %d is %g", g, round, i, v)
						return
					}
				}
				x.Free()
			}
			if err := s.Sync(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Drills: whatever happens to a device, streams keep an error and nothing panics.
func TestDrills_EveryFailure_IsAnErrorOfTheStream(t *testing.T) {
	for _, c := range []struct {
		name    string
		failure int
		lost    bool
		words   string
	}{
		{"vanish", DrillVanish, true, "vanished"},
		{"driver gives up", DrillAbort, true, "gave up"},
		{"shader", DrillShader, false, "compile"},
		{"memory", DrillMemory, false, "memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t)
			s := d.NewStream()
			x, err := d.Alloc(engine.Shape{1000})
			if err != nil {
				t.Fatal(err)
			}
			s.Fill(x, 1)
			if err := s.Sync(context.Background()); err != nil {
				t.Fatal(err)
			}
			d.Drill(c.failure)
			s.Add(x, x, x)
			s.Normal(x, engine.NewKey(1))
			got := make([]float32, x.Len())
			s.Download(got, x)
			err = s.Sync(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.words) || errors.Is(err, ErrLost) != c.lost {
				t.Errorf("error %v; want one about %q, lost %v", err, c.words, c.lost)
			}
			if c.lost {
				if _, err := d.Alloc(engine.Shape{1 << 16}); !errors.Is(err, ErrLost) {
					t.Errorf("Alloc on a lost device: %v", err)
				}
			}
			x.Free()
			d.Close()
		})
	}
	// A new device works after all that.
	d := open(t)
	defer d.Close()
	x, err := d.Alloc(engine.Shape{4})
	if err != nil {
		t.Fatal(err)
	}
	s := d.NewStream()
	s.Fill(x, 3)
	got := make([]float32, 4)
	s.Download(got, x)
	if err := s.Sync(context.Background()); err != nil || got[3] != 3 {
		t.Errorf("a new device gives %v, %v", got, err)
	}
}
