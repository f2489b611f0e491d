package devicetest

import (
	"math"

	"limpid/engine"
)

// Tolerances, relative unless a scale is given.
const (
	tolExact = 0
	tolSum   = 2e-7 // one rounding, of any mode
	tolFused = 4e-7 // two roundings, or one
	tolDiv   = 5e-7 // WGSL allows 2.5 units in the last place
	tolFunc  = 4e-6 // exp, log, tanh … of any device over the ranges below
	tolSlope = 1e-5 // their derivatives, and the differences they are compared with
)

func movementChecks() []check {
	return []check{
		{"Upload Download Copy Fill", true, func(b *bench) {
			for _, s := range b.shapes() {
				x := b.numbers(s.Len(), -1, 1)
				t := b.upload(x, s...)
				b.near("Upload", t, x, tolExact, 0)
				u := b.alloc(s...)
				b.s.Copy(u, t)
				b.near("Copy", u, x, tolExact, 0)
				b.s.Fill(u, -2.5)
				for i := range x {
					x[i] = -2.5
				}
				b.near("Fill", u, x, tolExact, 0)
			}
		}},
		{"Window", true, func(b *bench) { windows(b, false) }},
		{"AddWindow", true, func(b *bench) { windows(b, true) }},
	}
}

func windows(b *bench, add bool) {
	for _, n := range []int{1, 7} {
		for _, g := range [][6]int{ // dst h, w; src h, w; row, col
			{5, 7, 5, 7, 0, 0},
			{3, 4, 9, 11, 2, 5},
			{9, 11, 3, 4, -2, -5},
			{6, 6, 5, 8, -3, 4},
			{5, 5, 4, 4, 10, 0},
			{5, 5, 4, 4, 0, -9},
			{130, 257, 129, 251, -1, -3},
			{4, 4, 4, 4, -4, 3},
		} {
			dh, dw, sh, sw, row, col := g[0], g[1], g[2], g[3], g[4], g[5]
			x := b.numbers(n*sh*sw, -1, 1)
			want := make([]float64, n*dh*dw)
			if add {
				want = b.numbers(n*dh*dw, -1, 1)
			}
			dst := b.upload(want, n, dh, dw)
			src := b.upload(x, n, sh, sw)
			for p := range n {
				for r := range sh {
					for c := range sw {
						// AddWindow names the place in dst, Window the one in src.
						dr, dc := r-row, c-col
						if add {
							dr, dc = r+row, c+col
						}
						if dr >= 0 && dr < dh && dc >= 0 && dc < dw {
							want[(p*dh+dr)*dw+dc] += x[(p*sh+r)*sw+c]
						}
					}
				}
			}
			if add {
				b.s.AddWindow(dst, src, row, col)
				b.near("AddWindow", dst, want, tolSum, 1)
			} else {
				b.s.Window(dst, src, row, col)
				b.near("Window", dst, want, tolExact, 0)
			}
		}
	}
}

// binaryCase is an operation of two sources; d is what dst held before.
type binaryCase struct {
	name  string
	op    func(s engine.Stream, dst, x, y *engine.Tensor)
	ref   func(d, x, y float64) float64
	tol   float64
	scale float64
}

func binaryCases() []binaryCase {
	return []binaryCase{
		{"Add", engine.Stream.Add, func(_, x, y float64) float64 { return x + y }, tolSum, 0},
		{"Sub", engine.Stream.Sub, func(_, x, y float64) float64 { return x - y }, tolSum, 0},
		{"Mul", engine.Stream.Mul, func(_, x, y float64) float64 { return x * y }, tolSum, 0},
		{"Div", engine.Stream.Div, func(_, x, y float64) float64 {
			if y == 0 {
				return 0
			}
			return x / y
		}, tolDiv, 0},
		{"MulAdd", engine.Stream.MulAdd, func(d, x, y float64) float64 { return d + x*y }, tolFused, 8},
	}
}

func elementwiseChecks() []check {
	c := []check{
		{"Scale Affine Axpy Clamp", true, scalarOps},
		{"Map", true, maps},
		{"MapGrad", true, slopes},
		{"Complex products", true, complexOps},
	}
	for _, bc := range binaryCases() {
		c = append(c, check{bc.name, true, func(b *bench) { binary(b, bc) }})
	}
	return c
}

