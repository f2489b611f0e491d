package session

import (
	"fmt"
	"math"

	"limpid"
	"limpid/app/recipe"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/summary"
)

// Result is what a run has found so far. All images are (C, H, W) in the data's
// unit. It is immutable.
type Result struct {
	Recipe   recipe.Recipe // with HDUs, checksum and what was measured
	Complete bool
	Draws    int
	// FaintPairs is on how many simulations it was measured what faint pixels of Mean, Std and
	// Samples are mapped to (calibrate.Faint); 0: they are as sampled.
	FaintPairs int

	Data     solvers.Image         // the observation, sky subtracted, 0 where masked
	Weights  solvers.Image         // inverse variance, 0 where masked
	Colour   []solvers.Correlation // of the noise, per band; nil: pixels were taken as independent
	PSF      solvers.Image
	Mean     solvers.Image
	Std      solvers.Image // empty for estimates without uncertainty
	Samples  []solvers.Image
	Residual solvers.Image // y − A mean
	// PriorShare is what of the mean's power about a pixel comes from the prior rather than
	// from the data, 0 to 1, and Finer the same of all that is bright (NaN: nothing is): see
	// deconv.Share. Empty before the run is complete.
	PriorShare solvers.Image
	Finer      float64

	Fits        []deconv.Fit     // per band
	FreeSky     []deconv.SkyFit  // per band, or of every exposure; nil: none was free
	Skies       []string         // names of those: bands or exposures
	Stars       []deconv.StarFit // beside the scene; in the residual, and with a resolution in mean and samples
	FluxStd     []float64        // per band, of the scene's flux; NaN without draws
	Convergence summary.Convergence
	Spectra     []gaussian.Spectrum // of a Gaussian prior, of data times Scale
	Scale       float64             // what the run's data were multiplied by; everything else here is in Unit
	Report      *observe.Report
	Findings    []limpid.Finding
	References  []string
	Bands       []string
	Unit        string
	Device      string // where it was computed

	Header *fitsio.Header
	WCS    *wcs.WCS
}

// newResult makes a snapshot of a run.
func newResult(w *work, complete bool) (*Result, error) {
	o := w.obs
	scene := w.shown()
	residual, fits, err := w.problem.Residual(scene.grid)
	if err != nil {
		return nil, err
	}
	res := &Result{
		Recipe: o.Recipe, Complete: complete, Draws: w.sum.Draws(),
		Data: o.physical(o.Obs.Data), Weights: o.physicalWeights(), PSF: o.Obs.PSF, Colour: o.Obs.Colour,
		Mean: o.physical(scene.mean), Std: o.physical(scene.std), FaintPairs: scene.pairs, Residual: o.physical(residual),
		Fits: fits, Convergence: w.sum.Convergence(),
		Spectra: w.problem.Spectra, Scale: o.Scale, Report: o.Report,
		References: w.problem.Kernel.References(), Bands: o.Obs.Bands, Unit: o.Obs.Unit,
		Header: o.Header, WCS: o.WCS, Finer: math.NaN(),
	}
	if o.Obs.Exposures != nil {
		res.References = append(res.References, "Unser1999")
	}
	if res.Colour != nil {
		res.References = append(res.References, "Vecchia1988")
	}
	if scene.pairs > 0 {
		res.References = append(res.References, "Kuleshov2018")
	}
	if o.Recipe.Noise.Spectrum == observe.SpectrumMeasured {
		res.References = append(res.References, "PolitisRomano1995", "Politis2003")
	}
	if complete {
		share, err := w.problem.PriorShare(scene.grid, o.Recipe.Method.Resolution)
		if err != nil {
			return nil, err
		}
		res.PriorShare, res.Finer = share.Map, share.Finer
	}
	if err := res.findBeside(w); err != nil {
		return nil, err
	}
	for _, s := range scene.samples {
		res.Samples = append(res.Samples, o.physical(s))
	}
	for c := range res.Fits {
		f := &res.Fits[c]
		f.FluxData, f.FluxModel, f.FluxScene = f.FluxData/o.Scale, f.FluxModel/o.Scale, f.FluxScene/o.Scale
		res.FluxStd = append(res.FluxStd, w.sum.FluxStd(c)/o.Scale)
	}
	res.Findings = append(res.Findings, o.Findings...)
	res.Findings = append(res.Findings, w.problem.Findings...)
	res.Findings = append(res.Findings, res.fitFindings()...)
	return res, nil
}

func (o *Observed) physicalWeights() solvers.Image {
	if o.Scale == 1 {
		return o.Obs.Weights
	}
	out := o.Obs.Weights.Clone()
	multiply(out.Pix, o.Scale*o.Scale)
	return out
}

// WorstChi2 is the band's χ² per pixel that is farthest from 1, as a ratio: of
// the draws, or of the estimate where there are none.
func (r *Result) WorstChi2() float64 {
	worst := math.NaN()
	for _, f := range r.Fits {
		chi := f.Chi2Draws
		if math.IsNaN(chi) {
			chi = f.Chi2
		}
		if math.IsNaN(worst) || math.Abs(math.Log(chi)) > math.Abs(math.Log(worst)) {
			worst = chi
		}
	}
	return worst
}

