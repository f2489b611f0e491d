// Package project is what is worked on, as a file: which images are open, the recipe of
// each as it was typed, regions, and the state of the other workspaces. Results are not
// in it: a recipe gives the same bytes again. It knows nothing of windows.
package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"limpid/app/session"
	"limpid/ui/viewmodel/blend"
	"limpid/ui/viewmodel/form"
)

// Version of the format.
const Version = 1

// Suffix of project files.
const Suffix = ".limpid"

// File is an image with what was done to it.
type File struct {
	Path    string             `json:"path"`
	HDU     int                `json:"hdu"`
	Recipe  json.RawMessage    `json:"recipe,omitempty"` // as last valid
	Typed   map[form.ID]string `json:"typed,omitempty"`  // every field, valid or not
	Regions string             `json:"regions,omitempty"`
	Written []string           `json:"exported,omitempty"`
}

// Lensing is the workspace of mass maps.
type Lensing struct {
	Catalogue string             `json:"catalogue,omitempty"`
	Form      map[form.ID]string `json:"form,omitempty"`
}

// Project is a whole window.
type Project struct {
	Version   int         `json:"limpid_project"`
	Saved     time.Time   `json:"saved"`
	Space     int         `json:"workspace"`
	Files     []File      `json:"files,omitempty"`
	Current   int         `json:"current"` // of Files; −1: none
	Catalogue string      `json:"catalogue,omitempty"`
	MassMap   Lensing     `json:"mass_map"`
	Deblend   blend.State `json:"deblend"`
}

// Empty says whether there is nothing worth keeping.
func (p Project) Empty() bool {
	return len(p.Files) == 0 && p.MassMap.Catalogue == "" && len(p.Deblend.Files) == 0
}

// About says in a line what is in it.
func (p Project) About() string {
	var parts []string
	count := func(n int, one, many string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	count(len(p.Files), "image", "images")
	if p.MassMap.Catalogue != "" {
		parts = append(parts, "a shear catalogue")
	}
	count(len(p.Deblend.Sources), "source of a blend", "sources of a blend")
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// each calls f for every path of the project.
func (p *Project) each(f func(string) string) {
	for i := range p.Files {
		p.Files[i].Path = f(p.Files[i].Path)
	}
	p.MassMap.Catalogue = f(p.MassMap.Catalogue)
	p.Catalogue = f(p.Catalogue)
	p.Deblend.Files = append([]string(nil), p.Deblend.Files...)
	for i := range p.Deblend.Files {
		p.Deblend.Files[i] = f(p.Deblend.Files[i])
	}
	p.Deblend.Catalogue = f(p.Deblend.Catalogue)
}

// Write saves a project: beside its name, synced, then renamed. Files below its folder
// are named relative to it, so that the folder can be moved as a whole.
func Write(path string, p Project) error {
	p.Version, p.Saved = Version, time.Now().UTC().Truncate(time.Second)
	p.Files = append([]File(nil), p.Files...)
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("project: %w: %w", session.ErrOutput, err)
	}
	p.each(func(name string) string {
		if rel, err := filepath.Rel(dir, name); name != "" && err == nil && filepath.IsLocal(rel) {
			return rel
		}
		return name
	})
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("project: %w: %w", session.ErrOutput, err)
	}
	return session.WriteFile(path, append(text, '\n'))
}

// ErrNot says that a file is no project of a version that is known.
var ErrNot = errors.New("not a project of Limpid")

// Read reads a project. Paths come out absolute.
func Read(path string) (Project, error) {
	var p Project
	text, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("project: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s: %w: %w", filepath.Base(path), ErrNot, err)
	}
	switch {
	case p.Version == 0:
		return p, fmt.Errorf("%s: %w", filepath.Base(path), ErrNot)
	case p.Version > Version:
		return p, fmt.Errorf("%s: %w: it is of version %d, this program knows %d", filepath.Base(path), ErrNot, p.Version, Version)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return p, fmt.Errorf("project: %w", err)
	}
	p.each(func(name string) string {
		if name != "" && !filepath.IsAbs(name) {
			return filepath.Join(dir, name)
		}
		return name
	})
	if p.Current >= len(p.Files) {
		p.Current = len(p.Files) - 1
	}
	return p, nil
}

// AutoPath is where this process keeps its own state in a folder.
func AutoPath(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("session-%d%s", os.Getpid(), Suffix))
}

// Left is the newest state that a process left behind that is no longer there; ok is
// false where there is none. Unreadable ones are passed over.
func Left(dir string) (path string, p Project, ok bool) {
	list, _ := filepath.Glob(filepath.Join(dir, "session-*"+Suffix))
	for _, name := range list {
		pid, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "session-"), Suffix))
		if err != nil || pid == os.Getpid() || alive(pid) {
			continue
		}
		got, err := Read(name)
		if err != nil || got.Empty() {
			continue
		}
		if !ok || got.Saved.After(p.Saved) {
			path, p, ok = name, got, true
		}
	}
	return path, p, ok
}

// Forget takes states of processes that are gone away, but for one.
func Forget(dir, keep string) {
	list, _ := filepath.Glob(filepath.Join(dir, "session-*"+Suffix))
	for _, name := range list {
		pid, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "session-"), Suffix))
		if name != keep && err == nil && !alive(pid) {
			os.Remove(name)
		}
	}
}

// alive says whether a process of this number is there. Another that has taken the
// number over counts: its turn comes when that has ended.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
