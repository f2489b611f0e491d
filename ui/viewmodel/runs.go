package viewmodel

import (
	"fmt"
	"math"
	"slices"
	"time"

	"limpid"
	"limpid/app/figure"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/ui/viewmodel/form"
)

// Entry is a run and what it has found, as it stands under its file.
type Entry struct {
	ID      int
	File    *File
	Name    string // "Posterior 14:02"
	Recipe  recipe.Recipe
	Status  session.Status
	Result  *session.Result // the latest snapshot; nil before the first
	Problem *limpid.Finding // what it ended with; nil: it finished or runs
	HDU     int             // of the data
	Origin  [2]int          // of a cut-out in the file's image
	Written []string        // files it was exported to

	run   *session.Run
	state *session.State // of a run that stopped early: it can go on
}

// Running says whether it is under way.
func (e *Entry) Running() bool {
	switch e.Status.Phase {
	case session.PhaseFinished, session.PhaseCanceled, session.PhaseFailed:
		return false
	}
	return true
}

// Active is the run under way; nil: none.
func (m *Model) Active() *Entry { return m.active }

// CanRun says whether Run would start one, and if not, why.
func (m *Model) CanRun() (ok bool, why string) {
	switch {
	case m.file == nil:
		return false, "open an image first"
	case m.file.Problem != nil:
		return false, m.file.Problem.What
	}
	if _, errs := m.file.draft.Recipe(); len(errs) > 0 {
		_, msg := errs.First()
		return false, msg
	}
	if p := m.file.measure.problem; p != nil && m.measuredAsIs(m.file) {
		return false, p.What
	}
	return true, ""
}

// Run carries the current recipe out; while another runs it is queued.
func (m *Model) Run() {
	if m.file == nil {
		return
	}
	f := m.file
	r, errs := f.draft.Recipe()
	if id, _ := errs.First(); id != "" {
		m.Reveal(id)
		return
	}
	if m.active != nil {
		m.queue = append(m.queue, queued{file: f, recipe: r})
		m.changed(Running)
		return
	}
	m.start(f, r, true)
}

// CanGoOn says whether the run stopped early and can go on with the samples it has.
func (e *Entry) CanGoOn() bool { return e.state != nil && !e.Running() }

// GoOn goes on with a run that stopped early, with the same samples as if it had not; while
// another runs it is queued.
func (m *Model) GoOn(e *Entry) {
	if e == nil || !e.CanGoOn() || slices.ContainsFunc(m.queue, func(q queued) bool { return q.entry == e }) {
		return
	}
	if m.active != nil {
		m.queue = append(m.queue, queued{file: e.File, entry: e})
		m.changed(Running)
		return
	}
	run, err := m.ses.Resume(m.ctx, e.state, 0)
	if err != nil {
		m.fail(err)
		return
	}
	e.run, e.Status, e.Problem, e.Written = run, run.Status(), nil, nil
	m.active = e
	m.changed(Files | Running | Recipe)
}

// queued is a run that waits for its turn.
type queued struct {
	file   *File
	recipe recipe.Recipe
	entry  *Entry // to go on with; nil: a run from the beginning
}

// Queued is how many runs wait.
func (m *Model) Queued() int { return len(m.queue) }

// ClearQueue forgets those that wait.
func (m *Model) ClearQueue() {
	m.queue = nil
	m.changed(Running)
}

// next starts the first run that waits and whose file is still open.
func (m *Model) next() {
	for m.active == nil && len(m.queue) > 0 {
		q := m.queue[0]
		m.queue = m.queue[1:]
		switch {
		case !slices.Contains(m.files, q.file):
		case q.entry == nil:
			m.start(q.file, q.recipe, false)
		case slices.Contains(q.file.Results, q.entry):
			m.GoOn(q.entry)
		}
	}
}

