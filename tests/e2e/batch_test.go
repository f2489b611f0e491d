package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limpid/app/session"
)

// batchSetup writes images, one of them no FITS file, and a recipe.
func batchSetup(t *testing.T) (dir, recipeFile string) {
	t.Helper()
	dir = t.TempDir()
	for _, n := range []string{"a.fits", "b.fits", "d.fits"} {
		image(t, dir, n, nil)
	}
	mustWrite(t, filepath.Join(dir, "c.fits"), []byte("<html>not found</html>"))
	recipeFile = mustWrite(t, filepath.Join(dir, "r.json"), []byte(`{"version": 1, "task": "deconvolve", "input": {"file": "any.fits"},
		"psf": {"kind": "gaussian", "fwhm": 2.5, "unit": "px"}, "draw": {"samples": 4, "seed": 3}}`))
	return dir, recipeFile
}

func TestBatch_OneBadImage_OthersAreMadeAndLogged(t *testing.T) {
	dir, r := batchSetup(t)
	out := filepath.Join(t.TempDir(), "out")
	code, text, errText := limpid(t, "batch", dir, r, "-o", out, "--fits-only")
	if code != session.ExitPartial {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	if !strings.Contains(text, "4 images: 3 done now, 0 before, 1 failed") || !strings.Contains(errText, "web page") {
		t.Errorf("says %q, %q", text, errText)
	}
	first, err := os.ReadFile(filepath.Join(out, "a-posterior.fits"))
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "alone.fits")
	if code, _, errText := limpid(t, "deconvolve", filepath.Join(dir, "a.fits"), "--psf", "gaussian:2.5px", "--samples", "4", "--seed", "3", "--fits-only", "-o", alone); code != 0 {
		t.Fatal(errText)
	}
	if same, err := os.ReadFile(alone); err != nil || !bytes.Equal(first, same) {
		t.Error("the batch's result differs from the same image on its own")
	}
	log, err := os.ReadFile(filepath.Join(out, "batch.jsonl"))
	if err != nil || bytes.Count(log, []byte("\n")) != 4 {
		t.Fatalf("log %q, %v", log, err)
	}
	for line := range bytes.Lines(log) {
		var rec struct {
			Status string    `json:"status"`
			Name   string    `json:"name"`
			Chi2   []float64 `json:"chi2_per_pixel"`
		}
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatal(err)
		}
		if (rec.Name == "c-posterior") != (rec.Status == "failed") || rec.Status == "done" && (len(rec.Chi2) != 1 || rec.Chi2[0] <= 0) {
			t.Errorf("record %s", line)
		}
	}
	if code, text, _ := limpid(t, "batch", dir, r, "-o", out, "--fits-only"); code != session.ExitPartial || !strings.Contains(text, "0 done now, 3 before, 1 failed") {
		t.Errorf("second time: exit %d, %q", code, text)
	}
}

// A process that is killed leaves whole files only, and the next one goes on.
func TestBatch_Killed_LeavesWholeFilesAndGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command line: not with -short")
	}
	dir, r := batchSetup(t)
	must(t, os.Remove(filepath.Join(dir, "c.fits")))
	bin := filepath.Join(t.TempDir(), "limpid-cli")
	if text, err := exec.Command("go", "build", "-o", bin, "limpid/app/cmd/limpid-cli").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	out := filepath.Join(t.TempDir(), "out")
	for i := range 6 {
		cmd := exec.Command(bin, "batch", dir, r, "-o", out, "--fits-only", "--stale", "1s", "--quiet")
		must(t, cmd.Start())
		time.Sleep(time.Duration(40+60*i) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		whole(t, out)
		time.Sleep(1100 * time.Millisecond) // until its claim is stale
	}
	if code, text, errText := limpid(t, "batch", dir, r, "-o", out, "--fits-only", "--stale", "1s"); code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	for _, n := range []string{"a", "b", "d"} {
		if code, _, errText := limpid(t, "info", filepath.Join(out, n+"-posterior.fits")); code != 0 {
			t.Errorf("%s: %s", n, errText)
		}
	}
}

// whole checks that every result that is there can be read to its end.
func whole(t *testing.T, out string) {
	t.Helper()
	results, _ := filepath.Glob(filepath.Join(out, "*-posterior.fits"))
	for _, f := range results {
		info, err := os.Stat(f)
		must(t, err)
		if code, _, errText := limpid(t, "info", f); code != 0 || info.Size()%2880 != 0 {
			t.Errorf("half a file: %s (%d bytes): %s", f, info.Size(), errText)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
