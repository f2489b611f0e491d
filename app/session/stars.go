package session

import "limpid/fitsio"

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
