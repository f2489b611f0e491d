package viewmodel

import (
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
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
