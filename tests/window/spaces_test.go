package window

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/assets"
	"limpid/fitsio"
	"limpid/tests/window/xwin"
	blendview "limpid/ui/viewmodel/blend"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/project"
)

// sampleOf writes the sample of a task.
func sampleOf(t *testing.T, dir, task string) string {
	t.Helper()
	for _, s := range assets.Samples() {
		if s.Task != task {
			continue
		}
		data, err := assets.ReadSample(s.File)
		must(t, err)
		path := filepath.Join(dir, s.File)
		must(t, os.WriteFile(path, data, 0o644))
		return path
	}
	t.Fatalf("no sample for %s", task)
	return ""
}

func names(part string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, part) }
}

func idle(s string) bool { return !strings.Contains(s, "%") }

// ran runs what is in sight by key and waits for its end.
func ran(t *testing.T, a *xwin.App) {
	t.Helper()
	for range 40 { // what was dropped may still be being read
		must(t, a.Key("ctrl+r"))
		if strings.Contains(a.Title(), "%") {
			break
		}
	}
	must(t, a.WaitTitle("the run", names("%")))
	must(t, a.WaitTitle("its end", idle))
}

// exported exports what is in sight by keys and waits for the last file.
func exported(t *testing.T, a *xwin.App, last string) {
	t.Helper()
	must(t, a.Key("ctrl+e", "Return"))
	must(t, a.WaitFile(last))
	must(t, a.Key("Escape"))
}

// Each workspace by real drops and keys: measure, run, export; then the project is
// saved, opened in another window, and shows the same.
func TestWindow_Workspaces_RunExportSaveReopenUndo(t *testing.T) {
	needWindow(t)
	dir := t.TempDir()
	shear, blend := sampleOf(t, dir, "massmap"), sampleOf(t, dir, "deblend")
	stars := filepath.Join(dir, "field.fits")
	must(t, xwin.WriteStars(stars, 256, 192))
	d, err := xwin.Start(dir, 1600, 1000)
	must(t, err)
	defer d.Close()
	must(t, d.Remember(""))
	binary := build(t)
	a, err := d.Launch(binary, "--theme", "dark")
	must(t, err)
	defer a.Kill()

	// A field of stars: its PSF is measured when it is opened; a cut-out is made of
	// what is in view and taken back.
	must(t, a.Drop(700, 500, stars))
	must(t, a.WaitTitle("the stars", names("field.fits")))
	must(t, a.Key("ctrl+m", "plus", "plus", "ctrl+u", "ctrl+z", "ctrl+shift+z"))
	keep(t, d, "spaces-1-stars")

	must(t, a.Key("F4"))
	must(t, a.Drop(700, 500, shear))
	must(t, a.WaitTitle("the catalogue", names("shear.fits.gz")))
	must(t, a.Key("p")) // no samples yet: nothing happens
	ran(t, a)
	must(t, a.Key("period", "comma"))
	keep(t, d, "spaces-2-massmap")
	exported(t, a, filepath.Join(dir, "shear-mass.recipe.json"))

	// A project opens in its own workspace; this one asks for no samples, which take long.
	start := filepath.Join(dir, "start.limpid")
	must(t, project.Write(start, project.Project{Space: 1, Current: -1, Deblend: blendview.State{Files: []string{blend}, Form: map[form.ID]string{blendview.Samples: "0"}}}))
	must(t, a.Drop(700, 500, start))
	must(t, a.WaitTitle("the blend", names("blend.fits.gz")))
	ran(t, a)
	must(t, a.Key("greater", "less", "a", "Escape"))
	keep(t, d, "spaces-3-deblend")
	exported(t, a, filepath.Join(dir, "blend-sources.png")) // the last of its files

	must(t, a.Key("ctrl+shift+s", "Return"))
	saved := start // the name that it has
	must(t, a.Key("ctrl+q"))
	if err := a.Exited(); err != nil {
		text, _ := os.ReadFile(a.Log)
		t.Errorf("ended with %v: %s", err, text)
	}
	checkFiles(t, dir, saved)

	// The project in another window: its workspace and its files.
	b, err := d.Launch(binary, "--theme", "light", saved)
	must(t, err)
	defer b.Kill()
	must(t, b.WaitTitle("the project", names("blend.fits.gz")))
	must(t, b.Key("F4"))
	must(t, b.WaitTitle("its catalogue", names("shear.fits.gz")))
	must(t, b.Key("F2"))
	must(t, b.WaitTitle("its image", names("field.fits")))
	keep(t, d, "spaces-4-reopened")
	must(t, b.Key("ctrl+q"))
	if err := b.Exited(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// checkFiles reads what was exported and saved.
func checkFiles(t *testing.T, dir, saved string) {
	t.Helper()
	for name, want := range map[string][]string{
		"shear-mass.fits":    {"KAPPA", "STD", "SAMPLES", "BMODE", "PEAKS"},
		"blend-sources.fits": {"MODEL", "RESIDUAL", "SOURCES", "COVARIANCE"},
	} {
		f, err := fitsio.OpenWith(context.Background(), filepath.Join(dir, name), fitsio.Options{})
		must(t, err)
		for _, hdu := range want {
			if f.Find(hdu, 1) == nil {
				t.Errorf("%s has no %s", name, hdu)
			}
		}
		f.Close()
	}
	p, err := project.Read(saved)
	must(t, err)
	if len(p.Files) != 1 || p.MassMap.Catalogue == "" || len(p.Deblend.Files) != 1 || len(p.Deblend.Sources) < 6 || p.Space != 1 {
		t.Errorf("the project has %s, workspace %d", p.About(), p.Space)
	}
	if c := p.Files[0].Typed["cutout"]; c == "" {
		t.Error("the cut-out done again is not in the project")
	}
}
