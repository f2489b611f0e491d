package lensing

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
	"limpid/ui/viewmodel/plan"
	"limpid/ui/viewmodel/work"
)

func problem(err error) string { return session.Problem(err).What }

// turns of the shear in the check of signs before a run; the run does 50.
const turns = 16

// rebin puts the catalogue on pixels anew, after the form has rested.
func (m *Model) rebin(rest time.Duration) {
	if m.timer != nil {
		m.timer.Stop()
	}
	if rest > 0 {
		m.timer = time.AfterFunc(rest, func() { m.run.Answer(func() { m.rebin(0) }) })
		return
	}
	m.form.Check()
	r := m.recipe()
	if m.path == "" || m.form.First() != "" {
		return
	}
	cat := m.cat
	if cat != nil {
		if _, err := cat.Fill(r.Columns); err != nil {
			m.bin = binned{err: err}
			m.show()
			return
		}
	}
	learned := r.Method == lens.Auto || r.Method == massmap.Score // they ask for a pixel
	key := fmt.Sprintf("%s %v %+v %+v %v", m.path, r.Columns, r.Binning, r.Maps, learned)
	if r.Maps != nil {
		key = fmt.Sprintf("%s %+v %v %v", m.path, *r.Maps, r.Binning.Flip1, r.Binning.Flip2)
	}
	if key == m.bin.key {
		return
	}
	if m.bin.cancel != nil {
		m.bin.cancel()
	}
	was := m.bin.field
	m.bin = binned{key: key, busy: true, field: was}
	m.changed()
	m.run.Go(func(ctx context.Context) func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		m.run.Answer(func() {
			if m.bin.key == key {
				m.bin.cancel = cancel
			} else {
				cancel()
			}
		})
		m.io.Lock()
		var field *massmap.Field
		var used lens.Columns
		var err error
		if cat != nil {
			field, used, err = r.Bin(ctx, cat)
		} else {
			field, used, err = r.Field(ctx)
		}
		m.io.Unlock()
		mine := func(f func()) func() {
			return func() {
				if m.bin.key == key && !errors.Is(err, context.Canceled) {
					f()
				}
			}
		}
		m.run.Answer(mine(func() {
			m.bin.busy, m.bin.field, m.bin.cols, m.bin.err, m.bin.pixel = false, field, used, err, r.Binning.Arcmin
			m.show()
			m.rebeside(0)
			if m.wantRun {
				m.wantRun = false
				m.Run()
			}
		}))
		if err != nil {
			return nil
		}
		e, b, modesErr := massmap.EB(m.o.Session.Device(), field, massmap.DefaultPad(field.H, field.W), 1)
		if modesErr != nil {
			return nil
		}
		m.run.Answer(mine(func() { m.bin.e, m.bin.b = e, b; m.show() }))
		signs, signsErr := measure.CheckSigns(ctx, m.o.Session.Device(), field, 1, turns, 1)
		if signsErr != nil {
			return nil
		}
		return mine(func() { m.bin.signs = &signs; m.changed() })
	})
}

// CanRun says whether Run would start, and if not, why.
func (m *Model) CanRun() (ok bool, why string) {
	if m.path == "" {
		return false, "open a shear catalogue first"
	}
	m.form.Check()
	m.recipe()
	switch {
	case m.active != nil:
		return false, "a run is under way"
	case m.bin.err != nil:
		return false, problem(m.bin.err)
	case m.form.First() != "":
		return false, m.form.First()
	case m.bin.field == nil || m.bin.busy:
		return false, "the catalogue is being read"
	}
	return true, ""
}

// Run maps the mass as the form says.
func (m *Model) Run() {
	if ok, _ := m.CanRun(); !ok {
		return
	}
	m.form.Check()
	r := m.recipe()
	r.Binning.Arcmin = m.bin.pixel
	field := *m.bin.field // its findings grow
	field.Findings = append(field.Findings[:0:0], m.bin.field.Findings...)
	if err := r.Choose(&field); err != nil {
		m.fail(err)
		return
	}
	m.nextID++
	e := &Entry{Method: r.Method, Field: &field, Recipe: r}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.Entry = work.Entry{
		ID: m.nextID, Name: shortName(r.Method) + " " + time.Now().Format("15:04:05"), Running: true,
		Phase: "preparing", Unit: "samples", Began: time.Now(),
	}
	if !r.Method.Samples() {
		e.Unit = "iterations"
	}
	m.entries = append(m.entries, e)
	m.active = e
	m.Select(e)
	m.run.Go(func(stop context.Context) func() {
		defer context.AfterFunc(stop, cancel)()
		found := slices.Clip(e.Field.Findings)
		var res *lens.Result
		moved, err := m.o.Session.OnDevice(ctx, func(dev session.Device) (err error) {
			e.Field.Findings = found
			res, err = m.mapIt(ctx, dev, e)
			return err
		})
		if res != nil {
			res.Findings = append(res.Findings, moved...)
		}
		return func() { m.ended(e, res, err) }
	})
}

