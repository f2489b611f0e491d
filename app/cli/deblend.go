package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"limpid"
	"limpid/app/session"
	"limpid/engine"
	"limpid/solvers/deblend"
)

const deblendHelp = `
  FILE is one image of several planes (bands), or several files of one band each,
  aligned by their coordinates; the first gives the pixels.
Sources
  --catalog FILE        positions: columns x, y (from 0), X_IMAGE, Y_IMAGE (from 1),
                        or sky coordinates; default: the image's PEAKS table if it
                        has one, else they are detected
  --origin N            what x and y of the catalogue count from (default 0)
  --swap-xy             the catalogue has y before x
  --at x,y[;x,y…]       positions in pixels from 0
  --stars 1,4           sources (from 1) that are points
  --detect              detect, too, where positions are given
  --threshold S         S/N of a detection (default 6)
Model
  --bands g,r,i         names of the bands (default: BANDS or FILTER)
  --psf P[,P…]          as for deconvolve, one for all or one per band
  --noise N, --sky S    as for deconvolve; the sky's default is none
  --cutout x0:x1,y0:y1  pixels from 0, upper ends excluded
  --complete            add sources that the residual shows
  --components N        profiles of one centre per galaxy, 1 or up to 2, the second
                        where the data call for it (default 1)
  --psf-error           fit a shift and a change of width of each band's PSF
  --fit-sky             fit a constant per band with the sources
  --profiles-only       no free departures of pixels from the profiles
  --prior NAME          a learned prior of morphologies (galaxies, or a file of
                        weights) instead of such departures
  --roughness R         1 sigma of these, relative to the profile (default .3)
  --monotone, --symmetric
                        constrain the morphologies
  --centre-error E      1 sigma of the positions, px (default .5)
  --model-error E       relative error of profiles per pixel (default .05)
Inference
  --samples N           posterior samples; 0: errors from the curvature (default 32)
  --seed N              random seed (default 1)
  --positive            fluxes are positive a priori
Output
  -o OUT.fits           MODEL, RESIDUAL, DATA, WHT, PSF, SOURCES, COVARIANCE,
                        FLUX_DRAWS, SOURCE_n, STD_n; beside it OUT.csv and
                        OUT.recipe.json, which limpid-cli run carries out again
  --figure F            .png, .pdf or .svg: data, model, residual of every band
  --no-images           leave SOURCE_n and STD_n out
  --json                print one JSON object; --quiet: only findings
`

// deblendFlags are the command's options.
type deblendFlags struct {
	out                   outputFlags
	in                    session.DeblendInput
	opt                   deblend.Options
	sample                deblend.SampleOptions
	samples               int
	noImages              bool
	bands, psf, at, stars string
	figure                string
}

func (d *deblendFlags) register(f *flagSet) {
	d.out.register(f)
	for _, s := range []struct {
		v    *string
		name string
	}{
		{&d.in.Catalogue, "catalog"},
		{&d.in.Catalogue, "catalogue"},
		{&d.in.Noise, "noise"},
		{&d.in.Sky, "sky"},
		{&d.in.Cutout, "cutout"},
		{&d.bands, "bands"},
		{&d.psf, "psf"},
		{&d.at, "at"},
		{&d.stars, "stars"},
		{&d.figure, "figure"},
		{&d.opt.Prior, "prior"},
	} {
		f.StringVar(s.v, s.name, "", "")
	}
	for _, b := range []struct {
		v    *bool
		name string
	}{
		{&d.in.SwapXY, "swap-xy"},
		{&d.in.Detect, "detect"},
		{&d.opt.Sky, "fit-sky"},
		{&d.opt.NoFreeForm, "profiles-only"},
		{&d.opt.Monotone, "monotone"},
		{&d.opt.Symmetric, "symmetric"},
		{&d.opt.PSFError, "psf-error"},
		{&d.opt.Complete, "complete"},
		{&d.sample.Positive, "positive"},
		{&d.noImages, "no-images"},
	} {
		f.BoolVar(b.v, b.name, false, "")
	}
	f.Float64Var(&d.in.Origin, "origin", 0, "")
	f.Float64Var(&d.in.Threshold, "threshold", 0, "")
	f.Float64Var(&d.opt.Roughness, "roughness", 0, "")
	f.Float64Var(&d.opt.CentreError, "centre-error", 0, "")
	f.Float64Var(&d.opt.ModelError, "model-error", 0, "")
	f.IntVar(&d.samples, "samples", 32, "")
	f.IntVar(&d.opt.Components, "components", 1, "")
	f.Uint64Var(&d.sample.Seed, "seed", 1, "")
}

