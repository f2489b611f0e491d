package session_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/assets"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// notUnderRace skips a test of values that other tests run the code of.
func notUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("needs a build without the race detector, under which it takes minutes")
	}
}

// newSession writes the shipped sample into a temporary folder.
func newSession(t *testing.T) (*session.Session, recipe.Recipe) {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	s := session.New(dev)
	t.Cleanup(s.Close)
	item := assets.Samples()[0]
	data, err := assets.ReadSample(item.File)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), item.File)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	r := recipe.Default(path)
	r.PSF = recipe.PSF{Kind: observe.PSFFile}
	r.Input.Cutout = &[4]int{50, 114, 60, 124}
	r.Draw.Samples = 6
	return s, r
}

func TestRun_Events_ComeInOrderAndEndOnce(t *testing.T) {
	s, r := newSession(t)
	var mu sync.Mutex
	var kinds []session.EventKind
	last := 0
	cancel := s.Subscribe(func(e session.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Rev != last+1 {
			t.Errorf("revision %d after %d", e.Rev, last)
		}
		last = e.Rev
		kinds = append(kinds, e.Kind)
	})
	defer cancel()
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	mu.Lock()
	defer mu.Unlock()
	if kinds[0] != session.Started || kinds[len(kinds)-1] != session.Ended {
		t.Errorf("first %v, last %v", kinds[0], kinds[len(kinds)-1])
	}
	st := run.Status()
	if st.Phase != session.PhaseFinished || st.Done != 6 || st.Total != 6 || st.Left != 0 || !(st.Chi2 > 0) {
		t.Errorf("status %+v", st)
	}
	res := run.Result()
	if !res.Complete || res.Draws != 6 || len(res.Samples) != 6 || res.Std.Empty() {
		t.Errorf("complete %v, %d draws, %d samples", res.Complete, res.Draws, len(res.Samples))
	}
}

