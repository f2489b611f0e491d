// Package fail holds the kinds of error of package fitsio, below the packages that
// return them.
package fail

import "errors"

// What can be wrong with a file; fitsio exports them with the prefix Err.
var (
	NotFITS   = errors.New("not a FITS file")
	Truncated = errors.New("file is truncated")
	TooLarge  = errors.New("too large")
	Corrupt   = errors.New("corrupt data")
)
