package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

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
