package deconv_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// dithered are exposures of h × w detector pixels of two by two pixels of the scene each,
// displaced by halves of them, the last ones turned by a degree and a half, through a Gaussian
// of 1.4 detector pixels, and an observation that has them. The scene's image is that of the
// first.
func dithered(t testing.TB, n, count int, sigma float64) *solvers.Observation {
	t.Helper()
	const factor = 2
	o := &solvers.Observation{Data: solvers.NewImage(1, factor*n, factor*n), Weights: solvers.NewImage(1, factor*n, factor*n), Bands: []string{"r"}}
	profile, err := observe.OversampledPSF(observe.PSFSettings{Kind: observe.PSFGaussian}, 1.4, 9)
	if err != nil {
		t.Fatal(err)
	}
	for k := range count {
		dx, dy, angle := 0.5*float64(k%2), 0.5*float64(k/2%2), 0.0
		if k >= 2 {
			angle = 1.5
		}
		sin, cos := math.Sincos(angle * math.Pi / 180)
		e := solvers.Exposure{Data: solvers.NewImage(1, n, n), Weights: solvers.NewImage(1, n, n), Area: factor * factor}
		for i := range e.Weights.Pix {
			x, y := float64(i%n)-float64(n-1)/2, float64(i/n)-float64(n-1)/2
			x, y = cos*x-sin*y+dx+float64(n-1)/2, sin*x+cos*y+dy+float64(n-1)/2
			e.X, e.Y = append(e.X, float32((x+0.5)*factor-0.5)), append(e.Y, float32((y+0.5)*factor-0.5))
			inside := x > -0.5 && y > -0.5 && x < float64(n)-0.5 && y < float64(n)-0.5
			if inside && i%37 != 5 {
				e.Weights.Pix[i] = float32(1 / (sigma * sigma))
			}
		}
		if e.PSF, err = observe.FinePSF(profile, observe.ProfileSamples, [4]float64{cos / factor, sin / factor, -sin / factor, cos / factor}, "test"); err == nil {
			e.Native, err = observe.FinePSF(profile, observe.ProfileSamples, [4]float64{1, 0, 0, 1}, "test")
		}
		if err != nil {
			t.Fatal(err)
		}
		o.Exposures = append(o.Exposures, e)
	}
	o.PSF = o.Exposures[0].PSF
	return o
}

// expose fills the exposures with what they see of a scene on the grid, with noise.
func expose(t testing.TB, dev engine.Device, o *solvers.Observation, g operator.Grid, x *engine.Tensor, key engine.Key) {
	t.Helper()
	s := dev.NewStream()
	op, err := operator.NewExposures(dev, s, o.Exposures, g, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	y, _ := dev.Alloc(op.Range())
	defer y.Free()
	op.Forward(s, y, x)
	model := make([]float32, y.Len())
	s.Download(model, y)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	noise := solvers.Normals(key, len(model))
	values := make([]float32, len(model))
	solvers.Seen(o.Exposures, func(at, e, i int) {
		values[at] = model[at] + float32(noise[at]/math.Sqrt(float64(o.Exposures[e].Weights.Pix[i])))
		o.Exposures[e].Data.Pix[i] = values[at]
	})
	o.Data, o.Weights = solvers.Coadd(o.Exposures, values, o.Data.H, o.Data.W)
}

// Intervals of the exact posterior hold the truth on pixels finer than the detector's, and four
// exposures say more than one.
func TestExposures_Intervals_HoldTheTruth(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	const n, sims, draws, lo, hi, z90 = 16, 40, 24, 0.87, 0.93, 1.6449
	sp := gaussian.PowerLaw(20, 0.1, 2.5)
	var inside, total, chi float64
	var width [2]float64
	for seed := range uint64(sims) {
		o := dithered(t, n, 4, 1)
		g := operator.NewGrid(1, o.Data.H, o.Data.W, o.PSF.H, o.PSF.W)
		x := gaussianScene(t, dev, s, sp, g.Domain(), engine.NewKey(seed).Fold(1))
		scene := make([]float32, x.Len())
		s.Download(scene, x)
		truth := g.Crop(scene)
		expose(t, dev, o, g, x, engine.NewKey(seed).Fold(2))
		set := deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}}
		sum, fit := solve(t, dev, o, set, draws)
		mean, std := g.Crop(sum.GridEstimate()), sum.Std()
		chi += fit.Chi2Draws / sims
		for i, v := range truth {
			total++
			if math.Abs(float64(v-mean[i])) < z90*float64(std.Pix[i]) {
				inside++
			}
			width[0] += float64(std.Pix[i])
		}
		if seed < 4 {
			o.Exposures = o.Exposures[:1]
			sum, _ := solve(t, dev, o, set, draws)
			for _, v := range sum.Std().Pix {
				width[1] += float64(v) * sims / 4
			}
		}
	}
	t.Logf("90 %% intervals hold %.3f, χ² of draws %.3f; σ of four exposures is %.3f of one's", inside/total, chi, width[0]/width[1])
	if c := inside / total; c < lo || c > hi || math.Abs(chi-1) > 0.02 {
		t.Errorf("90 %% intervals hold %.3f, χ² of draws %.3f", c, chi)
	}
	if width[0] > 0.95*width[1] {
		t.Errorf("σ of four exposures is %.3f of one's", width[0]/width[1])
	}
}

