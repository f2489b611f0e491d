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

	netTasks

	plans map[[2]int]*fft.Real // this stream's view of dev.plans, without its lock
	room  *buffer              // scratch for operations that need more than a worker's
	err   error
}

// scratch returns n floats with undefined contents until the next call, or nil after
// a failure.
func (s *stream) scratch(n int) []float32 {
	if s.room != nil && len(s.room.data) >= n {
		return s.room.data[:n]
	}
	if s.room != nil {
		s.room.Free()
		s.room = nil
	}
	b, err := s.dev.mem.get(engine.Shape{n}, 4*int64(n))
	if err != nil {
		s.fail(err)
		return nil
	}
	s.room = b
	return b.data
}

func (s *stream) fail(err error) {
	if s.err == nil {
		s.err = err
	}
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

// out is data for writing: what was derived from the old contents is stale.
func (s *stream) out(t *engine.Tensor) []float32 {
	d := s.data(t)
	if b := t.Buffer().(*buffer); d != nil {
		b.version.Add(1)
	}
	return d
}

// Upload copies host memory to dst.
func (s *stream) Upload(dst *engine.Tensor, src []float32) {
	if len(src) != dst.Len() {
		panic(fmt.Sprintf("engine: Upload: %d numbers to %v", len(src), dst.Shape()))
	}
	copy(s.out(dst), src)
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

// Err is the first failure: memory for packed weights or for an intermediate result.
func (s *stream) Err() error { return s.err }

func (s *stream) plan(img *engine.Tensor) *fft.Real {
	h, w := hw(img)
	if p := s.plans[[2]int{h, w}]; p != nil {
		return p
	}
	if s.plans == nil {
		s.plans = map[[2]int]*fft.Real{}
	}
	p := s.dev.plans.Real(h, w)
	s.plans[[2]int{h, w}] = p
	return p
}

// RFFT2 transforms images to half-plane spectra.
func (s *stream) RFFT2(dst, src *engine.Tensor) {
	if n := engine.CheckSpectrum("RFFT2", dst, src); src.Len() > 0 {
		s.job.Forward(s.plan(src), s.out(dst), s.data(src), n)
	}
}

// IRFFT2 transforms them back.
func (s *stream) IRFFT2(dst, src *engine.Tensor) {
	if n := engine.CheckSpectrum("IRFFT2", src, dst); dst.Len() > 0 {
		s.job.Inverse(s.plan(dst), s.out(dst), s.data(src), n)
	}
}
