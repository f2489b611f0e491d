package fitsio

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"

	"limpid/fitsio/internal/pixels"
	"limpid/fitsio/internal/source"
)

// Table reads the columns of a binary or ASCII table.
type Table struct {
	Columns []Column
	Rows    int

	h    *HDU
	once sync.Once
	data []byte // the whole table where it is small
	err  error

	packed *packedTable // compressed by fpack; nil: not
}

// Table opens a table HDU.
func (h *HDU) Table() (*Table, error) {
	if h.Kind != BinaryTable && h.Kind != ASCIITable {
		return nil, h.fail(fmt.Errorf("a %s HDU is not a table: %w", h.Kind, ErrUnsupported))
	}
	if isTrue(h.raw, "ZTABLE") {
		t, err := h.openPacked()
		return t, h.fail(err)
	}
	cols, err := h.columns("TFORM", h.rowLen)
	if err != nil {
		return nil, h.fail(err)
	}
	rows := h.rows
	if h.rowLen == 0 {
		rows = 0 // rows of nothing; their number means nothing either
	}
	if rows > math.MaxInt/32 || rows > h.file.opt.maxBytes()/32 { // a slice header per row
		return nil, h.fail(fmt.Errorf("%d rows: %w", rows, ErrTooLarge))
	}
	if have := h.file.src.Size() - h.off; rows*h.rowLen > have {
		return nil, h.fail(fmt.Errorf("the table should take %d bytes, but the file has %d after the header: %w",
			rows*h.rowLen, max(have, 0), ErrTruncated))
	}
	return &Table{Columns: cols, Rows: int(rows), h: h}, nil
}

// Find gives the index of a column by name, case ignored; -1 where absent.
func (t *Table) Find(name string) int {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, strings.TrimSpace(name)) {
			return i
		}
	}
	return -1
}

func (t *Table) column(name string) (*Column, error) {
	i := t.Find(name)
	if i < 0 {
		names := make([]string, len(t.Columns))
		for k := range t.Columns {
			names[k] = t.Columns[k].Name
		}
		return nil, t.h.fail(fmt.Errorf("column %q: the table has %s: %w", name, strings.Join(names, ", "), ErrNoColumn))
	}
	return &t.Columns[i], nil
}

func (t *Table) fail(c *Column, err error) error {
	if err == nil {
		return nil
	}
	return t.h.fail(fmt.Errorf("column %s: %w", c.Name, err))
}

// keepTable is the size up to which a table is read once and kept.
const keepTable = 64 << 20

// fixed gathers the bytes of one column, row after row.
func (t *Table) fixed(ctx context.Context, c *Column) ([]byte, error) {
	h := t.h
	if t.packed != nil {
		return t.unpackColumn(ctx, c)
	}
	size := c.width * int64(t.Rows)
	if limit := h.file.opt.maxBytes(); size > limit {
		return nil, fmt.Errorf("%d rows of %d bytes are more than the limit of %s: %w", h.rows, c.width, source.BytesText(limit), ErrTooLarge)
	}
	out := make([]byte, 0, size)
	if t.Rows == 0 || c.width == 0 {
		return out, nil
	}
	if h.rows*h.rowLen <= keepTable {
		t.once.Do(func() {
			t.data = make([]byte, h.rows*h.rowLen)
			t.err = h.readAt(t.data, 0)
		})
		if t.err != nil {
			return nil, t.err
		}
		return c.gather(out, t.data, h.rowLen), nil
	}
	per := max(1, (1<<20)/h.rowLen)
	buf := make([]byte, per*h.rowLen)
	for r := int64(0); r < h.rows; r += per {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := buf[:min(per, h.rows-r)*h.rowLen]
		if err := h.readAt(b, r*h.rowLen); err != nil {
			return nil, err
		}
		out = c.gather(out, b, h.rowLen)
	}
	return out, nil
}

func (c *Column) gather(out, rows []byte, rowLen int64) []byte {
	for i := c.offset; i+c.width <= int64(len(rows)); i += rowLen {
		out = append(out, rows[i:i+c.width]...)
	}
	return out
}

// Len is the number of elements per row; -1 for variable-length arrays.
func (c *Column) Len() int {
	if c.Var != 0 {
		return -1
	}
	return c.Repeat
}

// numeric gives what decode needs: the size of a number as BITPIX, how many
// numbers one element has, and the scaling. ok is false for text and logicals.
func (c *Column) numeric() (bitpix, per int, s pixels.Scaling, ok bool) {
	per = 1
	switch c.Type {
	case 'B':
		bitpix = 8
	case 'I':
		bitpix = 16
	case 'J':
		bitpix = 32
	case 'K':
		bitpix = 64
	case 'E':
		bitpix = -32
	case 'D':
		bitpix = -64
	case 'C':
		bitpix, per = -32, 2
	case 'M':
		bitpix, per = -64, 2
	default:
		return 0, 0, s, false
	}
	s = pixels.Scaling{Scale: c.Scale, Zero: c.Zero, Blank: c.Null, HasBlank: c.HasNull && bitpix > 0}
	s.Flip = s.Scale == 1 && bitpix > 0 && s.Zero == pixels.Offsets[bitpix]
	return bitpix, per, s, true
}

