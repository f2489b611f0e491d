package measure

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat"

	"limpid/engine"
	"limpid/solvers/massmap"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6d617373)) }

// Null is what the tests without a mass map say of a shear field: the mean square of its
// smoothed E and B modes against that of fields whose shear was turned by a random angle
// in every pixel, which keeps the noise and destroys the lensing.
type Null struct {
	Rotations      int
	E, B           float64 // mean square over unmasked pixels
	Mean, Std      float64 // of the same over the rotations (E and B alike)
	SigmaE, SigmaB float64 // (E − Mean)/Std: lensing makes E large; B must be within about 2
	// Skewness of the smoothed E mode, and its standard deviation over rotations: mass
	// makes it positive, a field with both signs wrong negative.
	Skewness, SkewStd float64
	// Peak is the tangential shear within PeakRadius about the highest point of the
	// smoothed E mode, the mean over 8 arcmin or 3 pixels, and its error; NaN where there
	// are no data about it.
	Peak, PeakStd float64
}

// NullTests smooths by the given standard deviation in arcmin.
func NullTests(ctx context.Context, dev engine.Device, f *massmap.Field, smoothing float64, rotations int, seed uint64) (Null, error) {
	if rotations < 8 || rotations > 100000 || !(smoothing > 0) {
		return Null{}, fmt.Errorf("measure: null tests with %d rotations smoothed by %g′: %w", rotations, smoothing, massmap.ErrSetting)
	}
	pad := massmap.DefaultPad(f.H, f.W)
	e, b, err := massmap.EB(dev, f, pad, smoothing)
	if err != nil {
		return Null{}, err
	}
	n := Null{Rotations: rotations}
	n.E, n.Skewness = meanSquare(f, e)
	n.B, _ = meanSquare(f, b)
	n.Peak, n.PeakStd = tangentialAtPeak(f, e)
	g := newRand(seed)
	var squares, skews []float64
	turned := f.Clone()
	for range (rotations + 1) / 2 { // each gives two independent maps
		if err := ctx.Err(); err != nil {
			return n, err
		}
		rotate(turned, f, g)
		e, b, err := massmap.EB(dev, turned, pad, smoothing)
		if err != nil {
			return n, err
		}
		for _, m := range [][]float32{e, b} {
			q, s := meanSquare(f, m)
			squares, skews = append(squares, q), append(skews, s)
		}
	}
	n.Mean, n.Std = stat.MeanStdDev(squares, nil)
	n.SkewStd = stat.StdDev(skews, nil)
	n.SigmaE, n.SigmaB = (n.E-n.Mean)/n.Std, (n.B-n.Mean)/n.Std
	return n, nil
}

// rotate turns the shear of every pixel by an angle of its own.
func rotate(dst, src *massmap.Field, g *rand.Rand) {
	n := src.H * src.W
	for i := range n {
		s, c := math.Sincos(2 * math.Pi * g.Float64())
		a, b := float64(src.Shear.Pix[i]), float64(src.Shear.Pix[n+i])
		dst.Shear.Pix[i], dst.Shear.Pix[n+i] = float32(a*c-b*s), float32(a*s+b*c)
	}
}

func meanSquare(f *massmap.Field, m []float32) (square, skewness float64) {
	mean := Mean(f, m)
	var n, m2, m3 float64
	for i, v := range m {
		if !f.Masked(i) {
			d := float64(v) - mean
			n, m2, m3 = n+1, m2+d*d, m3+d*d*d
		}
	}
	return m2 / n, m3 / n / math.Pow(m2/n, 1.5)
}

// tangentialAtPeak is the weighted mean tangential shear within 8′, or 3 pixels, of the
// highest point.
func tangentialAtPeak(f *massmap.Field, e []float32) (mean, std float64) {
	top := -1
	for i, v := range e {
		if !f.Masked(i) && (top < 0 || v > e[top]) {
			top = i
		}
	}
	var sum, norm float64
	n, r := f.H*f.W, math.Max(8/f.Arcmin, 3)
	for i := range n {
		dx, dy := float64(i%f.W-top%f.W), float64(i/f.W-top/f.W)
		if f.Masked(i) || (dx == 0 && dy == 0) || math.Hypot(dx, dy) > r {
			continue
		}
		phi := math.Atan2(dy, dx)
		w := float64(f.Weights.Pix[i]+f.Weights.Pix[n+i]) / 2
		sum -= w * (float64(f.Shear.Pix[i])*math.Cos(2*phi) + float64(f.Shear.Pix[n+i])*math.Sin(2*phi))
		norm += w
	}
	return sum / norm, 1 / math.Sqrt(norm)
}

// Convention is the verdict on the signs of a field's components.
type Convention struct {
	Null
	// Flip1 and Flip2 are the changes that would make the field look like lensing.
	Flip1, Flip2 bool
	Certain      bool // the field decides it
}

// CheckSigns tells wrong signs by what they do: one wrong component moves lensing power
// from E to B; both wrong turn mass into voids, which shows in the skewness of the E mode.
func CheckSigns(ctx context.Context, dev engine.Device, f *massmap.Field, smoothing float64, rotations int, seed uint64) (Convention, error) {
	var c Convention
	var err error
	if c.Null, err = NullTests(ctx, dev, f, smoothing, rotations, seed); err != nil {
		return c, err
	}
	second := f.Clone()
	second.Flip(false, true)
	other, err := NullTests(ctx, dev, second, smoothing, rotations, seed)
	if err != nil {
		return c, err
	}
	best := c.Null
	if other.E > c.E {
		c.Flip2, best = true, other
	}
	if best.Skewness < 0 {
		c.Flip1, c.Flip2 = true, !c.Flip2
	}
	const sure = 3
	c.Certain = math.Abs(other.E-c.E) > sure*math.Sqrt2*best.Std && math.Abs(best.Skewness) > sure*best.SkewStd
	return c, nil
}
