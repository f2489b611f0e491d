package session

import (
	"fmt"
	"runtime/debug"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/operator"
	"limpid/solvers/summary"
)

// tileSides are the sides of tiles that are tried, when one grid for the whole image does
// not fit into memory.
var tileSides = []int{1024, 512, 256}

// fewestKept is the least number of samples that a run in tiles may keep.
const fewestKept = 2

// BoundMemory makes the collector of garbage work harder as the program comes near to nine
// tenths of the memory that is free now: without it a heap may grow to twice what is in use.
// Programs call it once, at the start.
func BoundMemory() { debug.SetMemoryLimit(freeMemory() / 10 * 9) }

// CheckMemory is ErrMemory where what, which takes so many bytes, does not fit into the memory that is free.
func CheckMemory(what string, bytes int64) error {
	if free := freeMemory(); bytes > free {
		return fmt.Errorf("session: %s takes %.1f GiB, %.1f GiB are free: %w", what, gib(bytes), gib(free), ErrMemory)
	}
	return nil
}

// checkMemory refuses a run that cannot fit before anything large is allocated, or has it
// work in tiles.
func (r *Run) checkMemory(w *work) error {
	if side := r.Recipe.Method.Tile; side > 0 {
		return r.tile(w, side, "the recipe asks for tiles")
	}
	d, p, m := w.obs.Obs.Data, w.obs.Obs.PSF, w.set.Method
	grid := deconv.GridOf(m, d.C, d.H, d.W, p.H, p.W)
	onDevice := deconv.Memory(m, d.C, d.H, d.W, p.H, p.W)
	onDevice += deconv.ShareMemory(grid) // more than a target resolution takes
	onDevice += w.set.BesideMemory(w.obs.Obs, grid)
	onDevice += deconv.VaryingMemory(grid, len(w.obs.Obs.Field.Nodes))
	if list := w.obs.Obs.Exposures; list != nil {
		onDevice += deconv.ExposuresMemory(m, grid, list)
	}
	if w.obs.Obs.Colour != nil {
		onDevice += deconv.ColourMemory(m, grid)
	}
	onHost := summary.Memory(grid, r.summaryOptions(w.keep)) + w.faintMemory(w.keep)
	if budget := w.dev.Info().Memory; budget > 0 && onDevice > budget {
		err := fmt.Errorf("session: the run needs %.1f GiB on the %s, which has %.1f GiB: %w", gib(onDevice), w.dev.Info().Kind, gib(budget), ErrMemory)
		to := r.s.spare(w.dev)
		if to == nil {
			return r.orTiles(w, err)
		}
		w.findings = append(w.findings, moved(err, w.dev, to, 0))
		w.dev = to
		return r.checkMemory(w)
	}
	if free := freeMemory(); onDevice+onHost > free {
		return r.orTiles(w, fmt.Errorf("session: the run needs about %.1f GiB (%.1f of it for %d samples), %.1f GiB are free: %w",
			gib(onDevice+onHost), gib(onHost), w.keep, gib(free), ErrMemory))
	}
	return nil
}

// faintMemory is what copies of the samples take.
func (w *work) faintMemory(samples int) int64 {
	if w.faint == nil {
		return 0
	}
	return int64(samples) * 4 * int64(len(w.obs.Obs.Data.Pix))
}

// orTiles has a run that does not fit work in the largest tiles that do, else err stands.
func (r *Run) orTiles(w *work, err error) error {
	if !w.set.Method.Tiles() || w.obs.Obs.Field.Nodes != nil || w.obs.Obs.Exposures != nil || w.set.FreeSky || len(w.set.Stars) > 0 || r.Recipe.Method.Resolution > deconv.MostTiledResolution {
		return err
	}
	for _, side := range tileSides {
		if side < max(w.obs.Obs.Data.H, w.obs.Obs.Data.W) && r.tile(w, side, plain(err.Error())) == nil {
			return nil
		}
	}
	return err
}

// tile has a run work in tiles of side pixels and keep as many samples as fit; an error
// where it does not fit.
func (r *Run) tile(w *work, side int, why string) error {
	d, psf := w.obs.Obs.Data, w.obs.Obs.PSF
	onDevice, err := deconv.TileMemory(w.set.Method, d.H, d.W, psf, side, w.obs.Obs.Colour != nil)
	if err != nil {
		return err
	}
	if budget := w.dev.Info().Memory; budget > 0 && onDevice > budget {
		return fmt.Errorf("session: the run needs %.1f GiB in tiles of %d pixels on the %s, which has %.1f GiB: %w", gib(onDevice), side, w.dev.Info().Kind, gib(budget), ErrMemory)
	}
	grid := operator.Grid{C: d.C, H: d.H + psf.H, W: d.W + psf.W, ImgH: d.H, ImgW: d.W}
	image := 4 * int64(len(d.Pix))
	free := freeMemory()
	need := func(keep int) int64 { // a sample is held again while it is written, and a result beside the run
		return onDevice + summary.Memory(grid, r.summaryOptions(keep)) + w.faintMemory(keep) + (6+int64(keep))*image
	}
	keep := w.keep
	for keep > fewestKept && need(keep) > free {
		keep--
	}
	if n := need(keep); n > free {
		return fmt.Errorf("session: the run needs about %.1f GiB in tiles of %d pixels, %.1f GiB are free: %w", gib(n), side, gib(free), ErrMemory)
	}
	w.set.Tile = side
	w.findings = append(w.findings, tiled(d, side, why))
	if keep < w.keep {
		w.findings = append(w.findings, limpid.Finding{
			Severity: limpid.Warning, Code: "run.kept", Where: "samples",
			What:   fmt.Sprintf("memory holds %d of %d samples: the first are kept, mean and standard deviation are of all", keep, w.keep),
			Advice: "samples of a part: work on a cut-out",
		})
		w.keep = keep
	}
	return nil
}

func tiled(d solvers.Image, side int, why string) limpid.Finding {
	return limpid.Finding{
		Severity: limpid.Info, Code: "run.tiles", Where: "memory",
		What: fmt.Sprintf("%d×%d pixels are worked in overlapping tiles of %d, with one prior and the same random numbers for a pixel in every tile: %s", d.W, d.H, side, why),
	}
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }
