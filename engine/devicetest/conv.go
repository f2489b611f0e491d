package devicetest

import (
	"fmt"
	"math"

	"limpid/engine"
)

// tolConv is relative to Σ|x w|. It leaves room for Winograd's F(4×4, 3×3), whose
// transforms lose a digit; a plain product in float32 needs 1e-6.
const tolConv = 2e-5

// within asks |got − want| ≤ tol·size, element by element.
func (b *bench) within(what string, got *engine.Tensor, want, size []float64, tol float64) {
	for i, g := range b.download(got) {
		if d := math.Abs(float64(g) - want[i]); !(d <= tol*size[i]+1e-30) {
			b.fail("%s: element %d of %v is %g, want %g (off by %.3g of %.3g, tolerance %g)", what, i, got.Shape(), g, want[i], d, size[i], tol)
		}
	}
}

// convCase is a convolution; n = 0 makes it depthwise.
type convCase struct {
	h, w, c, n, kh, kw int
	conv               engine.Conv
}

func (k convCase) String() string {
	return fmt.Sprintf("%d×%d×%d → %d by %d×%d %+v", k.h, k.w, k.c, k.n, k.kh, k.kw, k.conv)
}

func (k convCase) out() (oh, ow, n int) {
	n = k.n
	if n == 0 {
		n = k.c
	}
	return k.conv.Out(k.h, k.kh), k.conv.Out(k.w, k.kw), n
}

func (k convCase) kernel() engine.Shape {
	if k.n == 0 {
		return engine.Shape{k.kh, k.kw, k.c}
	}
	return engine.Shape{k.kh, k.kw, k.c, k.n}
}

// each calls f(x, w, y) with the indices of every product of batch images.
func (k convCase) each(batch int, f func(x, w, y int)) {
	oh, ow, n := k.out()
	s := k.conv.Step()
	for b := range batch {
		for i := range oh {
			for j := range ow {
				y := ((b*oh+i)*ow + j) * n
				for p := range k.kh {
					r := k.conv.Edge.At(i*s+p-k.conv.Pad, k.h)
					for q := range k.kw {
						l := k.conv.Edge.At(j*s+q-k.conv.Pad, k.w)
						if r < 0 || l < 0 {
							continue
						}
						x, w := ((b*k.h+r)*k.w+l)*k.c, p*k.kw+q
						for c := range k.c {
							if k.n == 0 {
								f(x+c, w*k.c+c, y+c)
								continue
							}
							for m := range n {
								f(x+c, (w*k.c+c)*n+m, y+m)
							}
						}
					}
				}
			}
		}
	}
}

func convCases(short bool) []convCase {
	at := func(pad int, e engine.Edge) engine.Conv { return engine.Conv{Pad: pad, Edge: e} }
	cases := []convCase{
		{9, 11, 16, 16, 3, 3, at(1, engine.Zero)},
		{5, 6, 3, 5, 3, 3, engine.Conv{Stride: 2, Pad: 1}},
		{7, 5, 9, 17, 1, 1, at(0, engine.Zero)},
		{6, 7, 8, 4, 3, 3, at(1, engine.Periodic)},
	}
	if short {
		return cases
	}
	for _, e := range []engine.Edge{engine.Zero, engine.Periodic, engine.Reflect} {
		cases = append(cases,
			convCase{13, 7, 24, 40, 3, 3, at(1, e)},
			convCase{5, 5, 8, 3, 3, 3, at(2, e)},
			convCase{17, 19, 19, 21, 3, 3, at(0, e)},
			convCase{9, 10, 5, 6, 5, 5, at(2, e)},
			convCase{7, 9, 4, 3, 7, 7, at(3, e)},
			convCase{9, 8, 10, 11, 3, 3, engine.Conv{Stride: 2, Pad: 1, Edge: e}},
			convCase{8, 6, 3, 20, 4, 4, engine.Conv{Stride: 2, Pad: 1, Edge: e}},
		)
	}
	return append(cases,
		convCase{8, 8, 64, 64, 3, 3, at(1, engine.Zero)},
		convCase{11, 13, 1, 64, 3, 3, at(1, engine.Zero)},
		convCase{11, 13, 64, 1, 3, 3, at(1, engine.Zero)},
		convCase{16, 17, 2, 33, 3, 3, at(1, engine.Reflect)},
		convCase{10, 10, 48, 96, 1, 1, at(0, engine.Zero)},
		convCase{10, 10, 7, 9, 1, 1, at(1, engine.Zero)},
		convCase{11, 9, 6, 5, 1, 1, engine.Conv{Stride: 3}},
		convCase{12, 10, 5, 7, 2, 2, engine.Conv{Stride: 2}},
		convCase{11, 13, 5, 7, 3, 2, engine.Conv{Stride: 3, Pad: 2}},
		convCase{1, 19, 12, 12, 1, 3, at(0, engine.Zero)},
		convCase{3, 3, 17, 130, 3, 3, at(1, engine.Zero)},
		convCase{2, 2, 8, 8, 3, 3, at(1, engine.Periodic)},
		convCase{33, 37, 16, 16, 3, 3, at(1, engine.Zero)},
	)
}

