package lensing

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"limpid"
	"limpid/app/session"
	"limpid/assets"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
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
	b.Model = New(Options{Session: ses, Post: func(f func()) { b.posts <- f }, Fail: func(f limpid.Finding) { b.told = append(b.told, f) }, Debounce: time.Millisecond})
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
			b.t.Fatalf("waited for %s; told %v", what, b.told)
		}
	}
}

func sample(t *testing.T) string {
	t.Helper()
	for _, s := range assets.Samples() {
		if s.Task == "massmap" {
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

func (b *bench) opened() {
	b.t.Helper()
	b.Open(sample(b.t))
	b.until("the field and its signs", func() bool { return b.bin.field != nil && !b.bin.busy && b.bin.signs != nil })
}

// layer finds one of the board's by its key.
func (b *bench) layer(key string) bool {
	for _, l := range b.Board().Layers() {
		if l.Key == key && l.Image != nil {
			return true
		}
	}
	return false
}

func TestOpen_Sample_ColumnsAreGuessedAndSignsAreRight(t *testing.T) {
	b := newBench(t)
	b.opened()
	for id, want := range map[form.ID]string{RA: "RA", Dec: "DEC", E1: "E1", E2: "E2", Weight: "WEIGHT", Z: none} {
		if got := b.form.Get(id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	for _, s := range b.Steps() {
		if s.Level != viewmodel.Fine {
			t.Errorf("%s: level %d, %s, %v", s.Title, s.Level, s.Verdict, s.Findings)
		}
	}
	if n := b.Field().Galaxies; n != 18000 {
		t.Errorf("%d galaxies, want 18000", n)
	}
	for _, key := range []string{"counts", "mask", "noise", "shear", "e", "b"} {
		if !b.layer(key) {
			t.Errorf("no picture %s", key)
		}
	}
	if c := b.bin.signs; c.Flip1 || c.Flip2 || c.SigmaE < 5 || math.Abs(c.SigmaB) > 4 {
		t.Errorf("signs: %+v", c)
	}
}

func TestFlip_WrongSign_IsToldAndItsButtonPutsItRight(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Flip(true)
	fix := func() *form.Fix {
		for _, s := range b.Steps() {
			for _, f := range s.Findings {
				if f.Code == "shear.signs" {
					return f.Fix
				}
			}
		}
		return nil
	}
	b.until("the warning", func() bool { return !b.bin.busy && b.bin.signs != nil && fix() != nil })
	b.Apply(*fix())
	if b.form.On(Flip2) {
		t.Error("e2 is still flipped")
	}
	b.until("the all-clear", func() bool { return !b.bin.busy && b.bin.signs != nil && fix() == nil })
}

func TestRun_Wiener_GivesPeaksTestsAndFiles(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(Method, "wiener")
	b.Set(Samples, "8")
	b.Set(Pixel, "1")
	b.until("the pixels", func() bool { return !b.bin.busy && b.bin.field.Arcmin == 1 })
	b.Run()
	if b.Entry() == nil || b.Active() == nil {
		t.Fatal("nothing runs")
	}
	if ok, why := b.CanRun(); ok || why == "" {
		t.Error("a second run could start")
	}
	b.until("the map", func() bool { return b.Active() == nil })
	e := b.Entry()
	if e.Result == nil {
		t.Fatalf("ended with %v", e.Problem)
	}
	for _, key := range []string{"mean", "std", "sn", "sample", "e", "b"} {
		if !b.layer(key) {
			t.Errorf("no picture %s", key)
		}
	}
	if r, ok := b.Board().Read(0, 5, 5); !ok || r.Std <= 0 || r.StdIs != "posterior" || r.Frame != "ICRS" {
		t.Errorf("readout %+v %v", r, ok)
	}
	if _, n := b.SampleNumber(); n != 8 {
		t.Errorf("%d samples", n)
	}
	b.SetSample(-1)
	if k, _ := b.SampleNumber(); k != 7 || b.Board().Shown() != "sample" {
		t.Errorf("sample %d, shown %s", k, b.Board().Shown())
	}
	p := b.Peaks()
	if len(p) == 0 || !b.PeakAt(p[0].X+0.4, p[0].Y, 3) || b.Peak() != 0 {
		t.Errorf("%d peaks, chosen %d", len(p), b.Peak())
	}
	sentence, _, rows, _ := e.Summary()
	if sentence == "" || len(rows) < 5 {
		t.Errorf("summary %q %v", sentence, rows)
	}
	b.exported(e)
}

func (b *bench) exported(e *Entry) {
	b.t.Helper()
	p := b.Plan(e)
	p.Dir = b.t.TempDir()
	if b.Unsaved() != 1 {
		b.t.Errorf("%d unsaved", b.Unsaved())
	}
	b.Export(e, p)
	b.until("the files", func() bool { return !b.Exporting().Busy })
	if x := b.Exporting(); x.Problem != nil || len(x.Written) != 5 {
		b.t.Fatalf("export: %+v", x)
	}
	f, err := fitsio.Open(p.Path("fits"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if f.Find("PEAKS", 1) == nil || f.Find("SAMPLES", 1) == nil {
		b.t.Error("PEAKS or SAMPLES is missing")
	}
	if b.Unsaved() != 0 {
		b.t.Error("still unsaved")
	}
}

func TestCancel_ARun_KeepsTheMapSoFar(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(Method, "wiener")
	b.Set(Samples, "20000")
	b.Run()
	b.until("some samples", func() bool { return b.Entry().mean != nil && b.Entry().Done > 2 })
	if !b.Cancel() {
		t.Fatal("nothing to cancel")
	}
	b.until("the end", func() bool { return b.Active() == nil })
	if e := b.Entry(); !e.Cancelled || !b.layer("mean") {
		t.Errorf("entry %+v, mean shown: %v", e.Entry, b.layer("mean"))
	}
}

func TestSet_WhatCannotBeUsed_IsSaidAndKeepsItFromRunning(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(Pixel, "minus one")
	if ok, _ := b.CanRun(); ok {
		t.Error("it could run")
	}
	if s := b.Steps()[1]; s.Level != viewmodel.Wrong || s.Fields[0].Error == "" {
		t.Errorf("step: %+v", s)
	}
	b.Set(Pixel, "")
	b.Set(E1, "RA")
	b.until("the complaint", func() bool { return !b.bin.busy && b.bin.err != nil })
	if ok, _ := b.CanRun(); ok {
		t.Error("RA was taken for a shape")
	}
}

func TestUndo_OfTheForm_BringsValuesBack(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(Pixel, "2")
	b.Set(Method, "ks")
	b.Undo()
	b.Undo()
	if b.form.Get(Pixel) != "" || b.method() != "auto" || b.CanUndo() {
		t.Errorf("pixel %q, method %s", b.form.Get(Pixel), b.method())
	}
	b.Redo()
	b.until("the pixels", func() bool { return !b.bin.busy && b.bin.field.Arcmin == 2 })
	if b.Set(Seed, "5"); b.CanRedo() {
		t.Error("a new change left something to do again")
	}
}

func TestOpen_NotACatalogue_IsTold(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "x.fits")
	if err := os.WriteFile(path, []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Open(path)
	b.until("the message", func() bool { return len(b.told) > 0 })
	if b.Path() != "" || b.told[0].What == "" {
		t.Errorf("open: %q, told %v", b.Path(), b.told)
	}
}

func TestRestore_AProject_BringsCatalogueAndFormBack(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(Pixel, "2")
	b.Set(Flip1, form.True)
	path, typed := b.Path(), b.Form()
	c := newBench(t)
	c.Restore(path, typed)
	c.until("the field", func() bool { return c.bin.field != nil && !c.bin.busy && c.bin.field.Arcmin == 2 })
	if !c.form.On(Flip1) {
		t.Error("flip1 was lost")
	}
}
