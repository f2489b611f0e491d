package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// depthTask is a depthwise convolution or its gradient in the weights, by strips of
// rows of the padded image.
type depthTask struct {
	k                 *kern.Table
	x, w, bias, dst   []float32 // dst is the gradient where weights is set
	b, h, wd, c       int
	oh, ow            int
	kh, kw, step, pad int
	spread            int // zeros go between the pixels of x, by this step
	rows, cols        []int32
	taps              []int64
	act               int
	weights           bool
	sums              []float32 // (parts, kh, kw, c)
	parts             int
}

// Depthwise does dst = act(x ⋆ w + bias), channel by channel.
func (s *stream) Depthwise(dst, x, w, bias *engine.Tensor, c engine.Conv) {
	engine.CheckConv("Depthwise", dst, x, w, c, true)
	engine.CheckVector("Depthwise", bias, dst.Shape()[3])
	if s.err != nil || dst.Len() == 0 {
		return
	}
	t := s.depthTask(x.Shape(), dst.Shape(), w.Shape(), c)
	t.x, t.w, t.dst = s.data(x), s.data(w), s.out(dst)
	if bias != nil {
		t.bias = s.data(bias)
	}
	s.runDepth(t, t.b*t.oh)
}

func (s *stream) depthTask(x, y, w engine.Shape, c engine.Conv) *depthTask {
	t := &s.depth
	*t = depthTask{
		k: s.k, b: x[0], h: x[1], wd: x[2], c: x[3], oh: y[1], ow: y[2], kh: w[0], kw: w[1], step: c.Step(), pad: c.Pad,
		spread: 1, act: int(c.Act), taps: s.taps[:0],
	}
	s.rows = edgeMap(s.rows, (t.oh-1)*t.step+t.kh, t.pad, t.h, c.Edge)
	s.cols = edgeMap(s.cols, (t.ow-1)*t.step+t.kw, t.pad, t.wd, c.Edge)
	t.rows, t.cols = s.rows, s.cols
	for i := range t.kh {
		for j := range t.kw {
			t.taps = append(t.taps, int64((i*len(t.cols)+j)*t.c))
		}
	}
	s.taps = t.taps
	return t
}

// runDepth gives every task about as much to do.
func (s *stream) runDepth(t *depthTask, rows int) {
	t.parts = max(1, min(rows, rows*t.ow*t.c/(1<<13)))
	s.team.Run(t.parts, t)
	t.x, t.w, t.bias, t.dst = nil, nil, nil, nil
}

// DepthwiseTransposed is the adjoint of x ↦ x ⋆ w: the convolution, with the kernel
// turned, of y with zeros between its pixels.
func (s *stream) DepthwiseTransposed(dst, y, w *engine.Tensor, c engine.Conv) {
	engine.CheckConv("DepthwiseTransposed", y, dst, w, c, true)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	d, k := dst.Shape(), w.Shape()
	src := s.data(w)
	turned := s.turn(src, k[0]*k[1], k[2])
	if c.Edge == engine.Zero || c.Pad == 0 {
		s.spreadDepth(s.out(dst), d, s.data(y), y.Shape(), turned, k, c)
		return
	}
	p := engine.Shape{d[0], d[1] + 2*c.Pad, d[2] + 2*c.Pad, d[3]}
	tmp := s.scratch(p.Len())
	if tmp == nil {
		return
	}
	padded := c
	padded.Pad = 0
	s.spreadDepth(tmp, p, s.data(y), y.Shape(), turned, k, padded)
	s.fold(s.out(dst), tmp, d, c.Pad, c.Edge)
}

// turn returns the kernel (taps, c) turned by 180°, until the next call.
func (s *stream) turn(w []float32, taps, c int) []float32 {
	if cap(s.flipped) < len(w) {
		s.flipped = make([]float32, len(w))
	}
	t := s.flipped[:len(w)]
	for i := range taps {
		copy(t[i*c:(i+1)*c], w[(taps-1-i)*c:])
	}
	return t
}

