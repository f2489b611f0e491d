// Package fail holds the kinds of error of package fitsio, below the packages that
// return them.
package fail

import "errors"

// What can be wrong with a file; fitsio exports them under the same names.
var (
	ErrNotFITS   = errors.New("not a FITS file")
	ErrTruncated = errors.New("file is truncated")
	ErrTooLarge  = errors.New("too large")
	ErrCorrupt   = errors.New("corrupt data")
)
