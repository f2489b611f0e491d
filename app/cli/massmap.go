package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"limpid"
	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/engine"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
	"limpid/solvers/massmap/measure"
)

const massmapHelp = `
Catalogue: a FITS table, CSV or text; --columns lists what was guessed
  --hdu N               table of a FITS file (default: the first)
  --columns             print the columns and what they are taken for, and stop
  --ra --dec --e1 --e2 --weight --z NAME   columns; weight and z may be "none"
  --ra-unit U           deg or hours (default: as the column says)
  --z-range LO:HI       redshift cut
  --frame F             what e1, e2 refer to on the sky: west (x to the west, as in an
                        image with north up; default), east, iau (from north through east)
  --flip1, --flip2      change the sign of a component
  --check               test the signs, and stop
Or maps instead of a catalogue: FITS images as FILE, FILE[N] or FILE[NAME]
  --g1 F --g2 F         components along columns and rows; --g1 alone: a cube of both
  --std1 F --std2 F     noise per pixel (--std1 alone: of both, or a cube), or
  --counts F            galaxies per pixel, with --sigma-e
  --mask-map F          0 where masked
Map
  --pixel ARCMIN        side of a pixel (default: about 6 galaxies, or the learned prior's
                        where that is near; of maps: the header's)
  --projection P        gnomonic (default) or flat-east (RA − RA0, columns to the east)
  --center RA,DEC       degrees; --size W,H pixels (default: what covers the galaxies)
  --noise N             weights (default), counts, inverse-variance
  --sigma-e S           dispersion of a component of a shape (default: measured)
  --min-galaxies N      pixels with fewer are masked (default 1)
  --pad N               pixels around the map (default: an eighth of its side)
Method
  --method M            auto (default: score where its prior knows such fields, else
                        lognormal, and says why), score, lognormal, wiener, ks, sparse,
                        mcalens, unet (a preview without error bars)
  --prior NAME|FILE     learned prior of score (default kappa-cosmos: pixels of .29′), or
                        network of unet (default kappa-unet)
  --spectrum F          theory (default; of score: prior, the learned prior's own), fit
                        (theory fitted to the shear), or a file of k (cycles/px) and P
  --source-z Z          redshift of the sources for the theory (default 1)
  --nz F                their distribution instead: a file of z and n(z) columns
  --shift L             λ of lognormal (default .0487: sources at z≈1, .29′ pixels)
  --reduced N           iterations for reduced shear (default 1)
  --smooth ARCMIN       of ks, and of the E and B modes shown (default 1)
  --fill N              iterations that fill gaps (ks)
  --samples N --seed N  posterior samples (default 64, of score 32), random seed (default 1)
More of the map
  --aperture F:R        aperture mass: schneider:5 or schirmer:10 (radius in arcmin)
  --profile RA,DEC[,W,R]  rings of W out to R arcmin (default .5, 10) about a position
  --inject RA,DEC,M,C,Z   add an NFW halo of M Msun/h, concentration C at redshift Z, and
                        say what of it the map recovers
                        (positions in pixels from 0 where maps have no sky)
  --marks F             circles at the RA and Dec of a catalogue (FITS table, CSV, text) over
                        the map, and the mean of the map there against random places
  --contours F          contours of an image with a sky (X-ray, optical): FILE, FILE[N]
Output
  -o OUT.fits           with OUT.png, OUT.json, OUT.bib and OUT.recipe.json (for
                        limpid-cli run) beside unless --fits-only
  --no-samples, --json, --quiet, --device D
`

// massFlags are the flags of massmap.
type massFlags struct {
	outputFlags
	cols                                     lens.Columns
	hdu, minGalaxies, pad, reduced, fill     int
	samples                                  int
	seed                                     uint64
	list, check, flip1, flip2                bool
	raUnit, zRange, frame, projection        string
	center, size, noise, method, spectrum    string
	prior, nz, aperture, profile, inject     string
	marks, contours                          string
	maps                                     lens.MapFiles
	pixel, sigmaE, sourceZ, shift, smoothing float64
}

