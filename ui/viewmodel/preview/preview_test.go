package preview

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/session"
	"limpid/assets"
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
