package deblend

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"limpid"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/shape"
	"limpid/solvers/deblend/internal/spergel"
)

// scene makes an observation of b bands: Spergel sources, Gaussian PSFs of
// differing widths, white noise of 1.
func scene(t testing.TB, dev engine.Device, h, w int, shapes []Shape, flux [][]float64, seed uint64) (*solvers.Observation, []Source) {
	t.Helper()
	return sceneWith(t, dev, h, w, shapes, flux, seed, true)
}

func sceneWith(t testing.TB, dev engine.Device, h, w int, shapes []Shape, flux [][]float64, seed uint64, noisy bool) (*solvers.Observation, []Source) {
	t.Helper()
	b := len(flux[0])
	obs := &solvers.Observation{
		Data: solvers.NewImage(b, h, w), Weights: solvers.NewImage(b, h, w), PSF: solvers.NewImage(b, 21, 21),
		Bands: []string{"g", "r", "i", "z", "y"}[:b],
	}
	for c := range b {
		sigma, sum := 1.4+0.2*float64(c), 0.0
		for i := range obs.PSF.Plane(c) {
			x, y := float64(i%21-10), float64(i/21-10)
			v := math.Exp(-(x*x + y*y) / (2 * sigma * sigma))
			obs.PSF.Plane(c)[i] = float32(v)
			sum += v
		}
		for i := range obs.PSF.Plane(c) {
			obs.PSF.Plane(c)[i] /= float32(sum)
		}
	}
	for i := range obs.Weights.Pix {
		obs.Weights.Pix[i] = 1
	}
	var src []Source
	for i, s := range shapes {
		kind := Galaxy
		if s.R == 0 {
			kind = Star
		}
		src = append(src, Source{ID: i + 1, X: s.X, Y: s.Y, Kind: kind})
	}
	g, err := newGroup(dev, obs, src, Options{}.withDefaults(obs))
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	for i, s := range shapes {
		g.theta[i] = theta{s.X, s.Y, math.Log(math.Max(s.R, 0.1)), math.Log(1 + s.Nu), s.Eta1, s.Eta2}
		copy(g.flux[i*b:], flux[i])
	}
	if err := g.render(false); err != nil {
		t.Fatal(err)
	}
	noise := normals32(engine.NewKey(seed), len(g.model))
	for i, v := range g.model {
		obs.Data.Pix[i] = v
		if noisy {
			obs.Data.Pix[i] += noise[i]
		}
	}
	return obs, src
}

func device(t testing.TB) engine.Device {
	dev := cpu.New(cpu.Options{Workers: 1})
	t.Cleanup(func() { dev.Close() })
	return dev
}

func pair() ([]Shape, [][]float64) {
	return []Shape{{X: 15.3, Y: 16.2, R: 2.5, Nu: 0.5, Eta1: 0.4, Eta2: 0.2}, {X: 21.8, Y: 18.4, R: 1.5, Nu: -0.2, Eta1: -0.3}},
		[][]float64{{900, 1400, 1800}, {1500, 1200, 700}}
}

func codes(f []limpid.Finding) (out []string) {
	for _, x := range f {
		out = append(out, x.Code)
	}
	return out
}

func TestHalfLightRadius_Exponential_IsKnown(t *testing.T) {
	// 1.67835: half of the light of an exponential disk, (1+x)e^-x = ½
	if c := spergel.HalfLightRadius(0.5); math.Abs(c-1.67835) > 1e-4 {
		t.Errorf("half-light radius of ν = ½ is %v scale lengths, want 1.67835", c)
	}
}

