// Package operator holds the linear maps A of y = A x + n, each with its exact
// adjoint. One list in the tests drives ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ over all of them.
package operator

import (
	"fmt"

	"limpid/engine"
	"limpid/solvers"
)

// Grid is the periodic grid a scene is reconstructed on: larger than the image
// by at least the PSF's reach on every side, so that light from outside the
// frame can be part of the model and nothing wraps into the frame.
type Grid struct {
	C, H, W    int // planes, rows and columns of the grid
	Row, Col   int // where the image's pixel (0, 0) lies in the grid
	ImgH, ImgW int
}

// NewGrid pads an image of h × w pixels for a PSF of ph × pw to sizes whose
// prime factors are 2, 3 and 5.
func NewGrid(c, h, w, ph, pw int) Grid {
	g := Grid{C: c, ImgH: h, ImgW: w}
	g.H, g.W = GoodSize(h+2*(ph/2)), GoodSize(w+2*(pw/2))
	g.Row, g.Col = (g.H-h)/2, (g.W-w)/2
	return g
}

// NewFrameGrid pads half as much: light of the frame still does not wrap into it, sources
// beyond the frame are part of the model to half the PSF's reach, and only their wings
// farther than that wrap. Steps that cost per pixel of the grid become up to twice as fast.
func NewFrameGrid(c, h, w, ph, pw int) Grid {
	return NewGrid(c, h, w, (ph+1)/2, (pw+1)/2)
}

// Aligned is the grid enlarged to sides that are multiples of align (a power of
// two) and whose prime factors are 2, 3 and 5.
func (g Grid) Aligned(align int) Grid {
	for g.H%align != 0 {
		g.H = GoodSize(g.H + 1)
	}
	for g.W%align != 0 {
		g.W = GoodSize(g.W + 1)
	}
	g.Row, g.Col = (g.H-g.ImgH)/2, (g.W-g.ImgW)/2
	return g
}

// GoodSize is the smallest even number ≥ n whose prime factors are 2, 3 and 5.
func GoodSize(n int) int {
	for n += n & 1; ; n += 2 {
		m := n
		for _, p := range []int{2, 3, 5} {
			for m%p == 0 {
				m /= p
			}
		}
		if m == 1 {
			return n
		}
	}
}

// Domain is the shape of a scene on the grid.
func (g Grid) Domain() engine.Shape { return engine.Shape{g.C, g.H, g.W} }

// Range is the shape of the image.
func (g Grid) Range() engine.Shape { return engine.Shape{g.C, g.ImgH, g.ImgW} }

// Embed puts image planes on the grid, zero around them (on the host).
func (g Grid) Embed(im solvers.Image) solvers.Image {
	out := solvers.NewImage(im.C, g.H, g.W)
	for c := range im.C {
		src, dst := im.Plane(c), out.Plane(c)
		for y := range im.H {
			at := (y+g.Row)*g.W + g.Col
			copy(dst[at:at+im.W], src[y*im.W:(y+1)*im.W])
		}
	}
	return out
}

// Crop takes the image's window out of a scene on the grid, (C, H, W): the inverse of Embed.
func (g Grid) Crop(scene []float32) []float32 {
	out := make([]float32, 0, g.C*g.ImgH*g.ImgW)
	for c := range g.C {
		for y := range g.ImgH {
			at := (c*g.H+y+g.Row)*g.W + g.Col
			out = append(out, scene[at:at+g.ImgW]...)
		}
	}
	return out
}

// Convolution is A x = window(P ∗ x): every band is convolved with its own PSF
// on a periodic grid and the image's window is cut out. Its adjoint embeds and
// correlates. A mask is not part of it: masked pixels have weight 0.
type Convolution struct {
	Grid
	// Transfer is the PSF's Fourier transform, (C, H, W/2+1, 2), its centre at
	// the grid's pixel (0, 0).
	Transfer *engine.Tensor

	spec, real *engine.Tensor // scratch, for the batch
	batch      int
	views      struct{ spec, real *engine.Tensor } // scratch in the last shape used
}

// NewConvolution makes the operator for up to batch scenes at a time. Scratch
// is taken from dev; Close gives it back.
func NewConvolution(dev engine.Device, s engine.Stream, psf solvers.Image, h, w, batch int) (*Convolution, error) {
	return NewConvolutionOn(dev, s, psf, NewGrid(psf.C, h, w, psf.H, psf.W), batch)
}

