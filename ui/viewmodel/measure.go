package viewmodel

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/observe"
	"limpid/ui/viewmodel/form"
)

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
