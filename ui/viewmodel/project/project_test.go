package project

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"limpid/solvers/deblend"
	"limpid/ui/viewmodel/blend"
	"limpid/ui/viewmodel/form"
)

func sample(dir string) Project {
	return Project{
		Space: 1, Current: 0, Catalogue: "/far/away.csv",
		Files:   []File{{Path: filepath.Join(dir, "a.fits"), HDU: 2, Recipe: json.RawMessage(`{"x":1}`), Typed: map[form.ID]string{"psf": "moffat"}, Regions: "circle(1,2,3)"}},
		MassMap: Lensing{Catalogue: filepath.Join(dir, "sub", "s.fits"), Form: map[form.ID]string{"lens.ra": "RA"}},
		Deblend: blend.State{Files: []string{filepath.Join(dir, "b.fits")}, Sources: []blend.Source{{Source: deblend.Source{ID: 3, X: 1.5, Y: 2, Kind: deblend.Star}, Hidden: true}}},
	}
}

func TestRead_WhatWasWritten_IsTheSameAndMovesWithItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "one")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "p.limpid")
	want := sample(dir)
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	if want.Files[0].Path != filepath.Join(dir, "a.fits") {
		t.Fatalf("writing changed the project: %s", want.Files[0].Path)
	}
	other := filepath.Join(filepath.Dir(dir), "two")
	if err := os.Rename(dir, other); err != nil {
		t.Fatal(err)
	}
	got, err := Read(filepath.Join(other, "p.limpid"))
	if err != nil {
		t.Fatal(err)
	}
	want = sample(other)
	want.Version, want.Saved = got.Version, got.Saved
	got.Files[0].Recipe = json.RawMessage(`{"x":1}`) // indented in the file
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

func TestRead_WhatIsNoProject_IsRefused(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "json": `{"a":1}`, "half": `{"limpid_project": 1, "files": [{"pa`, "future": `{"limpid_project": 99}`} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); !errors.Is(err, ErrNot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeft_OfProcessesThatAreGone_TheNewestIsFound(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Skip("needs the command true")
	}
	gone := filepath.Join(dir, "session-"+itoa(cmd.Process.Pid)+Suffix)
	if err := Write(gone, sample(dir)); err != nil {
		t.Fatal(err)
	}
	if err := Write(AutoPath(dir), sample(dir)); err != nil { // this process is alive
		t.Fatal(err)
	}
	path, p, ok := Left(dir)
	if !ok || path != gone || len(p.Files) != 1 {
		t.Errorf("left: %s %v %+v, want %s", path, ok, p, gone)
	}
	Forget(dir, "")
	if _, _, ok := Left(dir); ok {
		t.Error("still there after Forget")
	}
	if _, err := os.Stat(AutoPath(dir)); err != nil {
		t.Error("the state of a living process was taken away")
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }
