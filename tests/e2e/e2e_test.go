// Package e2e runs the command line as a user does: real files in, exit code and
// words out.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limpid/app/cli"
	"limpid/app/session"
	"limpid/assets"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
)

// dataFolder finds the shared test data or skips.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the shared test data: set LIMPID_DATA to its folder")
	}
	return dir
}

// limpid runs the command line in this process.
func limpid(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	return limpidContext(t, context.Background(), 0, args...)
}

func limpidContext(t *testing.T, ctx context.Context, workers int, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	env := &cli.Env{Out: &o, Err: &e, NewDevice: func(string) (engine.Device, error) {
		return cpu.New(cpu.Options{Workers: workers}), nil
	}}
	code = cli.Run(ctx, env, args)
	return code, o.String(), e.String()
}

// image writes a small FITS file: a few blobs in noise, with WCS.
func image(t *testing.T, dir, name string, change func(pix []float32, h *fitsio.Header)) string {
	t.Helper()
	const n = 48
	pix := make([]float32, n*n)
	key := engine.NewKey(3)
	for i := range pix {
		x, y := float64(i%n), float64(i/n)
		u := engine.Philox(key.Seed, 0, uint64(i))
		noise := math.Sqrt(-2*math.Log((float64(u[0])+0.5)/(1<<32))) * math.Cos(2*math.Pi*float64(u[1])/(1<<32))
		pix[i] = float32(noise + 200*math.Exp(-((x-20)*(x-20)+(y-24)*(y-24))/8) + 90*math.Exp(-((x-33)*(x-33)+(y-15)*(y-15))/8))
	}
	h := &fitsio.Header{}
	for k, v := range map[string]any{
		"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.1, "CRVAL2": 2.2,
		"CRPIX1": 24.5, "CRPIX2": 24.5, "CD1_1": -5e-5, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-5,
	} {
		h.Set(k, v, "")
	}
	h.Set("BUNIT", "nJy", "")
	if change != nil {
		change(pix, h)
	}
	hdu, err := fitsio.NewImage("SCI", []int{n, n}, pix, h)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu); err != nil {
		t.Fatal(err)
	}
	return path
}

