package physics

import (
	"context"
	"flag"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/deblend"
)

var deblendPrior = flag.String("deblend-prior", "", "learned prior of morphologies for the simulated blends; none if empty")

func plane(t *testing.T, path string) solvers.Image {
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

func cosine(a, b []float32) float64 {
	var aa, bb, ab float64
	for i, v := range a {
		x, y := float64(v), float64(b[i])
		aa, bb, ab = aa+x*x, bb+y*y, ab+x*y
	}
	return ab / math.Sqrt(aa*bb)
}

// edgeNoise is 1.4826 MAD of the outermost two rows and columns.
func edgeNoise(im solvers.Image) float64 {
	var v []float64
	for i, p := range im.Pix {
		if x, y := i%im.W, i/im.W; x < 2 || y < 2 || x >= im.W-2 || y >= im.H-2 {
			v = append(v, math.Abs(float64(p)))
		}
	}
	slices.Sort(v)
	return 1.4826 * v[len(v)/2]
}

// The demo of scarlet with a learned prior (Lanusse+2019): two galaxies of HST's COSMOS
// field 10 px apart. The truths are cut-outs with their noise, so that even the galaxy
// without noise has a cosine below 1 with its own: √(1 − N σ²/Σ t²), N pixels, σ the
// noise at their edges, printed as the most an estimate without noise can reach. The
// truth is also denoised, by a fit of the isolated galaxy, and compared with.
func TestDeblend_PixelCNNDemo_LearnedPriorBeatsProfiles(t *testing.T) {
	slow(t)
	dir := filepath.Join(dataFolder(t), "deconv_deblend", "scarlet_pixelcnn_demo")
	blend := plane(t, filepath.Join(dir, "blend.fits"))
	dev := cpu.New(cpu.Options{Workers: 2})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	truth := []solvers.Image{plane(t, filepath.Join(dir, "gal1.fits")), plane(t, filepath.Join(dir, "gal2.fits"))}
	sigma := []float64{edgeNoise(truth[0]), edgeNoise(truth[1])}
	fit := func(im solvers.Image, noise float64, at [][2]float64, prior string, draws int) *session.Deblending {
		obs := &solvers.Observation{Data: im, Weights: solvers.NewImage(1, im.H, im.W), PSF: solvers.NewImage(1, 3, 3), Bands: []string{"I"}}
		obs.PSF.Pix[4] = 1
		obs.Frame.PixelScale = 0.06
		for i := range obs.Weights.Pix {
			obs.Weights.Pix[i] = float32(1 / (noise * noise))
		}
		d := &session.Deblending{Obs: obs}
		for i, p := range at {
			d.Sources = append(d.Sources, deblend.Source{ID: i + 1, X: p[0], Y: p[1], Kind: deblend.Galaxy})
		}
		var sample *deblend.SampleOptions
		if draws > 0 {
			sample = &deblend.SampleOptions{Draws: draws, Rounds: 1}
		}
		if err := s.FitDeblend(context.Background(), d, deblend.Options{Prior: prior, Workers: 2}, sample); err != nil {
			t.Fatal(err)
		}
		return d
	}
	at := [][2]float64{{32, 32}, {42, 32}}
	isolated := func(k int) solvers.Image {
		c := float64(truth[k].W / 2)
		return fit(truth[k], sigma[k], [][2]float64{{c, c}}, "galaxies", 0).Result.Image(0)
	}
	clean := []solvers.Image{isolated(0), isolated(1)}
	var cos [2][2]float64
	for n, prior := range []string{"", "galaxies"} {
		d := fit(blend, math.Hypot(sigma[0], sigma[1]), at, prior, *deblendDraws/8)
		for k, p := range at {
			im := d.Result.Image(k).Crop(int(p[0])-16, int(p[0])+17, 16, 49)
			var power, sum, model float64
			for i, v := range truth[k].Pix {
				power, sum, model = power+float64(v)*float64(v), sum+float64(v), model+float64(im.Pix[i])
			}
			most := math.Sqrt(max(0, 1-float64(len(truth[k].Pix))*sigma[k]*sigma[k]/power))
			cos[n][k] = cosine(im.Pix, clean[k].Pix)
			f := d.Result.Sources[k]
			t.Logf("prior %q, galaxy %d: cosine %.3f with the noisy truth (noise-free galaxy: %.3f), %.3f with the truth denoised alone; flux ratio %.3f, posterior %.3f ± %.3f; χ² %.3f",
				prior, k+1, cosine(im.Pix, truth[k].Pix), most, cos[n][k], model/sum, f.Flux[0]/sum, f.FluxErr[0]/sum, d.Result.Chi2[0])
		}
	}
	for k := range at {
		if cos[1][k] < 0.97 || cos[1][k] < cos[0][k]-0.01 {
			t.Errorf("galaxy %d: cosine with the denoised truth %.3f with the learned prior, %.3f without", k+1, cos[1][k], cos[0][k])
		}
	}
}