func (m *massFlags) register(f *flagSet) {
	m.outputFlags.register(f)
	for name, p := range map[string]*string{
		"ra": &m.cols.RA, "dec": &m.cols.Dec, "e1": &m.cols.E1, "e2": &m.cols.E2, "weight": &m.cols.Weight, "z": &m.cols.Z,
		"ra-unit": &m.raUnit, "z-range": &m.zRange, "frame": &m.frame, "projection": &m.projection,
		"center": &m.center, "size": &m.size, "noise": &m.noise,
		"prior": &m.prior, "marks": &m.marks, "contours": &m.contours,
		"nz": &m.nz, "aperture": &m.aperture, "profile": &m.profile, "inject": &m.inject,
		"g1": &m.maps.G1, "g2": &m.maps.G2, "std1": &m.maps.Std1, "std2": &m.maps.Std2, "mask-map": &m.maps.Mask, "counts": &m.maps.Count,
	} {
		f.StringVar(p, name, "", "")
	}
	f.StringVar(&m.method, "method", string(lens.Auto), "")
	f.StringVar(&m.spectrum, "spectrum", "", "")
	f.IntVar(&m.hdu, "hdu", 0, "")
	f.IntVar(&m.minGalaxies, "min-galaxies", 1, "")
	f.IntVar(&m.pad, "pad", -1, "")
	f.IntVar(&m.reduced, "reduced", 1, "")
	f.IntVar(&m.fill, "fill", 0, "")
	f.IntVar(&m.samples, "samples", 0, "")
	f.Uint64Var(&m.seed, "seed", 1, "")
	f.Float64Var(&m.pixel, "pixel", 0, "")
	f.Float64Var(&m.sigmaE, "sigma-e", 0, "")
	f.Float64Var(&m.sourceZ, "source-z", 0, "")
	f.Float64Var(&m.shift, "shift", massmap.DefaultShift, "")
	f.Float64Var(&m.smoothing, "smooth", 1, "")
	f.BoolVar(&m.list, "columns", false, "")
	f.BoolVar(&m.check, "check", false, "")
	f.BoolVar(&m.flip1, "flip1", false, "")
	f.BoolVar(&m.flip2, "flip2", false, "")
}

// pair reads "a,b" or "a:b".
func pair(flag, s, sep string) (a, b float64, err error) {
	x, y, ok := strings.Cut(s, sep)
	a, err1 := strconv.ParseFloat(strings.TrimSpace(x), 64)
	b, err2 := strconv.ParseFloat(strings.TrimSpace(y), 64)
	if !ok || err1 != nil || err2 != nil || math.IsNaN(a+b) {
		return 0, 0, usageError{fmt.Sprintf("--%s %q is not two numbers with %q between", flag, s, sep)}
	}
	return a, b, nil
}

// binning turns flags into options.
func (m *massFlags) binning() (binning.Options, error) {
	o := binning.Options{
		Projection: massmap.ProjectionKind(m.projection), Arcmin: m.pixel, Frame: binning.Frame(m.frame), Flip1: m.flip1, Flip2: m.flip2,
		RAUnit: binning.Unit(m.raUnit), Noise: binning.Noise(m.noise), SigmaE: m.sigmaE, MinGalaxies: m.minGalaxies,
	}
	if m.zRange != "" {
		var err error
		if o.ZMin, o.ZMax, err = pair("z-range", m.zRange, ":"); err != nil {
			return o, err
		}
	}
	if m.center != "" {
		ra, dec, err := pair("center", m.center, ",")
		if err != nil {
			return o, err
		}
		o.Center = &[2]float64{ra, dec}
	}
	if m.size != "" {
		w, h, err := pair("size", m.size, ",")
		if err != nil {
			return o, err
		}
		if w < 8 || h < 8 || w != math.Trunc(w) || h != math.Trunc(h) || w > 1e6 || h > 1e6 {
			return o, usageError{fmt.Sprintf("--size %q: whole numbers from 8", m.size)}
		}
		o.W, o.H = int(w), int(h)
	}
	return o, nil
}

