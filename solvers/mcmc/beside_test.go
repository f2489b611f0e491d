package mcmc_test

import (
	"context"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/mcmc"
)

// skyAndStar are columns for a 16² image: a pedestal and a profile with two derivatives.
func skyAndStar() []solvers.Column {
	sky := solvers.Patch{W: side}
	for range side * side {
		sky.Pix = append(sky.Pix, 1)
	}
	star := []solvers.Patch{{X: 3, Y: 2, W: 9}, {X: 3, Y: 2, W: 9}, {X: 3, Y: 2, W: 9}}
	for y := range 10 {
		for x := range 9 {
			dx, dy := float64(x)-4.3, float64(y)-4.8
			v := 0.2 * math.Exp(-0.3*(dx*dx+dy*dy))
			star[0].Pix = append(star[0].Pix, v)
			star[1].Pix = append(star[1].Pix, 4*dx*v)
			star[2].Pix = append(star[2].Pix, 4*dy*v)
		}
	}
	return []solvers.Column{
		{Patches: []solvers.Patch{sky}, Sigma: 30},
		{Patches: star[:1], Sigma: 200},
		{Patches: star[1:2], Sigma: 0.8},
		{Patches: star[2:], Sigma: 0.8},
	}
}

// jointPosterior is mean and covariance of (x, a) by dense algebra.
func jointPosterior(p problem, cols []solvers.Column) (*mat.VecDense, *mat.Dense) {
	n, m, k := p.cov.RawMatrix().Rows, side*side, len(cols)
	full := mat.NewDense(m, n+k, nil)
	full.Slice(0, m, 0, n).(*mat.Dense).Copy(p.a)
	for j, c := range cols {
		for _, patch := range c.Patches {
			for i, v := range patch.Pix {
				full.Set((patch.Y+i/patch.W)*side+patch.X+i%patch.W, n+j, v)
			}
		}
	}
	w, y := mat.NewDiagDense(m, nil), mat.NewVecDense(m, nil)
	for i := range m {
		w.SetDiag(i, float64(p.wt.Pix[i]))
		y.SetVec(i, float64(p.data.Pix[i]))
	}
	var aw, precision, scene mat.Dense
	aw.Mul(full.T(), w)
	precision.Mul(&aw, full)
	if err := scene.Inverse(p.cov); err != nil {
		panic(err)
	}
	corner := precision.Slice(0, n, 0, n).(*mat.Dense)
	corner.Copy(&scene) // prior and likelihood of the scene
	for j, c := range cols {
		precision.Set(n+j, n+j, precision.At(n+j, n+j)+1/(c.Sigma*c.Sigma))
	}
	cov := mat.NewDense(n+k, n+k, nil)
	if err := cov.Inverse(&precision); err != nil {
		panic(err)
	}
	var b mat.VecDense
	b.MulVec(&aw, y)
	mean := mat.NewVecDense(n+k, nil)
	mean.MulVec(cov, &b)
	return mean, cov
}

// besideKernel is an exact kernel with columns beside the scene.
type besideKernel interface {
	solvers.Kernel
	Amplitudes() []float64
}

// through is A T, x = T z the scene of white noise z, one scene after another.
type through struct {
	op    solvers.Operator
	prior *gaussian.Prior
	x     *engine.Tensor
}

func (o *through) Domain() engine.Shape { return o.op.Domain() }
func (o *through) Range() engine.Shape  { return o.op.Range() }

func (o *through) Forward(s engine.Stream, y, z *engine.Tensor) {
	for i := range z.Shape()[0] {
		o.prior.FromWhite(s, o.x, z.Slice(i, i+1))
		o.op.Forward(s, y.Slice(i, i+1), o.x)
	}
}

func (o *through) Adjoint(s engine.Stream, z, y *engine.Tensor) {
	for i := range z.Shape()[0] {
		o.op.Adjoint(s, o.x, y.Slice(i, i+1))
		o.prior.Pullback(s, z.Slice(i, i+1), nil, o.x)
	}
}

// besideKernels are those that draw what is beside the scene with it.
var besideKernels = []struct {
	name string
	make func(t *testing.T, dev engine.Device, p problem, cols []solvers.Column, batch int) (besideKernel, error)
}{
	{"exact", func(_ *testing.T, dev engine.Device, p problem, cols []solvers.Column, batch int) (besideKernel, error) {
		return mcmc.NewExact(dev, p.op, mcmc.ExactConfig{Data: p.data, Weights: p.wt, Spectra: []gaussian.Spectrum{p.spectrum}, Batch: batch, Columns: cols})
	}},
	{"latent", func(t *testing.T, dev engine.Device, p problem, cols []solvers.Column, batch int) (besideKernel, error) {
		d := p.op.Domain()
		prior, err := gaussian.New(dev, dev.NewStream(), []gaussian.Spectrum{p.spectrum}, d, batch)
		if err != nil {
			return nil, err
		}
		t.Cleanup(prior.Close)
		white := &through{op: p.op, prior: prior}
		if white.x, err = dev.Alloc(append(engine.Shape{1}, d...)); err != nil {
			return nil, err
		}
		return mcmc.NewLatentExact(dev, white, prior, mcmc.LatentExactConfig{Data: p.data, Weights: p.wt, Batch: batch, Columns: cols})
	}},
}

func TestExact_Beside_MeanMatchesDenseAlgebra(t *testing.T) {
	for _, kernel := range besideKernels {
		t.Run(kernel.name, func(t *testing.T) { besideMean(t, kernel.make) })
	}
}

