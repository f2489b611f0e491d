package calibration

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"limpid/app/training"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Report is the verdict of a calibration, as it is stored.
type Report struct {
	Prior   string `json:"prior"`
	Steps   int    `json:"prior_steps"` // of its training: which weights
	Sampler string `json:"sampler"`
	// Budget is that of results of the same walk; Own: no result has it, as it has levels, moves
	// or an end of its own.
	Budget deconv.Budget `json:"budget,omitempty"`
	Own    bool          `json:"own_walk,omitempty"`
	PSF    string        `json:"psf"`
	FWHM   float64       `json:"psf_fwhm_px,omitempty"` // 0: from before it was kept
	// Resolution is the FWHM in pixels of the target PSF that truths and draws were judged at; Correlated the σ of the
	// Gaussian that their noise was smoothed with.
	Resolution float64 `json:"resolution_px,omitempty"`
	Correlated float64 `json:"correlated_px,omitempty"`
	Exposures  int     `json:"exposures,omitempty"` // of every field; 0: one image on the scene\'s pixels
	Side       int     `json:"side"`
	Draws      int     `json:"draws"`
	Total      bool    `json:"total_snr,omitempty"` // S/N is of the whole image, not its peak
	Scene      bool    `json:"scene_snr,omitempty"` // S/N is of the whole scene, before the PSF
	LowSNR     float64 `json:"low_snr"`
	HighSNR    float64 `json:"high_snr"`
	Pixel      float64 `json:"pixel_arcsec,omitempty"`
	Single     bool    `json:"single,omitempty"` // galaxies, one in the middle of each image
	Masked     float64 `json:"masked,omitempty"`
	Margin     int     `json:"margin"` // pixels at the border that do not count
	Truths     Truths  `json:"truths"`
	Seed       uint64  `json:"seed"`
	// FaintPairs is on how many pairs the table that mapped faint pixels was measured; 0: they
	// are as sampled. Faint is what was measured for such a table now.
	FaintPairs int              `json:"faint_pairs,omitempty"`
	Faint      *calibrate.Faint `json:"-"`

	Pairs      int       `json:"pairs"`
	Passed     int       `json:"passed_over,omitempty"`   // scenes whose light was at or beyond the border
	Chi2       float64   `json:"chi2_per_pixel_of_draws"` // 1 expected
	Acceptance float64   `json:"acceptance"`
	Coverage   float64   `json:"coverage_90"`                // of all pixels
	Fine       float64   `json:"coverage_90_fine,omitempty"` // of all pixels, to a tenth of the noise
	Bright     float64   `json:"coverage_90_bright"`         // of the brightest 1 %
	ZRMS       float64   `json:"z_rms,omitempty"`            // 1 expected
	NMSE       float64   `json:"nmse_median"`                // of the mean
	FluxBias   float64   `json:"flux_bias_median"`           // (mean − truth)/truth
	FluxCover  float64   `json:"flux_coverage_90"`           // of the total flux
	Negative   float64   `json:"negative_flux_median"`       // of draws, over the flux
	Shapes     *Shapes   `json:"shapes,omitempty"`           // of single galaxies
	Stars      *Stars    `json:"stars,omitempty"`            // beside the scenes; nil: there were none
	Rows       []Row     `json:"coverage_by_brightness"`
	Tests      []Test    `json:"tests"`
	TARP       []float64 `json:"tarp_shares,omitempty"`
	Seconds    float64   `json:"seconds"`
	// Conformal is the factor on the half-width of 90 % intervals that makes them hold
	// 90 % of the simulated pixels, per brightness row.
	Conformal []float64 `json:"conformal,omitempty"`

	nmse, flux, negative []float64
	scores               [len(edges)][]float32 // |z| per brightness row
	inFlux               float64
}

// Row is the coverage of pixels of one range of true brightness, in units of the noise
// of a data pixel.
type Row struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	Pixels   int     `json:"pixels"`
	Coverage float64 `json:"coverage_90"`
	ZRMS     float64 `json:"z_rms,omitempty"`

	in, z2 float64
}

// Test is one p value.
type Test struct {
	Name   string  `json:"name"`
	P      float64 `json:"p"`
	Counts []int   `json:"counts,omitempty"`
}

// edges of the brightness rows, in σ of a data pixel.
var edges = [...]float64{0, 0.1, 0.3, 1, 3, 10, 30}

func newReport(o Options, e training.Entry) *Report {
	r := &Report{
		Prior: e.Name, Steps: e.Card.Steps, Sampler: o.Sampler, Budget: o.Budget, Own: o.own(), PSF: o.About, FWHM: observe.FWHM(o.PSF.Plane(0), o.PSF.H, o.PSF.W), Resolution: o.Resolution, Correlated: o.Correlated, Exposures: o.Exposures, Side: o.Side, Draws: o.Draws,
		Total: o.TotalSNR, Scene: o.SceneSNR, Pixel: o.Pixel, Single: o.Single, LowSNR: o.LowSNR, HighSNR: o.HighSNR, Masked: o.Masked, Margin: o.Margin, Truths: o.Truths, Seed: o.Seed,
	}
	if o.Single {
		r.Shapes = &Shapes{}
	}
	if o.Star {
		r.Stars = newStars()
	}
	for i, lo := range edges {
		hi := math.MaxFloat32
		if i+1 < len(edges) {
			hi = edges[i+1]
		}
		r.Rows = append(r.Rows, Row{From: lo, To: hi})
	}
	return r
}

