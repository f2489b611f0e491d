// Package fits compares package fitsio with a reader that shares no code with it
// (docs/adr/0003-own-fits-reader.md).
package fits

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	siravan "github.com/siravan/fits"

	"limpid/fitsio"
)

// readOther opens a file with siravan/fits, which panics on what it cannot read.
func readOther(path string) (units []*siravan.Unit, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return siravan.Open(f)
}

// stored gives siravan's pixels, which are not scaled.
func stored(u *siravan.Unit) []float64 {
	var out []float64
	switch d := u.Data.(type) {
	case []byte:
		out = widen(d)
	case []int16:
		out = widen(d)
	case []int32:
		out = widen(d)
	case []int64:
		out = widen(d)
	case []float32:
		out = widen(d)
	case []float64:
		out = widen(d)
	}
	return out
}

func widen[T byte | int16 | int32 | int64 | float32 | float64](d []T) []float64 {
	out := make([]float64, len(d))
	for i, v := range d {
		out[i] = float64(v)
	}
	return out
}

// scale applies BSCALE, BZERO and BLANK to siravan's pixels.
func scale(x []float64, h *fitsio.Header, bitpix int) {
	a, b := h.FloatOr("BSCALE", 1), h.FloatOr("BZERO", 0)
	blank, hasBlank := h.Int("BLANK")
	for i, v := range x {
		x[i] = v*a + b
		if hasBlank && bitpix > 0 && v == float64(blank) {
			x[i] = math.NaN()
		}
	}
}

// compareFile compares the plain images of one file; it gives how many agreed.
func compareFile(t *testing.T, path string) (agreed int, refused string) {
	units, err := readOther(path)
	if err != nil {
		return 0, err.Error()
	}
	f, err := fitsio.Open(path)
	if err != nil {
		return 0, "fitsio: " + err.Error()
	}
	defer f.Close()
	for i, u := range units {
		if i >= len(f.HDUs) {
			break
		}
		h := f.HDUs[i]
		want := stored(u)
		if h.Kind != fitsio.Image || h.Compression != "" || h.Pixels() == 0 || len(want) != int(h.Pixels()) {
			continue
		}
		got, err := h.ReadFloat64(context.Background())
		if err != nil {
			t.Errorf("%s HDU %d: %v", path, i, err)
			continue
		}
		scale(want, h.Header, h.Bitpix)
		for k := range got {
			if got[k] != want[k] && !(math.IsNaN(got[k]) && math.IsNaN(want[k])) {
				t.Errorf("%s HDU %d pixel %d: %v, siravan has %v", path, i, k, got[k], want[k])
				break
			}
		}
		agreed++
	}
	return agreed, ""
}

func TestRead_DataFiles_SiravanAgrees(t *testing.T) {
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no test data: set LIMPID_DATA to the folder that holds fits/")
	}
	var images, refused, panics int
	err := filepath.WalkDir(filepath.Join(dir, "fits"), func(p string, d fs.DirEntry, err error) error {
		name := strings.ToLower(d.Name())
		if err != nil || d.IsDir() || strings.HasPrefix(name, "bad_") || !(strings.HasSuffix(name, ".fits") || strings.HasSuffix(name, ".fit")) {
			return err
		}
		if name == "zerowidth.fits" {
			return nil // siravan takes memory for 777777701 columns
		}
		n, why := compareFile(t, p)
		images += n
		if why != "" {
			refused++
			if strings.HasPrefix(why, "panic") {
				panics++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d images agree; siravan refuses %d files, on %d of them it panics", images, refused, panics)
	if images < 30 {
		t.Errorf("only %d images were compared", images)
	}
}

func TestWriteFile_PlainImages_SiravanReadsThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.fits")
	pix := make([]float32, 12)
	ints := make([]int16, 12)
	for i := range pix {
		pix[i], ints[i] = float32(i)*1.5-3, int16(i*1000-6000)
	}
	head := &fitsio.Header{}
	head.Set("OBJECT", "M 31", "")
	a, err := fitsio.NewImage("", []int{3, 4}, pix, head)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fitsio.NewImage("INTS", []int{2, 6}, ints, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, a, b); err != nil {
		t.Fatal(err)
	}
	n, why := compareFile(t, path)
	if n != 2 || why != "" {
		t.Errorf("%d images agree, refusal %q", n, why)
	}
}
