package session

import (
	"cmp"
	"context"
	"fmt"

	"limpid/app/recipe"
	"limpid/fitsio"
	"limpid/fitsio/catalogue"
	"limpid/solvers/deconv"
)

// stars are the recipe's, in pixels of the scene from 0 of the cut-out, and their error.
func (o *Observed) stars() (out []deconv.Star, sigma float64) {
	factor := float64(max(1, o.Recipe.Input.Scale))
	x0, y0 := 1.0, 1.0
	if c := o.Recipe.Input.Cutout; c != nil {
		x0, y0 = x0+float64(c[0]), y0+float64(c[2])
	}
	for _, at := range o.Recipe.Stars.At {
		out = append(out, deconv.Star{X: (at[0]-x0+0.5)*factor - 0.5, Y: (at[1]-y0+0.5)*factor - 0.5})
	}
	return out, cmp.Or(o.Recipe.Stars.Error, deconv.DefaultStarError) * factor
}

// ReadStars reads places of stars for a recipe from a catalogue: columns of FITS pixels of
// the whole image, as x and y or X_IMAGE and Y_IMAGE, or of sky coordinates, which become
// pixels by the image's header.
func (s *Session) ReadStars(ctx context.Context, in recipe.Input, file string) ([][2]float64, error) {
	c, err := catalogue.Open(ctx, file, catalogue.Options{})
	if err != nil {
		return nil, wrapf(err, "session: stars")
	}
	var out [][2]float64
	if c.X != nil {
		x, y := c.Find(c.XName).Numbers, c.Find(c.YName).Numbers // as they stand, from 1
		for i := range x {
			out = append(out, [2]float64{x[i], y[i]})
		}
		return out, nil
	}
	if c.RA == nil {
		return nil, fmt.Errorf("%w: %s has no columns of positions: x and y in FITS pixels, or ra and dec", recipe.ErrInvalid, fileName(file))
	}
	doc, err := s.Open(ctx, in.File)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	index := in.HDU
	if index == nil {
		first, err := doc.FirstImage()
		if err != nil {
			return nil, err
		}
		index = &first
	}
	h, err := doc.image(*index)
	if err != nil {
		return nil, err
	}
	sky, err := celestial(h.Header)
	if err != nil {
		return nil, fmt.Errorf("%w: stars: %s has sky coordinates, and the image none that can be used: %w", recipe.ErrInvalid, fileName(file), err)
	}
	for i := range c.RA {
		x, y, ok := sky.SkyToPixel(c.RA[i], c.Dec[i])
		if !ok {
			return nil, fmt.Errorf("%w: stars: row %d of %s is not on the image's sky", recipe.ErrInvalid, i+1, fileName(file))
		}
		out = append(out, [2]float64{x + 1, y + 1})
	}
	return out, nil
}

// findBeside fills what the run found of sky and stars.
func (r *Result) findBeside(w *work) error {
	var err error
	if r.FreeSky, r.Stars, err = w.problem.Found(w.sum.GridMean()); err != nil {
		return err
	}
	s := r.Scale
	r.Skies = r.Bands
	if list := w.obs.Obs.Exposures; list != nil {
		r.Skies = nil
		for _, e := range list {
			r.Skies = append(r.Skies, e.Name)
		}
	}
	for i := range r.FreeSky {
		r.FreeSky[i].Level, r.FreeSky[i].Std = r.FreeSky[i].Level/s, r.FreeSky[i].Std/s
	}
	for _, star := range r.Stars {
		for _, list := range [][]float64{star.Flux, star.FluxStd, star.Around, star.AroundStd} {
			for c := range list {
				list[c] /= s
			}
		}
	}
	return nil
}

// pointTable lists the stars beside the scene, a row per star and band.
func (r *Result) pointTable() (*fitsio.NewHDU, error) {
	var number, band []int16
	var x, xe, y, ye, ra, dec, flux, fluxe, around, arounde, rho []float64
	for i, s := range r.Stars {
		for c := range s.Flux {
			number, band = append(number, int16(i+1)), append(band, int16(c))
			x, xe = append(x, s.X+1), append(xe, s.XStd)
			y, ye = append(y, s.Y+1), append(ye, s.YStd)
			flux, fluxe = append(flux, s.Flux[c]), append(fluxe, s.FluxStd[c])
			around, arounde = append(around, s.Around[c]), append(arounde, s.AroundStd[c])
			rho = append(rho, s.Rho[c])
			if r.WCS != nil {
				lon, lat, _ := r.WCS.PixelToSky(s.X, s.Y)
				ra, dec = append(ra, lon), append(dec, lat)
			}
		}
	}
	h := &fitsio.Header{}
	h.AddHistory("limpid: point sources sampled beside the scene: FITS pixels of this file, 1 sigma of the posterior")
	h.AddHistory(fmt.Sprintf("limpid: AROUND is the flux of the scene within %.3g px of the star, RHO its correlation with FLUX", r.Stars[0].Radius))
	columns := []fitsio.NewColumn{
		{Name: "STAR", Data: number},
		{Name: "BAND", Data: band},
		{Name: "X", Unit: "pix", Data: x},
		{Name: "X_ERR", Unit: "pix", Data: xe},
		{Name: "Y", Unit: "pix", Data: y},
		{Name: "Y_ERR", Unit: "pix", Data: ye},
		{Name: "FLUX", Unit: r.Unit, Data: flux},
		{Name: "FLUX_ERR", Unit: r.Unit, Data: fluxe},
		{Name: "AROUND", Unit: r.Unit, Data: around},
		{Name: "AROUND_ERR", Unit: r.Unit, Data: arounde},
		{Name: "RHO", Data: rho},
	}
	if r.WCS != nil {
		columns = append(columns, fitsio.NewColumn{Name: "RA", Unit: "deg", Data: ra}, fitsio.NewColumn{Name: "DEC", Unit: "deg", Data: dec})
	}
	return fitsio.NewTable("POINTS", columns, h)
}

// BesideLines say in sentences what was found of stars and sky.
func (r *Result) BesideLines() []string {
	var out []string
	unit := ""
	if r.Unit != "" {
		unit = " " + r.Unit
	}
	with := func(v, std float64, format string) string {
		text := fmt.Sprintf(format, v)
		if std == std { // not NaN
			text += fmt.Sprintf(" ± %.2g", std)
		}
		return text
	}
	for c, s := range r.FreeSky {
		out = append(out, fmt.Sprintf("free sky of %s: %s%s a pixel", r.Skies[c], with(s.Level, s.Std, "%.4g"), unit))
	}
	for i, s := range r.Stars {
		for c := range s.Flux {
			line := fmt.Sprintf("star %d: flux %s%s", i+1, with(s.Flux[c], s.FluxStd[c], "%.5g"), unit)
			if len(s.Flux) > 1 {
				line += " in " + r.Bands[c]
			}
			line += fmt.Sprintf(" at (%s, %s)", with(s.X+1, s.XStd, "%.3f"), with(s.Y+1, s.YStd, "%.3f"))
			if r.Recipe.Input.Scale > 1 {
				line += " of the finer pixels"
			} else if r.Recipe.Input.Cutout != nil {
				line += " of the cut-out"
			}
			line += fmt.Sprintf("; scene within %.1f px %s", s.Radius, with(s.Around[c], s.AroundStd[c], "%.4g"))
			if s.Rho[c] == s.Rho[c] {
				line += fmt.Sprintf(", correlation of the two %.2f", s.Rho[c])
			}
			out = append(out, line)
		}
	}
	return out
}
