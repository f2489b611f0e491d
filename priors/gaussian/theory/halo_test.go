package theory_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"limpid/priors/gaussian"
	"limpid/priors/gaussian/theory"
)

func planck(t testing.TB) *theory.Power {
	t.Helper()
	p, err := theory.NewPower(theory.Planck2015())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Bands against colossus, which differs in the transfer function's details.
const (
	massFunctionBand = 0.03
	profileBand      = 2e-3 // its constants and distances
)

func TestHaloes_AgainstColossus_WithinBands(t *testing.T) {
	text, err := os.ReadFile("testdata/haloes.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Masses, Z, Sigma, Duffy []float64
		DnDlnM                  [][]float64
		NFW                     struct {
			Theta, Kappa []float64
			Efficiency   float64
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	p := planck(t)
	for j, z := range ref.Z {
		f := p.MassFunction(z)
		rel, at := worst(func(i int) float64 { return f(ref.Masses[i]) }, ref.DnDlnM[j])
		t.Logf("z = %g: mass function %.1f %% off at %.0e", z, 100*rel, ref.Masses[at])
		if !(rel < massFunctionBand) {
			t.Errorf("z = %g: mass function %.3f off", z, rel)
		}
	}
	if rel, _ := worst(func(i int) float64 { return p.SigmaM(ref.Masses[i]) }, ref.Sigma); !(rel < 0.01) {
		t.Errorf("σ(M) %.3f off", rel)
	}
	plane, _ := theory.SinglePlane(1)
	q := p.Efficiency(plane)(0.3)
	if math.Abs(q/ref.NFW.Efficiency-1) > profileBand {
		t.Errorf("efficiency %g, want %g", q, ref.NFW.Efficiency)
	}
	halo := p.Lens(theory.Halo{Mass: 2e14, Concentration: 5, Z: 0.3}, q)
	if rel, at := worst(func(i int) float64 { return halo.Kappa(ref.NFW.Theta[i]) }, ref.NFW.Kappa); !(rel < profileBand) {
		t.Errorf("κ %.4f off at %g′", rel, ref.NFW.Theta[at])
	}
	for i, m := range []float64{1e13, 1e14} {
		if got := theory.Concentration(m, []float64{0.5, 1}[i]); math.Abs(got/ref.Duffy[i]-1) > 1e-3 {
			t.Errorf("concentration %g, want %g", got, ref.Duffy[i])
		}
	}
}

func TestProfile_AcrossTheScaleRadius_IsSmooth(t *testing.T) {
	p := theory.Profile{Scale: 1, Height: 1, C: 6}
	for _, p.Truncated = range []bool{false, true} {
		for _, x := range []float64{0.99994, 0.99996, 1, 1.00004, 1.00006} {
			if a, b := p.Kappa(x), p.Kappa(x*(1+1e-5)); !(b < a && a-b < 3e-5) {
				t.Errorf("truncated %v: κ(%g) = %g, a little outside %g", p.Truncated, x, a, b)
			}
		}
	}
}

// The truncated profile holds the halo's mass: 2π ∫ κ θ dθ = M/(Σ_cr D²).
func TestProfile_Truncated_HoldsTheMass(t *testing.T) {
	p := planck(t)
	h := theory.Halo{Mass: 1e14, Concentration: 4, Z: 0.4, Mean: true}
	const q = 0.5
	prof := p.Lens(h, q)
	prof.Truncated = true
	var sum float64
	const n = 20000
	top := prof.Scale * prof.C
	for i := range n {
		x := top * (float64(i) + 0.5) / n
		sum += 2 * math.Pi * x * prof.Kappa(x) * top / n
	}
	dl := p.Distance(h.Z) / (1 + h.Z)
	rad := math.Pi / 180 / 60
	want := h.Mass * 6.01344e-19 * q / dl / (rad * rad)
	if math.Abs(sum/want-1) > 1e-3 {
		t.Errorf("∫κ = %g arcmin², want %g", sum, want)
	}
	if prof.Kappa(top*1.001) != 0 {
		t.Error("κ beyond the halo's radius")
	}
}

func TestSpectrum_OfPixels_IsCOverSolidAngle(t *testing.T) {
	p := planck(t)
	plane, _ := theory.SinglePlane(1)
	k := theory.NewKappa(p, plane, false)
	const arcmin = 0.29
	sp, err := k.Spectrum(arcmin, false)
	if err != nil {
		t.Fatal(err)
	}
	av, err := k.Spectrum(arcmin, true)
	if err != nil {
		t.Fatal(err)
	}
	side := arcmin / 60 * math.Pi / 180
	for _, ell := range []float64{300, 3000, 30000} {
		f := ell * side / (2 * math.Pi)
		if got, want := sp.At(f)*side*side, k.C(ell); math.Abs(got/want-1) > 0.01 { // table, log–log
			t.Errorf("ℓ = %g: %g, want %g", ell, got, want)
		}
	}
	// sinc² of half a cycle per pixel along one axis is .405, along the diagonal .441
	if r := av.At(0.5) / sp.At(0.5); !(r > 0.40 && r < 0.45) {
		t.Errorf("pixel window %g at the Nyquist frequency", r)
	}
	linear, err := theory.NewKappa(p, plane, true).Spectrum(arcmin, false)
	if err != nil {
		t.Fatal(err)
	}
	if r := linear.At(0.1) / sp.At(0.1); !(r < 0.3) {
		t.Errorf("linear power is %.2f of the non-linear at 0.1 cycles per pixel", r)
	}
	var _ gaussian.Spectrum = sp
}

func TestInputs_OutOfRange_AreErrors(t *testing.T) {
	for _, c := range []theory.Cosmology{{}, {OmegaM: 0.3, OmegaB: 0.3, H: 0.7, NS: 1, Sigma8: 0.8}, {OmegaM: 0.3, OmegaB: 0.05, H: 70, NS: 1, Sigma8: 0.8}} {
		if _, err := theory.NewPower(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	for _, s := range []struct{ z, n []float64 }{
		{nil, nil},
		{[]float64{1, 1}, []float64{1, 1}},
		{[]float64{0, 1}, []float64{0, 0}},
		{[]float64{0, 1}, []float64{1}},
		{[]float64{-1, 1}, []float64{1, 1}},
		{[]float64{0}, []float64{1}},
		{[]float64{0, math.NaN()}, []float64{1, 1}},
	} {
		if _, err := theory.NewSources(s.z, s.n); err == nil {
			t.Errorf("n(z) %v %v was taken", s.z, s.n)
		}
	}
	plane, _ := theory.SinglePlane(1)
	if _, err := theory.NewKappa(planck(t), plane, true).Spectrum(0, false); err == nil {
		t.Error("pixels without size were taken")
	}
}

func BenchmarkNewKappa(b *testing.B) {
	p := planck(b)
	s, _ := theory.Smail(2, 1.5, 0.64)
	for b.Loop() {
		_, _ = theory.NewKappa(p, s, false).Spectrum(0.29, true)
	}
}
