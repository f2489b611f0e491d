package fitsio

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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
