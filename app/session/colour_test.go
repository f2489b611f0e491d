package session_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// binned is n² pixels of noise of σ 1 that was shifted by half a pixel both ways with bilinear
// interpolation, and a fifth of white noise.
func binned(n int, seed uint64) []float32 {
	e, own := solvers.Normals(engine.NewKey(seed), (n+1)*(n+1)), solvers.Normals(engine.NewKey(seed).Fold(1), n*n)
	out := make([]float32, n*n)
	for i := range out {
		at := i/n*(n+1) + i%n
		out[i] = float32(math.Sqrt(0.8)*(e[at]+e[at+1]+e[at+n+1]+e[at+n+2])/2 + math.Sqrt(0.2)*own[i])
	}
	return out
}

// resampledFile is an image of n² pixels, two galaxies with noise that is correlated, an image of such
// noise alone beside it, and a recipe.
func resampledFile(t *testing.T, n int) (r recipe.Recipe, noise string) {
	t.Helper()
	dir := t.TempDir()
	pix := binned(n, 3)
	for i := range pix {
		for _, g := range [][3]float64{{30, 34, 25}, {55, 50, 12}} {
			d := math.Hypot(float64(i%n)-g[0], 1.4*(float64(i/n)-g[1]))
			pix[i] += float32(g[2] * math.Exp(-d/3.5))
		}
	}
	for name, p := range map[string][]float32{"image.fits": pix, "noise.fits": binned(n, 4)} {
		hdu, err := fitsio.NewImage("SCI", []int{n, n}, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := fitsio.WriteFile(filepath.Join(dir, name), fitsio.WriteOptions{}, hdu); err != nil {
			t.Fatal(err)
		}
	}
	r = recipe.Default(filepath.Join(dir, "image.fits"))
	r.PSF = recipe.PSF{Kind: observe.PSFGaussian, FWHM: 2.5, Unit: "px"}
	r.Draw.Samples = 12
	return r, filepath.Join(dir, "noise.fits")
}

func codes(res *session.Result) (out []string) {
	for _, f := range res.Findings {
		out = append(out, f.Code)
	}
	return out
}

// A recipe may say that noise is correlated, as the sky shows or a file: the samples then
// explain the data and errors on large scales are wider.
func TestRun_ColouredNoise(t *testing.T) {
	s, _ := newSession(t)
	r, noise := resampledFile(t, 80)
	white := mustRun(t, s, r)
	if !slices.Contains(codes(white), "noise.correlated") {
		t.Errorf("not found to be correlated: %v", codes(white))
	}
	table := filepath.Join(filepath.Dir(noise), "noise.txt")
	var rows strings.Builder
	for k := 0.0; k < 0.71; k += 0.05 { // about those of binned, in any unit
		c := math.Cos(math.Pi * math.Min(k, 0.5))
		fmt.Fprintf(&rows, "%g %g\n", k, 7*(0.2+0.8*4*c*c*0.5))
	}
	if err := os.WriteFile(table, []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]string{"measured": "measure", "image": noise + "[0]", "table": table} {
		if err := recipe.ParseNoiseSpectrum(&r.Noise, set); err != nil {
			t.Fatal(err)
		}
		res := mustRun(t, s, r)
		chi, rho := res.Fits[0].Chi2Draws, res.Colour[0].Lag(0, 1)
		t.Logf("%s: χ² of samples %.3f, next pixels correlate by %.2f, flux ± %.1f (white: %.3f, ± %.1f)", name, chi, rho, res.FluxStd[0], white.Fits[0].Chi2Draws, white.FluxStd[0])
		if name != "table" && (math.Abs(chi-1) > 0.06 || math.Abs(rho-0.4) > 0.06) {
			t.Errorf("%s: χ² of samples %.3f, next pixels correlate by %.2f", name, chi, rho)
		}
		if slices.Contains(codes(res), "noise.correlated") {
			t.Errorf("%s: %v", name, codes(res))
		}
		if h := strings.Join(res.History(), "\n"); !strings.Contains(h, "correlated (") || strings.Contains(h, filepath.Dir(noise)) {
			t.Errorf("%s: history:\n%s", name, h)
		}
		again, err := recipe.Decode(strings.NewReader(string(res.Recipe.JSON())))
		if err != nil || again.Noise.Spectrum != r.Noise.Spectrum {
			t.Errorf("%s: the recipe came back as %+v, %v", name, again.Noise, err)
		}
	}
	if err := recipe.ParseNoiseSpectrum(&r.Noise, "measure"); err != nil {
		t.Fatal(err)
	}
	r.Input.Cutout = &[4]int{20, 44, 22, 46}
	if _, err := s.Observe(context.Background(), r); !errors.Is(err, observe.ErrSpectrum) {
		t.Errorf("a spectrum was measured from 24² pixels of a galaxy: %v", err)
	}
}

// The shipped prior under correlated noise explains the data.
func TestRun_ColouredNoise_LearnedPrior(t *testing.T) {
	notUnderRace(t)
	s, _ := newSession(t)
	r, _ := resampledFile(t, 80)
	r.Noise.Spectrum = observe.SpectrumMeasured
	r.Method.Kind, r.Prior = deconv.Learned, recipe.Prior{Kind: recipe.PriorGalaxies}
	r.Method.Budget = deconv.Quick
	r.Draw.Samples, r.Input.Cutout = 4, &[4]int{14, 64, 16, 64}
	res := mustRun(t, s, r)
	chi := res.Fits[0].Chi2Draws
	t.Logf("χ² of samples %.3f", chi)
	if math.Abs(chi-1) > 0.1 { // the noise is measured from a thousand pixels
		t.Errorf("χ² of samples %.3f", chi)
	}
}

// In tiles correlated noise is known as on one grid: the mean and the error bars agree, also where tiles meet.
func TestRun_ColouredNoise_InTiles(t *testing.T) {
	notUnderRace(t)
	s, _ := newSession(t)
	r, _ := resampledFile(t, 160)
	r.Noise.Spectrum = observe.SpectrumMeasured
	whole := mustRun(t, s, r)
	r.Method.Tile = 128
	tiles := mustRun(t, s, r)
	if chi := tiles.Fits[0].Chi2Draws; math.Abs(chi-1) > 0.05 || math.Abs(chi-whole.Fits[0].Chi2Draws) > 0.02 {
		t.Errorf("χ² of samples %.3f, on one grid %.3f", chi, whole.Fits[0].Chi2Draws)
	}
	var off, a, b, n float64
	for i, v := range whole.Std.Pix {
		d := float64((tiles.Mean.Pix[i] - whole.Mean.Pix[i]) / v)
		off, a, b, n = off+d*d, a+float64(v), b+float64(tiles.Std.Pix[i]), n+1
	}
	off = math.Sqrt(off / n)
	t.Logf("χ² %.3f, mean off by %.3f σ rms, σ ratio %.3f", tiles.Fits[0].Chi2Draws, off, b/a)
	if off > 0.05 || math.Abs(b/a-1) > 0.05 {
		t.Errorf("mean off by %.3f σ rms, σ ratio %.3f", off, b/a)
	}
}
