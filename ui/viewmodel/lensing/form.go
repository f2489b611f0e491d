package lensing

import (
	"fmt"
	"math"
	"strings"

	"limpid"
	"limpid/app/session/lens"
	"limpid/priors/gaussian/theory"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/work"
)

// The steps.
const (
	StepShear form.Step = "shear"
	StepGrid  form.Step = "grid"
	StepPrior form.Step = "mapping"
	StepDraw  form.Step = "mapdraw"
)

// The fields.
const (
	RA     form.ID = "lens.ra"
	Dec    form.ID = "lens.dec"
	E1     form.ID = "lens.e1"
	E2     form.ID = "lens.e2"
	Weight form.ID = "lens.weight"
	Z      form.ID = "lens.z"
	RAUnit form.ID = "lens.raunit"
	ZMin   form.ID = "lens.zmin"
	ZMax   form.ID = "lens.zmax"

	Pixel  form.ID = "lens.pixel"
	Sky    form.ID = "lens.projection"
	Frame  form.ID = "lens.frame"
	Flip1  form.ID = "lens.flip1"
	Flip2  form.ID = "lens.flip2"
	Noise  form.ID = "lens.noise"
	Fewest form.ID = "lens.fewest"

	Method    form.ID = "lens.method"
	SourceZ   form.ID = "lens.sourcez"
	Shift     form.ID = "lens.shift"
	Smoothing form.ID = "lens.smoothing"
	Fill      form.ID = "lens.fill"
	Reduced   form.ID = "lens.reduced"

	Samples form.ID = "lens.samples"
	Seed    form.ID = "lens.seed"
)

const none = "none"

func defaults() map[form.ID]string {
	return map[form.ID]string{
		RAUnit: "auto", Sky: string(massmap.Gnomonic), Frame: string(binning.West), Noise: string(binning.FromWeights),
		Weight: none, Z: none, Method: string(massmap.Lognormal), Samples: "64", Seed: "1",
	}
}

// methods say what each is, for the list and the result.
var methods = []struct{ id, short, label string }{
	{"lognormal", "Lognormal", "lognormal posterior (samples)"},
	{"wiener", "Wiener", "Gaussian posterior: Wiener (samples)"},
	{"score", "Learned", "learned prior (samples, slow)"},
	{"ks", "Kaiser–Squires", "Kaiser–Squires, smoothed"},
	{"sparse", "Sparse", "sparse starlets"},
	{"mcalens", "MCALens", "MCALens: sparse + Gaussian"},
}

func shortName(m massmap.Method) string {
	for _, x := range methods {
		if x.id == string(m) {
			return x.short
		}
	}
	return string(m)
}

func (m *Model) method() massmap.Method { return massmap.Method(m.form.Get(Method)) }

// Set changes a field.
func (m *Model) Set(id form.ID, value string) {
	was := m.form.Values()
	if !m.form.Set(id, value) {
		return
	}
	m.undo, m.redo = append(m.undo, was), nil
	if len(m.undo) > mostEdits {
		m.undo = m.undo[1:]
	}
	switch stepFor(id) {
	case StepShear, StepGrid:
		m.rebin(m.o.Debounce)
	}
	m.changed()
}

// mostEdits bounds the undo stack.
const mostEdits = 200

// CanUndo and CanRedo say whether there is something.
func (m *Model) CanUndo() bool { return len(m.undo) > 0 }

// CanRedo says whether there is something to do again.
func (m *Model) CanRedo() bool { return len(m.redo) > 0 }

// Undo takes the last change of the form back; it says whether there was one.
func (m *Model) Undo() bool { return m.swap(&m.undo, &m.redo) }

// Redo does it again.
func (m *Model) Redo() bool { return m.swap(&m.redo, &m.undo) }

func (m *Model) swap(from, to *[]map[form.ID]string) bool {
	n := len(*from)
	if n == 0 {
		return false
	}
	*to = append(*to, m.form.Values())
	m.form.Restore((*from)[n-1])
	*from = (*from)[:n-1]
	m.rebin(0)
	m.changed()
	return true
}

