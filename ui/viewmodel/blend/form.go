package blend

import (
	"fmt"
	"math"
	"strings"

	"limpid"
	"limpid/app/session"
	"limpid/solvers/deblend"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/work"
)

// The steps.
const (
	StepBands   form.Step = "bands"
	StepSources form.Step = "sources"
	StepModel   form.Step = "model"
	StepDraw    form.Step = "blenddraw"
)

// The fields.
const (
	PSF    form.ID = "blend.psf"
	Noise  form.ID = "blend.noise"
	Sky    form.ID = "blend.sky"
	Cutout form.ID = "blend.cutout"

	Threshold form.ID = "blend.threshold"
	SwapXY    form.ID = "blend.swap"
	Origin    form.ID = "blend.origin"

	FitSky     form.ID = "blend.fitsky"
	FreeForm   form.ID = "blend.freeform"
	Monotone   form.ID = "blend.monotone"
	Symmetric  form.ID = "blend.symmetric"
	Roughness  form.ID = "blend.roughness"
	Centre     form.ID = "blend.centre"
	ModelError form.ID = "blend.modelerror"
	Complete   form.ID = "blend.complete"
	TwoParts   form.ID = "blend.twoparts"
	PSFError   form.ID = "blend.psferror"
	Prior      form.ID = "blend.prior"

	Samples  form.ID = "blend.samples"
	Seed     form.ID = "blend.seed"
	Positive form.ID = "blend.positive"
)

// About lists the steps before there is an image.
func About() []work.Step {
	return []work.Step{
		{Title: "Bands", About: "Images, their PSFs and noise"},
		{Title: "Sources", About: "Where light comes from: detected, listed, or clicked"},
		{Title: "Model", About: "What a source may look like"},
		{Title: "Draw", About: "How many possible separations to draw"},
	}
}

// Set changes a field.
func (m *Model) Set(id form.ID, value string) {
	if m.form.Get(id) == value {
		return
	}
	m.remember()
	m.form.Set(id, value)
	switch id {
	case PSF, Noise, Sky, Cutout:
		m.load(m.o.Debounce)
	case SwapXY, Origin:
		if m.cat != "" {
			m.sources = nil
			m.load(m.o.Debounce)
		}
	}
	m.changed()
}

// SetOpen opens or closes a step.
func (m *Model) SetOpen(s form.Step, open bool) {
	if m.open[s] != open {
		m.open[s] = open
		m.changed()
	}
}

// Swap exchanges x and y of all sources.
func (m *Model) Swap() {
	m.remember()
	out := make([]Source, len(m.sources))
	for i, s := range m.sources {
		s.X, s.Y = s.Y, s.X
		out[i] = s
	}
	m.sources = out
	m.show()
}

// swapped is the remedy of exchanged coordinates; it has no field of its own.
const swapped form.ID = "blend.swapnow"

// Apply does what a finding's button says.
func (m *Model) Apply(f form.Fix) {
	for _, s := range f.Sets {
		if s.ID == swapped {
			m.Swap()
			continue
		}
		m.Set(s.ID, s.Value)
	}
	if f.Focus != "" {
		m.SetOpen(StepBands, true)
	}
}

// options reads the last two steps.
func (m *Model) options() (deblend.Options, *deblend.SampleOptions) {
	f := m.form
	o := deblend.Options{
		CentreError: f.Number(Centre, 1e-3, 100, 0), ModelError: f.Number(ModelError, 0, 1, 0), Sky: f.On(FitSky), NoFreeForm: !f.On(FreeForm),
		Roughness: f.Number(Roughness, 1e-3, 100, 0), Monotone: f.On(Monotone), Symmetric: f.On(Symmetric), Workers: 1,
		Complete: f.On(Complete), PSFError: f.On(PSFError), Prior: strings.TrimSpace(f.Get(Prior)),
	}
	if f.On(TwoParts) {
		o.Components = 2
	}
	if f.Get(ModelError) == "0" {
		o.ModelError = -1 // none
	}
	n := f.Whole(Samples, 0, 100000, 32)
	if n == 1 {
		f.Wrong(Samples, "0, or at least 2")
	}
	if n == 0 {
		return o, nil
	}
	s := m.o.Sampling
	s.Draws, s.Seed, s.Positive = n, uint64(f.Whole(Seed, 0, math.MaxInt32, 1)), f.On(Positive)
	return o, &s
}

// Steps is the form as a window shows it; nil while no image is open.
func (m *Model) Steps() []work.Step {
	if len(m.files) == 0 {
		return nil
	}
	m.form.Check()
	m.input()
	m.options()
	steps := []work.Step{m.bandStep(), m.sourceStep(), m.modelStep(), m.drawStep()}
	work.Judge(steps, m.open)
	return steps
}

