package fitsio

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"limpid"
	"limpid/fitsio/header"
	"limpid/fitsio/internal/source"
)

// DefaultMaxBytes is the largest array, or unpacked file, made unless Options
// say otherwise.
const DefaultMaxBytes = 4 << 30

// maxHeaderBytes bounds one header: 400 000 cards.
const maxHeaderBytes = 32 << 20

// maxHDUs bounds the walk through a damaged file.
const maxHDUs = 65536

// Options bound what reading may use. The zero value is good.
type Options struct {
	MaxBytes int64 // largest array or unpacked file in bytes; 0: DefaultMaxBytes
	Workers  int   // goroutines for one read; 0: one per processor
}

func (o Options) maxBytes() int64 {
	limit := int64(DefaultMaxBytes)
	if o.MaxBytes > 0 {
		limit = o.MaxBytes
	}
	return min(limit, math.MaxInt/2) // what an address can reach
}

// File is an open FITS file: its headers, and its data on request. Its HDUs may
// be read by several goroutines at once.
type File struct {
	Path     string
	HDUs     []*HDU
	Findings []limpid.Finding // what was doubtful or repaired

	src source.Source
	opt Options
}

// Open reads the headers of a FITS file, plain or packed as a whole with gzip,
// bzip2 or compress (told by content, not by name). A damaged extension does not
// stop it: the HDUs before are there, and Findings says what is wrong.
func Open(path string) (*File, error) {
	return OpenWith(context.Background(), path, Options{})
}

// OpenWith is Open with limits, and can be cancelled while unpacking.
func OpenWith(ctx context.Context, path string, o Options) (*File, error) {
	osf, err := os.Open(path)
	if err != nil {
		if pe, ok := err.(*os.PathError); ok {
			err = pe.Err
		}
		return nil, &Error{"read", path, -1, err}
	}
	st, err := osf.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("it is a folder: %w", ErrNotFITS)
	}
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("it is not a regular file: %w", ErrNotFITS)
	}
	if err != nil {
		osf.Close()
		return nil, &Error{"read", path, -1, err}
	}
	return open(ctx, source.File(osf, st.Size()), path, o)
}

// NewFile reads from memory or from anything with random access; name is used
// in messages. r must stay usable until Close, which does not close it.
func NewFile(r io.ReaderAt, size int64, name string, o Options) (*File, error) {
	return open(context.Background(), source.Reader(r, size), name, o)
}

func open(ctx context.Context, src source.Source, path string, o Options) (*File, error) {
	f := &File{Path: path, opt: o, src: src}
	plain, findings, err := source.Unpack(ctx, src, o.maxBytes())
	if err == nil {
		f.addFindings(-1, findings)
		if plain != src {
			err = src.Close()
			f.src = plain
		}
	}
	if err == nil {
		err = f.walk()
	}
	if err != nil {
		f.src.Close()
		if _, ok := err.(*Error); !ok {
			err = &Error{"read", path, -1, err}
		}
		return nil, err
	}
	return f, nil
}

// Close releases the file; reading its HDUs fails afterwards.
func (f *File) Close() error { return f.src.Close() }

// HDU gives HDU i, counted from 0, or ErrNoHDU.
func (f *File) HDU(i int) (*HDU, error) {
	if i < 0 || i >= len(f.HDUs) {
		return nil, &Error{"read", f.Path, -1, fmt.Errorf("HDU %d: the file has HDUs 0 to %d: %w", i, len(f.HDUs)-1, ErrNoHDU)}
	}
	return f.HDUs[i], nil
}

// Find gives the first HDU of that EXTNAME (case does not matter) and EXTVER
// (0: any); nil where there is none.
func (f *File) Find(name string, ver int) *HDU {
	for _, h := range f.HDUs {
		if strings.EqualFold(h.Name, name) && (ver == 0 || h.Ver == ver) {
			return h
		}
	}
	return nil
}

