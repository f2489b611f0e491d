package viewmodel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
)

// ExportPlan is what to write of a result. Name is that of the FITS file; the
// others stand beside it under the same stem, as the command line writes them.
type ExportPlan struct {
	Dir, Name     string
	FITS          bool
	Samples       bool // in the FITS file
	PNG, PDF, SVG bool
	Recipe        bool
	References    bool
}

// ExportState is how the export under way, or the last one, stands.
type ExportState struct {
	Busy    bool
	Written []string
	Problem *limpid.Finding
}

// Plan is what is proposed for a result: everything the command line writes, in
// the folder of the image or, where that cannot be written to, in the user's own.
func (m *Model) Plan(e *Entry) ExportPlan {
	return ExportPlan{
		Dir: m.folderFor(e.File), Name: filepath.Base(session.Stem(e.File.Path)) + "-posterior.fits",
		FITS: true, Samples: true, PNG: true, Recipe: true, References: true,
	}
}

// RecipePath is where a file's recipe is proposed to be saved.
func (m *Model) RecipePath(f *File) string {
	return filepath.Join(m.folderFor(f), filepath.Base(session.Stem(f.Path))+".recipe.json")
}

// folderFor is a folder that can be written to: the file's own unless it is that
// of the samples, the working folder, or the user's.
func (m *Model) folderFor(f *File) string {
	dir := filepath.Dir(f.Path)
	if cache, err := os.UserCacheDir(); err == nil && strings.HasPrefix(dir, cache) {
		dir = "" // a sample
	}
	if dir == "" || !writable(dir) {
		dir, _ = os.Getwd()
		if !writable(dir) {
			dir, _ = os.UserHomeDir()
		}
	}
	return dir
}

func writable(dir string) bool { return session.CheckOutput(filepath.Join(dir, "x")) == nil }

// jobs are the calls of session.Export that the plan comes to: a session writes
// one figure at a time.
func (p ExportPlan) jobs() []session.ExportOptions {
	all := session.Beside(filepath.Join(p.Dir, p.Name))
	stem := session.Stem(all.FITS)
	all.NoSamples = !p.Samples
	keep := func(path *string, on bool) {
		if !on {
			*path = ""
		}
	}
	keep(&all.FITS, p.FITS)
	keep(&all.Figure, p.PNG)
	keep(&all.Recipe, p.Recipe)
	keep(&all.References, p.References)
	jobs := []session.ExportOptions{all}
	if p.PDF {
		jobs = append(jobs, session.ExportOptions{Figure: stem + ".pdf"})
	}
	if p.SVG {
		jobs = append(jobs, session.ExportOptions{Figure: stem + ".svg"})
	}
	return jobs
}

// Paths are the files the plan names; figures of several bands have the band in
// theirs.
func (p ExportPlan) Paths() []string {
	var out []string
	for _, j := range p.jobs() {
		for _, path := range []string{j.FITS, j.Figure, j.Recipe, j.References} {
			if path != "" {
				out = append(out, path)
			}
		}
	}
	return out
}

// Existing are those of them that are there and would be replaced.
func (p ExportPlan) Existing() []string {
	var out []string
	for _, path := range p.Paths() {
		if _, err := os.Stat(path); err == nil {
			out = append(out, filepath.Base(path))
		}
	}
	return out
}

// Check says what is wrong with the plan before anything is written.
func (p ExportPlan) Check() error {
	switch {
	case strings.TrimSpace(p.Name) == "" || filepath.Base(p.Name) != p.Name:
		return errors.New("type a file name, without a folder")
	case !strings.EqualFold(filepath.Ext(strings.TrimSuffix(p.Name, ".gz")), ".fits"):
		return errors.New("the name must end in .fits")
	case len(p.Paths()) == 0:
		return errors.New("choose something to write")
	}
	if info, err := os.Stat(p.Dir); err != nil || !info.IsDir() {
		return errors.New("there is no folder " + p.Dir)
	}
	return nil
}

// Export writes a result in the background; Exporting tells how it goes.
func (m *Model) Export(e *Entry, p ExportPlan) {
	if e.Result == nil || m.export.Busy {
		return
	}
	m.export = ExportState{Busy: true}
	m.changed(Exports)
	res := e.Result
	m.background(func(ctx context.Context) func() {
		var written []string
		err := session.CheckOutput(filepath.Join(p.Dir, p.Name))
		for _, j := range p.jobs() {
			if err != nil {
				break
			}
			var w []string
			w, err = m.ses.Export(ctx, res, j)
			written = append(written, w...)
		}
		return func() {
			m.export = ExportState{Written: written}
			if err != nil {
				f := inWords(session.Problem(err))
				m.export.Problem = &f
			}
			e.Written = append(e.Written, written...)
			m.changed(Exports | Files)
		}
	})
}

// Exporting is how the export under way, or the last one, stands.
func (m *Model) Exporting() ExportState { return m.export }

// ForgetExport makes ready for another.
func (m *Model) ForgetExport() {
	if !m.export.Busy {
		m.export = ExportState{}
	}
}

// Unsaved are the results that were not exported.
func (m *Model) Unsaved() int {
	n := 0
	for _, f := range m.files {
		for _, e := range f.Results {
			if e.Result != nil && len(e.Written) == 0 {
				n++
			}
		}
	}
	return n
}

// SaveRecipe writes the current recipe as JSON, files named relative to its
// folder. It is as quick as it is small.
func (m *Model) SaveRecipe(path string) error {
	r, ok := m.Draft()
	if !ok {
		return recipe.ErrInvalid
	}
	return session.SaveRecipe(path, r)
}
