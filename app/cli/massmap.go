package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"limpid"
	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/engine"
	"limpid/priors/gaussian/theory"
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
Map
  --pixel ARCMIN        side of a pixel (default: about 6 galaxies)
  --projection P        gnomonic (default) or flat-east (RA − RA0, columns to the east)
  --center RA,DEC       degrees; --size W,H pixels (default: what covers the galaxies)
  --noise N             weights (default), counts, inverse-variance
  --sigma-e S           dispersion of a component of a shape (default: measured)
  --min-galaxies N      pixels with fewer are masked (default 1)
  --pad N               pixels around the map (default: an eighth of its side)
Method
  --method M            lognormal (default), wiener, ks, sparse, mcalens, score
  --prior NAME|FILE     learned prior of score (default kappa-cosmos: pixels of .29′)
  --spectrum F          theory (default), or a file of k (cycles/px) and P columns
  --source-z Z          redshift of the sources for the theory (default 1)
  --shift L             λ of lognormal (default .0487: sources at z≈1, .29′ pixels)
  --reduced N           iterations for reduced shear (default 1)
  --smooth ARCMIN       of ks, and of the E and B modes shown (default 1)
  --fill N              iterations that fill gaps (ks)
  --samples N --seed N  posterior samples (default 64), random seed (default 1)
Output
  -o OUT.fits           with OUT.png, OUT.json, OUT.bib beside unless --fits-only
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
	prior                                    string
	pixel, sigmaE, sourceZ, shift, smoothing float64
}

