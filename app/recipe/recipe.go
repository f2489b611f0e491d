// Package recipe is what the user asked for, as a value and as JSON: the same for
// the window, the command line and the file that is written beside every result.
package recipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Version of the format; Decode refuses later ones.
const Version = 1

// Recipe describes one run completely: with the same input files it gives the
// same result, byte for byte.
type Recipe struct {
	Version int      `json:"version"`
	Task    string   `json:"task"` // "deconvolve"
	Input   Input    `json:"input"`
	PSF     PSF      `json:"psf"`
	Noise   Noise    `json:"noise"`
	Sky     Sky      `json:"sky"`
	Mask    Mask     `json:"mask"`
	Stars   Stars    `json:"stars,omitzero"`
	Method  Method   `json:"method"`
	Prior   Prior    `json:"prior"`
	Draw    Draw     `json:"draw"`
	Device  string   `json:"device,omitempty"` // "auto" (default), "cpu", "gpu", "cuda", "webgpu:0"
	Notes   []string `json:"notes,omitempty"`  // the user's own
}

// The parts that package observe defines.
type (
	PSF   = observe.PSFSettings
	Noise = observe.NoiseSettings
	Sky   = observe.SkySettings
	Mask  = observe.MaskSettings
)

// Input names the image.
type Input struct {
	File string `json:"file"`
	// SHA256 of the file, set when a run starts; when present it is checked.
	SHA256 string `json:"sha256,omitempty"`
	HDU    *int   `json:"hdu,omitempty"` // default: the first image
	// Plane chooses one plane of a cube; without it every plane is a band.
	Plane *int `json:"plane,omitempty"`
	// Cutout is [x0, x1, y0, y1] in pixels from 0, upper ends excluded.
	Cutout *[4]int `json:"cutout,omitempty"`
	// Others are further exposures of the same field, laid on the first by their coordinates.
	Others []Exposure `json:"others,omitempty"`
	// Scale divides the first exposure's pixels into Scale × Scale of the scene's; 0: 1.
	Scale int `json:"scale,omitempty"`
}

// Exposure is one more image of the field. Plane, sky, noise and mask are found as of the
// first, in its own file.
type Exposure struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256,omitempty"`
	HDU    *int   `json:"hdu,omitempty"`
	PSF    *PSF   `json:"psf,omitempty"` // nil: as the first's
}

// Stacked reports whether the scene is not on the pixels of one image: there are several, or
// finer pixels, or a PSF that is known on finer ones.
func (r Recipe) Stacked() bool {
	return len(r.Input.Others) > 0 || r.Input.Scale > 1 || r.PSF.Samples > 1
}

// Stars are point sources beside the scene, whose fluxes and places are sampled with it.
type Stars struct {
	// At are their places in FITS pixels of the whole image: the first pixel's centre is
	// (1, 1), whatever the cut-out.
	At [][2]float64 `json:"at,omitempty"`
	// Error is 1 σ of the places in pixels; 0: deconv.DefaultStarError.
	Error float64 `json:"error,omitempty"`
}

// IsZero reports whether there are none.
func (s Stars) IsZero() bool { return len(s.At) == 0 && s.Error == 0 }

// Method says how to infer.
type Method struct {
	Kind        deconv.Method `json:"kind"`
	Iterations  int           `json:"iterations,omitempty"`    // Richardson–Lucy, starlets, total variation
	Damping     float64       `json:"damping,omitempty"`       // Richardson–Lucy, in σ
	StopAtNoise bool          `json:"stop_at_noise,omitempty"` // Richardson–Lucy
	// Strength of the penalty: Richardson–Lucy's λ of total variation, the starlet
	// threshold in σ, or λ of total variation in σ; 0: automatic, for rl none.
	Strength float64 `json:"strength,omitempty"`
	// Resolution is the FWHM in pixels of the Gaussian target PSF that mean, samples and
	// errors are given at; 0: scenes as the prior has them, without a PSF.
	Resolution float64       `json:"resolution,omitempty"`
	Budget     deconv.Budget `json:"budget,omitempty"` // learned: "quick", "" or "publication"
	// Recalibrate maps pixels fainter than the noise, of a learned prior, to what simulations
	// say of such pixels (calibrate.Faint): right for each, too sure for sums.
	Recalibrate bool `json:"recalibrate,omitempty"`
	// Tile is the side in pixels of the tiles that the image is worked in; 0: one grid for
	// all of it where that fits into memory, else tiles. A result's recipe has what was used.
	Tile int `json:"tile,omitempty"`
}

