// Package session is what a user can do with Limpid: open files, turn a recipe
// into an observation, run it, watch it, export the result. The window and the
// command line are thin layers over it.
package session

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/engine"
)

// Session owns the device and the runs. It is safe for concurrent use.
type Session struct {
	dev     engine.Device
	devices Devices

	states States // that runs leave

	mu     sync.Mutex
	subs   map[int]func(Event)
	nextID int
	runs   int
	active sync.WaitGroup
}

// New makes a session that computes on dev. Close waits for its runs; the device
// stays the caller's.
func New(dev engine.Device) *Session {
	return &Session{dev: dev, devices: Devices{Main: dev}, subs: map[int]func(Event){}}
}

// Device is where the session computes.
func (s *Session) Device() engine.Device { return s.dev }

// Close waits until every run has ended; cancel them first.
func (s *Session) Close() { s.active.Wait() }

// EventKind says what happened to a run.
type EventKind int

// A run starts, passes through phases, gives snapshots, and ends once.
const (
	Started  EventKind = iota
	Progress           // Status changed
	Snapshot           // a newer Result is there: Run.Result
	Ended              // Run.Wait returns at once
)

// Event is one change of a run. Rev grows by one with every event of a run; a
// viewer that sees a gap only has missed intermediate states.
type Event struct {
	Kind EventKind
	Run  *Run
	Rev  int
}

// Subscribe calls f for every event, from the run's goroutine: f must return
// soon and must not call back into the run's Wait. cancel ends it.
func (s *Session) Subscribe(f func(Event)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID
	s.nextID++
	s.subs[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, id)
	}
}

func (s *Session) publish(e Event) {
	s.mu.Lock()
	list := make([]func(Event), 0, len(s.subs))
	for i := range s.nextID {
		if f := s.subs[i]; f != nil {
			list = append(list, f)
		}
	}
	s.mu.Unlock()
	for _, f := range list {
		f(e)
	}
}

// Phase of a run, in order.
type Phase string

// The phases a user sees.
const (
	PhaseReading  Phase = "reading the image"
	PhaseFitting  Phase = "fitting the prior"
	PhaseMean     Phase = "computing the mean"
	PhaseDrawing  Phase = "drawing samples"
	PhaseIterate  Phase = "iterating"
	PhaseFinished Phase = "finished"
	PhaseCanceled Phase = "cancelled"
	PhaseFailed   Phase = "failed"
)

// Status is how far a run is.
type Status struct {
	Phase   Phase
	Done    int // samples or iterations
	Total   int
	Share   float64       // of the run that is done, where draws come many at a time; 0: Done of Total
	Elapsed time.Duration // since Start
	Left    time.Duration // estimate; < 0: unknown
	Chi2    float64       // worst band's residual χ² per pixel; NaN: not yet
	RHat    float64       // NaN: not yet
}

// Fraction of the run that is done, 0 … 1.
func (s Status) Fraction() float64 {
	switch {
	case s.Phase == PhaseFinished:
		return 1
	case s.Share > 0:
		return s.Share
	case s.Total == 0:
		return 0
	}
	return float64(s.Done) / float64(s.Total)
}

// Start validates the recipe and runs it in the background; errors of the data
// come out of Run.Wait.
func (s *Session) Start(ctx context.Context, r recipe.Recipe) (*Run, error) {
	return s.begin(ctx, r, nil)
}

// begin starts a run, from a state where that is not nil.
func (s *Session) begin(ctx context.Context, r recipe.Recipe, from *State) (*Run, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.runs++
	run := newRun(s, s.runs, r, cancel)
	run.from = from
	s.mu.Unlock()
	s.active.Go(func() {
		defer cancel(nil)
		run.loop(ctx)
	})
	return run, nil
}

// Problem turns an error that ended something into words for the user.
func Problem(err error) limpid.Finding {
	_, f := classify(err)
	return f
}

// Exit codes of the command line, one per kind of trouble.
const (
	ExitOK        = 0
	ExitInternal  = 1
	ExitUsage     = 2   // arguments or recipe
	ExitInput     = 3   // a file cannot be read
	ExitData      = 4   // PSF, noise, mask or image unusable
	ExitOutput    = 5   // a file cannot be written
	ExitMemory    = 6   // does not fit
	ExitPartial   = 7   // some images of a batch failed
	ExitCancelled = 130 // by the user
)

// ExitCode is the exit code for an error.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	code, _ := classify(err)
	return code
}

func wrapf(err error, format string, a ...any) error {
	return fmt.Errorf(format+": %w", append(a, err)...)
}

// freeMemory is what the system says is available, in bytes; a guess of 4 GiB
// where it does not say.
func freeMemory() int64 {
	const guess = 4 << 30
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return guess
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if rest, ok := strings.CutPrefix(sc.Text(), "MemAvailable:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return kb << 10
			}
		}
	}
	return guess
}
