package form

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

func ptr[T any](v T) *T { return &v }

func recipes() map[string]recipe.Recipe {
	base := func(change func(*recipe.Recipe)) recipe.Recipe {
		r := recipe.Default("a/b.fits")
		change(&r)
		return r
	}
	return map[string]recipe.Recipe{
		"default": base(func(*recipe.Recipe) {}),
		"cut-out and plane": base(func(r *recipe.Recipe) {
			r.Input.HDU, r.Input.Plane, r.Input.Cutout = ptr(2), ptr(0), &[4]int{1, 40, 0, 30}
			r.Input.SHA256 = "abc"
		}),
		"psf file": base(func(r *recipe.Recipe) {
			r.PSF = recipe.PSF{Kind: observe.PSFFile, File: "p.fits", HDU: ptr(1), Recenter: true}
		}),
		"psf own HDU": base(func(r *recipe.Recipe) { r.PSF = recipe.PSF{Kind: observe.PSFFile, HDU: ptr(3), Error: ptr(0.02)} }),
		"moffat": base(func(r *recipe.Recipe) {
			r.PSF = recipe.PSF{Kind: observe.PSFMoffat, FWHM: 0.7, Unit: "arcsec", Beta: 2.5}
		}),
		"auto map":     base(func(r *recipe.Recipe) { r.Noise = recipe.Noise{Kind: observe.NoiseAuto, HDU: ptr(2)} }),
		"sky and gain": base(func(r *recipe.Recipe) { r.Noise = recipe.Noise{Kind: observe.NoiseSky, Gain: 2.1} }),
		"gain":         base(func(r *recipe.Recipe) { r.Noise = recipe.Noise{Kind: observe.NoiseGain, Gain: 2, ReadNoise: 5} }),
		"sigma":        base(func(r *recipe.Recipe) { r.Noise = recipe.Noise{Kind: observe.NoiseSigma, Sigma: 1e-31} }),
		"variance":     base(func(r *recipe.Recipe) { r.Noise = recipe.Noise{Kind: observe.NoiseVariance, File: "v.fits"} }),
		"sky level":    base(func(r *recipe.Recipe) { r.Sky = recipe.Sky{Kind: observe.SkyConstant, Value: ptr(0.0)} }),
		"sky mesh":     base(func(r *recipe.Recipe) { r.Sky = recipe.Sky{Kind: observe.SkyMesh, Mesh: 32} }),
		"sky free":     base(func(r *recipe.Recipe) { r.Sky = recipe.Sky{Kind: observe.SkyNone, Free: true} }),
		"stars":        base(func(r *recipe.Recipe) { r.Stars = recipe.Stars{At: [][2]float64{{12, 30.5}, {4, 8}}, Error: 0.3} }),
		"mask":         base(func(r *recipe.Recipe) { r.Mask = recipe.Mask{HDU: ptr(4), Saturation: ptr(6e4)} }),
		"rl": base(func(r *recipe.Recipe) {
			r.Method = recipe.Method{Kind: deconv.RichardsonLucy, Iterations: 30, Damping: 2, StopAtNoise: true}
		}),
		"points": base(func(r *recipe.Recipe) {
			r.Prior.Spectrum, r.Prior.K, r.Prior.P = "points", []float64{.01, .1}, []float64{5, 1}
		}),
		"one galaxy": base(func(r *recipe.Recipe) {
			r.Method, r.Prior = recipe.Method{Kind: deconv.Learned}, recipe.Prior{Kind: recipe.PriorSingle}
		}),
		"notes":     base(func(r *recipe.Recipe) { r.Notes, r.Device = []string{"mine"}, "cpu" }),
		"no sample": base(func(r *recipe.Recipe) { r.Draw = recipe.Draw{Samples: 0, Seed: 1<<64 - 1} }),
	}
}

func TestDraft_AnyRecipe_ComesBackAsItWas(t *testing.T) {
	for name, r := range recipes() {
		got, errs := FromRecipe(r).Recipe()
		if len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("%s: came back as\n%s instead of\n%s", name, got.JSON(), r.JSON())
		}
	}
}

