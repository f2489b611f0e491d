package mcmc_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
	"limpid/priors/lognormal"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/operator"
)

// shearProblem is a 12² field on a 16² grid with uneven noise and a hole, and its dense
// Gaussian posterior.
type shearProblem struct {
	op, white *operator.Shear
	prior     *gaussian.Prior
	sp        gaussian.Spectrum
	data, wt  solvers.Image
	mean      *mat.VecDense
	cov       *mat.SymDense
}

const fieldSide, gridSide = 12, 16

func newShearProblem(t *testing.T, dev engine.Device, batch int) *shearProblem {
	t.Helper()
	s := dev.NewStream()
	g := operator.Grid{C: 1, H: gridSide, W: gridSide, Row: 2, Col: 2, ImgH: fieldSide, ImgW: fieldSide}
	p := &shearProblem{sp: gaussian.PowerLaw(0.02, 0.15, 1.5)}
	var err error
	if p.op, err = operator.NewShear(dev, s, g, batch); err != nil {
		t.Fatal(err)
	}
	if p.white, err = operator.NewShear(dev, s, g, batch); err != nil {
		t.Fatal(err)
	}
	power := p.sp.OnGrid(gridSide, gridSide)
	root := make([]float32, len(power))
	for i, v := range power {
		root[i] = float32(math.Sqrt(v))
	}
	p.white.SetRoot(s, root)
	if p.prior, err = gaussian.New(dev, s, []gaussian.Spectrum{p.sp}, g.Domain(), batch); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.op.Close(); p.white.Close(); p.prior.Close() })
	p.data, p.wt = solvers.NewImage(2, fieldSide, fieldSide), solvers.NewImage(2, fieldSide, fieldSide)
	for i := range p.data.Pix {
		x, y := i%fieldSide, i/fieldSide%fieldSide
		p.wt.Pix[i] = float32(40 + 10*x)
		if x > 7 && y > 2 && y < 7 {
			p.wt.Pix[i] = 0
			continue
		}
		p.data.Pix[i] = float32(0.2 * math.Sin(float64(i)*0.7))
	}
	p.dense(t, dev, s, power)
	return p
}

// dense computes the posterior of κ in float64 from the operator's columns.
func (p *shearProblem) dense(t *testing.T, dev engine.Device, s engine.Stream, power []float64) {
	t.Helper()
	n, m := gridSide*gridSide, 2*fieldSide*fieldSide
	a := mat.NewDense(m, n, nil)
	x, _ := dev.Alloc(engine.Shape{1, 1, gridSide, gridSide})
	y, _ := dev.Alloc(engine.Shape{1, 2, fieldSide, fieldSide})
	unit, col := make([]float32, n), make([]float32, m)
	for j := range n {
		clear(unit)
		unit[j] = 1
		s.Upload(x, unit)
		p.op.Forward(s, y, x)
		s.Download(col, y)
		for i, v := range col {
			a.Set(i, j, float64(v))
		}
	}
	var inv, aw, awa mat.Dense
	if err := inv.Inverse(stationary(power, gridSide, gridSide)); err != nil {
		t.Fatal(err)
	}
	w, b := mat.NewDiagDense(m, nil), mat.NewVecDense(m, nil)
	for i, v := range p.wt.Pix {
		w.SetDiag(i, float64(v))
		b.SetVec(i, float64(p.data.Pix[i]))
	}
	aw.Mul(a.T(), w)
	awa.Mul(&aw, a)
	inv.Add(&inv, &awa)
	var full mat.Dense
	if err := full.Inverse(&inv); err != nil {
		t.Fatal(err)
	}
	p.cov = mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			p.cov.SetSym(i, j, (full.At(i, j)+full.At(j, i))/2)
		}
	}
	var rhs mat.VecDense
	rhs.MulVec(&aw, b)
	p.mean = mat.NewVecDense(n, nil)
	p.mean.MulVec(p.cov, &rhs)
}

