package e2e

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/session"
	"limpid/fitsio"
)

func deblendInput(t *testing.T) string {
	t.Helper()
	// two Gaussians of σ 2 px, PSF σ 1.5: fluxes 2πσ²·200 and ·90 = 5027, 2262
	return image(t, t.TempDir(), "blend.fits", nil)
}

func TestDeblend_TwoBlobs_FluxesTableFigureAndRecipe(t *testing.T) {
	in, dir := deblendInput(t), t.TempDir()
	out, fig := filepath.Join(dir, "out.fits"), filepath.Join(dir, "fig.png")
	code, text, errText := limpid(t, "deblend", in, "--psf", "gaussian:3.53px", "--noise", "sigma:1", "--at", "20,24;33,15", "--samples", "8", "--figure", fig, "-o", out)
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	f, err := fitsio.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range []string{"MODEL", "RESIDUAL", "DATA", "WHT", "PSF", "SOURCES", "COVARIANCE", "FLUX_DRAWS", "SOURCE_1", "STD_2"} {
		if f.Find(name, 1) == nil {
			t.Errorf("no %s", name)
		}
	}
	tab, err := f.Find("SOURCES", 1).Table()
	if err != nil {
		t.Fatal(err)
	}
	x, err := tab.Float64(context.Background(), "X_IMAGE")
	if err != nil || len(x) != 2 || math.Abs(x[0]-21) > 0.3 || math.Abs(x[1]-34) > 0.3 {
		t.Errorf("X_IMAGE %v (%v), want 21 and 34", x, err)
	}
	csv, err := os.ReadFile(filepath.Join(dir, "out.csv"))
	if err != nil || strings.Count(string(csv), "\n") != 3 || !strings.HasPrefix(string(csv), "ID,KIND,X_IMAGE") {
		t.Errorf("CSV %q (%v)", csv, err)
	}
	if png, err := os.ReadFile(fig); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("figure: %v", err)
	}
	again := filepath.Join(dir, "again.fits")
	recipe := filepath.Join(dir, "out.recipe.json")
	if code, text, errText = limpid(t, "run", recipe, "-o", again); code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	a, _ := os.ReadFile(out)
	b, err := os.ReadFile(again)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the recipe wrote other bytes (%v)", err)
	}
	more, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	more[len(more)-2881]++
	mustWrite(t, in, more)
	if code, _, errText = limpid(t, "run", recipe, "-o", again); code == 0 || !strings.Contains(errText, "sha256") {
		t.Errorf("a changed image: exit %d, %q", code, errText)
	}
}

func TestDeblend_Troubles_AreSaidWithAdvice(t *testing.T) {
	in := deblendInput(t)
	out := filepath.Join(t.TempDir(), "o.fits")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{in, "--at", "20"}, session.ExitUsage, "x,y"},
		{[]string{in, "--at", "200,300", "--psf", "gaussian:3px"}, -1, "outside"},
		{[]string{in, "--components", "3"}, session.ExitUsage, "--components"},
		{[]string{in, "--samples", "1"}, session.ExitUsage, "--samples"},
		{[]string{in + ".none"}, -1, "none"},
	} {
		code, _, errText := limpid(t, append([]string{"deblend", "-o", out}, c.args...)...)
		if code == 0 || c.code > 0 && code != c.code || !strings.Contains(errText, c.want) {
			t.Errorf("%v: exit %d, %q, want %q", c.args, code, errText, c.want)
		}
	}
}
