package fitsio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"limpid/fitsio/internal/pixels"
	"limpid/fitsio/tile"
)

// tileScratch is the memory one goroutine needs to decode tiles.
type tileScratch[T Float] struct {
	row    []byte
	packed []byte
	plain  []byte
	moved  []byte
	ints   []int32
	wide   []float64
	pix    []T
}

func grow[E any](s *[]E, n int) []E {
	if cap(*s) < n {
		*s = make([]E, n)
	}
	*s = (*s)[:n]
	return *s
}

// readTiles decodes every tile that the section touches.
func readTiles[T Float](ctx context.Context, h *HDU, b box, dst []T) error {
	t := h.tiles
	axes := len(h.Shape)
	first, count := make([]int, axes), make([]int, axes)
	jobs := int64(1)
	for i := range axes {
		first[i] = b.lo[i] / t.tile[i]
		count[i] = (b.hi[i]-1)/t.tile[i] - first[i] + 1
		jobs *= int64(count[i])
	}
	pool := sync.Pool{New: func() any { return new(tileScratch[T]) }}
	return parallel(ctx, t.workers(), jobs, func(job int64) error {
		at := make([]int, axes)
		row := int64(0)
		for i := axes - 1; i >= 0; i-- {
			at[i] = first[i] + int(job%int64(count[i]))
			job /= int64(count[i])
		}
		for i := range axes {
			row = row*int64(t.grid[i]) + int64(at[i])
		}
		sc := pool.Get().(*tileScratch[T])
		defer pool.Put(sc)
		if err := placeTile(t, sc, row, at, b, dst); err != nil {
			if errors.Is(err, tile.ErrCorrupt) {
				err = fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
			return fmt.Errorf("tile %d: %w", row, err)
		}
		return nil
	})
}

// workers is how many tiles may be decoded at once: what they need besides the image
// (packed, unpacked and reordered bytes, integers) should not exceed the limit.
func (t *tiledImage) workers() int {
	area := int64(1)
	for _, n := range t.tile {
		area *= int64(n) // check has seen that it fits
	}
	n := t.hdu.file.opt.Workers
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return int(max(1, min(int64(n), t.hdu.file.opt.maxBytes()/32/area)))
}

// placeTile decodes one tile and copies what the section wants of it.
func placeTile[T Float](t *tiledImage, sc *tileScratch[T], row int64, at []int, b box, dst []T) error {
	axes := len(at)
	lo, dim := make([]int, axes), make([]int, axes) // of the tile in the image
	from, to := make([]int, axes), make([]int, axes)
	pixels := 1
	inside := true // the tile is a contiguous part of dst
	for i := range axes {
		lo[i] = at[i] * t.tile[i]
		dim[i] = min(t.tile[i], t.hdu.Shape[i]-lo[i])
		pixels *= dim[i]
		from[i], to[i] = max(lo[i], b.lo[i]), min(lo[i]+dim[i], b.hi[i])
		whole := from[i] == lo[i] && to[i] == lo[i]+dim[i]
		spansDst := dim[i] == b.hi[i]-b.lo[i]
		inside = inside && whole && (spansDst || allOnes(dim[:i]))
	}
	if inside {
		return decodeTile(t, sc, row, dim, dst[offsetIn(from, b.lo, b.hi):][:pixels])
	}
	pix := grow(&sc.pix, pixels)
	if err := decodeTile(t, sc, row, dim, pix); err != nil {
		return err
	}
	hi := make([]int, axes)
	for i := range hi {
		hi[i] = lo[i] + dim[i]
	}
	p := append([]int(nil), from...)
	n := to[axes-1] - from[axes-1]
	for {
		copy(dst[offsetIn(p, b.lo, b.hi):][:n], pix[offsetIn(p, lo, hi):][:n])
		i := axes - 2
		for ; i >= 0; i-- {
			if p[i]++; p[i] < to[i] {
				break
			}
			p[i] = from[i]
		}
		if i < 0 {
			return nil
		}
	}
}

func allOnes(d []int) bool {
	for _, n := range d {
		if n != 1 {
			return false
		}
	}
	return true
}

// offsetIn gives the index of pixel p in an array that holds lo … hi.
func offsetIn(p, lo, hi []int) int {
	off := 0
	for i := range p {
		off = off*(hi[i]-lo[i]) + p[i] - lo[i]
	}
	return off
}

// rowBytes gives a row of the table of tiles. The table is kept when small.
func (t *tiledImage) rowBytes(buf []byte, row int64) ([]byte, error) {
	const keep = 8 << 20
	h := t.hdu
	if h.rows*h.rowLen <= keep {
		t.rowsOnce.Do(func() {
			t.rowTable = make([]byte, h.rows*h.rowLen)
			t.rowErr = h.readAt(t.rowTable, 0)
		})
		if t.rowErr != nil {
			return nil, t.rowErr
		}
		return t.rowTable[row*h.rowLen:][:h.rowLen], nil
	}
	return buf, h.readAt(buf, row*h.rowLen)
}

// descriptor reads where a variable-length array lies: count and heap offset.
func (c *Column) descriptor(row []byte) (n, off int64) {
	if c == nil || c.Repeat == 0 {
		return 0, 0
	}
	if c.Var == 'Q' {
		return int64(binary.BigEndian.Uint64(row[c.offset:])), int64(binary.BigEndian.Uint64(row[c.offset+8:]))
	}
	return int64(binary.BigEndian.Uint32(row[c.offset:])), int64(binary.BigEndian.Uint32(row[c.offset+4:]))
}

// arrayBytes is the size of an array of n elements; ok is false for n < 0 and where
// it overflows.
func arrayBytes(n int64, code byte) (bytes int64, ok bool) {
	if code == 'X' {
		return n/8 + (n%8+7)/8, n >= 0
	}
	return mul(max(n, 0), elemSize(code), n >= 0)
}

// fetch reads a variable-length array into buf; nil where it is empty.
func (h *HDU) fetch(c *Column, row []byte, buf *[]byte) ([]byte, error) {
	n, off := c.descriptor(row)
	if n == 0 {
		return nil, nil
	}
	bytes, ok := arrayBytes(n, c.Type)
	ok = ok && off >= 0
	if !ok || bytes > h.heapLen || off > h.heapLen-bytes {
		return nil, fmt.Errorf("column %s: array of %d elements at %d is outside the heap of %d bytes: %w",
			c.Name, n, off, h.heapLen, ErrCorrupt)
	}
	if h.off+h.heap+off+bytes > h.file.src.Size() {
		return nil, fmt.Errorf("column %s: the array ends after the file: %w", c.Name, ErrTruncated)
	}
	b := grow(buf, int(bytes))
	return b, h.readAt(b, h.heap+off)
}

// number reads a scalar column as float64.
func (c *Column) number(row []byte) float64 {
	b := row[c.offset:]
	switch c.Type {
	case 'B':
		return float64(b[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b)))
	case 'J':
		return float64(int32(binary.BigEndian.Uint32(b)))
	case 'K':
		return float64(int64(binary.BigEndian.Uint64(b)))
	case 'E':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 'D':
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}

// decodeTile gives the physical values of one tile with axes dim.
func decodeTile[T Float](t *tiledImage, sc *tileScratch[T], row int64, dim []int, dst []T) error {
	h := t.hdu
	rb, err := t.rowBytes(grow(&sc.row, int(h.rowLen)), row)
	if err != nil {
		return err
	}
	packed, err := h.fetch(t.data, rb, &sc.packed)
	if err != nil {
		return err
	}
	if packed != nil {
		return decodePacked(t, sc, row, rb, packed, dim, dst)
	}
	// A tile that could not be quantised, or was not worth packing, lies in
	// another column as plain pixels.
	if packed, err = h.fetch(t.gz, rb, &sc.packed); err != nil {
		return err
	}
	if packed != nil {
		plain, err := tile.Gunzip(grow(&sc.plain, len(dst)*8), packed)
		if err != nil {
			return err
		}
		return decodePlain(t, plain, dst)
	}
	if packed, err = h.fetch(t.plain, rb, &sc.packed); err != nil {
		return err
	}
	if packed != nil {
		return decodePlain(t, packed, dst)
	}
	return fmt.Errorf("no data: %w", ErrCorrupt)
}

// plainBitpix finds the size of the stored numbers from the length of the data:
// writers may keep integers in fewer or more bytes than ZBITPIX says.
func plainBitpix(bytes, pixels, zbitpix int) (int, error) {
	size := bytes / pixels
	if bytes%pixels != 0 || (size != 1 && size != 2 && size != 4 && size != 8) || (zbitpix < 0 && size < 4) {
		return 0, fmt.Errorf("%d bytes for %d pixels of BITPIX %d: %w", bytes, pixels, zbitpix, ErrCorrupt)
	}
	if zbitpix < 0 {
		return -8 * size, nil
	}
	return 8 * size, nil
}

func decodePlain[T Float](t *tiledImage, plain []byte, dst []T) error {
	bp, err := plainBitpix(len(plain), len(dst), t.hdu.Bitpix)
	if err != nil {
		return err
	}
	s := t.hdu.scale
	if bp != t.hdu.Bitpix && s.Flip {
		s.Flip = false // the offset is not half of this size
	}
	pixels.Decode(dst, plain, bp, s)
	return nil
}

// decodePacked decodes the column COMPRESSED_DATA.
func decodePacked[T Float](t *tiledImage, sc *tileScratch[T], row int64, rb, packed []byte, dim []int, dst []T) error {
	n := len(dst)
	if t.method == "GZIP_1" || t.method == "GZIP_2" || t.method == "NOCOMPRESS" {
		plain, err := t.bytes(&sc.plain, &sc.moved, packed, n)
		if err != nil {
			return err
		}
		if !t.quantised {
			return decodePlain(t, plain, dst)
		}
		if len(plain) != 4*n {
			// Not quantised after all: plain floating point of 8 bytes.
			return decodePlain(t, plain, dst)
		}
		ints := grow(&sc.ints, n)
		for i := range ints {
			ints[i] = int32(binary.BigEndian.Uint32(plain[4*i:]))
		}
		return finish(t, sc, row, rb, ints, dst)
	}
	ints := grow(&sc.ints, n)
	if err := t.integers(ints, packed, dim); err != nil {
		return err
	}
	return finish(t, sc, row, rb, ints, dst)
}

// bytes unpacks GZIP_1, GZIP_2 and NOCOMPRESS to big-endian numbers.
func (t *tiledImage) bytes(plainBuf, movedBuf *[]byte, packed []byte, pixels int) ([]byte, error) {
	if t.method == "NOCOMPRESS" {
		return packed, nil
	}
	plain, err := tile.Gunzip(grow(plainBuf, pixels*8), packed)
	if err != nil || t.method == "GZIP_1" {
		return plain, err
	}
	if len(plain)%pixels != 0 {
		return nil, fmt.Errorf("%d bytes for %d pixels: %w", len(plain), pixels, ErrCorrupt)
	}
	out := grow(movedBuf, len(plain))
	tile.Unshuffle(out, plain, len(plain)/pixels)
	return out, nil
}

// integers runs the decoders that give integers.
func (t *tiledImage) integers(dst []int32, packed []byte, dim []int) error {
	switch t.method {
	case "RICE_1":
		return tile.Rice(dst, packed, t.riceBlock, t.bytepix)
	case "PLIO_1":
		return tile.PLIO(dst, packed)
	case "HCOMPRESS_1":
		cols := dim[len(dim)-1]
		return tile.HCompress(dst, packed, len(dst)/cols, cols, t.smooth)
	}
	return cardError(ErrUnsupported, "ZCMPTYPE", "compression %q", t.method)
}

// finish turns decoded integers into physical values.
func finish[T Float](t *tiledImage, sc *tileScratch[T], row int64, rb []byte, ints []int32, dst []T) error {
	blank, hasBlank := t.blank, t.hasBlank
	if t.blankCol != nil {
		blank, hasBlank = int64(t.blankCol.number(rb)), true
	}
	if !t.quantised {
		s := t.hdu.scale
		s.Blank, s.HasBlank = blank, hasBlank
		pixels.ConvertInts(dst, ints, t.hdu.Bitpix, s)
		return nil
	}
	scale, zero := t.scale, t.zero
	if t.scaleCol != nil {
		scale = t.scaleCol.number(rb)
	}
	if t.zeroCol != nil {
		zero = t.zeroCol.number(rb)
	}
	d := tile.NewDither(row, t.seed)
	wide, is64 := any(dst).([]float64)
	if !is64 {
		wide = grow(&sc.wide, min(len(ints), 1<<12))
	}
	for i := 0; i < len(ints); i += len(wide) {
		q := ints[i:min(i+len(wide), len(ints))]
		w := wide[:len(q)]
		if t.dither == 0 {
			for j, v := range q {
				w[j] = float64(v)*scale + zero
			}
		} else {
			d.Unquantize(w, q, scale, zero, t.dither == 2)
		}
		if hasBlank {
			for j, v := range q {
				if int64(v) == blank {
					w[j] = pixels.QuietNaN
				}
			}
		}
		if !is64 {
			out := dst[i:][:len(q)]
			for j, v := range w {
				out[j] = T(v)
			}
		}
	}
	if s := t.hdu.scale; !s.Identity() {
		pixels.Rescale(dst, s)
	}
	return nil
}
