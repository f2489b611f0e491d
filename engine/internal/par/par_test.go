package par

import (
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

type counter struct{ seen []atomic.Int32 }

func (c *counter) Do(i int, w *Worker) {
	w.Floats(100)[i%100] = 1
	c.seen[i].Add(1)
}

// Several teams on one pool, many short runs: every chunk is done exactly once
// before Run returns.
func TestTeam_ManyRunsOnSharedPool_EveryChunkOnce(t *testing.T) {
	p := NewPool(4, 0)
	defer p.Close()
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			team := NewTeam(p)
			for run := range 3000 {
				n := run % 23
				c := counter{make([]atomic.Int32, n)}
				team.Run(n, &c)
				for i := range c.seen {
					if got := c.seen[i].Load(); got != 1 {
						t.Errorf("run %d: chunk %d of %d was done %d times", run, i, n, got)
						return
					}
				}
			}
		}()
	}
	wg.Wait()
}

func TestPool_OneWorker_RunsOnTheCaller(t *testing.T) {
	p := NewPool(1, 0)
	defer p.Close()
	c := counter{make([]atomic.Int32, 5)}
	NewTeam(p).Run(5, &c)
	for i := range c.seen {
		if c.seen[i].Load() != 1 {
			t.Errorf("chunk %d not done once", i)
		}
	}
}

func TestAligned_AnyLength_StartsOnALine(t *testing.T) {
	for n := 1; n < 300; n++ {
		b := Aligned(n)
		if len(b) != n || uintptr(unsafe.Pointer(&b[0]))%64 != 0 {
			t.Fatalf("length %d: %d floats at %p", n, len(b), &b[0])
		}
	}
}
