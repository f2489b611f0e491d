// Package webgpu is the device for graphics cards of any make: Vulkan, Metal and
// DirectX 12 through wgpu-native, which is linked in.
//
// Operations are recorded and submitted in batches: when a result is read, at Sync, or
// when a batch is full. Nothing is read back but by Download. Every failure of a driver
// (out of memory, a shader it cannot compile, a device that vanished) is an error that
// streams keep; none ends the program.
package webgpu

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"limpid/engine"
	"limpid/gpu/internal/ops"
	"limpid/gpu/webgpu/internal/native"
)

// ErrLost is in the chain of errors after which the device cannot go on.
var ErrLost = ops.ErrLost

// Adapter is a graphics card, or a processor that plays one.
type Adapter struct {
	Index    int // for Open
	Name     string
	Driver   string
	Backend  string // Vulkan, Metal, DirectX 12
	Software bool   // a processor: for tests, never faster than the device cpu
	Shared   bool   // its memory is the machine's
	Memory   int64  // bytes; 0: the driver does not say
	info     native.Adapter
}

// Adapters lists what there is. The list may be empty.
func Adapters() []Adapter {
	var list []Adapter
	for i, a := range native.Adapters() {
		name := a.Name
		if name == "" || strings.HasPrefix(name, "0x") { // some drivers name only their chip
			name = a.Driver
		}
		list = append(list, Adapter{
			Index: i, Name: name, Driver: a.Driver, Backend: a.Backend, Software: a.Type == native.Software,
			Shared: a.Type == native.Software || a.Type == native.Integrated, Memory: memory(a), info: a,
		})
	}
	return list
}

// memory asks the Linux kernel, where its driver says how much a card has (amdgpu does).
func memory(a native.Adapter) int64 {
	files, _ := filepath.Glob("/sys/class/drm/card*/device/mem_info_vram_total")
	for _, f := range files {
		id, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "device"))
		if strings.TrimSpace(string(id)) != fmt.Sprintf("0x%04x", a.Device) {
			continue
		}
		text, _ := os.ReadFile(f)
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// Options of Open.
type Options struct {
	// Budget bounds the tensors, in bytes. 0: three quarters of the adapter's memory
	// where that is known, else as much as the driver gives.
	Budget int64
	// Tiles asks for the kernels that share a group's memory also where a product is
	// small or the adapter is a processor, for tests.
	Tiles bool
}

// A processor plays a group of threads that wait for each other some hundred times more
// slowly than one of threads that do not.
func (o Options) direct(a Adapter) int {
	switch {
	case o.Tiles:
		return 0
	case a.Software:
		return math.MaxInt
	}
	return 1 << 20
}

// Device is an opened adapter.
type Device struct {
	*ops.Device
	q *queue
}

var _ engine.Device = (*Device)(nil)

// Open opens an adapter by its place in Adapters.
func Open(index int, o Options) (*Device, error) {
	list := Adapters()
	if index < 0 || index >= len(list) {
		return nil, fmt.Errorf("webgpu: there is no adapter %d; there are %d", index, len(list))
	}
	a := list[index]
	dev, err := native.Open(index)
	if err != nil {
		return nil, fmt.Errorf("webgpu: open %s: %w", a.Name, err)
	}
	q, err := newQueue(dev, a, o)
	if err != nil {
		dev.Close()
		return nil, err
	}
	budget := o.Budget
	if budget == 0 {
		budget = a.Memory / 4 * 3
	}
	info := engine.Info{Kind: "webgpu", Name: a.Name, Detail: strings.TrimSpace(a.Backend + ", " + a.Driver), Memory: budget}
	d := ops.New(ops.Config{
		Info: info, Memory: q, Queue: q, Budget: budget, MaxBlock: min(a.info.MaxBuffer, a.info.MaxBinding) / 4 * 4, Line: q.line, Direct: o.direct(a),
	})
	return &Device{d, q}, nil
}

// Failures that Drill can bring about.
const (
	DrillVanish = native.FailLost
	DrillMemory = native.FailMemory
	DrillAbort  = native.FailAbort
	DrillShader = 1000
)

// Drill makes a failure happen, so that what follows from it can be tried: the adapter
// vanishes, memory runs out, the driver's library gives up, or every kernel that is not
// compiled yet fails to compile.
func (d *Device) Drill(failure int) {
	if failure == DrillShader {
		d.q.broken = true
		return
	}
	d.q.dev.Fail(failure)
}

