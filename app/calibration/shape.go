package calibration

import (
	"math"

	"limpid/solvers/calibrate"
)

// shapeScale is σ in pixels of the shapelets that a galaxy's shear is measured with: .6″ on pixels of .2″.
const shapeScale = 3.0

// shear is g1 and g2 of an image of n² pixels that holds one galaxy in its middle, by polar shapelets (Li+2018, MNRAS 481,
// 4445, as Li & Alexander 2023, MNRAS 522, L31, have it of fpfs 3):
//
//	e = M22/M00,  g = √2 e / (1 − M40/M00 + |e|²).
//
// tests/bench/quality/shapes.py has it of the published program, which takes 2 e1² for |e|².
func shear(im []float32, n int) (g1, g2 float64) {
	var m00, m40, plus, cross float64
	for i, v := range im {
		x, y := float64(i%n-n/2)/shapeScale, float64(i/n-n/2)/shapeScale
		r2 := x*x + y*y
		w := float64(v) * math.Exp(-r2/2)
		m00, m40 = m00+w, m40+w*(1-2*r2+r2*r2/2)
		plus, cross = plus+w*(x*x-y*y)/math.Sqrt2, cross+w*2*x*y/math.Sqrt2
	}
	e1, e2 := plus/m00, cross/m00
	response := (1 - m40/m00 + e1*e1 + e2*e2) / math.Sqrt2
	return e1 / response, e2 / response
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
	Error   float64 `json:"median_error"`                     // of |g of the mean image − g of the truth|
	Modulus float64 `json:"median_modulus_error,omitempty"`   // of ||g of the mean image| − |g of the truth||, which Li & Alexander (2023) give
	Median  float64 `json:"median_error_of_median,omitempty"` // of |median of |g| of the draws − |g of the truth||
	Square  float64 `json:"rms_error"`                        // a component, of the mean over the draws
	Scatter float64 `json:"rms_scatter"`                      // a component, of that error as the draws say it
	Held    float64 `json:"held_90"`                          // components within 90 % intervals
	Truth   float64 `json:"median_truth"`                     // |g|

	errors, moduli, medians, truths []float64
	square, scatter, held           float64
}

// add takes one pair in, of n² pixels.
func (s *Shapes) add(truth []float32, draws [][]float32, n int) {
	t1, t2 := shear(truth, n)
	m1, m2 := shear(average(draws), n)
	size := math.Hypot(t1, t2)
	s.errors, s.truths = append(s.errors, math.Hypot(m1-t1, m2-t2)), append(s.truths, size)
	s.moduli = append(s.moduli, math.Abs(math.Hypot(m1, m2)-size))
	l := float64(len(draws))
	both, sizes := [2][]float64{}, []float64{}
	for _, d := range draws {
		g1, g2 := shear(d, n)
		both[0], both[1], sizes = append(both[0], g1), append(both[1], g2), append(sizes, math.Hypot(g1, g2))
	}
	s.medians = append(s.medians, math.Abs(median(sizes)-size))
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
	s.Error, s.Modulus, s.Median, s.Truth = median(s.errors), median(s.moduli), median(s.medians), median(s.truths)
	s.Square, s.Scatter, s.Held = math.Sqrt(s.square/n), math.Sqrt(s.scatter/n), s.held/n
}
