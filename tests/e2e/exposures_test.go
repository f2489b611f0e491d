package e2e

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"limpid/engine"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers"
)

// Two exposures of a star, half a pixel apart, become one scene on pixels half as large, whose
// coordinates say where the star is, from the command line.
func TestDeconvolve_Exposures(t *testing.T) {
	const n, scale, flux, ra, dec = 40, 0.1, 2000.0, 150.0001, 2.00008
	dir := t.TempDir()
	var files []string
	for k, d := range []float64{0, 0.5} {
		h := &fitsio.Header{}
		wcs.SetTAN(h, 150, 2, scale, n, n)
		h.Set("CRPIX1", (n+1)/2.0+d, "")
		w, err := wcs.FromHeader(h, "")
		if err != nil {
			t.Fatal(err)
		}
		x, y, _ := w.SkyToPixel(ra, dec)
		pix := make([]float32, n*n)
		for i, v := range solvers.Normals(engine.NewKey(uint64(k)), n*n) {
			edge := func(a float64) float64 { const s = 0.9; return (math.Erf((a+0.5)/s) - math.Erf((a-0.5)/s)) / 2 }
			pix[i] = float32(v + flux*edge(float64(i%n)-x)*edge(float64(i/n)-y))
		}
		hdu, err := fitsio.NewImage("SCI", []int{n, n}, pix, h)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(dir, fmt.Sprintf("e%d.fits", k)))
		if err := fitsio.WriteFile(files[k], fitsio.WriteOptions{}, hdu); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "o.fits")
	const psf = "gaussian:1.4985px" // σ .9/√2
	if code, text, errOut := limpid(t, "deconvolve", files[0], files[1]+"[0]", "--scale", "2", "--psf", psf+";"+psf, "--noise", "sigma:1", "--method", "rl", "--quiet", "--fits-only", "-o", out); code != 0 {
		t.Fatalf("exit %d: %s %s", code, text, errOut)
	}
	f, err := fitsio.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mean := f.HDUs[0]
	if mean.Shape[0] != 2*n || mean.Shape[1] != 2*n {
		t.Fatalf("MEAN is %v", mean.Shape)
	}
	w, err := wcs.FromHeader(mean.Header, "")
	if err != nil {
		t.Fatal(err)
	}
	pix, err := mean.Section(context.Background(), []int{0, 0}, []int{2 * n, 2 * n})
	if err != nil {
		t.Fatal(err)
	}
	x, y, _ := w.SkyToPixel(ra, dec)
	var sum, cx, cy float64
	for i, v := range pix {
		px, py := float64(i%(2*n)), float64(i/(2*n))
		if math.Hypot(px-x, py-y) < 6 {
			sum, cx, cy = sum+float64(v), cx+float64(v)*px, cy+float64(v)*py
		}
	}
	t.Logf("flux %.3f of the truth, off by (%.3f, %.3f) px", sum/flux, cx/sum-x, cy/sum-y)
	if math.Abs(sum/flux-1) > 0.02 || math.Hypot(cx/sum-x, cy/sum-y) > 0.05 {
		t.Errorf("flux %.3f of the truth, off by (%.3f, %.3f) px", sum/flux, cx/sum-x, cy/sum-y)
	}
	again := filepath.Join(dir, "p.fits")
	// the same star beside the scene, told in pixels of the first file
	e0, err := fitsio.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer e0.Close()
	first, err := wcs.FromHeader(e0.HDUs[0].Header, "")
	if err != nil {
		t.Fatal(err)
	}
	sx, sy, _ := first.SkyToPixel(ra, dec)
	code, text, errOut := limpid(t, "deconvolve", files[0], files[1], "--scale", "2", "--psf", psf, "--noise", "sigma:1", "--sky", "none", "--sky-free",
		"--stars", fmt.Sprintf("%.2f,%.2f", sx+1.1, sy+0.9), "--samples", "16", "--fits-only", "-o", again)
	if code != 0 {
		t.Fatalf("exit %d: %s %s", code, text, errOut)
	}
	var got, gotErr, px, pxErr, py, pyErr float64
	at := strings.Index(text, "star 1: flux")
	if at < 0 {
		t.Fatalf("no star in %s", text)
	}
	if _, err := fmt.Sscanf(text[at:], "star 1: flux %g ± %g at (%g ± %g, %g ± %g) of the finer pixels", &got, &gotErr, &px, &pxErr, &py, &pyErr); err != nil {
		t.Fatalf("%v: %s", err, text[at:])
	}
	t.Logf("flux %.1f ± %.1f of %g, off by (%.3f ± %.3f, %.3f ± %.3f) px", got, gotErr, flux, px-1-x, pxErr, py-1-y, pyErr)
	if math.Abs(got-flux) > 4*gotErr || gotErr > 0.02*flux || math.Abs(px-1-x) > 4*pxErr || math.Abs(py-1-y) > 4*pyErr || pxErr > 0.05 {
		t.Errorf("flux %.1f ± %.1f of %g, off by (%.3f ± %.3f, %.3f ± %.3f) px", got, gotErr, flux, px-1-x, pxErr, py-1-y, pyErr)
	}
	if !strings.Contains(text, "free sky of e1.fits") {
		t.Errorf("no sky of the second exposure: %s", text)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"one each", []string{files[0], files[1], "--psf", psf + ";" + psf + ";" + psf}},
		{"1 to 4", []string{files[0], "--scale", "7", "--psf", psf}},
		{"finer ones", []string{files[0], files[1], "--psf", psf, "--method", "starlet"}},
	} {
		if code, _, errOut := limpid(t, append([]string{"deconvolve", "-o", again}, c.args...)...); code == 0 || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: exit %d, %s", c.args, code, errOut)
		}
	}
}
