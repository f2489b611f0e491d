package operator

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/solvers"
)

// Tiling covers an image by overlapping tiles of one size. A tile sees Tile.ImgH × ImgW
// pixels of data and has scenes on the grid Tile, margins included; Whole is the grid of
// all of the scene, the image with the same margins: it is never transformed as one.
type Tiling struct {
	Whole, Tile Grid
	Rows, Cols  []int // first row and column of data of each row and column of tiles
	Overlap     int   // pixels of data that neighbours share, at least

	down, across [][]float32 // weights of each row and column of tiles over the tile's grid
}

// Blend is how many pixels in the middle of an overlap pass from one tile to the next.
const blendWidth = 16

// NewTiling cuts an image of h × w pixels into tiles of side pixels that share at least
// overlap of them. grid makes the grid of scenes for a tile's data.
func NewTiling(h, w, side, overlap int, grid func(h, w int) Grid) (*Tiling, error) {
	if overlap < blendWidth || side < 2*overlap {
		return nil, fmt.Errorf("operator: tiles of %d pixels that share %d: at least %d, and no more than half a tile", side, overlap, blendWidth)
	}
	t := &Tiling{Tile: grid(min(side, h), min(side, w)), Overlap: overlap}
	g := t.Tile
	t.Whole = Grid{C: g.C, H: h + g.H - g.ImgH, W: w + g.W - g.ImgW, Row: g.Row, Col: g.Col, ImgH: h, ImgW: w}
	t.Rows, t.Cols = starts(h, g.ImgH, overlap), starts(w, g.ImgW, overlap)
	t.down, t.across = shares(t.Rows, g.ImgH, g.H, g.Row), shares(t.Cols, g.ImgW, g.W, g.Col)
	return t, nil
}

// Count is the number of tiles.
func (t *Tiling) Count() int { return len(t.Rows) * len(t.Cols) }

// At is where tile i begins: its first row and column of data in the image, which are also
// those of its grid in the whole grid.
func (t *Tiling) At(i int) (row, col int) { return t.Rows[i/len(t.Cols)], t.Cols[i%len(t.Cols)] }

// Weights is what tile i's scene (H, W) counts: 1 but near an edge with a neighbour, where
// it passes to 0 as the neighbour's passes to 1.
func (t *Tiling) Weights(i int) []float32 {
	down, across := t.down[i/len(t.Cols)], t.across[i%len(t.Cols)]
	out := make([]float32, 0, len(down)*len(across))
	for _, a := range down {
		for _, b := range across {
			out = append(out, a*b)
		}
	}
	return out
}

// Cut copies the pixels that tile i sees.
func (t *Tiling) Cut(im solvers.Image, i int) solvers.Image {
	row, col := t.At(i)
	return im.Crop(col, col+t.Tile.ImgW, row, row+t.Tile.ImgH)
}

// starts spreads as few tiles of side over n pixels as share overlap.
func starts(n, side, overlap int) []int {
	if side >= n {
		return []int{0}
	}
	steps := (n - side + side - overlap - 1) / (side - overlap)
	out := make([]int, steps+1)
	for i := range out {
		out[i] = i * (n - side) / steps
	}
	return out
}

// shares are the weights of tiles along one axis over their grids of size pixels, whose
// data begin at margin.
func shares(at []int, side, size, margin int) [][]float32 {
	rise := func(middle float64, pixel int) float64 {
		x := (float64(pixel)+0.5-middle)/blendWidth + 0.5
		return (1 - math.Cos(math.Pi*min(max(x, 0), 1))) / 2
	}
	out := make([][]float32, len(at))
	for i, a := range at {
		w := make([]float32, size)
		for k := range w {
			pixel, v := a+k-margin, 1.0
			if i > 0 {
				v *= rise(float64(a+at[i-1]+side)/2, pixel)
			}
			if i+1 < len(at) {
				v *= 1 - rise(float64(at[i+1]+a+side)/2, pixel)
			}
			w[k] = float32(v)
		}
		out[i] = w
	}
	return out
}

// noiseBlock is the side of the squares that Noise draws whole.
const (
	noiseShift = 6
	noiseBlock = 1 << noiseShift
)

// Noise is white noise that belongs to the pixels of a plane without bounds: images cut
// from it at different places have the same numbers where they overlap. Every square of
// noiseBlock pixels has a key of its own, so that it is the same on every device.
type Noise struct {
	Row, Col int // of the plane, where images begin; they may be below 0
	block    *engine.Tensor
}

// NewNoise allocates a square.
func NewNoise(dev engine.Device) (*Noise, error) {
	b, err := dev.Alloc(engine.Shape{noiseBlock, noiseBlock})
	if err != nil {
		return nil, fmt.Errorf("operator: noise: %w", err)
	}
	return &Noise{block: b}, nil
}

