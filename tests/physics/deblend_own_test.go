package physics

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/deblend"
)

var (
	deblendOwn   = flag.Int("deblend-own", 24, "blends of our own simulator")
	deblendError = flag.Float64("deblend-model-error", 0, "relative error of the smooth model; 0: the default")
	deblendSeed  = flag.Uint64("deblend-own-seed", 1, "seed of the simulator")
)

// fine is how many steps of the simulation a pixel has.
const fine = 3

// ownBlend simulates 2 to 5 galaxies as they come, spirals, knots, irregulars and
// mergers among them, in four bands of 60² at HSC's pixel, depth and seeing, and gives
// every source's flux per band.
func ownBlend(t *testing.T, key engine.Key) (obs *solvers.Observation, src []deblend.Source, flux [][]float64) {
	t.Helper()
	const side, pixel = 60, 0.168
	names := []string{"g", "r", "i", "z"}
	seeing := []float64{1.85, 1.7, 1.45, 1.6} // px, the core's σ
	noise := []float64{0.002, 0.003, 0.0045, 0.007}
	rng := sims.Rand(key)
	obs = &solvers.Observation{Data: solvers.NewImage(4, side, side), Weights: solvers.NewImage(4, side, side), PSF: solvers.NewImage(4, 41, 41), Bands: names}
	obs.Frame.PixelScale = pixel
	n := 2 + rng.IntN(4)
	var shift [][2]int
	for len(shift) < n {
		s := [2]int{int(math.Round(7 * rng.NormFloat64())), int(math.Round(7 * rng.NormFloat64()))}
		apart := math.Abs(float64(s[0])) < 22 && math.Abs(float64(s[1])) < 22
		for _, o := range shift {
			apart = apart && math.Hypot(float64(s[0]-o[0]), float64(s[1]-o[1])) > 3
		}
		if apart {
			shift = append(shift, s)
		}
	}
	for b, name := range names {
		scenes, err := sims.NewScenes(sims.SceneConfig{Single: true, MinPixel: pixel / fine, MaxPixel: pixel / fine, Sharp: 1, Band: name})
		if err != nil {
			t.Fatal(err)
		}
		point := make([]float64, 41*41*fine*fine)
		point[len(point)/2] = 1
		for i, v := range binned(blurred(point, 41*fine, seeing[b]), 41) {
			obs.PSF.Plane(b)[i] = float32(v)
		}
		patch := make([]float32, side*side*fine*fine)
		for k, s := range shift {
			scenes.Patch(patch, side*fine, key.Fold(uint64(k+1)))
			sed := math.Exp(float64(b-2) * (0.25 + 0.2*sims.Rand(key.Fold(uint64(100+k))).NormFloat64()))
			im := make([]float64, len(patch))
			for i, v := range patch {
				im[i] = sed * float64(v)
			}
			if b == 0 {
				flux = append(flux, make([]float64, 4))
			}
			seen := binned(blurred(im, side*fine, seeing[b]), side)
			var sum, mx, my float64
			for i, v := range seen {
				sum, mx, my = sum+v, mx+v*float64(i%side), my+v*float64(i/side)
				if x, y := i%side+s[0], i/side+s[1]; x >= 0 && x < side && y >= 0 && y < side {
					obs.Data.Plane(b)[y*side+x] += float32(v)
				}
			}
			flux[k][b] = sum
			if b == 2 {
				src = append(src, deblend.Source{ID: k + 1, Kind: deblend.Galaxy, X: mx/sum + float64(s[0]), Y: my/sum + float64(s[1])})
			}
		}
		for i := range obs.Data.Plane(b) {
			obs.Data.Plane(b)[i] += float32(noise[b] * rng.NormFloat64())
			obs.Weights.Plane(b)[i] = float32(1 / (noise[b] * noise[b]))
		}
	}
	return obs, src, flux
}

