package devicetest

import (
	"context"
	"math"

	"limpid/engine"
)

var ctx = context.Background()

const (
	tolMat  = 2e-6 // of Σ|a b|
	tolNorm = 3e-5 // of the largest of an image: a mean and a variance in float32, and a root
	tolDiff = 2e-4 // central differences of a float64 reference, and float32 results
)

func netChecks() []check {
	return []check{
		{"MatMul", true, products},
		{"Softmax", true, softmax},
		{"Norm", true, norms},
		{"ChannelAffine ChannelSums CopyChannels", true, channels},
		{"ChannelsLast ChannelsFirst", true, layouts},
		{"Upsample SumPool", true, pools},
		{"Pad PadAdjoint", true, pads},
		{"Adam", true, adam},
	}
}

func products(b *bench) {
	sizes := [][3]int{{1, 1, 1}, {5, 7, 3}, {33, 17, 65}, {1, 64, 130}, {130, 1, 20}}
	if !b.short {
		sizes = append(sizes, [3]int{100, 200, 64}, [3]int{257, 65, 129})
	}
	for _, mnk := range sizes {
		m, n, k := mnk[0], mnk[1], mnk[2]
		for _, batch := range [][2]int{{1, 1}, {7, 7}, {7, 1}} {
			for variant := range 4 {
				opt := engine.MatMul{TransA: variant&1 > 0, TransB: variant&2 > 0}
				if variant == 1 {
					opt.Scale = 0.3
				}
				opt.Add = variant > 1
				if variant == 3 {
					opt.Scale = -2
				}
				x, y := b.numbers(batch[0]*m*k, -1, 1), b.numbers(batch[1]*k*n, -1, 1)
				d := b.numbers(batch[0]*m*n, -1, 1)
				scale := float64(opt.Scale)
				if scale == 0 {
					scale = 1
				}
				want, size := make([]float64, len(d)), make([]float64, len(d))
				for o := range want {
					p, i, j := o/(m*n), o/n%m, o%n
					q := p % batch[1]
					xi, xs, yi, ys := (p*m+i)*k, 1, q*k*n+j, n // first element and step along k
					if opt.TransA {
						xi, xs = p*k*m+i, m
					}
					if opt.TransB {
						yi, ys = (q*n+j)*k, 1
					}
					sum, all := 0.0, 0.0
					for range k {
						v := scale * x[xi] * y[yi]
						sum, all = sum+v, all+math.Abs(v)
						xi, yi = xi+xs, yi+ys
					}
					if opt.Add {
						sum, all = sum+d[o], all+1
					}
					want[o], size[o] = sum, all
				}
				sx, sy := engine.Shape{batch[0], m, k}, engine.Shape{batch[1], k, n}
				if opt.TransA {
					sx[1], sx[2] = k, m
				}
				if opt.TransB {
					sy[1], sy[2] = n, k
				}
				dst := b.upload(d, batch[0], m, n)
				b.s.MatMul(dst, b.upload(x, sx...), b.upload(y, sy...), opt)
				b.within("MatMul", dst, want, size, tolMat)
			}
			b.drop()
		}
	}
}

func softmax(b *bench) {
	for _, s := range []engine.Shape{{1, 1}, {7, 5}, {3, 4, 67}, {100, 16}, {2, 1023}} {
		n := s[len(s)-1]
		x, g := b.numbers(s.Len(), -8, 8), b.numbers(s.Len(), -1, 1)
		y, dx := make([]float64, len(x)), make([]float64, len(x))
		for r := 0; r < len(x); r += n {
			sum, dot := 0.0, 0.0
			for i := r; i < r+n; i++ {
				sum += math.Exp(x[i])
			}
			for i := r; i < r+n; i++ {
				y[i] = math.Exp(x[i]) / sum
				dot += y[i] * g[i]
			}
			for i := r; i < r+n; i++ {
				dx[i] = y[i] * (g[i] - dot)
			}
		}
		t, tg, dst := b.upload(x, s...), b.upload(g, s...), b.alloc(s...)
		b.s.Softmax(dst, t)
		b.near("Softmax", dst, y, 2*tolFunc, 0)
		b.s.Softmax(t, t)
		b.near("Softmax in place", t, y, 2*tolFunc, 0)
		b.s.SoftmaxGrad(tg, dst, tg)
		b.near("SoftmaxGrad", tg, dx, 4*tolFunc, 0.1)
	}
}

