package wcs

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"limpid/fitsio"
)

func TestAxisValue_SpectralAxes_EqualAstropy(t *testing.T) {
	b, err := os.ReadFile("testdata/spectral.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name          string
		Header        []string
		Pixels, World []float64
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		// wcslib has another formula for the index of air and an older Planck constant.
		tol := map[bool]float64{true: 2e-7, false: 1e-11}[strings.Contains(r.Name, "A") || strings.HasPrefix(r.Name, "ENER")]
		h, _ := fitsio.ParseHeader([]byte(strings.Join(r.Header, "")))
		w := mustWCS(t, h)
		for i, p := range r.Pixels {
			size := math.Abs(r.World[i])
			if strings.HasPrefix(r.Name, "V") {
				size = math.Max(size, lightSpeed*1e-3) // velocities are differences
			}
			if got := w.Axes[2].Value(p); !(math.Abs(got-r.World[i]) <= tol*size) {
				t.Errorf("%s pixel %g: %.12g, astropy %.12g", r.Name, p, got, r.World[i])
			}
		}
	}
}

func TestAxisValue_NotDetermined_IsNaNAndNoted(t *testing.T) {
	for _, ctype := range []string{"VOPT-F2W", "WAVE-TAB", "WAVE-GRI", "FREQ-F2W", "WAVE-X2W"} {
		h := tanHeader()
		h.Set("CTYPE3", ctype, "")
		h.Set("CRVAL3", 5e5, "")
		h.Set("CD3_3", 1.0, "")
		w := mustWCS(t, h)
		if v := w.Axes[2].Value(3); !math.IsNaN(v) || len(w.Notes) == 0 {
			t.Errorf("%s: %v, notes %q", ctype, v, w.Notes)
		}
	}
}

func TestFromHeader_SwappedAxes_KeepsDistortions(t *testing.T) {
	for _, code := range []string{"TPV", "TNX"} {
		at := func(lon, lat string) *WCS {
			h := &fitsio.Header{}
			for k, v := range map[string]any{
				"CTYPE" + lon: "RA---" + code, "CTYPE" + lat: "DEC--" + code, "CRVAL" + lon: 83.0, "CRVAL" + lat: -5.0,
				"CD" + lon + "_" + lon: -0.005, "CD" + lat + "_" + lat: 0.005, "CRPIX1": 50.0, "CRPIX2": 50.0,
				"PV" + lon + "_1": 1.001, "PV" + lon + "_4": 3e-4, "PV" + lat + "_1": 0.998, "PV" + lat + "_5": -2e-4, "PV" + lat + "_9": 1e-3,
				"WAT" + lon + "_001": `wtype=tnx axtype=ra lngcor = "3. 3. 2. 2. -1. 1. -1. 1. 1e-3 2e-3 3e-3 1e-3 2e-3"`,
				"WAT" + lat + "_001": `wtype=tnx axtype=dec latcor = "3. 2. 3. 1. -1. 1. -1. 1. 1e-3 2e-3 3e-3 1e-3 2e-3 4e-3"`,
			} {
				h.Set(k, v, "")
			}
			return mustWCS(t, h)
		}
		a, b := at("1", "2"), at("2", "1")
		for _, p := range [][2]float64{{3, 90}, {77, 12}, {140, 150}} {
			l1, b1, _ := a.PixelToSky(p[0], p[1])
			l2, b2, _ := b.PixelToSky(p[1], p[0])
			if d := Separation(l1, b1, l2, b2); !(d < 1e-11) {
				t.Errorf("%s pixel %v: %g deg apart", code, p, d)
			}
			if x, y, ok := b.SkyToPixel(l2, b2); !ok || math.Hypot(x-p[1], y-p[0]) > tolPixel {
				t.Errorf("%s pixel %v comes back as %g %g", code, p, y, x)
			}
		}
	}
}

func TestFromHeader_DoubtfulCards_AreErrorsOrNoted(t *testing.T) {
	h := tanHeader()
	h.Set("CRVAL1", "10:20:30", "")
	if _, err := FromHeader(h, ""); err == nil || !strings.Contains(err.Error(), "CRVAL1") {
		t.Errorf("CRVAL1 as text: %v", err)
	}
	h = tanHeader()
	h.Delete("CRPIX2")
	if n := mustWCS(t, h).Notes; len(n) != 1 || !strings.Contains(n[0], "CRPIX2") {
		t.Errorf("notes %q", n)
	}
}
