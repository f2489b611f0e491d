package mcmc_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// mixture is Σ π_k N(μ_k, P_k) on a grid of one band, blurred by any σ: score in
// closed form, posterior too.
type mixture struct {
	shape    engine.Shape // (1, H, W)
	means    []*engine.Tensor
	parts    []*gaussian.Prior
	powers   [][]float64 // on the half plane
	diff, sc *engine.Tensor
	num      *engine.Tensor
	calls    int
}

// part is one component: N(μ, P) with P = p0 (k/.1)^-slope and a wavy mean of
// amplitude shift.
type part struct{ p0, slope, shift float64 }

func newMixture(t *testing.T, dev engine.Device, s engine.Stream, domain engine.Shape, batch int, parts []part) *mixture {
	t.Helper()
	m := &mixture{shape: domain}
	h, w := domain[1], domain[2]
	for k, c := range parts {
		sp := gaussian.PowerLaw(c.p0, 0.1, c.slope)
		p, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, domain, batch)
		if err != nil {
			t.Fatal(err)
		}
		mu := make([]float32, h*w)
		for i := range mu {
			x, y := float64(i%w), float64(i/w)
			mu[i] = float32(c.shift * (1 + math.Cos(2*math.Pi*(float64(k+1)*x/float64(w)+float64(k)*y/float64(h)))))
		}
		mt, _ := dev.Alloc(domain)
		s.Upload(mt, mu)
		m.means = append(m.means, mt)
		m.parts = append(m.parts, p)
		m.powers = append(m.powers, sp.OnGrid(h, w))
	}
	scenes := append(engine.Shape{batch}, domain...)
	m.diff, _ = dev.Alloc(scenes)
	m.sc, _ = dev.Alloc(scenes)
	m.num, _ = dev.Alloc(scenes[:1])
	return m
}

// logDet is ½ ln det(P_k + σ²).
func (m *mixture) logDet(k int, sigma float64) float64 {
	w := m.shape[2]
	var sum float64
	for i, p := range m.powers[k] {
		sum += gaussian.ModeWeight(i%(w/2+1), w) * 0.5 * math.Log(p+sigma*sigma)
	}
	return sum
}

func (m *mixture) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	m.calls++
	n := x.Shape()[0]
	logw := make([][]float64, n)
	host := make([]float32, n)
	for k, part := range m.parts {
		s.Sub(m.diff, x, m.means[k])
		part.Score(s, m.sc, m.diff, sigma)
		s.Dot(m.num, m.sc, m.diff)
		s.Download(host, m.num)
		for i, v := range host {
			logw[i] = append(logw[i], 0.5*float64(v)-m.logDet(k, sigma))
		}
	}
	s.Fill(dst, 0)
	resp := make([]float32, n)
	rt := m.num
	for k, part := range m.parts {
		for i := range n {
			top := slices.Max(logw[i])
			var sum float64
			for _, v := range logw[i] {
				sum += math.Exp(v - top)
			}
			resp[i] = float32(math.Exp(logw[i][k]-top) / sum)
		}
		s.Sub(m.diff, x, m.means[k])
		part.Score(s, m.sc, m.diff, sigma)
		s.Upload(rt, resp)
		s.AxpyBy(dst, 1, rt, nil, m.sc)
	}
}

func (m *mixture) References() []string { return nil }

// posterior of the mixture in closed form: weights, means, covariances.
type exactMixture struct {
	weight []float64
	mean   []*mat.VecDense
	cov    []*mat.Dense
	total  *mat.VecDense // overall mean
	sigma  []float64     // overall std per pixel
	values []float64     // eigenvalues of the overall covariance
	vecs   mat.Dense
}

