package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// matTask is a product of matrices, cut by batch, rows and groups of columns. b is
// packed first, on the workers too.
type matTask struct {
	k            *kern.Table
	a, b, dst    []float32
	panels       []float32
	batches      int // of b
	m, n, kk     int
	opt          engine.MatMul
	per, strips  int // rows of a task
	group, parts int // columns of a task, a multiple of 16
	packing      bool
}

// MatMul does dst = scale · a b.
func (s *stream) MatMul(dst, a, b *engine.Tensor, m engine.MatMul) {
	batch, bb, rows, cols, inner := engine.CheckMatMul(dst, a, b, m)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	t := &s.mats
	*t = matTask{k: s.k, a: s.data(a), b: s.data(b), dst: s.out(dst), batches: bb, m: rows, n: cols, kk: inner, opt: m}
	if inner == 0 {
		if !m.Add {
			clear(t.dst)
		}
		return
	}
	if t.panels = s.scratch(bb * kern.PanelLen(inner, cols)); t.panels == nil {
		return
	}
	t.packing = true
	s.team.Run(bb, t)
	t.packing = false
	t.per = 96
	t.strips = (rows + t.per - 1) / t.per
	panels := (cols + kern.Lanes - 1) / kern.Lanes
	t.parts = 1
	if tasks := batch * t.strips; tasks < 16 {
		t.parts = min((16+tasks-1)/tasks, (panels+3)/4)
	}
	t.group = (panels + t.parts - 1) / t.parts * kern.Lanes
	t.parts = (cols + t.group - 1) / t.group
	s.team.Run(batch*t.strips*t.parts, t)
	t.a, t.b, t.dst, t.panels = nil, nil, nil, nil
}

// Do packs one matrix or computes one part of a product.
func (t *matTask) Do(i int, w *par.Worker) {
	size := kern.PanelLen(t.kk, t.n)
	if t.packing {
		rs, cs := t.n, 1
		if t.opt.TransB {
			rs, cs = 1, t.kk
		}
		kern.Pack(t.panels[i*size:][:size], t.b[i*t.kk*t.n:], t.kk, t.n, rs, cs)
		return
	}
	n0 := i % t.parts * t.group
	n1 := min(n0+t.group, t.n)
	i /= t.parts
	b, m0 := i/t.strips, i%t.strips*t.per
	m1 := min(m0+t.per, t.m)
	rs, ks := t.kk, 1
	if t.opt.TransA {
		rs, ks = 1, t.m
	}
	g := kern.Gemm{
		M: m1 - m0, N: n1 - n0, K: t.kk, A: t.a[b*t.m*t.kk+m0*rs:], RS: rs, KS: ks, Taps: oneTap,
		B: t.panels[b%t.batches*size+n0*t.kk:], BS: kern.Lanes, BP: t.kk * kern.Lanes,
		C: t.dst[(b*t.m+m0)*t.n+n0:], LDC: t.n, Add: t.opt.Add,
	}
	scale := t.opt.Scale
	if scale == 0 || scale == 1 {
		t.k.Gemm(g)
		return
	}
	if !t.opt.Add {
		t.k.Gemm(g)
		for r := range g.M {
			c := g.C[r*t.n:][:g.N]
			t.k.Affine(c, c, scale, 0)
		}
		return
	}
	c, ld := g.C, g.LDC
	g.C, g.LDC, g.Add = w.Floats(g.M*g.N), g.N, false
	t.k.Gemm(g)
	for r := range g.M {
		t.k.Axpy(c[r*ld:][:g.N], g.C[r*g.N:][:g.N], scale)
	}
}
