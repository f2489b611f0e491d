// Package preview estimates convergence from a field of shear at once, by a network that
// has learned posterior means from simulations (DeepMass, Jeffrey+2020): fast, and
// without error bars.
package preview

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/hybrid"
)

// Net is
//
//	κ̂ = w + c F(w/v, squash(w/v), σ AᵀN⁻¹(y − A w), σ/σ_pixel; σ)
//
// with w the Wiener map of the shear y, exact for its mask and noise, σ⁻² the mean of the
// pixels' inverse variances where there are data, c and v those of hybrid.Denoiser. Where
// the noise is the same everywhere the problem is the denoising of κ, and the inputs are
// the denoiser's, so that its weights are a good beginning; the fourth says where there
// are how many galaxies. F sees grids that wrap around.
type Net struct {
	Card card.Card

	net  *nn.UNet
	dev  engine.Device
	s    engine.Stream
	tape *grad.Tape
}

// channels are the inputs of the network.
const channels = 4

// network completes a configuration.
func network(c nn.UNetConfig) nn.UNetConfig {
	c = hybrid.Network(c)
	c.In, c.Edge = channels, engine.Periodic
	return c
}

// Load makes a Net of an open safetensors file.
func Load(dev engine.Device, s engine.Stream, f *safetensors.File) (*Net, error) {
	c, err := card.Of(f)
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	if c.Kind != card.Shear {
		return nil, fmt.Errorf("preview: %q is of the kind %q and makes no mass maps", c.Name, c.Kind)
	}
	net, err := nn.NewUNet(nn.NewParams(dev, s, engine.NewKey(0)), network(c.UNet))
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	n := New(dev, s, net, c)
	if err := net.Params().Load(f); err != nil {
		n.Close()
		return nil, fmt.Errorf("preview: %w", err)
	}
	return n, nil
}

// New wraps a network, which it closes in the end.
func New(dev engine.Device, s engine.Stream, net *nn.UNet, c card.Card) *Net {
	return &Net{Card: c, net: net, dev: dev, s: s, tape: grad.New(dev, s)}
}

// Align is what the sides of a grid must be multiples of.
func (n *Net) Align() int { return n.net.Align() }

// Spectrum is the one that the Wiener map must be made with.
func (n *Net) Spectrum() gaussian.Spectrum { return *n.Card.Spectrum }

// Maps are what is known of a field before the network, on a grid h × w, row-major.
type Maps struct {
	H, W     int
	Wiener   []float32 // posterior mean under the Gaussian prior
	Residual []float32 // AᵀN⁻¹(y − A Wiener)
	Weight   []float32 // inverse variance of a component of the shear, 0 without data
}

// Sigma is the noise that the network is told: σ⁻² is the mean weight where there are
// data; 0 without any.
func (m Maps) Sigma() float64 {
	var sum, n float64
	for _, w := range m.Weight {
		if w > 0 {
			sum, n = sum+float64(w), n+1
		}
	}
	if sum == 0 {
		return 0
	}
	return math.Sqrt(n / sum)
}

// inputs fills x (h, w, channels) and says c of the noise sigma.
func (m Maps) inputs(x []float32, power []float64, sigma float64) (c float64) {
	c, v := hybrid.Scales(power, m.H, m.W, sigma)
	for i, k := range m.Wiener {
		a := float64(k) / v
		at := x[i*channels : (i+1)*channels]
		at[0] = float32(a)
		at[1] = float32(a / math.Sqrt(1+a*a/9))
		at[2] = float32(sigma * float64(m.Residual[i]))
		at[3] = float32(sigma * math.Sqrt(float64(m.Weight[i])))
	}
	return c
}

// Predict estimates κ on the grid.
func (n *Net) Predict(m Maps) ([]float32, error) {
	size := m.H * m.W
	sigma := m.Sigma()
	if len(m.Wiener) != size || len(m.Residual) != size || len(m.Weight) != size || m.H%n.Align() != 0 || m.W%n.Align() != 0 {
		panic(fmt.Sprintf("preview: maps of %d, %d and %d pixels on a grid of %d × %d, sides multiples of %d", len(m.Wiener), len(m.Residual), len(m.Weight), m.W, m.H, n.Align()))
	}
	if sigma == 0 {
		return append([]float32(nil), m.Wiener...), nil // nothing to go by
	}
	host := make([]float32, size*channels)
	c := m.inputs(host, n.Card.Spectrum.OnGrid(m.H, m.W), sigma)
	x, err := n.dev.Alloc(engine.Shape{1, m.H, m.W, channels})
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	defer x.Free()
	notes, err := n.dev.Alloc(engine.Shape{1, hybrid.Features})
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	defer notes.Free()
	n.s.Upload(x, host)
	n.s.Upload(notes, hybrid.Range{Low: n.Card.Low, High: n.Card.High}.Note(sigma))
	n.tape.Reset(grad.Forward)
	f := n.net.Forward(n.tape, n.tape.Const(x), n.tape.Const(notes))
	if err := n.tape.Err(); err != nil {
		return nil, fmt.Errorf("preview: a map of %d × %d pixels: %w", m.W, m.H, err)
	}
	out := make([]float32, size)
	n.s.Download(out, f.Value().Reshape(size))
	for i, k := range m.Wiener {
		out[i] = k + float32(c*float64(out[i]))
	}
	return out, n.s.Err()
}

// References are keys of assets/references.bib.
func (n *Net) References() []string { return []string{"Wiener1949", "Jeffrey2020"} }

// Close frees everything.
func (n *Net) Close() {
	n.tape.Close()
	n.net.Params().Free()
}
