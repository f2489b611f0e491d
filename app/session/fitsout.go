package session

import (
	"fmt"
	"math"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// fitsFile collects the HDUs of a result.
type fitsFile struct {
	r     *Result
	shape []int // of one image: (H, W), or (C, H, W) for several bands
	hdus  []*fitsio.NewHDU
	err   error // the first; later additions do nothing
}

func (f *fitsFile) add(hdu *fitsio.NewHDU, err error) {
	if f.err == nil {
		f.hdus, f.err = append(f.hdus, hdu), err
	}
}

// image adds an image of the result's own shape, after lead more axes.
func (f *fitsFile) image(name string, pix []float32, note string, lead ...int) {
	f.add(fitsio.NewImage(name, append(lead, f.shape...), pix, f.noted(note)))
}

// noted is the output header with a line of history.
func (f *fitsFile) noted(text string) *fitsio.Header {
	h := f.r.outputHeader()
	h.AddHistory("limpid: " + text + "; see the primary header")
	return h
}

// writeFITS writes the multi-extension file.
func (r *Result) writeFITS(o ExportOptions) error {
	f := &fitsFile{r: r, shape: flat(r.Mean)}
	primary := r.outputHeader()
	r.provenance(primary)
	f.add(fitsio.NewImage("MEAN", f.shape, r.Mean.Pix, primary))
	if !r.Std.Empty() {
		f.image("STD", r.Std.Pix, fmt.Sprintf("standard deviation of %d posterior draws", r.Draws))
	}
	if len(r.Samples) > 0 && !o.NoSamples {
		cube := make([]float32, 0, len(r.Samples)*len(r.Mean.Pix))
		for _, s := range r.Samples {
			cube = append(cube, s.Pix...)
		}
		f.image("SAMPLES", cube, "posterior samples, one per plane", len(r.Samples))
	}
	f.image("RESIDUAL", r.Residual.Pix, "data minus model, sky subtracted, 0 where masked")
	if !r.PriorShare.Empty() {
		f.share()
	}
	f.image("DATA", r.Data.Pix, "the data that were used, sky subtracted, 0 where masked")
	f.mask()
	psf := &fitsio.Header{}
	psf.AddHistory("limpid: the PSF that was used, normalised to 1")
	f.add(fitsio.NewImage("PSF", flat(r.PSF), r.PSF.Pix, psf))
	if len(r.Report.PSF) > 0 {
		f.add(r.starTable())
	}
	if len(r.Stars) > 0 {
		f.add(r.pointTable())
	}
	words := &fitsio.Header{}
	words.AddComment("The recipe of this file as JSON: limpid-cli run carries it out.")
	f.add(fitsio.NewTable("RECIPE", []fitsio.NewColumn{{Name: "JSON", Data: []string{string(r.archivedRecipe().JSON())}}}, words))
	if f.err != nil {
		return f.err
	}
	return fitsio.WriteFile(o.FITS, fitsio.WriteOptions{Checksum: true}, f.hdus...)
}

// flat is an image's shape without a band axis of one.
func flat(im solvers.Image) []int {
	if im.C == 1 {
		return []int{im.H, im.W}
	}
	return []int{im.C, im.H, im.W}
}

// share adds the map of what comes from the prior, which has no unit.
func (f *fitsFile) share() {
	h := f.noted("share of the mean's power about a pixel that comes from the prior, not the data: 0 to 1")
	h.Delete("BUNIT")
	f.add(fitsio.NewImage("PRIORSHARE", f.shape, f.r.PriorShare.Pix, h))
}

func (f *fitsFile) mask() {
	mask := make([]uint8, len(f.r.Weights.Pix))
	for i, w := range f.r.Weights.Pix {
		if w == 0 {
			mask[i] = 1
		}
	}
	h := f.noted("1 where the data were not used")
	h.Delete("BUNIT")
	f.add(fitsio.NewImage("MASK", f.shape, mask, h))
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
	if f := rec.Method.Resolution; f > 0 {
		h.Set("LPRESOL", f, "[pix] FWHM of the Gaussian PSF of the result")
	}
	if n := rec.Method.Tile; n > 0 {
		h.Set("LPTILE", n, "[pix] side of the tiles it was worked in")
	}
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
	if r.Finer == r.Finer { // not NaN
		h.Set("LPFINER", r.Finer, "share of bright structure that is the prior's")
	}
	for c, s := range r.FreeSky {
		h.Set(fmt.Sprintf("LPSKY%d", c+1), s.Level, "free pedestal of a pixel, "+r.Skies[c])
		if r.Draws > 1 {
			h.Set(fmt.Sprintf("LPSKE%d", c+1), s.Std, "its standard deviation")
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
	for i, e := range rec.Input.Others {
		add("exposure %d: %s HDU %d (sha256 %.16s)", i+2, e.File, *e.HDU, e.SHA256)
	}
	if n := rec.Input.Scale; n > 1 {
		add("scene on pixels %d times finer than the first exposure's", n)
	}
	if rec.Stacked() {
		add("DATA and RESIDUAL are means over the exposures to look at; the exposures were fitted on their own pixels")
	}
	switch rec.Method.Kind {
	case deconv.Gaussian:
		add("method: exact posterior of a Gaussian prior; mean by conjugate gradients, %d independent draws, seed %d", r.Draws, rec.Draw.Seed)
		add("prior: Gaussian, power spectrum %s", map[string]string{"fit": "fitted to the data", "file": "from " + rec.Prior.File, "points": "given"}[rec.Prior.Spectrum])
	case deconv.Learned:
		add("method: posterior under a learned prior, annealed bridge, %d draws, seed %d", r.Draws, rec.Draw.Seed)
		add("prior: %s", strings.TrimSpace(rec.Prior.Kind+" "+rec.Prior.File))
		if r.FaintPairs > 0 {
			add("what is fainter than the noise in MEAN, STD and SAMPLES is mapped to what %d simulations say of such pixels", r.FaintPairs)
		}
	default:
		add("%s; no uncertainty", describeEstimate(rec.Method))
	}
	if f := rec.Method.Resolution; f > 0 {
		add("resolution: mean, samples and errors are of the scene at a Gaussian PSF of FWHM %.4g px", f)
	}
	if n := rec.Method.Tile; n > 0 {
		add("tiles of %d px that overlap, with one prior and random numbers that belong to the pixels", n)
	}
	if n := len(r.Samples); n > 0 && n < r.Draws {
		add("samples: the first %d of %d draws; mean and errors are of all", n, r.Draws)
	}
	switch apart := rec.Method.Resolution == 0; {
	case len(r.Stars) > 0 && apart:
		add("stars: %d beside the scene, in POINTS; MEAN, STD and SAMPLES are of the scene without them, RESIDUAL of both", len(r.Stars))
	case len(r.Stars) > 0:
		add("stars: %d beside the scene, in POINTS, and as that Gaussian in MEAN, STD and SAMPLES", len(r.Stars))
	}
	spell := strings.NewReplacer("±", "+-", "χ²", "chi2", "σ", "sigma")
	for _, line := range r.BesideLines() {
		add("%s", spell.Replace(line))
	}
	if text := r.CalibrationSentence(); text != "" {
		add("error bars: %s", spell.Replace(text))
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
	if p.Rows > 0 {
		text = fmt.Sprintf("at %d x %d nodes, interpolated; their mean is in this file: %s", p.Rows, p.Cols, text)
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
	for c, k := range r.Colour {
		text += fmt.Sprintf("; correlated (%s): next pixels of a row %.2f, of a column %.2f, sums over many scatter by %.2f of independent noise", r.Bands[c], k.Lag(0, 1), k.Lag(1, 0), math.Sqrt(k.Sum()))
	}
	switch n.Spectrum {
	case observe.SpectrumMeasured:
		text += "; measured from empty sky"
	case observe.SpectrumFile:
		text += "; from " + n.SpectrumFile
		if n.SpectrumHDU != nil {
			text += fmt.Sprintf(" HDU %d", *n.SpectrumHDU)
		}
	}
	return text
}

// starTable lists the candidates of a measured PSF: positions in FITS pixels of
// the cut-out, what was measured, and why some were not used.
func (r *Result) starTable() (*fitsio.NewHDU, error) {
	var band []int16
	var x, y, flux, snr, half, ell []float64
	var used []bool
	var reason []string
	for c, psf := range r.Report.PSF {
		for _, s := range psf.Stars {
			band = append(band, int16(c))
			x, y = append(x, s.X+1), append(y, s.Y+1)
			flux, snr = append(flux, s.Flux), append(snr, s.SNR)
			half, ell = append(half, s.HalfLight), append(ell, s.Ellipticity)
			used, reason = append(used, s.Used), append(reason, s.Reason)
		}
	}
	h := &fitsio.Header{}
	h.AddHistory("limpid: stars the PSF was measured from (USED), and candidates that were not")
	return fitsio.NewTable("STARS", []fitsio.NewColumn{
		{Name: "BAND", Data: band},
		{Name: "X", Unit: "pix", Data: x},
		{Name: "Y", Unit: "pix", Data: y},
		{Name: "FLUX", Unit: r.Unit, Data: flux},
		{Name: "SNR", Data: snr},
		{Name: "R50", Unit: "pix", Data: half},
		{Name: "ELLIPTICITY", Data: ell},
		{Name: "USED", Data: used},
		{Name: "REASON", Data: reason},
	}, h)
}

// describeEstimate names a method without samples and its settings.
func describeEstimate(m recipe.Method) string {
	about, _ := m.Kind.About()
	text := "method: " + strings.ReplaceAll(about.Short, "–", "-")
	if about.Iterates {
		text += fmt.Sprintf(", at most %d iterations", deconv.Settings{Method: m.Kind, Iterations: m.Iterations}.StepsAtMost())
	}
	if m.Damping > 0 {
		text += fmt.Sprintf(", damped at %g sigma", m.Damping)
	}
	if m.Strength > 0 {
		text += fmt.Sprintf(", strength %g", m.Strength)
	}
	if m.StopAtNoise {
		text += ", stopped at the noise"
	}
	return text
}
