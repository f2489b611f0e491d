package blend

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"limpid"
	"limpid/app/session"
	"limpid/solvers/deblend"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/plan"
	"limpid/ui/viewmodel/work"
)

// CanRun says whether Run would start, and if not, why.
func (m *Model) CanRun() (ok bool, why string) {
	if len(m.files) == 0 {
		return false, "open an image first"
	}
	m.form.Check()
	m.input()
	m.options()
	switch {
	case m.active != nil:
		return false, "a run is under way"
	case m.form.First() != "":
		return false, m.form.First()
	case m.busy:
		return false, "the bands are being read"
	case m.err != nil:
		return false, form.Plain(session.Problem(m.err).What)
	case m.d == nil || len(m.sources) == 0:
		return false, "there are no sources"
	}
	return true, ""
}

// Run separates the sources as they are in the list.
func (m *Model) Run() {
	if ok, _ := m.CanRun(); !ok {
		return
	}
	opt, sample := m.options()
	d := *m.d
	d.Sources = nil
	for _, s := range m.sources {
		d.Sources = append(d.Sources, s.Source)
	}
	d.Findings = slices.Clone(m.d.Findings)
	d.Result, d.Posterior = nil, nil
	m.nextID++
	e := &Entry{D: &d}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.Entry = work.Entry{ID: m.nextID, Name: fmt.Sprintf("%d sources %s", len(d.Sources), time.Now().Format("15:04:05")), Running: true, Phase: "fitting", Unit: "steps", Began: time.Now()}
	m.entries = append(m.entries, e)
	m.active = e
	m.tick(true)
	m.Select(e)
	opt.Progress = m.follow(e)
	m.run.Go(func(stop context.Context) func() {
		defer context.AfterFunc(stop, cancel)()
		fitted := d
		err := m.o.Session.FitDeblend(ctx, &fitted, opt, nil)
		if err != nil || sample == nil {
			return func() { m.ended(e, &fitted, err) }
		}
		first := fitted
		first.Result = copyResult(fitted.Result)
		m.run.Answer(func() {
			e.D, e.Phase, e.images = &first, fmt.Sprintf("drawing %d samples", sample.Draws), nil
			e.Unit, e.Done, e.Total, e.Counted = "trajectories", 0, 0, time.Now()
			m.show()
		})
		sample.Progress = m.follow(e)
		if err := m.o.Session.SampleDeblend(ctx, &fitted, *sample); err != nil {
			kept := first
			return func() { m.ended(e, &kept, err) }
		}
		return func() { m.ended(e, &fitted, nil) }
	})
}

// follow shows how far a part of a run is, at most four times a second.
func (m *Model) follow(e *Entry) func(done, total int) {
	var last time.Time
	return func(done, total int) {
		if done < total && time.Since(last) < 250*time.Millisecond {
			return
		}
		last = time.Now()
		m.run.Answer(func() {
			if e.Running {
				e.Done, e.Total = done, total
				m.changed()
			}
		})
	}
}

// copyResult is a result that sampling does not write to.
func copyResult(r *deblend.Result) *deblend.Result {
	out := *r
	out.Sources = slices.Clone(r.Sources)
	for i := range out.Sources {
		out.Sources[i].Flux = slices.Clone(r.Sources[i].Flux)
		out.Sources[i].FluxErr = slices.Clone(r.Sources[i].FluxErr)
	}
	out.Cov = nil
	for _, c := range r.Cov {
		out.Cov = append(out.Cov, slices.Clone(c))
	}
	return &out
}

// tick has the time of a run shown, or no longer.
func (m *Model) tick(on bool) {
	if m.ticking != nil {
		close(m.ticking)
		m.ticking = nil
	}
	if !on {
		return
	}
	stop := make(chan struct{})
	m.ticking = stop
	m.run.Go(func(ctx context.Context) func() {
		t := time.NewTicker(500 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-stop:
				return nil
			case <-t.C:
				m.run.Answer(m.changed)
			}
		}
	})
}

func (m *Model) ended(e *Entry, d *session.Deblending, err error) {
	e.End(err)
	e.cancel()
	m.active = nil
	m.tick(false)
	if d != nil && d.Result != nil {
		e.D, e.images = d, nil
	}
	if e.Problem != nil && m.o.Fail != nil {
		m.o.Fail(*e.Problem)
	}
	if m.entry == e {
		m.show()
		return
	}
	m.changed()
}

// Cancel stops the run under way; a fit that is complete is kept. It says whether there
// was one.
func (m *Model) Cancel() bool {
	if m.active == nil {
		return false
	}
	m.active.cancel()
	return true
}