// Float64 reads a numeric column, TSCAL, TZERO applied and TNULL as NaN:
// Rows × Repeat values. Complex numbers give two values each, logicals and bits 1
// and 0 (undefined logicals NaN). In ASCII tables an empty field is NaN.
func (t *Table) Float64(ctx context.Context, name string) ([]float64, error) {
	c, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if c.Var != 0 {
		return nil, t.fail(c, fmt.Errorf("the column holds arrays of variable length; read it with Arrays: %w", ErrUnsupported))
	}
	raw, err := t.fixed(ctx, c)
	if err != nil {
		return nil, t.fail(c, err)
	}
	if t.h.Kind == ASCIITable {
		out, err := c.asciiNumbers(raw)
		return out, t.fail(c, err)
	}
	if err := t.fits(c, int64(len(raw))*8); err != nil {
		return nil, t.fail(c, err)
	}
	out, err := c.floats(raw, t.Rows)
	return out, t.fail(c, err)
}

// fits checks what a result takes in memory: bytes, or eight times as much for bits.
func (t *Table) fits(c *Column, bytes int64) error {
	if c.Type == 'X' {
		bytes *= 8
	}
	if limit := t.h.file.opt.maxBytes(); bytes > limit {
		return fmt.Errorf("more than the limit of %s: %w", source.BytesText(limit), ErrTooLarge)
	}
	return nil
}

// floats converts the bytes of rows × Repeat elements.
func (c *Column) floats(raw []byte, rows int) ([]float64, error) {
	switch c.Type {
	case 'L':
		out := make([]float64, len(raw))
		for i, b := range raw {
			switch b {
			case 'T':
				out[i] = 1
			case 'F':
			default:
				out[i] = pixels.QuietNaN
			}
		}
		return out, nil
	case 'X':
		bits := c.unpackBits(raw, rows)
		out := make([]float64, len(bits))
		for i, b := range bits {
			if b {
				out[i] = 1
			}
		}
		return out, nil
	}
	bitpix, _, s, ok := c.numeric()
	if !ok {
		return nil, fmt.Errorf("type %c is not a number: %w", c.Type, ErrUnsupported)
	}
	out := make([]float64, len(raw)/(pixels.Abs(bitpix)/8))
	pixels.Decode(out, raw, bitpix, s)
	return out, nil
}

// unpackBits reads Repeat bits per row, most significant first.
func (c *Column) unpackBits(raw []byte, rows int) []bool {
	out := make([]bool, 0, rows*c.Repeat)
	for r := range rows {
		row := raw[int64(r)*c.width:][:c.width]
		for k := range c.Repeat {
			out = append(out, row[k/8]>>(7-k%8)&1 == 1)
		}
	}
	return out
}

// Int64 reads an integer column without loss; null marks TNULL (nil where none).
// Scaled columns must have whole TSCAL and TZERO. Values that int64 cannot hold are
// ErrRange. In ASCII tables the column must have format I; empty fields are null.
func (t *Table) Int64(ctx context.Context, name string) (values []int64, null []bool, err error) {
	c, err := t.column(name)
	if err != nil {
		return nil, nil, err
	}
	bitpix, _, s, ok := c.numeric()
	ascii := t.h.Kind == ASCIITable
	const most = 1 << 63 // TZERO of unsigned 64-bit integers
	whole := c.Scale == math.Trunc(c.Scale) && c.Zero == math.Trunc(c.Zero) && math.Abs(c.Scale) < 1<<53 && math.Abs(c.Zero) <= most
	if c.Var != 0 || !whole || !ascii && (!ok || bitpix < 0) || ascii && (c.Type != 'I' || c.width == 0) {
		return nil, nil, t.fail(c, fmt.Errorf("format %s is not an integer: %w", c.Form, ErrUnsupported))
	}
	raw, err := t.fixed(ctx, c)
	if err != nil {
		return nil, nil, t.fail(c, err)
	}
	size := int64(bitpix / 8)
	if ascii {
		size = c.width
	}
	values = make([]int64, int64(len(raw))/size)
	for i := range values {
		field, v, isNull := raw[int64(i)*size:][:size], int64(0), false
		if ascii {
			v, isNull, err = c.asciiInt(field)
		} else {
			v = intAt(field, bitpix)
			isNull = s.HasBlank && v == s.Blank
		}
		switch {
		case err != nil:
		case isNull:
			if null == nil {
				null = make([]bool, len(values))
			}
			null[i] = true
		default:
			values[i], err = c.scaledInt(v)
		}
		if err != nil {
			return nil, nil, t.fail(c, fmt.Errorf("value %d: %w", i, err))
		}
	}
	return values, null, nil
}

// intAt reads one stored integer.
func intAt(b []byte, bitpix int) int64 {
	switch bitpix {
	case 8:
		return int64(b[0])
	case 16:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 32:
		return int64(int32(binary.BigEndian.Uint32(b)))
	}
	return int64(binary.BigEndian.Uint64(b))
}