func besideMean(t *testing.T, kernel func(*testing.T, engine.Device, problem, []solvers.Column, int) (besideKernel, error)) {
	for _, c := range weightCases {
		dev := newDevice(t)
		p := newProblem(t, dev, 50, c.weight)
		cols := skyAndStar()
		want, cov := jointPosterior(p, cols)
		k, err := kernel(t, dev, p, cols, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := checkMean(t, c.name, k, p.op.Domain().Len(), want)
		for j, a := range k.Amplitudes() {
			ref := want.AtVec(len(got) + j)
			sigma := math.Sqrt(cov.At(len(got)+j, len(got)+j))
			t.Logf("%s: column %d: %.6g, dense %.6g ± %.3g", c.name, j, a, ref, sigma)
			if math.Abs(a-ref) > 1e-3*sigma {
				t.Errorf("%s: column %d: %.7g, want %.7g ± %.3g", c.name, j, a, ref, sigma)
			}
		}
		// given the mean scene the mean of a is the same
		n, err := solvers.NewNuisance(cols, p.wt)
		if err != nil {
			t.Fatal(err)
		}
		var model mat.VecDense
		x := mat.NewVecDense(len(got), nil)
		for i, v := range got {
			x.SetVec(i, float64(v))
		}
		model.MulVec(p.a, x)
		wr := make([]float32, side*side)
		for i := range wr {
			wr[i] = p.wt.Pix[i] * float32(float64(p.data.Pix[i])-model.AtVec(i))
		}
		for j, a := range n.Mean(wr, nil) {
			sigma := math.Sqrt(cov.At(len(got)+j, len(got)+j))
			if ref := k.Amplitudes()[j]; math.Abs(a-ref) > 1e-2*sigma {
				t.Errorf("%s: column %d given the mean scene: %.6g, want %.6g ± %.3g", c.name, j, a, ref, sigma)
			}
		}
	}
}

// As TestExact_Draws_HaveTheDenseCovariance, of scene and amplitudes together: the
// latter drawn given the former.
func TestExact_Beside_DrawsHaveTheDenseCovariance(t *testing.T) {
	for _, kernel := range besideKernels {
		t.Run(kernel.name, func(t *testing.T) { besideDraws(t, kernel.make) })
	}
}

func besideDraws(t *testing.T, kernel func(*testing.T, engine.Device, problem, []solvers.Column, int) (besideKernel, error)) {
	const draws, band = 2000, 4.5
	for _, c := range weightCases {
		dev := newDevice(t)
		p := newProblem(t, dev, 50, c.weight)
		cols := skyAndStar()
		mean, cov := jointPosterior(p, cols)
		total := mean.Len()
		k, err := kernel(t, dev, p, cols, 4)
		if err != nil {
			t.Fatal(err)
		}
		nuisance, err := solvers.NewNuisance(cols, p.wt)
		if err != nil {
			t.Fatal(err)
		}
		// directions: every column, columns with the scene's own, and the scene's
		var directions []*mat.VecDense
		for j := range cols {
			v := mat.NewVecDense(total, nil)
			v.SetVec(total-len(cols)+j, 1)
			directions = append(directions, v)
			both := mat.VecDenseCopyOf(v)
			for i := range total - len(cols) {
				both.SetVec(i, cov.At(i, total-len(cols)+j)/cov.At(i, i))
			}
			directions = append(directions, both)
		}
		for i := 10; i < total-len(cols); i += 53 {
			v := mat.NewVecDense(total, nil)
			v.SetVec(i, 1)
			directions = append(directions, v)
		}
		sums, means := make([]float64, len(directions)), make([]float64, len(directions))
		x := make([]float32, total-len(cols))
		model, wr := make([]float32, side*side), make([]float32, side*side)
		s := dev.NewStream()
		y, err := dev.Alloc(p.op.Range())
		if err != nil {
			t.Fatal(err)
		}
		joint := mat.NewVecDense(total, nil)
		count := 0
		for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 1 + draws/4, Seed: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.State.Kind != solvers.Draw {
				continue
			}
			for b := range step.State.Count {
				scene := step.State.X.Slice(b, b+1)
				step.State.Stream.Download(x, scene)
				p.op.Forward(s, y, scene.Reshape(p.op.Domain()...))
				s.Download(model, y)
				for i, v := range model {
					wr[i] = p.wt.Pix[i] * (p.data.Pix[i] - v)
				}
				a := nuisance.Mean(wr, nil)
				nuisance.Draw(a, engine.NewKey(77).Fold(uint64(count)))
				for i, v := range x {
					joint.SetVec(i, float64(v)-mean.AtVec(i))
				}
				for j, v := range a {
					joint.SetVec(len(x)+j, v-mean.AtVec(len(x)+j))
				}
				for d, v := range directions {
					proj := mat.Dot(v, joint)
					sums[d] += proj * proj
					means[d] += proj
				}
				count++
			}
		}
		for d, v := range directions {
			var cv mat.VecDense
			cv.MulVec(cov, v)
			variance := mat.Dot(v, &cv)
			ratio := sums[d] / float64(count) / variance
			if z := (ratio - 1) * math.Sqrt(float64(count)/2); math.Abs(z) > band {
				t.Errorf("%s: direction %d: variance ratio %.3f (%.1f σ)", c.name, d, ratio, z)
			}
			if z := means[d] / math.Sqrt(float64(count)*variance); math.Abs(z) > band {
				t.Errorf("%s: direction %d: mean off by %.1f σ", c.name, d, z)
			}
		}
	}
}
