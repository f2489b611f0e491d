package measure

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian/theory"
	"limpid/solvers/massmap"
	"limpid/solvers/operator"
)

// Injection is a halo put into a field.
type Injection struct {
	Field *massmap.Field
	Kappa []float32 // what was added, (H, W)
	X, Y  float64
}

// Inject adds the shear of an NFW halo (Navarro, Frenk & White 1997) at pixel (x, y) to a
// copy of the field: the test of what a method makes of a known mass. The halo is cut off
// at its radius and lies before the sources src; pixels hold the mean of κ over 5 × 5
// points.
func Inject(dev engine.Device, f *massmap.Field, c theory.Cosmology, h theory.Halo, src theory.Sources, x, y float64) (*Injection, error) {
	if !(h.Mass > 0) || !(h.Concentration > 0) || !(h.Z > 0) || math.IsInf(h.Mass+h.Concentration, 0) {
		return nil, fmt.Errorf("measure: a halo of %g Msun/h, concentration %g at z = %g: all must be positive: %w", h.Mass, h.Concentration, h.Z, massmap.ErrSetting)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("measure: %w: %w", err, massmap.ErrSetting)
	}
	q := c.Efficiency(src)(h.Z)
	if !(q > 0) {
		return nil, fmt.Errorf("measure: no sources lie behind z = %g: %w", h.Z, massmap.ErrSetting)
	}
	p := c.Lens(h, q)
	p.Truncated = true
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(f.H, f.W, massmap.DefaultPad(f.H, f.W)), 1)
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	defer op.Close()
	grid := make([]float32, op.H*op.W)
	const sub = 5
	for i := range grid {
		var sum float64
		for k := range sub * sub {
			dx := float64(i%op.W-op.Col) - x + (float64(k%sub)-(sub-1)/2)/sub
			dy := float64(i/op.W-op.Row) - y + (float64(k/sub)-(sub-1)/2)/sub
			sum += p.Kappa(math.Max(math.Hypot(dx, dy)*f.Arcmin, 1e-3*f.Arcmin))
		}
		grid[i] = float32(sum / (sub * sub))
	}
	tx, err := dev.Alloc(engine.Shape{1, 1, op.H, op.W})
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	defer tx.Free()
	ty, err := dev.Alloc(engine.Shape{1, 2, f.H, f.W})
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	defer ty.Free()
	s.Upload(tx, grid)
	op.Forward(s, ty, tx)
	out := &Injection{Field: f.Clone(), Kappa: make([]float32, f.H*f.W), X: x, Y: y}
	shear := make([]float32, 2*f.H*f.W)
	s.Download(shear, ty)
	for i, v := range shear {
		if f.Weights.Pix[i] > 0 {
			out.Field.Shear.Pix[i] += v
		}
	}
	for i := range out.Kappa {
		out.Kappa[i] = grid[(i/f.W+op.Row)*op.W+i%f.W+op.Col]
	}
	return out, s.Err()
}
