package fitsio

import (
	"fmt"
	"io"
	"math"
	"strings"

	"limpid"
	"limpid/fitsio/header"
	"limpid/fitsio/internal/pixels"
)

// Kind says what an HDU holds.
type Kind int

// The kinds of HDU. A tile-compressed image is an Image.
const (
	Empty Kind = iota // a header without data
	Image
	BinaryTable
	ASCIITable
	RandomGroups // obsolete radio format; not read
	Unknown      // an extension type we do not know; skipped
)

func (k Kind) String() string {
	return [...]string{"empty", "image", "binary table", "ASCII table", "random groups", "unknown"}[k]
}

// HDU is one header and data unit.
type HDU struct {
	Index int    // from 0
	Name  string // EXTNAME; "PRIMARY" for a first HDU without one
	Ver   int    // EXTVER, 1 where absent
	Kind  Kind
	// Header describes the image as it is once unpacked; see RawHeader for what
	// a tile-compressed HDU really holds.
	Header *Header
	Shape  []int // of an image, slowest first: NAXISn … NAXIS1
	Bitpix int   // of the pixels as stored: 8, 16, 32, 64, -32, -64
	// Compression is ZCMPTYPE ("RICE_1", …) of a tile-compressed image.
	Compression string

	raw     *Header
	file    *File
	start   int64 // of the header
	off     int64 // of the data
	size    int64 // of the data, without padding
	scale   pixels.Scaling
	rows    int64 // tables: NAXIS2
	rowLen  int64 // tables: NAXIS1
	heap    int64 // tables: offset of the heap from off
	heapLen int64
	tiles   *tiledImage
}

// RawHeader is the header as it stands in the file. It differs from Header for
// tile-compressed images only.
func (h *HDU) RawHeader() *Header { return h.raw }

// Keyword looks in the HDU's own header and then in that of the primary HDU, where
// programs put what holds for the whole exposure (INHERIT convention).
func (h *HDU) Keyword(key string) (Card, bool) {
	if c, ok := h.Header.Get(key); ok {
		return c, true
	}
	if inherit, ok := h.Header.Bool("INHERIT"); ok && !inherit {
		return Card{}, false
	}
	return h.file.HDUs[0].Header.Get(key)
}

// Pixels is the number of pixels of an image.
func (h *HDU) Pixels() int64 {
	if h.Kind != Image || len(h.Shape) == 0 {
		return 0
	}
	n := int64(1)
	for _, d := range h.Shape {
		n *= int64(d)
	}
	return n
}

// Rows is the number of rows of a table.
func (h *HDU) Rows() int {
	if n, ok := h.raw.Int("ZNAXIS2"); ok && h.Kind == BinaryTable && isTrue(h.raw, "ZTABLE") {
		return int(max(n, 0))
	}
	return int(h.rows)
}

// String gives "HDU 2 (SCI): image 4096 × 2048, BITPIX -32".
func (h *HDU) String() string {
	s := fmt.Sprintf("HDU %d", h.Index)
	if h.Name != "" {
		s += " (" + h.Name + ")"
	}
	s += ": " + h.Kind.String()
	if h.Kind == Image {
		for i, d := range h.Shape {
			s += fmt.Sprintf("%s%d", []string{" ", " × "}[min(i, 1)], d)
		}
		s += fmt.Sprintf(", BITPIX %d", h.Bitpix)
		if h.Compression != "" {
			s += ", " + h.Compression
		}
	}
	return s
}

// fail puts file and HDU around an error.
func (h *HDU) fail(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*Error); ok {
		return err
	}
	return &Error{"read", h.file.Path, h.Index, err}
}

// readHDU reads the header at off and works out where the next one begins.
func (f *File) readHDU(off int64, index int) (*HDU, int64, error) {
	head, findings, data, err := f.readHeader(off)
	if err != nil {
		return nil, 0, err
	}
	f.addFindings(index, findings)
	h := &HDU{Index: index, Header: head, raw: head, file: f, start: off, off: data}
	if err := h.structure(); err != nil {
		return nil, 0, err
	}
	if h.Kind == BinaryTable && isTrue(head, "ZIMAGE") {
		if err := h.openTiles(); err != nil {
			// The table can still be read as such, and what follows it too.
			h.Kind, h.Shape, h.tiles = BinaryTable, nil, nil
			x := AsFinding(&Error{"read", f.Path, index, err})
			x.What += "; the image it holds cannot be read"
			f.Findings = append(f.Findings, x)
		}
	}
	if h.Kind == Image && len(h.Shape) > 0 {
		h.scale = f.imageScaling(h)
	}
	return h, f.checkEnd(h), nil
}

