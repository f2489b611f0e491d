package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// weightTask is the gradient of a convolution in its weights.
//
// Directly, it is for every tap the product xᵀ g over all pixels. Pixels are cut into
// a number of parts that depends on the sizes alone; each part sums into a buffer of
// its own, and the buffers are added in order.
//
// A 3×3 kernel of stride 1 goes by the adjoint of Winograd's algorithm: tiles of x
// and of g are transformed, a block at a time, and multiplied for each of the 36
// places apart.
type weightTask struct {
	k                 *kern.Table
	x, g, dw          []float32
	b, h, wd, c       int
	oh, ow, n         int
	kh, kw, step, pad int
	rows, cols        []int32

	phase        int
	sums         []float32 // (parts, kh, kw, c, n)
	parts        int
	geo          kern.WinogradGeometry
	v, m, du     []float32
	tile0, tile1 int
}

const (
	weightParts = iota
	weightSum
	weightInput
	weightProduct
)

const (
	weightChunk = 24      // tiles of a task of transforms
	sumChunk    = 1 << 14 // weights of a task of sums
)

// ConvWeights writes the gradient of ⟨g, x ⋆ w⟩ in w.
func (s *stream) ConvWeights(dw, x, g *engine.Tensor, c engine.Conv) {
	engine.CheckConv("ConvWeights", g, x, dw, c, false)
	if s.err != nil || dw.Len() == 0 {
		return
	}
	xs, gs, ks := x.Shape(), g.Shape(), dw.Shape()
	t := &s.grads
	*t = weightTask{
		k: s.k, x: s.data(x), g: s.data(g), dw: s.out(dw), b: xs[0], h: xs[1], wd: xs[2], c: xs[3],
		oh: gs[1], ow: gs[2], n: gs[3], kh: ks[0], kw: ks[1], step: c.Step(), pad: c.Pad,
	}
	if t.kh == 3 && t.kw == 3 && t.step == 1 && t.c >= 8 && s.k.Winograd != nil {
		s.weightsByTiles(t, c.Edge)
	} else {
		s.weightsByTaps(t, c.Edge)
	}
	t.x, t.g, t.dw, t.sums, t.v, t.m, t.du = nil, nil, nil, nil, nil, nil, nil
}

func (s *stream) weightsByTaps(t *weightTask, e engine.Edge) {
	const most = 16 // parts, and 32 MB
	t.parts = max(1, min(most, t.b*t.oh, (8<<20)/len(t.dw)))
	if t.sums = s.scratch(t.parts * len(t.dw)); t.sums == nil {
		return
	}
	s.rows = edgeMap(s.rows, (t.oh-1)*t.step+t.kh, t.pad, t.h, e)
	s.cols = edgeMap(s.cols, (t.ow-1)*t.step+t.kw, t.pad, t.wd, e)
	t.rows, t.cols = s.rows, s.cols
	t.phase = weightParts
	s.team.Run(t.parts, t)
	t.phase = weightSum
	s.team.Run((len(t.dw)+sumChunk-1)/sumChunk, t)
}

func (s *stream) weightsByTiles(t *weightTask, e engine.Edge) {
	ty, tx := (t.oh+3)/4, (t.ow+3)/4
	s.rows = edgeMap(s.rows, ty*4+2, t.pad, t.h, e)
	s.cols = edgeMap(s.cols, tx*4+2, t.pad, t.wd, e)
	tiles := t.b * ty * tx
	const room = 4 << 20 // floats of transformed tiles at a time
	block := max(weightChunk, min(tiles, room/(36*(t.c+t.n))/weightChunk*weightChunk))
	np := (t.n + kern.Lanes - 1) / kern.Lanes * kern.Lanes
	vs, ms := block*t.c+16, block*np+16
	buf := s.scratch(36*(vs+ms) + 36*t.c*t.n)
	if buf == nil {
		return
	}
	t.geo = kern.WinogradGeometry{Rows: s.rows, Cols: s.cols}
	t.geo.Numbers = [13]int64{
		int64(t.h), int64(t.wd), int64(t.c), int64(t.oh), int64(t.ow), int64(t.n), int64(ty), int64(tx),
		0, 0, int64(t.n), int64(vs), int64(ms),
	}
	t.v, t.m, t.du = buf[:36*vs], buf[36*vs:36*(vs+ms)], buf[36*(vs+ms):]
	for t.tile0 = 0; t.tile0 < tiles; t.tile0 += block {
		t.tile1 = min(t.tile0+block, tiles)
		t.phase = weightInput
		s.team.Run((t.tile1-t.tile0+weightChunk-1)/weightChunk, t)
		t.phase = weightProduct
		s.team.Run(36, t)
	}
	s.k.Winograd.Gradient(t.dw, t.du, t.c, t.n)
}