// finish turns texts into values.
func (d *deblendFlags) finish(files []string) error {
	d.in.Files = files
	if d.bands != "" {
		d.in.Bands = strings.Split(d.bands, ",")
	}
	d.in.PSF = splitPSF(d.psf)
	if d.at != "" {
		for _, p := range strings.Split(d.at, ";") {
			x, y, ok := strings.Cut(p, ",")
			u, err1 := strconv.ParseFloat(strings.TrimSpace(x), 64)
			v, err2 := strconv.ParseFloat(strings.TrimSpace(y), 64)
			if !ok || err1 != nil || err2 != nil {
				return usageError{fmt.Sprintf("--at %q: positions are x,y and separated by semicolons", d.at)}
			}
			d.in.Positions = append(d.in.Positions, [2]float64{u, v})
		}
	}
	if d.stars != "" {
		for _, s := range strings.Split(d.stars, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil {
				return usageError{fmt.Sprintf("--stars %q: numbers of sources, separated by commas", d.stars)}
			}
			d.in.Stars = append(d.in.Stars, n)
		}
	}
	for name, v := range map[string]float64{"--roughness": d.opt.Roughness, "--centre-error": d.opt.CentreError, "--threshold": d.in.Threshold} {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return usageError{fmt.Sprintf("%s must be positive, is %g", name, v)}
		}
	}
	if d.opt.Components < 1 || d.opt.Components > 2 {
		return usageError{fmt.Sprintf("--components is 1 or 2, not %d", d.opt.Components)}
	}
	if d.samples < 0 || d.samples == 1 {
		return usageError{"--samples is 0, or at least 2"}
	}
	d.sample.Draws = d.samples
	return nil
}

// splitPSF splits a list of PSFs at commas that do not belong to a profile's
// numbers: moffat:3px,2.5 is one.
func splitPSF(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if _, err := strconv.ParseFloat(part, 64); err == nil && len(out) > 0 {
			out[len(out)-1] += "," + part
		} else if part != "" {
			out = append(out, part)
		}
	}
	return out
}

func deblendCommand(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "deblend")
	var d deblendFlags
	d.register(f)
	if err := f.parseAtLeast(args, 1, "an image, or one per band"); err != nil {
		return err
	}
	if err := d.finish(f.operands); err != nil {
		return err
	}
	r := session.DeblendRecipe{Input: d.in, Options: d.opt, Figure: d.figure != ""}
	if d.samples > 0 {
		r.Sample = &d.sample
	}
	return carryDeblend(ctx, e, r, d.out, session.DeblendFiles{NoImages: d.noImages, Figure: d.figure})
}

// carryDeblend carries out a recipe, writes the result and, beside it, the recipe.
func carryDeblend(ctx context.Context, e *Env, r session.DeblendRecipe, o outputFlags, files session.DeblendFiles) error {
	if o.out == "" {
		return usageError{"name the output: -o OUT.fits"}
	}
	for _, file := range r.Input.Files {
		if absent(file) {
			return fmt.Errorf("%s: %w", file, os.ErrNotExist)
		}
	}
	for _, file := range []string{o.out, files.Figure} {
		if file == "" {
			continue
		}
		if err := session.CheckOutput(file); err != nil {
			return err
		}
	}
	if err := r.Check(); err != nil {
		return err
	}
	return e.onDevice(ctx, o.device, func(dev engine.Device) error { return separate(ctx, e, dev, r, o, files) })
}

// separate reads, fits and writes.
func separate(ctx context.Context, e *Env, dev engine.Device, r session.DeblendRecipe, o outputFlags, files session.DeblendFiles) error {
	s := session.New(dev)
	defer s.Close()
	start := time.Now()
	job, err := s.LoadDeblend(ctx, r.Input, r.Options)
	if err != nil {
		return err
	}
	if err := s.FitDeblend(ctx, job, r.Options, r.Sample); err != nil {
		return err
	}
	files.FITS = o.out
	if !o.fitsOnly {
		files.Catalogue = session.Stem(o.out) + ".csv"
	}
	written, err := s.ExportDeblend(ctx, job, files)
	if err != nil {
		return err
	}
	if !o.fitsOnly {
		path := session.Stem(o.out) + ".recipe.json"
		if err := r.Seal(); err != nil {
			return err
		}
		if err := r.Save(path); err != nil {
			return err
		}
		written = append(written, path)
	}
	if o.json {
		return printDeblendJSON(e, job, written, time.Since(start))
	}
	printDeblend(e, job, written, time.Since(start), o.quiet)
	return nil
}

