// Package tile packs and unpacks the tiles of compressed FITS images (FITS 4.0,
// section 10; Pence+2010, doi 10.1086/652238) and the .Z files of compress(1).
// It knows bytes and integers; package fitsio knows headers and tables.
//
// Decoders never panic and never write outside dst, whatever the input; they
// return an error that wraps ErrCorrupt.
package tile

import "errors"

// ErrCorrupt is returned for data no encoder writes.
var ErrCorrupt = errors.New("corrupt compressed data")
