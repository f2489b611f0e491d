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
	"limpid/solvers/operator"
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
// this order: a constant per band, or per exposure, with a free sky; per star its PSF in every
// band, then the derivatives of its image by x and y. They are of what kernels see.
type beside struct {
	set    Settings
	c      int
	skies  int         // columns of the free sky
	at     []Star      // that the columns are linear about
	flux   [][]float64 // per star and band, that its derivatives are of
	cols   []solvers.Column
	center []float64 // prior mean of a
	n      *solvers.Nuisance
	plain  *solvers.Nuisance // n, but for noise that is whitened: of the data before that
	data   solvers.Image     // what kernels see less P center, 0 where masked
	radius float64
	rows   [][]float64 // per draw: a, then per star and band the scene's flux around
}

// Beside says whether a method can have a free sky and stars beside the scene.
func (m Method) Beside() bool {
	a, _ := m.About()
	return a.Samples || a.Spectrum
}

// skiesOf is how many columns of a free sky settings ask for: one of every band, or exposure.
func (s Settings) skiesOf(o *solvers.Observation) int {
	if !s.FreeSky {
		return 0
	}
	return o.Data.C * max(1, len(o.Exposures))
}

// columnsOf is how many columns settings ask for.
func (s Settings) columnsOf(o *solvers.Observation) int {
	return len(s.Stars)*(o.Data.C+2) + s.skiesOf(o)
}

// BesideMemory is what stars and a free sky add to Memory on the device and the host, in bytes.
func (s Settings) BesideMemory(o *solvers.Observation, g operator.Grid) int64 {
	data, scene := int64(len(o.Data.Pix)), int64(g.Domain().Len())
	if o.Exposures != nil {
		data = int64(solvers.Seen(o.Exposures, nil))
	}
	columns := int64(s.columnsOf(o))
	bytes := columns*4*scene + int64(s.skiesOf(o))*8*data
	if o.Exposures != nil || o.Colour != nil || o.Field.Nodes != nil { // see mcmc.LatentExact
		bytes += columns * 4 * (scene + data)
	}
	return bytes
}

