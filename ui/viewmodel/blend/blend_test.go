package blend

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limpid"
	"limpid/app/session"
	"limpid/assets"
	"limpid/engine/cpu"
	"limpid/solvers/deblend"
	"limpid/ui/viewmodel"
)

// bench is a Model with a goroutine of its own: the test's.
type bench struct {
	*Model
	t     *testing.T
	posts chan func()
	told  []limpid.Finding
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, posts: make(chan func(), 4096)}
	dev := cpu.New(cpu.Options{})
	ses := session.New(dev)
	b.Model = New(Options{Session: ses, Post: func(f func()) { b.posts <- f }, Fail: func(f limpid.Finding) { b.told = append(b.told, f) }, Debounce: time.Millisecond, Sampling: deblend.SampleOptions{Chains: 2, Warmup: 12, Thin: 1, Rounds: 1}})
	t.Cleanup(func() {
		b.Close()
		ses.Close()
		dev.Close()
	})
	return b
}

func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	deadline := time.After(90 * time.Second)
	for !cond() {
		select {
		case f := <-b.posts:
			f()
		case <-deadline:
			b.t.Fatalf("waited for %s; told %v, error %v", what, b.told, b.err)
		}
	}
}

func sample(t *testing.T) string {
	t.Helper()
	for _, s := range assets.Samples() {
		if s.Task == "deblend" {
			data, err := assets.ReadSample(s.File)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), s.File)
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	t.Fatal("no sample")
	return ""
}

// The sample cut to its middle, so that tests are quick.
func (b *bench) opened() { b.openedAt("26:70,29:73") }

// The brightest galaxy, at (12, 13), and what touches it.
const small = "32:58,38:64"

func (b *bench) openedAt(cut string) {
	b.t.Helper()
	b.Set(Cutout, cut)
	b.Add(sample(b.t))
	b.until("the sources", func() bool { return !b.busy })
	if b.err != nil {
		b.t.Fatal(b.err)
	}
}

func (b *bench) layer(key string) bool {
	for _, l := range b.Board().Layers() {
		if l.Key == key && l.Image != nil {
			return true
		}
	}
	return false
}

