package physics

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"limpid/assets"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/nn/safetensors"
	"limpid/priors/gaussian"
	"limpid/priors/hybrid"
	"limpid/priors/lognormal"
	"limpid/priors/sims"
)

// exact denoises lognormal maps by Hamiltonian Monte Carlo in the white field z, for
// which
//
//	U(z) = ½|z|² + |x − κ(z)|²/(2σ²),
//
// with the mass 1 + P/σ² of Fourier modes.
type exact struct {
	s           engine.Stream
	p           *lognormal.Prior
	sigma, step float64
	n           int // maps

	x                        *engine.Tensor // data
	z, z1, q, v, g, kappa, w *engine.Tensor // (n, 1, side, side)
	spec, mass, inverse      *engine.Tensor
	num                      *engine.Tensor
}

func newExact(t *testing.T, dev engine.Device, s engine.Stream, p *lognormal.Prior, power []float64, x *engine.Tensor, sigma float64) *exact {
	t.Helper()
	e := &exact{s: s, p: p, sigma: sigma, x: x, n: x.Shape()[0], step: 0.1}
	alloc := func(sh engine.Shape) *engine.Tensor {
		a, err := dev.Alloc(sh)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, a := range []**engine.Tensor{&e.z, &e.z1, &e.q, &e.v, &e.g, &e.kappa, &e.w} {
		*a = alloc(x.Shape())
	}
	side := x.Shape()[3]
	e.spec, e.mass, e.inverse = alloc(x.Shape().Spectrum()), alloc(engine.Shape{side, side/2 + 1}), alloc(engine.Shape{side, side/2 + 1})
	e.num = alloc(engine.Shape{e.n})
	root, inv := make([]float32, len(power)), make([]float32, len(power))
	for i, v := range power {
		m := 1 + v/(sigma*sigma)
		root[i], inv[i] = float32(math.Sqrt(m)), float32(1/m)
	}
	s.Upload(e.mass, root)
	s.Upload(e.inverse, inv)
	return e
}

func (e *exact) filter(dst, x, f *engine.Tensor) {
	e.s.RFFT2(e.spec, x)
	e.s.CScale(e.spec, e.spec, f)
	e.s.IRFFT2(dst, e.spec)
}

func (e *exact) dot(a, b *engine.Tensor) []float64 {
	e.s.Dot(e.num, a, b)
	v := make([]float32, e.n)
	e.s.Download(v, e.num)
	out := make([]float64, e.n)
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

// force writes −∇U at z to g and leaves x − κ in w.
func (e *exact) force(z *engine.Tensor) {
	e.p.FromWhite(e.s, e.kappa, z)
	e.s.Sub(e.w, e.x, e.kappa)
	e.s.Scale(e.v, float32(1/(e.sigma*e.sigma)), e.w)
	e.p.Pullback(e.s, e.g, z, e.v)
	e.s.Sub(e.g, e.g, z)
}

// energy is U + kinetic energy, after force.
func (e *exact) energy(z *engine.Tensor) []float64 {
	u, d := e.dot(z, z), e.dot(e.w, e.w)
	e.filter(e.v, e.q, e.inverse)
	k := e.dot(e.q, e.v)
	for i := range u {
		u[i] = 0.5 * (u[i] + d[i]/(e.sigma*e.sigma) + k[i])
	}
	return u
}

const leaps = 8

// move makes one trajectory of every map and returns the share accepted.
func (e *exact) move(key engine.Key, rng *rand.Rand) float64 {
	s := e.s
	s.Normal(e.q, key)
	e.filter(e.q, e.q, e.mass)
	s.Copy(e.z1, e.z)
	e.force(e.z1)
	before := e.energy(e.z1)
	eps := e.step * (0.8 + 0.4*rng.Float64())
	for range leaps {
		s.Axpy(e.q, float32(eps/2), e.g)
		e.filter(e.v, e.q, e.inverse)
		s.Axpy(e.z1, float32(eps), e.v)
		e.force(e.z1)
		s.Axpy(e.q, float32(eps/2), e.g)
	}
	after := e.energy(e.z1)
	var accepted float64
	for i := range before {
		if rng.Float64() < math.Exp(before[i]-after[i]) {
			s.Copy(e.z.Slice(i, i+1), e.z1.Slice(i, i+1))
			accepted += 1 / float64(e.n)
		}
	}
	return accepted
}

// mean is the posterior mean of every map and, from the spread of its halves, the mean
// square of its own Monte Carlo error.
func (e *exact) mean(warm, draws int, key engine.Key) (mean []float32, errorOfIt, acceptance float64) {
	rng := sims.Rand(key)
	e.s.Fill(e.z, 0)
	e.step = 0.1
	for i := range warm {
		a := e.move(key.Fold(uint64(i)), rng)
		e.step *= math.Exp(0.1 * (a - 0.7))
	}
	halves := [2][]float64{make([]float64, e.z.Len()), make([]float64, e.z.Len())}
	host := make([]float32, e.z.Len())
	for i := range draws {
		acceptance += e.move(key.Fold(uint64(warm+i)), rng) / float64(draws)
		e.p.FromWhite(e.s, e.kappa, e.z)
		e.s.Download(host, e.kappa)
		h := halves[2*i/draws]
		for j, v := range host {
			h[j] += 2 * float64(v) / float64(draws)
		}
	}
	mean = make([]float32, len(host))
	for j := range host {
		mean[j] = float32((halves[0][j] + halves[1][j]) / 2)
		errorOfIt += math.Pow((halves[0][j]-halves[1][j])/2, 2) / float64(len(host))
	}
	return mean, errorOfIt, acceptance
}

// loss3 is the bound: the hybrid within 3 % of the exact denoiser.
const loss3 = 0.03

// On lognormal maps without haloes, the exact posterior mean (Hamiltonian Monte Carlo)
// is the best denoiser there is.
func TestKappa_HybridAgainstExactLognormal(t *testing.T) {
	if !*long {
		t.Skip("slow: run with -args -long")
	}
	const side, maps, warm, draws = 96, 4, 120, 240
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	cfg := sims.COSMOS()
	cfg.MinHalo = 0
	source, err := sims.NewKappa(cfg)
	if err != nil {
		t.Fatal(err)
	}
	sp := source.Spectrum()
	prior, err := lognormal.New(dev, s, []gaussian.Spectrum{sp}, []float64{cfg.Shift}, engine.Shape{1, side, side}, maps)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	learned := loadHybrid(t, dev, s)
	defer learned.Close()
	truth := make([]float32, maps*side*side)
	for i := range maps {
		source.Patch(truth[i*side*side:(i+1)*side*side], side, engine.NewKey(99).Fold(uint64(i)))
	}
	x, _ := dev.Alloc(engine.Shape{maps, 1, side, side})
	y, _ := dev.Alloc(x.Shape())
	noisy, score := make([]float32, len(truth)), make([]float32, len(truth))
	power := sp.OnGrid(side, side)
	for i, sigma := range []float64{0.01, 0.03, 0.1} {
		s.Upload(y, truth)
		s.Normal(x, engine.NewKey(7).Fold(uint64(i)))
		s.Scale(x, float32(sigma), x)
		s.Add(x, x, y)
		s.Download(noisy, x)
		best, own, acc := newExact(t, dev, s, prior, power, x, sigma).mean(warm, draws, engine.NewKey(8))
		learned.Score(s, y, x, sigma)
		s.Download(score, y)
		var a, b, c float64
		for j := range truth {
			a += math.Pow(float64(best[j]-truth[j]), 2) / float64(len(truth))
			b += math.Pow(float64(noisy[j])+sigma*sigma*float64(score[j])-float64(truth[j]), 2) / float64(len(truth))
		}
		for k, p := range power {
			c += gaussian.ModeWeight(k%(side/2+1), side) * p * sigma * sigma / (p + sigma*sigma) / (side * side)
		}
		a -= own // what the mean of finitely many draws adds
		t.Logf("σ %.2f: MSE/σ² exact %.4f (acceptance %.2f, Monte Carlo error taken off %.4f), learned %.4f (%+.1f %%), Wiener in theory %.4f", sigma, a/sigma/sigma, acc, own/sigma/sigma, b/sigma/sigma, 100*(b/a-1), c/sigma/sigma)
		if b > (1+loss3)*a {
			t.Errorf("σ = %g: the learned prior's error is %.1f %% above the exact one", sigma, 100*(b/a-1))
		}
	}
}

func loadHybrid(t *testing.T, dev engine.Device, s engine.Stream) *hybrid.Prior {
	t.Helper()
	b, err := assets.ReadPrior("kappa-cosmos")
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := hybrid.From(dev, s, f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