// newBeside finds the places and fluxes of stars; it sets the spectra of p, which are
// fitted to the data without them. Nothing is done where nothing is asked for.
func (p *Problem) newBeside(ctx context.Context, set Settings) error {
	if set.columnsOf(p.Obs) == 0 {
		return p.fitSpectra(ctx, set, p.Obs)
	}
	if set.StarError == 0 {
		set.StarError = DefaultStarError
	}
	b := &beside{set: set, c: p.Obs.Data.C, skies: set.skiesOf(p.Obs), at: append([]Star(nil), set.Stars...)}
	for c := range b.c {
		b.radius = math.Max(b.radius, observe.FWHM(p.Obs.PSF.Plane(c), p.Obs.PSF.H, p.Obs.PSF.W))
	}
	p.beside = b
	if err := b.guess(p.Obs); err != nil {
		return err
	}
	if err := p.fillBeside(); err != nil {
		return err
	}
	a := append([]float64(nil), b.center...)
	for range placeRounds {
		if err := p.fitSpectra(ctx, set, p.without(a)); err != nil {
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
		if err := p.fillBeside(); err != nil {
			return err
		}
		for i := range b.at { // a is now about the new places
			k := b.skies + i*(b.c+2) + b.c
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

// guess sets fluxes by least squares with a constant about each star: with several exposures
// on their mean.
func (b *beside) guess(o *solvers.Observation) error {
	for i, s := range b.at {
		if s.X < -0.5 || s.Y < -0.5 || s.X > float64(o.Data.W)-0.5 || s.Y > float64(o.Data.H)-0.5 {
			return fmt.Errorf("deconv: star %d at (%.1f, %.1f) is outside the image of %d × %d pixels: %w", i+1, s.X+1, s.Y+1, o.Data.W, o.Data.H, ErrStar)
		}
		flux := make([]float64, b.c)
		for c := range flux {
			star := starPatches(o, psfAt(o, s), c, s)[0]
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
	return nil
}

// fillBeside makes the columns about the present places and fluxes, their prior, and the data
// less its mean.
func (p *Problem) fillBeside() error {
	b, o, weights := p.beside, p.Obs, p.columnWeights()
	b.cols, b.center = nil, nil
	if b.skies > 0 {
		if err := b.addSkies(weights, o.Exposures); err != nil {
			return err
		}
	}
	for i, s := range b.at {
		var byX, byY []solvers.Patch
		for c := range b.c {
			parts := starColumns(o, c, s)
			var seen float64
			for _, q := range parts[0] {
				for j, v := range q.Pix {
					seen += v * v * float64(weights.Pix[(q.Band*weights.H+q.Y+j/q.W)*weights.W+q.X+j%q.W])
				}
			}
			f := b.flux[i][c]
			if !(seen > 0) {
				return fmt.Errorf("deconv: star %d at (%.1f, %.1f) lies on masked pixels: %w", i+1, s.X+1, s.Y+1, ErrStar)
			}
			b.add(f, fluxFreedom*math.Max(math.Abs(f), 1/math.Sqrt(seen)), parts[0]...)
			for _, list := range parts[1:] {
				for _, q := range list {
					for j := range q.Pix {
						q.Pix[j] *= f
					}
				}
			}
			byX, byY = append(byX, parts[1]...), append(byY, parts[2]...)
		}
		b.add(b.set.Stars[i].X-s.X, b.set.StarError, byX...)
		b.add(b.set.Stars[i].Y-s.Y, b.set.StarError, byY...)
	}
	var err error
	if b.plain, err = solvers.NewNuisance(b.cols, weights); err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	b.n = b.plain
	if p.white != nil {
		b.cols = p.white.columns(b.cols)
		if b.n, err = solvers.NewNuisance(b.cols, p.kernelWeights()); err != nil {
			return fmt.Errorf("deconv: %w", err)
		}
	}
	b.data = p.plainData().Clone()
	b.n.Add(b.data.Pix, -1, b.center)
	for i, w := range p.kernelWeights().Pix {
		if w == 0 {
			b.data.Pix[i] = 0
		}
	}
	return nil
}

// columnWeights are those of the data that columns are of before noise is whitened.
func (p *Problem) columnWeights() solvers.Image {
	if p.many != nil {
		return p.many.weights
	}
	return p.Obs.Weights
}

// addSkies adds the columns of the free sky: of every band, or of every exposure.
func (b *beside) addSkies(weights solvers.Image, list []solvers.Exposure) error {
	constant := func(band, from, n, w int) {
		one := make([]float64, n)
		for i := range one {
			one[i] = 1
		}
		plane := weights.Plane(band)[from : from+n]
		q := solvers.Patch{Band: band, W: w, Pix: one}
		if list != nil {
			q.X = from
		}
		b.add(0, math.Sqrt(skyVariance*medianVariance(plane)), q)
	}
	if list == nil {
		for c := range b.c {
			constant(c, 0, weights.H*weights.W, weights.W)
		}
		return nil
	}
	seen := make([]int, len(list))
	solvers.Seen(list, func(_, e, _ int) { seen[e]++ })
	from := 0
	for e, n := range seen {
		if n == 0 {
			return fmt.Errorf("%w: nothing of %s is seen, and it has no sky of its own: leave it out", ErrExposures, list[e].Name)
		}
		constant(0, from, n, n)
		from += n
	}
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
func (p *Problem) without(a []float64) *solvers.Observation {
	b, out := p.beside, *p.Obs
	if p.many != nil {
		values := p.many.data.Clone()
		b.plain.Add(values.Pix, -1, a)
		out.Exposures = slices.Clone(out.Exposures)
		for i := range out.Exposures {
			out.Exposures[i].Data = out.Exposures[i].Data.Clone()
		}
		solvers.Seen(out.Exposures, func(at, e, i int) { out.Exposures[e].Data.Pix[i] = values.Pix[at] })
		return &out
	}
	out.Data = out.Data.Clone()
	b.plain.Add(out.Data.Pix, -1, a)
	for i, w := range out.Weights.Pix {
		if w == 0 {
			out.Data.Pix[i] = 0
		}
	}
	return &out
}

// star is what of a belongs to star i: fluxes, and the offset from at.
func (b *beside) star(a []float64, i int) (flux []float64, dx, dy float64) {
	k := b.skies + i*(b.c+2)
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
	if p.conv == nil || p.white != nil {
		return p.generalAmplitudes(ctx)
	}
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

// generalAmplitudes is gaussianAmplitudes where the operator is no convolution.
func (p *Problem) generalAmplitudes(ctx context.Context) ([]float64, error) {
	k, free, err := p.latentExact(ctx, 1, placeTol)
	if err != nil {
		return nil, fmt.Errorf("deconv: places of stars: %w", err)
	}
	defer free()
	defer k.Close()
	for _, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: 1}) {
		if err != nil {
			return nil, err
		}
	}
	return p.beside.absolute(k.Amplitudes()), nil
}

// pilots are walks of the learned prior, quick and of few draws, that say where stars are: under the Gaussian
// prior the cusp of a host pulls them away, and an image that is linear about a place
// tenths of a pixel off does not fit a bright star.
const (
	pilotRounds = 3
	pilotDraws  = 4
	pilotFound  = 0.05 // px, the last change; or so much of the scatter of draws
	pilotSure   = 0.5
)

// pilots moves the places that columns are linear about to the mean of walks.
func (p *Problem) pilots(ctx context.Context, set Settings, prior LearnedPrior) error {
	b := p.beside
	if b == nil || len(b.at) == 0 {
		return nil
	}
	set.Budget = Quick
	for range pilotRounds {
		k, err := p.bridge(set, prior, pilotDraws)
		if err != nil {
			return err
		}
		draws, err := p.firstBeside(ctx, k, set.Seed)
		k.Close()
		if err != nil {
			return err
		}
		a, found := b.mean(draws)
		b.move(a)
		if err := p.fillBeside(); err != nil {
			return err
		}
		if found {
			break
		}
	}
	return nil
}

// firstBeside is a for each of the first draws of a kernel.
func (p *Problem) firstBeside(ctx context.Context, k solvers.Kernel, seed uint64) (draws [][]float64, err error) {
	for step, err := range solvers.Run(ctx, k, nil, solvers.Options{Steps: math.MaxInt, Seed: seed}) {
		if err != nil {
			return nil, err
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		for i := range step.State.Count {
			model, err := p.kernelModel(step.State.X.Slice(i, i+1).Reshape(p.Op.Domain()...))
			if err != nil {
				return nil, err
			}
			draws = append(draws, p.beside.given(model, -1))
		}
		break
	}
	return draws, nil
}

// mean of draws of a; found says that no star is far from where the columns are linear about it.
func (b *beside) mean(draws [][]float64) (a []float64, found bool) {
	n := float64(len(draws))
	a = make([]float64, len(b.cols))
	for _, d := range draws {
		for j, v := range d {
			a[j] += v / n
		}
	}
	found = true
	for i := range b.at {
		_, dx, dy := b.star(a, i)
		var scatter float64
		for _, d := range draws {
			_, x, y := b.star(d, i)
			scatter += ((x-dx)*(x-dx) + (y-dy)*(y-dy)) / (n - 1)
		}
		found = found && math.Hypot(dx, dy) < math.Max(pilotFound, pilotSure*math.Sqrt(scatter))
	}
	return a, found
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
