package viewmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/fitsio/regions"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/marks"
)

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
