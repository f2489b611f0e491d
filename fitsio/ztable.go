package fitsio

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"limpid/fitsio/internal/source"
	"limpid/fitsio/tile"
)

// packedTable is a table that fpack has compressed (FITS 4.0, section 10.3): its
// rows come in tiles, and each tile is one row of arrays, one per column.
type packedTable struct {
	arrays []Column // as stored
	perRow int64    // ZTILELEN: rows per tile
}

// maxGzip is how much gzip can shrink anything.
const maxGzip = 1032

// openPacked reads the keywords of a compressed table.
func (h *HDU) openPacked() (*Table, error) {
	stored, err := h.columns("TFORM", h.rowLen)
	if err != nil {
		return nil, err
	}
	get := func(key string) (int64, error) {
		v, ok := h.raw.Int(key)
		if !ok || v < 0 {
			return 0, cardError(ErrHeader, key, "missing, or not a number of rows or bytes")
		}
		return v, nil
	}
	per, err := get("ZTILELEN")
	if err != nil {
		return nil, err
	}
	rowLen, err := get("ZNAXIS1")
	if err != nil {
		return nil, err
	}
	rows, err := get("ZNAXIS2")
	if err != nil {
		return nil, err
	}
	cols, err := h.columns("ZFORM", rowLen)
	if err != nil {
		return nil, err
	}
	if rows > 0 && (per < 1 || (rows-1)/per+1 > h.rows) {
		return nil, cardError(ErrHeader, "ZTILELEN", "%d rows in tiles of %d need more than the table's %d rows", rows, per, h.rows)
	}
	if limit := h.file.opt.maxBytes(); rows > limit/32 {
		return nil, fmt.Errorf("%d rows: %w", rows, ErrTooLarge)
	}
	return &Table{Columns: cols, Rows: int(rows), h: h, packed: &packedTable{stored, per}}, nil
}

// unpackColumn gives the bytes of one column, row after row.
func (t *Table) unpackColumn(ctx context.Context, c *Column) ([]byte, error) {
	p, h := t.packed, t.h
	if c.Var != 0 {
		return nil, fmt.Errorf("the column holds arrays of variable length: %w", ErrUnsupported)
	}
	in := &p.arrays[c.index-1]
	if in.Var == 0 {
		return nil, fmt.Errorf("format %s is not an array of variable length: %w", in.Form, ErrHeader)
	}
	method, _ := h.raw.Str("ZCTYP" + strconv.Itoa(c.index))
	size := c.width * int64(t.Rows)
	if limit := h.file.opt.maxBytes(); size > limit {
		return nil, fmt.Errorf("%d rows of %d bytes are more than the limit of %s: %w", t.Rows, c.width, source.BytesText(limit), ErrTooLarge)
	}
	if h.rows*h.rowLen > h.file.src.Size()-h.off {
		return nil, ErrTruncated
	}
	var out, packed, moved []byte
	row := make([]byte, h.rowLen)
	for k := int64(0); k*p.perRow < int64(t.Rows) && c.width > 0; k++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.readAt(row, k*h.rowLen); err != nil {
			return nil, err
		}
		b, err := h.fetch(in, row, &packed)
		if err != nil {
			return nil, err
		}
		want := min(p.perRow, int64(t.Rows)-k*p.perRow) * c.width
		if want > maxGzip*(int64(len(b))+64) {
			return nil, fmt.Errorf("tile %d: %d bytes cannot hold %d: %w", k, len(b), want, ErrCorrupt)
		}
		start := len(out)
		out = append(out, make([]byte, want)...)
		if err := c.unpackTile(out[start:], b, &moved, strings.TrimSpace(method)); err != nil {
			return nil, fmt.Errorf("tile %d: %w: %w", k, ErrCorrupt, err)
		}
	}
	return out, nil
}

