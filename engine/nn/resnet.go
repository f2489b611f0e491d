package nn

import (
	"fmt"

	"limpid/engine"
	"limpid/engine/grad"
)

// ResNetConfig describes a plain residual network at full resolution: a 3×3
// convolution, blocks x + conv(relu(conv x)), a 3×3 convolution, and the input added.
type ResNetConfig struct {
	In       int         `json:"in"`
	Channels int         `json:"channels"`
	Blocks   int         `json:"blocks"`
	Edge     engine.Edge `json:"edge"`
}

// ResNet is the network. It has no noise condition.
type ResNet struct {
	cfg     ResNetConfig
	p       *Params
	in, out *Conv
	body    []*Conv
}

// NewResNet builds the network; its residual starts at 0.
func NewResNet(p *Params, c ResNetConfig) (*ResNet, error) {
	if c.In < 1 || c.Channels < 1 || c.Blocks < 1 {
		return nil, fmt.Errorf("nn: a residual network of %+v", c)
	}
	conv := engine.Conv{Pad: 1, Edge: c.Edge}
	relu := conv
	relu.Act = engine.ReLU
	n := &ResNet{cfg: c, p: p, in: NewConv(p, "in", 3, c.In, c.Channels, 1, conv)}
	for i := range c.Blocks {
		n.body = append(n.body, NewConv(p, fmt.Sprintf("body.%d.0", i), 3, c.Channels, c.Channels, 1, relu),
			NewConv(p, fmt.Sprintf("body.%d.1", i), 3, c.Channels, c.Channels, 0.5, conv))
	}
	n.out = NewConv(p, "out", 3, c.Channels, c.In, 0, conv)
	return n, p.Err()
}

// Params are its parameters.
func (n *ResNet) Params() *Params { return n.p }

// Align is 1: any size will do.
func (n *ResNet) Align() int { return 1 }

// Reach is one pixel for every convolution.
func (n *ResNet) Reach() int { return 2 + 2*n.cfg.Blocks }

// Forward runs the network on images (B, H, W, In); noise is not looked at.
func (n *ResNet) Forward(t *grad.Tape, x, _ *grad.Var) *grad.Var {
	h := n.in.Forward(t, x, nil)
	for i := 0; i < len(n.body); i += 2 {
		a := n.body[i].Forward(t, h, nil)
		b := n.body[i+1].Forward(t, a, h)
		t.Drop(a, h)
		h = b
	}
	y := n.out.Forward(t, h, x)
	t.Drop(h)
	return y
}