// Prior of the scene.
type Prior struct {
	// Kind is "gaussian"; for the method learned the name of a prior that ships, as
	// "galaxies", or "weights": those in File.
	Kind string `json:"kind"`
	// Spectrum is "fit", or "file" with K and P read from Spectrum file, or
	// "points" with K (cycles per pixel) and P (data unit²) here.
	Spectrum string    `json:"spectrum,omitempty"`
	File     string    `json:"file,omitempty"`
	K        []float64 `json:"k,omitempty"`
	P        []float64 `json:"p,omitempty"`
}

// Kinds of priors.
const (
	PriorGaussian = "gaussian"
	PriorGalaxies = "galaxies"
	PriorSingle   = "galaxies-small" // one galaxy in the middle of a stamp
	PriorWeights  = "weights"
)

// Draw says how many samples.
type Draw struct {
	Samples int    `json:"samples"`
	Seed    uint64 `json:"seed"`
}

// Limits of what is accepted.
const (
	MaxSamples    = 100000
	MaxIterations = 100000
	MinResolution = 1.0 // px; narrower Gaussians are undersampled
	MaxResolution = 100.0
	MaxStarError  = 5.0 // px; beyond, a star is searched for, not measured
	MaxExposures  = 64
	MaxScale      = 4
	MaxSamplesPSF = 32 // per pixel
)

// Chains is how many chains draws are dealt to for R-hat.
const Chains = 4

// Default is what a user gets who changes nothing but the file.
func Default(file string) Recipe {
	return Recipe{
		Version: Version, Task: "deconvolve",
		Input:  Input{File: file},
		PSF:    PSF{Kind: observe.PSFMeasure},
		Noise:  Noise{Kind: observe.NoiseAuto},
		Sky:    Sky{Kind: observe.SkyAuto},
		Method: Method{Kind: deconv.Gaussian},
		Prior:  Prior{Kind: PriorGaussian, Spectrum: "fit"},
		Draw:   Draw{Samples: 64, Seed: 1},
	}
}

// ErrInvalid marks a recipe that cannot be run whatever the data.
var ErrInvalid = errors.New("invalid recipe")

type invalid struct{ msg string }

func (e invalid) Error() string { return "recipe: " + e.msg }
func (e invalid) Unwrap() error { return ErrInvalid }

func bad(format string, a ...any) error { return invalid{fmt.Sprintf(format, a...)} }

// maxBytes bounds a recipe file.
const maxBytes = 1 << 20

// Load reads a recipe from a file. Relative paths in it are relative to its
// folder.
func Load(path string) (Recipe, error) {
	f, err := os.Open(path)
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe: %w", err)
	}
	defer f.Close()
	r, err := Decode(f)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range r.Paths() {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), filepath.FromSlash(*p))
		}
	}
	return r, nil
}

// Paths are the files a recipe names; some are empty.
func (r *Recipe) Paths() []*string {
	out := []*string{&r.Input.File, &r.PSF.File, &r.Noise.File, &r.Noise.SpectrumFile, &r.Mask.File, &r.Prior.File}
	for i := range r.Input.Others {
		e := &r.Input.Others[i]
		out = append(out, &e.File)
		if e.PSF != nil {
			out = append(out, &e.PSF.File)
		}
	}
	return out
}

