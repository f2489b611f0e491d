package nn

import (
	"fmt"

	"limpid/engine"
	"limpid/engine/grad"
)

// Tiles runs a local network on images of any size in pieces, so that its memory
// depends on the piece. Pieces overlap by the network's reach, and of each only what
// does not see its edge is kept: the result is that of the whole image.
type Tiles struct {
	Net  Network
	Tape *grad.Tape
	Side int // pixels that a piece yields along each side, rounded up to Align
}

// Forward writes the network of x (B, H, W, In) to dst (B, H, W, Out). H and W must
// be multiples of Align. It works in mode Forward and returns the tape's failure.
func (k Tiles) Forward(dst, x, noise *engine.Tensor) error {
	reach, align := k.Net.Reach(), k.Net.Align()
	if reach < 0 {
		return errGlobal
	}
	up := func(n int) int { return (n + align - 1) / align * align }
	side, margin := up(max(k.Side, 1)), up(reach)
	s, d := x.Shape(), dst.Shape()
	if len(s) != 4 || len(d) != 4 || s[0] != d[0] || s[1] != d[1] || s[2] != d[2] || s[1]%align != 0 || s[2]%align != 0 {
		panic(fmt.Sprintf("nn: tiles of %v to %v, sides multiples of %d", s, d, align))
	}
	for y := 0; y < s[1]; y += side {
		for c := 0; c < s[2]; c += side {
			if err := k.piece(dst, x, noise, y, c, side, margin); err != nil {
				return err
			}
		}
	}
	return nil
}

// span is where the piece that yields pixels from at on lies along a side of n: it
// has the same length everywhere, so that memory is used again, and ends where the
// image ends, so that the network pads there as it would have.
func span(at, side, margin, n int) (lo, hi int) {
	length := min(side+2*margin, n)
	lo = min(max(0, at-margin), n-length)
	return lo, lo + length
}

// piece computes one tile.
func (k Tiles) piece(dst, x, noise *engine.Tensor, y, c, side, margin int) error {
	s, d := x.Shape(), dst.Shape()
	y0, y1 := span(y, side, margin, s[1])
	c0, c1 := span(c, side, margin, s[2])
	h, w := min(side, s[1]-y), min(side, s[2]-c)
	t := k.Tape
	t.Reset(grad.Forward)
	st := t.Stream()
	// Channels-last images are planes of rows of W·C numbers.
	in := t.Window(t.Const(x.Reshape(s[0], s[1], s[2]*s[3])), y0, c0*s[3], s[0], y1-y0, (c1-c0)*s[3])
	img := t.Reshape(in, s[0], y1-y0, c1-c0, s[3])
	t.Drop(in)
	var v *grad.Var
	if noise != nil {
		v = t.Const(noise)
	}
	out := k.Net.Forward(t, img, v)
	t.Drop(img)
	if err := t.Err(); err != nil {
		return fmt.Errorf("nn: a tile of %d×%d pixels: %w", y1-y0, c1-c0, err)
	}
	n := d[3]
	core := t.Window(t.Reshape(out, d[0], y1-y0, (c1-c0)*n), y-y0, (c-c0)*n, d[0], h, w*n)
	if err := t.Err(); err != nil {
		return err
	}
	place(st, dst.Reshape(d[0], d[1], d[2]*n), core.Value(), y, c*n)
	return st.Err()
}

// place copies src to (row, col) of planes of dst. Rows of one image are contiguous
// in neither, so it goes by channels of rows.
func place(s engine.Stream, dst, src *engine.Tensor, row, col int) {
	d, p := dst.Shape(), src.Shape()
	for b := range d[0] {
		rows := dst.Slice(b, b+1).Reshape(d[1], d[2]).Slice(row, row+p[1])
		s.CopyChannels(rows, col, src.Slice(b, b+1).Reshape(p[1], p[2]), 0, p[2])
	}
}