func isTrue(h *Header, key string) bool {
	v, _ := h.Bool(key)
	return v
}

// checkEnd reports data that end too early and gives the offset of the next HDU.
func (f *File) checkEnd(h *HDU) int64 {
	have := f.src.Size() - h.off
	whole := padded(h.size)
	switch {
	case have < h.size:
		f.find(limpid.Problem, h.Index, "fits.truncated", "Copy or download the file again; HDUs before this one are complete",
			"the data should take %d bytes, but the file has %d after the header", h.size, max(have, 0))
	case have < whole:
		f.find(limpid.Info, h.Index, "fits.padding", "", "the last block is not padded to 2880 bytes")
	}
	return h.off + whole
}

// padded rounds up to whole blocks.
func padded(size int64) int64 {
	return (size + header.BlockSize - 1) / header.BlockSize * header.BlockSize
}

// structure reads the mandatory keywords (FITS 4.0, section 4.4.1).
func (h *HDU) structure() error {
	hd := h.Header
	ext, isExt := hd.Str("XTENSION")
	if !isExt && h.Index == 0 {
		if simple, ok := hd.Bool("SIMPLE"); !ok || !simple {
			h.file.find(limpid.Warning, 0, "fits.simple", "Values may not mean what FITS says they mean",
				"SIMPLE is not T: the writer says that the file does not follow FITS")
		}
	}
	h.names(isExt)
	bitpix, err := h.need("BITPIX")
	if err != nil {
		return err
	}
	switch bitpix {
	case 8, 16, 32, 64, -32, -64:
		h.Bitpix = int(bitpix)
	default:
		return cardError(ErrHeader, "BITPIX", "%d is not one of 8, 16, 32, 64, -32, -64", bitpix)
	}
	naxes, err := h.axes()
	if err != nil {
		return err
	}
	h.kind(strings.TrimSpace(ext), isExt, naxes)
	return h.sizes(naxes)
}

func (h *HDU) names(isExt bool) {
	h.Name, _ = h.Header.Str("EXTNAME")
	h.Name = strings.TrimSpace(h.Name)
	if h.Name == "" && !isExt {
		h.Name = "PRIMARY"
	}
	h.Ver = 1
	if v, ok := h.Header.Int("EXTVER"); ok && v == int64(int32(v)) {
		h.Ver = int(v)
	}
}

// need reads an integer that must be there.
func (h *HDU) need(key string) (int64, error) {
	c, ok := h.Header.Get(key)
	if !ok {
		return 0, cardError(ErrHeader, key, "missing")
	}
	v, ok := h.Header.Int(key)
	if !ok {
		return 0, cardError(ErrHeader, key, "%v is not an integer", c.Value)
	}
	return v, nil
}

// axes reads NAXIS and NAXIS1 … NAXISn, in that order.
func (h *HDU) axes() ([]int64, error) {
	n, err := h.need("NAXIS")
	if err != nil {
		return nil, err
	}
	if n < 0 || n > 999 {
		return nil, cardError(ErrHeader, "NAXIS", "%d is not in 0 … 999", n)
	}
	out := make([]int64, n)
	for i := range out {
		key := fmt.Sprintf("NAXIS%d", i+1)
		if out[i], err = h.need(key); err != nil {
			return nil, err
		}
		if out[i] < 0 {
			return nil, cardError(ErrHeader, key, "%d is negative", out[i])
		}
		if out[i] > math.MaxInt {
			return nil, cardError(ErrTooLarge, key, "%d", out[i])
		}
	}
	return out, nil
}

func (h *HDU) kind(ext string, isExt bool, naxes []int64) {
	switch {
	case !isExt && len(naxes) > 0 && naxes[0] == 0 && isTrue(h.Header, "GROUPS"):
		h.Kind = RandomGroups
		h.file.find(limpid.Info, h.Index, "fits.groups", "Convert it with AIPS or astropy if you need it",
			"random groups are not read")
	case !isExt || ext == "IMAGE" || ext == "IUEIMAGE":
		if len(naxes) > 0 {
			h.Kind = Image
		}
	case ext == "BINTABLE" || ext == "A3DTABLE":
		h.Kind = BinaryTable
	case ext == "TABLE":
		h.Kind = ASCIITable
	default:
		h.Kind = Unknown
		h.file.find(limpid.Info, h.Index, "fits.extension", "", "extensions of type %q are skipped", ext)
	}
}

