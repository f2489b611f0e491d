package deconv_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// starField is a scene with a star and a pedestal, blurred, under unit noise.
type starField struct {
	n          int
	sp         gaussian.Spectrum
	galaxy     bool // an exponential disk under the star instead of a draw of the prior
	flux, sky  float64
	x, y       float64 // of the star, px from 0
	maskedStar bool    // mask a corner of the star
}

func (f starField) observe(t testing.TB, dev engine.Device, key engine.Key) *solvers.Observation {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 3, 3, 15)
	if err != nil {
		t.Fatal(err)
	}
	s := dev.NewStream()
	op, err := operator.NewConvolution(dev, s, psf, f.n, f.n, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x, _ := dev.Alloc(op.Domain())
	defer x.Free()
	host := make([]float32, x.Len())
	if !f.galaxy {
		prior, err := gaussian.New(dev, s, []gaussian.Spectrum{f.sp}, op.Domain(), 1)
		if err != nil {
			t.Fatal(err)
		}
		prior.Sample(s, x, key.Fold(0))
		s.Download(host, x)
		prior.Close()
	}
	addPoint(host, op.Grid, f.flux, f.x, f.y)
	for i := range host {
		if f.galaxy {
			gx, gy := i%op.W, i/op.W
			dx, dy := float64(gx-op.Col)-f.x-0.7, float64(gy-op.Row)-f.y+0.4
			host[i] += float32(6 * math.Exp(-math.Hypot(dx, 1.5*dy)/4))
		}
	}
	s.Upload(x, host)
	o, _ := look(t, dev, s, op, op.Grid, psf, x, 1, key.Fold(1))
	for i := range o.Weights.Pix {
		o.Data.Pix[i] += float32(f.sky)
		if px, py := i%f.n, i/f.n; px == 5 || f.maskedStar && px == int(f.x)+1 && py > int(f.y) {
			o.Weights.Pix[i], o.Data.Pix[i] = 0, 0
		}
	}
	return o
}

// addPoint adds a star at (x, y) of the image to a scene on the grid, a point of the band-limited scene.
func addPoint(scene []float32, g operator.Grid, flux, x, y float64) {
	point := func(i, n int, at float64) float64 {
		u := float64(i) - at
		if d := math.Tan(math.Pi * u / float64(n)); math.Abs(d) > 1e-9 {
			return math.Sin(math.Pi*u) / (float64(n) * d)
		}
		return 1
	}
	for i := range scene {
		scene[i] += float32(flux * point(i%g.W, g.W, x+float64(g.Col)) * point(i/g.W, g.H, y+float64(g.Row)))
	}
}

// found runs a problem and gives what it found beside the scene, and the draws' mean χ².
func found(t testing.TB, dev engine.Device, o *solvers.Observation, set deconv.Settings, draws int) (deconv.SkyFit, deconv.StarFit, deconv.Fit) {
	t.Helper()
	skies, star, fit := foundAll(t, dev, o, set, draws)
	return skies[0], star, fit
}

// foundAll is found, with every sky.
func foundAll(t testing.TB, dev engine.Device, o *solvers.Observation, set deconv.Settings, draws int) ([]deconv.SkyFit, deconv.StarFit, deconv.Fit) {
	t.Helper()
	p, err := deconv.New(context.Background(), dev, o, set)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sum, _ := gather(t, p, 1<<20, draws, set.Seed)
	_, fits, err := p.Residual(sum.GridMean())
	if err != nil {
		t.Fatal(err)
	}
	skies, stars, err := p.Found(sum.GridMean())
	if err != nil {
		t.Fatal(err)
	}
	return skies, stars[0], fits[0]
}

