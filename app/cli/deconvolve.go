package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/assets"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

const deconvolveHelp = `
Several files (FILE or FILE[HDU]) are exposures of one field, laid on the first by their
coordinates; each is fitted on its own pixels, with noise, sky, mask and PSF of its own.
Image
  --scale N             divide the first's pixels into N × N, 1 to 4 (super-resolution)
  --hdu N               HDU of the image, from 0 (default: the first image)
  --plane N             one plane of a cube (default: every plane is a band)
  --cutout x0:x1,y0:y1  pixels from 0, upper ends excluded
  --mask HDU|FILE[HDU]  pixels that are not 0 are left out; NaN always is
  --saturation LEVEL    pixels at or above it are left out (default: SATURATE)
Model
  --psf P               measure (from stars), gaussian:2.5px, moffat:0.8arcsec,3,
                        airy:3px, none, FILE or FILE[HDU], [HDU] of the image's file;
                        default: the file's PSF HDU if it has one, else measure; of
                        several exposures one for all, or P;P;… in their order
  --psf-samples N       samples per pixel of a PSF from a file; the integration over
                        the pixel is added (default 1: it is in the PSF)
  --psf-grid RxC:FILE   a PSF that varies: R rows of C nodes over the image, the outermost
                        on its border, from the planes of FILE or its HDUs, row by row
                        from the lowest; RxC alone: measured from the image's stars.
                        Not with starlet or tiles
  --recenter            move the PSF's centroid to the centre of its stamp
  --psf-error E         relative error of the PSF, added to the noise of bright
                        pixels (default 0)
  --noise N             auto, sky, sigma:S, gain:G,ron:R, weights[:HDU|FILE],
                        variance[:…], std[:…], or the HDU of a map whose name tells
  --noise-spectrum S    of noise that is correlated, as in resampled and stacked images:
                        measure (from empty sky), FILE or FILE[HDU] of noise alone, a
                        text file of k (cycles/px) and P; default white. With gaussian,
                        learned, wiener, tv; not with tiles
  --sky S               auto, none, constant[:V], mesh[:64]
  --sky-free            a free pedestal beside that, of every exposure its own, sampled with
                        the scene
  --stars S             point sources sampled with the scene, their flux and place free:
                        x,y[;x,y…] in FITS pixels of the whole image, the first being 1,
                        or a table FILE of columns x and y, or ra and dec
  --star-error E        1 sigma of their places, px of the image (default .5)
Inference
  --method M            gaussian (exact posterior, default), learned (posterior of a
                        learned prior); without uncertainty: wiener, starlet, tv
                        (total variation), rl (Richardson-Lucy)
  --prior P             learned prior: galaxies, or a weights file; implies learned
  --budget B            of learned: quick, standard (default), publication
  --spectrum F          fit (default), or a file of k (cycles/px) and P columns
  --recalibrate         of learned: each pixel fainter than the noise is mapped to what
                        simulations say of such pixels; errors of sums over many pixels
                        become too small
  --resolution F        show mean, samples and errors at a Gaussian target PSF of FWHM F
                        px (default: none, scenes without a PSF)
  --tile N              work in overlapping tiles of N px, 128 to 4096 (default: one grid,
                        or tiles where that does not fit into memory)
  --samples N           posterior samples (default 64)
  --seed N              random seed (default 1)
  --iterations N        of rl (default 50), starlet and tv (at most 200)
  --strength S          threshold of starlet in sigma (default 3), of tv in sigma
                        (default: least estimated risk), or total variation in rl, as
                        .002 (default none)
  --damping T           of Richardson-Lucy, in sigma
  --stop-at-noise       end Richardson-Lucy when the residual reaches the noise
Output
  -o OUT.fits           MEAN, STD, SAMPLES, RESIDUAL, PRIORSHARE (what comes from the
                        prior, not the data), DATA, MASK, PSF, STARS (if measured),
                        POINTS (with --stars), RECIPE; beside it
                        OUT.png, OUT.recipe.json and OUT.bib unless --fits-only
  --resume OUT.state    go on with a run that was cancelled: its samples are kept, and
                        the others are those that it would have given
  --no-samples          leave the samples out of the FITS file
  --device D            auto (the fastest that passes its tests), cpu, gpu, cuda,
                        webgpu:N, cuda:N, or cuda:N-tf32x3 for tensor cores;
                        limpid-cli devices lists them
  --json                print one JSON object; --quiet: no progress
`