// Do runs one task of the current phase.
func (t *weightTask) Do(i int, w *par.Worker) {
	switch t.phase {
	case weightParts:
		rows := t.b * t.oh
		t.part(i, i*rows/t.parts, (i+1)*rows/t.parts, w)
	case weightSum:
		lo, hi := i*sumChunk, min((i+1)*sumChunk, len(t.dw))
		copy(t.dw[lo:hi], t.sums[lo:hi])
		for p := 1; p < t.parts; p++ {
			t.k.Axpy(t.dw[lo:hi], t.sums[p*len(t.dw)+lo:p*len(t.dw)+hi], 1)
		}
	case weightInput:
		t0 := t.tile0 + i*weightChunk
		t1 := min(t0+weightChunk, t.tile1)
		t.k.Winograd.Input(t.geo, t.x, t0, t1, t.v[i*weightChunk*t.c:])
		t.k.Winograd.Output(t.geo, t.g, t0, t1, t.m[i*weightChunk*t.n:])
	case weightProduct:
		vs, ms := int(t.geo.Numbers[11]), int(t.geo.Numbers[12])
		t.outer(t.du[i*t.c*t.n:], t.v[i*vs:], oneTap, t.c, t.m[i*ms:], t.tile1-t.tile0, t.tile0 > 0, w)
	}
}

// outer does dst (c, n) (+)= Σ_p a[p]ᵀ g[p] over pixels whose channels are astep and n
// apart.
func (t *weightTask) outer(dst, a []float32, tap []int64, astep int, g []float32, pixels int, add bool, w *par.Worker) {
	bs, bp := t.n, kern.Lanes
	if t.n%kern.Lanes != 0 { // rows that are no whole panels are packed
		p := w.Floats(kern.PanelLen(pixels, t.n))
		kern.Pack(p, g, pixels, t.n, t.n, 1)
		g, bs, bp = p, kern.Lanes, pixels*kern.Lanes
	}
	t.k.Gemm(kern.Gemm{
		M: t.c, N: t.n, K: pixels, A: a, RS: 1, KS: astep, Taps: tap, B: g, BS: bs, BP: bp, C: dst, LDC: t.n, Add: add,
	})
}

// part sums rows r0 to r1 of all images.
func (t *weightTask) part(i, r0, r1 int, w *par.Worker) {
	dst := t.sums[i*len(t.dw):][:len(t.dw)]
	clear(dst)
	line := len(t.cols) * t.c
	plain := t.kh == 1 && t.kw == 1 && t.step == 1 && t.pad == 0
	np := (t.n + kern.Lanes - 1) / kern.Lanes * kern.Lanes
	// The packed gradient comes first in the worker's memory, see outer.
	own := t.ow * np
	s := w.Floats(own + t.kh*line)
	for r := r0; r < r1; r++ {
		b, y := r/t.oh, r%t.oh
		g := t.g[r*t.ow*t.n:][:t.ow*t.n]
		if plain {
			t.outer(dst, t.x[r*t.ow*t.c:], oneTap, t.c, g, t.ow, true, w)
			continue
		}
		img := t.x[b*t.h*t.wd*t.c:][:t.h*t.wd*t.c]
		for k := range t.kh {
			padRow(s[own+k*line:][:line], img, t.rows[y*t.step+k], t.cols, t.pad, t.wd, t.c)
			for l := range t.kw {
				t.outer(dst[(k*t.kw+l)*t.c*t.n:], s[own+k*line+l*t.c:], oneTap, t.step*t.c, g, t.ow, true, w)
			}
		}
	}
}
