package anneal

import (
	"math"
	"testing"

	"limpid/priors"
)

// A broad source is smooth and a point is rough, at their places and as far as the mean reaches; the table's factors are those of the place.
func TestRoughness_OfBroadAndSharp_TellsThemApart(t *testing.T) {
	const n, sigma = 64, 1.0
	k := walkCore(t, n, 2)
	k.sigma = sigma
	l, err := k.newLocal()
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.newPatches()
	if err != nil {
		t.Fatal(err)
	}
	if p.rough = k.newRoughness(&err); err != nil {
		t.Fatal(err)
	}
	p.blurred = make([]float32, k.x.Len())
	p.errors = &priors.Errors{Rough: []float64{0.01, 0.3}, Coarse: [2][]float64{{1.5, 1}, {2, 1}}, Fine: [2][]float64{{0.2, 1}, {0.1, 0.9}}}
	widths := [2]float64{10, 0.7} // of the sources in the two scenes
	host := make([]float32, k.x.Len())
	for i := range host {
		scene, j := i/(n*n), i%(n*n)
		dx, dy := float64(j%n-n/2), float64(j/n-n/2)
		host[i] = float32(100 * math.Exp(-(dx*dx+dy*dy)/2/widths[scene]/widths[scene]))
	}
	k.s.Upload(k.m, host)
	if err := p.blur(k, l, k.m); err != nil {
		t.Fatal(err)
	}
	if err := p.rough.measure(k, p.chi2, k.m); err != nil {
		t.Fatal(err)
	}
	centre := n/2*n + n/2
	for scene, w := range widths {
		// (D − B D)² and D² of Gaussians of variance w², B of b²: their means over a Gaussian of variance c², at the centre.
		over := func(v float64) float64 { return 1 / (1 + roughWidth*roughWidth/v) } // of exp(−r²/2v)
		a, b := w*w, w*w+smoothing*smoothing
		blurred := a / b
		square := over(a/2) - 2*blurred*over(a*b/(a+b)) + blurred*blurred*over(b/2)
		want := square / over(a/2)
		if got := float64(p.rough.rho[scene*n*n+centre]); math.Abs(got/want-1) > 0.15 {
			t.Errorf("a source of %g px has a roughness of %.4g, want %.4g", w, got, want)
		}
	}
	if coarse, fine := p.errors.ScalesAt([kinds]float64{0, 0, 1}, float64(p.rough.rho[centre])); coarse != 2 || fine != 0.1 {
		t.Errorf("the broad source has factors %.2f and %.2f", coarse, fine)
	}
	if coarse, fine := p.errors.ScalesAt([kinds]float64{0, 0, 1}, float64(p.rough.rho[n*n+centre])); math.Abs(coarse-1) > 1e-6 || math.Abs(fine-0.9) > 1e-6 {
		t.Errorf("the sharp source has factors %.2f and %.2f", coarse, fine)
	}
}
