package deblend

import (
	"context"
	"math"
	"testing"

	"limpid/solvers/deblend/internal/dense"
)

func TestMarginal_AnyCoordinate_GradientMatchesDifferences(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 32, 36, shapes, flux, 1)
	g, err := newGroup(dev, obs, src, Options{Sky: true, PSFError: true}.withDefaults(obs))
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	for i := range shapes {
		g.theta[i] = theta{shapes[i].X + 0.2, shapes[i].Y - 0.1, 0.8, 0.2, 0.3, -0.2}
	}
	g.seeing[1] = [nSeeing]float64{0.1, -0.2, 0.1, -.1, .05, .1, -.2, .1, -.2}
	m := newMarginal(g)
	grad, none := make([]float64, len(m.coord)), make([]float64, len(m.coord))
	if _, err := m.value(grad); err != nil {
		t.Fatal(err)
	}
	for j, i := range m.coord {
		f, h := g.free[i], 1e-3
		at, diff := g.get(f), 0.0
		for _, s := range []float64{1, -1} {
			g.put(f, at+s*h)
			v, err := m.value(none)
			if err != nil {
				t.Fatal(err)
			}
			diff += s * v / (2 * h)
		}
		g.put(f, at)
		if math.Abs(grad[j]-diff) > math.Abs(diff)*0.02+0.5 {
			t.Errorf("parameter %+v: gradient %g, differences %g", f, grad[j], diff)
		}
	}
	// against the joint posterior, whose integral over the fluxes is a Gaussian's:
	// U = −ln posterior at the least squares + ½ ln|H|
	u, err := m.value(none)
	if err != nil {
		t.Fatal(err)
	}
	var det float64
	for b := range g.p.b {
		for k := range g.src {
			g.flux[k*g.p.b+b] = m.mean[b][k]
		}
		g.sky[b] = m.mean[b][len(g.src)]
		det -= dense.LogDet(m.cov[b], m.linear)
	}
	joint, err := g.objective()
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(joint+det/2-u) > 0.05 {
		t.Errorf("U %g, of the joint posterior %g", u, joint+det/2)
	}
}

func TestSample_Positive_NoFluxBelowZeroAndFaintIsPulledUp(t *testing.T) {
	dev := device(t)
	shapes, _ := pair()
	obs, src := scene(t, dev, 28, 32, shapes, [][]float64{{900, 700}, {4, 2}}, 4)
	var mean [2]float64
	for i, positive := range []bool{false, true} {
		r, err := Fit(context.Background(), dev, obs, src, Options{NoFreeForm: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Sample(context.Background(), dev, SampleOptions{Draws: 40, Chains: 2, Warmup: 24, Thin: 1, Rounds: 1, Positive: positive, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		below := 0
		for _, d := range p.Flux {
			for _, v := range d[1] {
				mean[i] += v / float64(2*p.Draws)
				if v < 0 {
					below++
				}
			}
		}
		if positive == (below > 0) {
			t.Errorf("positive %v: %d fluxes below 0", positive, below)
		}
	}
	if mean[1] <= mean[0] {
		t.Errorf("mean flux of the faint source %.1f, %.1f with fluxes ≥ 0", mean[0], mean[1])
	}
}
