package cuda

import (
	"errors"
	"testing"

	"limpid/gpu/internal/ops"
)

func TestBatch_ManyLaunches_ArriveInOrderWithTheirArguments(t *testing.T) {
	var seen, turns int
	b := batch{run: func(list []launch) error {
		turns++
		for _, l := range list {
			if l.params[0] != uint32(seen) || l.grid != [3]uint32{uint32(seen), 1, 2} || l.count != seen%3 || l.kernel != ops.Kernel(seen)%ops.Kernels {
				t.Errorf("launch %d came as %+v", seen, l)
			}
			for i := range l.count {
				if l.blocks[i] != seen {
					t.Errorf("launch %d: block %d is %v", seen, i, l.blocks[i])
				}
			}
			seen++
		}
		return nil
	}}
	const n = 5*batched + 7
	params := []uint32{0, 9}
	for i := range n {
		params[0] = uint32(i) // the caller's memory is used again
		if err := b.add(ops.Kernel(i)%ops.Kernels, [3]uint32{uint32(i), 1, 2}, []ops.Block{i, i}[:i%3], params); err != nil {
			t.Fatal(err)
		}
	}
	if turns != 5 {
		t.Errorf("%d turns for %d launches", turns, n)
	}
	if err := b.flush(); err != nil || seen != n {
		t.Errorf("%d of %d launches came, error %v", seen, n, err)
	}
	if err := b.flush(); err != nil || turns != 6 {
		t.Errorf("an empty batch was handed over (%d turns, %v)", turns, err)
	}
}

func TestBatch_Failure_ComesOutOnceAndTheNextStartsAnew(t *testing.T) {
	gone := errors.New("gone")
	fail := true
	got := 0
	b := batch{run: func(list []launch) error {
		if fail {
			return gone
		}
		got += len(list)
		return nil
	}}
	if err := b.add(ops.Binary, [3]uint32{1, 1, 1}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.flush(); !errors.Is(err, gone) {
		t.Fatalf("error %v", err)
	}
	fail = false
	if err := b.add(ops.Unary, [3]uint32{1, 1, 1}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.flush(); err != nil || got != 1 {
		t.Errorf("%d launches after the failure, %v", got, err)
	}
}

func TestBatch_Launch_AllocatesNothing(t *testing.T) {
	b := batch{run: func([]launch) error { return nil }}
	blocks, params := []ops.Block{1, 2, 3}, make([]uint32, 20)
	if n := testing.AllocsPerRun(1000, func() { _ = b.add(ops.Conv, [3]uint32{1, 1, 1}, blocks, params) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
