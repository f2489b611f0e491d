package viewmodel

import (
	"sync"
	"time"
)

// pump turns any number of notifications, from any goroutine, into calls of one
// function on the Model's goroutine: at most one per interval, none while one is
// waiting, and always one after the last notification. It is the one place where
// the events of runs become work for the window.
type pump struct {
	every time.Duration
	post  func(func())
	f     func()

	mu      sync.Mutex
	waiting bool // a call is posted or a timer runs
	last    time.Time
	timer   *time.Timer
	done    bool
}

func newPump(every time.Duration, post func(func()), f func()) *pump {
	return &pump{every: every, post: post, f: f}
}

func (p *pump) notify() {
	p.mu.Lock()
	if p.waiting || p.done {
		p.mu.Unlock()
		return
	}
	p.waiting = true
	wait := p.every - time.Since(p.last)
	if wait > 0 {
		p.timer = time.AfterFunc(wait, p.send)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.send()
}

func (p *pump) send() {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done {
		return
	}
	p.post(func() {
		p.mu.Lock()
		p.waiting, p.last = false, time.Now()
		done := p.done
		p.mu.Unlock()
		if !done {
			p.f()
		}
	})
}

// stop ends it; a call that is posted already does nothing.
func (p *pump) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
