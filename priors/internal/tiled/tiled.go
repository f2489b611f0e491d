// Package tiled runs a local network on images of any size: small ones at once,
// large ones in tiles that overlap by the network's reach, so that memory does not
// grow with the image and no seam is seen. Periodic images are continued first.
package tiled

import (
	"errors"
	"fmt"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
)

// Network is a U-Net that knows how to work in tiles.
type Network struct {
	// Whole is how many pixels an image may have to be done at once, Side what a tile
	// yields along each side; defaults 640² and 384. Both shrink where memory is short.
	Whole, Side int

	net  *nn.UNet
	dev  engine.Device
	s    engine.Stream
	tape *grad.Tape // of the network, at once or in tiles
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
// to (B, H, W, Out), for t in mode Forward. The result lives until the next call or the
// tape's Reset. What does not fit into the device's memory is done in smaller tiles, from
// then on.
func (n *Network) Forward(t *grad.Tape, in, noise *grad.Var) (*grad.Var, error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	var v *engine.Tensor
	if noise != nil {
		v = noise.Value()
	}
	for {
		f, err := n.try(t, in.Value(), v)
		if err == nil || !n.shrink(in.Shape(), err) {
			return f, err
		}
	}
}

// least is the smallest tile: below, the reach is most of the work.
const least = 32

// shrink prepares for a second try after err, or says that none is of use.
func (n *Network) shrink(s engine.Shape, err error) bool {
	var m *engine.MemoryError
	side := n.Side / 2
	if s[1]*s[2] <= n.Whole {
		side = min(n.Side, max(s[1], s[2])/2)
	}
	if !errors.As(err, &m) || n.net.Reach() < 0 || side < least || n.s.Err() != nil {
		return false
	}
	n.Whole, n.Side = min(n.Whole, s[1]*s[2]-1), side
	n.Close()
	n.tape, n.out, n.big = nil, nil, [2]*engine.Tensor{}
	return true
}

// try does the images at once or in tiles.
func (n *Network) try(t *grad.Tape, in, noise *engine.Tensor) (*grad.Var, error) {
	s, c := in.Shape(), n.net.Config()
	if n.tape == nil {
		n.tape = grad.New(n.dev, n.s)
	}
	if s[1]*s[2] <= n.Whole || n.net.Reach() < 0 {
		n.tape.Reset(grad.Forward)
		var v *grad.Var
		if noise != nil {
			v = n.tape.Const(noise)
		}
		f := n.net.Forward(n.tape, n.tape.Const(in), v)
		if err := n.tape.Err(); err != nil {
			return nil, err
		}
		return t.Const(f.Value()), nil
	}
	if err := n.fit(&n.out, engine.Shape{s[0], s[1], s[2], c.Out}); err != nil {
		return nil, err
	}
	tiles := nn.Tiles{Net: n.net, Tape: n.tape, Side: n.Side}
	if c.Edge != engine.Periodic {
		if err := tiles.Forward(n.out, in, noise); err != nil {
			return nil, err
		}
		return t.Const(n.out), nil
	}
	return n.periodic(t, tiles, in, noise)
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
