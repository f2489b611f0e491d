package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"limpid/app/calibration"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/app/training"
	"limpid/engine"
	"limpid/fitsio"
)

const calibrateHelp = `
  --prior P             learned prior (default galaxies), or a weights file
  --sampler S           bridge (default), moments, hmc, langevin, gibbs
  --psf P               gaussian:2.5px, moffat:3px,3, airy:3px, FILE or FILE[HDU]
                        (default moffat:3px,3); --psf-side N cuts a file's stamp
  --side N              pixels of the images (default 64)
  --margin N            pixels at the border that do not count: what shines in from beyond
                        is not seen (default: the PSF's FWHM)
  --pairs N             simulated truths (default 200)    --draws N   of each (default 20)
  --snr LO,HI           peak of the blurred scene over the noise (default 5,300)
  --total-snr           S/N is the root of the blurred scene's sum of squares over the noise
  --scene-snr           instead, or the scene's own, before the PSF
  --masked SHARE        of the rows that are lost (default 0)
  --resolution PX       FWHM of the target PSF that truths and draws are judged at (default: none)
  --correlated PX       noise is smoothed with a Gaussian of that sigma, as resampling does, and
                        its correlation is known (default: independent pixels)
  --exposures N         dithered exposures of every scene, on pixels twice as large; the PSF is
                        then of such a pixel, on the scene's (default: one image)
  --star                a star and a sky beside every scene are sampled with it
  --truths T            simulator (default): prior and sampler are judged together;
                        prior: scenes drawn from the prior, only the sampler is judged
  --single              one galaxy in the middle instead of a field
  --pixel ARCSEC        of the simulated scenes (default: .03 to .3, a scene each; with
                        --single .08 to .4)
  --budget B            the walk that deconvolve --budget B has: quick, standard (default),
                        publication
  --levels N, --moves N of the sampler (default: the budget's; --moves -1: none)
  --sigma-min S         where its walk ends, in sigma of a pixel (default: its own)
  --seed N              (default 1)
  --recalibrate         faint pixels are mapped as deconvolve --recalibrate does
  --learn FILE.json     measures what simulations say of faint pixels, and adds it to a file
                        (give every run a seed of its own);
                        named like your weights, .faint.json in place of .safetensors, it is
                        what --recalibrate uses with them
  A finished calibration of your own weights is kept beside them, and said with every
  result of theirs.
  --keep FILE.fits      truths, data and means of all pairs, for other programs
  --keep-draws          the draws of all pairs in that file too
  -o OUT.json           the report; OUT.txt beside it is the table that is printed
`