// Intervals of 90 % of a star's flux and place and of the sky hold the truth in 90 % of
// simulations of the prior itself. With galaxies under the star the Gaussian prior is wrong,
// and the spectrum is fitted: what holds then is logged.
func TestBeside_Intervals_HoldTheTruth(t *testing.T) {
	const sims, draws = 100, 64
	dev := newDevice(t)
	sp := gaussian.PowerLaw(30, 0.1, 2.5)
	for _, galaxy := range []bool{false, true} {
		var flux, place, sky int
		var chi float64
		for i := range sims {
			key := engine.NewKey(31).Fold(uint64(i))
			z := solvers.Normals(key.Fold(9), 4)
			f := starField{n: 24, sp: sp, galaxy: galaxy, flux: 150 + 30*z[0], sky: 4 * z[3], x: 11.3 + 0.5*z[1], y: 12.1 + 0.5*z[2], maskedStar: i%4 == 0}
			set := deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}, FreeSky: true, Stars: []deconv.Star{{X: 11.3, Y: 12.1}}, StarError: 0.5, Seed: uint64(i)}
			if galaxy {
				set.Spectra = nil
			}
			s, star, fit := found(t, dev, f.observe(t, dev, key), set, draws)
			in := func(got, want, std float64) int {
				if math.Abs(got-want) < 1.645*std {
					return 1
				}
				return 0
			}
			flux += in(star.Flux[0], f.flux, star.FluxStd[0])
			place += in(star.X, f.x, star.XStd) + in(star.Y, f.y, star.YStd)
			sky += in(s.Level, f.sky, s.Std)
			chi += fit.Chi2Draws / sims
			if i < 3 {
				t.Logf("galaxy %v: flux %.1f ± %.1f (%.1f), x %.3f ± %.3f (%.3f), sky %.2f ± %.2f (%.2f), scene around %.0f ± %.0f, ρ %.2f, χ² %.2f of draws, %.2f of the mean",
					galaxy, star.Flux[0], star.FluxStd[0], f.flux, star.X, star.XStd, f.x, s.Level, s.Std, f.sky, star.Around[0], star.AroundStd[0], star.Rho[0], fit.Chi2Draws, fit.Chi2)
			}
		}
		t.Logf("galaxy %v: of %d simulations 90 %% intervals hold: flux %d, place %.1f, sky %d; χ² of draws %.3f", galaxy, sims, flux, float64(place)/2, sky, chi)
		if galaxy {
			continue
		}
		for name, n := range map[string]float64{"flux": float64(flux), "place": float64(place) / 2, "sky": float64(sky)} {
			if n < 85 || n > 95 {
				t.Errorf("90 %% intervals of the %s hold %.1f %%", name, n)
			}
		}
		if math.Abs(chi-1) > 0.02 {
			t.Errorf("χ²/pixel of draws %.3f", chi)
		}
	}
}

// Sky and stars are the same for one and two workers, and going on from rows that were kept
// gives those of an uninterrupted run.
func TestBeside_SameBits(t *testing.T) {
	sp := gaussian.PowerLaw(30, 0.1, 2.5)
	f := starField{n: 24, sp: sp, flux: 150, sky: 3, x: 11.3, y: 12.1}
	set := deconv.Settings{Method: deconv.Gaussian, FreeSky: true, Stars: []deconv.Star{{X: 11, Y: 12}}, Seed: 5}
	run := func(workers, from, to int, rows [][]float64) [][]float64 {
		dev := cpu.New(cpu.Options{Workers: workers})
		defer dev.Close()
		p, err := deconv.New(context.Background(), dev, f.observe(t, dev, engine.NewKey(8)), set)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if !p.SetBesideRows(rows) || !p.SetChi2Sums([]float64{0}, len(rows)) {
			t.Fatal("rows are not taken")
		}
		for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: to, Seed: set.Seed}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.Index >= from {
				if err := p.AddDraws(step); err != nil {
					t.Fatal(err)
				}
			}
		}
		return p.BesideRows()
	}
	same := func(a, b [][]float64) bool {
		return slices.EqualFunc(a, b, func(x, y []float64) bool { return slices.Equal(x, y) })
	}
	whole := run(1, 0, 4, nil)
	if len(whole) == 0 || !same(whole, run(2, 0, 4, nil)) {
		t.Errorf("%d rows, and others with two workers", len(whole))
	}
	if !same(whole, run(2, 3, 4, run(2, 0, 3, nil))) {
		t.Error("another end after going on")
	}
}

// What cannot be is said.
func TestBeside_Refusals(t *testing.T) {
	dev := newDevice(t)
	o := starField{n: 24, sp: gaussian.PowerLaw(30, 0.1, 2.5), flux: 150, x: 11.3, y: 12.1}.observe(t, dev, engine.NewKey(8))
	for name, set := range map[string]deconv.Settings{
		"method":  {Method: deconv.RichardsonLucy, FreeSky: true},
		"tiles":   {Method: deconv.Gaussian, FreeSky: true, Tile: 128},
		"outside": {Method: deconv.Gaussian, Stars: []deconv.Star{{X: 40, Y: 3}}},
	} {
		if p, err := deconv.New(context.Background(), dev, o, set); err == nil {
			p.Close()
			t.Errorf("%s: no error", name)
		}
	}
	for i := range o.Weights.Pix {
		if math.Hypot(float64(i%24)-11, float64(i/24)-12) < 9 {
			o.Weights.Pix[i], o.Data.Pix[i] = 0, 0
		}
	}
	if p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: deconv.Gaussian, Stars: []deconv.Star{{X: 11, Y: 12}}}); err == nil {
		p.Close()
		t.Error("a star on masked pixels: no error")
	}
}