func stepFor(id form.ID) form.Step {
	switch id {
	case RA, Dec, E1, E2, Weight, Z, RAUnit, ZMin, ZMax:
		return StepShear
	case Pixel, Sky, Frame, Flip1, Flip2, Noise, Fewest:
		return StepGrid
	case Samples, Seed:
		return StepDraw
	}
	return StepPrior
}

// SetOpen opens or closes a step.
func (m *Model) SetOpen(s form.Step, open bool) {
	if m.open[s] != open {
		m.open[s] = open
		m.changed()
	}
}

// Apply does what a finding's button says.
func (m *Model) Apply(f form.Fix) {
	for _, s := range f.Sets {
		m.Set(s.ID, s.Value)
	}
	if f.Focus != "" {
		m.SetOpen(stepFor(f.Focus), true)
	}
}

// Flip changes the sign of a component: the one-click repair.
func (m *Model) Flip(second bool) {
	id := Flip1
	if second {
		id = Flip2
	}
	v := form.True
	if m.form.On(id) {
		v = ""
	}
	m.Set(id, v)
}

// options reads the form's first two steps.
func (m *Model) options() (lens.Columns, binning.Options) {
	f := m.form
	c := lens.Columns{RA: f.Get(RA), Dec: f.Get(Dec), E1: f.Get(E1), E2: f.Get(E2), Weight: f.Get(Weight), Z: f.Get(Z)}
	o := binning.Options{
		Projection: massmap.ProjectionKind(f.Get(Sky)), Arcmin: f.Number(Pixel, 0.01, 600, 0), Frame: binning.Frame(f.Get(Frame)),
		Flip1: f.On(Flip1), Flip2: f.On(Flip2), Noise: binning.Noise(f.Get(Noise)),
		ZMin: f.Number(ZMin, 0, 100, 0), ZMax: f.Number(ZMax, 0, 100, 0), MinGalaxies: f.Whole(Fewest, 1, 1e6, 1),
	}
	if u := f.Get(RAUnit); u != "auto" {
		o.RAUnit = binning.Unit(u)
	}
	if o.ZMax != 0 && o.ZMax <= o.ZMin {
		f.Wrong(ZMax, "above the lower end")
	}
	return c, o
}

// job reads the other two.
func (m *Model) job() (set massmap.Settings, samples int, seed uint64, z float64) {
	f := m.form
	set = massmap.Settings{
		Method: m.method(), Shift: f.Number(Shift, 1e-4, 10, 0.0487), Pad: -1, Smoothing: f.Number(Smoothing, 0.01, 600, 1),
		FillGaps: f.Whole(Fill, 0, 1000, 0), Reduced: f.Whole(Reduced, 0, 10, 1),
	}
	samples = f.Whole(Samples, 2, 100000, 64)
	seed = uint64(f.Whole(Seed, 0, math.MaxInt32, 1))
	z = f.Number(SourceZ, 0.01, 20, 1)
	if _, err := theory.SinglePlane(z); err != nil {
		f.Wrong(SourceZ, form.Plain(err.Error()))
	}
	return set, samples, seed, z
}

