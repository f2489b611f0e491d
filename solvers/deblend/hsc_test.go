package deblend

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"limpid"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/skymap"
)

func BenchmarkFit_HSC(b *testing.B) {
	obs, src := readHSC35(b, filepath.Join(dataFolder(b), "scarlet", "hsc_cosmos_35.npz"))
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	for b.Loop() {
		r, err := Fit(context.Background(), dev, obs, src, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Iter), "iterations")
		b.ReportMetric(quantile(r.Chi2, .5), "chi2")
	}
}

func BenchmarkSample_HSC32(b *testing.B) {
	obs, src := readHSC35(b, filepath.Join(dataFolder(b), "scarlet", "hsc_cosmos_35.npz"))
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	for b.Loop() {
		r, err := Fit(context.Background(), dev, obs, src, Options{})
		if err != nil {
			b.Fatal(err)
		}
		p, err := r.Sample(context.Background(), dev, SampleOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(p.Draws), "draws")
		b.ReportMetric(p.RHat, "rhat")
	}
}

// scarlet's mean χ²/pixel is 1.245, scarlet_lite's 1.233, with the seven sources
// given; there are others, which nobody gave.
func TestFit_HSCCosmos35_Chi2LikePeersAndOneWithWhatIsMissing(t *testing.T) {
	obs, src := readHSC35(t, filepath.Join(dataFolder(t), "scarlet", "hsc_cosmos_35.npz"))
	for _, c := range []struct {
		o    Options
		most float64
	}{{Options{}, 1.45}, {Options{PSFError: true, Complete: true}, 1.15}} {
		if c.o.Complete && os.Getenv("LIMPID_LONG") == "" {
			continue
		}
		r, err := Fit(context.Background(), device(t), obs, src, c.o)
		if err != nil {
			t.Fatal(err)
		}
		var mean float64
		for _, c := range r.Chi2 {
			mean += c / float64(len(r.Chi2))
		}
		t.Logf("%d sources, χ²/pixel %.3f, by band %.3f, %d iterations", len(r.Sources), mean, r.Chi2, r.Iter)
		if mean > c.most {
			t.Errorf("χ²/pixel %.3f", mean)
		}
	}
}

// scarlet's simulated blend of 6 bands: components 0+1 and 5+6 are bulge and disk
// of one galaxy, 2 to 4 stars. Three things the file does not say, all seen in its
// truth: the PSFs of u and g are exchanged (the stars' true images are 2.12 px wide
// in u and 1.92 in g, the stamps 1.92 and 2.12); y is .5 px too large; the variance
// is 10 + counts.
func TestFit_PSFUnmatchedSim_CosineToTruth(t *testing.T) {
	z := readNPZ(t, filepath.Join(dataFolder(t), "scarlet", "psf_unmatched_sim.npz"))
	obs := &solvers.Observation{Data: z["images"].image(), PSF: normalisePSF(z["psfs"].image()), Bands: []string{"u", "g", "r", "i", "z", "y"}}
	obs.Weights = solvers.NewImage(obs.Data.C, obs.Data.H, obs.Data.W)
	for i, v := range slices.Clone(obs.PSF.Plane(0)) {
		obs.PSF.Plane(0)[i], obs.PSF.Plane(1)[i] = obs.PSF.Plane(1)[i], v
	}
	flat := solvers.NewImage(obs.Data.C, obs.Data.H, obs.Data.W)
	for i := range flat.Pix {
		flat.Pix[i] = 1
	}
	for c := range obs.Data.C {
		for i := range obs.Weights.Plane(c) {
			counts := max(smoothed(obs.Data.Plane(c), flat.Plane(c), obs.Data.H, obs.Data.W, i/obs.Data.W, i%obs.Data.W), 0)
			obs.Weights.Plane(c)[i] = float32(1 / (10 + counts))
		}
	}
	cat := z["catalog"]
	n := obs.Data.H * obs.Data.W
	truth := cat.fields["intensity_i"]
	groups := [][]int{{0, 1}, {2}, {3}, {4}, {5, 6}}
	var src []Source
	for i, g := range groups {
		src = append(src, Source{ID: i + 1, X: cat.fields["x"][g[0]], Y: cat.fields["y"][g[0]] - 0.5, Kind: Galaxy})
		if len(g) == 1 {
			src[i].Kind = Star
		}
	}
	r, err := Fit(context.Background(), device(t), obs, src, Options{Components: 2})
	if err != nil {
		t.Fatal(err)
	}
	for k, g := range groups {
		want := make([]float32, n)
		for _, i := range g {
			for j := range want {
				want[j] += float32(truth[i*n+j])
			}
		}
		cos, ratio := compare(r.Image(k).Plane(3), want)
		t.Logf("object %d: cosine %.4f, flux ratio %.3f ± %.3f", k+1, cos, ratio, r.Sources[k].FluxErr[3]/r.Sources[k].Flux[3])
		if e := r.Sources[k].FluxErr[3] / r.Sources[k].Flux[3]; cos < 0.97 || math.Abs(ratio-1) > 3*e {
			t.Errorf("object %d: cosine %.4f, flux ratio %.3f ± %.3f", k+1, cos, ratio, e)
		}
	}
	t.Logf("χ²/pixel %.3f", r.Chi2)
	for b, c := range r.Chi2 {
		if c < 0.85 || c > 1.15 {
			t.Errorf("band %d: χ²/pixel %.3f", b, c)
		}
	}
}

