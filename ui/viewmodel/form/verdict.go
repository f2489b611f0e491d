package form

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"limpid/app/figure"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Verdict says in one line what a step has come to. o is the observation as last
// measured; nil: not yet. Without it the line says what was chosen.
func (d Draft) Verdict(s Step, c Context, o *session.Observed) string {
	switch s {
	case StepData:
		return d.dataVerdict(c, o)
	case StepPSF:
		return d.psfVerdict(o)
	case StepNoise:
		return d.noiseVerdict(c, o)
	case StepPrior:
		return d.priorVerdict()
	case StepDraw:
		if about, _ := deconv.Method(d.Get(Method)).About(); !about.Samples {
			return "one estimate, no samples"
		}
		return fmt.Sprintf("%s samples, seed %s", d.Get(Samples), d.Get(Seed))
	}
	return ""
}

func (d Draft) dataVerdict(c Context, o *session.Observed) string {
	h, ok := d.Image(c.This)
	if !ok {
		return "no image in this file"
	}
	n := len(h.Shape)
	w, hh := h.Shape[n-1], h.Shape[n-2]
	name := h.Name
	if name == "" || name == "PRIMARY" {
		name = fmt.Sprintf("HDU %d", h.Index)
	}
	r, _ := d.Recipe()
	if cut := r.Input.Cutout; cut != nil {
		w, hh = cut[1]-cut[0], cut[3]-cut[2]
		name += " cut-out"
	}
	parts := []string{fmt.Sprintf("%s %d×%d px", name, w, hh)}
	switch p := h.Planes(); {
	case p > 1 && r.Input.Plane != nil:
		parts = append(parts, fmt.Sprintf("plane %d of %d", *r.Input.Plane, p))
	case p > 1:
		parts = append(parts, fmt.Sprintf("%d bands", p))
	}
	if n := len(r.Input.Others); n > 0 {
		parts = append(parts, fmt.Sprintf("%d exposures", n+1))
	}
	if n := r.Input.Scale; n > 1 {
		parts = append(parts, fmt.Sprintf("pixels %d × finer", n))
	}
	if o != nil && o.WCS != nil {
		parts = append(parts, scaleText(o.WCS.PixelScale())+"/px")
	}
	if h.Unit != "" {
		parts = append(parts, h.Unit)
	}
	return strings.Join(parts, ", ")
}

// scaleText is an angle with the unit that suits it.
func scaleText(arcsec float64) string {
	switch {
	case arcsec < 0.1:
		return fmt.Sprintf("%.3g mas", 1000*arcsec)
	case arcsec < 120:
		return fmt.Sprintf("%.3g″", arcsec)
	}
	return fmt.Sprintf("%.3g′", arcsec/60)
}

func (d Draft) psfVerdict(o *session.Observed) string {
	r, _ := d.Recipe()
	var width string
	if o != nil && o.Report != nil && len(o.Report.FWHM) > 0 {
		width = widthText(o)
	}
	switch r.PSF.Kind {
	case observe.PSFNone:
		return "none: noise is taken out, nothing is sharpened"
	case observe.PSFMeasure:
		if width == "" {
			return "to be measured from stars"
		}
		return measuredText(o)
	case observe.PSFFile:
		name := "PSF HDU"
		if r.PSF.File != "" {
			name = sourceLabel(r.PSF.File)
		} else if r.PSF.HDU != nil {
			name = fmt.Sprintf("HDU %d", *r.PSF.HDU)
		}
		if r.PSF.Rows > 0 {
			name += fmt.Sprintf(", varies: %d×%d nodes", r.PSF.Rows, r.PSF.Cols)
		}
		if width == "" {
			return name
		}
		text := fmt.Sprintf("%s, %s, %d×%d px", name, width, o.Obs.PSF.W, o.Obs.PSF.H)
		if r.PSF.Recenter {
			text += ", recentred"
		}
		return text
	}
	name := map[observe.PSFKind]string{observe.PSFGaussian: "Gaussian", observe.PSFMoffat: "Moffat", observe.PSFAiry: "Airy"}[r.PSF.Kind]
	if r.PSF.Kind == observe.PSFMoffat {
		name += " β " + orElse(d.Get(Beta), "3")
	}
	if width == "" {
		width = fmt.Sprintf("FWHM %s %s", d.Get(FWHM), d.Get(FWHMUnit))
	}
	return name + ", " + width
}

