// Package blend is the workspace of overlapping sources without its widgets: bands,
// the list of sources, their fits and samples. A Model belongs to the window's
// goroutine.
package blend

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/deblend"
	"limpid/ui/viewmodel/board"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/plan"
	"limpid/ui/viewmodel/work"
)

// Options are what a Model is made from.
type Options struct {
	Session  *session.Session
	Post     func(func()) // runs a function on the window's goroutine
	Changed  func()       // called there after something changed
	Fail     func(limpid.Finding)
	Opened   func(path string)
	Debounce time.Duration
	// Sampling is what samplers are told beside draws, seed and positivity.
	Sampling deblend.SampleOptions
}

// Source is one of the list.
type Source struct {
	deblend.Source
	Hidden bool // peeled off the picture
}

// Entry is a run and what it has found.
type Entry struct {
	work.Entry
	D      *session.Deblending // with Result once fitted; not changed while it is shown
	images map[int][]float32   // what single sources add to the data, by their index
	cancel context.CancelFunc
}

// Model is the state of the workspace.
type Model struct {
	o    Options
	run  *work.Runner
	form *work.Form
	open map[form.Step]bool

	files   []string
	cat     string // positions from a file
	d       *session.Deblending
	loading context.CancelFunc
	busy    bool
	wantRun bool // once the sources are there
	turn    int  // of loading: only the last one counts
	err     error
	timer   *time.Timer

	sources []Source
	lastID  int
	chosen  int // ID; 0: none
	adding  bool
	undo    []edit
	redo    []edit

	entries []*Entry
	entry   *Entry
	active  *Entry
	nextID  int
	ticking chan struct{}

	band   int
	board  *board.Board
	seen   derived
	export plan.State
}

// edit is the list of sources and the form as they were.
type edit struct {
	sources []Source
	form    map[form.ID]string
}

// New makes an empty workspace.
func New(o Options) *Model {
	if o.Debounce == 0 {
		o.Debounce = 400 * time.Millisecond
	}
	m := &Model{o: o, run: work.NewRunner(o.Post), open: map[form.Step]bool{}}
	m.form = work.NewForm(map[form.ID]string{Samples: "32", Seed: "1", FreeForm: form.True})
	m.board = board.New(func() { m.changed() })
	return m
}

func (m *Model) changed() {
	if m.o.Changed != nil {
		m.o.Changed()
	}
}

// Close cancels what is under way and waits for it.
func (m *Model) Close() {
	if m.timer != nil {
		m.timer.Stop()
	}
	m.tick(false)
	m.run.Close()
}

// Add puts files to those that are deblended together: one image of several planes, or
// one image per band. Tables of positions (.csv, .cat …) give the sources.
func (m *Model) Add(paths ...string) {
	images := false
	for _, p := range paths {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		switch strings.ToLower(filepath.Ext(p)) {
		case ".csv", ".tsv", ".txt", ".cat", ".dat":
			m.cat, m.sources = p, nil
			images = true
			continue
		}
		if !slices.Contains(m.files, p) {
			m.files = append(m.files, p)
			m.sources, m.cat = nil, ""
			images = true
			if m.o.Opened != nil {
				m.o.Opened(p)
			}
		}
	}
	if images {
		m.entry, m.chosen, m.band = nil, 0, 0
		m.undo, m.redo = nil, nil
		m.load(0)
	}
}

// AddAndRun adds files and fits their sources as soon as they have been found.
func (m *Model) AddAndRun(paths ...string) {
	m.wantRun = true
	m.Add(paths...)
}

// RemoveFile takes a band off.
func (m *Model) RemoveFile(path string) {
	m.files = slices.DeleteFunc(m.files, func(p string) bool { return p == path })
	m.sources, m.cat, m.entry, m.chosen, m.band = nil, "", nil, 0, 0
	if len(m.files) == 0 {
		m.d, m.err, m.busy = nil, nil, false
		m.turn++
		if m.loading != nil {
			m.loading()
		}
		m.show()
		return
	}
	m.load(0)
}

// Files are the images in the order of their bands.
func (m *Model) Files() []string { return m.files }

// Loading says whether they are being read.
func (m *Model) Loading() bool { return m.busy }

// Field is what has been read; nil: nothing yet.
func (m *Model) Field() *session.Deblending {
	if m.entry != nil {
		return m.entry.D
	}
	return m.d
}

// input is what to read.
func (m *Model) input() session.DeblendInput {
	f := m.form
	in := session.DeblendInput{
		Files: slices.Clone(m.files), PSF: splitPSF(f.Get(PSF)), Noise: strings.TrimSpace(f.Get(Noise)), Sky: strings.TrimSpace(f.Get(Sky)),
		Cutout: strings.TrimSpace(f.Get(Cutout)), Catalogue: m.cat, SwapXY: f.On(SwapXY), Threshold: f.Number(Threshold, 1, 1000, 0), Origin: f.Number(Origin, -1e6, 1e6, 0),
	}
	for _, p := range in.PSF {
		if _, err := recipe.ParsePSF(p); err != nil {
			f.Wrong(PSF, form.Plain(session.Problem(err).What))
		}
	}
	if in.Noise != "" {
		if _, err := recipe.ParseNoise(in.Noise); err != nil {
			f.Wrong(Noise, form.Plain(session.Problem(err).What))
		}
	}
	if in.Sky != "" {
		if _, err := recipe.ParseSky(in.Sky); err != nil {
			f.Wrong(Sky, form.Plain(session.Problem(err).What))
		}
	}
	if in.Cutout != "" {
		if _, err := recipe.ParseCutout(in.Cutout); err != nil {
			f.Wrong(Cutout, form.Plain(session.Problem(err).What))
		}
	}
	return in
}

