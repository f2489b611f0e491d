package wcs

import (
	"fmt"
	"math"

	"limpid/fitsio/wcs/proj"
)

// sip is the SIP convention (Shupe+2005, ASPC 347, 491): polynomials of the
// offset from CRPIX in pixels, added to it.
type sip struct {
	a, b   poly2
	ap, bp poly2
	hasInv bool
}

// poly2 is Σ c[p][q] u^p v^q.
type poly2 [][]float64

func (c poly2) eval(u, v float64) float64 {
	s := 0.0
	for p := len(c) - 1; p >= 0; p-- {
		t := 0.0
		for q := len(c[p]) - 1; q >= 0; q-- {
			t = t*v + c[p][q]
		}
		s = s*u + t
	}
	return s
}

func (s *sip) forward(u, v float64) (float64, float64) {
	return u + s.a.eval(u, v), v + s.b.eval(u, v)
}

// guess starts the inversion from the AP and BP polynomials of the header.
func (s *sip) guess(u, v float64) (float64, float64) {
	if !s.hasInv {
		return u, v
	}
	return u + s.ap.eval(u, v), v + s.bp.eval(u, v)
}

// maxSIPOrder is the standard's limit.
const maxSIPOrder = 9

func (p *parser) sipPoly(name string) (poly2, bool, error) {
	n, ok := p.h.Int(name + "_ORDER")
	if !ok {
		return nil, false, nil
	}
	if n < 0 || n > maxSIPOrder {
		return nil, false, fmt.Errorf("%s_ORDER = %d is not in 0 … %d: %w", name, n, maxSIPOrder, ErrInvalid)
	}
	c := make(poly2, n+1)
	for i := range c {
		c[i] = make([]float64, int(n)-i+1)
		for j := range c[i] {
			v, _ := p.h.Float(fmt.Sprintf("%s_%d_%d", name, i, j))
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, false, fmt.Errorf("%s_%d_%d is not finite: %w", name, i, j, ErrInvalid)
			}
			c[i][j] = v
		}
	}
	return c, true, nil
}

// distortions reads SIP, TPV and TNX.
func (p *parser) distortions() error {
	w := p.w
	if p.suffix != "" && p.suffix != "SIP" {
		p.note("the distortion code %q in CTYPE is not known and was ignored", p.suffix)
	}
	for _, key := range []string{"CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2"} {
		if p.h.Has(p.key("%s", key)) {
			p.note("%s: the lookup table %s", key, lookupNote)
		}
	}
	a, okA, err := p.sipPoly("A")
	if err != nil {
		return err
	}
	b, okB, err := p.sipPoly("B")
	if err != nil {
		return err
	}
	if okA && okB && (p.alt == "" || p.suffix == "SIP") {
		s := &sip{a: a, b: b}
		var ok1, ok2 bool
		if s.ap, ok1, err = p.sipPoly("AP"); err != nil {
			return err
		}
		if s.bp, ok2, err = p.sipPoly("BP"); err != nil {
			return err
		}
		s.hasInv = ok1 && ok2
		w.pix = s
		if p.suffix != "SIP" {
			p.note("SIP coefficients without -SIP in CTYPE were applied")
		}
	}
	switch w.Code {
	case "TPV":
		w.plane, w.Code = p.tpv(), "TAN"
	case "TNX", "ZPX":
		p.irafPV = &proj.Params{}
		for m := range p.irafPV {
			p.irafPV[m] = math.NaN()
		}
		if w.plane, err = p.iraf(p.irafPV); err != nil {
			return err
		}
		w.Code = map[string]string{"TNX": "TAN", "ZPX": "ZPN"}[w.Code]
	case "TAN":
		// SCAMP wrote TPV coefficients under the name TAN.
		switch {
		case p.scampPV() && w.pix != nil:
			// Some pipelines turn SCAMP's coefficients into SIP and leave them in.
			p.noPV = true
			p.note("PV coefficients beside SIP were ignored")
		case p.scampPV():
			w.plane = p.tpv()
			p.note("PV coefficients in a TAN header were read as TPV (SCAMP)")
		}
	}
	return nil
}