func TestRun_TwoAtOnce_DoNotDisturbEachOther(t *testing.T) {
	s, r := newSession(t)
	alone, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := alone.Wait(); err != nil {
		t.Fatal(err)
	}
	other := r
	other.Draw.Seed = 2
	var runs []*session.Run
	for _, x := range []recipe.Recipe{r, other} {
		run, err := s.Start(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	for _, run := range runs {
		if err := run.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	a, b, c := alone.Result(), runs[0].Result(), runs[1].Result()
	for i := range a.Samples[5].Pix {
		if a.Samples[5].Pix[i] != b.Samples[5].Pix[i] {
			t.Fatalf("pixel %d of sample 5: %g alone, %g beside another run", i, a.Samples[5].Pix[i], b.Samples[5].Pix[i])
		}
	}
	if a.Samples[5].Pix[0] == c.Samples[5].Pix[0] {
		t.Error("another seed gave the same sample")
	}
}

func TestRun_Cancel_KeepsWhatIsThereAndLeavesNoGoroutine(t *testing.T) {
	s, r := newSession(t)
	r.Draw.Samples = 50000
	before := runtime.NumGoroutine()
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	for run.Status().Done < 4 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	run.Cancel()
	if err := run.Wait(); !errors.Is(err, session.ErrCancelled) {
		t.Fatalf("err = %v", err)
	}
	const soon = time.Second // a step of this size takes milliseconds
	if d := time.Since(began); d > soon {
		t.Errorf("took %v to stop", d)
	}
	res := run.Result()
	if res == nil || res.Complete || res.Draws < 4 {
		t.Fatalf("result %+v", res)
	}
	if run.Status().Phase != session.PhaseCanceled {
		t.Errorf("phase %v", run.Status().Phase)
	}
	s.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// Data in 1e-28 W/m²/Hz have weights of 1e56, far beyond float32.
func TestRun_TinyUnits_GiveTheSameResultScaled(t *testing.T) {
	s, r := newSession(t)
	const factor = 1e-28
	doc, err := s.Open(context.Background(), r.Input.File)
	if err != nil {
		t.Fatal(err)
	}
	var hdus []*fitsio.NewHDU
	for _, name := range []string{"SCI", "PSF"} {
		for _, h := range doc.HDUs {
			if h.Name != name {
				continue
			}
			p, err := doc.ReadPlane(context.Background(), h.Index, 0)
			if err != nil {
				t.Fatal(err)
			}
			if name == "SCI" {
				for i := range p.Pix {
					p.Pix[i] *= factor
				}
			}
			hdu, err := fitsio.NewImage(name, []int{p.H, p.W}, p.Pix, nil)
			if err != nil {
				t.Fatal(err)
			}
			hdus = append(hdus, hdu)
		}
	}
	doc.Close()
	tiny := r
	tiny.Input.File = filepath.Join(t.TempDir(), "tiny.fits")
	if err := fitsio.WriteFile(tiny.Input.File, fitsio.WriteOptions{}, hdus...); err != nil {
		t.Fatal(err)
	}
	r.Noise = recipe.Noise{Kind: observe.NoiseSigma, Sigma: 5}
	tiny.Noise = recipe.Noise{Kind: observe.NoiseSigma, Sigma: 5 * factor}
	a, b := mustRun(t, s, r), mustRun(t, s, tiny)
	prior := func(r *session.Result) float64 { return math.Sqrt(r.Spectra[0].Variance(r.Mean.H, r.Mean.W)) / r.Scale }
	if b.Scale == 1 || a.Scale != 1 {
		t.Errorf("scales %g and %g", a.Scale, b.Scale)
	}
	if q := prior(b) / prior(a) / factor; math.Abs(q-1) > 0.02 { // the fit starts elsewhere
		t.Errorf("the prior's standard deviation is off by %g in tiny units", q)
	}
	const tolerance = 2e-3 // of the peak: the fit of the spectrum starts elsewhere
	var top float64
	for _, v := range a.Mean.Pix {
		top = math.Max(top, float64(v))
	}
	for i, v := range a.Mean.Pix {
		if d := math.Abs(float64(b.Mean.Pix[i])/factor - float64(v)); d > tolerance*top {
			t.Fatalf("pixel %d: %g, want %g × %g", i, b.Mean.Pix[i], v, factor)
		}
	}
	if math.Abs(b.Fits[0].FluxScene/factor/a.Fits[0].FluxScene-1) > tolerance {
		t.Errorf("flux %g, want %g × %g", b.Fits[0].FluxScene, a.Fits[0].FluxScene, factor)
	}
	if d := math.Abs(b.Fits[0].Chi2Draws - a.Fits[0].Chi2Draws); d > 0.02 {
		t.Errorf("χ² of draws %.3f and %.3f", a.Fits[0].Chi2Draws, b.Fits[0].Chi2Draws)
	}
}

func mustRun(t *testing.T, s *session.Session, r recipe.Recipe) *session.Result {
	t.Helper()
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Fatal(err)
	}
	return run.Result()
}

func TestRun_TooLittleMemory_IsRefusedBeforeItStarts(t *testing.T) {
	_, r := newSession(t)
	dev := cpu.New(cpu.Options{MemoryBudget: 256 << 10})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); session.ExitCode(err) != session.ExitMemory {
		t.Fatalf("err = %v, exit %d", err, session.ExitCode(err))
	}
}

func TestRun_ChangedInput_IsRefused(t *testing.T) {
	s, r := newSession(t)
	r.Input.SHA256 = "0000"
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); !errors.Is(err, session.ErrChanged) {
		t.Fatalf("err = %v", err)
	}
}

func TestRun_RichardsonLucy_HasNoUncertainty(t *testing.T) {
	s, r := newSession(t)
	r.Method = recipe.Method{Kind: deconv.RichardsonLucy, Iterations: 12}
	res := mustRun(t, s, r)
	if !res.Std.Empty() || res.Draws != 0 || len(res.Samples) != 0 {
		t.Errorf("std %v, %d draws", !res.Std.Empty(), res.Draws)
	}
	out := filepath.Join(t.TempDir(), "rl.fits")
	if _, err := s.Export(context.Background(), res, session.Beside(out)); err != nil {
		t.Fatal(err)
	}
	f, err := fitsio.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Find("STD", 1) != nil || f.Find("SAMPLES", 1) != nil || f.Find("MEAN", 1) == nil {
		t.Error("an estimate without uncertainty must have MEAN and neither STD nor SAMPLES")
	}
}

func TestExport_FailsHalfWay_LeavesNoPart(t *testing.T) {
	s, r := newSession(t)
	res := mustRun(t, s, r)
	dir := t.TempDir()
	_, err := s.Export(context.Background(), res, session.ExportOptions{FITS: filepath.Join(dir, "a.fits"), Figure: filepath.Join(dir, "a.bmp")})
	if !errors.Is(err, session.ErrOutput) {
		t.Fatalf("err = %v", err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 || left[0].Name() != "a.fits" {
		t.Errorf("left %v, want the complete a.fits alone", left)
	}
}