// Fill writes the planes of dst (…, H, W), each its own noise.
func (n *Noise) Fill(s engine.Stream, dst *engine.Tensor, key engine.Key) {
	d := dst.Shape()
	h, w := d[len(d)-2], d[len(d)-1]
	planes := dst.Reshape(dst.Len()/(h*w), h, w)
	s.Fill(dst, 0)
	for p := range planes.Shape()[0] {
		plane, of := planes.Slice(p, p+1).Reshape(h, w), key.Fold(uint64(p))
		for y := n.Row >> noiseShift; y<<noiseShift < n.Row+h; y++ {
			row := of.Fold(uint64(y))
			for x := n.Col >> noiseShift; x<<noiseShift < n.Col+w; x++ {
				s.Normal(n.block, row.Fold(uint64(x)))
				s.AddWindow(plane, n.block, y<<noiseShift-n.Row, x<<noiseShift-n.Col)
			}
		}
	}
}

// Close frees the square.
func (n *Noise) Close() { n.block.Free() }

// Tiled is a convolution of a scene of any size by tiles (overlap–save), in the memory of
// one: it is exact, as the margins of a tile's grid hold the PSF's reach.
type Tiled struct {
	*Tiling
	conv         *Convolution
	scene, image *engine.Tensor // (C, H, W) of a tile
}

// NewTiled makes the operator.
func NewTiled(dev engine.Device, s engine.Stream, psf solvers.Image, t *Tiling) (*Tiled, error) {
	c, err := NewConvolutionOn(dev, s, psf, t.Tile, 1)
	if err != nil {
		return nil, err
	}
	o := &Tiled{Tiling: t, conv: c}
	if o.scene, err = dev.Alloc(t.Tile.Domain()); err == nil {
		o.image, err = dev.Alloc(t.Tile.Range())
	}
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("operator: tiles: %w", err)
	}
	return o, nil
}

// Domain is all of the scene.
func (o *Tiled) Domain() engine.Shape { return o.Whole.Domain() }

// Range is the image.
func (o *Tiled) Range() engine.Shape { return o.Whole.Range() }

// each calls f with every scene of a batch and every tile, and the rows and columns of the
// tile's data, counted in them, that no tile before it has.
func (o *Tiled) each(x, y *engine.Tensor, f func(scene, image *engine.Tensor, row, col, top, left int)) {
	d, r := o.Domain(), o.Range()
	for i := range x.Len() / d.Len() {
		scene := x.Reshape(append(engine.Shape{x.Len() / d.Len()}, d...)...).Slice(i, i+1).Reshape(d...)
		image := y.Reshape(append(engine.Shape{x.Len() / d.Len()}, r...)...).Slice(i, i+1).Reshape(r...)
		for a, row := range o.Rows {
			for b, col := range o.Cols {
				top, left := 0, 0
				if a > 0 {
					top = o.Rows[a-1] + o.Tile.ImgH - row
				}
				if b > 0 {
					left = o.Cols[b-1] + o.Tile.ImgW - col
				}
				f(scene, image, row, col, top, left)
			}
		}
	}
}

// own cuts off a tile's image, in place, what is another's: the first top rows and left columns.
func (o *Tiled) own(s engine.Stream, top, left int) {
	if top == 0 && left == 0 {
		return
	}
	shape := o.image.Shape()
	part := o.scene.Reshape(o.scene.Len()).Slice(0, shape[0]*(shape[1]-top)*(shape[2]-left)).Reshape(shape[0], shape[1]-top, shape[2]-left)
	s.Window(part, o.image, top, left)
	s.Window(o.image, part, -top, -left)
}

// Forward writes window(P ∗ x).
func (o *Tiled) Forward(s engine.Stream, y, x *engine.Tensor) {
	s.Fill(y, 0)
	o.each(x, y, func(scene, image *engine.Tensor, row, col, top, left int) {
		s.Window(o.scene, scene, row, col)
		o.conv.Forward(s, o.image, o.scene)
		o.own(s, top, left)
		s.AddWindow(image, o.image, row, col)
	})
}

// Adjoint writes Pᵀ ∗ embed(y).
func (o *Tiled) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	s.Fill(x, 0)
	o.each(x, y, func(scene, image *engine.Tensor, row, col, top, left int) {
		s.Window(o.image, image, row, col)
		o.own(s, top, left)
		o.conv.Adjoint(s, o.scene, o.image)
		s.AddWindow(scene, o.scene, row, col)
	})
}

// Power is |H|² on the modes of a tile's grid.
func (o *Tiled) Power(s engine.Stream) []float64 { return o.conv.Power(s) }

// Close frees the operator's tensors.
func (o *Tiled) Close() {
	o.conv.Close()
	o.scene.Free()
	o.image.Free()
}
