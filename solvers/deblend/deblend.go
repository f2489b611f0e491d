// Package deblend separates overlapping sources in images of several bands:
//
//	Y_b = Σ_k a_kb (P_b ∗ S_k) + sky_b + n_b,
//
// S_k the morphology of source k, a_kb ≥ 0 its flux in band b, P_b the PSF, n_b
// white noise of known variance (the model of Melchior+2018, eq. 3).
//
// A source is fitted in two steps. The profile step takes S_k as an elliptical
// Spergel profile (Spergel 2010), whose symmetry and monotonicity are built in and
// whose derivatives are closed forms in Fourier space; damped Gauss–Newton finds
// the posterior mode of shapes and fluxes together. The free-form step then lets
// every pixel of S_k depart from the profile: S_k ≥ 0, monotonic and symmetric if
// asked, pulled to the profile with a width relative to it, by accelerated
// proximal gradient. Posterior samples come from Hamiltonian Monte Carlo over
// shapes and fluxes, with the Gauss–Newton matrix as mass, and exact Gaussian
// draws of the departures.
//
// Nothing here reads files. Observations are solvers.Observation; masked pixels
// have weight 0, a band without any valid pixel gives fluxes that are NaN.
package deblend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
)

// Errors of this package.
var (
	ErrInput  = errors.New("observation unusable")
	ErrSource = errors.New("source list unusable")
)

// Kind is what a source is taken for.
type Kind string

// A galaxy has a shape; a star is a point.
const (
	Galaxy Kind = "galaxy"
	Star   Kind = "star"
)

// Source is where a source is expected: pixels from 0, in the observation.
type Source struct {
	ID   int
	X, Y float64
	Kind Kind
}

// Options of a fit. The zero value of a field is its default.
type Options struct {
	CentreError float64 // px, how well the given positions are known (1σ); default .5
	ModelError  float64 // relative error of the smooth model per pixel; default .05; < 0: none
	Sky         bool    // fit a constant per band along with the sources
	NoFreeForm  bool    // stop after the profiles
	Roughness   float64 // 1σ of the departures relative to the profile; default .3
	Monotone    bool    // morphologies must not rise outwards
	Symmetric   bool    // morphologies equal their half-turn
	MaxIter     int     // of the profile step; default 60
	PixelScale  float64 // arcsec; 0: the observation's, else sizes are relative to the PSF
	Workers     int     // threads; default all; the result does not depend on it
	PSFError    bool    // fit each band's shift and the error of its PSF, which bright stars show
	Complete    bool    // add sources where the residual shows some that nobody gave
	threads     int     // of one group
	Components  int     // the most profiles of one centre a galaxy may have, 1 or 2; default 1
	Prior       string  `json:",omitempty"` // the learned prior of morphologies by name, for records; Learned opens it

	// Progress, if not nil, is told how many steps of the groups are done; from any goroutine.
	Progress func(done, total int) `json:"-"`

	// Learned, if not nil, is a prior of morphologies: it takes the place of departures
	// of Roughness from the profile.
	Learned *Learned `json:"-"`
}