func mapFile(t *testing.T, dir, name, hduName string, n int, value func(i int) float32) string {
	t.Helper()
	pix := make([]float32, n*n)
	for i := range pix {
		pix[i] = value(i)
	}
	hdu, err := fitsio.NewImage(hduName, []int{n, n}, pix, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustWrite(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is tried as bad input, and what must come of it: the exit code, words in
// the message, and nothing written. docs/bad-input.md is this table.
func TestBadInput_EachHasItsMessageAndExitCode(t *testing.T) {
	dir := t.TempDir()
	good := image(t, dir, "good.fits", nil)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	constant := func(v float32) func(int) float32 { return func(int) float32 { return v } }
	nan := float32(math.NaN())
	locked := filepath.Join(dir, "no", "such", "folder", "out.fits")
	table := []struct {
		name string
		args []string // after "deconvolve"; -o is added unless there
		code int
		says string
	}{
		{"truncated file", []string{mustWrite(t, filepath.Join(dir, "cut.fits"), whole[:len(whole)-4000]), "--psf", "gaussian:3px"}, 3, "truncated"},
		{"HTML named .fits", []string{mustWrite(t, filepath.Join(dir, "page.fits"), []byte("<!DOCTYPE html><html><body>404 Not Found</body></html>")), "--psf", "gaussian:3px"}, 3, "not a FITS file"},
		{"empty file", []string{mustWrite(t, filepath.Join(dir, "empty.fits"), nil), "--psf", "gaussian:3px"}, 3, "not a FITS file"},
		{"no such file", []string{filepath.Join(dir, "missing.fits"), "--psf", "gaussian:3px"}, 3, "no such file"},
		{"no image HDU", []string{mustWrite(t, filepath.Join(dir, "header.fits"), headerOnly()), "--psf", "gaussian:3px"}, 3, "image"},
		{"wrong HDU number", []string{good, "--hdu", "7", "--psf", "gaussian:3px"}, 3, "HDU 7"},
		{"PSF larger than the image", []string{good, "--psf", mapFile(t, dir, "big.fits", "PSF", 99, constant(1))}, 4, "larger than the image"},
		{"PSF that sums to 0", []string{good, "--psf", mapFile(t, dir, "zero.fits", "PSF", 9, constant(0))}, 4, "sums to 0"},
		{"PSF with NaN", []string{good, "--psf", mapFile(t, dir, "nanpsf.fits", "PSF", 9, constant(nan))}, 4, "NaN"},
		{"PSF file missing", []string{good, "--psf", filepath.Join(dir, "nopsf.fits")}, 2, "neither a file nor"},
		{"no stars to measure", []string{image(t, dir, "flat.fits", noise), "--psf", "measure"}, 4, "star"},
		{"all NaN", []string{image(t, dir, "nan.fits", func(p []float32, _ *fitsio.Header) { fill(p, nan) }), "--psf", "gaussian:3px"}, 4, "every pixel is NaN"},
		{"no scatter", []string{image(t, dir, "const.fits", func(p []float32, _ *fitsio.Header) { fill(p, 7) }), "--psf", "gaussian:3px"}, 4, "no scatter"},
		{"negative variance", []string{good, "--psf", "gaussian:3px", "--noise", "variance:" + mapFile(t, dir, "neg.fits", "VAR", 48, constant(-1))}, 4, "negative"},
		{"variance 0", []string{good, "--psf", "gaussian:3px", "--noise", "variance:" + mapFile(t, dir, "var0.fits", "VAR", 48, constant(0))}, 4, "infinite weight"},
		{"weights of another size", []string{good, "--psf", "gaussian:3px", "--noise", "weights:" + mapFile(t, dir, "small.fits", "WHT", 20, constant(1))}, 4, "20×20"},
		{"noise HDU missing", []string{good, "--psf", "gaussian:3px", "--noise", "5"}, 3, "HDU 5"},
		{"mask everywhere", []string{good, "--psf", "gaussian:3px", "--mask", mapFile(t, dir, "mask.fits", "MASK", 48, constant(1))}, 4, "every pixel"},
		{"cut-out beyond the image", []string{good, "--psf", "gaussian:3px", "--cutout", "0:99,0:20"}, 3, "beyond the image"},
		{"cut-out reversed", []string{good, "--psf", "gaussian:3px", "--cutout", "20:10,0:20"}, 2, "cut-out"},
		{"cut-out too small", []string{good, "--psf", "gaussian:3px", "--cutout", "0:4,0:4"}, 3, "too few"},
		{"FWHM of no number", []string{good, "--psf", "gaussian:wide"}, 2, "FWHM"},
		{"FWHM in arcsec without WCS", []string{image(t, dir, "nowcs.fits", func(_ []float32, h *fitsio.Header) { h.Delete("CTYPE1", "CTYPE2") }), "--psf", "gaussian:1arcsec"}, 4, "arcsec"},
		{"Moffat β of 0.5", []string{good, "--psf", "moffat:3px,0.5"}, 2, "β"},
		{"negative samples", []string{good, "--psf", "gaussian:3px", "--samples", "-3"}, 2, "samples"},
		{"unknown option", []string{good, "--pfs", "gaussian:3px"}, 2, "pfs"},
		{"unknown method", []string{good, "--psf", "gaussian:3px", "--method", "magic"}, 2, "magic"},
		{"no image", []string{"--psf", "gaussian:3px"}, 2, "expected an image"},
		{"two images without coordinates", []string{good, image(t, dir, "nowcs2.fits", func(_ []float32, h *fitsio.Header) { h.Delete("CTYPE1", "CTYPE2") }), "--psf", "gaussian:3px"}, 4, "no world coordinates"},
		{"no output named", []string{good, "--psf", "gaussian:3px", "-o", ""}, 2, "-o"},
		{"output folder missing", []string{good, "--psf", "gaussian:3px", "-o", locked}, 5, "no such file"},
		{"output is a folder", []string{good, "--psf", "gaussian:3px", "-o", dir}, 5, "folder"},
		{"far too many samples", []string{good, "--psf", "gaussian:3px", "--samples", "999999999"}, 2, "samples"},
		{"a spectrum of no numbers", []string{good, "--psf", "gaussian:3px", "--spectrum", mustWrite(t, filepath.Join(dir, "sp.txt"), []byte("k P\n0.1 abc\n"))}, 2, "abc"},
		{"a spectrum with a negative power", []string{good, "--psf", "gaussian:3px", "--spectrum", mustWrite(t, filepath.Join(dir, "sp2.txt"), []byte("0.1 -1\n0.2 1\n"))}, 2, "positive"},
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"deconvolve", "--quiet", "--samples", "4"}, c.args...)
			out := filepath.Join(t.TempDir(), "out.fits")
			if !contains(c.args, "-o") {
				args = append(args, "-o", out)
			}
			code, _, errOut := limpid(t, args...)
			if code != c.code || !strings.Contains(errOut, c.says) {
				t.Errorf("exit %d (want %d): %s", code, c.code, errOut)
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*"))
			hidden, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*"))
			if n := len(left) + len(hidden); n > 0 {
				t.Errorf("left behind: %v %v", left, hidden)
			}
			t.Logf("exit %d: %s", code, strings.TrimSpace(errOut))
		})
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func fill(p []float32, v float32) {
	for i := range p {
		p[i] = v
	}
}

// noise wipes the sources out.
func noise(p []float32, _ *fitsio.Header) {
	for i := range p {
		p[i] = float32(engine.Philox(1, 2, uint64(i))[0])/(1<<31) - 1
	}
}

// headerOnly is a valid FITS file without data.
func headerOnly() []byte {
	var b bytes.Buffer
	if err := fitsio.Write(&b, fitsio.WriteOptions{}, fitsio.NewEmpty("PRIMARY", nil)); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestUnwritableFolder_IsReportedBeforeTheRun(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere: needs an ordinary user")
	}
	dir := t.TempDir()
	good := image(t, dir, "good.fits", nil)
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := limpid(t, "deconvolve", good, "--psf", "gaussian:3px", "-o", filepath.Join(locked, "o.fits")); code != session.ExitOutput {
		t.Errorf("exit %d: %s", code, errOut)
	}
}

// A cancelled run writes no result. Where it had drawn samples it keeps them in a state, which
// is said and from which a run can go on.
func TestCancel_HalfWay_WritesNoResult(t *testing.T) {
	dir := t.TempDir()
	good := image(t, dir, "good.fits", nil)
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 30 * time.Millisecond, 150 * time.Millisecond} {
		ctx, cancel := context.WithTimeoutCause(context.Background(), after, context.Canceled)
		cctx, stop := context.WithCancel(context.Background())
		go func() { <-ctx.Done(); stop() }()
		outDir := t.TempDir()
		began := time.Now()
		code, _, errOut := limpidContext(t, cctx, 0, "deconvolve", good, "--psf", "gaussian:3px", "--samples", "90000", "--quiet", "-o", filepath.Join(outDir, "o.fits"))
		cancel()
		if code != session.ExitCancelled {
			t.Errorf("after %v: exit %d: %s", after, code, errOut)
		}
		if d := time.Since(began) - after; d > 2*time.Second {
			t.Errorf("after %v: took %v to stop", after, d)
		}
		left, err := os.ReadDir(outDir)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case len(left) == 0:
		case len(left) > 1 || left[0].Name() != "o.state":
			t.Errorf("after %v: left behind %v", after, left)
		default:
			path := filepath.Join(outDir, "o.state")
			if !strings.Contains(errOut, path) {
				t.Errorf("after %v: %s is not named in: %s", after, path, errOut)
			}
			if _, err := session.ReadState(path); err != nil {
				t.Errorf("after %v: the state cannot be read: %v", after, err)
			}
		}
	}
}

