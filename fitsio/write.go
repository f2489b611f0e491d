package fitsio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"limpid/fitsio/header"
	"limpid/fitsio/internal/pixels"
)

// Pixel is what an image can be written from. Unsigned types and int8 are stored
// with BZERO, as the standard says.
type Pixel = pixels.Pixel

// NewHDU is an HDU to be written; NewImage, NewTable and NewEmpty make one.
type NewHDU struct {
	name   string
	header *Header
	table  bool
	// head gives the cards that describe the storage, without SIMPLE or XTENSION.
	head func() *Header
	// size of the data without padding, and how to write them.
	size int64
	body func(w io.Writer) error
}

// NewImage makes an image HDU; shape is slowest axis first and data row-major.
// Neither is copied: do not change them before the file is written. header may
// be nil.
func NewImage[T Pixel](name string, shape []int, data []T, header *Header) (*NewHDU, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return nil, fmt.Errorf("fitsio: shape %v is negative: %w", shape, ErrRange)
		}
		n *= d
	}
	if len(shape) == 0 || len(shape) > 999 || n != len(data) {
		return nil, fmt.Errorf("fitsio: %d pixels do not fill shape %v: %w", len(data), shape, ErrRange)
	}
	bitpix, zero := pixels.Type[T]()
	h := &NewHDU{name: name, header: header, size: int64(len(data)) * int64(pixels.Abs(bitpix)/8)}
	h.head = func() *Header {
		var c Header
		c.Append("BITPIX", bitpix, "array data type")
		c.Append("NAXIS", len(shape), "number of array dimensions")
		for i := range shape {
			c.Append(fmt.Sprintf("NAXIS%d", i+1), shape[len(shape)-1-i], "")
		}
		if zero != nil {
			c.Append("BSCALE", 1, "")
			c.AppendCard(Card{Key: "BZERO", Value: zero, Comment: "offset of the integer type"})
		}
		return &c
	}
	h.body = func(w io.Writer) error { return writePixels(w, data) }
	return h, nil
}

// NewEmpty makes an HDU without data, as the primary HDU of a file of
// extensions often is.
func NewEmpty(name string, header *Header) *NewHDU {
	return &NewHDU{
		name: name, header: header, body: func(io.Writer) error { return nil },
		head: func() *Header {
			var c Header
			c.Append("BITPIX", 8, "array data type")
			c.Append("NAXIS", 0, "number of array dimensions")
			return &c
		},
	}
}

// writePixels writes big-endian pixels.
func writePixels[T Pixel](w io.Writer, data []T) error {
	bitpix, zero := pixels.Type[T]()
	size := pixels.Abs(bitpix) / 8
	flip := uint64(0)
	if zero != nil {
		flip = 1 << (8*size - 1)
	}
	buf := make([]byte, 1<<16)
	for len(data) > 0 {
		n := min(len(data), len(buf)/size)
		pixels.Put(buf, data[:n], bitpix, flip)
		if _, err := w.Write(buf[:n*size]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// WriteOptions say how to write. The zero value is good.
type WriteOptions struct {
	Checksum bool // add CHECKSUM and DATASUM to every HDU
}

// WriteFile writes the HDUs to path. An empty primary HDU is put before a table
// that comes first. The file appears under its name when it is complete; on an
// error nothing is left behind and an older file stays as it was.
func WriteFile(path string, o WriteOptions, hdus ...*NewHDU) (err error) {
	defer func() {
		if err != nil {
			if pe, ok := err.(*os.PathError); ok {
				err = pe.Err
			}
			err = &Error{"write", path, -1, err}
		}
	}()
	if real, lerr := filepath.EvalSymlinks(path); lerr == nil {
		path = real // replace what a link points to, not the link
	}
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err = Write(w, o, hdus...); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if st, serr := os.Stat(path); serr == nil {
		if err = f.Chmod(st.Mode().Perm()); err != nil { // as the file it replaces
			return err
		}
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// createBeside makes a new file in the folder of path, with the permissions any new
// file of the user gets.
func createBeside(path string) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(path), rand.Uint32()))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil || !errors.Is(err, fs.ErrExist) || try > 100 {
			return f, err
		}
	}
}

// syncDir makes the new name last; not every system can, and none needs to.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// Write writes the HDUs to w.
func Write(w io.Writer, o WriteOptions, hdus ...*NewHDU) error {
	if len(hdus) == 0 || hdus[0].table {
		hdus = append([]*NewHDU{NewEmpty("", nil)}, hdus...)
	}
	for i, h := range hdus {
		if err := h.write(w, i, len(hdus), o); err != nil {
			return err
		}
	}
	return nil
}

func (h *NewHDU) write(w io.Writer, index, count int, o WriteOptions) error {
	head := h.fullHeader(index, count)
	if o.Checksum {
		if err := h.addChecksums(head); err != nil {
			return err
		}
	}
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	cw := &countWriter{w: w}
	if err := h.body(cw); err != nil {
		return err
	}
	if cw.n != h.size {
		panic(fmt.Sprintf("fitsio: wrote %d bytes of data for %d", cw.n, h.size))
	}
	_, err := w.Write(make([]byte, (header.BlockSize-h.size%header.BlockSize)%header.BlockSize))
	return err
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// storageKeys are the cards the writer makes itself.
var storageKeys = map[string]bool{
	"SIMPLE": true, "XTENSION": true, "BITPIX": true, "NAXIS": true, "EXTEND": true,
	"PCOUNT": true, "GCOUNT": true, "GROUPS": true, "BSCALE": true, "BZERO": true, "BLANK": true,
	"TFIELDS": true, "THEAP": true, "CHECKSUM": true, "DATASUM": true, "END": true, "BLOCKED": true,
}

func isStorage(key string) bool {
	if storageKeys[key] || tileKeys[key] || tableKey.MatchString(key) {
		return true
	}
	rest, ok := strings.CutPrefix(key, "NAXIS")
	return ok && strings.Trim(rest, "0123456789") == ""
}

// fullHeader puts the mandatory cards first and then the given ones, in order.
func (h *NewHDU) fullHeader(index, count int) *Header {
	var out Header
	switch {
	case index == 0:
		out.Append("SIMPLE", true, "conforms to FITS standard")
	case h.table:
		out.Append("XTENSION", "BINTABLE", "binary table extension")
	default:
		out.Append("XTENSION", "IMAGE", "image extension")
	}
	mine := h.head()
	scaled := false
	for _, c := range mine.Cards() {
		if !scaled && (c.Key == "BSCALE" || c.Key == "TFIELDS") {
			h.addExtend(&out, index, count)
			scaled = true
		}
		out.AppendCard(c)
	}
	if !scaled {
		h.addExtend(&out, index, count)
	}
	if h.name != "" {
		out.Append("EXTNAME", h.name, "")
	}
	for _, c := range h.header.Cards() {
		if isStorage(c.Key) || (c.Key == "EXTNAME" && h.name != "") {
			continue
		}
		out.AppendCard(c)
	}
	return &out
}

func (h *NewHDU) addExtend(out *Header, index, count int) {
	switch {
	case index == 0 && count > 1:
		out.Append("EXTEND", true, "extensions follow")
	case index > 0 && !out.Has("PCOUNT"):
		out.Append("PCOUNT", 0, "number of parameters")
		out.Append("GCOUNT", 1, "number of groups")
	}
}
