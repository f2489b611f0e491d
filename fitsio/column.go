package fitsio

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"limpid/fitsio/header"
	"limpid/fitsio/internal/pixels"
)

// Column describes one column of a table.
type Column struct {
	Name   string // TTYPE, or "colN" where absent
	Unit   string // TUNIT
	Form   string // TFORM as written
	Type   byte   // L X B I J K A E D C M; of the elements for variable-length arrays
	Repeat int    // elements per row; 0 or 1 descriptor for variable-length arrays
	Var    byte   // 'P' or 'Q' for variable-length arrays, else 0
	Dim    []int  // TDIM, slowest first; nil where absent
	Scale  float64
	Zero   float64
	Null   int64 // TNULL
	// HasNull says whether Null is set (integer columns).
	HasNull bool
	ascNull string // ASCII tables: the text of TNULL

	index  int // from 1, as in the keywords
	offset int64
	width  int64
}

// elemSize is the size of one element of a type in bytes; 0 for unknown types
// and for bits.
func elemSize(code byte) int64 {
	switch code {
	case 'L', 'B', 'A':
		return 1
	case 'I':
		return 2
	case 'J', 'E':
		return 4
	case 'K', 'D', 'C', 'P':
		return 8
	case 'M', 'Q':
		return 16
	}
	return 0
}

// parseForm reads TFORM of a binary table: rT or rPt(max).
func (c *Column) parseForm() error {
	s := strings.TrimSpace(c.Form)
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	c.Repeat = 1
	if i > 0 {
		r, err := strconv.Atoi(s[:i])
		if err != nil || r > math.MaxInt32 {
			return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "repeat count in %q", s)
		}
		c.Repeat = r
	}
	if i == len(s) {
		return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "%q has no type", s)
	}
	c.Type = strings.ToUpper(s[i : i+1])[0]
	switch c.Type {
	case 'P', 'Q':
		if i+1 >= len(s) || c.Repeat > 1 {
			return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "%q", s)
		}
		c.Var = c.Type
		c.width = int64(c.Repeat) * elemSize(c.Var)
		c.Type = strings.ToUpper(s[i+1 : i+2])[0]
		if c.Type != 'X' && (elemSize(c.Type) == 0 || c.Type == 'P' || c.Type == 'Q') {
			return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "%q: unknown type", s)
		}
	case 'X':
		c.width = (int64(c.Repeat) + 7) / 8
	default:
		if elemSize(c.Type) == 0 {
			return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "%q: unknown type", s)
		}
		c.width = int64(c.Repeat) * elemSize(c.Type)
	}
	return nil
}

// textWidth is the length of one string of a text column: the fastest axis of TDIM,
// or w of the TFORM rAw, or all of it.
func (c *Column) textWidth() int64 {
	if n := len(c.Dim); n > 1 && c.Dim[n-1] > 0 {
		return int64(c.Dim[n-1])
	}
	if _, w, ok := strings.Cut(strings.ToUpper(c.Form), "A"); ok {
		if n, err := strconv.ParseInt(strings.TrimSpace(w), 10, 64); err == nil && n > 0 && n < c.width {
			return n
		}
	}
	return c.width
}

// substrings cuts the text of a row.
func (c *Column) substrings(b []byte) []string {
	w := int(c.textWidth())
	if w == 0 {
		return nil
	}
	out := make([]string, 0, len(b)/w)
	for ; len(b) >= w; b = b[w:] {
		out = append(out, trimText(b[:w]))
	}
	return out
}

// maxColumns is the standard's limit on TFIELDS.
const maxColumns = 999

// columns reads the description of every column of a table; form is "TFORM", or
// "ZFORM" for what a compressed table was.
func (h *HDU) columns(form string, rowLen int64) ([]Column, error) {
	hd := h.raw
	n, ok := hd.Int("TFIELDS")
	if !ok || n < 0 || n > maxColumns {
		return nil, cardError(ErrHeader, "TFIELDS", "not in 0 … %d", maxColumns)
	}
	cols := make([]Column, n)
	off := int64(0)
	for i := range cols {
		c := &cols[i]
		c.index = i + 1
		key := func(k string) string { return k + strconv.Itoa(c.index) }
		c.Name, _ = hd.Str(key("TTYPE"))
		if c.Name = strings.TrimSpace(c.Name); c.Name == "" {
			c.Name = fmt.Sprintf("col%d", c.index)
		}
		c.Unit, _ = hd.Str(key("TUNIT"))
		c.Form, ok = hd.Str(key(form))
		if !ok {
			return nil, cardError(ErrHeader, key(form), "missing")
		}
		c.Scale, c.Zero = hd.FloatOr(key("TSCAL"), 1), hd.FloatOr(key("TZERO"), 0)
		c.Null, c.HasNull = hd.Int(key("TNULL"))
		if h.Kind == ASCIITable {
			if err := c.asciiForm(hd, rowLen); err != nil {
				return nil, err
			}
			continue
		}
		if err := c.parseForm(); err != nil {
			return nil, err
		}
		c.offset = off
		off += c.width
		c.Dim = parseDim(hd, key("TDIM"), c.Repeat)
	}
	if off > rowLen {
		return nil, cardError(ErrHeader, "NAXIS1", "rows have %d bytes, but the columns take %d", rowLen, off)
	}
	return cols, nil
}

