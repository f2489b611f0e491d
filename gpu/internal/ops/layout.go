package ops

import "limpid/engine"

func hw(t *engine.Tensor) (h, w int) {
	d := t.Shape()
	return d[len(d)-2], d[len(d)-1]
}

// Window crops or embeds: dst[r,c] = src[r+row,c+col], 0 outside.
func (s *stream) Window(dst, src *engine.Tensor, row, col int) {
	engine.CheckPlanes("Window", dst, src)
	s.window(dst, src, row, col, dst.Len(), 0)
}

// AddWindow does dst[r+row,c+col] += src[r,c].
func (s *stream) AddWindow(dst, src *engine.Tensor, row, col int) {
	engine.CheckPlanes("AddWindow", dst, src)
	if dst.Len() > 0 {
		s.window(dst, src, row, col, src.Len(), 1)
	}
}

func (s *stream) window(dst, src *engine.Tensor, row, col, n, add int) {
	if s.err != nil || n == 0 {
		return
	}
	dh, dw := hw(dst)
	sh, sw := hw(src)
	s.begin(Window, dst, src).ints(n, dh, dw, sh, sw, row, col, add).threads(n)
}

// Pad surrounds planes with what lies beyond their edges.
func (s *stream) Pad(dst, x *engine.Tensor, top, left int, e engine.Edge) {
	engine.CheckPad("Pad", dst, x, top, left)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	dh, dw := hw(dst)
	sh, sw := hw(x)
	s.begin(Pad, dst, x).ints(dst.Len(), dh, dw, sh, sw, top, left, int(e)).threads(dst.Len())
}

// PadAdjoint adds what stands beyond the edges to the pixels it stands for.
func (s *stream) PadAdjoint(dst, x *engine.Tensor, top, left int, e engine.Edge) {
	engine.CheckPad("PadAdjoint", x, dst, top, left)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	h, w := hw(dst)
	sh, sw := hw(x)
	s.fold(dst, x, h, w, 1, sh, sw, top, left, e)
}

func (s *stream) pool(dst, x *engine.Tensor, k, sum int) {
	if s.err != nil || dst.Len() == 0 {
		return
	}
	d := dst.Shape()
	s.begin(Pool, dst, x).ints(dst.Len(), d[1], d[2], d[3], k, sum).threads(dst.Len())
}

// Upsample repeats every pixel k×k times.
func (s *stream) Upsample(dst, x *engine.Tensor, k int) {
	engine.CheckPool("Upsample", dst, x, k)
	s.pool(dst, x, k, 0)
}

// SumPool adds k×k pixels.
func (s *stream) SumPool(dst, x *engine.Tensor, k int) {
	engine.CheckPool("SumPool", x, dst, k)
	s.pool(dst, x, k, 1)
}

func (s *stream) channels(dst, x *engine.Tensor, n, c, pixels, op, dc, at, sc, from int) {
	if s.err != nil || n == 0 {
		return
	}
	s.begin(Channels, dst, x).ints(n, c, pixels, op, dc, at, sc, from).threads(n)
}

// ChannelsLast does dst (B, H, W, C) = x (B, C, H, W).
func (s *stream) ChannelsLast(dst, x *engine.Tensor) {
	engine.CheckTransposed("ChannelsLast", dst, x)
	d := dst.Shape()
	s.channels(dst, x, dst.Len(), d[3], d[1]*d[2], 0, 0, 0, 0, 0)
}

// ChannelsFirst does dst (B, C, H, W) = x (B, H, W, C).
func (s *stream) ChannelsFirst(dst, x *engine.Tensor) {
	engine.CheckTransposed("ChannelsFirst", x, dst)
	d := x.Shape()
	s.channels(dst, x, dst.Len(), d[3], d[1]*d[2], 1, 0, 0, 0, 0)
}

// CopyChannels does dst[…, at:at+n] = src[…, from:from+n].
func (s *stream) CopyChannels(dst *engine.Tensor, at int, src *engine.Tensor, from, n int) {
	pixels := engine.CheckChannels("CopyChannels", dst, at, src, from, n)
	d, o := dst.Shape(), src.Shape()
	s.channels(dst, src, pixels*n, max(n, 1), pixels, 2, d[len(d)-1], at, o[len(o)-1], from)
}
