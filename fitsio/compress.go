package fitsio

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"limpid/fitsio/internal/pixels"
	"limpid/fitsio/tile"
)

// Compression says how NewCompressedImage packs an image.
type Compression struct {
	// Method is "RICE_1", "GZIP_1" or "GZIP_2"; "": RICE_1 for integers, GZIP_2
	// (lossless) for floating point.
	Method string
	// Tile is the shape of a tile, slowest axis first; nil: one row.
	Tile []int
	// Quantize turns floating point into integers in steps of noise/Quantize, the
	// noise being measured in every tile; negative: in steps of -Quantize. 0 keeps
	// every bit, which RICE_1 cannot. fpack uses 4.
	Quantize float64
	// Dither is 1 or 2 (2 keeps exact zeros); 0 means 1, -1 none.
	Dither int
	// Seed, 1 to 10000, starts the dither; 0 means 1.
	Seed int
}

// packedTile is one row of the table of tiles.
type packedTile struct {
	data, lossless []byte
	scale, zero    float64
	blank          bool
}

type tilePacker[T Pixel] struct {
	c      Compression
	shape  []int
	grid   []int
	data   []T
	bitpix int
	zero   any
	level  int
}

// gzipLevel is a compromise: level 9 is several times slower for a percent.
const gzipLevel = 6

