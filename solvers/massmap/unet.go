package massmap

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/massmap/preview"
	"limpid/solvers/operator"
)

// Network estimates κ at once: preview.Net is one.
type Network interface {
	Align() int                  // what the sides of a grid must be multiples of
	Spectrum() gaussian.Spectrum // of the Wiener map that it begins with
	Predict(m preview.Maps) ([]float32, error)
	References() []string
}

var _ Network = (*preview.Net)(nil)

// unetKernel is the one step of a Network: the Wiener map, what it leaves of the data, and
// the network.
type unetKernel struct {
	p     *Problem
	x     *engine.Tensor // (1, 1, H, W)
	y     *engine.Tensor // (1, 2, ImgH, ImgW)
	state solvers.State
}

func (p *Problem) unet(dev engine.Device) error {
	p.Op.Close()
	var err error
	if p.Op, err = operator.NewShear(dev, p.stream, p.Op.Grid.Aligned(max(p.Settings.Network.Align(), 1)), 1); err != nil {
		return fmt.Errorf("massmap: %w", err)
	}
	p.close[0] = p.Op.Close
	k := &unetKernel{p: p}
	if k.x, err = dev.Alloc(engine.Shape{1, 1, p.Op.H, p.Op.W}); err == nil {
		k.y, err = dev.Alloc(engine.Shape{1, 2, p.Field.H, p.Field.W})
	}
	if err != nil {
		k.Close()
		return fmt.Errorf("massmap: %w", err)
	}
	p.setKernel(k)
	return nil
}

func (k *unetKernel) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.state = solvers.State{Stream: k.p.stream, X: k.x, Kind: solvers.Estimate, Count: 1}
	return &k.state, k.p.stream.Err()
}

func (k *unetKernel) Step(ctx context.Context, _ engine.Key, st *solvers.State) (solvers.Info, error) {
	p, s := k.p, k.p.stream
	w, err := p.wienerMean(ctx)
	if err != nil {
		return solvers.Info{}, err
	}
	m := preview.Maps{H: p.Op.H, W: p.Op.W, Wiener: w, Residual: make([]float32, len(w)), Weight: make([]float32, len(w))}
	n := p.Field.H * p.Field.W
	for i := range n {
		at := (i/p.Field.W+p.Op.Row)*p.Op.W + i%p.Field.W + p.Op.Col
		m.Weight[at] = (p.Weights.Pix[i] + p.Weights.Pix[n+i]) / 2
	}
	if err := preview.ResidualOf(s, p.Op, m, p.Data, p.Weights, k.x, k.y); err != nil {
		return solvers.Info{}, fmt.Errorf("massmap: %w", err)
	}
	out, err := p.Settings.Network.Predict(m)
	if err != nil {
		return solvers.Info{}, fmt.Errorf("massmap: %w", err)
	}
	s.Upload(k.x, out)
	st.X, st.Kind, st.Count = k.x, solvers.Estimate, 1
	return solvers.Info{Iterations: 1, Done: true}, s.Sync(ctx)
}

func (k *unetKernel) References() []string { return k.p.Settings.Network.References() }

func (k *unetKernel) Close() {
	k.x.Free()
	k.y.Free()
}
