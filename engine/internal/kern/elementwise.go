package kern

import "math"

func add(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] + y[i]
	}
}

func sub(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] - y[i]
	}
}

func mul(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

func div(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range y {
		if v == 0 {
			dst[i] = 0
		} else {
			dst[i] = x[i] / v
		}
	}
}

func mulAdd(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] += x[i] * y[i]
	}
}

func cmul(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := 0; i+1 < len(dst); i += 2 {
		a, b, c, d := x[i], x[i+1], y[i], y[i+1]
		dst[i], dst[i+1] = a*c-b*d, a*d+b*c
	}
}

func cmulConj(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := 0; i+1 < len(dst); i += 2 {
		a, b, c, d := x[i], x[i+1], y[i], y[i+1]
		dst[i], dst[i+1] = a*c+b*d, b*c-a*d
	}
}

func cscale(dst, x, y []float32) {
	x = x[:len(dst)]
	for i, v := range y {
		dst[2*i], dst[2*i+1] = x[2*i]*v, x[2*i+1]*v
	}
}

func affine(dst, x []float32, a, b float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = a*x[i] + b
	}
}

func axpy(dst, x []float32, a float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += a * x[i]
	}
}

func clampTo(dst, x []float32, lo, hi float32) {
	for i, v := range x {
		dst[i] = min(max(v, lo), hi)
	}
}

func exp(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v)))
	}
}

func log(dst, x []float32) {
	for i, v := range x {
		if v > 0 {
			dst[i] = float32(math.Log(float64(v)))
		} else {
			dst[i] = 0
		}
	}
}

func sqrt(dst, x []float32) {
	for i, v := range x {
		if v > 0 {
			dst[i] = float32(math.Sqrt(float64(v)))
		} else {
			dst[i] = 0
		}
	}
}

func square(dst, x []float32) {
	for i, v := range x {
		dst[i] = v * v
	}
}

func recip(dst, x []float32) {
	for i, v := range x {
		if v == 0 {
			dst[i] = 0
		} else {
			dst[i] = 1 / v
		}
	}
}

func abs(dst, x []float32) {
	for i, v := range x {
		dst[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
	}
}

func relu(dst, x []float32) {
	for i, v := range x {
		dst[i] = max(v, 0)
	}
}

func tanh(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}
