package widget

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"limpid/app/figure"
)

// These write numbers for the status line: with units, with as many digits as
// mean something, and always as wide as the digits before, so that the line does
// not tremble under a moving cursor (Fyne's digits have equal widths).

// FormatPixel writes a position for people: the first pixel's centre is (1, 1),
// as in FITS and DS9, one more than in Hover.
func FormatPixel(x, y float64) string {
	return fmt.Sprintf("x %s  y %s", plain(x+1, 1), plain(y+1, 1))
}

// FormatValue writes a value with its unit; NaN is "no value".
func FormatValue(v float64, unit string) string {
	if math.IsNaN(v) {
		return "no value"
	}
	return withUnit(significant(v, 4), unit)
}

// FormatWithError writes "0.0213 ± 0.0017 µJy/px": the error with two digits and
// the value to the same place.
func FormatWithError(v, std float64, unit string) string {
	if math.IsNaN(v) || !(std > 0) || math.IsInf(std, 0) || math.IsInf(v, 0) {
		return FormatValue(v, unit)
	}
	size := max(math.Abs(v), std)
	power := 0
	if e := int(math.Floor(math.Log10(size))); e >= 6 || e < -4 {
		power = e
		v, std = v*math.Pow(10, float64(-e)), std*math.Pow(10, float64(-e))
	}
	digits := min(9, max(0, 1-int(math.Floor(math.Log10(std)))))
	s := plain(v, digits) + " ± " + plain(std, digits)
	if power != 0 {
		s = "(" + s + ") × 10" + figure.Superscript(power)
	}
	return withUnit(s, unit)
}

func withUnit(s, unit string) string {
	if unit == "" {
		return s
	}
	return s + " " + unit
}

func plain(v float64, digits int) string {
	s := figure.Minus(strconv.FormatFloat(v, 'f', digits, 64))
	if strings.Trim(s, "−0.") == "" { // no minus before a zero
		s = strings.TrimPrefix(s, "−")
	}
	return s
}

// significant writes v with n digits, in powers of ten where plain ones get long.
func significant(v float64, n int) string {
	if v == 0 || math.IsInf(v, 0) {
		return figure.Minus(strconv.FormatFloat(v, 'g', n, 64))
	}
	e := int(math.Floor(math.Log10(math.Abs(v))))
	if e >= 6 || e < -4 {
		return plain(v*math.Pow(10, float64(-e)), n-1) + " × 10" + figure.Superscript(e)
	}
	return plain(v, max(0, n-1-e))
}

// FormatRA writes a right ascension in degrees as 00h42m44.33s.
func FormatRA(deg float64, digits int) string {
	deg = math.Mod(deg, 360)
	if deg < 0 {
		deg += 360
	}
	h, m, s := sexagesimal(deg/15, digits)
	return fmt.Sprintf("%02dh%02dm%ss", h%24, m, s)
}

// FormatDec writes a declination in degrees as +41°16′09.1″.
func FormatDec(deg float64, digits int) string {
	sign := "+"
	if deg < 0 {
		sign = "−"
	}
	d, m, s := sexagesimal(math.Abs(deg), digits)
	return fmt.Sprintf("%s%02d°%02d′%s″", sign, d, m, s)
}

// FormatSky writes both, with digits that suit a pixel of so many arcsec.
func FormatSky(lon, lat, pixel float64) string {
	digits := 1
	if pixel > 0 && !math.IsInf(pixel, 0) {
		digits = min(4, max(0, 1-int(math.Floor(math.Log10(pixel)))))
	}
	return FormatRA(lon, min(5, digits+1)) + " " + FormatDec(lat, digits)
}

// sexagesimal splits v into whole units, minutes and seconds with digits behind
// the point, carrying what rounds up to 60.
func sexagesimal(v float64, digits int) (whole, minutes int, seconds string) {
	unit := math.Pow(10, float64(digits))
	total := int64(math.Round(v * 3600 * unit))
	per := int64(60 * unit)
	width := 2
	if digits > 0 {
		width = digits + 3
	}
	s := float64(total%per) / unit
	total /= per
	return int(total / 60), int(total % 60), fmt.Sprintf("%0*.*f", width, digits, s)
}

// FormatZoom writes a zoom as 2×, 1× or 1/4×.
func FormatZoom(z float64) string {
	if z <= 0 || math.IsNaN(z) {
		return ""
	}
	if z >= 1 {
		return strconv.FormatFloat(z, 'g', 3, 64) + "×"
	}
	return "1/" + strconv.FormatFloat(1/z, 'g', 3, 64) + "×"
}

// FormatDuration writes the time left in a run: "8 s", "3 min", "1 h 05 min".
func FormatDuration(seconds float64) string {
	switch {
	case !(seconds >= 0) || math.IsInf(seconds, 0):
		return "unknown"
	case seconds < 99.5:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 99.5*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	m := int(seconds/60 + 0.5)
	return fmt.Sprintf("%d h %02d min", m/60, m%60)
}
