package catalogue

import (
	"fmt"
	"math"
	"strings"

	"limpid"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// pairs are the names of positions, best first, in lower case without
// underscores and blanks.
var pairs = []struct {
	lon, lat string
	frame    wcs.Frame
}{
	{"ra", "dec", wcs.ICRS},
	{"raicrs", "deicrs", wcs.ICRS},
	{"raicrs", "decicrs", wcs.ICRS},
	{"raj2000", "dej2000", wcs.ICRS},
	{"raj2000", "decj2000", wcs.ICRS},
	{"ra2000", "dec2000", wcs.ICRS},
	{"alphaj2000", "deltaj2000", wcs.ICRS},
	{"radeg", "decdeg", wcs.ICRS},
	{"radeg", "dedeg", wcs.ICRS},
	{"rad", "decd", wcs.ICRS},
	{"ra", "de", wcs.ICRS},
	{"coordra", "coorddec", wcs.ICRS},
	{"rightascension", "declination", wcs.ICRS},
	{"alphasky", "deltasky", wcs.ICRS},
	{"alphapeakj2000", "deltapeakj2000", wcs.ICRS},
	{"alpha", "delta", wcs.ICRS},
	{"xworld", "yworld", wcs.ICRS},
	{"ramean", "decmean", wcs.ICRS},
	{"ramed", "decmed", wcs.ICRS},
	{"rastack", "decstack", wcs.ICRS},
	{"sourcera", "sourcedec", wcs.ICRS},
	{"objra", "objdec", wcs.ICRS},
	{"alphab1950", "deltab1950", wcs.FK4},
	{"rab1950", "deb1950", wcs.FK4},
	{"rab1950", "decb1950", wcs.FK4},
	{"glon", "glat", wcs.Galactic},
	{"gallon", "gallat", wcs.Galactic},
	{"l", "b", wcs.Galactic},
	{"elon", "elat", wcs.Ecliptic},
	{"lon", "lat", wcs.ICRS},
}

// pixelPairs count from the number given.
var pixelPairs = []struct {
	x, y  string
	first float64
}{
	{"ximage", "yimage", 1},
	{"xwinimage", "ywinimage", 1},
	{"xpeakimage", "ypeakimage", 1},
	{"ximagedbl", "yimagedbl", 1},
	{"xcentroid", "ycentroid", 0},
	{"xcenter", "ycenter", 0},
	{"x", "y", 0},
	{"xpos", "ypos", 0},
	{"basesdsscentroidx", "basesdsscentroidy", 0},
	{"col", "row", 0},
}

func plainName(s string) string {
	return strings.NewReplacer("_", "", " ", "", "-", "", ".", "").Replace(strings.ToLower(strings.TrimSpace(s)))
}

func (c *Catalogue) byPlainName(name string) *Column {
	for i := range c.Columns {
		if plainName(c.Columns[i].Name) == name {
			return &c.Columns[i]
		}
	}
	return nil
}

// guess fills RA, Dec, X and Y.
func (c *Catalogue) guess(o Options) error {
	c.guessPixels()
	if (o.RA == "") != (o.Dec == "") {
		return fmt.Errorf("name both position columns, or none")
	}
	if o.RA != "" {
		lon, lat := c.Find(o.RA), c.Find(o.Dec)
		if lon == nil || lat == nil {
			return fmt.Errorf("no columns %q and %q among %s: %w", o.RA, o.Dec, strings.Join(c.names(), ", "), fitsio.ErrNoColumn)
		}
		frame := wcs.ICRS
		for _, p := range pairs {
			if p.lon == plainName(lon.Name) && p.lat == plainName(lat.Name) {
				frame = p.frame
			}
		}
		if !c.position(lon, lat, frame) {
			return fmt.Errorf("columns %q and %q do not hold positions", o.RA, o.Dec)
		}
		return nil
	}
	for _, p := range pairs {
		lon, lat := c.byPlainName(p.lon), c.byPlainName(p.lat)
		if lon != nil && lat != nil && c.position(lon, lat, p.frame) {
			return nil
		}
	}
	if c.X == nil {
		c.note(limpid.Warning, "catalogue.position", strings.Join(c.names(), ", "), "Name the two columns that hold the position",
			"no columns look like a position")
	}
	return nil
}

func (c *Catalogue) guessPixels() {
	for _, p := range pixelPairs {
		x, y := c.byPlainName(p.x), c.byPlainName(p.y)
		if x == nil || y == nil || x.Numbers == nil || y.Numbers == nil {
			continue
		}
		c.X, c.Y = make([]float64, c.Rows), make([]float64, c.Rows)
		for i := range c.X {
			c.X[i], c.Y[i] = x.Numbers[i]-p.first, y.Numbers[i]-p.first
		}
		c.XName, c.YName = x.Name, y.Name
		return
	}
}

// position takes two columns if their values can be angles.
func (c *Catalogue) position(lon, lat *Column, frame wcs.Frame) bool {
	equatorial := frame.Name != "Galactic" && frame.Name != "Ecliptic"
	circle := lon.withinCircle() && lat.withinCircle()
	a, unitA := lon.degrees(equatorial, circle)
	b, unitB := lat.degrees(false, circle)
	if a == nil || b == nil {
		return false
	}
	for i := range a {
		if math.Abs(a[i]) > 360.0001 || math.Abs(b[i]) > 90.0001 { // NaN passes: a missing value
			return false
		}
	}
	if unitA != unitB && (unitA == "radians") != (unitB == "radians") {
		return false
	}
	c.RA, c.Dec, c.RAName, c.DecName, c.Frame = a, b, lon.Name, lat.Name, frame
	c.note(limpid.Info, "catalogue.position", "columns "+lon.Name+", "+lat.Name, "",
		"positions in %v from columns %s (%s) and %s (%s)", frame, lon.Name, unitA, lat.Name, unitB)
	return true
}

// degrees converts a column; hours says whether text like 10:20:30 is in hours.
// The unit is told by TUNIT, or by the name if the values of both coordinates lie
// within a circle of radians, or is degrees.
func (col *Column) degrees(hours, circle bool) (out []float64, unit string) {
	if col.Text != nil {
		return col.sexagesimal(hours)
	}
	factor := 1.0
	unit = "degrees"
	switch u := strings.ToLower(strings.TrimSpace(col.Unit)); {
	case u == "rad" || u == "radian" || u == "radians" || u == "" && strings.HasPrefix(plainName(col.Name), "coord") && circle:
		factor, unit = 180/math.Pi, "radians"
	case u == "h" || u == "hr" || u == "hour" || u == "hours" || u == "hourangle":
		factor, unit = 15, "hours"
	case u == "arcsec":
		factor, unit = 1.0/3600, "arcsec"
	case u == "arcmin":
		factor, unit = 1.0/60, "arcmin"
	}
	out = make([]float64, len(col.Numbers))
	for i, v := range col.Numbers {
		out[i] = v * factor
	}
	return out, unit
}

// withinCircle reports values that can be radians: afw tables (coord_ra) hold
// radians, the databases made of them degrees under the same name.
func (col *Column) withinCircle() bool {
	for _, v := range col.Numbers {
		if math.Abs(v) > 2*math.Pi {
			return false
		}
	}
	return true
}

func (col *Column) sexagesimal(hours bool) ([]float64, string) {
	out := make([]float64, len(col.Text))
	known := 0
	for i, s := range col.Text {
		if _, empty := number(s); empty && strings.Trim(s, "0123456789.+-eE") != "" || strings.TrimSpace(s) == "" {
			out[i] = math.NaN()
			continue
		}
		v, err := wcs.ParseAngle(s, hours)
		if err != nil {
			return nil, ""
		}
		out[i] = v
		known++
	}
	if known == 0 {
		return nil, ""
	}
	if hours {
		return out, "hours, minutes, seconds"
	}
	return out, "degrees, minutes, seconds"
}
