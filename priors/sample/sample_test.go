package sample

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
)

// The samplers draw from a Gaussian field, whose score is exact: the power of the
// draws in rings must be the prior's. The bands are three standard errors of the
// power of this many modes, plus what finite levels cost, measured: 2 % for the SDE
// and the ODE at these levels, 8 % for Langevin.
func TestDraw_GaussianPrior_HasItsPower(t *testing.T) {
	const side, batch = 32, 24
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	sp := gaussian.PowerLaw(3, 0.1, 2.5)
	p, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, engine.Shape{1, side, side}, batch)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	x, _ := dev.Alloc(engine.Shape{batch, 1, side, side})
	for _, c := range []struct {
		Config
		band float64
	}{
		{Config{Method: SDE, Levels: 64}, 0.03},
		{Config{Method: ODE, Levels: 60}, 0.03},
		{Config{Method: Langevin, Levels: 100, Moves: 20}, 0.09},
	} {
		t.Run(string(c.Method), func(t *testing.T) {
			c.Start, c.End, c.Key = 300, 0.02, engine.NewKey(3)
			if err := Draw(context.Background(), dev, s, p, x, c.Config); err != nil {
				t.Fatal(err)
			}
			host := make([]float32, x.Len())
			s.Download(host, x)
			maps := make([][]float64, batch)
			for i, v := range host {
				maps[i/(side*side)] = append(maps[i/(side*side)], float64(v))
			}
			bins, err := gaussian.Periodogram(maps, side, side, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			grid := sp.OnGrid(side, side)
			for i, b := range bins {
				var want, n float64
				for m, v := range grid {
					k := math.Hypot(gaussian.Frequency(m/(side/2+1), side), float64(m%(side/2+1))/side)
					if k > 0 && k <= 0.5 && int(math.Floor(math.Log2(k*side)+0.5)) == i {
						w := gaussian.ModeWeight(m%(side/2+1), side)
						want, n = want+w*v, n+w
					}
				}
				want /= n
				band := c.band + 3*math.Sqrt(2/(n*batch))
				t.Logf("k %.3f: %.4g of %.4g", b.K, b.Power, want)
				if math.Abs(b.Power/want-1) > band {
					t.Errorf("k = %.3f: power %.4g, want %.4g within %.0f %%", b.K, b.Power, want, 100*band)
				}
			}
		})
	}
}

func TestDraw_BadConfig_IsRefused(t *testing.T) {
	for _, c := range []Config{{Start: 1, End: 2}, {Start: 1, End: 0}, {Start: 1, End: 0.1, Method: "gibbs"}, {Start: 1, End: 0.1, Levels: 1}} {
		if err := Draw(context.Background(), nil, nil, nil, nil, c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
