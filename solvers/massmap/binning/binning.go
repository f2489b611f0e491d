// Package binning makes shear maps of galaxy catalogues. Rows stream through it twice or
// three times (where the field lies; its exact middle, if the map needs it; the sums per
// pixel), so that a catalogue may be larger than memory.
package binning

import (
	"context"
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/massmap"
)

// Rows is a run of galaxies: positions in degrees, or RA in hours if Options say so, two
// components of the ellipticity or reduced shear. Weight and Z may be nil.
type Rows struct{ RA, Dec, E1, E2, Weight, Z []float64 }

// Source hands out all rows in order, as often as it is called.
type Source func(ctx context.Context, use func(Rows) error) error

// Frame says what the components of the catalogue refer to, seen on the sky with north
// up and east to the left.
type Frame string

// The frames in use. West: x to the right (west), y to the north, as measured in a FITS
// image. East: x to the east. IAU: the position angle from north through east, e1 > 0
// along north, e2 > 0 towards north-east.
const (
	West Frame = "west"
	East Frame = "east"
	IAU  Frame = "iau"
)

// Noise says how weights become noise.
type Noise string

// The ways. FromWeights: the variance of a weighted mean of galaxies with dispersion
// σ² = Σw²e²/Σw², σ² Σw²/(Σw)². FromCounts: σ²/N with the plain dispersion, whatever the
// weights. InverseVariance: the weights are 1/variance of a component, 1/Σw.
const (
	FromWeights     Noise = "weights"
	FromCounts      Noise = "counts"
	InverseVariance Noise = "inverse-variance"
)

// Unit of the RA column.
type Unit string

// Guess takes degrees, but refuses what looks like hours.
const (
	Guess   Unit = ""
	Degrees Unit = "deg"
	Hours   Unit = "hours"
)

// Options of Bin. The zero value is a good start.
type Options struct {
	Projection massmap.ProjectionKind `json:"projection,omitempty"` // default Gnomonic
	Arcmin     float64                `json:"arcmin,omitempty"`     // 0: about 6 galaxies in a pixel
	W          int                    `json:"width,omitempty"`      // pixels; 0: what covers the catalogue
	H          int                    `json:"height,omitempty"`
	// Center in degrees; nil: the middle of the field, and with FlatEast the medians.
	Center      *[2]float64 `json:"center,omitempty"`
	Frame       Frame       `json:"frame,omitempty"` // default West
	Flip1       bool        `json:"flip1,omitempty"` // further changes of sign
	Flip2       bool        `json:"flip2,omitempty"`
	RAUnit      Unit        `json:"ra_unit,omitempty"`
	ZMin        float64     `json:"z_min,omitempty"`
	ZMax        float64     `json:"z_max,omitempty"`        // 0: no cut
	Noise       Noise       `json:"noise,omitempty"`        // default FromWeights
	SigmaE      float64     `json:"sigma_e,omitempty"`      // dispersion of a component; 0: measured
	MinGalaxies int         `json:"min_galaxies,omitempty"` // pixels with fewer are masked; default 1
}

// maxSide bounds a map.
const maxSide = 8192

// Bin makes a Field.
func Bin(ctx context.Context, src Source, o Options) (*massmap.Field, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	sv := newSurvey(o)
	if err := src(ctx, sv.add); err != nil {
		return nil, err
	}
	if err := sv.finish(); err != nil {
		return nil, err
	}
	p, notes, err := o.layout(ctx, src, sv)
	if err != nil {
		return nil, err
	}
	s := newSums(o, p, sv)
	if err := src(ctx, s.add); err != nil {
		return nil, err
	}
	f, err := s.field()
	if err != nil {
		return nil, err
	}
	f.Findings = append(notes, f.Findings...)
	return f, f.Validate()
}

func (o *Options) check() error {
	if o.Projection == "" {
		o.Projection = massmap.Gnomonic
	}
	if o.Frame == "" {
		o.Frame = West
	}
	if o.Noise == "" {
		o.Noise = FromWeights
	}
	if o.MinGalaxies < 1 {
		o.MinGalaxies = 1
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("massmap: "+format+": %w", append(a, massmap.ErrSetting)...)
	}
	switch {
	case o.Projection != massmap.Gnomonic && o.Projection != massmap.FlatEast:
		return bad("projection %q is not one of gnomonic, flat-east", o.Projection)
	case o.Frame != West && o.Frame != East && o.Frame != IAU:
		return bad("frame %q is not one of west, east, iau", o.Frame)
	case o.Noise != FromWeights && o.Noise != FromCounts && o.Noise != InverseVariance:
		return bad("noise %q is not one of weights, counts, inverse-variance", o.Noise)
	case o.RAUnit != Guess && o.RAUnit != Degrees && o.RAUnit != Hours:
		return bad("unit %q of RA is not one of deg, hours", o.RAUnit)
	case o.Arcmin < 0 || o.Arcmin > 60 || math.IsNaN(o.Arcmin):
		return bad("pixels of %g arcmin: more than 0 and at most 60 are possible", o.Arcmin)
	case o.W < 0 || o.H < 0 || o.W > maxSide || o.H > maxSide:
		return bad("a map of %d × %d pixels: at most %d on a side", o.W, o.H, maxSide)
	case o.ZMax != 0 && !(o.ZMax > o.ZMin):
		return bad("redshifts from %g to %g", o.ZMin, o.ZMax)
	case o.SigmaE < 0 || math.IsNaN(o.SigmaE):
		return bad("a dispersion of shapes of %g", o.SigmaE)
	}
	return nil
}

