package session

import (
	"fmt"
	"math"

	"limpid"
	"limpid/app/calibration"
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

// findFaint looks for the table that the run's faint pixels are mapped by, where that is asked
// for: of the learned prior's weights, measured on single images with white noise and nothing
// beside the scene.
func (w *work) findFaint() error {
	m := w.obs.Recipe.Method
	if w.set.Method != deconv.Learned || !m.Recalibrate {
		return nil
	}
	none := func(why, advice string) {
		w.findings = append(w.findings, limpid.Finding{
			Severity: limpid.Warning, Code: "faint.none", Where: "prior", What: "faint pixels are as sampled: " + why, Advice: advice,
		})
	}
	if m.Resolution > 0 || w.set.FreeSky || len(w.set.Stars) > 0 || w.obs.Obs.Colour != nil || w.obs.Obs.Exposures != nil {
		none("simulations were of single images with independent noise, without a target resolution, stars or a free sky", "leave these out to have faint pixels recalibrated")
		return nil
	}
	var err error
	if w.faint, err = calibration.Faint(w.prior); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if w.faint == nil {
		none("no simulations of them were made with this prior", "make them: limpid-cli calibrate --learn")
		return nil
	}
	w.findings = append(w.findings, limpid.Finding{
		Severity: limpid.Info, Code: "faint.mapped", Where: "samples",
		What:   fmt.Sprintf("each pixel fainter than the noise is mapped to what %d simulations say of such pixels", w.faint.Pairs),
		Advice: "do not sum many faint pixels of samples: errors of sums come out too small; the fluxes given here are as sampled",
	})
	return nil
}