func TestDraft_Typed_IsUnderstoodOrNamed(t *testing.T) {
	base := FromRecipe(recipe.Default("x.fits"))
	for _, c := range []struct {
		name string
		sets []Set
		bad  ID // "": fine
	}{
		{"decimal comma", []Set{{PSFKind, "gaussian"}, {FWHM, "2,5"}}, ""},
		{"no width", []Set{{PSFKind, "gaussian"}}, FWHM},
		{"negative width", []Set{{PSFKind, "airy"}, {FWHM, "-1"}}, FWHM},
		{"beta of 1", []Set{{PSFKind, "moffat"}, {FWHM, "3"}, {Beta, "1"}}, Beta},
		{"width left over", []Set{{PSFKind, "gaussian"}, {FWHM, "no"}, {PSFKind, "measure"}}, ""},
		{"cut-out of three", []Set{{Cutout, "0:3,4"}}, Cutout},
		{"cut-out reversed", []Set{{Cutout, "9:3,0:4"}}, Cutout},
		{"psf error of 2", []Set{{PSFError, "2"}}, PSFError},
		{"no sigma", []Set{{NoiseKind, "sigma"}}, Sigma},
		{"gain from header", []Set{{NoiseKind, "gain"}}, ""},
		{"mesh of 4", []Set{{SkyKind, "mesh"}, {SkyMesh, "4"}}, SkyMesh},
		{"spectrum without file", []Set{{Spectrum, "file"}}, SpectrumFile},
		{"half a sample", []Set{{Samples, "1.5"}}, Samples},
		{"negative seed", []Set{{Seed, "-1"}}, Seed},
		{"infinite saturation", []Set{{Saturation, "inf"}}, Saturation},
		{"zero iterations", []Set{{Method, "rl"}, {Iterations, "0"}}, Iterations},
	} {
		d := base
		for _, s := range c.sets {
			d = d.With(s.ID, s.Value)
		}
		r, errs := d.Recipe()
		if c.bad == "" {
			if len(errs) > 0 || r.Validate() != nil {
				t.Errorf("%s: %v %v", c.name, errs, r.Validate())
			}
			continue
		}
		if errs[c.bad] == "" || len(errs) != 1 || !errs.In(StepFor(c.bad)) {
			t.Errorf("%s: errors are %v, expected one at %q", c.name, errs, c.bad)
		}
		if id, msg := errs.First(); id != c.bad || msg == "" {
			t.Errorf("%s: first error is at %q", c.name, id)
		}
	}
}

func TestDraft_With_LeavesTheOldOneAlone(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits"))
	e := d.With(Samples, "3")
	if d.Get(Samples) != "64" || e.Get(Samples) != "3" {
		t.Errorf("samples are %s and %s", d.Get(Samples), e.Get(Samples))
	}
}

func TestDraft_OtherHDU_ForgetsPlaneAndCutout(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits")).With(Plane, "2").With(Cutout, "0:9,0:9").With(HDU, "3")
	if d.Get(Plane) != "" || d.Get(Cutout) != "" {
		t.Errorf("plane %q and cut-out %q were kept for another HDU", d.Get(Plane), d.Get(Cutout))
	}
}

var context = Context{
	This: OpenFile{Path: "x.fits", Name: "x.fits", HDUs: []session.HDUInfo{
		{Index: 0, Name: "PRIMARY", Role: session.RoleEmpty},
		{Index: 1, Name: "SCI", Role: session.RoleImage, Shape: []int{5, 36, 40}, Unit: "nJy"},
		{Index: 2, Name: "WHT", Role: session.RoleWeights, Shape: []int{5, 36, 40}},
		{Index: 3, Name: "PSF", Role: session.RolePSF, Shape: []int{5, 21, 21}},
		{Index: 4, Name: "PEAKS", Role: session.RoleTable, Rows: 3},
	}},
	Others: []OpenFile{{Path: "/d/p.fits", Name: "p.fits", HDUs: []session.HDUInfo{
		{Index: 0, Role: session.RoleImage, Shape: []int{31, 31}},
	}}},
	Unit: "nJy",
}