func (o Options) withDefaults(obs *solvers.Observation) Options {
	if o.CentreError <= 0 {
		o.CentreError = 0.5
	}
	switch {
	case o.ModelError == 0:
		o.ModelError = 0.05
	case o.ModelError < 0:
		o.ModelError = 0
	}
	if o.Roughness <= 0 {
		o.Roughness = 0.3
	}
	if o.MaxIter <= 0 {
		o.MaxIter = 60
	}
	if o.PixelScale <= 0 {
		o.PixelScale = obs.Frame.PixelScale
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.threads = o.Workers
	o.Components = min(max(o.Components, 1), 2)
	return o
}

// Shape is an elliptical Spergel profile: the half-light radius R in pixels (of
// the circle of the same area), the index Nu (½: exponential, −.6 about de
// Vaucouleurs, large: Gaussian), and the ellipticity (Eta1, Eta2) with axis ratio
// exp(−|η|) and position angle ½ atan2(η2, η1) of the long axis from the x axis.
type Shape struct {
	X, Y       float64
	R, Nu      float64
	Eta1, Eta2 float64
}

// AxisRatio is q = exp(−|η|).
func (s Shape) AxisRatio() float64 { return math.Exp(-math.Hypot(s.Eta1, s.Eta2)) }

// Angle is the long axis's position angle in radians from x towards y.
func (s Shape) Angle() float64 { return 0.5 * math.Atan2(s.Eta2, s.Eta1) }

// Fitted is one source after a fit.
type Fitted struct {
	Source
	Shape       Shape
	ShapeErr    Shape     // 1σ; 0 for what a star does not have
	Flux        []float64 // per band, in the data's unit; NaN where the band has no data
	FluxErr     []float64
	Blendedness float64       // 1 − Σ m²/Σ m·M in the reference band, m this source, M all (Bosch+2018, eq. 15 in spirit)
	SNR         float64       // flux over error, all bands together
	Box         [4]int        // x0, x1, y0, y1 of Morphology, pixels of the observation, may reach beyond it
	Morphology  solvers.Image // (1, h, w): deconvolved to the model PSF, sums to 1 over the whole plane
	Std         solvers.Image // of Morphology over the draws; empty without
	Components  []Component   // one, or two of one centre; Shape, Flux and Morphology are of all
	Added       bool          // found in the residual, not given
}

// Component is one profile of a source.
type Component struct {
	Shape Shape
	Flux  []float64 // per band; NaN where the band has no data
}

// Result of a fit.
type Result struct {
	Bands     []string
	Sources   []Fitted
	Sky       []float64     // per band, what was fitted in addition; 0 if not asked for
	SkyErr    []float64     // its 1σ
	Model     solvers.Image // (B, H, W) convolved, with the fitted sky
	Residual  solvers.Image // data − model, 0 where masked
	Cov       [][]float64   // per band b: K×K row-major covariance of the fluxes of all sources
	Chi2      []float64     // per band, per valid pixel
	ModelPSF  float64       // σ in px of the Gaussian that morphologies are convolved with
	Groups    int
	Iter      int  // the most of any group
	Converged bool // of all groups
	Findings  []limpid.Finding

	fits  []*group
	given int // sources that the caller named
}

// Fit separates the sources of an observation: groups of sources that overlap are
// fitted on their own.
func Fit(ctx context.Context, dev engine.Device, obs *solvers.Observation, sources []Source, opt Options) (*Result, error) {
	opt = opt.withDefaults(obs)
	findings, err := check(obs, sources)
	if err != nil {
		return nil, err
	}
	parts, err := partition(obs, sources, opt)
	if err != nil {
		return nil, err
	}
	r := &Result{Bands: obs.Bands, Findings: findings, Groups: len(parts), Converged: true}
	for len(r.Bands) < obs.Data.C {
		r.Bands = append(r.Bands, fmt.Sprintf("band %d", len(r.Bands)))
	}
	if err := r.fitParts(ctx, dev, obs, sources, parts, opt); err != nil {
		return nil, err
	}
	r.given = len(sources)
	r.assemble(obs, r.number(sources))
	r.Findings = append(r.Findings, r.judge(obs)...)
	return r, nil
}

// number gives the sources that were added their places behind the given ones.
func (r *Result) number(sources []Source) []Source {
	out := append([]Source(nil), sources...)
	next := 0
	for _, s := range sources {
		next = max(next, s.ID)
	}
	for _, g := range r.fits {
		for k, at := range g.index {
			if g.twin[k] >= 0 {
				g.index[k] = g.index[g.twin[k]]
				continue
			}
			if at != added {
				continue
			}
			next++
			g.index[k], g.src[k].ID = len(out), next
			s := g.src[k]
			s.X, s.Y = s.X+float64(g.x0), s.Y+float64(g.y0)
			out = append(out, s)
			r.Findings = append(r.Findings, limpid.Finding{
				Severity: limpid.Info, Code: "deblend.added", Where: fmt.Sprintf("source %d", next),
				What: fmt.Sprintf("a source that nobody gave, at x %.1f, y %.1f, was found in the residual and added", g.theta[k][iX]+float64(g.x0), g.theta[k][iY]+float64(g.y0)),
			})
		}
	}
	return out
}

// check tells input that cannot be fitted, and what is doubtful.
func check(obs *solvers.Observation, sources []Source) ([]limpid.Finding, error) {
	d := obs.Data
	if d.Empty() || len(d.Pix) != d.C*d.H*d.W || obs.Weights.C != d.C || obs.Weights.H != d.H || obs.Weights.W != d.W {
		return nil, fmt.Errorf("deblend: data are %v, weights %v: %w", d.Shape(), obs.Weights.Shape(), ErrInput)
	}
	if obs.PSF.C != d.C || obs.PSF.Empty() {
		return nil, fmt.Errorf("deblend: %d PSF planes for %d bands: %w", obs.PSF.C, d.C, ErrInput)
	}
	var out []limpid.Finding
	valid := 0
	for c := range d.C {
		ok, err := checkBand(obs, c)
		if err != nil {
			return nil, err
		}
		if ok {
			valid++
			continue
		}
		out = append(out, limpid.Finding{
			Severity: limpid.Warning, Code: "deblend.band", Where: bandName(obs, c),
			What: "the band has no valid pixel", Advice: "its fluxes are given as NaN; the other bands are used",
		})
	}
	if valid == 0 {
		return nil, fmt.Errorf("deblend: every pixel of every band is masked: %w", ErrInput)
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("deblend: no sources: give positions or detect them: %w", ErrSource)
	}
	more, err := checkSources(obs, sources)
	return append(out, more...), err
}

func bandName(obs *solvers.Observation, c int) string {
	if c < len(obs.Bands) {
		return obs.Bands[c]
	}
	return fmt.Sprintf("band %d", c)
}

func checkBand(obs *solvers.Observation, c int) (valid bool, err error) {
	data := obs.Data.Plane(c)
	for i, w := range obs.Weights.Plane(c) {
		v := float64(data[i])
		if !(w >= 0) || math.IsInf(float64(w), 0) || w > 0 && (math.IsNaN(v) || math.IsInf(v, 0)) {
			return false, fmt.Errorf("deblend: %s: data %g with weight %g at (%d, %d): %w", bandName(obs, c), v, w, i%obs.Data.W, i/obs.Data.W, ErrInput)
		}
		valid = valid || w > 0
	}
	var sum float64
	for _, v := range obs.PSF.Plane(c) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false, fmt.Errorf("deblend: %s: the PSF has values that are not finite: %w", bandName(obs, c), ErrInput)
		}
		sum += float64(v)
	}
	if valid && math.Abs(sum-1) > 1e-3 {
		return false, fmt.Errorf("deblend: %s: the PSF sums to %g, not 1: %w", bandName(obs, c), sum, ErrInput)
	}
	return valid, nil
}
