package lens

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/fitsio/catalogue"
	"limpid/priors/gaussian"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
)

// galaxies writes n galaxies about (150, 2) behind a lens, as FITS or CSV.
func galaxies(t *testing.T, name string, n int) string {
	t.Helper()
	g := rand.New(rand.NewPCG(3, 4))
	cols := make([][]float64, 6)
	for range n {
		x, y := 40*(g.Float64()-0.5), 40*(g.Float64()-0.5) // arcmin to the west, to the north
		r2 := x*x + y*y + 9
		amp := -0.9 / r2 * (x*x + y*y) / r2
		phi := 2 * math.Atan2(y, x)
		e1, e2 := amp*math.Cos(phi)+0.1*g.NormFloat64(), amp*math.Sin(phi)+0.1*g.NormFloat64()
		for i, v := range []float64{150 - x/60/math.Cos(2*math.Pi/180), 2 + y/60, e1, e2, 1, g.Float64() * 2} {
			cols[i] = append(cols[i], v)
		}
	}
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".csv") {
		var b strings.Builder
		b.WriteString("RA_J2000,DEC_J2000,g1,g2,shape_weight,photo_z\n")
		for i := range n {
			fmt.Fprintf(&b, "%.7f,%.7f,%.6f,%.6f,%g,%g\n", cols[0][i], cols[1][i], cols[2][i], cols[3][i], cols[4][i], cols[5][i])
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var list []fitsio.NewColumn
	for i, name := range []string{"ALPHA_J2000", "DELTA_J2000", "e_1", "e_2", "w", "Z_B"} {
		list = append(list, fitsio.NewColumn{Name: name, Data: cols[i]})
	}
	h, err := fitsio.NewTable("GALAXIES", list, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, h); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen_FITSAndCSV_GuessTheColumnsAndBinAlike(t *testing.T) {
	var counts []int
	for _, name := range []string{"cat.fits", "cat.csv"} {
		c, err := Open(context.Background(), galaxies(t, name, 3000), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c.Rows != 3000 || c.Guess.RA == "" || c.Guess.E2 == "" || c.Guess.Weight == "" || c.Guess.Z == "" {
			t.Errorf("%s: %d rows, guess %+v", name, c.Rows, c.Guess)
		}
		f, _, err := c.Bin(context.Background(), Columns{}, binning.Options{Arcmin: 2, ZMin: 0.5, ZMax: 2})
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, f.Galaxies)
		if f.Galaxies < 2000 || f.Galaxies > 2500 {
			t.Errorf("%s: %d galaxies beyond z = 0.5 of 3000", name, f.Galaxies)
		}
	}
	if counts[0] != counts[1] {
		t.Errorf("%d galaxies of FITS, %d of CSV", counts[0], counts[1])
	}
}

func TestOpen_ColumnsMissing_SaysWhichAndWhatThereIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("ra,dec,mag\n1,2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(context.Background(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Bin(context.Background(), Columns{}, binning.Options{})
	if !errors.Is(err, fitsio.ErrNoColumn) || !strings.Contains(err.Error(), "e1 or e2") || !strings.Contains(err.Error(), "ra, dec, mag") {
		t.Errorf("error %v", err)
	}
	_, _, err = c.Bin(context.Background(), Columns{E1: "nope", E2: "mag"}, binning.Options{})
	if !errors.Is(err, fitsio.ErrNoColumn) || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("wrong name: %v", err)
	}
	_, _, err = c.Bin(context.Background(), Columns{E1: "mag", E2: "mag"}, binning.Options{ZMin: 0.1, ZMax: 1})
	if !errors.Is(err, massmap.ErrSetting) {
		t.Errorf("redshift cut without redshifts: %v", err)
	}
}

func TestOpen_NoTable_IsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "im.fits")
	im, err := fitsio.NewImage("", []int{4, 4}, make([]float32, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, im); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), path, 0); !errors.Is(err, catalogue.ErrNoTable) {
		t.Errorf("an image: %v", err)
	}
	if _, err := Open(context.Background(), path+".not", 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// From catalogue to files: the lens is the first peak, at its place on the sky, by every
// method that is quick enough here.
func TestMap_OfACatalogue_FindsTheLensAndWritesFiles(t *testing.T) {
	c, err := Open(context.Background(), galaxies(t, "cat.fits", 12000), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, _, err := c.Bin(context.Background(), Columns{}, binning.Options{Arcmin: 1})
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	sp := gaussian.PowerLaw(0.01, 0.1, 2)
	for _, m := range []massmap.Method{massmap.KS, massmap.Wiener, massmap.Lognormal} {
		phases := map[string]bool{}
		r, err := Map(context.Background(), dev, Job{
			Field: f, Samples: 24, Seed: 1, Rotations: 16,
			Settings: massmap.Settings{Method: m, Spectrum: sp, Shift: 0.05, Pad: -1, Smoothing: 1, Warmup: 60},
		}, func(p Progress) { phases[p.Phase] = true })
		if err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		if !phases["mapping"] || !phases["testing"] {
			t.Errorf("%s: phases %v", m, phases)
		}
		if len(r.Peaks) == 0 || math.Abs(r.Peaks[0].RA-150) > 1.5/60 || math.Abs(r.Peaks[0].Dec-2) > 1.5/60 {
			t.Fatalf("%s: peaks %+v", m, r.Peaks)
		}
		if r.Null.SigmaE < 5 || math.Abs(r.Null.SigmaB) > 4 {
			t.Errorf("%s: E %.1f σ, B %.1f σ", m, r.Null.SigmaE, r.Null.SigmaB)
		}
		stem := filepath.Join(t.TempDir(), "map")
		files, err := r.Export(ExportOptions{FITS: stem + ".fits", Figure: stem + ".png", Summary: stem + ".json", References: stem + ".bib"})
		if err != nil || len(files) != 4 {
			t.Fatalf("%s: wrote %v, %v", m, files, err)
		}
		readBack(t, m, stem+".fits", r)
	}
}

func readBack(t *testing.T, m massmap.Method, path string, r *Result) {
	t.Helper()
	file, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if len(file.Findings) > 0 {
		t.Errorf("%s: findings %v", m, file.Findings)
	}
	pix, err := file.HDUs[0].ReadFloat32(context.Background())
	if err != nil || len(pix) != len(r.Mean) || pix[77] != r.Mean[77] {
		t.Errorf("%s: the map read back differs: %v", m, err)
	}
	tab, err := file.Find("PEAKS", 1).Table()
	if err != nil {
		t.Fatal(err)
	}
	ra, err := tab.Float64(context.Background(), "RA")
	if err != nil || ra[0] != r.Peaks[0].RA {
		t.Errorf("%s: peak at %v, want %v (%v)", m, ra, r.Peaks[0].RA, err)
	}
	if (file.Find("SAMPLES", 1) != nil) != m.Samples() {
		t.Errorf("%s: SAMPLES there: %v", m, file.Find("SAMPLES", 1) != nil)
	}
}

func TestMap_Cancelled_ReturnsSoon(t *testing.T) {
	c, err := Open(context.Background(), galaxies(t, "cat.csv", 3000), 0)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := c.Bin(context.Background(), Columns{}, binning.Options{Arcmin: 2})
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	ctx, cancel := context.WithCancel(context.Background())
	_, err = Map(ctx, dev, Job{Field: f, Settings: massmap.Settings{Method: massmap.Wiener, Spectrum: gaussian.PowerLaw(0.01, 0.1, 2)}, Samples: 1000}, func(p Progress) {
		if p.Done > 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