// outputFlags are shared by the commands that run something.
type outputFlags struct {
	out                              string
	fitsOnly, noSamples, json, quiet bool
	device, resume                   string
}

func (o *outputFlags) register(f *flagSet) {
	f.StringVar(&o.out, "o", "", "")
	f.StringVar(&o.out, "out", "", "")
	f.BoolVar(&o.fitsOnly, "fits-only", false, "")
	f.BoolVar(&o.noSamples, "no-samples", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.quiet, "quiet", false, "")
	f.StringVar(&o.device, "device", "", "")
}

// resumes registers --resume, for commands that run a deconvolution.
func (o *outputFlags) resumes(f *flagSet) { f.StringVar(&o.resume, "resume", "", "") }

// budgetOf is the budget of a name; what is not one is found with the rest of a recipe.
func budgetOf(name string) deconv.Budget {
	if name == deconv.Standard.Name() {
		return deconv.Standard
	}
	return deconv.Budget(name)
}

func deconvolve(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "deconvolve")
	var o outputFlags
	o.register(f)
	o.resumes(f)
	var hdu, plane optionalInt
	f.Var(&hdu, "hdu", "")
	f.Var(&plane, "plane", "")
	cutout, mask, saturation := f.String("cutout", "", ""), f.String("mask", "", ""), f.String("saturation", "", "")
	psfGrid := f.String("psf-grid", "", "")
	psf, noise, sky := f.String("psf", "", ""), f.String("noise", "auto", ""), f.String("sky", "auto", "")
	method, spectrum := f.String("method", "", ""), f.String("spectrum", "fit", "")
	prior, budget, strength := f.String("prior", "", ""), f.String("budget", "", ""), f.Float64("strength", 0, "")
	samples, seed := f.Int("samples", 64, ""), f.Uint64("seed", 1, "")
	resolution, tile := f.Float64("resolution", 0, ""), f.Int("tile", 0, "")
	iterations, damping := f.Int("iterations", 0, ""), f.Float64("damping", 0, "")
	noiseSpectrum := f.String("noise-spectrum", "", "")
	skyFree, stars, starError := f.Bool("sky-free", false, ""), f.String("stars", "", ""), f.Float64("star-error", 0, "")
	recalibrate := f.Bool("recalibrate", false, "")
	stop, recenter, psfError := f.Bool("stop-at-noise", false, ""), f.Bool("recenter", false, ""), f.String("psf-error", "", "")
	scale, psfSamples := f.Int("scale", 0, ""), f.Int("psf-samples", 0, "")
	if err := f.parseAtLeast(args, 1, "an image, or several exposures of a field"); err != nil {
		return err
	}
	r, err := inputs(f.operands, hdu.v)
	if err != nil {
		return err
	}
	r.Input.Plane, r.Input.Scale = plane.v, *scale
	psfs := strings.Split(*psf, ";")
	r.Method = recipe.Method{Kind: deconv.Method(*method), Iterations: *iterations, Damping: *damping, StopAtNoise: *stop, Strength: *strength, Resolution: *resolution, Tile: *tile, Recalibrate: *recalibrate}
	r.Method.Budget = budgetOf(*budget)
	choosePrior(&r, *prior)
	r.Draw.Samples, r.Draw.Seed, r.Device = *samples, *seed, o.device
	if *spectrum != "fit" {
		r.Prior.Spectrum, r.Prior.File = "file", *spectrum
	}
	if err := fillObservation(ctx, &r, psfs[0], *noise, *sky, *cutout, *mask, *saturation); err != nil {
		return err
	}
	if *psfGrid != "" {
		if *psf != "" {
			return usageError{"--psf and --psf-grid: give one of them"}
		}
		if r.PSF, err = recipe.ParsePSFGrid(*psfGrid); err != nil {
			return err
		}
	}
	r.PSF.Samples, r.PSF.Recenter = *psfSamples, *recenter
	if *psfError != "" {
		v, err := strconv.ParseFloat(*psfError, 64)
		if err != nil {
			return usageError{fmt.Sprintf("--psf-error %q is not a number", *psfError)}
		}
		r.PSF.Error = &v
	}
	if err := otherPSFs(&r, psfs[1:]); err != nil {
		return err
	}
	if err := recipe.ParseNoiseSpectrum(&r.Noise, *noiseSpectrum); err != nil {
		return err
	}
	if p := r.Noise.SpectrumFile; p != "" && absent(p) {
		return usageError{fmt.Sprintf("--noise-spectrum %s: neither a file nor one of measure, white", *noiseSpectrum)}
	}
	r.Sky.Free = *skyFree
	if err := fillStars(ctx, &r, *stars, *starError); err != nil {
		return err
	}
	return carryOut(ctx, e, r, o)
}