// Clone is a copy that shares no exposures with r, for callers that change what Paths gives.
func (r Recipe) Clone() Recipe {
	r.Input.Others = append([]Exposure(nil), r.Input.Others...)
	for i := range r.Input.Others {
		if p := r.Input.Others[i].PSF; p != nil {
			set := *p
			r.Input.Others[i].PSF = &set
		}
	}
	return r
}

// Decode reads JSON strictly: unknown fields and later versions are errors, what
// is missing takes its default.
func Decode(rd io.Reader) (Recipe, error) {
	text, err := io.ReadAll(io.LimitReader(rd, maxBytes+1))
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe: %w", err)
	}
	if len(text) > maxBytes {
		return Recipe{}, bad("longer than %d bytes: not a recipe", maxBytes)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Recipe{}, bad("not JSON: %v", err)
	}
	if head.Version > Version {
		return Recipe{}, bad("version %d was written by a later Limpid; this one knows %d", head.Version, Version)
	}
	r := Default("")
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Recipe{}, bad("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	r.Version = Version
	return r, r.Validate()
}

// JSON is the recipe as indented text with a final newline.
func (r Recipe) JSON() []byte {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(err) // only values that encode
	}
	return append(text, '\n')
}

// Validate checks what can be checked without the data.
func (r Recipe) Validate() error {
	switch {
	case r.Task != "deconvolve":
		return bad("task %q: this version knows deconvolve", r.Task)
	case r.Input.File == "":
		return bad("no input file")
	case !known(r.Method.Kind):
		return bad("method %q is not one of %s", r.Method.Kind, deconv.MethodNames())
	case !(r.Method.Strength >= 0) || math.IsInf(r.Method.Strength, 0):
		return bad("strength %g must be 0 or positive", r.Method.Strength)
	case r.Method.Kind == deconv.RichardsonLucy && r.Method.Strength >= 0.125:
		return bad("strength %g: total variation in Richardson–Lucy must stay below 1/8, as .002", r.Method.Strength)
	case !slices.Contains(deconv.Budgets(), r.Method.Budget):
		return bad("budget %q is not one of quick, standard, publication", r.Method.Budget)
	case r.Method.Resolution != 0 && !(r.Method.Resolution >= MinResolution && r.Method.Resolution <= MaxResolution):
		return bad("a target resolution of %g px: a FWHM from %g to %g px, or 0 for none", r.Method.Resolution, MinResolution, MaxResolution)
	case r.Method.Tile != 0 && (r.Method.Tile < deconv.SmallestTile || r.Method.Tile > deconv.LargestTile):
		return bad("tiles of %d pixels: %d to %d, or 0 for what fits into memory", r.Method.Tile, deconv.SmallestTile, deconv.LargestTile)
	case r.Method.Tile != 0 && !r.Method.Kind.Tiles():
		return bad("method %s does not work in tiles: gaussian, learned and wiener do", r.Method.Kind)
	case r.Method.Tile != 0 && r.Method.Resolution > deconv.MostTiledResolution:
		return bad("a target resolution of %g px is more than tiles can smooth (%d px)", r.Method.Resolution, deconv.MostTiledResolution)
	case r.Method.Iterations < 0 || r.Method.Iterations > MaxIterations:
		return bad("%d iterations: between 1 and %d (0: the default)", r.Method.Iterations, MaxIterations)
	case !(r.Method.Damping >= 0) || math.IsInf(r.Method.Damping, 0):
		return bad("damping %g must be 0 or a positive number of σ", r.Method.Damping)
	case r.Draw.Samples < 0 || r.Draw.Samples > MaxSamples:
		return bad("%d samples: between 0 and %d", r.Draw.Samples, MaxSamples)
	case r.Sky.Mesh < 0 || r.Sky.Mesh > 0 && r.Sky.Mesh < 8:
		return bad("sky mesh of %d pixels: at least 8", r.Sky.Mesh)
	case !devices.MatchString(r.Device):
		return bad("device %q is not one of auto, cpu, gpu, cuda, webgpu, webgpu:N, cuda:N, cuda:N-tf32x3", r.Device)
	}
	if err := r.validateBeside(); err != nil {
		return err
	}
	if err := r.validateField(); err != nil {
		return err
	}
	if err := r.validateColour(); err != nil {
		return err
	}
	if err := r.validateExposures(); err != nil {
		return err
	}
	if c := r.Input.Cutout; c != nil && (c[0] < 0 || c[2] < 0 || c[1] <= c[0] || c[3] <= c[2]) {
		return bad("cut-out %d:%d,%d:%d is empty or negative", c[0], c[1], c[2], c[3])
	}
	return r.validatePrior()
}

