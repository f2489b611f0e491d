package form

import (
	"fmt"
	"strconv"
	"strings"

	"limpid/app/figure"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// OpenFile is a file whose HDUs can be chosen from.
type OpenFile struct {
	Path string
	Name string
	HDUs []session.HDUInfo
}

// Context is what the lists of the form are made from.
type Context struct {
	This   OpenFile
	Others []OpenFile // the other files that are open
	Sky    bool       // the image has a WCS: widths may be in arcsec
	Unit   string     // of the data
	Header Header     // what the image's header says
	Plane  int        // the one in view, where the image has several
}

// Header is what observe takes from the header where a field is empty; 0 is
// unknown.
type Header struct{ Gain, ReadNoise, Saturation float64 }

// Fields are the lines of a step, as far as the choices made so far need them.
func (d Draft) Fields(s Step, c Context) []Field {
	_, errs := d.Recipe()
	b := builder{d: d, c: c, errs: errs}
	switch s {
	case StepData:
		b.data()
	case StepPSF:
		b.psf()
	case StepNoise:
		b.noise()
		b.sky()
		b.mask()
	case StepPrior:
		b.prior()
	case StepDraw:
		b.draw()
	}
	return b.out
}

type builder struct {
	d    Draft
	c    Context
	errs Errors
	out  []Field
}

func (b *builder) add(f Field) {
	f.Value = b.d.Get(f.ID)
	f.Error = b.errs[f.ID]
	if (f.Kind == Choice || f.Kind == File) && !has(f.Options, f.Value) {
		f.Options = append(f.Options, Option{f.Value, sourceLabel(f.Value)})
	}
	b.out = append(b.out, f)
}

func has(list []Option, v string) bool {
	for _, o := range list {
		if o.Value == v {
			return true
		}
	}
	return false
}

// sourceLabel names a source that is in no list: a file that was looked for.
func sourceLabel(v string) string {
	if i := strings.LastIndexAny(v, `/\`); i >= 0 {
		return v[i+1:]
	}
	return v
}

func (b *builder) data() {
	images := imageHDUs(b.c.This)
	var list []Option
	first, unset := b.Data()
	unset = unset && b.d.Get(HDU) == ""
	for _, h := range images {
		if unset && h.Index == first.Index { // the default has no number in the recipe
			list = append(list, Option{"", Label(h)})
			continue
		}
		list = append(list, Option{fmt.Sprint(h.Index), Label(h)})
	}
	b.add(Field{ID: HDU, Label: "HDU", Kind: Choice, Options: list, Help: "the image to work on"})
	if h, ok := b.Data(); ok && h.Planes() > 1 {
		planes := []Option{{AllPlanes, fmt.Sprintf("all %d planes, as bands", h.Planes())}}
		for k := range min(h.Planes(), 2048) {
			planes = append(planes, Option{fmt.Sprint(k), fmt.Sprintf("plane %d only", k)})
		}
		b.add(Field{ID: Plane, Label: "Planes", Kind: Choice, Options: planes, Help: "the planes of a cube are taken as bands, or one of them alone"})
	}
	b.add(Field{
		ID: Cutout, Label: "Cut-out", Blank: "whole image",
		Help: "x0:x1,y0:y1, pixels from 0, upper ends excluded",
	})
	b.exposures()
}

// exposures are the fields of several exposures and of finer pixels.
func (b *builder) exposures() {
	list := []Option{{"", "this one alone"}}
	var all []string
	for _, f := range b.c.Others {
		if images := imageHDUs(f); len(images) > 0 {
			all = append(all, f.Path)
		}
	}
	if len(all) > 1 {
		list = append(list, Option{strings.Join(all, exposuresBetween), fmt.Sprintf("with all %d other open files", len(all))})
	}
	for _, path := range all {
		list = append(list, Option{path, "with " + sourceLabel(path)})
	}
	b.add(Field{ID: Exposures, Label: "Exposures", Kind: File, Options: list, Help: "further exposures of this field, in any position and not resampled: their coordinates lay them on this one, and each is fitted on its own pixels"})
	finer := []Option{{"", "as the image's"}}
	for n := 2; n <= recipe.MaxScale; n++ {
		finer = append(finer, Option{strconv.Itoa(n), fmt.Sprintf("%d × finer", n)})
	}
	b.add(Field{ID: Finer, Label: "Scene pixels", Kind: Choice, Options: finer, Help: "super-resolution: the detector's integration over its pixels is part of the model"})
}

// Data is the HDU the draft works on.
func (b *builder) Data() (session.HDUInfo, bool) { return b.d.Image(b.c.This) }

// Image is the HDU of f that the draft works on.
func (d Draft) Image(f OpenFile) (session.HDUInfo, bool) {
	r, _ := d.Recipe()
	for _, h := range imageHDUs(f) {
		if r.Input.HDU != nil && h.Index == *r.Input.HDU || r.Input.HDU == nil && h.Role == session.RoleImage {
			return h, true
		}
	}
	return session.HDUInfo{}, false
}

func imageHDUs(f OpenFile) []session.HDUInfo {
	var out []session.HDUInfo
	for _, h := range f.HDUs {
		if len(h.Shape) >= 2 {
			out = append(out, h)
		}
	}
	return out
}

// Label names an HDU with its size: "1 SCI 256×256×5".
func Label(h session.HDUInfo) string {
	text := fmt.Sprint(h.Index)
	if h.Name != "" {
		text += " " + h.Name
	}
	return text + " " + Size(h)
}

// UnitText writes a unit of FITS with raised powers: "adu-2" and "adu**-2" as "adu⁻²".
func UnitText(unit string) string {
	plain := strings.NewReplacer("**", "^", "(", "", ")", "").Replace(unit)
	at := strings.IndexAny(plain, "^-0123456789")
	if at < 1 {
		return unit
	}
	power, err := strconv.Atoi(strings.TrimPrefix(plain[at:], "^"))
	if err != nil {
		return unit
	}
	return plain[:at] + figure.Superscript(power)
}

// Size is an HDU's axes as NAXIS1 × NAXIS2 …, or its rows.
func Size(h session.HDUInfo) string {
	if len(h.Shape) == 0 {
		if h.Role == session.RoleTable {
			return fmt.Sprintf("%d rows", h.Rows)
		}
		return "no data"
	}
	size := make([]string, len(h.Shape))
	for i, n := range h.Shape {
		size[len(size)-1-i] = fmt.Sprint(n)
	}
	return strings.Join(size, "×")
}

func (b *builder) psf() {
	b.add(Field{ID: PSFKind, Label: "From", Kind: Choice, Options: []Option{
		{string(observe.PSFMeasure), "stars in the image"},
		{string(observe.PSFFile), "a file or HDU"},
		{string(observe.PSFGaussian), "Gaussian"},
		{string(observe.PSFMoffat), "Moffat"},
		{string(observe.PSFAiry), "Airy (circular aperture)"},
		{string(observe.PSFNone), "none: denoise only"},
	}})
	switch observe.PSFKind(b.d.Get(PSFKind)) {
	case observe.PSFFile:
		var list []Option
		switch {
		case b.role(session.RolePSF):
			list = append(list, Option{ThisFile, "the PSF HDU of this file"})
		case b.d.Get(PSFSource) == "":
			list = append(list, Option{ThisFile, "choose one …"})
		}
		list = append(list, b.psfs()...)
		b.add(Field{ID: PSFSource, Label: "PSF", Kind: File, Options: list, Help: "one plane for all bands, or one plane per band"})
		b.add(Field{ID: PSFNodes, Label: "Nodes", Blank: "one PSF", Help: "rows x columns, as 3x3, of a PSF that varies: planes of the cube, or HDUs from this one on, row by row from the lowest, the outermost on the image's border"})
		b.add(Field{ID: PSFFiner, Label: "Sampling", Unit: "per px", Blank: "1", Help: "of a PSF that is sampled more finely than the image; the integration over pixels is then added"})
		b.add(Field{ID: Recenter, Label: "Recentre", Kind: Toggle, Help: "move the PSF's light to the centre of its stamp; without it an off-centre PSF shifts the result"})
	case observe.PSFMeasure:
		b.add(Field{ID: PSFNodes, Label: "Nodes", Blank: "one PSF", Help: "rows x columns, as 3x3, of a PSF that varies: fitted to stars all over the image, thirty at least"})
	case observe.PSFGaussian, observe.PSFMoffat, observe.PSFAiry:
		units := []Option{{"px", "px"}}
		if b.c.Sky || b.d.Get(FWHMUnit) == "arcsec" {
			units = append(units, Option{"arcsec", "arcsec"})
		}
		b.add(Field{ID: FWHM, Label: "FWHM", Help: "full width at half maximum of a star"})
		b.add(Field{ID: FWHMUnit, Label: "Unit", Kind: Choice, Options: units})
		if b.d.Get(PSFKind) == string(observe.PSFMoffat) {
			b.add(Field{ID: Beta, Label: "β", Blank: "3", Help: "how fast the wings fall: 2.5 to 4.8 for seeing"})
		}
	}
	if b.d.Get(PSFKind) != string(observe.PSFNone) {
		b.add(Field{
			ID: PSFError, Label: "PSF error", Blank: "0",
			Help: "relative, as 0.02: added to the noise of bright pixels, which are then not fitted more closely than the PSF is known",
		})
	}
}

// psfs lists what may be meant as the PSF.
func (b *builder) psfs() []Option {
	data, _ := b.Data()
	return b.sources(func(h session.HDUInfo, this bool) bool {
		return !(this && h.Index == data.Index) && psfLike(h, data)
	})
}

// SuggestPSF is the source to begin with when the PSF is to come from a file: the
// file's own PSF, else an open file that is called one.
func (d Draft) SuggestPSF(c Context) string {
	b := builder{d: d, c: c}
	if b.role(session.RolePSF) {
		return ThisFile
	}
	for _, o := range b.psfs() {
		if strings.Contains(strings.ToLower(o.Label), "psf") {
			return o.Value
		}
	}
	return ThisFile
}

// psfLike says whether an HDU may be meant as a PSF of data: smaller than it, or
// called one.
func psfLike(h, data session.HDUInfo) bool {
	n, m := len(h.Shape), len(data.Shape)
	if h.Role == session.RolePSF || m < 2 {
		return true
	}
	return h.Role == session.RoleImage && h.Shape[n-1]*h.Shape[n-2] < data.Shape[m-1]*data.Shape[m-2]
}

func (b *builder) role(r session.Role) bool {
	for _, h := range b.c.This.HDUs {
		if h.Role == r {
			return true
		}
	}
	return false
}

// sources lists HDUs of this file and of the other open ones.
func (b *builder) sources(fits func(h session.HDUInfo, this bool) bool) []Option {
	var out []Option
	for _, h := range imageHDUs(b.c.This) {
		if fits(h, true) {
			out = append(out, Option{Source("", h.Index), Label(h)})
		}
	}
	for _, f := range b.c.Others {
		for _, h := range imageHDUs(f) {
			if fits(h, false) {
				out = append(out, Option{Source(f.Path, h.Index), f.Name + ": " + Label(h)})
			}
		}
	}
	return out
}

// maps lists HDUs with the size of the image.
func (b *builder) maps() []Option {
	data, ok := b.Data()
	if !ok {
		return nil
	}
	n := len(data.Shape)
	return b.sources(func(h session.HDUInfo, this bool) bool {
		m := len(h.Shape)
		return !(this && h.Index == data.Index) && h.Shape[m-1] == data.Shape[n-1] && h.Shape[m-2] == data.Shape[n-2]
	})
}

func (b *builder) noise() {
	auto := "automatic: a map of this file, else the sky"
	b.add(Field{ID: NoiseKind, Label: "Noise", Kind: Choice, Options: []Option{
		{string(observe.NoiseAuto), auto},
		{string(observe.NoiseWeights), "weight map (1/σ²)"},
		{string(observe.NoiseVariance), "variance map (σ²)"},
		{string(observe.NoiseStd), "standard deviation map (σ)"},
		{string(observe.NoiseGain), "gain and read noise"},
		{string(observe.NoiseSigma), "one σ for all pixels"},
		{string(observe.NoiseSky), "scatter of the sky"},
	}})
	unit := orElse(b.c.Unit, "data unit")
	switch kind := observe.NoiseKind(b.d.Get(NoiseKind)); kind {
	case observe.NoiseWeights, observe.NoiseVariance, observe.NoiseStd:
		list := append([]Option{{ThisFile, "found by its name"}}, b.maps()...)
		b.add(Field{ID: NoiseSource, Label: "Map", Kind: File, Options: list, Help: "as large as the image"})
	case observe.NoiseSigma:
		b.add(Field{ID: Sigma, Label: "σ", Unit: unit, Help: "standard deviation of the noise of a pixel"})
	case observe.NoiseGain:
		b.add(Field{ID: Gain, Label: "Gain", Unit: "e⁻/" + unit, Blank: fromHeader(b.c.Header.Gain), Help: "electrons per data unit"})
		b.add(Field{ID: ReadNoise, Label: "Read noise", Unit: "e⁻", Blank: orElse(fromHeader(b.c.Header.ReadNoise), "0")})
	case observe.NoiseAuto, observe.NoiseSky:
		b.add(Field{
			ID: Gain, Label: "Gain", Unit: "e⁻/" + unit, Blank: orElse(fromHeader(b.c.Header.Gain), "unknown"),
			Help: "adds the photon noise of sources",
		})
	}
	b.colour()
}

// colour are the fields of noise that is correlated.
func (b *builder) colour() {
	b.add(Field{ID: Colour, Label: "Pixels", Kind: Choice, Options: []Option{
		{string(observe.SpectrumWhite), "independent"},
		{string(observe.SpectrumMeasured), "correlated, as empty sky shows"},
		{string(observe.SpectrumFile), "correlated, from a file"},
	}, Help: "resampled and stacked images have noise that is correlated between neighbours; its power spectrum is then part of the likelihood"})
	if b.d.Get(Colour) == string(observe.SpectrumFile) {
		var files []Option
		if b.d.Get(ColourFile) == "" {
			files = append(files, Option{"", "no file yet"})
		}
		files = append(files, b.sources(func(session.HDUInfo, bool) bool { return true })...)
		b.add(Field{ID: ColourFile, Label: "Noise alone", Kind: File, Options: files, Help: "an image without sources, of any size, or a text file of k (cycles/px) and P"})
	}
}

func fromHeader(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.4g, from the header", v)
}

func (b *builder) sky() {
	b.add(Field{ID: SkyKind, Label: "Sky", Kind: Choice, Options: []Option{
		{string(observe.SkyAuto), "automatic"},
		{string(observe.SkyNone), "subtract none"},
		{string(observe.SkyConstant), "one level"},
		{string(observe.SkyMesh), "varies over the field"},
	}})
	switch observe.SkyKind(b.d.Get(SkyKind)) {
	case observe.SkyConstant:
		b.add(Field{ID: SkyLevel, Label: "Level", Unit: b.c.Unit, Blank: "measured"})
	case observe.SkyMesh:
		b.add(Field{ID: SkyMesh, Label: "Box", Unit: "px", Blank: "64", Help: "must be larger than the largest object, which otherwise loses light"})
	}
	if deconv.Method(b.d.Get(Method)).Beside() {
		b.add(Field{ID: SkyFree, Label: "Free sky", Kind: Toggle, Help: "a pedestal per band beside what is subtracted, sampled with the scene: its error is then part of the scene's"})
	}
}

func (b *builder) mask() {
	list := append([]Option{{Found, "the file's mask, if it has one"}}, b.maps()...)
	b.add(Field{ID: MaskSource, Label: "Mask", Kind: File, Options: list, Help: "pixels that are not 0 are left out, and so is NaN"})
	b.add(Field{
		ID: Saturation, Label: "Saturation", Unit: b.c.Unit, Blank: orElse(fromHeader(b.c.Header.Saturation), "none"),
		Help: "pixels at or above it are left out, with their neighbours; 0: none",
	})
}

func (b *builder) prior() {
	var methods []Option
	for _, a := range deconv.Methods() {
		methods = append(methods, Option{string(a.Method), a.Title})
	}
	b.add(Field{ID: Method, Label: "Method", Kind: Choice, Options: methods})
	method := deconv.Method(b.d.Get(Method))
	about, _ := method.About()
	if method == deconv.Learned {
		b.learned()
	}
	if about.Iterates {
		b.iterations(method)
	}
	if method.Beside() {
		b.add(Field{ID: Stars, Label: "Stars", Blank: "none", Help: "x,y; x,y …: point sources beside the scene, in FITS pixels of the whole image; their fluxes and places are sampled with it"})
		if b.d.Get(Stars) != "" {
			b.add(Field{ID: StarError, Label: "Place ±", Unit: "px", Blank: fmt.Sprint(deconv.DefaultStarError), Help: "how well the stars' places are known, 1 σ"})
		}
	}
	if !about.Spectrum {
		return
	}
	list := []Option{{spectFit, "fitted to the data"}, {spectFile, "from a file"}}
	if b.d.Get(Spectrum) == spectPoint {
		list = append(list, Option{spectPoint, "points of the recipe"})
	}
	b.add(Field{ID: Spectrum, Label: "Spectrum", Kind: Choice, Options: list, Help: "power spectrum of the scene before blurring"})
	if b.d.Get(Spectrum) == spectFile {
		var files []Option
		if b.d.Get(SpectrumFile) == "" {
			files = append(files, Option{"", "no file yet"})
		}
		b.add(Field{ID: SpectrumFile, Label: "File", Kind: File, Options: files, Help: "two columns: k in cycles per pixel, power P in the data's unit squared"})
	}
}

// learned are the fields of a learned prior.
func (b *builder) learned() {
	kinds := []Option{{recipe.PriorGalaxies, "galaxies"}, {recipe.PriorSingle, "one galaxy, in the middle"}, {recipe.PriorWeights, "a weights file"}}
	b.add(Field{ID: Prior, Label: "Prior", Kind: Choice, Options: kinds, Help: "what the network was trained on: its card says where it holds"})
	if b.d.Get(Prior) == recipe.PriorWeights {
		var files []Option
		if b.d.Get(PriorFile) == "" {
			files = append(files, Option{"", "no file yet"})
		}
		b.add(Field{ID: PriorFile, Label: "Weights", Kind: File, Options: files, Help: "a .safetensors file of Limpid"})
	}
	f := Field{ID: Budget, Label: "Budget", Kind: Choice, Options: []Option{
		{string(deconv.Standard), "standard"},
		{string(deconv.Quick), "quick look"},
		{string(deconv.Publication), "publication"},
	}, Help: "a quick look takes three quarters of the time, publication, with finer steps, twice as long"}
	if b.d.Get(Prior) == recipe.PriorGalaxies {
		f.Help = "a quick look takes three quarters of the time, publication, with finer steps, twice as long; all three were calibrated"
	}
	b.add(f)
	b.add(Field{ID: FaintLight, Label: "Faint light", Kind: Toggle, Help: "each pixel fainter than the noise gets the errors that simulations say it has, and next to no negative light; errors of sums over many pixels of the samples become too small"})
}

// iterations are the fields of the methods that iterate.
func (b *builder) iterations(m deconv.Method) {
	most := deconv.Settings{Method: m}.StepsAtMost()
	b.add(Field{ID: Iterations, Label: "Iterations", Blank: fmt.Sprint(most)})
	switch m {
	case deconv.Starlet:
		b.add(Field{ID: Strength, Label: "Threshold", Unit: "σ", Blank: "3, finest scale 4", Help: "coefficients below so many times their noise are dropped"})
	case deconv.TV:
		b.add(Field{ID: Strength, Label: "Strength", Unit: "σ", Blank: "automatic", Help: "automatic: the least estimated error of the blurred scene"})
	case deconv.RichardsonLucy:
		b.add(Field{ID: Strength, Label: "Total variation", Blank: "none", Help: "as 0.002: keeps noise from growing in flat places"})
		b.add(Field{ID: Damping, Label: "Damping", Unit: "σ", Blank: "none", Help: "residuals below so many σ are not fitted"})
		b.add(Field{ID: StopAtNoise, Label: "Stop", Kind: Toggle, Help: "end when the residual reaches the noise"})
	}
}

func (b *builder) draw() {
	b.add(Field{ID: Resolution, Label: "Resolution", Unit: "px", Blank: "without a PSF", Help: "FWHM of the Gaussian PSF that mean, samples and errors are shown at; below the data's own resolution the prior decides"})
	method := deconv.Method(b.d.Get(Method))
	if method.Tiles() {
		b.add(Field{ID: Tile, Label: "Tiles", Unit: "px", Blank: "automatic", Help: "side of overlapping tiles, 128 to 4096; automatic: one grid, or tiles where that does not fit into memory"})
	}
	if about, _ := method.About(); !about.Samples {
		return
	}
	b.add(Field{ID: Samples, Label: "Samples", Help: "independent draws from the posterior; 64 give standard deviations to 9 %"})
	b.add(Field{ID: Seed, Label: "Seed", Help: "the same seed gives the same samples"})
}
