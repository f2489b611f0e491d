// Package form is a recipe as a person edits it: what has been typed, whether it
// can be understood, which fields there are and what stands in their lists. It
// knows nothing of windows; a view shows any list of Fields alike.
package form

import (
	"strings"

	"limpid"
)

// ID names a field of the form.
type ID string

// The fields, by step.
const (
	HDU    ID = "hdu"
	Plane  ID = "plane"
	Cutout ID = "cutout"

	Exposures ID = "exposures"
	Finer     ID = "scale"

	PSFKind   ID = "psf"
	PSFSource ID = "psf.source"
	PSFNodes  ID = "psf.nodes"
	PSFFiner  ID = "psf.samples"
	FWHM      ID = "psf.fwhm"
	FWHMUnit  ID = "psf.unit"
	Beta      ID = "psf.beta"
	Recenter  ID = "psf.recenter"
	PSFError  ID = "psf.error"

	NoiseKind   ID = "noise"
	NoiseSource ID = "noise.source"
	Gain        ID = "noise.gain"
	ReadNoise   ID = "noise.ron"
	Sigma       ID = "noise.sigma"
	Colour      ID = "noise.spectrum"
	ColourFile  ID = "noise.spectrum.file"
	SkyKind     ID = "sky"
	SkyLevel    ID = "sky.level"
	SkyMesh     ID = "sky.mesh"
	SkyFree     ID = "sky.free"
	MaskSource  ID = "mask"
	Saturation  ID = "saturation"

	Method       ID = "method"
	Prior        ID = "prior"
	PriorFile    ID = "prior.weights"
	Budget       ID = "budget"
	Strength     ID = "strength"
	Resolution   ID = "resolution"
	Tile         ID = "tile"
	Spectrum     ID = "prior.spectrum"
	SpectrumFile ID = "prior.file"
	Iterations   ID = "rl.iterations"
	Damping      ID = "rl.damping"
	StopAtNoise  ID = "rl.stop"
	FaintLight   ID = "faint"

	Stars     ID = "stars"
	StarError ID = "stars.error"

	Samples ID = "samples"
	Seed    ID = "seed"

	// Checksum is no line of the form: setting it empty lets the recipe run on a
	// file that has changed.
	Checksum ID = "checksum"
)

// Step is one part of the recipe, in the order in which it is worked through.
type Step string

// The steps of a deconvolution.
const (
	StepData  Step = "data"
	StepPSF   Step = "psf"
	StepNoise Step = "noise"
	StepPrior Step = "prior"
	StepDraw  Step = "draw"
)

// Steps lists them in order.
func Steps() []Step { return []Step{StepData, StepPSF, StepNoise, StepPrior, StepDraw} }

// Title heads the step.
func (s Step) Title() string {
	switch s {
	case StepData:
		return "Data"
	case StepPSF:
		return "PSF"
	case StepNoise:
		return "Noise, sky and mask"
	case StepPrior:
		return "Method and prior"
	case StepDraw:
		return "Draw"
	}
	return string(s)
}

// About says what the step is for, to someone who sees it for the first time.
func (s Step) About() string {
	switch s {
	case StepData:
		return "Which image, plane and part of it"
	case StepPSF:
		return "How a point of light was blurred"
	case StepNoise:
		return "How far a pixel can be trusted"
	case StepPrior:
		return "What is known before the data"
	case StepDraw:
		return "How many possible scenes to draw"
	}
	return ""
}

// StepFor tells where a field stands.
func StepFor(id ID) Step {
	switch id {
	case HDU, Plane, Cutout, Exposures, Finer:
		return StepData
	case PSFKind, PSFSource, PSFNodes, PSFFiner, FWHM, FWHMUnit, Beta, Recenter, PSFError:
		return StepPSF
	case Method, Prior, PriorFile, Budget, FaintLight, Strength, Spectrum, SpectrumFile, Iterations, Damping, StopAtNoise, Stars, StarError:
		return StepPrior
	case Samples, Seed, Resolution, Tile:
		return StepDraw
	}
	return StepNoise
}

// Kind says which control shows a field.
type Kind int

// A Text takes what is typed, a Choice one of Options, a Toggle "true" or "",
// a File one of Options or a file that is looked for.
const (
	Text Kind = iota
	Choice
	Toggle
	File
)

// Option is one entry of a list.
type Option struct{ Value, Label string }

// Field is one line of the form, ready to show.
type Field struct {
	ID      ID
	Label   string
	Kind    Kind
	Value   string
	Options []Option
	Blank   string // what an empty Text means ("measured", "whole image")
	Unit    string // after the control
	Help    string // a sentence for a tool tip
	Error   string // why the value cannot be used
}

// Set is one change of the form.
type Set struct {
	ID    ID
	Value string
}

// Fix is a remedy that a finding's button applies: values to set and, where the
// user has to add something, the field to go to.
type Fix struct {
	Label string
	Sets  []Set
	Focus ID // empty: nothing is left to type
}

// StepOf says where a finding matters; ok is false for what is about the result
// as a whole.
func StepOf(f limpid.Finding) (Step, bool) {
	prefix := f.Code
	for i, c := range f.Code {
		if c == '.' {
			prefix = f.Code[:i]
			break
		}
	}
	switch prefix {
	case "psf", "stars", "scale":
		return StepPSF, true
	case "noise", "sky", "mask", "masked":
		return StepNoise, true
	case "prior", "method":
		return StepPrior, true
	case "fit", "chains", "calibration", "faint":
		return "", false
	}
	return StepData, true
}

// Plain is a message without the names of packages in front of it and with a
// capital, for people.
func Plain(s string) string {
	for {
		name, rest, ok := strings.Cut(s, ": ")
		if !ok || !packages[name] {
			break
		}
		s = rest
	}
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, "./[") { // no file name
			s = string(s[0]-'a'+'A') + s[1:]
		}
	}
	return s
}

var packages = map[string]bool{
	"session": true, "observe": true, "wcs": true, "fitsio": true, "recipe": true, "deconv": true,
	"solvers": true, "operator": true, "figure": true, "panel": true, "engine": true, "assets": true, "mcmc": true, "optim": true,
}
