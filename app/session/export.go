package session

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/recipe"
	"limpid/assets"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

// ExportOptions name what to write. Empty paths are left out.
type ExportOptions struct {
	FITS       string // MEAN, STD, SAMPLES, RESIDUAL, DATA, MASK, PSF, STARS if measured, RECIPE
	Figure     string // .png, .pdf or .svg; with several bands the band's name is put before the ending
	Recipe     string // JSON
	References string // BibTeX
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
	for c, band := range r.Bands {
		path := o.Figure
		if path != "" && len(r.Bands) > 1 {
			ext := filepath.Ext(path)
			path = strings.TrimSuffix(path, ext) + "." + safeName(band) + ext
		}
		if err := step(path, func() error { return r.writeFigure(path, c) }); err != nil {
			return written, err
		}
	}
	if err := step(o.Recipe, func() error {
		return writeFile(o.Recipe, bytesOf(r.portableRecipe(filepath.Dir(o.Recipe)).JSON()))
	}); err != nil {
		return written, err
	}
	err := step(o.References, func() error {
		return writeFile(o.References, bytesOf(assets.References(r.References)))
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

func bytesOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// writeFile writes beside the target, syncs and renames.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// portableRecipe is the recipe with its files named relative to dir, so that the
// folder can be moved as a whole.
func (r *Result) portableRecipe(dir string) recipe.Recipe {
	out := r.Recipe
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
	out := r.Recipe
	for _, p := range out.Paths() {
		*p = fileName(*p)
	}
	return out
}

// writeFITS writes the multi-extension file.
func (r *Result) writeFITS(o ExportOptions) error {
	shape := []int{r.Mean.C, r.Mean.H, r.Mean.W}
	if r.Mean.C == 1 {
		shape = shape[1:]
	}
	primary := r.outputHeader()
	r.provenance(primary)
	var hdus []*fitsio.NewHDU
	add := func(name string, shape []int, pix []float32, h *fitsio.Header) error {
		hdu, err := fitsio.NewImage(name, shape, pix, h)
		hdus = append(hdus, hdu)
		return err
	}
	if err := add("MEAN", shape, r.Mean.Pix, primary); err != nil {
		return err
	}
	note := func(text string) *fitsio.Header {
		h := r.outputHeader()
		h.AddHistory("limpid: " + text + "; see the primary header")
		return h
	}
	if !r.Std.Empty() {
		if err := add("STD", shape, r.Std.Pix, note(fmt.Sprintf("standard deviation of %d posterior draws", r.Draws))); err != nil {
			return err
		}
	}
	if len(r.Samples) > 0 && !o.NoSamples {
		cube := make([]float32, 0, len(r.Samples)*len(r.Mean.Pix))
		for _, s := range r.Samples {
			cube = append(cube, s.Pix...)
		}
		if err := add("SAMPLES", append([]int{len(r.Samples)}, shape...), cube, note("posterior samples, one per plane")); err != nil {
			return err
		}
	}
	if err := add("RESIDUAL", shape, r.Residual.Pix, note("data minus model, sky subtracted, 0 where masked")); err != nil {
		return err
	}
	if err := add("DATA", shape, r.Data.Pix, note("the data that were used, sky subtracted, 0 where masked")); err != nil {
		return err
	}
	mask := make([]uint8, len(r.Weights.Pix))
	for i, w := range r.Weights.Pix {
		if w == 0 {
			mask[i] = 1
		}
	}
	maskHeader := note("1 where the data were not used")
	maskHeader.Delete("BUNIT")
	hdu, err := fitsio.NewImage("MASK", shape, mask, maskHeader)
	if err != nil {
		return err
	}
	psf := &fitsio.Header{}
	psf.AddHistory("limpid: the PSF that was used, normalised to 1")
	psfShape := []int{r.PSF.C, r.PSF.H, r.PSF.W}
	if r.PSF.C == 1 {
		psfShape = psfShape[1:]
	}
	hdus = append(hdus, hdu)
	if err := add("PSF", psfShape, r.PSF.Pix, psf); err != nil {
		return err
	}
	if len(r.Report.PSF) > 0 {
		stars, err := r.starTable()
		if err != nil {
			return err
		}
		hdus = append(hdus, stars)
	}
	words := &fitsio.Header{}
	words.AddComment("The recipe of this file as JSON: limpid-cli run carries it out.")
	table, err := fitsio.NewTable("RECIPE", []fitsio.NewColumn{{Name: "JSON", Data: []string{string(r.archivedRecipe().JSON())}}}, words)
	if err != nil {
		return err
	}
	hdus = append(hdus, table)
	return fitsio.WriteFile(o.FITS, fitsio.WriteOptions{Checksum: true}, hdus...)
}

// outputHeader is the source's header without what no longer holds: the third
// axis of a cube, names, checksums.
func (r *Result) outputHeader() *fitsio.Header {
	h := r.Header.Clone()
	h.Delete("EXTNAME", "EXTVER", "EXTLEVEL", "CHECKSUM", "DATASUM", "DATAMIN", "DATAMAX", "BLANK",
		"CTYPE3", "CRVAL3", "CRPIX3", "CDELT3", "CUNIT3", "CNAME3", "CROTA3",
		"CTYPE4", "CRVAL4", "CRPIX4", "CDELT4", "CUNIT4", "CNAME4", "CROTA4",
		"CD3_3", "CD3_1", "CD3_2", "CD1_3", "CD2_3", "PC3_3", "PC3_1", "PC3_2", "PC1_3", "PC2_3",
		"PC4_4", "PC4_1", "PC4_2", "PC4_3", "PC1_4", "PC2_4", "PC3_4")
	if n, ok := h.Int("WCSAXES"); ok && n > 2 {
		h.Set("WCSAXES", 2, "")
	}
	return h
}

// provenance writes how the result was made: keywords for programs, HISTORY for
// people.
func (r *Result) provenance(h *fitsio.Header) {
	rec := r.archivedRecipe()
	h.Set("LPVERS", limpid.Version, "Limpid version")
	h.Set("LPTASK", rec.Task, "")
	h.Set("LPMETHOD", string(rec.Method.Kind), "")
	h.Set("LPINPUT", rec.Input.File, "input file")
	h.Set("LPSHA256", rec.Input.SHA256, "of the input file")
	h.Set("LPSEED", int64(rec.Draw.Seed), "random seed")
	h.Set("LPNDRAW", r.Draws, "posterior draws")
	h.Set("LPDONE", r.Complete, "the run was not cancelled")
	for c, f := range r.Fits {
		n := c + 1
		h.Set(fmt.Sprintf("LPCHI%d", n), f.Chi2, "chi2 per pixel of the residual, "+r.Bands[c])
		if r.Draws > 0 {
			h.Set(fmt.Sprintf("LPCHD%d", n), f.Chi2Draws, "chi2 per pixel of single draws (expect 1)")
		}
		h.Set(fmt.Sprintf("LPFLX%d", n), f.FluxScene, "flux of the mean over the image")
		if r.Draws > 1 {
			h.Set(fmt.Sprintf("LPFLE%d", n), r.FluxStd[c], "its standard deviation")
		}
	}
	for _, line := range r.History() {
		h.AddHistory(line)
	}
}

// History says in sentences what was done.
func (r *Result) History() []string {
	rec := r.archivedRecipe()
	out := []string{fmt.Sprintf("limpid %s: %s %s HDU %d (sha256 %.16s)", limpid.Version, rec.Task, rec.Input.File, *rec.Input.HDU, rec.Input.SHA256)}
	add := func(format string, a ...any) { out = append(out, "limpid: "+fmt.Sprintf(format, a...)) }
	if c := rec.Input.Cutout; c != nil {
		add("cut-out x %d:%d, y %d:%d (from 0, upper ends excluded)", c[0], c[1], c[2], c[3])
	}
	if rec.Input.Plane != nil {
		add("plane %d", *rec.Input.Plane)
	}
	switch rec.Method.Kind {
	case deconv.Gaussian:
		add("method: exact posterior of a Gaussian prior; mean by conjugate gradients, %d independent draws, seed %d", r.Draws, rec.Draw.Seed)
		add("prior: Gaussian, power spectrum %s", map[string]string{"fit": "fitted to the data", "file": "from " + rec.Prior.File, "points": "given"}[rec.Prior.Spectrum])
	case deconv.RichardsonLucy:
		text := fmt.Sprintf("method: Richardson-Lucy, at most %d iterations", max(rec.Method.Iterations, 1))
		if rec.Method.Iterations == 0 {
			text = fmt.Sprintf("method: Richardson-Lucy, %d iterations", defaultIterations)
		}
		if rec.Method.Damping > 0 {
			text += fmt.Sprintf(", damped at %g sigma", rec.Method.Damping)
		}
		if rec.Method.StopAtNoise {
			text += ", stopped at the noise"
		}
		add("%s; no uncertainty", text)
	}
	add("PSF: %s", r.describePSF())
	add("noise: %s", r.describeNoise())
	for c, level := range r.Report.SkyLevel {
		if level != 0 {
			add("sky: %.6g subtracted (%s)", level, r.Bands[c])
		}
	}
	return out
}

func (r *Result) describePSF() string {
	p := r.archivedRecipe().PSF
	fwhm := make([]string, len(r.Report.FWHM))
	for i, f := range r.Report.FWHM {
		fwhm[i] = fmt.Sprintf("%.3g", f)
	}
	text := fmt.Sprintf("%s, FWHM %s px", p.Kind, strings.Join(fwhm, " "))
	if len(r.Report.PSF) > 0 {
		text += fmt.Sprintf(", from %d stars", r.Report.PSF[0].Used)
	}
	if p.File != "" {
		text += ", " + p.File
	}
	if p.HDU != nil {
		text += fmt.Sprintf(" HDU %d", *p.HDU)
	}
	return text
}

func (r *Result) describeNoise() string {
	n := r.archivedRecipe().Noise
	text := string(r.Report.Noise)
	if n.File != "" {
		text += " " + n.File
	}
	if n.HDU != nil {
		text += fmt.Sprintf(" HDU %d", *n.HDU)
	}
	if n.Gain > 0 {
		text += fmt.Sprintf(", gain %g", n.Gain)
	}
	return text
}

// writeFigure draws band c as PNG, PDF or SVG.
func (r *Result) writeFigure(path string, c int) error {
	fig, err := r.Figure(c)
	if err != nil {
		return err
	}
	return writeDrawing(path, fig)
}

// Figure is the panel of band c: data, mean, std, two samples, residual in units
// of the noise. Masked pixels are blank in data and residual.
func (r *Result) Figure(c int) (panel.Figure, error) {
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
	for _, s := range r.Samples[:min(2, len(r.Samples))] {
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
	return p.Figure()
}
