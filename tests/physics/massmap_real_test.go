package physics

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"limpid/app/session/lens"
	"limpid/engine/cpu"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
	"limpid/solvers/massmap/measure"
)

// xrayGroups reads RA and Dec of the groups' table.
func xrayGroups(t *testing.T, dir string) (ra, dec []float64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "xray.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		a, err1 := strconv.ParseFloat(f[1], 64)
		d, err2 := strconv.ParseFloat(f[2], 64)
		if err1 == nil && err2 == nil {
			ra, dec = append(ra, a), append(dec, d)
		}
	}
	return ra, dec
}

// The real field: from the catalogue to the map, its X-ray stack, the B mode, the figure.
func TestMassMap_COSMOS_XrayGroupsStandOut(t *testing.T) {
	slow(t)
	dir := massFolder(t, dataFolder(t))
	sp := kappaTheory(t, dir)
	ra, dec := xrayGroups(t, dir)
	c, err := lens.Open(context.Background(), filepath.Join(dir, "cosmos_schrabback2010_full.fits"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, _, err := c.Bin(context.Background(), lens.Columns{}, binning.Options{Projection: massmap.FlatEast, Arcmin: massPixel, W: massSide, H: massSide, Noise: binning.FromCounts})
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	for _, m := range []struct {
		method  massmap.Method
		samples int
		least   float64 // σ of the stack: the anchor less one
	}{{massmap.KS, 2, 7.7}, {massmap.Wiener, 64, 9.6}, {massmap.Lognormal, 128, 12.5}, {massmap.Score, 24, 13}} {
		if !strings.Contains(*massMethods, string(m.method)) {
			continue
		}
		set := massmap.Settings{Method: m.method, Spectrum: sp, Shift: massShift, Smoothing: 1}
		if m.method == massmap.Score {
			p, err := lens.OpenPrior(dev, lens.DefaultPrior, f.Arcmin)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			set.Learned = p.Learned
		}
		r, err := lens.Map(context.Background(), dev, lens.Job{Field: f, Settings: set, Samples: m.samples, Seed: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, smoothing := range []float64{0, 0.3} {
			st, err := measure.Stack(f, r.Mean, ra, dec, smoothing)
			if err != nil {
				t.Fatal(err)
			}
			b, err := measure.Stack(f, r.B, ra, dec, smoothing)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("COSMOS %-10s X-ray stack of %d groups, map smoothed by %g′: κ %.4f, %.2f σ, of the B mode %.1f σ\n", m.method, st.Used, smoothing, st.Mean-st.Random, st.Sigma, b.Sigma)
			if smoothing == 0 && st.Sigma < m.least {
				t.Errorf("%s: the stack stands out by %.1f σ, want %.1f", m.method, st.Sigma, m.least)
			}
			if math.Abs(b.Sigma) > 2 {
				t.Errorf("the B mode at the groups stands out by %.1f σ", b.Sigma)
			}
		}
		fmt.Printf("COSMOS %-10s power of E %.1f σ, B %.1f σ; χ² of draws %.3f; %d peaks; %.0f s\n", m.method, r.Null.SigmaE, r.Null.SigmaB, r.Chi2Draws, len(r.Peaks), r.Seconds)
		for _, p := range r.Peaks[:min(5, len(r.Peaks))] {
			fmt.Printf("  peak RA %.4f Dec %+.4f κ %.3f ± %.3f S/N %.1f probability %.2f\n", p.RA, p.Dec, p.Kappa, p.Std, p.SN, p.Probability)
		}
		if *figures != "" {
			if _, err := r.Export(lens.ExportOptions{Figure: filepath.Join(*figures, "cosmos-"+string(m.method)+".png")}); err != nil {
				t.Error(err)
			}
		}
	}
}

// A mask leaks power of the E mode into the B mode of Kaiser and Squires: the mock, which
// has lensing and the real mask and nothing else, says how much.
func TestMassMap_Mock_NullTestsSeeTheLeakOfTheMask(t *testing.T) {
	slow(t)
	dir := massFolder(t, dataFolder(t))
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	truth, _ := readImage(t, filepath.Join(dir, "ktng_kappa360v2.fits"), "")
	for seed := range 4 {
		n, err := measure.NullTests(context.Background(), dev, mock(t, dev, dir, truth, seed), 1, 100, 1)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("mock, seed %d: power of E %.1f σ, B %.1f σ\n", seed, n.SigmaE, n.SigmaB)
		if n.SigmaE < 5 || math.Abs(n.SigmaB) > 5 {
			t.Errorf("seed %d: power of E %.1f σ, B %.1f σ", seed, n.SigmaE, n.SigmaB)
		}
	}
}
