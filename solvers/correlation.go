package solvers

import "math"

// Correlation is how the noise of neighbouring pixels goes together: noise of unit variance
// whose covariance at the lag (dy, dx) is At[(dy+Reach)·(2·Reach+1) + dx+Reach], 1 at the lag
// 0 and 0 beyond Reach. It is that of a positive power spectrum.
type Correlation struct {
	Reach int
	At    []float64
}

// Lag is the correlation of pixels that are dy rows and dx columns apart.
func (c Correlation) Lag(dy, dx int) float64 {
	if max(dy, -dy, dx, -dx) > c.Reach {
		return 0
	}
	return c.At[(dy+c.Reach)*(2*c.Reach+1)+dx+c.Reach]
}

// LeastNoisePower is the least power of a mode, relative to the mean over all, that noise is
// taken to have: resampling leaves some modes nearly none, and data would be trusted there
// beyond what any model of them is.
const LeastNoisePower = 0.01

// Power is the power spectrum on the modes (h, w/2+1) of a periodic grid, of mean 1, at least
// LeastNoisePower.
func (c Correlation) Power(h, w int) []float64 {
	out := c.Modes(h, w, w/2+1)
	for i, v := range out {
		out[i] = math.Max(v, LeastNoisePower)
	}
	return out
}

// Modes is the transform of the correlations on the modes (h, columns) of a periodic grid of
// h × w pixels, as it is.
func (c Correlation) Modes(h, w, columns int) []float64 {
	side := 2*c.Reach + 1
	out := make([]float64, h*columns)
	re, im := make([]float64, side), make([]float64, side) // of this row's phases, summed over dy
	cosY, sinY := phases(h)
	cosX, sinX := phases(w)
	for y := range h {
		for i := range side {
			re[i], im[i] = 0, 0
			for j := range side {
				k := mod(y*(j-c.Reach), h)
				re[i] += c.At[j*side+i] * cosY[k]
				im[i] += c.At[j*side+i] * sinY[k]
			}
		}
		for x := range columns {
			var sum float64
			for i := range side {
				k := mod(x*(i-c.Reach), w)
				sum += re[i]*cosX[k] - im[i]*sinX[k]
			}
			out[y*columns+x] = sum
		}
	}
	return out
}

// CorrelationOf is the inverse of Modes: the lags up to reach of a power spectrum on n × n
// modes, not normalised.
func CorrelationOf(power []float64, n, reach int) Correlation {
	side := 2*reach + 1
	c := Correlation{Reach: reach, At: make([]float64, side*side)}
	cos, sin := phases(n)
	re, im := make([]float64, n*side), make([]float64, n*side)
	for y := range n {
		for i := range side {
			for x := range n {
				k := mod(x*(i-reach), n)
				re[y*side+i] += power[y*n+x] * cos[k]
				im[y*side+i] += power[y*n+x] * sin[k]
			}
		}
	}
	for j := range side {
		for i := range side {
			var sum float64
			for y := range n {
				k := mod(y*(j-reach), n)
				sum += re[y*side+i]*cos[k] - im[y*side+i]*sin[k]
			}
			c.At[j*side+i] = sum / float64(n*n)
		}
	}
	return c
}

// phases are cosine and sine of n steps around a circle.
func phases(n int) (cos, sin []float64) {
	for k := range n {
		a := 2 * math.Pi * float64(k) / float64(n)
		cos, sin = append(cos, math.Cos(a)), append(sin, math.Sin(a))
	}
	return cos, sin
}

func mod(a, n int) int { return ((a % n) + n) % n }

// Sum is the variance of a sum over many pixels, over what it were if they were independent:
// the power at the lowest modes.
func (c Correlation) Sum() float64 {
	var sum float64
	for _, v := range c.At {
		sum += v
	}
	return math.Max(sum, LeastNoisePower)
}