func TestGradient_AnyParameter_MatchesDifferences(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 32, 36, shapes, flux, 1)
	g, err := newGroup(dev, obs, src, Options{Sky: true, PSFError: true}.withDefaults(obs))
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	for i := range shapes {
		g.theta[i] = theta{shapes[i].X + 0.2, shapes[i].Y - 0.1, 0.8, 0.2, 0.3, -0.2}
		copy(g.flux[i*3:], flux[i])
	}
	g.seeing[1] = [nSeeing]float64{0.1, -0.2, 0.1, -.1, .05, .1, -.2, .1, -.2}
	grad := make([]float64, len(g.free))
	if _, err := g.gradient(grad); err != nil {
		t.Fatal(err)
	}
	for i, f := range g.free {
		h := 1e-3
		if f.what == paramFlux {
			h = 2
		}
		at := g.get(f)
		diff := 0.0
		for _, s := range []float64{1, -1} {
			g.put(f, at+s*h)
			u, err := g.objective()
			if err != nil {
				t.Fatal(err)
			}
			diff += s * u / (2 * h)
		}
		g.put(f, at)
		scale := math.Abs(diff)*0.02 + 0.5 // float32 images; the table of half-light radii is piecewise linear
		if f.what == paramFlux {
			scale = math.Abs(diff)*0.01 + 2e-3
		}
		if math.Abs(grad[i]-diff) > scale {
			t.Errorf("parameter %+v: gradient %g, differences %g", f, grad[i], diff)
		}
	}
}

func TestFit_TwoOverlapping_FluxesWithinErrors(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 36, 40, shapes, flux, 2)
	r, err := Fit(context.Background(), dev, obs, src, Options{ModelError: -1})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Converged || len(r.Findings) != 0 {
		t.Errorf("converged %v, findings %v", r.Converged, r.Findings)
	}
	for k, f := range r.Sources {
		for b, v := range f.Flux {
			if e := math.Abs(v - flux[k][b]); e > 4*f.FluxErr[b] || f.FluxErr[b] > 0.1*flux[k][b] {
				t.Errorf("source %d band %d: flux %.1f ± %.1f, truth %.1f", k, b, v, f.FluxErr[b], flux[k][b])
			}
		}
		if math.Hypot(f.Shape.X-shapes[k].X, f.Shape.Y-shapes[k].Y) > 0.2 {
			t.Errorf("source %d at (%.2f, %.2f)", k, f.Shape.X, f.Shape.Y)
		}
		var sum float64
		for _, v := range f.Morphology.Pix {
			if v < 0 {
				t.Fatalf("source %d: negative light %g", k, v)
			}
			sum += float64(v)
		}
		if math.Abs(sum-1) > 0.03 {
			t.Errorf("source %d: morphology sums to %g", k, sum)
		}
	}
	if c := r.Cov[0][1]; c >= 0 {
		t.Errorf("covariance of neighbours' fluxes is %g, should be negative", c)
	}
	for b, c := range r.Chi2 {
		if c < 0.85 || c > 1.1 {
			t.Errorf("band %d: χ² %.3f", b, c)
		}
	}
}

func TestFit_CornerCases_RightOrFinding(t *testing.T) {
	dev := device(t)
	type edit func(o *solvers.Observation, s []Source) []Source
	cases := []struct {
		name   string
		shapes []Shape
		flux   [][]float64
		edit   edit
		code   string  // a finding that must be there
		source int     // whose flux is checked in band 0
		within float64 // relative; 0: not checked
		errs   float64 // or within so many 1σ
	}{
		{name: "two at one position", shapes: []Shape{{X: 15, Y: 15, R: 2, Nu: .5}, {X: 15, Y: 15, R: 2, Nu: .5}}, flux: [][]float64{{500, 500}, {500, 500}}, code: "deblend.coincident", errs: 3},
		{name: "edge", shapes: []Shape{{X: 0.5, Y: 14, R: 2, Nu: .5}}, flux: [][]float64{{3000, 3000}}, code: "deblend.edge", within: .1},
		{name: "saturated star", shapes: []Shape{{X: 15, Y: 15}}, flux: [][]float64{{80000, 60000}}, code: "deblend.masked", within: .05, edit: func(o *solvers.Observation, s []Source) []Source {
			for i, v := range o.Data.Pix {
				if v > 500 {
					o.Data.Pix[i], o.Weights.Pix[i] = 0, 0
				}
			}
			return s
		}},
		{name: "masked half", shapes: []Shape{{X: 15, Y: 15, R: 2, Nu: .5}}, flux: [][]float64{{4000, 4000}}, code: "deblend.masked", within: .1, edit: func(o *solvers.Observation, s []Source) []Source {
			for i := range o.Data.Pix {
				if i%o.Data.W > 15 {
					o.Data.Pix[i], o.Weights.Pix[i] = 0, 0
				}
			}
			return s
		}},
		{name: "unmodelled", shapes: []Shape{{X: 10, Y: 10, R: 2, Nu: .5}, {X: 24, Y: 22, R: 1, Nu: .5}}, flux: [][]float64{{3000, 3000}, {900, 900}}, code: "deblend.unmodelled", within: .05, edit: func(_ *solvers.Observation, s []Source) []Source { return s[:1] }},
		{name: "band missing", shapes: []Shape{{X: 15, Y: 15, R: 2, Nu: .5}}, flux: [][]float64{{3000, 3000}}, code: "deblend.band", within: .05, edit: func(o *solvers.Observation, s []Source) []Source {
			clear(o.Weights.Plane(1))
			return s
		}},
		{name: "nothing there", shapes: []Shape{{X: 15, Y: 15, R: 2, Nu: .5}, {X: 26, Y: 26, R: 1, Nu: .5}}, flux: [][]float64{{3000, 3000}, {0, 0}}, code: "deblend.faint", within: .05},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			obs, src := scene(t, dev, 32, 32, c.shapes, c.flux, 3)
			if c.edit != nil {
				src = c.edit(obs, src)
			}
			r, err := Fit(context.Background(), dev, obs, src, Options{ModelError: -1})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(codes(r.Findings), c.code) {
				t.Errorf("no finding %s among %v", c.code, r.Findings)
			}
			f := r.Sources[c.source]
			tol := c.within * c.flux[c.source][0]
			if c.errs > 0 {
				tol = c.errs * f.FluxErr[0]
			}
			if e := math.Abs(f.Flux[0] - c.flux[c.source][0]); !(e <= tol) {
				t.Errorf("flux %.1f ± %.1f, truth %.1f", f.Flux[0], f.FluxErr[0], c.flux[c.source][0])
			}
			if c.name == "band missing" && !math.IsNaN(f.Flux[1]) {
				t.Errorf("the missing band's flux is %g, want NaN", f.Flux[1])
			}
		})
	}
}

