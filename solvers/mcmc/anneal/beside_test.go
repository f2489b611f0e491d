package anneal_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/calibrate/closedform"
	"limpid/solvers/mcmc/anneal"
)

// skyAndStar are columns beside a 16² scene.
func skyAndStar() []solvers.Column {
	sky, star := solvers.Patch{W: side}, solvers.Patch{X: 2, Y: 3, W: 7}
	for range side * side {
		sky.Pix = append(sky.Pix, 1)
	}
	for i := range 7 * 7 {
		dx, dy := float64(i%7)-3.2, float64(i/7)-2.9
		star.Pix = append(star.Pix, 0.15*math.Exp(-0.3*(dx*dx+dy*dy)))
	}
	return []solvers.Column{{Patches: []solvers.Patch{sky}, Sigma: 20}, {Patches: []solvers.Patch{star}, Sigma: 300}}
}

// Draws with columns integrated out are those of the noise N + P Λ Pᵀ, whose posterior is
// known by whitening it. Most of its variance is in one direction, the scene's mean against
// the sky, so that σ ratios of 128 draws scatter by 6 %. The stationary bridge is left out,
// whose moves do not know that direction: bias .14 to .21 with five seeds; and split Gibbs, whose rounds go too little way along it: .59.
func TestKernels_Beside_AreCalibrated(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	p, cfg := maskedBlur(t, dev, s, closedform.Gaussian, 0)
	cfg.Columns = skyAndStar()
	n, err := solvers.NewNuisance(cfg.Columns, cfg.Weights)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Data = cfg.Data.Clone()
	n.Add(cfg.Data.Pix, 1, []float64{2.5, 80})
	a, err := closedform.Matrix(dev, s, cfg.Op)
	if err != nil {
		t.Fatal(err)
	}
	posterior := whitened(t, p.Mixture, a, cfg)
	for _, c := range kernels {
		if c.calls > 400 && !*long || c.name == "moments" || c.name == "bridge, stationary" || c.name == "split Gibbs" {
			continue
		}
		k, err := c.make(dev, cfg)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := p.Draws(context.Background(), k, draws, 4)
		k.Close()
		if err != nil {
			t.Fatal(c.name, err)
		}
		q := posterior.Judge(got)
		t.Logf("%s: bias %.3f (exact draws: below %.3f), σ ratio %.3f, v95 %.2f, worst %.1f σ", c.name, q.Bias, posterior.Floor(draws), q.Ratio, q.V95, q.Worst)
		if q.Bias > 1.1*posterior.Floor(draws) || math.Abs(q.Ratio-1) > 0.1 || math.Abs(q.Worst) > 4.5 {
			t.Errorf("%s: %+v", c.name, q)
		}
	}
	if _, err := anneal.NewMoments(dev, cfg); err == nil {
		t.Error("moment matching took columns that it cannot have")
	}
}

// whitened is the posterior under noise N + P Λ Pᵀ.
func whitened(t *testing.T, m *closedform.Mixture, a *mat.Dense, cfg anneal.Config) closedform.Posterior {
	t.Helper()
	var valid []int
	for i, w := range cfg.Weights.Pix {
		if w > 0 {
			valid = append(valid, i)
		}
	}
	k := len(valid)
	noise := mat.NewSymDense(k, nil)
	columns := mat.NewDense(len(cfg.Weights.Pix), len(cfg.Columns), nil)
	for j, c := range cfg.Columns {
		for _, patch := range c.Patches {
			for i, v := range patch.Pix {
				columns.Set((patch.Y+i/patch.W)*side+patch.X+i%patch.W, j, v*c.Sigma)
			}
		}
	}
	_, domain := a.Dims()
	cut, y := mat.NewDense(k, domain, nil), mat.NewVecDense(k, nil)
	for i, at := range valid {
		for j, other := range valid[:i+1] {
			v := mat.Dot(columns.RowView(at), columns.RowView(other))
			if i == j {
				v += 1 / float64(cfg.Weights.Pix[at])
			}
			noise.SetSym(i, j, v)
		}
		cut.SetRow(i, a.RawRowView(at))
		y.SetVec(i, float64(cfg.Data.Pix[at]))
	}
	var chol mat.Cholesky
	if !chol.Factorize(noise) {
		t.Fatal("noise is not positive")
	}
	var l mat.TriDense
	chol.LTo(&l)
	var wa mat.Dense
	if err := wa.Solve(&l, cut); err != nil {
		t.Fatal(err)
	}
	var wy mat.VecDense
	if err := wy.SolveVec(&l, y); err != nil {
		t.Fatal(err)
	}
	data, ones := make([]float32, k), make([]float32, k)
	for i := range data {
		data[i], ones[i] = float32(wy.AtVec(i)), 1
	}
	out, err := m.Given(&wa, data, ones)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBridge_Beside_OneOrTwoWorkers_SameBits(t *testing.T) {
	run := func(workers int) []float32 {
		dev := cpu.New(cpu.Options{Workers: workers})
		defer dev.Close()
		s := dev.NewStream()
		p, cfg := maskedBlur(t, dev, s, closedform.Four, 2)
		cfg.Levels, cfg.Moves, cfg.Patches, cfg.Columns = 5, 2, true, skyAndStar()
		k, err := anneal.NewBridge(dev, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		got, _, err := p.Draws(context.Background(), k, batch, 4)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat(got...)
	}
	if !slices.Equal(run(1), run(2)) {
		t.Error("draws differ")
	}
}
