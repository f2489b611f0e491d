// Package closedform holds problems whose posterior is known exactly: a mixture of
// Gaussian fields seen through any linear operator. Samplers are judged against it.
package closedform

import (
	"fmt"
	"math"
	"slices"

	"limpid/engine"
	"limpid/priors/gaussian"
)

// Part is one component, N(μ, P): P(k) = P0 (k/.1)^−Slope and a wavy mean of amplitude
// Shift. All parts weigh alike.
type Part struct{ P0, Slope, Shift float64 }

// Gaussian is the mixture of one part, Four that of the design's table.
var (
	Gaussian = []Part{{1.5, 2.5, -0.5}}
	Four     = []Part{{1, 2, 0.2}, {1.4, 2.5, 0.2}, {0.7, 2.2, -0.2}, {1.1, 2.4, -0.2}}
)

// Mixture is Σ N(μ_k, P_k)/K on a grid (C, H, W), every band alike and independent of
// the others given k. Blurred by noise of any σ it stays a mixture, so its score is
// exact. It implements priors.Prior.
type Mixture struct {
	domain engine.Shape
	means  []*engine.Tensor
	hosts  [][]float32
	parts  []*gaussian.Prior
	powers [][]float64 // on the half plane of one band

	diff, sc, num *engine.Tensor
	batch         int
	Calls         int // of Score
	all           []*engine.Tensor
}

// New makes the mixture for at most batch scenes at a time.
func New(dev engine.Device, s engine.Stream, domain engine.Shape, batch int, parts []Part) (*Mixture, error) {
	m := &Mixture{domain: domain, batch: batch}
	c, h, w := domain[0], domain[1], domain[2]
	alloc := func(shape engine.Shape) (*engine.Tensor, error) {
		t, err := dev.Alloc(shape)
		if err == nil {
			m.all = append(m.all, t)
		}
		return t, err
	}
	for k, p := range parts {
		sp := gaussian.PowerLaw(p.P0, 0.1, p.Slope)
		spectra := make([]gaussian.Spectrum, c)
		for b := range spectra {
			spectra[b] = sp
		}
		g, err := gaussian.New(dev, s, spectra, domain, batch)
		if err != nil {
			m.Close()
			return nil, fmt.Errorf("closedform: %w", err)
		}
		m.parts = append(m.parts, g)
		m.powers = append(m.powers, sp.OnGrid(h, w))
		mu := make([]float32, c*h*w)
		for i := range mu {
			x, y := float64(i%w), float64(i/w%h)
			mu[i] = float32(p.Shift * (1 + math.Cos(2*math.Pi*(float64(k+1)*x/float64(w)+float64(k)*y/float64(h)))))
		}
		t, err := alloc(domain)
		if err != nil {
			m.Close()
			return nil, fmt.Errorf("closedform: %w", err)
		}
		s.Upload(t, mu)
		m.means, m.hosts = append(m.means, t), append(m.hosts, mu)
	}
	scenes := append(engine.Shape{batch}, domain...)
	var err error
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&m.diff, scenes}, {&m.sc, scenes}, {&m.num, scenes[:1]}} {
		if *a.t, err = alloc(a.shape); err != nil {
			m.Close()
			return nil, fmt.Errorf("closedform: %w", err)
		}
	}
	return m, s.Err()
}

// Power is the mean power of the parts about their means, (C, H, W/2+1).
func (m *Mixture) Power() []float64 {
	var out []float64
	for range m.domain[0] {
		band := make([]float64, len(m.powers[0]))
		for k := range m.powers {
			for i, v := range m.powers[k] {
				band[i] += v / float64(len(m.powers))
			}
		}
		out = append(out, band...)
	}
	return out
}

// logDet is ½ ln det(P_k + σ²).
func (m *Mixture) logDet(k int, sigma float64) float64 {
	w := m.domain[2]
	var sum float64
	for i, p := range m.powers[k] {
		sum += gaussian.ModeWeight(i%(w/2+1), w) * 0.5 * math.Log(p+sigma*sigma)
	}
	return sum * float64(m.domain[0])
}

// Score is Σ r_k(x) ∇log N(x; μ_k, P_k + σ²), r the responsibilities.
func (m *Mixture) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	n := x.Shape()[0]
	m.Calls += n
	diff, sc, num := m.diff.Slice(0, n), m.sc.Slice(0, n), m.num.Slice(0, n)
	logw := make([][]float64, n)
	host := make([]float32, n)
	for k, part := range m.parts {
		s.Sub(diff, x, m.means[k])
		part.Score(s, sc, diff, sigma)
		s.Dot(num, sc, diff)
		s.Download(host, num)
		for i, v := range host {
			logw[i] = append(logw[i], 0.5*float64(v)-m.logDet(k, sigma))
		}
	}
	s.Fill(dst, 0)
	for k, part := range m.parts {
		for i := range n {
			top := slices.Max(logw[i])
			var sum float64
			for _, v := range logw[i] {
				sum += math.Exp(v - top)
			}
			host[i] = float32(math.Exp(logw[i][k]-top) / sum)
		}
		s.Sub(diff, x, m.means[k])
		part.Score(s, sc, diff, sigma)
		s.Upload(num, host)
		s.AxpyBy(dst, 1, num, nil, sc)
	}
}

// SampleFrom draws from component k.
func (m *Mixture) SampleFrom(s engine.Stream, dst *engine.Tensor, k int, key engine.Key) {
	m.parts[k].Sample(s, dst, key)
	s.Add(dst, dst, m.means[k])
}

// References are keys of assets/references.bib: none.
func (m *Mixture) References() []string { return nil }

// Close frees everything.
func (m *Mixture) Close() {
	for _, p := range m.parts {
		p.Close()
	}
	for _, t := range m.all {
		t.Free()
	}
	m.all = nil
}
