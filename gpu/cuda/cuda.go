//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"

	"limpid/engine"
	"limpid/gpu/cuda/internal/driver"
	"limpid/gpu/internal/ops"
)

// Card is an NVIDIA graphics card.
type Card struct {
	Index  int
	Name   string
	Detail string // compute capability
	Memory int64  // bytes
	major  int
}

// Tensor says whether the card has the tensor cores that Precisions need.
func (c Card) Tensor() bool { return c.major >= tensorCores }

// Cards lists the cards, or says why there are none.
func Cards() ([]Card, error) {
	if err := driver.Open(); err != nil {
		return nil, fmt.Errorf("CUDA: %w", err)
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("CUDA: count the devices: %w", err)
	}
	var list []Card
	for i := range n {
		d, err := cu.GetDevice(i)
		if err != nil {
			return list, fmt.Errorf("CUDA: device %d: %w", i, err)
		}
		c := Card{Index: i}
		if c.Name, err = d.Name(); err != nil {
			return list, fmt.Errorf("CUDA: device %d: %w", i, err)
		}
		if c.Memory, err = d.TotalMem(); err != nil {
			return list, fmt.Errorf("CUDA: device %d: %w", i, err)
		}
		major, err1 := d.Attribute(cu.ComputeCapabilityMajor)
		minor, err2 := d.Attribute(cu.ComputeCapabilityMinor)
		if err := errors.Join(err1, err2); err != nil {
			return list, fmt.Errorf("CUDA: device %d: %w", i, err)
		}
		c.major, c.Detail = major, fmt.Sprintf("compute capability %d.%d", major, minor)
		list = append(list, c)
	}
	if n == 0 {
		return nil, errors.New("CUDA: no device")
	}
	return list, nil
}

// Options of Open.
type Options struct {
	Budget    int64 // bytes of tensors; 0: nine tenths of the card's memory
	Precision Precision
}

// The least compute capabilities that the kernels, and those on tensor cores, are
// compiled for.
const oldest, tensorCores = 7, 8

// Open opens a card by its place in Cards.
func Open(index int, o Options) (engine.Device, error) {
	cards, err := Cards()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(cards) {
		return nil, fmt.Errorf("CUDA: there is no device %d; there are %d", index, len(cards))
	}
	c := cards[index]
	if c.major < oldest {
		return nil, fmt.Errorf("CUDA: %s has %s; the kernels need %d.0", c.Name, c.Detail, oldest)
	}
	if o.Precision != Float32 && !c.Tensor() {
		return nil, fmt.Errorf("CUDA: %s has %s; %s needs %d.0", c.Name, c.Detail, o.Precision, tensorCores)
	}
	q := &queue{work: make(chan func()), precision: o.Precision}
	q.batch.run = q.launchAll
	go q.thread()
	if err := q.do(func() error { return q.open(index) }); err != nil {
		close(q.work)
		return nil, fmt.Errorf("CUDA: open %s: %w", c.Name, err)
	}
	budget := o.Budget
	if budget == 0 {
		budget = c.Memory / 10 * 9
	}
	return ops.New(ops.Config{
		Info:   engine.Info{Kind: "cuda", Name: c.Name, Detail: detail(c.Detail, o.Precision), Memory: budget},
		Memory: q, Queue: q, Budget: budget, MaxBlock: min(budget, math.MaxUint32), Line: 2048, Direct: 1 << 16,
	}), nil
}

func detail(capability string, p Precision) string {
	if p == Float32 {
		return capability
	}
	return capability + ", products in " + string(p)
}

// queue owns the context on one locked thread, which does everything in order. ops calls
// it from one goroutine at a time.
type queue struct {
	work    chan func()
	ctx     cu.CUContext
	stream  cu.Stream
	kernels [ops.Kernels]cu.Function
	loaded  [ops.Kernels]bool
	dead    error // the first failure that leaves the context unusable

	precision Precision
	batch     batch // launches that the thread has not seen

	args   [9]unsafe.Pointer
	ptrs   [8]cu.DevicePtr
	params [64]uint32
}

// thread runs what do sends until the channel is closed.
func (q *queue) thread() {
	runtime.LockOSThread()
	for f := range q.work {
		f()
	}
}

// do runs f on the thread after the launches that wait. A panic there, of the binding or
// ours, becomes an error.
func (q *queue) do(f func() error) error {
	if err := q.batch.flush(); err != nil {
		return err
	}
	return q.now(f)
}

func (q *queue) now(f func() error) error {
	done := make(chan error, 1)
	q.work <- func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("%w: %v", ops.ErrLost, r)
			}
		}()
		done <- f()
	}
	return <-done
}