// Fitted is what the run shown found for a source of the list; nil: nothing.
func (m *Model) Fitted(id int) *deblend.Fitted {
	if m.entry == nil || m.entry.D.Result == nil {
		return nil
	}
	for i := range m.entry.D.Result.Sources {
		if f := &m.entry.D.Result.Sources[i]; f.ID == id {
			return f
		}
	}
	return nil
}

// Summary is what a run says of itself.
func (e *Entry) Summary() (sentence string, level viewmodel.Level, rows []viewmodel.Row, found []viewmodel.Finding) {
	r := e.D.Result
	if r == nil {
		return "", viewmodel.Unknown, nil, nil
	}
	level = viewmodel.Fine
	for _, x := range e.D.ResultFindings() {
		f := viewmodel.Finding{Finding: inWords(x)}
		if x.Code == "deblend.exchanged" {
			f.Fix = &form.Fix{Label: "Exchange x and y", Sets: []form.Set{{ID: swapped}}}
		}
		found = append(found, f)
		if x.Severity != limpid.Info {
			level = viewmodel.Doubtful
		}
	}
	groups := fmt.Sprintf("%d groups", r.Groups)
	if r.Groups == 1 {
		groups = "one group"
	}
	sentence = fmt.Sprintf("%d sources in %s", len(r.Sources), groups)
	if !r.Converged {
		sentence += ", not converged"
		level = viewmodel.Doubtful
	}
	switch {
	case e.D.Posterior != nil:
		sentence += "; errors are those of posterior samples"
		p := e.D.Posterior
		rows = append(rows, viewmodel.Row{Label: "Samples", Value: fmt.Sprint(p.Draws)}, viewmodel.Row{Label: "Acceptance", Value: fmt.Sprintf("%.2f", p.Acceptance)}, viewmodel.Row{Label: "Worst R-hat", Value: fmt.Sprintf("%.3f", p.RHat)})
	case e.Running:
		sentence += "; errors are those of the curvature until there are samples"
	default:
		sentence += "; errors are those of the curvature at the best fit"
	}
	for b, c := range r.Chi2 {
		if !math.IsNaN(c) {
			rows = append(rows, viewmodel.Row{Label: "χ²/pixel, " + r.Bands[b], Value: fmt.Sprintf("%.3f", c)})
		}
	}
	return sentence, level, rows, found
}

// Plan is what an export would write.
func (m *Model) Plan(*Entry) plan.Plan {
	return plan.Plan{
		Dir: plan.FolderFor(m.files[0]), Name: filepath.Base(session.Stem(m.files[0])) + "-sources.fits",
		Parts: []plan.Part{
			{ID: "fits", Label: "FITS: model, residual, data, PSF, sources, covariance, draws", Tip: "with WCS; HISTORY says what was done", Suffix: ".fits", On: true},
			{ID: "images", Label: "with an image of every source", On: true},
			{ID: "csv", Label: "Table (CSV): fluxes, errors, colours, shapes", Suffix: ".csv", On: true},
			{ID: "png", Row: "Figure", Label: "PNG", Tip: "for screens and slides", Suffix: ".png", On: true},
			{ID: "pdf", Row: "Figure", Label: "PDF", Tip: "for papers", Suffix: ".pdf"},
			{ID: "svg", Row: "Figure", Label: "SVG", Tip: "to edit", Suffix: ".svg"},
		},
	}
}

// Export writes a result in the background.
func (m *Model) Export(e *Entry, p plan.Plan) {
	if e.D.Result == nil || m.export.Busy {
		return
	}
	m.export = plan.State{Busy: true}
	m.changed()
	d := e.D
	m.run.Go(func(ctx context.Context) func() {
		written, err := m.o.Session.ExportDeblend(ctx, d, session.DeblendFiles{FITS: p.Path("fits"), Catalogue: p.Path("csv"), Figure: p.Path("png"), NoImages: !p.On("images")})
		for _, id := range []string{"pdf", "svg"} {
			if path := p.Path(id); err == nil && path != "" {
				var more []string
				more, err = m.o.Session.ExportDeblend(ctx, d, session.DeblendFiles{Figure: path})
				written = append(written, more...)
			}
		}
		return func() {
			m.export = plan.State{Written: written}
			if err != nil {
				x := session.Problem(err)
				m.export.Problem = &x
			}
			e.Written = append(e.Written, written...)
			m.changed()
		}
	})
}

// Exporting is how the export stands.
func (m *Model) Exporting() plan.State { return m.export }

// ForgetExport makes ready for another.
func (m *Model) ForgetExport() { m.export = plan.State{Busy: m.export.Busy} }