// validateBeside checks what is sampled beside the scene.
func (r Recipe) validateBeside() error {
	for i, at := range r.Stars.At {
		if math.IsNaN(at[0]+at[1]) || math.IsInf(at[0]+at[1], 0) {
			return bad("star %d: position (%g, %g)", i+1, at[0], at[1])
		}
	}
	switch {
	case !(r.Sky.Free || len(r.Stars.At) > 0) || r.Method.Kind.Beside():
	case r.Sky.Free:
		return bad("a free sky is sampled with the scene, which method %s does not do: gaussian, learned and wiener do", r.Method.Kind)
	default:
		return bad("stars are sampled with the scene, which method %s does not do: gaussian, learned and wiener do", r.Method.Kind)
	}
	switch {
	case r.Method.Tile != 0 && (r.Sky.Free || len(r.Stars.At) > 0):
		return bad("stars and a free sky need one grid for the whole image: leave tiles out")
	case len(r.Stars.At) > deconv.MaxStars:
		return bad("%d stars: at most %d", len(r.Stars.At), deconv.MaxStars)
	case !(r.Stars.Error >= 0 && r.Stars.Error <= MaxStarError):
		return bad("stars: an error of the positions of %g px: from 0 (the default, %g) to %g px", r.Stars.Error, deconv.DefaultStarError, MaxStarError)
	}
	return nil
}

// validateField checks a PSF that varies.
func (r Recipe) validateField() error {
	p := r.PSF
	switch {
	case p.Rows == 0 && p.Cols == 0:
		return nil
	case p.Rows < 1 || p.Cols < 1 || p.Rows > observe.MostNodes || p.Cols > observe.MostNodes || p.Rows*p.Cols > observe.MostNodes:
		return bad("a PSF at %d × %d nodes: at least 1 each, and %d in all", p.Rows, p.Cols, observe.MostNodes)
	case p.Kind != observe.PSFFile && p.Kind != observe.PSFMeasure:
		return bad("a PSF that varies comes from a file or from stars, not from %q: --psf-grid ROWSxCOLS:FILE, or ROWSxCOLS", p.Kind)
	case !r.Method.Kind.Varies():
		return bad("method %s takes one PSF for all of the image: gaussian, learned, wiener, tv and rl take one that varies", r.Method.Kind)
	case r.Method.Tile != 0:
		return bad("tiles take one PSF for all of the image: leave out the tiles, or the PSF's nodes")
	}
	return nil
}

