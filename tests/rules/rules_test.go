// Package rules checks what keeps the structure: which package may import which.
package rules

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"limpid/tests/tree"
)

type pkg struct {
	ImportPath string
	Imports    []string
}

// list is what go list says of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	if err := tree.Read("../.."); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-tags", "gles", "-json=ImportPath,Imports", "limpid/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var all []pkg
	for {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 15 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

// rule says what the packages below a path may import of this module. The root
// package (words everybody shares) and a package's own subtree are always
// allowed. The longest matching path decides.
type rule struct {
	path  string
	allow []string // path prefixes below limpid/
}

var rules = []rule{
	{"engine", nil},
	{"fitsio", nil},
	{"priors", []string{"engine"}},
	{"solvers", []string{"engine", "priors"}},
	{"gpu", []string{"engine"}},
	{"assets", nil},
	{"assets/internal", []string{"engine", "fitsio", "priors", "solvers"}}, // generators
	{"app/figure", nil},
	{"app/file", nil},
	{"app/recipe", []string{"solvers", "priors"}},
	{"app/session", []string{"app/recipe", "app/calibration", "app/training", "app/figure", "assets", "fitsio", "solvers", "priors", "engine", "app/file"}},
	{"app/calibration", []string{"app/recipe", "app/training", "assets", "priors", "solvers", "engine", "app/file"}},
	{"app/training", []string{"assets", "fitsio", "solvers", "priors", "engine"}},
	{"app/batch", []string{"app/session", "app/recipe", "engine"}},
	{"app/cli", []string{"app/calibration", "app/batch", "app/session", "app/training", "app/recipe", "app/figure", "assets", "fitsio", "solvers", "priors", "engine"}},
	{"app/cmd", []string{"app", "ui", "assets", "engine", "gpu"}},
	{"ui/viewmodel", []string{"app/session", "app/training", "app/calibration", "app/recipe", "app/figure", "assets", "fitsio", "solvers", "priors", "app/file"}},
	{"ui/widget", []string{"app/figure"}},
	{"ui/plots", []string{"app/figure", "app/session"}},
	{"ui/view", []string{"ui", "app/session", "app/recipe", "app/figure", "assets", "fitsio", "solvers"}},
	{"tests", []string{""}},
}

func find(path string) (rule, bool) {
	var best rule
	ok := false
	for _, r := range rules {
		if (path == r.path || strings.HasPrefix(path, r.path+"/")) && (!ok || len(r.path) > len(best.path)) {
			best, ok = r, true
		}
	}
	return best, ok
}

func TestImports_GoDownwardsOnly(t *testing.T) {
	for _, p := range list(t) {
		path, isOurs := strings.CutPrefix(p.ImportPath, "limpid/")
		if !isOurs {
			if p.ImportPath == "limpid" && len(p.Imports) > 0 {
				t.Errorf("the root package imports %v: it holds words only", p.Imports)
			}
			continue
		}
		r, ok := find(path)
		if !ok {
			t.Errorf("%s: no rule for this folder: is it in the right place?", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			below, ours := strings.CutPrefix(imp, "limpid/")
			if !ours || below == r.path || strings.HasPrefix(below, r.path+"/") {
				continue
			}
			if !slices.ContainsFunc(r.allow, func(a string) bool { return a == "" || below == a || strings.HasPrefix(below, a+"/") }) {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, imp)
			}
		}
	}
}

// Libraries that are kept to one corner of the program.
func TestImports_LibrariesStayInTheirCorner(t *testing.T) {
	std := func(path string) bool { return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") }
	for _, p := range list(t) {
		path := strings.TrimPrefix(p.ImportPath, "limpid/")
		for _, imp := range p.Imports {
			switch {
			case strings.HasPrefix(imp, "fyne.io/") || strings.HasPrefix(imp, "github.com/dweymouth/"):
				if !strings.HasPrefix(path, "ui/view") && !strings.HasPrefix(path, "ui/widget") && path != "app/cmd/limpid" || strings.HasPrefix(path, "ui/viewmodel") {
					t.Errorf("%s imports %s: only ui/view, ui/widget and the window's main may", p.ImportPath, imp)
				}
				if imp == "fyne.io/fyne/v2/app" && path != "app/cmd/limpid" {
					t.Errorf("%s imports fyne/v2/app: only the window's main may", p.ImportPath)
				}
			case strings.HasPrefix(imp, "github.com/siravan/"):
				t.Errorf("%s imports siravan/fits, which is for tests", p.ImportPath)
			case strings.HasPrefix(path, "fitsio") && !std(imp):
				t.Errorf("%s imports %s: fitsio uses the standard library alone", p.ImportPath, imp)
			case imp == "C" && !strings.HasPrefix(path, "engine/internal") && !strings.HasPrefix(path, "gpu/"):
				t.Errorf("%s uses cgo", p.ImportPath)
			}
		}
	}
}

func TestMains_AreThin(t *testing.T) {
	const most = 150
	mains, err := filepath.Glob("../../app/cmd/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no mains found: %v", err)
	}
	for _, file := range mains {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > most {
			t.Errorf("%s has %d lines, at most %d", file, n, most)
		}
	}
}
