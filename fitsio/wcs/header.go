package wcs

import (
	"fmt"
	"math"
	"strings"

	"limpid/fitsio"
	"limpid/fitsio/wcs/internal/angle"
	"limpid/fitsio/wcs/proj"
)

// FromHeader reads the celestial coordinate system of a header; alt is "" or "A"
// … "Z". Errors wrap ErrNoWCS, ErrInvalid or ErrUnsupported.
func FromHeader(h *fitsio.Header, alt string) (*WCS, error) {
	alt = strings.ToUpper(strings.TrimSpace(alt))
	if len(alt) > 1 || (alt != "" && (alt[0] < 'A' || alt[0] > 'Z')) {
		return nil, fmt.Errorf("wcs: alternate %q: %w", alt, ErrInvalid)
	}
	p := &parser{h: h, alt: alt, w: &WCS{Alt: alt}}
	if err := p.run(); err != nil {
		return nil, fmt.Errorf("wcs: %w", err)
	}
	return p.w, nil
}

// Alternates lists the coordinate systems of a header that FromHeader reads.
func Alternates(h *fitsio.Header) (out []string) {
	for _, a := range append([]string{""}, strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "")...) {
		if _, err := FromHeader(h, a); err == nil {
			out = append(out, a)
		}
	}
	return out
}

type parser struct {
	h   *fitsio.Header
	alt string
	w   *WCS

	naxis    int
	lon, lat int // axes from 0
	frame    string
	suffix   string // distortion code after the projection: SIP …
	lin      [][]float64
	irafPV   *proj.Params // parameters of ZPN from a ZPX header
	noPV     bool         // PV cards are not parameters of the projection
}

func (p *parser) key(format string, args ...any) string {
	return fmt.Sprintf(format, args...) + p.alt
}

func (p *parser) float(def float64, format string, args ...any) float64 {
	v, ok := p.h.Float(p.key(format, args...))
	if !ok || math.IsInf(v, 0) || math.IsNaN(v) {
		return def
	}
	return v
}

// maxAxes bounds what a header can ask for.
const maxAxes = 99

func (p *parser) run() error {
	if err := p.axes(); err != nil {
		return err
	}
	if err := p.celestial(); err != nil {
		return err
	}
	if err := p.units(); err != nil {
		return err
	}
	p.linear()
	p.spectralAxes()
	if err := p.pixelAxes(); err != nil {
		return err
	}
	if err := p.distortions(); err != nil {
		return err
	}
	if err := p.sphere(); err != nil {
		return err
	}
	p.w.Name, _ = p.h.Str(p.key("WCSNAME"))
	p.w.Frame = p.readFrame()
	return nil
}

// axes counts the axes: WCSAXES, NAXIS, or the highest index in use.
func (p *parser) axes() error {
	n := int64(0)
	for _, k := range []string{p.key("WCSAXES"), "NAXIS"} {
		if v, ok := p.h.Int(k); ok {
			n = max(n, v)
		}
	}
	for i := int64(1); i <= maxAxes; i++ {
		if p.h.Has(p.key("CTYPE%d", i)) {
			n = max(n, i)
		}
	}
	p.naxis = int(min(max(n, 2), maxAxes))
	for i := 1; i <= p.naxis; i++ {
		a := Axis{CRVal: p.float(0, "CRVAL%d", i), CRPix: p.float(0, "CRPIX%d", i)}
		a.Type, _ = p.h.Str(p.key("CTYPE%d", i))
		a.Type = strings.ToUpper(strings.TrimSpace(a.Type))
		a.Unit, _ = p.h.Str(p.key("CUNIT%d", i))
		a.Unit = strings.TrimSpace(a.Unit)
		a.log = strings.HasSuffix(a.Type, "-LOG")
		p.w.Axes = append(p.w.Axes, a)
		for _, k := range []string{"CRVAL", "CRPIX", "CDELT"} {
			if c, ok := p.h.Get(p.key("%s%d", k, i)); ok && c.Value != nil {
				if _, number := p.h.Float(c.Key); !number {
					return fmt.Errorf("card %q: %v is not a number: %w", c.Key, c.Value, ErrInvalid)
				}
			}
		}
	}
	return nil
}

// celestialType splits CTYPE: "RA---TAN-SIP" is lon, "", "TAN", "SIP".
func celestialType(ctype string) (lonlat, frame, code, suffix string) {
	name, rest := ctype, ""
	if i := strings.IndexByte(ctype, '-'); i > 0 {
		name, rest = ctype[:i], strings.TrimLeft(ctype[i:], "-")
	}
	code, suffix, _ = strings.Cut(rest, "-")
	switch {
	case name == "RA":
		return "lon", "EQUA", code, suffix
	case name == "DEC":
		return "lat", "EQUA", code, suffix
	case len(name) == 4 && strings.HasSuffix(name, "LON"):
		return "lon", name[:1], code, suffix
	case len(name) == 4 && strings.HasSuffix(name, "LAT"):
		return "lat", name[:1], code, suffix
	case len(name) == 4 && strings.HasSuffix(name, "LN"):
		return "lon", name[:2], code, suffix
	case len(name) == 4 && strings.HasSuffix(name, "LT"):
		return "lat", name[:2], code, suffix
	}
	return "", "", "", ""
}

