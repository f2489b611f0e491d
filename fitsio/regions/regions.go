// Package regions reads and writes SAOImage DS9 region files (.reg) and turns
// their shapes into pixels.
//
//	regs, findings, err := regions.Parse(file)
//	s, err := regs[0].Pixels(hdu.Header, w)  // w: *wcs.WCS, nil for image and physical
//	s.Contains(x, y)                         // pixels from 0
//	mask := s.Mask(h, w)                     // (H, W), row-major
//	mask, err := regions.Mask(regs, hdu.Header, w, height, width) // all of them
//
// Known shapes: circle, ellipse, box, polygon, annulus, ellipse and box annuli,
// line, point and text; others are skipped with a Finding. Known systems: image,
// physical, fk4 (b1950), fk5 (j2000), icrs, galactic, ecliptic, wcs (the image's own).
package regions

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"limpid"
	"limpid/fitsio/wcs"
)

// ErrSyntax is returned for a file that is not a region file at all.
var ErrSyntax = errors.New("not a DS9 region file")

// Unit is what a coordinate or a size is measured in.
type Unit byte

// Pixels are those of the image (or physical pixels where System says so);
// Degrees are on the sky.
const (
	Pixels  Unit = 'p'
	Degrees Unit = 'd'
)

// Size is a radius, a width or a height.
type Size struct {
	Value float64
	Unit  Unit
}

// Region is one shape as the file gives it. Image coordinates count from 1, as in
// DS9.
type Region struct {
	Shape   string // "circle", "ellipse", "box", "polygon", "annulus", "line", "point", "text"
	System  string // "image", "physical", "fk5", "icrs", "fk4", "galactic", "ecliptic", "wcs"
	Exclude bool   // written with a leading minus
	// Points are the centre, or the corners of a polygon, or the ends of a line;
	// pixels for image and physical, degrees for the others.
	Points [][2]float64
	// Sizes are radii (circle 1, annulus 2 or more), or pairs of them: half axes
	// of an ellipse, width and height of a box; more pairs make an annulus.
	Sizes []Size
	Angle float64 // degrees from the x axis of the system, anticlockwise
	Text  string
	Color string
}

// limits on what one file may hold
const (
	maxLine     = 1 << 20
	maxRegions  = 1 << 20
	maxFindings = 20
)

// Parse reads a region file. What it had to skip is in the findings.
func Parse(r io.Reader) ([]Region, []limpid.Finding, error) {
	p := &parser{system: "image", color: "green"}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		p.line++
		if strings.ContainsRune(sc.Text(), 0) {
			return nil, nil, fmt.Errorf("regions: line %d: binary data: %w", p.line, ErrSyntax)
		}
		p.readLine(sc.Text())
		if len(p.out) > maxRegions {
			return nil, nil, fmt.Errorf("regions: more than %d regions: %w", maxRegions, ErrSyntax)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, nil, fmt.Errorf("regions: line %d: %w", p.line+1, err)
	}
	if len(p.out) == 0 && p.bad > 0 {
		return nil, p.findings, fmt.Errorf("regions: no region in %d lines: %w", p.line, ErrSyntax)
	}
	return p.out, p.findings, nil
}

type parser struct {
	line     int
	system   string
	color    string
	out      []Region
	findings []limpid.Finding
	bad      int
}

func (p *parser) skip(format string, args ...any) {
	p.bad++
	if len(p.findings) < maxFindings {
		p.findings = append(p.findings, limpid.Finding{
			Severity: limpid.Warning, Code: "regions.skipped", What: fmt.Sprintf(format, args...),
			Where: fmt.Sprintf("line %d", p.line), Advice: "The region was left out",
		})
	}
}

// systems maps every name DS9 knows to ours.
var systems = map[string]string{
	"image": "image", "physical": "physical", "fk5": "fk5", "j2000": "fk5", "icrs": "icrs",
	"fk4": "fk4", "b1950": "fk4", "galactic": "galactic", "ecliptic": "ecliptic",
}

