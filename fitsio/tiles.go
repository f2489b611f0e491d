package fitsio

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"limpid/fitsio/internal/source"
)

// tiledImage is what a tile-compressed HDU needs to be read (FITS 4.0, section
// 10.1). Axes are slowest first, as Shape.
type tiledImage struct {
	hdu    *HDU
	method string
	tile   []int // ZTILEn … ZTILE1
	grid   []int // tiles along each axis
	// columns; nil where absent
	data, gz, plain    *Column
	scaleCol, zeroCol  *Column
	blankCol           *Column
	scale, zero        float64 // keywords ZSCALE, ZZERO
	hasScale           bool
	blank              int64
	hasBlank           bool
	dither             int // 0 none, 1, 2
	seed               int64
	riceBlock, bytepix int
	smooth             bool
	quantised          bool // floats kept as integers
	rowsOnce           sync.Once
	rowTable           []byte
	rowErr             error
}

// openTiles turns a binary table with ZIMAGE = T into an image.
func (h *HDU) openTiles() error {
	t := &tiledImage{hdu: h, riceBlock: 32, bytepix: 4, seed: 1}
	if err := t.shape(); err != nil {
		return err
	}
	cols, err := h.columns("TFORM", h.rowLen)
	if err != nil {
		return err
	}
	for i := range cols {
		c := &cols[i]
		switch strings.ToUpper(c.Name) {
		case "COMPRESSED_DATA":
			t.data = c
		case "GZIP_COMPRESSED_DATA":
			t.gz = c
		case "UNCOMPRESSED_DATA":
			t.plain = c
		case "ZSCALE":
			t.scaleCol = c
		case "ZZERO":
			t.zeroCol = c
		case "ZBLANK":
			t.blankCol = c
		}
	}
	if t.data == nil && t.gz == nil && t.plain == nil {
		return cardError(ErrHeader, "ZIMAGE", "no column COMPRESSED_DATA")
	}
	for _, c := range []*Column{t.data, t.gz, t.plain} {
		if c != nil && c.Var == 0 {
			return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "%q is not a variable-length array", c.Form)
		}
	}
	for _, c := range []*Column{t.scaleCol, t.zeroCol, t.blankCol} {
		if c != nil && (c.Var != 0 || c.Repeat != 1 || !strings.ContainsRune("BIJKED", rune(c.Type))) {
			return cardError(ErrHeader, fmt.Sprintf("TFORM%d", c.index), "%q is not a number", c.Form)
		}
	}
	t.parameters()
	h.Kind, h.Compression, h.tiles = Image, t.method, t
	h.Header = imageHeader(h.raw)
	return nil
}

// shape reads ZBITPIX, ZNAXISn, ZTILEn.
func (t *tiledImage) shape() error {
	h := t.hdu
	z := &HDU{Index: h.Index, Header: &Header{}, file: h.file}
	for _, c := range h.raw.Cards() {
		if k, ok := strings.CutPrefix(c.Key, "Z"); ok && (k == "BITPIX" || strings.HasPrefix(k, "NAXIS")) {
			z.Header.Append(k, c.Value, "")
		}
	}
	bitpix, err := z.need("BITPIX")
	if err != nil {
		return fmt.Errorf("compressed image: %w", err)
	}
	if !slices.Contains([]int64{8, 16, 32, 64, -32, -64}, bitpix) {
		return cardError(ErrHeader, "ZBITPIX", "%d is not one of 8, 16, 32, 64, -32, -64", bitpix)
	}
	naxes, err := z.axes()
	if err != nil {
		return fmt.Errorf("compressed image: %w", err)
	}
	n := len(naxes)
	if n == 0 {
		return cardError(ErrHeader, "ZNAXIS", "a compressed image of no axes")
	}
	total, ok := int64(1), true
	tiles := int64(1)
	t.tile, t.grid, h.Shape = make([]int, n), make([]int, n), make([]int, n)
	for i, a := range naxes {
		size := int64(1)
		if i == 0 {
			size = a
		}
		key := fmt.Sprintf("ZTILE%d", i+1)
		if h.raw.Has(key) {
			if size, ok = h.raw.Int(key); !ok {
				return cardError(ErrHeader, key, "not an integer")
			}
		}
		if size < 1 || a < 1 {
			return cardError(ErrHeader, key, "tiles of %d along an axis of %d", size, a)
		}
		size = min(size, a)
		k := n - 1 - i
		h.Shape[k], t.tile[k], t.grid[k] = int(a), int(size), int((a+size-1)/size)
		total, ok = mul(total, a, ok)
		tiles, ok = mul(tiles, int64(t.grid[k]), ok)
	}
	if _, ok = mul(total, 8, ok); !ok {
		return fmt.Errorf("the axes %v give more than 2⁶³ bytes: %w", naxes, ErrTooLarge)
	}
	if tiles > h.rows {
		return cardError(ErrHeader, "NAXIS2", "%d rows for %d tiles", h.rows, tiles)
	}
	h.Bitpix = int(bitpix)
	return nil
}