// celestial finds the longitude and latitude axes.
func (p *parser) celestial() error {
	p.lon, p.lat = -1, -1
	var codes [2]string
	var frames [2]string
	for i := range p.w.Axes {
		which, frame, code, suffix := celestialType(p.w.Axes[i].Type)
		switch {
		case which == "lon" && p.lon < 0:
			p.lon, codes[0], frames[0], p.suffix = i, code, frame, suffix
		case which == "lat" && p.lat < 0:
			p.lat, codes[1], frames[1] = i, code, frame
		}
	}
	switch {
	case p.lon < 0 || p.lat < 0:
		return ErrNoWCS
	case codes[0] != codes[1] || frames[0] != frames[1]:
		return fmt.Errorf("CTYPE %q and %q do not belong together: %w", p.w.Axes[p.lon].Type, p.w.Axes[p.lat].Type, ErrInvalid)
	}
	p.frame, p.w.Code = frames[0], codes[0]
	if p.w.Code == "" {
		p.w.Code = "CAR" // "RA" and "DEC" alone: linear axes
		p.note("CTYPE names no projection; plate carrée is assumed")
	}
	p.w.Axes[p.lon].Celestial, p.w.Axes[p.lat].Celestial = true, true
	for _, k := range []string{"CRVAL", "CRPIX"} {
		for _, i := range []int{p.lon, p.lat} {
			if key := p.key("%s%d", k, i+1); !p.h.Has(key) {
				p.note("%s is missing, 0 is assumed", key)
			}
		}
	}
	return nil
}

func (p *parser) note(format string, args ...any) {
	p.w.Notes = append(p.w.Notes, fmt.Sprintf(format, args...))
}

// unitDegrees are the angular units of CUNIT.
var unitDegrees = map[string]float64{
	"": 1, "deg": 1, "degree": 1, "degrees": 1, "rad": 180 / math.Pi, "radian": 180 / math.Pi,
	"arcmin": 1.0 / 60, "arcsec": 1.0 / 3600, "mas": 1.0 / 3600e3, "arcsecs": 1.0 / 3600,
}

func (p *parser) units() error {
	for _, i := range []int{p.lon, p.lat} {
		u := p.w.Axes[i].Unit
		f, ok := unitDegrees[strings.ToLower(u)]
		if !ok {
			return fmt.Errorf("CUNIT%d %q is not an angle: %w", i+1, u, ErrUnsupported)
		}
		p.w.Axes[i].CRVal *= f
	}
	return nil
}

func (p *parser) unit(i int) float64 {
	if i != p.lon && i != p.lat {
		return 1
	}
	return unitDegrees[strings.ToLower(p.w.Axes[i].Unit)]
}

// linear reads CDi_j; or PCi_j, CDELTi; or CROTA, CDELTi (WCS I, section 2.1).
func (p *parser) linear() {
	n := p.naxis
	m := make([][]float64, n)
	hasCD, hasPC := false, false
	for i := range n {
		m[i] = make([]float64, n)
		for j := range n {
			hasCD = hasCD || p.h.Has(p.key("CD%d_%d", i+1, j+1))
			hasPC = hasPC || p.h.Has(p.key("PC%d_%d", i+1, j+1)) || p.alt == "" && p.h.Has(fmt.Sprintf("PC%03d%03d", i+1, j+1))
		}
	}
	usePC := hasPC || !hasCD
	for i := range n {
		for j := range n {
			unity := 0.0
			if i == j {
				unity = 1
			}
			if !usePC {
				m[i][j] = p.float(0, "CD%d_%d", i+1, j+1)
				continue
			}
			if v, ok := p.h.Float(fmt.Sprintf("PC%03d%03d", i+1, j+1)); ok && p.alt == "" {
				unity = v
			}
			m[i][j] = p.float(unity, "PC%d_%d", i+1, j+1)
		}
		if !usePC && m[i][i] == 0 && p.lonelyCD(i) {
			m[i][i] = 1 // an axis that the CD matrix leaves out
		}
	}
	if usePC {
		if !hasPC {
			p.crota(m)
		}
		for i := range n {
			d := p.float(1, "CDELT%d", i+1)
			for j := range m[i] {
				m[i][j] *= d
			}
		}
	}
	for i := range n {
		u := p.unit(i)
		for j := range m[i] {
			m[i][j] *= u
		}
		p.w.Axes[i].CDelt = m[i][i]
	}
	p.lin = m
}

// lonelyCD reports an axis without any CD card of its own.
func (p *parser) lonelyCD(i int) bool {
	for j := range p.naxis {
		if p.h.Has(p.key("CD%d_%d", i+1, j+1)) || p.h.Has(p.key("CD%d_%d", j+1, i+1)) {
			return false
		}
	}
	return true
}

