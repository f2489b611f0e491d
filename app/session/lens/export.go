package lens

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"

	"limpid"
	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/file"
	"limpid/assets"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
)

// ExportOptions name what to write; empty paths are left out.
type ExportOptions struct {
	FITS       string // KAPPA, STD, SN, SAMPLES, EMODE, BMODE, SHEAR, WEIGHT, COUNT, MASK, PEAKS, SPECTRUM, ONEPOINT
	Figure     string // .png, .pdf or .svg
	Film       string // .gif of the samples
	Summary    string // JSON
	References string // BibTeX
	NoSamples  bool
}

// Header is the sky of a field's pixels, and nothing where it has none.
func Header(f *massmap.Field) *fitsio.Header {
	h := &fitsio.Header{}
	p := f.Projection
	switch p.Kind {
	case massmap.Gnomonic:
		wcs.SetTAN(h, p.RA0, p.Dec0, p.Arcmin*60, f.W, f.H)
	case massmap.FlatEast: // plain linear axes about the middle
		h.Set("CTYPE1", "RA---CAR", "RA - RA0, no cosine; columns run east")
		h.Set("CTYPE2", "DEC--CAR", "")
		h.Set("CUNIT1", "deg", "")
		h.Set("CUNIT2", "deg", "")
		h.Set("CRVAL1", p.RA0, "")
		h.Set("CRVAL2", 0.0, "")
		h.Set("CRPIX1", float64(f.W)/2+0.5, "")
		h.Set("CRPIX2", float64(f.H)/2+0.5-p.Dec0*60/p.Arcmin, "")
		h.Set("CDELT1", p.Arcmin/60, "")
		h.Set("CDELT2", p.Arcmin/60, "")
		h.Set("RADESYS", "ICRS", "")
	}
	return h
}

// Export writes a result and returns the paths written.
func (r *Result) Export(o ExportOptions) ([]string, error) {
	var written []string
	for _, w := range []struct {
		path string
		do   func(path string) error
	}{
		{o.FITS, func(path string) error { return r.writeFITS(path, o.NoSamples) }},
		{o.Figure, r.writeFigure},
		{o.Film, r.writeFilm},
		{o.Summary, r.writeSummary},
		{o.References, func(path string) error { return file.WriteBytes(path, assets.References(r.References)) }},
	} {
		if w.path == "" {
			continue
		}
		if err := w.do(w.path); err != nil {
			return written, fmt.Errorf("lens: write %s: %w", w.path, err)
		}
		written = append(written, w.path)
	}
	return written, nil
}

func (r *Result) writeFITS(path string, noSamples bool) error {
	f := r.Job.Field
	var hdus []*fitsio.NewHDU
	var failed error
	add := func(h *fitsio.NewHDU, err error) {
		if failed == nil {
			hdus, failed = append(hdus, h), err
		}
	}
	plane := func(name string, pix []float32, note string, lead ...int) {
		if pix == nil {
			return
		}
		h := Header(f)
		h.AddHistory("limpid: " + note)
		add(fitsio.NewImage(name, append(lead, f.H, f.W), pix, h))
	}
	primary := Header(f)
	r.provenance(primary)
	add(fitsio.NewImage("KAPPA", []int{f.H, f.W}, r.Mean, primary))
	plane("STD", r.Std, "standard deviation of the posterior")
	plane("SN", r.SN, "mean, its average over the field subtracted, over standard deviation")
	if len(r.Samples) > 0 && !noSamples {
		cube := make([]float32, 0, len(r.Samples)*len(r.Mean))
		for _, s := range r.Samples {
			cube = append(cube, s...)
		}
		plane("SAMPLES", cube, "posterior samples, one per plane", len(r.Samples))
	}
	plane("EMODE", r.E, "Kaiser-Squires E mode, smoothed")
	plane("BMODE", r.B, "Kaiser-Squires B mode, smoothed: no lensing signal")
	plane("SHEAR", f.Shear.Pix, "g1 and g2 along columns and rows, 0 where masked", 2)
	plane("WEIGHT", f.Weights.Pix, "inverse variance of g1 and g2, 0 where masked", 2)
	plane("COUNT", f.Count, "galaxies per pixel")
	if a := r.Aperture; a != nil {
		plane("APMASS", a.Mass, "aperture mass")
		plane("APCROSS", a.Cross, "its cross component: no lensing signal")
		plane("APSTD", a.Std, "noise of either")
		plane("APFILLED", a.Filled, "share of the aperture with data")
	}
	add(fitsio.NewImage("MASK", []int{f.H, f.W}, f.Mask(), Header(f)))
	add(r.peakTable())
	add(bandTable("SPECTRUM", "ELL", "C_ELL", "sr", r.Spectrum))
	add(bandTable("ONEPOINT", "KAPPA", "DENSITY", "", r.OnePoint))
	if r.Profile != nil {
		add(bandTable("PROFILE", "THETA", "KAPPA", "", *r.Profile))
	}
	if failed != nil {
		return failed
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{Checksum: true}, hdus...)
}