func TestFit_BadInput_IsAnError(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	fresh := func() (*solvers.Observation, []Source) { return scene(t, dev, 24, 40, shapes, flux, 4) }
	for name, c := range map[string]struct {
		edit func(o *solvers.Observation, s []Source) []Source
		want error
	}{
		"no sources":   {func(_ *solvers.Observation, _ []Source) []Source { return nil }, ErrSource},
		"NaN position": {func(_ *solvers.Observation, s []Source) []Source { s[0].X = math.NaN(); return s }, ErrSource},
		"outside":      {func(_ *solvers.Observation, s []Source) []Source { s[0].X, s[0].Y = 12, 35; return s }, ErrSource},
		"all masked":   {func(o *solvers.Observation, s []Source) []Source { clear(o.Weights.Pix); return s }, ErrInput},
		"NaN datum":    {func(o *solvers.Observation, s []Source) []Source { o.Data.Pix[5] = float32(math.NaN()); return s }, ErrInput},
		"bad weight":   {func(o *solvers.Observation, s []Source) []Source { o.Weights.Pix[5] = -1; return s }, ErrInput},
		"PSF of 0":     {func(o *solvers.Observation, s []Source) []Source { clear(o.PSF.Plane(0)); return s }, ErrInput},
	} {
		obs, src := fresh()
		if _, err := Fit(context.Background(), dev, obs, c.edit(obs, src), Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	obs, src := fresh()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, dev, obs, src, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestCheck_ExchangedCoordinates_Warns(t *testing.T) {
	dev := device(t)
	obs, src := scene(t, dev, 40, 40, []Shape{{X: 8, Y: 30, R: 1.5, Nu: .5}, {X: 12, Y: 22, R: 1.5, Nu: .5}}, [][]float64{{2000, 2000}, {1500, 1500}}, 5)
	for i := range src {
		src[i].X, src[i].Y = src[i].Y, src[i].X
	}
	f, err := check(obs, src)
	if err != nil || !slices.Contains(codes(f), "deblend.exchanged") {
		t.Errorf("findings %v, error %v", f, err)
	}
}

func TestMonotone_RandomImage_FallsOutwardsAndIsIdempotent(t *testing.T) {
	const h, w, cx, cy = 15, 17, 7, 6
	s := normals32(engine.NewKey(6), h*w)
	for i := range s {
		s[i] += 3
	}
	before := slices.Clone(s)
	shape.Monotone(s, h, w, cx, cy)
	again := slices.Clone(s)
	shape.Monotone(again, h, w, cx, cy)
	for i := range s {
		if s[i] > before[i] {
			t.Fatalf("pixel %d rose from %g to %g", i, before[i], s[i])
		}
		if again[i] != s[i] {
			t.Fatalf("a second sweep changed pixel %d", i)
		}
	}
	for x := cx + 1; x < w; x++ { // along the row: no more than the most of the inner neighbours
		if top := max(s[cy*w+x-1], s[(cy-1)*w+x-1], s[(cy+1)*w+x-1]); s[cy*w+x] > top {
			t.Errorf("column %d: %g above its inner neighbours' %g", x, s[cy*w+x], top)
		}
	}
}

func TestSymmetric_RandomImage_EqualsItsHalfTurn(t *testing.T) {
	const h, w, cx, cy = 9, 9, 4, 4
	s := normals32(engine.NewKey(7), h*w)
	var before, after float64
	for _, v := range s {
		before += float64(v)
	}
	shape.Symmetric(s, h, w, cx, cy)
	for i, v := range s {
		after += float64(v)
		if v != s[len(s)-1-i] {
			t.Fatalf("pixel %d is %g, its partner %g", i, v, s[len(s)-1-i])
		}
	}
	if math.Abs(before-after) > 1e-4 {
		t.Errorf("the sum went from %g to %g", before, after)
	}
}

func TestDetect_ThreeSources_FoundAndNoMore(t *testing.T) {
	dev := device(t)
	shapes := []Shape{{X: 10, Y: 12, R: 1.5, Nu: .5}, {X: 30, Y: 25, R: 2, Nu: .5}, {X: 36, Y: 27, R: 1, Nu: .5}}
	obs, _ := scene(t, dev, 40, 48, shapes, [][]float64{{800, 800}, {1500, 900}, {700, 800}}, 8)
	for i := range obs.Data.Pix {
		obs.Data.Pix[i] += 40 // a sky that Detect must take off
	}
	found, err := Detect(context.Background(), dev, obs, DetectOptions{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(shapes) {
		t.Fatalf("found %v", found)
	}
	for _, s := range shapes {
		if !slices.ContainsFunc(found, func(f Source) bool { return math.Hypot(f.X-s.X, f.Y-s.Y) < 1 }) {
			t.Errorf("nothing found at (%g, %g): %v", s.X, s.Y, found)
		}
	}
}

func TestSample_TwoOverlapping_ErrorsMatchCurvatureAndRepeat(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 30, 36, shapes, [][]float64{flux[0][:2], flux[1][:2]}, 9)
	var first [][][]float64
	for range 2 {
		r, err := Fit(context.Background(), dev, obs, src, Options{ModelError: -1, NoFreeForm: true})
		if err != nil {
			t.Fatal(err)
		}
		laplace := r.Sources[0].FluxErr[1]
		p, err := r.Sample(context.Background(), dev, SampleOptions{Draws: 64, Warmup: 15, Thin: 1, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		if p.Acceptance < 0.5 {
			t.Errorf("acceptance %.2f", p.Acceptance)
		}
		// bright sources: nearly Gaussian; 64 draws know a std to 9 %
		if q := r.Sources[0].FluxErr[1] / laplace; q < 0.65 || q > 1.6 {
			t.Errorf("std of the draws is %.2f of the curvature's", q)
		}
		if math.Abs(r.Sources[0].Flux[1]-flux[0][1]) > 4*r.Sources[0].FluxErr[1] {
			t.Errorf("flux %.1f ± %.1f, truth %.1f", r.Sources[0].Flux[1], r.Sources[0].FluxErr[1], flux[0][1])
		}
		if first != nil && p.Flux[5][1][1] != first[5][1][1] {
			t.Errorf("the same seed gave %g and %g", first[5][1][2], p.Flux[5][1][2])
		}
		first = p.Flux
	}
}

func TestFit_TooLittleMemory_IsAnErrorBeforeAllocating(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 32, 32, shapes, flux, 10)
	small := cpu.New(cpu.Options{Workers: 1, MemoryBudget: 1 << 20})
	defer small.Close()
	_, err := Fit(context.Background(), small, obs, src, Options{})
	var m *engine.MemoryError
	if !errors.As(err, &m) {
		t.Errorf("error %v, want a MemoryError", err)
	}
}
