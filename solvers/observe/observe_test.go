package observe_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/observe"
)

// field is a simulated exposure: sky with a gradient, noise, stars of a known
// PSF at sub-pixel positions, a few galaxies.
type field struct {
	im    solvers.Image
	sigma float64
	fwhm  float64
	beta  float64
}

func newField(n int, sky, gradient, sigma float64, stars, galaxies int) field {
	f := field{im: solvers.NewImage(1, n, n), sigma: sigma, fwhm: 3.2, beta: 3}
	rng := rand.New(rand.NewPCG(7, 8))
	pix := make([]float64, n*n)
	for i := range pix {
		pix[i] = sky + gradient*float64(i%n)/float64(n) + sigma*rng.NormFloat64()
	}
	alpha := f.fwhm / (2 * math.Sqrt(math.Pow(2, 1/f.beta)-1))
	add := func(x, y, flux, a, b float64) {
		norm := (b - 1) / (math.Pi * a * a)
		for j := max(0, int(y)-30); j <= min(n-1, int(y)+30); j++ {
			for i := max(0, int(x)-30); i <= min(n-1, int(x)+30); i++ {
				var sum float64
				for v := range 5 {
					for u := range 5 {
						dx, dy := float64(i)+(float64(u)-2)/5-x, float64(j)+(float64(v)-2)/5-y
						sum += math.Pow(1+(dx*dx+dy*dy)/(a*a), -b)
					}
				}
				pix[j*n+i] += flux * norm * sum / 25
			}
		}
	}
	for range stars {
		add(20+rng.Float64()*float64(n-40), 20+rng.Float64()*float64(n-40), sigma*400*math.Pow(1-rng.Float64(), -1), alpha, f.beta)
	}
	for range galaxies {
		add(20+rng.Float64()*float64(n-40), 20+rng.Float64()*float64(n-40), sigma*3000, alpha*2.2, 2)
	}
	for i, v := range pix {
		f.im.Pix[i] = float32(v)
	}
	return f
}

func settings(psf observe.PSFKind) observe.Settings {
	return observe.Settings{PSF: observe.PSFSettings{Kind: psf, FWHM: 3.2}, Noise: observe.NoiseSettings{Kind: observe.NoiseAuto}, Sky: observe.SkySettings{Kind: observe.SkyAuto}}
}

func hasFinding(list []limpid.Finding, code string) bool {
	for _, f := range list {
		if f.Code == code {
			return true
		}
	}
	return false
}

// Tolerances measured on this field: sky to a tenth of its noise, noise to 4 %.
func TestBuild_SkyAndNoise_AreRecovered(t *testing.T) {
	for _, c := range []struct{ sky, gradient float64 }{{1000, 0}, {1000, 40}, {0, 0}} {
		f := newField(256, c.sky, c.gradient, 5, 40, 20)
		o, rep, err := observe.Build(observe.Input{Data: f.im, Where: "test"}, settings(observe.PSFGaussian))
		if err != nil {
			t.Fatal(err)
		}
		if c.sky == 0 {
			if o.Sky != nil || !hasFinding(rep.Findings, "sky.subtracted") {
				t.Errorf("sky 0: something was subtracted: %v", rep.Findings)
			}
		} else {
			var worst float64
			for y := 8; y < 248; y++ {
				for x := 8; x < 248; x++ {
					want := c.sky + c.gradient*float64(x)/256
					worst = math.Max(worst, math.Abs(float64(o.Sky[0].Pix[y*256+x])-want))
				}
			}
			if worst > 0.6*f.sigma {
				t.Errorf("gradient %g: sky off by up to %.2f, noise is %g", c.gradient, worst, f.sigma)
			}
		}
		got := rep.SkySigma[0]
		if math.Abs(got/f.sigma-1) > 0.04 {
			t.Errorf("noise %.3f, want %.3f", got, f.sigma)
		}
		if !hasFinding(rep.Findings, "noise.guessed") {
			t.Error("a guessed noise was not reported")
		}
	}
}