func (r *Result) provenance(h *fitsio.Header) {
	set := r.Job.Settings
	h.Set("LPVERS", limpid.Version, "Limpid version")
	h.Set("LPTASK", "massmap", "")
	h.Set("LPMETHOD", string(set.Method), "")
	h.Set("LPSEED", int64(r.Job.Seed), "random seed")
	h.Set("LPNDRAW", len(r.Samples), "posterior draws")
	h.Set("LPPIXEL", r.Job.Field.Arcmin, "side of a pixel, arcmin")
	h.Set("LPNGAL", r.Job.Field.Galaxies, "galaxies used")
	h.Set("LPSIGE", r.Job.Field.SigmaE, "dispersion of a component of their shapes")
	if !math.IsNaN(r.Chi2) {
		h.Set("LPCHI", r.Chi2, "chi2 per component of the mean map")
	}
	if r.Null != nil {
		h.Set("LPSIGEM", r.Null.SigmaE, "E mode against random rotations, sigma")
		h.Set("LPSIGBM", r.Null.SigmaB, "B mode against random rotations, sigma")
	}
	for _, x := range r.Findings {
		h.AddHistory("limpid: " + x.String())
	}
	h.AddHistory("limpid: projection " + r.Job.Field.Projection.String())
}

func (r *Result) peakTable() (*fitsio.NewHDU, error) {
	n := len(r.Peaks)
	col := func(f func(p measure.Peak) float64) []float64 {
		out := make([]float64, n)
		for i, p := range r.Peaks {
			out[i] = f(p)
		}
		return out
	}
	return fitsio.NewTable("PEAKS", []fitsio.NewColumn{
		{Name: "RA", Unit: "deg", Data: col(func(p measure.Peak) float64 { return p.RA })},
		{Name: "DEC", Unit: "deg", Data: col(func(p measure.Peak) float64 { return p.Dec })},
		{Name: "X", Unit: "pix", Data: col(func(p measure.Peak) float64 { return p.X + 1 })},
		{Name: "Y", Unit: "pix", Data: col(func(p measure.Peak) float64 { return p.Y + 1 })},
		{Name: "KAPPA", Data: col(func(p measure.Peak) float64 { return p.Kappa })},
		{Name: "STD", Data: col(func(p measure.Peak) float64 { return p.Std })},
		{Name: "SN", Data: col(func(p measure.Peak) float64 { return p.SN })},
		{Name: "PROBABILITY", Data: col(func(p measure.Peak) float64 { return p.Probability })},
	}, nil)
}

func bandTable(name, x, y, unit string, b measure.Band) (*fitsio.NewHDU, error) {
	cols := []fitsio.NewColumn{{Name: x, Data: b.X}, {Name: y, Unit: unit, Data: b.Mean}}
	if b.Quantiles != nil {
		for k, q := range []string{"Q05", "Q16", "Q50", "Q84", "Q95"} {
			v := make([]float64, len(b.X))
			for i := range v {
				v[i] = b.Quantiles[i][k]
			}
			cols = append(cols, fitsio.NewColumn{Name: q, Unit: unit, Data: v})
		}
	}
	return fitsio.NewTable(name, cols, nil)
}

// Figure shows the E mode, the mean, its deviation, S/N, a sample and the B mode.
func (r *Result) Figure() (panel.Figure, error) {
	f := r.Job.Field
	fig := panel.Figure{Title: fmt.Sprintf("Mass map, %s", r.Job.Settings.Method), Columns: 3}
	fig.Caption = fmt.Sprintf("%d galaxies, pixels of %.3g′; the mean of κ over the field is not measured", f.Galaxies, f.Arcmin)
	if f.Projection.Kind != massmap.Pixels {
		p := f.Projection
		fig.Sky = &p
	}
	var failed error
	tile := func(title string, pix []float32, style figure.Style, label string) {
		if pix == nil || failed != nil {
			return
		}
		masked := append([]float32(nil), pix...)
		for i := range masked {
			if f.Masked(i) && title != "Mean" && title != "Sample" {
				masked[i] = float32(math.NaN())
			}
		}
		im, err := figure.NewImage(figure.Plane{Data: masked, W: f.W, H: f.H})
		if err != nil {
			failed = err
			return
		}
		if style.Limits == (figure.Limits{}) {
			l := im.Quantiles(0.01, 0.998)
			style.Limits = figure.Limits{Lo: l[0], Hi: l[1]}
		}
		t := panel.Tile{Title: title, Image: im, Style: style, Label: label}
		if o := r.Overlay; o != nil && (title == "Mean" || title == "S/N") {
			t.Lines, t.Marks = o.Lines, o.Marks
		}
		fig.Tiles = append(fig.Tiles, t)
	}
	im, err := figure.NewImage(figure.Plane{Data: r.Mean, W: f.W, H: f.H})
	if err != nil {
		return fig, err
	}
	q := im.Quantiles(0.01, 0.999)
	same := figure.Style{Map: figure.Magma, Limits: figure.Limits{Lo: q[0], Hi: math.Max(q[1], q[0]+1e-6)}}
	tile("E mode, Kaiser–Squires", r.E, figure.Style{Map: figure.Magma}, "κ")
	tile("Mean", r.Mean, same, "κ")
	tile("Standard deviation", r.Std, figure.Style{Map: figure.Viridis}, "κ")
	tile("S/N", r.SN, figure.Style{Map: figure.Viridis}, "")
	if len(r.Samples) > 0 {
		tile("Sample", r.Samples[0], same, "κ")
	}
	tile("B mode", r.B, figure.Style{Map: figure.Magma}, "κ")
	return fig, failed
}