// runDeblend carries out a recipe read from a file.
func runDeblend(ctx context.Context, e *Env, path string, o outputFlags) error {
	r, err := session.LoadDeblendRecipe(path)
	if err != nil {
		return err
	}
	var files session.DeblendFiles
	if r.Figure && o.out != "" {
		files.Figure = session.Stem(o.out) + ".png"
	}
	return carryDeblend(ctx, e, r, o, files)
}

func printDeblend(e *Env, d *session.Deblending, written []string, took time.Duration, quiet bool) {
	for _, f := range d.AllFindings() {
		if f.Severity != limpid.Info {
			fmt.Fprintln(e.Out, f)
		}
	}
	if quiet {
		return
	}
	r := d.Result
	fmt.Fprintf(e.Out, "%4s %8s %8s %7s %6s  flux ± error in %s\n", "ID", "x", "y", "R50/px", "blend", strings.Join(r.Bands, ", "))
	for _, f := range r.Sources {
		fmt.Fprintf(e.Out, "%4d %8.2f %8.2f %7.2f %6.2f ", f.ID, f.Shape.X+1, f.Shape.Y+1, f.Shape.R, f.Blendedness)
		for b, v := range f.Flux {
			fmt.Fprintf(e.Out, " %.5g±%.2g", v, f.FluxErr[b])
		}
		fmt.Fprintln(e.Out)
	}
	for b, c := range r.Chi2 {
		if !math.IsNaN(c) {
			fmt.Fprintf(e.Out, "%s: χ²/pixel %.3f\n", r.Bands[b], c)
		}
	}
	if p := d.Posterior; p != nil {
		fmt.Fprintf(e.Out, "%d samples · acceptance %.2f · worst R-hat %.2f\n", p.Draws, p.Acceptance, p.RHat)
	}
	fmt.Fprintf(e.Out, "%d sources in %d group(s), %.1f s\n", len(r.Sources), r.Groups, took.Seconds())
	for _, w := range written {
		fmt.Fprintln(e.Out, "wrote", w)
	}
}

// sourceJSON is one source of --json; null is unknown.
type sourceJSON struct {
	ID          int        `json:"id"`
	Kind        string     `json:"kind"`
	X           float64    `json:"x"` // pixels from 0
	Y           float64    `json:"y"`
	Flux        []*float64 `json:"flux"`
	FluxErr     []*float64 `json:"flux_err"`
	R50         float64    `json:"r50_px"`
	AxisRatio   float64    `json:"axis_ratio"`
	Angle       float64    `json:"angle_deg"`
	Nu          float64    `json:"spergel_nu"`
	Blendedness float64    `json:"blendedness"`
	SNR         float64    `json:"snr"`
}

func printDeblendJSON(e *Env, d *session.Deblending, written []string, took time.Duration) error {
	number := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	list := func(v []float64) (out []*float64) {
		for _, x := range v {
			out = append(out, number(x))
		}
		return out
	}
	var sources []sourceJSON
	for _, f := range d.Result.Sources {
		sources = append(sources, sourceJSON{
			ID: f.ID, Kind: string(f.Kind), X: f.Shape.X, Y: f.Shape.Y, Flux: list(f.Flux), FluxErr: list(f.FluxErr),
			R50: f.Shape.R, AxisRatio: f.Shape.AxisRatio(), Angle: f.Shape.Angle() * 180 / math.Pi, Nu: f.Shape.Nu,
			Blendedness: f.Blendedness, SNR: f.SNR,
		})
	}
	out := map[string]any{
		"bands": d.Result.Bands, "sources": sources, "chi2_per_pixel": list(d.Result.Chi2), "converged": d.Result.Converged,
		"groups": d.Result.Groups, "findings": d.AllFindings(), "files": written, "seconds": took.Seconds(),
	}
	if p := d.Posterior; p != nil {
		out["draws"], out["acceptance"], out["rhat"] = p.Draws, number(p.Acceptance), number(p.RHat)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.Out, string(text))
	return err
}
