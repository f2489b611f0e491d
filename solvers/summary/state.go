package summary

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"slices"

	"limpid/solvers"
	"limpid/solvers/operator"
)

// ErrOther marks a saved summary that is of other scenes than the one that reads it.
var ErrOther = errors.New("saved by another run")

// saved is a Summary as it is written.
type saved struct {
	Grid     operator.Grid
	Smooth   bool
	Estimate []float32
	Shown    []float32
	Preview  bool
	Draws    int
	Mean, M2 []float64
	Raw      []float64
	Samples  []solvers.Image
	Traces   [][]float64
}

// Save writes all that was taken in, so that Restore goes on from it with the same
// result, bit for bit.
func (s *Summary) Save(w io.Writer) error {
	out := saved{
		Grid: s.grid, Smooth: s.opt.Smooth != nil, Estimate: s.estimate, Shown: s.shown, Preview: s.preview,
		Draws: s.draws, Mean: s.mean, M2: s.m2, Samples: s.samples, Traces: s.traces,
	}
	if out.Smooth {
		out.Raw = s.raw
	}
	if err := gob.NewEncoder(w).Encode(out); err != nil {
		return fmt.Errorf("summary: save: %w", err)
	}
	return nil
}

// Restore reads what Save wrote of scenes on the same grid, smoothed or not as this
// summary's. The samples beyond Keep are dropped.
func (s *Summary) Restore(r io.Reader) error {
	var in saved
	if err := gob.NewDecoder(r).Decode(&in); err != nil {
		return fmt.Errorf("summary: restore: %w", err)
	}
	n := len(s.mean)
	switch {
	case in.Grid != s.grid || in.Smooth != (s.opt.Smooth != nil):
		return fmt.Errorf("summary: scenes of %d × %d × %d pixels: %w", in.Grid.C, in.Grid.H, in.Grid.W, ErrOther)
	case len(in.Mean) != n || len(in.M2) != n || in.Smooth && len(in.Raw) != n || len(in.Traces) != len(s.traces) || in.Draws < 0,
		len(in.Estimate) != 0 && len(in.Estimate) != n, len(in.Shown) != len(in.Estimate):
		return fmt.Errorf("summary: restore: the saved state is damaged")
	}
	for _, t := range in.Traces {
		if len(t) != in.Draws {
			return fmt.Errorf("summary: restore: the saved state is damaged")
		}
	}
	for _, im := range in.Samples {
		if im.C != s.grid.C || im.H != s.grid.ImgH || im.W != s.grid.ImgW || len(im.Pix) != len(s.window.Pix) {
			return fmt.Errorf("summary: restore: the saved state is damaged")
		}
	}
	s.mean, s.m2, s.raw, s.draws, s.preview = in.Mean, in.M2, in.Mean, in.Draws, in.Preview
	if in.Smooth {
		s.raw = in.Raw
	}
	s.estimate, s.shown = nil, nil
	if len(in.Estimate) > 0 {
		s.estimate, s.shown = in.Estimate, in.Shown
	}
	s.samples = slices.Clip(in.Samples[:min(len(in.Samples), s.opt.Keep)])
	s.traces = in.Traces
	return nil
}