// NewConvolutionOn is NewConvolution on a grid of the caller's, at least as large
// as NewFrameGrid's.
func NewConvolutionOn(dev engine.Device, s engine.Stream, psf solvers.Image, g Grid, batch int) (*Convolution, error) {
	t, err := TransferFunction(dev, s, psf, g)
	if err != nil {
		return nil, err
	}
	o := &Convolution{Grid: g, Transfer: t, batch: batch}
	d := engine.Shape{batch, g.C, g.H, g.W}
	if o.spec, err = dev.Alloc(d.Spectrum()); err == nil {
		o.real, err = dev.Alloc(d)
	}
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("operator: convolution on a %d×%d grid: %w", g.H, g.W, err)
	}
	return o, nil
}

// TransferFunction embeds a PSF (centre at ((h-1)/2, (w-1)/2)) on a grid with
// its centre at pixel (0, 0) and transforms it: (C, H, W/2+1, 2).
func TransferFunction(dev engine.Device, s engine.Stream, psf solvers.Image, g Grid) (*engine.Tensor, error) {
	host := solvers.NewImage(psf.C, g.H, g.W)
	cy, cx := (psf.H-1)/2, (psf.W-1)/2
	for c := range psf.C {
		src, dst := psf.Plane(c), host.Plane(c)
		for y := range psf.H {
			for x := range psf.W {
				at := mod(y-cy, g.H)*g.W + mod(x-cx, g.W)
				dst[at] += src[y*psf.W+x]
			}
		}
	}
	real, err := dev.Alloc(g.Domain())
	if err != nil {
		return nil, fmt.Errorf("operator: PSF on a %d×%d grid: %w", g.H, g.W, err)
	}
	defer real.Free()
	t, err := dev.Alloc(g.Domain().Spectrum())
	if err != nil {
		return nil, fmt.Errorf("operator: transfer function on a %d×%d grid: %w", g.H, g.W, err)
	}
	s.Upload(real, host.Pix)
	s.RFFT2(t, real)
	return t, nil
}

func mod(a, n int) int { return ((a % n) + n) % n }

// Forward writes window(P ∗ x) to y: x (…, C, H, W), y (…, C, ImgH, ImgW).
func (o *Convolution) Forward(s engine.Stream, y, x *engine.Tensor) {
	spec, real := o.scratch(x.Shape())
	s.RFFT2(spec, x)
	s.CMul(spec, spec, o.Transfer)
	s.IRFFT2(real, spec)
	s.Window(y, real, o.Row, o.Col)
}

// Adjoint writes Pᵀ ∗ embed(y) to x.
func (o *Convolution) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	spec, real := o.scratch(x.Shape())
	s.Window(real, y, -o.Row, -o.Col)
	s.RFFT2(spec, real)
	s.CMulConj(spec, spec, o.Transfer)
	s.IRFFT2(x, spec)
}

// scratch is work space in the shape of a batch of scenes. The views are made
// once per shape.
func (o *Convolution) scratch(scenes engine.Shape) (spec, real *engine.Tensor) {
	if o.views.real != nil && o.views.real.Shape().Equal(scenes) {
		return o.views.spec, o.views.real
	}
	n := scenes.Len() / o.Domain().Len()
	if n > o.batch {
		panic(fmt.Sprintf("operator: %d scenes in a convolution made for %d", n, o.batch))
	}
	o.views.spec = o.spec.Slice(0, n).Reshape(scenes.Spectrum()...)
	o.views.real = o.real.Slice(0, n).Reshape(scenes...)
	return o.views.spec, o.views.real
}

// Close frees the operator's tensors.
func (o *Convolution) Close() {
	o.Transfer.Free()
	o.spec.Free()
	o.real.Free()
}

// Power is |H|² on the modes of the grid, (C, H, W/2+1).
func (o *Convolution) Power(s engine.Stream) []float64 {
	host := make([]float32, o.Transfer.Len())
	s.Download(host, o.Transfer)
	out := make([]float64, len(host)/2)
	for i := range out {
		re, im := float64(host[2*i]), float64(host[2*i+1])
		out[i] = re*re + im*im
	}
	return out
}

// Corner is where on the grid the image begins.
func (o *Convolution) Corner() (row, col int) { return o.Row, o.Col }