// readLine splits a line at semicolons and keeps what follows '#' for attributes.
func (p *parser) readLine(line string) {
	line = strings.TrimSpace(line)
	body, attr := cutComment(line)
	if body == "" {
		// DS9 writes text regions and some others behind a '#'.
		if t := strings.TrimSpace(attr); strings.HasPrefix(t, "text(") || strings.HasPrefix(t, "text ") {
			body, attr = t, ""
			if i := strings.IndexByte(t, ')'); i >= 0 {
				body, attr = t[:i+1], t[i+1:]
			}
		}
	}
	a := attributes(attr)
	for _, part := range strings.Split(body, ";") {
		part = strings.TrimSpace(part)
		lower := strings.ToLower(part)
		word, _, _ := strings.Cut(lower, " ")
		switch {
		case part == "":
		case systems[lower] != "":
			p.system = systems[lower]
		case word == "global":
			if c, ok := attributes(part[len(word):])["color"]; ok {
				p.color = c
			}
		case lower == "wcs": // the image's own coordinates
			p.system = "wcs"
		case strings.HasPrefix(lower, "wcs") && len(lower) == 4:
			p.system = ""
			p.skip("the alternate coordinates %q are not read", part)
		case lower == "linear" || lower == "amplifier" || lower == "detector":
			p.system = "" // not an image of the sky: what follows is skipped
			p.skip("the coordinate system %q is not known", part)
		default:
			p.region(part, a)
		}
	}
}

// cutComment cuts at the first '#' outside braces and quotes.
func cutComment(s string) (body, comment string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '#':
			if depth <= 0 {
				return strings.TrimSpace(s[:i]), s[i+1:]
			}
		}
	}
	return s, ""
}

// attributes reads key=value, key={text}, key="text".
func attributes(s string) map[string]string {
	out := map[string]string{}
	for {
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			return out
		}
		f := strings.Fields(key)
		rest = strings.TrimLeft(rest, " ")
		value, end := "", ""
		switch {
		case strings.HasPrefix(rest, "{"):
			end = "}"
		case strings.HasPrefix(rest, `"`), strings.HasPrefix(rest, "'"):
			end = rest[:1]
		}
		if end != "" {
			value, s, _ = strings.Cut(rest[1:], end)
		} else {
			value, s, _ = strings.Cut(rest, " ")
		}
		if len(f) > 0 {
			out[strings.ToLower(f[len(f)-1])] = value
		}
	}
}

// region reads one shape: name(arguments) or name arguments.
func (p *parser) region(s string, attr map[string]string) {
	r := Region{System: p.system, Color: p.color, Text: attr["text"]}
	if c := attr["color"]; c != "" {
		r.Color = c
	}
	if s[0] == '-' || s[0] == '+' {
		r.Exclude, s = s[0] == '-', strings.TrimSpace(s[1:])
	}
	end := strings.IndexAny(s, "( ")
	if end < 0 {
		p.skip("%q is not a region", clip(s))
		return
	}
	r.Shape = strings.ToLower(strings.TrimSpace(s[:end]))
	args := strings.FieldsFunc(strings.TrimSpace(s[end:]), func(c rune) bool { return strings.ContainsRune("(), \t", c) })
	args = slices.DeleteFunc(args, func(a string) bool { return a == "||" || strings.HasPrefix(a, "n=") }) // part of a composite; rings between the radii
	if p.system == "" {
		p.skip("%s in an unknown coordinate system", r.Shape)
		return
	}
	if err := r.fill(args); err != nil {
		p.skip("%s: %v", clip(s), err)
		return
	}
	p.out = append(p.out, r)
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:57] + "…"
	}
	return s
}

// arity says how many points a shape begins with, and whether an angle ends it.
var arity = map[string]struct {
	points int // 0: all arguments
	minSz  int
	pairs  bool
	angle  bool
}{
	"circle": {1, 1, false, false}, "annulus": {1, 2, false, false},
	"ellipse": {1, 2, true, true}, "box": {1, 2, true, true},
	"polygon": {0, 0, false, false}, "line": {2, 0, false, false},
	"point": {1, 0, false, false}, "text": {1, 0, false, false},
}