// start begins a run; show says whether to look at it.
func (m *Model) start(f *File, r recipe.Recipe, show bool) {
	run, err := m.ses.Start(m.ctx, r)
	if err != nil {
		m.fail(err)
		return
	}
	m.nextID++
	about, _ := r.Method.Kind.About()
	name := about.Short + " "
	e := &Entry{ID: m.nextID, File: f, Name: name + time.Now().Format("15:04:05"), Recipe: r, run: run, Status: run.Status()}
	if h, ok := f.draft.Image(f.openFile()); ok {
		e.HDU = h.Index
	}
	if c := r.Input.Cutout; c != nil {
		e.Origin = [2]int{c[0], c[2]}
	}
	f.Results = append(f.Results, e)
	m.active = e
	if show {
		m.SelectResult(e)
	}
	m.changed(Files | Running | Recipe)
}

// Cancel stops the run under way at its next step and keeps what is there. It
// reports whether there was one.
func (m *Model) Cancel() bool {
	if m.active == nil {
		return false
	}
	m.active.run.Cancel()
	m.changed(Running)
	return true
}

// follow takes over what the run has done since. The pump calls it.
func (m *Model) follow() {
	e := m.active
	if e == nil {
		return
	}
	e.Status = e.run.Status()
	change := Running
	if res := e.run.Result(); res != nil && res != e.Result {
		e.Result = res
		if m.entry == e {
			m.band = min(m.band, max(0, m.bands()-1))
			m.refresh()
		}
	}
	if !e.Running() {
		m.ended(e)
		change |= Files | Recipe
	}
	m.changed(change)
}

func (m *Model) ended(e *Entry) {
	m.active = nil
	if st := e.run.TakeState(); st != nil || e.run.Err() == nil {
		e.state = st
	} else if e.state != nil { // it ended before its first sample, and can go on from where it stopped before
		e.Status.Done, e.Status.Total = e.state.Draws, e.Recipe.Draw.Samples
	}
	if err := e.run.Err(); err != nil {
		p := inWords(session.Problem(err))
		if e.Status.Phase == session.PhaseCanceled {
			p.What = "cancelled"
			if e.Result != nil {
				p.What = fmt.Sprintf("cancelled after %d of %d %s; what was computed is kept", e.Status.Done, e.Status.Total, e.unit())
			}
		}
		e.Problem = &p
		if e.Status.Phase == session.PhaseFailed {
			m.notify(p)
		}
	}
	if m.entry == e {
		m.refresh()
	}
	m.next()
}

func (e *Entry) unit() string {
	if about, _ := e.Recipe.Method.Kind.About(); !about.Samples {
		return "iterations"
	}
	return "samples"
}

// Progress says in one line how far the entry is; done and total are 0 before
// they are known.
func (e *Entry) Progress() (done, total int, text string) {
	s := e.Status
	done, total = s.Done, s.Total
	switch s.Phase {
	case session.PhaseFinished:
		return done, total, fmt.Sprintf("finished: %d %s in %s", s.Done, e.unit(), Seconds(s.Elapsed))
	case session.PhaseCanceled:
		return done, total, fmt.Sprintf("cancelled: %d of %d %s kept", s.Done, s.Total, e.unit())
	case session.PhaseFailed:
		return done, total, "failed"
	case session.PhaseDrawing, session.PhaseIterate:
		text = fmt.Sprintf("%d of %d %s", s.Done, s.Total, e.unit())
		if s.Left > 0 {
			text += ", " + Seconds(s.Left) + " left"
		}
		return done, total, text
	}
	return done, total, string(s.Phase) + " …"
}

// Seconds writes a duration for people: "0.8 s", "12 s", "3 min 20 s".
func Seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 9.95:
		return fmt.Sprintf("%.1f s", s)
	case s < 99.5:
		return fmt.Sprintf("%.0f s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	default:
		return fmt.Sprintf("%d h %02d min", int(s)/3600, int(s)%3600/60)
	}
}

// Row is one line of a summary.
type Row struct{ Label, Value string }

