package mcmc_test

import (
	"context"
	"fmt"
	"math"
	"math/cmplx"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

func newDevice(t testing.TB) engine.Device {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	return dev
}

// problem is a small deconvolution with its dense posterior.
type problem struct {
	op       *operator.Convolution
	data, wt solvers.Image
	spectrum gaussian.Spectrum
	a        *mat.Dense    // of the image's pixels by the grid's
	mean     *mat.VecDense // over the grid
	cov      *mat.Dense
}

const side = 16

// newProblem makes a 16² image; weight gives each pixel's inverse variance.
func newProblem(t *testing.T, dev engine.Device, snr float64, weight func(x, y int) float64) problem {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 2.5, 3, 7)
	if err != nil {
		t.Fatal(err)
	}
	op, err := operator.NewConvolution(dev, dev.NewStream(), psf, side, side, 4)
	if err != nil {
		t.Fatal(err)
	}
	p := problem{op: op, data: solvers.NewImage(1, side, side), wt: solvers.NewImage(1, side, side)}
	p.spectrum = gaussian.PowerLaw(snr, 0.1, 2.5)
	key := engine.NewKey(5)
	truth := solvers.NewImage(1, op.H, op.W)
	for i := range truth.Pix {
		truth.Pix[i] = float32(3 * math.Sin(float64(i)*0.37+float64(key.Fold(uint64(i)).Seed%100)))
	}
	for i := range p.data.Pix {
		p.wt.Pix[i] = float32(weight(i%side, i/side))
		p.data.Pix[i] = truth.Pix[i%len(truth.Pix)]
		if p.wt.Pix[i] == 0 {
			p.data.Pix[i] = 0
		}
	}
	p.solveDense(psf)
	return p
}

// solveDense computes mean and covariance over the grid in float64.
func (p *problem) solveDense(psf solvers.Image) {
	g := p.op.Grid
	n, m := g.H*g.W, side*side
	a := mat.NewDense(m, n, nil)
	p.a = a
	cy, cx := (psf.H-1)/2, (psf.W-1)/2
	for y := range side {
		for x := range side {
			for j := range psf.H {
				for i := range psf.W {
					gy := (y + g.Row - (j - cy) + g.H) % g.H
					gx := (x + g.Col - (i - cx) + g.W) % g.W
					a.Set(y*side+x, gy*g.W+gx, a.At(y*side+x, gy*g.W+gx)+float64(psf.Pix[j*psf.W+i]))
				}
			}
		}
	}
	// covariance of a stationary field: inverse transform of P
	power := p.spectrum.OnGrid(g.H, g.W)
	corr := make([]float64, n)
	for dy := range g.H {
		for dx := range g.W {
			var sum complex128
			for ky := range g.H {
				for kx := range g.W/2 + 1 {
					ph := 2 * math.Pi * (float64(ky*dy)/float64(g.H) + float64(kx*dx)/float64(g.W))
					sum += complex(gaussian.ModeWeight(kx, g.W)*power[ky*(g.W/2+1)+kx], 0) * cmplx.Exp(complex(0, ph))
				}
			}
			corr[dy*g.W+dx] = real(sum) / float64(n)
		}
	}
	prior := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			dy := (i/g.W - j/g.W + g.H) % g.H
			dx := (i%g.W - j%g.W + g.W) % g.W
			prior.Set(i, j, corr[dy*g.W+dx])
		}
	}
	var inv, awa, aw mat.Dense
	if err := inv.Inverse(prior); err != nil {
		panic(err)
	}
	w := mat.NewDiagDense(m, nil)
	y := mat.NewVecDense(m, nil)
	for i := range m {
		w.SetDiag(i, float64(p.wt.Pix[i]))
		y.SetVec(i, float64(p.data.Pix[i]))
	}
	aw.Mul(a.T(), w)
	awa.Mul(&aw, a)
	inv.Add(&inv, &awa)
	p.cov = mat.NewDense(n, n, nil)
	if err := p.cov.Inverse(&inv); err != nil {
		panic(err)
	}
	var b mat.VecDense
	b.MulVec(&aw, y)
	p.mean = mat.NewVecDense(n, nil)
	p.mean.MulVec(p.cov, &b)
}