// measuredText is the profile that was fitted to the stars and how well they agree
// with it.
func measuredText(o *session.Observed) string {
	of := func(f func(observe.StarPSF) float64) (lo, hi float64) {
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, p := range o.Report.PSF {
			lo, hi = min(lo, f(p)), max(hi, f(p))
		}
		return lo, hi
	}
	if len(o.Report.PSF) == 0 {
		return "measured from stars"
	}
	b0, b1 := of(func(p observe.StarPSF) float64 { return p.Beta })
	w0, w1 := of(func(p observe.StarPSF) float64 { return p.FWHM })
	n0, n1 := of(func(p observe.StarPSF) float64 { return float64(p.Used) })
	_, worst := of(func(p observe.StarPSF) float64 { return p.Error })
	const steep = 15 // a Moffat profile that is one no more
	text := fmt.Sprintf("Moffat β %s, FWHM %s px", rangeText(min(b0, steep), min(b1, steep), "%.1f"), rangeText(w0, w1, "%.2g"))
	if o.WCS != nil {
		k := o.WCS.PixelScale()
		text += " (" + rangeText(w0*k, w1*k, "%.2g") + "″)"
	}
	stars := " stars"
	if n1 == 1 {
		stars = " star"
	}
	if b1 > steep {
		text = strings.Replace(text, "15.0", "above 15", 1)
	}
	text += ", from " + rangeText(n0, n1, "%.0f") + stars
	const small = 0.02 // stars agree
	if worst > small && n1 > 1 {
		text += fmt.Sprintf(" that differ by %.0f %%", 100*worst)
	}
	return text
}

// widthText is the FWHM over the bands in pixels and on the sky.
func widthText(o *session.Observed) string {
	lo, hi := slices.Min(o.Report.FWHM), slices.Max(o.Report.FWHM)
	text := "FWHM " + rangeText(lo, hi, "%.2g") + " px"
	if o.WCS != nil {
		k := o.WCS.PixelScale()
		text += fmt.Sprintf(" (%s)", rangeText(lo*k, hi*k, "%.2g")+"″")
	}
	return text
}

func rangeText(lo, hi float64, format string) string {
	a, b := fmt.Sprintf(format, lo), fmt.Sprintf(format, hi)
	if a == b {
		return a
	}
	return a + "–" + b
}

func (d Draft) noiseVerdict(c Context, o *session.Observed) string {
	if o == nil || o.Obs == nil {
		return map[observe.NoiseKind]string{
			observe.NoiseAuto: "automatic", observe.NoiseSky: "scatter of the sky", observe.NoiseSigma: "σ " + d.Get(Sigma) + " " + c.Unit,
			observe.NoiseGain: "gain and read noise", observe.NoiseWeights: "weight map", observe.NoiseVariance: "variance map", observe.NoiseStd: "σ map",
		}[observe.NoiseKind(d.Get(NoiseKind))]
	}
	lo, hi := sigmaRange(o)
	text := "σ " + Range(lo, hi, c.Unit) + " " + noiseOrigin(o)
	masked := 0
	for _, n := range o.Report.Masked {
		masked += n
	}
	levels := o.Report.SkyLevel
	if len(levels) > 0 && slices.ContainsFunc(levels, func(v float64) bool { return v != 0 }) {
		text += "; sky " + Range(slices.Min(levels)/o.Scale, slices.Max(levels)/o.Scale, "") + " subtracted"
	}
	if o.Obs.Colour != nil {
		text += "; correlated"
	}
	if masked > 0 {
		text += fmt.Sprintf("; %d px masked", masked)
	}
	return text
}

