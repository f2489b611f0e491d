package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
)

// Status of an image.
type Status string

// The statuses of a record.
const (
	Done   Status = "done"
	Failed Status = "failed"
)

// Record is what is kept of an image: one line of the log.
type Record struct {
	Name     string           `json:"name"`
	Image    string           `json:"image"`
	Status   Status           `json:"status"`
	Exit     int              `json:"exit"` // as of limpid-cli on this image alone
	Error    *limpid.Finding  `json:"error,omitempty"`
	Findings []limpid.Finding `json:"findings,omitempty"`
	Files    []string         `json:"files,omitempty"`
	Chi2     []Number         `json:"chi2_per_pixel,omitempty"` // per band, of draws, or of the estimate
	Flux     []Number         `json:"flux,omitempty"`           // per band, of the scene
	FluxStd  []Number         `json:"flux_std,omitempty"`
	Draws    int              `json:"draws"`
	Sentence string           `json:"sentence,omitempty"`
	Made     string           `json:"made"` // fingerprint of recipe and image
	Seconds  float64          `json:"seconds"`
	Host     string           `json:"host"`
	PID      int              `json:"pid"`
	Finished time.Time        `json:"finished"`
}

// Number is a number that JSON writes as null where it is none.
type Number float64

// MarshalJSON writes null for NaN and infinities.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// fingerprint changes when the recipe, the image's size or its settings do.
func fingerprint(r recipe.Recipe) string {
	size := int64(-1)
	if info, err := os.Stat(r.Input.File); err == nil {
		size = info.Size()
	}
	r.Input.File, r.Device = filepath.Base(r.Input.File), ""
	sum := sha256.Sum256(fmt.Appendf(r.JSON(), "%s %d", limpid.Version, size))
	return hex.EncodeToString(sum[:8])
}

// state is the folder .limpid-batch of the output folder:
//
//	NAME.json    the record of an image, complete or absent
//	NAME.claim   somebody works on it; touched again and again while they do
//
// Only creation with O_EXCL and renaming are relied upon, which network file
// systems keep atomic.
type state struct {
	dir   string
	me    string
	stale time.Duration
}

// StateFolder is where a batch keeps what it knows, in its output folder.
const StateFolder = ".limpid-batch"

func openState(out string, stale time.Duration) (*state, error) {
	dir := filepath.Join(out, StateFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("batch: %w: %w", session.ErrOutput, err)
	}
	host, _ := os.Hostname()
	return &state{dir: dir, me: fmt.Sprintf("%s %d", host, os.Getpid()), stale: stale}, nil
}

func (s *state) path(name, ending string) string { return filepath.Join(s.dir, name+ending) }

// record reads what is known of an image; nil: nothing.
func (s *state) record(name string) *Record {
	text, err := os.ReadFile(s.path(name, ".json"))
	if err != nil {
		return nil
	}
	var r Record
	if json.Unmarshal(text, &r) != nil || r.Name != name {
		return nil // not ours: done again
	}
	return &r
}

func (s *state) keep(r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return session.WriteFile(s.path(r.Name, ".json"), append(text, '\n'))
}

// now is the file system's clock, which may not be this machine's.
func (s *state) now() (time.Time, error) {
	f, err := os.CreateTemp(s.dir, ".clock-*")
	if err != nil {
		return time.Time{}, fmt.Errorf("batch: %w: %w", session.ErrOutput, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, fmt.Errorf("batch: %w: %w", session.ErrOutput, err)
	}
	return info.ModTime(), nil
}

// claim takes an image for this process, or says that somebody else has it. A
// claim that was not touched for a while belonged to a process that died, and is
// taken over. Should two take over the same one at the same moment, both do the
// work and write the same bytes.
func (s *state) claim(name string) (release func(), ok bool, err error) {
	path := s.path(name, ".claim")
	for range 2 {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		switch {
		case err == nil:
			fmt.Fprintln(f, s.me)
			f.Close()
			return s.hold(path), true, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, false, fmt.Errorf("batch: %w: %w", session.ErrOutput, err)
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // just released
		}
		if err != nil {
			return nil, false, fmt.Errorf("batch: %w", err)
		}
		now, err := s.now()
		if err != nil {
			return nil, false, err
		}
		if now.Sub(info.ModTime()) < s.stale {
			return nil, false, nil
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, false, fmt.Errorf("batch: %w: %w", session.ErrOutput, err)
		}
	}
	return nil, false, nil
}

// hold touches a claim until it is released.
func (s *state) hold(path string) (release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(max(s.stale/8, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
					fmt.Fprintln(f, s.me) // a write sets the server's time
					f.Close()
				}
			}
		}
	})
	return func() {
		cancel()
		wait.Wait()
		os.Remove(path)
	}
}

// records reads all there are, in the order of their names.
func (s *state) records() ([]Record, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	var out []Record
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			if r := s.record(name); r != nil {
				out = append(out, *r)
			}
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// LogFile is the name of the log in the output folder.
const LogFile = "batch.jsonl"

// writeLog writes every record to the log, one per line; once more if another
// process kept a record meanwhile, so that whoever writes last has them all.
func (s *state) writeLog() error {
	all, err := s.records()
	for err == nil {
		var text []byte
		for _, r := range all {
			line, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("batch: %w", err)
			}
			text = append(append(text, line...), '\n')
		}
		if err := session.WriteFile(filepath.Join(filepath.Dir(s.dir), LogFile), text); err != nil {
			return err
		}
		written := len(all)
		if all, err = s.records(); len(all) == written {
			break
		}
	}
	return err
}
