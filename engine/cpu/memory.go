package cpu

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"limpid/engine"
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
	packs   map[packKey]*packed // forms of the weights that live here, see pack.go
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
