package session

import (
	"fmt"
	"math"

	"limpid/app/calibration"
	"limpid/app/training"
	"limpid/solvers"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
)

// shown is what a run has found, in the solver's unit.
type shown struct {
	mean, std solvers.Image
	samples   []solvers.Image
	grid      []float32 // the mean on the grid, not smoothed
	pairs     int       // that the table of faint pixels is of; 0: as sampled
}

// shown maps faint pixels where that was measured.
func (w *work) shown() shown {
	out := shown{mean: w.sum.Mean(), std: w.sum.Std(), samples: w.sum.Samples(), grid: w.sum.GridMean()}
	if w.faint == nil || w.sum.Draws() < calibrate.FaintFew {
		return out
	}
	out.pairs = w.faint.Pairs
	kept := out.samples
	out.samples = nil
	draws := make([][]float32, len(kept))
	for i, s := range kept {
		out.samples = append(out.samples, s.Clone())
		draws[i] = out.samples[i].Pix
	}
	weights := w.obs.Obs.Weights.Pix
	w.faint.Map(out.mean.Pix, out.std.Pix, draws, func(i int) float64 {
		if weights[i] <= 0 {
			return 0
		}
		return 1 / math.Sqrt(float64(weights[i]))
	})
	g := w.problem.Grid
	for c := range g.C {
		for y := range g.ImgH {
			copy(out.grid[(c*g.H+y+g.Row)*g.W+g.Col:][:g.ImgW], out.mean.Pix[(c*g.ImgH+y)*g.ImgW:])
		}
	}
	return out
}

// findFaint is the table that the run's faint pixels are mapped by: of the learned prior's weights,
// measured on single images with white noise, and nothing beside the scene. nil where none is.
func findFaint(e training.Entry, set deconv.Settings, o *Observed) (*calibrate.Faint, error) {
	m := o.Recipe.Method
	if set.Method != deconv.Learned || m.AsSampled || m.Resolution > 0 || set.FreeSky || len(set.Stars) > 0 || o.Obs.Colour != nil || o.Obs.Exposures != nil {
		return nil, nil
	}
	f, err := calibration.Faint(e)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return f, nil
}