// normRef is Norm in float64 for one image (or, per pixel, for each pixel).
func normRef(x, gamma, beta []float64, batch, pixels, c int, n engine.Norm, act func(float64) float64) []float64 {
	y := make([]float64, len(x))
	groups := max(n.Groups, 1)
	per := c / groups
	span := pixels
	if n.PerPixel {
		span = 1
	}
	for p0 := 0; p0 < batch*pixels; p0 += span {
		for g := range groups {
			var sum, sq float64
			count := float64(span * per)
			for p := p0; p < p0+span; p++ {
				for k := g * per; k < (g+1)*per; k++ {
					sum += x[p*c+k]
				}
			}
			mean := sum / count
			for p := p0; p < p0+span; p++ {
				for k := g * per; k < (g+1)*per; k++ {
					sq += (x[p*c+k] - mean) * (x[p*c+k] - mean)
				}
			}
			rstd := 1 / math.Sqrt(sq/count+float64(n.Eps))
			for p := p0; p < p0+span; p++ {
				for k := g * per; k < (g+1)*per; k++ {
					i := p/pixels*c + k
					y[p*c+k] = act((x[p*c+k]-mean)*rstd*gamma[i%len(gamma)] + beta[i%len(beta)])
				}
			}
		}
	}
	return y
}

func norms(b *bench) {
	for _, s := range []engine.Shape{{1, 5, 7, 8}, {7, 4, 3, 12}, {2, 1, 1, 6}, {1, 37, 31, 18}} {
		for variant := range 6 {
			n := engine.Norm{Eps: 1e-5, Groups: []int{1, 2, s[3], 1, 1, 2}[variant], PerPixel: variant >= 3 && variant < 5}
			act := func(v float64) float64 { return v }
			if variant%2 == 0 {
				n.Act = engine.SiLU
				act = func(v float64) float64 { return v * logistic(v) }
			}
			if s[1]*s[2] == 1 && n.Groups == s[3] {
				continue // a variance of one number
			}
			normCase(b, s, n, act, variant != 5 && variant%3 != 1)
		}
	}
}

// normCase checks one normalisation and its gradients; perImage conditions on the
// image.
func normCase(b *bench, s engine.Shape, n engine.Norm, act func(float64) float64, perImage bool) {
	batch, pixels, c := s[0], s[1]*s[2], s[3]
	ps := engine.Shape{c}
	if perImage {
		ps = engine.Shape{batch, c}
	}
	x, g := b.numbers(s.Len(), -1, 3), b.numbers(s.Len(), -1, 1)
	gamma, beta := b.numbers(ps.Len(), 0.5, 2), b.numbers(ps.Len(), -1, 1)
	ref := func() []float64 { return normRef(x, gamma, beta, batch, pixels, c, n, act) }
	loss := func() (sum float64) {
		for i, y := range ref() {
			sum += y * g[i]
		}
		return sum
	}
	tx, tg, dst, stats := b.upload(x, s...), b.upload(g, s...), b.alloc(s...), b.alloc(n.Stats(s)...)
	tga, tbe := b.upload(gamma, ps...), b.upload(beta, ps...)
	b.s.Norm(dst, stats, tx, tga, tbe, n)
	b.near("Norm", dst, ref(), tolNorm, 3)
	dga, dbe := b.alloc(batch, c), b.alloc(batch, c)
	b.s.NormGrad(dst, dga, dbe, stats, tx, tga, tbe, tg, n)
	slope := func(v []float64, i int) float64 {
		const h = 1e-4
		old := v[i]
		v[i] = old + h
		up := loss()
		v[i] = old - h
		down := loss()
		v[i] = old
		return (up - down) / (2 * h)
	}
	got := b.download(dst)
	step := max(1, len(x)/23)
	for i := 0; i < len(x); i += step {
		if want := slope(x, i); math.Abs(float64(got[i])-want) > tolDiff*(math.Abs(want)+0.1) {
			b.fail("NormGrad of %v, %+v: dx[%d] is %g, differences give %g", s, n, i, got[i], want)
		}
	}
	vg, vb := b.download(dga), b.download(dbe)
	if !perImage { // the device gives them per image
		for i := c; i < len(vg); i++ {
			vg[i%c] += vg[i]
			vb[i%c] += vb[i]
		}
	}
	for i := range gamma {
		wg, wb := slope(gamma, i), slope(beta, i)
		lim := tolDiff * math.Sqrt(float64(pixels)) * 2
		if math.Abs(float64(vg[i])-wg) > lim*(math.Abs(wg)*.1+1) || math.Abs(float64(vb[i])-wb) > lim*(math.Abs(wb)*.1+1) {
			b.fail("NormGrad of %v, %+v: dγ[%d] = %g, dβ = %g; differences give %g, %g", s, n, i, vg[i], vb[i], wg, wb)
		}
	}
	b.s.NormGrad(tg, nil, nil, stats, tx, tga, tbe, tg, n)
	for i, v := range b.download(tg) {
		if math.Abs(float64(v-got[i])) > 1e-6 {
			b.fail("NormGrad in place differs: dx[%d] is %g, not %g", i, v, got[i])
		}
	}
	plain := normRef(x, []float64{1}, []float64{0}, batch, pixels, c, n, act)
	b.s.Norm(tx, stats, tx, nil, nil, n)
	b.near("Norm in place, no γ and β", tx, plain, tolNorm, 3)
	b.drop()
}

