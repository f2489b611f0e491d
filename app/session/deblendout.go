package session

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"limpid"
	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/file"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// DeblendFiles name what ExportDeblend writes. Empty paths are left out.
type DeblendFiles struct {
	FITS      string // MODEL, RESIDUAL, DATA, SOURCES, COVARIANCE, per source SOURCE_n and STD_n, FLUX_DRAWS
	Catalogue string // .csv
	Figure    string // .png, .pdf or .svg: data, model and residual of every band
	NoImages  bool   // leave the sources' images out
}

// ExportDeblend writes a result and returns the paths written.
func (s *Session) ExportDeblend(ctx context.Context, d *Deblending, o DeblendFiles) ([]string, error) {
	var written []string
	if o.FITS != "" {
		if err := ctx.Err(); err != nil {
			return nil, ErrCancelled
		}
		if err := d.writeFITS(o); err != nil {
			return nil, fmt.Errorf("session: %w: %s: %w", ErrOutput, o.FITS, err)
		}
		written = append(written, o.FITS)
	}
	if o.Catalogue != "" {
		if err := file.Write(o.Catalogue, d.writeCSV); err != nil {
			return written, fmt.Errorf("session: %w: %s: %w", ErrOutput, o.Catalogue, err)
		}
		written = append(written, o.Catalogue)
	}
	if o.Figure != "" {
		fig, err := d.Figure()
		if err == nil {
			err = writeDrawing(o.Figure, fig)
		}
		if err != nil {
			return written, fmt.Errorf("session: %w: %s: %w", ErrOutput, o.Figure, err)
		}
		written = append(written, o.Figure)
	}
	return written, nil
}

// column is one of the catalogue's, for FITS and CSV alike.
type catalogueColumn struct {
	name, unit string
	values     []float64
}

// columns are the catalogue: positions in FITS pixels (the first is 1) and on the
// sky, fluxes with errors, colours, shapes.
func (d *Deblending) columns() []catalogueColumn {
	r := d.Result
	var out []catalogueColumn
	add := func(name, unit string, get func(i int) float64) {
		c := catalogueColumn{name: name, unit: unit}
		for i := range r.Sources {
			c.values = append(c.values, get(i))
		}
		out = append(out, c)
	}
	add("X_IMAGE", "pix", func(i int) float64 { return r.Sources[i].Shape.X + 1 })
	add("Y_IMAGE", "pix", func(i int) float64 { return r.Sources[i].Shape.Y + 1 })
	add("X_ERR", "pix", func(i int) float64 { return r.Sources[i].ShapeErr.X })
	add("Y_ERR", "pix", func(i int) float64 { return r.Sources[i].ShapeErr.Y })
	if d.WCS != nil {
		sky := func(i int) (ra, dec float64) {
			ra, dec, ok := d.WCS.PixelToSky(r.Sources[i].Shape.X, r.Sources[i].Shape.Y)
			if !ok {
				return math.NaN(), math.NaN()
			}
			return ra, dec
		}
		add("RA", "deg", func(i int) float64 { ra, _ := sky(i); return ra })
		add("DEC", "deg", func(i int) float64 { _, dec := sky(i); return dec })
	}
	for b, band := range r.Bands {
		add("FLUX_"+band, d.Obs.Unit, func(i int) float64 { return r.Sources[i].Flux[b] })
		add("FLUXERR_"+band, d.Obs.Unit, func(i int) float64 { return r.Sources[i].FluxErr[b] })
	}
	for b := 1; b < len(r.Bands); b++ {
		add("COLOR_"+r.Bands[b-1]+"_"+r.Bands[b], "mag", func(i int) float64 { return colour(r.Sources[i].Flux[b-1], r.Sources[i].Flux[b]) })
		add("COLORERR_"+r.Bands[b-1]+"_"+r.Bands[b], "mag", func(i int) float64 {
			f := r.Sources[i]
			return colourError(f.Flux[b-1], f.FluxErr[b-1], f.Flux[b], f.FluxErr[b])
		})
	}
	add("SNR", "", func(i int) float64 { return r.Sources[i].SNR })
	add("R50", "pix", func(i int) float64 { return r.Sources[i].Shape.R })
	add("R50_ERR", "pix", func(i int) float64 { return r.Sources[i].ShapeErr.R })
	add("SPERGEL_NU", "", func(i int) float64 { return r.Sources[i].Shape.Nu })
	add("AXIS_RATIO", "", func(i int) float64 { return r.Sources[i].Shape.AxisRatio() })
	add("ELLIPTICITY", "", func(i int) float64 { return 1 - r.Sources[i].Shape.AxisRatio() })
	add("PA_IMAGE", "deg", func(i int) float64 { return r.Sources[i].Shape.Angle() * 180 / math.Pi })
	add("BLENDEDNESS", "", func(i int) float64 { return r.Sources[i].Blendedness })
	return out
}

