package viewmodel

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/store"
)

// bench is a Model on a goroutine of its own kind: what is posted waits until the
// test pumps it.
type bench struct {
	*Model
	t      *testing.T
	posted chan func()
	seen   Change
	posts  int
}

const patience = 60 * time.Second // a run of the race detector on a busy machine

func newBench(t *testing.T) *bench {
	t.Helper()
	dev := cpu.New(cpu.Options{Workers: 1})
	ses := session.New(dev)
	b := &bench{t: t, posted: make(chan func(), 10000)}
	b.Model = New(Options{
		Session: ses, Post: func(f func()) { b.posted <- f },
		Changed:  func(c Change) { b.seen |= c },
		Debounce: 5 * time.Millisecond, Interval: 10 * time.Millisecond, Play: 5 * time.Millisecond,
		Store: store.OpenFile(filepath.Join(t.TempDir(), "window.json")),
	})
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var once sync.Once
	t.Cleanup(func() {
		once.Do(func() {
			b.Close()
			ses.Close()
			dev.Close()
		})
	})
	return b
}

// until pumps what is posted until a condition holds.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	end := time.After(patience)
	for !cond() {
		select {
		case f := <-b.posted:
			b.posts++
			f()
		case <-end:
			b.t.Fatalf("waited %v for: %s; notices %v", patience, what, b.Notices())
		}
	}
}

func (b *bench) settled() bool {
	return b.file != nil && !b.panes.painting && !b.file.measure.busy && b.file.measure.key != "" && len(b.posted) == 0
}

// open opens files and waits until they are shown and measured.
func (b *bench) open(paths ...string) {
	b.t.Helper()
	n := len(b.Files())
	b.Open(paths...)
	b.until("files to open", func() bool { return len(b.Files()) > n || len(b.Notices()) > 0 })
	if len(b.Files()) > n {
		b.until("pictures and measurement", b.settled)
	}
}

