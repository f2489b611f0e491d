package lensing

import (
	"math"
	"strconv"
	"strings"

	"limpid/app/session/lens"
	"limpid/priors/gaussian/theory"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
	"limpid/solvers/massmap/measure"
	"limpid/ui/viewmodel/form"
)

// The steps.
const (
	StepShear form.Step = "shear"
	StepGrid  form.Step = "grid"
	StepPrior form.Step = "mapping"
	StepDraw  form.Step = "mapdraw"
	StepMore  form.Step = "mapmore"
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

	Pad    form.ID = "lens.pad"
	SigmaE form.ID = "lens.sigmae"
	G2     form.ID = "lens.g2" // maps instead of a catalogue
	Std1   form.ID = "lens.std1"
	Std2   form.ID = "lens.std2"
	Mask   form.ID = "lens.mask"
	Counts form.ID = "lens.counts"

	Method    form.ID = "lens.method"
	Spectrum  form.ID = "lens.spectrum"
	NZ        form.ID = "lens.nz"
	SourceZ   form.ID = "lens.sourcez"
	Shift     form.ID = "lens.shift"
	Smoothing form.ID = "lens.smoothing"
	Fill      form.ID = "lens.fill"
	Reduced   form.ID = "lens.reduced"

	Samples form.ID = "lens.samples"
	Seed    form.ID = "lens.seed"

	Filter   form.ID = "lens.filter" // aperture mass
	Radius   form.ID = "lens.radius"
	Sticks   form.ID = "lens.sticks"
	Marks    form.ID = "lens.marks"
	Contours form.ID = "lens.contours"
	Halo     form.ID = "lens.halo"
)

const none = "none"

func defaults() map[form.ID]string {
	return map[form.ID]string{
		RAUnit: "auto", Sky: string(massmap.Gnomonic), Frame: string(binning.West), Noise: string(binning.FromWeights),
		Weight: none, Z: none, Method: string(lens.Auto), Seed: "1", Filter: none,
	}
}

// methods say what each is, for the list and the result.
var methods = []struct{ id, short, label string }{
	{"auto", "Automatic", "learned prior where it fits, else lognormal"},
	{"score", "Learned", "learned prior (samples, slow)"},
	{"lognormal", "Lognormal", "lognormal posterior (samples)"},
	{"wiener", "Wiener", "Gaussian posterior: Wiener (samples)"},
	{"ks", "Kaiser–Squires", "Kaiser–Squires, smoothed"},
	{"sparse", "Sparse", "sparse starlets"},
	{"mcalens", "MCALens", "MCALens: sparse + Gaussian"},
	{"unet", "U-Net", "U-Net: a preview, no error bars"},
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
	case StepShear, StepGrid, StepPrior:
		m.rebin(m.o.Debounce) // of the last one, where it matters for the pixel
	case StepMore:
		m.rebeside(m.o.Debounce)
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
	case RA, Dec, E1, E2, Weight, Z, RAUnit, ZMin, ZMax, G2, Std1, Std2, Mask, Counts, SigmaE:
		return StepShear
	case Pixel, Sky, Frame, Flip1, Flip2, Noise, Fewest, Pad:
		return StepGrid
	case Filter, Radius, Sticks, Marks, Contours, Halo:
		return StepMore
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

// recipe is what the form asks for; what cannot be used is noted in the form.
func (m *Model) recipe() lens.Recipe {
	f := m.form
	r := lens.DefaultRecipe(m.path)
	r.Columns = lens.Columns{RA: f.Get(RA), Dec: f.Get(Dec), E1: f.Get(E1), E2: f.Get(E2), Weight: f.Get(Weight), Z: f.Get(Z)}
	o := binning.Options{
		Projection: massmap.ProjectionKind(f.Get(Sky)), Arcmin: f.Number(Pixel, 0.01, 600, 0), Frame: binning.Frame(f.Get(Frame)),
		Flip1: f.On(Flip1), Flip2: f.On(Flip2), Noise: binning.Noise(f.Get(Noise)), SigmaE: f.Number(SigmaE, 1e-4, 10, 0),
		ZMin: f.Number(ZMin, 0, 100, 0), ZMax: f.Number(ZMax, 0, 100, 0), MinGalaxies: f.Whole(Fewest, 1, 1e6, 1),
	}
	if u := f.Get(RAUnit); u != "auto" {
		o.RAUnit = binning.Unit(u)
	}
	if o.ZMax != 0 && o.ZMax <= o.ZMin {
		f.Wrong(ZMax, "above the lower end")
	}
	r.Binning = o
	if m.cat == nil {
		r.File = ""
		r.Maps = &lens.MapFiles{G1: m.path, G2: f.Get(G2), Std1: f.Get(Std1), Std2: f.Get(Std2), Mask: f.Get(Mask), Count: f.Get(Counts), SigmaE: o.SigmaE, Arcmin: o.Arcmin}
	}
	r.Method, r.Spectrum, r.NZ = m.method(), f.Get(Spectrum), f.Get(NZ)
	if r.Spectrum == "prior" && r.Method != massmap.Score {
		r.Spectrum = "" // of the method chosen before
	}
	r.Shift, r.Smoothing = f.Number(Shift, 1e-4, 10, massmap.DefaultShift), f.Number(Smoothing, 0.01, 600, 1)
	r.FillGaps, r.Reduced, r.Pad = f.Whole(Fill, 0, 1000, 0), f.Whole(Reduced, 0, 10, 1), f.Whole(Pad, 0, 4096, -1)
	r.Samples = f.Whole(Samples, 2, 100000, 0)
	r.Seed = uint64(f.Whole(Seed, 0, math.MaxInt32, 1))
	if r.SourceZ = f.Number(SourceZ, 0.01, 20, 0); r.SourceZ != 0 {
		if _, err := theory.SinglePlane(r.SourceZ); err != nil {
			f.Wrong(SourceZ, form.Plain(err.Error()))
		}
	}
	r.Marks, r.Contours = f.Get(Marks), f.Get(Contours)
	if name := f.Get(Filter); name != none {
		r.Aperture = &lens.Aperture{Filter: measure.ApertureFilter(name), Radius: f.Number(Radius, 0.01, 600, 5)}
	}
	r.Inject = m.halo()
	return r
}

// halo reads the halo to inject: RA, Dec, mass, concentration, redshift; nil: none.
func (m *Model) halo() *lens.Halo {
	text := strings.TrimSpace(m.form.Get(Halo))
	if text == "" {
		return nil
	}
	var v []float64
	for _, x := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' || c == ';' }) {
		n, err := strconv.ParseFloat(x, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			v = nil
			break
		}
		v = append(v, n)
	}
	if len(v) != 5 || v[2] <= 0 || v[3] <= 0 || v[4] <= 0 {
		m.form.Wrong(Halo, "five numbers: RA, Dec, mass, concentration, redshift")
		return nil
	}
	return &lens.Halo{RA: v[0], Dec: v[1], Mass: v[2], Concentration: v[3], Z: v[4]}
}
