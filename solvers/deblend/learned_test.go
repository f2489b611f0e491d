package deblend

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine"
)

// broad is a Gaussian prior of independent pixels, variance v in units of the noise.
type broad struct{ v float64 }

func (b broad) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	s.Scale(dst, float32(-1/(b.v+sigma*sigma)), x)
}
func (broad) References() []string { return nil }
func (broad) Align() int           { return 4 }
func (broad) Close()               {}

func learnedOptions() Options {
	return Options{Learned: &Learned{Name: "broad", Align: 4, Open: func(engine.Device, engine.Stream) (MorphologyPrior, error) { return broad{400}, nil }}}
}

func TestMixture_Adjoint_IsExact(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 24, 28, shapes, flux, 1)
	o := learnedOptions()
	r, err := Fit(context.Background(), dev, obs, src, o)
	if err != nil {
		t.Fatal(err)
	}
	g := r.fits[0]
	s := dev.NewStream()
	m, err := g.newMixture(dev, s, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	rng := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	for range 2 { // two scenes of different amplitudes
		m.amp = append(m.amp, random(2*m.b))
	}
	tensor := func(shape engine.Shape, v []float32) *engine.Tensor {
		x, err := dev.Alloc(append(engine.Shape{2}, shape...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(x.Free)
		if v != nil {
			s.Upload(x, v)
		}
		return x
	}
	xs, ys := random(2*m.Domain().Len()), random(2*m.Range().Len())
	x, y := tensor(m.Domain(), xs), tensor(m.Range(), ys)
	ax, aty := tensor(m.Range(), nil), tensor(m.Domain(), nil)
	m.Forward(s, ax, x)
	m.Adjoint(s, aty, y)
	hx, hy := make([]float32, len(ys)), make([]float32, len(xs))
	s.Download(hx, ax)
	s.Download(hy, aty)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	var left, right, size float64
	for i, v := range hx {
		left += float64(v) * float64(ys[i])
		size += math.Abs(float64(v) * float64(ys[i]))
	}
	for i, v := range hy {
		right += float64(v) * float64(xs[i])
	}
	if math.Abs(left-right) > 1e-5*size {
		t.Errorf("⟨Ax, y⟩ = %g, ⟨x, Aᵀy⟩ = %g", left, right)
	}
}

func TestSample_LearnedPrior_FluxesAndSpread(t *testing.T) {
	dev := device(t)
	shapes, flux := pair()
	obs, src := scene(t, dev, 30, 36, shapes, [][]float64{flux[0][:1], flux[1][:1]}, 5)
	r, err := Fit(context.Background(), dev, obs, src, learnedOptions())
	if err != nil {
		t.Fatal(err)
	}
	for b, c := range r.Chi2 {
		if c < 0.7 || c > 1.3 {
			t.Errorf("band %d: χ²/pixel %.2f", b, c)
		}
	}
	p, err := r.Sample(context.Background(), dev, SampleOptions{Draws: 2, Chains: 1, Warmup: 12, Thin: 2, Rounds: 1, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	for k, f := range r.Sources {
		for b, v := range f.Flux {
			if math.Abs(v-flux[k][b]) > 5*f.FluxErr[b]+0.1*flux[k][b] {
				t.Errorf("source %d, band %d: flux %.1f ± %.1f, truth %.1f", k, b, v, f.FluxErr[b], flux[k][b])
			}
		}
		var most float32
		for _, v := range f.Std.Pix {
			most = max(most, v)
		}
		if !(most > 0) {
			t.Errorf("source %d: the draws' morphologies do not differ", k)
		}
	}
	found := false
	for _, f := range p.Findings {
		found = found || f.Code == "deblend.learned"
	}
	if !found {
		t.Error("no finding says what the learned prior's error bars are worth")
	}
}
