package binning

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"limpid"
	"limpid/solvers/massmap"
)

// The survey's histograms have bins of 1.2″.
const (
	raBins  = 1 << 20
	decBins = raBins / 2
	perDeg  = raBins / 360.0
)

// survey finds where the galaxies are: their extent, with RA cut at its largest gap, and
// where the medians lie.
type survey struct {
	o       Options
	ra, dec []uint32 // counts
	n       int
	top     float64 // largest RA as given
	factor  float64 // to degrees
	dropped map[string]int

	start           int // first bin of RA after the gap
	width           int // bins of RA from start to the last galaxy
	decLo, decHi    int
	raMid, decMid   float64 // of the extent
	raWide, decWide float64 // degrees of coordinate
}

func newSurvey(o Options) *survey {
	s := &survey{o: o, ra: make([]uint32, raBins), dec: make([]uint32, decBins+1), factor: 1, top: math.Inf(-1), dropped: map[string]int{}}
	if o.RAUnit == Hours {
		s.factor = 15
	}
	return s
}

// raBin of a longitude in degrees.
func raBin(ra float64) int {
	b := int(math.Floor(ra * perDeg))
	if b < 0 {
		b += raBins
	}
	if b >= raBins {
		b -= raBins
	}
	return b & (raBins - 1)
}

func decBin(dec float64) int { return int((dec + 90) * perDeg) }

func (s *survey) add(r Rows) error {
	for i := range r.RA {
		if why := s.o.reject(r, i); why != "" {
			s.dropped[why]++
			continue
		}
		s.top = math.Max(s.top, r.RA[i])
		s.ra[raBin(r.RA[i]*s.factor)]++
		s.dec[decBin(r.Dec[i])]++
		s.n++
	}
	return nil
}

// finish finds the extent.
func (s *survey) finish() error {
	if s.n == 0 {
		return fmt.Errorf("massmap: none of the galaxies can be used: %s: %w", list(s.dropped), massmap.ErrEmpty)
	}
	s.cutAtGap()
	for s.dec[s.decLo] == 0 {
		s.decLo++
	}
	s.decHi = len(s.dec) - 1
	for s.dec[s.decHi] == 0 {
		s.decHi--
	}
	s.raWide, s.decWide = float64(s.width+1)/perDeg, float64(s.decHi-s.decLo+1)/perDeg
	s.raMid = math.Mod((float64(s.start)+float64(s.width+1)/2)/perDeg, 360)
	s.decMid = float64(s.decLo+s.decHi+1)/2/perDeg - 90
	return s.hours()
}

// cutAtGap finds the longest empty run of the circle of RA; the field is the rest.
func (s *survey) cutAtGap() {
	first := slices.IndexFunc(s.ra, func(c uint32) bool { return c > 0 })
	best, last := -1, first
	for i := 1; i <= raBins; i++ {
		b := (first + i) % raBins
		if s.ra[b] == 0 {
			continue
		}
		if gap := first + i - last; gap > best {
			best, s.start = gap, b
			s.width = raBins - gap
		}
		last = first + i
	}
}

// hours refuses a catalogue that looks as if RA were in hours: all below 24, and a field
// far from square that becomes square.
func (s *survey) hours() error {
	if s.o.RAUnit != Guess || s.top > 24 || s.n < 100 {
		return nil
	}
	ratio := s.raWide * math.Cos(s.decMid*math.Pi/180) / s.decWide
	if ratio < 1.0/4 && ratio*15 > 1.0/3 && ratio*15 < 3 {
		return fmt.Errorf("massmap: RA runs up to %.4g and the field would be %.3g times as high as wide: is RA in hours? Say which, hours or deg: %w", s.top, 1/ratio, massmap.ErrSetting)
	}
	return nil
}

// gapLimit is the largest field that is still mapped as flat, in degrees.
const gapLimit = 60