// writeImage writes a file with an image of stars, its weights and its PSF, and
// returns its path.
func writeImage(t *testing.T, name string, planes, h, w int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	data := make([]float32, planes*h*w)
	weights := make([]float32, planes*h*w)
	rnd := uint64(1)
	noise := func() float64 { // about N(0, 1): the sum of 12 uniforms
		var s float64
		for range 12 {
			rnd = rnd*6364136223846793005 + 1442695040888963407
			s += float64(rnd>>11) / (1 << 53)
		}
		return s - 6
	}
	for i := range data {
		data[i] = float32(noise())
		weights[i] = 1
	}
	const sigma = 1.5
	for p := range planes {
		for k := range 6 {
			cx, cy := float64(w)*(0.17+0.13*float64(k)), float64(h)*(0.2+0.11*float64((k*4)%6))
			for y := range h {
				for x := range w {
					r2 := (float64(x)-cx)*(float64(x)-cx) + (float64(y)-cy)*(float64(y)-cy)
					data[(p*h+y)*w+x] += float32(200 * float64(k+2) * math.Exp(-r2/(2*sigma*sigma)))
				}
			}
		}
	}
	const n = 15
	psf := make([]float32, n*n)
	for i := range psf {
		x, y := float64(i%n-n/2), float64(i/n-n/2)
		psf[i] = float32(math.Exp(-(x*x + y*y) / (2 * sigma * sigma)))
	}
	shape := []int{planes, h, w}
	if planes == 1 {
		shape = shape[1:]
	}
	head := &fitsio.Header{}
	head.Set("BUNIT", "adu", "")
	for _, c := range []struct {
		k string
		v any
	}{
		{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRVAL1", 150.0}, {"CRVAL2", 2.0},
		{"CRPIX1", 1.0}, {"CRPIX2", 1.0}, {"CDELT1", -0.2 / 3600}, {"CDELT2", 0.2 / 3600},
	} {
		head.Set(c.k, c.v, "")
	}
	var hdus []*fitsio.NewHDU
	for _, x := range []struct {
		name  string
		shape []int
		pix   []float32
	}{{"SCI", shape, data}, {"WHT", shape, weights}, {"PSF", []int{n, n}, psf}} {
		hd := head
		if x.name == "PSF" {
			hd = &fitsio.Header{}
		}
		hdu, err := fitsio.NewImage(x.name, x.shape, x.pix, hd.Clone())
		if err != nil {
			t.Fatal(err)
		}
		hdus = append(hdus, hdu)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdus...); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen_Image_IsShownMeasuredAndRemembered(t *testing.T) {
	b := newBench(t)
	path := writeImage(t, "a.fits", 1, 48, 64)
	b.open(path)
	if len(b.Tiles()) != 1 || b.Tiles()[0].Picture == nil {
		t.Fatalf("tiles %+v", b.Tiles())
	}
	if g := b.Tiles()[0].Grid(); g.W != 64 || g.H != 48 {
		t.Errorf("shows %d×%d, expected 64×48", g.W, g.H)
	}
	steps := b.Steps()
	if len(steps) != 5 {
		t.Fatalf("%d steps", len(steps))
	}
	for _, s := range steps[:3] {
		if s.Level != Fine && s.Level != Doubtful {
			t.Errorf("step %s stands at %d: %s %v", s.Step, s.Level, s.Verdict, s.Findings)
		}
	}
	if v := steps[1].Verdict; !strings.Contains(v, "HDU 2, FWHM 3.5 px") {
		t.Errorf("PSF verdict is %q", v)
	}
	if got := b.Store().Files; len(got) != 1 || got[0] != path {
		t.Errorf("recent files %v", got)
	}
	if ok, why := b.CanRun(); !ok {
		t.Errorf("cannot run: %s", why)
	}
}

func TestOpen_SeveralAndBad_GoodOnesAreShownBadOnesSaid(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	html := filepath.Join(dir, "page.fits")
	if err := os.WriteFile(html, []byte("<!DOCTYPE html><html>not found</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	good := writeImage(t, "good.fits", 1, 32, 32)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.fits")
	if err := os.WriteFile(cut, whole[:len(whole)/3], 0o644); err != nil {
		t.Fatal(err)
	}
	b.Open(html, filepath.Join(dir, "missing.fits"), dir, good)
	b.until("one file and three notices", func() bool { return len(b.Files()) == 1 && len(b.Notices()) == 3 })
	b.until("the picture", b.settled)
	if b.Tiles()[0].Picture == nil {
		t.Error("the good file is not shown")
	}
	for _, n := range b.Notices() {
		if n.What == "" || n.Severity == "" {
			t.Errorf("an empty notice: %+v", n)
		}
	}
	for len(b.Notices()) > 0 {
		b.Dismiss(0)
	}
	b.Open(cut)
	b.until("the truncated file to be said", func() bool {
		return len(b.Notices()) > 0 || len(b.Files()) == 2 && b.settled() && b.file.Name == "cut.fits"
	})
	if len(b.Notices()) == 0 {
		f := b.file
		said := f.Problem != nil || f.measure.problem != nil || b.Tiles()[0].Picture == nil && b.Tiles()[0].Message != ""
		if !said {
			t.Error("a truncated file was opened and nothing said")
		}
	}
}

func TestOpen_TwiceOrOutOfFiles_OneEntryEach(t *testing.T) {
	b := newBench(t)
	path := writeImage(t, "a.fits", 1, 32, 32)
	other := writeImage(t, "b.fits", 1, 40, 32)
	b.open(path)
	b.open(other)
	b.Open(path)
	b.until("the first to be shown again", func() bool { return b.File().Path == path && b.settled() })
	if len(b.Files()) != 2 {
		t.Errorf("%d files", len(b.Files()))
	}
	b.CloseFile(b.File())
	if len(b.Files()) != 1 || b.File().Path != other {
		t.Errorf("after closing, %v is shown", b.File())
	}
	b.CloseFile(b.File())
	if b.File() != nil || len(b.Tiles()) != 0 || b.Steps() != nil {
		t.Error("something is shown with no file open")
	}
}

func TestRun_Gaussian_ShowsMeanStdSamplesResidual(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 48, 64))
	b.Set(form.Samples, "16")
	b.Run()
	e := b.Active()
	if e == nil || b.Entry() != e || b.Pane() != PaneDataMean {
		t.Fatalf("active %v, shown %v, pane %v", e, b.Entry(), b.Pane())
	}
	if ok, _ := b.CanRun(); ok {
		t.Error("a second run could be started")
	}
	b.until("the run to end", func() bool { return b.Active() == nil })
	if e.Problem != nil || e.Result == nil || e.Result.Draws != 16 {
		t.Fatalf("ended with %v, result %v", e.Problem, e.Result)
	}
	for _, p := range Panes() {
		b.SetPane(p)
		b.until("pictures", b.settled)
		for _, tile := range b.Tiles() {
			if tile.Picture == nil {
				t.Errorf("pane %s shows %q", b.Label(p), tile.Message)
				continue
			}
			if l := b.Style(tile).Limits; !(l.Hi > l.Lo) {
				t.Errorf("pane %s has limits %v", b.Label(p), l)
			}
			if b.Counts(tile).Peak() == 0 {
				t.Errorf("pane %s has an empty histogram", b.Label(p))
			}
		}
	}
	sentence, level, rows := e.Summary(0)
	if sentence == "" || level == Unknown || len(rows) < 5 {
		t.Errorf("summary %q %v %v", sentence, level, rows)
	}
	b.SetPane(PaneMean)
	b.until("the mean", b.settled)
	if r, ok := b.Read(0, 10, 20); !ok || !(r.Std > 0) || r.StdIs != "posterior" || r.Frame == "" || r.Unit != "adu" {
		t.Errorf("reads %+v, %v", r, ok)
	}
	if _, ok := b.Read(0, -3, 0); ok {
		t.Error("reads a value beside the image")
	}
}

func TestRun_Cancelled_KeepsWhatIsThere(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 96, 96))
	b.Set(form.Samples, "20000")
	b.Run()
	e := b.Active()
	b.until("a few samples", func() bool { return e.Result != nil && e.Result.Draws > 3 })
	if !b.Cancel() {
		t.Fatal("nothing to cancel")
	}
	b.until("the run to end", func() bool { return b.Active() == nil })
	if e.Status.Phase != session.PhaseCanceled || e.Result == nil || e.Result.Complete || e.Problem == nil {
		t.Errorf("phase %s, result %v, problem %v", e.Status.Phase, e.Result != nil, e.Problem)
	}
	if _, _, text := e.Progress(); !strings.Contains(text, "cancelled") {
		t.Errorf("progress says %q", text)
	}
	if b.Cancel() {
		t.Error("cancelled twice")
	}
}

