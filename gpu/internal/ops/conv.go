package ops

import "limpid/engine"

// geometry are the parameters of a convolution, as the kernels take them.
type geometry struct {
	b, h, w, c  int
	oh, ow, n   int
	kh, kw      int
	stride, pad int
	edge        engine.Edge
}

func geometryOf(x, y, k engine.Shape, c engine.Conv) geometry {
	return geometry{
		b: x[0], h: x[1], w: x[2], c: x[3], oh: y[1], ow: y[2], n: y[3], kh: k[0], kw: k[1],
		stride: c.Step(), pad: c.Pad, edge: c.Edge,
	}
}

// product is a launch of the kernel gemm.
type product struct {
	kernel         Kernel // the wide one
	m, n, k        int
	c              int // channels of the gathered image
	z, kper        int // batch or parts
	act            engine.Unary
	transA, transB int
	add, bbatch    int
	scale          float32
	dst, a, b      *engine.Tensor
	bias, res      *engine.Tensor
	geo            geometry
}

func (s *stream) product(p product) {
	k, tm, tn := p.kernel, TileM, TileN
	if p.n <= NarrowTileN {
		k, tm, tn = k+1, NarrowTileM, NarrowTileN
	}
	across := (p.n + tn - 1) / tn
	groups := (p.m + tm - 1) / tm * across
	if p.m*p.n*p.k <= s.dev.cfg.Direct {
		k, groups = p.kernel+2, (p.m*p.n+255)/256
	}
	g := p.geo
	s.begin(k, p.dst, p.a, p.b, p.bias, p.res).ints(
		p.m, p.n, p.k, across, g.h, g.w, p.c, g.oh, g.ow, g.kh, g.kw, g.stride, g.pad, int(g.edge), int(p.act),
		p.transA, p.transB, p.add, p.bbatch, p.kper,
	).floats(p.scale).groupsOf(groups, p.z)
}

// Conv does dst = act(x ⋆ w + bias + res).
func (s *stream) Conv(dst, x, w, bias, res *engine.Tensor, c engine.Conv) {
	engine.CheckConv("Conv", dst, x, w, c, false)
	g := geometryOf(x.Shape(), dst.Shape(), w.Shape(), c)
	engine.CheckVector("Conv", bias, g.n)
	if res != nil {
		engine.CheckSame("Conv", dst, res)
	}
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.product(product{
		kernel: Conv, m: g.b * g.oh * g.ow, n: g.n, k: g.kh * g.kw * g.c, c: g.c, z: 1, act: c.Act,
		dst: dst, a: x, b: w, bias: bias, res: res, geo: g,
	})
}

// ConvTransposed is the adjoint, plus bias.
func (s *stream) ConvTransposed(dst, y, w, bias *engine.Tensor, c engine.Conv) {
	engine.CheckConv("ConvTransposed", y, dst, w, c, false)
	if c.Act != engine.Identity {
		panic("engine: ConvTransposed: an activation")
	}
	g := geometryOf(dst.Shape(), y.Shape(), w.Shape(), c)
	engine.CheckVector("ConvTransposed", bias, g.c)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.unfold(dst, g, func(dst *engine.Tensor, g geometry, bias *engine.Tensor) {
		s.product(product{
			kernel: ConvT, m: g.b * g.h * g.w, n: g.c, k: g.kh * g.kw * g.n, c: g.n, z: 1,
			dst: dst, a: y, b: w, bias: bias, geo: g,
		})
	}, bias)
}

// unfold runs the adjoint f of a convolution: at once where nothing but zeros lies
// beyond the edges, else on the padded image, whose edges are then folded back.
func (s *stream) unfold(dst *engine.Tensor, g geometry, f func(dst *engine.Tensor, g geometry, bias *engine.Tensor), bias *engine.Tensor) {
	if g.edge == engine.Zero || g.pad == 0 {
		f(dst, g, bias)
		return
	}
	p := g
	p.h, p.w, p.pad = g.h+2*g.pad, g.w+2*g.pad, 0
	t := s.room(g.b, p.h, p.w, g.c)
	if t == nil {
		return
	}
	f(t, p, nil)
	s.fold(dst, t, g.h, g.w, g.c, p.h, p.w, g.pad, g.pad, g.edge)
	t.Free()
	if bias != nil {
		s.Add(dst, dst, bias)
	}
}

func (s *stream) fold(dst, x *engine.Tensor, h, w, c, sh, sw, top, left int, e engine.Edge) {
	s.begin(Fold, dst, x).ints(dst.Len(), h, w, c, sh, sw, top, left, int(e)).threads(dst.Len())
}

