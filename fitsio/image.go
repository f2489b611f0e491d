package fitsio

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"limpid/fitsio/internal/pixels"
	"limpid/fitsio/internal/source"
)

// ReadFloat32 reads the whole image as physical values, BSCALE and BZERO
// applied, BLANK as NaN; row-major in the order of Shape. Values of 8, 16 and
// -32 bit images are scaled in float32, as astropy does.
func (h *HDU) ReadFloat32(ctx context.Context) ([]float32, error) {
	return readAll[float32](ctx, h)
}

// ReadFloat64 is ReadFloat32 with all arithmetic in float64.
func (h *HDU) ReadFloat64(ctx context.Context) ([]float64, error) {
	return readAll[float64](ctx, h)
}

// ReadPlane reads one plane (NAXIS2, NAXIS1) of a cube or hypercube; k are the
// indices along the axes before the last two, slowest first, counted from 0. An
// image of two axes or fewer takes no index.
func (h *HDU) ReadPlane(ctx context.Context, k ...int) ([]float32, error) {
	lead := max(len(h.Shape)-2, 0)
	if len(k) != lead {
		return nil, h.fail(fmt.Errorf("a plane of an image with shape %v takes %d indices, not %d: %w", h.Shape, lead, len(k), ErrRange))
	}
	lo := make([]int, len(h.Shape))
	hi := append([]int(nil), h.Shape...)
	for i, p := range k {
		lo[i], hi[i] = p, p+1
	}
	return h.Section(ctx, lo, hi)
}

// Section reads the pixels lo ≤ i < hi of every axis, slowest axis first, without
// reading the rest of the file.
func (h *HDU) Section(ctx context.Context, lo, hi []int) ([]float32, error) {
	return readSection[float32](ctx, h, lo, hi)
}

// Section64 is Section in float64.
func (h *HDU) Section64(ctx context.Context, lo, hi []int) ([]float64, error) {
	return readSection[float64](ctx, h, lo, hi)
}

func readAll[T Float](ctx context.Context, h *HDU) ([]T, error) {
	return readSection[T](ctx, h, make([]int, len(h.Shape)), h.Shape)
}

func readSection[T Float](ctx context.Context, h *HDU, lo, hi []int) ([]T, error) {
	n, err := h.checkSection(lo, hi, int64(unsafe.Sizeof(T(0))))
	if err != nil {
		return nil, h.fail(err)
	}
	if err := ctx.Err(); err != nil {
		return nil, h.fail(err)
	}
	if n == 0 {
		return []T{}, nil
	}
	b := newBox(h.Shape, lo, hi)
	if h.tiles != nil {
		err := h.tiles.check()
		if err == nil {
			err = h.tiles.plausible(n)
		}
		if err != nil {
			return nil, h.fail(err)
		}
		dst := make([]T, n)
		if err := readTiles(ctx, h, b, dst); err != nil {
			return nil, h.fail(err)
		}
		return dst, nil
	}
	size := int64(pixels.Abs(h.Bitpix) / 8)
	if last := h.off + (b.last()+1)*size; last > h.file.src.Size() {
		return nil, h.fail(fmt.Errorf("the data should take %d bytes, but the file has %d after the header: %w",
			h.size, max(h.file.src.Size()-h.off, 0), ErrTruncated))
	}
	dst := make([]T, n)
	if err := readRuns(ctx, h, b, dst); err != nil {
		return nil, h.fail(err)
	}
	return dst, nil
}

// checkSection checks kind, bounds and memory and gives the number of pixels.
func (h *HDU) checkSection(lo, hi []int, elem int64) (int64, error) {
	if h.Kind != Image || len(h.Shape) == 0 {
		return 0, fmt.Errorf("%s HDU: %w", h.Kind, ErrNoImage)
	}
	if len(lo) != len(h.Shape) || len(hi) != len(h.Shape) {
		return 0, fmt.Errorf("section %v:%v of an image with shape %v: %w", lo, hi, h.Shape, ErrRange)
	}
	n, ok := int64(1), true
	for i := range lo {
		if lo[i] < 0 || hi[i] > h.Shape[i] || lo[i] > hi[i] {
			return 0, fmt.Errorf("section %v:%v is not inside shape %v: %w", lo, hi, h.Shape, ErrRange)
		}
		n, ok = mul(n, int64(hi[i]-lo[i]), ok)
	}
	bytes, ok := mul(n, elem, ok)
	if limit := h.file.opt.maxBytes(); !ok || bytes > limit {
		return 0, fmt.Errorf("%v pixels take more than the limit of %s: %w", spans(lo, hi), source.BytesText(limit), ErrTooLarge)
	}
	return n, nil
}

