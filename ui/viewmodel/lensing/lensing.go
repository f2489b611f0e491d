// Package lensing is the workspace of mass maps without its widgets: a shear
// catalogue, what its columns are taken for, the map made of it, and what can be said
// of the map. A Model belongs to the window's goroutine.
package lensing

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"limpid"
	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/fitsio/catalogue"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
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
	Debounce time.Duration // how long a choice rests before the catalogue is read again
}

// Entry is a run and its map.
type Entry struct {
	work.Entry
	Method massmap.Method // Auto until it is settled
	Field  *massmap.Field
	Recipe lens.Recipe
	Result *lens.Result // nil before the end

	mean, sample []float32 // so far
	cancel       context.CancelFunc
}

// Model is the state of the workspace.
type Model struct {
	o   Options
	run *work.Runner

	path  string
	cat   *lens.Catalogue // nil: maps are open, or nothing
	plane int             // of maps: how many planes the first file has
	io    sync.Mutex      // rows are read by one at a time
	form  *work.Form
	open  map[form.Step]bool
	undo  []map[form.ID]string
	redo  []map[form.ID]string
	bin   binned
	timer *time.Timer

	entries []*Entry
	entry   *Entry
	active  *Entry
	nextID  int

	board   *board.Board
	images  imageCache
	derived planes
	peak    int
	sample  int
	playing bool
	player  *time.Timer
	export  plan.State
	beside  beside
	wantRun bool   // once the catalogue is on pixels
	reading string // the file being opened
}

// binned is the catalogue on pixels, as the form said.
type binned struct {
	key    string
	busy   bool
	field  *massmap.Field
	cols   lens.Columns
	err    error
	pixel  float64   // what was asked for; 0: what suits the galaxies
	e, b   []float32 // Kaiser–Squires modes
	signs  *measure.Convention
	cancel context.CancelFunc
}

// New makes an empty workspace.
func New(o Options) *Model {
	if o.Debounce == 0 {
		o.Debounce = 350 * time.Millisecond
	}
	m := &Model{o: o, run: work.NewRunner(o.Post), open: map[form.Step]bool{}, peak: -1}
	m.form = work.NewForm(defaults())
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
	m.setPlaying(false)
	if m.timer != nil {
		m.timer.Stop()
	}
	m.run.Close()
	if m.cat != nil {
		m.cat.Close()
	}
}

func (m *Model) fail(err error) {
	if err == nil || m.o.Fail == nil {
		return
	}
	p := session.Problem(err)
	p.What = form.Plain(p.What)
	m.o.Fail(p)
}

// Open opens a shear catalogue (a FITS table, CSV or text), or maps of shear: an image of
// g1, or of both components.
func (m *Model) Open(path string) { m.openThen(path, nil) }

// OpenAndRun opens a catalogue and maps it as soon as it has been put on pixels.
func (m *Model) OpenAndRun(path string) {
	m.openThen(path, func() { m.wantRun = true })
}

func (m *Model) openThen(path string, then func()) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	m.reading = path
	m.changed()
	m.run.Go(func(ctx context.Context) func() {
		cat, err := lens.Open(ctx, path, 0)
		planes := 0
		if errors.Is(err, catalogue.ErrNoTable) {
			planes = lens.ImagesIn(ctx, path)
		}
		return func() {
			if m.reading == path {
				m.reading = ""
			}
			if err != nil && planes == 0 {
				m.fail(err)
				m.changed()
				return
			}
			m.take(path, cat, planes)
			if then != nil {
				then()
			}
		}
	})
}

// take makes a catalogue, or maps if cat is nil, what is worked on.
func (m *Model) take(path string, cat *lens.Catalogue, planes int) {
	if old := m.cat; old != nil {
		m.run.Go(func(context.Context) func() {
			m.io.Lock()
			defer m.io.Unlock()
			old.Close()
			return nil
		})
	}
	m.path, m.cat, m.plane = path, cat, planes
	var g lens.Columns
	if cat != nil {
		g = cat.Guess
	}
	for id, name := range map[form.ID]string{RA: g.RA, Dec: g.Dec, E1: g.E1, E2: g.E2, Weight: orNone(g.Weight), Z: orNone(g.Z)} {
		m.form.Set(id, name)
	}
	m.entry, m.peak = nil, -1
	m.undo, m.redo = nil, nil
	if m.o.Opened != nil {
		m.o.Opened(path)
	}
	m.open[StepShear] = g.RA == "" || g.Dec == "" || g.E1 == "" || g.E2 == ""
	m.rebin(0)
	m.show()
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// Path is the catalogue's or the map's; "": none is open.
func (m *Model) Path() string { return m.path }

// Name is the catalogue's file.
func (m *Model) Name() string {
	if m.path == "" {
		return ""
	}
	return filepath.Base(m.path)
}

// Reading is the file being opened; "": none.
func (m *Model) Reading() string { return filepath.Base(m.reading) }

// Rows of the catalogue; 0 of maps.
func (m *Model) Rows() int {
	if m.cat == nil {
		return 0
	}
	return m.cat.Rows
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
	if e == m.entry {
		return
	}
	m.setPlaying(false)
	m.entry, m.peak, m.sample = e, -1, 0
	m.show()
	if e != nil {
		m.board.Show("mean")
	}
}

// Remove takes a run off the list.
func (m *Model) Remove(e *Entry) {
	for i, x := range m.entries {
		if x == e && e != m.active {
			m.entries = append(m.entries[:i:i], m.entries[i+1:]...)
			if m.entry == e {
				m.entry = nil
			}
			m.show()
			return
		}
	}
}

// Unsaved is how many maps were not exported.
func (m *Model) Unsaved() int {
	n := 0
	for _, e := range m.entries {
		if e.Result != nil && len(e.Written) == 0 {
			n++
		}
	}
	return n
}

// field is what is shown: the run's, else the catalogue's.
func (m *Model) field() *massmap.Field {
	if m.entry != nil {
		return m.entry.Field
	}
	return m.bin.field
}

// Field is the shear on pixels that is shown; nil: none.
func (m *Model) Field() *massmap.Field { return m.field() }

// Peaks of the map shown.
func (m *Model) Peaks() []measure.Peak {
	if m.entry == nil || m.entry.Result == nil {
		return nil
	}
	return m.entry.Result.Peaks
}

// Peak is the one chosen; −1: none.
func (m *Model) Peak() int { return m.peak }

// SelectPeak chooses one.
func (m *Model) SelectPeak(i int) {
	if i != m.peak && i >= -1 && i < len(m.Peaks()) {
		m.peak = i
		if p := m.Peaks(); i >= 0 {
			m.ProfileAt(p[i].X, p[i].Y)
		}
		m.changed()
	}
}

// PeakAt chooses the peak nearest to a pixel, within a distance; it says whether
// there is one.
func (m *Model) PeakAt(x, y, within float64) bool {
	best, far := -1, within*within
	for i, p := range m.Peaks() {
		if d := (p.X-x)*(p.X-x) + (p.Y-y)*(p.Y-y); d < far {
			best, far = i, d
		}
	}
	if best >= 0 {
		m.SelectPeak(best)
	}
	return best >= 0
}

// Form is what was typed, for a project file.
func (m *Model) Form() map[form.ID]string { return m.form.Values() }

// Restore opens a catalogue with what was typed before.
func (m *Model) Restore(path string, values map[form.ID]string) {
	if path == "" {
		return
	}
	m.openThen(path, func() {
		m.form.Restore(values)
		m.rebin(0)
		m.changed()
	})
}