// FirstImage gives the first HDU that holds an image of at least one pixel, or
// ErrNoImage.
func (f *File) FirstImage() (*HDU, error) {
	for _, h := range f.HDUs {
		if h.Kind == Image && h.Pixels() > 0 {
			return h, nil
		}
	}
	return nil, &Error{"read", f.Path, -1, fmt.Errorf("none of its %d HDUs holds an image: %w", len(f.HDUs), ErrNoImage)}
}

func (f *File) addFindings(hdu int, fs []limpid.Finding) {
	for _, x := range fs {
		w := where(f.Path, hdu)
		if x.Where != "" {
			w += ", " + x.Where
		}
		x.Where = w
		f.Findings = append(f.Findings, x)
	}
}

func (f *File) find(sev limpid.Severity, hdu int, code, advice, format string, args ...any) {
	f.addFindings(hdu, []limpid.Finding{{Severity: sev, Code: code, What: fmt.Sprintf(format, args...), Advice: advice}})
}

// walk reads every header. An error in the first is an error of the file; later
// ones become Findings.
func (f *File) walk() error {
	for off := int64(0); off < f.src.Size() && len(f.HDUs) < maxHDUs; {
		i := len(f.HDUs)
		if i > 0 && !f.startsExtension(off, i) {
			return nil
		}
		h, end, err := f.readHDU(off, i)
		if err != nil {
			err = &Error{"read", f.Path, i, err}
			if i == 0 {
				return err
			}
			f.Findings = append(f.Findings, AsFinding(err))
			return nil
		}
		f.HDUs = append(f.HDUs, h)
		off = end
	}
	if len(f.HDUs) == 0 {
		return fmt.Errorf("the file is empty: %w", ErrNotFITS)
	}
	return nil
}

// startsExtension tells an extension from what may follow the last one.
func (f *File) startsExtension(off int64, i int) bool {
	var b [header.CardSize]byte
	n, _ := f.src.ReadAt(b[:], off)
	if strings.HasPrefix(string(b[:n]), "XTENSION") {
		return true
	}
	left := f.src.Size() - off
	if strings.Trim(string(b[:n]), "\x00 ") == "" {
		f.find(limpid.Info, -1, "fits.trailing", "", "%d bytes of padding after the last HDU", left)
	} else {
		f.find(limpid.Info, -1, "fits.trailing", "They were ignored", "%d bytes after HDU %d that are not an extension", left, i-1)
	}
	return false
}

// readHeader reads blocks up to END and returns the offset of the data.
func (f *File) readHeader(off int64) (*Header, []limpid.Finding, int64, error) {
	var text []byte
	buf := make([]byte, 4*header.BlockSize)
	for {
		n, err := f.src.ReadAt(buf, off+int64(len(text)))
		if err != nil && err != io.EOF {
			return nil, nil, 0, err
		}
		n -= n % header.CardSize
		start := len(text)
		text = append(text, buf[:n]...)
		for p := start; p < len(text); p += header.CardSize {
			card := text[p : p+header.CardSize]
			if card[0] == 'E' && header.IsEnd(string(card)) {
				h, findings := header.Parse(text[:p])
				size := int64(p/header.BlockSize+1) * header.BlockSize
				return h, findings, off + size, nil
			}
			if p%header.BlockSize == 0 && !looksLikeCard(card) {
				return nil, nil, 0, fmt.Errorf("no END card before byte %d: %w", off+int64(p), ErrHeader)
			}
		}
		switch {
		case n == 0:
			return nil, nil, 0, fmt.Errorf("no END card in %d bytes of header: %w", len(text), ErrTruncated)
		case len(text) > maxHeaderBytes:
			return nil, nil, 0, fmt.Errorf("no END card in %d bytes of header: %w", len(text), ErrHeader)
		}
	}
}

// looksLikeCard rejects binary data, so that a header without END ends soon.
func looksLikeCard(card []byte) bool {
	odd := 0
	for _, b := range card[:8] {
		if b < 0x20 || b > 0x7e {
			odd++
		}
	}
	return odd <= 2
}
