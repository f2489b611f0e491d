package physics

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors"
	"limpid/priors/sims"
)

// Priors of images make the same of a faint source on every grid: images are solved on grids that are larger than they are
// by the PSF. A prior of one galaxy in the middle that had learned one side of stamps only found a fifth of that on larger ones.
func TestShipped_FaintSource_SameOnEveryGrid(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	for name, learned := range map[string]int{"galaxies-small": 80, "galaxies": 64} {
		t.Run(name, func(t *testing.T) {
			p, _ := shipped(t, dev, s, name)
			sameOnGrids(t, dev, s, p, learned)
		})
	}
}

// sameOnGrids compares grids with one of the training's size.
func sameOnGrids(t *testing.T, dev engine.Device, s engine.Stream, p priors.Prior, learned int) {
	const noises, snr = 24, 6
	// found is the denoised over the true flux of a source of a width, px, on a grid
	found := func(side int, sigma float64) float64 {
		scene := make([]float64, side*side)
		var square float64
		for i := range scene {
			x, y := float64(i%side)-float64(side-1)/2-0.3, float64(i/side)-float64(side-1)/2-0.3
			scene[i] = math.Exp(-(x*x+y*y)/(2*sigma*sigma)) / (2 * math.Pi * sigma * sigma)
			square += scene[i] * scene[i]
		}
		flux, sum := snr/math.Sqrt(square), 0.0
		shape := engine.Shape{noises, side, side}
		x, d := make([]float32, shape.Len()), make([]float32, shape.Len())
		for k := range noises {
			rng := sims.Rand(engine.NewKey(41).Fold(uint64(k)))
			// the same noise in the middle of every grid
			for r := range 32 * 32 {
				row, col := r/32+side/2-16, r%32+side/2-16
				x[(k*side+row)*side+col] = float32(rng.NormFloat64())
			}
			for i := range scene {
				if row, col := i/side-side/2+16, i%side-side/2+16; row < 0 || row >= 32 || col < 0 || col >= 32 {
					x[k*side*side+i] = float32(rng.NormFloat64())
				}
				x[k*side*side+i] += float32(flux * scene[i])
			}
		}
		tensors := make([]*engine.Tensor, 2)
		for i := range tensors {
			var err error
			if tensors[i], err = dev.Alloc(shape); err != nil {
				t.Fatal(err)
			}
			defer tensors[i].Free()
		}
		s.Upload(tensors[0], x)
		p.Score(s, tensors[1], tensors[0], 1)
		s.Download(d, tensors[1])
		for i := range d {
			if row, col := i/side%side-side/2, i%side-side/2; max(row, -row) <= 8 && max(col, -col) <= 8 {
				sum += float64(d[i]+x[i]) / noises
			}
		}
		return sum / flux
	}
	for _, sigma := range []float64{0.65, 1.3, 2.2} {
		want := found(learned, sigma)
		for _, side := range []int{40, 56, 96, 128} {
			got := found(side, sigma)
			t.Logf("σ %g px: %.3f of the flux on %d², %.3f on %d²", sigma, got, side, want, learned)
			// what is narrower than most that the prior knows gets wings, that is more light, also where all is well
			if math.Abs(got/want-1) > 0.05 || got < 0.8 || got > 1.6 {
				t.Errorf("a source of σ %g px and S/N %d: %.3f of its flux on a grid of %d², %.3f on one of %d²", sigma, snr, got, side, want, learned)
			}
		}
	}
}
