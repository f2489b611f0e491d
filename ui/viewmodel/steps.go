package viewmodel

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/observe"
	"limpid/ui/viewmodel/form"
)

// Level is how a step of the recipe stands.
type Level int

// From nothing known to what keeps it from running.
const (
	Unknown Level = iota
	Busy          // being measured
	Fine
	Doubtful // there is a warning
	Wrong    // it cannot be run
)

// Finding is something the user should know, with its remedy if there is one.
type Finding struct {
	limpid.Finding
	Fix    *form.Fix
	Others int // bands for which something like it was found, beside the one in Where
}

// StepState is one step of the recipe as the window shows it.
type StepState struct {
	Step     form.Step
	Level    Level
	Verdict  string
	Open     bool
	Fields   []form.Field
	Findings []Finding
}

// Steps is the recipe of the current file; nil while no file is open.
func (m *Model) Steps() []StepState {
	f := m.file
	if f == nil || f.Problem != nil {
		return nil
	}
	c := m.context(f)
	_, errs := f.draft.Recipe()
	placed := m.placedFindings(f)
	out := make([]StepState, 0, 5)
	for _, s := range form.Steps() {
		st := StepState{
			Step: s, Open: m.open[s], Findings: placed[s],
			Fields: f.draft.Fields(s, c), Verdict: f.draft.Verdict(s, c, m.fresh(f)),
		}
		st.Level = m.level(f, s, errs, st.Findings)
		switch {
		case errs.In(s):
			st.Verdict = errs.Of(s)
		case st.Level == Wrong:
			st.Verdict = "cannot be used as it is"
		}
		out = append(out, st)
	}
	return out
}

// measuredAsIs says whether the last measurement, good or bad, was of the recipe as
// it is now.
func (m *Model) measuredAsIs(f *File) bool {
	r, _ := f.draft.Recipe()
	return !f.measure.busy && f.measure.key == measureKey(r)
}

// fresh is the measurement if it belongs to the recipe as it is now.
func (m *Model) fresh(f *File) *session.Observed {
	if !m.measuredAsIs(f) {
		return nil
	}
	return f.measure.observed
}

func (m *Model) level(f *File, s form.Step, errs form.Errors, found []Finding) Level {
	if errs.In(s) {
		return Wrong
	}
	worst := Fine
	for _, x := range found {
		switch x.Severity {
		case limpid.Problem:
			return Wrong
		case limpid.Warning:
			worst = Doubtful
		}
	}
	if s == form.StepDraw || s == form.StepPrior {
		return worst
	}
	switch {
	case f.measure.busy:
		return Busy
	case m.fresh(f) == nil:
		return Unknown
	case m.fresh(f).Obs == nil && s != form.StepData:
		return Unknown // the measurement ended before it
	}
	return worst
}

// placedFindings sorts what was found on the way to the observation, and what a
// result of the same recipe adds about the prior, under the steps.
func (m *Model) placedFindings(f *File) map[form.Step][]Finding {
	out := map[form.Step][]Finding{}
	seen := map[limpid.Finding]bool{}
	c := m.context(f)
	add := func(x limpid.Finding) {
		if s, ok := form.StepOf(x); ok && !seen[x] {
			seen[x] = true
			if mergeBands(out[s], x) {
				return
			}
			item := Finding{Finding: x}
			if fix, ok := f.draft.FixFor(x, c, f.measure.observed); ok {
				item.Fix = &fix
			}
			out[s] = append(out[s], item)
		}
	}
	if p := f.measure.problem; p != nil && m.measuredAsIs(f) {
		add(*p)
	}
	if o := m.fresh(f); o != nil {
		for _, x := range o.Findings {
			add(x)
		}
	}
	if e := m.latest(f); e != nil && e.Result != nil {
		r, _ := f.draft.Recipe()
		for _, x := range e.Result.Findings {
			if s, _ := form.StepOf(x); s == form.StepPrior && e.Recipe.Method == r.Method {
				add(x)
			}
		}
	}
	return out
}

// mergeBands notes that a finding holds for one more band; it reports whether
// another band's is there already.
func mergeBands(list []Finding, x limpid.Finding) bool {
	if !strings.Contains(x.Where, "band ") && !strings.Contains(x.Where, "plane ") {
		return false
	}
	for i := range list {
		if y := &list[i]; y.Code == x.Code && y.Severity == x.Severity && (y.Others > 0 || y.Where != x.Where) {
			y.Others++
			return true
		}
	}
	return false
}

// latest is the result chosen, else the file's last.
func (m *Model) latest(f *File) *Entry {
	if m.entry != nil && m.entry.File == f {
		return m.entry
	}
	if n := len(f.Results); n > 0 {
		return f.Results[n-1]
	}
	return nil
}

