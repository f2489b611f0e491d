package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// transposedTask is the adjoint of a convolution that is no convolution itself:
// with a stride, every phase of the result is a convolution of y with some of the
// taps.
type transposedTask struct {
	k                 *kern.Table
	y, w, dst, bias   []float32
	h, wd, c          int // of dst, padded where edges are folded afterwards
	oh, ow, n         int
	kh, kw, step, pad int
	key               packKey
	per, strips       int     // rows q of a task
	qh                int     // rows q of an image
	taps              []int64 // of every phase in turn
}

// ConvTransposed is the adjoint of x ↦ x ⋆ w, plus bias.
func (s *stream) ConvTransposed(dst, y, w, bias *engine.Tensor, c engine.Conv) {
	engine.CheckConv("ConvTransposed", y, dst, w, c, false)
	if c.Act != engine.Identity {
		panic("engine: ConvTransposed: it has no activation")
	}
	d, k := dst.Shape(), w.Shape()
	engine.CheckVector("ConvTransposed", bias, d[3])
	if s.err != nil || dst.Len() == 0 {
		return
	}
	var b []float32
	if bias != nil {
		b = s.data(bias)
	}
	same := y.Shape()[1] == d[1] && y.Shape()[2] == d[2]
	if k[0] == 3 && k[1] == 3 && c.Step() == 1 && s.k.Winograd != nil && y.Shape()[3] >= 8 &&
		(c.Edge == engine.Zero || c.Edge == engine.Periodic && same) {
		s.turned(dst, y, w, b, c)
		return
	}
	if c.Edge == engine.Zero || c.Pad == 0 {
		s.phases(s.out(dst), d, y, w, b, c)
		return
	}
	p := engine.Shape{d[0], d[1] + 2*c.Pad, d[2] + 2*c.Pad, d[3]}
	tmp := s.scratch(p.Len())
	if tmp == nil {
		return
	}
	padded := c
	padded.Pad = 0
	s.phases(tmp, p, y, w, nil, padded)
	s.fold(s.out(dst), tmp, d, c.Pad, c.Edge)
	if b != nil && s.err == nil {
		s.elementwise(elementwise{binary: s.k.Binary[kern.Add], dst: s.out(dst), x: s.data(dst), y: b, width: 1})
	}
}

// turned is the adjoint of a 3×3 convolution of stride 1 as the convolution with the
// kernel turned by 180°.
func (s *stream) turned(dst, y, w *engine.Tensor, bias []float32, c engine.Conv) {
	u := s.pack(w, packKey{kind: packWinogradFlip, kh: 3, kw: 3, c: w.Shape()[2], n: w.Shape()[3]})
	if u == nil {
		return
	}
	t := s.convTask(y.Shape(), dst.Shape(), 3, 3, engine.Conv{Pad: 2 - c.Pad, Edge: c.Edge})
	t.w, t.x, t.dst, t.bias = u, s.data(y), s.out(dst), bias
	s.runConv(t, y.Shape()[0])
}

func (s *stream) phases(dst []float32, d engine.Shape, y, w *engine.Tensor, bias []float32, c engine.Conv) {
	k, o := w.Shape(), y.Shape()
	t := &s.back
	*t = transposedTask{
		k: s.k, y: s.data(y), dst: dst, bias: bias, h: d[1], wd: d[2], c: d[3], oh: o[1], ow: o[2], n: o[3],
		kh: k[0], kw: k[1], step: c.Step(), pad: c.Pad,
		key: packKey{kind: packPhases, kh: k[0], kw: k[1], c: k[2], n: k[3], step: c.Step()},
	}
	if t.w = s.pack(w, t.key); t.w == nil {
		return
	}
	t.qh = (t.h + t.pad + t.step - 1) / t.step
	t.per = max(1, (1<<16)/(t.line()*t.n))
	t.strips = (t.qh + t.per - 1) / t.per
	t.taps = s.taps[:0]
	for py := range t.step {
		for px := range t.step {
			t.phaseTaps(py, px)
		}
	}
	s.taps = t.taps
	s.team.Run(d[0]*t.strips, t)
	t.y, t.w, t.dst, t.bias = nil, nil, nil, nil
}

// reach is the number of taps a phase has at most, line the places of a padded row.
func (t *transposedTask) reach(k int) int { return (k + t.step - 1) / t.step }

func (t *transposedTask) line() int { return (t.wd+t.pad+t.step-1)/t.step + t.reach(t.kw) - 1 }

// first is the first q whose pixel step·q + px − pad lies in the image.
func (t *transposedTask) first(px int) int { return max(0, (t.pad-px+t.step-1)/t.step) }

// phaseTaps appends the places of a phase's taps, from row q−reach+1 and column
// −reach+1 of y.
func (t *transposedTask) phaseTaps(py, px int) {
	jy, jx := t.key.phaseTaps(py, px)
	ry, rx := t.reach(t.kh), t.reach(t.kw)
	for y := range jy {
		for x := range jx {
			t.taps = append(t.taps, int64(((ry-jy+y)*t.line()+rx-jx+x+t.first(px))*t.n))
		}
	}
}