// blurred convolves with four parts of a Gaussian of σ pixels and one of twice the
// width, on a grid of fine steps.
func blurred(im []float64, side int, sigma float64) []float64 {
	out := make([]float64, len(im))
	for i, share := range []float64{0.8, 0.2} {
		for j, v := range gaussBlur(im, side, sigma*fine*float64(i+1)) {
			out[j] += share * v
		}
	}
	return out
}

func gaussBlur(im []float64, side int, sigma float64) []float64 {
	r := int(4.5 * sigma)
	kernel, sum := make([]float64, 2*r+1), 0.0
	for i := range kernel {
		kernel[i] = math.Exp(-0.5 * math.Pow(float64(i-r)/sigma, 2))
		sum += kernel[i]
	}
	for pass := range 2 {
		out := make([]float64, len(im))
		for y := range side {
			for x := range side {
				v := im[y*side+x] / sum
				if v == 0 {
					continue
				}
				for i, k := range kernel {
					u, w := x+i-r, y
					if pass == 1 {
						u, w = x, y+i-r
					}
					if u >= 0 && u < side && w >= 0 && w < side {
						out[w*side+u] += k * v
					}
				}
			}
		}
		im = out
	}
	return im
}

func binned(im []float64, side int) []float64 {
	out := make([]float64, side*side)
	for i, v := range im {
		out[i/(side*fine)/fine*side+i%(side*fine)/fine] += v
	}
	return out
}

// The galaxies are not those of the model, and of no test: the model error is chosen
// here, where the error bars of the fluxes are right, and judged elsewhere.
func TestDeblend_OwnSimulations_ErrorBarsHold(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{Workers: 2})
	defer dev.Close()
	var pulls, errs []float64
	var rhat float64
	for i := *deblendFirst; i < *deblendOwn; i += *deblendEvery {
		obs, src, flux := ownBlend(t, engine.NewKey(*deblendSeed).Fold(uint64(i)))
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		for k := range src { // as a detection would give them
			src[k].X, src[k].Y = src[k].X+0.2*rng.NormFloat64(), src[k].Y+0.2*rng.NormFloat64()
		}
		opt := deblend.Options{Components: *deblendComponents, ModelError: *deblendError, Workers: 2}
		r, err := deblend.Fit(context.Background(), dev, obs, src, opt)
		if err != nil {
			t.Fatal(err)
		}
		mode := r.Chi2[2]
		if *deblendDraws > 0 {
			p, err := r.Sample(context.Background(), dev, deblend.SampleOptions{Draws: *deblendDraws, Rounds: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("blend %d: acceptance %.2f, R-hat %.2f", i, p.Acceptance, p.RHat)
			rhat = max(rhat, p.RHat)
		}
		for k, f := range r.Sources {
			pull := (f.Flux[2] - flux[k][2]) / f.FluxErr[2]
			pulls, errs = append(pulls, pull), append(errs, math.Abs(f.Flux[2]/flux[k][2]-1))
			t.Logf("blend %d source %d: flux %.3f ± %.3f, truth %.3f, pull %.2f, χ² %.2f, blended %.2f", i, k+1, f.Flux[2], f.FluxErr[2], flux[k][2], pull, mode, f.Blendedness)
		}
	}
	in68, in90, mean, square := 0.0, 0.0, 0.0, 0.0
	n := float64(len(pulls))
	for _, p := range pulls {
		mean, square = mean+p/n, square+p*p/n
		if math.Abs(p) < 1 {
			in68 += 1 / n
		}
		if math.Abs(p) < 1.645 {
			in90 += 1 / n
		}
	}
	t.Logf("%d sources, worst R-hat %.2f: 68 %% interval covers %.3f, 90 %% %.3f; pull mean %.2f, rms %.2f; flux error median %.4f, p90 %.4f", len(pulls), rhat, in68, in90, mean, math.Sqrt(square), deblendQuantile(errs, .5), deblendQuantile(errs, .9))
	if *deblendDraws > 0 && (in90 < 0.82 || in90 > 0.97) {
		t.Errorf("90 %% interval covers %.3f", in90)
	}
}
