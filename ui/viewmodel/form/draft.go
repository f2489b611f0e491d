package form

import (
	"fmt"
	"strconv"
	"strings"

	"limpid/app/recipe"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Draft is a recipe being edited: every field as typed. The zero value is not
// useful; use FromRecipe.
type Draft struct {
	values map[ID]string
	rest   recipe.Recipe // what the form does not show: notes, device, points of a spectrum
}

// Values that are chosen from lists and are no values of a recipe.
const (
	AllPlanes  = ""       // Plane: every plane is a band
	ThisFile   = ""       // a source: found in the image's own file by name
	Found      = "auto"   // MaskSource: a mask HDU of the file, if it has one
	True       = "true"   // a Toggle that is on
	spectFit   = "fit"    //
	spectFile  = "file"   //
	spectPoint = "points" //
)

// FromRecipe fills the form.
func FromRecipe(r recipe.Recipe) Draft {
	d := Draft{values: map[ID]string{}, rest: r}
	d.set(HDU, integer(r.Input.HDU))
	d.set(Plane, integer(r.Input.Plane))
	if c := r.Input.Cutout; c != nil {
		d.set(Cutout, CutoutText(*c))
	}
	d.set(Exposures, exposuresText(r.Input.Others))
	if r.Input.Scale > 1 {
		d.set(Finer, strconv.Itoa(r.Input.Scale))
	}
	p := r.PSF
	d.set(PSFKind, string(p.Kind))
	d.set(PSFSource, source(p.File, p.HDU))
	if p.Rows > 0 {
		d.set(PSFNodes, fmt.Sprintf("%dx%d", p.Rows, p.Cols))
	}
	if p.Samples > 1 {
		d.set(PSFFiner, strconv.Itoa(p.Samples))
	}
	d.set(FWHM, number(p.FWHM))
	d.set(FWHMUnit, orElse(p.Unit, "px"))
	d.set(Beta, number(p.Beta))
	d.set(Recenter, toggle(p.Recenter))
	if p.Error != nil {
		d.set(PSFError, exact(*p.Error))
	}
	d.fromNoise(r)
	d.set(Method, string(r.Method.Kind))
	d.set(Iterations, count(r.Method.Iterations))
	d.set(Damping, number(r.Method.Damping))
	d.set(StopAtNoise, toggle(r.Method.StopAtNoise))
	d.set(FaintLight, toggle(r.Method.Recalibrate))
	d.set(Strength, number(r.Method.Strength))
	d.set(Budget, string(r.Method.Budget))
	d.set(Resolution, number(r.Method.Resolution))
	d.set(Tile, number(float64(r.Method.Tile)))
	d.set(Stars, PositionsText(r.Stars.At))
	d.set(StarError, number(r.Stars.Error))
	d.set(Spectrum, orElse(r.Prior.Spectrum, spectFit))
	d.set(Prior, recipe.PriorGalaxies)
	switch r.Prior.Kind {
	case recipe.PriorGaussian, "":
		d.set(SpectrumFile, r.Prior.File)
	case recipe.PriorWeights:
		d.set(Prior, recipe.PriorWeights)
		d.set(PriorFile, r.Prior.File)
	default:
		d.set(Prior, r.Prior.Kind)
	}
	d.set(Samples, strconv.Itoa(r.Draw.Samples))
	d.set(Seed, strconv.FormatUint(r.Draw.Seed, 10))
	return d
}

func (d *Draft) fromNoise(r recipe.Recipe) {
	n := r.Noise
	d.set(NoiseKind, orElse(string(n.Kind), string(observe.NoiseAuto)))
	d.set(NoiseSource, source(n.File, n.HDU))
	d.set(Gain, number(n.Gain))
	d.set(ReadNoise, number(n.ReadNoise))
	d.set(Sigma, number(n.Sigma))
	d.set(Colour, string(n.Spectrum))
	d.set(ColourFile, source(n.SpectrumFile, n.SpectrumHDU))
	d.set(SkyKind, orElse(string(r.Sky.Kind), string(observe.SkyAuto)))
	if r.Sky.Value != nil {
		d.set(SkyLevel, exact(*r.Sky.Value))
	}
	d.set(SkyMesh, count(r.Sky.Mesh))
	d.set(SkyFree, toggle(r.Sky.Free))
	d.set(MaskSource, Found)
	if r.Mask.File != "" || r.Mask.HDU != nil {
		d.set(MaskSource, source(r.Mask.File, r.Mask.HDU))
	}
	if s := r.Mask.Saturation; s != nil {
		d.set(Saturation, exact(*s))
	}
}

func (d *Draft) set(id ID, v string) {
	if v == "" {
		delete(d.values, id)
	} else {
		d.values[id] = v
	}
}

// Get is a field as typed.
func (d Draft) Get(id ID) string { return d.values[id] }

// File is the image's path.
func (d Draft) File() string { return d.rest.Input.File }

// With is the draft with a field changed. Fields that only make sense with a
// former choice are emptied.
func (d Draft) With(id ID, value string) Draft {
	out := Draft{values: make(map[ID]string, len(d.values)+1), rest: d.rest}
	for k, v := range d.values {
		out.values[k] = v
	}
	if id == Checksum {
		out.rest.Input.SHA256 = value
		out.rest = out.rest.Clone()
		for i := range out.rest.Input.Others {
			out.rest.Input.Others[i].SHA256 = ""
		}
		return out
	}
	was := out.values[id]
	out.set(id, strings.TrimSpace(value))
	if out.values[id] == was {
		return out
	}
	switch id {
	case HDU:
		out.set(Plane, "")
		out.set(Cutout, "")
	case NoiseKind:
		out.set(NoiseSource, "")
	case Spectrum:
		if value != spectPoint {
			out.rest.Prior.K, out.rest.Prior.P = nil, nil
		}
	}
	return out
}

// Errors says which fields cannot be understood, and why.
type Errors map[ID]string

// In says whether a step has one.
func (e Errors) In(s Step) bool {
	for id := range e {
		if StepFor(id) == s {
			return true
		}
	}
	return false
}

// Of is the first one of a step.
func (e Errors) Of(s Step) string {
	for _, id := range order {
		if msg, bad := e[id]; bad && StepFor(id) == s {
			return msg
		}
	}
	return ""
}

// First is the first one in the order of the form, for a line beside Run.
func (e Errors) First() (ID, string) {
	for _, s := range Steps() {
		for _, id := range order {
			if msg, bad := e[id]; bad && StepFor(id) == s {
				return id, msg
			}
		}
	}
	return "", ""
}

var order = []ID{
	HDU, Plane, Cutout, Exposures, Finer, PSFKind, PSFSource, PSFNodes, PSFFiner, FWHM, FWHMUnit, Beta, PSFError,
	NoiseKind, NoiseSource, Gain, ReadNoise, Sigma, Colour, ColourFile, SkyKind, SkyLevel, SkyMesh, SkyFree, MaskSource, Saturation,
	Method, Prior, PriorFile, Budget, FaintLight, Spectrum, SpectrumFile, Iterations, Strength, Damping, Stars, StarError, Resolution, Tile, Samples, Seed,
}

// Recipe is what the form asks for. With errors it holds what could be
// understood.
func (d Draft) Recipe() (recipe.Recipe, Errors) {
	p := parser{d: d, errs: Errors{}}
	r := d.rest
	r.Version = recipe.Version
	r.Input.HDU, r.Input.Plane = p.index(HDU), p.index(Plane)
	r.Input.Cutout = nil
	if text := d.Get(Cutout); text != "" {
		c, err := recipe.ParseCutout(text)
		p.fail(Cutout, err)
		r.Input.Cutout = c
	}
	p.exposures(&r)
	r.PSF = p.psf()
	r.Noise = p.noise()
	r.Sky = p.sky()
	r.Mask = recipe.Mask{Saturation: p.optional(Saturation)}
	if d.Get(MaskSource) != Found {
		r.Mask.File, r.Mask.HDU = p.source(MaskSource)
	}
	r.Method = p.method()
	r.Stars = p.stars(r.Method.Kind)
	r.Sky.Free = d.Get(SkyFree) == True && r.Method.Kind.Beside()
	r.Prior = p.prior(r.Prior, r.Method.Kind)
	r.Draw.Samples = p.whole(Samples, 0, recipe.MaxSamples)
	r.Draw.Seed = p.seed()
	return r, p.errs
}

type parser struct {
	d    Draft
	errs Errors
}

// exposures are those beside the first, and how much finer the scene's pixels are.
func (p *parser) exposures(r *recipe.Recipe) {
	was := r.Clone().Input.Others
	r.Input.Others, r.Input.Scale = nil, 0
	for _, text := range strings.Split(p.d.Get(Exposures), exposuresBetween) {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		var e recipe.Exposure
		var err error
		e.File, e.HDU, err = recipe.ParseFile(text)
		p.fail(Exposures, err)
		if i := len(r.Input.Others); i < len(was) && was[i].File == e.File { // what the form does not show
			e.PSF, e.SHA256 = was[i].PSF, was[i].SHA256
		}
		r.Input.Others = append(r.Input.Others, e)
	}
	if p.d.Get(Finer) != "" {
		r.Input.Scale = p.whole(Finer, 1, recipe.MaxScale)
	}
	if why := p.d.oneImage(); why != "" {
		if len(r.Input.Others) > 0 {
			p.errs[Exposures] = why
		} else if r.Input.Scale > 1 {
			p.errs[Finer] = why
		}
	}
}

// oneImage says what of the other choices takes one image on its own pixels; "": nothing.
func (d Draft) oneImage() string {
	switch m := deconv.Method(d.Get(Method)); {
	case !m.Stacks():
		return "starlets take one image on its own pixels: choose another method"
	case m.Tiles() && d.Get(Tile) != "":
		return "tiles take one image on its own pixels: leave them out"
	case d.Get(PSFNodes) != "" && (d.Get(PSFKind) == string(observe.PSFFile) || d.Get(PSFKind) == string(observe.PSFMeasure)):
		return "a PSF that varies takes one image on its own pixels: leave out its nodes"
	case d.Get(Colour) != "":
		return "correlated noise is of one image on its own pixels: give exposures that were not resampled"
	}
	return ""
}

// exposuresBetween separates exposures in a text.
const exposuresBetween = ";"

func exposuresText(list []recipe.Exposure) string {
	var texts []string
	for _, e := range list {
		texts = append(texts, source(e.File, e.HDU))
	}
	return strings.Join(texts, exposuresBetween)
}

func (p *parser) fail(id ID, err error) {
	if err != nil {
		p.errs[id] = strings.TrimPrefix(err.Error(), "recipe: ")
	}
}

func (p *parser) psf() recipe.PSF {
	d := p.d
	out := recipe.PSF{Kind: observe.PSFKind(d.Get(PSFKind))}
	switch out.Kind {
	case observe.PSFFile:
		out.File, out.HDU = p.source(PSFSource)
		p.nodes(&out)
		if d.Get(PSFFiner) != "" {
			if out.Samples = p.whole(PSFFiner, 1, recipe.MaxSamplesPSF); out.Samples > 1 && p.errs[PSFFiner] == "" && d.oneImage() != "" {
				p.errs[PSFFiner] = d.oneImage()
			}
		}
		out.Recenter = d.Get(Recenter) == True
	case observe.PSFMeasure:
		p.nodes(&out)
	case observe.PSFGaussian, observe.PSFMoffat, observe.PSFAiry:
		out.FWHM, out.Unit = p.positive(FWHM, "type the FWHM"), d.Get(FWHMUnit)
		if out.Kind == observe.PSFMoffat && d.Get(Beta) != "" {
			if out.Beta = p.positive(Beta, ""); out.Beta <= 1 && p.errs[Beta] == "" {
				p.errs[Beta] = "must be above 1: a Moffat profile has infinite light otherwise"
			}
		}
	}
	if out.Error = p.optional(PSFError); out.Error != nil && !(*out.Error >= 0 && *out.Error < 1) {
		p.errs[PSFError] = "a share between 0 and 1, as 0.02 for 2 %"
	}
	return out
}

// nodes are those of a PSF that varies.
func (p *parser) nodes(out *recipe.PSF) {
	text := p.d.Get(PSFNodes)
	if text == "" {
		return
	}
	var err error
	if out.Rows, out.Cols, err = recipe.ParseNodes(text); err != nil {
		p.errs[PSFNodes] = "rows and columns, as 3x3"
	} else if m := deconv.Method(p.d.Get(Method)); !m.Varies() || m.Tiles() && p.d.Get(Tile) != "" {
		p.errs[PSFNodes] = "starlets and tiles take one PSF for all of the image"
	}
}

func (p *parser) noise() recipe.Noise {
	d := p.d
	out := recipe.Noise{Kind: observe.NoiseKind(d.Get(NoiseKind))}
	if d.Get(Gain) != "" && (out.Kind == observe.NoiseAuto || out.Kind == observe.NoiseSky || out.Kind == observe.NoiseGain) {
		out.Gain = p.positive(Gain, "")
	}
	switch out.Kind {
	case observe.NoiseAuto:
		_, out.HDU = p.source(NoiseSource)
	case observe.NoiseGain:
		if d.Get(ReadNoise) != "" {
			out.ReadNoise = p.notNegative(ReadNoise)
		}
	case observe.NoiseSigma:
		out.Sigma = p.positive(Sigma, "type the standard deviation of a pixel")
	case observe.NoiseWeights, observe.NoiseVariance, observe.NoiseStd:
		out.File, out.HDU = p.source(NoiseSource)
	}
	p.colour(&out)
	return out
}

// colour is how pixels' noise goes together.
func (p *parser) colour(out *recipe.Noise) {
	d := p.d
	if out.Spectrum = observe.NoiseSpectrum(d.Get(Colour)); out.Spectrum == observe.SpectrumWhite {
		return
	}
	if out.Spectrum == observe.SpectrumFile {
		if out.SpectrumFile, out.SpectrumHDU = p.source(ColourFile); d.Get(ColourFile) == "" {
			p.errs[ColourFile] = "choose an image of noise alone, or a text file of k (cycles/px) and P"
		}
	}
	if why := d.whiteOnly(); why != "" {
		p.errs[Colour] = why
	}
}

// whiteOnly says what of the other choices takes pixels' noise as independent; "": nothing.
func (d Draft) whiteOnly() string {
	if !deconv.Method(d.Get(Method)).Colours() {
		return "Richardson–Lucy and starlets take pixels as independent: choose another method"
	}
	return ""
}

func (p *parser) sky() recipe.Sky {
	out := recipe.Sky{Kind: observe.SkyKind(p.d.Get(SkyKind))}
	switch out.Kind {
	case observe.SkyConstant:
		out.Value = p.optional(SkyLevel)
	case observe.SkyMesh:
		if p.d.Get(SkyMesh) != "" {
			out.Mesh = p.whole(SkyMesh, 8, 1<<20)
		}
	}
	return out
}

// stars are those beside the scene, for methods that can have them.
func (p *parser) stars(m deconv.Method) (out recipe.Stars) {
	if p.d.Get(Stars) == "" || !m.Beside() {
		return out
	}
	var err error
	if out.At, err = recipe.ParsePositions(p.d.Get(Stars)); err == nil && len(out.At) > deconv.MaxStars {
		err = fmt.Errorf("at most %d stars", deconv.MaxStars)
	}
	p.fail(Stars, err)
	if p.d.Get(StarError) != "" {
		if out.Error = p.positive(StarError, ""); out.Error > recipe.MaxStarError {
			p.errs[StarError] = "at most 5 px"
		}
	}
	return out
}

func (p *parser) method() recipe.Method {
	out := recipe.Method{Kind: deconv.Method(p.d.Get(Method))}
	about, _ := out.Kind.About()
	if out.Kind == deconv.Learned {
		out.Budget = deconv.Budget(p.d.Get(Budget))
		out.Recalibrate = p.d.Get(FaintLight) == True
	}
	if p.d.Get(Resolution) != "" {
		if out.Resolution = p.notNegative(Resolution); out.Resolution != 0 && (out.Resolution < recipe.MinResolution || out.Resolution > recipe.MaxResolution) {
			p.errs[Resolution] = "from 1 to 100 px, or empty"
		}
	}
	if out.Kind.Tiles() && p.d.Get(Tile) != "" {
		if out.Tile = p.whole(Tile, deconv.SmallestTile, deconv.LargestTile); out.Resolution > deconv.MostTiledResolution {
			p.errs[Tile] = "tiles are smoothed to 20 px at most: leave it empty, or ask for a finer resolution"
		}
	}
	if !about.Iterates {
		return out
	}
	if p.d.Get(Iterations) != "" {
		out.Iterations = p.whole(Iterations, 1, recipe.MaxIterations)
	}
	if p.d.Get(Strength) != "" {
		if out.Strength = p.notNegative(Strength); out.Kind == deconv.RichardsonLucy && out.Strength >= 0.125 {
			p.errs[Strength] = "must stay below 1/8, as 0.002"
		}
	}
	if out.Kind != deconv.RichardsonLucy {
		return out
	}
	if p.d.Get(Damping) != "" {
		out.Damping = p.notNegative(Damping)
	}
	out.StopAtNoise = p.d.Get(StopAtNoise) == True
	return out
}

// prior is that of the method: a learned one, or a power spectrum.
func (p *parser) prior(was recipe.Prior, m deconv.Method) recipe.Prior {
	d := p.d
	if m == deconv.Learned {
		out := recipe.Prior{Kind: orElse(d.Get(Prior), recipe.PriorGalaxies)}
		if out.Kind == recipe.PriorWeights {
			if out.File = d.Get(PriorFile); out.File == "" {
				p.errs[PriorFile] = "choose a weights file (.safetensors)"
			}
		}
		return out
	}
	was.Kind, was.Spectrum, was.File = recipe.PriorGaussian, d.Get(Spectrum), ""
	if about, _ := m.About(); was.Spectrum == spectFile {
		if was.File = d.Get(SpectrumFile); was.File == "" && about.Spectrum {
			p.errs[SpectrumFile] = "choose a text file of k (cycles/px) and P"
		}
	}
	return was
}

// Values are all fields as typed, for a project file.
func (d Draft) Values() map[ID]string {
	out := make(map[ID]string, len(d.values))
	for k, v := range d.values {
		out[k] = v
	}
	return out
}

// Typed is the draft with all fields as typed before.
func (d Draft) Typed(values map[ID]string) Draft {
	out := Draft{values: map[ID]string{}, rest: d.rest}
	for k, v := range values {
		out.set(k, v)
	}
	return out
}
