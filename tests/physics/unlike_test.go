package physics

import (
	"fmt"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/evaluate"
	"limpid/priors/sims"
)

// The test for images unlike the training, on what ships: false alarms on fresh tiles
// of the simulator at a peak of 5 to 500 σ, at most 1 % within three standard
// deviations of a binomial distribution; and what it finds.
func TestShipped_UnlikeImagesAreFound(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p, c := shipped(t, dev, s, "galaxies")
	if c.Typical == nil {
		t.Skip("the card has no distribution to compare with")
	}
	test, err := evaluate.NewTest(dev, s, p, *c.Typical)
	if err != nil {
		t.Fatal(err)
	}
	defer test.Close()
	const n, side = 200, evaluate.TileSide
	source := sourceOf(t, c)
	// tile is a fresh one, changed before and after noise of 1 is added
	tile := func(i int, snr float64, before, after func(x []float32)) []float32 {
		rng := sims.Rand(engine.NewKey(31).Fold(uint64(i)))
		big := make([]float32, 4*side*side)
		source.Patch(big, 2*side, engine.NewKey(32).Fold(uint64(i)))
		x := make([]float32, side*side)
		var peak float32
		for j := range x {
			x[j] = big[(j/side+side/2)*2*side+j%side+side/2]
			peak = max(peak, x[j])
		}
		for j := range x {
			x[j] *= float32(snr) / max(peak, 1e-30)
		}
		if before != nil {
			before(x)
		}
		for j := range x {
			x[j] += float32(rng.NormFloat64())
		}
		if after != nil {
			after(x)
		}
		return x
	}
	rate := func(name string, n int, make func(i int, snr float64) []float32) float64 {
		bad := 0
		for i := range n {
			snr := 5 * math.Pow(100, (float64(i)+0.5)/float64(n))
			if p, _ := test.PValue(test.Measure(make(i, snr), 1, engine.NewKey(33).Fold(uint64(i)))); p < evaluate.Alarm {
				bad++
			}
		}
		r := float64(bad) / float64(n)
		t.Logf("%-28s %5.1f %% of %d tiles", name, 100*r, n)
		return r
	}
	if r := rate("like the training", n, func(i int, snr float64) []float32 { return tile(i, snr, nil, nil) }); r > evaluate.Alarm+3*math.Sqrt(evaluate.Alarm/n) {
		t.Errorf("%.1f %% false alarms", 100*r)
	}
	// data of a deconvolution are smoother than scenes: that is no reason to call them unlike
	for _, sigma := range []float64{1.3, 2.1} {
		if r := rate(fmt.Sprintf("seen through σ = %.1f px", sigma), n, func(i int, snr float64) []float32 {
			return tile(i, snr, func(x []float32) { blur(x, side, sigma) }, nil)
		}); r > 3*evaluate.Alarm {
			t.Errorf("%.1f %% false alarms through a PSF", 100*r)
		}
	}
	found := map[string]float64{}
	const few = 40
	found["noise 1.5 times as large"] = rate("noise 1.5 times as large", few, func(i int, snr float64) []float32 {
		return tile(i, snr, nil, func(x []float32) {
			rng := sims.Rand(engine.NewKey(41).Fold(uint64(i)))
			for j := range x {
				x[j] += float32(math.Sqrt(1.25) * rng.NormFloat64())
			}
		})
	})
	found["noise half as large"] = rate("noise half as large", few, func(i int, snr float64) []float32 {
		x := tile(i, snr/2, nil, nil)
		for j := range x {
			x[j] /= 2
		}
		return x
	})
	found["noise of neighbours averaged"] = rate("noise of neighbours averaged", few, func(i int, snr float64) []float32 {
		x := tile(i, snr, nil, nil)
		y := append([]float32(nil), x...)
		for j := range x[:side*side-side-1] {
			x[j] = (y[j] + y[j+1] + y[j+side] + y[j+side+1]) / 2 // variance 1
		}
		return x
	})
	found["stripes of .5 σ"] = rate("stripes of .5 σ", few, func(i int, snr float64) []float32 {
		return tile(i, snr, func(x []float32) {
			for j := range x {
				x[j] += 0.5 * float32(1-2*(j/side/2%2))
			}
		}, nil)
	})
	found["a sky of 2 σ left in"] = rate("a sky of 2 σ left in", few, func(i int, snr float64) []float32 {
		return tile(i, snr, func(x []float32) {
			for j := range x {
				x[j] += 2
			}
		}, nil)
	})
	found["white structure of 5 σ"] = rate("white structure of 5 σ", few, func(i int, snr float64) []float32 {
		return tile(i, snr, func(x []float32) {
			rng := sims.Rand(engine.NewKey(42).Fold(uint64(i)))
			for j := range x {
				x[j] += float32(5 * rng.ExpFloat64())
			}
		}, nil)
	})
	for _, name := range []string{"noise 1.5 times as large", "noise half as large", "white structure of 5 σ"} {
		if found[name] < 0.9 {
			t.Errorf("%s: found in %.0f %% of the tiles only", name, 100*found[name])
		}
	}
}

// blur convolves an image with a Gaussian, repeating its borders.
func blur(x []float32, side int, sigma float64) {
	reach := int(4 * sigma)
	y := make([]float32, len(x))
	for _, step := range []int{1, side} {
		for i := range x {
			at, line := i%side, i-i%side
			if step == side {
				at, line = i/side, i%side
			}
			var sum, weight float64
			for d := -reach; d <= reach; d++ {
				w := math.Exp(-float64(d*d) / (2 * sigma * sigma))
				sum += w * float64(x[line+step*min(max(at+d, 0), side-1)])
				weight += w
			}
			y[i] = float32(sum / weight)
		}
		copy(x, y)
	}
}