// Bounds of what is unremarkable.
const (
	chi2High    = 1.15 // of draws: above, the samples miss the data
	chi2Wrong   = 1.5  // above, the model does not explain the data at all
	chi2Low     = 0.85 // below, the noise is overstated
	rhatHigh    = 1.05
	fluxOffHigh = 0.02
	reachHigh   = 8 // σ, of a single pixel of the residual
	drawsFew    = 8 // n normal draws know their deviation to 1/√(2(n−1)): fewer, to a quarter at best
)

// fitFindings says what is doubtful about the fit.
func (r *Result) fitFindings() []limpid.Finding {
	var out []limpid.Finding
	add := func(code, where, what, advice string) {
		out = append(out, limpid.Finding{Severity: limpid.Warning, Code: code, What: what, Where: where, Advice: advice})
	}
	for c, f := range r.Fits {
		switch {
		case f.Chi2Draws > chi2High:
			add("fit.chi2", r.Bands[c], fmt.Sprintf("the samples are farther from the data than the noise allows: χ²/pixel %.2f", f.Chi2Draws),
				"the PSF or the noise is wrong, or the noise is correlated: look at the residual")
		case f.Chi2Draws < chi2Low:
			add("fit.overfit", r.Bands[c], fmt.Sprintf("the samples are nearer to the data than the noise: χ²/pixel %.2f", f.Chi2Draws),
				"the noise may be overstated, or correlated: compare it with the scatter of the sky")
		}
		if r.Draws > 0 && f.Reach > reachHigh {
			add("fit.pixel", r.Bands[c], fmt.Sprintf("a pixel of the residual is %.0f times its noise", f.Reach),
				"a saturated star, a cosmic ray, or a PSF that does not fit the brightest source: mask it, or give the PSF's error")
		}
		if d := math.Abs(f.FluxModel - f.FluxData); r.Draws > 0 && d > fluxOffHigh*math.Abs(f.FluxData) && d > 5*r.fluxNoise(c) {
			add("fit.flux", r.Bands[c], fmt.Sprintf("the model holds %.1f %% of the data's flux", 100*f.FluxModel/f.FluxData),
				"look at the residual; a wrong sky level does this")
		}
	}
	if r.Complete && r.Draws > 1 && r.Draws < drawsFew {
		add("chains.few", "samples", fmt.Sprintf("the error bars come from %d samples and are themselves uncertain by %.0f %%", r.Draws, 100/math.Sqrt(2*float64(r.Draws-1))),
			"draw more samples: error bars from 64 are within a tenth")
	}
	if r.Draws >= 16 && r.Convergence.RHat > rhatHigh {
		add("chains.rhat", "samples", fmt.Sprintf("the chains disagree: R-hat %.2f", r.Convergence.RHat), "draw more samples")
	}
	return out
}

// fluxNoise is the standard deviation of the data's summed flux.
func (r *Result) fluxNoise(c int) float64 {
	var v float64
	for _, w := range r.Weights.Plane(c) {
		if w > 0 {
			v += 1 / float64(w)
		}
	}
	if c < len(r.Colour) {
		v *= r.Colour[c].Sum()
	}
	return math.Sqrt(v)
}

// Sentence says in one line whether the result can be believed.
func (r *Result) Sentence() string {
	chi := r.WorstChi2()
	reach := 0.0
	for _, f := range r.Fits {
		reach = math.Max(reach, f.Reach)
	}
	fit := "the model explains the data within the noise"
	switch {
	case chi > chi2Wrong:
		fit = "the model does NOT explain the data: do not use these error bars"
	case chi > chi2High:
		fit = "the samples lie farther from the data than the noise allows: look at the residual, some error bars are too small"
	case chi < chi2Low:
		fit = "the samples lie nearer to the data than the noise: the noise, and with it the error bars, seem too large"
	case reach > reachHigh:
		fit = fmt.Sprintf("the model explains the data within the noise, but for places where the residual reaches %.0f σ", reach)
	}
	if r.Draws == 0 {
		return fmt.Sprintf("Residual χ²/pixel %.2f; this method gives no uncertainty", chi)
	}
	return fmt.Sprintf("%s (χ²/pixel of the samples %.2f); %d posterior samples", capital(fit), chi, r.Draws)
}

// FinerSentence says how much of what is bright comes from the prior; "" where it is not
// known.
func (r *Result) FinerSentence() string {
	if math.IsNaN(r.Finer) {
		return ""
	}
	what := "prior"
	if r.Draws == 0 {
		what = "method"
	}
	return fmt.Sprintf("%.2g %% of the structure brighter than 3 σ is finer than the data show and comes from the %s", 100*r.Finer, what)
}

// CalibrationSentence says how often error bars like the result's held the truth of
// simulations; "" for a method whose error bars no simulation was asked about.
func (r *Result) CalibrationSentence() string {
	for _, f := range r.Findings {
		if f.Code == CodeCalibration {
			return f.What
		}
	}
	return ""
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }
