// Package plan is what an export of any workspace writes, and where: parts that can be
// switched on and off, under one stem.
package plan

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"limpid"
	"limpid/app/session"
)

// Part is something an export can write.
type Part struct {
	ID     string
	Label  string
	Tip    string
	Suffix string // of its file, after the stem; "": it is an option of the FITS file
	Row    string // parts with the same word here stand in one row after it
	On     bool
}

// Plan is what to write of a result and where: NAME.fits, and parts beside it under
// the same stem.
type Plan struct {
	Dir, Name string
	Parts     []Part
}

// On says whether a part is to be written.
func (p Plan) On(id string) bool {
	for _, x := range p.Parts {
		if x.ID == id {
			return x.On
		}
	}
	return false
}

// Has says whether there is such a part.
func (p Plan) Has(id string) bool {
	return slices.ContainsFunc(p.Parts, func(x Part) bool { return x.ID == id })
}

// Path is a part's file; "": it is not to be written.
func (p Plan) Path(id string) string {
	for _, x := range p.Parts {
		if x.ID == id && x.On && x.Suffix != "" {
			return session.Stem(filepath.Join(p.Dir, p.Name)) + x.Suffix
		}
	}
	return ""
}

// Switch puts a part on or off.
func (p Plan) Switch(id string, on bool) {
	for i := range p.Parts {
		if p.Parts[i].ID == id {
			p.Parts[i].On = on
		}
	}
}

// Paths are the files that it names.
func (p Plan) Paths() []string {
	var out []string
	for _, x := range p.Parts {
		if path := p.Path(x.ID); path != "" {
			out = append(out, path)
		}
	}
	return out
}

// Existing are the names of those that would be replaced.
func (p Plan) Existing() []string {
	var out []string
	for _, path := range p.Paths() {
		if _, err := os.Stat(path); err == nil {
			out = append(out, filepath.Base(path))
		}
	}
	return out
}

// Check says what is wrong with it before anything is written.
func (p Plan) Check() error {
	switch {
	case strings.TrimSpace(p.Name) == "" || filepath.Base(p.Name) != p.Name:
		return errors.New("type a file name, without a folder")
	case !strings.EqualFold(filepath.Ext(p.Name), ".fits"):
		return errors.New("the name must end in .fits")
	case len(p.Paths()) == 0:
		return errors.New("choose something to write")
	}
	if info, err := os.Stat(p.Dir); err != nil || !info.IsDir() {
		return errors.New("there is no folder " + p.Dir)
	}
	return nil
}

// FolderFor is a folder that can be written to: a file's own unless it is a sample's,
// the working folder, or the user's.
func FolderFor(path string) string {
	dir := filepath.Dir(path)
	if cache, err := os.UserCacheDir(); err == nil && strings.HasPrefix(dir, cache) {
		dir = ""
	}
	for _, next := range []func() (string, error){os.Getwd, os.UserHomeDir} {
		if dir != "" && session.CheckOutput(filepath.Join(dir, "x")) == nil {
			break
		}
		dir, _ = next()
	}
	return dir
}

// State is how an export stands.
type State struct {
	Busy    bool
	Written []string
	Problem *limpid.Finding
}
