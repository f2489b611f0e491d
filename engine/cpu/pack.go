package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/kern"
)

type packKind int

const (
	packPlain    packKind = iota // (K, N) as panels
	packPhases                   // the adjoint's kernels, one per phase of the stride
	packWinograd                 // F(4×4, 3×3)
	packWinogradFlip
)

// packKey names a form of the weights in a buffer: kernel kh×kw, c channels in, n
// out, starting at offset.
type packKey struct {
	kind         packKind
	offset       int
	kh, kw, c, n int
	step         int
}

// packed is a form of weights, valid while the buffer's version is the same. It
// belongs to the buffer of the weights and is freed with it.
type packed struct {
	version uint64
	buf     *buffer
}

// pack returns weights in the form that key names, made when first asked for and
// after every change; nil after a failure. Several streams may ask at once.
func (s *stream) pack(w *engine.Tensor, key packKey) []float32 {
	src := s.data(w)
	b := w.Buffer().(*buffer)
	key.offset = w.Offset()
	b.packing.Lock()
	defer b.packing.Unlock()
	p := b.packs[key]
	if p == nil {
		n := key.length()
		buf, err := s.dev.mem.get(engine.Shape{n}, 4*int64(n))
		if err != nil {
			s.fail(err)
			return nil
		}
		p = &packed{version: b.version.Load() - 1, buf: buf}
		if b.packs == nil {
			b.packs = map[packKey]*packed{}
		}
		b.packs[key] = p
	}
	if v := b.version.Load(); p.version != v {
		key.fill(s.k, p.buf.data, src)
		p.version = v
	}
	return p.buf.data
}

func (k packKey) length() int {
	switch k.kind {
	case packWinograd:
		return 36 * kern.PanelLen(k.c, k.n)
	case packWinogradFlip:
		return 36 * kern.PanelLen(k.n, k.c)
	case packPhases:
		return kern.PanelLen(k.kh*k.kw*k.n, k.c)
	}
	return kern.PanelLen(k.kh*k.kw*k.c, k.n)
}

func (k packKey) fill(t *kern.Table, dst, w []float32) {
	switch k.kind {
	case packWinograd, packWinogradFlip:
		t.Winograd.Weights(dst, w, k.c, k.n, k.kind == packWinogradFlip)
	case packPlain:
		kern.Pack(dst, w, k.kh*k.kw*k.c, k.n, k.n, 1)
	case packPhases:
		for py := range k.step {
			for px := range k.step {
				k.fillPhase(dst[k.phaseAt(py, px):], w, py, px)
			}
		}
	}
}

// A phase of the adjoint of a convolution with a stride: the places (py, px) modulo
// the stride, which the taps py, py+step, … reach.
func (k packKey) phaseTaps(py, px int) (jy, jx int) {
	return (k.kh - py + k.step - 1) / k.step, (k.kw - px + k.step - 1) / k.step
}

// phaseAt is where the panels of a phase start.
func (k packKey) phaseAt(py, px int) int {
	at := 0
	for y := range k.step {
		for x := range k.step {
			if y == py && x == px {
				return at
			}
			jy, jx := k.phaseTaps(y, x)
			at += kern.PanelLen(max(jy, 0)*max(jx, 0)*k.n, k.c)
		}
	}
	return at
}

// fillPhase packs the matrix (taps·n, c) of one phase. The taps run backwards, as
// places of y grow where those of the kernel fall.
func (k packKey) fillPhase(dst, w []float32, py, px int) {
	jy, jx := k.phaseTaps(py, px)
	if jy <= 0 || jx <= 0 {
		return
	}
	rows := jy * jx * k.n
	for p := 0; p < k.c; p += kern.Lanes {
		cols := min(kern.Lanes, k.c-p)
		i := 0
		for y := jy - 1; y >= 0; y-- {
			for x := jx - 1; x >= 0; x-- {
				tap := w[((py+y*k.step)*k.kw+px+x*k.step)*k.c*k.n:]
				for n := range k.n {
					d := dst[p*rows+i*kern.Lanes:][:kern.Lanes]
					for l := range cols {
						d[l] = tap[(p+l)*k.n+n]
					}
					clear(d[cols:])
					i++
				}
			}
		}
	}
}