// parseDim reads TDIM "(3,4)"; nil where it is absent or does not fit.
func parseDim(hd *Header, key string, repeat int) []int {
	s, ok := hd.Str(key)
	if !ok {
		return nil
	}
	s = strings.Trim(strings.TrimSpace(s), "()")
	parts := strings.Split(s, ",")
	out := make([]int, len(parts))
	n := 1
	for i, p := range parts {
		v, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil || v < 0 || v > math.MaxInt32 || n > math.MaxInt32 {
			return nil
		}
		n *= v
		out[len(parts)-1-i] = v
	}
	if n > repeat {
		return nil
	}
	return out
}

// asciiForm reads TFORM and TBCOL of an ASCII table (FITS 4.0, section 7.2):
// Aw, Iw, Fw.d, Ew.d, Dw.d.
func (c *Column) asciiForm(hd *Header, rowLen int64) error {
	key := fmt.Sprintf("TFORM%d", c.index)
	s := strings.ToUpper(strings.TrimSpace(c.Form))
	if s == "" || !strings.ContainsRune("AIFED", rune(s[0])) {
		return cardError(ErrHeader, key, "%q is not an ASCII table format", s)
	}
	c.Type, c.Repeat = s[0], 1
	w, _, _ := strings.Cut(s[1:], ".")
	width, err := strconv.Atoi(w)
	if w == "" {
		width, err = 1, nil
	}
	tb, ok := hd.Int(fmt.Sprintf("TBCOL%d", c.index))
	if err != nil || width < 0 || !ok || tb < 1 || tb-1+int64(width) > rowLen {
		return cardError(ErrHeader, key, "column %q at TBCOL %d does not fit in rows of %d characters", s, tb, rowLen)
	}
	c.offset, c.width = tb-1, int64(width)
	if t, ok := hd.Str(fmt.Sprintf("TNULL%d", c.index)); ok {
		c.ascNull, c.HasNull = strings.TrimSpace(t), true
	}
	return nil
}

// scaledInt applies whole TSCAL and TZERO, exactly.
func (c *Column) scaledInt(v int64) (int64, error) {
	if c.Scale == 1 && c.Zero == 0 {
		return v, nil
	}
	if c.Scale == 1 && c.Zero == 1<<63 { // v + 2⁶³ fits where v is negative
		if v >= 0 {
			return 0, fmt.Errorf("%d does not fit a signed integer: %w", uint64(v)^1<<63, ErrRange)
		}
		return v ^ math.MinInt64, nil
	}
	hi, lo := bits.Mul64(uint64(absInt(v)), uint64(math.Abs(c.Scale)))
	p := int64(lo)
	if (v < 0) != (c.Scale < 0) {
		p = -p
	}
	z := int64(c.Zero)
	sum := p + z
	if hi != 0 || lo > math.MaxInt64 || math.Abs(c.Zero) == 1<<63 || (p > 0) == (z > 0) && p != 0 && z != 0 && (sum > 0) != (p > 0) {
		return 0, fmt.Errorf("%d · %g + %g does not fit a signed integer: %w", v, c.Scale, c.Zero, ErrRange)
	}
	return sum, nil
}

// absInt is |v| as it stands in an uint64, also of the smallest integer.
func absInt(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}

// asciiInt reads a field of format I.
func (c *Column) asciiInt(field []byte) (v int64, null bool, err error) {
	s := c.asciiField(field)
	if s == "" {
		return 0, true, nil
	}
	v, err = strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%q is not an integer: %w", s, ErrCorrupt)
	}
	return v, false, nil
}

// asciiField gives the text of a field; "" where it is empty, TNULL, or full of
// stars, which Fortran writes where a number does not fit.
func (c *Column) asciiField(field []byte) string {
	s := strings.TrimSpace(strings.ReplaceAll(string(field), "\x00", " "))
	if c.HasNull && s == c.ascNull || strings.Trim(s, "*") == "" {
		return ""
	}
	return s
}

// asciiNumbers reads the fields of an ASCII table column.
func (c *Column) asciiNumbers(raw []byte) ([]float64, error) {
	if c.Type == 'A' {
		return nil, fmt.Errorf("format %s is text: %w", c.Form, ErrUnsupported)
	}
	if c.width == 0 {
		return nil, fmt.Errorf("format %s has no width: %w", c.Form, ErrUnsupported)
	}
	out := make([]float64, int64(len(raw))/c.width)
	for i := range out {
		s := c.asciiField(raw[int64(i)*c.width:][:c.width])
		if s == "" {
			out[i] = pixels.QuietNaN
			continue
		}
		v, ok := header.ParseFloat(c.withPoint(s))
		if !ok {
			return nil, fmt.Errorf("row %d: %q is not a number: %w", i, s, ErrCorrupt)
		}
		out[i] = v*c.Scale + c.Zero
	}
	return out, nil
}

// withPoint puts the decimal point that Fw.d, Ew.d and Dw.d imply where the field
// has none (FITS 4.0, section 7.2.1).
func (c *Column) withPoint(s string) string {
	_, d, ok := strings.Cut(c.Form, ".")
	if c.Type == 'I' || !ok || strings.Contains(s, ".") {
		return s
	}
	digits := 0
	if _, err := fmt.Sscanf(strings.TrimSpace(d), "%d", &digits); err != nil || digits <= 0 || digits > 40 {
		return s
	}
	mant, exp := s, ""
	if i := strings.IndexAny(s, "eEdD"); i >= 0 {
		mant, exp = s[:i], s[i:]
	}
	sign := ""
	if mant != "" && (mant[0] == '-' || mant[0] == '+') {
		sign, mant = mant[:1], mant[1:]
	}
	if len(mant) < digits+1 {
		mant = strings.Repeat("0", digits+1-len(mant)) + mant
	}
	return sign + mant[:len(mant)-digits] + "." + mant[len(mant)-digits:] + exp
}