func binary(b *bench, c binaryCase) {
	for _, s := range b.shapes() {
		n := s.Len()
		// y whole, without its leading dimensions, and a single number.
		for k := 0; k <= len(s); k++ {
			m := s[k:].Len()
			x, y, d := b.numbers(n, -3, 3), b.numbers(m, -3, 3), b.numbers(n, -3, 3)
			if m > 2 {
				y[1] = 0
			}
			want := make([]float64, n)
			inPlace := make([]float64, n)
			for i := range want {
				want[i] = c.ref(d[i], x[i], y[i%m])
				inPlace[i] = c.ref(x[i], x[i], y[i%m])
			}
			dst, tx := b.upload(d, s...), b.upload(x, s...)
			ty := b.upload(y, append(engine.Shape{1}, s[k:]...)...)
			c.op(b.s, dst, tx, ty)
			b.near(c.name, dst, want, c.tol, c.scale)
			c.op(b.s, tx, tx, ty)
			b.near(c.name+" in place", tx, inPlace, c.tol, c.scale)
		}
	}
}

func scalarOps(b *bench) {
	for _, s := range b.shapes() {
		n := s.Len()
		x, d := b.numbers(n, -3, 3), b.numbers(n, -3, 3)
		want := make([]float64, n)
		tx, dst := b.upload(x, s...), b.alloc(s...)
		each := func(what string, tol float64, f func(i int) float64) {
			for i := range want {
				want[i] = f(i)
			}
			b.near(what, dst, want, tol, 8)
		}
		const a, c = float32(-1.7), float32(0.3)
		b.s.Scale(dst, a, tx)
		each("Scale", tolSum, func(i int) float64 { return float64(a) * x[i] })
		b.s.Affine(dst, a, tx, c)
		each("Affine", tolFused, func(i int) float64 { return float64(a)*x[i] + float64(c) })
		b.s.Clamp(dst, tx, -1, 0.5)
		each("Clamp", tolExact, func(i int) float64 { return min(max(x[i], -1), 0.5) })
		dst = b.upload(d, s...)
		b.s.Axpy(dst, a, tx)
		each("Axpy", tolFused, func(i int) float64 { return d[i] + float64(a)*x[i] })
	}
}

// mapCase is a unary function over (lo, hi) and at special points.
type mapCase struct {
	name   string
	f      engine.Unary
	ref    func(float64) float64
	lo, hi float64
	tol    float64
	at     []float64
}

func positive(f func(float64) float64) func(float64) float64 {
	return func(x float64) float64 {
		if x <= 0 {
			return 0
		}
		return f(x)
	}
}