// context is what the form's lists are made from.
func (m *Model) context(f *File) form.Context {
	c := form.Context{This: f.openFile()}
	for _, g := range m.files {
		if g != f {
			c.Others = append(c.Others, g.openFile())
		}
	}
	h, ok := f.draft.Image(c.This)
	if !ok {
		return c
	}
	c.Unit = h.Unit
	if f == m.file && m.pane == PaneData && h.Index == m.hdu {
		c.Plane = m.band
	}
	if head, err := f.doc.Header(h.Index); err == nil {
		k := session.KeywordsOf(head)
		c.Header = form.Header{Gain: k.Gain, ReadNoise: k.ReadNoise, Saturation: k.Saturation}
		_, c.Sky = head.Str("CTYPE1")
	}
	return c
}

// Set changes a field of the current file's recipe.
func (m *Model) Set(id form.ID, value string) {
	if m.file == nil {
		return
	}
	f := m.file
	was, _ := f.draft.Recipe()
	if f.draft.Get(id) != strings.TrimSpace(value) {
		m.remember(f)
	}
	f.draft = f.draft.With(id, value)
	if id == form.PSFKind && f.draft.Get(form.PSFSource) == "" {
		f.draft = f.draft.With(form.PSFSource, f.draft.SuggestPSF(m.context(f)))
	}
	is, _ := f.draft.Recipe()
	m.changed(Recipe)
	if id == form.HDU || id == form.Plane || id == form.Cutout {
		if h, ok := f.draft.Image(f.openFile()); ok && id == form.HDU {
			m.Select(f, h.Index)
		}
		m.changed(View)
	}
	if measureKey(was) != measureKey(is) || f.measure.problem != nil {
		m.remeasure(f)
	}
}

// Apply carries a finding's remedy out.
func (m *Model) Apply(x form.Fix) {
	for _, s := range x.Sets {
		m.Set(s.ID, s.Value)
	}
	if x.Focus != "" {
		m.Reveal(x.Focus)
	}
}

// Reveal opens the step of a field and asks for the keyboard there.
func (m *Model) Reveal(id form.ID) {
	m.open[form.StepFor(id)] = true
	m.focus = id
	m.changed(Recipe)
}

// TakeFocus is the field that wants the keyboard, once.
func (m *Model) TakeFocus() form.ID {
	id := m.focus
	m.focus = ""
	return id
}

// SetOpen opens or closes the details of a step.
func (m *Model) SetOpen(s form.Step, open bool) {
	if m.open[s] != open {
		m.open[s] = open
		m.changed(Recipe)
	}
}

// UseRegion makes a part of the image, in its pixels from 0 with upper ends
// excluded, the recipe's cut-out.
func (m *Model) UseRegion(x0, x1, y0, y1 int) {
	if m.file == nil {
		return
	}
	h, ok := m.file.draft.Image(m.file.openFile())
	if !ok {
		return
	}
	n := len(h.Shape)
	x0, y0 = max(0, x0), max(0, y0)
	x1, y1 = min(x1, h.Shape[n-1]), min(y1, h.Shape[n-2])
	if x1-x0 < minRegion || y1-y0 < minRegion {
		m.notify(limpid.Finding{Severity: limpid.Info, Code: "region", What: "too little of the image is in view for a cut-out", Advice: "zoom out until at least 16×16 pixels are in sight"})
		return
	}
	if x0 == 0 && y0 == 0 && x1 == h.Shape[n-1] && y1 == h.Shape[n-2] {
		m.Set(form.Cutout, "")
		return
	}
	m.Set(form.Cutout, form.CutoutText([4]int{x0, x1, y0, y1}))
}

const minRegion = 16

// Cutout is the recipe's cut-out of the image that is shown; ok is false where
// there is none, or another HDU or a result is shown.
func (m *Model) Cutout() (c [4]int, ok bool) {
	if m.file == nil || m.entry != nil {
		return c, false
	}
	r, _ := m.file.draft.Recipe()
	h, has := m.file.draft.Image(m.file.openFile())
	if r.Input.Cutout == nil || !has || h.Index != m.hdu {
		return c, false
	}
	return *r.Input.Cutout, true
}

// Draft is the current file's recipe and whether it can be run as far as the form
// can tell.
func (m *Model) Draft() (r recipe.Recipe, ok bool) {
	if m.file == nil || m.file.Problem != nil {
		return r, false
	}
	r, errs := m.file.draft.Recipe()
	return r, len(errs) == 0
}

// Skipped says that the image is too large to be measured unasked.
func (m *Model) Skipped() bool { return m.file != nil && m.file.measure.skipped }

// measurement is what is known about a file's observation under its recipe: it
// is measured again in the background whenever the recipe has rested a while.
type measurement struct {
	timer    *time.Timer
	cancel   context.CancelFunc
	busy     bool
	pending  bool   // the recipe changed since the measurement under way began
	skipped  bool   // too large to be measured unasked
	key      string // of the recipe measured or being measured
	observed *session.Observed
	problem  *limpid.Finding
}

