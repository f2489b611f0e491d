package physics

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/summary"
)

// Photon counts under the normal approximation, whose variance comes from the smoothed
// image: from observe.FewElectrons on, fluxes of sources at S/N 15 are right to a fifth of
// their error.
func TestPoisson_NormalApproximation_HoldsAboveFewElectrons(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	const n, seeds, width, aperture = 96, 8, 2.5, 8
	psf, err := observe.AnalyticPSF(observe.PSFGaussian, 3, 3, 31)
	if err != nil {
		t.Fatal(err)
	}
	for _, sky := range []float64{1, 2, 5, 10, 20, 50, 200} {
		flux := 15 * math.Sqrt(sky*4*math.Pi*(width*width+1.6))
		rng := rand.New(rand.NewPCG(1, uint64(sky)))
		var z, z2, share, count float64
		for range seeds {
			data := solvers.NewImage(1, n, n)
			for i := range data.Pix {
				mean := sky
				for k := range 9 {
					dx, dy := float64(i%n-16-32*(k%3)), float64(i/n-16-32*(k/3))
					s2 := width*width + 1.62 // the PSF's own: (3/2.355)²
					mean += flux / (2 * math.Pi * s2) * math.Exp(-(dx*dx+dy*dy)/(2*s2))
				}
				data.Pix[i] = float32(poisson(rng, mean))
			}
			o, _, err := observe.Build(
				observe.Input{Data: data, PSF: &psf, Where: "simulation"},
				observe.Settings{PSF: observe.PSFSettings{Kind: observe.PSFFile}, Noise: observe.NoiseSettings{Kind: observe.NoiseGain, Gain: 1}, Sky: observe.SkySettings{Kind: observe.SkyConstant, Value: &sky}},
			)
			if err != nil {
				t.Fatal(err)
			}
			p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: deconv.Gaussian})
			if err != nil {
				t.Fatal(err)
			}
			sum := summary.New(p.Grid, summary.Options{Keep: 32})
			for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: 100, Seed: 3}) {
				if err != nil {
					t.Fatal(err)
				}
				if err := sum.Add(step); err != nil {
					t.Fatal(err)
				}
				if sum.Draws() >= 32 {
					break
				}
			}
			p.Close()
			box := func(im solvers.Image, k int) (f float64) {
				for y := -aperture; y <= aperture; y++ {
					for x := -aperture; x <= aperture; x++ {
						f += float64(im.Pix[(16+32*(k/3)+y)*n+16+32*(k%3)+x])
					}
				}
				return f
			}
			for k := range 9 {
				mean := box(sum.Mean(), k)
				var v float64
				for _, s := range sum.Samples() {
					d := box(s, k) - mean
					v += d * d / 32
				}
				d := (mean - flux) / math.Sqrt(v)
				z, z2, share, count = z+d, z2+d*d, share+mean/flux-1, count+1
			}
		}
		bias := z / count
		t.Logf("sky %3.0f e⁻: flux %+.1f %%, %+.2f σ ± %.2f, rms %.2f σ", sky, 100*share/count, bias, 1/math.Sqrt(count), math.Sqrt(z2/count))
		if sky >= observe.FewElectrons && math.Abs(bias) > 0.2+2/math.Sqrt(count) {
			t.Errorf("sky %g e⁻: fluxes are off by %.2f σ", sky, bias)
		}
	}
}

// poisson draws by inversion of the sum; means up to some hundreds.
func poisson(rng *rand.Rand, mean float64) int {
	k, p, limit := 0, rng.ExpFloat64(), mean
	for p < limit {
		k++
		p += rng.ExpFloat64()
	}
	return k
}