func channels(b *bench) {
	for _, s := range []engine.Shape{{1, 3, 5, 7}, {7, 9, 8, 16}, {2, 33, 31, 20}} {
		batch, pixels, c := s[0], s[1]*s[2], s[3]
		x, y := b.numbers(s.Len(), -1, 1), b.numbers(s.Len(), -1, 1)
		a, d := b.numbers(batch*c, -2, 2), b.numbers(batch*c, -2, 2)
		tx, ty, dst := b.upload(x, s...), b.upload(y, s...), b.alloc(s...)
		ta, td, sums := b.upload(a, batch, c), b.upload(d, batch, c), b.alloc(batch, c)
		want, sum, dot, size := make([]float64, len(x)), make([]float64, batch*c), make([]float64, batch*c), make([]float64, batch*c)
		for i, v := range x {
			k := i/(pixels*c)*c + i%c
			want[i] = v*a[k] + d[k]
			sum[k] += v
			dot[k] += v * y[i]
			size[k]++
		}
		b.s.ChannelAffine(dst, tx, ta, td)
		b.near("ChannelAffine", dst, want, tolFused, 4)
		b.s.ChannelSums(sums, tx, nil)
		b.within("ChannelSums", sums, sum, size, tolReduce)
		b.s.ChannelSums(sums, tx, ty)
		b.within("ChannelSums of a product", sums, dot, size, tolReduce)
		for i, v := range x {
			want[i] = v * a[i/(pixels*c)*c+i%c]
		}
		b.s.ChannelAffine(tx, tx, ta, nil)
		b.near("ChannelAffine in place, no shift", tx, want, tolSum, 0)
		// Five channels from the second of y to the third of a wider tensor.
		n := min(5, c-1)
		wide := b.numbers(batch*pixels*(c+4), -1, 1)
		tw := b.upload(wide, batch, s[1], s[2], c+4)
		for p := range batch * pixels {
			copy(wide[p*(c+4)+2:][:n], y[p*c+1:])
		}
		b.s.CopyChannels(tw, 2, ty, 1, n)
		b.near("CopyChannels", tw, wide, tolExact, 0)
	}
}

func layouts(b *bench) {
	for _, s := range []engine.Shape{{1, 1, 1, 1}, {7, 5, 3, 4}, {1, 33, 65, 17}} {
		x := b.numbers(s.Len(), -1, 1)
		t := b.upload(x, s...)
		first := b.alloc(s[0], s[3], s[1], s[2])
		b.s.ChannelsFirst(first, t)
		want := make([]float64, len(x))
		pixels := s[1] * s[2]
		for i, v := range x {
			n, p, c := i/(pixels*s[3]), i/s[3]%pixels, i%s[3]
			want[(n*s[3]+c)*pixels+p] = v
		}
		b.near("ChannelsFirst", first, want, tolExact, 0)
		b.s.Fill(t, 0)
		b.s.ChannelsLast(t, first)
		b.near("ChannelsLast", t, x, tolExact, 0)
	}
}

