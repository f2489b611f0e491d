package cpu

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// memory hands out blocks within a budget and keeps those that come back for the
// next request of about the same size.
type memory struct {
	device *Device
	budget int64

	mu     sync.Mutex
	used   int64 // bytes in tensors
	peak   int64 // the most there were
	top    int64 // the most of used and pooled
	pooled int64 // bytes in free
	free   map[int][][]float32
}

// buffer is the storage of a tensor.
type buffer struct {
	mem     *memory
	data    []float32     // nil once freed
	full    []float32     // data's whole block
	version atomic.Uint64 // counts writes

	packing sync.Mutex
	packs   map[packKey]*packed // forms of the weights that live here
}

// Len is the number of elements.
func (b *buffer) Len() int { return len(b.data) }

// Free gives the block back. A second Free does nothing.
func (b *buffer) Free() {
	for _, p := range b.packs {
		p.buf.Free()
	}
	b.packs = nil
	m := b.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.full == nil {
		return
	}
	n := 4 * int64(len(b.full))
	m.used -= n
	if m.free == nil {
		m.free = map[int][][]float32{}
	}
	m.free[len(b.full)] = append(m.free[len(b.full)], b.full)
	m.pooled += n
	b.full, b.data = nil, nil
}

// class rounds a length up so that tensors of similar sizes share blocks: at most an
// eighth is wasted.
func class(n int) int {
	const smallest = 16
	if n <= smallest {
		return smallest
	}
	step := max(1<<(bits.Len(uint(n-1))-1)/8, smallest)
	return (n + step - 1) / step * step
}

func (m *memory) get(shape engine.Shape, bytes int64) (*buffer, error) {
	n := int(bytes / 4)
	size := class(n)
	want := 4 * int64(size)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used+want > m.budget {
		return nil, &engine.MemoryError{
			Device: m.device.info.Name, Shape: append(engine.Shape(nil), shape...),
			Want: bytes, Left: m.budget - m.used, Budget: m.budget,
		}
	}
	b := &buffer{mem: m, full: m.take(size)}
	if b.full != nil {
		clear(b.full[:n])
	} else {
		// What lies idle under other sizes must not outgrow what was ever in use.
		if m.pooled > 2*m.peak || m.used+m.pooled+want > m.budget {
			m.release()
		}
		b.full = par.Aligned(size)
	}
	want = 4 * int64(len(b.full))
	m.used += want
	m.peak = max(m.peak, m.used)
	m.top = max(m.top, m.used+m.pooled)
	b.data = b.full[:n:n]
	return b, nil
}

// take finds the smallest free block of size floats or up to a quarter more.
func (m *memory) take(size int) []float32 {
	best := 0
	for n, l := range m.free {
		if len(l) > 0 && n >= size && n <= size+size/4 && (best == 0 || n < best) {
			best = n
		}
	}
	if best == 0 || m.used+4*int64(best) > m.budget {
		return nil
	}
	l := m.free[best]
	b := l[len(l)-1]
	l[len(l)-1] = nil
	m.free[best] = l[:len(l)-1]
	m.pooled -= 4 * int64(best)
	return b
}

// release forgets the free blocks; the garbage collector takes them.
func (m *memory) release() {
	m.free, m.pooled = nil, 0
}

func (m *memory) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release()
}

// Usage is a device's memory, in bytes.
type Usage struct {
	Used   int64 // in tensors
	Pooled int64 // in free blocks kept for reuse
	Peak   int64 // the most that both together were
}

// Usage reports the memory in use.
func (d *Device) Usage() Usage {
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	return Usage{d.mem.used, d.mem.pooled, d.mem.top}
}

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