// mapIt runs on a goroutine of its own.
func (m *Model) mapIt(ctx context.Context, dev session.Device, e *Entry) (*lens.Result, error) {
	var last time.Time
	phase := ""
	r := e.Recipe
	return r.Carry(ctx, dev, e.Field, func(p lens.Progress) {
		if p.Phase == phase && time.Since(last) < 250*time.Millisecond {
			return
		}
		last, phase = time.Now(), p.Phase
		m.run.Answer(func() { m.follow(e, p) })
	})
}

// follow shows how far a run is.
func (m *Model) follow(e *Entry, p lens.Progress) {
	if !e.Running {
		return
	}
	e.Phase, e.Done, e.Total = p.Phase, p.Done, p.Total
	if !e.Method.Samples() {
		e.Total = 0 // how many iterations it takes is not known
	}
	if p.Mean != nil {
		e.mean = p.Mean
	}
	if p.Sample != nil {
		e.sample = p.Sample
	}
	if m.entry == e {
		m.show()
		return
	}
	m.changed()
}

func (m *Model) ended(e *Entry, res *lens.Result, err error) {
	e.End(err)
	e.cancel()
	m.active = nil
	if err == nil {
		e.Result = res
		e.mean, e.sample = nil, nil
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

// Cancel stops the run under way; what has been computed is shown, but not tested for
// peaks. It says whether there was one.
func (m *Model) Cancel() bool {
	if m.active == nil {
		return false
	}
	m.active.cancel()
	return true
}

// Plan is what an export would write.
func (m *Model) Plan(e *Entry) plan.Plan {
	p := plan.Plan{
		Dir: plan.FolderFor(m.Path()), Name: filepath.Base(session.Stem(m.Path())) + "-mass.fits",
		Parts: []plan.Part{
			{ID: "fits", Label: "FITS: κ, std, S/N, E and B modes, shear, counts, peaks, spectrum", Tip: "with WCS; HISTORY says what was done", Suffix: ".fits", On: true},
			{ID: "samples", Label: "with the samples", Tip: "a cube of every sample", On: true},
			{ID: "png", Row: "Figure", Label: "PNG", Tip: "for screens and slides", Suffix: ".png", On: true},
			{ID: "pdf", Row: "Figure", Label: "PDF", Tip: "for papers", Suffix: ".pdf"},
			{ID: "svg", Row: "Figure", Label: "SVG", Tip: "to edit", Suffix: ".svg"},
			{ID: "json", Label: "Numbers (JSON)", Tip: "tests, peaks and settings", Suffix: ".json", On: true},
			{ID: "recipe", Label: "Recipe (JSON)", Tip: "limpid-cli run makes the same map of it again", Suffix: ".recipe.json", On: true},
			{ID: "bib", Label: "References (.bib)", Tip: "what to cite for the method used", Suffix: ".bib", On: true},
		},
	}
	if e.Result != nil && len(e.Result.Samples) > 0 {
		p.Parts = append(p.Parts, plan.Part{ID: "film", Label: "Film of the samples (GIF)", Tip: "each sample in turn, for talks", Suffix: ".gif"})
	}
	return p
}

// Export writes a map in the background.
func (m *Model) Export(e *Entry, p plan.Plan) {
	if e.Result == nil || m.export.Busy {
		return
	}
	m.export = plan.State{Busy: true}
	m.changed()
	m.run.Go(func(context.Context) func() {
		written, err := e.Result.Export(lens.ExportOptions{
			FITS: p.Path("fits"), NoSamples: !p.On("samples"), Figure: p.Path("png"), Summary: p.Path("json"), References: p.Path("bib"), Film: p.Path("film"),
		})
		if recipe := p.Path("recipe"); err == nil && recipe != "" {
			if err = e.Recipe.Publish(recipe); err == nil {
				written = append(written, recipe)
			}
		}
		for _, id := range []string{"pdf", "svg"} {
			if path := p.Path(id); err == nil && path != "" {
				var more []string
				more, err = e.Result.Export(lens.ExportOptions{Figure: path})
				written = append(written, more...)
			}
		}
		return func() {
			m.export = plan.State{Written: written}
			if err != nil {
				x := session.Problem(fmt.Errorf("%w: %w", session.ErrOutput, err))
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
