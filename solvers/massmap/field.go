// Package massmap turns measured shear into maps of the projected mass: the convergence
// κ with its posterior. A Field is the shear on pixels; Problem puts the shear operator,
// a prior and a kernel together; KaiserSquires is the classical estimate.
//
// Frames: a Field is row-major, row 0 at the bottom (south), and its components are
// those of a frame with x along columns and y along rows, whatever way the columns run
// on the sky (Projection says). A mass concentration has tangential shear about it:
// γ1 < 0 to its left and right, γ1 > 0 above and below.
package massmap

import (
	"errors"
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
)

// Errors that say what is wrong with a user's data. Messages have the rest.
var (
	ErrEmpty   = errors.New("no usable galaxy")
	ErrField   = errors.New("not a shear field")
	ErrSetting = errors.New("impossible setting")
)

// Field is the reduced shear g = γ/(1 − κ) on square pixels.
type Field struct {
	H, W   int
	Arcmin float64 // side of a pixel
	// Shear is (2, H, W): means of g1 and g2 over each pixel's galaxies, 0 where masked.
	Shear solvers.Image
	// Weights is (2, H, W): inverse variance of Shear, 0 where masked.
	Weights solvers.Image
	Count   []float32 // galaxies per pixel; nil: not known
	SigmaE  float64   // dispersion of one component for one galaxy; 0: not known
	// Galaxies is how many went in; Dropped how many rows did not, by reason.
	Galaxies   int
	Dropped    map[string]int
	Projection Projection
	Findings   []limpid.Finding
}

// Validate reports what would make the numerics meaningless.
func (f *Field) Validate() error {
	n := 2 * f.H * f.W
	switch {
	case f.H < 8 || f.W < 8:
		return fmt.Errorf("massmap: a field of %d × %d pixels: at least 8 × 8: %w", f.W, f.H, ErrField)
	case len(f.Shear.Pix) != n || len(f.Weights.Pix) != n:
		return fmt.Errorf("massmap: shear %v and weights %v of a field of %d × %d pixels: %w", f.Shear.Shape(), f.Weights.Shape(), f.W, f.H, ErrField)
	case !(f.Arcmin > 0) || math.IsInf(f.Arcmin, 0):
		return fmt.Errorf("massmap: pixels of %g arcmin: %w", f.Arcmin, ErrField)
	}
	valid := false
	for i, w := range f.Weights.Pix {
		g := float64(f.Shear.Pix[i])
		if !(w >= 0) || math.IsInf(float64(w), 0) || math.IsNaN(g) || math.IsInf(g, 0) {
			return fmt.Errorf("massmap: pixel (%d, %d): shear %g, weight %g: %w", i%f.W, i/f.W%f.H, g, w, ErrField)
		}
		if w == 0 && g != 0 {
			return fmt.Errorf("massmap: pixel (%d, %d) is masked but has shear %g: %w", i%f.W, i/f.W%f.H, g, ErrField)
		}
		valid = valid || w > 0
	}
	if !valid {
		return fmt.Errorf("massmap: every pixel is masked: %w", ErrEmpty)
	}
	return nil
}

// Masked reports whether pixel i (of H·W) has no data.
func (f *Field) Masked(i int) bool { return f.Weights.Pix[i] == 0 }

// Mask is 1 where there are data, (H, W).
func (f *Field) Mask() []uint8 {
	out := make([]uint8, f.H*f.W)
	for i := range out {
		if !f.Masked(i) {
			out[i] = 1
		}
	}
	return out
}

// Std is the noise of component c (0 or 1) of a pixel, 0 where masked.
func (f *Field) Std(c, i int) float64 {
	if w := f.Weights.Pix[c*f.H*f.W+i]; w > 0 {
		return 1 / math.Sqrt(float64(w))
	}
	return 0
}