func (f *File) stopMeasuring() {
	if f.measure.timer != nil {
		f.measure.timer.Stop()
	}
	if f.measure.cancel != nil {
		f.measure.cancel()
	}
}

// measureKey is what of a recipe the observation depends on.
func measureKey(r recipe.Recipe) string {
	text, err := json.Marshal([]any{r.Input, r.PSF, r.Noise, r.Sky, r.Mask})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// unasked is how many pixels, over all bands, are measured without being asked:
// about three seconds of one core.
const unasked = 1 << 22

// remeasure measures a file's observation after the recipe has rested.
func (m *Model) remeasure(f *File) {
	if f.Problem != nil {
		return
	}
	if f.measure.timer != nil {
		f.measure.timer.Stop()
	}
	f.measure.timer = time.AfterFunc(m.o.Debounce, func() {
		m.answer(func() { m.startMeasuring(f, false) })
	})
}

// Measure measures the current file's observation now, whatever its size.
func (m *Model) Measure() {
	if m.file != nil {
		m.file.measure.key = ""
		m.startMeasuring(m.file, true)
	}
}

func (m *Model) startMeasuring(f *File, asked bool) {
	r, errs := f.draft.Recipe()
	key := measureKey(r)
	for _, s := range []form.Step{form.StepData, form.StepPSF, form.StepNoise} {
		if errs.In(s) {
			return // the form says what is missing
		}
	}
	w := &f.measure
	if w.busy { // one at a time: it takes memory
		if key != w.key {
			w.pending = true
			w.cancel()
		}
		return
	}
	if key == w.key {
		return
	}
	if !asked && m.pixels(f, r) > unasked {
		w.skipped, w.observed, w.problem, w.key = true, nil, nil, ""
		m.changed(Recipe)
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	w.busy, w.pending, w.skipped, w.key, w.cancel = true, false, false, key, cancel
	m.changed(Recipe)
	m.background(func(context.Context) func() {
		defer cancel()
		o, err := m.ses.Observe(ctx, r)
		return func() { m.measured(f, asked, o, err) }
	})
}

func (m *Model) measured(f *File, asked bool, o *session.Observed, err error) {
	w := &f.measure
	w.busy = false
	if w.pending {
		m.startMeasuring(f, asked)
		return
	}
	w.problem = nil
	if errors.Is(err, context.Canceled) {
		w.key = ""
		return
	}
	w.observed = o
	if err != nil {
		p := inWords(session.Problem(err))
		w.problem = &p
		if step, ok := form.StepOf(p); ok {
			m.open[step] = true
		}
	}
	m.changed(Recipe | View)
}

// pixels is how many the recipe reads, over all bands.
func (m *Model) pixels(f *File, r recipe.Recipe) int {
	h, ok := f.draft.Image(f.openFile())
	if !ok {
		return 0
	}
	n := len(h.Shape)
	w, hh := h.Shape[n-1], h.Shape[n-2]
	if c := r.Input.Cutout; c != nil {
		w, hh = c[1]-c[0], c[3]-c[2]
	}
	if r.Input.Plane == nil {
		return w * hh * h.Planes()
	}
	return w * hh
}

// Stars are the candidates of a measured PSF in the pixels of the file's image,
// for the band that is shown; nil where the PSF is not measured.
func (m *Model) Stars() []observe.Star {
	o, ok := m.observedShown()
	if !ok || o.Report == nil || len(o.Report.PSF) == 0 {
		return nil
	}
	stars := o.Report.PSF[min(m.band, len(o.Report.PSF)-1)].Stars
	c := o.Recipe.Input.Cutout
	if c == nil {
		return stars
	}
	out := append([]observe.Star(nil), stars...)
	for i := range out {
		out[i].X += float64(c[0])
		out[i].Y += float64(c[2])
	}
	return out
}

// observedShown is the measurement behind the recipe that is shown.
func (m *Model) observedShown() (*session.Observed, bool) {
	if m.file == nil || m.file.measure.observed == nil {
		return nil, false
	}
	return m.file.measure.observed, true
}

// StarsMarked says whether the stars are ringed on the image.
func (m *Model) StarsMarked() bool { return m.stars }

// MarkStars rings them or not.
func (m *Model) MarkStars(on bool) {
	if m.stars != on {
		m.stars = on
		m.changed(View | Recipe)
	}
}

// PSF is the PSF in use for the band that is shown, and its size; nil before it
// is known.
func (m *Model) PSF() (plane []float32, w, h int) {
	o, ok := m.observedShown()
	if !ok || o.Obs == nil || o.Obs.PSF.Empty() {
		return nil, 0, 0
	}
	p := o.Obs.PSF
	return p.Plane(min(m.band, p.C-1)), p.W, p.H
}