// Steps is the form as a window shows it; nil while no catalogue is open.
func (m *Model) Steps() []work.Step {
	if m.cat == nil {
		return nil
	}
	m.form.Check()
	m.options()
	m.job()
	steps := []work.Step{m.shearStep(), m.gridStep(), m.priorStep(), m.drawStep()}
	for i := range steps {
		s := &steps[i]
		s.Open = m.open[s.ID]
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
	return steps
}

// About lists the steps before there is a catalogue.
func About() []work.Step {
	return []work.Step{
		{Title: "Shear", About: "Which columns hold positions, shapes and weights"},
		{Title: "Pixels and signs", About: "How galaxies are put on a map, and which way e1 and e2 run"},
		{Title: "Method and prior", About: "What is known of mass before the data"},
		{Title: "Draw", About: "How many possible maps to draw"},
	}
}

func (m *Model) shearStep() work.Step {
	f := m.form
	s := work.Step{ID: StepShear, Title: "Shear", Level: viewmodel.Fine}
	columns := func(optional bool) (out []form.Option) {
		if optional {
			out = append(out, form.Option{Value: none, Label: "none"})
		}
		for _, n := range m.cat.Names {
			out = append(out, form.Option{Value: n, Label: n})
		}
		return out
	}
	s.Fields = []form.Field{
		f.Choice(RA, "RA", "right ascension", columns(false)...),
		f.Choice(Dec, "Dec", "declination", columns(false)...),
		f.Choice(E1, "e1", "first component of the shape or shear", columns(false)...),
		f.Choice(E2, "e2", "second component", columns(false)...),
		f.Choice(Weight, "Weight", "of a galaxy", columns(true)...),
		f.Choice(Z, "Redshift", "for a cut", columns(true)...),
		f.Choice(RAUnit, "RA is in", "", form.Option{Value: "auto", Label: "as the column says"}, form.Option{Value: "deg", Label: "degrees"}, form.Option{Value: "hours", Label: "hours"}),
	}
	if f.Get(Z) != none {
		s.Fields = append(s.Fields, f.Text(ZMin, "z from", "0", "", ""), f.Text(ZMax, "z to", "no cut", "", ""))
	}
	for _, x := range m.cat.Findings {
		if x.Code != "shear.columns" {
			s.Findings = append(s.Findings, viewmodel.Finding{Finding: x})
		}
	}
	c, _ := m.options()
	if _, err := m.cat.Fill(c); err != nil {
		s.Level, s.Verdict = viewmodel.Wrong, "Choose the columns that were not recognised"
		return s
	}
	s.Verdict = fmt.Sprintf("%s rows; e1 %s, e2 %s, weight %s", thousands(m.cat.Rows), c.E1, c.E2, c.Weight)
	if b := m.bin.field; b != nil && m.bin.err == nil {
		s.Verdict = fmt.Sprintf("%s of %s galaxies; e1 %s, e2 %s, weight %s", thousands(b.Galaxies), thousands(m.cat.Rows), c.E1, c.E2, c.Weight)
	}
	return s
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (m *Model) gridStep() work.Step {
	f := m.form
	s := work.Step{ID: StepGrid, Title: "Pixels and signs", Level: viewmodel.Busy}
	opt := func(v, l string) form.Option { return form.Option{Value: v, Label: l} }
	s.Fields = []form.Field{
		f.Text(Pixel, "Pixel", "about 6 galaxies", "arcmin", ""),
		f.Choice(Sky, "Projection", "", opt("gnomonic", "gnomonic, north up"), opt("flat-east", "flat: RA − RA0, to the east")),
		f.Choice(Frame, "e1, e2 in", "what the components refer to on the sky", opt("west", "x to the west (FITS image)"), opt("east", "x to the east"), opt("iau", "north through east (IAU)")),
		f.Toggle(Flip1, "flip e1", "change the sign of the first component"),
		f.Toggle(Flip2, "flip e2", "change the sign of the second"),
		f.Choice(Noise, "Noise", "", opt("weights", "of weights and shapes"), opt("counts", "of counts"), opt("inverse-variance", "weights are 1/variance")),
		f.Text(Fewest, "At least", "1", "galaxies", ""),
	}
	b := &m.bin
	switch {
	case b.err != nil:
		s.Level, s.Verdict = viewmodel.Wrong, form.Plain(problem(b.err))
	case b.field == nil || b.busy:
		s.Verdict = "reading the catalogue …"
	default:
		s.Level = viewmodel.Fine
		s.Verdict = gridVerdict(b.field)
		if c := b.signs; c != nil {
			s.Verdict += fmt.Sprintf("; E mode %.1f σ, B mode %.1f σ", c.SigmaE, c.SigmaB)
		}
		for _, x := range b.field.Findings {
			s.Findings = append(s.Findings, viewmodel.Finding{Finding: inWords(x)})
		}
		s.Findings = append(s.Findings, m.signs()...)
	}
	return s
}

func gridVerdict(f *massmap.Field) string {
	open := 0
	for i := range f.H * f.W {
		if !f.Masked(i) {
			open++
		}
	}
	return fmt.Sprintf("%d × %d pixels of %.3g′, %.3g galaxies in each, %.0f %% without data", f.W, f.H, f.Arcmin,
		float64(f.Galaxies)/float64(max(1, open)), 100*(1-float64(open)/float64(f.H*f.W)))
}

// signs is what E and B modes say of the components.
func (m *Model) signs() []viewmodel.Finding {
	c := m.bin.signs
	if c == nil {
		return nil
	}
	x := limpid.Finding{Severity: limpid.Info, Code: "shear.signs", Where: "", What: fmt.Sprintf("E mode %.1f σ above randomly turned shear, B mode %.1f σ", c.SigmaE, c.SigmaB)}
	switch {
	case !c.Certain:
		x.What += ": this field does not decide whether the signs are right"
		return []viewmodel.Finding{{Finding: x}}
	case !c.Flip1 && !c.Flip2:
		x.What += ": the signs are right"
		return []viewmodel.Finding{{Finding: x}}
	}
	x.Severity = limpid.Warning
	x.What += ": a sign looks wrong"
	fix := form.Fix{}
	var names []string
	turn := func(id form.ID, name string, on bool) {
		if on {
			v := form.True
			if m.form.On(id) {
				v = ""
			}
			fix.Sets = append(fix.Sets, form.Set{ID: id, Value: v})
			names = append(names, name)
		}
	}
	turn(Flip1, "e1", c.Flip1)
	turn(Flip2, "e2", c.Flip2)
	fix.Label = "Flip " + strings.Join(names, " and ")
	return []viewmodel.Finding{{Finding: x, Fix: &fix}}
}

// inWords is a finding for someone at a window.
func inWords(x limpid.Finding) limpid.Finding {
	switch x.Code {
	case "shear.bmode":
		x.Advice = "look at the signs in step 2 (flip e1, flip e2), then at the shapes"
	case "prior.pixel":
		x.Advice = "use the pixel that the prior knows, in step 2, or the lognormal method"
	case "shear.columns":
		x.Advice = ""
	}
	return x
}

func (m *Model) priorStep() work.Step {
	f := m.form
	s := work.Step{ID: StepPrior, Title: "Method and prior", Level: viewmodel.Fine}
	var list []form.Option
	for _, x := range methods {
		list = append(list, form.Option{Value: x.id, Label: x.label})
	}
	s.Fields = []form.Field{f.Choice(Method, "Method", "", list...)}
	method := m.method()
	z := f.Get(SourceZ)
	if z == "" {
		z = "1"
	}
	s.Verdict = shortName(method)
	switch method {
	case massmap.Lognormal:
		s.Fields = append(s.Fields, f.Text(SourceZ, "Sources at z", "1", "", ""), f.Text(Shift, "Shift λ", "0.0487", "", "κ > −λ; the default is for z ≈ 1 and pixels of 0.29′"))
		s.Verdict += ": shifted lognormal κ, ΛCDM spectrum for sources at z = " + z
	case massmap.Wiener, massmap.MCALens:
		s.Fields = append(s.Fields, f.Text(SourceZ, "Sources at z", "1", "", ""))
		s.Verdict += ": ΛCDM spectrum for sources at z = " + z
	case massmap.Score:
		s.Verdict += ": prior " + lens.DefaultPrior + ", for pixels of 0.29′"
	case massmap.KS:
		s.Fields = append(s.Fields, f.Text(Fill, "Fill gaps", "0", "iterations", ""))
		s.Verdict += ": an estimate without error bars"
	default:
		s.Verdict += ": an estimate without error bars"
	}
	s.Fields = append(s.Fields, f.Text(Smoothing, "Smoothing", "1", "arcmin", "of Kaiser–Squires, and of the E and B modes"), f.Text(Reduced, "Reduced", "1", "rounds", "g = γ/(1 − κ) is undone in so many rounds"))
	return s
}

func (m *Model) drawStep() work.Step {
	f := m.form
	s := work.Step{ID: StepDraw, Title: "Draw", Level: viewmodel.Fine}
	if !m.method().Samples() {
		s.Verdict = "One map; this method has no samples"
		return s
	}
	s.Fields = []form.Field{f.Text(Samples, "Samples", "64", "", ""), f.Text(Seed, "Seed", "1", "", "")}
	_, n, seed, _ := m.job()
	s.Verdict = fmt.Sprintf("%d samples, seed %d", n, seed)
	return s
}