// Do writes the rows step·q + phase − pad of one image for some q.
func (t *transposedTask) Do(i int, w *par.Worker) {
	b, q0 := i/t.strips, i%t.strips*t.per
	q1 := min(q0+t.per, t.qh)
	ry, rx := t.reach(t.kh)-1, t.reach(t.kw)-1
	line := t.line()
	// Rows q0−ry … q1−1 and columns −rx … of y, zeros outside.
	s := w.Floats((q1 - q0 + ry) * line * t.n)
	for r := range q1 - q0 + ry {
		d := s[r*line*t.n:][:line*t.n]
		row := q0 - ry + r
		if row < 0 || row >= t.oh {
			clear(d)
			continue
		}
		n := min(t.ow, line-rx) * t.n
		clear(d[:rx*t.n])
		copy(d[rx*t.n:], t.y[((b*t.oh+row)*t.ow)*t.n:][:n])
		clear(d[rx*t.n+n:])
	}
	for q := q0; q < q1; q++ {
		for py := range t.step {
			row := q*t.step + py - t.pad
			if row < 0 || row >= t.h {
				continue
			}
			for px := range t.step {
				t.row(s[(q-q0)*line*t.n:], line, b, row, py, px)
			}
		}
	}
}

// row writes every step-th pixel of a row. s starts at row q−ry of y.
func (t *transposedTask) row(s []float32, line, b, row, py, px int) {
	// Pixels col = step·q + px − pad for q from first on.
	first := t.first(px)
	col := first*t.step + px - t.pad
	if col >= t.wd {
		return
	}
	count := (t.wd-1-col)/t.step + 1
	dst := t.dst[((b*t.h+row)*t.wd+col)*t.c:]
	jy, jx := t.key.phaseTaps(py, px)
	if jy <= 0 || jx <= 0 { // the stride passes these pixels over
		for p := range count {
			d := dst[p*t.step*t.c:][:t.c]
			if t.bias != nil {
				copy(d, t.bias)
			} else {
				clear(d)
			}
		}
		return
	}
	at := 0 // of this phase's taps
	for y := range py + 1 {
		for x := range t.step {
			if y == py && x == px {
				break
			}
			ny, nx := t.key.phaseTaps(y, x)
			at += ny * nx
		}
	}
	taps := t.taps[at:][:jy*jx]
	k := jy * jx * t.n
	t.k.Gemm(kern.Gemm{
		M: count, N: t.c, K: t.n, A: s, RS: t.n, KS: 1, Taps: taps,
		B: t.w[t.key.phaseAt(py, px):], BS: kern.Lanes, BP: k * kern.Lanes, C: dst, LDC: t.step * t.c,
	})
	if t.bias != nil {
		t.k.Finish(kern.Finish{C: dst, Rows: count, N: t.c, LDC: t.step * t.c, Bias: t.bias})
	}
}

// foldTask adds what lies beyond the edges of a padded image to the pixels it
// stands for: planes (h, w, c).
type foldTask struct {
	k          *kern.Table
	dst, src   []float32
	h, w, c    int
	sh, sw     int // of src
	top, left  int
	rows, cols []int32
}

// fold adds the padded src to dst d (B, H, W, C).
func (s *stream) fold(dst, src []float32, d engine.Shape, pad int, e engine.Edge) {
	s.foldPlanes(dst, src, d[0], d[1], d[2], d[3], d[1]+2*pad, d[2]+2*pad, pad, pad, e)
}

func (s *stream) foldPlanes(dst, src []float32, planes, h, w, c, sh, sw, top, left int, e engine.Edge) {
	t := &s.folds
	s.rows = edgeMap(s.rows, sh, top, h, e)
	s.cols = edgeMap(s.cols, sw, left, w, e)
	*t = foldTask{k: s.k, dst: dst, src: src, h: h, w: w, c: c, sh: sh, sw: sw, top: top, left: left, rows: s.rows, cols: s.cols}
	s.team.Run(planes*h, t)
	t.dst, t.src = nil, nil
}

// Do sums everything that belongs to one row.
func (t *foldTask) Do(i int, _ *par.Worker) {
	plane, row := i/t.h, i%t.h
	d := t.dst[i*t.w*t.c:][:t.w*t.c]
	clear(d)
	for r, to := range t.rows {
		if int(to) != row {
			continue
		}
		src := t.src[(plane*t.sh+r)*t.sw*t.c:][:t.sw*t.c]
		t.k.Axpy(d, src[t.left*t.c:][:t.w*t.c], 1)
		for j, col := range t.cols {
			if j == t.left {
				continue
			}
			if j > t.left && j < t.left+t.w || col < 0 {
				continue
			}
			for l := range t.c {
				d[int(col)*t.c+l] += src[j*t.c+l]
			}
		}
	}
}
