package deconv

import (
	"errors"
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/operator"
)

// ErrColour marks settings under which the correlation of noise cannot be known.
var ErrColour = errors.New("not with correlated noise")

// Colours reports whether a method knows that the noise of neighbouring pixels goes
// together: Richardson–Lucy's likelihood and the thresholds of starlets are of independent
// noise.
func (m Method) Colours() bool { return m != RichardsonLucy && m != Starlet }

// ColourMemory is what correlated noise takes on the host and the device, in bytes: padded
// copies and patterns of the image, and images of the batch.
func ColourMemory(m Method, g operator.Grid) int64 {
	return colourMemory(g.Range().Len(), batchFor(m, g))
}

// colourMemory is that of images of so many pixels, batch at a time.
func colourMemory(pixels, batch int) int64 { return 4 * int64(pixels) * int64(6+2*batch) }

// batchFor is how many scenes a method's operator takes at once.
func batchFor(m Method, g operator.Grid) int {
	if m == Learned {
		return BatchOf(g.Domain())
	}
	return mcmc.DrawsPerStep(g.Domain())
}

// whitened is the observation as kernels see it whose noise is correlated: data that were
// made white, W y, of weight 1, through the operator W A.
type whitened struct {
	w    *operator.Whitening
	op   *operator.Whitened
	data solvers.Image
}

// whiten makes what kernels see, for batch scenes; nothing where noise is independent. grid is that on whose modes the
// operator's power is known: a tile's of images in tiles.
func (p *Problem) whiten(grid operator.Grid, batch int) error {
	o := p.Obs
	if o.Colour == nil {
		return nil
	}
	if p.whitening == nil {
		var err error
		if p.whitening, err = operator.NewWhitening(o.Weights, o.Colour); err != nil {
			return fmt.Errorf("deconv: %w", err)
		}
		if p.whitening.Left > whiteFar {
			p.Findings = append(p.Findings, limpid.Finding{
				Severity: limpid.Warning, Code: "noise.nearly", Where: "noise",
				What:   fmt.Sprintf("some modes of this noise have next to no power, and it could be made white only to %.0f %%", 100*p.whitening.Left),
				Advice: "error bars may be off by half of that: unresampled exposures are better data",
			})
		}
	}
	op, err := operator.NewWhitened(p.dev, p.Op, grid, p.whitening, o.Weights, o.Colour, batch)
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.white = &whitened{w: p.whitening, op: op, data: o.Data.Clone()}
	p.whitening.Apply(p.white.data.Pix, o.Data.Pix)
	return nil
}

// columns are what whitening makes of columns beside the scene.
func (w *whitened) columns(list []solvers.Column) []solvers.Column {
	d := w.data
	image, seen := make([]float32, len(d.Pix)), make([]float32, len(d.Pix))
	var out []solvers.Column
	for _, c := range list {
		clear(image)
		for _, q := range c.Patches {
			for i, v := range q.Pix {
				image[(q.Band*d.H+q.Y+i/q.W)*d.W+q.X+i%q.W] += float32(v)
			}
		}
		w.w.Apply(seen, image)
		white := solvers.Column{Sigma: c.Sigma}
		for b := range d.C {
			if q := boundingPatch(seen[b*d.H*d.W:(b+1)*d.H*d.W], d.W); len(q.Pix) > 0 {
				q.Band = b
				white.Patches = append(white.Patches, q)
			}
		}
		out = append(out, white)
	}
	return out
}

// boundingPatch is what of a plane of rows of w pixels is not 0.
func boundingPatch(plane []float32, w int) solvers.Patch {
	x0, x1, y0, y1 := w, 0, len(plane)/w, 0
	for i, v := range plane {
		if v != 0 {
			x0, x1 = min(x0, i%w), max(x1, i%w+1)
			y0, y1 = min(y0, i/w), max(y1, i/w+1)
		}
	}
	q := solvers.Patch{X: x0, Y: y0, W: x1 - x0}
	for y := y0; y < y1; y++ {
		for _, v := range plane[y*w+x0 : y*w+x1] {
			q.Pix = append(q.Pix, float64(v))
		}
	}
	return q
}

// whiteFar is how far the power of whitened noise may be from 1, rms over modes, before it
// is said: at .14 weights of signals were off by up to 5 %.
const whiteFar = 0.1

// kernelOp is the operator of what kernels see.
func (p *Problem) kernelOp() operator.Powered {
	if p.white != nil {
		return p.white.op
	}
	return p.Op
}

// kernelData is what kernels take for the data.
func (p *Problem) kernelData() solvers.Image {
	if p.beside != nil {
		return p.beside.data
	}
	return p.plainData()
}

// plainData is that with what is beside the scene in it.
func (p *Problem) plainData() solvers.Image {
	switch {
	case p.white != nil:
		return p.white.data
	case p.many != nil:
		return p.many.data
	}
	return p.Obs.Data
}

// kernelWeights are those of kernelData.
func (p *Problem) kernelWeights() solvers.Image {
	switch {
	case p.white != nil:
		return p.white.w.White
	case p.many != nil:
		return p.many.weights
	}
	return p.Obs.Weights
}

// meanWeight is the mean of weights of pixels that are not masked.
func meanWeight(weights []float32) float64 {
	var sum, n float64
	for _, w := range weights {
		if w > 0 {
			sum, n = sum+float64(w), n+1
		}
	}
	return sum / math.Max(n, 1)
}

// chi2 sets the χ² of fits from the residual.
func (w *whitened) chi2(residual solvers.Image, fits []Fit) {
	r := make([]float32, len(residual.Pix))
	w.w.Apply(r, residual.Pix)
	n := residual.H * residual.W
	for c := range fits {
		var sum float64
		for _, v := range r[c*n : (c+1)*n] {
			sum += float64(v) * float64(v)
		}
		fits[c].Chi2 = sum / float64(fits[c].Pixels)
	}
}

// effective are the weights that independent noise would have, were it to tell as much of a
// scene of flat power.
func (p *Problem) effective() solvers.Image {
	switch {
	case p.many != nil: // of pixels of the scene
		out := p.many.weights.Clone()
		gain := float32(p.Op.Power(p.stream)[0])
		for i := range out.Pix {
			out.Pix[i] *= gain
		}
		return out
	case p.white == nil:
		return p.Obs.Weights
	}
	out := p.Obs.Weights.Clone()
	plain, white := p.Op.Power(p.stream), p.white.op.Power(p.stream)
	modes, n := len(plain)/out.C, out.H*out.W
	for c, mean := range p.white.op.MeanWeights() {
		var a, b float64
		for i := c * modes; i < (c+1)*modes; i++ {
			a, b = a+plain[i]*mean, b+white[i]
		}
		for i := c * n; i < (c+1)*n; i++ {
			out.Pix[i] = float32(float64(out.Pix[i]) * b / a)
		}
	}
	return out
}