func TestSameRecipe_TwiceAndOnMoreWorkers_GivesTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	good := image(t, dir, "good.fits", nil)
	var first []byte
	for i, workers := range []int{1, 2, 4} {
		out := filepath.Join(t.TempDir(), "result.fits")
		code, _, errOut := limpidContext(t, context.Background(), workers, "deconvolve", good, "--psf", "moffat:3px,3", "--samples", "12", "--seed", "5", "--quiet", "-o", out)
		if code != 0 {
			t.Fatal(errOut)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
		} else if !bytes.Equal(first, got) {
			t.Errorf("%d workers: the FITS file differs", workers)
		}
	}
	// and from the recipe that lies beside it
	out := filepath.Join(dir, "a.fits")
	if code, _, errOut := limpid(t, "deconvolve", good, "--psf", "moffat:3px,3", "--samples", "12", "--seed", "5", "--quiet", "-o", out); code != 0 {
		t.Fatal(errOut)
	}
	again := filepath.Join(dir, "b.fits")
	if code, _, errOut := limpid(t, "run", filepath.Join(dir, "a.recipe.json"), "--quiet", "-o", again); code != 0 {
		t.Fatal(errOut)
	}
	for _, pair := range [][2]string{{"a.fits", "b.fits"}, {"a.png", "b.png"}, {"a.recipe.json", "b.recipe.json"}, {"a.bib", "b.bib"}} {
		a, err := os.ReadFile(filepath.Join(dir, pair[0]))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, pair[1]))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
	}
}