func TestBuild_Gain_AddsPhotonNoise(t *testing.T) {
	f := newField(128, 0, 0, 5, 6, 0)
	in := observe.Input{Data: f.im, Where: "test", Gain: 2}
	o, _, err := observe.Build(in, settings(observe.PSFGaussian))
	if err != nil {
		t.Fatal(err)
	}
	best := 0
	for i, v := range f.im.Pix {
		if v > f.im.Pix[best] {
			best = i
		}
	}
	// the signal is smoothed by 1.5 px before its photon noise is taken, so the
	// variance lies between half and all of the peak's
	got := 1/float64(o.Weights.Pix[best]) - 25
	peak := float64(f.im.Pix[best]) / 2
	if got < 0.4*peak || got > peak {
		t.Errorf("photon variance %.1f under a peak that has %.1f", got, peak)
	}
}

func TestLaplacianNoise_WhiteNoise_UnderSources(t *testing.T) {
	f := newField(200, 50, 30, 3, 30, 30)
	w := make([]float32, len(f.im.Pix))
	for i := range w {
		w[i] = 1
	}
	if got := observe.LaplacianNoise(f.im.Pix, w, 200, 200); math.Abs(got/3-1) > 0.05 {
		t.Errorf("σ = %.3f, want 3", got)
	}
}

func TestMeasurePSF_StarField_GivesThePSF(t *testing.T) {
	f := newField(400, 0, 0, 1, 40, 30)
	o, rep, err := observe.Build(observe.Input{Data: f.im, Where: "test"}, settings(observe.PSFMeasure))
	if err != nil {
		t.Fatal(err)
	}
	m := rep.PSF[0]
	t.Logf("%d stars, fit FWHM %.3f β %.2f, measured %.3f, error %.3f", m.Used, m.FWHM, m.Beta, rep.FWHM[0], m.Error)
	if m.Used < 5 {
		t.Fatalf("%d stars used of %d", m.Used, len(m.Stars))
	}
	// pixel integration widens 3.2 px to 3.3; Lanczos centring adds a little
	if math.Abs(m.FWHM-3.3) > 0.2 {
		t.Errorf("FWHM %.2f, want 3.3 ± 0.2", m.FWHM)
	}
	want, err := observe.AnalyticPSF(observe.PSFMoffat, 3.2, 3, o.PSF.H)
	if err != nil {
		t.Fatal(err)
	}
	// compare encircled light, which decides the flux of a deconvolved source
	light := func(im solvers.Image, r float64) float64 {
		var sum float64
		c := float64(im.H-1) / 2
		for i, v := range im.Pix {
			if math.Hypot(float64(i%im.W)-c, float64(i/im.W)-c) <= r {
				sum += float64(v)
			}
		}
		return sum
	}
	for _, r := range []float64{1.5, 3, 5, 8} {
		if a, b := light(o.PSF, r), light(want, r); math.Abs(a-b) > 0.03 {
			t.Errorf("light within %g px: %.3f, want %.3f", r, a, b)
		}
	}
	if !hasFinding(rep.Findings, "psf.measured") {
		t.Error("the measured PSF was not reported")
	}
	for _, s := range m.Stars {
		if !s.Used && s.Reason == "" {
			t.Errorf("star at (%.1f, %.1f) was left out without a reason", s.X, s.Y)
		}
	}
}

func TestMeasurePSF_SaturatedStars_AreLeftOut(t *testing.T) {
	f := newField(300, 0, 0, 1, 30, 0)
	const level = 500
	for i, v := range f.im.Pix {
		f.im.Pix[i] = min(v, level)
	}
	_, rep, err := observe.Build(observe.Input{Data: f.im, Where: "test", Saturation: level}, settings(observe.PSFMeasure))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rep.PSF[0].Stars {
		if s.Used && f.im.Pix[int(s.Y+0.5)*300+int(s.X+0.5)] >= level {
			t.Errorf("saturated star at (%.0f, %.0f) was used", s.X, s.Y)
		}
	}
}

func TestMeasurePSF_NoStars_SaysSo(t *testing.T) {
	f := newField(100, 0, 0, 1, 0, 0)
	_, _, err := observe.Build(observe.Input{Data: f.im, Where: "empty.fits"}, settings(observe.PSFMeasure))
	if !errors.Is(err, observe.ErrNoStars) || !strings.Contains(err.Error(), "empty.fits") {
		t.Fatalf("err = %v", err)
	}
}

