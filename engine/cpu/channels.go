package cpu

import (
	"math"

	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

type channelOp int

const (
	chanAffine channelOp = iota
	chanSums
	chanCopy
	chanLast
	chanFirst
	chanSoftmax
	chanSoftmaxGrad
)

// channelTask is an operation on the last dimension of c channels.
type channelTask struct {
	k               *kern.Table
	op              channelOp
	dst, x, y, a, s []float32
	b, pixels, c    int
	parts           int // of an image
	per             int // pixels of a task
	at, from, n, dc int
	sums            []float64
	ones, zeros     []float32
}

// cut sets the sizes of images of c channels.
func (t *channelTask) cut(b, pixels, c, per int) int {
	t.b, t.pixels, t.c, t.per = b, pixels, c, per
	t.parts = (pixels + per - 1) / per
	return b * t.parts
}

// constants makes sure of ones and zeros for c channels.
func (t *channelTask) constants(c int) {
	if len(t.ones) < c {
		t.ones, t.zeros = make([]float32, c), make([]float32, c)
		for i := range t.ones {
			t.ones[i] = 1
		}
	}
}

func (s *stream) channels(op channelOp, tasks int) {
	s.chans.op, s.chans.k = op, s.k
	s.team.Run(tasks, &s.chans)
	t := &s.chans
	t.dst, t.x, t.y, t.a, t.s = nil, nil, nil, nil, nil
}

// ChannelAffine does dst = x·scale + shift.
func (s *stream) ChannelAffine(dst, x, scale, shift *engine.Tensor) {
	engine.CheckSame("ChannelAffine", dst, x)
	d := x.Shape()
	for _, v := range []*engine.Tensor{scale, shift} {
		if v != nil {
			engine.CheckPerChannel("ChannelAffine", x, v)
			engine.CheckVector("ChannelAffine", v, d[0]*d[3])
		}
	}
	if x.Len() == 0 {
		return
	}
	t := &s.chans
	t.constants(d[3])
	t.dst, t.x = s.out(dst), s.data(x)
	if scale != nil {
		t.a = s.data(scale)
	}
	if shift != nil {
		t.s = s.data(shift)
	}
	s.channels(chanAffine, t.cut(d[0], d[1]*d[2], d[3], pixelChunk))
}

// ChannelSums does dst[b,c] = Σ x y over the pixels.
func (s *stream) ChannelSums(dst, x, y *engine.Tensor) {
	d := x.Shape()
	engine.CheckPerChannel("ChannelSums", x, nil)
	engine.CheckVector("ChannelSums", dst, d[0]*d[3])
	t := &s.chans
	out := s.out(dst)
	if x.Len() == 0 {
		clear(out)
		return
	}
	t.x = s.data(x)
	if y != nil {
		engine.CheckSame("ChannelSums", x, y)
		t.y = s.data(y)
	}
	tasks := t.cut(d[0], d[1]*d[2], d[3], pixelChunk)
	if len(t.sums) < tasks*2*t.c {
		t.sums = make([]float64, tasks*2*t.c)
	}
	which := 0
	if y != nil {
		which = t.c // Σ x y stands behind Σ x
	}
	s.channels(chanSums, tasks)
	for b := range t.b {
		for c := range t.c {
			sum := 0.0
			for p := range t.parts {
				sum += t.sums[(b*t.parts+p)*2*t.c+which+c]
			}
			out[b*t.c+c] = float32(sum)
		}
	}
}

// CopyChannels does dst[…, at:at+n] = src[…, from:from+n].
func (s *stream) CopyChannels(dst *engine.Tensor, at int, src *engine.Tensor, from, n int) {
	pixels := engine.CheckChannels("CopyChannels", dst, at, src, from, n)
	if n == 0 || pixels == 0 {
		return
	}
	t := &s.chans
	t.dst, t.x = s.out(dst), s.data(src)
	t.at, t.from, t.n = at, from, n
	t.dc = dst.Shape()[len(dst.Shape())-1]
	s.channels(chanCopy, t.cut(1, pixels, src.Shape()[len(src.Shape())-1], max(1, chunk/n)))
}

// ChannelsLast does dst (B, H, W, C) = x (B, C, H, W).
func (s *stream) ChannelsLast(dst, x *engine.Tensor) {
	engine.CheckTransposed("ChannelsLast", dst, x)
	s.swapChannels(chanLast, dst, x, dst.Shape())
}

// ChannelsFirst does dst (B, C, H, W) = x (B, H, W, C).
func (s *stream) ChannelsFirst(dst, x *engine.Tensor) {
	engine.CheckTransposed("ChannelsFirst", x, dst)
	s.swapChannels(chanFirst, dst, x, x.Shape())
}

func (s *stream) swapChannels(op channelOp, dst, x *engine.Tensor, d engine.Shape) {
	if dst.Len() == 0 {
		return
	}
	t := &s.chans
	t.dst, t.x = s.out(dst), s.data(x)
	s.channels(op, t.cut(d[0], d[1]*d[2], d[3], 4*pixelChunk))
}

// Softmax is over the last dimension.
func (s *stream) Softmax(dst, x *engine.Tensor) {
	engine.CheckSame("Softmax", dst, x)
	s.rowsOf(chanSoftmax, dst, x, nil)
}

// SoftmaxGrad is the gradient from the result y and the gradient g in it.
func (s *stream) SoftmaxGrad(dst, y, g *engine.Tensor) {
	engine.CheckSame("SoftmaxGrad", dst, y, g)
	s.rowsOf(chanSoftmaxGrad, dst, y, g)
}

func (s *stream) rowsOf(op channelOp, dst, x, y *engine.Tensor) {
	d := x.Shape()
	if x.Len() == 0 || len(d) == 0 {
		return
	}
	n := d[len(d)-1]
	t := &s.chans
	t.dst, t.x = s.out(dst), s.data(x)
	if y != nil {
		t.y = s.data(y)
	}
	s.channels(op, t.cut(1, x.Len()/n, n, max(1, chunk/n/4)))
}

// Do runs one part of one image.
func (t *channelTask) Do(i int, _ *par.Worker) {
	b := i / t.parts
	p0 := i % t.parts * t.per
	p1 := min(p0+t.per, t.pixels)
	lo, hi := (b*t.pixels+p0)*t.c, (b*t.pixels+p1)*t.c
	switch t.op {
	case chanAffine:
		a, s := t.ones[:t.c], t.zeros[:t.c]
		if t.a != nil {
			a = t.a[b*t.c : (b+1)*t.c]
		}
		if t.s != nil {
			s = t.s[b*t.c : (b+1)*t.c]
		}
		t.k.ChannelMap(t.dst[lo:hi], t.x[lo:hi], a, s, 0)
	case chanSums:
		s1, s2 := t.sums[i*2*t.c:][:t.c], t.sums[i*2*t.c+t.c:][:t.c]
		clear(s1)
		clear(s2)
		if t.y == nil {
			t.k.ChannelSums(s1, s2, nil, t.x[lo:hi], nil, nil, 0)
		} else {
			t.k.ChannelSums(s1, s2, t.y[lo:hi], t.x[lo:hi], nil, nil, 0)
		}
	case chanCopy:
		for p := p0; p < p1; p++ {
			copy(t.dst[p*t.dc+t.at:][:t.n], t.x[p*t.c+t.from:])
		}
	case chanLast:
		for c := range t.c {
			src := t.x[(b*t.c+c)*t.pixels:][:t.pixels]
			for p := p0; p < p1; p++ {
				t.dst[(b*t.pixels+p)*t.c+c] = src[p]
			}
		}
	case chanFirst:
		for c := range t.c {
			dst := t.dst[(b*t.c+c)*t.pixels:][:t.pixels]
			for p := p0; p < p1; p++ {
				dst[p] = t.x[(b*t.pixels+p)*t.c+c]
			}
		}
	case chanSoftmax:
		t.k.Softmax(t.dst[lo:hi], t.x[lo:hi], t.c)
	case chanSoftmaxGrad:
		t.k.SoftmaxGrad(t.dst[lo:hi], t.x[lo:hi], t.y[lo:hi], t.c)
	}
}

// adamTask is a step of Adam.
type adamTask struct {
	k          *kern.Table
	p, m, v, g []float32
	a          kern.Adam
}

// Adam moves the parameters by one step.
func (s *stream) Adam(p, m, v, g *engine.Tensor, a engine.Adam) {
	engine.CheckSame("Adam", p, m, v, g)
	k := float64(a.GradScale)
	if k == 0 {
		k = 1
	}
	b1, b2 := float64(a.Beta1), float64(a.Beta2)
	t := &s.steps
	*t = adamTask{k: s.k, p: s.out(p), m: s.out(m), v: s.out(v), g: s.data(g), a: kern.Adam{
		B1: a.Beta1, C1: float32((1 - b1) * k), B2: a.Beta2, C2: float32((1 - b2) * k * k),
		Keep: float32(1 - float64(a.Rate)*float64(a.Decay)),
		Rate: float32(float64(a.Rate) / (1 - math.Pow(b1, float64(a.Step)))),
		Root: float32(1 / math.Sqrt(1-math.Pow(b2, float64(a.Step)))),
		Eps:  a.Eps,
	}}
	s.team.Run(chunks(len(t.p)), t)
	*t = adamTask{}
}

// Do runs one chunk.
func (t *adamTask) Do(i int, _ *par.Worker) {
	lo, hi := i*chunk, min((i+1)*chunk, len(t.p))
	t.k.Adam(t.p[lo:hi], t.m[lo:hi], t.v[lo:hi], t.g[lo:hi], t.a)
}
