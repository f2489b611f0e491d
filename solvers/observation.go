// Package solvers holds inverse problems y = A x + n: what was observed, the
// operator A, the likelihood of n, and the one loop that runs a kernel.
//
// The subpackages build on it: operator (A and its adjoint), optim and mcmc
// (kernels), summary (what is kept of a run), observe (from pixels to an
// Observation), deconv (deconvolution put together). Nothing here reads files,
// prints, or leaves a goroutine behind.
package solvers

import (
	"fmt"
	"math"

	"limpid/engine"
)

// Image is a stack of planes on the host: (C, H, W), row-major, row 0 the first
// row of the FITS image (the bottom one on screen).
type Image struct {
	C, H, W int
	Pix     []float32
}

// NewImage allocates a zeroed image.
func NewImage(c, h, w int) Image {
	return Image{C: c, H: h, W: w, Pix: make([]float32, c*h*w)}
}

// Shape is (C, H, W).
func (im Image) Shape() engine.Shape { return engine.Shape{im.C, im.H, im.W} }

// Plane is band c, sharing storage.
func (im Image) Plane(c int) []float32 {
	n := im.H * im.W
	return im.Pix[c*n : (c+1)*n : (c+1)*n]
}

// Empty reports whether there are no pixels.
func (im Image) Empty() bool { return len(im.Pix) == 0 }

// Clone copies the pixels.
func (im Image) Clone() Image {
	im.Pix = append([]float32(nil), im.Pix...)
	return im
}

// Crop copies rows y0 to y1 and columns x0 to x1 (upper ends excluded) of every
// plane. The range must lie inside the image.
func (im Image) Crop(x0, x1, y0, y1 int) Image {
	out := NewImage(im.C, y1-y0, x1-x0)
	for c := range im.C {
		src, dst := im.Plane(c), out.Plane(c)
		for y := y0; y < y1; y++ {
			copy(dst[(y-y0)*out.W:(y-y0+1)*out.W], src[y*im.W+x0:y*im.W+x1])
		}
	}
	return out
}

// Frame says how pixels lie on the sky, as far as the numerics need it.
type Frame struct {
	PixelScale float64 // arcsec per pixel, the geometric mean of the axes; 0: unknown
}

// Observation is what was measured and how: the left-hand side of y = A x + n.
type Observation struct {
	Data    Image    // (C, H, W), in Unit, the sky subtracted; 0 where masked
	Weights Image    // (C, H, W) inverse variance of Data, in Unit⁻²; 0 = masked
	PSF     Image    // (C, h, w), each plane sums to 1, centred on pixel ((h-1)/2, (w-1)/2)
	Field   PSFField // of a PSF that varies over the image; PSF is then its mean
	// Exposures are of a field that was seen more than once, or is sought on finer pixels: they
	// are what is known, and Data, Weights (of Coadd) and PSF are to look at. nil: Data are.
	Exposures []Exposure
	Colour    []Correlation // per band, of the noise over its standard deviation; nil: pixels are independent
	Sky       []Image       // per band the sky that was subtracted from Data; nil: none
	Bands     []string      // C names
	Unit      string        // BUNIT; "" when unknown
	Frame     Frame
}

// PSFField is a PSF at nodes of a regular grid over the image, the outermost on its border
// pixels: row by row from the lowest, each as Observation.PSF.
type PSFField struct {
	Rows, Cols int
	Nodes      []Image // nil: one PSF for all of the image
}

// Validate reports what would make the numerics meaningless: shapes that differ,
// values that are not finite, negative weights, a PSF that does not sum to 1.
func (o *Observation) Validate() error {
	d := o.Data
	if d.Empty() || len(d.Pix) != d.C*d.H*d.W {
		return fmt.Errorf("solvers: observation has no data (%d×%d×%d)", d.C, d.H, d.W)
	}
	if o.Weights.C != d.C || o.Weights.H != d.H || o.Weights.W != d.W {
		return fmt.Errorf("solvers: weights are %v, data %v", o.Weights.Shape(), d.Shape())
	}
	if o.PSF.C != d.C || o.PSF.Empty() {
		return fmt.Errorf("solvers: %d PSF planes for %d bands", o.PSF.C, d.C)
	}
	for i, e := range o.Exposures {
		if d.C != 1 || len(e.X) != len(e.Data.Pix) || len(e.Y) != len(e.Data.Pix) || len(e.Weights.Pix) != len(e.Data.Pix) || e.PSF.Empty() || e.Native.Empty() || !(e.Area > 0) {
			return fmt.Errorf("solvers: exposure %d is incomplete", i+1)
		}
	}
	for c := range d.C {
		if err := validatePlane(d.Plane(c), o.Weights.Plane(c)); err != nil {
			return fmt.Errorf("solvers: band %d: %w", c, err)
		}
		if o.Colour != nil && (len(o.Colour) != d.C || len(o.Colour[c].At) != (2*o.Colour[c].Reach+1)*(2*o.Colour[c].Reach+1)) {
			return fmt.Errorf("solvers: band %d: the noise's correlation is incomplete", c)
		}
		var sum float64
		for _, v := range o.PSF.Plane(c) {
			sum += float64(v)
		}
		if !(math.Abs(sum-1) < psfSumTolerance) {
			return fmt.Errorf("solvers: band %d: PSF sums to %g, not 1", c, sum)
		}
	}
	return nil
}

// psfSumTolerance allows for float32 rounding of a normalised PSF.
const psfSumTolerance = 1e-4

func validatePlane(data, weights []float32) error {
	valid := false
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return fmt.Errorf("weight %g at pixel %d", w, i)
		}
		v := float64(data[i])
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("data %g at pixel %d", v, i)
		}
		valid = valid || w > 0
	}
	if !valid {
		return fmt.Errorf("every pixel is masked")
	}
	return nil
}

// ValidPixels counts the pixels of band c that are not masked.
func (o *Observation) ValidPixels(c int) int {
	n := 0
	for _, w := range o.Weights.Plane(c) {
		if w > 0 {
			n++
		}
	}
	return n
}
