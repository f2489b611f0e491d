package form

import (
	"fmt"
	"strconv"

	"limpid"
	"limpid/app/session"
	"limpid/solvers/observe"
)

// FixFor is the remedy that a finding's button applies; ok is false where there
// is none that does not need the user's own judgement of the data.
func (d Draft) FixFor(f limpid.Finding, c Context, o *session.Observed) (Fix, bool) {
	switch f.Code {
	case "psf.center":
		if d.Get(PSFKind) == string(observe.PSFFile) && d.Get(Recenter) != True {
			return Fix{Label: "Recentre the PSF", Sets: []Set{{Recenter, True}}}, true
		}
	case "psf.measured", "fit.pixel":
		return d.psfErrorFix(o)
	case "stars", "psf":
		return Fix{Label: "Give a profile", Sets: []Set{{PSFKind, string(observe.PSFMoffat)}}, Focus: FWHM}, true
	case "noise.guessed":
		if d.Get(Gain) == "" {
			return Fix{Label: "Give the gain", Focus: Gain}, true
		}
	case "noise.correlated":
		if d.Get(Colour) == string(observe.SpectrumWhite) && d.whiteOnly() == "" {
			return Fix{Label: "Measure its spectrum", Sets: []Set{{Colour, string(observe.SpectrumMeasured)}}}, true
		}
	case "noise.spectrum":
		return Fix{Label: "Take pixels as independent", Sets: []Set{{Colour, string(observe.SpectrumWhite)}}}, true
	case "sky.subtracted":
		return Fix{Label: "Subtract a level", Sets: []Set{{SkyKind, string(observe.SkyConstant)}, {SkyLevel, ""}}}, true
	case "sky.mesh":
		if d.Get(SkyKind) != string(observe.SkyConstant) {
			return Fix{Label: "Use one level", Sets: []Set{{SkyKind, string(observe.SkyConstant)}, {SkyLevel, ""}}}, true
		}
	case "scale":
		return Fix{Label: "Give it in px", Sets: []Set{{FWHMUnit, "px"}}, Focus: FWHM}, true
	case "shape":
		if d.Get(Cutout) != "" {
			return Fix{Label: "Use the whole image", Sets: []Set{{Cutout, ""}}}, true
		}
		if h, ok := d.Image(c.This); ok && h.Planes() > 1 && d.Get(Plane) == AllPlanes {
			k := strconv.Itoa(min(c.Plane, h.Planes()-1))
			return Fix{Label: "Use plane " + k, Sets: []Set{{Plane, k}}}, true
		}
	case "changed":
		return Fix{Label: "Use the file as it is", Sets: []Set{{Checksum, ""}}}, true
	case "chains.rhat":
		n, err := strconv.Atoi(d.Get(Samples))
		if err == nil && n > 0 {
			return Fix{Label: fmt.Sprintf("Draw %d", 4*n), Sets: []Set{{Samples, strconv.Itoa(4 * n)}}}, true
		}
	}
	return Fix{}, false
}

// psfErrorFix offers the error that the stars show.
func (d Draft) psfErrorFix(o *session.Observed) (Fix, bool) {
	if o == nil || o.Report == nil || d.Get(PSFError) != "" {
		return Fix{}, false
	}
	var worst float64
	for _, p := range o.Report.PSF {
		worst = max(worst, p.Error)
	}
	const small = 0.02 // below it the finding gives no advice either
	if worst <= small || worst >= 1 {
		return Fix{}, false
	}
	text := strconv.FormatFloat(worst, 'f', 2, 64)
	return Fix{Label: "Allow a PSF error of " + text, Sets: []Set{{PSFError, text}}}, true
}
