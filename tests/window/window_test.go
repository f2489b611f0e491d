// Package window checks the built window from outside: opened by a real drop, run,
// cancelled, exported, quit; and that it writes the same files as the command line.
package window

import (
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"limpid/assets"
	"limpid/tests/tree"
	"limpid/tests/window/xwin"
)

// build makes the window's binary.
func build(t *testing.T) string {
	t.Helper()
	must(t, tree.Read("../.."))
	path := filepath.Join(t.TempDir(), "limpid")
	cmd := exec.Command("go", "build", "-tags", "gles", "-o", path, "limpid/app/cmd/limpid")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return path
}

// needWindow skips where a window cannot be built or shown.
func needWindow(t *testing.T) {
	t.Helper()
	switch missing := xwin.Missing(); {
	case testing.Short():
		t.Skip("takes a minute: not with -short")
	case runtime.GOOS != "linux":
		t.Skip("needs X11")
	case len(missing) > 0:
		t.Skipf("needs %s", strings.Join(missing, ", "))
	}
}

func writeGalaxy(t *testing.T, dir string) string {
	t.Helper()
	data, err := assets.ReadSample(assets.Samples()[0].File)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "galaxy.fits.gz")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeRecipe writes a small recipe for a file of the same folder.
func writeRecipe(t *testing.T, dir, image string, samples int) string {
	t.Helper()
	text := fmt.Sprintf(`{
  "version": 1, "task": "deconvolve",
  "input": {"file": %q, "cutout": [40, 140, 50, 150]},
  "psf": {"kind": "file", "hdu": 2}, "noise": {"kind": "auto"}, "sky": {"kind": "auto"}, "mask": {},
  "method": {"kind": "gaussian"}, "prior": {"kind": "gaussian", "spectrum": "fit"},
  "draw": {"samples": %d, "seed": 5}
}`, image, samples)
	path := filepath.Join(dir, "small.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWindow_DropRunCancelExportQuit(t *testing.T) {
	needWindow(t)
	dir := t.TempDir()
	galaxy := writeGalaxy(t, dir)
	small := writeRecipe(t, dir, "galaxy.fits.gz", 6)
	stars := filepath.Join(dir, "field.fits")
	must(t, xwin.WriteStars(stars, 128, 96))
	d, err := xwin.Start(dir, 1600, 1000)
	must(t, err)
	defer d.Close()
	must(t, d.Remember(""))
	a, err := d.Launch(build(t), "--theme", "dark")
	must(t, err)
	defer a.Kill()
	middle := image.Rect(400, 200, 1100, 700)

	// Two files dropped at once are opened, and the first is shown.
	must(t, a.Drop(700, 500, galaxy, stars))
	must(t, a.WaitTitle("the dropped file", func(s string) bool { return strings.Contains(s, "galaxy.fits.gz") }))
	shot := waitShot(t, a, d, "the image", func(im *image.NRGBA) bool { return xwin.Colours(im, middle) > 40 })

	keep(t, d, "1-opened")

	// Run by its button; Escape keeps what is there.
	must(t, a.Click(1420, 950))
	must(t, a.WaitTitle("samples", func(s string) bool { return strings.Contains(s, "%") && !strings.HasPrefix(s, "0 %") }))
	must(t, a.Key("Escape"))
	must(t, a.WaitTitle("the run to be cancelled", func(s string) bool { return !strings.Contains(s, "%") }))
	waitShot(t, a, d, "data and mean", func(im *image.NRGBA) bool { return xwin.Differ(im, shot, middle) > 0.2 })

	keep(t, d, "2-cancelled")

	// A dropped recipe is run and exported by keys.
	must(t, a.Drop(700, 500, small))
	must(t, a.Key("ctrl+r"))
	must(t, a.WaitTitle("the small run", func(s string) bool { return strings.Contains(s, "%") }))
	must(t, a.WaitTitle("its end", func(s string) bool { return !strings.Contains(s, "%") }))
	walk(t, a, d, middle)
	must(t, a.Key("ctrl+e"))
	waitShot(t, a, d, "the dialog", func(im *image.NRGBA) bool { return xwin.Colours(im, image.Rect(640, 330, 960, 640)) > 12 })
	keep(t, d, "3-export")
	must(t, a.Key("Return"))
	must(t, a.WaitFile(filepath.Join(dir, "galaxy-posterior.bib")))
	keep(t, d, "4-exported")
	compareWithCommandLine(t, small, filepath.Join(dir, "galaxy-posterior.fits"))
	must(t, a.Key("Escape"))

	// It asks before it loses the cancelled run, and then ends.
	must(t, a.Key("ctrl+q", "Tab", "Return"))
	if err := a.Exited(); err != nil {
		text, _ := os.ReadFile(a.Log)
		t.Errorf("ended with %v: %s", err, text)
	}
}

// keep saves what the screen shows in build/window, to be looked at after a failure or
// a run of continuous integration.
func keep(t *testing.T, d *xwin.Display, name string) {
	t.Helper()
	im, err := d.Shot()
	must(t, err)
	must(t, xwin.Save(filepath.Join("..", "..", "build", "window", name+".png"), im))
}

// waitShot takes pictures until one is as expected.
func waitShot(t *testing.T, a *xwin.App, d *xwin.Display, what string, cond func(*image.NRGBA) bool) *image.NRGBA {
	t.Helper()
	var im *image.NRGBA
	err := a.Wait(what, func() bool {
		var err error
		im, err = d.Shot()
		return err == nil && cond(im)
	})
	if err != nil {
		if im != nil {
			path := filepath.Join("..", "..", "build", "window", "failed.png")
			_ = xwin.Save(path, im)
			err = fmt.Errorf("%w; the screen is in %s", err, path)
		}
		t.Fatal(err)
	}
	return im
}

// walk goes through panes and keys of the viewer: each pane looks different, and
// nothing ends the program.
func walk(t *testing.T, a *xwin.App, d *xwin.Display, middle image.Rectangle) {
	t.Helper()
	var last *image.NRGBA
	for _, key := range []string{"alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7"} {
		must(t, a.Key(key))
		before := last
		last = waitShot(t, a, d, "pane "+key, func(im *image.NRGBA) bool {
			return xwin.Colours(im, middle) > 12 && (before == nil || xwin.Differ(im, before, middle) > 0.05)
		})
	}
	must(t, a.Key("alt+2", "b", "b", "comma", "period", "p", "p", "z", "f", "plus", "minus", "1", "0", "n", "n", "s", "s", "less", "greater", "F9", "F9", "F10", "F10"))
	must(t, a.Key("alt+4"))
	must(t, a.Key("F1", "Escape", "ctrl+o", "Escape", "alt+2"))
}

func TestWindow_NoDisplay_SaysSoAndNamesTheCommandLine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems always have a display")
	}
	if testing.Short() {
		t.Skip("builds the window: not with -short")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("needs cc")
	}
	cmd := exec.Command(build(t))
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "limpid-cli") || !strings.Contains(string(out), "DISPLAY") {
		t.Errorf("without a display: %v: %s", err, out)
	}
}

// A display that cannot be opened, as after a broken connection, is said; there is no panic.
func TestWindow_DisplayThatIsNotThere_IsSaid(t *testing.T) {
	needWindow(t)
	cmd := exec.Command(build(t))
	cmd.Env = append(os.Environ(), "DISPLAY=:9177", "WAYLAND_DISPLAY=", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("ended with %v, expected exit 2", err)
	}
	if text := string(out); strings.Contains(text, "panic") || !strings.Contains(text, `DISPLAY is ":9177"`) || !strings.Contains(text, "limpid-cli") {
		t.Errorf("said %s", text)
	}
}
