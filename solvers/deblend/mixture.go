package deblend

import (
	"fmt"

	"limpid/engine"
)

// mixture is the operator of a canvas.
type mixture struct {
	b, k, h, w int
	kernel     *engine.Tensor // (B, h, w/2+1, 2)
	amp        [][]float32    // per scene of a batch: (K, B)
	in, out    *engine.Tensor // spectra of K scenes and of B images
}

func (g *group) newMixture(dev engine.Device, s engine.Stream, k int) (*mixture, error) {
	p, gr := g.p, g.p.grid
	o := &mixture{b: p.b, k: k, h: gr.H, w: gr.W}
	var err error
	if o.kernel, err = dev.Alloc(engine.Shape{p.b, gr.H, gr.W}.Spectrum()); err == nil {
		if o.in, err = dev.Alloc(engine.Shape{k, gr.H, gr.W}.Spectrum()); err == nil {
			o.out, err = dev.Alloc(engine.Shape{p.b, gr.H, gr.W}.Spectrum())
		}
	}
	if err != nil {
		o.close()
		return nil, fmt.Errorf("deblend: learned prior: %w", err)
	}
	kernels := g.newDepartures().kernel
	host := make([]float32, p.b*p.half())
	for b := range p.b {
		for i, m := range p.modes {
			put(host[b*p.half():], m, kernels[b][i])
		}
	}
	s.Upload(o.kernel, host)
	return o, s.Err()
}

func (o *mixture) close() {
	o.kernel.Free()
	o.in.Free()
	o.out.Free()
}

// Domain is (K, H, W): one scene a galaxy.
func (o *mixture) Domain() engine.Shape { return engine.Shape{o.k, o.h, o.w} }

// Range is (B + K, H, W): the bands, and the scenes themselves.
func (o *mixture) Range() engine.Shape { return engine.Shape{o.b + o.k, o.h, o.w} }

// Forward mixes the scenes by band and convolves, and repeats them.
func (o *mixture) Forward(s engine.Stream, y, x *engine.Tensor) {
	n := x.Len() / (o.k * o.h * o.w)
	xs, ys := x.Reshape(n*o.k, o.h, o.w), y.Reshape(n*(o.b+o.k), o.h, o.w)
	for i := range n {
		scenes := xs.Slice(i*o.k, (i+1)*o.k)
		at := i * (o.b + o.k)
		s.RFFT2(o.in, scenes)
		for b := range o.b {
			t := o.out.Slice(b, b+1)
			s.Fill(t, 0)
			for k := range o.k {
				if a := o.amp[i][k*o.b+b]; a != 0 {
					s.Axpy(t, a, o.in.Slice(k, k+1))
				}
			}
		}
		s.CMul(o.out, o.out, o.kernel)
		s.IRFFT2(ys.Slice(at, at+o.b), o.out)
		s.Copy(ys.Slice(at+o.b, at+o.b+o.k), scenes)
	}
}

// Adjoint is Forward's.
func (o *mixture) Adjoint(s engine.Stream, x, y *engine.Tensor) {
	n := x.Len() / (o.k * o.h * o.w)
	xs, ys := x.Reshape(n*o.k, o.h, o.w), y.Reshape(n*(o.b+o.k), o.h, o.w)
	for i := range n {
		scenes := xs.Slice(i*o.k, (i+1)*o.k)
		at := i * (o.b + o.k)
		s.RFFT2(o.out, ys.Slice(at, at+o.b))
		s.CMulConj(o.out, o.out, o.kernel)
		for k := range o.k {
			t := o.in.Slice(k, k+1)
			s.Fill(t, 0)
			for b := range o.b {
				if a := o.amp[i][k*o.b+b]; a != 0 {
					s.Axpy(t, a, o.out.Slice(b, b+1))
				}
			}
		}
		s.IRFFT2(scenes, o.in)
		s.Add(scenes, scenes, ys.Slice(at+o.b, at+o.b+o.k))
	}
}
