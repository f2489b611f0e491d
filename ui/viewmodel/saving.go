package viewmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/fitsio/regions"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/marks"
	"limpid/ui/viewmodel/plan"
)

// Plan is what is proposed for a result: everything the command line writes, in
// the folder of the image or, where that cannot be written to, in the user's own.
func (m *Model) Plan(e *Entry) plan.Plan {
	p := plan.Plan{
		Dir: plan.FolderFor(e.File.Path), Name: filepath.Base(session.Stem(e.File.Path)) + "-posterior.fits",
		Parts: []plan.Part{
			{ID: "fits", Label: "FITS: mean, std, residual, data, mask, PSF, recipe", Tip: "WCS and cards are kept; HISTORY says what was done", Suffix: ".fits", On: true},
		},
	}
	sampled := e.Result != nil && len(e.Result.Samples) > 0
	if sampled {
		p.Parts = append(p.Parts, plan.Part{ID: "samples", Label: "with the samples", Tip: "a cube of every sample", On: true})
	}
	p.Parts = append(
		p.Parts,
		plan.Part{ID: "png", Row: "Figure", Label: "PNG", Tip: "for screens and slides", Suffix: ".png", On: true},
		plan.Part{ID: "pdf", Row: "Figure", Label: "PDF", Tip: "for papers", Suffix: ".pdf"},
		plan.Part{ID: "svg", Row: "Figure", Label: "SVG", Tip: "to edit", Suffix: ".svg"},
		plan.Part{ID: "tiff", Row: "Mean", Label: "TIFF, 16 bit", Tip: "for programs that edit pictures; the scale of grey is in the file", Suffix: ".tif"},
	)
	if sampled {
		p.Parts = append(p.Parts, plan.Part{ID: "film", Row: "Samples", Label: "Film (GIF)", Tip: "each sample in turn, for talks", Suffix: ".gif"})
	}
	p.Parts = append(
		p.Parts,
		plan.Part{ID: "recipe", Label: "Recipe (.recipe.json)", Tip: "runs here and with limpid-cli run", Suffix: ".recipe.json", On: true},
		plan.Part{ID: "bib", Label: "References (.bib)", Tip: "what to cite for the method used", Suffix: ".bib", On: true},
	)
	return p
}

// RecipePath is where a file's recipe is proposed to be saved.
func (m *Model) RecipePath(f *File) string {
	return filepath.Join(plan.FolderFor(f.Path), filepath.Base(session.Stem(f.Path))+".recipe.json")
}

// jobs are the calls of session.Export that the plan comes to: a session writes
// one figure at a time.
func jobs(p plan.Plan) []session.ExportOptions {
	out := []session.ExportOptions{{
		FITS: p.Path("fits"), NoSamples: p.Has("samples") && !p.On("samples"), Figure: p.Path("png"),
		TIFF: p.Path("tiff"), Film: p.Path("film"), Recipe: p.Path("recipe"), References: p.Path("bib"),
	}}
	for _, id := range []string{"pdf", "svg"} {
		if path := p.Path(id); path != "" {
			out = append(out, session.ExportOptions{Figure: path})
		}
	}
	return out
}

// Export writes a result in the background; Exporting tells how it goes.
func (m *Model) Export(e *Entry, p plan.Plan) {
	if e.Result == nil || m.export.Busy {
		return
	}
	m.export = plan.State{Busy: true}
	m.changed(Exports)
	res := e.Result
	m.background(func(ctx context.Context) func() {
		var written []string
		err := session.CheckOutput(filepath.Join(p.Dir, p.Name))
		for _, j := range jobs(p) {
			if err != nil {
				break
			}
			var w []string
			w, err = m.ses.Export(ctx, res, j)
			written = append(written, w...)
		}
		return func() {
			m.export = plan.State{Written: written}
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
func (m *Model) Exporting() plan.State { return m.export }

// ForgetExport makes ready for another.
func (m *Model) ForgetExport() {
	if !m.export.Busy {
		m.export = plan.State{}
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

// FileState is an open file as a project keeps it.
type FileState struct {
	Path    string
	HDU     int
	Recipe  json.RawMessage    // as last valid
	Typed   map[form.ID]string // every field
	Regions string             // DS9's
	Written []string           // exported
}

// States are the open files, and which is shown (−1: none).
func (m *Model) States() (list []FileState, current int) {
	current = -1
	for i, f := range m.files {
		s := FileState{Path: f.Path, HDU: m.hdu, Typed: f.draft.Values()}
		if f == m.file {
			current = i
		} else if h, ok := f.draft.Image(f.openFile()); ok {
			s.HDU = h.Index
		}
		if r, errs := f.draft.Recipe(); len(errs) == 0 {
			s.Recipe = r.JSON()
		}
		var b bytes.Buffer
		if f.marks.Len() > 0 && regions.Write(&b, f.marks.Regions()) == nil {
			s.Regions = b.String()
		}
		for _, e := range f.Results {
			s.Written = append(s.Written, e.Written...)
		}
		list = append(list, s)
	}
	return list, current
}

// CataloguePath is that of the catalogue shown; "": none.
func (m *Model) CataloguePath() string {
	if m.tools.cat == nil {
		return ""
	}
	return m.tools.catPath
}

// Restore opens files as they were. Those that are gone become notices.
func (m *Model) Restore(list []FileState, current int) {
	m.background(func(ctx context.Context) func() {
		for i, s := range list {
			if ctx.Err() != nil {
				break
			}
			doc, err := openDocument(ctx, m.ses, s.Path)
			m.answer(func() {
				if err != nil {
					m.fail(err)
					return
				}
				f := m.add(doc)
				m.restoreFile(f, s)
				if i == current || m.file == nil {
					hdu := min(max(0, s.HDU), len(f.HDUs)-1)
					m.Select(f, hdu)
				}
				m.remeasure(f)
				m.changed(All)
			})
		}
		return nil
	})
}

func (m *Model) restoreFile(f *File, s FileState) {
	if len(s.Recipe) > 0 {
		r, err := recipe.Decode(bytes.NewReader(s.Recipe))
		if err != nil {
			m.fail(err)
		} else {
			r.Input.File = f.Path
			f.draft = form.FromRecipe(r)
		}
	}
	if len(s.Typed) > 0 {
		f.draft = f.draft.Typed(s.Typed)
	}
	if s.Regions != "" {
		rs, _, err := regions.Parse(strings.NewReader(s.Regions))
		if err != nil {
			m.notify(limpid.Finding{Severity: limpid.Warning, Code: "regions", Where: f.Name, What: "the regions of the project cannot be read: " + form.Plain(err.Error())})
			return
		}
		f.marks, _ = marks.Set{}.Add(rs...)
	}
}
