package deconv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/observe"
)

// ErrStar marks a star that cannot be measured where it is said to be.
var ErrStar = errors.New("star cannot be measured")

// Star is a point source at a place that is nearly known, in pixels from 0 of the image.
type Star struct{ X, Y float64 }

// Prior of what is beside the scene.
const (
	DefaultStarError = 0.5    // px, σ of a star's place
	MaxStars         = 64     // each asks for several scenes' memory
	fluxFreedom      = 100.0  // σ of a flux over flux or noise, what is more
	skyVariance      = 1000.0 // of the pedestal over the median of a pixel's
)

// Fit of the places that the columns of stars are linear about.
const (
	placeRounds = 6
	placeFound  = 0.01 // px, the last change
	placeStep   = 1.0  // px, the most at a time
)

// beside is P a of y = A x + P a + n: a free sky and stars, whose places are found by
// Gauss–Newton steps under the Gaussian prior and then are free about those. Columns are, in
// this order: a constant per band with a free sky; per star its PSF in every band, then the
// derivatives of its image by x and y.
type beside struct {
	set    Settings
	c      int
	at     []Star      // that the columns are linear about
	flux   [][]float64 // per star and band, that its derivatives are of
	cols   []solvers.Column
	center []float64 // prior mean of a
	n      *solvers.Nuisance
	data   solvers.Image // the data less P center, 0 where masked
	radius float64
	rows   [][]float64 // per draw: a, then per star and band the scene's flux around
}

// Beside says whether a method can have a free sky and stars beside the scene.
func (m Method) Beside() bool {
	a, _ := m.About()
	return a.Samples || a.Spectrum
}

// columnsOf is how many columns settings ask for.
func (s Settings) columnsOf(bands int) int {
	n := len(s.Stars) * (bands + 2)
	if s.FreeSky {
		n += bands
	}
	return n
}

// BesideMemory is what stars and a free sky add to Memory on the device, in bytes.
func (s Settings) BesideMemory(c, gridH, gridW int) int64 {
	return 4 * int64(s.columnsOf(c)) * int64(c) * int64(gridH) * int64(gridW)
}

// newBeside finds the places and fluxes of stars; it sets the spectra of p, which are
// fitted to the data without them. Nothing is done where nothing is asked for.
func (p *Problem) newBeside(ctx context.Context, set Settings) error {
	if set.columnsOf(p.Obs.Data.C) == 0 {
		return p.fitSpectra(ctx, set, p.Obs)
	}
	if set.StarError == 0 {
		set.StarError = DefaultStarError
	}
	b := &beside{set: set, c: p.Obs.Data.C, at: append([]Star(nil), set.Stars...)}
	for c := range b.c {
		b.radius = math.Max(b.radius, observe.FWHM(p.Obs.PSF.Plane(c), p.Obs.PSF.H, p.Obs.PSF.W))
	}
	p.beside = b
	if err := b.guess(p.Obs); err != nil {
		return err
	}
	a := append([]float64(nil), b.center...)
	for range placeRounds {
		if err := p.fitSpectra(ctx, set, b.without(p.Obs, a)); err != nil {
			return err
		}
		if len(b.at) == 0 {
			break
		}
		var err error
		if a, err = p.gaussianAmplitudes(ctx); err != nil {
			return err
		}
		moved := b.move(a)
		if err := b.fill(p.Obs); err != nil {
			return err
		}
		for i := range b.at { // a is now about the new places
			k := b.skies() + i*(b.c+2) + b.c
			a[k], a[k+1] = 0, 0
		}
		if moved < placeFound {
			break
		}
	}
	if set.FreeSky && set.Method != Learned {
		p.Findings = append(p.Findings, limpid.Finding{
			Severity: limpid.Warning, Code: "sky.free", Where: "sky",
			What:   "a Gaussian prior cannot tell a pedestal of sky from light of the scene that fills the image: the scene's total flux is as uncertain as both",
			Advice: "a learned prior knows empty sky; or leave the sky as it was subtracted",
		})
	}
	for i, s := range set.Stars {
		if d := math.Hypot(b.at[i].X-s.X, b.at[i].Y-s.Y); d > 3*set.StarError {
			p.Findings = append(p.Findings, limpid.Finding{
				Severity: limpid.Warning, Code: "star.moved", Where: fmt.Sprintf("star %d", i+1),
				What:   fmt.Sprintf("its light is centred %.1f px from where it was said to be", d),
				Advice: "check its position, which counts from 1 in FITS, or allow it more freedom",
			})
		}
	}
	return nil
}

