package viewmodel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/assets"
	"limpid/solvers/observe"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/marks"
)

// File is an open FITS file with the recipe that is being made for it.
type File struct {
	ID      int
	Path    string
	Name    string
	HDUs    []session.HDUInfo
	Results []*Entry // the latest last
	// Problem says why there is nothing to work on in it; nil: there is.
	Problem *limpid.Finding

	doc     *session.Document
	draft   form.Draft
	marks   marks.Set
	measure measurement
}

// Files lists what is open, in the order of opening.
func (m *Model) Files() []*File { return m.files }

// File is the one whose recipe is shown; nil while none is open.
func (m *Model) File() *File { return m.file }

// HDU is the one chosen in the list; −1 while a result is.
func (m *Model) HDU() int {
	if m.entry != nil {
		return -1
	}
	return m.hdu
}

// Entry is the result chosen; nil while an HDU is.
func (m *Model) Entry() *Entry { return m.entry }

// Open opens files: FITS images, and recipes (.json) with the images they name.
// The first of them is shown. Those that cannot be opened become notices.
func (m *Model) Open(paths ...string) { m.openThen(paths, nil) }

// openThen opens files in their order and calls then, if not nil, when the first
// has opened.
func (m *Model) openThen(paths []string, then func()) {
	paths = append([]string(nil), paths...)
	shown := false
	opened := func(f *File) {
		if !shown {
			shown = true
			m.ShowFile(f)
			if then != nil {
				then()
			}
		}
	}
	m.background(func(ctx context.Context) func() {
		for _, path := range paths {
			if ctx.Err() != nil {
				break
			}
			switch strings.ToLower(filepath.Ext(path)) {
			case ".json":
				m.answer(m.readRecipe(ctx, path, opened))
			case ".reg":
				m.answer(m.readRegions(path))
			case ".csv", ".tsv", ".txt", ".cat", ".dat":
				m.answer(m.readCatalogue(ctx, path, 0))
			default:
				m.answer(m.readImage(ctx, path, opened))
			}
		}
		return nil
	})
}

// readImage reads a file's headers; what it returns shows it.
func (m *Model) readImage(ctx context.Context, path string, opened func(*File)) func() {
	doc, err := openDocument(ctx, m.ses, path)
	shear := err == nil && looksLikeShear(ctx, doc)
	return func() {
		if err != nil {
			m.o.Store.Forget(path)
			m.changed(Files)
			m.fail(err)
			return
		}
		f := m.add(doc)
		if f.Problem != nil && shear {
			f.Problem.Advice = "It looks like a catalogue of galaxy shapes: open it in the mass map workspace (F4)"
		}
		opened(f)
	}
}

// looksLikeShear says whether a file without an image has a table with the columns of a
// shear catalogue.
func looksLikeShear(ctx context.Context, doc *session.Document) bool {
	if _, err := doc.FirstImage(); err == nil {
		return false
	}
	c, err := lens.Open(ctx, doc.Path, 0)
	if err != nil {
		return false
	}
	defer c.Close()
	g := c.Guess
	return g.RA != "" && g.Dec != "" && g.E1 != "" && g.E2 != ""
}

// readRecipe reads a recipe and the headers of its image.
func (m *Model) readRecipe(ctx context.Context, path string, opened func(*File)) func() {
	r, err := recipe.Load(path)
	if err != nil {
		return func() { m.fail(err) }
	}
	doc, err := openDocument(ctx, m.ses, r.Input.File)
	if err != nil {
		return func() { m.fail(fmt.Errorf("the image of recipe %s: %w", filepath.Base(path), err)) }
	}
	return func() {
		f := m.add(doc)
		r.Input.File = f.Path
		f.draft = form.FromRecipe(r)
		opened(f)
		m.changed(Recipe)
		m.remeasure(f)
	}
}

// OpenAndRun opens one file, an image or a recipe, and starts its run.
func (m *Model) OpenAndRun(path string) {
	m.openThen([]string{path}, func() {
		if m.active == nil {
			m.Run()
		}
	})
}

// openDocument opens a file and says plainly when it is a folder.
func openDocument(ctx context.Context, s *session.Session, path string) (*session.Document, error) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: open the files in it: %w", path, session.ErrShape)
	}
	return s.Open(ctx, path)
}

// add puts a document into the list, or gives back the file that it is already
// open as.
func (m *Model) add(doc *session.Document) *File {
	m.o.Store.Used(doc.Path)
	for _, f := range m.files {
		if f.Path == doc.Path {
			doc.Close()
			return f
		}
	}
	m.nextID++
	f := &File{ID: m.nextID, Path: doc.Path, Name: doc.Name, HDUs: doc.HDUs, doc: doc}
	f.draft = form.FromRecipe(m.defaultRecipe(f))
	if _, err := doc.FirstImage(); err != nil {
		p := inWords(session.Problem(err))
		f.Problem = &p
	}
	m.files = append(m.files, f)
	m.changed(Files)
	return f
}

// defaultRecipe is what someone gets who changes nothing.
func (m *Model) defaultRecipe(f *File) recipe.Recipe {
	r := recipe.Default(f.Path)
	if i := f.doc.WithRole(session.RolePSF, 0, 0); i >= 0 {
		r.PSF = recipe.PSF{Kind: observe.PSFFile, HDU: &i}
	}
	return r
}

