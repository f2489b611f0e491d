package deconv

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// smoother brings scenes to a target resolution.
type smoother struct {
	fwhm     float64
	x        *engine.Tensor // (C, H, W)
	spec     *engine.Tensor
	transfer *engine.Tensor // (H, W/2+1), for every band
	whole    []float32      // of tiles: the scene that is being made
}

// Smooth convolves a scene on the grid, in place, with a Gaussian of FWHM fwhm pixels: the
// target PSF that a result is shown at (as Michalewicz+2023, STARRED, reconstruct at a
// narrow Gaussian). Below the data's resolution a scene is known by its prior alone; what
// is asked at a finite resolution the data can answer better.
func (p *Problem) Smooth(scene []float32, fwhm float64) error {
	m, grid := &p.smoother, p.Grid
	if p.tiling != nil {
		grid = p.tiling.Tile
	}
	if m.x == nil {
		d := grid.Domain()
		for _, a := range []struct {
			t     **engine.Tensor
			shape engine.Shape
		}{{&m.x, d}, {&m.spec, d.Spectrum()}, {&m.transfer, engine.Shape{d[0], d[1], d[2]/2 + 1}}} {
			var err error
			if *a.t, err = p.dev.Alloc(a.shape); err != nil {
				return fmt.Errorf("deconv: target resolution: %w", err)
			}
		}
	}
	s := p.stream
	if m.fwhm != fwhm {
		s.Upload(m.transfer, gaussianTransfer(grid, fwhm))
		m.fwhm = fwhm
	}
	if p.tiling != nil {
		return p.smoothTiles(scene)
	}
	m.filter(s, scene)
	return s.Err()
}

// filter smooths a scene on the grid of x, in place.
func (m *smoother) filter(s engine.Stream, scene []float32) {
	s.Upload(m.x, scene)
	s.RFFT2(m.spec, m.x)
	s.CScale(m.spec, m.spec, m.transfer)
	s.IRFFT2(m.x, m.spec)
	s.Download(scene, m.x)
}

// smoothTiles smooths tile by tile.
func (p *Problem) smoothTiles(scene []float32) error {
	m, t := &p.smoother, p.tiling
	if len(m.whole) != len(scene) {
		m.whole = make([]float32, len(scene))
	}
	clear(m.whole)
	all := solvers.Image{C: t.Whole.C, H: t.Whole.H, W: t.Whole.W, Pix: scene}
	for i := range t.Count() {
		row, col := t.At(i)
		part, weights := all.Crop(col, col+t.Tile.W, row, row+t.Tile.H), t.Weights(i)
		m.filter(p.stream, part.Pix)
		for k, v := range part.Pix {
			y, x := k/t.Tile.W, k%t.Tile.W
			m.whole[((y/t.Tile.H)*t.Whole.H+y%t.Tile.H+row)*t.Whole.W+x+col] += v * weights[k%len(weights)]
		}
	}
	copy(scene, m.whole)
	return p.stream.Err()
}

// SmoothMemory is what Smooth takes on the device, in bytes.
func SmoothMemory(g operator.Grid) int64 { return 4 * 4 * int64(g.C) * int64(g.H) * int64(g.W) }

func (m *smoother) close() {
	for _, t := range []*engine.Tensor{m.x, m.spec, m.transfer} {
		t.Free()
	}
}

// gaussianTransfer is the Fourier transform of a Gaussian of FWHM fwhm pixels that is
// sampled at the pixels' centres, wide enough (2 px at least) not to be aliased.
func gaussianTransfer(g operator.Grid, fwhm float64) []float32 {
	sigma := fwhm / (2 * math.Sqrt(2*math.Ln2))
	half := g.W/2 + 1
	out := make([]float32, 0, g.C*g.H*half)
	for range g.C {
		for y := range g.H {
			for x := range half {
				k := 2 * math.Pi * math.Hypot(gaussian.Frequency(y, g.H), float64(x)/float64(g.W))
				out = append(out, float32(math.Exp(-k*k*sigma*sigma/2)))
			}
		}
	}
	return out
}