// moments runs a kernel and compares mean and variances along eigenvectors of the exact
// covariance; it returns the worst deviations, in standard errors for ess draws each.
func (p *shearProblem) compare(t *testing.T, k solvers.Kernel, steps int, ess func(draws int) float64) (mean, variance float64) {
	t.Helper()
	n := gridSide * gridSide
	var eig mat.EigenSym
	eig.Factorize(p.cov, true)
	var vec mat.Dense
	eig.VectorsTo(&vec)
	values := eig.Values(nil)
	const directions = 24
	sum, sq, draws := [directions]float64{}, [directions]float64{}, 0
	buf := make([]float32, n)
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: steps, Seed: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		for b := range step.State.Count {
			step.State.Stream.Download(buf, step.State.X.Slice(b, b+1))
			draws++
			for d := range directions {
				col := d * (n - 1) / (directions - 1)
				var proj float64
				for i, v := range buf {
					proj += (float64(v) - p.mean.AtVec(i)) * vec.At(i, col)
				}
				proj /= math.Sqrt(values[col])
				sum[d] += proj
				sq[d] += proj * proj
			}
		}
	}
	e := ess(draws)
	for d := range directions {
		mean = max(mean, math.Abs(sum[d]/float64(draws))*math.Sqrt(e))
		variance = max(variance, math.Abs(sq[d]/float64(draws)-1)*math.Sqrt(e/2))
	}
	return mean, variance
}

// 24 directions: 4.5 standard errors are passed by chance once in 6000 runs.
const deviation = 4.5

func TestLatentExact_Shear_MatchesDenseAlgebra(t *testing.T) {
	dev := newDevice(t)
	p := newShearProblem(t, dev, 4)
	k, err := mcmc.NewLatentExact(dev, p.white, p.prior, mcmc.LatentExactConfig{Data: p.data, Weights: p.wt, Batch: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	got := make([]float32, gridSide*gridSide)
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		step.State.Stream.Download(got, step.State.X)
	}
	for i, v := range got {
		if math.Abs(float64(v)-p.mean.AtVec(i)) > 1e-4*mat.Max(p.mean) {
			t.Fatalf("pixel %d of the mean: %g, want %g", i, v, p.mean.AtVec(i))
		}
	}
	mean, variance := p.compare(t, k, 501, func(n int) float64 { return float64(n) })
	if mean > deviation || variance > deviation {
		t.Errorf("draws off by %.1f (mean) and %.1f (variance) standard errors", mean, variance)
	}
}

// With a Gaussian prior the same target is known exactly; the draws are correlated, their
// effective number is taken as a third.
func TestLatentHMC_GaussianPrior_MatchesDenseAlgebra(t *testing.T) {
	dev := newDevice(t)
	p := newShearProblem(t, dev, 4)
	lat, err := mcmc.NewSpectral(dev, p.prior, engine.Shape{4, 1, gridSide, gridSide})
	if err != nil {
		t.Fatal(err)
	}
	defer lat.Close()
	k, err := mcmc.NewLatentHMC(dev, p.op, lat, mcmc.LatentConfig{
		Data: p.data, Weights: p.wt, Power: p.sp.OnGrid(gridSide, gridSide), Chains: 4, Warmup: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	mean, variance := p.compare(t, k, 100+1500, func(n int) float64 { return float64(n) / 3 })
	t.Logf("worst deviations: mean %.1f, variance %.1f standard errors", mean, variance)
	if mean > deviation || variance > deviation {
		t.Errorf("draws off by %.1f (mean) and %.1f (variance) standard errors", mean, variance)
	}
}

// With the lognormal prior: at a posterior draw of simulated truth and data, truth and
// draw are exchangeable, so that ranks of the truth among the draws are uniform (Talts
// +2018); here for the mean of κ², the third moment and one pixel, over 40 problems.
func TestLatentHMC_Lognormal_RanksOfTheTruthAreUniform(t *testing.T) {
	if testing.Short() {
		t.Skip("40 runs")
	}
	dev := newDevice(t)
	s := dev.NewStream()
	const n, problems, draws = 16, 40, 19
	g := operator.ShearGrid(n, n, 0)
	op, err := operator.NewShear(dev, s, g, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	sp := gaussian.PowerLaw(0.004, 0.1, 1.6)
	prior, err := lognormal.New(dev, s, []gaussian.Spectrum{sp}, []float64{0.05}, g.Domain(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	x, _ := dev.Alloc(engine.Shape{1, 1, n, n})
	y, _ := dev.Alloc(engine.Shape{1, 2, n, n})
	stat := func(v []float32) [3]float64 {
		var m2, m3 float64
		for _, q := range v {
			m2 += float64(q) * float64(q)
			m3 += math.Pow(float64(q), 3)
		}
		return [3]float64{m2, m3, float64(v[77])}
	}
	host := make([]float32, n*n)
	var hist [3][4]int
	for problem := range problems {
		key := engine.NewKey(uint64(100 + problem))
		prior.Sample(s, x, key.Fold(0))
		s.Download(host, x)
		truth := stat(host)
		op.Forward(s, y, x)
		noise, _ := dev.Alloc(y.Shape())
		s.Normal(noise, key.Fold(1))
		s.Axpy(y, 0.08, noise)
		noise.Free()
		data, wt := solvers.NewImage(2, n, n), solvers.NewImage(2, n, n)
		s.Download(data.Pix, y)
		for i := range wt.Pix {
			wt.Pix[i] = 1 / (0.08 * 0.08)
		}
		k, err := mcmc.NewLatentHMC(dev, op, prior, mcmc.LatentConfig{Data: data, Weights: wt, Power: sp.OnGrid(n, n), Chains: 1, Warmup: 60})
		if err != nil {
			t.Fatal(err)
		}
		var rank [3]int
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 60 + 6*draws, Seed: uint64(problem)}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.State.Kind != solvers.Draw || (step.Index-59)%6 != 0 {
				continue
			}
			step.State.Stream.Download(host, step.State.X)
			for i, v := range stat(host) {
				if v < truth[i] {
					rank[i]++
				}
			}
		}
		k.Close()
		for i, r := range rank {
			hist[i][r*4/(draws+1)]++
		}
	}
	for i, h := range hist {
		var chi2 float64
		for _, c := range h {
			chi2 += math.Pow(float64(c)-problems/4, 2) / (problems / 4)
		}
		t.Logf("statistic %d: ranks in quarters %v, χ² %.1f", i, h, chi2)
		if chi2 > 16.3 { // 3 degrees of freedom: once in 1000
			t.Errorf("statistic %d: ranks in quarters %v are not uniform (χ² %.1f)", i, h, chi2)
		}
	}
}

// Chains side by side, each with an operator and a prior of its own: the posterior is that
// of dense algebra, and no bit depends on the number of workers.
func TestLatentChains_GaussianPrior_MatchesDenseAlgebra(t *testing.T) {
	const chains = 4
	run := func(workers, steps int, judge bool) []float32 {
		dev := cpu.New(cpu.Options{Workers: workers})
		defer dev.Close()
		p := newShearProblem(t, dev, chains)
		s := dev.NewStream()
		build := func() (solvers.Operator, mcmc.SpectralLatent, error) {
			op, err := operator.NewShear(dev, s, p.op.Grid, 1)
			if err != nil {
				return nil, nil, err
			}
			prior, err := gaussian.New(dev, s, []gaussian.Spectrum{p.sp}, p.op.Domain(), 1)
			if err != nil {
				return nil, nil, err
			}
			latent, err := mcmc.NewSpectral(dev, prior, append(engine.Shape{1}, p.op.Domain()...))
			return op, latent, err
		}
		k, err := mcmc.NewLatentChains(dev, build, mcmc.LatentConfig{
			Data: p.data, Weights: p.wt, Power: p.sp.OnGrid(gridSide, gridSide), Chains: chains, Warmup: 100,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		if judge {
			mean, variance := p.compare(t, k, steps, func(draws int) float64 { return float64(draws) / 3 })
			if mean > deviation || variance > deviation {
				t.Errorf("draws off by %.1f (mean) and %.1f (variance) standard errors", mean, variance)
			}
			return nil
		}
		out := make([]float32, chains*gridSide*gridSide)
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: steps, Seed: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			step.State.Stream.Download(out, step.State.X)
		}
		return out
	}
	run(2, 100+1500, true)
	if !slices.Equal(run(1, 120, false), run(2, 120, false)) {
		t.Error("one and two workers give other draws")
	}
}