// numbers reads n numbers with commas between; those that are missing at the end are the
// defaults.
func numbers(flag, s string, least int, defaults ...float64) ([]float64, error) {
	parts := strings.Split(s, ",")
	out := append([]float64(nil), defaults...)
	if len(parts) < least || len(parts) > len(out) {
		return nil, usageError{fmt.Sprintf("--%s %q: %d to %d numbers with commas between", flag, s, least, len(out))}
	}
	for i, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, usageError{fmt.Sprintf("--%s %q: %q is not a number", flag, s, p)}
		}
		out[i] = v
	}
	return out, nil
}

// recipe turns flags into what is to be done with a file; "" for maps.
func (m *massFlags) recipe(file string) (lens.Recipe, error) {
	r := lens.DefaultRecipe(file)
	o, err := m.binning()
	if err != nil {
		return r, err
	}
	r.HDU, r.Columns, r.Binning = m.hdu, m.cols, o
	r.Method, r.Prior, r.Spectrum, r.SourceZ, r.NZ = massmap.Method(m.method), m.prior, m.spectrum, m.sourceZ, m.nz
	r.Shift, r.Reduced, r.Smoothing, r.FillGaps, r.Pad = m.shift, m.reduced, m.smoothing, m.fill, m.pad
	r.Samples, r.Seed, r.Device = m.samples, m.seed, m.device
	r.Marks, r.Contours = m.marks, m.contours
	if file == "" {
		maps := m.maps
		maps.SigmaE, maps.Arcmin = m.sigmaE, m.pixel
		r.Maps = &maps
	}
	return r, m.more(&r)
}

// more reads the flags for what is wanted beside the map.
func (m *massFlags) more(r *lens.Recipe) error {
	if m.aperture != "" {
		name, radius, _ := strings.Cut(m.aperture, ":")
		v, err := strconv.ParseFloat(radius, 64)
		if err != nil {
			return usageError{fmt.Sprintf("--aperture %q is not FILTER:RADIUS, as schneider:5", m.aperture)}
		}
		r.Aperture = &lens.Aperture{Filter: measure.ApertureFilter(name), Radius: v}
	}
	if m.profile != "" {
		v, err := numbers("profile", m.profile, 2, 0, 0, 0.5, 10)
		if err != nil {
			return err
		}
		r.Profile = &lens.Profile{RA: v[0], Dec: v[1], Width: v[2], Radius: v[3]}
	}
	if m.inject != "" {
		v, err := numbers("inject", m.inject, 5, 0, 0, 0, 0, 0)
		if err != nil {
			return err
		}
		r.Inject = &lens.Halo{RA: v[0], Dec: v[1], Mass: v[2], Concentration: v[3], Z: v[4]}
	}
	return nil
}

func massMap(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "massmap")
	var m massFlags
	m.register(f)
	if err := f.parse(args, -1, ""); err != nil {
		return err
	}
	file := ""
	switch {
	case m.maps.G1 == "" && len(f.operands) != 1:
		return usageError{fmt.Sprintf("expected one catalogue, or maps as --g1 and --g2, got %d operand(s)", len(f.operands))}
	case m.maps.G1 != "" && len(f.operands) > 0:
		return usageError{"a catalogue and maps (--g1) at once: give one of them"}
	case m.maps.G1 == "":
		file = f.operands[0]
	}
	r, err := m.recipe(file)
	if err != nil {
		return err
	}
	if m.list && file != "" {
		return listColumns(ctx, e, file, m.hdu)
	}
	if m.check {
		return m.checkSigns(ctx, e, r)
	}
	return carryMass(ctx, e, &r, m.outputFlags)
}

