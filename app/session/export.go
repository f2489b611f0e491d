package session

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/file"
	"limpid/app/recipe"
	"limpid/assets"
	"limpid/solvers"
)

// ExportOptions name what to write. Empty paths are left out.
type ExportOptions struct {
	FITS       string // MEAN, STD, SAMPLES, RESIDUAL, PRIORSHARE, DATA, MASK, PSF, STARS if measured, POINTS with stars, RECIPE
	Figure     string // .png, .pdf or .svg; with several bands the band's name is put before the ending
	Recipe     string // JSON
	References string // BibTeX
	TIFF       string // the mean in 16 bits of grey, for programs that edit pictures; by band as Figure
	Film       string // .gif of the samples; by band as Figure
	NoSamples  bool   // leave the SAMPLES cube out of the FITS file
}

// Beside gives the full set of files for a FITS path: out.fits, out.png,
// out.recipe.json, out.bib.
func Beside(fits string) ExportOptions {
	stem := Stem(fits)
	return ExportOptions{FITS: fits, Figure: stem + ".png", Recipe: stem + ".recipe.json", References: stem + ".bib"}
}

// Stem is a path without the endings of FITS files.
func Stem(path string) string {
	for _, e := range []string{".gz", ".fz", ".fits", ".fit", ".fts"} {
		if len(path) > len(e) && strings.EqualFold(path[len(path)-len(e):], e) {
			path = path[:len(path)-len(e)]
		}
	}
	return path
}

// CheckOutput tells before a long run whether its result can be written: the
// folder must exist and take a new file.
func CheckOutput(path string) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("session: %s is a folder: %w", path, ErrOutput)
	}
	f, err := os.CreateTemp(dir, ".limpid-check-*")
	if err != nil {
		return fmt.Errorf("session: %w: %w", ErrOutput, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// Export writes a result and returns the paths written. Every file appears under
// its name when it is complete; on an error the ones before it stand.
func (s *Session) Export(ctx context.Context, r *Result, o ExportOptions) ([]string, error) {
	var written []string
	step := func(path string, write func() error) error {
		if path == "" {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return ErrCancelled
		}
		if err := write(); err != nil {
			return fmt.Errorf("session: %w: %s: %w", ErrOutput, path, err)
		}
		written = append(written, path)
		return nil
	}
	if err := step(o.FITS, func() error { return r.writeFITS(o) }); err != nil {
		return written, err
	}
	for _, drawing := range []string{o.Figure, o.TIFF, o.Film} {
		for c, band := range r.Bands {
			path := drawing
			if path != "" && len(r.Bands) > 1 {
				ext := filepath.Ext(path)
				path = strings.TrimSuffix(path, ext) + "." + safeName(band) + ext
			}
			if err := step(path, func() error { return writePosterior(path, r.drawing(c)) }); err != nil {
				return written, err
			}
		}
	}
	if err := step(o.Recipe, func() error {
		return file.WriteBytes(o.Recipe, r.portableRecipe(filepath.Dir(o.Recipe)).JSON())
	}); err != nil {
		return written, err
	}
	err := step(o.References, func() error {
		return file.WriteBytes(o.References, assets.References(r.References))
	})
	return written, err
}

func safeName(s string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '/' || c == '\\' || c == ':' {
			return '-'
		}
		return c
	}, s)
}

// portableRecipe is the recipe with its files named relative to dir, so that the
// folder can be moved as a whole.
func (r *Result) portableRecipe(dir string) recipe.Recipe {
	out := r.Recipe.Clone()
	rel := func(path string) string {
		if path == "" {
			return ""
		}
		a, err1 := filepath.Abs(path)
		d, err2 := filepath.Abs(dir)
		if err1 != nil || err2 != nil {
			return path
		}
		if p, err := filepath.Rel(d, a); err == nil {
			return filepath.ToSlash(p)
		}
		return a
	}
	for _, p := range out.Paths() {
		*p = rel(*p)
	}
	return out
}

// archivedRecipe is the recipe with base names only: what goes into the FITS
// file, which must not depend on where things lay.
func (r *Result) archivedRecipe() recipe.Recipe {
	out := r.Recipe.Clone()
	for _, p := range out.Paths() {
		*p = fileName(*p)
	}
	return out
}

// Figure is the panel of band c: data, mean, std, two samples, residual in units
// of the noise. Masked pixels are blank in data and residual.
func (r *Result) Figure(c int) (panel.Figure, error) { return r.drawing(c).Figure() }

// drawing is what pictures of band c are made of.
func (r *Result) drawing(c int) panel.Posterior {
	plane := func(im solvers.Image) *figure.Plane {
		if im.Empty() {
			return nil
		}
		return &figure.Plane{Data: im.Plane(c), H: im.H, W: im.W}
	}
	data, residual := r.Data.Clone(), r.Residual.Clone()
	for i, w := range r.Weights.Pix {
		if w == 0 {
			data.Pix[i], residual.Pix[i] = float32(math.NaN()), float32(math.NaN())
			continue
		}
		residual.Pix[i] *= float32(math.Sqrt(float64(w)))
	}
	p := panel.Posterior{
		Data: plane(data), Mean: plane(r.Mean), Std: plane(r.Std), Residual: plane(residual), InSigma: true,
		Unit: r.Unit, Title: fileName(r.Recipe.Input.File), Caption: r.Sentence(),
	}
	for _, s := range r.Samples {
		p.Samples = append(p.Samples, *plane(s))
	}
	if r.WCS != nil {
		p.Sky = r.WCS
	}
	if len(r.Bands) > 1 {
		p.Title += ", " + r.Bands[c]
	}
	if n := r.Report.Masked[c]; n > 0 {
		p.Caption += fmt.Sprintf("; %d pixels masked", n)
	}
	return p
}
