// Package source gives random access to the bytes of a FITS file, plain or packed
// as a whole.
package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"limpid"
	"limpid/fitsio/header"
	"limpid/fitsio/internal/fail"
	"limpid/fitsio/tile"
)

// Source is random access to the uncompressed bytes of a file.
type Source interface {
	io.ReaderAt
	Size() int64
	Close() error
}

type plainFile struct {
	*os.File
	size int64
}

func (p plainFile) Size() int64 { return p.size }

// File wraps an open file of a known size.
func File(f *os.File, size int64) Source { return plainFile{f, size} }

type readerAt struct {
	io.ReaderAt
	size int64
}

func (r readerAt) Size() int64  { return r.size }
func (r readerAt) Close() error { return nil }

// Reader wraps anything with random access; closing it does nothing.
func Reader(r io.ReaderAt, size int64) Source { return readerAt{r, size} }

// Unpack looks at the first bytes of src and, where the whole file is
// compressed (gzip, bzip2, compress), spools the plain bytes.
func Unpack(ctx context.Context, src Source, limit int64) (Source, []limpid.Finding, error) {
	var magic [512]byte
	n, err := src.ReadAt(magic[:], 0)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	head := magic[:n]
	raw := bufio.NewReaderSize(io.NewSectionReader(src, 0, src.Size()), 1<<18)
	var plain io.Reader
	var what string
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		what = "gzip"
		plain, err = gzip.NewReader(raw)
	case bytes.HasPrefix(head, []byte("BZh")):
		what = "bzip2"
		plain = bzip2.NewReader(raw)
	case bytes.HasPrefix(head, []byte{0x1f, 0x9d}):
		what = "compress"
		plain, err = tile.NewLZWReader(raw)
	default:
		return src, nil, notFITS(head)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %w", what, fail.ErrCorrupt, err)
	}
	s := &spool{}
	err = s.fill(ctx, plain, limit)
	if err == nil {
		return s, nil, nil
	}
	if s.size < header.BlockSize || errors.Is(err, fail.ErrNotFITS) || errors.Is(err, fail.ErrTooLarge) || ctx.Err() != nil {
		s.Close()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fail.ErrTruncated
		}
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	return s, []limpid.Finding{{
		Severity: limpid.Problem, Code: "fits.unpack",
		What:   fmt.Sprintf("unpacking (%s) stopped after %d bytes: %v", what, s.size, err),
		Advice: "What could be unpacked is shown; copy or download the file again",
	}}, nil
}

// notFITS names the usual files that are called .fits and are not.
func notFITS(head []byte) error {
	t := bytes.ToLower(bytes.TrimLeft(head, " \t\r\n\xef\xbb\xbf"))
	var what string
	switch {
	case len(head) == 0:
		what = "the file is empty"
	case bytes.HasPrefix(t, []byte("<!doctype")), bytes.HasPrefix(t, []byte("<html")):
		what = "it is a web page"
	case bytes.HasPrefix(t, []byte("<?xml")):
		what = "it is XML"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		what = "it is a zip archive: take the FITS file out first"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ")), bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		what = "it is packed with xz or zstd: unpack it first"
	case bytes.HasPrefix(head, []byte("\x89PNG")), bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}),
		bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		what = "it is a PNG, JPEG or TIFF picture"
	case bytes.HasPrefix(head, []byte("\x89HDF")):
		what = "it is HDF5"
	case bytes.HasPrefix(head, []byte("SIMPLE")), bytes.HasPrefix(head, []byte("XTENSION")):
		return nil
	default:
		what = "it does not begin with SIMPLE"
	}
	return fmt.Errorf("%s: %w", what, fail.ErrNotFITS)
}

const (
	spoolChunk  = 1 << 20
	spoolMemory = 32 << 20 // beyond this a spool goes to a temporary file
)

// spool keeps unpacked bytes: in memory first, in a temporary file when long.
type spool struct {
	chunks [][]byte
	file   *os.File
	size   int64
}

func (s *spool) Size() int64 { return s.size }

// fill copies r until its end. What was read before an error stays readable.
func (s *spool) fill(ctx context.Context, r io.Reader, limit int64) error {
	var buf []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if buf == nil || s.file == nil { // chunks in memory keep their buffer
			buf = make([]byte, spoolChunk)
		}
		n, err := readUntilFull(r, buf)
		if s.size == 0 && n > 0 {
			if bad := notFITS(buf[:n]); bad != nil { // before all of something else is unpacked
				return bad
			}
		}
		if s.size+int64(n) > limit {
			return fmt.Errorf("unpacks to more than %s: %w", BytesText(limit), fail.ErrTooLarge)
		}
		if werr := s.add(buf[:n]); werr != nil {
			return werr
		}
		if err != nil {
			if err == io.EOF || (err == gzip.ErrHeader && s.size > 0) { // padding after a gzip stream
				return nil
			}
			return err
		}
	}
}

// readUntilFull is io.ReadFull, but hands on the error of r as it is: the end of
// the data and a stream that breaks off must stay different.
func readUntilFull(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	return n, err
}

func (s *spool) add(b []byte) error {
	if s.file == nil && s.size+int64(len(b)) > spoolMemory {
		f, err := os.CreateTemp("", "limpid-*.fits")
		if err != nil {
			return err
		}
		s.file = f
		if runtime.GOOS != "windows" {
			_ = os.Remove(f.Name()) // it lives until it is closed
		}
		for _, c := range s.chunks {
			if _, err := f.Write(c); err != nil {
				return err
			}
		}
		s.chunks = nil
	}
	s.size += int64(len(b))
	if s.file != nil {
		_, err := s.file.Write(b)
		return err
	}
	if len(b) > 0 {
		s.chunks = append(s.chunks, b[:len(b):len(b)])
	}
	return nil
}

// ReadAt is safe for several goroutines.
func (s *spool) ReadAt(p []byte, off int64) (n int, err error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	for n < len(p) && off < s.size {
		c := s.chunks[off/spoolChunk][off%spoolChunk:]
		k := copy(p[n:], c)
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if runtime.GOOS == "windows" {
		_ = os.Remove(s.file.Name())
	}
	return err
}

// BytesText writes a number of bytes for people.
func BytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
