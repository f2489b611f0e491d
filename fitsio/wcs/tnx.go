package wcs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"limpid/fitsio/wcs/proj"
)

// iraf is the distortion of IRAF's TNX and ZPX: surfaces lngcor and latcor that
// are added to ξ and η, in degrees (Valdes 1998, "The NOAO world coordinate
// systems").
type iraf struct{ lng, lat *surface }

func (d *iraf) apply(x, y float64) (float64, float64) {
	a, b := x, y
	if d.lng != nil {
		a += d.lng.eval(x, y)
	}
	if d.lat != nil {
		b += d.lat.eval(x, y)
	}
	return a, b
}

// surface is a two-dimensional series as IRAF's gsurfit writes it.
type surface struct {
	kind           int // 1 Chebyshev, 2 Legendre, 3 power series
	nx, ny         int
	cross          int // cross terms: 0 none, 1 all, 2 up to the larger order
	x0, xr, y0, yr float64
	c              []float64
}

// maxSurfaceOrder bounds what a header can ask for.
const maxSurfaceOrder = 50

func parseSurface(text string) (*surface, error) {
	var v []float64
	for _, f := range strings.Fields(text) {
		x, err := strconv.ParseFloat(f, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the number %q: %w", f, ErrInvalid)
		}
		v = append(v, x)
	}
	if len(v) < 8 {
		return nil, fmt.Errorf("a surface of %d numbers: %w", len(v), ErrInvalid)
	}
	s := &surface{kind: int(v[0]), nx: int(v[1]), ny: int(v[2]), cross: int(v[3]), c: v[8:]}
	if s.kind < 1 || s.kind > 3 || s.nx < 1 || s.ny < 1 || s.nx > maxSurfaceOrder || s.ny > maxSurfaceOrder || s.cross < 0 || s.cross > 2 {
		return nil, fmt.Errorf("a surface of type %g, orders %g and %g, cross terms %g: %w", v[0], v[1], v[2], v[3], ErrInvalid)
	}
	s.x0, s.xr, s.y0, s.yr = (v[4]+v[5])/2, (v[5]-v[4])/2, (v[6]+v[7])/2, (v[7]-v[6])/2
	if s.kind != 3 && (s.xr == 0 || s.yr == 0) {
		return nil, fmt.Errorf("a surface on an empty range: %w", ErrInvalid)
	}
	terms := 0
	s.each(func(int, int) { terms++ })
	if terms != len(s.c) {
		return nil, fmt.Errorf("a surface of %d terms with %d coefficients: %w", terms, len(s.c), ErrInvalid)
	}
	return s, nil
}

// each lists the terms in the order of the coefficients: powers of x fastest.
func (s *surface) each(do func(m, n int)) {
	for n := range s.ny {
		for m := range s.nx {
			switch {
			case s.cross == 0 && m > 0 && n > 0:
			case s.cross == 2 && m+n >= max(s.nx, s.ny):
			default:
				do(m, n)
			}
		}
	}
}

func (s *surface) eval(x, y float64) float64 {
	var bx, by [maxSurfaceOrder]float64
	if s.kind != 3 {
		x, y = (x-s.x0)/s.xr, (y-s.y0)/s.yr
	}
	s.basis(bx[:s.nx], x)
	s.basis(by[:s.ny], y)
	sum, k := 0.0, 0
	s.each(func(m, n int) {
		sum += s.c[k] * bx[m] * by[n]
		k++
	})
	return sum
}

// basis fills b with the first functions of the series at x.
func (s *surface) basis(b []float64, x float64) {
	b[0] = 1
	if len(b) > 1 {
		b[1] = x
	}
	for i := 2; i < len(b); i++ {
		switch s.kind {
		case 1:
			b[i] = 2*x*b[i-1] - b[i-2]
		case 2:
			b[i] = (float64(2*i-1)*x*b[i-1] - float64(i-1)*b[i-2]) / float64(i)
		default:
			b[i] = x * b[i-1]
		}
	}
}

// watText joins WATi_001, WATi_002 …. Each card but the last holds 68
// characters; blanks at its end were cut by the string rules of FITS.
func (p *parser) watText(axis int) string {
	var b strings.Builder
	for k := 1; k < 1000; k++ {
		s, ok := p.h.Str(fmt.Sprintf("WAT%d_%03d", axis, k))
		if !ok {
			break
		}
		b.WriteString(s)
		if len(s) < 68 {
			b.WriteString(strings.Repeat(" ", 68-len(s)))
		}
	}
	return b.String()
}

// watValues reads name = value and name = "text".
func watValues(s string) map[string]string {
	out := map[string]string{}
	for {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return out
		}
		fields := strings.Fields(name)
		rest = strings.TrimLeft(rest, " ")
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, s, _ = strings.Cut(rest[1:], `"`)
		} else {
			value, s, _ = strings.Cut(rest, " ")
		}
		if len(fields) > 0 {
			out[fields[len(fields)-1]] = strings.TrimSpace(value)
		}
	}
}

// iraf reads TNX and ZPX; for ZPX the coefficients of ZPN go to pv.
func (p *parser) iraf(pv *proj.Params) (planeDistortion, error) {
	d := &iraf{}
	for _, a := range []struct {
		axis int
		name string
		to   **surface
	}{{p.lon, "lngcor", &d.lng}, {p.lat, "latcor", &d.lat}} {
		v := watValues(p.watText(a.axis + 1))
		if text, ok := v[a.name]; ok {
			s, err := parseSurface(text)
			if err != nil {
				return nil, fmt.Errorf("WAT%d, %s: %w", a.axis+1, a.name, err)
			}
			*a.to = s
		}
		if a.axis != p.lat {
			continue
		}
		for m := range pv {
			if x, err := strconv.ParseFloat(v[fmt.Sprintf("projp%d", m)], 64); err == nil {
				pv[m] = x
			}
		}
	}
	if p.lon > p.lat {
		return swapped{d}, nil
	}
	return d, nil
}
