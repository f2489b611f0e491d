package kern

import "math"

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// phi is the standard normal distribution function.
func phi(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func each(dst, x []float32, f func(float64) float64) {
	for i, v := range x {
		dst[i] = float32(f(float64(v)))
	}
}

func identity(dst, x []float32) { copy(dst, x) }

func sigmoid(dst, x []float32) { each(dst, x, logistic) }

func silu(dst, x []float32) {
	each(dst, x, func(v float64) float64 { return v * logistic(v) })
}

func gelu(dst, x []float32) {
	each(dst, x, func(v float64) float64 { return v * phi(v) })
}

func softplus(dst, x []float32) {
	each(dst, x, func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) })
}

// where is 1 for true.
func where(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// derivatives are in the order of engine.Unary.
var derivatives = [NumUnary]func(x float64) float64{
	func(float64) float64 { return 1 },
	math.Exp,
	func(x float64) float64 {
		if x > 0 {
			return 1 / x
		}
		return 0
	},
	func(x float64) float64 {
		if x > 0 {
			return 0.5 / math.Sqrt(x)
		}
		return 0
	},
	func(x float64) float64 { return 2 * x },
	func(x float64) float64 {
		if x == 0 {
			return 0
		}
		return -1 / (x * x)
	},
	func(x float64) float64 { return where(x > 0) - where(x < 0) },
	func(x float64) float64 { return where(x > 0) },
	func(x float64) float64 { t := math.Tanh(x); return 1 - t*t },
	func(x float64) float64 { s := logistic(x); return s * (1 - s) },
	func(x float64) float64 { s := logistic(x); return s * (1 + x*(1-s)) },
	func(x float64) float64 { return phi(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi) },
	logistic,
}

// Functions that an operation may end with; the numbers are engine.Unary's.
const (
	actNone     = 0
	actReLU     = 7
	actTanh     = 8
	actSigmoid  = 9
	actSiLU     = 10
	actGELU     = 11
	actSoftplus = 12
)

func activate(x float32, act int) float32 {
	v := float64(x)
	switch act {
	case actReLU:
		return max(x, 0)
	case actTanh:
		return float32(math.Tanh(v))
	case actSigmoid:
		return float32(logistic(v))
	case actSiLU:
		return float32(v * logistic(v))
	case actGELU:
		return float32(v * phi(v))
	case actSoftplus:
		return float32(max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))))
	}
	return x
}

func slope(x float32, act int) float32 {
	if act == actNone {
		return 1
	}
	return float32(derivatives[act](float64(x)))
}

func grads() (g [NumUnary]func(dst, x, g []float32)) {
	for i, f := range derivatives {
		g[i] = func(dst, x, g []float32) {
			for k, v := range x {
				dst[k] = float32(f(float64(v))) * g[k]
			}
		}
	}
	return g
}