// parameters reads ZCMPTYPE, ZNAMEn/ZVALn and what belongs to quantisation.
func (t *tiledImage) parameters() {
	hd := t.hdu.raw
	t.method, _ = hd.Str("ZCMPTYPE")
	t.method = strings.ToUpper(strings.TrimSpace(t.method))
	if t.method == "RICE_ONE" {
		t.method = "RICE_1"
	}
	for i := 1; i < 100; i++ {
		name, ok := hd.Str("ZNAME" + strconv.Itoa(i))
		if !ok {
			break
		}
		v, ok := hd.Int("ZVAL" + strconv.Itoa(i))
		if !ok {
			continue
		}
		switch strings.TrimSpace(name) {
		case "BLOCKSIZE":
			t.riceBlock = int(min(max(v, 0), math.MaxInt32))
		case "BYTEPIX":
			t.bytepix = int(min(max(v, 0), 8))
		case "SMOOTH":
			t.smooth = v != 0
		}
	}
	t.scale, t.hasScale = hd.Float("ZSCALE")
	t.zero = hd.FloatOr("ZZERO", 0)
	if t.blank, t.hasBlank = hd.Int("ZBLANK"); !t.hasBlank {
		t.blank, t.hasBlank = hd.Int("BLANK")
	}
	t.quantised = t.hdu.Bitpix < 0 && (t.scaleCol != nil || t.hasScale)
	q, _ := hd.Str("ZQUANTIZ")
	switch strings.TrimSpace(q) {
	case "SUBTRACTIVE_DITHER_1":
		t.dither = 1
	case "SUBTRACTIVE_DITHER_2":
		t.dither = 2
	}
	if v, ok := hd.Int("ZDITHER0"); ok {
		t.seed = v
	}
}

var tableKey = regexp.MustCompile(`^(TTYPE|TFORM|TUNIT|TDISP|TNULL|TSCAL|TZERO|TDIM)[0-9]+$|` +
	`^Z(TILE|NAME|VAL|NAXIS)[0-9]+$`)

var tileKeys = map[string]bool{
	"XTENSION": true, "SIMPLE": true, "BITPIX": true, "NAXIS": true, "NAXIS1": true, "NAXIS2": true,
	"PCOUNT": true, "GCOUNT": true, "TFIELDS": true, "THEAP": true, "CHECKSUM": true, "DATASUM": true,
	"ZIMAGE": true, "ZCMPTYPE": true, "ZBITPIX": true, "ZNAXIS": true, "ZSIMPLE": true, "ZEXTEND": true,
	"ZBLOCKED": true, "ZTENSION": true, "ZPCOUNT": true, "ZGCOUNT": true, "ZHECKSUM": true,
	"ZDATASUM": true, "ZQUANTIZ": true, "ZDITHER0": true, "ZSCALE": true, "ZZERO": true, "ZBLANK": true,
	"ZMASKCMP": true,
}

// imageHeader gives the header the image had before it was compressed.
func imageHeader(raw *Header) *Header {
	h := &Header{}
	if isTrue(raw, "ZSIMPLE") {
		h.Append("SIMPLE", true, "conforms to FITS standard")
	} else {
		h.Append("XTENSION", "IMAGE", "Image extension")
	}
	take := func(key string) {
		if c, ok := raw.Get("Z" + key); ok {
			h.Append(key, c.Value, c.Comment)
		}
	}
	take("BITPIX")
	take("NAXIS")
	n, _ := raw.Int("ZNAXIS")
	for i := range n {
		take("NAXIS" + strconv.FormatInt(i+1, 10))
	}
	if h.Has("XTENSION") {
		h.Append("PCOUNT", 0, "number of parameters")
		h.Append("GCOUNT", 1, "number of groups")
	}
	take("EXTEND")
	if z, ok := raw.Int("ZBLANK"); ok && !raw.Has("BLANK") {
		if b, _ := raw.Int("ZBITPIX"); b > 0 {
			h.Append("BLANK", z, "value of undefined pixels")
		}
	}
	for _, c := range raw.Cards() {
		if !tileKeys[c.Key] && !tableKey.MatchString(c.Key) {
			h.AppendCard(c)
		}
	}
	return h
}

// check rejects what cannot be read before memory is taken for it.
func (t *tiledImage) check() error {
	h := t.hdu
	switch t.method {
	case "RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS":
	default:
		return cardError(ErrUnsupported, "ZCMPTYPE", "compression %q", t.method)
	}
	if end := h.off + h.rows*h.rowLen; end > h.file.src.Size() {
		return fmt.Errorf("the table of %d tiles ends after the file: %w", h.rows, ErrTruncated)
	}
	area, ok := int64(8), true
	for _, n := range t.tile {
		area, ok = mul(area, int64(n), ok)
	}
	if limit := h.file.opt.maxBytes(); !ok || area > limit {
		return fmt.Errorf("one tile %v takes more than the limit of %s: %w", t.tile, source.BytesText(limit), ErrTooLarge)
	}
	return nil
}

// roomy is what may be asked for without a look at how much the file holds.
const roomy = 1 << 24

// plausible rejects a section that the packed bytes cannot hold, before memory is
// taken for it: n pixels, and whole tiles. HCOMPRESS_1 and PLIO_1 pack constant tiles without bound.
func (t *tiledImage) plausible(n int64) error {
	most := int64(maxGzip) // pixels per byte
	switch t.method {
	case "RICE_1":
		fsbits := map[int]int64{1: 3, 2: 4}[t.bytepix]
		most = max(most, 8*int64(t.riceBlock)/max(fsbits, 3)+1)
	case "HCOMPRESS_1", "PLIO_1":
		return nil
	}
	area := int64(1)
	for _, d := range t.tile {
		area *= int64(d) // check has seen that it fits
	}
	n = max(n, area)
	h := t.hdu
	heap := max(min(h.heapLen, h.file.src.Size()-h.off-h.heap), 0)
	if n > roomy && n/most > heap {
		return fmt.Errorf("%d bytes packed with %s cannot hold %d pixels: %w", heap, t.method, n, ErrCorrupt)
	}
	return nil
}
