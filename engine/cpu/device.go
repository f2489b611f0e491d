// Package cpu is the device that is always there: the processor, with vector
// instructions chosen at run time.
//
// Operations run on the calling goroutine and the pool's helpers and are done when
// the call returns. Results have the same bits for any number of workers.
package cpu

import (
	"fmt"
	"runtime"
	"sync"

	"limpid/engine"
	"limpid/engine/fft"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/machine"
	"limpid/engine/internal/par"
	"limpid/engine/internal/simd"
)

// Options are what a device can be told. The zero value is a good choice.
type Options struct {
	// Workers is the number of threads an operation may use; 0: all processors.
	Workers int
	// MemoryBudget bounds the tensors, in bytes; 0: half of the machine's memory.
	MemoryBudget int64
	// Nice lowers the helpers' priority (Linux), so that a window stays alive.
	Nice int
	// Kernels asks for an instruction set by the name that Info.Detail shows ("go" is
	// plain Go); "": the fastest there is. An unknown name is passed over.
	Kernels string
}

// Device is the processor.
type Device struct {
	info  engine.Info
	pool  *par.Pool
	table *kern.Table
	plans *fft.Cache
	mem   memory

	mu     sync.Mutex
	closed bool
}

// New starts the workers.
func New(o Options) *Device {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.MemoryBudget <= 0 {
		o.MemoryBudget = machine.Memory() / 2
	}
	d := &Device{pool: par.NewPool(o.Workers, o.Nice), table: choose(o.Kernels)}
	d.plans = fft.NewCache(d.table)
	d.info = engine.Info{
		Kind:   "cpu",
		Name:   machine.Name(),
		Detail: fmt.Sprintf("%s, %d threads", d.table.Name, o.Workers),
		Memory: o.MemoryBudget,
	}
	d.mem = memory{device: d, budget: o.MemoryBudget}
	return d
}

func choose(name string) *kern.Table {
	tables := simd.Tables()
	for _, t := range tables {
		if t.Name == name {
			return t
		}
	}
	return tables[0]
}

var _ engine.Device = (*Device)(nil)

// Info describes the processor.
func (d *Device) Info() engine.Info { return d.info }

// Alloc returns a zeroed tensor or an *engine.MemoryError.
func (d *Device) Alloc(shape engine.Shape) (*engine.Tensor, error) {
	want, err := engine.CheckLen(shape)
	if err != nil {
		return nil, err
	}
	b, err := d.mem.get(shape, want)
	if err != nil {
		return nil, err
	}
	return engine.NewTensor(shape, b), nil
}

// NewStream returns a stream; any number may run at once.
func (d *Device) NewStream() engine.Stream {
	team := par.NewTeam(d.pool)
	return &stream{dev: d, team: team, job: fft.Job{Team: team, Table: d.table}, k: d.table}
}

// Background lowers the priority of the calling goroutine (Linux) until it ends, so
// that a long computation leaves a window its share: operations run on their caller
// as well as on the device's helpers. Call it first in a goroutine of its own.
func Background(nice int) { par.Lower(nice) }

// Close ends the helpers and drops the memory. No stream may be in use.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		d.pool.Close()
		d.mem.drop()
	}
	return nil
}
