package calibration

import (
	"fmt"
	"math/rand/v2"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// ditherScale is how many pixels of the scene lie along a detector pixel of several exposures.
const ditherScale = 2

// dithered are exposures of one field on detector pixels of ditherScale² of the scene's, displaced by halves of them
// and a little.
type dithered struct {
	list []solvers.Exposure
	op   *operator.Exposures // of truths
	y    *engine.Tensor
}

// newDithered makes count exposures that look at a scene on g through psf, the light that a detector pixel takes by distance
// on the scene's pixels.
func newDithered(dev engine.Device, s engine.Stream, psf solvers.Image, g operator.Grid, count int) (*dithered, error) {
	const more = 0.08 // of a detector pixel, each exposure than the last
	d := &dithered{}
	n := g.ImgW / ditherScale
	native := onEvery(psf, ditherScale)
	for k := range count {
		e := solvers.Exposure{
			Name: fmt.Sprintf("exposure %d", k+1), Data: solvers.NewImage(1, n, n), Weights: solvers.NewImage(1, n, n),
			PSF: psf, Native: native, Area: ditherScale * ditherScale,
		}
		dx, dy := 0.5*float64(k%2)+more*float64(k), 0.5*float64(k/2%2)+more*float64(k)
		for i := range e.Data.Pix {
			e.X = append(e.X, float32((float64(i%n)+dx+0.5)*ditherScale-0.5))
			e.Y = append(e.Y, float32((float64(i/n)+dy+0.5)*ditherScale-0.5))
			if e.X[i] <= float32(g.ImgW)-0.5 && e.Y[i] <= float32(g.ImgH)-0.5 {
				e.Weights.Pix[i] = 1
			}
		}
		d.list = append(d.list, e)
	}
	var err error
	if d.op, err = operator.NewExposures(dev, s, d.list, g, 1); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	if d.y, err = dev.Alloc(append(engine.Shape{1}, d.op.Range()...)); err != nil {
		d.op.Close()
		return nil, fmt.Errorf("calibration: %w", err)
	}
	return d, nil
}

// onEvery is every nth sample of a PSF from its middle on, sum 1.
func onEvery(psf solvers.Image, n int) solvers.Image {
	half := func(size int) int { return (size - 1) / 2 / n }
	hy, hx := half(psf.H), half(psf.W)
	out := solvers.NewImage(1, 2*hy+1, 2*hx+1)
	var sum float32
	for i := range out.Pix {
		y, x := (psf.H-1)/2+n*(i/out.W-hy), (psf.W-1)/2+n*(i%out.W-hx)
		out.Pix[i] = psf.Pix[y*psf.W+x]
		sum += out.Pix[i]
	}
	for i := range out.Pix {
		out.Pix[i] /= sum
	}
	return out
}

// observe makes exposures of the scene in x, of some S/N as rig.observe does, whose noise is 1 a detector
// pixel.
func (d *dithered) observe(r *rig, x *engine.Tensor, rng *rand.Rand) (o *solvers.Observation, scale float32, err error) {
	d.op.Forward(r.s, d.y, x)
	values := make([]float32, d.y.Len())
	r.s.Download(values, d.y)
	if err := r.s.Err(); err != nil {
		return nil, 0, err
	}
	scale = r.scaled(values, rng)
	o = &solvers.Observation{PSF: r.o.PSF, Bands: []string{"sim"}}
	for _, e := range d.list {
		e.Data = solvers.NewImage(1, e.Data.H, e.Data.W)
		o.Exposures = append(o.Exposures, e)
	}
	solvers.Seen(o.Exposures, func(at, e, i int) {
		values[at] = scale*values[at] + float32(rng.NormFloat64())
		o.Exposures[e].Data.Pix[i] = values[at]
	})
	o.Data, o.Weights = solvers.Coadd(o.Exposures, values, r.o.Side, r.o.Side)
	return o, scale, nil
}

func (d *dithered) close() {
	if d != nil {
		d.op.Close()
		d.y.Free()
	}
}
