package cli

import (
	"encoding/json"
	"fmt"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// printResult says in lines what a deconvolution found and where it is.
func printResult(e *Env, res *session.Result, run *session.Run, written []string) {
	for _, f := range res.Findings {
		if f.Severity != limpid.Info {
			fmt.Fprintln(e.Out, f)
		}
	}
	printStars(e, res)
	for c, fit := range res.Fits {
		name := ""
		if len(res.Fits) > 1 {
			name = res.Bands[c] + ": "
		}
		flux := fmt.Sprintf("%.6g", fit.FluxScene)
		if res.Draws > 1 {
			flux += fmt.Sprintf(" ± %.2g", res.FluxStd[c])
		}
		chi := fmt.Sprintf("χ²/pixel of the mean %.3f", fit.Chi2)
		if res.Draws > 0 {
			chi += fmt.Sprintf(", of samples %.3f (expect 1)", fit.Chi2Draws)
		}
		fmt.Fprintf(e.Out, "%s%s · flux in %.6g, model %.6g, scene %s %s\n", name, chi, fit.FluxData, fit.FluxModel, flux, res.Unit)
	}
	for _, line := range res.BesideLines() {
		fmt.Fprintln(e.Out, line)
	}
	if res.Draws > 0 {
		line := fmt.Sprintf("%d samples · seed %d", res.Draws, res.Recipe.Draw.Seed)
		if c := res.Convergence; c.RHat == c.RHat { // not NaN
			line += fmt.Sprintf(" · R-hat %.3f (worst of the probes %.3f) · ESS %.0f", c.RHat, c.WorstRHat, c.ESS)
		}
		fmt.Fprintln(e.Out, line)
	}
	fmt.Fprintf(e.Out, "%s.\n", res.Sentence())
	if finer := res.FinerSentence(); finer != "" {
		fmt.Fprintf(e.Out, "%s.\n", finer)
	}
	for _, f := range res.Findings { // warnings stand above
		if f.Code == session.CodeCalibration && f.Severity == limpid.Info {
			fmt.Fprintf(e.Out, "%s.\n", f.What)
		}
	}
	fmt.Fprintf(e.Out, "%.1f s on %s\n", run.Status().Elapsed.Seconds(), res.Device)
	for _, w := range written {
		fmt.Fprintln(e.Out, "wrote", w)
	}
}

// printStars lists the stars a PSF was measured from, in FITS pixels.
func printStars(e *Env, res *session.Result) {
	for c, p := range res.Report.PSF {
		fmt.Fprintf(e.Out, "PSF of %s: FWHM %.2f px, Moffat β %.1f, from %d of %d candidates:\n", res.Bands[c], res.Report.FWHM[c], p.Beta, p.Used, len(p.Stars))
		for _, s := range p.Stars {
			if s.Used {
				fmt.Fprintf(e.Out, "  star at (%.1f, %.1f), S/N %.0f, half-light radius %.2f px\n", s.X+1, s.Y+1, s.SNR, s.HalfLight)
			}
		}
	}
}

// summaryJSON is what --json prints.
type summaryJSON struct {
	Recipe   recipe.Recipe    `json:"recipe"`
	Fits     []deconv.Fit     `json:"fits"`
	ChiDraws []*float64       `json:"chi2_per_pixel_of_draws"`
	FluxStd  []*float64       `json:"flux_std"`
	Draws    int              `json:"draws"`
	RHat     *float64         `json:"rhat"`
	ESS      *float64         `json:"ess"`
	FWHM     []float64        `json:"psf_fwhm_px"`
	Stars    []observe.Star   `json:"stars,omitempty"`
	Finer    *float64         `json:"share_of_bright_structure_from_prior"`
	FreeSky  []skyJSON        `json:"free_sky,omitempty"`
	Points   []pointJSON      `json:"points,omitempty"`
	Findings []limpid.Finding `json:"findings"`
	Seconds  float64          `json:"seconds"`
	Device   string           `json:"device"`
	Files    []string         `json:"files"`
}

// skyJSON is a free pedestal, null where there are no draws.
type skyJSON struct {
	Level float64  `json:"level"`
	Std   *float64 `json:"std"`
}

// pointJSON is a star beside the scene: FITS pixels, fluxes per band, and the flux of the
// scene within the radius with its correlation.
type pointJSON struct {
	X         float64    `json:"x"`
	XStd      *float64   `json:"x_std"`
	Y         float64    `json:"y"`
	YStd      *float64   `json:"y_std"`
	Flux      []float64  `json:"flux"`
	FluxStd   []*float64 `json:"flux_std"`
	Radius    float64    `json:"radius_px"`
	Around    []float64  `json:"scene_around"`
	AroundStd []*float64 `json:"scene_around_std"`
	Rho       []*float64 `json:"correlation"`
}

// printJSON says the same as one object.
func printJSON(e *Env, res *session.Result, run *session.Run, written []string) error {
	number := func(v float64) *float64 { // NaN is null
		if v != v {
			return nil
		}
		return &v
	}
	out := summaryJSON{
		Recipe: res.Recipe, Fits: res.Fits, Draws: res.Draws, Findings: res.Findings, Files: written,
		RHat: number(res.Convergence.RHat), ESS: number(res.Convergence.ESS), FWHM: res.Report.FWHM,
		Finer:   number(res.Finer),
		Seconds: run.Status().Elapsed.Seconds(), Device: res.Device,
	}
	numbers := func(list []float64) (all []*float64) {
		for _, v := range list {
			all = append(all, number(v))
		}
		return all
	}
	for _, s := range res.FreeSky {
		out.FreeSky = append(out.FreeSky, skyJSON{s.Level, number(s.Std)})
	}
	for _, s := range res.Stars {
		out.Points = append(out.Points, pointJSON{
			X: s.X + 1, XStd: number(s.XStd), Y: s.Y + 1, YStd: number(s.YStd), Flux: s.Flux, FluxStd: numbers(s.FluxStd),
			Radius: s.Radius, Around: s.Around, AroundStd: numbers(s.AroundStd), Rho: numbers(s.Rho),
		})
	}
	for _, f := range res.Fits {
		out.ChiDraws = append(out.ChiDraws, number(f.Chi2Draws))
	}
	out.FluxStd = numbers(res.FluxStd)
	for _, p := range res.Report.PSF {
		out.Stars = append(out.Stars, p.Stars...)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.Out, string(text))
	return err
}
