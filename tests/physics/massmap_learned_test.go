package physics

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"limpid/app/session/lens"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
	"limpid/priors/lognormal"
	"limpid/solvers"
	"limpid/solvers/massmap"
	"limpid/solvers/operator"
)

// drawsOf runs a method to n draws of the map (no padding).
func drawsOf(t *testing.T, dev engine.Device, f *massmap.Field, set massmap.Settings, n int) [][]float32 {
	t.Helper()
	p, err := massmap.New(context.Background(), dev, f, set)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var out [][]float32
	for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: 100000, Seed: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind == solvers.Draw {
			for b := range step.State.Count {
				x := make([]float32, f.H*f.W)
				step.State.Stream.Download(x, step.State.X.Slice(b, b+1))
				out = append(out, x)
			}
		}
		if len(out) >= n {
			break
		}
	}
	return out
}

// posteriorMoments are mean, standard deviation and skewness per pixel, each draw's mean
// over the field taken off: the last two averaged over pixels.
func posteriorMoments(draws [][]float32) (mean []float32, std, skew float64) {
	n := len(draws[0])
	mean = make([]float32, n)
	flat := make([]float64, len(draws))
	for k, d := range draws {
		for _, v := range d {
			flat[k] += float64(v) / float64(n)
		}
	}
	var m2, m3 float64
	for i := range n {
		var m float64
		for k, d := range draws {
			m += (float64(d[i]) - flat[k]) / float64(len(draws))
		}
		mean[i] = float32(m)
		for k, d := range draws {
			r := float64(d[i]) - flat[k] - m
			m2 += r * r / float64(n*(len(draws)-1))
			m3 += r * r * r / float64(n*len(draws))
		}
	}
	return mean, math.Sqrt(m2), m3 / math.Pow(m2, 1.5)
}

// On lognormal truths the exact posterior is known by Hamiltonian Monte Carlo: what the
// learned sampler makes of the same data. The bands are those of docs/benchmarks.
func TestMassMap_LearnedSamplerAgainstLognormal(t *testing.T) {
	slow(t)
	dir := massFolder(t, dataFolder(t))
	sp := kappaTheory(t, dir)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	const side, sigma = 96, 0.124
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(side, side, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	prior, err := lognormal.New(dev, s, []gaussian.Spectrum{sp}, []float64{massShift}, op.Domain(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	x, _ := dev.Alloc(engine.Shape{1, 1, side, side})
	y, _ := dev.Alloc(engine.Shape{1, 2, side, side})
	noise, _ := dev.Alloc(y.Shape())
	truth, both, std := make([]float32, side*side), make([]float32, 2*side*side), make([]float32, side*side)
	prior.Sample(s, x, engine.NewKey(7))
	op.Forward(s, y, x)
	s.Normal(noise, engine.NewKey(8))
	s.Axpy(y, sigma, noise)
	s.Download(truth, x)
	s.Download(both, y)
	for i := range std {
		std[i] = sigma
	}
	f, err := massmap.NewField(massmap.Gridded{H: side, W: side, Arcmin: massPixel, G1: both[:side*side], G2: both[side*side:], Std1: std})
	if err != nil {
		t.Fatal(err)
	}
	set := massmap.Settings{Method: massmap.Lognormal, Spectrum: sp, Shift: massShift, Chains: 4}
	exact := drawsOf(t, dev, f, set, 400)
	m0, s0, k0 := posteriorMoments(exact)
	rm, r := judge(truth, m0, f)
	fmt.Printf("lognormal HMC: %d draws, std %.4f, skewness %.2f, RMSE %.4f, r %.3f\n", len(exact), s0, k0, rm, r)
	for _, c := range []struct {
		name       string
		gaussian   bool
		stationary bool
		moves      int
	}{{"learned", false, false, 10}, {"learned, no moves", false, false, -1}, {"learned, Gaussian covariance", false, true, -1}, {"Gaussian part", true, true, -1}} {
		began := time.Now()
		p, err := lens.OpenPrior(dev, lens.DefaultPrior, massPixel)
		if err != nil {
			t.Fatal(err)
		}
		p.GaussianOnly(c.gaussian)
		l := p.Learned
		l.Batch, l.Stationary, l.Moves = 8, c.stationary, c.moves
		draws := drawsOf(t, dev, f, massmap.Settings{Method: massmap.Score, Spectrum: p.Spectrum, Learned: l}, 16)
		p.Close()
		m, sd, k := posteriorMoments(draws)
		rm, r := judge(truth, m, f)
		var d, scatter float64
		for i := range m {
			d += math.Pow(float64(m[i]-m0[i]), 2) / float64(len(m))
		}
		scatter = sd * sd / float64(len(draws))
		fmt.Printf("%-29s %d draws, std %.4f (%.2f of exact), skewness %.2f, mean off by %.2f of the exact std beyond its sampling noise, RMSE %.4f, r %.3f; %.0f s\n",
			c.name+":", len(draws), sd, sd/s0, k, math.Sqrt(math.Max(0, d-scatter))/s0, rm, r, time.Since(began).Seconds())
	}
}
