package deconv_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
	"limpid/solvers/summary"
)

func moffat(t testing.TB, fwhm float64) solvers.Image {
	t.Helper()
	p, err := observe.AnalyticPSF(observe.PSFMoffat, fwhm, 3, 21)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func solve(t *testing.T, dev engine.Device, o *solvers.Observation, set deconv.Settings, draws int) (*summary.Summary, deconv.Fit) {
	t.Helper()
	p, err := deconv.New(context.Background(), dev, o, set)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	steps := 30 // of an estimate
	if draws > 0 {
		steps = 1 << 20
	}
	sum, _ := gather(t, p, steps, draws, 9)
	_, fits, err := p.Residual(sum.GridMean())
	if err != nil {
		t.Fatal(err)
	}
	return sum, fits[0]
}

// With the same PSF at every node the posterior is that of a convolution.
func TestVarying_EqualPSFs_GaussianPosteriorOfAConvolution(t *testing.T) {
	dev := newDevice(t)
	for _, c := range []struct{ p0, slope float64 }{{30, 2}, {300, 3}} {
		sp := gaussian.PowerLaw(c.p0, 0.1, c.slope)
		o, _ := simulate(t, dev, sp, 64, 5)
		set := deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}}
		const draws = 64
		want, _ := solve(t, dev, o, set, draws)
		o.Field = solvers.PSFField{Rows: 2, Cols: 2, Nodes: []solvers.Image{o.PSF, o.PSF, o.PSF, o.PSF}}
		got, _ := solve(t, dev, o, set, draws)
		t.Logf("p0 %g", c.p0)
		near(t, want, got, 0.05)
	}
}

// A scene seen through a PSF that widens over the field: with the nodes its posterior holds
// the truth and explains the data; with their mean it does not.
func TestVarying_TruthUnderAWideningPSF_IsHeld(t *testing.T) {
	dev := newDevice(t)
	const n, draws = 96, 32
	sp := gaussian.PowerLaw(3000, 0.1, 3)
	nodes := []solvers.Image{moffat(t, 2), moffat(t, 5), moffat(t, 2), moffat(t, 5)}
	h, w := 0, 0
	for _, p := range nodes {
		h, w = max(h, p.H), max(w, p.W)
	}
	for i, p := range nodes { // of one size, from the centre
		g := operator.Grid{C: 1, H: h, W: w, Row: (h - p.H) / 2, Col: (w - p.W) / 2, ImgH: p.H, ImgW: p.W}
		nodes[i] = g.Embed(p)
	}
	s := dev.NewStream()
	op, err := operator.NewVarying(dev, s, nodes, 2, 2, n, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x := gaussianScene(t, dev, s, sp, op.Domain(), engine.NewKey(4))
	o, truth := look(t, dev, s, op, op.Grid, solvers.NewImage(1, h, w), x, 1, engine.NewKey(5))
	o.Field = solvers.PSFField{Rows: 2, Cols: 2, Nodes: nodes}
	for _, p := range nodes {
		for i, v := range p.Pix {
			o.PSF.Pix[i] += v / 4
		}
	}
	set := deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}}
	z2 := func(o *solvers.Observation) (z2, chi2 float64) {
		sum, fit := solve(t, dev, o, set, draws)
		mean, std := sum.Mean(), sum.Std()
		for i, v := range truth.Pix {
			z := float64(v-mean.Pix[i]) / float64(std.Pix[i])
			z2 += z * z / float64(len(truth.Pix))
		}
		return z2, fit.Chi2Draws
	}
	z, chi := z2(o)
	one := *o
	one.Field = solvers.PSFField{}
	zOne, chiOne := z2(&one)
	t.Logf("mean z² %.3f, χ²/pixel of samples %.3f; with the mean PSF %.2f and %.2f", z, chi, zOne, chiOne)
	if z < 0.85 || z > 1.2 || math.Abs(chi-1) > 0.05 { // z² of 32 draws is 1.07 on average
		t.Errorf("mean z² %.3f, χ²/pixel of samples %.3f", z, chi)
	}
	if zOne < 1.5*z {
		t.Errorf("the mean PSF gives z² %.2f: this test tells nothing", zOne)
	}
	_, rl := solve(t, dev, o, deconv.Settings{Method: deconv.RichardsonLucy}, 0)
	_, rlOne := solve(t, dev, &one, deconv.Settings{Method: deconv.RichardsonLucy}, 0)
	if rl.Chi2 > rlOne.Chi2 {
		t.Errorf("Richardson–Lucy: χ² %.2f with the nodes, %.2f with their mean", rl.Chi2, rlOne.Chi2)
	}
	for _, bad := range []deconv.Settings{{Method: deconv.Starlet}, {Method: deconv.Gaussian, Tile: 128}} {
		if p, err := deconv.New(context.Background(), dev, o, bad); err == nil {
			p.Close()
			t.Errorf("%+v was taken", bad)
		}
	}
}
