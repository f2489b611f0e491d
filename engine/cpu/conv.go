package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// netTasks are the tasks of network operations.
type netTasks struct {
	conv  convTask
	back  transposedTask
	folds foldTask
	grads weightTask
	depth depthTask
	mats  matTask
	norms normTask
	chans channelTask
	pools poolTask
	steps adamTask

	rows, cols []int32   // maps of the padded image
	flipped    []float32 // a depthwise kernel turned
	taps       []int64
}

// oneTap is the list of taps of a plain product.
var oneTap = []int64{0}

// edgeMap fills m with the pixel at each of count places from −pad on.
func edgeMap(m []int32, count, pad, n int, e engine.Edge) []int32 {
	if cap(m) < count {
		m = make([]int32, count)
	}
	m = m[:count]
	for i := range m {
		m[i] = int32(e.At(i-pad, n))
	}
	return m
}

// convTask is a convolution, cut into tasks by strips of rows (or of pixels, or by
// blocks of tiles) and where those are few by groups of channels.
type convTask struct {
	k                    *kern.Table
	x, w, dst, bias, res []float32
	h, wd, c             int
	oh, ow, n            int
	kh, kw, step, pad    int
	act                  int

	rows, cols []int32
	taps       []int64

	method int
	tiles  int // Winograd: tiles in all
	per    int // rows, pixels or tiles of a task
	strips int // tasks along them (of one image for rows)
	group  int // channels of a task, a multiple of 16
	geo    kern.WinogradGeometry
}

const (
	byPixels   = iota // 1×1: one product
	byRows            // copy the padded rows, one product per tap
	byColumns         // few channels: gather the patch of every pixel
	byWinograd        // 3×3 of stride 1
)

// Conv does dst = act(x ⋆ w + bias + res).
func (s *stream) Conv(dst, x, w, bias, res *engine.Tensor, c engine.Conv) {
	engine.CheckConv("Conv", dst, x, w, c, false)
	n := dst.Shape()[3]
	engine.CheckVector("Conv", bias, n)
	if res != nil {
		engine.CheckSame("Conv", dst, res)
	}
	if s.err != nil || dst.Len() == 0 {
		return
	}
	t := s.convTask(x.Shape(), dst.Shape(), w.Shape()[0], w.Shape()[1], c)
	kind := packPlain
	if t.method == byWinograd {
		kind = packWinograd
	}
	if t.w = s.pack(w, packKey{kind: kind, kh: t.kh, kw: t.kw, c: t.c, n: t.n}); t.w == nil {
		return
	}
	t.x, t.dst = s.data(x), s.out(dst)
	if bias != nil {
		t.bias = s.data(bias)
	}
	if res != nil {
		t.res = s.data(res)
	}
	s.runConv(t, x.Shape()[0])
}

// convTask fills in everything but the data.
func (s *stream) convTask(x, dst engine.Shape, kh, kw int, c engine.Conv) *convTask {
	t := &s.conv
	*t = convTask{
		k: s.k, h: x[1], wd: x[2], c: x[3], oh: dst[1], ow: dst[2], n: dst[3],
		kh: kh, kw: kw, step: c.Step(), pad: c.Pad, act: int(c.Act), taps: s.taps[:0],
	}
	const fewChannels = 8
	switch {
	case kh == 1 && kw == 1 && t.step == 1 && t.pad == 0:
		t.method = byPixels
	case kh == 3 && kw == 3 && t.step == 1 && t.c >= fewChannels && s.k.Winograd != nil:
		t.method = byWinograd
	case t.c < fewChannels:
		t.method = byColumns
	default:
		t.method = byRows
	}
	if t.method != byPixels {
		s.rows = edgeMap(s.rows, t.reach(t.oh, kh), t.pad, t.h, c.Edge)
		s.cols = edgeMap(s.cols, t.reach(t.ow, kw), t.pad, t.wd, c.Edge)
		t.rows, t.cols = s.rows, s.cols
	}
	return t
}

// reach is the number of places of the padded image that out results and a kernel
// of k touch; Winograd's tiles touch whole fours.
func (t *convTask) reach(out, k int) int {
	if t.method == byWinograd {
		return (out+3)/4*4 + 2
	}
	return (out-1)*t.step + k
}

// runConv cuts the work into tasks. More than a few of them let several workers
// share; none of the choices depends on how many there are.
func (s *stream) runConv(t *convTask, images int) {
	const (
		atLeast    = 16      // tasks, where there is enough to do
		pixels     = 192     // of a task of plain products
		stripFloat = 1 << 16 // scratch for the padded rows of a task
	)
	switch t.method {
	case byPixels:
		t.per = pixels
		t.strips = (images*t.oh*t.ow + t.per - 1) / t.per
		images = 1
	case byWinograd:
		ty, tx := (t.oh+3)/4, (t.ow+3)/4
		t.tiles = images * ty * tx
		t.per = 24
		if t.c*t.n >= 1<<16 {
			t.per = 36 // the weights pass less often
		}
		t.strips = (t.tiles + t.per - 1) / t.per
		images = 1
		t.geo = kern.WinogradGeometry{Rows: t.rows, Cols: t.cols}
		t.geo.Numbers = [13]int64{int64(t.h), int64(t.wd), int64(t.c), int64(t.oh), int64(t.ow), int64(t.n), int64(ty), int64(tx), int64(t.act)}
	default:
		t.per = max(1, min(t.oh, stripFloat/(t.step*len(t.cols)*t.c)-t.kh))
		t.strips = (t.oh + t.per - 1) / t.per
		for i := range t.kh {
			for j := range t.kw {
				t.taps = append(t.taps, int64((i*len(t.cols)+j)*t.c))
			}
		}
		s.taps = t.taps
		if t.method == byColumns {
			t.taps = oneTap
		}
	}
	panels := (t.n + kern.Lanes - 1) / kern.Lanes
	t.group = panels
	if tasks := images * t.strips; tasks < atLeast {
		parts := min((atLeast+tasks-1)/tasks, (panels+3)/4)
		t.group = (panels + parts - 1) / parts
	}
	t.group *= kern.Lanes
	s.team.Run(images*t.strips*t.groups(), t)
	t.x, t.w, t.dst, t.bias, t.res = nil, nil, nil, nil, nil
}

