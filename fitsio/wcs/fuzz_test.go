package wcs

import (
	"math"
	"strings"
	"testing"

	"limpid/fitsio"
)

func FuzzFromHeader(f *testing.F) {
	pad := func(lines ...string) string {
		var b strings.Builder
		for _, l := range lines {
			b.WriteString((l + strings.Repeat(" ", 80))[:80])
		}
		return b.String()
	}
	for _, code := range []string{"TAN", "SIN", "ZPN", "COE", "BON", "PCO", "HPX", "TSC", "QSC", "AZP", "SZP", "AIR", "MOL", "TPV"} {
		f.Add(pad("CTYPE1  = 'RA---"+code+"'", "CTYPE2  = 'DEC--"+code+"'", "CRVAL1  = 10.", "CRVAL2  = 20.", "CDELT1  = -0.1",
			"CDELT2  = 0.1", "PV2_1   = 45.", "PV2_2   = 10.", "LONPOLE = 170."), 3.0, 4.0)
	}
	f.Add(pad("CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'", "CD1_1   = 0.1", "CD2_2   = 0.1", "A_ORDER = 2", "B_ORDER = 2", "A_2_0   = 0.01"), 3.0, 4.0)
	f.Add(pad("CTYPE1  = 'RA---TNX'", "CTYPE2  = 'DEC--TNX'", "CD1_1   = 0.1", "CD2_2   = 0.1",
		"WAT1_001= 'wtype=tnx axtype=ra lngcor = \"3. 2. 2. 2. -1. 1. -1. 1. 1e-3 2e-3 3e-3 \"'"), 3.0, 4.0)
	f.Fuzz(func(t *testing.T, text string, x, y float64) {
		h, _ := fitsio.ParseHeader([]byte(text))
		for _, alt := range []string{"", "A"} {
			w, err := FromHeader(h, alt)
			if err != nil {
				continue
			}
			lon, lat, ok := w.PixelToSky(x, y)
			if ok && (math.IsNaN(lon+lat) || lat < -90 || lat > 90 || lon < 0 || lon >= 360) {
				t.Fatalf("pixel (%g, %g) at (%g, %g)", x, y, lon, lat)
			}
			w.SkyToPixel(lon, lat)
			w.SkyToPixel(x, y)
			w.Orientation()
			w.PixelScaleAt(x, y)
			w.Frame.To(Galactic, lon, lat)
			ShiftHeader(h, 3, 4)
			RescaleHeader(h, 2)
			for _, a := range w.Axes {
				a.Value(x)
			}
		}
	})
}