// Reading that is cancelled because the same is read again says nothing.
func TestLoad_AgainWhileItReads_IsNoError(t *testing.T) {
	b := newBench(t)
	b.Set(Cutout, "26:70,29:73")
	b.Add(sample(t))
	for range 5 {
		b.load(0)
	}
	for began := time.Now(); b.busy || time.Since(began) < time.Second; {
		select {
		case f := <-b.posts:
			f()
			if b.err != nil {
				t.Fatal(b.err)
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	if len(b.Sources()) == 0 {
		t.Error("no sources")
	}
}

func TestAdd_Sample_BandsAndSourcesAreFound(t *testing.T) {
	b := newBench(t)
	b.opened()
	if k, n := b.Band(); k != 0 || n != 5 {
		t.Errorf("band %d of %d", k, n)
	}
	if n := len(b.Sources()); n < 3 || n > 8 {
		t.Errorf("%d sources", n)
	}
	if !b.layer("rgb") || !b.layer("data") {
		t.Error("no pictures")
	}
	for _, s := range b.Steps() {
		if s.Level != viewmodel.Fine {
			t.Errorf("%s: level %d, %s %v", s.Title, s.Level, s.Verdict, s.Findings)
		}
	}
	// The brightest galaxy of the simulation is at (44, 51) of the whole image.
	if id := b.Near(44-26, 51-29, 2); id == 0 {
		t.Errorf("no source at the brightest galaxy: %+v", b.Sources())
	}
	for _, s := range b.Sources() {
		if b.ThumbOf(s).Image == nil {
			t.Errorf("source %d has no thumbnail", s.ID)
		}
	}
}

func TestSources_EditedAndUndone_AreAsBefore(t *testing.T) {
	b := newBench(t)
	b.opened()
	n := len(b.Sources())
	b.AddSource(3, 4)
	id := b.Chosen()
	b.MoveSource(id, 5, 6, true)
	b.MoveSource(id, 7, 8, false)
	b.ToggleKind(id)
	if s := b.Sources()[n]; s.X != 7 || s.Y != 8 || s.Kind != deblend.Star {
		t.Errorf("source %+v", s)
	}
	b.Undo()
	b.Undo()
	if s := b.Sources()[n]; s.X != 3 || s.Y != 4 || s.Kind != deblend.Galaxy {
		t.Errorf("after undo %+v", s)
	}
	b.Redo()
	if s := b.Sources()[n]; s.X != 7 {
		t.Errorf("after redo %+v", s)
	}
	if !b.RemoveSource(id) || len(b.Sources()) != n || b.RemoveSource(id) {
		t.Error("not removed once")
	}
	for b.Undo() {
	}
	if len(b.Sources()) != n || b.CanUndo() || !b.CanRedo() {
		t.Errorf("%d sources after undoing everything, had %d", len(b.Sources()), n)
	}
}

func TestRun_Sample_FluxesPeelingAndFiles(t *testing.T) {
	b := newBench(t)
	b.openedAt(small)
	b.Set(Samples, "8")
	b.Run()
	if b.Active() == nil {
		_, why := b.CanRun()
		t.Fatal("nothing runs: " + why)
	}
	b.until("the fit", func() bool { return b.Active() == nil || b.Entry().D.Result != nil })
	b.until("the samples", func() bool { return b.Active() == nil })
	e := b.Entry()
	if e.D.Posterior == nil {
		t.Fatalf("no samples: %v", e.Problem)
	}
	bright := b.Near(12, 13, 2)
	f := b.Fitted(bright)
	if f == nil || f.FluxErr[2] <= 0 {
		t.Fatalf("no flux of source %d", bright)
	}
	// 5200 adu in i by simulation, some of it beyond the cut-out.
	if f.Flux[2] < 3000 || f.Flux[2] > 6500 {
		t.Errorf("flux in i %.0f ± %.0f, simulated 5200", f.Flux[2], f.FluxErr[2])
	}
	for _, key := range []string{"rgbmodel", "model", "residual", "peeled"} {
		if !b.layer(key) {
			t.Errorf("no picture %s", key)
		}
	}
	b.Choose(bright)
	if !b.layer("alone") {
		t.Error("no picture of the source alone")
	}
	if k := b.Sources(); b.Edited() || len(k) != len(e.D.Result.Sources) {
		t.Error("the list differs from what was fitted")
	}
	b.peeledIsDataLessSource(bright)
	b.exported(e)
}

// peeledIsDataLessSource checks the picture without a source by its numbers.
func (b *bench) peeledIsDataLessSource(id int) {
	b.t.Helper()
	b.Peel(id)
	var peeled float32
	x, y := int(math.Round(b.Fitted(id).Shape.X)), int(math.Round(b.Fitted(id).Shape.Y))
	for _, l := range b.Board().Layers() {
		if l.Key == "peeled" {
			peeled, _ = l.Bands[1].At(x, y)
		}
	}
	d := b.Field()
	w := d.Obs.Data.W
	at := 2*d.Obs.Data.W*d.Obs.Data.H + y*w + x
	if want := d.Obs.Data.Pix[at] - b.image(id)[at]; math.Abs(float64(peeled-want)) > 1e-3 {
		b.t.Errorf("peeled %g, want data %g less source %g", peeled, d.Obs.Data.Pix[at], b.image(id)[at])
	}
	if b.Board().Shown() != "peeled" {
		b.t.Error("the peeled picture is not shown")
	}
}

func (b *bench) exported(e *Entry) {
	b.t.Helper()
	p := b.Plan(e)
	p.Dir = b.t.TempDir()
	b.Export(e, p)
	b.until("the files", func() bool { return !b.Exporting().Busy })
	if x := b.Exporting(); x.Problem != nil || len(x.Written) != 3 || b.Unsaved() != 0 {
		b.t.Fatalf("export: %+v", x)
	}
}

func TestCancel_WhileSampling_KeepsTheFit(t *testing.T) {
	b := newBench(t)
	b.openedAt(small)
	b.Set(Samples, "50000")
	b.Run()
	b.until("the fit", func() bool { return b.Entry().D.Result != nil })
	b.until("trajectories", func() bool {
		done, total, text := b.Entry().Progress()
		return done > 0 && done < total && strings.Contains(text, "trajectories")
	})
	b.Cancel()
	b.until("the end", func() bool { return b.Active() == nil })
	if e := b.Entry(); !e.Cancelled || e.D.Result == nil || e.D.Posterior != nil {
		t.Errorf("cancelled %v, result kept %v", e.Cancelled, e.D.Result != nil)
	}
}

func TestSet_WhatCannotBeUsed_IsSaid(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(PSF, "moffat:wide")
	if s := b.Steps()[0]; s.Level != viewmodel.Wrong || s.Fields[0].Error == "" {
		t.Errorf("step %+v", s)
	}
	if ok, _ := b.CanRun(); ok {
		t.Error("it could run")
	}
}

func TestRestore_AProject_BringsFilesAndSourcesBack(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.AddSource(11, 12)
	s := b.State()
	c := newBench(t)
	c.Restore(s)
	c.until("the bands", func() bool { return !c.busy && c.d != nil })
	if len(c.Sources()) != len(b.Sources()) || c.Sources()[len(s.Sources)-1].X != 11 {
		t.Errorf("sources %+v, had %+v", c.Sources(), b.Sources())
	}
}
