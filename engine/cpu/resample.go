package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

type poolOp int

const (
	poolUp poolOp = iota
	poolSum
	poolPad
)

// poolTask changes the size of images, a few rows of the result at a time.
type poolTask struct {
	k          *kern.Table
	op         poolOp
	dst, x     []float32
	h, w, c    int // of an image of dst
	sh, sw     int // of x
	f          int
	rows, cols []int32
	left       int
	per        int
}

func (s *stream) pool(t *poolTask) {
	s.pools = *t
	s.pools.k = s.k
	line := t.w * t.c
	if len(t.dst) == 0 {
		return
	}
	s.pools.per = max(1, chunk/max(line, 1))
	rows := len(t.dst) / line
	s.team.Run((rows+s.pools.per-1)/s.pools.per, &s.pools)
	s.pools = poolTask{}
}

// Upsample repeats every pixel k×k times.
func (s *stream) Upsample(dst, x *engine.Tensor, k int) {
	engine.CheckPool("Upsample", dst, x, k)
	d, o := dst.Shape(), x.Shape()
	s.pool(&poolTask{op: poolUp, dst: s.out(dst), x: s.data(x), h: d[1], w: d[2], c: d[3], sh: o[1], sw: o[2], f: k})
}

// SumPool adds k×k pixels.
func (s *stream) SumPool(dst, x *engine.Tensor, k int) {
	engine.CheckPool("SumPool", x, dst, k)
	d, o := dst.Shape(), x.Shape()
	s.pool(&poolTask{op: poolSum, dst: s.out(dst), x: s.data(x), h: d[1], w: d[2], c: d[3], sh: o[1], sw: o[2], f: k})
}

// Pad surrounds planes with what lies beyond their edges.
func (s *stream) Pad(dst, x *engine.Tensor, top, left int, e engine.Edge) {
	engine.CheckPad("Pad", dst, x, top, left)
	h, w := hw(dst)
	sh, sw := hw(x)
	s.rows = edgeMap(s.rows, h, top, sh, e)
	s.cols = edgeMap(s.cols, w, left, sw, e)
	s.pool(&poolTask{op: poolPad, dst: s.out(dst), x: s.data(x), h: h, w: w, c: 1, sh: sh, sw: sw, rows: s.rows, cols: s.cols, left: left})
}

// PadAdjoint adds what stands beyond the edges to the pixels it stands for.
func (s *stream) PadAdjoint(dst, x *engine.Tensor, top, left int, e engine.Edge) {
	n := engine.CheckPad("PadAdjoint", x, dst, top, left)
	h, w := hw(dst)
	sh, sw := hw(x)
	if n > 0 {
		s.foldPlanes(s.out(dst), s.data(x), n, h, w, 1, sh, sw, top, left, e)
	}
}

// Do writes a few rows.
func (t *poolTask) Do(i int, _ *par.Worker) {
	line := t.w * t.c
	for r := i * t.per; r < min((i+1)*t.per, len(t.dst)/line); r++ {
		d := t.dst[r*line:][:line]
		plane, y := r/t.h, r%t.h
		img := t.x[plane*t.sh*t.sw*t.c:][:t.sh*t.sw*t.c]
		switch t.op {
		case poolUp:
			src := img[y/t.f*t.sw*t.c:]
			for x := range t.sw {
				for k := range t.f {
					copy(d[(x*t.f+k)*t.c:][:t.c], src[x*t.c:])
				}
			}
		case poolSum:
			clear(d)
			for ky := range t.f {
				src := img[(y*t.f+ky)*t.sw*t.c:][:t.sw*t.c]
				for x := range t.w {
					for kx := range t.f {
						o, in := d[x*t.c:][:t.c], src[(x*t.f+kx)*t.c:][:t.c]
						for l := range o {
							o[l] += in[l]
						}
					}
				}
			}
		case poolPad:
			padRow(d, img, t.rows[y], t.cols, t.left, t.sw, 1)
		}
	}
}

// window copies or adds the part of src that lies over dst: dst row r takes src row
// r+row from column col on.
type window struct {
	dst, src       []float32
	dh, dw, sh, sw int
	row, col       int
	add            bool
	first, rows    int // the rows of every plane of dst that are walked
	per            int // rows per task
	k              *kern.Table
}

func (s *stream) window(op string, dst, src *engine.Tensor, row, col int, add bool) {
	n := engine.CheckPlanes(op, dst, src)
	dh, dw := hw(dst)
	sh, sw := hw(src)
	if dw == 0 || sw == 0 && add {
		return
	}
	t := &s.win
	*t = window{
		dst: s.out(dst), src: s.data(src), dh: dh, dw: dw, sh: sh, sw: sw,
		row: row, col: col, add: add, rows: dh, per: max(1, chunk/dw), k: s.k,
	}
	if add {
		t.first = max(0, -row)
		t.rows = max(0, min(dh, sh-row)-t.first)
	}
	s.team.Run((n*t.rows+t.per-1)/t.per, t)
	*t = window{}
}

func hw(t *engine.Tensor) (h, w int) {
	d := t.Shape()
	return d[len(d)-2], d[len(d)-1]
}

// Do runs a few rows of dst.
func (t *window) Do(i int, _ *par.Worker) {
	lo, hi := max(0, -t.col), min(t.dw, t.sw-t.col)
	all := len(t.dst) / (t.dh * t.dw) * t.rows
	for r := i * t.per; r < min((i+1)*t.per, all); r++ {
		plane, dr := r/t.rows, t.first+r%t.rows
		d := t.dst[(plane*t.dh+dr)*t.dw:][:t.dw]
		sr := dr + t.row
		if sr < 0 || sr >= t.sh || lo >= hi {
			if !t.add {
				clear(d)
			}
			continue
		}
		src := t.src[(plane*t.sh+sr)*t.sw:][:t.sw][lo+t.col : hi+t.col]
		if t.add {
			t.k.Axpy(d[lo:hi], src, 1)
			continue
		}
		clear(d[:lo])
		copy(d[lo:hi], src)
		clear(d[hi:])
	}
}

// Window crops or embeds: dst[r,c] = src[r+row,c+col], 0 outside.
func (s *stream) Window(dst, src *engine.Tensor, row, col int) {
	s.window("Window", dst, src, row, col, false)
}

// AddWindow does dst[r+row,c+col] += src[r,c].
func (s *stream) AddWindow(dst, src *engine.Tensor, row, col int) {
	s.window("AddWindow", dst, src, -row, -col, true)
}
