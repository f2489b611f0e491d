package session_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// source is a Gaussian of σ pixels (0: a star) at a place on the sky.
type source struct{ ra, dec, flux, sigma float64 }

// What the exposures of stacked have in common.
const (
	detectorScale = 0.1 // arcsec
	detectorFWHM  = 1.5 // px
	detectorSide  = 48
)

var stackedSources = []source{
	{ra: 150.00022, dec: 2.0002, flux: 900},
	{ra: 150.00015, dec: 2.00024, flux: 600},
	{ra: 149.9997, dec: 1.9998, flux: 3000, sigma: 2.5},
	{ra: 150.0003, dec: 1.9996, flux: 1500, sigma: 1.5},
}

// stacked writes exposures of the same sources, displaced by (dx, dy) pixels and turned by
// degrees, with noise of 1, and gives a recipe of them all.
func stacked(t *testing.T, poses ...[3]float64) recipe.Recipe { return stackedOn(t, 0, 1, poses...) }

// stackedOn is stacked, on a sky that is higher by so much from exposure to exposure, and with gain times the first's flux
// in the others.
func stackedOn(t *testing.T, sky, gain float64, poses ...[3]float64) recipe.Recipe {
	t.Helper()
	const n = detectorSide
	dir := t.TempDir()
	var r recipe.Recipe
	for k, p := range poses {
		h := &fitsio.Header{}
		wcs.SetTAN(h, 150, 2, detectorScale, n, n)
		sin, cos := math.Sincos(p[2] * math.Pi / 180)
		h.Set("CRPIX1", (n+1)/2.0+p[0], "")
		h.Set("CRPIX2", (n+1)/2.0+p[1], "")
		for key, v := range map[string]float64{"CD1_1": -cos, "CD1_2": sin, "CD2_1": sin, "CD2_2": cos} {
			h.Set(key, v*detectorScale/3600, "")
		}
		h.Set("BUNIT", "electron", "")
		w, err := wcs.FromHeader(h, "")
		if err != nil {
			t.Fatal(err)
		}
		noise, pix := solvers.Normals(engine.NewKey(uint64(k+1)), n*n), make([]float32, n*n)
		for i := range pix {
			v := noise[i] + sky*float64(k)
			for _, s := range stackedSources {
				x, y, _ := w.SkyToPixel(s.ra, s.dec)
				sigma := math.Hypot(detectorFWHM/2.3548200450309493, s.sigma) * math.Sqrt2
				edge := func(a float64) float64 { return (math.Erf((a+0.5)/sigma) - math.Erf((a-0.5)/sigma)) / 2 }
				flux := s.flux
				if k > 0 {
					flux *= gain
				}
				v += flux * edge(float64(i%n)-x) * edge(float64(i/n)-y)
			}
			pix[i] = float32(v)
		}
		hdu, err := fitsio.NewImage("SCI", []int{n, n}, pix, h)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprintf("exposure%d.fits", k+1))
		if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu); err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			r = recipe.Default(path)
			continue
		}
		r.Input.Others = append(r.Input.Others, recipe.Exposure{File: path})
	}
	r.PSF = recipe.PSF{Kind: observe.PSFGaussian, FWHM: detectorFWHM, Unit: "px"}
	r.Noise = recipe.Noise{Kind: observe.NoiseSigma, Sigma: 1}
	r.Sky.Kind = observe.SkyNone
	r.Draw.Samples = 8
	return r
}

// aperture is the flux within r pixels of a place, and its centre.
func aperture(im solvers.Image, x, y, r float64) (flux, cx, cy float64) {
	for i, v := range im.Pix {
		px, py := float64(i%im.W), float64(i/im.W)
		if math.Hypot(px-x, py-y) <= r {
			flux, cx, cy = flux+float64(v), cx+float64(v)*px, cy+float64(v)*py
		}
	}
	return flux, cx / flux, cy / flux
}

var halfPixels = [][3]float64{{0, 0, 0}, {0.5, 0, 0}, {0.03, 0.5, 1.3}, {0.52, 0.47, -1.7}}

