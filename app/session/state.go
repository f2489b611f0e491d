package session

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"limpid/app/file"
	"limpid/app/recipe"
	"limpid/solvers/summary"
)

// State is how far a run came: enough to go on with the same samples, bit for bit, as
// if it had never stopped.
type State struct {
	Recipe  recipe.Recipe // as it was asked for, with the checksum of its file
	Draws   int
	Next    int         // step
	Partial int         // draws of step Next that are in
	Chi2    []float64   // sums over the draws, per band
	Beside  [][]float64 // sky and stars of every draw: deconv.Problem.BesideRows
	Scenes  []byte      // summary.Summary's own
}

// stateVersion is of the format; other versions are refused.
const stateVersion = "limpid state 1\n"

// ErrState marks a saved state that cannot be read or is of another run.
var ErrState = errors.New("the run cannot go on from this state")

// States says which runs leave a State.
type States int

// The default is none.
const (
	NoStates        States = iota
	StatesOfStopped        // of runs that were cancelled or failed
	StatesOfAll            // of complete runs too: more samples may be asked for
)

// KeepStates makes runs that begin afterwards leave a State, which takes a little more
// memory than their samples again; a run for which that is not free leaves none.
func (s *Session) KeepStates(of States) { s.states = of }

// TakeState is where a run that has ended stood, which the run forgets; nil where it drew
// nothing, has not ended, or its state is not kept.
func (r *Run) TakeState() *State {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.state
	r.state = nil
	return st
}

// keepState makes the State of what a run holds when it ends. Estimates without draws are
// not worth going on with.
func (r *Run) keepState(w *work, complete bool) {
	if r.s.states == NoStates || complete && r.s.states != StatesOfAll || !w.draws || w.sum == nil || w.problem == nil || w.sum.Draws() == 0 {
		return
	}
	const copies = 4 // the encoder's, and what a buffer that grows holds twice
	if copies*summary.Memory(w.problem.Grid, r.summaryOptions(min(w.keep, w.sum.Draws()))) > freeMemory() {
		return
	}
	var b bytes.Buffer
	if err := w.sum.Save(&b); err != nil {
		return // without a state the run begins again
	}
	sums, _ := w.problem.Chi2Sums()
	rec := r.Recipe // not as it ran: what was measured is measured again
	rec.Method.Tile = w.set.Tile
	rec.Input.SHA256 = w.obs.Recipe.Input.SHA256
	st := &State{Recipe: rec, Draws: w.sum.Draws(), Next: w.next, Partial: w.partial, Chi2: sums, Beside: w.problem.BesideRows(), Scenes: b.Bytes()}
	r.mu.Lock()
	r.state = st
	r.mu.Unlock()
}

// Resume goes on with a run that ended, up to samples draws in all (0: as many as its
// recipe asks for). Draws are numbered: the first ones are those of the state, the
// others those that the run would have given.
func (s *Session) Resume(ctx context.Context, st *State, samples int) (*Run, error) {
	r := st.Recipe
	if samples > 0 {
		r.Draw.Samples = samples
	}
	if r.Draw.Samples <= st.Draws {
		return nil, fmt.Errorf("%w: it holds %d samples, and %d are asked for", ErrState, st.Draws, r.Draw.Samples)
	}
	return s.begin(ctx, r, st)
}

// Differs names the first part of a recipe in which st's is another than r, other than the
// number of samples and what does not change the result; empty: they are the same.
func (st *State) Differs(r recipe.Recipe) string {
	a := st.Recipe
	if r.Input.SHA256 == "" {
		a.Input.SHA256 = ""
	}
	if r.Method.Tile == 0 { // whatever fitted into memory
		a.Method.Tile = 0
	}
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"image", a.Input, r.Input},
		{"PSF", a.PSF, r.PSF},
		{"noise", a.Noise, r.Noise},
		{"sky", a.Sky, r.Sky},
		{"mask", a.Mask, r.Mask},
		{"stars", a.Stars, r.Stars},
		{"method", a.Method, r.Method},
		{"prior", a.Prior, r.Prior},
		{"seed", a.Draw.Seed, r.Draw.Seed},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			return part.name
		}
	}
	return ""
}

// adopt gives a run that begins what a state holds.
func (w *work) adopt(st *State) error {
	if err := w.sum.Restore(bytes.NewReader(st.Scenes)); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if w.sum.Draws() != st.Draws || st.Next < 0 || st.Partial < 0 || !w.problem.SetChi2Sums(st.Chi2, st.Draws) || !w.problem.SetBesideRows(st.Beside) {
		return fmt.Errorf("%w: it is damaged", ErrState)
	}
	w.next, w.partial = st.Next, st.Partial
	w.meanFirst = w.sum.GridEstimate() != nil
	return nil
}

// Write saves a state as a file, whole or not at all.
func (st *State) Write(path string) error {
	var b bytes.Buffer
	b.WriteString(stateVersion)
	if err := gob.NewEncoder(&b).Encode(st); err != nil {
		return fmt.Errorf("%w: %w", ErrOutput, err)
	}
	if err := file.WriteBytes(path, b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", ErrOutput, err)
	}
	return nil
}

// ReadState reads a saved state.
func ReadState(path string) (*State, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("session: state: %w", err)
	}
	defer f.Close()
	head := make([]byte, len(stateVersion))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != stateVersion {
		return nil, fmt.Errorf("%w: %s is not a state that this version wrote", ErrState, filepath.Base(path))
	}
	st := &State{}
	if err := gob.NewDecoder(f).Decode(st); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged: %w", ErrState, filepath.Base(path), err)
	}
	if err := st.Recipe.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, filepath.Base(path), err)
	}
	return st, nil
}
