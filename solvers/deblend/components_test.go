package deblend

import (
	"context"
	"math"
	"slices"
	"testing"
)

func TestFit_BulgeAndDisk_SecondComponentOnlyWhereCalledFor(t *testing.T) {
	dev := device(t)
	// a red compact bulge in a blue disk, and a plain disk
	shapes := []Shape{{X: 15, Y: 20, R: 4, Nu: .5, Eta1: .5}, {X: 15, Y: 20, R: 1, Nu: .5}, {X: 38, Y: 20, R: 3, Nu: .5}}
	flux := [][]float64{{9000, 5000, 2000}, {500, 4000, 8000}, {6000, 6000, 6000}}
	obs, src := scene(t, dev, 40, 52, shapes, flux, 21)
	src = []Source{src[0], src[2]}
	var fitted [][2]int
	r, err := Fit(context.Background(), dev, obs, src, Options{Components: 2, Progress: func(done, total int) { fitted = append(fitted, [2]int{done, total}) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(fitted) != 3 || fitted[0] != [2]int{0, 2} || fitted[2] != [2]int{2, 2} {
		t.Errorf("progress of the fit %v", fitted)
	}
	if n := len(r.Sources[0].Components); n != 2 {
		t.Fatalf("%d components of the bulge and disk", n)
	}
	if n := len(r.Sources[1].Components); n != 1 {
		t.Errorf("%d components of the plain disk", n)
	}
	for b := range 3 {
		want, f := flux[0][b]+flux[1][b], r.Sources[0]
		if e := math.Abs(f.Flux[b] - want); e > 4*f.FluxErr[b] || f.FluxErr[b] > 0.05*want {
			t.Errorf("band %d: flux %.0f ± %.0f, truth %.0f", b, f.Flux[b], f.FluxErr[b], want)
		}
	}
	var walked, most int
	tell := func(done, total int) {
		if done < walked || total < done {
			t.Errorf("%d of %d trajectories after %d", done, total, walked)
		}
		walked, most = done, total
	}
	p, err := r.Sample(context.Background(), dev, SampleOptions{Draws: 8, Chains: 2, Warmup: 6, Thin: 1, Progress: tell})
	if err != nil {
		t.Fatal(err)
	}
	if walked != most || walked < 2*(2+2+3+4) {
		t.Errorf("%d of %d trajectories at the end", walked, most)
	}
	if f := r.Sources[0]; math.Abs(f.Flux[0]-9500) > 4*f.FluxErr[0] || p.Images[3][0].H != f.Morphology.H {
		t.Errorf("sampled flux %.0f ± %.0f, truth 9500; image of %d rows, %d", f.Flux[0], f.FluxErr[0], p.Images[3][0].H, f.Morphology.H)
	}
}

func TestFit_Complete_AddsWhatNobodyGave(t *testing.T) {
	dev := device(t)
	shapes := []Shape{{X: 12, Y: 15, R: 2, Nu: .5}, {X: 24, Y: 18, R: 1, Nu: .5}}
	obs, src := scene(t, dev, 32, 36, shapes, [][]float64{{3000, 3000}, {1500, 1000}}, 22)
	r, err := Fit(context.Background(), dev, obs, src[:1], Options{Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Sources) != 2 || !r.Sources[1].Added || r.Sources[0].Added || r.Sources[1].ID != 2 || !slices.Contains(codes(r.Findings), "deblend.added") {
		t.Fatalf("sources %+v, findings %v", r.Sources, r.Findings)
	}
	f := r.Sources[1]
	if math.Hypot(f.Shape.X-24, f.Shape.Y-18) > 0.5 || math.Abs(f.Flux[0]-1500) > 4*f.FluxErr[0] {
		t.Errorf("added at (%.1f, %.1f), flux %.0f ± %.0f", f.Shape.X, f.Shape.Y, f.Flux[0], f.FluxErr[0])
	}
	if f := r.Sources[0]; math.Abs(f.Flux[0]-3000) > 4*f.FluxErr[0] {
		t.Errorf("the given one: flux %.0f ± %.0f", f.Flux[0], f.FluxErr[0])
	}
}

func TestFit_PSFError_StarOfAnotherWidthAndPlaceIsFitted(t *testing.T) {
	dev := device(t)
	obs, src := scene(t, dev, 40, 40, []Shape{{X: 20, Y: 19}}, [][]float64{{4000, 6000, 6000}}, 23)
	// the PSF handed in is 8 % too wide in band 1, and shifted by .1 px in band 2
	gaussian := func(c int, sigma, dx float64) {
		var sum float64
		p := obs.PSF.Plane(c)
		for i := range p {
			x, y := float64(i%21-10)-dx, float64(i/21-10)
			p[i] = float32(math.Exp(-(x*x + y*y) / (2 * sigma * sigma)))
			sum += float64(p[i])
		}
		for i := range p {
			p[i] /= float32(sum)
		}
	}
	gaussian(1, 1.6*1.08, 0)
	gaussian(2, 1.8, 0.1)
	var chi [2]float64
	for i, on := range []bool{false, true} {
		r, err := Fit(context.Background(), dev, obs, src, Options{PSFError: on, Components: 1})
		if err != nil {
			t.Fatal(err)
		}
		chi[i] = max(r.Chi2[0], r.Chi2[1], r.Chi2[2])
		if on && math.Abs(r.Sources[0].Flux[1]-6000) > 4*r.Sources[0].FluxErr[1] {
			t.Errorf("flux %.0f ± %.0f, truth 6000", r.Sources[0].Flux[1], r.Sources[0].FluxErr[1])
		}
	}
	t.Logf("worst χ²/pixel %.2f, with the PSF's error fitted %.2f", chi[0], chi[1])
	if chi[0] < 3 || chi[1] > 2.5 {
		t.Errorf("worst χ²/pixel %.2f, with the PSF's error fitted %.2f", chi[0], chi[1])
	}
}
