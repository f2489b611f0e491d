package wcs

import (
	"math"
	"strings"
)

// spectral is the non-linear part of a spectral axis (Greisen+2006, "WCS III",
// section 3): the axis is linear in the variable x while the header speaks of s,
// which goes linearly with the variable p. Both are one of F (frequency, Hz), W
// (wavelength in vacuum, m), A (in air, m) and V (velocity, m/s).
type spectral struct {
	x, p   byte
	f0     float64 // rest frequency
	unit   float64 // of CUNIT in SI
	slope  float64 // s = slope · p + start, in SI
	start  float64
	xr     float64 // x at the reference pixel
	dxds   float64 // there
	failed bool    // no values: tables, grisms, contradictions
}

const (
	lightSpeed = 299792458.0    // m/s
	planck     = 6.62607015e-34 // J s
)

// spectralUnits in SI; lower case.
var spectralUnits = map[string]float64{
	"hz": 1, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "thz": 1e12,
	"m": 1, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10, "angstroms": 1e-10, "pm": 1e-12,
	"m/s": 1, "m s-1": 1, "km/s": 1e3, "km s-1": 1e3, "cm/s": 1e-2,
	"j": 1, "erg": 1e-7, "ev": 1.602176634e-19, "kev": 1.602176634e-16, "mev": 1.602176634e-13,
	"m-1": 1, "1/m": 1, "/m": 1, "cm-1": 100, "1/cm": 100, "/cm": 100, "rad/s": 1, "rad s-1": 1, "": 1,
}

// spectralAxes looks for axes that are not linear: "WAVE-F2W", AIPS's "FELO-HEL",
// and what is not built in.
func (p *parser) spectralAxes() {
	for i := range p.w.Axes {
		a := &p.w.Axes[i]
		if a.Celestial || len(a.Type) < 8 || a.Type[4] != '-' {
			continue
		}
		code := strings.Trim(a.Type[5:], "- ")
		quantity := a.Type[:4]
		if quantity == "FELO" { // optical velocity on an axis linear in frequency
			quantity, code = "VOPT", "F2W"
		}
		switch {
		case len(code) == 3 && code[1] == '2':
			if a.spec = p.newSpectral(i, quantity, code); a.spec.failed {
				p.note("axis %d, %s: the header does not say enough for its coordinates (unit, rest frequency)", i+1, a.Type)
			}
		case code == "TAB" || code == "GRI" || code == "GRA":
			a.spec = &spectral{failed: true}
			p.note("axis %d, %s: tables and grisms are not read; it has no coordinates", i+1, a.Type)
		}
	}
}

// restFrequency of RESTFRQ, RESTFREQ (old) or RESTWAV; 0 where absent.
func (p *parser) restFrequency() float64 {
	for _, k := range []string{"RESTFRQ", "RESTFREQ"} {
		if v := p.float(0, "%s", k); v > 0 {
			return v
		}
	}
	if v := p.float(0, "RESTWAV"); v > 0 {
		return lightSpeed / v
	}
	return 0
}

func (p *parser) newSpectral(axis int, quantity, code string) *spectral {
	a := &p.w.Axes[axis]
	unit, ok := spectralUnits[strings.ToLower(a.Unit)]
	if strings.EqualFold(a.Unit, "MeV") && a.Unit[0] == 'm' {
		unit *= 1e-9
	}
	s := &spectral{x: code[0], p: code[2], f0: p.restFrequency(), unit: unit, failed: true}
	var rest bool
	var basic byte
	switch quantity { // WCS III, table 1
	case "FREQ":
		basic, s.slope = 'F', 1
	case "AFRQ":
		basic, s.slope = 'F', 2*math.Pi
	case "ENER":
		basic, s.slope = 'F', planck
	case "WAVN":
		basic, s.slope = 'F', 1/lightSpeed
	case "VRAD":
		basic, s.slope, s.start, rest = 'F', -lightSpeed/s.f0, lightSpeed, true
	case "WAVE":
		basic, s.slope = 'W', 1
	case "VOPT":
		basic, s.slope, s.start, rest = 'W', s.f0, -lightSpeed, true
	case "ZOPT":
		basic, s.slope, s.start, rest = 'W', s.f0/lightSpeed, -1, true
	case "AWAV":
		basic, s.slope = 'A', 1
	case "VELO":
		basic, s.slope = 'V', 1
	case "BETA":
		basic, s.slope = 'V', 1/lightSpeed
	}
	rest = rest || s.x == 'V' || s.p == 'V'
	if !ok || basic != s.p || !strings.ContainsRune("FWAV", rune(s.x)) || rest && s.f0 == 0 {
		return s
	}
	pr := (a.CRVal*unit - s.start) / s.slope
	fr, dfdp := s.frequency(s.p, pr)
	s.xr = s.fromFrequency(s.x, fr)
	_, dfdx := s.frequency(s.x, s.xr)
	s.dxds = dfdp / dfdx / s.slope
	s.failed = math.IsNaN(s.xr+s.dxds) || math.IsInf(s.xr+s.dxds, 0)
	return s
}

// value gives the coordinate at an offset from CRVAL along the linear axis, both in
// CUNIT.
func (s *spectral) value(d float64) float64 {
	if s.failed {
		return math.NaN()
	}
	f, _ := s.frequency(s.x, s.xr+d*s.unit*s.dxds)
	if !(f > 0) {
		return math.NaN()
	}
	return (s.slope*s.fromFrequency(s.p, f) + s.start) / s.unit
}

// frequency of a value of the variable kind, and its derivative.
func (s *spectral) frequency(kind byte, v float64) (f, d float64) {
	switch kind {
	case 'W':
		return lightSpeed / v, -lightSpeed / (v * v)
	case 'A':
		n, dn := airIndex(v)
		w := v * n
		return lightSpeed / w, -lightSpeed / (w * w) * (n + v*dn)
	case 'V':
		f = s.f0 * math.Sqrt((lightSpeed-v)/(lightSpeed+v))
		return f, -f * lightSpeed / (lightSpeed*lightSpeed - v*v)
	}
	return v, 1
}

func (s *spectral) fromFrequency(kind byte, f float64) float64 {
	switch kind {
	case 'W':
		return lightSpeed / f
	case 'A':
		w := lightSpeed / f
		a := w
		for range 5 { // n − 1 is 3e-4 and hardly changes: converges at once
			n, _ := airIndex(a)
			a = w / n
		}
		return a
	case 'V':
		q := f / s.f0
		return lightSpeed * (1 - q*q) / (1 + q*q)
	}
	return f
}

// airIndex is the refractive index of air at a wavelength in air (m) and its
// derivative (WCS III, eq. 65, the formula of the IUGG).
func airIndex(a float64) (n, d float64) {
	u := 1e-12 / (a * a) // µm⁻²
	return 1 + 1e-6*(287.6155+(1.62887+0.01360*u)*u), -2e-6 * (1.62887 + 2*0.01360*u) * u / a
}