// splitPSF splits at commas that do not belong to a profile's numbers: moffat:3px,2.5
// is one.
func splitPSF(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if len(out) > 0 && part != "" && strings.Trim(part, "0123456789.") == "" {
			out[len(out)-1] += "," + part
		} else if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// load reads the files after the form has rested. Sources that are there are kept,
// else they are found.
func (m *Model) load(rest time.Duration) {
	if m.timer != nil {
		m.timer.Stop()
	}
	if rest > 0 {
		m.timer = time.AfterFunc(rest, func() { m.run.Answer(func() { m.load(0) }) })
		return
	}
	m.form.Check()
	in := m.input()
	if len(m.files) == 0 || m.form.First() != "" {
		m.changed()
		return
	}
	keep := slices.Clone(m.sources)
	if len(keep) > 0 {
		in.Catalogue, in.SwapXY = "", false
		for _, s := range keep {
			in.Positions = append(in.Positions, [2]float64{s.X, s.Y})
		}
	}
	if m.loading != nil {
		m.loading()
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.turn++
	turn := m.turn
	m.loading, m.busy, m.err = cancel, true, nil
	opt, _ := m.options()
	m.changed()
	m.run.Go(func(stop context.Context) func() {
		defer context.AfterFunc(stop, cancel)()
		d, err := m.o.Session.LoadDeblend(ctx, in, opt)
		return func() {
			cancel()
			if m.turn != turn { // cancelled for a later one, or not wanted any more
				return
			}
			m.busy = false
			m.loaded(d, err, keep)
		}
	})
}

func (m *Model) loaded(d *session.Deblending, err error, keep []Source) {
	if err != nil {
		m.err = err
		m.open[StepBands] = true
		m.show()
		return
	}
	m.d = d
	if len(keep) == 0 {
		m.sources = nil
		for _, s := range d.Sources {
			m.sources = append(m.sources, Source{Source: s})
			m.lastID = max(m.lastID, s.ID)
		}
	}
	m.band = min(m.band, len(d.Obs.Bands)-1)
	m.show()
	if m.wantRun {
		m.wantRun = false
		m.Run()
	}
}

// Detect finds the sources anew, over those that are there.
func (m *Model) Detect() {
	m.remember()
	m.sources, m.cat, m.chosen, m.entry = nil, "", 0, nil
	m.load(0)
}

// Board is what the middle shows.
func (m *Model) Board() *board.Board { return m.board }

// Entries are the runs, the oldest first.
func (m *Model) Entries() []*Entry { return m.entries }

// Entry is the run shown; nil: the data are.
func (m *Model) Entry() *Entry { return m.entry }

// Active is the run under way; nil: none.
func (m *Model) Active() *Entry { return m.active }

// Select shows a run, or the data with nil.
func (m *Model) Select(e *Entry) {
	if e != m.entry {
		m.entry = e
		m.show()
	}
}

// Remove takes a run off the list.
func (m *Model) Remove(e *Entry) {
	i := slices.Index(m.entries, e)
	if i < 0 || e == m.active {
		return
	}
	m.entries = slices.Delete(slices.Clone(m.entries), i, i+1)
	if m.entry == e {
		m.entry = nil
	}
	m.show()
}

// Unsaved is how many results were not exported.
func (m *Model) Unsaved() int {
	n := 0
	for _, e := range m.entries {
		if e.D.Result != nil && len(e.Written) == 0 {
			n++
		}
	}
	return n
}

// Band is the band shown, and how many there are.
func (m *Model) Band() (k, n int) {
	if d := m.Field(); d != nil {
		return m.band, len(d.Obs.Bands)
	}
	return 0, 0
}

// SetBand shows another.
func (m *Model) SetBand(k int) {
	_, n := m.Band()
	if k = min(max(0, k), n-1); k >= 0 && k != m.band {
		m.band = k
		m.show()
	}
}

// State is what a project file keeps.
type State struct {
	Files     []string           `json:"files,omitempty"`
	Catalogue string             `json:"catalogue,omitempty"`
	Form      map[form.ID]string `json:"form,omitempty"`
	Sources   []Source           `json:"sources,omitempty"`
}

// State is the workspace as it is.
func (m *Model) State() State {
	return State{Files: slices.Clone(m.files), Catalogue: m.cat, Form: m.form.Values(), Sources: m.sources}
}

// Restore goes back to a state.
func (m *Model) Restore(s State) {
	if len(s.Files) == 0 {
		return
	}
	m.form.Restore(s.Form)
	m.files, m.cat, m.sources = s.Files, s.Catalogue, s.Sources
	m.lastID = 0
	for _, x := range s.Sources {
		m.lastID = max(m.lastID, x.ID)
	}
	m.load(0)
}