func (m *mixture) posterior(a *mat.Dense, data, weights []float32, s engine.Stream) exactMixture {
	rows, n := a.Dims()
	var out exactMixture
	w := mat.NewDiagDense(rows, nil)
	noise := 0.0
	valid := []int{}
	for i := range rows {
		w.SetDiag(i, float64(weights[i]))
		if weights[i] > 0 {
			valid = append(valid, i)
			noise += math.Log(1 / float64(weights[i]))
		}
	}
	h, wd := m.shape[1], m.shape[2]
	for k := range m.parts {
		prior := stationary(m.powers[k], h, wd)
		mu := make([]float32, n)
		s.Download(mu, m.means[k])
		muv := mat.NewVecDense(n, nil)
		for i, v := range mu {
			muv.SetVec(i, float64(v))
		}
		// evidence with the valid rows: N(y; Aμ, A P Aᵀ + N)
		av := mat.NewDense(len(valid), n, nil)
		r := mat.NewVecDense(len(valid), nil)
		for j, i := range valid {
			av.SetRow(j, a.RawRowView(i))
			r.SetVec(j, float64(data[i])-mat.Dot(a.RowView(i), muv))
		}
		var ap, apa mat.Dense
		ap.Mul(av, prior)
		apa.Mul(&ap, av.T())
		sym := mat.NewSymDense(len(valid), nil)
		for i := range valid {
			for j := i; j < len(valid); j++ {
				v := (apa.At(i, j) + apa.At(j, i)) / 2
				if i == j {
					v += 1 / float64(weights[valid[i]])
				}
				sym.SetSym(i, j, v)
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(sym) {
			panic("not positive definite")
		}
		var sol mat.VecDense
		if err := chol.SolveVecTo(&sol, r); err != nil {
			panic(err)
		}
		out.weight = append(out.weight, -0.5*mat.Dot(r, &sol)-0.5*chol.LogDet())
		var gain, post mat.Dense
		var x mat.Dense
		if err := chol.SolveTo(&x, &ap); err != nil {
			panic(err)
		}
		gain.Mul(ap.T(), &x)
		post.Sub(prior, &gain)
		mean := mat.NewVecDense(n, nil)
		mean.MulVec(ap.T(), &sol)
		mean.AddVec(mean, muv)
		out.mean, out.cov = append(out.mean, mean), append(out.cov, &post)
	}
	top := slices.Max(out.weight)
	var sum float64
	for k, v := range out.weight {
		out.weight[k] = math.Exp(v - top)
		sum += out.weight[k]
	}
	total, cov := mat.NewVecDense(n, nil), mat.NewSymDense(n, nil)
	for k := range out.weight {
		out.weight[k] /= sum
		total.AddScaledVec(total, out.weight[k], out.mean[k])
	}
	for k, p := range out.weight {
		for i := range n {
			for j := i; j < n; j++ {
				di, dj := out.mean[k].AtVec(i)-total.AtVec(i), out.mean[k].AtVec(j)-total.AtVec(j)
				cov.SetSym(i, j, cov.At(i, j)+p*((out.cov[k].At(i, j)+out.cov[k].At(j, i))/2+di*dj))
			}
		}
	}
	out.total = total
	for i := range n {
		out.sigma = append(out.sigma, math.Sqrt(cov.At(i, i)))
	}
	var eig mat.EigenSym
	eig.Factorize(cov, true)
	out.values = eig.Values(nil)
	eig.VectorsTo(&out.vecs)
	return out
}

// stationary is the dense covariance of a power spectrum.
func stationary(power []float64, h, w int) *mat.Dense {
	corr := make([]float64, h*w)
	for dy := range h {
		for dx := range w {
			var sum float64
			for ky := range h {
				for kx := range w/2 + 1 {
					ph := 2 * math.Pi * (float64(ky*dy)/float64(h) + float64(kx*dx)/float64(w))
					sum += gaussian.ModeWeight(kx, w) * power[ky*(w/2+1)+kx] * math.Cos(ph)
				}
			}
			corr[dy*w+dx] = sum / float64(h*w)
		}
	}
	out := mat.NewDense(h*w, h*w, nil)
	for i := range h * w {
		for j := range h * w {
			out.Set(i, j, corr[(i/w-j/w+h)%h*w+(i%w-j%w+w)%w])
		}
	}
	return out
}

// quality are the three numbers of the design's table.
type quality struct{ bias, ratio, v95 float64 }

func (e exactMixture) judge(draws [][]float32) quality {
	n, count := len(e.sigma), float64(len(draws))
	mean, m2 := make([]float64, n), make([]float64, n)
	for _, d := range draws {
		for i, v := range d {
			mean[i] += float64(v) / count
		}
	}
	for _, d := range draws {
		for i, v := range d {
			m2[i] += math.Pow(float64(v)-mean[i], 2) / (count - 1)
		}
	}
	var q quality
	for i := range n {
		b := (mean[i] - e.total.AtVec(i)) / e.sigma[i]
		q.bias += b * b / float64(n)
		q.ratio += math.Sqrt(m2[i]) / e.sigma[i] / float64(n)
	}
	q.bias = math.Sqrt(q.bias)
	var ratios []float64
	for k, val := range e.values {
		var v float64
		for _, d := range draws {
			var p float64
			for i, x := range d {
				p += (float64(x) - e.total.AtVec(i)) * e.vecs.At(i, k)
			}
			v += p * p / count
		}
		ratios = append(ratios, v/val)
	}
	slices.Sort(ratios)
	q.v95 = ratios[int(0.95*float64(len(ratios)))]
	return q
}

// maskedBlur is a 16² image of a scene from the mixture's given component, blurred,
// with noise of σ .7 and a masked corner.
func maskedBlur(t *testing.T, dev engine.Device, s engine.Stream, parts []part, from, batch int) (op *operator.Convolution, m *mixture, exact exactMixture, data, wt solvers.Image) {
	t.Helper()
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 2.5, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	if op, err = operator.NewConvolution(dev, s, psf, side, side, batch); err != nil {
		t.Fatal(err)
	}
	m = newMixture(t, dev, s, op.Domain(), batch, parts)
	x, _ := dev.Alloc(append(engine.Shape{1}, op.Domain()...))
	y, _ := dev.Alloc(append(engine.Shape{1}, op.Range()...))
	noise, _ := dev.Alloc(y.Shape())
	m.parts[from].Sample(s, x, engine.NewKey(77))
	s.Add(x, x, m.means[from])
	op.Forward(s, y, x)
	s.Normal(noise, engine.NewKey(78))
	const sigma = 0.7
	s.Axpy(y, sigma, noise)
	data, wt = solvers.NewImage(1, side, side), solvers.NewImage(1, side, side)
	s.Download(data.Pix, y)
	for i := range data.Pix {
		if i%side < 10 || i/side < 9 {
			wt.Pix[i] = 1 / (sigma * sigma)
		} else {
			data.Pix[i] = 0
		}
	}
	return op, m, m.posterior(denseConvolution(op, psf), data.Pix, wt.Pix, s), data, wt
}

// sample runs a bridge and returns at least n draws and the prior's calls per
// batch.
func (m *mixture) sample(t *testing.T, dev engine.Device, op *operator.Convolution, cfg mcmc.BridgeConfig, n int) (draws [][]float32, calls int) {
	t.Helper()
	cfg.Power = make([]float64, len(m.powers[0]))
	for k := range m.powers {
		for i, v := range m.powers[k] {
			cfg.Power[i] += v / float64(len(m.powers))
		}
	}
	k, err := mcmc.NewBridge(dev, op, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	m.calls = 0
	batches := 0
	for step, err := range solvers.Run(context.Background(), k, nil, solvers.Options{Steps: 1 << 20, Seed: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		batches++
		for i := range step.State.Count {
			d := make([]float32, op.Domain().Len())
			step.State.Stream.Download(d, step.State.X.Slice(i, i+1))
			draws = append(draws, d)
		}
		if len(draws) >= n {
			break
		}
	}
	return draws[:n], m.calls / batches
}

// With 128 draws an exact sampler gives bias .09, σ ratio .99, v95 1.19.
const mixtureDraws, mixtureBatch = 128, 16

// A Gaussian prior is exact by construction: this checks the code.
func TestBridge_GaussianPrior_IsExact(t *testing.T) {
	dev := newDevice(t)
	op, m, exact, data, wt := maskedBlur(t, dev, dev.NewStream(), []part{{1.5, 2.5, -0.5}}, 0, mixtureBatch)
	for _, moves := range []int{0, 10} {
		draws, _ := m.sample(t, dev, op, mcmc.BridgeConfig{Data: data, Weights: wt, Prior: m, Batch: mixtureBatch, NoMoves: moves == 0, Moves: moves}, mixtureDraws)
		q := exact.judge(draws)
		t.Logf("%d moves: bias %.3f, σ ratio %.3f, v95 %.2f", moves, q.bias, q.ratio, q.v95)
		if q.bias > 0.12 || math.Abs(q.ratio-1) > 0.03 || q.v95 > 1.3 {
			t.Errorf("%d moves: %+v", moves, q)
		}
	}
}

// The mixture test: bounds of the design for the default sampler.
func TestBridge_MixturePrior_IsNearTheClosedForm(t *testing.T) {
	dev := newDevice(t)
	parts := []part{{1, 2, 0.2}, {1.4, 2.5, 0.2}, {0.7, 2.2, -0.2}, {1.1, 2.4, -0.2}}
	op, m, exact, data, wt := maskedBlur(t, dev, dev.NewStream(), parts, 2, mixtureBatch)
	t.Logf("posterior weights of the components %.3f", exact.weight)
	draws, calls := m.sample(t, dev, op, mcmc.BridgeConfig{Data: data, Weights: wt, Prior: m, Batch: mixtureBatch}, mixtureDraws)
	q := exact.judge(draws)
	t.Logf("bias %.3f, σ ratio %.3f, v95 %.2f, %d calls", q.bias, q.ratio, q.v95, calls)
	if q.bias > 0.15 || q.ratio < 0.95 || q.ratio > 1.08 || q.v95 > 1.4 {
		t.Errorf("%+v", q)
	}
	if calls > 100 {
		t.Errorf("%d calls of the prior per draw, at most 100", calls)
	}
}

// denseConvolution is A as a matrix from the grid to the image.
func denseConvolution(op *operator.Convolution, psf solvers.Image) *mat.Dense {
	g := op.Grid
	a := mat.NewDense(side*side, g.H*g.W, nil)
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
	return a
}