// Strings reads a text column: one string per row, blanks and NULs at the end cut.
// Where a row holds several strings (StringArrays gives them apart) they are joined
// with blanks. Numbers of ASCII tables are given as written.
func (t *Table) Strings(ctx context.Context, name string) ([]string, error) {
	c, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if t.h.Kind == BinaryTable && c.Type != 'A' {
		return nil, t.fail(c, fmt.Errorf("format %s is not text: %w", c.Form, ErrUnsupported))
	}
	out := make([]string, t.Rows)
	if c.Var != 0 {
		err := t.eachArray(ctx, c, func(row int, raw []byte, _ int) error {
			out[row] = trimText(raw)
			return nil
		})
		return out, t.fail(c, err)
	}
	raw, err := t.fixed(ctx, c)
	if err != nil {
		return nil, t.fail(c, err)
	}
	for i := range out {
		b := raw[int64(i)*c.width:][:c.width]
		if c.textWidth() == c.width {
			out[i] = trimText(b)
		} else {
			out[i] = strings.TrimRight(strings.Join(c.substrings(b), " "), " ")
		}
	}
	return out, nil
}

// StringArrays reads a text column whose rows hold several strings (TDIM, or TFORM
// rAw): as many per row as fit.
func (t *Table) StringArrays(ctx context.Context, name string) ([][]string, error) {
	c, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if t.h.Kind != BinaryTable || c.Type != 'A' || c.Var != 0 {
		return nil, t.fail(c, fmt.Errorf("format %s does not hold several strings: %w", c.Form, ErrUnsupported))
	}
	raw, err := t.fixed(ctx, c)
	if err == nil {
		// A string header for every string.
		err = t.fits(c, int64(len(raw))+16*int64(len(raw))/max(c.textWidth(), 1))
	}
	if err != nil {
		return nil, t.fail(c, err)
	}
	out := make([][]string, t.Rows)
	for i := range out {
		out[i] = c.substrings(raw[int64(i)*c.width:][:c.width])
	}
	return out, nil
}

// trimText ends a string at its first NUL (FITS 4.0, section 7.3.3.1).
func trimText(b []byte) string {
	s := string(b)
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return strings.TrimRight(s, " ")
}

// Bools reads a column of logicals (L) or bits (X): Rows × Repeat values. null
// marks logicals that are neither T nor F (nil where none).
func (t *Table) Bools(ctx context.Context, name string) (values, null []bool, err error) {
	c, err := t.column(name)
	if err != nil {
		return nil, nil, err
	}
	if c.Var != 0 || t.h.Kind == ASCIITable || (c.Type != 'L' && c.Type != 'X') {
		return nil, nil, t.fail(c, fmt.Errorf("format %s is not logical: %w", c.Form, ErrUnsupported))
	}
	raw, err := t.fixed(ctx, c)
	if err != nil {
		return nil, nil, t.fail(c, err)
	}
	if c.Type == 'X' {
		if err := t.fits(c, int64(len(raw))); err != nil {
			return nil, nil, t.fail(c, err)
		}
		return c.unpackBits(raw, t.Rows), nil, nil
	}
	values = make([]bool, len(raw))
	for i, b := range raw {
		values[i] = b == 'T'
		if b != 'T' && b != 'F' {
			if null == nil {
				null = make([]bool, len(raw))
			}
			null[i] = true
		}
	}
	return values, null, nil
}

// Arrays reads a column row by row, fixed or of variable length; values as
// Float64 gives them.
func (t *Table) Arrays(ctx context.Context, name string) ([][]float64, error) {
	c, err := t.column(name)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, t.Rows)
	if c.Var == 0 {
		flat, err := t.Float64(ctx, name)
		if err != nil || t.Rows == 0 {
			return nil, err
		}
		n := len(flat) / t.Rows
		for i := range out {
			out[i] = flat[i*n:][:n:n]
		}
		return out, nil
	}
	err = t.eachArray(ctx, c, func(row int, raw []byte, n int) error {
		one := *c
		one.Var, one.Repeat, one.width = 0, n, int64(len(raw))
		v, err := one.floats(raw, 1)
		out[row] = v
		return err
	})
	if err != nil {
		return nil, t.fail(c, err)
	}
	return out, nil
}

// eachArray reads the arrays of a variable-length column from the heap; n is the
// number of elements. raw is only valid during the call.
func (t *Table) eachArray(ctx context.Context, c *Column, do func(row int, raw []byte, n int) error) error {
	if t.packed != nil {
		return t.packedArrays(ctx, c, do)
	}
	desc, err := t.fixed(ctx, c)
	if err != nil {
		return err
	}
	at := *c
	at.offset = 0
	var buf []byte
	used := int64(0)
	for row := range t.Rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		d := desc[int64(row)*c.width:][:c.width]
		raw, err := t.h.fetch(&at, d, &buf)
		if err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
		// Rows may share parts of the heap: count what they ask for together.
		used += int64(len(raw)) * 8
		if err := t.fits(c, used); err != nil {
			return fmt.Errorf("row %d: the arrays take %w", row, err)
		}
		n, _ := at.descriptor(d)
		if err := do(row, raw, int(n)); err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
	}
	return nil
}