// unpackTile unpacks the rows of one tile.
func (c *Column) unpackTile(dst, src []byte, moved *[]byte, method string) error {
	unit := int(max(elemSize(c.Type), 1))
	if c.Type == 'M' || c.Type == 'C' && c.Var == 0 {
		unit = 1 // cfitsio, which alone writes these, says GZIP_2 but shuffles nothing
	}
	fill := func(got []byte, err error) error {
		if err == nil && len(got) != len(dst) {
			err = fmt.Errorf("%d bytes for %d: %w", len(got), len(dst), tile.ErrCorrupt)
		}
		return err
	}
	switch method {
	case "NOCOMPRESS":
		return fill(dst[:copy(dst, src)], nil)
	case "GZIP_2":
		m := grow(moved, len(dst))
		err := fill(tile.Gunzip(m, src))
		if err == nil {
			tile.Unshuffle(dst, m, unit)
		}
		return err
	case "RICE_1":
		if unit != 1 && unit != 2 && unit != 4 {
			return fmt.Errorf("RICE_1 of format %s: %w", c.Form, tile.ErrCorrupt)
		}
		ints := make([]int32, len(dst)/unit)
		if err := tile.Rice(ints, src, 32, unit); err != nil {
			return err
		}
		for i, v := range ints {
			for k := range unit {
				dst[i*unit+k] = byte(v >> (8 * (unit - 1 - k)))
			}
		}
		return nil
	}
	return fill(tile.Gunzip(dst, src))
}

// packedArrays reads the arrays of variable length of a compressed table (FITS 4.0,
// section 10.3.6). A tile's array, gzipped, holds the descriptors that the rows had,
// and then for each row a 64-bit one of the row's array in the heap, which is packed
// unless it is as long as it was.
func (t *Table) packedArrays(ctx context.Context, c *Column, do func(row int, raw []byte, n int) error) error {
	p, h := t.packed, t.h
	in := &p.arrays[c.index-1]
	if in.Var == 0 || h.rows*h.rowLen > h.file.src.Size()-h.off {
		return fmt.Errorf("format %s: %w", in.Form, ErrCorrupt)
	}
	method, _ := h.raw.Str("ZCTYP" + strconv.Itoa(c.index))
	u := arrayUnpacker{t: t, c: c, method: strings.TrimSpace(method)}
	u.was, u.is = *c, Column{Name: c.Name, Type: 'B', Var: 'Q', Repeat: 1}
	u.was.offset = 0
	row := make([]byte, h.rowLen)
	var packed []byte
	for first := int64(0); first < int64(t.Rows); first += p.perRow {
		if err := h.readAt(row, first/p.perRow*h.rowLen); err != nil {
			return err
		}
		b, err := h.fetch(in, row, &packed)
		if err != nil {
			return err
		}
		rows := min(p.perRow, int64(t.Rows)-first)
		want := rows * (c.width + 16)
		if want > maxGzip*(int64(len(b))+64) {
			return fmt.Errorf("tile %d: %d bytes cannot hold %d: %w", first/p.perRow, len(b), want, ErrCorrupt)
		}
		d, err := tile.Gunzip(make([]byte, want), b)
		if err != nil || int64(len(d)) != want {
			return fmt.Errorf("tile %d: descriptors of %d rows in %d bytes: %w", first/p.perRow, rows, len(d), ErrCorrupt)
		}
		for r := range rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			raw, n, err := u.one(d[r*c.width:][:c.width], d[rows*c.width+16*r:][:16])
			if err == nil {
				err = do(int(first+r), raw, int(n))
			}
			if err != nil {
				return fmt.Errorf("row %d: %w", first+r, err)
			}
		}
	}
	return nil
}

// arrayUnpacker unpacks the arrays of one column, one after the other.
type arrayUnpacker struct {
	t           *Table
	c           *Column
	method      string
	was, is     Column // of the descriptors
	used        int64
	packed, out []byte
	moved       []byte
}

// one gives the array of a row, valid until the next call, and its number of elements.
func (u *arrayUnpacker) one(was, is []byte) (raw []byte, n int64, err error) {
	n, _ = u.was.descriptor(was)
	size, ok := arrayBytes(n, u.c.Type)
	if !ok {
		return nil, 0, fmt.Errorf("an array of %d elements: %w", n, ErrCorrupt)
	}
	b, err := u.t.h.fetch(&u.is, is, &u.packed)
	if err != nil {
		return nil, 0, err
	}
	if size > maxGzip*(int64(len(b))+64) {
		return nil, 0, fmt.Errorf("%d bytes cannot hold %d: %w", len(b), size, ErrCorrupt)
	}
	if u.used += size * 8; u.used < 0 {
		u.used = math.MaxInt64
	}
	if err := u.t.fits(u.c, u.used); err != nil {
		return nil, 0, fmt.Errorf("the arrays take %w", err)
	}
	if int64(len(b)) == size {
		return b, n, nil
	}
	out := grow(&u.out, int(size))
	if err := u.c.unpackTile(out, b, &u.moved, u.method); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return out, n, nil
}
