package cpu

import (
	"context"
	"fmt"

	"limpid/engine"
	"limpid/engine/fft"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// stream runs each operation at once. Its tasks are fields, so that running them
// allocates nothing.
type stream struct {
	dev  *Device
	team *par.Team
	k    *kern.Table
	job  fft.Job

	ew     elementwise
	win    window
	red    reduction
	lead   leading
	slices bySlice
	fill   filler

	plans map[[2]int]*fft.Real // this stream's view of dev.plans, without its lock
}

// data is the storage of t, or a panic where t is not of this device or was freed.
func (s *stream) data(t *engine.Tensor) []float32 {
	b, ok := t.Buffer().(*buffer)
	if !ok || b.mem.device != s.dev {
		panic(fmt.Sprintf("cpu: tensor %v is not of this device", t.Shape()))
	}
	if b.data == nil {
		if t.Len() == 0 {
			return nil
		}
		panic(fmt.Sprintf("cpu: tensor %v is used after Free", t.Shape()))
	}
	return b.data[t.Offset() : t.Offset()+t.Len()]
}

// Upload copies host memory to dst.
func (s *stream) Upload(dst *engine.Tensor, src []float32) {
	if len(src) != dst.Len() {
		panic(fmt.Sprintf("engine: Upload: %d numbers to %v", len(src), dst.Shape()))
	}
	copy(s.data(dst), src)
}

// Download copies src to host memory.
func (s *stream) Download(dst []float32, src *engine.Tensor) {
	if len(dst) != src.Len() {
		panic(fmt.Sprintf("engine: Download: %v to %d numbers", src.Shape(), len(dst)))
	}
	copy(dst, s.data(src))
}

// Sync reports ctx's error; there is nothing to wait for.
func (s *stream) Sync(ctx context.Context) error {
	if err := s.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

// Err is nil: what can fail on this device fails in Alloc.
func (s *stream) Err() error { return nil }