// choosePrior sets method and prior from --method and --prior, either of which may be
// empty.
func choosePrior(r *recipe.Recipe, prior string) {
	m := &r.Method.Kind
	switch {
	case prior != "" && prior != recipe.PriorGaussian:
		if *m == "" {
			*m = deconv.Learned
		}
		r.Prior = recipe.Prior{Kind: prior}
		if strings.ContainsAny(prior, "./\\") { // a file
			r.Prior = recipe.Prior{Kind: recipe.PriorWeights, File: prior}
		}
	case *m == deconv.Learned && prior == "":
		r.Prior = recipe.Prior{Kind: recipe.PriorGalaxies}
	case *m == "":
		*m = deconv.Gaussian
	}
}

// inputs is a recipe of one image or several exposures, as FILE or FILE[HDU]; hdu is of the
// first.
func inputs(operands []string, hdu *int) (recipe.Recipe, error) {
	var r recipe.Recipe
	for i, operand := range operands {
		file, at, err := recipe.ParseFile(operand)
		switch {
		case err != nil:
			return r, err
		case file == "":
			return r, usageError{operand + ": name a file"}
		case i > 0:
			r.Input.Others = append(r.Input.Others, recipe.Exposure{File: file, HDU: at})
			continue
		}
		r = recipe.Default(file)
		r.Input.HDU = at
		if hdu != nil {
			r.Input.HDU = hdu
		}
	}
	return r, nil
}

// otherPSFs gives the exposures after the first their own PSFs, if any are named.
func otherPSFs(r *recipe.Recipe, psfs []string) error {
	if len(psfs) == 0 {
		return nil
	}
	if len(psfs) != len(r.Input.Others) {
		return usageError{fmt.Sprintf("--psf: %d PSFs for %d exposures: one for all, or one each", len(psfs)+1, len(r.Input.Others)+1)}
	}
	for i, text := range psfs {
		p, err := recipe.ParsePSF(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		if p.Kind == observe.PSFFile && p.File != "" && absent(p.File) {
			return usageError{fmt.Sprintf("--psf %s: there is no such file", text)}
		}
		p.Samples, p.Recenter, p.Error = r.PSF.Samples, r.PSF.Recenter, r.PSF.Error
		if p.Kind != observe.PSFFile {
			p.Samples = 0
		}
		r.Input.Others[i].PSF = &p
	}
	return nil
}

// fillObservation parses what describes the data.
func fillObservation(ctx context.Context, r *recipe.Recipe, psf, noise, sky, cutout, mask, saturation string) error {
	var err error
	if psf == "" {
		r.PSF, err = session.DefaultPSF(ctx, r.Input.File)
	} else {
		r.PSF, err = recipe.ParsePSF(psf)
	}
	if err != nil {
		return err
	}
	if r.PSF.Kind == observe.PSFFile && r.PSF.File != "" && absent(r.PSF.File) {
		return usageError{fmt.Sprintf("--psf %s: neither a file nor one of measure, none, gaussian:…, moffat:…, airy:…", psf)}
	}
	if r.Noise, err = recipe.ParseNoise(noise); err != nil {
		return err
	}
	if r.Sky, err = recipe.ParseSky(sky); err != nil {
		return err
	}
	if cutout != "" {
		if r.Input.Cutout, err = recipe.ParseCutout(cutout); err != nil {
			return err
		}
	}
	if n, convErr := strconv.Atoi(mask); convErr == nil {
		r.Mask.HDU = &n
	} else if mask != "" {
		if r.Mask.File, r.Mask.HDU, err = recipe.ParseFile(mask); err != nil {
			return err
		}
	}
	if saturation != "" {
		v, err := strconv.ParseFloat(saturation, 64)
		if err != nil {
			return usageError{fmt.Sprintf("--saturation %q is not a number", saturation)}
		}
		r.Mask.Saturation = &v
	}
	return nil
}

// fillStars reads --stars, places or a file of them.
func fillStars(ctx context.Context, r *recipe.Recipe, stars string, sigma float64) error {
	if stars == "" {
		if sigma != 0 {
			return usageError{"--star-error without --stars"}
		}
		return nil
	}
	r.Stars.Error = sigma
	var err error
	if absent(stars) {
		if r.Stars.At, err = recipe.ParsePositions(stars); err != nil {
			return usageError{fmt.Sprintf("--stars %s: neither a file nor places as x,y;x,y", stars)}
		}
		return nil
	}
	s := session.New(nil)
	defer s.Close()
	r.Stars.At, err = s.ReadStars(ctx, r.Input, stars)
	return err
}

func runRecipe(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "run")
	var o outputFlags
	o.register(f)
	o.resumes(f)
	if err := f.parse(args, 1, "one recipe"); err != nil {
		return err
	}
	text, err := os.ReadFile(f.operands[0])
	other := err == nil && (lens.IsRecipe(text) || session.IsDeblendRecipe(text))
	if other && o.resume != "" {
		return usageError{"--resume goes on with deconvolutions only: run the recipe without it"}
	}
	if other && lens.IsRecipe(text) {
		r, err := lens.LoadRecipe(f.operands[0])
		if err != nil {
			return err
		}
		r.Device = o.device
		return carryMass(ctx, e, &r, o)
	}
	if other {
		return runDeblend(ctx, e, f.operands[0], o)
	}
	r, err := recipe.Load(f.operands[0])
	if err != nil {
		return err
	}
	if o.device != "" {
		r.Device = o.device
	}
	return carryOut(ctx, e, r, o)
}