// Reasons why rows are dropped.
const (
	dropNaN      = "a value that is not a number"
	dropPosition = "a position that is none"
	dropShape    = "a component beyond ±2"
	dropWeight   = "a weight that is not positive"
	dropRedshift = "a redshift outside the cut"
	dropOutside  = "a position outside the map"
)

// maxShape is the largest component that can be meant: beyond, it is a sentinel like −99.
const maxShape = 2

// reject says why galaxy i cannot be used; "" if it can.
func (o *Options) reject(r Rows, i int) string {
	ra, dec, e1, e2 := r.RA[i], r.Dec[i], r.E1[i], r.E2[i]
	if s := ra + dec + e1 + e2; s-s != 0 { // NaN or infinite
		return dropNaN
	}
	if dec < -90 || dec > 90 || ra < -360 || ra > 720 {
		return dropPosition
	}
	if e1 > maxShape || e1 < -maxShape || e2 > maxShape || e2 < -maxShape {
		return dropShape
	}
	if r.Weight != nil {
		switch w := r.Weight[i]; {
		case w-w != 0:
			return dropNaN
		case w <= 0:
			return dropWeight
		}
	}
	if o.ZMax != 0 && r.Z != nil {
		switch z := r.Z[i]; {
		case z-z != 0:
			return dropNaN
		case z < o.ZMin || z > o.ZMax:
			return dropRedshift
		}
	}
	return ""
}

// signs brings the catalogue's components to a frame along columns and rows.
func (o *Options) signs(p *massmap.Projection) (s1, s2 float64) {
	s1, s2 = 1, 1
	if o.Frame == IAU { // φ = 90° + PA with x to the west
		s1, s2 = -1, -1
	}
	if (o.Frame == East) != p.East() { // x runs the other way
		s2 = -s2
	}
	if o.Flip1 {
		s1 = -s1
	}
	if o.Flip2 {
		s2 = -s2
	}
	return s1, s2
}

// dispersions of the two components for one galaxy.
func (s *sums) dispersions() (a, b float64) {
	t := s.total
	if s.o.SigmaE > 0 {
		return s.o.SigmaE, s.o.SigmaE
	}
	if s.o.Noise == FromCounts {
		return math.Sqrt(t.ee1/t.n - t.e1*t.e1/(t.n*t.n)), math.Sqrt(t.ee2/t.n - t.e2*t.e2/(t.n*t.n))
	}
	return math.Sqrt(t.wwee1 / t.ww), math.Sqrt(t.wwee2 / t.ww)
}

func (s *sums) field() (*massmap.Field, error) {
	p := s.p
	if s.used == 0 {
		return nil, fmt.Errorf("massmap: none of the galaxies can be used: %s: %w", list(s.dropped), massmap.ErrEmpty)
	}
	n := p.H * p.W
	f := &massmap.Field{
		H: p.H, W: p.W, Arcmin: p.Arcmin, Projection: p, Galaxies: s.used, Dropped: s.dropped,
		Shear: solvers.NewImage(2, p.H, p.W), Weights: solvers.NewImage(2, p.H, p.W), Count: make([]float32, n),
	}
	d1, d2 := s.dispersions()
	f.SigmaE = math.Sqrt((d1*d1 + d2*d2) / 2)
	if !(d1 > 0) || !(d2 > 0) {
		return nil, fmt.Errorf("massmap: the shapes of %d galaxies have no dispersion, so that their noise is not known: give it: %w", s.used, massmap.ErrSetting)
	}
	for i, q := range s.cells {
		f.Count[i] = float32(q.n)
		if q.n < float64(s.o.MinGalaxies) {
			continue
		}
		f.Shear.Pix[i], f.Shear.Pix[n+i] = float32(q.e1/q.w), float32(q.e2/q.w)
		var per float64 // galaxies this mean is worth
		switch s.o.Noise {
		case FromWeights:
			per = q.w * q.w / q.ww
		case FromCounts:
			per = q.n
		case InverseVariance:
			f.Weights.Pix[i], f.Weights.Pix[n+i] = float32(q.w), float32(q.w)
			continue
		}
		f.Weights.Pix[i], f.Weights.Pix[n+i] = float32(per/(d1*d1)), float32(per/(d2*d2))
	}
	s.findings(f)
	return f, nil
}

func (s *sums) findings(f *massmap.Field) {
	note := func(sev limpid.Severity, code, where, advice, format string, a ...any) {
		f.Findings = append(f.Findings, limpid.Finding{Severity: sev, Code: code, What: fmt.Sprintf(format, a...), Where: where, Advice: advice})
	}
	if lost := s.dropped[dropNaN] + s.dropped[dropPosition] + s.dropped[dropShape] + s.dropped[dropWeight] + s.dropped[dropOutside]; lost > 0 {
		sev := limpid.Info
		if float64(lost) > 0.01*float64(lost+s.used) {
			sev = limpid.Warning
		}
		note(sev, "shear.rows", "catalogue", "Check the columns if this is more than you expect", "%d of %d rows were left out: %s", lost, lost+s.used, list(s.dropped))
	}
	if d := s.p.Distortion(); d > 0.01 {
		note(limpid.Warning, "shear.flat", "projection", "Map a smaller field, or several", "the map is flat and the sky is not: distances are wrong by up to %.1f %%", 100*d)
	}
	masked := 0
	for i := range s.cells {
		if f.Masked(i) {
			masked++
		}
	}
	note(limpid.Info, "shear.field", "catalogue", "", "%d galaxies on %d × %d pixels of %.3g′, %.0f %% of them with data, dispersion of shapes %.3f", s.used, f.W, f.H, f.Arcmin, 100-100*float64(masked)/float64(len(s.cells)), f.SigmaE)
}