// Four exposures on pixels half as large: the header's coordinates are those of the scene's
// pixels, and fluxes and places are the truth's.
func TestRun_Exposures_FluxesAndPlaces(t *testing.T) {
	notUnderRace(t)
	s, _ := newSession(t)
	for _, m := range []deconv.Method{deconv.Gaussian, deconv.TV, deconv.RichardsonLucy, deconv.Wiener} {
		r := stacked(t, halfPixels...)
		r.Input.Scale = 2
		r.Method.Kind = m
		if m == deconv.RichardsonLucy {
			r.Method.Iterations = 100
		}
		res := mustRun(t, s, r)
		if res.Mean.W != 2*detectorSide || res.Data.W != 2*detectorSide || res.Residual.H != 2*detectorSide {
			t.Fatalf("%d×%d pixels", res.Mean.W, res.Mean.H)
		}
		if d := res.WCS.PixelScale() / (detectorScale / 2); math.Abs(d-1) > 1e-9 {
			t.Errorf("pixels are %.4g of half the detector's", d)
		}
		for i, src := range stackedSources[2:] {
			x, y, _ := res.WCS.SkyToPixel(src.ra, src.dec)
			flux, cx, cy := aperture(res.Mean, x, y, 4*src.sigma*2)
			t.Logf("%s: galaxy %d: flux %.3f of the truth, off by (%.3f, %.3f) px of the scene", m, i+1, flux/src.flux, cx-x, cy-y)
			if math.Abs(flux/src.flux-1) > 0.05 || math.Hypot(cx-x, cy-y) > 0.25 {
				t.Errorf("%s: galaxy %d: flux %.3f of the truth, off by (%.3f, %.3f) px", m, i+1, flux/src.flux, cx-x, cy-y)
			}
		}
		fit := res.Fits[0]
		t.Logf("%s: χ² %.3f, of draws %.3f, flux %.1f of %.1f", m, fit.Chi2, fit.Chi2Draws, fit.FluxScene, fit.FluxData)
		if m == deconv.Gaussian && math.Abs(fit.Chi2Draws-1) > 0.08 {
			t.Errorf("χ² of draws %.3f", fit.Chi2Draws)
		}
	}
}

// The shipped prior samples a scene on finer pixels, and says at what pixels it learned.
func TestRun_Exposures_LearnedPrior(t *testing.T) {
	notUnderRace(t)
	s, _ := newSession(t)
	r := stacked(t, halfPixels[0], halfPixels[3])
	r.Input.Scale = 2
	r.Method.Kind, r.Prior = deconv.Learned, recipe.Prior{Kind: recipe.PriorGalaxies}
	r.Method.Budget = deconv.Quick
	r.Draw.Samples = 4
	r.Input.Cutout = &[4]int{22, 46, 4, 28}
	res := mustRun(t, s, r)
	src := stackedSources[2]
	x, y, _ := res.WCS.SkyToPixel(src.ra, src.dec)
	flux, cx, cy := aperture(res.Mean, x, y, 4*src.sigma*2)
	t.Logf("χ² of samples %.3f; a galaxy's flux %.3f of the truth, off by (%.3f, %.3f) px of the scene", res.Fits[0].Chi2Draws, flux/src.flux, cx-x, cy-y)
	if math.Abs(res.Fits[0].Chi2Draws-1) > 0.08 || math.Abs(flux/src.flux-1) > 0.03 || math.Hypot(cx-x, cy-y) > 0.1 {
		t.Errorf("χ² of samples %.3f; a galaxy's flux %.3f of the truth, off by (%.3f, %.3f) px of the scene", res.Fits[0].Chi2Draws, flux/src.flux, cx-x, cy-y)
	}
	if !slices.Contains(codes(res), "prior.scale") {
		t.Errorf("findings %v", codes(res))
	}
}