func (r *Region) fill(args []string) error {
	a, ok := arity[r.Shape]
	if !ok {
		return fmt.Errorf("the shape %q is not known", r.Shape)
	}
	n := a.points
	if n == 0 {
		n = len(args) / 2
		if n < 3 || len(args)%2 != 0 {
			return fmt.Errorf("%d numbers do not make a polygon", len(args))
		}
	}
	if len(args) < 2*n {
		return fmt.Errorf("%d numbers are too few", len(args))
	}
	for i := range n {
		x, err := r.coordinate(args[2*i], true)
		if err != nil {
			return err
		}
		y, err := r.coordinate(args[2*i+1], false)
		if err != nil {
			return err
		}
		r.Points = append(r.Points, [2]float64{x, y})
	}
	rest := args[2*n:]
	if r.Shape == "text" || r.Shape == "point" || r.Shape == "line" {
		return nil // what follows is decoration
	}
	if a.angle && len(rest)%2 == 1 {
		last, factor := strings.TrimSuffix(rest[len(rest)-1], "d"), 1.0
		if t, ok := strings.CutSuffix(last, "r"); ok {
			last, factor = t, 180/math.Pi
		}
		v, err := strconv.ParseFloat(last, 64)
		v *= factor
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the angle %q is not a number", rest[len(rest)-1])
		}
		r.Angle, rest = v, rest[:len(rest)-1]
	}
	for _, t := range rest {
		s, err := r.size(t)
		if err != nil {
			return err
		}
		r.Sizes = append(r.Sizes, s)
	}
	if len(r.Sizes) < a.minSz || (a.pairs && len(r.Sizes)%2 != 0) || (r.Shape == "circle" && len(r.Sizes) != 1) || (n > 1 && len(r.Sizes) > 0) {
		return fmt.Errorf("%d sizes", len(r.Sizes))
	}
	return nil
}

func (r *Region) onSky() bool { return r.System != "image" && r.System != "physical" }

// coordinate reads a pixel or an angle: "202.47", "13:29:53", "13h29m53s", "202.47d".
func (r *Region) coordinate(s string, isX bool) (float64, error) {
	if !r.onSky() {
		v, err := strconv.ParseFloat(strings.TrimRight(s, "ip"), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("%q is not a number", s)
		}
		return v, nil
	}
	var v float64
	var err error
	if t, ok := strings.CutSuffix(s, "r"); ok {
		v, err = strconv.ParseFloat(t, 64)
		v *= 180 / math.Pi
	} else {
		hours := isX && (r.System == "fk5" || r.System == "icrs" || r.System == "fk4" || r.System == "wcs") && strings.Contains(s, ":")
		v, err = wcs.ParseAngle(s, hours)
	}
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e6 || !isX && math.Abs(v) > 90 {
		return 0, fmt.Errorf("%q is not an angle", s)
	}
	return v, nil
}

// maxSize bounds a size in pixels or degrees, so that it can be written in any unit.
const maxSize = 1e100

// size reads 5, 5", 5', 5d, 5r, 5p, 5i. A bare number is in the units of the
// system: pixels or degrees.
func (r *Region) size(s string) (Size, error) {
	unit, factor := Pixels, 1.0
	if r.onSky() {
		unit = Degrees
	}
	num := strings.TrimRight(s, `"'drpi`)
	switch s[len(num):] {
	case "":
	case `"`:
		unit, factor = Degrees, 1.0/3600
	case "'":
		unit, factor = Degrees, 1.0/60
	case "d":
		unit = Degrees
	case "r":
		unit, factor = Degrees, 180/math.Pi
	case "p", "i":
		unit = Pixels
	default:
		return Size{}, fmt.Errorf("%q is not a size", s)
	}
	v, err := strconv.ParseFloat(num, 64)
	v *= factor
	if err != nil || math.IsNaN(v) || v < 0 || v > maxSize {
		return Size{}, fmt.Errorf("%q is not a size", s)
	}
	return Size{v, unit}, nil
}

// Write writes a region file that DS9 and Parse read.
func Write(w io.Writer, regs []Region) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# Region file format: DS9 version 4.1\n# written by limpid %s\n", limpid.Version)
	system := ""
	for _, r := range regs {
		if r.System != system {
			system = r.System
			fmt.Fprintln(b, system)
		}
		b.WriteString(r.String() + "\n")
	}
	return b.Flush()
}

// String is the line of the region, without its system.
func (r Region) String() string {
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	var args []string
	for _, p := range r.Points {
		args = append(args, num(p[0]), num(p[1]))
	}
	for _, s := range r.Sizes {
		t := num(s.Value)
		if s.Unit == Degrees {
			t = num(s.Value*3600) + `"`
		} else if r.onSky() {
			t += "i"
		}
		args = append(args, t)
	}
	if arity[r.Shape].angle {
		args = append(args, num(r.Angle))
	}
	s := r.Shape + "(" + strings.Join(args, ",") + ")"
	if r.Exclude {
		s = "-" + s
	}
	sep := " #"
	if r.Color != "" {
		s += sep + " color=" + r.Color
		sep = ""
	}
	if r.Text != "" {
		s += sep + " text={" + strings.NewReplacer("{", "(", "}", ")", "\n", " ").Replace(r.Text) + "}"
	}
	return s
}