// ShowFile chooses a file and its first image.
func (m *Model) ShowFile(f *File) {
	hdu := 0
	if h, ok := f.draft.Image(f.openFile()); ok {
		hdu = h.Index
	} else if first, err := f.doc.FirstImage(); err == nil {
		hdu = first
	}
	m.Select(f, hdu)
}

// Select shows an HDU of a file in pane Data and the file's recipe.
func (m *Model) Select(f *File, hdu int) {
	other := f != m.file
	m.file, m.hdu, m.entry = f, hdu, nil
	m.setPlaying(false)
	m.pane, m.band = PaneData, 0
	if other {
		m.changed(Files | Recipe | Running)
		if f.measure.key == "" && f.Problem == nil {
			m.remeasure(f)
		}
	} else {
		m.changed(Files | Running)
	}
	m.refresh()
}

// SelectResult shows a result.
func (m *Model) SelectResult(e *Entry) {
	m.setPlaying(false)
	if m.entry != e {
		m.sample = 0
	}
	if m.entry == nil || m.entry.File != e.File {
		m.band = 0
	}
	other := m.file != e.File
	m.file, m.entry = e.File, e
	if m.pane == PaneData {
		m.pane = PaneDataMean
	}
	m.band = min(m.band, max(0, m.bands()-1))
	change := Files | Running
	if other {
		change |= Recipe
	}
	m.changed(change)
	m.refresh()
}

// SelectNext moves the choice in the list of HDUs and results by n lines, over
// the ends of files.
func (m *Model) SelectNext(n int) {
	type line struct {
		f   *File
		hdu int
		e   *Entry
	}
	var lines []line
	at := 0
	for _, f := range m.files {
		for _, h := range f.HDUs {
			if f == m.file && m.entry == nil && h.Index == m.hdu {
				at = len(lines)
			}
			lines = append(lines, line{f, h.Index, nil})
		}
		for _, e := range f.Results {
			if e == m.entry {
				at = len(lines)
			}
			lines = append(lines, line{f, 0, e})
		}
	}
	if len(lines) == 0 {
		return
	}
	l := lines[min(max(0, at+n), len(lines)-1)]
	if l.e != nil {
		m.SelectResult(l.e)
	} else {
		m.Select(l.f, l.hdu)
	}
}

// CloseFile takes a file and its results off the window. A run on it must have
// ended.
func (m *Model) CloseFile(f *File) {
	if m.active != nil && m.active.File == f {
		m.notify(limpid.Finding{Severity: limpid.Info, Code: "busy", What: "a run uses " + f.Name, Advice: "cancel it first (Esc)"})
		return
	}
	for i, g := range m.files {
		if g != f {
			continue
		}
		m.files = append(m.files[:i:i], m.files[i+1:]...)
		f.stopMeasuring()
		m.panes.forget(func(s slot) bool { return s.file == f })
		m.background(func(context.Context) func() { f.doc.Close(); return nil })
		if m.file == f {
			m.file, m.entry, m.hdu, m.pane = nil, nil, 0, PaneData
			if len(m.files) > 0 {
				m.ShowFile(m.files[min(i, len(m.files)-1)])
			}
		}
		m.changed(All)
		m.refresh()
		return
	}
}

// RemoveResult takes a result off the list; what was exported stays on disk.
func (m *Model) RemoveResult(e *Entry) {
	if m.active == e {
		return
	}
	for i, x := range e.File.Results {
		if x == e {
			e.File.Results = append(e.File.Results[:i:i], e.File.Results[i+1:]...)
			m.panes.forget(func(s slot) bool { return s.entry == e })
			if m.entry == e {
				m.ShowFile(e.File)
			}
			m.changed(Files)
			return
		}
	}
}

// Sample is an image that ships with the program.
type Sample = assets.Sample

// Samples lists them.
func (m *Model) Samples() []Sample { return assets.Samples() }

// OpenSample writes a sample to the user's cache folder, opens it and, with run,
// starts its deconvolution.
func (m *Model) OpenSample(s Sample, run bool) {
	m.background(func(context.Context) func() {
		path, err := writeSample(s)
		return func() {
			if err != nil {
				m.fail(err)
				return
			}
			if run {
				m.OpenAndRun(path)
			} else {
				m.Open(path)
			}
		}
	})
}

// WriteSample writes a sample to the user's cache folder and calls then with its path.
func (m *Model) WriteSample(s Sample, then func(path string)) {
	m.background(func(context.Context) func() {
		path, err := writeSample(s)
		return func() {
			if err != nil {
				m.fail(err)
				return
			}
			then(path)
		}
	})
}

func writeSample(s Sample) (string, error) {
	data, err := assets.ReadSample(s.File)
	if err != nil {
		return "", err
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "limpid", "samples")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	path := filepath.Join(dir, s.File)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return path, nil
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return "", fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	return path, nil
}

// openFile is the file as the form lists it.
func (f *File) openFile() form.OpenFile {
	return form.OpenFile{Path: f.Path, Name: f.Name, HDUs: f.HDUs}
}
