package wcs

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/fitsio"
)

// Tolerances of the acceptance list: wcslib and this package compute in float64
// by different formulas; distortions are polynomials of larger numbers.
const (
	tolSky       = 1e-9 // degrees on the sky
	tolDistorted = 1e-6
	tolPixel     = 1e-6 // round trip, pixels
)

type goldenCase struct {
	Name   string
	Alt    string
	Header []string
	HDU    int
	Pixels [][2]float64
	Sky    [][2]*float64
}

func loadGolden(t *testing.T, name string) (out []goldenCase) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// compare checks every pixel of a case; it gives the largest errors.
func compare(t *testing.T, name string, w *WCS, c goldenCase) (sky, pix float64) {
	t.Helper()
	tol := tolSky
	if w.pix != nil || w.plane != nil {
		tol = tolDistorted
	}
	bad := 0
	for i, p := range c.Pixels {
		lon, lat, ok := w.PixelToSky(p[0], p[1])
		want := c.Sky[i][0] != nil
		switch {
		case ok != want:
			bad++
			if bad < 5 {
				t.Errorf("%s: pixel %v: on the sky %v (%g %g), astropy says %v", name, p, ok, lon, lat, want)
			}
			continue
		case !ok:
			continue
		}
		d := Separation(lon, lat, *c.Sky[i][0], *c.Sky[i][1])
		sky = math.Max(sky, d)
		if d > tol {
			if bad++; bad < 5 {
				t.Errorf("%s: pixel %v: %.12f %.12f, astropy %.12f %.12f, off by %g deg", name, p, lon, lat, *c.Sky[i][0], *c.Sky[i][1], d)
			}
		}
		x, y, ok := w.SkyToPixel(lon, lat)
		e := math.Hypot(x-p[0], y-p[1])
		if l2, b2, again := w.PixelToSky(x, y); (w.Code == "TSC" || w.Code == "QSC") && again && Separation(lon, lat, l2, b2) < tolSky {
			continue // the faces of a cube may lie left or right: two pixels, one place
		}
		pix = math.Max(pix, e)
		if !ok || !(e < tolPixel) {
			if bad++; bad < 5 {
				t.Errorf("%s: pixel %v: comes back as (%g, %g) %v", name, p, x, y, ok)
			}
		}
	}
	return sky, pix
}

func TestPixelToSky_EveryProjection_EqualsAstropy(t *testing.T) {
	for _, c := range loadGolden(t, "golden.json.gz") {
		h, _ := fitsio.ParseHeader([]byte(strings.Join(c.Header, "")))
		w, err := FromHeader(h, c.Alt)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		compare(t, c.Name, w, c)
	}
}

func TestPixelToSky_DataFiles_EqualsAstropy(t *testing.T) {
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no test data: set LIMPID_DATA to the folder that holds fits/")
	}
	var n int
	var sky, pix float64
	for _, c := range loadGolden(t, "datafiles.json.gz") {
		f, err := fitsio.Open(filepath.Join(dir, filepath.FromSlash(c.Name)))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		w, err := FromHDU(context.Background(), f, f.HDUs[c.HDU], c.Alt)
		if err != nil {
			t.Errorf("%s HDU %d: %v", c.Name, c.HDU, err)
		} else {
			a, b := compare(t, c.Name, w, c)
			sky, pix = math.Max(sky, a), math.Max(pix, b)
			n++
		}
		f.Close()
	}
	t.Logf("%d images: largest difference to astropy %.2g deg, largest round trip error %.2g pixels", n, sky, pix)
}