func find(t *testing.T, list []Field, id ID) Field {
	t.Helper()
	for _, f := range list {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("no field %q in %v", id, list)
	return Field{}
}

func TestFields_ListsWhatCanBeMeant(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits"))
	if n := len(find(t, d.Fields(StepData, context), Plane).Options); n != 6 {
		t.Errorf("a cube of 5 planes gives %d choices, expected 6", n)
	}
	d = d.With(PSFKind, "file")
	var labels []string
	for _, o := range find(t, d.Fields(StepPSF, context), PSFSource).Options {
		labels = append(labels, o.Value+" "+o.Label)
	}
	all := strings.Join(labels, "|")
	for _, want := range []string{"the PSF HDU", "[3] 3 PSF 21×21×5", "/d/p.fits[0] p.fits: 0 31×31"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among the PSFs: %s", want, all)
		}
	}
	if strings.Contains(all, "SCI") {
		t.Errorf("the image is offered as its own PSF: %s", all)
	}
	d = d.With(NoiseKind, "weights")
	maps := find(t, d.Fields(StepNoise, context), NoiseSource).Options
	if len(maps) != 2 || maps[1].Value != "[2]" {
		t.Errorf("weight maps offered: %v", maps)
	}
}

func TestFields_LearnedPriors_AreThoseOfImages(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits")).With(Method, string(deconv.Learned))
	f := find(t, d.Fields(StepPrior, context), Prior)
	for _, kind := range []string{recipe.PriorGalaxies, recipe.PriorSingle, recipe.PriorWeights} {
		if !has(f.Options, kind) {
			t.Errorf("%s is not among %v", kind, f.Options)
		}
		budget := find(t, d.With(Prior, kind).Fields(StepPrior, context), Budget)
		if strings.Contains(budget.Help, "calibrated") != (kind == recipe.PriorGalaxies) {
			t.Errorf("%s: %s", kind, budget.Help)
		}
	}
}

func TestFields_UnknownChoice_StaysChoosable(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits")).With(PSFKind, "file").With(PSFSource, "/far/away.fits[2]")
	f := find(t, d.Fields(StepPSF, context), PSFSource)
	if !has(f.Options, "/far/away.fits[2]") {
		t.Errorf("a PSF that was looked for is not in its list: %v", f.Options)
	}
}

func TestVerdict_BeforeMeasuring_SaysWhatWasChosen(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits"))
	for s, want := range map[Step]string{
		StepData: "SCI 40×36 px, 5 bands, nJy", StepPSF: "to be measured from stars",
		StepDraw: "64 samples, seed 1", StepPrior: "exact posterior, Gaussian prior, spectrum fitted to the data",
	} {
		if got := d.Verdict(s, context, nil); got != want {
			t.Errorf("%s: %q, expected %q", s, got, want)
		}
	}
}

func TestVerdict_Measured_SaysNumbers(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits"))
	o := &session.Observed{Scale: 1, Report: &observe.Report{
		FWHM: []float64{3.6}, PSF: []observe.StarPSF{{Beta: 2.9, FWHM: 3.21, Used: 14, Error: 0.01}},
	}}
	if got, want := d.Verdict(StepPSF, context, o), "Moffat β 2.9, FWHM 3.2 px, from 14 stars"; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}