func mapCases() []mapCase {
	return []mapCase{
		{"Exp", engine.Exp, math.Exp, -20, 20, tolFunc, []float64{0, -80, 80}},
		{"Log", engine.Log, positive(math.Log), 1e-3, 1e3, tolFunc, []float64{1, 0, -1, 1e-30, 1e30}},
		{"Sqrt", engine.Sqrt, positive(math.Sqrt), 0, 1e3, tolDiv, []float64{0, -1, 1e30}},
		{"Square", engine.Square, func(x float64) float64 { return x * x }, -10, 10, tolSum, []float64{0}},
		{"Recip", engine.Recip, func(x float64) float64 {
			if x == 0 {
				return 0
			}
			return 1 / x
		}, -10, 10, tolDiv, []float64{0}},
		{"Abs", engine.Abs, math.Abs, -10, 10, tolExact, []float64{0}},
		{"ReLU", engine.ReLU, func(x float64) float64 { return max(x, 0) }, -10, 10, tolExact, []float64{0}},
		{"Tanh", engine.Tanh, math.Tanh, -10, 10, tolFunc, []float64{0, 1e-4, 50, -50}},
		{"Sigmoid", engine.Sigmoid, logistic, -20, 20, tolFunc, []float64{0, 100, -80}},
		{"SiLU", engine.SiLU, func(x float64) float64 { return x * logistic(x) }, -20, 20, tolFunc, []float64{0, 100, -80}},
		{"GELU", engine.GELU, func(x float64) float64 { return x * phi(x) }, -8, 8, tolFunc, []float64{0, 30, -30}},
		{
			"Softplus", engine.Softplus, func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
			-20, 20, tolFunc,
			[]float64{0, 100, -80},
		},
	}
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func phi(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// slopes compares derivatives with central differences of the reference.
func slopes(b *bench) {
	for _, c := range mapCases() {
		for _, s := range b.shapes() {
			x, g := b.numbers(s.Len(), c.lo, c.hi), b.numbers(s.Len(), -2, 2)
			if len(x) > len(c.at) {
				copy(x, c.at)
			}
			want := make([]float64, len(x))
			for i := range x {
				v := float64(float32(x[i]))
				h := 1e-5 * max(math.Abs(v), 1e-2)
				switch c.f { // not smooth at 0, and 0 there
				case engine.Abs, engine.ReLU, engine.Recip, engine.Sqrt, engine.Log:
					h = 1e-5 * math.Abs(v)
				}
				if h > 0 && (v > 0 || c.f != engine.Sqrt && c.f != engine.Log) {
					want[i] = g[i] * (c.ref(v+h) - c.ref(v-h)) / (2 * h)
				}
			}
			tx, tg, dst := b.upload(x, s...), b.upload(g, s...), b.alloc(s...)
			b.s.MapGrad(dst, c.f, tx, tg)
			b.near(c.name+" derivative", dst, want, tolSlope, 0.1)
			b.s.MapGrad(tg, c.f, tx, tg)
			b.near(c.name+" derivative in place", tg, want, tolSlope, 0.1)
		}
	}
}

func maps(b *bench) {
	for _, c := range mapCases() {
		for _, s := range b.shapes() {
			x := b.numbers(s.Len(), c.lo, c.hi)
			if len(x) > len(c.at) {
				copy(x, c.at)
			}
			want := make([]float64, len(x))
			for i, v := range x {
				want[i] = c.ref(float64(float32(v)))
			}
			t, dst := b.upload(x, s...), b.alloc(s...)
			b.s.Map(dst, c.f, t)
			// tanh near 0, log near 1 and the tail of Φ keep absolute, not relative
			// precision.
			scale := 0.0
			if c.f == engine.Tanh || c.f == engine.Log || c.f == engine.GELU {
				scale = 0.1
			}
			b.near(c.name, dst, want, c.tol, scale)
			b.s.Map(t, c.f, t)
			b.near(c.name+" in place", t, want, c.tol, scale)
		}
	}
}

func complexOps(b *bench) {
	for _, s := range b.shapes() {
		s = append(append(engine.Shape(nil), s...), 2)
		n := s.Len()
		for k := 0; k < len(s); k++ {
			m := s[k:].Len()
			x, y, f := b.numbers(n, -3, 3), b.numbers(m, -3, 3), b.numbers(m/2, -3, 3)
			tx, dst := b.upload(x, s...), b.alloc(s...)
			ty := b.upload(y, append(engine.Shape{1}, s[k:]...)...)
			tf := b.upload(f, append(engine.Shape{1}, s[k:len(s)-1]...)...)
			want := make([]float64, n)
			product := func(sign float64) {
				for i := 0; i < n; i += 2 {
					p := complex(x[i], x[i+1]) * complex(y[i%m], sign*y[i%m+1])
					want[i], want[i+1] = real(p), imag(p)
				}
			}
			product(1)
			b.s.CMul(dst, tx, ty)
			b.near("CMul", dst, want, tolFused, 20)
			product(-1)
			b.s.CMulConj(dst, tx, ty)
			b.near("CMulConj", dst, want, tolFused, 20)
			for i := range want {
				want[i] = x[i] * f[i/2%(m/2)]
			}
			b.s.CScale(dst, tx, tf)
			b.near("CScale", dst, want, tolSum, 0)
			b.s.CScale(tx, tx, tf)
			b.near("CScale in place", tx, want, tolSum, 0)
		}
	}
}
