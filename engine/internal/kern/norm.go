package kern

import "math"

func channelMap(dst, x, a, b []float32, act int) {
	for p := 0; p < len(dst); p += len(a) {
		for c := range a {
			dst[p+c] = activate(x[p+c]*a[c]+b[c], act)
		}
	}
}

func channelSums(s1, s2 []float64, x, g, a, b []float32, act int) {
	n := len(s1)
	for p := 0; p < len(g); p += n {
		for c := range n {
			h := g[p+c]
			if len(a) > 0 {
				h *= slope(x[p+c]*a[c]+b[c], act)
			}
			s1[c] += float64(h)
			if len(x) > 0 {
				s2[c] += float64(h) * float64(x[p+c])
			}
		}
	}
}

func channelBack(dst, x, g, a, b, p, q, r []float32, act int) {
	n := len(p)
	for i := 0; i < len(dst); i += n {
		for c := range n {
			h := g[i+c] * slope(x[i+c]*a[c]+b[c], act)
			dst[i+c] = h*p[c] + x[i+c]*q[c] + r[c]
		}
	}
}

// PixelNorm normalises the C = len(Gamma) channels of every pixel.
type PixelNorm struct {
	Dst, X, Stats []float32 // Stats (pixels, 2): mean, 1/√(variance + ε)
	Gamma, Beta   []float32 // (C)
	G             []float32 // gradient
	S1, S2        []float64 // (C)
	Scratch       []float32 // 2 C, each rounded up to whole vectors of 16
	Eps           float32
	Act           int
}

func pixelNorm(n PixelNorm) {
	c := len(n.Gamma)
	for p := range len(n.X) / c {
		x, d := n.X[p*c:][:c], n.Dst[p*c:][:c]
		var s, q float64
		for _, v := range x {
			s += float64(v)
		}
		mean := s / float64(c)
		for _, v := range x {
			q += (float64(v) - mean) * (float64(v) - mean)
		}
		rstd := 1 / math.Sqrt(q/float64(c)+float64(n.Eps))
		n.Stats[2*p], n.Stats[2*p+1] = float32(mean), float32(rstd)
		for i, v := range x {
			d[i] = activate(float32((float64(v)-mean)*rstd)*n.Gamma[i]+n.Beta[i], n.Act)
		}
	}
}

func pixelBack(n PixelNorm) {
	c := len(n.Gamma)
	for p := range len(n.X) / c {
		x, g, d := n.X[p*c:][:c], n.G[p*c:][:c], n.Dst[p*c:][:c]
		mean, rstd := n.Stats[2*p], n.Stats[2*p+1]
		var m1, m2 float64
		for i, v := range x {
			hat := (v - mean) * rstd
			h := g[i] * slope(hat*n.Gamma[i]+n.Beta[i], n.Act)
			n.S1[i] += float64(h)
			n.S2[i] += float64(h * hat)
			h *= n.Gamma[i]
			m1 += float64(h)
			m2 += float64(h * hat)
		}
		f1, f2 := float32(m1/float64(c)), float32(m2/float64(c))
		for i, v := range x {
			hat := (v - mean) * rstd
			h := g[i] * slope(hat*n.Gamma[i]+n.Beta[i], n.Act) * n.Gamma[i]
			d[i] = rstd * (h - f1 - hat*f2)
		}
	}
}

func softmax(dst, x []float32, n int) {
	for r := 0; r < len(x); r += n {
		top := x[r]
		for _, v := range x[r : r+n] {
			top = max(top, v)
		}
		sum := 0.0
		for i, v := range x[r : r+n] {
			e := math.Exp(float64(v - top))
			sum += e
			dst[r+i] = float32(e)
		}
		for i := range n {
			dst[r+i] *= float32(1 / sum)
		}
	}
}

func softmaxGrad(dst, y, g []float32, n int) {
	for r := 0; r < len(y); r += n {
		sum := 0.0
		for i := range n {
			sum += float64(y[r+i]) * float64(g[r+i])
		}
		for i := range n {
			dst[r+i] = y[r+i] * (g[r+i] - float32(sum))
		}
	}
}

// Adam are the numbers of a step: m = B1 m + C1 g, v = B2 v + C2 g²,
// p = p·Keep − Rate·m/(Root·√v + Eps).
type Adam struct {
	B1, C1, B2, C2, Keep, Rate, Root, Eps float32
}

func adam(p, m, v, g []float32, a Adam) {
	for i, x := range g {
		m[i] = a.B1*m[i] + a.C1*x
		v[i] = a.B2*v[i] + a.C2*x*x
		p[i] = p[i]*a.Keep - a.Rate*m[i]/(a.Root*float32(math.Sqrt(float64(v[i])))+a.Eps)
	}
}