func TestBuild_Masks_NaNMapAndSaturation(t *testing.T) {
	f := newField(64, 0, 0, 1, 0, 0)
	f.im.Pix[5] = float32(math.NaN())
	f.im.Pix[700] = float32(math.Inf(1))
	f.im.Pix[30*64+30] = 9000
	mask := solvers.NewImage(1, 64, 64)
	mask.Pix[50*64+10] = 4
	o, rep, err := observe.Build(observe.Input{Data: f.im, Mask: &mask, Saturation: 8000, Where: "test"}, settings(observe.PSFGaussian))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{5, 700, 30*64 + 30, 29*64 + 31, 50*64 + 10} {
		if o.Weights.Pix[i] != 0 || o.Data.Pix[i] != 0 {
			t.Errorf("pixel %d: weight %g, data %g, want 0", i, o.Weights.Pix[i], o.Data.Pix[i])
		}
	}
	if want := 3 + 9; rep.Masked[0] != want {
		t.Errorf("%d masked, want %d", rep.Masked[0], want)
	}
}

func TestBuild_NoiseMaps_BecomeInverseVariance(t *testing.T) {
	f := newField(32, 0, 0, 1, 0, 0)
	for _, c := range []struct {
		kind observe.NoiseKind
		in   float32
		want float32
	}{{observe.NoiseWeights, 4, 4}, {observe.NoiseVariance, 4, 0.25}, {observe.NoiseStd, 4, 0.0625}} {
		m := solvers.NewImage(1, 32, 32)
		for i := range m.Pix {
			m.Pix[i] = c.in
		}
		m.Pix[3] = float32(math.NaN())
		set := settings(observe.PSFGaussian)
		set.Noise.Kind = c.kind
		o, _, err := observe.Build(observe.Input{Data: f.im, NoiseMap: &m, Where: "test"}, set)
		if err != nil {
			t.Fatal(err)
		}
		if o.Weights.Pix[10] != c.want || o.Weights.Pix[3] != 0 {
			t.Errorf("%s: weight %g and %g for NaN, want %g and 0", c.kind, o.Weights.Pix[10], o.Weights.Pix[3], c.want)
		}
		m.Pix[40] = -1
		if _, _, err := observe.Build(observe.Input{Data: f.im, NoiseMap: &m, Where: "test"}, set); !errors.Is(err, observe.ErrNoise) {
			t.Errorf("%s with a negative pixel: err = %v", c.kind, err)
		}
	}
}

// Photon noise of few electrons is not normal, and that is said; of many, or under much more
// read-out noise, it is not.
func TestBuild_FewElectrons_AreSaid(t *testing.T) {
	for _, c := range []struct {
		sky, read float64
		few       bool
	}{{4, 0, true}, {4, 10, false}, {100, 0, false}} {
		f := newField(128, c.sky, 0, math.Sqrt(c.sky+c.read*c.read), 0, 0)
		set := settings(observe.PSFGaussian)
		set.Noise = observe.NoiseSettings{Kind: observe.NoiseGain, Gain: 1, ReadNoise: c.read}
		set.Sky = observe.SkySettings{Kind: observe.SkyConstant, Value: &c.sky}
		_, rep, err := observe.Build(observe.Input{Data: f.im, Where: "test"}, set)
		if err != nil {
			t.Fatal(err)
		}
		if hasFinding(rep.Findings, "noise.few") != c.few {
			t.Errorf("sky of %g e⁻, read noise %g: %v", c.sky, c.read, rep.Findings)
		}
	}
}

// The weights are wrong by a factor of nine: the sky's scatter gives it away.
func TestBuild_WrongWeights_AreFound(t *testing.T) {
	f := newField(128, 0, 0, 3, 10, 5)
	m := solvers.NewImage(1, 128, 128)
	for i := range m.Pix {
		m.Pix[i] = 1
	}
	set := settings(observe.PSFGaussian)
	set.Noise.Kind = observe.NoiseWeights
	_, rep, err := observe.Build(observe.Input{Data: f.im, NoiseMap: &m, Where: "test"}, set)
	if err != nil {
		t.Fatal(err)
	}
	if !hasFinding(rep.Findings, "noise.scale") {
		t.Errorf("not reported: %v", rep.Findings)
	}
	for i := range m.Pix {
		m.Pix[i] = 1.0 / 9
	}
	if _, rep, err = observe.Build(observe.Input{Data: f.im, NoiseMap: &m, Where: "test"}, set); err != nil || hasFinding(rep.Findings, "noise.scale") {
		t.Errorf("right weights: err %v, findings %v", err, rep.Findings)
	}
}

