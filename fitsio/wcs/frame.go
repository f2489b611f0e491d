package wcs

import "strings"

// Frame is a celestial reference frame.
type Frame struct {
	// "ICRS", "FK5", "FK4", "FK4-NO-E" (without the E-terms of aberration),
	// "Galactic", "Ecliptic"; "" unknown
	Name    string
	Equinox float64 // of FK5 (Julian), FK4 (Besselian) and Ecliptic
}

// The usual frames.
var (
	ICRS     = Frame{Name: "ICRS"}
	FK5      = Frame{Name: "FK5", Equinox: 2000}
	FK4      = Frame{Name: "FK4", Equinox: 1950}
	Galactic = Frame{Name: "Galactic"}
	Ecliptic = Frame{Name: "Ecliptic", Equinox: 2000}
)

// String gives "FK5 J2000".
func (f Frame) String() string {
	switch f.Name {
	case "FK5", "Ecliptic":
		return f.Name + " J" + trimFloat(f.Equinox)
	case "FK4", "FK4-NO-E":
		return f.Name + " B" + trimFloat(f.Equinox)
	case "":
		return "unknown frame"
	}
	return f.Name
}

// readFrame follows WCS II, section 3.1: RADESYS, EQUINOX (or EPOCH).
func (p *parser) readFrame() Frame {
	eq := p.float(0, "EQUINOX")
	if eq == 0 && p.alt == "" {
		eq = p.float(0, "EPOCH")
	}
	switch p.frame {
	case "G":
		return Galactic
	case "E":
		if eq == 0 {
			eq = 2000
		}
		return Frame{"Ecliptic", eq}
	case "EQUA":
	default:
		return Frame{}
	}
	sys, _ := p.h.Str(p.key("RADESYS"))
	if sys == "" && p.alt == "" {
		sys, _ = p.h.Str("RADECSYS")
	}
	sys = strings.ToUpper(strings.TrimSpace(sys))
	switch {
	case strings.HasPrefix(sys, "FK4") || sys == "" && eq != 0 && eq < 1984:
		if eq == 0 {
			eq = 1950
		}
		if strings.HasPrefix(sys, "FK4-NO-E") {
			return Frame{"FK4-NO-E", eq}
		}
		return Frame{"FK4", eq}
	case sys == "FK5" || sys == "" && eq != 0:
		if eq == 0 {
			eq = 2000
		}
		return Frame{"FK5", eq}
	case sys == "GAPPT":
		return Frame{}
	}
	return ICRS
}