// Stars are told in pixels of the first exposure and found on the finer ones, by the exact posterior and by the shipped
// prior; every exposure has a sky of its own.
func TestRun_Exposures_StarsAndSkies(t *testing.T) {
	notUnderRace(t)
	const stepSky = 3
	s, _ := newSession(t)
	for _, m := range []deconv.Method{deconv.Gaussian, deconv.Learned} {
		r := stackedOn(t, stepSky, 1, halfPixels...)
		first, err := s.Observe(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		for i, src := range stackedSources[:2] {
			x, y, _ := first.WCS.SkyToPixel(src.ra, src.dec)
			r.Stars.At = append(r.Stars.At, [2]float64{x + 1 + 0.2*float64(i), y + 1 - 0.1})
		}
		r.Input.Scale, r.Sky.Free, r.Method.Kind, r.Draw.Samples = 2, true, m, 24
		if m == deconv.Learned {
			r.Prior, r.Method.Budget = recipe.Prior{Kind: recipe.PriorGalaxies}, deconv.Quick
			r.Input.Cutout = &[4]int{4, 28, 20, 44}
		}
		res := mustRun(t, s, r)
		if len(res.Stars) != 2 || len(res.FreeSky) != 4 || len(res.Skies) != 4 || res.Skies[2] != "exposure3.fits" {
			t.Fatalf("%s: %d stars, free skies of %v", m, len(res.Stars), res.Skies)
		}
		for i, src := range stackedSources[:2] {
			x, y, _ := res.WCS.SkyToPixel(src.ra, src.dec)
			star := res.Stars[i]
			t.Logf("%s: flux %.1f ± %.1f of %g, off by (%.3f ± %.3f, %.3f ± %.3f) px of the scene", m, star.Flux[0], star.FluxStd[0], src.flux, star.X-x, star.XStd, star.Y-y, star.YStd)
			if math.Abs(star.Flux[0]-src.flux) > 4*star.FluxStd[0] || star.FluxStd[0] > 0.1*src.flux {
				t.Errorf("%s: star %d: flux %.1f ± %.1f of %g", m, i+1, star.Flux[0], star.FluxStd[0], src.flux)
			}
			if math.Abs(star.X-x) > 4*star.XStd || math.Abs(star.Y-y) > 4*star.YStd || star.XStd > 0.1 {
				t.Errorf("%s: star %d: off by (%.3f ± %.3f, %.3f ± %.3f) px of the scene", m, i+1, star.X-x, star.XStd, star.Y-y, star.YStd)
			}
		}
		for i, sky := range res.FreeSky {
			t.Logf("%s: sky of %s %.3f ± %.3f", m, res.Skies[i], sky.Level, sky.Std)
			if math.Abs(sky.Level-float64(stepSky*i)) > 4*sky.Std {
				t.Errorf("%s: sky of %s %.3f ± %.3f of %d", m, res.Skies[i], sky.Level, sky.Std, stepSky*i)
			}
		}
		if slices.Contains(codes(res), "exposure.flux") {
			t.Errorf("%s: skies are taken for another flux scale: %v", m, res.Findings)
		}
		lines := strings.Join(res.BesideLines(), "\n")
		if !strings.Contains(lines, "free sky of exposure3.fits") || !strings.Contains(lines, "of the finer pixels") {
			t.Errorf("%s: %s", m, lines)
		}
		if chi := res.Fits[0].Chi2Draws; math.Abs(chi-1) > 0.1 {
			t.Errorf("%s: χ² of samples %.3f", m, chi)
		}
	}
}

// Exposures of another flux scale are found, whether their skies were taken off or are free.
func TestObserve_Exposures_FluxScale(t *testing.T) {
	s, _ := newSession(t)
	for _, free := range []bool{false, true} {
		sky := map[bool]float64{true: 2.5}[free]
		for _, scale := range []float64{1, 1.2} {
			r := stackedOn(t, sky, scale, halfPixels[0], halfPixels[3])
			r.Sky.Free = free
			o, err := s.Observe(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(o.Findings, func(f limpid.Finding) bool { return f.Code == "exposure.flux" })
			if found != (scale != 1) {
				t.Errorf("free skies %v, fluxes × %g: %v", free, scale, o.Findings)
			}
		}
	}
}

// Exposures that cannot be laid on the first, and what does not go with them, are said.
func TestObserve_Exposures_Bad(t *testing.T) {
	s, _ := newSession(t)
	ctx := context.Background()
	r := stacked(t, halfPixels[:2]...)
	o, err := s.Observe(ctx, r) // on the first's own pixels
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Obs.Exposures) != 2 || o.Obs.Data.W != detectorSide {
		t.Fatalf("%d exposures on %d pixels", len(o.Obs.Exposures), o.Obs.Data.W)
	}
	far := stacked(t, [3]float64{}, [3]float64{900, 0, 0})
	if o, err = s.Observe(ctx, far); err != nil {
		t.Fatal(err)
	}
	if len(o.Obs.Exposures) != 1 || !slices.ContainsFunc(o.Findings, func(f limpid.Finding) bool { return f.Code == "exposure.outside" }) {
		t.Errorf("an exposure of another field: %d exposures, %v", len(o.Obs.Exposures), o.Findings)
	}
	_, plain := newSession(t)
	bare := r.Clone()
	noise, err := fitsio.NewImage("SCI", []int{40, 40}, make([]float32, 1600), nil)
	if err != nil {
		t.Fatal(err)
	}
	bare.Input.Others[0].File = filepath.Join(filepath.Dir(plain.Input.File), "bare.fits")
	if err := fitsio.WriteFile(bare.Input.Others[0].File, fitsio.WriteOptions{}, noise); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Observe(ctx, bare); !errors.Is(err, session.ErrExposure) || !strings.Contains(err.Error(), "bare.fits") {
		t.Errorf("an exposure without coordinates: %v", err)
	}
	for name, change := range map[string]func(r *recipe.Recipe){
		"starlets": func(r *recipe.Recipe) { r.Method.Kind = deconv.Starlet },
		"tiles":    func(r *recipe.Recipe) { r.Method.Tile = 256 },
		"spectrum": func(r *recipe.Recipe) { r.Noise.Spectrum = observe.SpectrumMeasured },
		"scale":    func(r *recipe.Recipe) { r.Input.Scale = 9 },
		"a map":    func(r *recipe.Recipe) { r.Mask.File = "mask.fits" },
		"no file":  func(r *recipe.Recipe) { r.Input.Others[0].File = "" },
		"samples":  func(r *recipe.Recipe) { r.PSF.Samples = 4 },
	} {
		bad := r.Clone()
		change(&bad)
		if err := bad.Validate(); !errors.Is(err, recipe.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