// Summary is what a result says about itself, in lines; the sentence comes first
// in a window. Empty before there is a result.
func (e *Entry) Summary(band int) (sentence string, level Level, rows []Row) {
	r := e.Result
	if r == nil || len(r.Fits) == 0 {
		return "", Unknown, nil
	}
	band = min(band, len(r.Fits)-1)
	f := r.Fits[band]
	number := func(v float64, format string) string {
		if math.IsNaN(v) {
			return "–"
		}
		return fmt.Sprintf(format, v)
	}
	if r.Draws > 0 {
		rows = append(rows, Row{"χ²/pixel of samples", number(f.Chi2Draws, "%.3f") + "  (expect 1)"})
	}
	rows = append(rows, Row{"χ²/pixel of the mean", number(f.Chi2, "%.3f")})
	flux := plainNumber(f.FluxScene)
	if r.Draws > 1 {
		flux = withError(f.FluxScene, r.FluxStd[band])
	}
	rows = append(rows,
		Row{"Flux of the data", plainNumber(f.FluxData) + " " + r.Unit},
		Row{"Flux of the scene", flux + " " + r.Unit})
	if r.Convergence.RHat == r.Convergence.RHat { // known from some draws on
		rows = append(rows, Row{"R-hat, ESS", number(r.Convergence.RHat, "%.3f") + ", " + number(min(r.Convergence.ESS, float64(r.Draws)), "%.0f")})
	}
	if r.Finer == r.Finer { // not NaN
		rows = append(rows, Row{"Finer than the data", number(100*r.Finer, "%.2g") + " % of bright structure"})
	}
	for i, s := range r.FreeSky {
		value := withError(s.Level, s.Std) + " " + r.Unit
		switch {
		case len(r.FreeSky) > len(r.Bands): // one of every exposure
			rows = append(rows, Row{"Free sky of " + r.Skies[i], value})
		case i == band:
			rows = append(rows, Row{"Free sky", value})
		}
	}
	for i, s := range r.Stars {
		found := fmt.Sprintf("%s at (%s, %s)", withError(s.Flux[band], s.FluxStd[band]), withError(s.X+1, s.XStd), withError(s.Y+1, s.YStd))
		if r.Recipe.Input.Scale > 1 {
			found += " of the finer pixels"
		}
		rows = append(rows, Row{fmt.Sprintf("Star %d", i+1), found})
	}
	level = Fine
	for _, x := range e.Findings() {
		if x.Severity != limpid.Info {
			level = Doubtful
		}
	}
	return r.Sentence(), level, rows
}

// powerOf is the power of ten that is taken out of a number for people to read it; 0
// for those of seven digits and fewer.
func powerOf(size float64) int {
	if e := math.Floor(math.Log10(size)); e >= 7 && e < 400 || e < -3 && e > -400 {
		return int(e)
	}
	return 0 // also of 0 and of what is not finite
}

// plainNumber writes a number without an error: six digits, seven of a whole one.
func plainNumber(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return fmt.Sprint(v)
	case size >= 1e6 && size < 1e7:
		return fmt.Sprintf("%.0f", v)
	case powerOf(size) != 0:
		power := powerOf(size)
		return fmt.Sprintf("%.6g×10%s", v/math.Pow(10, float64(power)), figure.Superscript(power))
	}
	return fmt.Sprintf("%.6g", v)
}

// withError writes a number and its error, which has two digits.
func withError(v, std float64) string {
	if !(std > 0) || math.IsInf(std, 0) {
		return plainNumber(v)
	}
	power := powerOf(math.Max(math.Abs(v), std))
	v, std = v/math.Pow(10, float64(power)), std/math.Pow(10, float64(power))
	digits := max(0, 1-int(math.Floor(math.Log10(std))))
	text := fmt.Sprintf("%.*f ± %.*f", digits, v, digits, std)
	if power != 0 {
		text = "(" + text + ")×10" + figure.Superscript(power)
	}
	return text
}

// Findings are those about the result as a whole: how well it fits.
func (e *Entry) Findings() []Finding {
	if e.Result == nil {
		return nil
	}
	var out []Finding
	for _, x := range e.Result.Findings {
		if _, placed := form.StepOf(x); !placed && !mergeBands(out, x) {
			item := Finding{Finding: x}
			if fix, ok := e.File.draft.FixFor(x, form.Context{This: e.File.openFile()}, e.File.measure.observed); ok {
				item.Fix = &fix
			}
			out = append(out, item)
		}
	}
	return out
}