func TestRecipe_BadField_BlocksAndNamesIt(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.PSFKind, "gaussian")
	if ok, why := b.CanRun(); ok || why == "" {
		t.Error("a Gaussian without a width can be run")
	}
	b.Run()
	if b.Active() != nil || b.TakeFocus() != form.FWHM {
		t.Error("Run did not lead to the field that is missing")
	}
	b.Set(form.FWHM, "3.4")
	b.until("the new measurement", func() bool { return b.settled() && b.Steps()[1].Level == Fine })
	if v := b.Steps()[1].Verdict; !strings.HasPrefix(v, "Gaussian, FWHM 3.") {
		t.Errorf("verdict %q", v)
	}
}

func TestRecipe_Impossible_IsSaidInItsStep(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Cutout, "0:999,0:20")
	b.until("the measurement to fail", func() bool { return b.settled() && b.file.measure.problem != nil })
	s := b.Steps()[0]
	if s.Level != Wrong || len(s.Findings) == 0 || s.Findings[0].Advice == "" {
		t.Errorf("step Data stands at %v with %v", s.Level, s.Findings)
	}
	if ok, why := b.CanRun(); ok || !strings.Contains(why, "beyond") {
		t.Errorf("could run: %v %q", ok, why)
	}
	b.Set(form.Cutout, "")
	b.until("the measurement to succeed", func() bool { return b.settled() && b.Steps()[0].Level == Fine })
}

