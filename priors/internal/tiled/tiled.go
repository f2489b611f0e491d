// Package tiled runs a local network on images of any size: small ones at once,
// large ones in tiles that overlap by the network's reach, so that memory does not
// grow with the image and no seam is seen. Periodic images are continued first.
package tiled

import (
	"fmt"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
)

// Network is a U-Net that knows how to work in tiles.
type Network struct {
	Whole int // pixels of an image that is still done at once; default 640²
	Side  int // of a tile's yield; default 384

	net  *nn.UNet
	dev  engine.Device
	s    engine.Stream
	tape *grad.Tape // of the tiles
	out  *engine.Tensor
	big  [2]*engine.Tensor
}

// New wraps a network whose work goes to s.
func New(dev engine.Device, s engine.Stream, net *nn.UNet) *Network {
	return &Network{Whole: 640 * 640, Side: 384, net: net, dev: dev, s: s}
}

// Close frees the scratch; the network is the caller's.
func (n *Network) Close() {
	if n.tape != nil {
		n.tape.Close()
	}
	n.out.Free()
	n.big[0].Free()
	n.big[1].Free()
}

// Forward runs the network on images (B, H, W, In) with noise features (nil: none)
// to (B, H, W, Out). The result lives until the next call or the tape's Reset.
func (n *Network) Forward(t *grad.Tape, in, noise *grad.Var) (*grad.Var, error) {
	s := in.Shape()
	if s[1]*s[2] <= n.Whole || n.net.Reach() < 0 {
		f := n.net.Forward(t, in, noise)
		return f, t.Err()
	}
	if err := t.Err(); err != nil {
		return nil, err
	}
	if n.tape == nil {
		n.tape = grad.New(n.dev, n.s)
	}
	c := n.net.Config()
	var v *engine.Tensor
	if noise != nil {
		v = noise.Value()
	}
	if err := n.fit(&n.out, engine.Shape{s[0], s[1], s[2], c.Out}); err != nil {
		return nil, err
	}
	tiles := nn.Tiles{Net: n.net, Tape: n.tape, Side: n.Side}
	if c.Edge != engine.Periodic {
		if err := tiles.Forward(n.out, in.Value(), v); err != nil {
			return nil, err
		}
		return t.Const(n.out), nil
	}
	return n.periodic(t, tiles, in.Value(), v)
}

// periodic continues the image by the reach on every side, so that what the network
// takes to lie beyond does not matter.
func (n *Network) periodic(t *grad.Tape, tiles nn.Tiles, in, noise *engine.Tensor) (*grad.Var, error) {
	s, c, align := in.Shape(), n.net.Config(), n.net.Align()
	m := (n.net.Reach() + align - 1) / align * align
	h, w := s[1]+2*m, s[2]+2*m
	if err := n.fit(&n.big[0], engine.Shape{s[0], h, w, c.In}); err != nil {
		return nil, err
	}
	if err := n.fit(&n.big[1], engine.Shape{s[0], h, w, c.Out}); err != nil {
		return nil, err
	}
	// columns go round in runs of whole rows: first left and right, then up and down
	for b := range s[0] {
		src := in.Slice(b, b+1).Reshape(s[1], s[2]*c.In)
		dst := n.big[0].Slice(b, b+1).Reshape(h, w*c.In)
		rows := dst.Slice(m, m+s[1])
		for x := 0; x < w; {
			from := engine.Periodic.At(x-m, s[2])
			run := min(s[2]-from, w-x)
			n.s.CopyChannels(rows, x*c.In, src, from*c.In, run*c.In)
			x += run
		}
		for y := range h {
			if from := engine.Periodic.At(y-m, s[1]); y < m || y >= m+s[1] {
				n.s.Copy(dst.Slice(y, y+1), rows.Slice(from, from+1))
			}
		}
	}
	if err := tiles.Forward(n.big[1], n.big[0], noise); err != nil {
		return nil, err
	}
	for b := range s[0] {
		rows := n.big[1].Slice(b, b+1).Reshape(h, w*c.Out).Slice(m, m+s[1])
		n.s.CopyChannels(n.out.Slice(b, b+1).Reshape(s[1], s[2]*c.Out), 0, rows, m*c.Out, s[2]*c.Out)
	}
	return t.Const(n.out), n.s.Err()
}

func (n *Network) fit(x **engine.Tensor, s engine.Shape) error {
	if *x != nil && (*x).Shape().Equal(s) {
		return nil
	}
	(*x).Free()
	*x = nil
	y, err := n.dev.Alloc(s)
	if err != nil {
		return fmt.Errorf("priors: a network on an image of %d×%d pixels: %w", s[2], s[1], err)
	}
	*x = y
	return nil
}
