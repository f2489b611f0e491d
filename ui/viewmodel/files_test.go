package viewmodel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/assets"
)

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

func TestOpen_ShearCatalogue_PointsToItsWorkspace(t *testing.T) {
	b := newBench(t)
	var path string
	for _, s := range assets.Samples() {
		if s.Task == "massmap" {
			data, err := assets.ReadSample(s.File)
			if err != nil {
				t.Fatal(err)
			}
			path = filepath.Join(t.TempDir(), s.File)
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Open(path)
	b.until("the file", func() bool { return b.File() != nil })
	if p := b.File().Problem; p == nil || !strings.Contains(p.Advice, "mass map") {
		t.Errorf("said %v", p)
	}
}
