package lens

import (
	"context"
	"errors"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/sims"
	"limpid/solvers/massmap"
	"limpid/solvers/operator"
)

// simulated is a field of 96² behind one of our own simulated maps.
func simulated(t *testing.T, dev engine.Device, sigma float32) (*massmap.Field, []float32, *sims.Kappa) {
	t.Helper()
	const side = 96
	source, err := sims.NewKappa(sims.COSMOS())
	if err != nil {
		t.Fatal(err)
	}
	truth := make([]float32, side*side)
	source.Patch(truth, side, engine.NewKey(5))
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(side, side, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x, _ := dev.Alloc(engine.Shape{1, 1, side, side})
	y, _ := dev.Alloc(engine.Shape{1, 2, side, side})
	noise, _ := dev.Alloc(y.Shape())
	s.Upload(x, truth)
	op.Forward(s, y, x)
	s.Normal(noise, engine.NewKey(6))
	s.Axpy(y, sigma, noise)
	g, std := make([]float32, 2*side*side), make([]float32, side*side)
	s.Download(g, y)
	for i := range std {
		if std[i] = sigma; i%side < 20 && i/side > 60 {
			std[i] = 0 // masked
		}
	}
	f, err := massmap.NewField(massmap.Gridded{H: side, W: side, Arcmin: source.Config.Arcmin, G1: g[:side*side], G2: g[side*side:], Std1: std})
	if err != nil {
		t.Fatal(err)
	}
	return f, truth, source
}

func rms(f *massmap.Field, a, b []float32) float64 {
	var ma, mb, n, sum float64
	for i := range a {
		if !f.Masked(i) {
			ma, mb, n = ma+float64(a[i]), mb+float64(b[i]), n+1
		}
	}
	for i := range a {
		if !f.Masked(i) {
			d := float64(a[i]) - ma/n - float64(b[i]) + mb/n
			sum += d * d
		}
	}
	return math.Sqrt(sum / n)
}

// The network that ships maps mass better than the Wiener filter with the true spectrum,
// says that it has no error bars, and where a field is not like what it learned from.
func TestNetwork_Shipped_BeatsTheWienerFilter(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	f, truth, source := simulated(t, dev, 0.12)
	off := map[massmap.Method]float64{}
	for _, m := range []massmap.Method{massmap.Wiener, massmap.UNet} {
		set := massmap.Settings{Method: m, Spectrum: source.Spectrum()}
		if m == massmap.UNet {
			net, err := OpenNetwork(dev, "", f)
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			set.Network = net
		}
		r, err := Map(context.Background(), dev, Job{Field: f, Settings: set, Samples: 32, Rotations: 8, Seed: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		off[m] = rms(f, r.Mean, truth)
		said := false
		for _, x := range r.Findings {
			said = said || x.Code == "method.preview"
		}
		if said != (m == massmap.UNet) || (r.Std == nil) != (m == massmap.UNet) {
			t.Errorf("%s: said to be a preview: %v, error bars: %v", m, said, r.Std != nil)
		}
	}
	if ratio := off[massmap.UNet] / off[massmap.Wiener]; !(ratio < 0.96) {
		t.Errorf("errors %.4f, of the mean of Wiener draws %.4f", off[massmap.UNet], off[massmap.Wiener])
	}
	other := f.Clone()
	other.Arcmin, other.Findings = 1, nil
	for i := range other.Weights.Pix {
		other.Weights.Pix[i] *= 100
	}
	net, err := OpenNetwork(dev, "", other)
	if err != nil {
		t.Fatal(err)
	}
	net.Close()
	codes := map[string]bool{}
	for _, x := range other.Findings {
		codes[x.Code] = true
	}
	if !codes["prior.pixel"] || !codes["prior.noise"] {
		t.Errorf("a field of other pixels and noise: %v", other.Findings)
	}
	if _, err := OpenNetwork(dev, DefaultPrior, f); !errors.Is(err, massmap.ErrSetting) {
		t.Errorf("a prior taken for a network: %v", err)
	}
}