func (m *Model) bandStep() work.Step {
	f := m.form
	s := work.Step{ID: StepBands, Title: "Bands", Level: viewmodel.Fine}
	s.Fields = []form.Field{
		f.Text(PSF, "PSF", "the file's, else measured", "", "moffat:3px, gauss:2.5px, a FITS file, or measure; one for all, or one per band with commas between"),
		f.Text(Noise, "Noise", "automatic", "", "auto, measure, or weights:HDU"),
		f.Text(Sky, "Sky", "none: subtracted", "", "none, constant, or mesh:64"),
		f.Text(Cutout, "Cut-out", "all of it", "", "x0:x1,y0:y1 in pixels from 0"),
	}
	switch {
	case m.busy:
		s.Level, s.Verdict = viewmodel.Busy, "reading and looking for sources …"
	case m.err != nil:
		s.Level = viewmodel.Wrong
		p := session.Problem(m.err)
		s.Verdict = form.Plain(p.What)
		if p.Advice != "" {
			s.Findings = append(s.Findings, viewmodel.Finding{Finding: limpid.Finding{Severity: limpid.Problem, Code: p.Code, What: form.Plain(p.What), Advice: inWords(p).Advice}})
		}
	case m.d != nil:
		o := m.d.Obs
		s.Verdict = fmt.Sprintf("%s: %d × %d pixels, PSF %d × %d", strings.Join(o.Bands, " "), o.Data.W, o.Data.H, o.PSF.W, o.PSF.H)
		if len(o.Bands) == 1 {
			s.Verdict = "one band, " + s.Verdict
		} else {
			s.Verdict = fmt.Sprintf("%d bands, ", len(o.Bands)) + s.Verdict
		}
		for _, x := range m.d.Findings {
			if x.Code != "deblend.detected" {
				s.Findings = append(s.Findings, viewmodel.Finding{Finding: inWords(x)})
			}
		}
	}
	return s
}

// inWords is a finding for someone at a window.
func inWords(x limpid.Finding) limpid.Finding {
	if strings.Contains(x.Advice, "--psf") || x.Code == "stars" {
		x.Advice = "give the PSF in step 1: moffat:3px, or a FITS file"
	}
	if strings.Contains(x.Advice, "--swap-xy") {
		x.Advice = "exchange x and y of the sources"
	}
	return x
}

func (m *Model) sourceStep() work.Step {
	f := m.form
	s := work.Step{ID: StepSources, Title: "Sources", Level: viewmodel.Fine}
	s.Fields = []form.Field{f.Text(Threshold, "Threshold", "6", "σ", "of a detection; Detect looks again")}
	if m.cat != "" {
		s.Fields = append(s.Fields, f.Text(Origin, "Counts from", "0", "", "1 where x and y of the table count from 1"), f.Toggle(SwapXY, "table has y before x", ""))
	}
	stars := 0
	for _, x := range m.sources {
		if x.Kind == deblend.Star {
			stars++
		}
	}
	switch n := len(m.sources); {
	case m.busy:
		s.Level, s.Verdict = viewmodel.Busy, "looking …"
	case n == 0:
		s.Level, s.Verdict = viewmodel.Wrong, "none: detect them, add them (a), or drop a table of positions"
	default:
		s.Verdict = fmt.Sprintf("%d: %d galaxies, %d stars", n, n-stars, stars)
		if m.Edited() {
			s.Verdict += "; changed since the run shown"
		}
	}
	return s
}

func (m *Model) modelStep() work.Step {
	f := m.form
	s := work.Step{ID: StepModel, Title: "Model", Level: viewmodel.Fine}
	s.Fields = []form.Field{
		f.Toggle(FreeForm, "pixels may depart from the profiles", "Spergel profiles alone otherwise"),
		f.Toggle(Monotone, "light falls outwards", ""),
		f.Toggle(Symmetric, "equal to its half turn", ""),
		f.Toggle(FitSky, "fit a sky level per band", ""),
		f.Toggle(TwoParts, "bulge and disk where the data call for them", "two profiles of one centre, with colours of their own"),
		f.Toggle(Complete, "add sources that the residual shows", ""),
		f.Toggle(PSFError, "fit what the PSF is wrong by", "a shift and a change of width of each band's; bright stars show it"),
		f.Text(Prior, "Learned prior", "none", "", "galaxies, or a file of weights: what galaxies look like, instead of departures from the profiles"),
		f.Text(Roughness, "Departures", "0.3", "of the profile", "1 σ"),
		f.Text(Centre, "Positions", "0.5", "px", "how well they are known, 1 σ"),
		f.Text(ModelError, "Model error", "0.05", "", "least relative error of profiles per pixel; more where the residual shows it; 0: none"),
	}
	s.Verdict = "Spergel profiles"
	if p := strings.TrimSpace(f.Get(Prior)); f.On(FreeForm) && p != "" {
		s.Verdict += " and the learned prior " + p
	} else if f.On(FreeForm) {
		s.Verdict += " and departures from them"
	}
	if f.On(FitSky) {
		s.Verdict += ", sky fitted"
	}
	return s
}

func (m *Model) drawStep() work.Step {
	f := m.form
	s := work.Step{ID: StepDraw, Title: "Draw", Level: viewmodel.Fine}
	s.Fields = []form.Field{f.Text(Samples, "Samples", "32", "", "0: errors from the curvature at the best fit"), f.Text(Seed, "Seed", "1", "", ""), f.Toggle(Positive, "fluxes are positive", "a priori; else what is faint is unbiased")}
	_, o := m.options()
	s.Verdict = "errors from the curvature, no samples"
	if o != nil {
		s.Verdict = fmt.Sprintf("%d samples, seed %d", o.Draws, o.Seed)
	}
	return s
}
