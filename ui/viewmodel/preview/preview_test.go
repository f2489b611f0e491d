package preview

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/session"
	"limpid/assets"
	"limpid/fitsio"
)

func TestOf_Sample_ListsHDUsAndShowsTheFirst(t *testing.T) {
	data, err := assets.ReadSample(assets.Samples()[0].File)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "galaxy.fits.gz")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Of(context.Background(), session.New(nil), path)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Lines) < 4 || p.Lines[0] != "0 SCI 192×192, adu" || !strings.Contains(p.Lines[1], "adu⁻²") {
		t.Errorf("lines %q", p.Lines)
	}
	if p.Image == nil {
		t.Fatal("no image")
	}
	if w, h := p.Image.Size(); w != 192 || h != 192 || !(p.Limits.Hi > p.Limits.Lo) {
		t.Errorf("%d×%d, limits %v", w, h, p.Limits)
	}
	if _, err := Of(context.Background(), session.New(nil), filepath.Join(t.TempDir(), "none.fits")); err == nil {
		t.Error("a file that is not there can be looked into")
	}
}

func TestOf_CardsOfTheObservation_StandInTheLastLine(t *testing.T) {
	head := &fitsio.Header{}
	head.Set("OBJECT", " NGC 1300 ", "what was looked at")
	head.Set("FILTER", "", "")
	head.Set("EXPTIME", 600.5, "[s]")
	hdu, err := fitsio.NewImage("SCI", []int{8, 8}, make([]float32, 64), head)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "field.fits")
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu); err != nil {
		t.Fatal(err)
	}
	p, err := Of(context.Background(), session.New(nil), path)
	if err != nil {
		t.Fatal(err)
	}
	if last := p.Lines[len(p.Lines)-1]; last != "NGC 1300 · 600.5" {
		t.Errorf("last line %q", last)
	}
}
