package calibration

import (
	"math"
	"math/cmplx"

	"limpid/solvers/calibrate"
)

// shapeScale is that of the shapelets that a galaxy's shear is measured with, in modes of the image.
const shapeScale = 4

// shear is g1 and g2 of an image of n² pixels that holds one galaxy: of its Fourier power in polar shapelets (Li+2018, MNRAS
// 481, 4445), whose spin 2 is a shear away from a round galaxy's,
//
//	e = −M22c/M00,  g = √2 e / (1 − M40/M00 + |e|²),
//
// the sign since what is long in the image is short in its modes.
// tests/bench/quality/shapes.py is the same in Python, and agrees with fpfs.
func shear(im []float32, n int) (g1, g2 float64) {
	reach := min(4*shapeScale, n/2-1) // the weight beyond is below 4e-4
	side := 2*reach + 1
	phases := make([]complex128, n)
	for k := range phases {
		phases[k] = cmplx.Rect(1, -2*math.Pi*float64(k)/float64(n))
	}
	rows := make([]complex128, n*side) // transformed along x
	for y := range n {
		for k := range side {
			for x := range n {
				rows[y*side+k] += complex(float64(im[y*n+x]), 0) * phases[((k-reach)*x%n+n)%n]
			}
		}
	}
	var m00, m40 float64
	var m22 complex128
	for ky := -reach; ky <= reach; ky++ {
		for kx := -reach; kx <= reach; kx++ {
			var f complex128
			for y := range n {
				f += rows[y*side+kx+reach] * phases[(ky*y%n+n)%n]
			}
			x, y := float64(kx), float64(ky)
			r2 := (x*x + y*y) / (shapeScale * shapeScale)
			w := (real(f)*real(f) + imag(f)*imag(f)) * math.Exp(-r2/2)
			m00, m40 = m00+w, m40+w*(1-2*r2+r2*r2/2)
			m22 += complex(w*(x*x-y*y), w*2*x*y) / complex(math.Sqrt2*shapeScale*shapeScale, 0)
		}
	}
	e := -m22 / complex(m00, 0)
	g := e / complex((1-m40/m00+real(e)*real(e)+imag(e)*imag(e))/math.Sqrt2, 0)
	return real(g), imag(g)
}

// shapes are what ranks of single galaxies are taken of beside the others: the components of their shear.
func shapes(n int) []calibrate.Functional {
	return []calibrate.Functional{
		{Name: "shear g1", Of: func(im []float32) float64 { g, _ := shear(im, n); return g }},
		{Name: "shear g2", Of: func(im []float32) float64 { _, g := shear(im, n); return g }},
	}
}

// Shapes is how the shears of single galaxies compare with what the draws say of them.
type Shapes struct {
	Error   float64 `json:"median_error"` // of |g of the mean image − g of the truth|
	Square  float64 `json:"rms_error"`    // a component, of the mean over the draws
	Scatter float64 `json:"rms_scatter"`  // a component, of that error as the draws say it
	Held    float64 `json:"held_90"`      // components within 90 % intervals
	Truth   float64 `json:"median_truth"` // |g|

	errors, truths        []float64
	square, scatter, held float64
}

// add takes one pair in, of n² pixels.
func (s *Shapes) add(truth []float32, draws [][]float32, n int) {
	t1, t2 := shear(truth, n)
	m1, m2 := shear(average(draws), n)
	s.errors, s.truths = append(s.errors, math.Hypot(m1-t1, m2-t2)), append(s.truths, math.Hypot(t1, t2))
	l := float64(len(draws))
	both := [2][]float64{}
	for _, d := range draws {
		g1, g2 := shear(d, n)
		both[0], both[1] = append(both[0], g1), append(both[1], g2)
	}
	for i, t := range []float64{t1, t2} {
		var mean, m2 float64
		for _, g := range both[i] {
			mean += g / l
		}
		for _, g := range both[i] {
			m2 += (g - mean) * (g - mean) / (l - 1)
		}
		s.square, s.scatter = s.square+(mean-t)*(mean-t), s.scatter+m2*(1+1/l)
		if lo, hi := interval(both[i]); t >= lo && t <= hi {
			s.held++
		}
	}
}

func (s *Shapes) finish() {
	n := float64(2 * len(s.errors))
	s.Error, s.Truth = median(s.errors), median(s.truths)
	s.Square, s.Scatter, s.Held = math.Sqrt(s.square/n), math.Sqrt(s.scatter/n), s.held/n
}
