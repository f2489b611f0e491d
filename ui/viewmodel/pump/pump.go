// Package pump turns many notifications into few calls.
package pump

import (
	"sync"
	"time"
)

// Pump turns any number of notifications, from any goroutine, into calls of one
// function on one goroutine: at most one per interval, none while one is
// waiting, and always one after the last notification. It is the one place where
// the events of runs become work for the window.
type Pump struct {
	every time.Duration
	post  func(func())
	f     func()

	mu      sync.Mutex
	waiting bool // a call is posted or a timer runs
	last    time.Time
	timer   *time.Timer
	done    bool
}

// New makes a pump: f is called by way of post, at most once in every.
func New(every time.Duration, post func(func()), f func()) *Pump {
	return &Pump{every: every, post: post, f: f}
}

// Notify has the function called soon.
func (p *Pump) Notify() {
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

func (p *Pump) send() {
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

// Stop ends it; a call that is posted already does nothing.
func (p *Pump) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