// validateExposures checks several exposures, or finer pixels.
func (r Recipe) validateExposures() error {
	in := r.Input
	switch {
	case in.Scale < 0 || in.Scale > MaxScale:
		return bad("pixels divided by %d: 1 to %d", in.Scale, MaxScale)
	case len(in.Others) >= MaxExposures:
		return bad("%d exposures: at most %d", len(in.Others)+1, MaxExposures)
	case r.PSF.Samples < 0 || r.PSF.Samples > MaxSamplesPSF:
		return bad("a PSF of %d samples per pixel: 1 to %d", r.PSF.Samples, MaxSamplesPSF)
	case r.PSF.Samples > 1 && r.PSF.Kind != observe.PSFFile:
		return bad("samples per pixel are of a PSF from a file, not from %q", r.PSF.Kind)
	case !r.Stacked():
		return nil
	case !r.Method.Kind.Stacks():
		return bad("method %s takes one image on its own pixels: gaussian, learned, wiener, tv and rl take several, or finer ones", r.Method.Kind)
	case r.Method.Tile != 0:
		return bad("tiles take one image on its own pixels: leave them out, or work on a cut-out")
	case r.PSF.Rows > 0:
		return bad("a PSF that varies takes one image on its own pixels: leave out its nodes")
	case r.Noise.Spectrum != observe.SpectrumWhite:
		return bad("several exposures, and finer pixels, take pixels' noise as independent: give exposures that were not resampled, and no spectrum of their noise")
	}
	if len(in.Others) > 0 && (r.Noise.File != "" || r.Mask.File != "") {
		return bad("several exposures have maps of noise and masks in their own files: name HDUs, not a file")
	}
	for i, e := range in.Others {
		switch {
		case e.File == "":
			return bad("exposure %d has no file", i+2)
		case e.PSF != nil && (e.PSF.Rows > 0 || e.PSF.Samples < 0 || e.PSF.Samples > MaxSamplesPSF):
			return bad("exposure %d: one PSF, of 1 to %d samples per pixel", i+2, MaxSamplesPSF)
		}
	}
	return nil
}

// validateColour checks noise that is correlated.
func (r Recipe) validateColour() error {
	n := r.Noise
	switch {
	case n.Spectrum == observe.SpectrumWhite && (n.SpectrumFile != "" || n.SpectrumHDU != nil):
		return bad("noise: a file of its spectrum, and the spectrum %q: \"file\" reads it", n.Spectrum)
	case n.Spectrum == observe.SpectrumWhite:
		return nil
	case n.Spectrum != observe.SpectrumMeasured && n.Spectrum != observe.SpectrumFile:
		return bad("noise: spectrum %q is not one of measured, file, or none for independent pixels", n.Spectrum)
	case n.Spectrum == observe.SpectrumFile && n.SpectrumFile == "" && n.SpectrumHDU == nil:
		return bad("noise: spectrum \"file\" needs a file or an HDU")
	case !r.Method.Kind.Colours():
		return bad("method %s takes pixels' noise as independent: gaussian, learned, wiener and tv take its spectrum", r.Method.Kind)
	}
	return nil
}

func known(m deconv.Method) bool {
	_, ok := m.About()
	return ok
}

func (r Recipe) validatePrior() error {
	p, about := r.Prior, aboutOf(r.Method.Kind)
	switch {
	case r.Method.Kind == deconv.Learned && p.Kind == PriorGaussian:
		return bad("method learned needs a learned prior, as galaxies")
	case r.Method.Kind == deconv.Learned && p.Kind == PriorWeights && p.File == "":
		return bad("prior: kind \"weights\" needs a file")
	case !about.Spectrum:
		return nil
	case p.Kind != PriorGaussian:
		return bad("prior %q: method %s takes a gaussian one; a learned prior needs method learned", p.Kind, r.Method.Kind)
	case p.Spectrum == "fit":
		return nil
	case p.Spectrum == "file" && p.File == "":
		return bad("prior: spectrum \"file\" needs a file")
	case p.Spectrum == "points" && (len(p.K) == 0 || len(p.K) != len(p.P)):
		return bad("prior: spectrum \"points\" needs as many k as p, has %d and %d", len(p.K), len(p.P))
	case p.Spectrum != "file" && p.Spectrum != "points":
		return bad("prior: spectrum %q is not one of fit, file, points", p.Spectrum)
	}
	return nil
}

func aboutOf(m deconv.Method) deconv.About {
	a, _ := m.About()
	return a
}

// devices are the names a recipe may give; which of them are there is found out later.
var devices = regexp.MustCompile(`^(|auto|cpu|gpu|(webgpu|cuda)(:[0-9]{1,3})?|cuda:[0-9]{1,3}-tf32x3)$`)
