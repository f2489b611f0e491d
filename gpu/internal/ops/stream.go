package ops

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
)

// stream implements engine.Stream.
type stream struct {
	dev *Device
	err error
	c   call
}

// none is the offset of an absent buffer.
const none = math.MaxUint32

// call is one launch: blocks, then parameters, the first of which are the offsets of the
// tensors in their blocks.
type call struct {
	s      *stream
	kernel Kernel
	grid   [3]uint32
	blocks [8]Block
	n      int
	params [64]uint32
	used   int
}

func (s *stream) fail(err error) {
	if s.err == nil {
		s.err = s.dev.blame(err)
	}
}

// block is the storage of t, or a panic where t is not of this device or was freed.
func (s *stream) block(t *engine.Tensor) Block {
	b, ok := t.Buffer().(*buffer)
	if !ok || b.dev != s.dev {
		panic(fmt.Sprintf("%s: tensor %v is not of this device", s.dev.cfg.Info.Kind, t.Shape()))
	}
	if b.block == nil {
		panic(fmt.Sprintf("%s: tensor %v is used after Free", s.dev.cfg.Info.Kind, t.Shape()))
	}
	return b.block
}

// begin starts a call on tensors, of which all but the first may be nil.
func (s *stream) begin(k Kernel, ts ...*engine.Tensor) *call {
	c := &s.c
	c.s, c.kernel, c.n, c.used = s, k, len(ts), len(ts)
	for i, t := range ts {
		if t == nil {
			c.blocks[i], c.params[i] = c.blocks[0], none
			continue
		}
		c.blocks[i], c.params[i] = s.block(t), uint32(t.Offset())
	}
	return c
}

// ints adds whole numbers to the parameters, of which negative ones are read as i32.
func (c *call) ints(v ...int) *call {
	for _, x := range v {
		c.params[c.used] = uint32(int32(x))
		if x > math.MaxInt32 {
			c.params[c.used] = uint32(x)
		}
		c.used++
	}
	return c
}

func (c *call) floats(v ...float32) *call {
	for _, x := range v {
		c.params[c.used] = math.Float32bits(x)
		c.used++
	}
	return c
}

// threads runs the call with at least n threads in groups of 256.
func (c *call) threads(n int) { c.groups((n + 255) / 256) }

// groups runs the call with at least n groups, numbered through the first two
// dimensions of the grid.
func (c *call) groups(n int) { c.groupsOf(n, 1) }

// maxGrid is the largest size of a grid that every device takes.
const maxGrid = 65535

func (c *call) groupsOf(n, z int) {
	if n <= 0 || z <= 0 || c.s.err != nil {
		return
	}
	y := (n + maxGrid - 1) / maxGrid
	x := (n + y - 1) / y
	c.grid = [3]uint32{uint32(x), uint32(y), uint32(z)}
	if err := c.s.dev.launch(c); err != nil {
		c.s.fail(err)
	}
}

// room returns a tensor with undefined contents, to be freed as soon as the calls that
// use it are made; nil after a failure.
func (s *stream) room(shape ...int) *engine.Tensor {
	if s.err != nil {
		return nil
	}
	t, _, err := s.dev.get(shape)
	if err != nil {
		s.fail(err)
		return nil
	}
	return t
}

// Upload copies host memory to dst.
func (s *stream) Upload(dst *engine.Tensor, src []float32) {
	if len(src) != dst.Len() {
		panic(fmt.Sprintf("engine: Upload: %d numbers to %v", len(src), dst.Shape()))
	}
	if s.err != nil || len(src) == 0 {
		return
	}
	b := s.block(dst)
	s.dev.mu.Lock()
	defer s.dev.mu.Unlock()
	if err := s.dev.cfg.Memory.Write(b, dst.Offset(), src); err != nil {
		s.fail(err)
	}
}

// Download copies src to host memory. It waits.
func (s *stream) Download(dst []float32, src *engine.Tensor) {
	if len(dst) != src.Len() {
		panic(fmt.Sprintf("engine: Download: %v to %d numbers", src.Shape(), len(dst)))
	}
	if s.err != nil || len(dst) == 0 {
		return
	}
	b := s.block(src)
	s.dev.mu.Lock()
	defer s.dev.mu.Unlock()
	if err := s.dev.cfg.Memory.Read(dst, b, src.Offset()); err != nil {
		s.fail(err)
	}
}

// Sync waits for everything before it.
func (s *stream) Sync(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	s.dev.mu.Lock()
	err := error(nil)
	if !s.dev.closed {
		err = s.dev.cfg.Queue.Wait()
	}
	s.dev.mu.Unlock()
	if err != nil {
		s.fail(err)
		return s.err
	}
	return ctx.Err()
}

// Err is the first failure so far.
func (s *stream) Err() error { return s.err }
