// Package physics holds acceptance tests that take longer than a unit test and
// the figures that document them. go test ./tests/physics -args -long runs all;
// -figures DIR writes the figures.
package physics

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/assets"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

var (
	long    = flag.Bool("long", false, "run the slow tests")
	figures = flag.String("figures", "", "folder to write figures to")
)

func slow(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("slow: run with -args -long")
	}
}

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

// run carries a recipe out.
func run(t *testing.T, r recipe.Recipe) *session.Result {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	job, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	return job.Result()
}

func readImage(t *testing.T, path, hdu string) ([]float32, *fitsio.HDU) {
	t.Helper()
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	h := f.HDUs[0]
	if hdu != "" {
		h = f.Find(hdu, 1)
	}
	pix, err := h.ReadFloat32(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return pix, h
}

// Coverage of 90 % intervals on the shipped sample, by brightness: the numbers of
// docs/choose-a-method.md. The bounds are what that page states, ± .04.
func TestSample_CoverageByBrightness_IsAsDocumented(t *testing.T) {
	slow(t)
	dir := t.TempDir()
	item := assets.Samples()[0]
	data, err := assets.ReadSample(item.File)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, item.File)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	r := recipe.Default(path)
	r.PSF = recipe.PSF{Kind: observe.PSFFile}
	res := run(t, r)
	truth, _ := readImage(t, path, "TRUTH")
	order := make([]int, len(truth))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return truth[order[a]] < truth[order[b]] })
	for _, c := range []struct {
		name   string
		lo, hi float64 // share of the pixels, by true brightness
		want   float64
	}{{"all", 0, 1, 0.99}, {"fainter half", 0, 0.5, 1}, {"brightest 1 %", 0.99, 1, 0.58}} {
		n := len(order)
		part := order[int(c.lo*float64(n)):int(c.hi*float64(n))]
		inside := 0
		for _, i := range part {
			if math.Abs(float64(truth[i]-res.Mean.Pix[i])) < 1.6449*float64(res.Std.Pix[i]) {
				inside++
			}
		}
		got := float64(inside) / float64(len(part))
		t.Logf("%s: 90 %% intervals hold %.3f", c.name, got)
		if math.Abs(got-c.want) > 0.04 {
			t.Errorf("%s: coverage %.3f, documented %.2f", c.name, got, c.want)
		}
	}
}

// HSC (0.168″) deconvolved, against HST (0.03″) of the same sky resampled to
// HSC's pixels: the posterior mean must look more like HST than the data do.
func TestHSC_DeconvolvedI_ResemblesHST(t *testing.T) {
	data := filepath.Join(dataFolder(t), "deconv_deblend", "scarlet")
	r := recipe.Default(filepath.Join(data, "Cut_HSC1.fits"))
	iBand := 2 // of grizy; HST is F814W
	r.Input.Plane = &iBand
	r.PSF = recipe.PSF{Kind: observe.PSFFile, File: filepath.Join(data, "PSF_HSC.fits"), Recenter: true}
	res := run(t, r)
	rl := r
	rl.Method = recipe.Method{Kind: deconv.RichardsonLucy, Iterations: 40, Damping: 3}
	lucy := run(t, rl)
	hst, hdu := readImage(t, filepath.Join(data, "Cut_HST1.fits"), "")
	sky, err := wcs.FromHeader(hdu.Header, "")
	if err != nil {
		t.Fatal(err)
	}
	onHSC := resample(hst, hdu.Shape[0], hdu.Shape[1], sky, res.WCS, 50, 50)
	dataR, meanR, rlR := correlation(res.Data.Pix, onHSC), correlation(res.Mean.Pix, onHSC), correlation(lucy.Mean.Pix, onHSC)
	t.Logf("correlation with HST on HSC's pixels: data %.3f, posterior mean %.3f, damped Richardson–Lucy %.3f", dataR, meanR, rlR)
	if meanR < dataR+0.05 {
		t.Errorf("the mean correlates with HST by %.3f, the data by %.3f", meanR, dataR)
	}
	if *figures != "" {
		drawHST(t, res, lucy, hst, hdu.Shape, sky)
	}
}

// resample averages fine pixels into coarse ones by their sky positions.
func resample(fine []float32, h, w int, from, to *wcs.WCS, ch, cw int) []float32 {
	sum, n := make([]float64, ch*cw), make([]float64, ch*cw)
	for y := range h {
		for x := range w {
			lon, lat, ok := from.PixelToSky(float64(x), float64(y))
			if !ok {
				continue
			}
			u, v, ok := to.SkyToPixel(lon, lat)
			i, j := int(math.Round(u)), int(math.Round(v))
			if ok && i >= 0 && j >= 0 && i < cw && j < ch {
				sum[j*cw+i] += float64(fine[y*w+x])
				n[j*cw+i]++
			}
		}
	}
	out := make([]float32, ch*cw)
	for i := range out {
		out[i] = float32(sum[i] / math.Max(1, n[i]))
	}
	return out
}

func correlation(a, b []float32) float64 {
	var ma, mb float64
	for i := range a {
		ma, mb = ma+float64(a[i])/float64(len(a)), mb+float64(b[i])/float64(len(a))
	}
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i])-ma, float64(b[i])-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

func drawHST(t *testing.T, res, lucy *session.Result, hst []float32, shape []int, sky *wcs.WCS) {
	t.Helper()
	image := func(pix []float32, h, w int) *figure.Image {
		im, err := figure.NewImage(figure.Plane{Data: pix, H: h, W: w})
		if err != nil {
			t.Fatal(err)
		}
		return im
	}
	of := func(im solvers.Image) *figure.Image { return image(im.Pix, im.H, im.W) }
	hstImage := image(hst, shape[0], shape[1])
	limits := panel.SignalLimits(of(res.Data), of(res.Mean))
	scene := figure.Style{Stretch: figure.Asinh, Limits: limits}
	fig := panel.Figure{
		Title:   "HSC i band deconvolved, and HST of the same sky",
		Caption: fmt.Sprintf("Cut_HSC1 (0.168″) and Cut_HST1 (F814W, 0.03″) of the scarlet test data. %s.", res.Sentence()),
		Sky:     res.WCS, Columns: 3,
		Tiles: []panel.Tile{
			{Title: "HSC data", Image: of(res.Data), Style: scene},
			{Title: "Posterior mean", Image: of(res.Mean), Style: scene},
			{Title: "HST", Image: hstImage, Style: figure.Style{Stretch: figure.Asinh, Limits: figure.Range{Kind: figure.Percentile, Percent: 99.6}.Of(hstImage)}, Sky: sky},
			{Title: "Posterior sample", Image: of(res.Samples[0]), Style: scene},
			{Title: "Posterior standard deviation", Image: of(res.Std), Style: figure.Style{Limits: figure.Limits{Hi: limits.Hi / 8}}},
			{Title: "Damped Richardson–Lucy", Image: of(lucy.Mean), Style: scene},
		},
	}
	if err := os.MkdirAll(*figures, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(*figures, "hsc-hst.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := fig.WritePNG(f); err != nil {
		t.Fatal(err)
	}
}
