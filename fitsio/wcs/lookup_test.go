package wcs

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/fitsio"
)

type lookupCase struct {
	goldenCase
	Tables []struct {
		Name   string
		Ver    int
		Shape  []int
		Data   []float32
		Header []string
	}
}

// lookupFile writes the case as a FITS file and opens it.
func lookupFile(t *testing.T, c lookupCase) *fitsio.File {
	t.Helper()
	head, _ := fitsio.ParseHeader([]byte(strings.Join(c.Header, "")))
	img, err := fitsio.NewImage("", []int{200, 256}, make([]float32, 200*256), head)
	if err != nil {
		t.Fatal(err)
	}
	hdus := []*fitsio.NewHDU{img}
	for _, tab := range c.Tables {
		h, _ := fitsio.ParseHeader([]byte(strings.Join(tab.Header, "")))
		h.Set("EXTVER", tab.Ver, "")
		x, err := fitsio.NewImage(tab.Name, tab.Shape, tab.Data, h)
		if err != nil {
			t.Fatal(err)
		}
		hdus = append(hdus, x)
	}
	path := filepath.Join(t.TempDir(), "x.fits")
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdus...); err != nil {
		t.Fatal(err)
	}
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func loadLookups(t *testing.T) (cases []lookupCase) {
	t.Helper()
	b, err := os.ReadFile("testdata/lookup.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestFromHDU_LookupTables_EqualAstropy(t *testing.T) {
	for _, c := range loadLookups(t) {
		f := lookupFile(t, c)
		if len(f.Findings) > 0 {
			t.Errorf("%s: findings %v", c.Name, f.Findings)
		}
		w, err := FromHDU(context.Background(), f, f.HDUs[0], "")
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		sky, pix := compare(t, c.Name, w, c.goldenCase)
		if sky > tolSky {
			t.Errorf("%s: %g deg from astropy", c.Name, sky)
		}
		t.Logf("%s: %.2g deg, round trip %.2g pixels", c.Name, sky, pix)
		cut := w.Shift(30, 40)
		l1, b1, _ := w.PixelToSky(50, 60)
		l2, b2, _ := cut.PixelToSky(20, 20)
		if Separation(l1, b1, l2, b2) > 1e-12 {
			t.Errorf("%s: a cut-out moves on the sky", c.Name)
		}
	}
}

func TestFromHDU_TableMissing_IsAnError(t *testing.T) {
	c := loadLookups(t)[0]
	c.Tables = c.Tables[:1]
	f := lookupFile(t, c)
	if _, err := FromHDU(context.Background(), f, f.HDUs[0], ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("error %v", err)
	}
	w, err := FromHeader(f.HDUs[0].Header, "")
	if err != nil || len(w.Notes) != 2 {
		t.Errorf("FromHeader: %v, notes %q", err, w.Notes)
	}
	if x, _, ok := w.PixelToSky(1, 1); !ok || math.IsNaN(x) {
		t.Error("FromHeader gives no sky")
	}
}