// colour is −2.5 lg(a/b); NaN unless both are positive.
func colour(a, b float64) float64 {
	if !(a > 0 && b > 0) {
		return math.NaN()
	}
	return -2.5 * math.Log10(a/b)
}

func colourError(a, ea, b, eb float64) float64 {
	if !(a > 0 && b > 0) {
		return math.NaN()
	}
	return 2.5 / math.Ln10 * math.Hypot(ea/a, eb/b)
}

func (d *Deblending) writeCSV(w io.Writer) error {
	cols := d.columns()
	out := csv.NewWriter(w)
	head := []string{"ID", "KIND"}
	for _, c := range cols {
		head = append(head, c.name)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for i, f := range d.Result.Sources {
		row := []string{strconv.Itoa(f.ID), string(f.Kind)}
		for _, c := range cols {
			text := ""
			if v := c.values[i]; !math.IsNaN(v) {
				text = strconv.FormatFloat(v, 'g', 8, 64)
			}
			row = append(row, text)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// sourceTable is the catalogue as a FITS table.
func (d *Deblending) sourceTable() (*fitsio.NewHDU, error) {
	var id []int32
	var kind []string
	for _, f := range d.Result.Sources {
		id, kind = append(id, int32(f.ID)), append(kind, string(f.Kind))
	}
	cols := []fitsio.NewColumn{{Name: "ID", Data: id}, {Name: "KIND", Data: kind}}
	for _, c := range d.columns() {
		cols = append(cols, fitsio.NewColumn{Name: c.name, Unit: c.unit, Data: c.values})
	}
	h := &fitsio.Header{}
	h.AddHistory("limpid: positions in FITS pixels of the image; R50 half-light radius of the circle of the same area; PA_IMAGE from x to y; errors 1 sigma")
	return fitsio.NewTable("SOURCES", cols, h)
}

func (d *Deblending) writeFITS(o DeblendFiles) error {
	r := d.Result
	shape := []int{r.Model.C, r.Model.H, r.Model.W}
	base := (&Result{Header: d.Header}).outputHeader()
	primary := base.Clone()
	d.provenance(primary)
	var hdus []*fitsio.NewHDU
	var first error
	add := func(h *fitsio.NewHDU, err error) {
		if first == nil {
			hdus, first = append(hdus, h), err
		}
	}
	noted := func(text string) *fitsio.Header {
		h := base.Clone()
		h.AddHistory("limpid: " + text)
		return h
	}
	add(fitsio.NewImage("MODEL", shape, r.Model.Pix, primary))
	add(fitsio.NewImage("RESIDUAL", shape, r.Residual.Pix, noted("data minus model, 0 where masked")))
	add(fitsio.NewImage("DATA", shape, d.Obs.Data.Pix, noted("the data that were used, 0 where masked")))
	add(fitsio.NewImage("WHT", shape, d.Obs.Weights.Pix, noted("inverse variance that was used, 0 = masked")))
	psf := &fitsio.Header{}
	psf.AddHistory("limpid: the PSF that was used, normalised to 1")
	add(fitsio.NewImage("PSF", []int{d.Obs.PSF.C, d.Obs.PSF.H, d.Obs.PSF.W}, d.Obs.PSF.Pix, psf))
	add(d.sourceTable())
	k := len(r.Sources)
	var cov []float64
	for _, c := range r.Cov {
		cov = append(cov, c...)
	}
	words := &fitsio.Header{}
	words.AddHistory("limpid: covariance of the sources' fluxes, one plane per band, sources in the order of SOURCES")
	add(fitsio.NewImage("COVARIANCE", []int{len(r.Bands), k, k}, cov, words))
	if d.Posterior != nil {
		var draws []float64
		for _, s := range d.Posterior.Flux {
			for _, f := range s {
				draws = append(draws, f...)
			}
		}
		words := &fitsio.Header{}
		words.AddHistory("limpid: posterior draws of the fluxes: planes draws, rows sources, columns bands")
		add(fitsio.NewImage("FLUX_DRAWS", []int{d.Posterior.Draws, k, len(r.Bands)}, draws, words))
	}
	if !o.NoImages {
		d.sourceImages(base, add)
	}
	if first != nil {
		return first
	}
	return fitsio.WriteFile(o.FITS, fitsio.WriteOptions{Checksum: true}, hdus...)
}

// sourceImages adds the deconvolved morphologies, with WCS, and their std.
func (d *Deblending) sourceImages(base *fitsio.Header, add func(*fitsio.NewHDU, error)) {
	for _, f := range d.Result.Sources {
		h := wcs.ShiftHeader(base, float64(f.Box[0]), float64(f.Box[2]))
		h.Delete("BUNIT")
		h.Set("LPX0", f.Box[0]+1, "column of the image where this one begins")
		h.Set("LPY0", f.Box[2]+1, "row of the image where this one begins")
		h.Set("LPPSF", d.Result.ModelPSF, "sigma in px of the Gaussian it is seen through")
		h.AddHistory("limpid: light of one source per unit of flux, deconvolved")
		shape := []int{f.Morphology.H, f.Morphology.W}
		add(fitsio.NewImage(fmt.Sprintf("SOURCE_%d", f.ID), shape, f.Morphology.Pix, h))
		if !f.Std.Empty() {
			add(fitsio.NewImage(fmt.Sprintf("STD_%d", f.ID), shape, f.Std.Pix, h))
		}
	}
}

func (d *Deblending) provenance(h *fitsio.Header) {
	r := d.Result
	h.Set("LPVERS", limpid.Version, "Limpid version")
	h.Set("LPTASK", "deblend", "")
	h.Set("LPNSRC", len(r.Sources), "sources")
	h.Set("LPNGRP", r.Groups, "groups fitted on their own")
	h.Set("LPCONV", r.Converged, "the fit has converged")
	for b, c := range r.Chi2 {
		if !math.IsNaN(c) {
			h.Set(fmt.Sprintf("LPCHI%d", b+1), c, "chi2 per pixel, "+r.Bands[b])
		}
		h.Set(fmt.Sprintf("LPBND%d", b+1), r.Bands[b], "band of plane "+strconv.Itoa(b+1))
	}
	if d.Posterior != nil {
		h.Set("LPNDRAW", d.Posterior.Draws, "posterior draws")
	}
	for _, file := range d.Input.Files {
		h.AddHistory("limpid " + limpid.Version + ": deblend " + fileName(file))
	}
	h.AddHistory("limpid: profiles of Spergel (2010) by damped Gauss-Newton, then departures of pixels")
}

// Figure is a row per band: data and model on one scale, the residual in units of
// the noise from −5 to 5 σ. Masked pixels are blank in data and residual.
func (d *Deblending) Figure() (panel.Figure, error) {
	r := d.Result
	f := panel.Figure{Title: fmt.Sprintf("%s: %d sources", fileName(d.Input.Files[0]), len(r.Sources)), Columns: 3}
	if d.WCS != nil {
		f.Sky = d.WCS
	}
	for b, band := range r.Bands {
		data, res := r.Residual.Clone().Plane(b), r.Residual.Clone().Plane(b)
		for i, w := range d.Obs.Weights.Plane(b) {
			data[i] = d.Obs.Data.Plane(b)[i]
			res[i] *= float32(math.Sqrt(float64(w)))
			if w == 0 {
				data[i], res[i] = float32(math.NaN()), float32(math.NaN())
			}
		}
		var im [3]*figure.Image
		for j, pix := range [][]float32{data, r.Model.Plane(b), res} {
			var err error
			if im[j], err = figure.NewImage(figure.Plane{Data: pix, H: r.Model.H, W: r.Model.W}); err != nil {
				return f, err
			}
		}
		shared := figure.Style{Limits: panel.SignalLimits(im[0], im[1]), Stretch: figure.Asinh, Map: figure.Gray}
		f.Tiles = append(f.Tiles,
			panel.Tile{Title: band + ": data", Image: im[0], Style: shared, Unit: d.Obs.Unit},
			panel.Tile{Title: "Model", Image: im[1], Style: shared, Unit: d.Obs.Unit},
			panel.Tile{Title: fmt.Sprintf("Residual / noise, χ² %.2f", r.Chi2[b]), Image: im[2], Unit: "σ", Style: figure.Style{Limits: figure.Limits{Lo: -5, Hi: 5}, Map: figure.Diverging}},
		)
	}
	return f, nil
}