func TestBuild_CorrelatedNoise_IsFound(t *testing.T) {
	f := newField(128, 0, 0, 3, 0, 0)
	sm := solvers.NewImage(1, 128, 128)
	for y := 1; y < 127; y++ {
		for x := 1; x < 127; x++ {
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					sm.Pix[y*128+x] += f.im.Pix[(y+dy)*128+x+dx] / 9
				}
			}
		}
	}
	_, rep, err := observe.Build(observe.Input{Data: sm, Where: "test"}, settings(observe.PSFGaussian))
	if err != nil {
		t.Fatal(err)
	}
	if !hasFinding(rep.Findings, "noise.correlated") {
		t.Errorf("not reported: %v", rep.Findings)
	}
}

func TestBuild_BadPSF_IsRefused(t *testing.T) {
	f := newField(32, 0, 0, 1, 0, 0)
	set := settings(observe.PSFFile)
	flat := func(n int, v float32) *solvers.Image {
		im := solvers.NewImage(1, n, n)
		for i := range im.Pix {
			im.Pix[i] = v
		}
		return &im
	}
	nan := flat(5, 1)
	nan.Pix[7] = float32(math.NaN())
	for name, c := range map[string]struct {
		psf  *solvers.Image
		want string
	}{
		"sums to 0":     {flat(5, 0), "sums to 0"},
		"negative":      {flat(5, -1), "sums to -25"},
		"NaN":           {nan, "NaN at pixel (2, 1)"},
		"none":          {nil, "no PSF"},
		"larger":        {flat(99, 1), "larger than the image"},
		"planes differ": {&solvers.Image{C: 3, H: 5, W: 5, Pix: make([]float32, 75)}, "3 planes"},
		"no pixels":     {&solvers.Image{C: 1}, "no pixels"},
	} {
		_, _, err := observe.Build(observe.Input{Data: f.im, PSF: c.psf, Where: "x.fits"}, set)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: err = %v, want %q in it", name, err, c.want)
		}
	}
}

func TestNormalise_EvenAndOffCentre_IsCentred(t *testing.T) {
	for _, n := range []int{12, 13} {
		im := solvers.NewImage(1, n, n)
		for i := range im.Pix {
			x, y := float64(i%n)-5.3, float64(i/n)-6.2
			im.Pix[i] = float32(3 * math.Exp(-(x*x+y*y)/4))
		}
		out, found, err := observe.Normalise(im, true, 64, 64, "psf")
		if err != nil {
			t.Fatal(err)
		}
		if out.H%2 == 0 || out.W%2 == 0 {
			t.Fatalf("size %d×%d is even", out.W, out.H)
		}
		var mx, my, sum float64
		for i, v := range out.Pix {
			mx, my, sum = mx+float64(v)*float64(i%out.W), my+float64(v)*float64(i/out.W), sum+float64(v)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("sums to %g", sum)
		}
		const tolerance = 0.05 // the wings that the stamp cuts off shift the mean a little
		if dx, dy := mx-float64(out.W-1)/2, my-float64(out.H-1)/2; math.Hypot(dx, dy) > tolerance {
			t.Errorf("size %d: centred (%.3f, %.3f) px off", n, dx, dy)
		}
		if !hasFinding(found, "psf.sum") {
			t.Error("the scaling was not reported")
		}
		if _, found, _ = observe.Normalise(im, false, 64, 64, "psf"); !hasFinding(found, "psf.center") {
			t.Errorf("size %d: off-centre light was not reported: %v", n, found)
		}
	}
}

func TestBuild_EverythingMasked_IsRefused(t *testing.T) {
	im := solvers.NewImage(1, 16, 16)
	for i := range im.Pix {
		im.Pix[i] = float32(math.NaN())
	}
	if _, _, err := observe.Build(observe.Input{Data: im, Where: "nan.fits"}, settings(observe.PSFGaussian)); !errors.Is(err, observe.ErrMasked) {
		t.Fatalf("err = %v", err)
	}
}