// crota turns by CROTA of the latitude axis (WCS II, section 6.1).
func (p *parser) crota(m [][]float64) {
	rot, ok := p.h.Float(p.key("CROTA%d", p.lat+1))
	if other := p.float(0, "CROTA%d", p.lon+1); !ok && other != 0 {
		p.note("CROTA%d = %g belongs to the longitude axis, where it has no meaning, and was ignored", p.lon+1, other)
	}
	d1, d2 := p.float(1, "CDELT%d", p.lon+1), p.float(1, "CDELT%d", p.lat+1)
	if !ok || rot == 0 || d1 == 0 || d2 == 0 {
		return
	}
	s, c := angle.Sincosd(rot)
	m[p.lon][p.lon], m[p.lat][p.lat] = c, c
	m[p.lon][p.lat], m[p.lat][p.lon] = -s*d2/d1, s*d1/d2
}

// pixelAxes picks the two pixel axes that carry the sky: those with the numbers
// of the celestial axes, which for a cube with a turned matrix may be others.
func (p *parser) pixelAxes() error {
	w := p.w
	w.xAxis, w.yAxis = min(p.lon, p.lat), max(p.lon, p.lat)
	w.lonFirst = p.lon < p.lat
	m := matrix{
		p.lin[w.xAxis][w.xAxis], p.lin[w.xAxis][w.yAxis],
		p.lin[w.yAxis][w.xAxis], p.lin[w.yAxis][w.yAxis],
	}
	for j := range p.naxis {
		if j != w.xAxis && j != w.yAxis && (p.lin[p.lon][j] != 0 || p.lin[p.lat][j] != 0) {
			p.note("the sky also depends on pixel axis %d; its reference pixel is assumed", j+1)
		}
	}
	inv, ok := m.inverse()
	if !ok {
		return fmt.Errorf("the matrix from pixels to the sky %v has no inverse: %w", m, ErrInvalid)
	}
	w.cd, w.inv = m, inv
	w.crpix = [2]float64{w.Axes[w.xAxis].CRPix, w.Axes[w.yAxis].CRPix}
	w.crval = [2]float64{w.Axes[p.lon].CRVal, w.Axes[p.lat].CRVal}
	return nil
}

// pv reads PVi_m.
func (p *parser) pv(axis int) *proj.Params {
	var out proj.Params
	for m := range out {
		out[m] = p.float(math.NaN(), "PV%d_%d", axis+1, m)
	}
	return &out
}

// sphere sets projection, fiducial point and native pole.
func (p *parser) sphere() error {
	w := p.w
	latPV, lonPV := p.pv(p.lat), p.pv(p.lon)
	if w.plane != nil || p.noPV { // there the PV cards are the distortion's
		for m := range latPV {
			latPV[m], lonPV[m] = math.NaN(), math.NaN()
		}
	}
	if p.irafPV != nil {
		latPV = p.irafPV
	}
	lon0, lat0 := w.crval[0], w.crval[1]
	if w.Code == "GLS" { // as AIPS meant it: CRVAL moves the map but does not tilt it
		lonPV[0], lonPV[1], lonPV[2] = 1, 0, lat0
	}
	if w.Code == "NCP" { // SIN with η = cot δ0 (WCS II, section 6.1.2)
		s, c := angle.Sincosd(lat0)
		if s == 0 {
			return fmt.Errorf("NCP at the equator: %w", ErrInvalid)
		}
		latPV[1], latPV[2] = 0, c/s
	}
	p0, err := proj.New(w.Code, latPV)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrUnsupported)
	}
	w.proj = p0
	phi0, theta0 := lonPV.Or(1, 0), lonPV.Or(2, p0.Theta0())
	if lonPV.Or(0, 0) != 0 { // the fiducial point, not the origin, is at CRPIX
		x, y, ok := p0.ToPlane(phi0, theta0)
		if !ok {
			return fmt.Errorf("the fiducial point (%g, %g) is outside %s: %w", phi0, theta0, w.Code, ErrInvalid)
		}
		w.offX, w.offY = x, y
	}
	if math.Abs(lat0) > 90 {
		return fmt.Errorf("CRVAL%d = %g is not a latitude: %w", p.lat+1, lat0, ErrInvalid)
	}
	phip := phi0
	if lat0 < theta0 {
		phip += 180
	}
	phip = lonPV.Or(3, p.float(angle.Wrap180(phip), "LONPOLE")) // PVi_3 and PVi_4 come first
	latpole := lonPV.Or(4, p.float(90, "LATPOLE"))
	lonp, latp, ok := nativePole(phi0, theta0, lon0, lat0, phip, latpole)
	if !ok {
		return fmt.Errorf("no native pole for CRVAL (%g, %g) and LONPOLE %g: %w", lon0, lat0, phip, ErrInvalid)
	}
	w.rot = newRotation(lonp, latp, phip)
	return nil
}
