package operator

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"limpid/engine"
	"limpid/solvers"
)

// Exposures is super-resolution: one scene on pixels that may be finer than the detectors',
// seen in several exposures that lie on it as they like (dithered, turned, of other
// pixels),
//
//	(A x)_i = a_e (P_e ∗ x)(p_i),
//
// p_i the place of the detector pixel i of exposure e, P_e the PSF with the integration over the
// detector's pixel, a_e that pixel's area: flux is kept. Between the scene's pixels P_e ∗ x is
// a spline of fifth order through its values (Unser 1999), whose prefilter is part of
// P_e's transfer function; places are rounded to 1/4096 px. Its range is (1, 1, N), all pixels
// that are not masked in the order of solvers.Seen. Sums over places are done on the host in a
// fixed order.
type Exposures struct {
	Grid
	parts []exposed
	seen  int
	power []float64
	batch int

	spec, sum *engine.Tensor // (batch, 1, H, W/2+1, 2)
	real      *engine.Tensor // (batch, 1, H, W)
	host      []float32      // (batch, H, W)
	images    []float32      // (batch, N)
}

// exposed is one exposure.
type exposed struct {
	transfer *engine.Tensor // (1, H, W/2+1, 2), with the spline's prefilter
	area     float32
	first    int     // of its pixels among all
	corner   []int32 // of every pixel: the first of its 6 × 6 taps on the grid
	phase    [][2]uint16
}

// Taps of a spline of fifth order, and the steps that places are rounded to.
const (
	splineTaps = 6
	phases     = 4096
)

// splineTable is the weight of every tap at every phase between two pixels.
var splineTable = sync.OnceValue(func() [][splineTaps]float32 {
	out := make([][splineTaps]float32, phases)
	for p := range out {
		t := float64(p) / phases
		for k := range splineTaps {
			out[p][k] = float32(spline5(t - float64(k-2)))
		}
	}
	return out
})

// spline5 is the central B-spline of fifth order.
func spline5(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return 0.55 - x*x/2 + x*x*x*x/4 - x*x*x*x*x/12
	case x < 2:
		return 17.0/40 + 5*x/8 - 7*x*x/4 + 5*x*x*x/4 - 3*x*x*x*x/8 + x*x*x*x*x/24
	case x < 3:
		return math.Pow(3-x, 5) / 120
	}
	return 0
}

// splinePower is the transform of spline5 at the pixels.
func splinePower(k float64) float64 {
	return (66 + 52*math.Cos(2*math.Pi*k) + 2*math.Cos(4*math.Pi*k)) / 120
}

// NewExposures makes the operator on a grid whose image is that of the exposures' places, for
// up to batch scenes.
func NewExposures(dev engine.Device, s engine.Stream, list []solvers.Exposure, g Grid, batch int) (*Exposures, error) {
	if g.C != 1 {
		return nil, fmt.Errorf("operator: exposures of %d bands: one at a time", g.C)
	}
	o := &Exposures{Grid: g, seen: solvers.Seen(list, nil), batch: batch}
	if o.seen == 0 {
		return nil, fmt.Errorf("operator: no pixel of %d exposures lies on the scene and is not masked", len(list))
	}
	domain := engine.Shape{batch, 1, g.H, g.W}
	var err error
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&o.spec, domain.Spectrum()}, {&o.sum, domain.Spectrum()}, {&o.real, domain}} {
		if *a.t, err = dev.Alloc(a.shape); err != nil {
			o.Close()
			return nil, fmt.Errorf("operator: %d exposures on a %d×%d grid: %w", len(list), g.H, g.W, err)
		}
	}
	o.host, o.images = make([]float32, batch*g.H*g.W), make([]float32, batch*o.seen)
	o.power = make([]float64, g.H*(g.W/2+1))
	first := 0
	for _, e := range list {
		p, err := o.expose(dev, s, e)
		if err != nil {
			o.Close()
			return nil, err
		}
		p.first = first
		first += len(p.corner)
		o.parts = append(o.parts, p)
	}
	return o, s.Err()
}