func (m *massFlags) register(f *flagSet) {
	m.outputFlags.register(f)
	for name, p := range map[string]*string{
		"ra": &m.cols.RA, "dec": &m.cols.Dec, "e1": &m.cols.E1, "e2": &m.cols.E2, "weight": &m.cols.Weight, "z": &m.cols.Z,
		"ra-unit": &m.raUnit, "z-range": &m.zRange, "frame": &m.frame, "projection": &m.projection,
		"center": &m.center, "size": &m.size, "noise": &m.noise,
	} {
		f.StringVar(p, name, "", "")
	}
	f.StringVar(&m.method, "method", string(massmap.Lognormal), "")
	f.StringVar(&m.prior, "prior", lens.DefaultPrior, "")
	f.StringVar(&m.spectrum, "spectrum", "theory", "")
	f.IntVar(&m.hdu, "hdu", 0, "")
	f.IntVar(&m.minGalaxies, "min-galaxies", 1, "")
	f.IntVar(&m.pad, "pad", -1, "")
	f.IntVar(&m.reduced, "reduced", 1, "")
	f.IntVar(&m.fill, "fill", 0, "")
	f.IntVar(&m.samples, "samples", 64, "")
	f.Uint64Var(&m.seed, "seed", 1, "")
	f.Float64Var(&m.pixel, "pixel", 0, "")
	f.Float64Var(&m.sigmaE, "sigma-e", 0, "")
	f.Float64Var(&m.sourceZ, "source-z", 1, "")
	f.Float64Var(&m.shift, "shift", 0.0487, "")
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

// settings turns flags into the method's.
func (m *massFlags) settings(arcmin float64) (massmap.Settings, error) {
	set := massmap.Settings{
		Method: massmap.Method(m.method), Shift: m.shift, Pad: m.pad, Smoothing: m.smoothing, FillGaps: m.fill, Reduced: m.reduced,
	}
	var err error
	if m.spectrum == "theory" {
		src, e := theory.SinglePlane(m.sourceZ)
		if e != nil {
			return set, usageError{fmt.Sprintf("--source-z %g: %v", m.sourceZ, e)}
		}
		set.Spectrum, err = lens.Theory(theory.Cosmology{}, src, arcmin)
	} else {
		set.Spectrum, err = session.ReadSpectrum(m.spectrum)
	}
	return set, err
}

func massMap(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "massmap")
	var m massFlags
	m.register(f)
	if err := f.parse(args, 1, "one catalogue"); err != nil {
		return err
	}
	o, err := m.binning()
	if err != nil {
		return err
	}
	if m.out == "" && !m.list && !m.check {
		return usageError{"name the output: -o OUT.fits"}
	}
	if m.out != "" {
		if err := session.CheckOutput(m.out); err != nil {
			return err
		}
	}
	c, err := lens.Open(ctx, f.operands[0], m.hdu)
	if err != nil {
		return err
	}
	defer c.Close()
	if m.list {
		fmt.Fprintf(e.Out, "%d rows; columns %s\n", c.Rows, strings.Join(c.Names, ", "))
		for _, x := range c.Findings {
			fmt.Fprintln(e.Out, x)
		}
		return nil
	}
	field, cols, err := c.Bin(ctx, m.cols, o)
	if err != nil {
		return err
	}
	if !m.json {
		fmt.Fprintf(e.Out, "RA %s, Dec %s, e1 %s, e2 %s, weight %s\n%s\n", cols.RA, cols.Dec, cols.E1, cols.E2, orNone(cols.Weight), &field.Projection)
	}
	dev, err := e.NewDevice(m.device)
	if err != nil {
		return err
	}
	defer dev.Close()
	if m.check {
		return m.checkSigns(ctx, e, dev, field)
	}
	return m.mapIt(ctx, e, dev, field)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (m *massFlags) checkSigns(ctx context.Context, e *Env, dev engine.Device, f *massmap.Field) error {
	c, err := measure.CheckSigns(ctx, dev, f, m.smoothing, 50, m.seed)
	if err != nil {
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

func (m *massFlags) mapIt(ctx context.Context, e *Env, dev engine.Device, f *massmap.Field) error {
	set, err := m.settings(f.Arcmin)
	if err != nil {
		return err
	}
	last := -1
	var prior *lens.LearnedPrior
	if set.Method == massmap.Score {
		if prior, err = lens.OpenPrior(dev, m.prior, f.Arcmin); err != nil {
			return err
		}
		defer prior.Close()
		set.Learned = prior.Learned
		if m.spectrum == "theory" {
			set.Spectrum = prior.Spectrum
		}
		f.Findings = append(f.Findings, prior.Findings...)
	}
	res, err := lens.Map(ctx, dev, lens.Job{Field: f, Settings: set, Samples: m.samples, Seed: m.seed, Smoothing: m.smoothing}, func(p lens.Progress) {
		if e.Terminal && !m.quiet && !m.json && p.Done != last {
			last = p.Done
			fmt.Fprintf(e.Err, "\r%s %d of %d ", p.Phase, p.Done, p.Total)
		}
	})
	if err == nil && prior != nil {
		err = prior.Err()
	}
	if err != nil {
		return err
	}
	if e.Terminal && !m.quiet && !m.json {
		fmt.Fprint(e.Err, "\r\033[K")
	}
	opt := lens.ExportOptions{FITS: m.out, NoSamples: m.noSamples}
	if !m.fitsOnly {
		stem := session.Stem(m.out)
		opt.Figure, opt.Summary, opt.References = stem+".png", stem+".json", stem+".bib"
	}
	written, err := res.Export(opt)
	if err != nil {
		return fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	if m.json {
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

func printMass(e *Env, r *lens.Result, written []string) {
	for _, x := range r.Findings {
		if x.Severity != limpid.Info || x.Code == "mass.sheet" || x.Code == "shear.field" {
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
		fmt.Fprintf(e.Out, "  RA %.4f Dec %+.4f: κ %.3f ± %.3f, S/N %.1f, probability %.2f\n", p.RA, p.Dec, p.Kappa, p.Std, p.SN, p.Probability)
	}
	fmt.Fprintf(e.Out, "%.1f s\n", r.Seconds)
	for _, w := range written {
		fmt.Fprintln(e.Out, "wrote", w)
	}
}
