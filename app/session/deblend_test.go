package session

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers/deblend"
)

const (
	blendH, blendW = 40, 44
	blendSigma     = 1.7 // px, of everything
)

// blendBand is an image of two Gaussian stars of noise 1, shifted by (dx, dy).
func blendBand(flux [2]float64, dx, dy float64, seed uint64) []float32 {
	out := make([]float32, blendH*blendW)
	for i := range out {
		z := engine.Normals(engine.Philox(seed, 0, uint64(i)))
		v := float64(z[0])
		for k, c := range [2][2]float64{{16, 18}, {22, 21}} {
			x, y := float64(i%blendW)-c[0]-dx, float64(i/blendW)-c[1]-dy
			v += flux[k] / (2 * math.Pi * blendSigma * blendSigma) * math.Exp(-(x*x+y*y)/(2*blendSigma*blendSigma))
		}
		out[i] = float32(v)
	}
	return out
}

func blendPSF() []float32 {
	out := make([]float32, 17*17)
	for i := range out {
		x, y := float64(i%17-8), float64(i/17-8)
		out[i] = float32(math.Exp(-(x*x+y*y)/(2*blendSigma*blendSigma)) / (2 * math.Pi * blendSigma * blendSigma))
	}
	return out
}

var blendFluxes = [][2]float64{{2000, 900}, {1500, 1600}}

// writeBands writes one file per band, the second shifted by half a pixel, with WCS.
func writeBands(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	for b, shift := range []float64{0, 0.5} {
		h := &fitsio.Header{}
		wcs.SetTAN(h, 150, 2, 0.168, blendW, blendH)
		crpix, _ := h.Float("CRPIX1")
		h.Set("CRPIX1", crpix+shift, "")
		h.Set("FILTER", []string{"g", "r"}[b], "")
		sci, err := fitsio.NewImage("SCI", []int{blendH, blendW}, blendBand(blendFluxes[b], shift, 0, uint64(b+1)), h)
		if err != nil {
			t.Fatal(err)
		}
		ones := make([]float32, blendH*blendW)
		for i := range ones {
			ones[i] = 1
		}
		wht, err := fitsio.NewImage("WHT", []int{blendH, blendW}, ones, nil)
		if err != nil {
			t.Fatal(err)
		}
		psf, err := fitsio.NewImage("PSF", []int{17, 17}, blendPSF(), nil)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, []string{"g.fits", "r.fits"}[b])
		if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, sci, wht, psf); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	return files
}

func TestDeblend_OneFilePerBandShifted_FluxesWithinErrorsAndFilesReadBack(t *testing.T) {
	dir := t.TempDir()
	files := writeBands(t, dir)
	catalogue := filepath.Join(dir, "cat.csv")
	if err := os.WriteFile(catalogue, []byte("x,y\n16,18\n22,21\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(cpu.Options{Workers: 1})
	defer dev.Close()
	s := New(dev)
	defer s.Close()
	ctx := context.Background()
	opt := deblend.Options{}
	d, err := s.LoadDeblend(ctx, DeblendInput{Files: files, Catalogue: catalogue, Stars: []int{1, 2}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FitDeblend(ctx, d, opt, &deblend.SampleOptions{Draws: 8, Warmup: 10, Thin: 1}); err != nil {
		t.Fatal(err)
	}
	for k, f := range d.Result.Sources {
		for b := range f.Flux {
			// the second band is resampled: 3 % of its light is spread
			if e := math.Abs(f.Flux[b] - blendFluxes[b][k]); e > 5*f.FluxErr[b]+0.03*blendFluxes[b][k] {
				t.Errorf("source %d band %d: flux %.1f ± %.1f, truth %.1f", k, b, f.Flux[b], f.FluxErr[b], blendFluxes[b][k])
			}
		}
	}
	resampled := false
	for _, f := range d.AllFindings() {
		resampled = resampled || f.Code == "deblend.resampled"
	}
	if !resampled {
		t.Errorf("no finding says that a band was resampled: %v", d.AllFindings())
	}
	out := DeblendFiles{FITS: filepath.Join(dir, "out.fits"), Catalogue: filepath.Join(dir, "out.csv")}
	if _, err := s.ExportDeblend(ctx, d, out); err != nil {
		t.Fatal(err)
	}
	f, err := fitsio.Open(out.FITS)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := f.Find("SOURCES", 1).Table()
	if err != nil {
		t.Fatal(err)
	}
	flux, err := table.Float64(ctx, "FLUX_g")
	if err != nil || len(flux) != 2 || flux[0] != d.Result.Sources[0].Flux[0] {
		t.Errorf("FLUX_g read back as %v (%v)", flux, err)
	}
	for _, name := range []string{"MODEL", "RESIDUAL", "COVARIANCE", "FLUX_DRAWS", "SOURCE_1", "STD_2"} {
		if f.Find(name, 1) == nil {
			t.Errorf("the file has no %s", name)
		}
	}
	text, err := os.ReadFile(out.Catalogue)
	if err != nil || !strings.Contains(string(text), "FLUXERR_r") || strings.Count(string(text), "\n") != 3 {
		t.Errorf("catalogue %q (%v)", text, err)
	}
}

func TestLoadDeblend_WhatCannotBe_IsClassified(t *testing.T) {
	dir := t.TempDir()
	files := writeBands(t, dir)
	dev := cpu.New(cpu.Options{Workers: 1})
	defer dev.Close()
	s := New(dev)
	defer s.Close()
	ctx := context.Background()
	for name, c := range map[string]struct {
		in   DeblendInput
		code int
	}{
		"no such file":      {DeblendInput{Files: []string{filepath.Join(dir, "no.fits")}}, ExitInput},
		"star of no source": {DeblendInput{Files: files[:1], Positions: [][2]float64{{16, 18}}, Stars: []int{4}}, ExitUsage},
		"names of bands":    {DeblendInput{Files: files, Bands: []string{"g"}}, ExitUsage},
	} {
		_, err := s.LoadDeblend(ctx, c.in, deblend.Options{})
		if got := ExitCode(err); err == nil || got != c.code {
			t.Errorf("%s: exit code %d (%v), want %d", name, got, err, c.code)
		}
	}
	d, err := s.LoadDeblend(ctx, DeblendInput{Files: files[:1], Positions: [][2]float64{{160, 18}}}, deblend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FitDeblend(ctx, d, deblend.Options{}, nil); !errors.Is(err, deblend.ErrSource) || ExitCode(err) != ExitData {
		t.Errorf("a source outside the image: %v", err)
	}
}