// calibrateCommand judges error bars by simulation.
func calibrateCommand(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "calibrate")
	o := calibration.Options{}
	f.StringVar(&o.Prior, "prior", "galaxies", "")
	f.StringVar(&o.Sampler, "sampler", "bridge", "")
	f.IntVar(&o.Side, "side", 64, "")
	f.IntVar(&o.Pairs, "pairs", 200, "")
	f.IntVar(&o.Draws, "draws", 20, "")
	f.IntVar(&o.Levels, "levels", 0, "")
	f.IntVar(&o.Moves, "moves", 0, "")
	f.Float64Var(&o.SigmaMin, "sigma-min", 0, "")
	f.IntVar(&o.Margin, "margin", -1, "")
	f.Float64Var(&o.Masked, "masked", 0, "")
	f.Float64Var(&o.Resolution, "resolution", 0, "")
	f.Float64Var(&o.Correlated, "correlated", 0, "")
	f.IntVar(&o.Exposures, "exposures", 0, "")
	f.BoolVar(&o.Star, "star", false, "")
	f.StringVar((*string)(&o.Truths), "truths", "", "")
	f.BoolVar(&o.Single, "single", false, "")
	f.BoolVar(&o.TotalSNR, "total-snr", false, "")
	f.BoolVar(&o.SceneSNR, "scene-snr", false, "")
	f.Float64Var(&o.Pixel, "pixel", 0, "")
	f.Uint64Var(&o.Seed, "seed", 1, "")
	f.BoolVar(&o.Recalibrate, "recalibrate", false, "")
	learn, budget := f.String("learn", "", ""), f.String("budget", "", "")
	psf, stamp, snr := f.String("psf", "moffat:3px,3", ""), f.Int("psf-side", 0, ""), f.String("snr", "", "")
	out, device := f.String("o", "", ""), f.String("device", "", "")
	quiet, keep, keepDraws := f.Bool("quiet", false, ""), f.String("keep", "", ""), f.Bool("keep-draws", false, "")
	if err := f.parse(args, 0, "no operand"); err != nil {
		return err
	}
	o.Budget = budgetOf(*budget)
	if *snr != "" {
		if n, err := fmt.Sscanf(strings.ReplaceAll(*snr, ",", " "), "%g %g", &o.LowSNR, &o.HighSNR); n != 2 || err != nil {
			return usageError{fmt.Sprintf("--snr %q: two numbers, as 5,300", *snr)}
		}
	}
	var err error
	if o.PSF, err = session.LoadPSF(ctx, *psf, *stamp); err != nil {
		return err
	}
	o.About = *psf
	if o.Learn = *learn != ""; o.Learn {
		if err := session.CheckOutput(*learn); err != nil {
			return err
		}
	}
	kept := keptPairs{withDraws: *keepDraws}
	if *keepDraws && *keep == "" {
		return usageError{"--keep-draws wants --keep FILE.fits"}
	}
	if *keep != "" {
		if err := session.CheckOutput(*keep); err != nil {
			return err
		}
		if err := session.CheckMemory("what is kept of the pairs", kept.memory(o)); err != nil {
			return err
		}
		o.Keep = kept.add
	}
	var rep *calibration.Report
	err = e.onDevice(ctx, *device, func(dev engine.Device) (err error) {
		rep, err = calibration.Run(ctx, dev, o, func(s calibration.Status) {
			if !*quiet {
				fmt.Fprintf(e.Err, "pair %d of %d, χ²/pixel of draws %.3f, %.0f s\n", s.Pairs, o.Pairs, s.Chi2, s.Elapsed.Seconds())
			}
		})
		return err
	})
	if rep == nil || rep.Pairs == 0 {
		if errors.Is(err, calibration.ErrInvalid) {
			return fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
		}
		return err
	}
	fmt.Fprint(e.Out, rep.Table())
	if *keep != "" {
		if werr := kept.write(*keep, o); werr != nil {
			return fmt.Errorf("%w: %w", session.ErrOutput, werr)
		}
	}
	if o.Learn && err == nil {
		if lerr := calibration.StoreFaint(*learn, rep.Faint); lerr != nil {
			return fmt.Errorf("%w: %w", session.ErrOutput, lerr)
		}
		fmt.Fprintf(e.Out, "faint pixels of %d pairs in %s\n", rep.Faint.Pairs, *learn)
	}
	if entry, ferr := training.Find(o.Prior); err == nil && ferr == nil && !o.Learn && !o.Recalibrate && rep.Expected() == calibration.Level && rep.Comparable(entry.Card) && entry.Path != "" {
		path, serr := calibration.Store(entry, rep)
		if serr != nil {
			return fmt.Errorf("%w: %w", session.ErrOutput, serr)
		}
		fmt.Fprintln(e.Out, "kept in", path+": results of this prior say so")
	}
	if *out != "" {
		if werr := os.WriteFile(*out, rep.JSON(), 0o644); werr != nil {
			return fmt.Errorf("%w: %w", session.ErrOutput, werr)
		}
		text := strings.TrimSuffix(*out, filepath.Ext(*out)) + ".txt"
		if werr := os.WriteFile(text, []byte(rep.Table()), 0o644); werr != nil {
			return fmt.Errorf("%w: %w", session.ErrOutput, werr)
		}
	}
	return err
}

// keptPairs gathers the planes of --keep.
type keptPairs struct {
	withDraws                bool
	n                        int
	truth, data, mean, draws []float32
}

// memory is what they take in the end, and again while slices grow and the file is made.
func (k *keptPairs) memory(o calibration.Options) int64 {
	planes := 3
	if k.withDraws {
		planes += o.Draws
	}
	return 3 * 4 * int64(o.Pairs) * int64(planes) * int64(o.Side) * int64(o.Side)
}

func (k *keptPairs) add(p calibration.Kept) {
	k.n++
	k.truth, k.data, k.mean = append(k.truth, p.Truth...), append(k.data, p.Data...), append(k.mean, p.Mean...)
	if k.withDraws {
		for _, d := range p.Draws {
			k.draws = append(k.draws, d...)
		}
	}
}

// write makes a file of the cubes TRUTH, DATA and MEAN, (pairs, side, side) in units of the
// noise, of PSF, and of DRAWS, (pairs, draws, side, side), if they are kept.
func (k *keptPairs) write(path string, o calibration.Options) error {
	side := int(math.Sqrt(float64(len(k.truth) / k.n)))
	cube := []int{k.n, side, side}
	var hdus []*fitsio.NewHDU
	type plane struct {
		name  string
		shape []int
		pix   []float32
	}
	planes := []plane{{"TRUTH", cube, k.truth}, {"DATA", cube, k.data}, {"MEAN", cube, k.mean}, {"PSF", []int{o.PSF.H, o.PSF.W}, o.PSF.Pix}}
	if k.withDraws {
		planes = append(planes, plane{"DRAWS", []int{k.n, len(k.draws) / len(k.truth), side, side}, k.draws})
	}
	for _, im := range planes {
		h, err := fitsio.NewImage(im.name, im.shape, im.pix, nil)
		if err != nil {
			return err
		}
		hdus = append(hdus, h)
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{Checksum: true}, hdus...)
}
