package sims

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"limpid/engine"
)

var tables = flag.String("tables", "", "folder to write what is drawn to, for docs/figures/simulators.py")

// table writes columns of numbers.
func table(t *testing.T, name string, columns ...[]float64) {
	t.Helper()
	if *tables == "" {
		return
	}
	f, err := os.Create(filepath.Join(*tables, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range columns[0] {
		for j, c := range columns {
			if j > 0 {
				fmt.Fprint(f, ",")
			}
			fmt.Fprintf(f, "%.5g", c[i])
		}
		fmt.Fprintln(f)
	}
}

func patch(t *testing.T, source interface {
	Patch(dst []float32, side int, key engine.Key)
}, side int, seed uint64,
) []float32 {
	t.Helper()
	p := make([]float32, side*side)
	source.Patch(p, side, engine.NewKey(seed))
	return p
}

func newScenes(t *testing.T, c SceneConfig) *Scenes {
	t.Helper()
	s, err := NewScenes(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScenes_SameKey_SameScene(t *testing.T) {
	s := newScenes(t, SceneConfig{})
	for seed := range uint64(40) {
		a, b := patch(t, s, 32, seed), patch(t, s, 32, seed)
		if !slices.Equal(a, b) {
			t.Fatalf("scene %d differs from itself", seed)
		}
		if slices.Equal(a, patch(t, s, 32, seed+1)) {
			t.Fatalf("scenes %d and %d are the same", seed, seed+1)
		}
		for i, v := range a {
			if !(v >= 0) || math.IsInf(float64(v), 0) {
				t.Fatalf("scene %d, pixel %d is %g", seed, i, v)
			}
		}
	}
}

// The quantiles (5, 16, 50, 84, 95 %) of what is drawn are those measured on COSMOS
// (I < 23.5) within the bands stated here.
func TestScenes_Distributions_AreThoseOfCOSMOS(t *testing.T) {
	const n = 40000
	rng := Rand(engine.NewKey(1))
	s := newScenes(t, SceneConfig{})
	var mag, radius, q, bulge []float64
	var cov, varR, varM, meanR, meanM float64
	for range n {
		m := magnitude(rng)
		mean := lnRadius + sizeMagnitude*lnRadiusSigma*(m-meanMagnitude)/magSigma
		r := mean + lnRadiusSigma*math.Sqrt(1-sizeMagnitude*sizeMagnitude)*rng.NormFloat64()
		mag, radius, q, bulge = append(mag, m), append(radius, math.Exp(r)), append(q, axisRatio(rng)), append(bulge, s.bulgeShare(rng))
		meanR, meanM = meanR+r/n, meanM+m/n
	}
	table(t, "galaxies.csv", radius, q, mag, bulge)
	for i := range n {
		a, b := math.Log(radius[i])-meanR, mag[i]-meanM
		cov, varR, varM = cov+a*b, varR+a*a, varM+b*b
	}
	if c := cov / math.Sqrt(varR*varM); math.Abs(c+0.35) > 0.07 {
		t.Errorf("correlation of ln radius and magnitude %.2f, measured -0.35", c)
	}
	for _, d := range []struct {
		name string
		x    []float64
		want [5]float64
		band [5]float64
	}{
		// the measured tail of radii is shorter than a log-normal's
		{"radius", radius, [5]float64{.12, .19, .34, .61, .91}, [5]float64{.05, .05, .05, .1, .25}},
		{"axis ratio", q, [5]float64{.20, .33, .56, .80, .90}, [5]float64{.08, .08, .08, .08, .08}},
		{"magnitude", mag, [5]float64{20.2, 21.1, 22.5, 23.25, 23.4}, [5]float64{.6, .4, .2, .2, .2}},
		{"bulge share", bulge, [5]float64{0, 0, .10, .63, .89}, [5]float64{.01, .01, .05, .08, .08}},
	} {
		sort.Float64s(d.x)
		for i, p := range []float64{.05, .16, .5, .84, .95} {
			got := d.x[int(p*n)]
			if math.Abs(got-d.want[i]) > d.band[i] {
				t.Errorf("%s at %.0f %%: %.3f, measured %.3f, band %.2f", d.name, 100*p, got, d.want[i], d.band[i])
			}
		}
	}
}

// A profile's light is what was asked for, wherever it stands on the torus: the median
// over places, in tenths of its flux, as measured. What fades out far from the middle
// is missing, up to a seventh of a bulge; the cusp of a bulge much smaller than a pixel
// is sampled, not integrated, and scatters.
func TestCanvas_Profile_HasItsFlux(t *testing.T) {
	rng := Rand(engine.NewKey(5))
	for _, c := range []struct{ n, radius, q, low, high float64 }{
		{1, 3, 0.3, 0.92, 1}, {0.5, 2, 1, 0.97, 1.01}, {1, 0.4, 0.5, 0.9, 1.02}, {4, 2, 0.8, 0.76, 0.95}, {4, 0.3, 0.8, 0.7, 1},
	} {
		var sums []float64
		for range 41 {
			can := newCanvas(64)
			can.profile(64*rng.Float64(), 64*rng.Float64(), 7, newShape(c.q, 0.4), newSersic(c.n, c.radius), nil)
			var sum float64
			for _, v := range can.pix {
				sum += v / 7
			}
			sums = append(sums, sum)
		}
		sort.Float64s(sums)
		t.Logf("n = %g, radius %g: flux %.3f, %.3f, %.3f of 1 at 10, 50, 90 %%", c.n, c.radius, sums[4], sums[20], sums[36])
		if m := sums[20]; m < c.low || m > c.high {
			t.Errorf("n = %g, radius %g: flux %.3f of 1", c.n, c.radius, m)
		}
	}
}

func TestScenes_Single_StandsInTheMiddle(t *testing.T) {
	s := newScenes(t, SceneConfig{Single: true})
	far := 0
	for seed := range uint64(60) {
		p := patch(t, s, 48, seed)
		var x, y, sum float64
		for i, v := range p {
			// light-weighted, bright pixels only: the middle, not the knots
			w := math.Pow(float64(v), 2)
			x, y, sum = x+w*float64(i%48), y+w*float64(i/48), sum+w
		}
		if math.Hypot(x/sum-23.5, y/sum-23.5) > 4 {
			far++
		}
	}
	if far > 12 { // mergers and irregulars have their light elsewhere
		t.Errorf("%d of 60 galaxies are not in the middle", far)
	}
}

func TestNewScenes_BadConfig_IsRefused(t *testing.T) {
	for _, c := range []SceneConfig{{Band: "x"}, {MinPixel: 2, MaxPixel: 1}, {MinDensity: -1}, {Crowded: 2}, {Sharp: math.NaN()}} {
		if _, err := NewScenes(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func kappaMoments(t *testing.T, k *Kappa, maps, side int) (all []float64, mean, variance, skew float64) {
	t.Helper()
	for i := range maps {
		for _, v := range patch(t, k, side, uint64(i)) {
			all = append(all, float64(v))
		}
	}
	n := float64(len(all))
	for _, v := range all {
		mean += v / n
	}
	var third float64
	for _, v := range all {
		variance += (v - mean) * (v - mean) / n
		third += math.Pow(v-mean, 3) / n
	}
	return all, mean, variance, third / math.Pow(variance, 1.5)
}

// Lognormal maps have the mean, variance and skewness of theory, within the scatter of
// twelve maps, and no pixel at −λ or below.
func TestKappa_Lognormal_HasItsMoments(t *testing.T) {
	c := COSMOS()
	c.MinHalo = 0
	k, err := NewKappa(c)
	if err != nil {
		t.Fatal(err)
	}
	all, mean, variance, skew := kappaMoments(t, k, 12, 96)
	want := k.Spectrum().Variance(96, 96)
	r := want / (c.Shift * c.Shift)
	if math.Abs(mean) > 0.004 || math.Abs(variance/want-1) > 0.12 || math.Abs(skew/(math.Sqrt(r)*(r+3))-1) > 0.25 {
		t.Errorf("mean %.4f, variance %.3g of %.3g, skewness %.2f of %.2f", mean, variance, want, skew, math.Sqrt(r)*(r+3))
	}
	if slices.Min(all) <= -c.Shift {
		t.Errorf("κ = %g, the shift is %g", slices.Min(all), c.Shift)
	}
}

// With haloes the maps keep their mean of zero and the variance of the spectrum, and
// have a heavier tail: ray-traced maps for COSMOS have 1.1e-3 of their pixels above
// κ = .2, lognormal ones 3e-4.
func TestKappa_Haloes_KeepTheSpectrumAndFillTheTail(t *testing.T) {
	k, err := NewKappa(COSMOS())
	if err != nil {
		t.Fatal(err)
	}
	all, mean, variance, _ := kappaMoments(t, k, 24, 96)
	table(t, "kappa.csv", all)
	want := k.Spectrum().Variance(96, 96)
	if math.Abs(mean) > 0.004 || math.Abs(variance/want-1) > 0.15 {
		t.Errorf("mean %.4f, variance %.3g of %.3g", mean, variance, want)
	}
	high := 0
	for _, v := range all {
		if v > 0.2 {
			high++
		}
	}
	if share := float64(high) / float64(len(all)); share < 5e-4 || share > 2e-3 {
		t.Errorf("%.2g of the pixels are above .2", share)
	}
}

func TestImages_Patches_AreTurnedCutsWithoutGaps(t *testing.T) {
	m := NewImages("test", 0, 8)
	pix := make([]float32, 20*30)
	for i := range pix {
		pix[i] = float32(i)
	}
	pix[0] = float32(math.NaN())
	if err := m.Add(pix, 20, 30); err != nil {
		t.Fatal(err)
	}
	if err := m.Add(make([]float32, 7*30), 7, 30); err == nil {
		t.Error("an image smaller than a patch was taken")
	}
	turns := map[[2]float32]bool{}
	for seed := range uint64(200) {
		p := patch(t, m, 8, seed)
		across, down := p[1]-p[0], p[8]-p[0]
		turns[[2]float32{across, down}] = true
		for i, v := range p {
			if v == 0 || v != p[0]+across*float32(i%8)+down*float32(i/8) {
				t.Fatalf("patch %d, pixel %d: %g", seed, i, v)
			}
		}
	}
	if len(turns) != 8 {
		t.Errorf("%d orientations, want 8: %v", len(turns), turns)
	}
}