func (s *stream) spreadDepth(dst []float32, d engine.Shape, y []float32, o engine.Shape, w []float32, k engine.Shape, c engine.Conv) {
	step := c.Step()
	wide := engine.Shape{o[0], (o[1]-1)*step + 1, (o[2]-1)*step + 1, o[3]}
	t := s.depthTask(wide, d, k, engine.Conv{Pad: 0})
	// The pads of a turned kernel differ between the sides where the stride leaves a
	// rest; a map from −(k−1−pad) on gives zeros wherever it leaves the image.
	py, px := k[0]-1-c.Pad, k[1]-1-c.Pad
	s.rows = edgeMap(s.rows, d[1]+k[0]-1, py, wide[1], engine.Zero)
	s.cols = edgeMap(s.cols, d[2]+k[1]-1, px, wide[2], engine.Zero)
	t.rows, t.cols = s.rows, s.cols
	t.taps = s.taps[:0]
	for i := range t.kh {
		for j := range t.kw {
			t.taps = append(t.taps, int64((i*len(t.cols)+j)*t.c))
		}
	}
	s.taps = t.taps
	t.h, t.wd, t.pad, t.spread = o[1], o[2], px, step
	t.x, t.w, t.dst = y, w, dst
	s.runDepth(t, t.b*t.oh)
}

// DepthwiseWeights writes the gradient of ⟨g, x ⋆ w⟩ in w.
func (s *stream) DepthwiseWeights(dw, x, g *engine.Tensor, c engine.Conv) {
	engine.CheckConv("DepthwiseWeights", g, x, dw, c, true)
	if s.err != nil || dw.Len() == 0 {
		return
	}
	t := s.depthTask(x.Shape(), g.Shape(), dw.Shape(), c)
	t.weights, t.x, t.dst = true, s.data(x), s.data(g)
	const parts = 16
	rows := t.b * t.oh
	t.parts = min(parts, rows)
	if t.sums = s.scratch(t.parts * dw.Len()); t.sums == nil {
		return
	}
	s.team.Run(t.parts, t)
	out := s.out(dw)
	copy(out, t.sums[:len(out)])
	for p := 1; p < t.parts; p++ {
		s.k.Axpy(out, t.sums[p*len(out):(p+1)*len(out)], 1)
	}
	t.x, t.dst, t.sums = nil, nil, nil
}

// Do computes a part of the rows of all images.
func (t *depthTask) Do(i int, w *par.Worker) {
	rows := t.b * t.oh
	line := len(t.cols) * t.c
	s := w.Floats(t.kh * line)
	var sum []float32
	if t.weights {
		n := t.kh * t.kw * t.c
		sum = t.sums[i*n : (i+1)*n]
		clear(sum)
	}
	for r := i * rows / t.parts; r < (i+1)*rows/t.parts; r++ {
		img := t.x[r/t.oh*t.h*t.wd*t.c:][:t.h*t.wd*t.c]
		for k := range t.kh {
			t.padRow(s[k*line:][:line], img, t.rows[r%t.oh*t.step+k])
		}
		d := kern.DepthRow{
			Dst: t.dst[r*t.ow*t.c:][:t.ow*t.c], X: s, W: t.w, Bias: t.bias, Taps: t.taps, Pixels: t.ow, C: t.c, Step: t.step * t.c,
		}
		if t.weights {
			d.W = sum
			t.k.DepthWeights(d)
			continue
		}
		t.k.DepthRow(d)
		if t.act != 0 {
			t.k.Finish(kern.Finish{C: d.Dst, Rows: 1, N: len(d.Dst), Act: t.act})
		}
	}
}

func (t *depthTask) padRow(dst, img []float32, r int32) {
	if t.spread == 1 {
		padRow(dst, img, r, t.cols, t.pad, t.wd, t.c)
		return
	}
	clear(dst)
	if r < 0 || int(r)%t.spread != 0 {
		return
	}
	row := img[int(r)/t.spread*t.wd*t.c:]
	for i, col := range t.cols {
		if col >= 0 && int(col)%t.spread == 0 {
			copy(dst[i*t.c:(i+1)*t.c], row[int(col)/t.spread*t.c:])
		}
	}
}
