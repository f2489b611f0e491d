package session_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers/observe"
)

// A run that does not fit on one grid works in tiles, says so, and its recipe repeats it; with a measured spectrum of the
// noise too.
func TestRun_ImageLargerThanMemory_WorksInTiles(t *testing.T) {
	notUnderRace(t)
	t.Run("independent noise", func(t *testing.T) { worksInTiles(t, observe.SpectrumWhite, 36<<20) })
	t.Run("measured spectrum", func(t *testing.T) { worksInTiles(t, observe.SpectrumMeasured, 50<<20) })
}

func worksInTiles(t *testing.T, spectrum observe.NoiseSpectrum, memory int64) {
	t.Helper()
	const h, w = 160, 2000
	pix := make([]float32, h*w)
	for i := range pix {
		z := engine.Normals(engine.Philox(1, 2, uint64(i)))
		pix[i] = z[0]
		for k := range 40 {
			x, y := float64(i%w-25-50*k), float64(i/w-20-3*k)
			pix[i] += float32(60 * math.Exp(-(x*x+y*y)/18))
		}
	}
	path := filepath.Join(t.TempDir(), "wide.fits")
	hdu, err := fitsio.NewImage("SCI", []int{h, w}, pix, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu); err != nil {
		t.Fatal(err)
	}
	r := recipe.Default(path)
	r.PSF = recipe.PSF{Kind: observe.PSFGaussian, FWHM: 2.5}
	r.Noise.Spectrum, r.Draw.Samples = spectrum, 4
	dev := cpu.New(cpu.Options{MemoryBudget: memory})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	res := mustRun(t, s, r)
	if res.Recipe.Method.Tile != 256 || res.Draws != 4 || len(res.Samples) != 4 {
		t.Fatalf("tiles of %d, %d draws, %d samples", res.Recipe.Method.Tile, res.Draws, len(res.Samples))
	}
	said := false
	for _, f := range res.Findings {
		said = said || f.Code == "run.tiles" && strings.Contains(f.What, "256")
	}
	if !said {
		t.Error("it does not say that it worked in tiles")
	}
	if c := res.Fits[0].Chi2Draws; math.Abs(c-1) > 0.1 {
		t.Errorf("χ²/pixel of the samples %.3f", c)
	}
	out := filepath.Join(t.TempDir(), "out.fits")
	if _, err := s.Export(context.Background(), res, session.ExportOptions{FITS: out}); err != nil {
		t.Fatal(err)
	}
	f, err := fitsio.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, ok := f.HDUs[0].Header.Int("LPTILE"); !ok || n != 256 {
		t.Errorf("LPTILE %d", n)
	}
	large := cpu.New(cpu.Options{})
	defer large.Close()
	other := session.New(large)
	defer other.Close()
	again := mustRun(t, other, res.Recipe)
	same(t, "mean", again.Mean, res.Mean)
	same(t, "std", again.Std, res.Std)
}