// The output keeps the input's WCS and cards, says how it was made, and holds
// what it promises.
func TestOutput_KeepsWCSAndSaysHowItWasMade(t *testing.T) {
	dir := t.TempDir()
	in := image(t, dir, "in.fits", func(_ []float32, h *fitsio.Header) {
		h.Set("OBSERVER", "E. Hubble", "who looked")
	})
	out := filepath.Join(dir, "out.fits")
	if code, _, errOut := limpid(t, "deconvolve", in, "--psf", "moffat:3px,3", "--samples", "6", "--seed", "11", "--cutout", "4:44,6:40", "--quiet", "-o", out); code != 0 {
		t.Fatal(errOut)
	}
	f, err := fitsio.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, shape := range map[string][]int{
		"MEAN": {34, 40}, "STD": {34, 40}, "SAMPLES": {6, 34, 40}, "RESIDUAL": {34, 40}, "PRIORSHARE": {34, 40}, "DATA": {34, 40}, "MASK": {34, 40},
	} {
		h := f.Find(name, 1)
		if h == nil {
			t.Fatalf("no %s", name)
		}
		if len(h.Shape) != len(shape) || h.Shape[len(shape)-1] != 40 || h.Shape[0] != shape[0] {
			t.Errorf("%s has shape %v, want %v", name, h.Shape, shape)
		}
		if v, ok := h.Header.Float("CRPIX1"); !ok || v != 20.5 {
			t.Errorf("%s: CRPIX1 %v, want 20.5", name, v)
		}
		if v, ok := h.Header.Float("CRPIX2"); !ok || v != 18.5 {
			t.Errorf("%s: CRPIX2 %v, want 18.5", name, v)
		}
	}
	head := f.HDUs[0].Header
	if v, _ := head.Str("OBSERVER"); v != "E. Hubble" {
		t.Errorf("the source's card OBSERVER is %q", v)
	}
	history := strings.Join(head.History(), " ")
	for _, word := range []string{"limpid 0.", "Gaussian prior", "power spectrum fitted", "PSF: moffat", "noise: sky", "seed 11", "cut-out x 4:44, y 6:40", "in.fits"} {
		if !strings.Contains(strings.Join(strings.Fields(history), " "), word) {
			t.Errorf("HISTORY does not say %q: %s", word, history)
		}
	}
}

