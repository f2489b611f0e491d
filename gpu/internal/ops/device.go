// Package ops turns the operations of engine.Stream into launches of kernels: what
// WebGPU and CUDA have in common. A backend brings memory, a queue and the kernels.
//
// Everything that is asked of a device goes through one queue, in the order of the
// calls, whichever stream they come from. A block may therefore be given back while
// work that uses it is still waiting: what reuses it comes later.
package ops

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync"

	"limpid/engine"
)

// Block is memory of a backend.
type Block any

// ErrMemory is what Memory.Alloc wraps when there is no room.
var ErrMemory = errors.New("no memory left on the device")

// ErrLost is in the chain of every error after which the device cannot go on.
var ErrLost = errors.New("the device is lost")

// Memory is a backend's memory. Alloc's blocks are zeroed. Sizes and places are in
// elements (float32).
type Memory interface {
	Alloc(n int) (Block, error)
	Free(Block)
	Write(dst Block, at int, src []float32) error
	Read(dst []float32, src Block, at int) error // waits
}

// Queue runs kernels in order. Launch may return before anything is done; its failure
// may come out of any later call.
type Queue interface {
	Launch(k Kernel, grid [3]uint32, blocks []Block, params []uint32) error
	Wait() error
	Close() error
}

// Config describes a backend.
type Config struct {
	Info     engine.Info
	Memory   Memory
	Queue    Queue
	Budget   int64 // bytes of tensors; 0: what the device gives
	MaxBlock int64 // bytes of one tensor
	Direct   int   // multiplications up to which a product goes without tiles
	Line     int   // complex numbers of a transform in group memory
}

// Device implements engine.Device.
type Device struct {
	cfg Config

	mu     sync.Mutex
	used   int64
	pooled int64
	free   map[int][]Block
	roots  map[int]*engine.Tensor // exp(−2πi k/n)
	chirps map[int]*chirp
	closed bool
}

// New makes a device of a backend.
func New(cfg Config) *Device {
	return &Device{cfg: cfg, free: map[int][]Block{}, roots: map[int]*engine.Tensor{}, chirps: map[int]*chirp{}}
}

var _ engine.Device = (*Device)(nil)

// Info describes the device.
func (d *Device) Info() engine.Info { return d.cfg.Info }

// NewStream returns a stream; streams share the device's queue.
func (d *Device) NewStream() engine.Stream { return &stream{dev: d} }

// Close gives the memory back. No stream may be in use.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.release()
	return d.cfg.Queue.Close()
}

// blame makes an *engine.DeviceError of what is none yet, and no *engine.MemoryError.
func (d *Device) blame(err error) error {
	var dev *engine.DeviceError
	var mem *engine.MemoryError
	if errors.As(err, &dev) || errors.As(err, &mem) {
		return err
	}
	return &engine.DeviceError{Device: d.cfg.Info.Name, Err: err}
}

func (d *Device) closedError() error {
	return d.blame(fmt.Errorf("%w: it was closed", ErrLost))
}

// buffer is the storage of a tensor.
type buffer struct {
	dev   *Device
	block Block
	n     int // elements asked for
	size  int // elements of the block
}

// Len is the number of elements.
func (b *buffer) Len() int { return b.n }

// Free gives the block back to the pool. A second Free does nothing.
func (b *buffer) Free() {
	d := b.dev
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.block == nil {
		return
	}
	d.used -= 4 * int64(b.size)
	if d.closed {
		b.block = nil
		return
	}
	d.free[b.size] = append(d.free[b.size], b.block)
	d.pooled += 4 * int64(b.size)
	b.block = nil
}

// class rounds a length up so that tensors of similar sizes share blocks: at most an
// eighth is wasted.
func class(n int) int {
	const smallest = 64
	if n <= smallest {
		return smallest
	}
	step := max(1<<(bits.Len(uint(n-1))-1)/8, smallest)
	return (n + step - 1) / step * step
}

// Alloc returns a zeroed tensor or an *engine.MemoryError.
func (d *Device) Alloc(shape engine.Shape) (*engine.Tensor, error) {
	t, fresh, err := d.get(shape)
	if err != nil || fresh || t.Len() == 0 {
		return t, err
	}
	s := stream{dev: d}
	s.Fill(t, 0)
	if s.err != nil {
		t.Free()
		return nil, s.err
	}
	return t, nil
}

// get returns a tensor with undefined contents, or zeroed where it is fresh.
func (d *Device) get(shape engine.Shape) (t *engine.Tensor, fresh bool, err error) {
	want, err := engine.CheckLen(shape)
	if err != nil {
		return nil, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	tooMuch := func(left, budget int64) error {
		return &engine.MemoryError{
			Device: d.cfg.Info.Name, Shape: append(engine.Shape(nil), shape...),
			Want: want, Left: left, Budget: budget,
		}
	}
	if d.closed {
		return nil, false, d.closedError()
	}
	if want > d.cfg.MaxBlock || want/4 > 1<<32-2 {
		return nil, false, tooMuch(d.cfg.MaxBlock, d.cfg.MaxBlock)
	}
	n := int(want / 4)
	size := min(class(n), int(d.cfg.MaxBlock/4))
	bytes := 4 * int64(size)
	if d.cfg.Budget > 0 && d.used+bytes > d.cfg.Budget {
		return nil, false, tooMuch(d.cfg.Budget-d.used, d.cfg.Budget)
	}
	b := &buffer{dev: d, n: n, size: size}
	if l := d.free[size]; len(l) > 0 {
		b.block = l[len(l)-1]
		d.free[size] = l[:len(l)-1]
		d.pooled -= bytes
	} else if b.block, err = d.fresh(size); errors.Is(err, ErrMemory) {
		return nil, false, tooMuch(0, d.used)
	} else if err != nil {
		return nil, false, d.blame(err)
	} else {
		fresh = true
	}
	d.used += bytes
	return engine.NewTensor(shape, b), fresh, nil
}

// fresh asks the backend, and once more after the idle blocks were given back.
func (d *Device) fresh(size int) (Block, error) {
	if d.cfg.Budget > 0 && d.used+d.pooled+4*int64(size) > d.cfg.Budget {
		d.release()
	}
	b, err := d.cfg.Memory.Alloc(size)
	if errors.Is(err, ErrMemory) && d.pooled > 0 {
		d.release()
		b, err = d.cfg.Memory.Alloc(size)
	}
	return b, err
}

func (d *Device) release() {
	for _, l := range d.free {
		for _, b := range l {
			d.cfg.Memory.Free(b)
		}
	}
	clear(d.free)
	d.pooled = 0
}

// Usage is the memory in tensors and in idle blocks, in bytes.
func (d *Device) Usage() (used, pooled int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used, d.pooled
}

// launch hands a call to the queue.
func (d *Device) launch(c *call) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.closedError()
	}
	return d.cfg.Queue.Launch(c.kernel, c.grid, c.blocks[:c.n], c.params[:c.used])
}

// table keeps a table of numbers on the device as long as it lives.
func (d *Device) table(numbers []float32) (*engine.Tensor, error) {
	t, _, err := d.get(engine.Shape{len(numbers)})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b := t.Buffer().(*buffer)
	if err := d.cfg.Memory.Write(b.block, 0, numbers); err != nil {
		return nil, err
	}
	runtime.KeepAlive(t)
	return t, nil
}