// layout decides the projection.
func (o *Options) layout(ctx context.Context, src Source, s *survey) (massmap.Projection, []limpid.Finding, error) {
	p := massmap.Projection{Kind: o.Projection, Arcmin: o.Arcmin, W: o.W, H: o.H, RA0: s.raMid, Dec0: s.decMid}
	wide := s.raWide * math.Cos(s.decMid*math.Pi/180)
	given := o.Center != nil && o.W > 0 && o.H > 0 && o.Arcmin > 0
	if !given && (wide > gapLimit || s.decWide > gapLimit) {
		return p, nil, fmt.Errorf("massmap: the galaxies span %.1f° × %.1f°: a flat map holds at most %d°; choose a centre and a size: %w", wide, s.decWide, gapLimit, massmap.ErrSetting)
	}
	switch {
	case o.Center != nil:
		p.RA0, p.Dec0 = o.Center[0], o.Center[1]
		if !(math.Abs(p.Dec0) <= 90) || math.IsNaN(p.RA0) || math.IsInf(p.RA0, 0) {
			return p, nil, fmt.Errorf("massmap: centre (%g, %g): %w", p.RA0, p.Dec0, massmap.ErrSetting)
		}
	case o.Projection == massmap.FlatEast:
		var err error
		if p.RA0, p.Dec0, err = s.medians(ctx, src); err != nil {
			return p, nil, err
		}
	}
	var notes []limpid.Finding
	if p.Arcmin == 0 {
		area := math.Max(wide*s.decWide*3600, 1e-6)
		p.Arcmin = round2(math.Sqrt(6 * area / float64(s.n)))
		p.Arcmin = math.Min(math.Max(p.Arcmin, 0.05), 10)
		notes = append(notes, limpid.Finding{Severity: limpid.Info, Code: "shear.pixel", Where: "pixel size", What: fmt.Sprintf("pixels of %g′ hold about 6 galaxies", p.Arcmin), Advice: "Choose another size if you want"})
	}
	if err := s.size(&p); err != nil {
		return p, nil, err
	}
	return p, notes, nil
}

// size covers the field where the size is not given, with a pixel to spare.
func (s *survey) size(p *massmap.Projection) error {
	var wide, high float64
	p0 := *p
	p0.W, p0.H = 0, 0
	const steps = 32
	for i := range steps + 1 {
		for j := range steps + 1 {
			if i%steps != 0 && j%steps != 0 {
				continue
			}
			ra := float64(s.start)/perDeg + s.raWide*float64(i)/steps
			dec := float64(s.decLo)/perDeg - 90 + s.decWide*float64(j)/steps
			x, y, ok := p0.ToPixel(ra, dec)
			if ok {
				wide, high = math.Max(wide, math.Abs(x+0.5)), math.Max(high, math.Abs(y+0.5))
			}
		}
	}
	for _, d := range []struct {
		n    *int
		half float64
	}{{&p.W, wide}, {&p.H, high}} {
		if *d.n > 0 {
			continue
		}
		want := 2 * math.Ceil(d.half+0.5)
		if want > maxSide {
			return fmt.Errorf("massmap: pixels of %g′ would make a map of %.0f pixels: at most %d; take larger pixels, or give a size: %w", p.Arcmin, want, maxSide, massmap.ErrSetting)
		}
		*d.n = max(int(want), 8)
	}
	return nil
}

// medians are exact: the bins with the middle ranks are gathered in one more pass.
func (s *survey) medians(ctx context.Context, src Source) (ra, dec float64, err error) {
	raAt := func(i int) uint32 { return s.ra[(s.start+i)%raBins] }
	decAt := func(i int) uint32 { return s.dec[i] }
	raFrom, raTo, raSkip := middle(raAt, raBins, s.n)
	decFrom, decTo, decSkip := middle(decAt, len(s.dec), s.n)
	var ras, decs []float64
	err = src(ctx, func(r Rows) error {
		for i := range r.RA {
			if s.o.reject(r, i) != "" {
				continue
			}
			a := r.RA[i] * s.factor
			if a < 0 {
				a += 360
			} else if a >= 360 {
				a -= 360
			}
			if b := (raBin(a) - s.start + raBins) % raBins; b >= raFrom && b <= raTo {
				if raBin(a) < s.start { // past 360°
					a += 360
				}
				ras = append(ras, a)
			}
			if b := decBin(r.Dec[i]); b >= decFrom && b <= decTo {
				decs = append(decs, r.Dec[i])
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	lo, hi := (s.n-1)/2, s.n/2
	pick := func(v []float64, skip int) float64 {
		slices.Sort(v)
		return (v[lo-skip] + v[hi-skip]) / 2
	}
	ra = pick(ras, raSkip)
	if ra >= 360 {
		ra -= 360
	}
	return ra, pick(decs, decSkip), nil
}

// middle finds the bins of the two middle ranks and how many values lie before them.
func middle(at func(int) uint32, bins, n int) (from, to, skip int) {
	lo, hi := (n-1)/2, n/2
	sum := 0
	from = -1
	for i := range bins {
		c := int(at(i))
		if from < 0 && sum+c > lo {
			from, skip = i, sum
		}
		if sum+c > hi {
			return from, i, skip
		}
		sum += c
	}
	return from, bins - 1, skip
}

// round2 keeps two digits.
func round2(v float64) float64 {
	d := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(v/d) * d
}

// list writes reasons and numbers, largest first.
func list(m map[string]int) string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return "it has no rows"
	}
	slices.SortFunc(keys, func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%d with %s", m[k], k)
	}
	return strings.Join(keys, ", ")
}