func noiseOrigin(o *session.Observed) string {
	n := o.Recipe.Noise
	switch o.Report.Noise {
	case observe.NoiseSky:
		if n.Gain > 0 {
			return "from the sky and the gain"
		}
		return "from the sky"
	case observe.NoiseSigma:
		return "as given"
	case observe.NoiseGain:
		return "from gain and read noise"
	}
	where := "a " + string(o.Report.Noise) + " map"
	if n.HDU != nil {
		where = fmt.Sprintf("HDU %d (%s)", *n.HDU, o.Report.Noise)
	}
	if n.File != "" {
		where = sourceLabel(n.File)
	}
	return "from " + where
}

// sigmaRange is the median noise of a pixel over the bands.
func sigmaRange(o *session.Observed) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	weights := o.Obs.Weights
	if len(o.Obs.Exposures) > 0 {
		weights = o.Obs.Exposures[0].Weights
	}
	for c := range weights.C {
		if s := medianSigma(weights.Plane(c)) / o.Scale; s > 0 {
			lo, hi = min(lo, s), max(hi, s)
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}

func medianSigma(weights []float32) float64 {
	const most = 50000 // enough for a line of text
	step := max(1, len(weights)/most)
	var v []float64
	for i := 0; i < len(weights); i += step {
		if w := float64(weights[i]); w > 0 {
			v = append(v, 1/math.Sqrt(w))
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// Range writes one number, or two where they differ, with a unit.
func Range(lo, hi float64, unit string) string {
	text := short(lo)
	if b := short(hi); b != text {
		text += " to " + b
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// short writes a number with three digits for a line of text.
func short(v float64) string {
	if a := math.Abs(v); a != 0 && (a >= 1e5 || a < 1e-3) {
		e := int(math.Floor(math.Log10(a)))
		return figure.Minus(fmt.Sprintf("%.3g", v/math.Pow(10, float64(e)))) + "×10" + figure.Superscript(e)
	}
	if math.Abs(v) >= 1000 {
		return figure.Minus(fmt.Sprintf("%.0f", v))
	}
	return figure.Minus(fmt.Sprintf("%.3g", v))
}

func (d Draft) priorVerdict() string {
	r, _ := d.Recipe()
	switch r.Method.Kind {
	case deconv.Learned:
		text := "posterior, learned prior: " + r.Prior.Kind
		if r.Prior.Kind == recipe.PriorWeights {
			text = "posterior, prior of " + sourceLabel(r.Prior.File)
		}
		if r.Method.Budget != deconv.Standard {
			text += ", " + string(r.Method.Budget)
		}
		if r.Method.Recalibrate {
			text += ", faint light recalibrated"
		}
		return text
	case deconv.Starlet, deconv.TV:
		about, _ := r.Method.Kind.About()
		strength := "automatic"
		if r.Method.Strength > 0 {
			strength = d.Get(Strength) + " σ"
		}
		return strings.ToLower(about.Short) + ", " + strength + ": no uncertainty"
	case deconv.RichardsonLucy:
		text := fmt.Sprintf("Richardson–Lucy, %s iterations", orElse(d.Get(Iterations), "50"))
		if r.Method.Strength > 0 {
			text += ", total variation " + d.Get(Strength)
		}
		if r.Method.Damping > 0 {
			text += fmt.Sprintf(", damped at %s σ", d.Get(Damping))
		}
		if r.Method.StopAtNoise {
			text += ", at most"
		}
		return text + ": no uncertainty"
	}
	spectrum := map[string]string{spectFit: "spectrum fitted to the data", spectFile: "spectrum of " + sourceLabel(d.Get(SpectrumFile)), spectPoint: "spectrum of the recipe"}
	if r.Method.Kind == deconv.Wiener {
		return "Wiener filter, " + spectrum[r.Prior.Spectrum] + ": no uncertainty"
	}
	return "exact posterior, Gaussian prior, " + spectrum[r.Prior.Spectrum]
}