var weightCases = []struct {
	name   string
	weight func(x, y int) float64
}{
	{"uniform", func(x, y int) float64 { return 1 }},
	{"masked", func(x, y int) float64 {
		if (x > 4 && x < 9 && y > 6 && y < 10) || x == 13 {
			return 0
		}
		return 1
	}},
	{"nonuniform", func(x, y int) float64 {
		if x == 3 && y > 10 {
			return 0
		}
		return 4 * math.Exp(-0.03*float64((x-8)*(x-8)+(y-8)*(y-8))) // down to .01
	}},
}

// meanTolerance is relative to the largest posterior mean (the target).
const meanTolerance = 1e-4

// checkMean compares the first n of want with the mean that a kernel begins with, which it gives.
func checkMean(t *testing.T, name string, k solvers.Kernel, n int, want *mat.VecDense) []float32 {
	t.Helper()
	got := make([]float32, n)
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		step.State.Stream.Download(got, step.State.X.Slice(0, 1))
		t.Logf("%s: %d iterations, residual %.1e", name, step.Info.Iterations, step.Info.Residual)
	}
	var worst, scale float64
	for i, v := range got {
		worst = max(worst, math.Abs(float64(v)-want.AtVec(i)))
		scale = max(scale, math.Abs(want.AtVec(i)))
	}
	if worst > meanTolerance*scale {
		t.Errorf("%s: mean off by %.2e of its maximum, want < %g", name, worst/scale, meanTolerance)
	}
	return got
}

func TestExact_Mean_MatchesDenseAlgebra(t *testing.T) {
	for _, snr := range []float64{1, 1e2, 1e4} {
		for _, c := range weightCases {
			dev := newDevice(t)
			p := newProblem(t, dev, snr, c.weight)
			k, err := mcmc.NewExact(dev, p.op, mcmc.ExactConfig{Data: p.data, Weights: p.wt, Spectra: []gaussian.Spectrum{p.spectrum}})
			if err != nil {
				t.Fatal(err)
			}
			checkMean(t, fmt.Sprintf("snr² %g %s", snr, c.name), k, p.op.Domain().Len(), p.mean)
		}
	}
}

// The sample covariance of n draws of the exact posterior: along any fixed
// direction, n s²/σ² is χ² with n degrees of freedom. 24 directions per case, so
// the band is at 4.5 σ of χ²: a false alarm once in 1e4 runs (the seed is fixed).
func TestExact_Draws_HaveTheDenseCovariance(t *testing.T) {
	const draws, directions, band = 2000, 24, 4.5
	for _, c := range weightCases {
		dev := newDevice(t)
		p := newProblem(t, dev, 50, c.weight)
		n := p.op.Domain().Len()
		k, err := mcmc.NewExact(dev, p.op, mcmc.ExactConfig{Data: p.data, Weights: p.wt, Spectra: []gaussian.Spectrum{p.spectrum}, Batch: 4})
		if err != nil {
			t.Fatal(err)
		}
		var eig mat.EigenSym
		sym := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i; j < n; j++ {
				sym.SetSym(i, j, (p.cov.At(i, j)+p.cov.At(j, i))/2)
			}
		}
		eig.Factorize(sym, true)
		var vec mat.Dense
		eig.VectorsTo(&vec)
		values := eig.Values(nil)
		sums := make([]float64, directions)
		var means [directions]float64
		count := 0
		buf := make([]float32, n)
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 1 + draws/4, Seed: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.State.Kind != solvers.Draw {
				continue
			}
			for b := range step.State.Count {
				step.State.Stream.Download(buf, step.State.X.Slice(b, b+1))
				count++
				for d := range directions {
					col := d * (n - 1) / (directions - 1)
					var proj float64
					for i, v := range buf {
						proj += (float64(v) - p.mean.AtVec(i)) * vec.At(i, col)
					}
					sums[d] += proj * proj / values[col]
					means[d] += proj / math.Sqrt(values[col])
				}
			}
		}
		if count != draws {
			t.Fatalf("%d draws, want %d", count, draws)
		}
		for d := range directions {
			if z := (sums[d] - draws) / math.Sqrt(2*draws); math.Abs(z) > band {
				t.Errorf("%s: direction %d: variance ratio %.3f (%.1f σ)", c.name, d, sums[d]/draws, z)
			}
			if z := means[d] / math.Sqrt(draws); math.Abs(z) > band {
				t.Errorf("%s: direction %d: mean off by %.1f σ", c.name, d, z)
			}
		}
	}
}
