// Package evaluate measures how good priors are: denoising errors beside those of
// classical priors, consistency of scores, samples beside simulations.
package evaluate

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/starlet"
	"limpid/priors/tv"
)

// Scenes are noiseless images to measure on: (n, side, side).
type Scenes struct {
	Pix  []float32
	N    int
	Side int
	// Own measures levels of noise, and the Wiener filter's spectrum, by each scene's
	// own pixels; else by those of all scenes together, as stationary fields want.
	Own bool
	// Positive is told to starlet and TV.
	Positive bool
}

// Draw fills scenes from a source of them.
func Draw(source interface {
	Patch(dst []float32, side int, key engine.Key)
}, n, side int, key engine.Key,
) Scenes {
	s := Scenes{Pix: make([]float32, n*side*side), N: n, Side: side}
	for i := range n {
		source.Patch(s.Scene(i), side, key.Fold(uint64(i)))
	}
	return s
}

// Scene is the i-th.
func (s Scenes) Scene(i int) []float32 {
	n := s.Side * s.Side
	return s.Pix[i*n : (i+1)*n]
}

// deviation is the standard deviation of the pixels.
func deviation(x []float32) float64 {
	var sum, sum2 float64
	for _, v := range x {
		sum += float64(v)
		sum2 += float64(v) * float64(v)
	}
	n := float64(len(x))
	return math.Sqrt(max(0, sum2/n-sum/n*sum/n))
}

// normalised returns the scenes with the deviation that levels refer to set to 1, and
// the factor by which each was divided.
func (s Scenes) normalised() (Scenes, []float64) {
	out := s
	out.Pix = make([]float32, len(s.Pix))
	by := make([]float64, s.N)
	for i := range s.N {
		by[i] = deviation(s.Pix)
		if s.Own {
			by[i] = deviation(s.Scene(i))
		}
		if by[i] == 0 {
			by[i] = 1 // an empty scene stays one
		}
		for j, v := range s.Scene(i) {
			out.Scene(i)[j] = v / float32(by[i])
		}
	}
	return out, by
}