// carryOut runs a recipe, shows its progress and writes the result.
func carryOut(ctx context.Context, e *Env, r recipe.Recipe, o outputFlags) error {
	if o.out == "" {
		return usageError{"name the output: -o OUT.fits"}
	}
	if err := r.Validate(); err != nil {
		return err
	}
	if err := session.CheckOutput(o.out); err != nil {
		return err
	}
	dev, err := e.devices(ctx, r.Device)
	if err != nil {
		return err
	}
	defer closeDevices(dev)
	s := session.NewOn(dev)
	defer s.Close()
	s.KeepStates(session.StatesOfStopped)
	run, err := startOrResume(ctx, s, r, o.resume)
	if err != nil {
		return err
	}
	watch(e, run, o.quiet || o.json)
	if err := run.Wait(); err != nil {
		return keepState(e, run, o.out, err)
	}
	res := run.Result()
	files := session.Beside(o.out)
	if o.fitsOnly {
		files = session.ExportOptions{FITS: o.out}
	}
	files.NoSamples = o.noSamples
	written, err := s.Export(ctx, res, files)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(e, res, run, written)
	}
	printResult(e, res, run, written)
	return nil
}

// stateFile is where a cancelled run is kept.
func stateFile(out string) string { return session.Stem(out) + ".state" }

// startOrResume starts a run, or goes on with the one in the file resume, which must be of
// the same recipe.
func startOrResume(ctx context.Context, s *session.Session, r recipe.Recipe, resume string) (*session.Run, error) {
	if resume == "" {
		return s.Start(ctx, r)
	}
	st, err := session.ReadState(resume)
	if err != nil {
		return nil, err
	}
	if what := st.Differs(r); what != "" {
		return nil, fmt.Errorf("%w: %s is of another %s", session.ErrState, resume, what)
	}
	return s.Resume(ctx, st, r.Draw.Samples)
}

// keepState writes what a cancelled run has found and says so; err is what ended it.
func keepState(e *Env, run *session.Run, out string, err error) error {
	st := run.TakeState()
	if st == nil || !errors.Is(err, session.ErrCancelled) {
		return err
	}
	path := stateFile(out)
	if werr := st.Write(path); werr != nil {
		return errors.Join(err, werr)
	}
	fmt.Fprintf(e.Err, "%d of %d samples are kept in %s: the same command with --resume %s goes on\n", st.Draws, st.Recipe.Draw.Samples, path, path)
	return err
}

// sample writes the shipped image and deconvolves it: what make run does without
// a display.
func sample(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "sample")
	dir := f.String("out", "out", "")
	samples := f.Int("samples", 64, "")
	if err := f.parse(args, 0, "no operand"); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	item := assets.Samples()[0]
	data, err := assets.ReadSample(item.File)
	if err != nil {
		return err
	}
	path := filepath.Join(*dir, item.File)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	fmt.Fprintf(e.Out, "%s: %s\n%s\n", item.Name, path, item.About)
	r := recipe.Default(path)
	if r.PSF, err = session.DefaultPSF(ctx, path); err != nil {
		return err
	}
	r.Draw.Samples = *samples
	return carryOut(ctx, e, r, outputFlags{out: session.Stem(path) + "-posterior.fits"})
}
