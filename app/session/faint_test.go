package session_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"limpid"
	"limpid/app/recipe"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Who asks gets faint pixels as simulations say, and bright ones as they were sampled; the
// residual is of the mean that is given out.
func TestRun_FaintPixels(t *testing.T) {
	notUnderRace(t)
	s, r := newSession(t)
	r.Method, r.Prior = recipe.Method{Kind: deconv.Learned, Budget: deconv.Quick}, recipe.Prior{Kind: recipe.PriorGalaxies}
	r.Input.Cutout = &[4]int{0, 48, 144, 192}
	r.PSF = recipe.PSF{Kind: observe.PSFGaussian, FWHM: 1.5}
	r.Draw.Samples = 8
	plain := mustRun(t, s, r)
	r.Method.Recalibrate = true
	got := mustRun(t, s, r)
	if got.FaintPairs == 0 || plain.FaintPairs != 0 {
		t.Fatalf("tables of %d and %d pairs", got.FaintPairs, plain.FaintPairs)
	}
	var negative, before float64
	faint, bright := 0, 0
	for i, was := range plain.Mean.Pix {
		sigma := 1 / math.Sqrt(float64(got.Weights.Pix[i]))
		switch v := float64(was); {
		case v > sigma: // where nothing may change
			bright++
			for j := range got.Samples {
				if got.Samples[j].Pix[i] != plain.Samples[j].Pix[i] {
					t.Fatalf("pixel %d of %.2g σ: sample %d was %g and is %g", i, v/sigma, j, plain.Samples[j].Pix[i], got.Samples[j].Pix[i])
				}
			}
		case v < 0.3*sigma && float64(plain.Std.Pix[i]) < 0.5*sigma:
			faint++
			for j := range got.Samples {
				negative += math.Max(0, -float64(got.Samples[j].Pix[i]))
				before += math.Max(0, -float64(plain.Samples[j].Pix[i]))
			}
		}
	}
	t.Logf("%d faint pixels, %d bright; negative light of the samples was %.3g and is %.3g", faint, bright, before, negative)
	if faint < 50 || bright < 10 {
		t.Fatalf("%d faint and %d bright pixels: the image does not show what is asked", faint, bright)
	}
	if !(negative < before/3) {
		t.Errorf("faint samples hold %.3g of negative light, %.3g as sampled", negative, before)
	}
	// y − A x is linear: two residuals differ by A of what the means do
	if slices.Equal(got.Residual.Pix, plain.Residual.Pix) {
		t.Error("the residual is not of the mean that is given out")
	}
	if h := strings.Join(got.History(), "\n"); !strings.Contains(h, "fainter than the noise") {
		t.Errorf("history:\n%s", h)
	}
	if h := strings.Join(plain.History(), "\n"); strings.Contains(h, "fainter than the noise") {
		t.Errorf("history of what was sampled:\n%s", h)
	}
	if !slices.Contains(got.References, "Kuleshov2018") {
		t.Errorf("references %v", got.References)
	}
	r.Method.Resolution, r.Draw.Samples = 3, 1
	res := mustRun(t, s, r)
	if res.FaintPairs != 0 || !slices.ContainsFunc(res.Findings, func(f limpid.Finding) bool { return f.Code == "faint.none" }) {
		t.Errorf("with a target resolution, which was not calibrated: a table of %d pairs, findings %+v", res.FaintPairs, res.Findings)
	}
}
