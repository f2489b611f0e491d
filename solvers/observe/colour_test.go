package observe_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/observe"
)

// drizzled is an image of n² pixels of noise of σ 2 that was averaged along rows and columns
// with the weights 1 2 1, with a little white noise, and its correlation.
func drizzled(n int, seed uint64) (im solvers.Image, lag func(dy, dx int) float64) {
	const white = 0.1
	e, own := solvers.Normals(engine.NewKey(seed), (n+2)*(n+2)), solvers.Normals(engine.NewKey(seed).Fold(1), n*n)
	weight := []float64{1, 2, 1}
	im = solvers.NewImage(1, n, n)
	for i := range im.Pix {
		var sum float64
		for dy, a := range weight {
			for dx, b := range weight {
				sum += a * b * e[(i/n+dy)*(n+2)+i%n+dx]
			}
		}
		im.Pix[i] = float32(2 * (math.Sqrt(1-white)*sum/6 + math.Sqrt(white)*own[i]))
	}
	along := map[int]float64{0: 1, 1: 4.0 / 6, -1: 4.0 / 6, 2: 1.0 / 6, -2: 1.0 / 6}
	return im, func(dy, dx int) float64 {
		if dy == 0 && dx == 0 {
			return 1
		}
		return (1 - white) * along[dy] * along[dx]
	}
}

// addSources puts stars of FWHM 3 px on an image.
func addSources(im solvers.Image, count int) {
	at := engine.NewKey(9)
	for k := range count {
		u := engine.Uniforms(engine.Philox(at.Seed, at.Counter, uint64(k)))
		x, y, peak := float64(u[0])*float64(im.W), float64(u[1])*float64(im.H), 10*math.Pow(30, float64(u[2]))
		for i := range im.Pix {
			dx, dy := float64(i%im.W)-x, float64(i/im.W)-y
			if r2 := dx*dx + dy*dy; r2 < 400 {
				im.Pix[i] += float32(peak * math.Pow(1+r2/5.7, -3))
			}
		}
	}
}

// The correlation of noise is found among sources and masked pixels.
func TestMeasureCorrelation_AmongSources(t *testing.T) {
	const n, tolerance = 256, 0.05
	im, lag := drizzled(n, 4)
	addSources(im, 60)
	weights := make([]float32, n*n)
	for i := range weights {
		if im.Pix[i] /= 2; i%17 != 3 {
			weights[i] = 1
		}
	}
	c, variance, err := observe.MeasureCorrelation(im.Pix, weights, n, n, "test")
	if err != nil {
		t.Fatal(err)
	}
	var worst float64
	for dy := -5; dy <= 5; dy++ {
		for dx := -5; dx <= 5; dx++ {
			worst = math.Max(worst, math.Abs(c.Lag(dy, dx)-lag(dy, dx)))
		}
	}
	t.Logf("reach %d, off by %.3f at worst, variance %.3f, sum %.2f", c.Reach, worst, variance, c.Sum())
	if worst > tolerance || math.Abs(variance-1) > 0.06 {
		t.Errorf("correlations are off by %.3f at worst, the variance is %.3f", worst, variance)
	}
	for _, p := range c.Power(40, 32) {
		if !(p >= solvers.LeastNoisePower) {
			t.Fatalf("a mode has the power %g", p)
		}
	}
	if _, _, err := observe.MeasureCorrelation(im.Pix[:400], weights[:400], 20, 20, "test"); err == nil {
		t.Error("a spectrum was measured from 400 pixels")
	}
}

// Build measures, takes the level of a map from the sky, and warns of what is not asked for.
func TestBuild_ColouredNoise(t *testing.T) {
	const n = 192
	im, _ := drizzled(n, 5)
	addSources(im, 20)
	set := settings(observe.PSFGaussian)
	set.Noise.Kind = observe.NoiseSky
	o, rep, err := observe.Build(observe.Input{Data: im, Where: "test"}, set)
	if err != nil {
		t.Fatal(err)
	}
	if !hasFinding(rep.Findings, "noise.correlated") || o.Colour != nil {
		t.Errorf("white by default, and said to be correlated: %v", rep.Findings)
	}
	white := solvers.NewImage(1, n, n)
	for i, v := range solvers.Normals(engine.NewKey(6), n*n) {
		white.Pix[i] = float32(v)
	}
	addSources(white, 20)
	if _, rep, err = observe.Build(observe.Input{Data: white, Where: "test"}, set); err != nil || hasFinding(rep.Findings, "noise.correlated") {
		t.Errorf("white noise: %v, %v", err, rep.Findings)
	}
	for name, filled := range map[string]solvers.Image{"white": white.Clone(), "drizzled": im.Clone()} { // with a galaxy from border to border
		for i := range filled.Pix {
			filled.Pix[i] += float32(20 * math.Exp(-math.Hypot(float64(i%n-n/2), float64(i/n-n/2))/40))
		}
		ones := solvers.NewImage(1, n, n)
		for i := range ones.Pix {
			ones.Pix[i] = 1
		}
		set.Noise = observe.NoiseSettings{Kind: observe.NoiseStd}
		_, rep, err = observe.Build(observe.Input{Data: filled, NoiseMap: &ones, Where: "test"}, set)
		if err != nil || hasFinding(rep.Findings, "noise.correlated") != (name == "drizzled") {
			t.Errorf("%s noise behind a galaxy: %v, %v", name, err, rep.Findings)
		}
	}
	set.Noise = observe.NoiseSettings{Kind: observe.NoiseStd, Spectrum: observe.SpectrumMeasured}
	std := solvers.NewImage(1, n, n)
	for i := range std.Pix {
		std.Pix[i] = 3 // 2 is right
	}
	if o, rep, err = observe.Build(observe.Input{Data: im, NoiseMap: &std, Where: "test"}, set); err != nil {
		t.Fatal(err)
	}
	if len(o.Colour) != 1 || !hasFinding(rep.Findings, "noise.coloured") || hasFinding(rep.Findings, "noise.scale") {
		t.Errorf("coloured %d, %v", len(o.Colour), rep.Findings)
	}
	if s := 1 / math.Sqrt(float64(o.Weights.Pix[n*n/2])); math.Abs(s-2) > 0.1 {
		t.Errorf("σ %.3f from a map of 3 and a sky that scatters by 2", s)
	}
	set.Noise.Spectrum = observe.SpectrumFile
	noise, lag := drizzled(n, 7)
	if o, _, err = observe.Build(observe.Input{Data: im, NoiseMap: &std, NoiseOnly: noise, Where: "test"}, set); err != nil {
		t.Fatal(err)
	}
	if d := o.Colour[0].Lag(0, 1) - lag(0, 1); math.Abs(d) > 0.05 || o.Weights.Pix[0] != 1.0/9 {
		t.Errorf("of an image of noise: neighbours off by %.3f, weight %g", d, o.Weights.Pix[0])
	}
	in := observe.Input{Data: im, NoiseMap: &std, NoiseK: []float64{0, 0.08, 0.16, 0.25, 0.5}, NoiseP: []float64{4, 3.5, 2.3, 1, 0.2}, Where: "test"}
	if o, _, err = observe.Build(in, set); err != nil {
		t.Fatal(err)
	}
	p := o.Colour[0].Power(64, 64)
	if r := p[0] / p[16*33]; math.Abs(r-4) > 0.6 {
		t.Errorf("of points: the power falls by %.2f to k = .25, want 4", r)
	}
	in.NoiseP[1] = -1
	if _, _, err = observe.Build(in, set); err == nil {
		t.Error("a negative power was taken")
	}
}