func TestFix_Applied_ChangesRecipe(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Apply(form.Fix{Sets: []form.Set{{ID: form.SkyKind, Value: "constant"}}, Focus: form.SkyLevel})
	r, _ := b.Draft()
	if r.Sky.Kind != "constant" || b.TakeFocus() != form.SkyLevel || !b.Steps()[2].Open {
		t.Errorf("sky %v, step open %v", r.Sky, b.Steps()[2].Open)
	}
}

func TestUseRegion_WhatIsInView_BecomesTheCutout(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 64, 80))
	b.UseRegion(-5, 40, 10, 999)
	r, _ := b.Draft()
	if r.Input.Cutout == nil || *r.Input.Cutout != [4]int{0, 40, 10, 64} {
		t.Errorf("cut-out %v", r.Input.Cutout)
	}
	if c, ok := b.Cutout(); !ok || c[1] != 40 {
		t.Errorf("shown cut-out %v %v", c, ok)
	}
	b.UseRegion(0, 80, 0, 64)
	if r, _ := b.Draft(); r.Input.Cutout != nil {
		t.Errorf("all of the image is cut-out %v", r.Input.Cutout)
	}
	b.UseRegion(0, 3, 0, 3)
	if len(b.Notices()) != 1 {
		t.Error("a cut-out of 3×3 was taken silently")
	}
}

func TestCutoutResult_Readout_GivesPixelsOfTheFile(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 64, 80))
	before, _ := b.Read(0, 30, 25)
	b.UseRegion(20, 60, 16, 48)
	b.Set(form.Samples, "4")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	b.SetPane(PaneMean)
	b.until("the mean", b.settled)
	r, ok := b.Read(0, 10, 9)
	if !ok || r.X != 30 || r.Y != 25 || math.Abs(r.Lon-before.Lon) > 1e-9 || math.Abs(r.Lat-before.Lat) > 1e-9 {
		t.Errorf("pixel (10, 9) of the cut-out reads as %+v, expected the sky of %+v", r, before)
	}
}

func TestCube_Bands_AreSelectable(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 3, 32, 40))
	if _, n := b.Band(); n != 3 {
		t.Fatalf("%d bands", n)
	}
	b.SetBand(7)
	b.until("plane 2", b.settled)
	if k, _ := b.Band(); k != 2 || !strings.Contains(b.Tiles()[0].Title, "plane 2") {
		t.Errorf("band %d, title %q", k, b.Tiles()[0].Title)
	}
	b.Set(form.Samples, "4")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	if k, n := b.Band(); k != 0 && k != 2 || n != 3 {
		t.Errorf("band %d of %d in the result", k, n)
	}
	b.SetBand(1)
	b.until("band 1", b.settled)
	if title := b.Tiles()[0].Title; !strings.Contains(title, "band 1") {
		t.Errorf("title %q", title)
	}
}

func TestSamples_StepAndPlay_GoRound(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Samples, "5")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	b.SetPane(PaneSample)
	b.SetSample(-1)
	if k, n := b.SampleNumber(); k != 4 || n != 5 {
		t.Errorf("sample %d of %d", k, n)
	}
	b.Play()
	seen := map[int]bool{}
	b.until("every sample to be shown", func() bool {
		k, _ := b.SampleNumber()
		seen[k] = true
		return len(seen) == 5
	})
	b.SetPane(PaneMean)
	if b.Playing() {
		t.Error("plays on in another pane")
	}
}

