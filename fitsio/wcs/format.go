package wcs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"limpid/fitsio/wcs/internal/angle"
)

func trimFloat(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// HMS writes a right ascension in degrees as hours, "10:21:09.32", with digits
// decimals of seconds.
func HMS(ra float64, digits int) string {
	if math.IsNaN(ra) || math.IsInf(ra, 0) {
		return "–"
	}
	s := sexagesimal(angle.Wrap360(ra)/15, digits)
	if strings.HasPrefix(s, "24") {
		s = "00" + s[2:] // 23:59:59.99… rounds to midnight
	}
	return s
}

// DMS writes a latitude in degrees as "-03:19:29.2".
func DMS(dec float64, digits int) string {
	if math.IsNaN(dec) || math.IsInf(dec, 0) {
		return "–"
	}
	sign := "+"
	if math.Signbit(dec) {
		sign, dec = "-", -dec
	}
	return sign + sexagesimal(dec, digits)
}

// sexagesimal rounds first, so that seconds never read 60.
func sexagesimal(v float64, digits int) string {
	digits = max(0, min(digits, 9))
	unit := math.Pow10(digits)
	n := int64(math.Round(v * 3600 * unit))
	u := int64(unit)
	sec, frac := n/u%60, n%u
	s := fmt.Sprintf("%02d:%02d:%02d", n/u/3600, n/u/60%60, sec)
	if digits > 0 {
		s += fmt.Sprintf(".%0*d", digits, frac)
	}
	return s
}

// ParseAngle reads "10:21:09.3", "10h21m09.3s", "-3 19 29", "-3d19m29s" or plain
// degrees. Three parts count as hours if hours is true (right ascension); plain
// numbers are degrees always, unless followed by h.
func ParseAngle(s string, hours bool) (float64, error) {
	t := strings.TrimSpace(strings.ToLower(s))
	bad := func() (float64, error) { return 0, fmt.Errorf("wcs: %q is not an angle", s) }
	sign := 1.0
	t = strings.ReplaceAll(t, "−", "-")
	switch {
	case strings.HasPrefix(t, "-"):
		sign, t = -1, t[1:]
	case strings.HasPrefix(t, "+"):
		t = t[1:]
	}
	isHours := strings.Contains(t, "h")
	if i := strings.IndexAny(t, ":hd°ms'\"′″ \t"); i >= 0 && strings.ContainsAny(t[i:i+1], "ms'\"") ||
		strings.HasPrefix(strings.TrimLeft(t, "0123456789."), "′") || strings.HasPrefix(strings.TrimLeft(t, "0123456789."), "″") {
		return bad() // minutes or seconds alone: not a position
	}
	fields := strings.FieldsFunc(t, func(r rune) bool { return strings.ContainsRune(":hdms°'\"′″ \t", r) })
	if len(fields) == 0 || len(fields) > 3 {
		return bad()
	}
	v, unit := 0.0, 1.0
	for i, f := range fields {
		x, err := strconv.ParseFloat(f, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(f, "+-") && i > 0 || (i > 0 && x >= 60) {
			return bad()
		}
		v += x / unit
		unit *= 60
	}
	if isHours || (hours && len(fields) > 1) {
		v *= 15
	}
	return sign * v, nil
}