// Clone copies the pixels.
func (f *Field) Clone() *Field {
	out := *f
	out.Shear, out.Weights = f.Shear.Clone(), f.Weights.Clone()
	return &out
}

// Flip changes the signs of the components in place: the one-click repair of a wrong
// convention.
func (f *Field) Flip(first, second bool) {
	n := f.H * f.W
	for c, flip := range []bool{first, second} {
		if !flip {
			continue
		}
		for i := c * n; i < (c+1)*n; i++ {
			f.Shear.Pix[i] = -f.Shear.Pix[i]
		}
	}
}

// Gridded is what NewField takes: planes of the same h × w, row-major, south first.
type Gridded struct {
	H, W   int
	Arcmin float64
	G1, G2 []float32 // NaN counts as masked
	// Std1 and Std2 are the noise of each pixel; Std2 nil means as Std1. Where they are
	// 0 or not finite the pixel is masked. Both nil: SigmaE and Count give the noise.
	Std1, Std2 []float32
	Mask       []float32 // 0: masked; nil: none
	Count      []float32 // galaxies per pixel
	SigmaE     float64
}

// NewField makes a Field of maps.
func NewField(g Gridded) (*Field, error) {
	n := g.H * g.W
	if g.H < 1 || g.W < 1 || len(g.G1) != n || len(g.G2) != n {
		return nil, fmt.Errorf("massmap: maps of %d and %d pixels for %d × %d: %w", len(g.G1), len(g.G2), g.W, g.H, ErrField)
	}
	for name, p := range map[string][]float32{"std1": g.Std1, "std2": g.Std2, "mask": g.Mask, "count": g.Count} {
		if p != nil && len(p) != n {
			return nil, fmt.Errorf("massmap: the %s map has %d pixels, the shear %d × %d: %w", name, len(p), g.W, g.H, ErrField)
		}
	}
	if g.Std1 == nil && (g.Count == nil || !(g.SigmaE > 0)) {
		return nil, fmt.Errorf("massmap: the noise is not known: give maps of its standard deviation, or counts of galaxies and the dispersion of their shapes: %w", ErrSetting)
	}
	f := &Field{
		H: g.H, W: g.W, Arcmin: g.Arcmin, Count: g.Count, SigmaE: g.SigmaE,
		Shear: solvers.NewImage(2, g.H, g.W), Weights: solvers.NewImage(2, g.H, g.W),
		Projection: Projection{Kind: Pixels, H: g.H, W: g.W, Arcmin: g.Arcmin},
	}
	std := [2][]float32{g.Std1, g.Std2}
	if std[1] == nil {
		std[1] = g.Std1
	}
	bad := 0
	for i := range n {
		g1, g2 := float64(g.G1[i]), float64(g.G2[i])
		if g.Mask != nil && !(g.Mask[i] > 0) {
			continue
		}
		w := [2]float64{}
		for c := range w {
			if std[c] != nil {
				w[c] = 1 / (float64(std[c][i]) * float64(std[c][i]))
			} else {
				w[c] = float64(g.Count[i]) / (g.SigmaE * g.SigmaE)
			}
		}
		if !usable(g1) || !usable(g2) || !(w[0] > 0) || !(w[1] > 0) || math.IsInf(w[0]+w[1], 0) {
			bad++
			continue
		}
		f.Shear.Pix[i], f.Shear.Pix[n+i] = float32(g1), float32(g2)
		f.Weights.Pix[i], f.Weights.Pix[n+i] = float32(w[0]), float32(w[1])
	}
	if bad > 0 {
		f.note(limpid.Info, "shear.masked", "maps", "", "%d pixels without a value or without noise were masked", bad)
	}
	return f, f.Validate()
}

func usable(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func (f *Field) note(sev limpid.Severity, code, where, advice, format string, args ...any) {
	f.Findings = append(f.Findings, limpid.Finding{Severity: sev, Code: code, What: fmt.Sprintf(format, args...), Where: where, Advice: advice})
}