func (t *convTask) groups() int { return (t.n + t.group - 1) / t.group }

// Do runs one task.
func (t *convTask) Do(i int, w *par.Worker) {
	n0 := i % t.groups() * t.group
	n1 := min(n0+t.group, t.n)
	i /= t.groups()
	switch t.method {
	case byWinograd:
		t.winograd(i*t.per, min((i+1)*t.per, t.tiles), n0, n1, w)
	case byPixels:
		p0 := i * t.per
		p1 := min(p0+t.per, len(t.dst)/t.n)
		t.product(t.x[p0*t.c:], t.c, oneTap, t.c, p0, p1-p0, n0, n1)
		t.finish(p0, p1-p0, n0, n1)
	default:
		t.strip(i/t.strips, i%t.strips*t.per, n0, n1, w)
	}
}

// product computes pixels of dst from p0 on, without bias.
func (t *convTask) product(a []float32, rs int, taps []int64, k, p0, pixels, n0, n1 int) {
	bp := t.kh * t.kw * t.c * kern.Lanes
	t.k.Gemm(kern.Gemm{
		M: pixels, N: n1 - n0, K: k, A: a, RS: rs, KS: 1, Taps: taps,
		B: t.w[n0/kern.Lanes*bp:], BS: kern.Lanes, BP: bp, C: t.dst[p0*t.n+n0:], LDC: t.n,
	})
}

func (t *convTask) finish(p0, pixels, n0, n1 int) {
	if t.bias == nil && t.res == nil && t.act == 0 {
		return
	}
	f := kern.Finish{C: t.dst[p0*t.n+n0:], Rows: pixels, N: n1 - n0, LDC: t.n, LDR: t.n, Act: t.act}
	if t.bias != nil {
		f.Bias = t.bias[n0:n1]
	}
	if t.res != nil {
		f.Res = t.res[p0*t.n+n0:]
	}
	t.k.Finish(f)
}

// strip computes rows from y0 on of image b.
func (t *convTask) strip(b, y0, n0, n1 int, w *par.Worker) {
	y1 := min(y0+t.per, t.oh)
	line := len(t.cols) * t.c
	rows := (y1-y0-1)*t.step + t.kh
	patch := 0
	if t.method == byColumns {
		patch = t.kh * t.kw * t.c
	}
	s := w.Floats(rows*line + t.ow*patch)
	img := t.x[b*t.h*t.wd*t.c:][:t.h*t.wd*t.c]
	for r := range rows {
		padRow(s[r*line:][:line], img, t.rows[y0*t.step+r], t.cols, t.pad, t.wd, t.c)
	}
	for y := y0; y < y1; y++ {
		a := s[(y-y0)*t.step*line:]
		p0 := (b*t.oh + y) * t.ow
		if patch == 0 {
			t.product(a, t.step*t.c, t.taps, t.c, p0, t.ow, n0, n1)
			continue
		}
		p := s[rows*line:]
		for x := range t.ow {
			for i := range t.kh {
				copy(p[x*patch+i*t.kw*t.c:][:t.kw*t.c], a[i*line+x*t.step*t.c:])
			}
		}
		t.product(p, patch, oneTap, patch, p0, t.ow, n0, n1)
	}
	t.finish((b*t.oh+y0)*t.ow, (y1-y0)*t.ow, n0, n1)
}

// padRow writes one row of the padded image: row r of img (−1: none) at the places
// that cols names.
func padRow(dst, img []float32, r int32, cols []int32, pad, wd, c int) {
	if r < 0 {
		clear(dst)
		return
	}
	row := img[int(r)*wd*c:][:wd*c]
	for i := 0; i < len(cols); {
		if lo := i - pad; lo >= 0 && lo < wd {
			n := min(wd-lo, len(cols)-i)
			copy(dst[i*c:], row[lo*c:(lo+n)*c])
			i += n
			continue
		}
		d := dst[i*c:][:c]
		if j := cols[i]; j < 0 {
			clear(d)
		} else {
			copy(d, row[int(j)*c:])
		}
		i++
	}
}

// winograd computes tiles t0 to t1.
func (t *convTask) winograd(t0, t1, n0, n1 int, w *par.Worker) {
	g := t.geo
	// Sixteen floats between the 36 parts, lest they fall on one set of the cache.
	vs, ms := t.per*t.c+16, t.per*(n1-n0)+16
	g.Numbers[9], g.Numbers[10], g.Numbers[11], g.Numbers[12] = int64(n0), int64(n1), int64(vs), int64(ms)
	t.k.Winograd.Block(g, t.x, t.w, t.dst, t.bias, t.res, t0, t1, w.Floats(36*(vs+ms)))
}