// Level is that of the intervals.
const Level = 0.9

// Expected is how often intervals of so few draws hold a truth where everything is right: they reach from the least to
// the greatest at most.
func (r *Report) Expected() float64 { return math.Min(Level, float64(r.Draws-1)/float64(r.Draws+1)) }

// leastStd is the smallest standard deviation that a deviation is measured in, in σ of a
// data pixel: on a field without light both are nothing.
const leastStd = 0.01

func row(v float64) int {
	for i := len(edges) - 1; i > 0; i-- {
		if v >= edges[i] {
			return i
		}
	}
	return 0
}

// interval is where the middle 90 % of values lie, which are put in order.
func interval(values []float64) (lo, hi float64) {
	slices.Sort(values)
	return calibrate.Quantile(values, (1-Level)/2), calibrate.Quantile(values, (1+Level)/2)
}

// add takes one pair in.
func (r *Report) add(truth []float32, draws [][]float32, chi2 float64) {
	r.Pairs++
	r.Chi2 += chi2
	l := float64(len(draws))
	var norm, err, flux, meanFlux float64
	values := make([]float64, len(draws))
	fluxes, neg := make([]float64, len(draws)), make([]float64, len(draws))
	for i, t := range truth {
		var mean, m2 float64
		for j, d := range draws {
			values[j] = float64(d[i])
			mean += values[j] / l
			fluxes[j] += values[j]
			neg[j] -= math.Min(0, values[j])
		}
		for _, v := range values {
			m2 += (v - mean) * (v - mean) / (l - 1)
		}
		tv := float64(t)
		w := &r.Rows[row(tv)]
		w.Pixels++
		lo, hi := interval(values)
		if tv >= lo && tv <= hi {
			w.in++
		}
		z := (tv - mean) / math.Sqrt(math.Max(m2*(1+1/l)*(l-1)/(l-3), leastStd*leastStd))
		w.z2 += z * z
		half := math.Max((hi-lo)/2, 1e-30)
		r.scores[row(tv)] = append(r.scores[row(tv)], float32(math.Abs(tv-(hi+lo)/2)/half))
		norm, err = norm+tv*tv, err+(mean-tv)*(mean-tv)
		flux, meanFlux = flux+tv, meanFlux+mean
	}
	r.nmse = append(r.nmse, err/norm)
	r.flux = append(r.flux, meanFlux/flux-1)
	if lo, hi := interval(fluxes); flux >= lo && flux <= hi {
		r.inFlux++
	}
	if r.Shapes != nil {
		r.Shapes.add(truth, draws, r.Side-2*r.Margin)
	}
	slices.Sort(neg)
	r.negative = append(r.negative, neg[len(neg)/2]/flux)
}

// finish computes what is reported.
func (r *Report) finish(s *calibrate.Suite) error {
	if r.Pairs == 0 {
		return nil
	}
	n := float64(r.Pairs)
	r.Chi2, r.Acceptance, r.FluxCover = r.Chi2/n, r.Acceptance/n, r.inFlux/n
	r.NMSE, r.FluxBias, r.Negative = median(r.nmse), median(r.flux), median(r.negative)
	if r.Shapes != nil {
		r.Shapes.finish()
	}
	var z2, pixels float64
	for i := range r.Rows {
		w := &r.Rows[i]
		z2, pixels = z2+w.z2, pixels+float64(w.Pixels)
		w.Coverage, w.ZRMS = w.in/math.Max(float64(w.Pixels), 1), math.Sqrt(w.z2/math.Max(float64(w.Pixels), 1))
		factor := 1.0
		if v := r.scores[i]; len(v) > 0 {
			slices.Sort(v)
			factor = float64(v[min(len(v)-1, int(0.9*float64(len(v))))])
		}
		r.Conformal = append(r.Conformal, factor)
	}
	r.ZRMS = math.Sqrt(z2 / math.Max(pixels, 1))
	rep, err := s.Report()
	if err != nil {
		return err
	}
	r.Coverage, r.Fine, r.Bright, r.TARP = rep.Coverage, rep.Fine, rep.Bright, rep.TARP
	ranks := rep.SBC
	if r.Stars != nil {
		more, err := r.Stars.finish()
		if err != nil {
			return err
		}
		ranks = append(ranks, more...)
	}
	for _, t := range ranks {
		r.Tests = append(r.Tests, Test{"SBC, " + t.Name, t.P, t.Counts})
	}
	r.Tests = append(r.Tests, Test{"TARP, about another scene", rep.TARPFarP, tenths(rep.TARPFar)}, Test{"TARP, about the mean", rep.TARPP, tenths(rep.TARP)})
	return nil
}

