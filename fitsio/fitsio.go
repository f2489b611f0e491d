// Package fitsio reads and writes FITS files (FITS Standard 4.0, Pence+2010 and
// IAU FWG 2018): images of every BITPIX, multi-extension files, tile-compressed
// images, tables. It uses the standard library alone.
//
// Reading:
//
//	f, err := fitsio.Open("m31.fits.fz")        // also .gz, .bz2, .Z; told by content
//	if errors.Is(err, fitsio.ErrNotFITS) { … }  // fitsio.AsFinding(err) has advice for the user
//	defer f.Close()
//	for _, x := range f.Findings { … }          // what was doubtful or repaired
//	h, err := f.FirstImage()                    // or f.HDU(2), f.Find("SCI", 1)
//	h.Shape                                     // [4096 2048]: NAXIS2, NAXIS1
//	h.Bitpix, h.Compression                     // -32, "RICE_1"
//	exp, ok := h.Header.Float("EXPTIME")
//	pix, err := h.ReadFloat32(ctx)              // BSCALE, BZERO applied; BLANK is NaN
//	cut, err := h.Section(ctx, []int{100, 200}, []int{164, 264}) // rows 100…163, columns 200…263
//	p, err := cube.ReadPlane(ctx, 7)            // plane 7 of (D, H, W)
//	w, err := wcs.FromHeader(h.Header, "")      // package fitsio/wcs
//	t, err := f.HDUs[3].Table()
//	flux, err := t.Float64(ctx, "FLUX")         // TSCAL, TZERO applied; TNULL is NaN
//	f.VerifyChecksums(ctx)                      // findings where DATASUM or CHECKSUM do not match
//
// Only headers are read by Open; pixels are read when asked for, tiles are
// decoded on every processor. Arrays are row-major with the slowest axis first;
// pixel (0, 0) is the first one, which FITS calls (1, 1).
//
// Writing:
//
//	hd := h.Header.Clone()                      // cards and comments of the source, in order
//	hd.Set("BUNIT", "Jy/beam", "")
//	hd.AddHistory("limpid " + limpid.Version + ": posterior mean, …")
//	mean, err := fitsio.NewImage("MEAN", []int{512, 512}, pix, hd) // any of the ten pixel types
//	std, err := fitsio.NewCompressedImage("STD", []int{512, 512}, sd, hd, fitsio.Compression{Quantize: 16})
//	tab, err := fitsio.NewTable("STARS", []fitsio.NewColumn{{Name: "FLUX", Unit: "Jy", Data: flux}}, nil)
//	err = fitsio.WriteFile("out.fits", fitsio.WriteOptions{Checksum: true}, mean, std, tab)
//
// WriteFile writes beside the target and renames when everything is on disk, so
// a failure leaves no half file; the same input gives the same bytes. Keywords
// that describe the storage (SIMPLE, BITPIX, NAXIS, BSCALE …) are ignored in the
// given header and written as the data need them.
//
// Whatever a file can cause is an error, never a panic: it says which file, HDU
// and card, and wraps one of the Err… values. Sizes are checked against the file
// and Options.MaxBytes before memory is taken.
package fitsio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"limpid"
	"limpid/fitsio/header"
	"limpid/fitsio/internal/fail"
	"limpid/fitsio/internal/pixels"
)

// Header is an ordered list of cards; Card is one of them. See package header.
type (
	Header = header.Header
	Card   = header.Card
)

// ParseHeader reads cards of 80 characters up to END or the end of text. What it
// repaired is in the findings.
func ParseHeader(text []byte) (*Header, []limpid.Finding) { return header.Parse(text) }

// Float is what pixels are read as.
type Float = pixels.Float

// What can be wrong with a file, for errors.Is. Every error of this package
// that a file causes wraps one of these (or an error of the operating system).
var (
	ErrNotFITS     = fail.ErrNotFITS
	ErrTruncated   = fail.ErrTruncated
	ErrTooLarge    = fail.ErrTooLarge
	ErrNoImage     = errors.New("no image")
	ErrNoHDU       = errors.New("no such HDU")
	ErrNoColumn    = errors.New("no such column")
	ErrHeader      = errors.New("invalid header")
	ErrCorrupt     = fail.ErrCorrupt
	ErrUnsupported = errors.New("not supported")
	ErrRange       = errors.New("out of range")
)

// Error says in which file and HDU something failed. HDU is -1 where the whole
// file is meant.
type Error struct {
	Op   string // "read", "write"
	Path string
	HDU  int
	Err  error
}

// Error gives `fitsio: read m31.fits: HDU 2: card "NAXIS1": …`.
func (e *Error) Error() string {
	s := "fitsio: " + e.Op + " " + filepath.Base(e.Path) + ": "
	if e.HDU >= 0 {
		s += fmt.Sprintf("HDU %d: ", e.HDU)
	}
	return s + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// cardError blames one card.
func cardError(kind error, key, format string, args ...any) error {
	return fmt.Errorf("card %q: %s: %w", key, fmt.Sprintf(format, args...), kind)
}

// AsFinding turns an error of this package into words for a user, with advice.
func AsFinding(err error) limpid.Finding {
	f := limpid.Finding{Severity: limpid.Problem, Code: "fits.error", What: err.Error()}
	var e *Error
	if errors.As(err, &e) {
		f.What = e.Err.Error()
		f.Where = where(e.Path, e.HDU)
	}
	for _, a := range advice {
		if errors.Is(err, a.is) {
			f.Code, f.Advice = a.code, a.text
			return f
		}
	}
	return f
}

func where(path string, hdu int) string {
	w := filepath.Base(path)
	if hdu >= 0 {
		w += fmt.Sprintf(", HDU %d", hdu)
	}
	return w
}

var advice = []struct {
	is         error
	code, text string
}{
	{ErrTruncated, "fits.truncated", "The file ends too early: copy or download it again"},
	{ErrNotFITS, "fits.format", "Choose a FITS file; if this one was downloaded, look at it in a text editor: it may be an error page"},
	{ErrTooLarge, "fits.size", "Read a section of the image, or raise the memory limit"},
	{ErrNoImage, "fits.noimage", "Choose a file or an HDU that holds an image"},
	{ErrNoHDU, "fits.nohdu", "List the HDUs of the file and choose one of them"},
	{ErrNoColumn, "fits.nocolumn", "List the columns of the table and choose one of them"},
	{ErrHeader, "fits.header", "The header breaks the FITS standard in a way that cannot be repaired; ask whoever wrote the file"},
	{ErrCorrupt, "fits.corrupt", "The data are damaged: copy or download the file again"},
	{ErrUnsupported, "fits.unsupported", "Convert the file with funpack or another FITS tool first"},
	{ErrRange, "fits.range", "Choose a region inside the image"},
	{fs.ErrNotExist, "file.missing", "Check the path"},
	{fs.ErrPermission, "file.permission", "Check who may read or write there"},
}
