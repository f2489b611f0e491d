package window

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limpid/app/cli"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/ui/viewmodel"
)

// runCommandLine carries a recipe out by the command line.
func runCommandLine(t *testing.T, recipe, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &cli.Env{Out: &stdout, Err: &stderr, NewDevice: func(string) (engine.Device, error) { return cpu.New(cpu.Options{}), nil }}
	if code := cli.Run(context.Background(), env, []string{"run", recipe, "-o", out, "--quiet"}); code != 0 {
		t.Fatalf("limpid-cli run ended with %d: %s%s", code, stdout.String(), stderr.String())
	}
}

// compareWithCommandLine runs a recipe by the command line and compares every file
// with what a window has written beside fits. Both lie in folders beside the
// recipe's, or in it, so that the recipe's relative paths may differ; everything
// else must not.
func compareWithCommandLine(t *testing.T, recipe, fits string) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(fits), "by-cli")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, filepath.Base(fits))
	runCommandLine(t, recipe, out)
	for _, ext := range []string{".fits", ".png", ".bib", ".recipe.json"} {
		a, errA := os.ReadFile(session.Stem(fits) + ext)
		b, errB := os.ReadFile(session.Stem(out) + ext)
		if errA != nil || errB != nil {
			t.Errorf("%s: %v %v", ext, errA, errB)
			continue
		}
		if ext == ".recipe.json" {
			b = bytes.ReplaceAll(b, []byte(`"../`), []byte(`"`))
		}
		if !bytes.Equal(a, b) {
			t.Errorf("the window's %s differs from the command line's (%d and %d bytes, first at %d)", ext, len(a), len(b), firstDifference(a, b))
		}
	}
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func TestSameRecipe_WindowAndCommandLine_SameBytes(t *testing.T) {
	dir := t.TempDir()
	writeGalaxy(t, dir)
	for name, samples := range map[string]int{"posterior": 6, "mean only": 0} {
		t.Run(name, func(t *testing.T) {
			recipe := writeRecipe(t, dir, "galaxy.fits.gz", samples)
			out := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".fits")
			runModel(t, recipe, out)
			compareWithCommandLine(t, recipe, out)
		})
	}
}

// runModel carries a recipe out as the window does: opened, run, exported.
func runModel(t *testing.T, recipe, out string) {
	t.Helper()
	dev := cpu.New(cpu.Options{Workers: 1, Nice: 10}) // not what the command line has
	defer dev.Close()
	ses := session.New(dev)
	defer ses.Close()
	posted := make(chan func(), 10000)
	m := viewmodel.New(viewmodel.Options{Session: ses, Post: func(f func()) { posted <- f }})
	defer m.Close()
	until := func(what string, cond func() bool) {
		end := time.After(2 * time.Minute)
		for !cond() {
			select {
			case f := <-posted:
				f()
			case <-end:
				t.Fatalf("waited for %s; notices %v", what, m.Notices())
			}
		}
	}
	m.OpenAndRun(recipe)
	until("the run", func() bool { return m.Active() != nil })
	until("its end", func() bool { return m.Active() == nil })
	e := m.Entry()
	p := m.Plan(e)
	p.Dir, p.Name = filepath.Dir(out), filepath.Base(out)
	m.Export(e, p)
	until("the export", func() bool { return !m.Exporting().Busy })
	if f := m.Exporting().Problem; f != nil {
		t.Fatal(f)
	}
}
