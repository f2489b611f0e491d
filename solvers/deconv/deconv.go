package deconv

import (
	"context"
	"fmt"
	"math"
	"strings"

	"limpid"
	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/operator"
	"limpid/solvers/optim"
)

// Spectrum is the power spectrum of a Gaussian prior.
type Spectrum = gaussian.Spectrum

// Problem is a deconvolution ready to run. Close frees its tensors.
type Problem struct {
	Obs      *solvers.Observation
	Op       Operator
	Grid     operator.Grid // of the scenes that the kernel gives
	Kernel   solvers.Kernel
	Spectra  []gaussian.Spectrum // of the Gaussian prior; with a learned one, of its start
	Strength float64             // of total variation, as chosen
	Findings []limpid.Finding

	dev    engine.Device
	stream engine.Stream
	conv   *operator.Convolution // Op, where it is one
	white  *whitened             // what kernels see; nil: the observation as it is
	many   *stacked              // the same of several exposures
	draws  int                   // of a learned prior or of tiles, that come together
	tiling *operator.Tiling      // nil: one grid for the whole image
	misfit misfit
	beside *beside // nil: the scene is all there is

	smoother  *Smoother // nil: nothing was asked for at a resolution
	smoothed  []float32 // of tiles: the scene that is being made
	whitening *operator.Whitening
	closers   []func()
}

// Operator is the A of a problem.
type Operator interface {
	solvers.Operator
	Power(s engine.Stream) []float64 // |A|² on the modes of the domain, as far as A is a convolution
	Close()
}

