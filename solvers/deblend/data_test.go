package deblend

import (
	"context"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"limpid/fitsio"
	"limpid/solvers"
)

func dataFolder(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "deconv_deblend")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the shared test data: set LIMPID_DATA to its folder")
	}
	return dir
}

// blendFile is an observation with its peaks, and what else the file holds.
type blendFile struct {
	obs     *solvers.Observation
	sources []Source
	truth   solvers.Image // (K, H, W) i band
	flux    [][]float64   // K × bands
}

func readCube(t testing.TB, f *fitsio.File, name string) solvers.Image {
	t.Helper()
	h := f.Find(name, 1)
	if h == nil {
		t.Fatalf("no HDU %s", name)
	}
	pix, err := h.ReadFloat32(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return solvers.Image{C: h.Shape[0], H: h.Shape[1], W: h.Shape[2], Pix: pix}
}

func normalisePSF(psf solvers.Image) solvers.Image {
	for c := range psf.C {
		var s float64
		for _, v := range psf.Plane(c) {
			s += float64(v)
		}
		for i := range psf.Plane(c) {
			psf.Plane(c)[i] = float32(float64(psf.Plane(c)[i]) / s)
		}
	}
	return psf
}

func readBlend(t testing.TB, path string) blendFile {
	t.Helper()
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := blendFile{obs: &solvers.Observation{
		Data: readCube(t, f, "SCI"), Weights: readCube(t, f, "WHT"), PSF: normalisePSF(readCube(t, f, "PSF")),
		Bands: []string{"g", "r", "i", "z", "y"}, Frame: solvers.Frame{PixelScale: 0.168},
	}}
	tab, err := f.Find("PEAKS", 1).Table()
	if err != nil {
		t.Fatal(err)
	}
	x, err := tab.Float64(context.Background(), "x")
	if err != nil {
		t.Fatal(err)
	}
	y, err := tab.Float64(context.Background(), "y")
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		b.sources = append(b.sources, Source{ID: i + 1, X: x[i], Y: y[i], Kind: Galaxy})
	}
	if f.Find("TRUTH_I", 1) != nil {
		b.truth = readCube(t, f, "TRUTH_I")
	}
	return b
}

func quantile(v []float64, q float64) float64 {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	if len(s) == 0 {
		return 0
	}
	pos := q * float64(len(s)-1)
	i := int(pos)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (pos-float64(i))*(s[i+1]-s[i])
}