func (q *queue) open(index int) error {
	d, err := cu.GetDevice(index)
	if err != nil {
		return err
	}
	if q.ctx, err = d.MakeContext(cu.SchedAuto); err != nil {
		return err
	}
	q.stream, err = cu.MakeStream(cu.NonBlocking)
	return err
}

// failed puts a driver's failure into words, and remembers it where nothing goes on
// after it.
func (q *queue) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	if q.dead == nil {
		q.dead = fmt.Errorf("%w: CUDA: %s: %w", ops.ErrLost, what, err)
	}
	return q.dead
}

// Alloc makes a zeroed block.
func (q *queue) Alloc(n int) (b ops.Block, err error) {
	err = q.do(func() error {
		if q.dead != nil {
			return q.dead
		}
		p, err := cu.MemAlloc(4 * int64(n))
		if err != nil {
			return fmt.Errorf("%w: CUDA: %w", ops.ErrMemory, err)
		}
		b = p
		return q.failed("clear memory", cu.MemsetD32Async(p, 0, int64(n), q.stream))
	})
	return b, err
}

// Free gives a block back; the driver waits for work that uses it.
func (q *queue) Free(b ops.Block) {
	_ = q.do(func() error {
		if q.dead != nil {
			return q.dead
		}
		return q.failed("free memory", cu.MemFree(b.(cu.DevicePtr)))
	})
}

// Write copies host memory, in order with the launches.
func (q *queue) Write(dst ops.Block, at int, src []float32) error {
	return q.do(func() error {
		if q.dead != nil {
			return q.dead
		}
		p := dst.(cu.DevicePtr) + cu.DevicePtr(4*at)
		return q.failed("write", cu.MemcpyHtoDAsync(p, unsafe.Pointer(&src[0]), 4*int64(len(src)), q.stream))
	})
}

// Read waits and copies.
func (q *queue) Read(dst []float32, src ops.Block, at int) error {
	return q.do(func() error {
		if q.dead != nil {
			return q.dead
		}
		p := src.(cu.DevicePtr) + cu.DevicePtr(4*at)
		if err := q.failed("read", cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), p, 4*int64(len(dst)), q.stream)); err != nil {
			return err
		}
		return q.failed("wait", q.stream.Synchronize())
	})
}

// Launch starts a kernel, with others in one turn of the thread. A failure may come out of
// a later call.
func (q *queue) Launch(k ops.Kernel, grid [3]uint32, blocks []ops.Block, params []uint32) error {
	return q.batch.add(k, grid, blocks, params)
}

// launchAll hands launches to the driver in one turn of the thread.
func (q *queue) launchAll(list []launch) error {
	return q.now(func() error {
		for i := range list {
			if err := q.launch(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (q *queue) launch(l *launch) error {
	if q.dead != nil {
		return q.dead
	}
	if err := q.load(l.kernel); err != nil {
		return err
	}
	for i := range l.count {
		q.ptrs[i] = l.blocks[i].(cu.DevicePtr)
		q.args[i] = unsafe.Pointer(&q.ptrs[i])
	}
	q.params = l.params
	q.args[l.count] = unsafe.Pointer(&q.params[0])
	err := q.kernels[l.kernel].Launch(int(l.grid[0]), int(l.grid[1]), int(l.grid[2]), threads(l.kernel), 1, 1, 0, q.stream, q.args[:l.count+1])
	return q.failed("launch "+l.kernel.Name(), err)
}

// threads of a group.
func threads(k ops.Kernel) int {
	if k == ops.Rows {
		return 64
	}
	return 256
}

func (q *queue) load(k ops.Kernel) error {
	if q.loaded[k] {
		return nil
	}
	v, err := variant(k, q.precision)
	if err != nil {
		return err
	}
	image, err := files.ReadFile("ptx/" + v.name + ".ptx")
	if err != nil {
		return err
	}
	m, err := cu.LoadData(string(append(image, 0)))
	if err != nil {
		return fmt.Errorf("CUDA: compile %s: %w", v.name, err)
	}
	if q.kernels[k], err = m.Function("limpid_" + v.source); err != nil {
		return fmt.Errorf("CUDA: compile %s: %w", v.name, err)
	}
	q.loaded[k] = true
	return nil
}

// Wait waits for everything.
func (q *queue) Wait() error {
	return q.do(func() error {
		if q.dead != nil {
			return q.dead
		}
		return q.failed("wait", q.stream.Synchronize())
	})
}

// Close ends the thread and the context.
func (q *queue) Close() error {
	lost := q.batch.flush()
	err := q.now(func() error { return q.ctx.Destroy() })
	close(q.work)
	return errors.Join(lost, err)
}