// New fits what is to be fitted and makes the kernel. The observation must be
// valid.
func New(ctx context.Context, dev engine.Device, o *solvers.Observation, set Settings) (*Problem, error) {
	p := &Problem{Obs: o, dev: dev, stream: dev.NewStream()}
	if set.columnsOf(o) > 0 && !set.Method.Beside() {
		return nil, fmt.Errorf("deconv: method %s has no free sky and no stars beside the scene: gaussian, learned and wiener do", set.Method)
	}
	if set.columnsOf(o) > 0 && set.Tile > 0 {
		return nil, fmt.Errorf("%w: stars and a free sky need one grid for the whole image: leave tiles out, or work on a cut-out", ErrTile)
	}
	var err error
	if set.Tile > 0 {
		err = p.tiles(ctx, set)
	} else {
		err = p.whole(ctx, set)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// convolve makes the operator on a grid, for batch scenes.
func (p *Problem) convolve(g operator.Grid, batch int) error {
	p.closeOperator()
	p.Grid = g
	if p.Obs.Exposures != nil {
		return p.stack(batch)
	}
	if f := p.Obs.Field; f.Nodes != nil {
		op, err := operator.NewVaryingOn(p.dev, p.stream, f.Nodes, f.Rows, f.Cols, g, batch)
		if err != nil {
			return fmt.Errorf("deconv: %w", err)
		}
		p.Op = op
		return p.whiten(g, batch)
	}
	conv, err := operator.NewConvolutionOn(p.dev, p.stream, p.Obs.PSF, g, batch)
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Op, p.conv = conv, conv
	return p.whiten(g, batch)
}

func (p *Problem) closeOperator() {
	if p.white != nil {
		p.white.op.Close()
	}
	if p.Op != nil {
		p.Op.Close()
	}
	p.Op, p.conv, p.white = nil, nil, nil
}

// whole makes the kernel on one grid.
func (p *Problem) whole(ctx context.Context, set Settings) error {
	if p.Obs.Field.Nodes != nil && !set.Method.Varies() {
		return fmt.Errorf("%w: %s takes one", ErrOperator, Starlet)
	}
	if p.Obs.Exposures != nil && (p.Obs.Colour != nil || p.Obs.Field.Nodes != nil || !set.Method.Stacks()) {
		return fmt.Errorf("%w: one PSF each, independent pixels, and another method than %s", ErrExposures, Starlet)
	}
	if p.Obs.Colour != nil && !set.Method.Colours() {
		return fmt.Errorf("%w: gaussian, learned, wiener and tv know it", ErrColour)
	}
	if set.Method != Learned { // whose grid is another
		if err := p.convolve(operator.NewGrid(p.Obs.Data.C, p.Obs.Data.H, p.Obs.Data.W, p.Obs.PSF.H, p.Obs.PSF.W), 1); err != nil {
			return err
		}
	}
	switch set.Method {
	case Gaussian, Wiener:
		return p.gaussian(ctx, set)
	case Learned:
		return p.learned(ctx, set)
	case RichardsonLucy:
		return p.richardsonLucy(set)
	case Starlet:
		return p.starlet(set)
	case TV:
		return p.totalVariation(ctx, set)
	}
	return fmt.Errorf("deconv: method %q is not one of %s", set.Method, MethodNames())
}

// DrawsPerBatch is how many draws a sampler of batches gives at a time.
func (p *Problem) DrawsPerBatch() int { return p.draws }

// MethodNames lists the methods for messages.
func MethodNames() string {
	var names []string
	for _, a := range Methods() {
		names = append(names, string(a.Method))
	}
	return strings.Join(names, ", ")
}

// fitSpectra fits the power spectra that are not given, one per band, to o.
func (p *Problem) fitSpectra(ctx context.Context, set Settings, o *solvers.Observation) error {
	p.Spectra = set.Spectra
	if p.Spectra == nil {
		for c := range p.Obs.Data.C {
			if err := ctx.Err(); err != nil {
				return err
			}
			sp, err := p.fitSpectrum(o, c)
			if err != nil {
				return err
			}
			p.Spectra = append(p.Spectra, sp)
		}
	}
	if len(p.Spectra) == 1 && p.Obs.Data.C > 1 {
		for len(p.Spectra) < p.Obs.Data.C {
			p.Spectra = append(p.Spectra, p.Spectra[0])
		}
	}
	if len(p.Spectra) != p.Obs.Data.C {
		return fmt.Errorf("deconv: %d power spectra for %d bands", len(p.Spectra), p.Obs.Data.C)
	}
	return nil
}

func (p *Problem) gaussian(ctx context.Context, set Settings) error {
	if err := p.newBeside(ctx, set); err != nil {
		return err
	}
	if p.conv == nil || p.white != nil {
		return p.general(ctx, set)
	}
	k, err := mcmc.NewExact(p.dev, p.conv, mcmc.ExactConfig{Data: p.kernelData(), Weights: p.Obs.Weights, Spectra: p.Spectra, Columns: p.columns()})
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Kernel = k
	if err := p.misfit.init(p); err != nil {
		return err
	}
	p.Findings = append(p.Findings, gaussianFinding(set.Method))
	return nil
}

// gaussianFinding says what a Gaussian prior is worth.
func gaussianFinding(m Method) limpid.Finding {
	if m == Wiener {
		return limpid.Finding{
			Severity: limpid.Info, Code: "method.estimate", Where: "method",
			What:   "the Wiener filter gives the mean of the posterior alone",
			Advice: "use gaussian for its error bars",
		}
	}
	return limpid.Finding{
		Severity: limpid.Warning, Code: "prior.gaussian", Where: "prior",
		What:   "the Gaussian prior has one power spectrum for the whole image: it does not know that light is positive or where the sources are",
		Advice: "its error bars hold on average over the image; they are too wide in empty sky and too narrow in bright cores",
	}
}

func (p *Problem) richardsonLucy(set Settings) error {
	cfg := optim.RLConfig{
		Data: p.plainData(), Weights: p.kernelWeights(),
		Damping: set.Damping, StopAtNoise: set.StopAtNoise, TV: set.Strength,
	}
	for c := range p.Obs.Data.C {
		cfg.Background = append(cfg.Background, rlBackground(p.Obs, p.kernelWeights(), c))
	}
	k, err := optim.NewRichardsonLucy(p.dev, p.Op, cfg)
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Kernel = k
	p.Findings = append(p.Findings, limpid.Finding{
		Severity: limpid.Info, Code: "method.estimate", Where: "method",
		What:   "Richardson–Lucy gives an estimate without an uncertainty; noise grows with the iterations",
		Advice: "use a posterior method for error bars",
	})
	return nil
}

// rlBackground lifts a sky-subtracted band so that its noise does not fall
// below zero: the sky that was subtracted, or three times the median noise.
func rlBackground(o *solvers.Observation, weights solvers.Image, c int) float64 {
	var sum, n float64
	for _, w := range weights.Plane(c) {
		if w > 0 {
			sum, n = sum+1/math.Sqrt(float64(w)), n+1
		}
	}
	level := 3 * sum / math.Max(n, 1)
	if len(o.Sky) > c {
		var sky float64
		for _, v := range o.Sky[c].Pix {
			sky += float64(v) / float64(len(o.Sky[c].Pix))
		}
		level = math.Max(level, sky)
	}
	return level
}

// Fit says how well a scene explains the data of one band.
type Fit struct {
	Chi2 float64 `json:"chi2_per_pixel"` // Σ w (y − A x)² / n of the mean or estimate; of coloured noise, whitened
	// Chi2Draws is the same for single draws, averaged: 1 if prior and noise are
	// right, since a draw is as far from the data as the truth is; the mean is
	// nearer, having followed some of the noise. NaN without draws.
	Chi2Draws float64 `json:"-"`
	Pixels    int     `json:"pixels"`       // n, those not masked
	FluxData  float64 `json:"flux_data"`    // Σ y over unmasked pixels
	FluxModel float64 `json:"flux_model"`   // Σ A x over the same pixels, with stars and free sky
	FluxScene float64 `json:"flux_scene"`   // Σ x over the image
	Reach     float64 `json:"max_residual"` // largest |y − A x| √w
}

// kernelModel is what kernels see of a scene (C, H, W) on the device.
func (p *Problem) kernelModel(x *engine.Tensor) ([]float32, error) {
	y, err := p.dev.Alloc(p.kernelOp().Range())
	if err != nil {
		return nil, fmt.Errorf("deconv: model: %w", err)
	}
	defer y.Free()
	p.kernelOp().Forward(p.stream, y, x)
	out := make([]float32, y.Len())
	p.stream.Download(out, y)
	return out, p.stream.Err()
}

// model is A x of a scene on the grid.
func (p *Problem) model(scene []float32) (solvers.Image, error) {
	d, r := p.Op.Domain(), p.Op.Range()
	x, err := p.dev.Alloc(d)
	if err != nil {
		return solvers.Image{}, fmt.Errorf("deconv: model: %w", err)
	}
	defer x.Free()
	y, err := p.dev.Alloc(r)
	if err != nil {
		return solvers.Image{}, fmt.Errorf("deconv: model: %w", err)
	}
	defer y.Free()
	p.stream.Upload(x, scene)
	p.Op.Forward(p.stream, y, x)
	out := solvers.NewImage(r[0], r[1], r[2])
	p.stream.Download(out.Pix, y)
	return out, p.stream.Err()
}

// Residual computes y − A x (0 where masked) for a scene on the grid, and how
// well it fits, per band. What is beside the scene is part of the model.
func (p *Problem) Residual(scene []float32) (solvers.Image, []Fit, error) {
	out, err := p.model(scene)
	if err != nil {
		return out, nil, err
	}
	if p.beside != nil {
		p.beside.plain.Add(out.Pix, 1, p.besideOf(out.Pix, -1))
	}
	if p.many != nil {
		image, fit := p.many.residual(p, out.Pix, scene)
		return image, []Fit{fit}, nil
	}
	r := p.Op.Range()
	fits := make([]Fit, r[0])
	for c := range fits {
		fits[c] = p.fitBand(out.Plane(c), scene, c)
	}
	if p.white != nil {
		p.white.chi2(out, fits)
	}
	return out, fits, nil
}

// fitBand turns a model plane into a residual in place.
func (p *Problem) fitBand(model, scene []float32, c int) Fit {
	f := Fit{Chi2Draws: p.chi2Draws(c)}
	data, weights := p.Obs.Data.Plane(c), p.Obs.Weights.Plane(c)
	for i, m := range model {
		w := float64(weights[i])
		if w == 0 {
			model[i] = 0
			continue
		}
		r := float64(data[i]) - float64(m)
		f.Chi2 += w * r * r
		f.Reach = math.Max(f.Reach, math.Abs(r)*math.Sqrt(w))
		f.FluxData += float64(data[i])
		f.FluxModel += float64(m)
		f.Pixels++
		model[i] = float32(r)
	}
	f.Chi2 /= float64(f.Pixels)
	f.FluxScene = fluxOf(p.Grid, scene, c)
	return f
}

// fluxOf is the flux of band c of a scene within the image.
func fluxOf(g operator.Grid, scene []float32, c int) (sum float64) {
	for y := range g.ImgH {
		at := (c*g.H+y+g.Row)*g.W + g.Col
		for _, v := range scene[at : at+g.ImgW] {
			sum += float64(v)
		}
	}
	return sum
}

// Close frees the problem's tensors.
func (p *Problem) Close() {
	p.misfit.close()
	p.smoother.Close()
	if p.Kernel != nil {
		p.Kernel.Close()
	}
	for _, f := range p.closers {
		f()
	}
	p.closeOperator()
}
