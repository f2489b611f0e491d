// Package figure turns planes of numbers into pictures: stretches, display
// limits, colour tables, statistics, and a renderer fast enough to follow the
// mouse over a 4096² image.
//
// A Plane is (H, W), row-major, with row 0 at the bottom as in FITS. NaN and
// infinities mean "no value" and are drawn in a colour of their own. Pixel
// coordinates are those of the whole program: (0, 0) is the centre of the first
// pixel, x runs along a row, y from row to row.
//
// Nothing here knows about windows or files. Images and Tables may be read by
// several goroutines; a Renderer belongs to one.
package figure

import (
	"fmt"
	"math"
	"sync"
)

// Plane is one plane of an image: Data[y*W+x], row 0 at the bottom.
type Plane struct {
	Data []float32
	W, H int
}

// check reports what is wrong with a plane before anything indexes it.
func (p Plane) check() error {
	if p.W < 1 || p.H < 1 {
		return fmt.Errorf("figure: a plane of %d × %d pixels has nothing to show", p.W, p.H)
	}
	if p.W > math.MaxInt32 || p.H > math.MaxInt32 || len(p.Data)/p.W < p.H {
		return fmt.Errorf("figure: a plane of %d × %d pixels with %d values", p.W, p.H, len(p.Data))
	}
	return nil
}

// Image is a plane prepared for display: with it come reduced copies (each half
// as wide and high as the one before) so that a zoomed-out view costs no more
// than a zoomed-in one, and statistics computed when first asked for.
//
// The plane's values are used in place, not copied: whoever changes them must
// make a new Image, or call Reset.
type Image struct {
	levels []Plane // levels[0] is the plane itself

	mu    sync.Mutex
	stats *Stats
	rev   int // counts Resets
}

// NewImage prepares a plane. It needs a third of the plane's memory on top.
// It may run on any goroutine; a 4096² plane takes a few tens of milliseconds.
func NewImage(p Plane) (*Image, error) {
	im := &Image{}
	if err := im.Reset(p); err != nil {
		return nil, err
	}
	return im, nil
}

// Reset replaces the plane, using the memory of the old reduced copies again
// where the size is the same. Nobody may be rendering the image meanwhile.
func (im *Image) Reset(p Plane) error {
	if err := p.check(); err != nil {
		return err
	}
	im.mu.Lock()
	im.stats = nil
	im.rev++
	im.mu.Unlock()
	same := len(im.levels) > 0 && im.levels[0].W == p.W && im.levels[0].H == p.H
	if !same {
		im.levels = im.levels[:0:0]
		im.levels = append(im.levels, p)
		for w, h := p.W, p.H; w > 1 || h > 1; {
			w, h = (w+1)/2, (h+1)/2
			im.levels = append(im.levels, Plane{Data: make([]float32, w*h), W: w, H: h})
		}
	}
	im.levels[0] = p
	for k := 1; k < len(im.levels); k++ {
		halve(im.levels[k], im.levels[k-1])
	}
	return nil
}

// Size is the width and height in pixels.
func (im *Image) Size() (w, h int) { return im.levels[0].W, im.levels[0].H }

// Plane is the plane the image was made from.
func (im *Image) Plane() Plane { return im.levels[0] }

// At is the value of pixel (x, y); ok is false outside the image. The value may
// be NaN.
func (im *Image) At(x, y int) (v float32, ok bool) {
	p := im.levels[0]
	if x < 0 || y < 0 || x >= p.W || y >= p.H {
		return 0, false
	}
	return p.Data[y*p.W+x], true
}

// finite is false for NaN and ±Inf.
func finite(v float32) bool { return v-v == 0 }

// halve writes the mean of every 2×2 block of src to dst. Values that are not
// finite are left out of the mean; a block without any becomes NaN.
func halve(dst, src Plane) {
	for y := range dst.H {
		out := dst.Data[y*dst.W : (y+1)*dst.W]
		lo := src.Data[2*y*src.W : (2*y+1)*src.W]
		hi := lo
		if 2*y+1 < src.H {
			hi = src.Data[(2*y+1)*src.W : (2*y+2)*src.W]
		}
		full := src.W / 2
		halveRow(out[:full], lo[:2*full], hi[:2*full])
		if full < dst.W {
			last := src.W - 1
			out[full] = meanFinite(lo[last], lo[last], hi[last], hi[last])
		}
	}
}

func halveRow(out, lo, hi []float32) {
	for x := range out {
		a, b := lo[2*x:2*x+2], hi[2*x:2*x+2]
		s := (a[0] + a[1]) + (b[0] + b[1])
		if s-s != 0 {
			out[x] = meanFinite(a[0], a[1], b[0], b[1])
			continue
		}
		out[x] = s * 0.25
	}
}

// meanFinite is the slow, careful path of halveRow; float64 so that values near
// the largest float32 do not overflow on the way.
func meanFinite(vs ...float32) float32 {
	var sum float64
	n := 0
	for _, v := range vs {
		if finite(v) {
			sum += float64(v)
			n++
		}
	}
	if n == 0 {
		return float32(math.NaN())
	}
	return float32(sum / float64(n))
}