// expose places the pixels of an exposure and adds its power.
func (o *Exposures) expose(dev engine.Device, s engine.Stream, e solvers.Exposure) (exposed, error) {
	p := exposed{area: float32(e.Area)}
	for i, w := range e.Weights.Pix {
		if !(w > 0) {
			continue
		}
		row, fy := place(float64(e.Y[i]) + float64(o.Row))
		col, fx := place(float64(e.X[i]) + float64(o.Col))
		row, col = row-2, col-2
		if row < 0 || col < 0 || row+splineTaps > o.H || col+splineTaps > o.W {
			return p, fmt.Errorf("operator: pixel %d of an exposure lies at (%.1f, %.1f), beyond the grid of the scene", i, e.X[i], e.Y[i])
		}
		p.corner, p.phase = append(p.corner, int32(row*o.W+col)), append(p.phase, [2]uint16{fy, fx})
	}
	t, err := TransferFunction(dev, s, e.PSF, o.Grid)
	if err != nil {
		return p, err
	}
	p.transfer = t
	host, half := make([]float32, t.Len()), o.W/2+1
	s.Download(host, t)
	share := float64(len(p.corner)) * e.Area / float64(o.ImgH*o.ImgW) // of the image that it sees
	for i := range o.power {
		re, im := float64(host[2*i]), float64(host[2*i+1])
		o.power[i] += share * e.Area * (re*re + im*im)
		f := 1 / (splinePower(float64(i/half)/float64(o.H)) * splinePower(float64(i%half)/float64(o.W)))
		host[2*i], host[2*i+1] = float32(re*f), float32(im*f)
	}
	s.Upload(t, host)
	return p, s.Err()
}

// place splits a place into the pixel below and the phase beyond it.
func place(at float64) (pixel int, phase uint16) {
	steps := int(math.Round(at * phases))
	return steps >> 12, uint16(steps & (phases - 1))
}

// Range is (1, 1, N).
func (o *Exposures) Range() engine.Shape { return engine.Shape{1, 1, o.seen} }

// Forward writes A x.
func (o *Exposures) Forward(s engine.Stream, y, x *engine.Tensor) {
	n := x.Len() / o.Domain().Len()
	spec, sum, real := o.spec.Slice(0, n), o.sum.Slice(0, n), o.real.Slice(0, n)
	s.RFFT2(spec, x.Reshape(real.Shape()...))
	images := o.images[:n*o.seen]
	for i := range o.parts {
		p := &o.parts[i]
		s.CMul(sum, spec, p.transfer)
		s.IRFFT2(real, sum)
		s.Download(o.host[:n*o.H*o.W], real)
		for b := range n {
			p.gather(images[b*o.seen+p.first:], o.host[b*o.H*o.W:(b+1)*o.H*o.W], o.W)
		}
	}
	s.Upload(y, images)
}

// gather writes the pixels of an exposure from a plane of the grid.
func (p *exposed) gather(dst, plane []float32, w int) {
	table := splineTable()
	threads := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for t := range threads {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := t * len(p.corner) / threads; i < (t+1)*len(p.corner)/threads; i++ {
				wy, wx := &table[p.phase[i][0]], &table[p.phase[i][1]]
				var sum float32
				for j, b := range wy {
					row := plane[int(p.corner[i])+j*w:][:splineTaps]
					sum += b * (wx[0]*row[0] + wx[1]*row[1] + wx[2]*row[2] + wx[3]*row[3] + wx[4]*row[4] + wx[5]*row[5])
				}
				dst[i] = p.area * sum
			}
		}()
	}
	wg.Wait()
}

// Adjoint writes Aᵀ y.
func (o *Exposures) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	n := x.Len() / o.Domain().Len()
	spec, sum, real := o.spec.Slice(0, n), o.sum.Slice(0, n), o.real.Slice(0, n)
	images, size := o.images[:n*o.seen], o.H*o.W
	s.Download(images, y)
	for i := range o.parts {
		p := &o.parts[i]
		clear(o.host[:n*size])
		var wg sync.WaitGroup
		for b := range n {
			wg.Add(1)
			go func() {
				defer wg.Done()
				p.scatter(o.host[b*size:(b+1)*size], images[b*o.seen+p.first:], o.W)
			}()
		}
		wg.Wait()
		s.Upload(real, o.host[:n*size])
		if i == 0 {
			s.RFFT2(sum, real)
			s.CMulConj(sum, sum, p.transfer)
			continue
		}
		s.RFFT2(spec, real)
		s.CMulConj(spec, spec, p.transfer)
		s.Add(sum, sum, spec)
	}
	s.IRFFT2(x.Reshape(real.Shape()...), sum)
}

// scatter is the transpose of gather: it adds to the plane.
func (p *exposed) scatter(plane, src []float32, w int) {
	table := splineTable()
	for i, at := range p.corner {
		wy, wx := &table[p.phase[i][0]], &table[p.phase[i][1]]
		v := p.area * src[i]
		for j, b := range wy {
			row, f := plane[int(at)+j*w:][:splineTaps], b*v
			for k, a := range wx {
				row[k] += f * a
			}
		}
	}
}

// Power is |A|² on the modes of the grid, were the detector's pixels so many samples spread
// evenly: Σ_e a_e |P_e|² over the share of the image that e sees.
func (o *Exposures) Power(engine.Stream) []float64 { return append([]float64(nil), o.power...) }

// Close frees the operator's tensors.
func (o *Exposures) Close() {
	for _, p := range o.parts {
		p.transfer.Free()
	}
	for _, t := range []*engine.Tensor{o.spec, o.sum, o.real} {
		t.Free()
	}
}