// NewCompressedImage makes a tile-compressed image HDU. It packs at once, on all
// processors; the result no longer needs data. header may be nil. The image
// cannot be the first HDU of a file: WriteFile puts an empty one before it.
func NewCompressedImage[T Pixel](name string, shape []int, data []T, header *Header, c Compression) (*NewHDU, error) {
	if _, err := NewImage(name, shape, data, nil); err != nil {
		return nil, err
	}
	p := &tilePacker[T]{c: c, shape: slices.Clone(shape), data: data, level: gzipLevel}
	p.bitpix, p.zero = pixels.Type[T]()
	if err := p.settle(); err != nil {
		return nil, fmt.Errorf("fitsio: compress: %w", err)
	}
	n := 1
	for _, g := range p.grid {
		n *= g
	}
	tiles := make([]packedTile, n)
	err := parallel(context.Background(), 0, int64(n), func(i int64) (err error) {
		tiles[i], err = p.pack(i)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fitsio: compress: %w", err)
	}
	return p.hdu(name, tiles, header)
}

// settle fills in defaults and rejects what the format cannot do.
func (p *tilePacker[T]) settle() error {
	c := &p.c
	switch {
	case c.Method == "" && (p.bitpix < 0 && c.Quantize == 0 || p.bitpix == 64):
		c.Method = "GZIP_2"
	case c.Method == "":
		c.Method = "RICE_1"
	}
	if c.Method != "RICE_1" && c.Method != "GZIP_1" && c.Method != "GZIP_2" {
		return fmt.Errorf("writing %s: %w", c.Method, ErrUnsupported)
	}
	if c.Method == "RICE_1" && (p.bitpix == 64 || p.bitpix < 0 && c.Quantize == 0) {
		return fmt.Errorf("RICE_1 needs integers of at most 32 bits, or Quantize: %w", ErrUnsupported)
	}
	if p.bitpix > 0 {
		c.Quantize = 0
	}
	if math.IsNaN(c.Quantize) || math.IsInf(c.Quantize, 0) || c.Dither < -1 || c.Dither > 2 || c.Seed < 0 || c.Seed > 10000 {
		return fmt.Errorf("settings Quantize %g, Dither %d, Seed %d: %w", c.Quantize, c.Dither, c.Seed, ErrRange)
	}
	if c.Dither == 0 {
		c.Dither = 1
	}
	c.Seed = max(c.Seed, 1)
	if c.Tile == nil {
		c.Tile = make([]int, len(p.shape))
		for i := range c.Tile {
			c.Tile[i] = 1
		}
		c.Tile[len(c.Tile)-1] = p.shape[len(p.shape)-1]
	}
	if len(c.Tile) != len(p.shape) {
		return fmt.Errorf("tiles %v of an image %v: %w", c.Tile, p.shape, ErrRange)
	}
	c.Tile = slices.Clone(c.Tile)
	p.grid = make([]int, len(p.shape))
	for i := range c.Tile {
		if c.Tile[i] < 1 || p.shape[i] < 1 {
			return fmt.Errorf("tiles %v of an image %v: %w", c.Tile, p.shape, ErrRange)
		}
		c.Tile[i] = min(c.Tile[i], p.shape[i])
		p.grid[i] = (p.shape[i] + c.Tile[i] - 1) / c.Tile[i]
	}
	return nil
}

// cut copies the pixels of tile i; cols is its width.
func (p *tilePacker[T]) cut(i int64) (pix []T, cols int) {
	axes := len(p.shape)
	lo, hi := make([]int, axes), make([]int, axes)
	for k := axes - 1; k >= 0; k-- {
		lo[k] = int(i%int64(p.grid[k])) * p.c.Tile[k]
		hi[k] = min(lo[k]+p.c.Tile[k], p.shape[k])
		i /= int64(p.grid[k])
	}
	b := newBox(p.shape, lo, hi)
	pix = make([]T, 0, b.run*b.runs)
	for r := range b.runs {
		s := b.start(r)
		pix = append(pix, p.data[s:s+b.run]...)
	}
	return pix, hi[axes-1] - lo[axes-1]
}

// pack packs one tile.
func (p *tilePacker[T]) pack(i int64) (packedTile, error) {
	pix, cols := p.cut(i)
	if p.c.Quantize != 0 {
		if t, ok, err := p.quantise(i, pix, cols); ok || err != nil {
			return t, err
		}
		b, err := tile.Gzip(p.bigEndian(pix), p.level)
		return packedTile{lossless: b}, err
	}
	if p.c.Method == "RICE_1" {
		ints := make([]int32, len(pix))
		for k, v := range pix {
			ints[k] = p.stored(v)
		}
		b, err := tile.EncodeRice(nil, ints, 32, p.bitpix/8)
		return packedTile{data: b}, err
	}
	b, err := p.gzip(p.bigEndian(pix), pixels.Abs(p.bitpix)/8)
	return packedTile{data: b}, err
}

// stored gives the integer that the file holds for v.
func (p *tilePacker[T]) stored(v T) int32 {
	switch {
	case p.bitpix == 8 && p.zero != nil:
		return int32(uint8(v) ^ 1<<7)
	case p.bitpix == 16 && p.zero != nil:
		return int32(int16(uint16(v) ^ 1<<15))
	case p.bitpix == 32 && p.zero != nil:
		return int32(uint32(v) ^ 1<<31)
	}
	return int32(v)
}

func (p *tilePacker[T]) bigEndian(pix []T) []byte {
	b := make([]byte, len(pix)*int(unsafe.Sizeof(T(0))))
	flip := uint64(0)
	if p.zero != nil {
		flip = 1 << (pixels.Abs(p.bitpix) - 1)
	}
	pixels.Put(b, pix, p.bitpix, flip)
	return b
}

func (p *tilePacker[T]) gzip(b []byte, size int) ([]byte, error) {
	if p.c.Method == "GZIP_2" {
		s := make([]byte, len(b))
		tile.Shuffle(s, b, size)
		b = s
	}
	return tile.Gzip(b, p.level)
}

// quantise turns a tile into integers; ok is false where that is not possible: no
// noise to measure, or a range too large for 32 bits.
func (p *tilePacker[T]) quantise(i int64, pix []T, cols int) (t packedTile, ok bool, err error) {
	x := make([]float64, len(pix))
	lo, hi := math.Inf(1), math.Inf(-1)
	special := false
	for k, v := range pix {
		x[k] = float64(v)
		if f := x[k]; f-f != 0 {
			t.blank = true
			if !math.IsNaN(f) {
				return t, false, nil // an infinity would come back as NaN
			}
		} else if f == 0 && p.c.Dither == 2 {
			special = true
		} else {
			lo, hi = math.Min(lo, f), math.Max(hi, f)
		}
	}
	step := -p.c.Quantize
	if p.c.Quantize > 0 {
		step = pixelNoise(x, cols) / p.c.Quantize
	}
	const most = 1 << 31 * 0.9
	if !(step > 0) || lo > hi || (hi-lo)/step > most || math.IsInf(step, 0) || lo+step == lo && hi > lo {
		return t, false, nil
	}
	t.scale, t.zero = step, lo
	base := int32(0)
	if t.blank || special { // stay near the reserved integers: small differences pack well
		base = tile.NullValue + 10
		t.zero = lo - float64(base)*step
		if t.zero+step == t.zero {
			return t, false, nil
		}
	}
	ints := make([]int32, len(x))
	if p.c.Dither > 0 {
		d := tile.NewDither(i, int64(p.c.Seed))
		d.Quantize(ints, x, step, lo, base, p.c.Dither == 2)
	} else {
		for k, v := range x {
			if ints[k] = tile.NullValue; v-v == 0 {
				ints[k] = base + int32(math.Floor((v-lo)/step+0.5))
			}
		}
	}
	if p.c.Method == "RICE_1" {
		t.data, err = tile.EncodeRice(nil, ints, 32, 4)
		return t, true, err
	}
	b := make([]byte, 4*len(ints))
	pixels.Put(b, ints, 32, 0)
	t.data, err = p.gzip(b, 4)
	return t, true, err
}

// pixelNoise estimates the standard deviation of the noise from the median of
// |2 x_i − x_{i−2} − x_{i+2}| (Stoehr+2008, DER_SNR); 0 where there are too few
// pixels.
func pixelNoise(x []float64, cols int) float64 {
	var d []float64
	for r := 0; r+cols <= len(x); r += cols {
		row := x[r : r+cols]
		for i := 2; i+2 < cols; i++ {
			if v := math.Abs(2*row[i] - row[i-2] - row[i+2]); !math.IsNaN(v) {
				d = append(d, v)
			}
		}
	}
	if len(d) < 9 {
		return 0
	}
	return 0.6052697 * upperMedian(d)
}

// upperMedian gives element len/2 of the sorted values, by quickselect; d is
// reordered. Hoare's partition with the middle of three keeps it fast on slopes.
func upperMedian(d []float64) float64 {
	k, lo, hi := len(d)/2, 0, len(d)-1
	for lo < hi {
		a, b, c := d[lo], d[(lo+hi)/2], d[hi]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := lo, hi
		for i <= j {
			for d[i] < pivot {
				i++
			}
			for d[j] > pivot {
				j--
			}
			if i <= j {
				d[i], d[j] = d[j], d[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return d[k]
		}
	}
	return d[k]
}

// hdu builds the table of tiles.
func (p *tilePacker[T]) hdu(name string, tiles []packedTile, header *Header) (*NewHDU, error) {
	data, lossless := make([][]uint8, len(tiles)), make([][]uint8, len(tiles))
	scale, zero := make([]float64, len(tiles)), make([]float64, len(tiles))
	blank := false
	for i, t := range tiles {
		data[i], lossless[i], scale[i], zero[i] = t.data, t.lossless, t.scale, t.zero
		blank = blank || t.blank && t.lossless == nil
	}
	cols := []NewColumn{{Name: "COMPRESSED_DATA", Data: data}}
	if p.c.Quantize != 0 {
		cols = append(cols, NewColumn{Name: "GZIP_COMPRESSED_DATA", Data: lossless},
			NewColumn{Name: "ZSCALE", Data: scale}, NewColumn{Name: "ZZERO", Data: zero})
	}
	h, err := NewTable(name, cols, header)
	if err != nil {
		return nil, err
	}
	head := h.head
	h.head = func() *Header {
		c := head()
		p.cards(c, blank)
		return c
	}
	return h, nil
}

// cards adds the keywords of FITS 4.0, section 10.1.
func (p *tilePacker[T]) cards(h *Header, blank bool) {
	h.Append("ZIMAGE", true, "this is a tile-compressed image")
	h.Append("ZTENSION", "IMAGE", "")
	h.Append("ZBITPIX", p.bitpix, "of the image")
	h.Append("ZNAXIS", len(p.shape), "")
	for i := range p.shape {
		h.Append(fmt.Sprintf("ZNAXIS%d", i+1), p.shape[len(p.shape)-1-i], "")
	}
	h.Append("ZPCOUNT", 0, "")
	h.Append("ZGCOUNT", 1, "")
	for i := range p.shape {
		h.Append(fmt.Sprintf("ZTILE%d", i+1), p.c.Tile[len(p.shape)-1-i], "")
	}
	h.Append("ZCMPTYPE", p.c.Method, "")
	if p.c.Method == "RICE_1" {
		bytepix := 4
		if p.bitpix > 0 {
			bytepix = p.bitpix / 8
		}
		h.Append("ZNAME1", "BLOCKSIZE", "")
		h.Append("ZVAL1", 32, "pixels per block")
		h.Append("ZNAME2", "BYTEPIX", "")
		h.Append("ZVAL2", bytepix, "bytes per pixel")
	}
	if p.c.Quantize != 0 {
		method := map[int]string{-1: "NO_DITHER", 1: "SUBTRACTIVE_DITHER_1", 2: "SUBTRACTIVE_DITHER_2"}[p.c.Dither]
		h.Append("ZQUANTIZ", method, "")
		if p.c.Dither > 0 {
			h.Append("ZDITHER0", p.c.Seed, "")
		}
		if blank {
			h.Append("ZBLANK", tile.NullValue, "undefined pixels")
		}
	}
	if p.zero != nil {
		h.Append("BSCALE", 1, "")
		h.AppendCard(Card{Key: "BZERO", Value: p.zero, Comment: "offset of the integer type"})
	}
}
