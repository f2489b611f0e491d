package deconv

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// Smoother brings scenes on a grid to a target resolution: it convolves them with a Gaussian.
type Smoother struct {
	fwhm     float64
	stream   engine.Stream
	x        *engine.Tensor // (C, H, W)
	spec     *engine.Tensor
	transfer *engine.Tensor // (H, W/2+1), for every band
}

// NewSmoother makes one for a Gaussian of FWHM fwhm pixels. Close frees its tensors.
func NewSmoother(dev engine.Device, s engine.Stream, g operator.Grid, fwhm float64) (*Smoother, error) {
	m, d := &Smoother{fwhm: fwhm, stream: s}, g.Domain()
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&m.x, d}, {&m.spec, d.Spectrum()}, {&m.transfer, engine.Shape{d[0], d[1], d[2]/2 + 1}}} {
		var err error
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			m.Close()
			return nil, fmt.Errorf("deconv: target resolution: %w", err)
		}
	}
	s.Upload(m.transfer, gaussianTransfer(g, fwhm))
	return m, s.Err()
}

// Smooth smooths a scene (C, H, W) on the grid, in place.
func (m *Smoother) Smooth(scene []float32) error {
	s := m.stream
	s.Upload(m.x, scene)
	s.RFFT2(m.spec, m.x)
	s.CScale(m.spec, m.spec, m.transfer)
	s.IRFFT2(m.x, m.spec)
	s.Download(scene, m.x)
	return s.Err()
}

// Close frees what it holds; nothing of nil.
func (m *Smoother) Close() {
	if m == nil {
		return
	}
	for _, t := range []*engine.Tensor{m.x, m.spec, m.transfer} {
		t.Free()
	}
}

// Smooth convolves a scene on the grid, in place, with a Gaussian of FWHM fwhm pixels: the
// target PSF that a result is shown at (as Michalewicz+2023, STARRED, reconstruct at a
// narrow Gaussian). Below the data's resolution a scene is known by its prior alone; what
// is asked at a finite resolution the data can answer better.
func (p *Problem) Smooth(scene []float32, fwhm float64) error {
	if p.smoother == nil || p.smoother.fwhm != fwhm {
		grid := p.Grid
		if p.tiling != nil {
			grid = p.tiling.Tile
		}
		m, err := NewSmoother(p.dev, p.stream, grid, fwhm)
		if err != nil {
			return err
		}
		p.smoother.Close()
		p.smoother = m
	}
	if p.tiling != nil {
		return p.smoothTiles(scene)
	}
	return p.smoother.Smooth(scene)
}

// smoothTiles smooths tile by tile.
func (p *Problem) smoothTiles(scene []float32) error {
	t := p.tiling
	if len(p.smoothed) != len(scene) {
		p.smoothed = make([]float32, len(scene))
	}
	clear(p.smoothed)
	all := solvers.Image{C: t.Whole.C, H: t.Whole.H, W: t.Whole.W, Pix: scene}
	for i := range t.Count() {
		row, col := t.At(i)
		part, weights := all.Crop(col, col+t.Tile.W, row, row+t.Tile.H), t.Weights(i)
		if err := p.smoother.Smooth(part.Pix); err != nil {
			return err
		}
		for k, v := range part.Pix {
			y, x := k/t.Tile.W, k%t.Tile.W
			p.smoothed[((y/t.Tile.H)*t.Whole.H+y%t.Tile.H+row)*t.Whole.W+x+col] += v * weights[k%len(weights)]
		}
	}
	copy(scene, p.smoothed)
	return nil
}

// SmoothMemory is what Smooth takes on the device, in bytes.
func SmoothMemory(g operator.Grid) int64 { return 4 * 4 * int64(g.C) * int64(g.H) * int64(g.W) }

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
