package sims

import (
	"fmt"
	"math"

	"limpid/engine"
)

// Images gives patches cut from images, turned and mirrored at random. It may be used
// by several goroutines at once.
type Images struct {
	What string
	RMS  float64 // of the noise in the images; 0: none

	images []plane
	starts []int // patches before an image, for drawing by area
	side   int
}

type plane struct {
	pix  []float32
	h, w int
}

// NewImages returns the source without images, for patches of side pixels.
func NewImages(what string, rms float64, side int) *Images {
	return &Images{What: what, RMS: rms, side: side, starts: []int{0}}
}

// Add takes an image (h, w) that is not changed any more. One that is too small for a
// patch, or has fewer than half of its pixels finite, is refused.
func (m *Images) Add(pix []float32, h, w int) error {
	if h < m.side || w < m.side {
		return fmt.Errorf("%d×%d pixels are too few for patches of %d", w, h, m.side)
	}
	good := 0
	for _, v := range pix {
		if !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
			good++
		}
	}
	if 2*good < len(pix) {
		return fmt.Errorf("%d of %d pixels have no value", len(pix)-good, len(pix))
	}
	m.images = append(m.images, plane{pix, h, w})
	m.starts = append(m.starts, m.starts[len(m.starts)-1]+(h-m.side+1)*(w-m.side+1))
	return nil
}

// Side is that of its patches.
func (m *Images) Side() int { return m.side }

// Len is the number of images.
func (m *Images) Len() int { return len(m.images) }

// About says what the images are.
func (m *Images) About() string { return m.What }

// Noise is the rms of the noise that patches hold.
func (m *Images) Noise(engine.Key) float64 { return m.RMS }

// tries is how often a patch with missing pixels is drawn again.
const tries = 50

// Patch fills dst with a patch; where every try met missing pixels they are 0.
func (m *Images) Patch(dst []float32, side int, key engine.Key) {
	if side != m.side {
		panic(fmt.Sprintf("sims: patches of %d pixels, made for %d", side, m.side))
	}
	rng := Rand(key)
	for range tries {
		at := rng.IntN(m.starts[len(m.starts)-1])
		i := 0
		for m.starts[i+1] <= at {
			i++
		}
		p := m.images[i]
		at -= m.starts[i]
		y, x := at/(p.w-side+1), at%(p.w-side+1)
		if p.cut(dst, side, y, x, rng.IntN(8)) {
			return
		}
	}
}

// cut copies a patch in one of eight orientations and says whether it is complete.
func (p plane) cut(dst []float32, side, y0, x0, turn int) bool {
	ok := true
	for i := range side {
		for j := range side {
			y, x := i, j
			if turn&1 != 0 {
				y = side - 1 - y
			}
			if turn&2 != 0 {
				x = side - 1 - x
			}
			if turn&4 != 0 {
				y, x = x, y
			}
			v := p.pix[(y0+y)*p.w+x0+x]
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				v, ok = 0, false
			}
			dst[i*side+j] = v
		}
	}
	return ok
}
