// Package par runs the chunks of one operation on a fixed set of workers.
//
// Which worker runs which chunk is left to chance; results stay the same for any
// number of workers as long as a task's chunks do not depend on it. Nothing here
// allocates per run.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is an operation cut into chunks. Do may be called from several goroutines
// at once, each with a Worker of its own.
type Task interface {
	Do(i int, w *Worker)
}

// Worker holds the scratch memory of one goroutine.
type Worker struct {
	arena   []float32
	doubles []float64
}

// Floats returns n floats of scratch, aligned to 64 bytes, with undefined contents.
// They are the worker's until it asks again.
func (w *Worker) Floats(n int) []float32 {
	if n > len(w.arena) {
		w.arena = Scratch(n)
	}
	return w.arena[:n]
}

// Doubles is like Floats, from a memory of its own.
func (w *Worker) Doubles(n int) []float64 {
	if n > len(w.doubles) {
		w.doubles = make([]float64, n)
	}
	return w.doubles[:n]
}

// Pool is a set of helper goroutines shared by any number of teams.
type Pool struct {
	tokens  chan *Team
	helpers int
	wg      sync.WaitGroup
	once    sync.Once
}

// NewPool starts workers−1 helpers: the goroutine that calls Team.Run is the
// other worker. nice > 0 lowers the helpers' priority where the system can.
func NewPool(workers, nice int) *Pool {
	p := &Pool{helpers: max(workers, 1) - 1}
	p.tokens = make(chan *Team, 4*p.helpers)
	for range p.helpers {
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			if nice > 0 {
				Lower(nice)
			}
			var w Worker
			for t := range p.tokens {
				t.help(&w)
			}
		}()
	}
	return p
}

// Lower lowers the priority of the calling goroutine until it ends: it is bound to a
// thread, which ends with it, since most systems let nobody raise a priority again.
func Lower(nice int) {
	runtime.LockOSThread()
	lower(nice)
}

// Workers is the number of goroutines a Run may use.
func (p *Pool) Workers() int { return p.helpers + 1 }

// Close ends the helpers. No team may be running.
func (p *Pool) Close() {
	p.once.Do(func() { close(p.tokens) })
	p.wg.Wait()
}

// Team runs tasks one after another. It is used by one goroutine at a time; a nil
// Team is not valid, a Team of a nil Pool runs alone.
type Team struct {
	pool *Pool
	task Task
	// state is chunks<<32 | next. A helper may come late and find another run than
	// the one it was called for: whoever swaps next for next+1 below chunks owns a
	// chunk of the run that is current, and that run waits for it.
	state atomic.Uint64
	done  atomic.Int64
	wake  chan struct{}
	self  Worker
}

// NewTeam returns a team on the pool's helpers.
func NewTeam(p *Pool) *Team {
	return &Team{pool: p, wake: make(chan struct{}, 1)}
}

// Run calls task.Do(i, …) once for every i in [0, n) and returns when all are done.
func (t *Team) Run(n int, task Task) {
	if n <= 1 || t.pool == nil || t.pool.helpers == 0 {
		for i := range n {
			task.Do(i, &t.self)
		}
		return
	}
	t.task = task
	t.done.Store(0)
	t.state.Store(uint64(n) << 32)
	for range min(t.pool.helpers, n-1) {
		select {
		case t.pool.tokens <- t:
		default: // the helpers are busy with other teams
		}
	}
	t.help(&t.self)
	for spin := 0; t.done.Load() < int64(n); spin++ {
		if spin < 200 {
			runtime.Gosched()
			continue
		}
		<-t.wake
	}
}

// help runs chunks until none is left.
func (t *Team) help(w *Worker) {
	for {
		s := t.state.Load()
		i, n := uint32(s), uint32(s>>32)
		if i >= n {
			return
		}
		if !t.state.CompareAndSwap(s, s+1) {
			continue
		}
		t.task.Do(int(i), w)
		if t.done.Add(1) == int64(n) {
			select {
			case t.wake <- struct{}{}:
			default:
			}
		}
	}
}
