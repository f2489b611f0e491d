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
	b := &buffer{mem: m}
	if l := m.free[size]; len(l) > 0 {
		b.full = l[len(l)-1]
		l[len(l)-1] = nil
		m.free[size] = l[:len(l)-1]
		m.pooled -= want
		clear(b.full[:n])
	} else {
		if m.used+m.pooled+want > m.budget {
			m.release()
		}
		b.full = par.Aligned(size)
	}
	m.used += want
	b.data = b.full[:n:n]
	return b, nil
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

// Memory reports the bytes in tensors and in blocks kept for reuse.
func (d *Device) Memory() (used, pooled int64) {
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	return d.mem.used, d.mem.pooled
}