func TestScales_Matched_DataMeanSampleShareLimits(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Samples, "4")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	b.SetPane(PaneDataMean)
	b.until("both tiles", b.settled)
	tiles := b.Tiles()
	if b.Style(tiles[0]).Limits != b.Style(tiles[1]).Limits {
		t.Errorf("data %v, mean %v", b.Style(tiles[0]).Limits, b.Style(tiles[1]).Limits)
	}
	b.SetRule(tiles[1], "minmax")
	if b.Style(tiles[0]).Limits != b.Style(tiles[1]).Limits || b.Rule(tiles[0]) != "minmax" {
		t.Error("a rule for the mean did not hold for the data")
	}
	b.SetMatched(false)
	b.until("both tiles", b.settled)
	tiles = b.Tiles()
	if err := b.TypeLimits(tiles[1], "0", "123"); err != nil {
		t.Fatal(err)
	}
	if b.Style(tiles[0]).Limits == b.Style(tiles[1]).Limits {
		t.Error("limits are shared although scales are not matched")
	}
	if err := b.TypeLimits(tiles[1], "5", "4"); err == nil {
		t.Error("limits in the wrong order were taken")
	}
}

func TestSides_OtherFile_IsShownBesides(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.open(writeImage(t, "b.fits", 1, 40, 40))
	var other Source
	for _, o := range b.SideChoices() {
		if strings.HasPrefix(o.Label, "a.fits") {
			other = Source(o.Value)
			break
		}
	}
	b.SetSide(PaneDataMean, 1, other)
	b.SetPane(PaneDataMean)
	b.until("both tiles", b.settled)
	tiles := b.Tiles()
	if len(tiles) != 2 || tiles[1].Picture == nil || tiles[1].Grid().W != 32 || tiles[1].WCS() == nil {
		t.Fatalf("tiles %+v", tiles)
	}
	if l := b.Label(PaneDataMean); !strings.Contains(l, "a.fits") {
		t.Errorf("the tab is called %q", l)
	}
}

func TestExport_WritesWhatWasPlanned(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Samples, "4")
	b.Run()
	e := b.Active()
	b.until("the run to end", func() bool { return b.Active() == nil })
	if b.Unsaved() != 1 {
		t.Errorf("%d results are not exported", b.Unsaved())
	}
	p := b.Plan(e)
	p.Dir, p.PDF, p.SVG, p.Samples = t.TempDir(), true, true, false
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	b.Export(e, p)
	b.until("the export", func() bool { return !b.Exporting().Busy })
	if b.Exporting().Problem != nil || len(b.Exporting().Written) != 6 || b.Unsaved() != 0 {
		t.Fatalf("wrote %v, problem %v", b.Exporting().Written, b.Exporting().Problem)
	}
	if len(p.Existing()) != 6 {
		t.Errorf("there are %v", p.Existing())
	}
	doc, err := b.ses.Open(context.Background(), filepath.Join(p.Dir, p.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	for _, h := range doc.HDUs {
		if h.Name == "SAMPLES" {
			t.Error("samples were written although they were not asked for")
		}
	}
	p.Dir = filepath.Join(p.Dir, "nowhere")
	if p.Check() == nil {
		t.Error("a folder that does not exist passes")
	}
	b.Export(e, p)
	b.until("the export to fail", func() bool { return !b.Exporting().Busy })
	if f := b.Exporting().Problem; f == nil || f.Advice == "" {
		t.Errorf("problem %v", f)
	}
}

func TestSample_OneClick_OpensAndRuns(t *testing.T) {
	b := newBench(t)
	b.OpenSample(b.Samples()[0], true)
	b.until("the run to start", func() bool { return b.Active() != nil })
	b.until("the first snapshot", func() bool { return b.Active().Result != nil })
	b.Cancel()
	b.until("the run to end", func() bool { return b.Active() == nil })
	if dir := filepath.Dir(b.File().Path); b.Plan(b.Entry()).Dir == dir {
		t.Errorf("proposes to export a sample's result into the cache %s", dir)
	}
}

func TestClose_DuringRun_LeavesNoGoroutine(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 64, 64))
	b.Set(form.Samples, "5000")
	b.Run()
	b.until("a snapshot", func() bool { return b.Active() != nil && b.Active().Result != nil })
	done := make(chan struct{})
	go func() { b.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("Close does not return")
	}
	b.seen = 0
	for len(b.posted) > 0 {
		(<-b.posted)()
	}
	if b.seen != 0 {
		t.Error("something changed after Close")
	}
}
