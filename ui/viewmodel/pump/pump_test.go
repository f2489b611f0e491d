package pump

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPump_ManyNotifications_FewCallsAndOneAfterTheLast(t *testing.T) {
	const every = 20 * time.Millisecond
	posted := make(chan func(), 100)
	var calls int
	var seen, sent atomic.Int64
	p := New(every, func(f func()) { posted <- f }, func() { calls++; seen.Store(sent.Load()) })
	var wg sync.WaitGroup
	start := time.Now()
	for range 4 {
		wg.Go(func() {
			for time.Since(start) < 10*every {
				sent.Add(1)
				p.Notify()
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	end := time.After(time.Minute)
	go func() { wg.Wait(); posted <- nil }()
	done := false
	for !done || seen.Load() != sent.Load() {
		select {
		case f := <-posted:
			if f == nil {
				done = true
			} else {
				f()
			}
		case <-end:
			t.Fatalf("%d of %d notifications were followed by a call", seen.Load(), sent.Load())
		}
	}
	if most := int(time.Since(start)/every) + 2; calls > most || sent.Load() < 100 {
		t.Errorf("%d notifications became %d calls, expected at most %d", sent.Load(), calls, most)
	}
}

func TestPump_Stopped_CallsNothing(t *testing.T) {
	posted := make(chan func(), 10)
	p := New(time.Hour, func(f func()) { posted <- f }, func() { t.Error("called after stop") })
	p.Notify()
	p.Stop()
	p.Notify()
	for len(posted) > 0 {
		(<-posted)()
	}
}