func TestFixFor_KnownFindings_AreRemedied(t *testing.T) {
	d := FromRecipe(recipe.Default("x.fits"))
	measured := &session.Observed{Report: &observe.Report{PSF: []observe.StarPSF{{Error: 0.034}}}}
	for _, c := range []struct {
		code string
		d    Draft
		want Set
	}{
		{"psf.center", d.With(PSFKind, "file"), Set{Recenter, True}},
		{"psf.measured", d, Set{PSFError, "0.03"}},
		{"sky.mesh", d, Set{SkyKind, "constant"}},
		{"chains.rhat", d, Set{Samples, "256"}},
		{"shape", d, Set{Plane, "0"}},
		{"shape", d.With(Cutout, "0:9,0:9"), Set{Cutout, ""}},
		{"changed", d, Set{Checksum, ""}},
		{"noise.correlated", d, Set{Colour, "measured"}},
		{"noise.spectrum", d.With(Colour, "measured"), Set{Colour, ""}},
	} {
		fix, ok := c.d.FixFor(limpid.Finding{Code: c.code}, context, measured)
		if !ok || fix.Label == "" || len(fix.Sets) == 0 || fix.Sets[0] != c.want {
			t.Errorf("%s: %v %v, expected %v", c.code, fix, ok, c.want)
		}
	}
	for in, want := range map[int]string{2: "2", 7: "4"} { // the cube has five
		c := context
		c.Plane = in
		if fix, _ := d.FixFor(limpid.Finding{Code: "shape"}, c, measured); fix.Label != "Use plane "+want || len(fix.Sets) != 1 || fix.Sets[0] != (Set{Plane, want}) {
			t.Errorf("with plane %d in view: %v, expected plane %s", in, fix, want)
		}
	}
	if fix, ok := d.FixFor(limpid.Finding{Code: "psf.cut"}, context, measured); ok {
		t.Errorf("psf.cut has no remedy in the form, got %v", fix)
	}
	rl := d.With(Method, "rl")
	if fix, ok := rl.FixFor(limpid.Finding{Code: "noise.correlated"}, context, measured); ok {
		t.Errorf("a spectrum that Richardson–Lucy cannot use is offered: %v", fix)
	}
	if _, errs := rl.With(Colour, "measured").Recipe(); errs[Colour] == "" {
		t.Error("a spectrum with Richardson–Lucy")
	}
	if _, errs := d.With(Tile, "256").With(Colour, "measured").Recipe(); errs[Colour] != "" {
		t.Errorf("a spectrum with tiles: %s", errs[Colour])
	}
	r := recipe.Default("x.fits")
	r.Input.SHA256 = "old"
	if got, _ := FromRecipe(r).With(Checksum, "").Recipe(); got.Input.SHA256 != "" {
		t.Error("the checksum was kept")
	}
}

func TestStepOf_Findings_StandWhereTheyMatter(t *testing.T) {
	for code, want := range map[string]Step{
		"psf.few": StepPSF, "stars": StepPSF, "noise.guessed": StepNoise, "mask": StepNoise,
		"wcs.none": StepData, "fits.card": StepData, "prior.gaussian": StepPrior,
	} {
		if got, ok := StepOf(limpid.Finding{Code: code}); !ok || got != want {
			t.Errorf("%s stands at %q, expected %q", code, got, want)
		}
	}
	for _, code := range []string{"fit.chi2", "chains.rhat", "calibration", "faint.mapped"} {
		if step, ok := StepOf(limpid.Finding{Code: code}); ok {
			t.Errorf("%s is about the result and stands at the step %s", code, step)
		}
	}
}

func TestRecipe_Exposures(t *testing.T) {
	one := 1
	r := recipe.Default("a.fits")
	r.Input.Scale = 2
	r.Input.Others = []recipe.Exposure{
		{File: "b.fits", HDU: &one, SHA256: "b", PSF: &recipe.PSF{Kind: observe.PSFFile, File: "p.fits", Samples: 4}},
		{File: "c.fits"},
	}
	d := FromRecipe(r)
	got, errs := d.Recipe()
	if len(errs) > 0 || !reflect.DeepEqual(got.Input, r.Input) {
		t.Errorf("%+v came back as %+v, %v", r.Input, got.Input, errs)
	}
	if got, _ := d.With(Checksum, "").Recipe(); got.Input.Others[0].SHA256 != "" || r.Input.Others[0].SHA256 != "b" {
		t.Error("a checksum was kept, or taken from the recipe itself")
	}
	if got, _ := d.With(Exposures, "").With(Finer, "").Recipe(); got.Stacked() {
		t.Errorf("%+v", got.Input)
	}
	for _, s := range []Set{{Method, "starlet"}, {Tile, "256"}, {Colour, "measured"}} {
		bad := d.With(s.ID, s.Value)
		if _, errs := bad.Recipe(); errs[Exposures] == "" {
			t.Errorf("%s %s with exposures", s.ID, s.Value)
		}
		if _, errs := bad.With(Exposures, "").Recipe(); errs[Finer] == "" {
			t.Errorf("%s %s with finer pixels", s.ID, s.Value)
		}
	}
	c := context
	c.Others = []OpenFile{
		{Path: "/b.fits", Name: "b.fits", HDUs: context.This.HDUs}, {Path: "/c.fits", Name: "c.fits", HDUs: context.This.HDUs},
	}
	for _, f := range d.Fields(StepData, c) {
		if f.ID == Exposures && !slices.Contains(f.Options, Option{"/b.fits;/c.fits", "with all 2 other open files"}) {
			t.Errorf("offered: %v", f.Options)
		}
	}
}