const (
	softLine   = 0       // queue.line of processors that play a graphics card
	batch      = 256     // launches of a submission
	slot       = 256     // bytes of parameters of a launch
	smallWrite = 1 << 16 // bytes that travel with a batch
	uploads    = 1 << 20 // bytes of such writes in a batch
	chunk      = 1 << 26 // bytes of a large copy at a time
)

// queue is memory and queue of an adapter.
type queue struct {
	dev    *native.Device
	name   string
	line   int
	broken bool

	pipelines [ops.Kernels]native.Pipeline
	groups    map[groupKey]native.Group
	nextID    uint32

	uniform native.Buffer
	params  []byte
	calls   int // launches of the batch

	upload   native.Buffer
	pending  []byte
	uploaded int // bytes of the batch

	staging     native.Buffer
	stagingSize int64
	list        [8]native.Buffer
}

// block is a buffer. Its groups are released with it.
type block struct {
	buf    native.Buffer
	id     uint32
	groups []groupKey
}

type groupKey struct {
	n   int
	ids [8]uint32
}

func newQueue(dev *native.Device, a Adapter, o Options) (*queue, error) {
	q := &queue{
		dev: dev, name: a.Name, groups: map[groupKey]native.Group{}, params: make([]byte, batch*slot), pending: make([]byte, uploads),
	}
	// Two complex arrays of line numbers live in a group's memory.
	q.line = 1024
	if a.info.SharedBytes >= 32<<10 {
		q.line = 2048
	}
	if a.Software && !o.Tiles {
		q.line = softLine
	}
	ok := true
	for _, b := range []struct {
		p     *native.Buffer
		n     int64
		usage uint32
	}{{&q.uniform, batch * slot, native.Uniform}, {&q.upload, uploads, native.Storage}} {
		if ok {
			*b.p, ok = dev.Buffer(b.n, b.usage)
		}
	}
	if !ok {
		return nil, fmt.Errorf("webgpu: open %s: %w", a.Name, dev.Err())
	}
	return q, nil
}

// err is the device's failure in our words.
func (q *queue) err() error {
	err := q.dev.Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, native.ErrMemory):
		return fmt.Errorf("webgpu: %w: %w", ops.ErrMemory, err)
	case errors.Is(err, native.ErrLost):
		return fmt.Errorf("webgpu: %w", lost{err})
	}
	return fmt.Errorf("webgpu: %w", err)
}

// lost says what native.ErrLost says, and is ops.ErrLost too.
type lost struct{ error }

func (l lost) Unwrap() []error { return []error{l.error, ops.ErrLost} }

// Alloc makes a zeroed buffer.
func (q *queue) Alloc(n int) (ops.Block, error) {
	if err := q.err(); err != nil && !errors.Is(err, ops.ErrMemory) {
		return nil, err
	}
	q.dev.ForgiveMemory()
	b, ok := q.dev.Buffer(4*int64(n), native.Storage)
	if !ok {
		err := q.err()
		q.dev.ForgiveMemory()
		if err == nil {
			err = ops.ErrMemory
		}
		return nil, err
	}
	q.nextID++
	return &block{buf: b, id: q.nextID}, nil
}

// Free releases a buffer; work that uses it may be on its way.
func (q *queue) Free(b ops.Block) {
	k := b.(*block)
	for _, key := range k.groups {
		if g, ok := q.groups[key]; ok {
			q.dev.FreeGroup(g)
			delete(q.groups, key)
		}
	}
	q.dev.FreeBuffer(k.buf)
}

