package wcs

import (
	"fmt"
	"math"
	"strings"

	"limpid/fitsio"
)

// ShiftHeader gives a copy of h for a cut-out whose first pixel is (x0, y0),
// counted from 0: CRPIX1 and CRPIX2 of every coordinate system, and IRAF's
// LTV1, LTV2, move along. NAXISn are left to the writer.
func ShiftHeader(h *fitsio.Header, x0, y0 float64) *fitsio.Header {
	out := h.Clone()
	for i, d := range []float64{x0, y0} {
		if d == 0 {
			continue
		}
		for _, alt := range alternates {
			key := fmt.Sprintf("CRPIX%d%s", i+1, alt)
			if v, ok := h.Float(key); ok {
				out.Set(key, v-d, "")
			} else if h.Has(fmt.Sprintf("CTYPE%d%s", i+1, alt)) {
				out.Set(key, -d, "") // CRPIX is 0 where it is not given
			}
		}
		ltv := fmt.Sprintf("LTV%d", i+1)
		if v, ok := h.Float(ltv); ok {
			out.Set(ltv, v-d, "")
		}
	}
	return out
}

var alternates = append([]string{""}, strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "")...)

// RescaleHeader gives a copy of h for the same field with pixels f times smaller
// along x and y (f = 2: twice as many pixels per side). Pixel edges stay where
// they are: CRPIX' = f (CRPIX − ½) + ½. SIP coefficients are rescaled too; TPV and
// TNX need no change.
func RescaleHeader(h *fitsio.Header, f float64) *fitsio.Header {
	out := h.Clone()
	for _, alt := range alternates {
		for j := 1; j <= 2; j++ {
			key := fmt.Sprintf("CRPIX%d%s", j, alt)
			if v, ok := h.Float(key); ok {
				out.Set(key, f*(v-0.5)+0.5, "")
			} else if h.Has(fmt.Sprintf("CTYPE%d%s", j, alt)) {
				out.Set(key, 0.5-0.5*f, "")
			}
			hasPC := false
			for i := 1; i <= 9; i++ {
				if cd := fmt.Sprintf("CD%d_%d%s", i, j, alt); h.Has(cd) {
					out.Set(cd, h.FloatOr(cd, 0)/f, "")
				}
				hasPC = hasPC || h.Has(fmt.Sprintf("PC%d_%d%s", i, j, alt))
			}
			// With PC both axes shrink alike, so that CDELT can carry the factor.
			if cdelt := fmt.Sprintf("CDELT%d%s", j, alt); h.Has(cdelt) {
				out.Set(cdelt, h.FloatOr(cdelt, 1)/f, "")
			}
		}
	}
	// IRAF's physical pixels stay where they are on the sky.
	for i := 1; i <= 2; i++ {
		ltm, ltv := fmt.Sprintf("LTM%d_%d", i, i), fmt.Sprintf("LTV%d", i)
		if h.Has(ltm) || h.Has(ltv) {
			out.Set(ltm, f*h.FloatOr(ltm, 1), "")
			out.Set(ltv, f*(h.FloatOr(ltv, 0)-0.5)+0.5, "")
		}
	}
	for _, name := range []string{"A", "B", "AP", "BP"} {
		for p := 0; p <= maxSIPOrder; p++ {
			for q := 0; q <= maxSIPOrder; q++ {
				if key := fmt.Sprintf("%s_%d_%d", name, p, q); h.Has(key) {
					out.Set(key, h.FloatOr(key, 0)*math.Pow(f, float64(1-p-q)), "")
				}
			}
		}
	}
	return out
}

// SetTAN writes a plain gnomonic coordinate system into h: (lon, lat) in degrees
// ICRS at the middle of an image of nx × ny pixels of scale arcsec, north up and
// east to the left.
func SetTAN(h *fitsio.Header, lon, lat, scale float64, nx, ny int) {
	h.Set("CTYPE1", "RA---TAN", "gnomonic projection")
	h.Set("CTYPE2", "DEC--TAN", "gnomonic projection")
	h.Set("CUNIT1", "deg", "")
	h.Set("CUNIT2", "deg", "")
	h.Set("CRVAL1", lon, "[deg] right ascension at the reference pixel")
	h.Set("CRVAL2", lat, "[deg] declination at the reference pixel")
	h.Set("CRPIX1", (float64(nx)+1)/2, "reference pixel")
	h.Set("CRPIX2", (float64(ny)+1)/2, "reference pixel")
	h.Set("CD1_1", -scale/3600, "[deg]")
	h.Set("CD1_2", 0.0, "[deg]")
	h.Set("CD2_1", 0.0, "[deg]")
	h.Set("CD2_2", scale/3600, "[deg]")
	h.Set("RADESYS", "ICRS", "")
}
