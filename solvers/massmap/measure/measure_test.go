package measure_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian/theory"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
	"limpid/solvers/operator"
)

const side = 96

// lens makes the shear of Gaussian lumps of κ with noise; weight 0 in a corner.
func lens(t testing.TB, dev engine.Device, sigma float64) (*massmap.Field, []float32) {
	t.Helper()
	kappa := make([]float32, side*side)
	for _, l := range [][4]float64{{30, 40, 3, 0.4}, {70, 60, 4, 0.25}} {
		for i := range kappa {
			x, y := float64(i%side)-l[0], float64(i/side)-l[1]
			kappa[i] += float32(l[3] * math.Exp(-(x*x+y*y)/(2*l[2]*l[2])))
		}
	}
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(side, side, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x, _ := dev.Alloc(engine.Shape{1, 1, side, side})
	y, _ := dev.Alloc(engine.Shape{1, 2, side, side})
	n, _ := dev.Alloc(y.Shape())
	s.Upload(x, kappa)
	op.Forward(s, y, x)
	s.Normal(n, engine.NewKey(3))
	s.Axpy(y, float32(sigma), n)
	g, std := make([]float32, 2*side*side), make([]float32, side*side)
	s.Download(g, y)
	for i := range std {
		if std[i] = float32(sigma); i%side < 10 && i/side < 10 {
			std[i] = 0
		}
	}
	f, err := massmap.NewField(massmap.Gridded{H: side, W: side, Arcmin: 1, G1: g[:side*side], G2: g[side*side:], Std1: std})
	if err != nil {
		t.Fatal(err)
	}
	f.Projection = massmap.Projection{Kind: massmap.Gnomonic, RA0: 150, Dec0: 2, Arcmin: 1, W: side, H: side}
	return f, kappa
}

// noisy makes samples: the truth plus smooth noise.
func noisy(kappa []float32, n int, sigma float64) [][]float32 {
	g := rand.New(rand.NewPCG(5, 6))
	out := make([][]float32, n)
	for k := range out {
		out[k] = make([]float32, len(kappa))
		for i, v := range kappa {
			out[k][i] = v + float32(sigma*g.NormFloat64())
		}
	}
	return out
}

func TestPeaks_TwoLumps_AreFoundWithTheirProbability(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, kappa := lens(t, dev, 0.05)
	p, err := measure.Peaks(f, kappa, noisy(kappa, 60, 0.3), measure.PeakOptions{Smoothing: 1.5, Level: 0.12, Radius: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(p) < 2 || math.Hypot(p[0].X-30, p[0].Y-40) > 1 || math.Hypot(p[1].X-70, p[1].Y-60) > 1 {
		t.Fatalf("peaks %+v", p)
	}
	// noise of 0.3 averaged by a Gaussian of 1.5 px: 0.3/(2√π 1.5)
	if want := 0.3 / (2 * math.Sqrt(math.Pi) * 1.5); math.Abs(p[0].Std/want-1) > 0.3 {
		t.Errorf("std %.4f, want %.4f", p[0].Std, want)
	}
	if p[0].Probability < 0.9 || p[0].SN < 3 {
		t.Errorf("probability %.2f, S/N %.1f of a clear peak", p[0].Probability, p[0].SN)
	}
	ra, dec, _ := f.Projection.ToSky(p[0].X, p[0].Y)
	if p[0].RA != ra || p[0].Dec != dec {
		t.Errorf("position %g %g, want %g %g", p[0].RA, p[0].Dec, ra, dec)
	}
	high, err := measure.Peaks(f, kappa, noisy(kappa, 60, 0.3), measure.PeakOptions{Smoothing: 1.5, Level: 1, Radius: 3})
	if err != nil || high[0].Probability != 0 {
		t.Errorf("probability of a peak above 1: %v, %v", high[0].Probability, err)
	}
}

func TestPeaks_OnAPixelWithoutGalaxies_AreFoundUnlessInAHole(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, kappa := lens(t, dev, 0.05)
	first := func() measure.Peak {
		p, err := measure.Peaks(f, kappa, noisy(kappa, 60, 0.3), measure.PeakOptions{Smoothing: 1.5, Level: 0.12, Radius: 3})
		if err != nil || len(p) == 0 {
			t.Fatal(p, err)
		}
		return p[0]
	}
	top := first()
	at := int(top.Y)*side + int(top.X)
	f.Weights.Pix[at] = 0
	if p := first(); p.X != top.X || p.Y != top.Y || p.Probability < 0.9 {
		t.Errorf("without galaxies in its pixel: %+v, was %+v", p, top)
	}
	for dy := -4; dy <= 4; dy++ {
		for dx := -4; dx <= 4; dx++ {
			f.Weights.Pix[at+dy*side+dx] = 0
		}
	}
	if p := first(); math.Hypot(p.X-top.X, p.Y-top.Y) < 3 {
		t.Errorf("a peak in a hole: %+v", p)
	}
}

func TestApertureMass_OfALump_IsPositiveAndCrossIsNoise(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, _ := lens(t, dev, 0.05)
	for _, filter := range []measure.ApertureFilter{measure.Schneider, measure.Schirmer} {
		a, err := measure.ApertureMass(f, filter, 10)
		if err != nil {
			t.Fatal(err)
		}
		at := 40*side + 30
		if sn := a.Mass[at] / a.Std[at]; sn < 8 {
			t.Errorf("%s: S/N %.1f on the lump", filter, sn)
		}
		var chi2, n float64
		for i := range a.Cross {
			if a.Std[i] > 0 {
				chi2 += math.Pow(float64(a.Cross[i]/a.Std[i]), 2)
				n++
			}
		}
		if chi2/n < 0.7 || chi2/n > 1.3 {
			t.Errorf("%s: cross component has χ² %.2f per pixel", filter, chi2/n)
		}
	}
	for _, r := range []float64{0.5, 60, math.NaN()} {
		if _, err := measure.ApertureMass(f, measure.Schneider, r); !errors.Is(err, massmap.ErrSetting) {
			t.Errorf("radius %g: %v", r, err)
		}
	}
}

func TestBands_OfKnownSamples_HoldTheTruth(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, kappa := lens(t, dev, 0.05)
	s := noisy(kappa, 40, 0.05)
	p, err := measure.Profile(f, kappa, s, 30, 40, 1, 8)
	if err != nil {
		t.Fatal(err)
	}
	zero := measure.Mean(f, kappa)
	for k, r := range p.X {
		want := 0.4*math.Exp(-r*r/18) - zero
		if math.Abs(p.Mean[k]-want) > 0.012 || p.Quantiles[k][0] > p.Mean[k] || p.Quantiles[k][4] < p.Mean[k] {
			t.Errorf("ring at %.2f: %.4f in %v, want %.4f", r, p.Mean[k], p.Quantiles[k], want)
		}
	}
	one, err := measure.Distribution(f, kappa, s, -1, 1, 200)
	if err != nil {
		t.Fatal(err)
	}
	var total float64
	for _, v := range one.Mean {
		total += v * 0.01
	}
	if math.Abs(total-1) > 1e-9 {
		t.Errorf("the density integrates to %g", total)
	}
	sp, err := measure.PowerSpectrum(f, kappa, s)
	if err != nil {
		t.Fatal(err)
	}
	pixel := math.Pow(1.0/60*math.Pi/180, 2)
	last := len(sp.X) - 1
	// at the highest ℓ only the samples' white noise is left
	if got, want := sp.Quantiles[last][2], 0.05*0.05*pixel; math.Abs(got/want-1) > 0.1 {
		t.Errorf("power %.3g at ℓ = %.0f, want %.3g", got, sp.X[last], want)
	}
}

func TestCheckSigns_EveryMistake_IsFound(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, _ := lens(t, dev, 0.05)
	for _, flip := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		g := f.Clone()
		g.Flip(flip[0], flip[1])
		c, err := measure.CheckSigns(context.Background(), dev, g, 1.5, 24, 1)
		if err != nil {
			t.Fatal(err)
		}
		if c.Flip1 != flip[0] || c.Flip2 != flip[1] || !c.Certain {
			t.Errorf("flipped %v: found %v %v, certain %v (%+v)", flip, c.Flip1, c.Flip2, c.Certain, c.Null)
		}
	}
	noise := f.Clone()
	g := rand.New(rand.NewPCG(1, 1))
	for i, w := range noise.Weights.Pix {
		if w > 0 {
			noise.Shear.Pix[i] = float32(0.05 * g.NormFloat64())
		}
	}
	c, err := measure.CheckSigns(context.Background(), dev, noise, 1.5, 24, 1)
	if err != nil || c.Certain || math.Abs(c.SigmaB) > 4 || math.Abs(c.SigmaE) > 4 {
		t.Errorf("noise: %+v, %v", c, err)
	}
}

func TestInject_Halo_ComesBackInTheEMode(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, _ := lens(t, dev, 1e-4)
	src, err := theory.SinglePlane(1)
	if err != nil {
		t.Fatal(err)
	}
	halo := theory.Halo{Mass: 3e14, Concentration: 5, Z: 0.3}
	in, err := measure.Inject(dev, f, theory.Planck2015(), halo, src, 45, 20)
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := massmap.EB(dev, f, 12, 1)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := massmap.EB(dev, in.Field, 12, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got, want float64 // within 5′, against the ring from 12′ to 15′ (the sheet)
	var n, ring float64
	var gRing, wRing float64
	for i := range after {
		d := after[i] - before[i]
		switch r := math.Hypot(float64(i%side)-45, float64(i/side)-20); {
		case r < 5:
			got, want, n = got+float64(d), want+float64(in.Kappa[i]), n+1
		case r > 12 && r < 15:
			gRing, wRing, ring = gRing+float64(d), wRing+float64(in.Kappa[i]), ring+1
		}
	}
	got, want = got/n-gRing/ring, want/n-wRing/ring
	if math.Abs(got/want-1) > 0.08 || want < 0.01 { // smoothing moves some mass out
		t.Errorf("mean κ within 5′ %.4f, put in %.4f", got, want)
	}
	if _, err := measure.Inject(dev, f, theory.Planck2015(), theory.Halo{Mass: -1, Concentration: 5, Z: 0.3}, src, 1, 1); !errors.Is(err, massmap.ErrSetting) {
		t.Errorf("negative mass: %v", err)
	}
	if _, err := measure.Inject(dev, f, theory.Planck2015(), theory.Halo{Mass: 1e14, Concentration: 5, Z: 2}, src, 1, 1); !errors.Is(err, massmap.ErrSetting) {
		t.Errorf("behind the sources: %v", err)
	}
}

func TestStack_AtTheLumps_StandsOut(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, kappa := lens(t, dev, 0.05)
	ra1, dec1, _ := f.Projection.ToSky(30, 40)
	ra2, dec2, _ := f.Projection.ToSky(70, 60)
	r, err := measure.Stack(f, kappa, []float64{ra1, ra2, 200}, []float64{dec1, dec2, 2}, 1)
	if err != nil || r.Used != 2 || r.Sigma < 4 {
		t.Errorf("%+v, %v", r, err)
	}
	plain, err := measure.Stack(f, kappa, []float64{ra1, ra2}, []float64{dec1, dec2}, 0)
	if want := float64(kappa[40*side+30]+kappa[60*side+70]) / 2; err != nil || math.Abs(plain.Mean-want) > 1e-6 {
		t.Errorf("without smoothing: %+v, want a mean of %g, %v", plain, want, err)
	}
	// the standard deviation is that of random sets
	g := rand.New(rand.NewPCG(1, 2))
	var sum, square float64
	for range 20000 {
		var m float64
		for k := 0; k < 2; {
			if i := g.IntN(side * side); !f.Masked(i) {
				m += float64(kappa[i]) / 2
				k++
			}
		}
		sum, square = sum+m, square+m*m
	}
	sum, square = sum/20000, square/20000
	if std := math.Sqrt(square - sum*sum); math.Abs(plain.Std/std-1) > 0.04 || math.Abs(plain.Random-sum) > 4*std/math.Sqrt(20000) {
		t.Errorf("random sets: %.4f ± %.4f, said to be %.4f ± %.4f", sum, std, plain.Random, plain.Std)
	}
	if _, err := measure.Stack(f, kappa, []float64{200}, []float64{2}, 1); !errors.Is(err, massmap.ErrEmpty) {
		t.Errorf("elsewhere: %v", err)
	}
}