func spans(lo, hi []int) []int {
	out := make([]int, len(lo))
	for i := range lo {
		out[i] = hi[i] - lo[i]
	}
	return out
}

// box is a section as a set of contiguous runs of pixels.
type box struct {
	shape, lo, hi []int
	run           int64   // pixels per run
	outer         int     // axes [0, outer) are stepped through
	stride        []int64 // pixels per step of each axis
	runs          int64
}

func newBox(shape, lo, hi []int) box {
	b := box{shape: shape, lo: lo, hi: hi, runs: 1}
	b.stride = make([]int64, len(shape))
	s := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		b.stride[i] = s
		s *= int64(shape[i])
	}
	// The run takes in every trailing axis that is read whole, and one more.
	b.outer = len(shape) - 1
	for b.outer > 0 && lo[b.outer] == 0 && hi[b.outer] == shape[b.outer] {
		b.outer--
	}
	b.run = int64(hi[b.outer]-lo[b.outer]) * b.stride[b.outer]
	for i := range b.outer {
		b.runs *= int64(hi[i] - lo[i])
	}
	return b
}

// start gives the first pixel of run r.
func (b *box) start(r int64) int64 {
	p := int64(b.lo[b.outer]) * b.stride[b.outer]
	for i := b.outer - 1; i >= 0; i-- {
		n := int64(b.hi[i] - b.lo[i])
		p += (r%n + int64(b.lo[i])) * b.stride[i]
		r /= n
	}
	return p
}

// last gives the last pixel of the section.
func (b *box) last() int64 { return b.start(b.runs-1) + b.run - 1 }

// chunkPixels is how much one goroutine reads and converts at a time: small
// enough for the second-level cache, large enough to make reading cheap.
const chunkPixels = 1 << 16

// readRuns reads an uncompressed image.
func readRuns[T Float](ctx context.Context, h *HDU, b box, dst []T) error {
	size := int64(pixels.Abs(h.Bitpix) / 8)
	perRun := (b.run + chunkPixels - 1) / chunkPixels
	group := max(1, chunkPixels/b.run) // short runs share a job
	jobs := perRun * b.runs
	if perRun == 1 {
		jobs = (b.runs + group - 1) / group
	}
	bufs := sync.Pool{New: func() any {
		b := make([]byte, min(int64(chunkPixels), b.run)*size)
		return &b
	}}
	return parallel(ctx, h.file.opt.Workers, jobs, func(job int64) error {
		bp := bufs.Get().(*[]byte)
		defer bufs.Put(bp)
		if perRun > 1 {
			r, c := job/perRun, job%perRun*chunkPixels
			n := min(chunkPixels, b.run-c)
			return readPixels(h, dst[r*b.run+c:][:n], b.start(r)+c, *bp)
		}
		for r := job * group; r < min((job+1)*group, b.runs); r++ {
			if err := readPixels(h, dst[r*b.run:][:b.run], b.start(r), *bp); err != nil {
				return err
			}
		}
		return nil
	})
}

func readPixels[T Float](h *HDU, dst []T, first int64, buf []byte) error {
	size := pixels.Abs(h.Bitpix) / 8
	buf = buf[:len(dst)*size]
	if err := h.readAt(buf, first*int64(size)); err != nil {
		return err
	}
	pixels.Decode(dst, buf, h.Bitpix, h.scale)
	return nil
}

// parallel runs jobs 0 … n-1 on several goroutines, all of which have ended when
// it returns. The first error, or the end of ctx, stops the rest.
func parallel(ctx context.Context, workers int, n int64, do func(int64) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var failed atomic.Bool
	work := func() error {
		for !failed.Load() {
			i := next.Add(1) - 1
			if i >= n {
				return nil
			}
			err := ctx.Err()
			if err == nil {
				err = do(i)
			}
			if err != nil {
				failed.Store(true)
				return err
			}
		}
		return nil
	}
	w := int(min(int64(workers), n))
	if w <= 1 {
		return work()
	}
	errs := make([]error, w)
	var wg sync.WaitGroup
	for k := range w {
		wg.Go(func() { errs[k] = work() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
