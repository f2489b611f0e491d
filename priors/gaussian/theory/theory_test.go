package theory_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"limpid/priors/gaussian/theory"
)

// reference is what CAMB says.
type reference struct {
	K           []float64
	Z           []float64
	Ell         []float64
	Cosmologies []struct {
		Name       string
		Parameters theory.Cosmology
		Linear     [][]float64 // by z, k
		Nonlinear  [][]float64
		Distance   []float64
		Plane      []float64 `json:"kappa_plane_1"`
		Smail      []float64 `json:"kappa_smail"`
	}
}

func load(t *testing.T) reference {
	t.Helper()
	text, err := os.ReadFile("testdata/camb.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Bands against CAMB, as measured (the log of the test), rounded up.
const (
	distanceBand  = 1e-3 // CAMB has radiation
	linearBand    = 0.04 // Eisenstein & Hu's formula
	nonlinearBand = 0.04
	kappaBand     = 0.02
)

func worst(got func(i int) float64, want []float64) (rel float64, at int) {
	for i, w := range want {
		if r := math.Abs(got(i)/w - 1); r > rel || math.IsNaN(r) {
			rel, at = r, i
		}
	}
	return rel, at
}

func TestPower_AgainstCAMB_WithinBands(t *testing.T) {
	ref := load(t)
	for _, c := range ref.Cosmologies {
		p, err := theory.NewPower(c.Parameters)
		if err != nil {
			t.Fatal(err)
		}
		if d, _ := worst(func(i int) float64 { return p.Distance(ref.Z[i+1]) }, c.Distance[1:]); !(d < distanceBand) {
			t.Errorf("%s: distance %.2g off", c.Name, d)
		}
		for j, z := range ref.Z {
			lin, at := worst(func(i int) float64 { return p.Linear(ref.K[i], z) }, c.Linear[j])
			non, at2 := worst(func(i int) float64 { return p.Nonlinear(ref.K[i], z) }, c.Nonlinear[j])
			t.Logf("%s, z = %g: linear %.1f %% (k = %.3g), non-linear %.1f %% (k = %.3g)", c.Name, z, 100*lin, ref.K[at], 100*non, ref.K[at2])
			if !(lin < linearBand) || !(non < nonlinearBand) {
				t.Errorf("%s, z = %g: linear power %.3f, non-linear %.3f off", c.Name, z, lin, non)
			}
		}
	}
}

func TestKappa_AgainstCAMB_WithinBands(t *testing.T) {
	ref := load(t)
	plane, err := theory.SinglePlane(1)
	if err != nil {
		t.Fatal(err)
	}
	smail, err := theory.Smail(2, 1.5, 0.64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ref.Cosmologies {
		p, err := theory.NewPower(c.Parameters)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []struct {
			name string
			n    theory.Sources
			want []float64
		}{{"plane", plane, c.Plane}, {"smail", smail, c.Smail}} {
			k := theory.NewKappa(p, s.n, false)
			rel, at := worst(func(i int) float64 { return k.C(ref.Ell[i]) }, s.want)
			t.Logf("%s, %s: %.1f %% (ℓ = %g)", c.Name, s.name, 100*rel, ref.Ell[at])
			if !(rel < kappaBand) {
				t.Errorf("%s, %s: C_ℓ %.3f off", c.Name, s.name, rel)
			}
		}
	}
}