func convChecks() []check {
	return []check{
		{"Conv", true, func(b *bench) { convolutions(b, convCases(b.short)) }},
		{"Conv activations", false, convActivations},
		{"Conv after the weights change", true, changedWeights},
		{"ConvTransposed ConvWeights", true, func(b *bench) { convGradients(b, convCases(b.short)) }},
		{"Depthwise", true, depthwise},
	}
}

func batches(short bool) []int {
	if short {
		return []int{2}
	}
	return []int{1, 7}
}

func convolutions(b *bench, cases []convCase) {
	for _, k := range cases {
		for _, batch := range batches(b.short) {
			oh, ow, n := k.out()
			x, w := b.numbers(batch*k.h*k.w*k.c, -1, 1), b.numbers(k.kernel().Len(), -1, 1)
			bias, res := b.numbers(n, -1, 1), b.numbers(batch*oh*ow*n, -1, 1)
			want, size := make([]float64, len(res)), make([]float64, len(res))
			k.each(batch, func(i, j, o int) { want[o] += x[i] * w[j]; size[o] += math.Abs(x[i] * w[j]) })
			tx, tw := b.upload(x, batch, k.h, k.w, k.c), b.upload(w, k.kernel()...)
			tb, tr, dst := b.upload(bias, n), b.upload(res, batch, oh, ow, n), b.alloc(batch, oh, ow, n)
			b.s.Conv(dst, tx, tw, nil, nil, k.conv)
			b.within("Conv "+k.String(), dst, want, size, tolConv)
			for i := range want {
				want[i] += bias[i%n] + res[i]
				size[i] += 2
			}
			b.s.Conv(dst, tx, tw, tb, tr, k.conv)
			b.within("Conv with bias and residual "+k.String(), dst, want, size, tolConv)
			b.drop()
		}
	}
}

// drop frees the tensors so far.
func (b *bench) drop() {
	b.s.Sync(ctx)
	for _, t := range b.tensors {
		t.Free()
	}
	b.tensors = b.tensors[:0]
}

func convActivations(b *bench) {
	for _, m := range mapCases() {
		switch m.f {
		case engine.ReLU, engine.Tanh, engine.Sigmoid, engine.SiLU, engine.GELU, engine.Softplus:
		default:
			continue
		}
		for _, k := range []convCase{
			{9, 10, 16, 18, 3, 3, engine.Conv{Pad: 1}}, {6, 5, 3, 7, 3, 3, engine.Conv{Stride: 2, Pad: 1}}, {6, 5, 20, 7, 1, 1, engine.Conv{}},
		} {
			oh, ow, n := k.out()
			x, w, bias := b.numbers(k.h*k.w*k.c, -1, 1), b.numbers(k.kernel().Len(), -1, 1), b.numbers(n, -1, 1)
			want, size := make([]float64, oh*ow*n), make([]float64, oh*ow*n)
			k.each(1, func(i, j, o int) { want[o] += x[i] * w[j]; size[o] += math.Abs(x[i] * w[j]) })
			for i := range want {
				want[i] = m.ref(want[i] + bias[i%n])
				size[i] = 2*size[i] + 2
			}
			k.conv.Act = m.f
			dst := b.alloc(1, oh, ow, n)
			b.s.Conv(dst, b.upload(x, 1, k.h, k.w, k.c), b.upload(w, k.kernel()...), b.upload(bias, n), nil, k.conv)
			b.within("Conv "+m.name, dst, want, size, tolConv)
		}
	}
}

// changedWeights: what a device derives from weights must follow them, also where
// they are a part of a larger tensor.
func changedWeights(b *bench) {
	k := convCase{8, 9, 16, 16, 3, 3, engine.Conv{Pad: 1}}
	x := b.numbers(k.h*k.w*k.c, -1, 1)
	tx, dst := b.upload(x, 1, k.h, k.w, k.c), b.alloc(1, k.h, k.w, k.n)
	all := b.alloc(3, k.kernel().Len())
	tw := all.Slice(1, 2).Reshape(k.kernel()...)
	for round := range 3 {
		w := b.numbers(k.kernel().Len(), -1, 1)
		v := b.upload(w, tw.Shape()...)
		if round == 1 {
			b.s.Copy(all.Slice(1, 2), v)
		} else {
			b.s.Copy(tw, v)
		}
		want, size := make([]float64, dst.Len()), make([]float64, dst.Len())
		k.each(1, func(i, j, o int) { want[o] += x[i] * w[j]; size[o] += math.Abs(x[i] * w[j]) })
		b.s.Conv(dst, tx, tw, nil, nil, k.conv)
		b.within("Conv", dst, want, size, tolConv)
	}
}

