package lensing

import (
	"fmt"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/figure"
	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/work"
)

// Steps is the form as a window shows it; nil while no catalogue is open.
func (m *Model) Steps() []work.Step {
	if m.path == "" {
		return nil
	}
	m.form.Check()
	r := m.recipe()
	steps := []work.Step{m.shearStep(r), m.gridStep(), m.priorStep(r), m.drawStep(r), m.moreStep(r)}
	work.Judge(steps, m.open)
	return steps
}

// About lists the steps before there is a catalogue.
func About() []work.Step {
	return []work.Step{
		{Title: "Shear", About: "Which columns hold positions, shapes and weights"},
		{Title: "Pixels and signs", About: "How galaxies are put on a map, and which way e1 and e2 run"},
		{Title: "Method and prior", About: "What is known of mass before the data"},
		{Title: "Draw", About: "How many possible maps to draw"},
		{Title: "Beside the map", About: "Aperture mass, catalogues and contours over it, a halo as a test"},
	}
}

func (m *Model) shearStep(r lens.Recipe) work.Step {
	f := m.form
	s := work.Step{ID: StepShear, Title: "Shear", Level: viewmodel.Fine}
	if m.cat == nil {
		return m.mapsStep(s)
	}
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
	c := r.Columns
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

// mapsStep is the first step where maps are open.
func (m *Model) mapsStep(s work.Step) work.Step {
	f := m.form
	if m.plane < 2 {
		s.Fields = append(s.Fields, f.File(G2, "g2", "choose a file", "map of the second component"))
	}
	s.Fields = append(s.Fields,
		f.File(Std1, "Noise", "of the counts", "map of the noise of g1; a cube of two: of both"),
		f.File(Std2, "Noise of g2", "as of g1", ""),
		f.File(Counts, "Counts", "none", "map of galaxies per pixel"),
		f.Text(SigmaE, "Dispersion", "needed with counts", "", "of a component of a shape"),
		f.File(Mask, "Mask", "none", "0 where masked"),
	)
	s.Verdict = fmt.Sprintf("maps: %d planes in %s", m.plane, m.Name())
	if m.bin.err != nil {
		s.Level, s.Verdict = viewmodel.Wrong, form.Plain(problem(m.bin.err))
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
		f.Text(Pixel, "Pixel", "as it suits", "arcmin", ""),
		f.Choice(Sky, "Projection", "", opt("gnomonic", "gnomonic, north up"), opt("flat-east", "flat: RA − RA0, to the east")),
		f.Choice(Frame, "e1, e2 in", "what the components refer to on the sky", opt("west", "x to the west (FITS image)"), opt("east", "x to the east"), opt("iau", "north through east (IAU)")),
		f.Toggle(Flip1, "flip e1", "change the sign of the first component"),
		f.Toggle(Flip2, "flip e2", "change the sign of the second"),
		f.Choice(Noise, "Noise", "", opt("weights", "of weights and shapes"), opt("counts", "of counts"), opt("inverse-variance", "weights are 1/variance")),
		f.Text(Fewest, "At least", "1", "galaxies", ""),
		f.Text(Pad, "Padding", "an eighth", "pixels", ""),
	}
	if m.cat == nil { // maps are on pixels already
		s.Fields = []form.Field{s.Fields[0], s.Fields[3], s.Fields[4], s.Fields[7]}
		s.Fields[0].Blank = "of the header"
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
			s.Verdict += figure.Minus(fmt.Sprintf("; E mode %.1f σ, B mode %.1f σ", c.SigmaE, c.SigmaB))
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

func (m *Model) priorStep(r lens.Recipe) work.Step {
	f := m.form
	s := work.Step{ID: StepPrior, Title: "Method and prior", Level: viewmodel.Fine}
	var list []form.Option
	for _, x := range methods {
		list = append(list, form.Option{Value: x.id, Label: x.label})
	}
	s.Fields = []form.Field{f.Choice(Method, "Method", "", list...)}
	found, method := m.settle(&r)
	s.Findings = found
	z := f.Get(SourceZ)
	if z == "" {
		z = "1"
	}
	if r.NZ != "" {
		z = "n(z) of " + filepath.Base(r.NZ)
	}
	s.Verdict = shortName(method)
	sources := []form.Field{f.Text(SourceZ, "Sources at z", "1", "", ""), f.File(NZ, "or n(z)", "none", "file of two columns, z and n(z)")}
	spectrum := []form.Option{{Value: "theory", Label: "ΛCDM theory"}, {Value: "fit", Label: "theory, fitted to the shear"}}
	if method == massmap.Score {
		spectrum = append(spectrum, form.Option{Value: "prior", Label: "the learned prior's own"})
	}
	of := f.File(Spectrum, "Spectrum", "as the method has it", "of κ; a file: k in cycles per pixel and P", spectrum...)
	switch method {
	case massmap.Lognormal:
		s.Fields = append(append(s.Fields, sources...), of, f.Text(Shift, "Shift λ", "0.0487", "", "κ > −λ; the default is for z ≈ 1 and pixels of 0.29′"))
		s.Verdict += ": shifted lognormal κ, sources at z = " + z
	case massmap.Wiener, massmap.MCALens:
		s.Fields = append(append(s.Fields, sources...), of)
		s.Verdict += ": sources at z = " + z
	case massmap.Score:
		s.Fields = append(append(s.Fields, sources...), of)
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

// settle is what the recipe comes to for the field at hand: what was found, and the method.
func (m *Model) settle(r *lens.Recipe) ([]viewmodel.Finding, massmap.Method) {
	if m.bin.field == nil || m.bin.err != nil {
		return nil, r.Method
	}
	probe := *m.bin.field
	probe.Findings = nil
	if err := r.Choose(&probe); err != nil {
		return []viewmodel.Finding{{Finding: session.Problem(err)}}, r.Method
	}
	var out []viewmodel.Finding
	for _, x := range probe.Findings {
		out = append(out, viewmodel.Finding{Finding: inWords(x)})
	}
	return out, r.Method
}

func (m *Model) drawStep(r lens.Recipe) work.Step {
	f := m.form
	s := work.Step{ID: StepDraw, Title: "Draw", Level: viewmodel.Fine}
	_, method := m.settle(&r)
	took := ""
	if m.bin.field != nil {
		took = ", " + lens.InWords(r.Estimate(m.bin.field))
	}
	if !method.Samples() {
		s.Verdict = "One map; this method has no samples"
		s.Verdict += took
		return s
	}
	s.Fields = []form.Field{f.Text(Samples, "Samples", fmt.Sprint(r.Samples), "", ""), f.Text(Seed, "Seed", "1", "", "")}
	s.Verdict = fmt.Sprintf("%d samples, seed %d%s", r.Samples, r.Seed, took)
	return s
}

func (m *Model) moreStep(r lens.Recipe) work.Step {
	f := m.form
	s := work.Step{ID: StepMore, Title: "Beside the map", Level: viewmodel.Fine}
	opt := func(v, l string) form.Option { return form.Option{Value: v, Label: l} }
	s.Fields = []form.Field{f.Choice(Filter, "Aperture mass", "", opt(none, "none"), opt(string(measure.Schneider), "Schneider"), opt(string(measure.Schirmer), "Schirmer (NFW)"))}
	var has []string
	if r.Aperture != nil {
		s.Fields = append(s.Fields, f.Text(Radius, "Radius", "5", "arcmin", ""))
		has = append(has, "aperture mass")
	}
	s.Fields = append(s.Fields,
		f.Toggle(Sticks, "sticks over κ", "the shear, averaged over cells, along its direction"),
		f.File(Marks, "Marks", "none", "circles at the RA and Dec of a catalogue, and the mean of the map there"),
		f.File(Contours, "Contours", "none", "of an image with a sky, X-ray or optical"),
		f.Text(Halo, "Test halo", "none", "", "RA, Dec, mass (Msun/h), concentration, redshift: put in, mapped, and compared"),
	)
	for _, x := range []struct{ set, name string }{{r.Marks, "marks"}, {r.Contours, "contours"}} {
		if x.set != "" {
			has = append(has, x.name)
		}
	}
	if r.Inject != nil {
		has = append(has, "a test halo (the map is made twice)")
	}
	if s.Verdict = strings.Join(has, ", "); s.Verdict == "" {
		s.Verdict = "nothing"
	}
	s.Findings = m.besideFindings()
	return s
}
