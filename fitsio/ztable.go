package fitsio

import (
	"context"
	"fmt"
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
		return nil, fmt.Errorf("arrays of variable length in a compressed table: %w", ErrUnsupported)
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
	if c.Type == 'C' || c.Type == 'M' {
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