// Two stars 1.6 detector pixels apart, in four exposures: every method gives their flux and
// places, with a spectrum fitted by itself; the learned path agrees with the exact posterior.
func TestExposures_TwoStars_FluxAndPlaces(t *testing.T) {
	dev := newDevice(t)
	const n, flux = 24, 1000.0
	o := dithered(t, n, 4, 1)
	g := operator.NewGrid(1, o.Data.H, o.Data.W, o.PSF.H, o.PSF.W)
	scene := solvers.NewImage(1, g.ImgH, g.ImgW)
	stars := [][2]float64{{21, 24}, {24, 25}} // pixels of the scene: 3.2 of them apart
	for _, p := range stars {
		scene.Pix[int(p[1])*g.ImgW+int(p[0])] = flux
	}
	x, _ := dev.Alloc(g.Domain())
	defer x.Free()
	dev.NewStream().Upload(x, g.Embed(scene).Pix)
	expose(t, dev, o, g, x, engine.NewKey(3))
	for _, m := range []deconv.Method{deconv.Gaussian, deconv.Wiener, deconv.TV, deconv.RichardsonLucy} {
		set := deconv.Settings{Method: m, Iterations: 300}
		if m == deconv.TV {
			set.Strength = 0.5
		}
		p, err := deconv.New(context.Background(), dev, o, set)
		if err != nil {
			t.Fatal(err)
		}
		sum, _ := gather(t, p, set.StepsAtMost(), map[deconv.Method]int{deconv.Gaussian: 8}[m], 9)
		scene := sum.GridEstimate()
		_, fits, err := p.Residual(scene)
		p.Close()
		if err != nil {
			t.Fatal(err)
		}
		fit, mean := fits[0], solvers.Image{C: 1, H: g.ImgH, W: g.ImgW, Pix: g.Crop(scene)}
		var all, cx, cy float64
		for i, v := range mean.Pix {
			if d := math.Hypot(float64(i%g.ImgW)-22.5, float64(i/g.ImgW)-24.5); d < 12 {
				all, cx, cy = all+float64(v), cx+float64(v)*float64(i%g.ImgW), cy+float64(v)*float64(i/g.ImgW)
			}
		}
		valley := mean.Pix[24*g.ImgW+22] + mean.Pix[25*g.ImgW+23]
		peaks := mean.Pix[24*g.ImgW+21] + mean.Pix[25*g.ImgW+24]
		t.Logf("%s: flux %.4f of the truth, centre off by (%.3f, %.3f) px of the scene, valley %.2f of the peaks, χ² %.3f", m, all/(2*flux), cx/all-22.5, cy/all-24.5, valley/peaks, fit.Chi2)
		light, shift := 0.02, 0.03
		if m == deconv.Gaussian || m == deconv.Wiener { // whose prior knows no empty sky: noise fills the aperture
			light, shift = 0.03, 0.15
		}
		if math.Abs(all/(2*flux)-1) > light || math.Hypot(cx/all-22.5, cy/all-24.5) > shift {
			t.Errorf("%s: flux %.4f of the truth, centre off by (%.3f, %.3f) px", m, all/(2*flux), cx/all-22.5, cy/all-24.5)
		}
	}
}

func TestExposures_Learned_AgreesWithTheExactPosterior(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	const n = 14
	sp := gaussian.PowerLaw(20, 0.1, 2)
	o := dithered(t, n, 3, 1)
	g := operator.NewGrid(1, o.Data.H, o.Data.W, o.PSF.H, o.PSF.W)
	x := gaussianScene(t, dev, s, sp, g.Domain(), engine.NewKey(6))
	expose(t, dev, o, g, x, engine.NewKey(7))
	agrees(t, dev, o, sp, 32, 0.27) // means of 64 and 32 draws: .22
	for _, set := range []deconv.Settings{{Method: deconv.Starlet}, {Method: deconv.Gaussian, Tile: 128}} {
		p, err := deconv.New(context.Background(), dev, o, set)
		if err == nil {
			p.Close()
		}
		if !errors.Is(err, deconv.ErrExposures) && !errors.Is(err, deconv.ErrTile) {
			t.Errorf("%s, tile %d: %v", set.Method, set.Tile, err)
		}
	}
}
