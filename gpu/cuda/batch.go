package cuda

import "limpid/gpu/internal/ops"

// launch is a call of a kernel with its arguments.
type launch struct {
	kernel ops.Kernel
	grid   [3]uint32
	blocks [8]ops.Block
	count  int // of blocks
	params [64]uint32
}

// batched is how many launches are handed over at once. A turn of the driver's thread
// costs two changes of goroutine, as much as a launch itself; a card is kept busy by a
// fraction of this number.
const batched = 32

// batch collects launches. It allocates nothing per launch.
type batch struct {
	run  func([]launch) error
	list [batched]launch
	n    int
}

// add appends a launch, and hands all over when the batch is full.
func (b *batch) add(k ops.Kernel, grid [3]uint32, blocks []ops.Block, params []uint32) error {
	l := &b.list[b.n]
	l.kernel, l.grid, l.count = k, grid, len(blocks)
	copy(l.blocks[:], blocks)
	copy(l.params[:], params)
	b.n++
	if b.n == len(b.list) {
		return b.flush()
	}
	return nil
}

// flush hands over what there is, in order. After a failure the rest is dropped.
func (b *batch) flush() error {
	if b.n == 0 {
		return nil
	}
	n := b.n
	b.n = 0
	err := b.run(b.list[:n])
	for i := range n {
		b.list[i].blocks = [8]ops.Block{}
	}
	return err
}