// guess sets fluxes by least squares with a constant about each star, and the columns.
func (b *beside) guess(o *solvers.Observation) error {
	for i, s := range b.at {
		if s.X < -0.5 || s.Y < -0.5 || s.X > float64(o.Data.W)-0.5 || s.Y > float64(o.Data.H)-0.5 {
			return fmt.Errorf("deconv: star %d at (%.1f, %.1f) is outside the image of %d × %d pixels: %w", i+1, s.X+1, s.Y+1, o.Data.W, o.Data.H, ErrStar)
		}
		flux := make([]float64, b.c)
		for c := range flux {
			star := starPatches(o, c, s)[0]
			var w, ws, wss, wy, wys float64
			for j, v := range star.Pix {
				x, y := star.X+j%star.W, star.Y+j/star.W
				if math.Hypot(float64(x)-s.X, float64(y)-s.Y) > 1.5*b.radius+1 {
					continue
				}
				at := (c*o.Data.H+y)*o.Data.W + x
				wt, d := float64(o.Weights.Pix[at]), float64(o.Data.Pix[at])
				w, ws, wss, wy, wys = w+wt, ws+wt*v, wss+wt*v*v, wy+wt*d, wys+wt*d*v
			}
			if !(wss > 0) {
				return fmt.Errorf("deconv: star %d at (%.1f, %.1f) lies on masked pixels: %w", i+1, s.X+1, s.Y+1, ErrStar)
			}
			if det := w*wss - ws*ws; det > 1e-9*w*wss {
				flux[c] = (w*wys - ws*wy) / det
			}
		}
		b.flux = append(b.flux, flux)
	}
	return b.fill(o)
}

// fill makes the columns about the present places and fluxes, their prior, and the data
// less its mean.
func (b *beside) fill(o *solvers.Observation) error {
	b.cols, b.center = nil, nil
	d := o.Data
	for c := 0; b.set.FreeSky && c < b.c; c++ {
		one := make([]float64, d.H*d.W)
		for i := range one {
			one[i] = 1
		}
		sigma := math.Sqrt(skyVariance * medianVariance(o.Weights.Plane(c)))
		b.add(0, sigma, solvers.Patch{Band: c, W: d.W, Pix: one})
	}
	for i, s := range b.at {
		var byX, byY []solvers.Patch
		for c := range b.c {
			p := starPatches(o, c, s)
			var seen float64
			for j, v := range p[0].Pix {
				seen += v * v * float64(o.Weights.Pix[(c*d.H+p[0].Y+j/p[0].W)*d.W+p[0].X+j%p[0].W])
			}
			f := b.flux[i][c]
			b.add(f, fluxFreedom*math.Max(math.Abs(f), 1/math.Sqrt(seen)), p[0])
			for j := range p[1].Pix {
				p[1].Pix[j] *= f
				p[2].Pix[j] *= f
			}
			byX, byY = append(byX, p[1]), append(byY, p[2])
		}
		b.add(b.set.Stars[i].X-s.X, b.set.StarError, byX...)
		b.add(b.set.Stars[i].Y-s.Y, b.set.StarError, byY...)
	}
	var err error
	if b.n, err = solvers.NewNuisance(b.cols, o.Weights); err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	b.data = b.without(o, b.center).Data
	return nil
}

func (b *beside) add(center, sigma float64, patches ...solvers.Patch) {
	b.cols = append(b.cols, solvers.Column{Patches: patches, Sigma: sigma})
	b.center = append(b.center, center)
}

func medianVariance(weights []float32) float64 {
	var v []float64
	for _, w := range weights {
		if w > 0 {
			v = append(v, 1/float64(w))
		}
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// without is the observation less P a.
func (b *beside) without(o *solvers.Observation, a []float64) *solvers.Observation {
	out := *o
	out.Data = o.Data.Clone()
	b.n.Add(out.Data.Pix, -1, a)
	for i, w := range o.Weights.Pix {
		if w == 0 {
			out.Data.Pix[i] = 0
		}
	}
	return &out
}

// skies is the number of columns of the sky.
func (b *beside) skies() int {
	if b.set.FreeSky {
		return b.c
	}
	return 0
}

// star is what of a belongs to star i: fluxes, and the offset from at.
func (b *beside) star(a []float64, i int) (flux []float64, dx, dy float64) {
	k := b.skies() + i*(b.c+2)
	return a[k : k+b.c], a[k+b.c], a[k+b.c+1]
}

// move makes the columns linear about what a says and returns the longest step, px.
func (b *beside) move(a []float64) float64 {
	longest := 0.0
	for i := range b.at {
		flux, dx, dy := b.star(a, i)
		copy(b.flux[i], flux)
		step := math.Hypot(dx, dy)
		f := math.Min(1, placeStep/math.Max(step, 1e-12))
		b.at[i].X, b.at[i].Y = b.at[i].X+f*dx, b.at[i].Y+f*dy
		longest = math.Max(longest, step)
	}
	return longest
}

// gaussianAmplitudes is the mean of a under the Gaussian prior.
func (p *Problem) gaussianAmplitudes(ctx context.Context) ([]float64, error) {
	b := p.beside
	k, err := mcmc.NewExact(p.dev, p.conv, mcmc.ExactConfig{
		Data: b.data, Weights: p.Obs.Weights, Spectra: p.Spectra, Columns: b.cols, Batch: 1, MeanTol: placeTol,
	})
	if err != nil {
		return nil, fmt.Errorf("deconv: places of stars: %w", err)
	}
	defer k.Close()
	for _, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: 1}) {
		if err != nil {
			return nil, err
		}
	}
	return b.absolute(k.Amplitudes()), nil
}

// placeTol is the relative residual of solves on the way to the places.
const placeTol = 1e-4

// absolute adds the prior's mean.
func (b *beside) absolute(a []float64) []float64 {
	for i, v := range b.center {
		a[i] += v
	}
	return a
}

func (p *Problem) columns() []solvers.Column {
	if p.beside != nil {
		return p.beside.cols
	}
	return nil
}
