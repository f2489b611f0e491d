// Package viewmodel is the window without its widgets: which files are open, what
// the panes show, the recipe being edited, runs and their results, and what can
// be done about all of it. It imports no Fyne, so that it can be tested without a
// display.
//
// A Model belongs to one goroutine (the window's main one): call its methods
// there. What takes long happens on other goroutines and comes back through
// Options.Post.
package viewmodel

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/plan"
	"limpid/ui/viewmodel/pump"
	"limpid/ui/viewmodel/store"
)

// Change says which parts of the state are different, as a set of bits.
type Change uint

// The parts.
const (
	Files   Change = 1 << iota // files, their HDUs and results
	View                       // panes and what they show
	Recipe                     // the form, verdicts, findings
	Running                    // status of runs, the result's summary
	Notices                    // errors to be shown
	Exports                    // the export under way
	Marks                      // regions, the catalogue, the place looked at
	end

	All = end - 1
)

// Options are what a Model is made from.
type Options struct {
	Session *session.Session
	// Post runs a function on the Model's goroutine, soon and in order. It may be
	// called from any goroutine.
	Post func(func())
	// Changed is called on the Model's goroutine after something changed.
	Changed func(Change)
	// Store remembers files and settings; nil remembers nothing.
	Store *store.Store
	// Debounce is how long the recipe must rest before it is measured again.
	Debounce time.Duration
	// Interval is the shortest time between two updates from runs.
	Interval time.Duration
	// Play is the time one sample is shown.
	Play time.Duration
}

// Model is the state of the window.
type Model struct {
	o    Options
	ses  *session.Session
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	pump *pump.Pump
	unsb func()

	files   []*File
	file    *File // whose recipe is shown; nil: none
	hdu     int   // shown in pane Data while no result is chosen
	entry   *Entry
	nextID  int
	pane    Pane
	band    int
	sample  int
	playing bool
	player  *time.Timer
	panes   panes
	open    map[form.Step]bool
	focus   form.ID // field that wants the keyboard, once
	stars   bool    // marked on the image
	compare compare
	tools   inspection
	edits   history
	rgb     ColourLook
	card    priorCard
	notices []Notice
	active  *Entry // running
	queue   []queued
	export  plan.State
	closed  bool
}

// Notice is an error or remark that needs no more than to be read.
type Notice struct {
	ID int
	limpid.Finding
}

// New makes an empty Model.
func New(o Options) *Model {
	if o.Debounce == 0 {
		o.Debounce = 250 * time.Millisecond
	}
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	if o.Play == 0 {
		o.Play = 160 * time.Millisecond
	}
	if o.Store == nil {
		o.Store = store.None()
	}
	m := &Model{o: o, ses: o.Session, open: map[form.Step]bool{}, stars: true, rgb: ColourLook{Bright: 50, Soften: 8}}
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.panes = newPanes()
	m.pump = pump.New(o.Interval, o.Post, m.follow)
	m.unsb = m.ses.Subscribe(func(session.Event) { m.pump.Notify() })
	return m
}

// Close cancels what is under way and waits for it. The session stays the
// caller's. Nothing is posted any more when Close returns.
func (m *Model) Close() {
	m.closed = true
	m.setPlaying(false)
	m.compare.stop()
	m.unsb()
	m.stop()
	if m.active != nil {
		m.active.run.Cancel()
		<-m.active.run.Done()
	}
	for _, f := range m.files {
		f.stopMeasuring()
	}
	m.pump.Stop()
	m.wg.Wait()
	for _, f := range m.files {
		f.doc.Close()
	}
	m.o.Store.Save()
}

// changed tells the view.
func (m *Model) changed(c Change) {
	if m.o.Changed != nil && !m.closed {
		m.o.Changed(c)
	}
}

// background runs work on another goroutine and then what it returns on the
// Model's. After Close the answer is dropped.
func (m *Model) background(work func(ctx context.Context) func()) {
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		if answer := work(m.ctx); answer != nil {
			m.answer(answer)
		}
	}()
}

// answer posts f unless the Model is closed; for background work with several
// answers.
func (m *Model) answer(f func()) {
	if m.ctx.Err() != nil {
		return
	}
	m.o.Post(func() {
		if !m.closed {
			f()
		}
	})
}

// maxNotices bounds how many errors stand in the window at once.
const maxNotices = 4

// notify shows a finding until it is dismissed.
func (m *Model) notify(f limpid.Finding) {
	f = inWords(f)
	for _, n := range m.notices {
		if n.Finding == f {
			return
		}
	}
	m.nextID++
	m.notices = append(m.notices, Notice{m.nextID, f})
	if extra := len(m.notices) - maxNotices; extra > 0 {
		m.notices = m.notices[extra:]
	}
	m.changed(Notices)
}

// Tell shows a finding until it is dismissed.
func (m *Model) Tell(f limpid.Finding) { m.notify(f) }

// inWords is a finding as a window says it: without names of packages, and with
// advice for someone at a window where the session's is for the command line.
func inWords(f limpid.Finding) limpid.Finding {
	f.What = form.Plain(f.What)
	for _, kind := range []error{session.ErrShape, session.ErrChanged, recipe.ErrInvalid} { // they say nothing more
		f.What = strings.TrimSuffix(f.What, ": "+kind.Error())
	}
	f.What = strings.TrimSuffix(f.What, ": choose one with --plane")
	switch f.Code {
	case "recipe":
		f.Advice = "check the recipe's file, or make a new one here"
	case "shape":
		f.Advice = "choose another HDU, one plane, or another cut-out in step 1"
	case "stars":
		f.Advice = "give the PSF as a file, or as a profile with its FWHM, in step 2"
	case "changed":
		f.Advice = "run it on the file as it is now, or find the old file"
	case "scale":
		f.Advice = "give the FWHM in px"
	}
	return f
}

// fail shows an error in the words of the session.
func (m *Model) fail(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	m.notify(session.Problem(err))
}

// Notices are the errors to be shown, the oldest first.
func (m *Model) Notices() []Notice { return m.notices }

// Dismiss takes a notice away; 0: the newest. It reports whether there was one.
func (m *Model) Dismiss(id int) bool {
	for i := len(m.notices) - 1; i >= 0; i-- {
		if id == 0 || m.notices[i].ID == id {
			m.notices = append(m.notices[:i:i], m.notices[i+1:]...)
			m.changed(Notices)
			return true
		}
	}
	return false
}

// Store is what is remembered between sessions.
func (m *Model) Store() *store.Store { return m.o.Store }

// Device says where computations run, as "AMD EPYC, 1 thread".
func (m *Model) Device() string {
	i := m.ses.Device().Info()
	if i.Detail == "" {
		return i.Name
	}
	detail := i.Detail
	if cut, one := strings.CutSuffix(detail, ", 1 threads"); one {
		detail = cut + ", 1 thread"
	}
	return i.Name + " (" + detail + ")"
}
