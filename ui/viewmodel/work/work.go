// Package work is what the workspaces of mass maps and of blends have in common:
// a form in steps, runs with progress, and work on other goroutines. It knows
// nothing of windows.
package work

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"limpid"
	"limpid/app/session"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
)

// Step is one part of a workspace's form as a window shows it.
type Step struct {
	ID       form.Step
	Title    string
	About    string
	Level    viewmodel.Level
	Verdict  string
	Open     bool
	Fields   []form.Field
	Findings []viewmodel.Finding
}

// Judge says of each step whether it is open, and lowers its level where a finding warns or
// a field is wrong.
func Judge(steps []Step, open map[form.Step]bool) {
	for i := range steps {
		s := &steps[i]
		s.Open = open[s.ID]
		for _, x := range s.Findings {
			if x.Severity != limpid.Info && s.Level == viewmodel.Fine {
				s.Level = viewmodel.Doubtful
			}
		}
		for _, f := range s.Fields {
			if f.Error != "" {
				s.Level = viewmodel.Wrong
			}
		}
	}
}

// Entry is a run and how it stands.
type Entry struct {
	ID          int
	Name        string // "Lognormal 14:02:11"
	Running     bool
	Cancelled   bool
	Phase       string
	Unit        string // of Done and Total: "samples"
	Done, Total int
	Began       time.Time
	Counted     time.Time     // since when Done counts, where that is not from Began on
	Took        time.Duration // once it has ended
	Problem     *limpid.Finding
	Written     []string // files it was exported to
}

// Progress says in one line how far it is.
func (e *Entry) Progress() (done, total int, text string) {
	took := viewmodel.Seconds(e.Took)
	switch {
	case e.Running:
		text = e.Phase
		if e.Total > 0 {
			text += fmt.Sprintf(": %d of %d %s", e.Done, e.Total, e.Unit)
			from := e.Began
			if !e.Counted.IsZero() {
				from = e.Counted
			}
			if spent := time.Since(from); e.Done > 1 && spent > time.Second {
				left := time.Duration(float64(spent) * float64(e.Total-e.Done) / float64(e.Done))
				text += ", about " + viewmodel.Seconds(left) + " left"
			}
		} else {
			text += ", " + viewmodel.Seconds(time.Since(e.Began))
		}
	case e.Cancelled:
		text = "cancelled after " + took
	case e.Problem != nil:
		text = "failed"
	default:
		text = "finished in " + took
	}
	return e.Done, e.Total, text
}

// End notes how a run ended.
func (e *Entry) End(err error) {
	e.Running, e.Took = false, time.Since(e.Began)
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, session.ErrCancelled):
		e.Cancelled = true
	case err != nil:
		p := session.Problem(err)
		p.What = form.Plain(p.What)
		e.Problem = &p
	}
}

// Form is what has been typed, with defaults.
type Form struct {
	values   map[form.ID]string
	defaults map[form.ID]string
	errs     map[form.ID]string
}

// NewForm makes a form with nothing typed.
func NewForm(defaults map[form.ID]string) *Form {
	return &Form{values: map[form.ID]string{}, defaults: defaults, errs: map[form.ID]string{}}
}

// Get is what a field holds.
func (f *Form) Get(id form.ID) string {
	if v, ok := f.values[id]; ok {
		return v
	}
	return f.defaults[id]
}

// On says whether a toggle is.
func (f *Form) On(id form.ID) bool { return f.Get(id) == form.True }

// Set changes a field and says whether that is a change.
func (f *Form) Set(id form.ID, v string) bool {
	if f.Get(id) == v {
		return false
	}
	f.values[id] = v
	return true
}

// Values are those that were set, for a project file.
func (f *Form) Values() map[form.ID]string {
	out := map[form.ID]string{}
	for k, v := range f.values {
		out[k] = v
	}
	return out
}

// Restore replaces what was set.
func (f *Form) Restore(values map[form.ID]string) {
	f.values = map[form.ID]string{}
	for k, v := range values {
		f.values[k] = v
	}
}

// Check forgets the errors found before.
func (f *Form) Check() { clear(f.errs) }

// Wrong notes that a field cannot be used.
func (f *Form) Wrong(id form.ID, why string) {
	if f.errs[id] == "" {
		f.errs[id] = why
	}
}

// Error is why a field cannot be used, and Errors how many cannot.
func (f *Form) Error(id form.ID) string { return f.errs[id] }

// First is one of the errors; "": there is none.
func (f *Form) First() string {
	for _, e := range f.errs {
		return "a value cannot be used: expected " + e
	}
	return ""
}

// Number reads a field; empty is what nothing stands for.
func (f *Form) Number(id form.ID, lo, hi, empty float64) float64 {
	text := strings.TrimSpace(f.Get(id))
	if text == "" {
		return empty
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", "."), 64)
	if err != nil || math.IsNaN(v) || v < lo || v > hi {
		f.Wrong(id, fmt.Sprintf("a number from %g to %g", lo, hi))
		return empty
	}
	return v
}

// Whole reads a whole number.
func (f *Form) Whole(id form.ID, lo, hi, empty int) int {
	text := strings.TrimSpace(f.Get(id))
	if text == "" {
		return empty
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < lo || v > hi {
		f.Wrong(id, fmt.Sprintf("a whole number from %d to %d", lo, hi))
		return empty
	}
	return v
}

// Text makes a line of text of a field.
func (f *Form) Text(id form.ID, label, blank, unit, help string) form.Field {
	return form.Field{ID: id, Label: label, Value: f.Get(id), Blank: blank, Unit: unit, Help: help, Error: f.errs[id]}
}

// Choice makes a list.
func (f *Form) Choice(id form.ID, label, help string, options ...form.Option) form.Field {
	return form.Field{ID: id, Label: label, Kind: form.Choice, Value: f.Get(id), Options: options, Help: help, Error: f.errs[id]}
}

// File makes a list of what is known, with a button that looks for a file; a file that was
// chosen is in the list. empty is what an empty value means.
func (f *Form) File(id form.ID, label, empty, help string, options ...form.Option) form.Field {
	options = append([]form.Option{{Value: "", Label: empty}}, options...)
	v := f.Get(id)
	if !slices.ContainsFunc(options, func(o form.Option) bool { return o.Value == v }) {
		options = append(options, form.Option{Value: v, Label: filepath.Base(v)})
	}
	return form.Field{ID: id, Label: label, Kind: form.File, Value: v, Options: options, Help: help, Error: f.errs[id]}
}

// Toggle makes a check box; its label is what stands beside the box.
func (f *Form) Toggle(id form.ID, label, help string) form.Field {
	return form.Field{ID: id, Label: label, Kind: form.Toggle, Value: f.Get(id), Help: help}
}

// Runner carries work out on goroutines and brings what it returns back to the
// window's.
type Runner struct {
	post func(func())
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// NewRunner makes one; post runs a function on the window's goroutine.
func NewRunner(post func(func())) *Runner {
	r := &Runner{post: post}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Go runs work on another goroutine and then what it returns on the window's.
func (r *Runner) Go(work func(ctx context.Context) func()) {
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		if answer := work(r.ctx); answer != nil {
			r.Answer(answer)
		}
	}()
}

// Answer posts f unless the runner is closed.
func (r *Runner) Answer(f func()) {
	if r.ctx.Err() != nil {
		return
	}
	r.post(func() {
		r.mu.Lock()
		closed := r.closed
		r.mu.Unlock()
		if !closed {
			f()
		}
	})
}

// Close cancels what is under way and waits for it.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.wg.Wait()
}