func listColumns(ctx context.Context, e *Env, file string, hdu int) error {
	c, err := lens.Open(ctx, file, hdu)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintf(e.Out, "%d rows; columns %s\n", c.Rows, strings.Join(c.Names, ", "))
	for _, x := range c.Findings {
		fmt.Fprintln(e.Out, x)
	}
	return nil
}

// openShear opens what a recipe names and says how it was read.
func openShear(ctx context.Context, e *Env, r *lens.Recipe, quiet bool) (*massmap.Field, error) {
	field, cols, err := r.Field(ctx)
	if err != nil {
		return nil, err
	}
	if !quiet {
		if r.Maps == nil {
			fmt.Fprintf(e.Out, "RA %s, Dec %s, e1 %s, e2 %s, weight %s\n", cols.RA, cols.Dec, cols.E1, cols.E2, orNone(cols.Weight))
		}
		fmt.Fprintln(e.Out, &field.Projection)
	}
	return field, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (m *massFlags) checkSigns(ctx context.Context, e *Env, r lens.Recipe) error {
	f, err := openShear(ctx, e, &r, m.json)
	if err != nil {
		return err
	}
	var c measure.Convention
	if err := e.onDevice(ctx, m.device, func(dev engine.Device) (err error) {
		c, err = measure.CheckSigns(ctx, dev, f, m.smoothing, 50, m.seed)
		return err
	}); err != nil {
		return err
	}
	if m.json {
		return json.NewEncoder(e.Out).Encode(c)
	}
	fmt.Fprintf(e.Out, "E mode %.1f σ, B mode %.1f σ against %d random rotations; skewness of E %.3f ± %.3f; tangential shear about the highest point %.4f ± %.4f\n",
		c.SigmaE, c.SigmaB, c.Rotations, c.Skewness, c.SkewStd, c.Peak, c.PeakStd)
	switch {
	case !c.Certain:
		fmt.Fprintln(e.Out, "The field does not decide the signs.")
	case c.Flip1 || c.Flip2:
		fmt.Fprintf(e.Out, "The signs look wrong: %s.\n", strings.Join(advise(c.Flip1, m.flip1, "--flip1", advise(c.Flip2, m.flip2, "--flip2", nil)), ", "))
	default:
		fmt.Fprintln(e.Out, "The signs are right.")
	}
	return nil
}

// advise says what to do with a flag that is to change.
func advise(change, set bool, flag string, list []string) []string {
	switch {
	case change && set:
		return append(list, "leave out "+flag)
	case change:
		return append(list, "use "+flag)
	}
	return list
}

// carryMass carries a recipe out and writes the result.
func carryMass(ctx context.Context, e *Env, r *lens.Recipe, o outputFlags) error {
	if o.out == "" {
		return usageError{"name the output: -o OUT.fits"}
	}
	if err := session.CheckOutput(o.out); err != nil {
		return err
	}
	field, err := openShear(ctx, e, r, o.json)
	if err != nil {
		return err
	}
	if err := r.Choose(field); err != nil {
		return err
	}
	if !o.quiet && !o.json {
		fmt.Fprintf(e.Out, "method %s, %s\n", r.Method, lens.InWords(r.Estimate(field)))
	}
	last := -1
	show := e.Terminal && !o.quiet && !o.json
	var res *lens.Result
	found := slices.Clip(field.Findings)
	if err := e.onDevice(ctx, r.Device, func(dev engine.Device) (err error) {
		field.Findings = found
		res, err = r.Carry(ctx, dev, field, func(p lens.Progress) {
			if show && p.Done != last {
				last = p.Done
				fmt.Fprintf(e.Err, "\r%s %d of %d ", p.Phase, p.Done, p.Total)
			}
		})
		return err
	}); err != nil {
		return err
	}
	if show {
		fmt.Fprint(e.Err, "\r\033[K")
	}
	written, err := exportMass(r, res, o)
	if err != nil {
		return fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	if o.json {
		out := res.Summary()
		out["files"] = written
		text, err := json.MarshalIndent(out, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(e.Out, string(text))
		return err
	}
	printMass(e, res, written)
	return nil
}

func exportMass(r *lens.Recipe, res *lens.Result, o outputFlags) ([]string, error) {
	opt := lens.ExportOptions{FITS: o.out, NoSamples: o.noSamples}
	stem := session.Stem(o.out)
	if !o.fitsOnly {
		opt.Figure, opt.Summary, opt.References = stem+".png", stem+".json", stem+".bib"
	}
	written, err := res.Export(opt)
	if err != nil || o.fitsOnly {
		return written, err
	}
	path := stem + ".recipe.json"
	if err := r.Publish(path); err != nil {
		return written, err
	}
	return append(written, path), nil
}

func printMass(e *Env, r *lens.Result, written []string) {
	for _, x := range r.Findings {
		if x.Severity != limpid.Info || x.Code == "mass.sheet" || x.Code == "method.chosen" || x.Code == "shear.field" {
			fmt.Fprintln(e.Out, x)
		}
	}
	if n := r.Null; n != nil {
		fmt.Fprintf(e.Out, "E mode %.1f σ, B mode %.1f σ against %d random rotations\n", n.SigmaE, n.SigmaB, n.Rotations)
	}
	line := fmt.Sprintf("χ² per component of the mean map %.3f", r.Chi2)
	if len(r.Samples) > 0 {
		line += fmt.Sprintf(", of samples %.3f (expect 1); %d samples, R-hat %.3f, ESS %.0f", r.Chi2Draws, len(r.Samples), r.Convergence.RHat, r.Convergence.ESS)
	}
	fmt.Fprintln(e.Out, line)
	fmt.Fprintf(e.Out, "%d peaks; the first:\n", len(r.Peaks))
	for _, p := range r.Peaks[:min(5, len(r.Peaks))] {
		at := fmt.Sprintf("RA %.4f Dec %+.4f", p.RA, p.Dec)
		if math.IsNaN(p.RA) || r.Job.Field.Projection.Kind == massmap.Pixels {
			at = fmt.Sprintf("x %.1f y %.1f", p.X, p.Y)
		}
		if math.IsNaN(p.Std) {
			fmt.Fprintf(e.Out, "  %s: κ %.3f, %.1f times the noise of the B mode\n", at, p.Kappa, p.SN)
			continue
		}
		fmt.Fprintf(e.Out, "  %s: κ %.3f ± %.3f, S/N %.1f, probability %.2f\n", at, p.Kappa, p.Std, p.SN, p.Probability)
	}
	if o := r.Overlay; o != nil && o.Stack != nil {
		fmt.Fprintf(e.Out, "mean map at %d marks: κ %.4f, %.1f σ above random places\n", o.Stack.Used, o.Stack.Mean-o.Stack.Random, o.Stack.Sigma)
	}
	if p := r.Profile; p != nil {
		fmt.Fprintln(e.Out, "profile, radius in arcmin and κ less its mean over the field:")
		for i, x := range p.X {
			line := fmt.Sprintf("  %6.2f′ %+.4f", x, p.Mean[i])
			if p.Quantiles != nil {
				line += fmt.Sprintf(" (%+.4f to %+.4f)", p.Quantiles[i][1], p.Quantiles[i][3])
			}
			fmt.Fprintln(e.Out, line)
		}
	}
	if q := r.Recovery; q != nil {
		for _, p := range q.Points {
			fmt.Fprintf(e.Out, "halo within %g′: κ %.4f injected, %.4f recovered ± %.4f\n", p.Radius, p.Injected, p.Recovered, p.Std)
		}
	}
	fmt.Fprintf(e.Out, "%.1f s\n", r.Seconds)
	for _, w := range written {
		fmt.Fprintln(e.Out, "wrote", w)
	}
}
