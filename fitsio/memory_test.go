package fitsio

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// watchHeap samples the heap until stop is called, which gives its peak above the
// start.
func watchHeap() (stop func() uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	base, peak := read(), uint64(0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if v := read(); v > base {
				peak = max(peak, v-base)
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
	})
	return func() uint64 {
		close(done)
		wg.Wait()
		return peak
	}
}

// readWhole reads all images and all columns of all tables.
func readWhole(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx := context.Background()
	for _, h := range f.HDUs {
		if h.Kind == BinaryTable || h.Kind == ASCIITable {
			t, err := h.Table()
			if err != nil {
				return err
			}
			for i := range t.Columns {
				_, _ = t.Arrays(ctx, t.Columns[i].Name)
				_, _ = t.Strings(ctx, t.Columns[i].Name)
			}
			continue
		}
		if h.Kind != Image || h.Pixels() == 0 {
			continue
		}
		if _, err := h.ReadFloat32(ctx); err != nil {
			return err
		}
		runtime.GC() // the image before must not count
	}
	return nil
}

// timeLimit is the acceptance limit for one file.
const timeLimit = 2 * time.Second * slowdown

func TestOpen_ConformanceFiles_StayWithinMemoryAndTime(t *testing.T) {
	dir := dataDir(t)
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that the heap is what is in use
	var worst uint64
	var worstName, slowName string
	var slow time.Duration
	for name := range loadExpected(t, dir) {
		path := filepath.Join(dir, name)
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		stop := watchHeap()
		start := time.Now()
		_ = readWhole(path) // errors are the business of the other test
		took := time.Since(start)
		peak := stop()
		for try := 0; took > timeLimit && try < 2; try++ { // others may be using the machine
			start = time.Now()
			_ = readWhole(path)
			took = min(took, time.Since(start))
		}
		if limit := uint64(2*st.Size() + 64<<20); peak > limit {
			t.Errorf("%s: %d bytes of heap, the limit is %d", name, peak, limit)
		}
		if took > timeLimit {
			t.Errorf("%s took %v", name, took)
		}
		if peak > worst {
			worst, worstName = peak, name
		}
		if took > slow {
			slow, slowName = took, name
		}
	}
	t.Logf("largest heap %.1f MiB (%s), longest time %v (%s)", float64(worst)/(1<<20), worstName, slow.Round(time.Millisecond), slowName)
}
