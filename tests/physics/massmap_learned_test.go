package physics

import (
	"fmt"
	"math"
	"testing"
	"time"

	"limpid/app/session/lens"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/sims"
	"limpid/solvers/massmap"
)

// posteriorMoments are mean, standard deviation and skewness per pixel, each draw's mean
// over the field taken off: the last two averaged over pixels, from the unbiased second and
// third moments (with 24 draws the plain third moment is 12 % too small).
func posteriorMoments(draws [][]float32) (mean []float32, std, skew float64) {
	n := len(draws[0])
	mean = make([]float32, n)
	flat := make([]float64, len(draws))
	for k, d := range draws {
		for _, v := range d {
			flat[k] += float64(v) / float64(n)
		}
	}
	l := float64(len(draws))
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
			m3 += r * r * r * l / ((l - 1) * (l - 2)) / float64(n)
		}
	}
	return mean, math.Sqrt(m2), m3 / math.Pow(m2, 1.5)
}

// On lognormal truths the exact posterior is known by Hamiltonian Monte Carlo. The
// learned prior knows haloes besides, so that the two are not quite the same.
func TestMassMap_LearnedSamplerAgainstLognormal(t *testing.T) {
	slow(t)
	dir := massFolder(t, dataFolder(t))
	cfg := sims.COSMOS()
	cfg.MinHalo = 0
	source, err := sims.NewKappa(cfg)
	if err != nil {
		t.Fatal(err)
	}
	truth := make([]float32, massSide*massSide)
	source.Patch(truth, massSide, engine.NewKey(7))
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f := mock(t, dev, dir, truth, 8)
	exact := runMass(t, dev, f, truth, massmap.Settings{Method: massmap.Lognormal, Spectrum: source.Spectrum(), Shift: cfg.Shift, Chains: 4, Thin: 4}, 320).samples
	m0, s0, k0 := posteriorMoments(exact)
	rm, r := judge(truth, m0, f)
	fmt.Printf("lognormal HMC: %d draws, std %.4f, skewness %.2f, RMSE %.4f, r %.3f\n", len(exact), s0, k0, rm, r)
	p, err := lens.OpenPrior(dev, lens.DefaultPrior, massPixel)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	began, used := time.Now(), cpuSeconds()
	draws := runMass(t, dev, f, truth, massmap.Settings{Method: massmap.Score, Spectrum: source.Spectrum(), Learned: p.Learned}, 24).samples
	cost := cpuSeconds() - used
	m, sd, k := posteriorMoments(draws)
	rm, r = judge(truth, m, f)
	// products of two halves, so that their scatter does not count
	a, _, _ := posteriorMoments(draws[:12])
	b, _, _ := posteriorMoments(draws[12:])
	var d float64
	for i := range m {
		d += float64((a[i]-m0[i])*(b[i]-m0[i])) / float64(len(m))
	}
	off := math.Sqrt(math.Max(0, d)) / s0
	fmt.Printf("learned: %d draws, std %.4f (%.3f of exact), skewness %.2f, mean off by %.3f of the exact std beyond its scatter, RMSE %.4f, r %.3f; %.0f s, %.0f s of processor\n",
		len(draws), sd, sd/s0, k, off, rm, r, time.Since(began).Seconds(), cost)
	if ratio := sd / s0; ratio < 0.95 || ratio > 1.05 {
		t.Errorf("standard deviation %.3f of the exact one, want .95 to 1.05", ratio)
	}
	if math.Abs(k-k0) > 0.25 {
		t.Errorf("skewness %.2f, exact %.2f: they may differ by .25", k, k0)
	}
	if off > 0.2 {
		t.Errorf("mean off by %.3f standard deviations, at most .2", off)
	}
}

// What coverage at high truths means: truths of the very prior, and its exact posterior.
// Over all pixels, and where the map is high, the 90 % intervals hold; where the truth is
// high they do not, and no calibrated interval would.
func TestMassMap_TruthsOfThePrior_CoverageByTruthAndByMap(t *testing.T) {
	slow(t)
	dir := massFolder(t, dataFolder(t))
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	for _, haloes := range []bool{false, true} {
		cfg := sims.COSMOS()
		if !haloes {
			cfg.MinHalo = 0
		}
		source, err := sims.NewKappa(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var rows []massResult
		for seed := range *massPriorTruths {
			truth := make([]float32, massSide*massSide)
			source.Patch(truth, massSide, engine.NewKey(uint64(3+seed)))
			f := mock(t, dev, dir, truth, 3+seed)
			r := runMass(t, dev, f, truth, massmap.Settings{Method: massmap.Lognormal, Spectrum: source.Spectrum(), Shift: cfg.Shift}, 400)
			fmt.Printf("lognormal posterior, %s, truth %d: %s\n", source.About(), seed, r)
			rows = append(rows, r)
		}
		m, off := average(rows)
		fmt.Printf("lognormal posterior, %s, mean of %d: %s\n  its error: %s\n", source.About(), len(rows), m, off)
		if haloes {
			continue // not its prior: to look at
		}
		if m.cover[0] < 0.87 || m.cover[0] > 0.93 || m.seen[0] < 0.84 || m.seen[0] > 0.95 {
			t.Errorf("coverage %.3f, where the map is above .05 %.3f, want .9", m.cover[0], m.seen[0])
		}
		if m.cover[2] > 0.6 {
			t.Errorf("coverage %.3f where the truth is above .1: what the documentation says of it is wrong", m.cover[2])
		}
	}
}