// A result of a learned prior says how often error bars like its own held the truth: once,
// also in the file, and as a warning where that was never measured.
func TestLearnedPrior_SaysHowItsErrorBarsAreCalibrated(t *testing.T) {
	dir := t.TempDir()
	in, out := image(t, dir, "in.fits", nil), filepath.Join(dir, "out.fits")
	args := []string{"deconvolve", in, "--psf", "gaussian:2px", "--budget", "quick", "--samples", "2", "--cutout", "8:32,12:36", "--quiet", "-o", out}
	code, said, errOut := limpid(t, append(args, "--prior", "galaxies")...)
	if code != 0 {
		t.Fatal(errOut)
	}
	if n := strings.Count(said, "90 % intervals held"); n != 1 {
		t.Errorf("said %d times how often intervals held:\n%s", n, said)
	}
	f, err := fitsio.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if history := strings.Join(f.HDUs[0].Header.History(), " "); !strings.Contains(history, "error bars: calibrated on ") || strings.Contains(history, "?") {
		t.Errorf("HISTORY: %s", history)
	}
	weights, err := assets.ReadPrior("galaxies-small")
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine.safetensors")
	if err := os.WriteFile(mine, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	code, said, errOut = limpid(t, append(args, "--prior", mine)...)
	if code != 0 {
		t.Fatal(errOut)
	}
	if n := strings.Count(said, "never calibrated"); n != 1 || !strings.Contains(said, "were never calibrated") || !strings.Contains(said, "warning: the error bars of the prior ") {
		t.Errorf("said %d times that a prior was never calibrated:\n%s", n, said)
	}
}

func TestJSON_IsOneObjectAlsoForErrors(t *testing.T) {
	dir := t.TempDir()
	good := image(t, dir, "good.fits", nil)
	code, out, _ := limpid(t, "deconvolve", good, "--psf", "gaussian:3px", "--samples", "4", "--json", "-o", filepath.Join(dir, "o.fits"))
	var got struct {
		Draws int      `json:"draws"`
		Files []string `json:"files"`
		Fits  []struct {
			Chi2 float64 `json:"chi2_per_pixel"`
		} `json:"fits"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if got.Draws != 4 || len(got.Files) != 4 || len(got.Fits) != 1 || !(got.Fits[0].Chi2 > 0) {
		t.Errorf("%+v", got)
	}
	code, out, _ = limpid(t, "deconvolve", filepath.Join(dir, "none.fits"), "--psf", "gaussian:3px", "--json", "-o", filepath.Join(dir, "p.fits"))
	var failed struct {
		Exit  int `json:"exit"`
		Error struct {
			What   string `json:"what"`
			Advice string `json:"advice"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(out), &failed); err != nil || failed.Exit != code || code != 3 || failed.Error.What == "" || failed.Error.Advice == "" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

// The shipped sample has its truth: the posterior must beat the data, keep the
// flux, and its samples must be as far from the data as the noise says.
func TestSample_PosteriorIsBetterThanTheData(t *testing.T) {
	dir := t.TempDir()
	code, out, errOut := limpid(t, "sample", "--out", dir, "--samples", "8")
	if code != 0 {
		t.Fatal(errOut)
	}
	for _, name := range []string{"galaxy-posterior.fits", "galaxy-posterior.png"} {
		if !strings.Contains(out, name) {
			t.Errorf("the output does not say where %s is: %s", name, out)
		}
	}
	read := func(path, name string) []float32 {
		f, err := fitsio.Open(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		pix, err := f.Find(name, 1).ReadFloat32(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return pix
	}
	truth := read(assets.Samples()[0].File, "TRUTH")
	data, mean := read("galaxy-posterior.fits", "DATA"), read("galaxy-posterior.fits", "MEAN")
	var before, after, flux, want float64
	for i, v := range truth {
		before += math.Pow(float64(data[i]-v), 2)
		after += math.Pow(float64(mean[i]-v), 2)
		flux, want = flux+float64(mean[i]), want+float64(v)
	}
	if after > 0.8*before {
		t.Errorf("squared error %.3g, the data's is %.3g", after, before)
	}
	if math.Abs(flux/want-1) > 0.01 {
		t.Errorf("flux %.6g, truth has %.6g", flux, want)
	}
}

// Real images, where they are at hand: HSC with its PSF file and its noise, which is
// correlated, NTT with a PSF measured from its stars.
func TestRealImages_AreDeconvolved(t *testing.T) {
	data := filepath.Join(dataFolder(t), "deconv_deblend")
	for name, args := range map[string][]string{
		"HSC": {filepath.Join(data, "scarlet", "Cut_HSC1.fits"), "--psf", filepath.Join(data, "scarlet", "PSF_HSC.fits"), "--noise-spectrum", "measure"},
		"NTT": {filepath.Join(data, "misc", "sep_image.fits"), "--psf", "measure"},
	} {
		out := filepath.Join(t.TempDir(), "o.fits")
		code, text, errOut := limpid(t, append([]string{"deconvolve", "--json", "--samples", "8", "-o", out}, args...)...)
		if code != 0 {
			t.Fatalf("%s: %s %s", name, text, errOut)
		}
		var got struct {
			Chi []float64 `json:"chi2_per_pixel_of_draws"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		for band, chi := range got.Chi {
			if chi < 0.75 || chi > 1.3 {
				t.Errorf("%s band %d: χ² per pixel of the draws is %.2f", name, band, chi)
			}
		}
	}
}
