package observe_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"limpid/solvers"
	"limpid/solvers/observe"
)

// widening is an image of n² pixels of stars whose Moffat PSF widens along x and y, from FWHM
// 2.6 to 4 px, with noise of 1 and a few galaxies.
func widening(n, stars int) (im solvers.Image, width func(x, y float64) float64) {
	width = func(x, y float64) float64 { return 2.6 + 1.0*x/float64(n) + 0.4*y/float64(n) }
	im = solvers.NewImage(1, n, n)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range im.Pix {
		im.Pix[i] = float32(rng.NormFloat64())
	}
	add := func(x, y, flux, fwhm float64) {
		const beta = 3
		alpha := fwhm / (2 * math.Sqrt(math.Pow(2, 1.0/beta)-1))
		for j := max(0, int(y)-30); j <= min(n-1, int(y)+30); j++ {
			for i := max(0, int(x)-30); i <= min(n-1, int(x)+30); i++ {
				var sum float64
				for k := range 25 {
					dx, dy := float64(i)+float64(k%5-2)/5-x, float64(j)+float64(k/5-2)/5-y
					sum += math.Pow(1+(dx*dx+dy*dy)/(alpha*alpha), -beta)
				}
				im.Pix[j*n+i] += float32(flux * (beta - 1) / (math.Pi * alpha * alpha) * sum / 25)
			}
		}
	}
	for k := range stars + stars/4 {
		x, y := 12+rng.Float64()*float64(n-24), 12+rng.Float64()*float64(n-24)
		f := width(x, y)
		if k >= stars {
			f *= 2.5 // a galaxy
		}
		add(x, y, 400*math.Pow(rng.Float64(), -1), f)
	}
	return im, width
}

// A PSF that widens over the image is found at nodes from its stars, and better than one PSF for
// all of it.
func TestBuild_MeasuredNodes_FollowThePSF(t *testing.T) {
	const n, rows, cols = 512, 3, 3
	im, width := widening(n, 90)
	set := settings(observe.PSFMeasure)
	set.PSF.Rows, set.PSF.Cols = rows, cols
	o, rep, err := observe.Build(observe.Input{Data: im, Where: "test"}, set)
	if err != nil {
		t.Fatal(err)
	}
	if f := o.Field; f.Rows != rows || f.Cols != cols || len(f.Nodes) != rows*cols || !hasFinding(rep.Findings, "psf.field") {
		t.Fatalf("%d × %d, %d nodes: %v", f.Rows, f.Cols, len(f.Nodes), rep.Findings)
	}
	one, _, err := observe.Build(observe.Input{Data: im, Where: "test"}, settings(observe.PSFMeasure))
	if err != nil {
		t.Fatal(err)
	}
	differs := func(p solvers.Image, fwhm float64) float64 { // from the true PSF, rms over its rms
		truth, err := observe.AnalyticPSF(observe.PSFMoffat, fwhm, 3, p.H)
		if err != nil {
			t.Fatal(err)
		}
		var d, norm float64
		r := min(truth.H, p.H) / 2
		for y := -r; y <= r; y++ {
			for x := -r; x <= r; x++ {
				a, b := float64(p.Pix[(p.H/2+y)*p.W+p.W/2+x]), float64(truth.Pix[(truth.H/2+y)*truth.W+truth.W/2+x])
				d, norm = d+(a-b)*(a-b), norm+b*b
			}
		}
		return math.Sqrt(d / norm)
	}
	var all, allOne float64
	for i := range rows * cols {
		f := width(float64(i%cols)*(n-1)/(cols-1), float64(i/cols)*(n-1)/(rows-1))
		p := o.Field.Nodes[i]
		got := observe.FWHM(p.Plane(0), p.H, p.W)
		want, _ := observe.AnalyticPSF(observe.PSFMoffat, f, 3, 61)
		d := differs(p, f)
		all, allOne = all+d/(rows*cols), allOne+differs(one.PSF, f)/(rows*cols)
		t.Logf("node %d: FWHM %.2f px, true %.2f; off by %.3f", i, got, observe.FWHM(want.Plane(0), want.H, want.W), d)
		if d > 0.12 {
			t.Errorf("node %d is off by %.3f of the true PSF", i, d)
		}
	}
	t.Logf("%d stars; nodes are off by %.3f on average, one PSF by %.3f", rep.PSF[0].Used, all, allOne)
	if all > 0.5*allOne {
		t.Errorf("nodes are off by %.3f on average, one PSF by %.3f", all, allOne)
	}
	few, _ := widening(n, 2)
	if _, rep, err = observe.Build(observe.Input{Data: few, Where: "test"}, set); err == nil && !hasFinding(rep.Findings, "psf.few") {
		t.Errorf("two stars: %v", rep.Findings)
	}
}