// A simulated field of 11 sources: where "footprint" is set lies other
// people's light, which is masked. Its truth names one source, a star at (126, 11) of
// g = 24.904, r = 24.368, i = 24.178, z = 24.110, y = 24.071. Slow, run with
// LIMPID_LONG=1.
func TestFit_TestData30_Chi2(t *testing.T) {
	if os.Getenv("LIMPID_LONG") == "" {
		t.Skip("slow: set LIMPID_LONG=1")
	}
	z := readNPZ(t, filepath.Join(dataFolder(t), "scarlet", "testdata_3_0.npz"))
	obs := &solvers.Observation{Data: z["images"].image(), PSF: normalisePSF(z["psfs"].image()), Bands: []string{"g", "r", "i", "z", "y"}}
	obs.Weights = solvers.NewImage(obs.Data.C, obs.Data.H, obs.Data.W)
	other := z["footprint"].values
	for i, v := range z["variance"].values {
		if v > 0 && other[i%len(other)] == 0 {
			obs.Weights.Pix[i] = float32(1 / v)
		}
	}
	var src []Source
	c := z["centers"]
	for i := range c.shape[0] { // (y, x)
		src = append(src, Source{ID: i + 1, X: c.values[2*i+1], Y: c.values[2*i], Kind: Galaxy})
	}
	src[3].Kind = Star
	r, err := Fit(context.Background(), device(t), obs, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d sources in %d groups, χ²/pixel %.3f, %d iterations", len(r.Sources), r.Groups, r.Chi2, r.Iter)
	mag := []float64{24.904, 24.368, 24.178, 24.110, 24.071}
	for b := 1; b < len(mag); b++ {
		f, want := r.Sources[3], mag[b-1]-mag[b]
		got := -2.5 * math.Log10(f.Flux[b-1]/f.Flux[b])
		e := 2.5 / math.Ln10 * math.Hypot(f.FluxErr[b-1]/f.Flux[b-1], f.FluxErr[b]/f.Flux[b])
		t.Logf("colour %s-%s of the star: %.3f ± %.3f, truth %.3f", r.Bands[b-1], r.Bands[b], got, e, want)
		if math.Abs(got-want) > 3*e+0.02 {
			t.Errorf("colour %s-%s: %.3f ± %.3f, truth %.3f", r.Bands[b-1], r.Bands[b], got, e, want)
		}
	}
	for b, chi := range r.Chi2 {
		flagged := slices.ContainsFunc(r.Findings, func(f limpid.Finding) bool { return f.Code == "deblend.chi2" && f.Where == r.Bands[b] })
		if flagged != (chi > 1.5) {
			t.Errorf("band %s: χ²/pixel %.3f, flagged: %v", r.Bands[b], chi, flagged)
		}
	}
}

// Two real galaxies 10 px apart, no PSF (the images are what HST saw): the truth
// is in cut-outs of 33², noise and all. From the noise of their edges (.0070 and
// .0095 per pixel), the galaxies without it have a cosine of .819 and .909 with
// their own cut-outs: no estimate free of noise can be much above that.
func TestFit_PixelCNNDemo_CosineToTruth(t *testing.T) {
	dir := filepath.Join(dataFolder(t), "scarlet_pixelcnn_demo")
	blend := readPlane(t, filepath.Join(dir, "blend.fits"))
	obs := &solvers.Observation{Data: blend, Weights: solvers.NewImage(1, blend.H, blend.W), PSF: solvers.NewImage(1, 3, 3), Bands: []string{"I"}}
	obs.PSF.Pix[4] = 1
	sigma := noiseOf(obs, 0)
	for i := range obs.Weights.Pix {
		obs.Weights.Pix[i] = float32(1 / (sigma * sigma))
	}
	r, err := Fit(context.Background(), device(t), obs, []Source{{ID: 1, X: 32, Y: 32, Kind: Galaxy}, {ID: 2, X: 42, Y: 32, Kind: Galaxy}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for k, x := range []int{32, 42} {
		truth := readPlane(t, filepath.Join(dir, []string{"gal1.fits", "gal2.fits"}[k]))
		im := r.Image(k).Crop(x-16, x+17, 16, 49)
		cos, ratio := compare(im.Pix, truth.Pix)
		t.Logf("galaxy %d: cosine %.3f, flux ratio %.3f, χ² %.3f", k+1, cos, ratio, r.Chi2[0])
		if want := []float64{0.765, 0.907}[k]; cos < want {
			t.Errorf("galaxy %d: cosine %.3f, scarlet reaches %.3f", k+1, cos, want)
		}
	}
}

func readPlane(t testing.TB, path string) solvers.Image {
	t.Helper()
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pix, err := f.HDUs[0].ReadFloat32(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return solvers.Image{C: 1, H: f.HDUs[0].Shape[0], W: f.HDUs[0].Shape[1], Pix: pix}
}

// noiseOf is the scatter of differences of neighbouring pixels, which sources
// change little: 1.4826 MAD/√2.
func noiseOf(obs *solvers.Observation, c int) float64 {
	p, w := obs.Data.Plane(c), obs.Data.W
	var d []float32
	for i := 1; i < len(p); i++ {
		if i%w != 0 {
			d = append(d, max(p[i]-p[i-1], p[i-1]-p[i]))
		}
	}
	return 1.4826 * float64(skymap.Median(d)) / math.Sqrt2
}

func compare(a, b []float32) (cosine, ratio float64) {
	var aa, bb, ab, sa, sb float64
	for i, v := range a {
		x, y := float64(v), float64(b[i])
		aa, bb, ab, sa, sb = aa+x*x, bb+y*y, ab+x*y, sa+x, sb+y
	}
	return ab / math.Sqrt(aa*bb), sa / sb
}