// tenths counts shares in tenths of [0, 1].
func tenths(shares []float64) []int {
	out := make([]int, 10)
	for _, s := range shares {
		out[min(int(10*s), 9)]++
	}
	return out
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// JSON is the report as it is stored.
func (r *Report) JSON() []byte {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(err) // finite numbers
	}
	return append(text, '\n')
}

func (r *Report) single() string {
	if r.Single {
		return ", single galaxies"
	}
	return ""
}

// seenHow says what was other than one image's independent pixels, on the scene's own.
func (r *Report) seenHow() string {
	var s string
	if r.Resolution > 0 {
		s += fmt.Sprintf(", at a target resolution of %g px", r.Resolution)
	}
	if r.Correlated > 0 {
		s += fmt.Sprintf(", noise correlated over %g px", r.Correlated)
	}
	if r.Exposures > 0 {
		s += fmt.Sprintf(", %d exposures, %d × %d pixels of the scene each of theirs", r.Exposures, ditherScale, ditherScale)
	}
	if r.Stars != nil {
		s += ", a star and a sky beside each"
	}
	if r.Masked > 0 {
		s += fmt.Sprintf(", %g %% masked", 100*r.Masked)
	}
	return s
}

func (r *Report) ownWalk() string {
	if r.Own {
		return ", a walk of its own"
	}
	return ""
}

func (r *Report) snrOf() string {
	switch {
	case r.Total:
		return "total"
	case r.Scene:
		return "scene's"
	}
	return "peak"
}

// Table is the report in plain text.
func (r *Report) Table() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	p("prior %s (%d steps), sampler %s, budget %s, PSF %s, %d² pixels less %d at the border, truths of the %s%s%s, %s S/N %g to %g, %d pairs of %d draws, %d scenes with their light at the border passed over, seed %d",
		r.Prior, r.Steps, r.Sampler, r.Budget.Name()+r.ownWalk(), r.PSF, r.Side, r.Margin, r.Truths, r.single(), r.seenHow(), r.snrOf(), r.LowSNR, r.HighSNR, r.Pairs, r.Draws, r.Passed, r.Seed)
	if r.FaintPairs > 0 {
		p("faint pixels as %d other pairs say that they are", r.FaintPairs)
	}
	p("90 %% intervals hold %.1f %% of all pixels (%.1f %% to a tenth of the noise), %.1f %% of the brightest 1 %%, %.1f %% of the total fluxes; z rms %.3f",
		100*r.Coverage, 100*r.Fine, 100*r.Bright, 100*r.FluxCover, r.ZRMS)
	if e := r.Expected(); e < Level {
		p("of %d draws, such intervals reach from the least to the greatest and hold %.1f %% where they are right; 19 draws reach far enough", r.Draws, 100*e)
	}
	p("χ²/pixel of draws %.3f, acceptance %.2f, NMSE of the mean %.4f, flux bias %+.2f %%, negative flux of a draw %.2f %% (medians)",
		r.Chi2, r.Acceptance, r.NMSE, 100*r.FluxBias, 100*r.Negative)
	if g := r.Shapes; g != nil {
		p("shears: median error of the mean image %.4f, of its |g| %.4f, of the median |g| of the draws %.4f (median |g| %.3f); the draws' mean is off by %.4f a component, rms, where they say %.4f; 90 %% intervals hold %.1f %%",
			g.Error, g.Modulus, g.Median, g.Truth, g.Square, g.Scatter, 100*g.Held)
	}
	if s := r.Stars; s != nil {
		for _, h := range []struct {
			name string
			StarsHeld
		}{{"on the brightest source", s.Host}, {"elsewhere", s.Field}} {
			p("%d stars %s: 90 %% intervals hold %.1f %% of the fluxes and %.1f %% of the coordinates; median errors %.2f %% and %.3f px",
				h.Stars, h.name, 100*h.Flux, 100*h.Place, 100*h.Error, h.Off)
		}
		p("skies: %.1f %%", 100*s.Sky)
	}
	p("%-24s %9s %9s %7s %9s", "true brightness, σ", "pixels", "held", "z rms", "conformal")
	for i, w := range r.Rows {
		to := fmt.Sprintf("%g", w.To)
		if i == len(r.Rows)-1 {
			to = "∞"
		}
		factor := 1.0
		if i < len(r.Conformal) {
			factor = r.Conformal[i]
		}
		p("%-24s %9d %8.1f%% %7.2f %9.2f", fmt.Sprintf("%g – %s", w.From, to), w.Pixels, 100*w.Coverage, w.ZRMS, factor)
	}
	for _, t := range r.Tests {
		p("p %.4f  %-26s %v", t.P, t.Name, t.Counts)
	}
	p("%.0f s", r.Seconds)
	return b.String()
}