// spectra are the power of every scene at its modes (side, side/2+1), on rings.
func (s Scenes) spectra() ([][]float64, error) {
	maps := make([][]float64, s.N)
	for i := range maps {
		for _, v := range s.Scene(i) {
			maps[i] = append(maps[i], float64(v))
		}
	}
	grid := func(m ...[]float64) ([]float64, error) {
		bins, err := gaussian.Periodogram(m, s.Side, s.Side, 3, 0)
		if err != nil {
			return nil, err
		}
		var k, p []float64
		for _, b := range bins {
			k, p = append(k, b.K), append(p, max(b.Power, 1e-12))
		}
		sp, err := gaussian.NewSpectrum(k, p)
		if err != nil {
			return nil, err
		}
		return sp.OnGrid(s.Side, s.Side), nil
	}
	out := make([][]float64, s.N)
	if !s.Own {
		p, err := grid(maps...)
		for i := range out {
			out[i] = p
		}
		return out, err
	}
	for i := range out {
		var err error
		if out[i], err = grid(maps[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bench holds what the denoisers of a table share: tensors (n, 1, side, side).
type bench struct {
	dev          engine.Device
	s            engine.Stream
	scenes       Scenes
	truth, x, y  *engine.Tensor
	power        [][]float64
	by           []float64
	wiener, spec *engine.Tensor
	starlet      *starlet.Prior
	errs         *engine.Tensor
	scratch      *engine.Tensor
}

// Table measures mean square errors over σ² at noise levels relative to the images'
// deviation: of the prior; of the Wiener filter with the true spectrum; of starlet and
// total variation with, at every level, the threshold that does best on these scenes.
// The prior works in the scenes' own units.
func Table(dev engine.Device, s engine.Stream, p priors.Prior, scenes Scenes, levels []float64, key engine.Key) ([]card.Row, error) {
	b, err := newBench(dev, s, scenes)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	defer b.close()
	var rows []card.Row
	for i, level := range levels {
		s.Normal(b.x, key.Fold(uint64(i)))
		s.Scale(b.x, float32(level), b.x)
		s.Add(b.x, b.x, b.truth)
		r := card.Row{Level: level}
		r.Wiener = b.wienerError(level)
		if r.Starlet, err = b.starletError(level); err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		if r.TV, err = b.tvError(level); err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		r.Learned = b.priorError(p, level)
		if err := s.Err(); err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func newBench(dev engine.Device, s engine.Stream, scenes Scenes) (*bench, error) {
	b := &bench{dev: dev, s: s}
	b.scenes, b.by = scenes.normalised()
	var err error
	if b.power, err = b.scenes.spectra(); err != nil {
		return nil, err
	}
	n, side := scenes.N, scenes.Side
	all := engine.Shape{n, 1, side, side}
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&b.truth, all},
		{&b.x, all},
		{&b.y, all},
		{&b.scratch, all},
		{&b.errs, all[:1]},
		{&b.wiener, engine.Shape{n, 1, side, side/2 + 1}},
		{&b.spec, all.Spectrum()},
	} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			b.close()
			return nil, err
		}
	}
	s.Upload(b.truth, b.scenes.Pix)
	b.starlet, err = starlet.New(dev, s, engine.Shape{1, side, side}, n, starlet.Options{Positive: scenes.Positive})
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	for _, t := range []*engine.Tensor{b.truth, b.x, b.y, b.scratch, b.errs, b.wiener, b.spec} {
		t.Free()
	}
	if b.starlet != nil {
		b.starlet.Close()
	}
}

// error is the mean square of y − truth over level².
func (b *bench) error(level float64) float64 {
	b.s.Sub(b.y, b.y, b.truth)
	b.s.Dot(b.errs, b.y, b.y)
	v := make([]float32, b.scenes.N)
	b.s.Download(v, b.errs)
	var sum float64
	for _, x := range v {
		sum += float64(x)
	}
	return sum / float64(b.truth.Len()) / (level * level)
}

func (b *bench) wienerError(level float64) float64 {
	f := make([]float32, 0, b.wiener.Len())
	for _, power := range b.power {
		for _, p := range power {
			f = append(f, float32(p/(p+level*level)))
		}
	}
	b.s.Upload(b.wiener, f)
	b.s.RFFT2(b.spec, b.x)
	b.s.CScale(b.spec, b.spec, b.wiener)
	b.s.IRFFT2(b.y, b.spec)
	return b.error(level)
}

// thresholds are the multiples of σ among which starlet and TV have the best.
var (
	starletThresholds = []float64{0.7, 1, 1.5, 2, 3}
	tvThresholds      = []float64{0.15, 0.3, 0.5, 0.8, 1.3, 2}
)

func (b *bench) starletError(level float64) (float64, error) {
	best := math.Inf(1)
	units, err := b.starlet.NoiseLevels(nil)
	if err != nil {
		return 0, err
	}
	for i := range units {
		units[i] *= level
	}
	for _, k := range starletThresholds {
		ks := make([]float64, b.starlet.Scales)
		for j := range ks {
			ks[j] = k
		}
		if err := b.starlet.SetLevels(b.s, ks, [][]float64{units}); err != nil {
			return 0, err
		}
		b.starlet.Prox(b.s, b.y, b.x, 1)
		best = min(best, b.error(level))
	}
	return best, nil
}

func (b *bench) tvError(level float64) (float64, error) {
	best := math.Inf(1)
	for _, k := range tvThresholds {
		p, err := tv.New(b.dev, b.s, []float64{k * level}, engine.Shape{1, b.scenes.Side, b.scenes.Side}, b.scenes.N, tv.Options{Positive: b.scenes.Positive})
		if err != nil {
			return 0, err
		}
		p.Prox(b.s, b.y, b.x, 1)
		best = min(best, b.error(level))
		p.Close()
	}
	return best, nil
}

// priorError denoises by x + σ² score, every scene in its own units.
func (b *bench) priorError(p priors.Prior, level float64) float64 {
	for i, by := range b.by {
		x, y := b.x.Slice(i, i+1), b.y.Slice(i, i+1)
		sigma := level * by
		b.s.Scale(b.scratch.Slice(i, i+1), float32(by), x)
		p.Score(b.s, y, b.scratch.Slice(i, i+1), sigma)
		b.s.Scale(y, float32(sigma*sigma/by), y)
		b.s.Add(y, y, x)
	}
	return b.error(level)
}