// ConvWeights writes the gradient of ⟨g, x ⋆ w⟩ in w: a product over all pixels, cut
// into parts that are added in order.
func (s *stream) ConvWeights(dw, x, g *engine.Tensor, c engine.Conv) {
	engine.CheckConv("ConvWeights", g, x, dw, c, false)
	if s.err != nil || dw.Len() == 0 {
		return
	}
	o := geometryOf(x.Shape(), g.Shape(), dw.Shape(), c)
	pixels := o.b * o.oh * o.ow
	const least, most = 512, 64 // pixels of a part, parts
	tiles := ((o.kh*o.kw*o.c + TileM - 1) / TileM) * ((o.n + TileN - 1) / TileN)
	parts := max(1, min(most, pixels/least, (512+tiles-1)/tiles, (64<<20)/dw.Len()))
	p := product{
		kernel: ConvW, m: o.kh * o.kw * o.c, n: o.n, k: pixels, c: o.c, z: parts, kper: (pixels + parts - 1) / parts,
		dst: dw, a: x, b: g, geo: o,
	}
	if parts == 1 {
		s.product(p)
		return
	}
	t := s.room(parts, dw.Len())
	if t == nil {
		return
	}
	p.dst = t
	s.product(p)
	s.sumLead(dw, t, parts)
	t.Free()
}

// MatMul does dst = scale · a b.
func (s *stream) MatMul(dst, a, b *engine.Tensor, m engine.MatMul) {
	batch, bb, rows, cols, inner := engine.CheckMatMul(dst, a, b, m)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	scale := m.Scale
	if scale == 0 {
		scale = 1
	}
	// A grid has at most maxGrid matrices.
	for lo := 0; lo < batch; lo += maxGrid {
		z := min(maxGrid, batch-lo)
		d, aa, bs := dst, a, b
		if batch > maxGrid {
			d, aa = dst.Slice(lo, lo+z), a.Slice(lo, lo+z)
			if bb > 1 {
				bs = b.Slice(lo, lo+z)
			}
		}
		s.product(product{
			kernel: MatMul, m: rows, n: cols, k: inner, z: z, scale: scale, bbatch: min(bb, z),
			transA: number(m.TransA), transB: number(m.TransB), add: number(m.Add), dst: d, a: aa, b: bs,
		})
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s *stream) depth(dst, x, w, bias *engine.Tensor, g geometry, act engine.Unary, transposed int) {
	s.begin(Depthwise, dst, x, w, bias).ints(
		dst.Len(), g.h, g.w, g.c, g.oh, g.ow, g.kh, g.kw, g.stride, g.pad, int(g.edge), int(act), transposed,
	).threads(dst.Len())
}

// depthGeometry is geometryOf for kernels without the last dimension.
func depthGeometry(x, y, k engine.Shape, c engine.Conv) geometry {
	return geometryOf(x, y, engine.Shape{k[0], k[1]}, c)
}

// Depthwise does dst = act(x ⋆ w + bias), channel by channel.
func (s *stream) Depthwise(dst, x, w, bias *engine.Tensor, c engine.Conv) {
	engine.CheckConv("Depthwise", dst, x, w, c, true)
	engine.CheckVector("Depthwise", bias, dst.Shape()[3])
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.depth(dst, x, w, bias, depthGeometry(x.Shape(), dst.Shape(), w.Shape(), c), c.Act, 0)
}

// DepthwiseTransposed is its adjoint.
func (s *stream) DepthwiseTransposed(dst, y, w *engine.Tensor, c engine.Conv) {
	engine.CheckConv("DepthwiseTransposed", y, dst, w, c, true)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	s.unfold(dst, depthGeometry(dst.Shape(), y.Shape(), w.Shape(), c), func(dst *engine.Tensor, g geometry, _ *engine.Tensor) {
		s.depth(dst, y, w, nil, g, engine.Identity, 1)
	}, nil)
}

// DepthwiseWeights writes the gradient of ⟨g, x ⋆ w⟩ in w.
func (s *stream) DepthwiseWeights(dw, x, g *engine.Tensor, c engine.Conv) {
	engine.CheckConv("DepthwiseWeights", g, x, dw, c, true)
	if s.err != nil || dw.Len() == 0 {
		return
	}
	o := depthGeometry(x.Shape(), g.Shape(), dw.Shape(), c)
	rows := o.b * o.oh
	parts := max(1, min(rows, (1<<15)/dw.Len()))
	t := s.room(parts, dw.Len())
	if t == nil {
		return
	}
	s.begin(DepthWeights, t, x, g).ints(rows, o.h, o.w, o.c, o.oh, o.ow, o.kh, o.kw, o.stride, o.pad, int(o.edge), parts).
		threads(t.Len())
	s.sumLead(dw, t, parts)
	t.Free()
}