func pools(b *bench) {
	for _, k := range []int{1, 2, 3} {
		for _, s := range []engine.Shape{{1, 3, 5, 7}, {7, 4, 2, 16}} {
			small := b.numbers(s.Len(), -1, 1)
			up := make([]float64, s.Len()*k*k)
			sum := make([]float64, s.Len())
			big := b.numbers(len(up), -1, 1)
			for i := range up {
				c, x, y, n := i%s[3], i/s[3]%(s[2]*k), i/(s[3]*s[2]*k)%(s[1]*k), i/(s.Len()/s[0]*k*k)
				o := ((n*s[1]+y/k)*s[2]+x/k)*s[3] + c
				up[i] = small[o]
				sum[o] += big[i]
			}
			ts, tb := b.upload(small, s...), b.upload(big, s[0], s[1]*k, s[2]*k, s[3])
			du, ds := b.alloc(tb.Shape()...), b.alloc(s...)
			b.s.Upsample(du, ts, k)
			b.near("Upsample", du, up, tolExact, 0)
			b.s.SumPool(ds, tb, k)
			b.near("SumPool", ds, sum, tolSum, 9)
		}
	}
}

func pads(b *bench) {
	for _, e := range []engine.Edge{engine.Zero, engine.Periodic, engine.Reflect} {
		for _, g := range [][6]int{{5, 7, 9, 12, 2, 3}, {1, 4, 3, 9, 1, 5}, {3, 1, 12, 4, 4, 2}, {6, 6, 6, 6, 0, 0}, {4, 3, 25, 20, 11, 9}} {
			for _, n := range []int{1, 7} {
				h, w, dh, dw, top, left := g[0], g[1], g[2], g[3], g[4], g[5]
				x, y := b.numbers(n*h*w, -1, 1), b.numbers(n*dh*dw, -1, 1)
				want, adj := make([]float64, len(y)), make([]float64, len(x))
				for i := range want {
					r, c := e.At(i/dw%dh-top, h), e.At(i%dw-left, w)
					if r >= 0 && c >= 0 {
						o := (i/(dh*dw)*h+r)*w + c
						want[i] = x[o]
						adj[o] += y[i]
					}
				}
				tx, ty := b.upload(x, n, h, w), b.upload(y, n, dh, dw)
				dst := b.alloc(n, dh, dw)
				b.s.Pad(dst, tx, top, left, e)
				b.near("Pad", dst, want, tolExact, 0)
				b.s.PadAdjoint(tx, ty, top, left, e)
				b.near("PadAdjoint", tx, adj, tolFused, 20)
			}
		}
	}
}

func adam(b *bench) {
	n := 1003
	p, g := b.numbers(n, -1, 1), b.numbers(n, -1, 1)
	m, v := make([]float64, n), make([]float64, n)
	tp, tg := b.upload(p, n), b.upload(g, n)
	tm, tv := b.upload(m, n), b.upload(v, n)
	for t := 1; t <= 5; t++ {
		a := engine.Adam{Step: t, Rate: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-6, Decay: 0.1, GradScale: 0.5}
		b.s.Adam(tp, tm, tv, tg, a)
		for i := range p {
			k := 0.5 * g[i]
			m[i] = 0.9*m[i] + 0.1*k
			v[i] = 0.99*v[i] + 0.01*k*k
			hat := m[i] / (1 - math.Pow(0.9, float64(t)))
			root := math.Sqrt(v[i] / (1 - math.Pow(0.99, float64(t))))
			p[i] -= 0.01 * (hat/(root+1e-6) + 0.1*p[i])
		}
	}
	b.near("Adam", tp, p, 1e-5, 0.1)
	b.near("Adam's first moment", tm, m, 1e-5, 0.1)
	b.near("Adam's second moment", tv, v, 1e-5, 0.1)
}
