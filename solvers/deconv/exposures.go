package deconv

import (
	"errors"
	"fmt"
	"math"

	"limpid/solvers"
	"limpid/solvers/operator"
)

// ErrExposures marks settings that cannot be with several exposures of a field.
var ErrExposures = errors.New("not with several exposures, or finer pixels")

// Stacks reports whether a method takes several exposures: the thresholds of starlets are of a
// convolution.
func (m Method) Stacks() bool { return m != Starlet }

// ExposuresMemory is what exposures take beyond one image on the host and the device, in bytes:
// a transfer function each, places, and the grid's copies.
func ExposuresMemory(m Method, g operator.Grid, list []solvers.Exposure) int64 {
	batch := batchFor(m, g)
	pixels := int64(0)
	for _, e := range list {
		pixels += int64(len(e.Data.Pix))
	}
	return 4*int64(g.Domain().Len())*int64(2*len(list)+5*batch) + 4*pixels*int64(8+3*batch)
}

// stacked is the observation as kernels see it of several exposures: all pixels that are not
// masked in one row.
type stacked struct{ data, weights solvers.Image }

// stack makes the operator of several exposures, for batch scenes.
func (p *Problem) stack(batch int) error {
	op, err := operator.NewExposures(p.dev, p.stream, p.Obs.Exposures, p.Grid, batch)
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Op = op
	if p.many != nil {
		return nil
	}
	n := op.Range().Len()
	p.many = &stacked{data: solvers.NewImage(1, 1, n), weights: solvers.NewImage(1, 1, n)}
	solvers.Seen(p.Obs.Exposures, func(at, e, i int) {
		p.many.data.Pix[at], p.many.weights.Pix[at] = p.Obs.Exposures[e].Data.Pix[i], p.Obs.Exposures[e].Weights.Pix[i]
	})
	return nil
}

// residual is y − A x laid on the scene's image, and how well it fits: χ² of all exposures, and
// fluxes of their mean.
func (k *stacked) residual(p *Problem, model, scene []float32) (solvers.Image, Fit) {
	f := Fit{Chi2Draws: p.chi2Draws(0), Pixels: len(model), FluxScene: fluxOf(p.Grid, scene, 0)}
	r := make([]float32, len(model))
	for i, m := range model {
		r[i] = k.data.Pix[i] - m
		z := float64(r[i]) * math.Sqrt(float64(k.weights.Pix[i]))
		f.Chi2 += z * z / float64(len(model))
		f.Reach = math.Max(f.Reach, math.Abs(z))
	}
	out, _ := solvers.Coadd(p.Obs.Exposures, r, p.Grid.ImgH, p.Grid.ImgW)
	for i, v := range p.Obs.Data.Pix {
		f.FluxData += float64(v)
		f.FluxModel += float64(v - out.Pix[i])
	}
	return out, f
}

// fitSpectrum fits the power spectrum of band c of an observation: of several exposures the mean,
// in ln P, of what fits each, on the scene's pixels.
func (p *Problem) fitSpectrum(o *solvers.Observation, c int) (Spectrum, error) {
	if o.Exposures == nil {
		return FitSpectrum(p.dev, o, c)
	}
	var out Spectrum
	fitted := 0.0
	var last error
	for _, e := range o.Exposures {
		sp, err := FitSpectrum(p.dev, onDetector(e), 0)
		if err != nil { // of one that sees next to nothing of the field
			last = err
			continue
		}
		f := 0.5 * math.Log(e.Area)
		for i := range sp.LogK {
			sp.LogK[i] -= f
			sp.LogP[i] -= 2 * f
		}
		if fitted++; fitted == 1 {
			out = sp
			continue
		}
		for i, k := range out.LogK {
			out.LogP[i] += (math.Log(sp.At(math.Exp(k))) - out.LogP[i]) / fitted
		}
	}
	if fitted == 0 {
		return out, last
	}
	return out, nil
}

// onDetector is the part of an exposure that sees the scene, as an observation of its own.
func onDetector(e solvers.Exposure) *solvers.Observation {
	w := e.Weights
	x0, x1, y0, y1 := w.W, 0, w.H, 0
	for i, v := range w.Pix {
		if v > 0 {
			x0, x1 = min(x0, i%w.W), max(x1, i%w.W+1)
			y0, y1 = min(y0, i/w.W), max(y1, i/w.W+1)
		}
	}
	if x1 <= x0 {
		return &solvers.Observation{Data: e.Data, Weights: w, PSF: e.Native}
	}
	return &solvers.Observation{Data: e.Data.Crop(x0, x1, y0, y1), Weights: w.Crop(x0, x1, y0, y1), PSF: e.Native}
}