func convGradients(b *bench, cases []convCase) {
	for _, k := range cases {
		for _, batch := range batches(b.short) {
			oh, ow, n := k.out()
			x, w := b.numbers(batch*k.h*k.w*k.c, -1, 1), b.numbers(k.kernel().Len(), -1, 1)
			g, bias := b.numbers(batch*oh*ow*n, -1, 1), b.numbers(k.c, -1, 1)
			dx, sx := make([]float64, len(x)), make([]float64, len(x))
			dw, sw := make([]float64, len(w)), make([]float64, len(w))
			k.each(batch, func(i, j, o int) {
				dx[i] += g[o] * w[j]
				sx[i] += math.Abs(g[o] * w[j])
				dw[j] += g[o] * x[i]
				sw[j] += math.Abs(g[o] * x[i])
			})
			tx, tw := b.upload(x, batch, k.h, k.w, k.c), b.upload(w, k.kernel()...)
			tg, tb := b.upload(g, batch, oh, ow, n), b.upload(bias, k.c)
			gw := b.alloc(k.kernel()...)
			b.s.ConvWeights(gw, tx, tg, k.conv)
			b.within("ConvWeights "+k.String(), gw, dw, sw, tolConv)
			b.s.ConvTransposed(tx, tg, tw, nil, k.conv)
			b.within("ConvTransposed "+k.String(), tx, dx, sx, tolConv)
			for i := range dx {
				dx[i] += bias[i%k.c]
				sx[i]++
			}
			b.s.ConvTransposed(tx, tg, tw, tb, k.conv)
			b.within("ConvTransposed with bias "+k.String(), tx, dx, sx, tolConv)
			b.drop()
		}
	}
}

func depthwise(b *bench) {
	for _, e := range []engine.Edge{engine.Zero, engine.Periodic, engine.Reflect} {
		for _, k := range []convCase{
			{9, 11, 16, 0, 3, 3, engine.Conv{Pad: 1}},
			{8, 7, 5, 0, 5, 3, engine.Conv{Pad: 2}},
			{10, 9, 33, 0, 3, 3, engine.Conv{Stride: 2, Pad: 1}},
			{9, 12, 3, 0, 2, 2, engine.Conv{Stride: 2}},
			{7, 7, 1, 0, 7, 7, engine.Conv{Pad: 3}},
		} {
			k.conv.Edge = e
			for _, batch := range batches(b.short) {
				oh, ow, n := k.out()
				x, w := b.numbers(batch*k.h*k.w*k.c, -1, 1), b.numbers(k.kernel().Len(), -1, 1)
				g, bias := b.numbers(batch*oh*ow*n, -1, 1), b.numbers(n, -1, 1)
				y, sy := make([]float64, len(g)), make([]float64, len(g))
				dx, sx := make([]float64, len(x)), make([]float64, len(x))
				dw, sw := make([]float64, len(w)), make([]float64, len(w))
				for i := range y {
					y[i], sy[i] = bias[i%n], 1
				}
				k.each(batch, func(i, j, o int) {
					y[o], sy[o] = y[o]+x[i]*w[j], sy[o]+math.Abs(x[i]*w[j])
					dx[i], sx[i] = dx[i]+g[o]*w[j], sx[i]+math.Abs(g[o]*w[j])
					dw[j], sw[j] = dw[j]+g[o]*x[i], sw[j]+math.Abs(g[o]*x[i])
				})
				tx, tw := b.upload(x, batch, k.h, k.w, k.c), b.upload(w, k.kernel()...)
				tg, dst := b.upload(g, batch, oh, ow, n), b.alloc(batch, oh, ow, n)
				b.s.Depthwise(dst, tx, tw, b.upload(bias, n), k.conv)
				b.within("Depthwise "+k.String(), dst, y, sy, tolConv)
				gw := b.alloc(k.kernel()...)
				b.s.DepthwiseWeights(gw, tx, tg, k.conv)
				b.within("DepthwiseWeights "+k.String(), gw, dw, sw, tolConv)
				b.s.DepthwiseTransposed(tx, tg, tw, k.conv)
				b.within("DepthwiseTransposed "+k.String(), tx, dx, sx, tolConv)
				b.drop()
			}
		}
	}
}