// sizes works out the length of the data: |BITPIX|/8 · GCOUNT · (PCOUNT + Π NAXISi).
func (h *HDU) sizes(naxes []int64) error {
	for i := len(naxes) - 1; i >= 0; i-- {
		h.Shape = append(h.Shape, int(naxes[i]))
	}
	pcount, gcount := int64(0), int64(1)
	if v, ok := h.Header.Int("PCOUNT"); ok && h.Kind != Image {
		pcount = v
	}
	if v, ok := h.Header.Int("GCOUNT"); ok && h.Kind != Image {
		gcount = v
	}
	if pcount < 0 || gcount < 0 {
		return cardError(ErrHeader, "PCOUNT", "PCOUNT or GCOUNT is negative")
	}
	sizeAxes := naxes
	if h.Kind == RandomGroups {
		sizeAxes = naxes[1:]
	}
	n := int64(0)
	if len(naxes) > 0 {
		n = 1
	}
	ok := true
	for _, a := range sizeAxes {
		n, ok = mul(n, a, ok)
	}
	data := n
	if n += pcount; n < data {
		ok = false
	}
	n, ok = mul(n, gcount, ok)
	h.size, ok = mul(n, int64(pixels.Abs(h.Bitpix)/8), ok)
	if !ok || h.size > math.MaxInt64-h.off-header.BlockSize {
		return fmt.Errorf("the axes %v give more than 2⁶³ bytes: %w", naxes, ErrTooLarge)
	}
	if h.Kind == BinaryTable || h.Kind == ASCIITable {
		if len(naxes) != 2 {
			return cardError(ErrHeader, "NAXIS", "%d in a table, not 2", len(naxes))
		}
		h.rowLen, h.rows, h.Shape = naxes[0], naxes[1], nil
		h.heapBounds(data, pcount)
		return nil
	}
	if h.Kind != Image {
		h.Shape = nil
	}
	return nil
}

func (h *HDU) heapBounds(data, pcount int64) {
	h.heap = data
	if v, ok := h.Header.Int("THEAP"); ok {
		if v < data || v > data+pcount {
			h.file.find(limpid.Warning, h.Index, "fits.theap", "Check the arrays of variable length, if the table has any",
				"THEAP = %d is not in the table's %d … %d; the arrays are taken to follow the rows", v, data, data+pcount)
		} else {
			h.heap = v
		}
	}
	// fpack forgets a gap before the heap when it counts PCOUNT: arrays may reach
	// into the padding of the last block.
	h.heapLen = padded(h.size) - h.heap
}

// mul multiplies without overflow, for sizes that are not negative.
func mul(a, b int64, ok bool) (int64, bool) {
	if !ok || (b != 0 && a > math.MaxInt64/b) {
		return 0, false
	}
	return a * b, true
}

// readAt fills buf from offset off of the data.
func (h *HDU) readAt(buf []byte, off int64) error {
	n, err := h.file.src.ReadAt(buf, h.off+off)
	if n == len(buf) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("the data should take %d bytes, but the file has %d after the header: %w",
			h.size, max(h.file.src.Size()-h.off, 0), ErrTruncated)
	}
	return err
}

// imageScaling reads BSCALE, BZERO and BLANK.
func (f *File) imageScaling(h *HDU) pixels.Scaling {
	s := pixels.Scaling{Scale: 1}
	if v, ok := h.Header.Float("BSCALE"); ok {
		s.Scale = v
	}
	if v, ok := h.Header.Float("BZERO"); ok {
		s.Zero = v
	}
	if math.IsNaN(s.Scale+s.Zero) || s.Scale == 0 {
		f.find(limpid.Warning, h.Index, "fits.bscale", "Check BSCALE and BZERO in the header",
			"BSCALE %g and BZERO %g make every pixel the same; they were used as they are", s.Scale, s.Zero)
	}
	if v, ok := h.Header.Int("BLANK"); ok {
		if h.Bitpix > 0 {
			s.Blank, s.HasBlank = v, true
		} else {
			f.find(limpid.Info, h.Index, "fits.blank", "", "BLANK has no meaning for floating point pixels and was ignored")
		}
	}
	if s.Scale == 1 {
		s.Flip = h.Bitpix > 0 && s.Zero == pixels.Offsets[h.Bitpix]
	}
	return s
}