func bytesOf(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// Write copies host memory. Small writes travel with the batch.
func (q *queue) Write(dst ops.Block, at int, src []float32) error {
	data, to := bytesOf(src), dst.(*block).buf
	if len(data) <= smallWrite {
		if q.uploaded+len(data) > uploads {
			q.flush()
		}
		copy(q.pending[q.uploaded:], data)
		q.dev.Copy(to, 4*int64(at), q.upload, int64(q.uploaded), int64(len(data)))
		q.uploaded += len(data)
		return q.err()
	}
	q.flush()
	for lo := 0; lo < len(data); lo += chunk {
		part := data[lo:min(lo+chunk, len(data))]
		q.dev.Write(to, 4*int64(at)+int64(lo), part)
		if len(part) == chunk {
			q.dev.Push() // so that no more than a chunk waits in the driver's memory
			q.dev.Wait()
		}
	}
	return q.err()
}

// Read waits for everything before it.
func (q *queue) Read(dst []float32, src ops.Block, at int) error {
	data, from := bytesOf(dst), src.(*block).buf
	for lo := 0; lo < len(data); lo += chunk {
		part := data[lo:min(lo+chunk, len(data))]
		if err := q.stage(int64(len(part))); err != nil {
			return err
		}
		q.dev.Copy(q.staging, 0, from, 4*int64(at)+int64(lo), int64(len(part)))
		q.flush()
		q.dev.Read(part, q.staging)
		if err := q.err(); err != nil {
			return err
		}
	}
	return nil
}

// stage makes sure of a staging buffer.
func (q *queue) stage(bytes int64) error {
	if q.stagingSize >= bytes {
		return nil
	}
	if q.stagingSize > 0 {
		q.dev.FreeBuffer(q.staging)
		q.stagingSize = 0
	}
	size := int64(1 << 16)
	for size < bytes {
		size *= 2
	}
	b, ok := q.dev.Buffer(size, native.Staging)
	if !ok {
		return q.err()
	}
	q.staging, q.stagingSize = b, size
	return nil
}

// Launch records a kernel.
func (q *queue) Launch(k ops.Kernel, grid [3]uint32, blocks []ops.Block, params []uint32) error {
	p, err := q.pipeline(k)
	if err != nil {
		return err
	}
	g, err := q.group(blocks)
	if err != nil {
		return err
	}
	if q.calls == batch {
		q.flush()
	}
	at := q.calls * slot
	copy(q.params[at:at+slot], unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(params))), 4*len(params)))
	q.dev.Dispatch(p, g, uint32(at), grid)
	q.calls++
	if q.calls == batch {
		q.flush()
		return q.err()
	}
	return nil
}

func (q *queue) pipeline(k ops.Kernel) (native.Pipeline, error) {
	if p := q.pipelines[k]; !p.Nil() {
		return p, nil
	}
	text, buffers, err := source(k, q.line)
	if err != nil {
		return native.Pipeline{}, err
	}
	if q.broken {
		text += "\nfn broken("
	}
	p := q.dev.Pipeline(text, buffers)
	if p.Nil() {
		err := q.err()
		if err == nil {
			err = errors.New("no reason given")
		}
		return p, fmt.Errorf("compile %s: %w", k.File(), err)
	}
	q.pipelines[k] = p
	return p, nil
}

func (q *queue) group(blocks []ops.Block) (native.Group, error) {
	key := groupKey{n: len(blocks)}
	for i, b := range blocks {
		key.ids[i] = b.(*block).id
	}
	if g, ok := q.groups[key]; ok {
		return g, nil
	}
	for i, b := range blocks {
		q.list[i] = b.(*block).buf
	}
	g, ok := q.dev.Bind(q.uniform, q.list[:len(blocks)])
	if !ok {
		return g, q.err()
	}
	q.groups[key] = g
	for i, b := range blocks {
		if k := b.(*block); i == 0 || key.ids[i] != key.ids[0] {
			k.groups = append(k.groups, key)
		}
	}
	return g, nil
}

// flush submits the batch.
func (q *queue) flush() {
	if q.calls > 0 {
		q.dev.Write(q.uniform, 0, q.params[:q.calls*slot])
	}
	if q.uploaded > 0 {
		q.dev.Write(q.upload, 0, q.pending[:(q.uploaded+3)/4*4])
	}
	q.dev.Submit()
	q.calls, q.uploaded = 0, 0
}

// Wait submits and waits.
func (q *queue) Wait() error {
	q.flush()
	q.dev.Wait()
	return q.err()
}

// Close releases everything.
func (q *queue) Close() error {
	q.flush()
	q.dev.Wait()
	for _, g := range q.groups {
		q.dev.FreeGroup(g)
	}
	clear(q.groups)
	q.dev.FreeBuffer(q.uniform)
	q.dev.FreeBuffer(q.upload)
	if q.stagingSize > 0 {
		q.dev.FreeBuffer(q.staging)
	}
	q.dev.Close()
	return nil
}