func (r *Result) writeFigure(path string) error {
	fig, err := r.Figure()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	switch filepath.Ext(path) {
	case ".pdf":
		err = fig.WritePDF(&b)
	case ".svg":
		err = fig.WriteSVG(&b)
	case ".png":
		err = fig.WritePNG(&b)
	default:
		return fmt.Errorf("a figure ends in .png, .pdf or .svg: %w", massmap.ErrSetting)
	}
	if err != nil {
		return err
	}
	return file.WriteBytes(path, b.Bytes())
}

// writeFilm writes the samples as an animation, on the scale of the mean.
func (r *Result) writeFilm(path string) error {
	fig, err := r.Figure()
	if err != nil {
		return err
	}
	f := r.Job.Field
	im, err := figure.NewImage(figure.Plane{Data: r.Mean, W: f.W, H: f.H})
	if err != nil {
		return err
	}
	var planes []figure.Plane
	for _, s := range r.Samples {
		planes = append(planes, figure.Plane{Data: s, W: f.W, H: f.H})
	}
	q := im.Quantiles(0.01, 0.999)
	style := figure.Style{Map: figure.Magma, Limits: figure.Limits{Lo: q[0], Hi: math.Max(q[1], q[0]+1e-6)}}
	frames, err := panel.Frames(planes, panel.Figure{Title: fig.Title, Sky: fig.Sky}, panel.Tile{Title: "Sample", Style: style, Label: "κ"})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := panel.WriteGIF(&b, frames); err != nil {
		return err
	}
	return file.WriteBytes(path, b.Bytes())
}

// writeSummary writes numbers for programs.
func (r *Result) writeSummary(path string) error {
	b, err := json.MarshalIndent(r.Summary(), "", "  ")
	if err != nil {
		return err
	}
	return file.WriteBytes(path, append(b, '\n'))
}

// Summary is what a program wants to know of a result; numbers that do not exist are null.
func (r *Result) Summary() map[string]any {
	number := func(v float64) any {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return v
	}
	peaks := []map[string]any{}
	for _, p := range r.Peaks {
		peaks = append(peaks, map[string]any{
			"ra": number(p.RA), "dec": number(p.Dec), "x": p.X, "y": p.Y, "kappa": p.Kappa,
			"std": number(p.Std), "sn": number(p.SN), "probability": number(p.Probability),
		})
	}
	f := r.Job.Field
	out := map[string]any{
		"method": r.Job.Settings.Method, "seed": r.Job.Seed, "samples": len(r.Samples), "galaxies": f.Galaxies,
		"dropped": f.Dropped, "width": f.W, "height": f.H, "arcmin": f.Arcmin, "sigma_e": f.SigmaE,
		"chi2": number(r.Chi2), "chi2_of_draws": number(r.Chi2Draws), "acceptance": r.Acceptance,
		"rhat": number(r.Convergence.RHat), "ess": number(r.Convergence.ESS),
		"peaks": peaks, "findings": r.Findings, "seconds": r.Seconds,
	}
	if n := r.Null; n != nil {
		out["null_tests"] = map[string]any{
			"Rotations": n.Rotations, "E": n.E, "B": n.B, "Mean": n.Mean, "Std": n.Std, "SigmaE": number(n.SigmaE), "SigmaB": number(n.SigmaB),
			"Skewness": number(n.Skewness), "SkewStd": number(n.SkewStd), "Peak": number(n.Peak), "PeakStd": number(n.PeakStd),
		}
	}
	if o := r.Overlay; o != nil && o.Stack != nil {
		out["stack"] = o.Stack
	}
	if q := r.Recovery; q != nil {
		var points []map[string]any
		for _, p := range q.Points {
			points = append(points, map[string]any{"radius": p.Radius, "injected": number(p.Injected), "recovered": number(p.Recovered), "std": number(p.Std)})
		}
		out["recovery"] = map[string]any{"halo": q.Halo, "points": points}
	}
	return out
}
