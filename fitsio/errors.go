package fitsio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"limpid"
)

// What can be wrong with a file, for errors.Is. Every error of this package
// that a file causes wraps one of these (or an error of the operating system).
var (
	ErrNotFITS     = errors.New("not a FITS file")
	ErrTruncated   = errors.New("file is truncated")
	ErrTooLarge    = errors.New("too large")
	ErrNoImage     = errors.New("no image")
	ErrNoHDU       = errors.New("no such HDU")
	ErrNoColumn    = errors.New("no such column")
	ErrHeader      = errors.New("invalid header")
	ErrCorrupt     = errors.New("corrupt data")
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
